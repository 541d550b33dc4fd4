/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracker.c - sees every change of a card's presence.
 *
 * One tracker is always pending: IS_ABSENT while we believe a card is in, IS_PRESENT
 * while we believe none is. Each successful completion is one change: the counter goes
 * up, the belief flips and the opposite tracker is sent, which may complete at once. So a
 * card that was exchanged between two looks is seen as two changes. Completion happens in
 * a thread of the driver that must not block, or inside IoCallDriver: then the loop below
 * goes on, not a recursion.
 *
 * A pending tracker that ends with an error says that the driver has lost the reader for
 * now: who waits gets EIO, and the next tracker is sent. One that is refused is the last.
 */
#include "fs/session.h"

#include <errno.h>
#include <syslog.h>

static void believe_change(struct scfs_reader *reader)
{
    bool start;

    pthread_mutex_lock(&reader->lock);
    reader->present = !reader->present;
    reader->counter++;
    scfs_users_card_changed_locked(reader);
    /* Whoever sees that the card has come sees that it is being reset. */
    start = reader->present && scfs_powerup_card_arrived_locked(reader);
    pthread_mutex_unlock(&reader->lock);
    if (start)
        scfs_powerup_start(reader);
    scfs_reader_wake(reader);
}

/* What the completion says; false: no further tracker. */
static bool take_result(struct scfs_reader *reader, bool was_pending)
{
    NTSTATUS status = reader->tracker.irp.IoStatus.Status;

    if (NT_SUCCESS(status)) {
        believe_change(reader);
        return true;
    }
    if (status == STATUS_CANCELLED || status == STATUS_DEVICE_REMOVED ||
        status == STATUS_DELETE_PENDING)
        return false;
    if (was_pending) {
        scfs_reader_wake(reader); /* a stream has the new state to tell */
        scfs_wait_wake(&reader->lock, &reader->waits, EIO);
    } else {
        scfs_log(LOG_ERR, "reader%u: card changes are not seen any more: %s",
                 reader->number, smc_status_name(status));
    }
    return was_pending;
}

static void completed(PIRP irp, PVOID context)
{
    struct scfs_reader *reader = context;

    (void)irp;
    pthread_mutex_lock(&reader->lock);
    if (reader->tracker.state == TRACKER_ARMING) {
        reader->tracker.completed = true; /* the loop goes on */
        pthread_mutex_unlock(&reader->lock);
        return;
    }
    pthread_mutex_unlock(&reader->lock);
    if (take_result(reader, true)) {
        scfs_tracker_run(reader);
        return;
    }
    pthread_mutex_lock(&reader->lock);
    reader->tracker.state = TRACKER_IDLE;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
}

void scfs_tracker_run(struct scfs_reader *reader)
{
    for (;;) {
        bool completed_at_once;

        pthread_mutex_lock(&reader->lock);
        if (reader->gone)
            break;
        reader->tracker.state = TRACKER_ARMING;
        reader->tracker.completed = false;
        smc_irp_init_ioctl(&reader->tracker.irp, reader->device, &reader->file,
                           reader->present ? IOCTL_SMARTCARD_IS_ABSENT
                                           : IOCTL_SMARTCARD_IS_PRESENT,
                           NULL, 0, 0, completed, reader);
        pthread_mutex_unlock(&reader->lock);

        IoCallDriver(reader->device, &reader->tracker.irp);

        pthread_mutex_lock(&reader->lock);
        completed_at_once = reader->tracker.completed;
        if (!completed_at_once)
            reader->tracker.state = TRACKER_PENDING;
        pthread_mutex_unlock(&reader->lock);
        if (!completed_at_once)
            return;
        if (!take_result(reader, false)) {
            pthread_mutex_lock(&reader->lock);
            break;
        }
    }
    reader->tracker.state = TRACKER_IDLE;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
}

void scfs_tracker_end(struct scfs_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    while (reader->tracker.state == TRACKER_ARMING)
        pthread_cond_wait(&reader->changed, &reader->lock);
    if (reader->tracker.state == TRACKER_PENDING) {
        pthread_mutex_unlock(&reader->lock);
        IoCancelIrp(&reader->tracker.irp);
        pthread_mutex_lock(&reader->lock);
    }
    while (reader->tracker.state != TRACKER_IDLE)
        pthread_cond_wait(&reader->changed, &reader->lock);
    pthread_mutex_unlock(&reader->lock);
}
