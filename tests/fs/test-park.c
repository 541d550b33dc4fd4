/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-park.c - whoever comes first answers, and nobody else: the event, the interrupt,
 * the limit, the end of the reader, in every order. Where two threads race, each is held
 * at the lock that decides.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_fuse.h"
#include "fs/park.h"

#define LIMIT_MS 50

static struct fuse_req req;
static struct scfs_timer timer;
static uint64_t now_ms;
static pthread_mutex_t lock;
static struct scfs_park park;

/* What the callbacks were called for; 0: not. */
static int withdrawn, given_up;
static bool not_now; /* withdraw refuses */

static uint64_t virtual_clock(void)
{
    return now_ms;
}

static bool withdraw(struct scfs_park *which, int error)
{
    (void)which;
    withdrawn = error;
    return !not_now;
}

static void give_up(struct scfs_park *which, int error)
{
    given_up = error;
    fuse_reply_err(which->req, error);
}

static int setup(void **state)
{
    (void)state;
    now_ms = 1000;
    withdrawn = given_up = 0;
    not_now = false;
    scfs_timer_init(&timer, virtual_clock);
    pthread_mutex_init(&lock, NULL);
    fake_request_init(&req);
    park = (struct scfs_park){.withdraw = withdraw, .give_up = give_up};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pthread_mutex_destroy(&lock);
    fake_request_destroy(&req);
    return 0;
}

/* Up to the point where others may take it. */
static void wait_with_limit(void)
{
    scfs_park_prepare(&park, &req, &lock);
    scfs_park_limit(&park, &timer, LIMIT_MS);
    pthread_mutex_lock(&lock);
    assert_true(scfs_park_wait_locked(&park));
    scfs_park_start_limit_locked(&park);
    pthread_mutex_unlock(&lock);
}

static bool take(void)
{
    bool ours;

    pthread_mutex_lock(&lock);
    ours = scfs_park_take_locked(&park);
    pthread_mutex_unlock(&lock);
    return ours;
}

static void end(int error)
{
    pthread_mutex_lock(&lock);
    scfs_park_end_locked(&park, error);
}

/* The event came: nobody else has touched it, and nobody will. */
static void assert_ours_alone(void)
{
    scfs_park_settle(&park);
    fake_interrupt(&req);
    now_ms += 2 * LIMIT_MS;
    scfs_timer_expire(&timer);
    end(ENODEV);
    assert_int_equal(given_up, 0);
    assert_int_equal(req.answers, 0);
    assert_int_equal(req.broken, 0);
}

static void assert_answered_once(int error)
{
    fake_interrupt(&req);
    now_ms += 2 * LIMIT_MS;
    assert_int_equal(scfs_timer_expire(&timer), SCFS_NEVER);
    end(ENODEV);
    assert_false(take());
    assert_int_equal(withdrawn, error);
    assert_int_equal(given_up, error);
    assert_int_equal(req.answers, 1);
    assert_int_equal(req.error, error);
    assert_int_equal(req.broken, 0);
}

/* ---- one after the other --------------------------------------------------------- */

static void test_event_takes_it_from_everybody_else(void **state)
{
    (void)state;
    wait_with_limit();
    assert_true(take());
    assert_false(take());
    assert_ours_alone();
    assert_int_equal(withdrawn, 0);
}

static void test_event_before_an_interrupt_leaves_it_nothing(void **state)
{
    (void)state;
    wait_with_limit();
    assert_true(take());
    fake_interrupt(&req);
    assert_ours_alone();
    assert_int_equal(withdrawn, 0);
}

static void test_interrupt_before_the_request_is_seen_is_the_callers(void **state)
{
    (void)state;
    fake_interrupt(&req);
    scfs_park_prepare(&park, &req, &lock); /* the callback comes inside */
    assert_int_equal(req.answers, 0);
    pthread_mutex_lock(&lock);
    assert_false(scfs_park_wait_locked(&park));
    pthread_mutex_unlock(&lock);
    assert_false(take());
    assert_ours_alone();
    assert_int_equal(withdrawn, 0);
}

static void test_interrupt_between_prepare_and_wait_is_the_callers(void **state)
{
    (void)state;
    scfs_park_prepare(&park, &req, &lock);
    scfs_park_limit(&park, &timer, LIMIT_MS);
    fake_interrupt(&req);
    pthread_mutex_lock(&lock);
    assert_false(scfs_park_wait_locked(&park));
    scfs_park_start_limit_locked(&park); /* too late for a limit */
    pthread_mutex_unlock(&lock);
    assert_ours_alone();
    assert_int_equal(withdrawn, 0);
}

static void test_interrupt_while_waiting_withdraws_and_answers(void **state)
{
    (void)state;
    wait_with_limit();
    fake_interrupt(&req);
    assert_int_equal(given_up, EINTR);
    assert_answered_once(EINTR);
}

static void test_second_interrupt_does_nothing(void **state)
{
    (void)state;
    wait_with_limit();
    fake_interrupt(&req);
    withdrawn = 0;
    fake_interrupt(&req);
    assert_int_equal(withdrawn, 0);
    assert_int_equal(req.answers, 1);
}

static void test_limit_answers_when_it_is_due_and_not_before(void **state)
{
    (void)state;
    wait_with_limit();
    now_ms += LIMIT_MS - 1;
    scfs_timer_expire(&timer);
    assert_int_equal(given_up, 0);
    now_ms++;
    scfs_timer_expire(&timer);
    assert_int_equal(given_up, ETIMEDOUT);
    assert_answered_once(ETIMEDOUT);
}

static void test_limit_that_comes_too_late_does_not_end_a_running_request(void **state)
{
    (void)state;
    not_now = true;
    wait_with_limit();
    now_ms += LIMIT_MS;
    scfs_timer_expire(&timer);
    assert_int_equal(withdrawn, ETIMEDOUT);
    assert_int_equal(given_up, 0);
    withdrawn = 0;
    not_now = false;
    fake_interrupt(&req);
    assert_answered_once(EINTR);
}

static void test_end_of_the_reader_answers(void **state)
{
    (void)state;
    wait_with_limit();
    end(ENODEV);
    assert_answered_once(ENODEV);
}

/* ---- at the same time ------------------------------------------------------------ */

static void *interrupt_thread(void *argument)
{
    fake_interrupt(argument);
    return NULL;
}

static void *expire_thread(void *argument)
{
    scfs_timer_expire(argument);
    return NULL;
}

static void wait_until_expiring(void)
{
    bool running = false;

    while (!running) {
        sched_yield();
        pthread_mutex_lock(&timer.lock);
        running = timer.running == &park.deadline;
        pthread_mutex_unlock(&timer.lock);
    }
}

static void test_event_during_an_interrupt_waits_for_it_and_wins(void **state)
{
    pthread_t thread;

    (void)state;
    wait_with_limit();
    pthread_mutex_lock(&lock); /* the callback gets as far as this */
    pthread_create(&thread, NULL, interrupt_thread, &req);
    fake_wait_calling(&req);
    assert_true(scfs_park_take_locked(&park));
    pthread_mutex_unlock(&lock);
    scfs_park_settle(&park); /* not before the callback has returned: it uses the park */
    assert_false(req.calling);
    assert_ours_alone();
    pthread_join(thread, NULL);
    assert_int_equal(withdrawn, 0);
}

static void test_event_during_the_expiry_waits_for_it_and_wins(void **state)
{
    pthread_t thread;

    (void)state;
    wait_with_limit();
    now_ms += LIMIT_MS;
    pthread_mutex_lock(&lock);
    pthread_create(&thread, NULL, expire_thread, &timer);
    wait_until_expiring();
    assert_true(scfs_park_take_locked(&park));
    pthread_mutex_unlock(&lock);
    scfs_park_settle(&park);
    pthread_mutex_lock(&timer.lock);
    assert_ptr_not_equal(timer.running, &park.deadline);
    pthread_mutex_unlock(&timer.lock);
    pthread_join(thread, NULL);
    assert_ours_alone();
    assert_int_equal(withdrawn, 0);
}

static void test_interrupt_and_expiry_together_are_one_answer(void **state)
{
    pthread_t interrupt, expiry;

    (void)state;
    wait_with_limit();
    now_ms += LIMIT_MS;
    pthread_mutex_lock(&lock);
    pthread_create(&interrupt, NULL, interrupt_thread, &req);
    pthread_create(&expiry, NULL, expire_thread, &timer);
    fake_wait_calling(&req);
    wait_until_expiring();
    pthread_mutex_unlock(&lock); /* either may win */
    pthread_join(interrupt, NULL);
    pthread_join(expiry, NULL);
    assert_true(given_up == EINTR || given_up == ETIMEDOUT);
    assert_answered_once(given_up);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_event_takes_it_from_everybody_else),
        CASE(test_event_before_an_interrupt_leaves_it_nothing),
        CASE(test_interrupt_before_the_request_is_seen_is_the_callers),
        CASE(test_interrupt_between_prepare_and_wait_is_the_callers),
        CASE(test_interrupt_while_waiting_withdraws_and_answers),
        CASE(test_second_interrupt_does_nothing),
        CASE(test_limit_answers_when_it_is_due_and_not_before),
        CASE(test_limit_that_comes_too_late_does_not_end_a_running_request),
        CASE(test_end_of_the_reader_answers),
        CASE(test_event_during_an_interrupt_waits_for_it_and_wins),
        CASE(test_event_during_the_expiry_waits_for_it_and_wins),
        CASE(test_interrupt_and_expiry_together_are_one_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
