/* SPDX-License-Identifier: BSD-2-Clause */
/* stage.c - see stage.h. */
#include "stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"
#include "watcher.h"

#define START_MS 10000

/* T=1 with short waiting times, so that a fault costs no more than DEADLINE_MS. */
#define ATR "3B848131FE0054455354DC"

static const struct {
    const char *tag, *place;
    const char *shape; /* of the emulation, or of the daemon's virtual reader */
} shapes[READERS] = {
    {"(SOAK0)", "1-1", "level=ext,card=1,latency=200,serial=SOAK0,atr=" ATR},
    {"(SOAK1)", "1-2", "level=tpdu,card=1,serial=SOAK1,atr=" ATR},
    {"(0000)", NULL, ""},
    [READER_T0] = {"(0001)", NULL, "tpdu"},
};

static unsigned chance; /* of a fault, in 100,000 */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- the emulation ------------------------------------------------------------------
 */

/* It listens once the daemon has come to USB. */
static void dial(struct stage *s)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    const int64_t since = now_ms();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = 10};

    snprintf(address.sun_path, sizeof address.sun_path, "%s/emu", s->directory);
    s->emulation = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->emulation, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    while (connect(s->emulation, (struct sockaddr *)&address, sizeof address) != 0) {
        if (now_ms() - since > START_MS)
            die(address.sun_path);
        nanosleep(&pause, NULL);
    }
}

/* One command; its answer behind "ok ". */
static const char *ask(struct stage *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const char *ask(struct stage *s, const char *format, ...)
{
    static char answer[1024];
    char line[512];
    size_t len = 0;
    va_list ap;
    ssize_t n;
    int n_line;

    va_start(ap, format);
    n_line = vsnprintf(line, sizeof line - 1, format, ap);
    va_end(ap);
    line[n_line++] = '\n';
    if (send(s->emulation, line, (size_t)n_line, MSG_NOSIGNAL) != n_line)
        die("the emulation");
    do {
        n = recv(s->emulation, answer + len, sizeof answer - 1 - len, 0);
        if (n <= 0)
            die("the emulation");
        len += (size_t)n;
        answer[len] = '\0';
    } while (strchr(answer, '\n') == NULL);
    if (strncmp(answer, "ok", 2) != 0) {
        fprintf(stderr, "soak: the emulation on \"%.*s\": %s", n_line - 1, line, answer);
        exit(1);
    }
    answer[strcspn(answer, "\n")] = '\0';
    return answer[2] == ' ' ? answer + 3 : answer + 2;
}

/* With faults of its own at each plug. */
static const char *shape_of(struct stage *s, int reader)
{
    static char text[256];

    snprintf(text, sizeof text, "%s,chance=%u,seed=%u", shapes[reader].shape, chance,
             (unsigned)(draw(&s->seed)));
    return text;
}

void stage_look_for_faults(struct stage *s)
{
    for (int i = 0; i < USB_READERS; i++) {
        long long at_ns;
        uint32_t n;

        if (LOAD(&soak->readers[i].generation) % 2 != 0)
            continue; /* it may not be there */
        if (sscanf(ask(s, "faults %s", shapes[i].place), "%" SCNu32 " %lld", &n,
                   &at_ns) != 2)
            continue;
        STORE(&soak->readers[i].fault_ms, at_ns / 1000000);
        STORE(&soak->readers[i].faults, n);
    }
}

unsigned long stage_faults(struct stage *s, char *text, size_t room)
{
    unsigned long sum = 0, n;

    snprintf(text, room, "%s", ask(s, "faults"));
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == ' ' && sscanf(p, " %lu", &n) == 1)
            sum += n;
    }
    return sum;
}

double stage_heap_kib(struct stage *s)
{
    return strtod(ask(s, "heap"), NULL) / 1024;
}

struct ledger stage_ledger(struct stage *s)
{
    struct ledger l = {0};

    if (sscanf(ask(s, "ledger"), "%lu %lu %u %u", &l.executed, &l.repeated, &l.client,
               &l.number) != 4)
        die("ledger");
    return l;
}

/* ---- the daemon ---------------------------------------------------------------------
 */

int reader_open(const char *mount, const char *tag, char *name, size_t room)
{
    DIR *dir = opendir(mount);
    int found = -1;

    if (dir == NULL)
        return -1;
    for (struct dirent *entry; found < 0 && (entry = readdir(dir)) != NULL;) {
        char text[256] = "";
        int fd = -1, directory = -1;

        if (strncmp(entry->d_name, "reader", 6) == 0)
            directory =
                openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory >= 0)
            fd = openat(directory, "name", O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            if (read(fd, text, sizeof text - 1) > 0 && strstr(text, tag) != NULL)
                found = directory;
            close(fd);
        }
        if (directory >= 0 && found != directory)
            close(directory);
        else if (found >= 0 && name != NULL)
            snprintf(name, room, "%s", entry->d_name);
    }
    closedir(dir);
    return found;
}

void stage_start(struct stage *s, unsigned faults, const char *log)
{
    char text[512], words[sizeof s->directory + 64]; /* listen: the emulation does */
    const char *const options[] = {"--virtual", "--virtual=tpdu", "-o", words, NULL};
    int error_output = dup(STDERR_FILENO),
        fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    chance = faults;
    strcpy(s->directory, "/tmp/scardfs-soak.XXXXXX");
    if (fd < 0 || mkdtemp(s->directory) == NULL)
        die(fd < 0 ? log : s->directory);
    snprintf(words, sizeof words, "mode=666,power_down_timeout=1,listen=%s",
             s->directory);
    for (int i = 0; i < READERS; i++) {
        strcpy(soak->readers[i].tag, shapes[i].tag);
        soak->readers[i].faulty = i < USB_READERS && faults > 0;
    }
    snprintf(text, sizeof text, "%s/emu", s->directory);
    setenv("USBEMU_CTL", text, 1);
    snprintf(text, sizeof text, "%s:%s;", shapes[0].place, shape_of(s, 0));
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s:%s", shapes[1].place,
             shape_of(s, 1));
    setenv("USBEMU_DEVICES", text, 1);
    setenv("LD_PRELOAD", getenv("USBEMU"), 1); /* for the daemon alone */
    dup2(fd, STDERR_FILENO);
    daemon_start(&s->daemon, options);
    dup2(error_output, STDERR_FILENO);
    unsetenv("LD_PRELOAD");
    close(error_output);
    close(fd);
    dial(s);
}

int stage_stop(struct stage *s)
{
    char path[128];
    int status;

    close(s->emulation);
    status = daemon_stop(&s->daemon);
    snprintf(path, sizeof path, "%s/emu", s->directory);
    unlink(path);
    rmdir(s->directory);
    return status;
}

/* ---- cards and readers come and go --------------------------------------------------
 */

static void pause_ms(struct stage *s, unsigned ms)
{
    const int64_t until = now_ms() + ms;

    do
        s->meanwhile();
    while (now_ms() < until);
}

static bool wait_until_seen(struct stage *s, int reader, int watcher, const char *what,
                            bool (*is_so)(uint32_t seen, uint32_t wanted),
                            uint32_t wanted)
{
    const int64_t since = now_ms();
    const uint32_t *seen = &soak->readers[reader].seen[watcher];

    while (!is_so(LOAD(seen), wanted)) {
        if (now_ms() - since > RECOVER_MS) {
            violation("the test", "%s: not heard of on %s in %d ms: %x, wanted %x", what,
                      soak->readers[reader].tag, RECOVER_MS, LOAD(seen), wanted);
            return false;
        }
        s->meanwhile();
    }
    return true;
}

static bool equals(uint32_t seen, uint32_t wanted)
{
    return seen == wanted;
}

static bool has_state(uint32_t seen, uint32_t wanted)
{
    return seen != 0 && (seen & 1) == wanted;
}

static void wait_for(struct stage *s, int reader, const char *what, uint32_t counter,
                     bool present)
{
    wait_until_seen(s, reader, 0, what, equals, SEEN(counter, present));
    wait_until_seen(s, reader, 1, what, has_state, present);
}

void stage_wait_for_watchers(struct stage *s, int reader)
{
    wait_until_seen(s, reader, 0, "the card", has_state, 1);
    wait_until_seen(s, reader, 1, "the card", has_state, 1);
}

static void unsettle(int reader)
{
    ADD(&soak->readers[reader].generation, 1);
}

static void settle(int reader)
{
    struct reader *r = &soak->readers[reader];

    STORE(&r->settled_ms, now_ms());
    STORE(&r->trouble, 0);
    ADD(&r->generation, 1);
}

/* A line to `virtual`, with the directory that the reader has now. */
static void tell(struct stage *s, int reader, const char *verb)
{
    char line[64], name[32];
    int directory = reader_open(s->daemon.mount, shapes[reader].tag, name, sizeof name),
        error;

    if (directory < 0) {
        violation("the test", "%s is not there", shapes[reader].tag);
        return;
    }
    close(directory);
    snprintf(line, sizeof line, "%s %s\n", verb, name);
    error = daemon_command(&s->daemon, line);
    if (error != 0)
        violation("the test", "%s %s: %s", verb, name, strerror(error));
}

void stage_exchange_card(struct stage *s, int reader, unsigned out_ms)
{
    const char *place = shapes[reader].place;
    uint32_t counter = (LOAD(&soak->readers[reader].seen[0]) - 2) / 2;

    unsettle(reader);
    if (place != NULL)
        (void)ask(s, "remove %s", place);
    else
        tell(s, reader, "remove");
    wait_for(s, reader, "a removal", counter + 1, false);
    pause_ms(s, out_ms);
    if (place != NULL)
        (void)ask(s, "insert %s", place);
    else
        tell(s, reader, "insert");
    wait_for(s, reader, "an insertion", counter + 2, true);
    settle(reader);
    s->insertions++;
}

void stage_replug(struct stage *s, int reader, unsigned out_ms)
{
    const char *place = shapes[reader].place;
    char line[32];
    int error;

    unsettle(reader);
    if (place != NULL)
        (void)ask(s, "unplug %s", place);
    else
        tell(s, reader, "unplug");
    for (int i = 0; i < 2; i++)
        wait_until_seen(s, reader, i, "an unplug", equals, 0);
    pause_ms(s, out_ms);
    if (place != NULL) {
        (void)ask(s, "plug %s %s", place, shape_of(s, reader));
    } else {
        snprintf(line, sizeof line, "plug%s%s\n", *shapes[reader].shape ? " " : "",
                 shapes[reader].shape);
        error = daemon_command(&s->daemon, line);
        if (error != 0)
            violation("the test", "%s: %s", line, strerror(error));
    }
    stage_wait_for_watchers(s, reader);
    settle(reader);
    s->plugs++;
}
