/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * links.c - by-id and by-path.
 *
 * Nothing is stored: a name follows from what the reader says of itself, and whether it
 * is unique from who is there now. Two readers that claim the same serial number are
 * told apart by neither, so both are without a name in by-id until one of them goes.
 */
#include "fs/links.h"

#include <stdio.h>
#include <string.h>

#include "fs/internal.h"

#define KEY_MAX 100 /* the rest of a longer serial number is left out */

/* A part of a file name: no slash, no blank, nothing that a shell takes for something. */
static void clean(char *out, size_t size, const char *text, size_t room)
{
    size_t len = strnlen(text, room);

    if (len > size - 1)
        len = size - 1;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        out[i] = c;
        if (!letter && !(c >= '0' && c <= '9') && c != '+' && c != '-' &&
            (c != '.' || i == 0))
            out[i] = '_';
    }
    out[len] = '\0';
}

/* What makes the name differ from another device's. */
static void key_of(char key[KEY_MAX + 1], enum scfs_kind kind,
                   const struct smc_device_identity *identity)
{
    if (kind == SCFS_LINK_ID)
        clean(key, KEY_MAX + 1, identity->serial, sizeof identity->serial);
    else
        clean(key, KEY_MAX + 1, identity->path, sizeof identity->path);
}

void scfs_link_name(char name[SCFS_LINK_NAME_SIZE], enum scfs_kind kind,
                    const struct smc_device_identity *identity, unsigned slot)
{
    char key[KEY_MAX + 1], model[16] = "";

    key_of(key, kind, identity);
    if (kind == SCFS_LINK_ID)
        snprintf(model, sizeof model, "%04x_%04x_", identity->vid, identity->pid);
    name[0] = '\0';
    if (key[0] != '\0')
        snprintf(name, SCFS_LINK_NAME_SIZE, "usb-%s%s-if%u-slot%u", model, key,
                 identity->interface_number, slot);
}

bool scfs_link_conflict(enum scfs_kind kind, const struct smc_device_identity *a,
                        const struct smc_device_identity *b)
{
    char key_a[KEY_MAX + 1], key_b[KEY_MAX + 1];

    if (strncmp(a->path, b->path, sizeof a->path) == 0)
        return false; /* interfaces and slots of one device */
    if (kind == SCFS_LINK_ID && (a->vid != b->vid || a->pid != b->pid))
        return false;
    key_of(key_a, kind, a);
    key_of(key_b, kind, b);
    return key_a[0] != '\0' && strcmp(key_a, key_b) == 0;
}

static const struct smc_device_identity *identity_of(const struct scfs_reader *reader)
{
    return smc_io_identity(reader->device);
}

static struct scfs_reader *entry(LIST_ENTRY *link)
{
    return CONTAINING_RECORD(link, struct scfs_reader, link);
}

/* The registry's lock is held. */
static bool is_unique_locked(const struct scfs_reader *reader, enum scfs_kind kind)
{
    struct scfs *fs = reader->fs;

    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers; i = i->Flink) {
        if (entry(i)->listed && entry(i) != reader &&
            scfs_link_conflict(kind, identity_of(reader), identity_of(entry(i))))
            return false;
    }
    return true;
}

struct scfs_reader *scfs_link_find(struct scfs *fs, enum scfs_kind kind, const char *name)
{
    char other[SCFS_LINK_NAME_SIZE];
    struct scfs_reader *found = NULL;

    pthread_mutex_lock(&fs->lock);
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers && found == NULL;
         i = i->Flink) {
        if (!entry(i)->listed)
            continue;
        scfs_link_name(other, kind, identity_of(entry(i)), entry(i)->device->SlotNumber);
        if (strcmp(other, name) == 0 && other[0] != '\0' &&
            is_unique_locked(entry(i), kind))
            found = scfs_reader_get(entry(i));
    }
    pthread_mutex_unlock(&fs->lock);
    return found;
}

bool scfs_link_of(struct scfs_reader *reader, enum scfs_kind kind,
                  char name[SCFS_LINK_NAME_SIZE])
{
    bool unique;

    name[0] = '\0';
    pthread_mutex_lock(&reader->fs->lock);
    unique = reader->listed; /* else its device may be gone */
    if (unique) {
        scfs_link_name(name, kind, identity_of(reader), reader->device->SlotNumber);
        unique = name[0] != '\0' && is_unique_locked(reader, kind);
    }
    pthread_mutex_unlock(&reader->fs->lock);
    return unique;
}
