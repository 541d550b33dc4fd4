/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-power.c - what the drivers are told of the machine's sleep, and when. The linker
 * sends scfs_log here (--wrap).
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <syslog.h>
#include <cmocka.h>

#include "bare.h"
#include "fake_driver.h"
#include "fs/power.h"

void __wrap_scfs_log(int priority, const char *format, ...);

static void nothing(struct scfs_job *job)
{
    (void)job;
}

/* Until the reader's jobs are done. */
static void until_idle(void)
{
    struct scfs_job job = {.run = nothing, .finish = nothing};
    bool queued;

    scfs_executor_wait(bare_reader->executor, &job);
    do {
        pthread_mutex_lock(&bare_reader->lock);
        queued = bare_reader->sleep.queued;
        pthread_mutex_unlock(&bare_reader->lock);
        sched_yield();
    } while (queued);
}

static void assert_told(const char *letters)
{
    char said[32];

    until_idle();
    fake_driver_power(said);
    assert_string_equal(said, letters);
}

/* ---- a reader that is busy -------------------------------------------------------- */

static struct {
    struct scfs_job job;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool runs, ends;
} busy = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void run_busy(struct scfs_job *job)
{
    (void)job;
    pthread_mutex_lock(&busy.lock);
    busy.runs = true;
    pthread_cond_broadcast(&busy.changed);
    while (!busy.ends)
        pthread_cond_wait(&busy.changed, &busy.lock);
    pthread_mutex_unlock(&busy.lock);
}

static void *busy_thread(void *unused)
{
    (void)unused;
    scfs_executor_wait(bare_reader->executor, &busy.job);
    return NULL;
}

static void begin_busy(void)
{
    busy.job = (struct scfs_job){.run = run_busy, .finish = nothing};
    busy.runs = busy.ends = false;
    assert_int_equal(pthread_create(&busy.thread, NULL, busy_thread, NULL), 0);
    pthread_mutex_lock(&busy.lock);
    while (!busy.runs)
        pthread_cond_wait(&busy.changed, &busy.lock);
    pthread_mutex_unlock(&busy.lock);
}

static void end_busy(void)
{
    pthread_mutex_lock(&busy.lock);
    busy.ends = true;
    pthread_cond_broadcast(&busy.changed);
    pthread_mutex_unlock(&busy.lock);
    pthread_join(busy.thread, NULL);
}

/* ---- group ------------------------------------------------------------------------ */

static int setup(void **state)
{
    char said[32];

    (void)state;
    fake_driver_power(said); /* forgets */
    return bare_begin(false) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    until_idle();
    bare_end();
    return 0;
}

static void test_sleep_has_told_the_driver_when_it_returns(void **state)
{
    char said[32];

    (void)state;
    assert_true(scfs_power_sleep(&bare_fs));
    fake_driver_power(said);
    assert_string_equal(said, "s");
    scfs_power_wake(&bare_fs);
    assert_told("w");
}

static void test_repeated_news_are_told_once(void **state)
{
    (void)state;
    scfs_power_wake(&bare_fs);
    assert_told("");
    assert_true(scfs_power_sleep(&bare_fs));
    assert_true(scfs_power_sleep(&bare_fs));
    assert_told("s");
    scfs_power_wake(&bare_fs);
    scfs_power_wake(&bare_fs);
    assert_told("w");
}

static void test_busy_reader_is_told_of_both_after_the_wake_up(void **state)
{
    (void)state;
    bare_fs.power.limit_ms = 0;
    begin_busy();
    assert_false(scfs_power_sleep(&bare_fs));
    scfs_power_wake(&bare_fs);
    end_busy();
    assert_told("sw");
}

static void test_busy_reader_sleeps_in_its_turn_if_the_machine_stays_awake(void **state)
{
    (void)state;
    bare_fs.power.limit_ms = 0;
    begin_busy();
    assert_false(scfs_power_sleep(&bare_fs));
    end_busy();
    assert_told("s");
    scfs_power_wake(&bare_fs);
    assert_told("w");
}

static void test_two_sleeps_of_a_busy_reader_end_in_the_last_one(void **state)
{
    (void)state;
    bare_fs.power.limit_ms = 0;
    begin_busy();
    assert_false(scfs_power_sleep(&bare_fs));
    scfs_power_wake(&bare_fs);
    assert_false(scfs_power_sleep(&bare_fs));
    end_busy();
    assert_told("s");
}

static void test_reader_that_comes_during_the_sleep_is_told_nothing(void **state)
{
    struct scfs_reader *second;

    (void)state;
    assert_true(scfs_power_sleep(&bare_fs));
    assert_int_equal(fake_driver.plug(NULL), STATUS_SUCCESS);
    second = scfs_registry_after(&bare_fs, bare_reader->sequence);
    assert_non_null(second);
    scfs_power_wake(&bare_fs);
    assert_told("sw");
    scfs_reader_put(second);
}

static void test_reader_that_goes_while_it_is_to_be_told_ends_the_wait(void **state)
{
    (void)state;
    bare_fs.power.limit_ms = 0;
    begin_busy();
    assert_false(scfs_power_sleep(&bare_fs));
    end_busy();
    assert_int_equal(scfs_reader_unplug(bare_reader, fake_driver.unplug), 0);
    bare_fs.power.limit_ms = 1000;
    assert_true(scfs_power_sleep(&bare_fs)); /* nobody is left */
}

/* ---- a driver that does not ---------------------------------------------------------
 */

static unsigned warnings;

void __wrap_scfs_log(int priority, const char *format, ...)
{
    if (priority == LOG_WARNING && strcmp(format, "reader%u: %s: %s") == 0)
        warnings++;
}

static void test_driver_that_fails_is_told_of_and_one_that_does_not_care_is_not(
    void **state)
{
    static const struct {
        NTSTATUS status;
        unsigned warnings;
    } table[] = {
        {STATUS_SUCCESS, 0},
        {STATUS_NOT_SUPPORTED, 0},
        {STATUS_INVALID_DEVICE_REQUEST, 0},
        {STATUS_DEVICE_REMOVED, 0},
        {STATUS_IO_TIMEOUT, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        warnings = 0;
        fake_driver_answer_power(table[i].status);
        assert_true(scfs_power_sleep(&bare_fs)); /* it had its say */
        scfs_power_wake(&bare_fs);
        assert_told("sw");
        assert_int_equal(warnings, table[i].warnings);
    }
    fake_driver_answer_power(STATUS_SUCCESS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_sleep_has_told_the_driver_when_it_returns),
        TEST(test_repeated_news_are_told_once),
        TEST(test_busy_reader_is_told_of_both_after_the_wake_up),
        TEST(test_busy_reader_sleeps_in_its_turn_if_the_machine_stays_awake),
        TEST(test_two_sleeps_of_a_busy_reader_end_in_the_last_one),
        TEST(test_reader_that_comes_during_the_sleep_is_told_nothing),
        TEST(test_reader_that_goes_while_it_is_to_be_told_ends_the_wait),
        TEST(test_driver_that_fails_is_told_of_and_one_that_does_not_care_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
