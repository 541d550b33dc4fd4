/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.c - one wait for many readers. */
#include "contrib/pcsc/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LINE_ROOM 64

struct watch {
    struct reader *reader;
    int fd;
    bool used;
    bool changed; /* as far as the last wait knows */
};

/* Files stay open from one wait of a context to the next. */
struct watch_set {
    struct watch *watches;
    unsigned count, room;
    int arrivals; /* `changes` of the mount */
    bool for_arrivals;
    struct pollfd *polls;
};

struct watch_set *watch_set_new(void)
{
    struct watch_set *set = calloc(1, sizeof *set);

    if (set != NULL)
        set->arrivals = -1;
    return set;
}

static void close_file(int fd)
{
    if (fd >= 0)
        mount_close(fd);
}

static void drop(struct watch_set *set, unsigned index)
{
    struct watch *watch = &set->watches[index];

    mount_close(watch->fd);
    reader_put(watch->reader);
    *watch = set->watches[--set->count];
}

void watch_set_free(struct watch_set *set)
{
    if (set == NULL)
        return;
    while (set->count > 0)
        drop(set, set->count - 1);
    close_file(set->arrivals);
    free(set->watches);
    free(set->polls);
    free(set);
}

void watch_set_renew(struct watch_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        set->watches[i].changed = true;
}

/* What the last round had no use for, such as a reader that has gone, is closed. */
void watch_set_begin(struct watch_set *set)
{
    for (unsigned i = 0; i < set->count;) {
        struct watch *watch = &set->watches[i];

        if (!watch->used) {
            drop(set, i);
            continue;
        }
        watch->used = false;
        i++;
    }
    set->for_arrivals = false;
}

/* What a stream says does not matter, only that it has been read. */
static int drain(int fd)
{
    char line[LINE_ROOM];
    ssize_t len;

    do
        len = read(fd, line, sizeof line);
    while (len < 0 && errno == EINTR);
    if (len == 0 || (len > 0 && (line[0] < '0' || line[0] > '9')))
        return ENOTCONN; /* a stream does not end, and says numbers */
    return len > 0 || errno == EAGAIN ? 0 : errno;
}

static struct watch *add(struct watch_set *set)
{
    if (set->count == set->room) {
        const unsigned room = set->room + 8;
        struct watch *watches = reallocarray(set->watches, room, sizeof *watches);
        struct pollfd *polls;

        if (watches == NULL)
            return NULL;
        set->watches = watches;
        polls = reallocarray(set->polls, (size_t)room + 2, sizeof *polls);
        if (polls == NULL)
            return NULL;
        set->polls = polls;
        set->room = room;
    }
    return &set->watches[set->count++];
}

static struct watch *find(struct watch_set *set, const struct reader *reader)
{
    for (unsigned i = 0; i < set->count; i++) {
        if (set->watches[i].reader == reader)
            return &set->watches[i];
    }
    return NULL;
}

int watch_reader(struct watch_set *set, struct reader *reader)
{
    struct watch *watch = find(set, reader);
    int fd;

    if (watch != NULL) {
        watch->used = true;
        return watch->fd;
    }
    fd = reader_open(reader);
    if (fd < 0)
        return fd;
    watch = add(set);
    if (watch == NULL) {
        mount_close(fd);
        return -ENOMEM;
    }
    reader_get(reader);
    *watch = (struct watch){.reader = reader, .fd = fd, .used = true, .changed = true};
    return fd;
}

bool watch_is_unchanged(struct watch_set *set, const struct reader *reader)
{
    struct watch *watch = find(set, reader);

    if (watch == NULL || watch->changed)
        return false;
    watch->used = true;
    return true;
}

int watch_arrivals(struct watch_set *set)
{
    set->for_arrivals = true;
    if (set->arrivals >= 0)
        return 0;
    if (set->polls == NULL && (set->polls = calloc(2, sizeof *set->polls)) == NULL)
        return ENOMEM;
    set->arrivals = mount_open(-1, "changes", O_RDONLY | O_NONBLOCK);
    if (set->arrivals == -ENOENT)
        return ENOTCONN; /* no mount */
    if (set->arrivals < 0)
        return -set->arrivals;
    return drain(set->arrivals);
}

uint64_t watch_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int left_ms(uint64_t deadline_ms)
{
    uint64_t now_ms;

    if (deadline_ms == WATCH_FOREVER)
        return -1;
    now_ms = watch_now_ms();
    if (now_ms >= deadline_ms)
        return 0;
    return deadline_ms - now_ms < INT_MAX ? (int)(deadline_ms - now_ms) : INT_MAX;
}

bool watch_is_over(uint64_t deadline_ms)
{
    return left_ms(deadline_ms) == 0;
}

static unsigned fill(const struct watch_set *set, int cancel_fd)
{
    unsigned count = 0;

    set->polls[count++] = (struct pollfd){.fd = cancel_fd, .events = POLLIN};
    if (set->for_arrivals)
        set->polls[count++] = (struct pollfd){.fd = set->arrivals, .events = POLLIN};
    for (unsigned i = 0; i < set->count; i++) {
        const struct watch *watch = &set->watches[i];

        if (watch->used)
            set->polls[count++] = (struct pollfd){.fd = watch->fd, .events = POLLPRI};
    }
    return count;
}

/* In the order of fill. */
static void mark_changed(struct watch_set *set, unsigned count)
{
    unsigned at = set->for_arrivals ? 2 : 1;

    for (unsigned i = 0; i < set->count && at < count; i++) {
        if (set->watches[i].used)
            set->watches[i].changed = set->polls[at++].revents != 0;
    }
}

int watch_wait(struct watch_set *set, int cancel_fd, uint64_t deadline_ms)
{
    const unsigned count = fill(set, cancel_fd);
    int ready;

    do {
        const int wait_ms = left_ms(deadline_ms);

        ready = poll(set->polls, count, wait_ms);
        /* What is longer than poll can count is waited for in pieces. */
    } while ((ready < 0 && errno == EINTR) || (ready == 0 && left_ms(deadline_ms) != 0));
    if (ready < 0)
        return errno;
    if (ready == 0)
        return ETIMEDOUT;
    mark_changed(set, count);
    if (set->for_arrivals && set->polls[1].revents != 0) {
        const int error = drain(set->arrivals);

        if (error != 0)
            return error; /* there is no mount any more */
    }
    return set->polls[0].revents != 0 ? ECANCELED : 0;
}
