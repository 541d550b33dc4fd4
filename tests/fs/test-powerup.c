/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-powerup.c - the cold reset of a card that has come, also when there is no thread
 * for it. The linker sends pthread_create here (--wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bare.h"
#include "fake_driver.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

static bool no_threads;
static unsigned refused;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    if (__atomic_load_n(&no_threads, __ATOMIC_SEQ_CST)) {
        __atomic_add_fetch(&refused, 1, __ATOMIC_SEQ_CST);
        return EAGAIN;
    }
    return __real_pthread_create(thread, attributes, start, argument);
}

static void allow_threads(bool yes)
{
    __atomic_store_n(&no_threads, !yes, __ATOMIC_SEQ_CST);
}

static bool queued(void)
{
    bool result;

    pthread_mutex_lock(&bare_reader->lock);
    result = bare_reader->powerup.queued;
    pthread_mutex_unlock(&bare_reader->lock);
    return result;
}

static void until_idle(void)
{
    while (queued())
        sched_yield();
}

/* What the file `atr` says: its text, or errno negated in result. */
static const char *atr(int *result)
{
    static char text[SCFS_TEXT_MAX];
    struct scfs_handle *handle =
        scfs_handle_new(&bare_fs, bare_reader, SCFS_ATR, O_RDONLY);

    assert_non_null(handle);
    text[0] = '\0';
    *result = scfs_content(handle, text, sizeof text);
    scfs_handle_release(handle);
    return text;
}

static void assert_atr(const char *expected)
{
    int result;

    assert_string_equal(atr(&result), expected);
    assert_true(result > 0);
}

static void assert_no_atr(int error)
{
    int result;

    (void)atr(&result);
    assert_int_equal(result, -error);
}

static void insert(const char *atr_bytes, size_t len)
{
    assert_int_equal(
        fake_driver.insert(bare_reader->device, (const uint8_t *)atr_bytes, len), 0);
}

static void take_out(void)
{
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
}

static int teardown(void **state)
{
    (void)state;
    allow_threads(true);
    until_idle();
    bare_end();
    return 0;
}

static int setup(void **state)
{
    (void)state;
    refused = 0;
    allow_threads(true);
    if (!bare_begin(true))
        return -1;
    until_idle();
    return 0;
}

static void test_card_that_comes_is_reset(void **state)
{
    (void)state;
    assert_atr(FAKE_ATR "\n");
    take_out();
    assert_no_atr(ENOMEDIUM);
    insert("\x3b\x01\x55", 3);
    until_idle();
    assert_atr("3b0155\n");
}

static void test_mute_card_tells_how_its_reset_failed(void **state)
{
    (void)state;
    take_out();
    insert("\x00", 1);
    until_idle();
    assert_no_atr(ETIMEDOUT);
}

/* ---- the spare thread, busy with something else ---------------------------------- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t begun;

static void pass_gate(struct scfs_work *work)
{
    (void)work;
    pthread_barrier_wait(&begun);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void keep_spare_busy(struct scfs_work *work)
{
    struct scfs_spare *spare = &bare_fs.spare;
    bool waits = false;

    while (!waits) {
        pthread_mutex_lock(&spare->lock);
        waits = spare->waiting == 1 && spare->threads == 1;
        pthread_mutex_unlock(&spare->lock);
        sched_yield();
    }
    pthread_barrier_init(&begun, NULL, 2);
    pthread_mutex_lock(&gate);
    work->run = pass_gate;
    assert_int_equal(scfs_spare_run(spare, work), 0);
    pthread_barrier_wait(&begun);
}

static void test_reset_without_a_thread_fails_and_the_next_one_works(void **state)
{
    struct scfs_work work;

    (void)state;
    take_out();
    keep_spare_busy(&work);
    allow_threads(false);
    insert("\x3b\x01\x55", 3);
    assert_false(queued());
    assert_int_equal(refused, 1);
    assert_no_atr(ENOMEM);
    take_out();
    assert_no_atr(ENOMEDIUM);
    pthread_mutex_unlock(&gate);
    allow_threads(true);
    insert("\x3b\x01\x56", 3);
    until_idle();
    assert_atr("3b0156\n");
}

/* The reset takes FAKE_SLOW_MS; its card is exchanged while it runs. */
static void exchange_during_a_reset(bool thread_for_the_next)
{
    const unsigned before = fake_driver_sleeps();

    take_out();
    insert("\x3f\x01\x55", 3);
    fake_driver_wait_sleeps(before + 1);
    allow_threads(thread_for_the_next);
    take_out();
    insert("\x3b\x01\x56", 3);
}

static void test_card_exchanged_during_its_reset_is_reset_again(void **state)
{
    (void)state;
    exchange_during_a_reset(true);
    until_idle();
    assert_atr("3b0156\n");
}

static void test_card_exchanged_during_its_reset_without_a_thread_fails_once(void **state)
{
    (void)state;
    exchange_during_a_reset(false);
    until_idle();
    assert_int_equal(refused, 1);
    assert_int_equal(bare_reader->reset_status, STATUS_INSUFFICIENT_RESOURCES);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_card_that_comes_is_reset),
        CASE(test_mute_card_tells_how_its_reset_failed),
        CASE(test_reset_without_a_thread_fails_and_the_next_one_works),
        CASE(test_card_exchanged_during_its_reset_is_reset_again),
        CASE(test_card_exchanged_during_its_reset_without_a_thread_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
