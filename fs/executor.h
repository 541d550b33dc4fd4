/* SPDX-License-Identifier: BSD-2-Clause */
/* executor.h - one thread at a time in the device calls of a physical reader. */
#ifndef SCFS_EXECUTOR_H
#define SCFS_EXECUTOR_H

#include <pthread.h>
#include <stdbool.h>

#include "fs/spare.h"
#include "wdm.h" /* LIST_ENTRY */

enum scfs_job_state { SCFS_JOB_NEW, SCFS_JOB_QUEUED, SCFS_JOB_RUNNING, SCFS_JOB_DONE };

struct scfs_job {
    LIST_ENTRY link;
    enum scfs_job_state state; /* under the executor's lock */
    /* The device call. No lock held; may block. */
    void (*run)(struct scfs_job *job);
    /* What comes after it, when the next job may run already; may free the job. */
    void (*finish)(struct scfs_job *job);
};

struct scfs_executor {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    LIST_ENTRY queue;
    bool busy; /* some thread is, or is about to be, the executor */
    struct scfs_job *current;
    unsigned users; /* slots that share it; the registry's lock */
    struct scfs_spare *spare;
    struct scfs_work background; /* the thread that becomes the executor for a job */
};

void scfs_executor_init(struct scfs_executor *executor, struct scfs_spare *spare);
void scfs_executor_destroy(struct scfs_executor *executor);

/*
 * Takes the executor's lock, to be followed by one of the submit calls, which release it.
 * In between the caller may publish the job to those who could withdraw it.
 */
void scfs_executor_lock(struct scfs_executor *executor);
void scfs_executor_unlock(struct scfs_executor *executor);

/* Runs the job, and then what was queued meanwhile, in this thread when the executor is
 * idle; otherwise queues it. */
void scfs_executor_submit_locked(struct scfs_executor *executor, struct scfs_job *job);

/* Only queues it: another call of submit has to follow. */
void scfs_executor_enqueue_locked(struct scfs_executor *executor, struct scfs_job *job);

/* Submit in two steps, for who has something to do in between: true, and the executor,
 * which was idle, is the caller's, who has to call work; its job is the first. */
bool scfs_executor_claim_locked(struct scfs_executor *executor, struct scfs_job *job);
void scfs_executor_work(struct scfs_executor *executor);

/* As submit, for a thread that must not block: an idle executor gets a thread of the
 * spare. When there is none the job is not run, only finished. */
void scfs_executor_background_locked(struct scfs_executor *executor,
                                     struct scfs_job *job);

/* Submits the job and waits until it has run. finish is called before the return. */
void scfs_executor_wait(struct scfs_executor *executor, struct scfs_job *job);

/* Takes a queued job out: true, and it is the caller's again. */
bool scfs_executor_withdraw_locked(struct scfs_executor *executor, struct scfs_job *job);

#endif
