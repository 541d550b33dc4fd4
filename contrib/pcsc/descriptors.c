/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * descriptors.c - the open files of this library, by their numbers.
 *
 * Some programs close all descriptors that they do not know, and then the numbers become
 * those of their own files: which file it was is remembered with each.
 */
#include "contrib/pcsc/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM_STEP 64

struct file {
    bool open;
    uint32_t major, minor; /* of its file system */
    uint64_t inode;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files;
static unsigned room;

/* Without asking the file system. All zero: it is not open. */
static struct file file_of(int fd)
{
    struct statx status = {0};

    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &status) != 0)
        return (struct file){0};
    return (struct file){.open = true,
                         .major = status.stx_dev_major,
                         .minor = status.stx_dev_minor,
                         .inode = status.stx_ino};
}

static bool is_the_same(const struct file *a, const struct file *b)
{
    return a->open && b->open && a->major == b->major && a->minor == b->minor &&
           a->inode == b->inode;
}

static int grow_locked(unsigned number)
{
    const unsigned wanted = (number / ROOM_STEP + 1) * ROOM_STEP;
    struct file *more = reallocarray(files, wanted, sizeof *files);

    if (more == NULL)
        return -1;
    memset(more + room, 0, (wanted - room) * sizeof *more);
    files = more;
    room = wanted;
    return 0;
}

int descriptor_add(int fd)
{
    const struct file file = file_of(fd);
    int error = file.open ? 0 : errno;

    pthread_mutex_lock(&lock);
    if (error == 0 && (unsigned)fd >= room && grow_locked((unsigned)fd) != 0)
        error = ENOMEM;
    if (error == 0)
        files[fd] = file;
    else
        close(fd);
    pthread_mutex_unlock(&lock);
    return error == 0 ? fd : -error;
}

static void close_locked(int fd)
{
    const struct file now = file_of(fd);

    if (is_the_same(&files[fd], &now))
        close(fd);
    files[fd].open = false;
}

/* Under the lock: once it is closed the number may come back at once. */
void descriptor_close(int fd)
{
    pthread_mutex_lock(&lock);
    close_locked(fd);
    pthread_mutex_unlock(&lock);
}

void descriptors_lock(void)
{
    pthread_mutex_lock(&lock);
}

void descriptors_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void descriptors_close_all_locked(void)
{
    for (unsigned fd = 0; fd < room; fd++) {
        if (files[fd].open)
            close_locked((int)fd);
    }
}
