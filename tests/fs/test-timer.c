/* SPDX-License-Identifier: BSD-2-Clause */
/* test-timer.c - deadlines, on a virtual clock. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fs/timer.h"

static uint64_t now_ms;

static uint64_t virtual_clock(void)
{
    return now_ms;
}

struct alarm {
    struct scfs_deadline deadline;
    int number;
};

static int order[8], count;

static void note(struct scfs_deadline *deadline)
{
    order[count++] = CONTAINING_RECORD(deadline, struct alarm, deadline)->number;
}

static int setup(void **state)
{
    static struct scfs_timer timer;

    now_ms = 1000;
    count = 0;
    scfs_timer_init(&timer, virtual_clock);
    *state = &timer;
    return 0;
}

static struct alarm alarm_of(int number)
{
    return (struct alarm){.deadline = {.expired = note}, .number = number};
}

static void test_expire_without_deadlines_never_comes(void **state)
{
    assert_int_equal(scfs_timer_expire(*state), SCFS_NEVER);
}

static void test_expire_runs_what_is_due_in_order(void **state)
{
    struct alarm a = alarm_of(1), b = alarm_of(2), c = alarm_of(3), d = alarm_of(4);

    scfs_timer_arm(*state, &a.deadline, 30);
    scfs_timer_arm(*state, &b.deadline, 10);
    scfs_timer_arm(*state, &c.deadline, 20);
    scfs_timer_arm(*state, &d.deadline, 10); /* as soon as b, after it */
    assert_int_equal(scfs_timer_expire(*state), 1010);
    assert_int_equal(count, 0);
    now_ms = 1010;
    assert_int_equal(scfs_timer_expire(*state), 1020);
    now_ms = 5000;
    assert_int_equal(scfs_timer_expire(*state), SCFS_NEVER);
    assert_int_equal(count, 4);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 4);
    assert_int_equal(order[2], 3);
    assert_int_equal(order[3], 1);
}

static void test_cancel_before_it_is_due_says_so_and_stops_it(void **state)
{
    struct alarm a = alarm_of(1);

    scfs_timer_arm(*state, &a.deadline, 10);
    assert_true(scfs_timer_cancel(*state, &a.deadline));
    assert_false(scfs_timer_cancel(*state, &a.deadline));
    now_ms = 2000;
    assert_int_equal(scfs_timer_expire(*state), SCFS_NEVER);
    assert_int_equal(count, 0);
}

static struct scfs_timer *own_timer;

static void cancel_itself(struct scfs_deadline *deadline)
{
    note(deadline);
    assert_false(scfs_timer_cancel(own_timer, deadline));
}

static void test_cancel_inside_its_own_function_returns(void **state)
{
    struct alarm a = alarm_of(1);

    own_timer = *state;
    a.deadline.expired = cancel_itself;
    scfs_timer_arm(*state, &a.deadline, 0);
    scfs_timer_expire(*state);
    assert_int_equal(count, 1);
}

/* The thread, with the real clock: the deadline is now, so nothing is waited for. */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static int came;

static void knock(struct scfs_deadline *deadline)
{
    (void)deadline;
    pthread_mutex_lock(&gate);
    came = 1;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate);
}

static void test_thread_runs_a_deadline_armed_while_it_sleeps(void **state)
{
    struct scfs_timer timer;
    struct scfs_deadline deadline = {.expired = knock};

    (void)state;
    scfs_timer_init(&timer, scfs_clock_ms);
    assert_int_equal(scfs_timer_start(&timer), 0);
    scfs_timer_arm(&timer, &deadline, 1);
    pthread_mutex_lock(&gate);
    while (!came)
        pthread_cond_wait(&gate_changed, &gate);
    pthread_mutex_unlock(&gate);
    assert_false(scfs_timer_cancel(&timer, &deadline)); /* waits until knock is through */
    scfs_timer_stop(&timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_expire_without_deadlines_never_comes, setup),
        cmocka_unit_test_setup(test_expire_runs_what_is_due_in_order, setup),
        cmocka_unit_test_setup(test_cancel_before_it_is_due_says_so_and_stops_it, setup),
        cmocka_unit_test_setup(test_cancel_inside_its_own_function_returns, setup),
        cmocka_unit_test(test_thread_runs_a_deadline_armed_while_it_sleeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
