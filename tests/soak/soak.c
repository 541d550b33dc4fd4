/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * soak.c - the daemon, with four readers, serves 32 clients of eight uids, while faults
 * are injected on the bus, clients are killed, cards and readers come and go. All the
 * time it is watched whether anything happens that must not; client.c, judge.c, watcher.c
 * and stage.c say what that is.
 *
 * usage: soak REPORT MINUTES [SEED]
 *
 * REPORT.json gets the figures, REPORT.log the daemon's words. A seed repeats what is
 * chosen: kills, changes, faults, commands; not how the processes fall in with each
 * other.
 *
 * Status 0: no violation.
 */
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "crew.h"
#include "daemon.h"
#include "report.h"
#include "stage.h"
#include "usage.h"

#define FAULTS       100 /* in 100,000 messages: 0.1 % */
#define TOLD_MAX     50  /* violations; all are counted */
#define WARM_MS      2000
#define KILL_MAX_MS  400
#define QUIET_MAX_MS 600 /* between two changes */
#define OUT_MAX_MS   300
#define IDLE_MS      15000 /* until files and threads are as they were */

/*
 * Nothing may grow with the work: 1 MiB an hour is less than one byte for each command.
 * What is allocated at a moment depends on who is at work then; half a MiB more or less
 * was measured, so a slope over seconds says nothing. The idle daemon's, at the end and
 * at the beginning, differed by up to 340 KiB. The allocator has a heap for each of up to
 * 16 threads, and each comes to its full size only when that thread has met with the
 * worst: within four minutes the process had grown by 15 MiB, and in the next four by
 * less than one. So RSS is judged only after so long.
 */
#define SLOPE_KIB       1024.0
#define HEAP_JITTER_KIB 512.0
#define HEAP_WINDOW_S   60.0
#define RSS_JITTER_KIB  2048.0
#define RSS_WINDOW_S    230.0

struct soak *soak;

static struct stage stage;
static struct usage usage;
static struct crew crew;
static uint32_t chance;
static int64_t kill_at_ms;

void violation(const char *who, const char *format, ...)
{
    char text[400];
    unsigned number;
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    number = ADD(&soak->violations, 1);
    if (number == 0)
        snprintf(soak->first, sizeof soak->first, "%s: %s", who, text);
    if (number < TOLD_MAX)
        fprintf(stderr, "VIOLATION %s: %s\n", who, text);
}

uint32_t draw(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* ---- what goes on all the time -------------------------------------------------------
 */

static void go_on(void)
{
    const struct timespec pause = {.tv_nsec = 2000000};

    stage_look_for_faults(&stage);
    crew_look_for_stuck_calls();
    if (usage_is_due(&usage))
        usage_add(&usage, usage_rss_kib(stage.daemon.pid), stage_heap_kib(&stage));
    if (kill_at_ms != 0 && now_ms() >= kill_at_ms) {
        crew_kill(&crew, (int)(draw(&chance) % CLIENTS));
        kill_at_ms = now_ms() + draw(&chance) % KILL_MAX_MS;
    }
    nanosleep(&pause, NULL);
}

static void go_on_until(int64_t end_ms)
{
    while (now_ms() < end_ms)
        go_on();
}

static void change_something(void)
{
    const int reader = (int)(draw(&chance) % READERS);
    const uint32_t out_ms = draw(&chance) % OUT_MAX_MS;

    if (draw(&chance) % 3 != 0)
        stage_exchange_card(&stage, reader, out_ms);
    else
        stage_replug(&stage, reader, out_ms);
}

/* ---- the run ------------------------------------------------------------------------
 */

/* Everything that the daemon keeps once it has it is there afterwards. */
static struct held warm_up(void)
{
    crew_start_clients(&crew);
    go_on_until(now_ms() + WARM_MS);
    for (int i = 0; i < READERS; i++) {
        stage_exchange_card(&stage, i, 0);
        stage_replug(&stage, i, 0);
    }
    crew_end_clients(&crew);
    return usage_held(stage.daemon.pid, stage_heap_kib(&stage));
}

static void run(int64_t end_ms)
{
    crew_start_clients(&crew);
    usage_begin(&usage);
    kill_at_ms = now_ms() + draw(&chance) % KILL_MAX_MS;
    while (now_ms() < end_ms) {
        go_on_until(now_ms() + draw(&chance) % QUIET_MAX_MS);
        change_something();
    }
    kill_at_ms = 0;
    crew_end_clients(&crew);
}

/* Waits until the idle daemon holds what it held before. */
static struct held settle_down(struct held before)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    const int64_t since = now_ms();
    struct held held;

    do {
        nanosleep(&pause, NULL);
        held = usage_held(stage.daemon.pid, stage_heap_kib(&stage));
    } while ((held.files != before.files || held.threads > before.threads ||
              held.heap_kib > before.heap_kib + HEAP_JITTER_KIB) &&
             now_ms() - since < IDLE_MS);
    if (held.files != before.files)
        violation("the daemon", "has %d files open, before %d", held.files, before.files);
    if (held.threads > before.threads)
        violation("the daemon", "has %d threads, before %d", held.threads,
                  before.threads);
    if (held.heap_kib > before.heap_kib + HEAP_JITTER_KIB)
        violation("the daemon", "has %.0f KiB allocated, before %.0f", held.heap_kib,
                  before.heap_kib);
    return held;
}

/* Every client has gone: nobody has, or waits for, anything. */
static void judge_sharing(void)
{
    for (int i = 0; i < READERS; i++) {
        struct scard_info info = {.size = sizeof info, .version = SCARD_IOC_VERSION};
        char name[32];
        int fd;

        snprintf(name, sizeof name, "reader%d/control", i);
        fd = open(daemon_path(&stage.daemon, name), O_RDWR | O_CLOEXEC);
        if (fd < 0 || ioctl(fd, SCARD_IOC_INFO, &info) != 0) {
            violation("the daemon", "reader%d: %s", i, strerror(errno));
        } else if (info.connections != 0 || info.users != 0 || info.waiting != 0 ||
                   info.owner_pid != UINT32_MAX ||
                   (info.flags & SCARD_INFO_EXCLUSIVE) != 0) {
            violation("the daemon",
                      "reader%d: %u connections, %u users, %u wait, owner %d, flags %x",
                      i, info.connections, info.users, info.waiting, (int)info.owner_pid,
                      info.flags);
        }
        if (fd >= 0)
            close(fd);
    }
}

static double judge_slope(const char *what, const struct slope *slope, double jitter_kib)
{
    const double bound = SLOPE_KIB + jitter_kib / slope->window_s * 3600;

    if (slope->per_hour > bound)
        violation("the daemon", "its %s grows by %.0f KiB per hour", what,
                  slope->per_hour);
    return bound;
}

static void judge_memory(struct report *r)
{
    const char *sanitizer = getenv("SANITIZE");
    const bool plain = sanitizer == NULL || strcmp(sanitizer, "none") == 0;

    r->rss_kib = usage_rss_kib(stage.daemon.pid);
    r->rss = usage_slope(&usage, usage.rss_kib);
    r->heap = usage_slope(&usage, usage.heap_kib);
    if (r->heap.known && r->heap.window_s >= HEAP_WINDOW_S)
        r->heap_bound = judge_slope("heap", &r->heap, HEAP_JITTER_KIB);
    if (r->rss.known && r->rss.window_s >= RSS_WINDOW_S && plain)
        r->rss_bound = judge_slope("RSS", &r->rss, RSS_JITTER_KIB);
    if (!plain)
        printf("SKIP RSS: b_sanitize=%s keeps what was freed\n", sanitizer);
}

/* Each client and each kind of event has had its part, or the run says little. */
static void judge_run(const struct report *r)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (soak->clients[i].sessions == 0)
            violation(client_name(i), "has had no session from beginning to end");
    }
    if (r->kills == 0 || r->plugs == 0 || r->insertions == 0 ||
        (r->faults == 0 && r->minutes >= 1))
        violation("the test", "kills, plugs, insertions or faults are missing");
    if (r->ledger.repeated != 0)
        violation(client_name((int)r->ledger.client), "command %u was executed again",
                  r->ledger.number);
    if (r->ledger.executed == 0)
        violation("the test", "no card has told of its commands");
}

static int soak_for(const char *path, double minutes)
{
    struct report r = {.minutes = minutes, .seed = crew.seed};
    char file[4096];
    int status;

    snprintf(file, sizeof file, "%s.log", path);
    stage_start(&stage, FAULTS, file);
    crew.mount = stage.daemon.mount;
    crew_start_watchers(&crew);
    for (int i = 0; i < READERS; i++)
        stage_wait_for_watchers(&stage, i);
    r.before = warm_up();
    run(now_ms() + (int64_t)(minutes * 60000));
    r.after = settle_down(r.before);
    judge_sharing();
    judge_memory(&r);
    r.kills = crew.kills;
    r.plugs = stage.plugs;
    r.insertions = stage.insertions;
    r.faults = stage_faults(&stage, r.fault_kinds, sizeof r.fault_kinds);
    r.ledger = stage_ledger(&stage);
    judge_run(&r);
    crew_end_watchers(&crew);
    status = stage_stop(&stage);
    if (status != 0)
        violation("the daemon", "has ended with status %d", status);
    report_print(&r);
    snprintf(file, sizeof file, "%s.json", path);
    if (!report_write(&r, file)) {
        perror(file);
        return 1;
    }
    if (soak->violations != 0)
        printf("the first: %s\nthe daemon's words are in %s.log\n", soak->first, path);
    return soak->violations != 0;
}

int main(int argc, char **argv)
{
    const double minutes = argc > 2 ? strtod(argv[2], NULL) : 0;

    if (minutes <= 0 || argc > 4) {
        fprintf(stderr, "usage: soak REPORT MINUTES [SEED]\n");
        return 2;
    }
    if (!daemon_possible("soak"))
        return 77;
    crew.seed = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : (uint32_t)time(NULL);
    chance = stage.seed = crew.seed != 0 ? crew.seed : 1;
    crew.uids = geteuid() == 0;
    if (!crew.uids)
        printf("SKIP uids: not root, who may take other uids\n");
    printf("soak: %s minutes, seed %u\n", argv[2], (unsigned)crew.seed);
    soak = mmap(NULL, sizeof *soak, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    if (soak == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    stage.meanwhile = go_on;
    return soak_for(argv[1], minutes);
}
