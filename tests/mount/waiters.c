/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waiters.c - many processes blocked in `cat events/present`: they cost no threads, hold
 * nobody up, are ended by one insertion, and disappear at once when they are killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon.h"
#include "wdm.h"
#include "winsmcrd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAITERS       64
#define DEADLINE_MS   10000
#define PROMPT_MS     1000 /* "at once", on a busy machine */
#define SLOW_APDU_MS  5000
#define EXTRA_THREADS 4 /* that libfuse may keep, whoever waits */

static struct daemon scardfs;
static pid_t waiters[WAITERS];

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};

    nanosleep(&t, NULL);
}

/* The process has the file open and sleeps: it waits in its read. */
static bool is_waiting(pid_t pid, const char *file)
{
    char path[64], target[256], state = 0;
    ssize_t n;
    FILE *stat;

    snprintf(path, sizeof path, "/proc/%ld/fd/3", (long)pid);
    n = readlink(path, target, sizeof target - 1);
    if (n < 0)
        return false;
    target[n] = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    stat = fopen(path, "re");
    if (!stat || fscanf(stat, "%*d %*s %c", &state) != 1)
        state = 0;
    if (stat)
        fclose(stat);
    return state == 'S' && strcmp(target, file) == 0;
}

static void start_waiters(void)
{
    char path[256];
    int64_t deadline = now_ms() + DEADLINE_MS;

    snprintf(path, sizeof path, "%s", daemon_path(&scardfs, "reader0/events/present"));
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = fork();
        assert_true(waiters[i] >= 0);
        if (waiters[i] == 0) {
            int null = open("/dev/null", O_WRONLY);

            dup2(null, STDOUT_FILENO);
            closefrom(3);
            execlp("cat", "cat", path, (char *)NULL);
            _exit(127);
        }
    }
    for (int i = 0; i < WAITERS; i++) {
        while (!is_waiting(waiters[i], path)) {
            assert_true(now_ms() < deadline);
            pause_ms(5);
        }
    }
}

/* All of them have ended by then, each in this way. */
static void assert_all_end(int64_t deadline, bool by_signal)
{
    for (int i = 0; i < WAITERS; i++) {
        int status;
        pid_t pid;

        while ((pid = waitpid(waiters[i], &status, WNOHANG)) == 0) {
            assert_true(now_ms() < deadline);
            pause_ms(1);
        }
        assert_int_equal(pid, waiters[i]);
        if (by_signal)
            assert_int_equal(WTERMSIG(status), SIGKILL);
        else
            assert_int_equal(status, 0);
    }
}

static int remove_card(void **state)
{
    (void)state;
    return daemon_command(&scardfs, "remove reader0\n");
}

/* ---- tests ----------------------------------------------------------------------- */

static void test_waiters_cost_no_threads_and_hold_up_nobody(void **state)
{
    int before = daemon_threads(&scardfs), during;
    int64_t begin;

    (void)state;
    start_waiters();
    begin = now_ms();
    assert_string_equal(daemon_text(&scardfs, "reader0/state"), "absent");
    assert_in_range(now_ms() - begin, 0, PROMPT_MS);
    during = daemon_threads(&scardfs);
    print_message("threads: %d before, %d with %d waiters\n", before, during, WAITERS);
    assert_in_range(during, 1, before + EXTRA_THREADS);

    begin = now_ms();
    assert_int_equal(daemon_command(&scardfs, "insert reader0\n"), 0);
    assert_all_end(begin + DEADLINE_MS, false);
    print_message("%d waiters ended in %d ms\n", WAITERS, (int)(now_ms() - begin));
}

static void test_killed_waiter_is_gone_at_once_and_forgotten(void **state)
{
    int64_t begin;

    (void)state;
    start_waiters();
    begin = now_ms();
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(kill(waiters[i], SIGKILL), 0);
    assert_all_end(begin + PROMPT_MS, true);
    assert_string_equal(daemon_text(&scardfs, "reader0/state"), "absent");
    /* those who come later find everything as it should be */
    start_waiters();
    begin = now_ms();
    assert_int_equal(daemon_command(&scardfs, "insert reader0\n"), 0);
    assert_all_end(begin + DEADLINE_MS, false);
}

/* ---- beside a slow APDU ---------------------------------------------------------- */

struct slow {
    pthread_t thread;
    int control, error;
    int32_t status;
    int64_t took_ms;
};

static void *transmit_slowly(void *arg)
{
    static const uint8_t apdu[] = {
        2, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xe4, SLOW_APDU_MS >> 8, SLOW_APDU_MS & 0xff};
    struct slow *s = arg;
    uint8_t out[64];
    size_t out_len = sizeof out;
    int64_t begin = now_ms();

    s->error = daemon_call(s->control, IOCTL_SMARTCARD_TRANSMIT, apdu, sizeof apdu, out,
                           &out_len, SCARD_TIMEOUT_INFINITE, &s->status);
    s->took_ms = now_ms() - begin;
    return NULL;
}

static void call_well(int control, uint32_t code, uint32_t value, size_t room)
{
    uint8_t out[64];
    int32_t status = -1;
    size_t out_len = room;

    assert_int_equal(daemon_call(control, code, &value, sizeof value, out, &out_len,
                                 SCARD_TIMEOUT_INFINITE, &status),
                     0);
    assert_int_equal(status, STATUS_SUCCESS);
}

static void test_state_is_answered_while_an_apdu_runs(void **state)
{
    struct slow s = {.status = -1};
    int64_t end, slowest = 0;
    int reads = 0;

    (void)state;
    s.control = open(daemon_path(&scardfs, "reader0/control"), O_RDWR | O_CLOEXEC);
    assert_true(s.control >= 0);
    call_well(s.control, IOCTL_SMARTCARD_POWER, 1, 33);
    call_well(s.control, IOCTL_SMARTCARD_SET_PROTOCOL, 3, 4);
    end = now_ms() + SLOW_APDU_MS - PROMPT_MS;
    assert_int_equal(pthread_create(&s.thread, NULL, transmit_slowly, &s), 0);
    while (now_ms() < end) {
        int64_t begin = now_ms();

        assert_string_equal(daemon_text(&scardfs, "reader0/state"), "specific");
        assert_string_equal(daemon_text(&scardfs, "reader0/atr"),
                            "3b88800154455354424544015d");
        if (now_ms() - begin > slowest)
            slowest = now_ms() - begin;
        reads++;
        pause_ms(20);
    }
    pthread_join(s.thread, NULL);
    close(s.control);
    assert_int_equal(s.error, 0);
    assert_int_equal(s.status, STATUS_SUCCESS);
    assert_in_range(s.took_ms, SLOW_APDU_MS - 10, SLOW_APDU_MS + 2000);
    print_message("%d reads beside a %d ms APDU, the slowest %d ms\n", reads,
                  SLOW_APDU_MS, (int)slowest);
    assert_in_range(slowest, 0, PROMPT_MS);
}

static int start(void **state)
{
    static const char *const options[] = {"--virtual", "-o", "power=lazy", NULL};

    (void)state;
    daemon_start(&scardfs, options);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    return daemon_stop(&scardfs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_waiters_cost_no_threads_and_hold_up_nobody,
                               remove_card),
        cmocka_unit_test_setup(test_killed_waiter_is_gone_at_once_and_forgotten,
                               remove_card),
        cmocka_unit_test(test_state_is_answered_while_an_apdu_runs),
    };

    if (!daemon_possible("waiters"))
        return 77;
    return cmocka_run_group_tests(tests, start, stop);
}
