/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * power.c - the machine goes to sleep and wakes up: every reader's driver hears of it by
 * IRP_MJ_POWER. Who says so is logind.c, or a test.
 *
 * THEORY. A reader has what it is to be (wanted) and what its driver was told last
 * (told). One job per reader brings the second to the first, in the reader's turn, so a
 * running command is never cut short by us; it may be by the machine. A reader that is
 * busy until after the wake-up is told both then, since its card may have lost its power
 * meanwhile: going through sleep is never left out. A reader that comes while the machine
 * sleeps or wakes has not slept and hears nothing.
 *
 * scfs_power_sleep waits until every reader has been told, but no longer than
 * SLEEP_LIMIT_MS: who delays the machine has to keep it short (logind gives 5 s).
 *
 * While a reader sleeps its driver answers card-touching requests itself
 * (STATUS_DEVICE_POWERED_OFF); text files and waits go on. On waking up the driver
 * reports a card that was or is there as changed; tracker.c and powerup.c do the rest.
 */
#include "fs/power.h"

#include <errno.h>
#include <syslog.h>
#include <time.h>

#define SLEEP_LIMIT_MS 4000

static struct scfs_reader *reader_of(struct scfs_job *job)
{
    return CONTAINING_RECORD(job, struct scfs_reader, sleep.job);
}

static void signal_done(PIRP irp, PVOID context)
{
    (void)irp;
    KeSetEvent(context, IO_NO_INCREMENT, FALSE);
}

static void tell(struct scfs_reader *reader, SYSTEM_POWER_STATE state)
{
    NTSTATUS status;
    KEVENT done;
    IRP irp;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    smc_irp_init(&irp, reader->device, NULL, IRP_MJ_POWER, IRP_MN_SET_POWER, signal_done,
                 &done);
    irp.Stack.Parameters.Power.Type = SystemPowerState;
    irp.Stack.Parameters.Power.State.SystemState = state;
    IoCallDriver(reader->device, &irp);
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    status = irp.IoStatus.Status;
    /* A driver need not care for power, and a reader may go at any time. */
    if (!NT_SUCCESS(status) && status != STATUS_NOT_SUPPORTED &&
        status != STATUS_INVALID_DEVICE_REQUEST && status != STATUS_DEVICE_REMOVED)
        scfs_log(LOG_WARNING, "reader%u: %s: %s", reader->number,
                 state == PowerSystemWorking ? "waking up" : "going to sleep",
                 smc_status_name(status));
}

/* The next thing to say; false: everything has been said. */
static bool next(struct scfs_reader *reader, SYSTEM_POWER_STATE *state)
{
    struct scfs_sleep *sleep = &reader->sleep;
    bool more;

    pthread_mutex_lock(&reader->lock);
    more = !reader->gone && (sleep->told != sleep->wanted || sleep->missed);
    if (more) {
        sleep->told = sleep->missed || sleep->wanted;
        sleep->missed = false;
        *state = sleep->told ? PowerSystemSleeping3 : PowerSystemWorking;
    }
    pthread_mutex_unlock(&reader->lock);
    return more;
}

static void run(struct scfs_job *job)
{
    struct scfs_reader *reader = reader_of(job);
    SYSTEM_POWER_STATE state;

    while (next(reader, &state)) {
        tell(reader, state);
        if (state == PowerSystemWorking)
            scfs_service_woken(reader);
    }
}

static void submit(struct scfs_reader *reader)
{
    scfs_executor_lock(reader->executor);
    scfs_executor_background_locked(reader->executor, &reader->sleep.job);
}

static void finish(struct scfs_job *job)
{
    struct scfs_reader *reader = reader_of(job);
    struct scfs *fs = reader->fs;
    bool again;

    pthread_mutex_lock(&reader->lock);
    again = reader->sleep.again && !reader->gone;
    reader->sleep.again = false; /* without a thread, submit comes back here at once */
    reader->sleep.queued = again;
    pthread_mutex_unlock(&reader->lock);
    if (again) {
        submit(reader);
        return;
    }
    pthread_mutex_lock(&fs->power.lock);
    if (--fs->power.busy == 0)
        pthread_cond_broadcast(&fs->power.changed);
    pthread_mutex_unlock(&fs->power.lock);
    scfs_reader_leave(reader);
}

void scfs_power_reader_init(struct scfs_reader *reader)
{
    reader->sleep.job = (struct scfs_job){.run = run, .finish = finish};
}

void scfs_power_init(struct scfs *fs)
{
    pthread_condattr_t monotonic;

    fs->power.limit_ms = SLEEP_LIMIT_MS;
    pthread_mutex_init(&fs->power.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&fs->power.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void scfs_power_destroy(struct scfs *fs)
{
    pthread_cond_destroy(&fs->power.changed);
    pthread_mutex_destroy(&fs->power.lock);
}

/* Brings the reader's job on its way, unless there is nothing to say. */
static void change(struct scfs_reader *reader, bool asleep)
{
    struct scfs *fs = reader->fs;
    struct scfs_sleep *sleep = &reader->sleep;
    bool queue = false;

    pthread_mutex_lock(&reader->lock);
    if (!reader->gone && sleep->wanted != asleep) {
        sleep->wanted = asleep;
        sleep->missed = !asleep && !sleep->told;
        queue = !sleep->queued;
        sleep->again = !queue;
        sleep->queued = true;
        if (queue)
            reader->users++; /* until finish leaves */
    }
    pthread_mutex_unlock(&reader->lock);
    if (!queue)
        return;
    pthread_mutex_lock(&fs->power.lock);
    fs->power.busy++;
    pthread_mutex_unlock(&fs->power.lock);
    submit(reader);
}

static void change_all(struct scfs *fs, bool asleep)
{
    struct scfs_reader *reader;
    uint64_t sequence = 0;

    while ((reader = scfs_registry_after(fs, sequence)) != NULL) {
        sequence = reader->sequence;
        change(reader, asleep);
        scfs_reader_put(reader);
    }
}

bool scfs_power_sleep(struct scfs *fs)
{
    struct timespec until;
    int error = 0;

    change_all(fs, true);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += fs->power.limit_ms / 1000;
    pthread_mutex_lock(&fs->power.lock);
    while (fs->power.busy > 0 && error == 0)
        error = pthread_cond_timedwait(&fs->power.changed, &fs->power.lock, &until);
    pthread_mutex_unlock(&fs->power.lock);
    return error == 0;
}

void scfs_power_wake(struct scfs *fs)
{
    change_all(fs, false);
}
