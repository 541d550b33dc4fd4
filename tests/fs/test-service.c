/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-service.c - turns that a driver asks for: when they come, and when they do not.
 * Time is the test's own, and so is the timer's thread; the linker sends pthread_create
 * here (--wrap).
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bare.h"
#include "fake_driver.h"
#include "fs/power.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

static bool no_threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    if (__atomic_load_n(&no_threads, __ATOMIC_SEQ_CST))
        return EAGAIN;
    return __real_pthread_create(thread, attributes, start, argument);
}

static void until_idle(void)
{
    bool queued;

    do {
        pthread_mutex_lock(&bare_reader->lock);
        queued = bare_reader->service.queued || bare_reader->sleep.queued;
        pthread_mutex_unlock(&bare_reader->lock);
        sched_yield();
    } while (queued);
}

/* So much later that many turns have been had. */
static void assert_turns_after(uint64_t ms, unsigned turns)
{
    bare_now_ms += ms;
    scfs_timer_expire(&bare_fs.timer);
    until_idle();
    assert_int_equal(fake_driver_services(), turns);
}

static int setup(void **state)
{
    (void)state;
    fake_driver_services(); /* forgets */
    return bare_begin(false) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    until_idle();
    bare_end();
    return 0;
}

static void test_turn_comes_once_at_its_time(void **state)
{
    (void)state;
    SmcRequestService(bare_reader->device, 250);
    assert_turns_after(249, 0);
    assert_turns_after(1, 1);
    assert_turns_after(100000, 0);
}

static void test_no_deadline_is_armed_unless_a_turn_was_asked_for(void **state)
{
    (void)state;
    assert_true(scfs_timer_expire(&bare_fs.timer) == SCFS_NEVER);
    SmcRequestService(bare_reader->device, 1);
    assert_turns_after(1, 1);
    assert_true(scfs_timer_expire(&bare_fs.timer) == SCFS_NEVER);
}

static void test_earliest_of_several_times_counts(void **state)
{
    static const struct {
        ULONG first, second;
        uint64_t comes;
    } rows[] = {{250, 2000, 250}, {2000, 250, 250}, {250, 250, 250}, {2000, 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SmcRequestService(bare_reader->device, rows[i].first);
        SmcRequestService(bare_reader->device, rows[i].second);
        if (rows[i].comes > 0)
            assert_turns_after(rows[i].comes - 1, 0);
        assert_turns_after(rows[i].comes > 0 ? 1 : 0, 1);
        assert_turns_after(100000, 0);
    }
}

static void test_turn_waits_for_the_request_that_runs(void **state)
{
    struct scfs_executor *executor = bare_reader->executor;

    (void)state;
    pthread_mutex_lock(&executor->lock);
    executor->busy = true; /* somebody is in the device */
    pthread_mutex_unlock(&executor->lock);
    SmcRequestService(bare_reader->device, 10);
    bare_now_ms += 10;
    scfs_timer_expire(&bare_fs.timer);
    SmcRequestService(bare_reader->device, 10); /* due again before the first has run */
    bare_now_ms += 10;
    scfs_timer_expire(&bare_fs.timer);
    assert_int_equal(fake_driver_services(), 0);

    pthread_mutex_lock(&executor->lock); /* he lets go; the next one finds the job */
    executor->busy = false;
    pthread_mutex_unlock(&executor->lock);
    scfs_power_wake(&bare_fs); /* nothing to tell */
    assert_true(scfs_power_sleep(&bare_fs));
    scfs_power_wake(&bare_fs);
    until_idle();
    assert_turns_after(0, 1);
}

static void test_sleeping_machine_gives_the_turn_at_the_wake_up(void **state)
{
    (void)state;
    SmcRequestService(bare_reader->device, 250);
    assert_true(scfs_power_sleep(&bare_fs));
    assert_turns_after(1000, 0);
    SmcRequestService(bare_reader->device, 0);
    assert_turns_after(1000, 0);
    scfs_power_wake(&bare_fs);
    until_idle();
    assert_turns_after(0, 1);
    assert_turns_after(100000, 0);
}

static void test_turn_without_a_thread_comes_later(void **state)
{
    (void)state;
    SmcRequestService(bare_reader->device, 10);
    __atomic_store_n(&no_threads, true, __ATOMIC_SEQ_CST);
    assert_turns_after(10, 0);
    __atomic_store_n(&no_threads, false, __ATOMIC_SEQ_CST);
    assert_turns_after(999, 0);
    assert_turns_after(1, 1);
}

static void test_reader_that_is_gone_gets_no_turn(void **state)
{
    (void)state;
    SmcRequestService(bare_reader->device, 250);
    assert_int_equal(scfs_reader_unplug(bare_reader, fake_driver.unplug), 0);
    assert_true(scfs_timer_expire(&bare_fs.timer) == SCFS_NEVER);
    assert_turns_after(1000, 0);
}

static void test_device_that_is_no_reader_is_ignored(void **state)
{
    DEVICE_OBJECT stranger = {0};

    (void)state;
    SmcRequestService(&stranger, 0);
    assert_turns_after(1000, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_turn_comes_once_at_its_time),
        TEST(test_no_deadline_is_armed_unless_a_turn_was_asked_for),
        TEST(test_earliest_of_several_times_counts),
        TEST(test_turn_waits_for_the_request_that_runs),
        TEST(test_sleeping_machine_gives_the_turn_at_the_wake_up),
        TEST(test_turn_without_a_thread_comes_later),
        TEST(test_reader_that_is_gone_gets_no_turn),
        TEST(test_device_that_is_no_reader_is_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
