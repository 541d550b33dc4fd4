/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * powerup.c - the cold reset of a card that has just come (-o power=on), and what is
 * known about resets: `atr` waits while one is under way and tells how the last one
 * failed.
 *
 * There is one reset job per reader. A card that comes while it is queued is served by
 * it; one that comes while it runs makes it run again. It does nothing when a client's
 * request has reached the card first. When no thread can be had for it, the reset that
 * was wanted has failed; the next card gets another try.
 */
#include "fs/session.h"

#include <string.h>
#include <syslog.h>

static struct scfs_reader *reader_of(struct scfs_job *job)
{
    return CONTAINING_RECORD(job, struct scfs_reader, powerup.job);
}

static void run(struct scfs_job *job)
{
    struct scfs_reader *reader = reader_of(job);
    struct scfs_powerup *power = &reader->powerup;
    const ULONG cold = SCARD_COLD_RESET;
    NTSTATUS status;

    pthread_mutex_lock(&reader->lock);
    power->again = false;
    power->ran = true;
    power->running = !reader->gone && reader->present && !reader->touched;
    if (!power->running) {
        pthread_mutex_unlock(&reader->lock);
        return;
    }
    memcpy(power->buffer, &cold, sizeof cold);
    scfs_request_init(&power->request, reader, IOCTL_SMARTCARD_POWER, power->buffer,
                      sizeof cold, sizeof power->buffer);
    pthread_mutex_unlock(&reader->lock);

    status = scfs_request_run(&power->request);
    scfs_users_sent(reader, NULL, IOCTL_SMARTCARD_POWER, status);

    pthread_mutex_lock(&reader->lock);
    power->running = false;
    reader->reset_status = status;
    pthread_mutex_unlock(&reader->lock);
}

static void submit(struct scfs_reader *reader)
{
    scfs_executor_lock(reader->executor);
    scfs_executor_background_locked(reader->executor, &reader->powerup.job);
}

static void finish(struct scfs_job *job)
{
    struct scfs_reader *reader = reader_of(job);
    bool again;

    pthread_mutex_lock(&reader->lock);
    if (!reader->powerup.ran)
        reader->reset_status = STATUS_INSUFFICIENT_RESOURCES;
    reader->powerup.ran = false;
    again = reader->powerup.again && !reader->gone;
    reader->powerup.again = false; /* without a thread, submit comes back here at once */
    if (!again) {
        reader->powerup.queued = false;
        reader->resetting--;
    }
    pthread_mutex_unlock(&reader->lock);
    if (again) {
        submit(reader);
        return;
    }
    scfs_users_powered(reader);
    scfs_reader_wake(reader);
    scfs_reader_leave(reader);
}

void scfs_powerup_init(struct scfs_reader *reader)
{
    reader->powerup.job = (struct scfs_job){.run = run, .finish = finish};
    reader->reset_status = STATUS_PENDING;
}

bool scfs_powerup_card_arrived_locked(struct scfs_reader *reader)
{
    reader->reset_status = STATUS_PENDING;
    reader->touched = false;
    if (!reader->fs->options->power_on || reader->gone)
        return false;
    if (reader->powerup.queued) {
        reader->powerup.again = true;
        return false;
    }
    reader->powerup.queued = true;
    reader->resetting++;
    reader->users++; /* until finish leaves */
    return true;
}

void scfs_powerup_start(struct scfs_reader *reader)
{
    submit(reader);
}

void scfs_powerup_demand(struct scfs_reader *reader)
{
    bool queue;

    if (!reader->fs->options->power_demand)
        return;
    pthread_mutex_lock(&reader->lock);
    queue = !reader->gone && reader->present && !reader->touched &&
            !reader->powerup.queued && reader->reset_status == STATUS_PENDING;
    if (queue) {
        reader->powerup.queued = true;
        reader->resetting++;
        reader->users++; /* until finish leaves */
    }
    pthread_mutex_unlock(&reader->lock);
    if (queue)
        submit(reader);
}

bool scfs_powerup_is_arriving_locked(const struct scfs_reader *reader)
{
    return reader->present && reader->powerup.queued &&
           reader->reset_status == STATUS_PENDING;
}

void scfs_powerup_cancel(struct scfs_reader *reader)
{
    bool running;

    pthread_mutex_lock(&reader->lock);
    running = reader->powerup.running;
    pthread_mutex_unlock(&reader->lock);
    if (running)
        IoCancelIrp(&reader->powerup.request.irp);
}

void scfs_powerup_reset_ended(struct scfs_reader *reader, NTSTATUS status)
{
    pthread_mutex_lock(&reader->lock);
    reader->resetting--;
    /* A refused request says nothing about the card. */
    if (status != STATUS_INVALID_PARAMETER && status != STATUS_BUFFER_TOO_SMALL &&
        status != STATUS_CANCELLED)
        reader->reset_status = status;
    pthread_mutex_unlock(&reader->lock);
    scfs_wait_wake(&reader->lock, &reader->waits, 0);
}
