/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits.c - what one user may have of the daemon, with real uids: so many open files, so
 * many requests that wait, and of commands that wait one for each open file. Whoever
 * wants more gets an errno; nobody else notices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "calls.h"
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <unistd.h>

#define GREEDY      61100
#define OTHER       61101
#define HANDLES     6
#define WAITS       3
#define PATIENCE_MS 10000

static struct daemon scardfs;

/* As that user; the descriptor, or -1 and errno. Of this thread alone: seteuid would send
 * signals to those that wait. */
static int open_as(uid_t uid, const char *name, int flags)
{
    int fd, error;

    setfsuid(uid);
    assert_int_equal(setfsuid(uid), uid);
    fd = open(daemon_path(&scardfs, name), flags | O_CLOEXEC);
    error = errno;
    setfsuid(0);
    errno = error;
    return fd;
}

static int open_control(uid_t uid)
{
    int fd = open_as(uid, "reader0/control", O_RDWR);

    assert_true(fd >= 0);
    return fd;
}

static void expect_refused_open(uid_t uid)
{
    assert_int_equal(open_as(uid, "reader0/control", O_RDWR), -1);
    assert_int_equal(errno, ENFILE);
}

/* ---- who waits for a transaction --------------------------------------------------- */

struct waiter {
    pthread_t thread;
    int fd, error;
};

static void *wait_for_turn(void *argument)
{
    struct waiter *w = argument;

    w->error = call_begin(w->fd, "waiter");
    if (w->error == 0)
        w->error = call_end(w->fd, SCARD_DISPOSITION_LEAVE);
    return NULL;
}

static int waiting(void)
{
    int count = 0;

    assert_int_equal(
        sscanf(daemon_text(&scardfs, "reader0/owner"), "%*d %*d %*s %d", &count), 1);
    return count;
}

/* Returns when it waits. */
static void start_waiter(struct waiter *w, uid_t uid)
{
    const int64_t limit = now_ms() + PATIENCE_MS;
    const int before = waiting();

    w->fd = open_control(uid);
    assert_int_equal(pthread_create(&w->thread, NULL, wait_for_turn, w), 0);
    while (waiting() == before) {
        assert_true(now_ms() < limit);
        sched_yield();
    }
}

static void end_waiter(struct waiter *w)
{
    pthread_join(w->thread, NULL);
    assert_int_equal(w->error, 0);
    close(w->fd);
}

/* ---- tests ------------------------------------------------------------------------- */

static void test_open_files_beyond_the_limit_are_enfile(void **state)
{
    int fds[HANDLES], others[HANDLES + 2];

    (void)state;
    for (int i = 0; i < HANDLES; i++)
        fds[i] = open_control(GREEDY);
    expect_refused_open(GREEDY);
    others[0] = open_control(OTHER);
    for (int i = 1; i < HANDLES + 2; i++)
        others[i] = open_control(0);
    assert_int_equal(call_select_protocol(others[0]), 0);
    assert_int_equal(call_select_protocol(fds[0]), 0);
    for (int i = 0; i < HANDLES + 2; i++)
        close(others[i]);
    expect_refused_open(GREEDY);
    for (int i = 0; i < HANDLES; i++)
        close(fds[i]);
    fds[0] = open_control(GREEDY);
    close(fds[0]);
}

static void test_waits_beyond_the_limit_are_edquot(void **state)
{
    struct waiter greedy[WAITS], other;
    int holder = open_control(0), fd = open_control(GREEDY);
    int event;

    (void)state;
    assert_int_equal(call_begin(holder, "holder"), 0);
    for (int i = 0; i < WAITS; i++)
        start_waiter(&greedy[i], GREEDY);
    assert_int_equal(call_begin(fd, "one more"), EDQUOT);
    assert_int_equal(call_lock(fd), EDQUOT);
    event = open_as(GREEDY, "reader0/events/absent", O_RDONLY);
    assert_true(event >= 0);
    assert_int_equal(call_read(event), EDQUOT);
    start_waiter(&other, OTHER);
    assert_int_equal(waiting(), WAITS + 1);
    assert_int_equal(call_end(holder, SCARD_DISPOSITION_LEAVE), 0);
    for (int i = 0; i < WAITS; i++)
        end_waiter(&greedy[i]);
    end_waiter(&other);
    assert_int_equal(call_begin(fd, "again"), 0);
    assert_int_equal(call_end(fd, SCARD_DISPOSITION_LEAVE), 0);
    close(event);
    close(fd);
    close(holder);
}

static void test_file_whose_request_waits_takes_no_other(void **state)
{
    struct waiter first;
    int holder = open_control(0);

    (void)state;
    assert_int_equal(call_begin(holder, "holder"), 0);
    start_waiter(&first, GREEDY);
    assert_int_equal(call_begin(first.fd, "second"), EDQUOT);
    assert_int_equal(call_transmit(first.fd, 0), EDQUOT);
    assert_int_equal(waiting(), 1);
    assert_int_equal(call_end(holder, SCARD_DISPOSITION_LEAVE), 0);
    end_waiter(&first);
    close(holder);
}

/* Written ones do not keep their writer waiting, and are bounded by his open files. */
static void test_commands_that_wait_are_one_for_each_open_file(void **state)
{
    int holder = open_control(0), fds[HANDLES];

    (void)state;
    assert_int_equal(call_select_protocol(holder), 0);
    assert_int_equal(call_begin(holder, "holder"), 0);
    for (int i = 0; i < HANDLES; i++) {
        fds[i] = open_control(GREEDY);
        assert_int_equal(call_write(fds[i], 0), 0);
        assert_int_equal(call_write(fds[i], 0), EBUSY);
    }
    expect_refused_open(GREEDY);
    assert_int_equal(call_end(holder, SCARD_DISPOSITION_LEAVE), 0);
    for (int i = 0; i < HANDLES; i++) {
        assert_int_equal(call_read(fds[i]), 0);
        close(fds[i]);
    }
    close(holder);
}

static int start(void **state)
{
    static const char *const options[] = {"--virtual", "-o",
                                          "mode=666,user_handles=6,user_waits=3", NULL};

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
        cmocka_unit_test(test_open_files_beyond_the_limit_are_enfile),
        cmocka_unit_test(test_waits_beyond_the_limit_are_edquot),
        cmocka_unit_test(test_file_whose_request_waits_takes_no_other),
        cmocka_unit_test(test_commands_that_wait_are_one_for_each_open_file),
    };

    if (!daemon_possible("limits"))
        return 77;
    if (geteuid() != 0) {
        printf("SKIP limits: not root, who may take other uids\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, start, stop);
}
