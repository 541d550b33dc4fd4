/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spare.c - threads for work that must not be done where it comes up.
 *
 * A thread takes work, does it and looks for more; without any it waits as the spare one,
 * or ends when there is one already. So cards that come and readers that are polled cost
 * no start and no end of a thread each, and an idle daemon keeps one, asleep.
 *
 * Work is queued only while a thread is on its way to it, a new one or one that waits: no
 * work waits for the end of other work.
 */
#include "fs/spare.h"

#define SPARE_THREADS 1

void scfs_spare_init(struct scfs_spare *spare)
{
    *spare = (struct scfs_spare){0};
    pthread_mutex_init(&spare->lock, NULL);
    pthread_cond_init(&spare->brought, NULL);
    pthread_cond_init(&spare->left, NULL);
    InitializeListHead(&spare->queue);
}

/* NULL: the thread is not needed any more. */
static struct scfs_work *next_locked(struct scfs_spare *spare)
{
    while (IsListEmpty(&spare->queue)) {
        if (spare->ending || spare->waiting == SPARE_THREADS)
            return NULL;
        spare->waiting++;
        pthread_cond_wait(&spare->brought, &spare->lock);
        spare->waiting--;
    }
    spare->queued--;
    return CONTAINING_RECORD(RemoveHeadList(&spare->queue), struct scfs_work, link);
}

static void *spare_thread(void *argument)
{
    struct scfs_spare *spare = argument;
    struct scfs_work *work;

    pthread_mutex_lock(&spare->lock);
    while ((work = next_locked(spare)) != NULL) {
        pthread_mutex_unlock(&spare->lock);
        work->run(work);
        pthread_mutex_lock(&spare->lock);
    }
    if (--spare->threads == 0)
        pthread_cond_signal(&spare->left);
    pthread_mutex_unlock(&spare->lock);
    return NULL;
}

static int add_thread(struct scfs_spare *spare)
{
    pthread_attr_t detached;
    pthread_t thread;
    int error;

    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &detached, spare_thread, spare);
    pthread_attr_destroy(&detached);
    spare->threads += error == 0;
    return error;
}

int scfs_spare_run(struct scfs_spare *spare, struct scfs_work *work)
{
    int error = 0;

    pthread_mutex_lock(&spare->lock);
    /* Under the lock: no other thread must take this work when none can be made. */
    if (spare->queued >= spare->waiting)
        error = add_thread(spare);
    if (error == 0) {
        InsertTailList(&spare->queue, &work->link);
        spare->queued++;
    }
    pthread_mutex_unlock(&spare->lock);
    if (error == 0) /* without the lock, which a thread wants first of all */
        pthread_cond_signal(&spare->brought);
    return error;
}

void scfs_spare_end(struct scfs_spare *spare)
{
    pthread_mutex_lock(&spare->lock);
    spare->ending = true;
    pthread_cond_broadcast(&spare->brought);
    while (spare->threads > 0)
        pthread_cond_wait(&spare->left, &spare->lock);
    pthread_mutex_unlock(&spare->lock);
    pthread_cond_destroy(&spare->left);
    pthread_cond_destroy(&spare->brought);
    pthread_mutex_destroy(&spare->lock);
}
