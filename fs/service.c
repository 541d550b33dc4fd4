/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service.c - turns that a driver asks for (SmcRequestService): an
 * IRP_MJ_INTERNAL_DEVICE_CONTROL at the time it wants, in the reader's turn.
 *
 * A reader has one time, the earliest that was asked for since its last turn, one
 * deadline and one job. States: nothing asked (no deadline, nobody wakes up) - waiting
 * (the deadline is armed) - due (the job is queued or runs). What is asked for while a
 * turn is due or running waits for its time like anything else; if that comes before the
 * job has ended, the job runs again. While the machine sleeps nothing is due; what was
 * asked for comes at the wake-up. A turn that gets no thread is tried again.
 *
 * The time ends with the reader: departure takes the deadline away after `gone` is set,
 * so that no new one is armed, and waits for the job as for every user of the device.
 */
#include "fs/internal.h"

#define NO_THREAD_MS 1000

static struct scfs_reader *reader_of(struct scfs_job *job)
{
    return CONTAINING_RECORD(job, struct scfs_reader, service.job);
}

/* The reader's lock is held. */
static void ask_locked(struct scfs_reader *reader, uint64_t delay_ms)
{
    struct scfs_service *service = &reader->service;
    struct scfs_timer *timer = &reader->fs->timer;
    uint64_t at_ms = timer->now_ms() + delay_ms;

    if (reader->gone || at_ms >= service->at_ms)
        return;
    service->at_ms = at_ms;
    scfs_timer_arm(timer, &service->deadline, delay_ms);
}

void scfs_service_request(struct scfs *fs, PDEVICE_OBJECT device, uint32_t delay_ms)
{
    struct scfs_reader *reader = scfs_registry_by_device(fs, device);

    if (reader == NULL)
        return;
    pthread_mutex_lock(&reader->lock);
    ask_locked(reader, delay_ms);
    pthread_mutex_unlock(&reader->lock);
    scfs_reader_put(reader);
}

/* ---- the turn -------------------------------------------------------------------- */

static void run(struct scfs_job *job)
{
    struct scfs_reader *reader = reader_of(job);
    struct scfs_service *service = &reader->service;
    bool wanted;

    pthread_mutex_lock(&reader->lock);
    service->ran = true;
    service->again = false;
    wanted = !reader->gone && !reader->sleep.wanted;
    if (reader->sleep.wanted)
        service->at_ms = 0; /* due at the wake-up */
    pthread_mutex_unlock(&reader->lock);
    if (wanted)
        (void)smc_irp_send(reader->device, &reader->file, IRP_MJ_INTERNAL_DEVICE_CONTROL,
                           0);
}

static void submit(struct scfs_reader *reader)
{
    scfs_executor_lock(reader->executor);
    scfs_executor_background_locked(reader->executor, &reader->service.job);
}

static void finish(struct scfs_job *job)
{
    struct scfs_reader *reader = reader_of(job);
    struct scfs_service *service = &reader->service;
    bool again;

    pthread_mutex_lock(&reader->lock);
    if (!service->ran)
        ask_locked(reader, NO_THREAD_MS);
    again = service->ran && service->again && !reader->gone;
    service->ran = service->again = false;
    service->queued = again;
    pthread_mutex_unlock(&reader->lock);
    if (again)
        submit(reader);
    else
        scfs_reader_leave(reader);
}

static void expired(struct scfs_deadline *deadline)
{
    struct scfs_reader *reader =
        CONTAINING_RECORD(deadline, struct scfs_reader, service.deadline);
    struct scfs_service *service = &reader->service;
    bool queue = false;

    pthread_mutex_lock(&reader->lock);
    /* Otherwise it was asked for once more meanwhile, or keeps until the wake-up. */
    if (!reader->gone && !reader->sleep.wanted &&
        service->at_ms <= reader->fs->timer.now_ms()) {
        service->at_ms = SCFS_NEVER;
        queue = !service->queued;
        service->again = !queue;
        service->queued = true;
        if (queue)
            reader->users++; /* until finish leaves */
    }
    pthread_mutex_unlock(&reader->lock);
    if (queue)
        submit(reader);
}

/* ---- life ------------------------------------------------------------------------ */

void scfs_service_reader_init(struct scfs_reader *reader)
{
    reader->service.job = (struct scfs_job){.run = run, .finish = finish};
    reader->service.deadline.expired = expired;
    reader->service.at_ms = SCFS_NEVER;
}

void scfs_service_woken(struct scfs_reader *reader)
{
    struct scfs_service *service = &reader->service;
    struct scfs_timer *timer = &reader->fs->timer;
    uint64_t now;

    pthread_mutex_lock(&reader->lock);
    now = timer->now_ms();
    if (!reader->gone && service->at_ms != SCFS_NEVER)
        scfs_timer_arm(timer, &service->deadline,
                       service->at_ms > now ? service->at_ms - now : 0);
    pthread_mutex_unlock(&reader->lock);
}

void scfs_service_end(struct scfs_reader *reader)
{
    scfs_timer_cancel(&reader->fs->timer, &reader->service.deadline);
}
