/* SPDX-License-Identifier: BSD-2-Clause */
/* reader.c - the readers that this process has asked about. */
#include "contrib/pcsc/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reader *readers;

/* ---- the cache ------------------------------------------------------------------- */

static struct reader *find_locked(const char *name)
{
    for (struct reader *reader = readers; reader != NULL; reader = reader->next) {
        if (strcmp(reader->name, name) == 0) {
            reader->refs++;
            return reader;
        }
    }
    return NULL;
}

static void put_locked(struct reader *reader)
{
    if (--reader->refs > 0)
        return;
    close(reader->fd);
    if (reader->spare >= 0)
        close(reader->spare);
    free(reader);
}

static void lose_locked(struct reader *reader)
{
    for (struct reader **at = &readers; *at != NULL; at = &(*at)->next) {
        if (*at == reader) {
            *at = reader->next;
            put_locked(reader);
            return;
        }
    }
}

void reader_get(struct reader *reader)
{
    pthread_mutex_lock(&lock);
    reader->refs++;
    pthread_mutex_unlock(&lock);
}

void reader_put(struct reader *reader)
{
    pthread_mutex_lock(&lock);
    put_locked(reader);
    pthread_mutex_unlock(&lock);
}

void reader_lost(struct reader *reader)
{
    pthread_mutex_lock(&lock);
    lose_locked(reader);
    pthread_mutex_unlock(&lock);
}

/* ---- the mount ------------------------------------------------------------------- */

/* The name is read after the file is open: it cannot be that of a successor. */
static struct reader *open_reader(int number, const char *name, int *error)
{
    struct reader *reader = calloc(1, sizeof *reader);

    *error = ENOMEM;
    if (reader == NULL)
        return NULL;
    reader->number = number;
    reader->spare = -1;
    reader->fd = mount_open(number, "control", O_RDONLY);
    reader->by_text = reader->fd < 0;
    if (reader->by_text)
        reader->fd = mount_open(number, "state", O_RDONLY);
    if (reader->fd < 0)
        *error = -reader->fd;
    else
        *error = mount_text(number, "name", reader->name, sizeof reader->name);
    if (*error == 0 && strcmp(reader->name, name) == 0) {
        reader->refs = 2; /* the cache's, the caller's */
        return reader;
    }
    if (*error == 0)
        *error = ENOENT;
    if (reader->fd >= 0)
        close(reader->fd);
    free(reader);
    return NULL;
}

static int number_of(const char *name)
{
    unsigned numbers[MOUNT_READERS_MAX];
    const unsigned count = mount_readers(numbers);

    for (unsigned i = 0; i < count; i++) {
        char text[MOUNT_NAME_ROOM];

        if (mount_text((int)numbers[i], "name", text, sizeof text) == 0 &&
            strcmp(text, name) == 0)
            return (int)numbers[i];
    }
    return -1;
}

struct reader *reader_find(const char *name, int *error)
{
    struct reader *reader;
    int number;

    pthread_mutex_lock(&lock);
    reader = find_locked(name);
    pthread_mutex_unlock(&lock);
    if (reader != NULL)
        return reader;

    number = number_of(name);
    if (number < 0) {
        *error = mount_is_there() ? ENOENT : ENOTCONN;
        return NULL;
    }
    reader = open_reader(number, name, error);
    if (reader == NULL)
        return NULL;
    pthread_mutex_lock(&lock);
    reader->next = readers; /* a second one, by another thread, does no harm */
    readers = reader;
    pthread_mutex_unlock(&lock);
    return reader;
}

/* ---- asking ---------------------------------------------------------------------- */

static uint32_t state_of(const char *text)
{
    static const char *const words[] = {"unknown", "absent",     "present", "swallowed",
                                        "powered", "negotiable", "specific"};

    for (uint32_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0)
            return i;
    }
    return 0;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void take_atr(struct scard_info *info, const char *text)
{
    for (info->atr_len = 0; info->atr_len < sizeof info->atr; info->atr_len++) {
        const int high = digit_of(text[0]), low = high < 0 ? -1 : digit_of(text[1]);

        if (low < 0)
            return;
        info->atr[info->atr_len] = (uint8_t)(high << 4 | low);
        text += 2;
    }
}

/* By the files that everybody may read. Who is connected they do not tell. */
static int info_by_text(const struct reader *reader, int fd, struct scard_info *info)
{
    const int number = reader->number;
    char text[2 * SCARD_ATR_ROOM + 2];
    ssize_t len;
    int error;

    memset(info, 0, sizeof *info);
    len = pread(fd, text, sizeof text - 1, 0);
    if (len < 0)
        return errno;
    text[len] = '\0';
    text[strcspn(text, "\n")] = '\0';
    info->state = state_of(text);
    if (mount_text(number, "events/present", text, sizeof text) == 0)
        info->flags = SCARD_INFO_PRESENT;
    else if (mount_text(number, "events/absent", text, sizeof text) != 0)
        return EIO;
    info->counter = (uint32_t)strtoul(text, NULL, 10);
    error = mount_text(number, "atr", text, sizeof text);
    if (error == EAGAIN)
        info->flags |= SCARD_INFO_RESETTING;
    else if (error == ETIMEDOUT || error == EMEDIUMTYPE)
        info->flags |= SCARD_INFO_MUTE;
    else if (error == 0)
        take_atr(info, text);
    return 0;
}

int reader_open(const struct reader *reader)
{
    return mount_open(reader->number, reader->by_text ? "state" : "control", O_RDONLY);
}

int reader_take_control(struct reader *reader, bool *used)
{
    int fd = -1;

    pthread_mutex_lock(&lock);
    /* It has the rights of whoever opened it. */
    if (reader->spare >= 0 && reader->spare_uid == geteuid()) {
        fd = reader->spare;
        reader->spare = -1;
    }
    pthread_mutex_unlock(&lock);
    *used = fd >= 0;
    return fd >= 0 ? fd : mount_open(reader->number, "control", O_RDWR);
}

void reader_give_control(struct reader *reader, int fd)
{
    int other;

    pthread_mutex_lock(&lock);
    other = reader->spare;
    reader->spare = fd;
    reader->spare_uid = geteuid();
    pthread_mutex_unlock(&lock);
    if (other >= 0)
        close(other);
}

int reader_info(struct reader *reader, int fd, struct scard_info *info)
{
    int error = reader->by_text ? info_by_text(reader, fd, info) : mount_info(fd, info);

    if (error != 0)
        reader_lost(reader);
    return error;
}

/* ---- forks ----------------------------------------------------------------------- */

void reader_lock(void)
{
    pthread_mutex_lock(&lock);
}

void reader_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* Their memory may be in use by threads that the child does not have. */
void reader_forget_all(void)
{
    for (struct reader *reader = readers; reader != NULL; reader = reader->next) {
        close(reader->fd);
        if (reader->spare >= 0)
            close(reader->spare);
    }
    readers = NULL;
}
