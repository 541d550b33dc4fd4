/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.h - the readers that this process has asked about: their names, and a file of
 * each, open for looking only.
 *
 * As long as that is open no other reader gets the number of the directory: what a name
 * stood for stays true until the reader is removed. To ask what is known of it costs one
 * system call where `control` may be opened, a few where it may not. A connection that
 * has ended leaves its file for the next one.
 */
#ifndef PCSC_READER_H
#define PCSC_READER_H

#include <stdatomic.h>

#include "contrib/pcsc/mount.h"

struct reader {
    struct reader *next;
    unsigned refs;
    int number; /* of its directory */
    int fd;     /* `control`, or `state` */
    int spare;  /* `control` of a connection that has ended, for the next; or -1 */
    uid_t spare_uid;
    bool by_text;  /* `control` may not be opened */
    uint32_t base; /* counters of the mount begin there: beyond all that this process */
    atomic_uint told; /* has been told of readers that have gone */
    char name[MOUNT_NAME_ROOM];
};

/* The reader of that name with a reference, or NULL; *error says why. */
struct reader *reader_find(const char *name, int *error);
void reader_get(struct reader *reader);
void reader_put(struct reader *reader);
/* It has turned out to be removed, or its mount to be gone: it is not found any more. */
void reader_lost(struct reader *reader);
/* Another file of the same kind as fd, for poll(2): POLLPRI when something has changed
 * since it was asked. The descriptor, or a negative errno. */
int reader_open(const struct reader *reader);
/* `control` for a connection: a descriptor, or a negative errno. *used: it has been used
 * before, and its reader may have gone since. */
int reader_take_control(struct reader *reader, bool *used);
/* It is not connected any more, and no user of the card. */
void reader_give_control(struct reader *reader, int fd);
/* What is known of the reader and its card, by one ioctl of fd or from text files. When
 * the mount fails it the reader is lost: ENODEV, it has been removed. */
int reader_info(struct reader *reader, int fd, struct scard_info *info);
/* What the mount has told: the counter becomes one that is the same for this process only
 * if nothing has happened, the reader's replug included. */
void reader_count(struct reader *reader, struct scard_info *info);
/* Nobody asks any more: no file stays open that nobody uses. */
void reader_forget_all(void);
/* In the child after a fork. */
void reader_abandon_all(void);
/* Around a fork. */
void reader_lock(void);
void reader_unlock(void);

#endif
