/* SPDX-License-Identifier: BSD-2-Clause */
/* reader.c - the readers that this process has asked about. */
#include "contrib/pcsc/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOKS 8

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reader *readers;
static uint32_t base; /* of the counter of readers that are found from now on */

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
    mount_close(reader->fd);
    if (reader->spare >= 0)
        mount_close(reader->spare);
    free(reader);
}

/* False: somebody else has. */
static bool unlink_locked(struct reader *reader)
{
    for (struct reader **at = &readers; *at != NULL; at = &(*at)->next) {
        if (*at == reader) {
            *at = reader->next;
            put_locked(reader);
            return true;
        }
    }
    return false;
}

/* What has been told of it stays behind its successor. The caller has a reference. */
static void lose_locked(struct reader *reader)
{
    const uint32_t next = atomic_load(&reader->told) + 1;

    if (unlink_locked(reader) && next > base)
        base = next;
}

void reader_get(struct reader *reader)
{
    pthread_mutex_lock(&lock);
    reader->refs++;
    pthread_mutex_unlock(&lock);
}

void reader_forget_all(void)
{
    pthread_mutex_lock(&lock);
    while (readers != NULL)
        (void)unlink_locked(readers);
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
    reader->fd = mount_open(number, "control", O_RDONLY | O_NONBLOCK);
    reader->by_text = reader->fd < 0;
    if (reader->by_text)
        reader->fd = mount_open(number, "state", O_RDONLY | O_NONBLOCK);
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
        mount_close(reader->fd);
    free(reader);
    return NULL;
}

/* Of this process or the machine: it tells nothing of a reader. */
static bool is_shortage(int error)
{
    return error == ENOMEM || error == EMFILE || error == ENFILE;
}

/* Or a negative errno. */
static int number_of(const char *name)
{
    unsigned numbers[MOUNT_READERS_MAX];
    const unsigned count = mount_readers(numbers);
    int shortage = 0;

    for (unsigned i = 0; i < count; i++) {
        char text[MOUNT_NAME_ROOM];
        const int error = mount_text((int)numbers[i], "name", text, sizeof text);

        if (error == 0 && strcmp(text, name) == 0)
            return (int)numbers[i];
        if (is_shortage(error)) /* it may be this one */
            shortage = error;
    }
    return shortage != 0 ? -shortage : -ENOENT;
}

/* Another thread may have found it at the same time: then that one's. */
static struct reader *keep(struct reader *reader)
{
    struct reader *other;

    pthread_mutex_lock(&lock);
    other = find_locked(reader->name);
    if (other == NULL) {
        reader->base = base;
        atomic_store(&reader->told, base);
        reader->next = readers;
        readers = reader;
    } else {
        reader->refs = 1;
        put_locked(reader);
        reader = other;
    }
    pthread_mutex_unlock(&lock);
    return reader;
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
        *error = mount_check();
        if (*error == 0)
            *error = -number;
        return NULL;
    }
    reader = open_reader(number, name, error);
    if (reader == NULL)
        return NULL;
    return keep(reader);
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

/* Whether a card is in, and the count of changes. The card may come between two looks. */
static int presence_by_text(int number, struct scard_info *info)
{
    char text[32];
    int error = EAGAIN;

    for (int i = 0; i < LOOKS && error == EAGAIN; i++) {
        info->flags = SCARD_INFO_PRESENT;
        error = mount_text(number, "events/present", text, sizeof text);
        if (error == 0)
            break;
        info->flags = 0;
        error = mount_text(number, "events/absent", text, sizeof text);
    }
    info->counter = error == 0 ? (uint32_t)strtoul(text, NULL, 10) : 0;
    return error == ENOENT ? ENODEV : error;
}

/* By the files that everybody may read. Who is connected they do not tell. */
static int info_by_text(const struct reader *reader, int fd, struct scard_info *info)
{
    char text[2 * SCARD_ATR_ROOM + 2];
    ssize_t len;
    int error;

    memset(info, 0, sizeof *info);
    do
        len = pread(fd, text, sizeof text - 1, 0);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        return errno;
    text[len] = '\0';
    text[strcspn(text, "\n")] = '\0';
    info->state = state_of(text);
    error = presence_by_text(reader->number, info);
    if (error != 0)
        return error;
    error = mount_text(reader->number, "atr", text, sizeof text);
    if (error == EAGAIN)
        info->flags |= SCARD_INFO_RESETTING;
    else if (error == ETIMEDOUT || error == EMEDIUMTYPE)
        info->flags |= SCARD_INFO_MUTE;
    else if (error == ENOMEDIUM)
        info->flags = 0; /* it has gone meanwhile, which is told next */
    else if (error == 0)
        take_atr(info, text);
    else
        return error == ENOENT ? ENODEV : error;
    return 0;
}

/* The number may be that of another reader, since another daemon has come. */
static int open_checked(const struct reader *reader, const char *file, int flags)
{
    char name[MOUNT_NAME_ROOM];
    int fd = mount_open(reader->number, file, flags);
    int error;

    if (fd < 0)
        return fd;
    error = mount_text(reader->number, "name", name, sizeof name);
    if (error == 0 && strcmp(name, reader->name) == 0)
        return fd;
    mount_close(fd);
    return is_shortage(error) ? -error : -ENODEV;
}

int reader_open(const struct reader *reader)
{
    return open_checked(reader, reader->by_text ? "state" : "control",
                        O_RDONLY | O_NONBLOCK);
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
    return fd >= 0 ? fd : open_checked(reader, "control", O_RDWR);
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
        mount_close(other);
}

/* Of all that was told of a reader of this name: it only goes up. */
void reader_count(struct reader *reader, struct scard_info *info)
{
    uint32_t told = atomic_load(&reader->told);

    info->counter += reader->base;
    while (info->counter > told &&
           !atomic_compare_exchange_weak(&reader->told, &told, info->counter))
        ;
}

int reader_info(struct reader *reader, int fd, struct scard_info *info)
{
    int error = reader->by_text ? info_by_text(reader, fd, info) : mount_info(fd, info);

    if (error == 0)
        reader_count(reader, info);
    else if (!is_shortage(error))
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

/* Their memory may be in use by threads that the child does not have; their files are
 * closed already. */
void reader_abandon_all(void)
{
    readers = NULL;
}
