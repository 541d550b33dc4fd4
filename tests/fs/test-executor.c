/* SPDX-License-Identifier: BSD-2-Clause */
/* test-executor.c - one thread at a time, in order, without a hand-over when idle. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fs/executor.h"

#define JOBS_MAX 8

static struct scfs_executor executor;
static struct scfs_spare spare;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int order[JOBS_MAX], started, finished;
static int inside; /* threads in run: never more than one */
static bool gate_open;

struct work {
    struct scfs_job job;
    int number;
    bool wait_at_gate;
    struct work *bring; /* submitted by finish, before it returns */
    pthread_t ran_in;
};

static void run(struct scfs_job *job)
{
    struct work *work = CONTAINING_RECORD(job, struct work, job);

    pthread_mutex_lock(&lock);
    assert_int_equal(inside++, 0);
    work->ran_in = pthread_self();
    order[started++] = work->number;
    pthread_cond_broadcast(&changed);
    while (work->wait_at_gate && !gate_open)
        pthread_cond_wait(&changed, &lock);
    inside--;
    pthread_mutex_unlock(&lock);
}

static void submit(struct work *work)
{
    scfs_executor_lock(&executor);
    scfs_executor_submit_locked(&executor, &work->job);
}

static void finish(struct scfs_job *job)
{
    struct work *work = CONTAINING_RECORD(job, struct work, job);

    if (work->bring != NULL)
        submit(work->bring);
    pthread_mutex_lock(&lock);
    finished++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static struct work work_of(int number)
{
    return (struct work){.job = {.run = run, .finish = finish}, .number = number};
}

static void wait_for(const int *counter, int value)
{
    pthread_mutex_lock(&lock);
    while (*counter < value)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
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
    scfs_executor_init(&executor, &spare);
    started = finished = inside = 0;
    gate_open = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scfs_spare_end(&spare);
    scfs_executor_destroy(&executor);
    return 0;
}

static void *submit_thread(void *argument)
{
    submit(argument);
    return NULL;
}

static void test_submit_to_an_idle_executor_runs_in_this_thread(void **state)
{
    struct work a = work_of(1);

    (void)state;
    submit(&a);
    assert_int_equal(finished, 1);
    assert_true(pthread_equal(a.ran_in, pthread_self()));
    assert_int_equal(a.job.state, SCFS_JOB_DONE);
    assert_false(executor.busy);
}

static void test_submit_to_a_busy_executor_returns_and_runs_in_order(void **state)
{
    struct work a = work_of(1), b = work_of(2), c = work_of(3);
    pthread_t thread;

    (void)state;
    a.wait_at_gate = true;
    pthread_create(&thread, NULL, submit_thread, &a);
    wait_for(&started, 1);
    submit(&b);
    submit(&c);
    assert_int_equal(started, 1);
    open_gate();
    pthread_join(thread, NULL);
    assert_int_equal(finished, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(order[i], i + 1);
    assert_true(pthread_equal(b.ran_in, thread)); /* by the executor, not by us */
    assert_true(pthread_equal(c.ran_in, thread));
}

static void test_submit_from_finish_is_not_lost(void **state)
{
    struct work a = work_of(1), b = work_of(2);

    (void)state;
    a.bring = &b; /* as a client that sends its next request on our answer */
    submit(&a);
    wait_for(&finished, 2);
    assert_int_equal(order[1], 2);
    assert_false(executor.busy);
}

static void test_withdraw_takes_a_queued_job_only(void **state)
{
    struct work a = work_of(1), b = work_of(2), c = work_of(3);
    pthread_t thread;

    (void)state;
    a.wait_at_gate = true;
    pthread_create(&thread, NULL, submit_thread, &a);
    wait_for(&started, 1);
    submit(&b);
    submit(&c);
    scfs_executor_lock(&executor);
    assert_ptr_equal(executor.current, &a.job);
    assert_false(scfs_executor_withdraw_locked(&executor, &a.job)); /* runs */
    assert_true(scfs_executor_withdraw_locked(&executor, &b.job));
    assert_false(scfs_executor_withdraw_locked(&executor, &b.job));
    scfs_executor_unlock(&executor);
    open_gate();
    pthread_join(thread, NULL);
    assert_int_equal(started, 2);
    assert_int_equal(order[1], 3);
}

static void test_background_on_an_idle_executor_runs_in_another_thread(void **state)
{
    struct work a = work_of(1);

    (void)state;
    scfs_executor_lock(&executor);
    scfs_executor_background_locked(&executor, &a.job);
    wait_for(&finished, 1);
    assert_false(pthread_equal(a.ran_in, pthread_self()));
}

static void test_wait_returns_after_finish(void **state)
{
    struct work a = work_of(1), b = work_of(2);
    pthread_t thread;

    (void)state;
    scfs_executor_wait(&executor, &a.job);
    assert_int_equal(finished, 1);
    /* And behind a job that runs in another thread. */
    b.wait_at_gate = true;
    pthread_create(&thread, NULL, submit_thread, &b);
    wait_for(&started, 2);
    open_gate();
    a = work_of(3);
    scfs_executor_wait(&executor, &a.job);
    assert_int_equal(order[2], 3);
    pthread_join(thread, NULL);
    assert_int_equal(finished, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_submit_to_an_idle_executor_runs_in_this_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_submit_to_a_busy_executor_returns_and_runs_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_submit_from_finish_is_not_lost, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_withdraw_takes_a_queued_job_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_background_on_an_idle_executor_runs_in_another_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wait_returns_after_finish, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
