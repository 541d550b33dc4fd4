/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watcher.c - see watcher.h.
 *
 * The test takes a card out, or puts it in, only when every watcher has seen the last
 * change. So whoever waits for the next one sees a counter that is higher by one; it is
 * lost, or counted twice, otherwise.
 */
#include "watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

struct watcher {
    char name[32];
    const char *mount;
    struct reader *reader;
    uint32_t *seen;
    bool stream;
};

/* The reader is there after a plug, or not yet. */
static int find(const struct watcher *w)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int directory;

    while ((directory = reader_open(w->mount, w->reader->tag, NULL, 0)) < 0)
        nanosleep(&pause, NULL);
    return directory;
}

static bool may_end(int error)
{
    return error == ENODEV || error == ENOENT;
}

/* "7\n" of a waiting file; false: the reader has gone. */
static bool wait_for(const struct watcher *w, int directory, bool present,
                     uint32_t *counter)
{
    const char *file = present ? "events/present" : "events/absent";
    int fd = openat(directory, file, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    char line[64];

    if (fd >= 0)
        n = read(fd, line, sizeof line - 1);
    if (n < 0) {
        if (!may_end(errno))
            violation(w->name, "%s: %s", file, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    close(fd);
    line[n] = '\0';
    *counter = (uint32_t)strtoul(line, NULL, 10);
    return true;
}

static void follow_waits(const struct watcher *w, int directory)
{
    uint32_t counter, last = 0;
    bool present = true;

    for (bool first = true; wait_for(w, directory, present, &counter); first = false) {
        if (!first && counter != last + 1)
            violation(w->name, "%u after %u in events/%s", counter, last,
                      present ? "present" : "absent");
        last = counter;
        STORE(w->seen, SEEN(counter, present));
        present = !present;
    }
}

/* "7 absent\n" each time that the state changes. */
static void follow_stream(const struct watcher *w, int directory)
{
    int fd = openat(directory, "events/changes", O_RDONLY | O_CLOEXEC);
    uint32_t counter, last = 0;
    char line[128], state[32];
    ssize_t n;

    while (fd >= 0 && (n = read(fd, line, sizeof line - 1)) > 0) {
        line[n] = '\0';
        if (sscanf(line, "%" SCNu32 " %31s", &counter, state) != 2 ||
            (LOAD(w->seen) != 0 && counter <= last))
            violation(w->name, "\"%s\" after %u in events/changes", line, last);
        last = counter;
        STORE(w->seen, SEEN(counter, strcmp(state, "absent") != 0));
    }
    if ((fd < 0 || n < 0) && !may_end(errno))
        violation(w->name, "events/changes: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

_Noreturn void watcher_run(int number, const char *mount)
{
    struct watcher w = {.mount = mount,
                        .reader = &soak->readers[number / 2],
                        .seen = &soak->readers[number / 2].seen[number % 2],
                        .stream = number % 2 == 1};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(w.name, sizeof w.name, "watcher of %s", w.reader->tag);
    for (;;) {
        int directory = find(&w);

        if (w.stream)
            follow_stream(&w, directory);
        else
            follow_waits(&w, directory);
        STORE(w.seen, 0);
        close(directory);
    }
}
