/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * executor.c - one thread at a time in the device calls of a physical reader.
 *
 * The thread that brings a job to an idle executor becomes the executor: it runs the job,
 * then what was queued meanwhile in that order, and lets go. So a request on an idle
 * reader never changes threads, and a busy reader holds one thread however many wait.
 *
 * busy goes false, or the next job is taken, between run and finish: the answer that
 * finish gives may bring the next request before finish has returned.
 */
#include "fs/executor.h"

static void work_in_background(struct scfs_work *work)
{
    scfs_executor_work(CONTAINING_RECORD(work, struct scfs_executor, background));
}

void scfs_executor_init(struct scfs_executor *executor, struct scfs_spare *spare)
{
    *executor =
        (struct scfs_executor){.spare = spare, .background.run = work_in_background};
    pthread_mutex_init(&executor->lock, NULL);
    pthread_cond_init(&executor->changed, NULL);
    InitializeListHead(&executor->queue);
}

void scfs_executor_destroy(struct scfs_executor *executor)
{
    pthread_cond_destroy(&executor->changed);
    pthread_mutex_destroy(&executor->lock);
}

void scfs_executor_lock(struct scfs_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
}

void scfs_executor_unlock(struct scfs_executor *executor)
{
    pthread_mutex_unlock(&executor->lock);
}

void scfs_executor_enqueue_locked(struct scfs_executor *executor, struct scfs_job *job)
{
    job->state = SCFS_JOB_QUEUED;
    InsertTailList(&executor->queue, &job->link);
}

/* The next job, or an idle executor. */
static struct scfs_job *take_locked(struct scfs_executor *executor)
{
    struct scfs_job *job = NULL;

    if (!IsListEmpty(&executor->queue)) {
        job = CONTAINING_RECORD(RemoveHeadList(&executor->queue), struct scfs_job, link);
        job->state = SCFS_JOB_RUNNING;
    }
    executor->current = job;
    executor->busy = job != NULL;
    return job;
}

/* Called with the lock held by the thread that has become the executor; releases it. */
static void execute_locked(struct scfs_executor *executor)
{
    struct scfs_job *job = take_locked(executor);

    while (job != NULL) {
        struct scfs_job *next;

        pthread_mutex_unlock(&executor->lock);
        job->run(job);
        pthread_mutex_lock(&executor->lock);
        job->state = SCFS_JOB_DONE;
        next = take_locked(executor);
        pthread_mutex_unlock(&executor->lock);
        /* From here on the executor belongs to whoever comes next; it may even be gone
         * when finish returns and there is no next job of ours. */
        job->finish(job);
        if (next == NULL)
            return;
        job = next;
        pthread_mutex_lock(&executor->lock);
    }
    pthread_mutex_unlock(&executor->lock);
}

bool scfs_executor_claim_locked(struct scfs_executor *executor, struct scfs_job *job)
{
    const bool idle = !executor->busy;

    scfs_executor_enqueue_locked(executor, job);
    executor->busy = true;
    return idle;
}

void scfs_executor_work(struct scfs_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    execute_locked(executor);
}

void scfs_executor_submit_locked(struct scfs_executor *executor, struct scfs_job *job)
{
    if (scfs_executor_claim_locked(executor, job))
        execute_locked(executor);
    else
        pthread_mutex_unlock(&executor->lock);
}

void scfs_executor_background_locked(struct scfs_executor *executor, struct scfs_job *job)
{
    int error = 0;

    scfs_executor_enqueue_locked(executor, job);
    if (!executor->busy) {
        /* Under the lock: without a thread nothing else must have been queued. */
        error = scfs_spare_run(executor->spare, &executor->background);
        executor->busy = error == 0;
        if (error != 0)
            scfs_executor_withdraw_locked(executor, job);
    }
    pthread_mutex_unlock(&executor->lock);
    if (error != 0)
        job->finish(job);
}

struct wait_job {
    struct scfs_job outer; /* what is queued */
    struct scfs_job *inner;
    struct scfs_executor *executor;
    bool finished;
};

static void wait_run(struct scfs_job *job)
{
    struct wait_job *wait = CONTAINING_RECORD(job, struct wait_job, outer);

    wait->inner->run(wait->inner);
}

static void wait_finish(struct scfs_job *job)
{
    struct wait_job *wait = CONTAINING_RECORD(job, struct wait_job, outer);

    wait->inner->finish(wait->inner);
    pthread_mutex_lock(&wait->executor->lock);
    wait->finished = true;
    pthread_cond_broadcast(&wait->executor->changed);
    pthread_mutex_unlock(&wait->executor->lock);
}

void scfs_executor_wait(struct scfs_executor *executor, struct scfs_job *job)
{
    struct wait_job wait = {
        .outer = {.run = wait_run, .finish = wait_finish},
        .inner = job,
        .executor = executor,
    };

    pthread_mutex_lock(&executor->lock);
    scfs_executor_submit_locked(executor, &wait.outer);
    pthread_mutex_lock(&executor->lock);
    while (!wait.finished)
        pthread_cond_wait(&executor->changed, &executor->lock);
    pthread_mutex_unlock(&executor->lock);
}

bool scfs_executor_withdraw_locked(struct scfs_executor *executor, struct scfs_job *job)
{
    (void)executor;
    if (job->state != SCFS_JOB_QUEUED)
        return false;
    RemoveEntryList(&job->link);
    job->state = SCFS_JOB_NEW;
    return true;
}
