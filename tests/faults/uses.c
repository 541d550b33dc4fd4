/* SPDX-License-Identifier: BSD-2-Clause */
/* uses.c - what programs do with a reader. Nothing may be wrong about what they get. */
#include "scenarios.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/mount/calls.h"
#include "tests/mount/daemon.h"
#include "winsmcrd.h"

#define ECHO_HEADER 12 /* SCARD_IO_REQUEST of T=1, then the command */
#define LONG        2000

static int open_control(struct subject *s)
{
    return open(subject_path(s, "reader0/control"), O_RDWR | O_CLOEXEC);
}

/* Closes and says what has come of it. */
static int end(int fd, bool worked)
{
    if (fd >= 0)
        close(fd);
    return worked ? WORKED : FAILED;
}

int use_none(void *subject)
{
    (void)subject;
    return WORKED;
}

/* ---- the card -------------------------------------------------------------------- */

int use_connect(void *subject)
{
    struct scard_disconnect disconnect = {.size = sizeof disconnect,
                                          .version = SCARD_IOC_VERSION,
                                          .disposition = SCARD_DISPOSITION_RESET};
    int fd = open_control(subject);

    return end(fd, fd >= 0 && call_connect(fd) == 0 &&
                       ioctl(fd, SCARD_IOC_DISCONNECT, &disconnect) == 0);
}

/* 80 E0: the card says it again. */
static int echo(int fd)
{
    static const uint8_t command[] = {2,    0,    0,    0, 8,   0,   0,   0, 0x80,
                                      0xe0, 0x00, 0x00, 3, 'a', 'b', 'c', 0};
    static const uint8_t answer[] = {2, 0, 0, 0, 8, 0, 0, 0, 'a', 'b', 'c', 0x90, 0};
    uint8_t out[64];
    size_t len = sizeof out;
    int32_t status;

    if (daemon_call(fd, IOCTL_SMARTCARD_TRANSMIT, command, sizeof command, out, &len,
                    SCARD_TIMEOUT_INFINITE, &status) != 0)
        return FAILED;
    return len == sizeof answer && memcmp(out, answer, len) == 0 ? WORKED : WRONG;
}

int use_transmit(void *subject)
{
    int fd = open_control(subject);
    int outcome = FAILED;

    if (fd >= 0 && call_select_protocol(fd) == 0)
        outcome = echo(fd);
    (void)end(fd, true);
    return outcome;
}

/* In as many messages as it takes, there and back. */
int use_long(void *subject)
{
    static uint8_t command[7 + LONG + 2] = {0x80, 0xe0, 0, 0, 0, LONG >> 8, LONG & 0xff};
    static uint8_t answer[LONG + 64];
    int fd = open_control(subject);
    int outcome = FAILED;
    ssize_t n = -1;

    for (size_t i = 0; i < LONG; i++)
        command[7 + i] = (uint8_t)(i * 7);
    if (fd >= 0 && write(fd, command, sizeof command) == (ssize_t)sizeof command)
        n = read(fd, answer, sizeof answer);
    if (n >= 2 && answer[n - 2] == 0x90)
        outcome =
            n == LONG + 2 && memcmp(answer, command + 7, LONG) == 0 ? WORKED : WRONG;
    else if (n >= 0)
        outcome = WRONG;
    (void)end(fd, true);
    return outcome;
}

/* reader0/transmit, a line there and a line back */
int use_hex(void *subject)
{
    static const char command[] = "80E000000361626300\n", answer[] = "6162639000\n";
    int fd = open(subject_path(subject, "reader0/transmit"), O_RDWR | O_CLOEXEC);
    char text[64];
    ssize_t n = -1;

    if (fd >= 0 && write(fd, command, sizeof command - 1) == sizeof command - 1)
        n = read(fd, text, sizeof text);
    if (n >= 0 && (n != sizeof answer - 1 || memcmp(text, answer, (size_t)n) != 0)) {
        close(fd);
        return WRONG;
    }
    return end(fd, n >= 0);
}

int use_power(void *subject)
{
    static const char *const words[] = {"cold\n", "off\n", "warm\n"};
    int fd = open(subject_path(subject, "reader0/power"), O_WRONLY | O_CLOEXEC);
    bool worked = fd >= 0;

    for (size_t i = 0; i < 2 && worked; i++)
        worked = write(fd, words[i], strlen(words[i])) > 0;
    return end(fd, worked);
}

/* ---- waiting for the card -------------------------------------------------------- */

int prepare_card(void *subject)
{
    if (subject_emulate(subject, "insert 1-1") == NULL)
        return FAILED;
    for (int64_t until = now_us() + 2000000; now_us() < until; pause_ms(1)) {
        char state[32] = "absent";
        int fd = open(subject_path(subject, "reader0/state"), O_RDONLY | O_CLOEXEC);

        if (fd < 0 || read(fd, state, sizeof state - 1) < 0)
            strcpy(state, "absent");
        (void)end(fd, true);
        if (strncmp(state, "absent", 6) != 0 && strncmp(state, "unknown", 7) != 0)
            return WORKED;
    }
    return FAILED;
}

static bool becomes_readable(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, -1) == 1 && (p.revents & events) != 0;
}

/* events/absent and events/present by poll, which says so once the card is. */
int use_poll(void *subject)
{
    int absent =
        open(subject_path(subject, "reader0/events/absent"), O_RDONLY | O_CLOEXEC);
    int present =
        open(subject_path(subject, "reader0/events/present"), O_RDONLY | O_CLOEXEC);
    struct pollfd p = {.fd = absent, .events = POLLIN};
    char text[32];
    bool worked = absent >= 0 && present >= 0 && poll(&p, 1, 0) == 0;

    worked = worked && subject_emulate(subject, "remove 1-1") != NULL &&
             becomes_readable(absent, POLLIN) && read(absent, text, sizeof text) > 0;
    p.fd = present;
    worked = worked && poll(&p, 1, 0) == 0 &&
             subject_emulate(subject, "insert 1-1") != NULL &&
             becomes_readable(present, POLLIN) && read(present, text, sizeof text) > 0;
    (void)end(absent, true);
    return end(present, worked);
}

/* ---- two at once ----------------------------------------------------------------- */

struct second {
    pthread_t thread;
    int fd;
    pid_t tid; /* atomic; 0: not yet running */
    bool over; /* atomic */
    int result;
    int (*run)(int fd);
};

static void *second_thread(void *argument)
{
    struct second *second = argument;

    __atomic_store_n(&second->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    second->result = second->run(second->fd);
    __atomic_store_n(&second->over, true, __ATOMIC_SEQ_CST);
    return NULL;
}

/* It waits in the kernel, or has ended. */
static bool waits(struct second *second)
{
    char path[64], text[256] = "", *at;
    pid_t tid = __atomic_load_n(&second->tid, __ATOMIC_SEQ_CST);
    int fd;

    if (__atomic_load_n(&second->over, __ATOMIC_SEQ_CST))
        return true;
    if (tid == 0)
        return false;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        text[0] = 0;
    (void)end(fd, true);
    at = strrchr(text, ')');
    return at && at[2] == 'S';
}

static bool second_begin(struct second *second, int fd, int (*run)(int fd))
{
    *second = (struct second){.fd = fd, .run = run};
    if (pthread_create(&second->thread, NULL, second_thread, second) != 0)
        return false;
    while (!waits(second))
        sched_yield();
    return true;
}

static int second_end(struct second *second)
{
    pthread_join(second->thread, NULL);
    return second->result;
}

/* Somebody reads events/absent when the card goes, events/present when it comes. */
int use_wait(void *subject)
{
    static const char *const files[] = {"reader0/events/absent",
                                        "reader0/events/present"};
    static const char *const commands[] = {"remove 1-1", "insert 1-1"};
    struct second second;
    bool worked = true;

    for (int i = 0; i < 2 && worked; i++) {
        int fd = open(subject_path(subject, files[i]), O_RDONLY | O_CLOEXEC);

        worked = fd >= 0 && second_begin(&second, fd, call_read);
        worked = worked && subject_emulate(subject, commands[i]) != NULL;
        worked = worked && second_end(&second) == 0;
        (void)end(fd, true);
    }
    return worked ? WORKED : FAILED;
}

static int begin(int fd)
{
    return call_begin(fd, "second");
}

/* The second waits until the first has done with the card. */
int use_transaction(void *subject)
{
    int first_fd = open_control(subject), second_fd = open_control(subject);
    bool worked = first_fd >= 0 && second_fd >= 0 && call_begin(first_fd, "first") == 0;
    int outcome = FAILED;
    struct second second;

    if (worked && second_begin(&second, second_fd, begin)) {
        if (call_select_protocol(first_fd) == 0)
            outcome = echo(first_fd);
        worked = call_end(first_fd, SCARD_DISPOSITION_LEAVE) == 0;
        if (!worked)
            close(first_fd); /* ends it, too */
        worked &=
            second_end(&second) == 0 && call_end(second_fd, SCARD_DISPOSITION_RESET) == 0;
        if (outcome == WORKED && !worked)
            outcome = FAILED;
    }
    (void)end(second_fd, true);
    (void)end(first_fd, true);
    return outcome;
}

static int lock(int fd)
{
    return flock(fd, LOCK_EX) != 0 ? errno : 0;
}

static void nothing(int number)
{
    (void)number;
}

static int transmit_a_minute(int fd)
{
    return call_transmit(fd, 60000);
}

/* A command that would take a minute is given up by a signal; the next one is answered.
 */
int use_interrupt(void *subject)
{
    const struct sigaction interrupt = {.sa_handler = nothing}; /* no SA_RESTART */
    int fd = open_control(subject);
    int outcome = FAILED;
    struct second second;

    sigaction(SIGUSR1, &interrupt, NULL);
    if (fd >= 0 && call_select_protocol(fd) == 0 &&
        second_begin(&second, fd, transmit_a_minute)) {
        while (!__atomic_load_n(&second.over, __ATOMIC_SEQ_CST)) {
            pthread_kill(second.thread, SIGUSR1); /* one that comes early is lost */
            pause_ms(1);
        }
        (void)second_end(&second);
        if (call_select_protocol(fd) == 0)
            outcome = echo(fd);
    }
    (void)end(fd, true);
    return outcome;
}

int use_lock(void *subject)
{
    int first_fd = open_control(subject), second_fd = open_control(subject);
    bool worked = first_fd >= 0 && second_fd >= 0 && lock(first_fd) == 0;
    struct second second;

    if (worked && second_begin(&second, second_fd, lock)) {
        worked = flock(first_fd, LOCK_UN) == 0;
        close(first_fd);
        first_fd = -1;
        worked &= second_end(&second) == 0;
    }
    (void)end(first_fd, true);
    return end(second_fd, worked);
}
