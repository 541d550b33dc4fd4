/* SPDX-License-Identifier: BSD-2-Clause */
/* test-gate.c - SCardCancel ends the waits that there are, and no others. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "contrib/pcsc/library.h"

static struct gate gate;

static int setup(void **state)
{
    (void)state;
    gate_init(&gate);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate_close(&gate);
    return 0;
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

static atomic_int entered;

static void *wait_after(void *argument)
{
    (void)argument;
    (void)enter();
    atomic_store(&entered, gate_is_cancelled(&gate) ? 2 : 1);
    gate_leave(&gate);
    return NULL;
}

/* Who comes while cancelled waits have yet to end is not one of them. */
static void test_wait_that_comes_after_the_cancel_is_not_ended(void **state)
{
    pthread_t thread;

    (void)state;
    enter();
    gate_cancel(&gate);
    atomic_store(&entered, 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_after, NULL), 0);
    for (int i = 0; i < 1000; i++) /* chances for it to go wrong */
        assert_int_equal(atomic_load(&entered), 0);
    gate_leave(&gate);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&entered), 1);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
