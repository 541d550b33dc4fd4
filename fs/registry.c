/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * registry.c - which readers there are.
 *
 * A reader that is gone stays on the list, unlisted, while a handle of it is open, so
 * that nobody else gets its number meanwhile.
 */
#include "fs/internal.h"

#include <stdlib.h>
#include <syslog.h>

static struct scfs_reader *entry(LIST_ENTRY *link)
{
    return CONTAINING_RECORD(link, struct scfs_reader, link);
}

static bool number_used(struct scfs *fs, unsigned number)
{
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers; i = i->Flink) {
        if (entry(i)->number == number)
            return true;
    }
    return false;
}

#define SLOT_LENGTH 3 /* what a name ends in: the slot and a newline */

/* A reader of that name and number is there. */
static bool name_taken(void *context, const struct smc_device_identity *identity,
                       unsigned number)
{
    struct scfs *fs = context;
    char name[SCFS_TEXT_MAX];
    int len = scfs_text_name(name, sizeof name, identity, number, 0) - SLOT_LENGTH;

    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers; i = i->Flink) {
        if (entry(i)->listed && strncmp(entry(i)->name, name, (size_t)len) == 0)
            return true;
    }
    return false;
}

static bool same_device(const DEVICE_OBJECT *a, const DEVICE_OBJECT *b)
{
    return a->LowerDevice != NULL && a->LowerDevice == b->LowerDevice;
}

/* Devices that want one request at a time for all of them: slots, and in some hardware
 * the interfaces, too. */
static bool takes_turns(PDEVICE_OBJECT a, PDEVICE_OBJECT b)
{
    const struct smc_device_identity *of_a = smc_io_identity(a);
    const struct smc_device_identity *of_b = smc_io_identity(b);

    if (of_a->one_at_a_time && of_b->one_at_a_time)
        return strncmp(of_a->path, of_b->path, sizeof of_a->path) == 0;
    return same_device(a, b);
}

/* Slots of one physical reader share its number. */
static unsigned device_number(struct scfs *fs, const struct scfs_reader *reader)
{
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers; i = i->Flink) {
        if (entry(i)->listed && same_device(entry(i)->device, reader->device))
            return entry(i)->device_number;
    }
    return scfs_naming_number(&fs->naming, smc_io_identity(reader->device), name_taken,
                              fs);
}

bool scfs_registry_add(struct scfs *fs, struct scfs_reader *reader)
{
    unsigned number = 0;

    pthread_mutex_lock(&fs->lock);
    if (fs->stopping) {
        pthread_mutex_unlock(&fs->lock);
        return false;
    }
    while (number_used(fs, number))
        number++;
    reader->number = number;
    reader->device_number = device_number(fs, reader);
    reader->sequence = ++fs->sequence;
    scfs_text_name(reader->name, sizeof reader->name, smc_io_identity(reader->device),
                   reader->device_number, reader->device->SlotNumber);
    reader->access = fs->options->access;
    scfs_config_apply(fs->options->config, smc_io_identity(reader->device),
                      &reader->access);
    reader->listed = true;
    scfs_reader_get(reader);
    InsertTailList(&fs->readers, &reader->link);
    fs->changes++;
    pthread_mutex_unlock(&fs->lock);

    scfs_wait_wake(&fs->lock, &fs->waits, 0);
    scfs_poll_wake(&fs->lock, &fs->pollers);
    return true;
}

/* Off the list when nothing holds its number any more; the list's reference is returned.
 */
static struct scfs_reader *unlink_unused(struct scfs_reader *reader)
{
    if (reader->listed || reader->handles > 0)
        return NULL;
    RemoveEntryList(&reader->link);
    return reader;
}

struct scfs_reader *scfs_registry_remove(struct scfs *fs, PDEVICE_OBJECT device)
{
    struct scfs_reader *reader = NULL, *unused = NULL;

    pthread_mutex_lock(&fs->lock);
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers; i = i->Flink) {
        if (entry(i)->listed && entry(i)->device == device) {
            reader = scfs_reader_get(entry(i));
            reader->listed = false;
            InsertTailList(&fs->leaving, &reader->leaving);
            fs->changes++;
            unused = unlink_unused(reader);
            break;
        }
    }
    pthread_mutex_unlock(&fs->lock);
    if (unused != NULL)
        scfs_reader_put(unused);
    if (reader != NULL) {
        scfs_wait_wake(&fs->lock, &fs->waits, 0);
        scfs_poll_wake(&fs->lock, &fs->pollers);
    }
    return reader;
}

void scfs_registry_left(struct scfs_reader *reader)
{
    pthread_mutex_lock(&reader->fs->lock);
    RemoveEntryList(&reader->leaving);
    pthread_mutex_unlock(&reader->fs->lock);
}

void scfs_registry_name_leaving(struct scfs *fs)
{
    pthread_mutex_lock(&fs->lock);
    for (LIST_ENTRY *i = fs->leaving.Flink; i != &fs->leaving; i = i->Flink) {
        const struct scfs_reader *reader =
            CONTAINING_RECORD(i, struct scfs_reader, leaving);

        scfs_log(LOG_ERR, "reader%u: its driver does not end what runs there",
                 reader->number);
    }
    pthread_mutex_unlock(&fs->lock);
}

bool scfs_registry_opened(struct scfs_reader *reader)
{
    bool listed;

    pthread_mutex_lock(&reader->fs->lock);
    listed = reader->listed;
    if (listed)
        reader->handles++;
    pthread_mutex_unlock(&reader->fs->lock);
    return listed;
}

void scfs_registry_closed(struct scfs_reader *reader)
{
    struct scfs *fs = reader->fs;
    struct scfs_reader *unused;

    pthread_mutex_lock(&fs->lock);
    reader->handles--;
    unused = unlink_unused(reader);
    pthread_mutex_unlock(&fs->lock);
    if (unused != NULL)
        scfs_reader_put(unused);
}

struct scfs_reader *scfs_registry_by_number(struct scfs *fs, unsigned number)
{
    struct scfs_reader *found = NULL;

    pthread_mutex_lock(&fs->lock);
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers && found == NULL;
         i = i->Flink) {
        if (entry(i)->listed && entry(i)->number == number)
            found = scfs_reader_get(entry(i));
    }
    pthread_mutex_unlock(&fs->lock);
    return found;
}

struct scfs_reader *scfs_registry_by_sequence(struct scfs *fs, uint64_t sequence)
{
    struct scfs_reader *found = NULL;

    pthread_mutex_lock(&fs->lock);
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers && found == NULL;
         i = i->Flink) {
        if (entry(i)->listed && entry(i)->sequence == sequence)
            found = scfs_reader_get(entry(i));
    }
    pthread_mutex_unlock(&fs->lock);
    return found;
}

struct scfs_reader *scfs_registry_by_device(struct scfs *fs, PDEVICE_OBJECT device)
{
    struct scfs_reader *found = NULL;

    pthread_mutex_lock(&fs->lock);
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers && found == NULL;
         i = i->Flink) {
        if (entry(i)->listed &&
            (entry(i)->device == device || entry(i)->device->LowerDevice == device))
            found = scfs_reader_get(entry(i));
    }
    pthread_mutex_unlock(&fs->lock);
    return found;
}

struct scfs_reader *scfs_registry_after(struct scfs *fs, uint64_t sequence)
{
    struct scfs_reader *found = NULL;

    pthread_mutex_lock(&fs->lock);
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers && found == NULL;
         i = i->Flink) {
        if (entry(i)->listed && entry(i)->sequence > sequence)
            found = scfs_reader_get(entry(i));
    }
    pthread_mutex_unlock(&fs->lock);
    return found;
}

unsigned scfs_registry_count(struct scfs *fs, const DRIVER_OBJECT *driver)
{
    unsigned count = 0;

    pthread_mutex_lock(&fs->lock);
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers; i = i->Flink)
        count += entry(i)->listed &&
                 (driver == NULL || entry(i)->device->DriverObject == driver);
    pthread_mutex_unlock(&fs->lock);
    return count;
}

struct scfs_executor *scfs_registry_executor(struct scfs *fs, PDEVICE_OBJECT device)
{
    /* A device that works for several slots at once is asked by a thread for each. */
    bool shared = smc_io_identity(device)->busy_slot_count <= 1 ||
                  smc_io_identity(device)->one_at_a_time;
    struct scfs_executor *executor = NULL;

    pthread_mutex_lock(&fs->lock);
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers && shared; i = i->Flink) {
        if (entry(i)->listed && takes_turns(entry(i)->device, device))
            executor = entry(i)->executor;
    }
    if (executor == NULL) {
        executor = malloc(sizeof *executor);
        if (executor != NULL)
            scfs_executor_init(executor, &fs->spare);
    }
    if (executor != NULL)
        executor->users++;
    pthread_mutex_unlock(&fs->lock);
    return executor;
}

void scfs_registry_executor_put(struct scfs *fs, struct scfs_executor *executor)
{
    bool last;

    pthread_mutex_lock(&fs->lock);
    last = --executor->users == 0;
    pthread_mutex_unlock(&fs->lock);
    if (last) {
        scfs_executor_destroy(executor);
        free(executor);
    }
}
