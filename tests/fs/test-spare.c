/* SPDX-License-Identifier: BSD-2-Clause */
/* test-spare.c - work gets a thread at once, and one thread stays for the next. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fs/spare.h"

#define WORKS 8

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument);

static struct scfs_spare spare;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned made, running, done;
static bool refuse, gate_open;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument)
{
    if (refuse)
        return EAGAIN;
    made++;
    return __real_pthread_create(thread, attributes, run, argument);
}

static void work_until_gate(struct scfs_work *work)
{
    (void)work;
    pthread_mutex_lock(&lock);
    running++;
    pthread_cond_broadcast(&changed);
    while (!gate_open)
        pthread_cond_wait(&changed, &lock);
    running--;
    done++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(const unsigned *counter, unsigned value)
{
    pthread_mutex_lock(&lock);
    while (*counter != value)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* Until one thread sleeps and the others have gone. */
static void wait_for_spare(void)
{
    bool rests = false;

    while (!rests) {
        pthread_mutex_lock(&spare.lock);
        rests = spare.threads == 1 && spare.waiting == 1;
        pthread_mutex_unlock(&spare.lock);
        sched_yield();
    }
}

static void open_gate(void)
{
    pthread_mutex_lock(&lock);
    gate_open = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int setup(void **state)
{
    (void)state;
    scfs_spare_init(&spare);
    made = running = done = 0;
    refuse = gate_open = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scfs_spare_end(&spare);
    return 0;
}

static void test_all_work_is_done_at_once(void **state)
{
    struct scfs_work works[WORKS];

    (void)state;
    for (unsigned i = 0; i < WORKS; i++) {
        works[i].run = work_until_gate;
        assert_int_equal(scfs_spare_run(&spare, &works[i]), 0);
    }
    wait_for(&running, WORKS);
    assert_int_equal(made, WORKS);
    open_gate();
    wait_for(&done, WORKS);
    wait_for_spare();
}

static void test_spare_thread_does_what_comes_next(void **state)
{
    struct scfs_work work = {.run = work_until_gate};

    (void)state;
    open_gate();
    for (unsigned i = 1; i <= WORKS; i++) {
        assert_int_equal(scfs_spare_run(&spare, &work), 0);
        wait_for(&done, i);
        wait_for_spare();
    }
    assert_int_equal(made, 1);
}

static void test_second_work_does_not_wait_for_the_spare_thread(void **state)
{
    struct scfs_work works[3] = {
        {.run = work_until_gate}, {.run = work_until_gate}, {.run = work_until_gate}};

    (void)state;
    gate_open = true;
    assert_int_equal(scfs_spare_run(&spare, &works[0]), 0);
    wait_for(&done, 1);
    wait_for_spare();
    gate_open = false;
    assert_int_equal(scfs_spare_run(&spare, &works[1]), 0);
    assert_int_equal(scfs_spare_run(&spare, &works[2]), 0);
    wait_for(&running, 2);
    assert_int_equal(made, 2);
    open_gate();
    wait_for(&done, 3);
}

static void test_work_without_a_thread_is_given_back(void **state)
{
    struct scfs_work works[2] = {{.run = work_until_gate}, {.run = work_until_gate}};

    (void)state;
    refuse = true;
    assert_int_equal(scfs_spare_run(&spare, &works[0]), EAGAIN);
    refuse = false;
    assert_int_equal(scfs_spare_run(&spare, &works[0]), 0);
    wait_for(&running, 1);
    refuse = true;
    assert_int_equal(scfs_spare_run(&spare, &works[1]), EAGAIN);
    open_gate();
    wait_for(&done, 1);
    wait_for_spare();
    assert_int_equal(scfs_spare_run(&spare, &works[1]), 0); /* needs no new one */
    wait_for(&done, 2);
    assert_int_equal(made, 1);
}

static void test_end_waits_for_work(void **state)
{
    struct scfs_work works[2] = {{.run = work_until_gate}, {.run = work_until_gate}};

    (void)state;
    assert_int_equal(scfs_spare_run(&spare, &works[0]), 0);
    assert_int_equal(scfs_spare_run(&spare, &works[1]), 0);
    open_gate();
    scfs_spare_end(&spare);
    assert_int_equal(done, 2);
    assert_int_equal(spare.threads, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_all_work_is_done_at_once),
        CASE(test_spare_thread_does_what_comes_next),
        CASE(test_second_work_does_not_wait_for_the_spare_thread),
        CASE(test_work_without_a_thread_is_given_back),
        cmocka_unit_test_setup(test_end_waits_for_work, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
