/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake-logind - the part of org.freedesktop.login1 that has to do with the sleep of the
 * machine, on the bus of DBUS_SYSTEM_BUS_ADDRESS. Commands come on standard input, one a
 * line, and each is answered by one on standard output:
 *
 *   locks   how many delay locks are held: "locks 1"
 *   sleep   PrepareForSleep(true), then waits until no lock is held: "asleep", or "late"
 *           when that takes more than 5 s (logind's InhibitDelayMaxSec)
 *   wake    PrepareForSleep(false): "awake"
 *
 * Says "ready" once it has its name. Ends with its input.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define PATH      "/org/freedesktop/login1"
#define INTERFACE "org.freedesktop.login1.Manager"
#define LOCKS_MAX 8
#define DELAY_MS  5000

static int locks[LOCKS_MAX]; /* read ends; a lock is held while the write end is open */
static unsigned lock_count;

static void forget_released(void)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < lock_count; i++) {
        struct pollfd fd = {.fd = locks[i]};

        if (poll(&fd, 1, 0) > 0 && (fd.revents & POLLHUP) != 0)
            close(locks[i]);
        else
            locks[kept++] = locks[i];
    }
    lock_count = kept;
}

static int inhibit(sd_bus_message *call, void *unused, sd_bus_error *error)
{
    const char *what, *who, *why, *mode;
    int ends[2], result;

    (void)unused;
    result = sd_bus_message_read(call, "ssss", &what, &who, &why, &mode);
    if (result < 0)
        return result;
    forget_released();
    if (strcmp(what, "sleep") != 0 || strcmp(mode, "delay") != 0 ||
        lock_count == LOCKS_MAX)
        return sd_bus_error_set_const(error, SD_BUS_ERROR_INVALID_ARGS, "no such lock");
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    locks[lock_count++] = ends[0];
    result = sd_bus_reply_method_return(call, "h", ends[1]);
    close(ends[1]);
    return result;
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Inhibit", "ssss", "h", inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("PrepareForSleep", "b", 0),
    SD_BUS_VTABLE_END,
};

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void tell(sd_bus *bus, bool asleep)
{
    sd_bus_emit_signal(bus, PATH, INTERFACE, "PrepareForSleep", "b", (int)asleep);
    sd_bus_flush(bus);
}

static const char *wait_for_locks(void)
{
    const long long until = now_ms() + DELAY_MS;
    long long left;

    for (forget_released(); lock_count > 0; forget_released()) {
        struct pollfd fd = {.fd = locks[0]};

        left = until - now_ms();
        if (left <= 0 || poll(&fd, 1, (int)left) <= 0)
            return "late";
    }
    return "asleep";
}

static void command(sd_bus *bus, const char *line)
{
    if (strcmp(line, "locks\n") == 0) {
        forget_released();
        printf("locks %u\n", lock_count);
    } else if (strcmp(line, "sleep\n") == 0) {
        tell(bus, true);
        puts(wait_for_locks());
    } else if (strcmp(line, "wake\n") == 0) {
        tell(bus, false);
        puts("awake");
    } else {
        puts("what?");
    }
    fflush(stdout);
}

int main(void)
{
    sd_bus *bus = NULL;
    char line[64];
    int error = sd_bus_open_system(&bus);

    if (error >= 0)
        error = sd_bus_add_object_vtable(bus, NULL, PATH, INTERFACE, vtable, NULL);
    if (error >= 0)
        error = sd_bus_request_name(bus, "org.freedesktop.login1", 0);
    if (error < 0) {
        fprintf(stderr, "fake-logind: %s\n", strerror(-error));
        return 1;
    }
    puts("ready");
    fflush(stdout);
    setvbuf(stdin, NULL, _IONBF, 0);
    for (;;) {
        struct pollfd fds[] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = sd_bus_get_fd(bus), .events = POLLIN},
        };

        do
            error = sd_bus_process(bus, NULL);
        while (error > 0);
        if (error < 0 || poll(fds, 2, -1) < 0)
            break;
        if (fds[0].revents == 0)
            continue;
        if (fgets(line, sizeof line, stdin) == NULL)
            break;
        command(bus, line);
    }
    sd_bus_flush_close_unref(bus);
    return error < 0;
}
