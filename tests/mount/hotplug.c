/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hotplug.c - a reader on the emulated bus comes, gets a command that would take a
 * minute, and is unplugged with the command in flight, a thousand times (HOTPLUG_CYCLES).
 * Each command ends with ENODEV, and at the end the daemon has the file descriptors,
 * threads and memory that it had at the beginning.
 *
 * Every step waits for what it caused: arrival and removal by the stream `changes`, the
 * command in flight by the emulation's count of messages.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon.h"
#include "winsmcrd.h"

#define CYCLES   1000
#define WARM_UP  50 /* until caches have their size */
#define EVENT_MS 10000
#define END_MS   2000 /* of a command whose reader is gone */
#define CROWD    8    /* more callers at once than the cycles are */
/* Growth allowed, whatever the number of cycles. The smallest object that is forgotten in
 * each of a hundred is 3200 bytes of heap. */
#define HEAP_SLACK 2048
/* What malloc keeps of a thread, from its first allocation on: some have had none before.
 */
#define THREAD_HEAP 656
#define RSS_SLACK   1024 /* KiB: stacks and buffers that not every thread has used yet */

static struct daemon daemon_;
static char control_path[108];
static int control_fd = -1;

/* ---- the emulation ---------------------------------------------------------------- */

/* One command; its answer up to the line that begins with ok. */
static const char *emulate(const char *line)
{
    static char answer[1024];
    size_t len = 0;

    assert_true(dprintf(control_fd, "%s\n", line) > 0);
    do {
        ssize_t n = read(control_fd, answer + len, sizeof answer - 1 - len);

        assert_true(n > 0);
        len += (size_t)n;
        answer[len] = '\0';
        assert_null(strstr(answer, "err "));
    } while (strncmp(answer, "ok", 2) != 0 && strstr(answer, "\nok") == NULL);
    return answer;
}

static unsigned long messages(void)
{
    const char *at = strstr(emulate("status"), "msgs ");

    return at != NULL ? strtoul(at + 5, NULL, 10) : 0;
}

static long heap(void)
{
    const char *answer = emulate("heap");

    assert_int_equal(strncmp(answer, "ok ", 3), 0);
    return strtol(answer + 3, NULL, 10);
}

/* ---- the mount -------------------------------------------------------------------- */

static int changes = -1;

/* The next line of `changes`: somebody has come or gone. */
static void wait_change(void)
{
    struct pollfd fd = {.fd = changes, .events = POLLIN};
    char line[32];

    assert_int_equal(poll(&fd, 1, EVENT_MS), 1);
    assert_true(read(changes, line, sizeof line) > 0);
}

/* `control` of the one reader that there is. */
static int open_reader(void)
{
    DIR *dir = opendir(daemon_.mount);
    char name[sizeof daemon_.mount + 300];
    struct dirent *entry;
    int fd = -1;

    assert_non_null(dir);
    while (fd < 0 && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, "reader", 6) != 0)
            continue;
        snprintf(name, sizeof name, "%s/%s/control", daemon_.mount, entry->d_name);
        fd = open(name, O_RDWR | O_CLOEXEC);
    }
    closedir(dir);
    assert_true(fd >= 0);
    return fd;
}

static int call(int fd, uint32_t code, const void *in, size_t in_len)
{
    uint8_t out[64];
    size_t out_len = sizeof out;
    int32_t status;

    return daemon_call(fd, code, in, in_len, out, &out_len, UINT32_MAX, &status);
}

struct flight {
    pthread_t thread;
    int fd, error;
    int64_t ended_ms;
};

static void *fly(void *argument)
{
    /* T=1, 80 E4: a minute */
    static const uint8_t apdu[] = {2, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xe4, 0xea, 0x60};
    struct flight *flight = argument;

    flight->error = call(flight->fd, IOCTL_SMARTCARD_TRANSMIT, apdu, sizeof apdu);
    flight->ended_ms = now_ms();
    return NULL;
}

static void take_off(struct flight *flight)
{
    static const uint8_t cold[] = {SCARD_COLD_RESET, 0, 0, 0}, t1[] = {2, 0, 0, 0};
    unsigned long before;

    assert_int_equal(call(flight->fd, IOCTL_SMARTCARD_POWER, cold, sizeof cold), 0);
    assert_int_equal(call(flight->fd, IOCTL_SMARTCARD_SET_PROTOCOL, t1, sizeof t1), 0);
    before = messages();
    assert_int_equal(pthread_create(&flight->thread, NULL, fly, flight), 0);
    while (messages() == before)
        sched_yield();
}

static void cycle(void)
{
    struct flight flight = {.fd = open_reader()};
    int64_t unplugged_ms;

    take_off(&flight);
    unplugged_ms = now_ms();
    emulate("unplug 1-1");
    pthread_join(flight.thread, NULL);
    assert_int_equal(flight.error, ENODEV);
    assert_true(flight.ended_ms - unplugged_ms < END_MS);
    close(flight.fd);
    wait_change();
    emulate("plug 1-1 level=short,card=1");
    wait_change();
}

static void *ask_often(void *path)
{
    for (int i = 0; i < 200; i++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

/* Threads that serve the mount are kept once there were so many: makes them many. */
static void crowd(void)
{
    pthread_t threads[CROWD];
    char path[256];

    snprintf(path, sizeof path, "%s", daemon_path(&daemon_, "reader0/state"));
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, path), 0);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
}

/* ---- what the daemon uses --------------------------------------------------------- */

struct usage {
    unsigned fds, threads;
    long heap, rss_kib;
};

static unsigned count_fds(void)
{
    unsigned count = 0;
    char path[64];
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)daemon_.pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count - 2; /* . and .. */
}

static struct usage usage(void)
{
    struct usage u = {
        .fds = count_fds(),
        .threads = (unsigned)daemon_threads(&daemon_),
        .heap = heap(),
    };
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)daemon_.pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &u.rss_kib), 1);
    fclose(file);
    u.rss_kib *= sysconf(_SC_PAGESIZE) / 1024;
    return u;
}

static void print(const char *when, struct usage u)
{
    printf("     %s: %u file descriptors, %u threads, heap %ld bytes, RSS %ld KiB\n",
           when, u.fds, u.threads, u.heap, u.rss_kib);
}

/* Departures end in threads of their own: until the daemon has let go of everything. */
static struct usage settled(struct usage start)
{
    const int64_t until = now_ms() + EVENT_MS;
    struct usage u = usage();

    while ((u.fds > start.fds || u.threads > start.threads) && now_ms() < until) {
        sched_yield();
        u = usage();
    }
    return u;
}

static void test_hotplug_a_thousand_unplugs_in_mid_command_leave_nothing_behind(
    void **state)
{
    const char *given = getenv("HOTPLUG_CYCLES");
    const long cycles = given != NULL ? strtol(given, NULL, 10) : CYCLES;
    const char *sanitize = getenv("SANITIZE");
    const int64_t begun_ms = now_ms();
    struct usage start, end;

    (void)state;
    crowd();
    for (int i = 0; i < WARM_UP; i++)
        cycle();
    start = usage();
    print("at the start", start);
    for (long i = 0; i < cycles; i++)
        cycle();
    end = settled(start);
    print("at the end  ", end);
    printf("     %ld cycles in %.1f s\n", cycles + WARM_UP,
           (double)(now_ms() - begun_ms) / 1000);
    assert_true(end.fds <= start.fds);
    assert_true(end.threads <= start.threads);
    assert_true(end.heap <= start.heap + HEAP_SLACK + (long)(end.threads * THREAD_HEAP));
    /* a sanitizer keeps freed memory */
    if (sanitize == NULL || strcmp(sanitize, "none") == 0)
        assert_true(end.rss_kib <= start.rss_kib + RSS_SLACK);
}

/* ---- group ------------------------------------------------------------------------ */

static int setup(void **state)
{
    const char *const options[] = {"-o", "listen=/tmp", NULL}; /* the emulation does */
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    snprintf(control_path, sizeof control_path, "/tmp/scardfs-hotplug.%d", (int)getpid());
    setenv("USBEMU_CTL", control_path, 1);
    setenv("USBEMU_DEVICES", "1-1:level=short,card=1", 1);
    /* What a thread keeps at hand for its next allocation would count as in use. */
    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
    setenv("LD_PRELOAD", getenv("USBEMU"), 1); /* for the daemon alone */
    daemon_start(&daemon_, options);
    unsetenv("LD_PRELOAD");
    unsetenv("GLIBC_TUNABLES");
    memcpy(address.sun_path, control_path, sizeof address.sun_path);
    control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    changes = open(daemon_path(&daemon_, "changes"), O_RDONLY | O_CLOEXEC);
    if (connect(control_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        changes < 0)
        return -1;
    wait_change(); /* where it stands now */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(changes);
    close(control_fd);
    unlink(control_path);
    return daemon_stop(&daemon_) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_hotplug_a_thousand_unplugs_in_mid_command_leave_nothing_behind),
    };

    if (!daemon_possible("mount-hotplug"))
        return 77;
    return cmocka_run_group_tests(tests, setup, teardown);
}
