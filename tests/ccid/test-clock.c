/* SPDX-License-Identifier: BSD-2-Clause */
/* test-clock.c - the real clock: its conditions end by time and by signal. */
#include "ccid/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <cmocka.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition;
static bool signalled;

static void test_clock_deadline_of_the_longest_span_never_comes(void **state)
{
    (void)state;
    assert_int_equal(ccid_clock_deadline(1000, 0), 1000);
    assert_int_equal(ccid_clock_deadline(1000, 250), 1250);
    assert_int_equal(ccid_clock_deadline(1000, UINT32_MAX - 1), 1000ull + UINT32_MAX - 1);
    assert_true(ccid_clock_deadline(1000, UINT32_MAX) == CCID_CLOCK_NEVER);
}

static void test_clock_wait_ends_at_the_deadline(void **state)
{
    struct ccid_clock *clock = ccid_clock_real();
    uint64_t deadline_ms = clock->now_ms(clock) + 20;

    (void)state;
    pthread_mutex_lock(&lock);
    while (clock->now_ms(clock) < deadline_ms)
        clock->wait(clock, &condition, &lock, deadline_ms);
    pthread_mutex_unlock(&lock);
    assert_true(clock->now_ms(clock) - deadline_ms < 5000);
}

static void *signal_it(void *unused)
{
    pthread_mutex_lock(&lock);
    signalled = true;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&lock);
    return unused;
}

static void test_clock_wait_without_deadline_ends_by_a_signal(void **state)
{
    struct ccid_clock *clock = ccid_clock_real();
    pthread_t thread;

    (void)state;
    pthread_mutex_lock(&lock);
    assert_int_equal(pthread_create(&thread, NULL, signal_it, NULL), 0);
    while (!signalled)
        clock->wait(clock, &condition, &lock, CCID_CLOCK_NEVER);
    pthread_mutex_unlock(&lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_deadline_of_the_longest_span_never_comes),
        cmocka_unit_test(test_clock_wait_ends_at_the_deadline),
        cmocka_unit_test(test_clock_wait_without_deadline_ends_by_a_signal),
    };

    if (ccid_clock_condition_init(&condition) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
