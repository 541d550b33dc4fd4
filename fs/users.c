/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * users.c - who has used the card that is in, and what follows from it.
 *
 * THEORY. A card is clean when it comes, and after each reset or power-down by the
 * daemon; whoever touches it leaves state in it (a selected file, a verified PIN). Two
 * things make it clean again: before another uid touches it, and after a holder is gone
 * in the middle of his transaction. Both are settled in one place, at the head of every
 * task (scfs_users_prepare), so that nothing can come in between; after the death of a
 * holder a task of the daemon goes there at once. A card without power is clean. When
 * the reset fails and the card still has power, nobody gets to it.
 *
 * A task may get to a card before the tracker has told of it. So the last uid outlives
 * the card: the reset that this may cost another one's new card does no harm.
 *
 * A user is an open handle that has touched this card; that is remembered by the card's
 * number, so that nothing has to be undone when the card goes. Without users the card is
 * powered down after power_down_timeout; a deadline is armed when the last one leaves and
 * when the daemon has reset a card that has come.
 */
#include "fs/session.h"

#include <stdlib.h>

#include "fs/sequence.h"

/* The number of the card that is in or, when none is, of the one that comes next. */
static uint32_t coming_locked(const struct scfs_reader *reader)
{
    uint32_t number = reader->counter + (reader->present ? 1 : 2);

    return number != 0 ? number : 1;
}

uint32_t scfs_users_card_locked(const struct scfs_reader *reader)
{
    return reader->present ? coming_locked(reader) : 0;
}

/* The last uid is kept: its task may have got to the card that comes already. */
void scfs_users_card_changed_locked(struct scfs_reader *reader)
{
    if (reader->present)
        return;
    reader->card.users = 0;
    reader->card.reset_owed = false;
    reader->card.resets++;
}

/* ---- a clean card ---------------------------------------------------------------- */

static bool powered(struct scfs_reader *reader)
{
    return scfs_reader_state(reader) > SCARD_SWALLOWED;
}

static NTSTATUS make_clean(struct scfs_task *task, bool owed)
{
    struct scfs_reader *reader = task->reader;
    NTSTATUS status = STATUS_SUCCESS;

    if (powered(reader))
        status = scfs_sequence_power(task, SCARD_COLD_RESET);
    if (NT_SUCCESS(status) || !powered(reader))
        return STATUS_SUCCESS;
    if (owed) {
        pthread_mutex_lock(&reader->lock);
        reader->card.reset_owed = reader->present;
        pthread_mutex_unlock(&reader->lock);
    }
    return status;
}

static bool is_foreign_locked(const struct scfs_task *task)
{
    const struct scfs_reader *reader = task->reader;

    return !reader->fs->options->share_state && task->handle != NULL &&
           reader->card.has_last_uid && reader->card.last_uid != task->uid;
}

static void touch_locked(struct scfs_task *task)
{
    task->reader->card.has_last_uid = task->handle != NULL;
    task->reader->card.last_uid = task->uid;
}

bool scfs_users_touch_locked(struct scfs_task *task)
{
    scfs_users_add_locked(task->handle);
    if (task->reader->card.reset_owed || is_foreign_locked(task))
        return false;
    touch_locked(task);
    return true;
}

NTSTATUS scfs_users_prepare(struct scfs_task *task)
{
    struct scfs_reader *reader = task->reader;
    NTSTATUS status = STATUS_SUCCESS;
    bool owed, foreign;

    pthread_mutex_lock(&reader->lock);
    owed = reader->card.reset_owed;
    foreign = is_foreign_locked(task);
    reader->card.reset_owed = false;
    pthread_mutex_unlock(&reader->lock);
    if (owed || foreign)
        status = make_clean(task, owed);
    if (!NT_SUCCESS(status))
        return status;
    pthread_mutex_lock(&reader->lock);
    touch_locked(task);
    pthread_mutex_unlock(&reader->lock);
    return STATUS_SUCCESS;
}

static void use_locked(struct scfs_handle *handle, uint32_t card)
{
    if (handle->session.used == card)
        return;
    handle->session.used = card;
    handle->reader->card.users++;
}

static bool needs_card(ULONG code)
{
    return code == IOCTL_SMARTCARD_POWER || code == IOCTL_SMARTCARD_TRANSMIT ||
           code == IOCTL_SMARTCARD_SET_PROTOCOL;
}

/* A reset, or a request that failed half-way: what is cancelled, or not answered, leaves
 * a card without power. One that has had none before is refused by its state. */
static bool costs_state(struct scfs_reader *reader, ULONG code, NTSTATUS status)
{
    if (status == STATUS_NO_MEDIA)
        return false;
    if (code == IOCTL_SMARTCARD_POWER)
        return status != STATUS_INVALID_PARAMETER && status != STATUS_BUFFER_TOO_SMALL;
    return needs_card(code) && !NT_SUCCESS(status) &&
           status != STATUS_INVALID_DEVICE_STATE && !powered(reader);
}

void scfs_users_sent(struct scfs_reader *reader, struct scfs_handle *handle, ULONG code,
                     NTSTATUS status)
{
    const bool lost = costs_state(reader, code, status);

    pthread_mutex_lock(&reader->lock);
    if (lost && (code == IOCTL_SMARTCARD_POWER || reader->present))
        reader->card.resets++;
    /* The driver has had a card in that the tracker has yet to tell of. */
    if (handle != NULL && !reader->present && NT_SUCCESS(status) && needs_card(code))
        use_locked(handle, coming_locked(reader));
    pthread_mutex_unlock(&reader->lock);
}

/* ---- work of the daemon ---------------------------------------------------------- */

static int nobody_asked(struct scfs_task *task, NTSTATUS status)
{
    (void)task, (void)status;
    return 0;
}

static void destroy(struct scfs_task *task)
{
    free(task);
}

static void start(struct scfs_reader *reader, const struct scfs_task_ops *ops)
{
    struct scfs_task *task = malloc(sizeof *task);

    if (task == NULL)
        return; /* the card stays as it is; a reset that is owed is not forgotten */
    scfs_task_init(task, ops, reader, NULL, NULL);
    scfs_task_start_background(task);
}

static NTSTATUS run_reset(struct scfs_task *task)
{
    struct scfs_reader *reader = task->reader;
    bool owed;

    pthread_mutex_lock(&reader->lock);
    owed = reader->card.reset_owed;
    pthread_mutex_unlock(&reader->lock);
    return owed ? scfs_users_prepare(task) : STATUS_SUCCESS;
}

void scfs_users_reset(struct scfs_reader *reader)
{
    static const struct scfs_task_ops ops = {
        .run = run_reset, .answer = nobody_asked, .destroy = destroy};

    pthread_mutex_lock(&reader->lock);
    reader->card.reset_owed = reader->present;
    pthread_mutex_unlock(&reader->lock);
    start(reader, &ops);
}

/* ---- users ----------------------------------------------------------------------- */

static void arm_power_down_locked(struct scfs_reader *reader)
{
    uint32_t after_s = reader->fs->options->power_down_s;

    if (reader->card.users == 0 && after_s != 0 && !reader->gone && reader->present)
        scfs_timer_arm(&reader->fs->timer, &reader->card.power_down,
                       (uint64_t)after_s * 1000);
}

void scfs_users_add_locked(struct scfs_handle *handle)
{
    if (handle->reader->present)
        use_locked(handle, scfs_users_card_locked(handle->reader));
}

void scfs_users_remove_locked(struct scfs_handle *handle)
{
    struct scfs_reader *reader = handle->reader;

    if (handle->session.used != coming_locked(reader))
        return;
    handle->session.used = 0;
    reader->card.users--;
    arm_power_down_locked(reader);
}

void scfs_users_powered(struct scfs_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    arm_power_down_locked(reader);
    pthread_mutex_unlock(&reader->lock);
}

static NTSTATUS run_power_down(struct scfs_task *task)
{
    struct scfs_reader *reader = task->reader;
    NTSTATUS status;
    bool unused;

    pthread_mutex_lock(&reader->lock);
    unused = reader->card.users == 0;
    pthread_mutex_unlock(&reader->lock);
    if (!unused || !powered(reader))
        return STATUS_SUCCESS;
    status = scfs_sequence_power(task, SCARD_POWER_DOWN);
    if (NT_SUCCESS(status)) {
        pthread_mutex_lock(&reader->lock);
        reader->card.has_last_uid = false;
        reader->card.reset_owed = false;
        pthread_mutex_unlock(&reader->lock);
    }
    return status;
}

static void power_down_due(struct scfs_deadline *deadline)
{
    static const struct scfs_task_ops ops = {
        .run = run_power_down, .answer = nobody_asked, .destroy = destroy};
    struct scfs_reader *reader =
        CONTAINING_RECORD(deadline, struct scfs_reader, card.power_down);

    start(reader, &ops);
}

void scfs_users_reader_init(struct scfs_reader *reader)
{
    reader->card.power_down.expired = power_down_due;
}

void scfs_users_reader_end(struct scfs_reader *reader)
{
    scfs_timer_cancel(&reader->fs->timer, &reader->card.power_down);
}
