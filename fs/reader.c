/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.c - a reader's life: it arrives, is used, and goes.
 *
 * References keep the memory; users keep the device. Departure takes the reader out of
 * the tree, ends everything that waits there or runs, waits until the last user has left,
 * and only then takes leave of the driver.
 */
#include "fs/internal.h"
#include "fs/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

struct scfs_reader *scfs_reader_new(struct scfs *fs, PDEVICE_OBJECT device)
{
    struct scfs_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        return NULL;
    reader->executor = scfs_registry_executor(fs, device);
    if (reader->executor == NULL) {
        free(reader);
        return NULL;
    }
    reader->fs = fs;
    reader->refs = 1;
    reader->device = device;
    reader->file.DeviceObject = device;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, NULL);
    InitializeListHead(&reader->link);
    InitializeListHead(&reader->waits);
    InitializeListHead(&reader->pollers);
    InitializeListHead(&reader->trace.files);
    InitializeListHead(&reader->tasks);
    scfs_turn_init(&reader->turn);
    snprintf(reader->last_error, sizeof reader->last_error, "none");
    scfs_powerup_init(reader);
    scfs_power_reader_init(reader);
    scfs_service_reader_init(reader);
    scfs_transaction_reader_init(reader);
    scfs_users_reader_init(reader);
    return reader;
}

struct scfs_reader *scfs_reader_get(struct scfs_reader *reader)
{
    InterlockedIncrement(&reader->refs);
    return reader;
}

void scfs_reader_put(struct scfs_reader *reader)
{
    if (InterlockedDecrement(&reader->refs) > 0)
        return;
    scfs_registry_executor_put(reader->fs, reader->executor);
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}

bool scfs_reader_enter(struct scfs_reader *reader)
{
    bool there;

    pthread_mutex_lock(&reader->lock);
    there = !reader->gone;
    if (there)
        reader->users++;
    pthread_mutex_unlock(&reader->lock);
    return there;
}

void scfs_reader_leave(struct scfs_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    reader->users--;
    if (reader->gone)
        pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
}

uint32_t scfs_reader_state(struct scfs_reader *reader)
{
    ULONG state = SCARD_UNKNOWN, information = 0;

    smc_irp_ioctl(reader->device, &reader->file, IOCTL_SMARTCARD_GET_STATE, &state, 0,
                  sizeof state, &information);
    return state;
}

/*
 * Takes the state over for events/changes. One thread looks at a time, so that what was
 * read first is not noted last, and once more for those that came meanwhile: they need
 * not wait for it.
 */
static void note_state(struct scfs_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    reader->noted.again = true;
    while (reader->noted.again && !reader->noted.looking) {
        uint32_t state;

        reader->noted.again = false;
        reader->noted.looking = true;
        pthread_mutex_unlock(&reader->lock);
        state = scfs_reader_state(reader);
        pthread_mutex_lock(&reader->lock);
        reader->noted.looking = false;
        /* Cards that came and went in between are changes, too. */
        if (reader->counter != reader->noted.counter)
            reader->noted.changes += reader->counter - reader->noted.counter;
        else if (state != reader->noted.state)
            reader->noted.changes++;
        reader->noted.counter = reader->counter;
        reader->noted.state = state;
    }
    pthread_mutex_unlock(&reader->lock);
}

void scfs_reader_wake(struct scfs_reader *reader)
{
    if (scfs_reader_enter(reader)) {
        note_state(reader);
        scfs_reader_leave(reader);
    }
    scfs_wait_wake(&reader->lock, &reader->waits, 0);
    scfs_poll_wake(&reader->lock, &reader->pollers);
}

/* The reader whose departure this thread causes while it uses the device itself. */
static _Thread_local struct scfs_reader *unplugging;

int scfs_reader_unplug(struct scfs_reader *reader, int (*unplug)(PDEVICE_OBJECT))
{
    int result;

    if (!scfs_reader_enter(reader))
        return -ENODEV;
    unplugging = reader;
    result = unplug(reader->device);
    unplugging = NULL;
    scfs_reader_leave(reader);
    return result;
}

static void wait_for_users(struct scfs_reader *reader)
{
    const unsigned own = unplugging == reader ? 1 : 0;

    pthread_mutex_lock(&reader->lock);
    while (reader->users > own)
        pthread_cond_wait(&reader->changed, &reader->lock);
    pthread_mutex_unlock(&reader->lock);
}

/* ---- arrival --------------------------------------------------------------------- */

/* Start and departure are jobs: another slot of the same device may be at work. */
struct life_job {
    struct scfs_job job;
    struct scfs_reader *reader;
    bool surprise;
    NTSTATUS status;
};

static void nothing(struct scfs_job *job)
{
    (void)job;
}

static void start(struct scfs_job *job)
{
    struct life_job *life = CONTAINING_RECORD(job, struct life_job, job);
    struct scfs_reader *reader = life->reader;
    ULONG in_use[2] = {SCARD_ATTR_DEVICE_IN_USE, 1}, information;

    life->status = smc_irp_send(reader->device, NULL, IRP_MJ_PNP, IRP_MN_START_DEVICE);
    if (!NT_SUCCESS(life->status))
        return;
    life->status = smc_irp_send(reader->device, &reader->file, IRP_MJ_CREATE, 0);
    if (!NT_SUCCESS(life->status))
        return;
    smc_irp_ioctl(reader->device, &reader->file, IOCTL_SMARTCARD_SET_ATTRIBUTE, in_use,
                  sizeof in_use, 0, &information);
    reader->noted.state = scfs_reader_state(reader);
    reader->present = reader->noted.state > SCARD_ABSENT;
}

/* Undoes start; the I/O manager removes a device that has not arrived. */
static void let_go(struct scfs_job *job)
{
    struct life_job *life = CONTAINING_RECORD(job, struct life_job, job);
    struct scfs_reader *reader = life->reader;

    smc_irp_send(reader->device, &reader->file, IRP_MJ_CLEANUP, 0);
    smc_irp_send(reader->device, &reader->file, IRP_MJ_CLOSE, 0);
}

static void finish_device(struct scfs_job *job)
{
    struct life_job *life = CONTAINING_RECORD(job, struct life_job, job);
    struct scfs_reader *reader = life->reader;
    ULONG down = SCARD_POWER_DOWN, information;

    if (life->surprise)
        smc_irp_send(reader->device, &reader->file, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL);
    else if (scfs_reader_state(reader) > SCARD_SWALLOWED)
        smc_irp_ioctl(reader->device, &reader->file, IOCTL_SMARTCARD_POWER, &down,
                      sizeof down, 0, &information);
    smc_irp_send(reader->device, &reader->file, IRP_MJ_CLEANUP, 0);
    scfs_tracker_end(reader);
    smc_irp_send(reader->device, &reader->file, IRP_MJ_CLOSE, 0);
    smc_irp_send(reader->device, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
}

NTSTATUS scfs_reader_arrived(struct scfs *fs, PDEVICE_OBJECT device)
{
    struct scfs_reader *reader = scfs_reader_new(fs, device);
    struct life_job life = {.job = {.run = start, .finish = nothing}, .reader = reader};
    bool power_up;

    if (reader == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    scfs_executor_wait(reader->executor, &life.job);
    if (!NT_SUCCESS(life.status)) {
        scfs_log(LOG_ERR, "%s: the driver could not start the reader: %s",
                 smc_io_identity(device)->path, smc_status_name(life.status));
        scfs_reader_put(reader);
        return life.status;
    }
    /* The power-up first: `atr` waits for it from the moment it can be seen. */
    pthread_mutex_lock(&reader->lock);
    power_up = reader->present && scfs_powerup_card_arrived_locked(reader);
    pthread_mutex_unlock(&reader->lock);
    if (power_up)
        scfs_powerup_start(reader);
    if (!scfs_registry_add(fs, reader)) {
        life.job.run = let_go; /* the daemon is stopping */
        pthread_mutex_lock(&reader->lock);
        reader->gone = true;
        pthread_mutex_unlock(&reader->lock);
        wait_for_users(reader);
        scfs_executor_wait(reader->executor, &life.job);
        scfs_reader_put(reader);
        return STATUS_DELETE_PENDING;
    }
    scfs_log(LOG_INFO, "reader%u: %.*s", reader->number, (int)sizeof reader->name,
             reader->name);
    scfs_tracker_run(reader);
    scfs_reader_put(reader); /* the registry has its own */
    return STATUS_SUCCESS;
}

/* ---- departure ------------------------------------------------------------------- */

void scfs_reader_gone(struct scfs *fs, PDEVICE_OBJECT device, bool surprise)
{
    struct scfs_reader *reader = scfs_registry_remove(fs, device);
    struct life_job life = {.job = {.run = finish_device, .finish = nothing},
                            .reader = reader,
                            .surprise = surprise};

    if (reader == NULL)
        return;
    pthread_mutex_lock(&reader->lock);
    reader->gone = true;
    pthread_mutex_unlock(&reader->lock);
    scfs_log_left_out(reader);
    scfs_log(LOG_INFO, "reader%u: removed", reader->number);
    scfs_notifier_gone(reader);

    scfs_wait_wake(&reader->lock, &reader->waits, ENODEV);
    scfs_poll_wake(&reader->lock, &reader->pollers);
    scfs_task_end_all(reader, NULL);
    scfs_powerup_cancel(reader);
    scfs_service_end(reader);
    scfs_transaction_reader_end(reader);
    scfs_users_reader_end(reader);

    wait_for_users(reader);
    scfs_executor_wait(reader->executor, &life.job);
    scfs_registry_left(reader);
    scfs_reader_put(reader);
}
