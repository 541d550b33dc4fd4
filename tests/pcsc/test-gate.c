/* SPDX-License-Identifier: BSD-2-Clause */
/* test-gate.c - SCardCancel ends the waits that there are, and no others. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "contrib/pcsc/library.h"
#include "fake_mount.h"

static struct gate gate;

static int setup(void **state)
{
    gate_init(&gate);
    return fake_mount_setup(state);
}

static int teardown(void **state)
{
    gate_close(&gate);
    return fake_mount_teardown(state);
}

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1;
}

static int enter(void)
{
    const int fd = gate_enter(&gate);

    assert_true(fd >= 0);
    return fd;
}

static void test_cancel_before_a_wait_does_not_end_it(void **state)
{
    int fd;

    (void)state;
    gate_cancel(&gate); /* nobody has ever waited */
    fd = enter();
    assert_false(gate_is_cancelled(&gate) || is_readable(fd));
    gate_leave(&gate);
    gate_cancel(&gate);
    fd = enter();
    assert_false(gate_is_cancelled(&gate) || is_readable(fd));
    gate_leave(&gate);
}

static void test_cancel_ends_all_waits_and_not_the_next(void **state)
{
    const int fd = enter();

    (void)state;
    assert_int_equal(enter(), fd);
    gate_cancel(&gate);
    assert_true(gate_is_cancelled(&gate) && is_readable(fd));
    gate_leave(&gate);
    assert_true(gate_is_cancelled(&gate) && is_readable(fd)); /* for the other one */
    gate_leave(&gate);
    enter();
    assert_false(gate_is_cancelled(&gate) || is_readable(fd));
    gate_leave(&gate);
}

static atomic_int entered, waiter;

static void *wait_after(void *argument)
{
    (void)argument;
    atomic_store(&waiter, gettid());
    (void)enter();
    atomic_store(&entered, gate_is_cancelled(&gate) ? 2 : 1);
    gate_leave(&gate);
    return NULL;
}

/* It has nothing to sleep for but the gate. */
static void wait_until_it_sleeps(void)
{
    char state = ' ';

    while (state != 'S') {
        char path[64];
        FILE *file;

        snprintf(path, sizeof path, "/proc/self/task/%d/stat", atomic_load(&waiter));
        file = atomic_load(&waiter) != 0 ? fopen(path, "r") : NULL;
        if (file == NULL)
            continue;
        assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
        fclose(file);
    }
}

/* Who comes while cancelled waits have yet to end is not one of them. */
static void test_wait_that_comes_after_the_cancel_is_not_ended(void **state)
{
    pthread_t thread;

    (void)state;
    enter();
    gate_cancel(&gate);
    atomic_store(&entered, 0);
    atomic_store(&waiter, 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_after, NULL), 0);
    wait_until_it_sleeps();
    assert_int_equal(atomic_load(&entered), 0);
    gate_leave(&gate);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&entered), 1);
}

static void test_gate_without_a_descriptor_lets_nobody_in(void **state)
{
    (void)state;
    fake_fails(FAKE_EVENTFD, NULL, 0, 1, EMFILE);
    assert_int_equal(gate_enter(&gate), -1);
    assert_int_equal(gate.waits, 0);
    enter();
    gate_leave(&gate);
}

static void cancel_meanwhile(enum fake_call call, const char *name)
{
    if (call != FAKE_READ || strcmp(name, "eventfd") != 0)
        return;
    fake_before = NULL;
    gate_cancel(&gate);
}

/* What is about to be drained has just been written for somebody. */
static void test_cancel_in_the_middle_of_calming_is_not_lost(void **state)
{
    const int fd = enter();

    (void)state;
    fake_before = cancel_meanwhile;
    gate_calm(&gate);
    assert_null(fake_before);
    assert_true(gate_is_cancelled(&gate) && is_readable(fd));
    gate_leave(&gate);
}

static void test_signal_does_not_keep_what_is_to_be_drained(void **state)
{
    const int fd = enter();

    (void)state;
    assert_int_equal(eventfd_write(fd, 1), 0);
    fake_fails(FAKE_READ, "eventfd", 0, 2, EINTR);
    gate_calm(&gate);
    assert_false(is_readable(fd));
    gate_leave(&gate);
}

static atomic_int yields;

int __real_sched_yield(void);
int __wrap_sched_yield(void);

int __wrap_sched_yield(void)
{
    atomic_fetch_add(&yields, 1);
    return __real_sched_yield();
}

static void *close_gate(void *argument)
{
    (void)argument;
    gate_close(&gate);
    return NULL;
}

static void test_descriptor_stays_until_no_cancel_uses_it(void **state)
{
    const int fd = enter();
    pthread_t thread;

    (void)state;
    gate_leave(&gate);
    atomic_store(&gate.cancelling, 1); /* somebody is about to write to it */
    assert_int_equal(pthread_create(&thread, NULL, close_gate, NULL), 0);
    while (atomic_load(&yields) == 0)
        ;
    assert_int_equal(atomic_load(&gate.fd), -1); /* nobody else gets it */
    assert_int_equal(eventfd_write(fd, 1), 0);   /* and it is open still */
    atomic_store(&gate.cancelling, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(eventfd_write(fd, 1), -1);
    assert_int_equal(errno, EBADF);
}

static void test_descriptor_that_is_readable_for_nothing_is_calmed(void **state)
{
    const int fd = enter();

    (void)state;
    assert_int_equal(eventfd_write(fd, 1), 0);
    gate_calm(&gate);
    assert_false(is_readable(fd));
    gate_cancel(&gate);
    gate_calm(&gate);
    assert_true(is_readable(fd));
    gate_leave(&gate);
}

static void on_signal(int number)
{
    (void)number;
    gate_cancel(&gate);
}

static void test_signal_handler_may_cancel(void **state)
{
    const struct sigaction action = {.sa_handler = on_signal};
    const int fd = enter();

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    pthread_mutex_lock(&gate.lock); /* also in the middle of the library */
    assert_int_equal(raise(SIGUSR1), 0);
    pthread_mutex_unlock(&gate.lock);
    assert_true(gate_is_cancelled(&gate) && is_readable(fd));
    gate_leave(&gate);
}

static void test_cancel_after_the_end_touches_no_file(void **state)
{
    const int fd = enter();

    (void)state;
    gate_leave(&gate);
    gate_close(&gate);
    assert_int_equal(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fd); /* somebody else's */
    gate_cancel(&gate);
    assert_false(is_readable(fd));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cancel_before_a_wait_does_not_end_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_cancel_ends_all_waits_and_not_the_next,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_wait_that_comes_after_the_cancel_is_not_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_descriptor_that_is_readable_for_nothing_is_calmed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signal_handler_may_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel_after_the_end_touches_no_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_gate_without_a_descriptor_lets_nobody_in,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel_in_the_middle_of_calming_is_not_lost,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_signal_does_not_keep_what_is_to_be_drained,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_descriptor_stays_until_no_cancel_uses_it,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
