/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.c - deadlines. Without one the thread sleeps on a condition variable that nobody
 * signals: an idle daemon has no wake-ups.
 */
#include "fs/timer.h"

#include <time.h>

uint64_t scfs_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void scfs_timer_init(struct scfs_timer *timer, uint64_t (*now_ms)(void))
{
    pthread_condattr_t monotonic;

    *timer = (struct scfs_timer){.now_ms = now_ms};
    pthread_mutex_init(&timer->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&timer->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    InitializeListHead(&timer->deadlines);
}

static struct scfs_deadline *first(struct scfs_timer *timer)
{
    if (IsListEmpty(&timer->deadlines))
        return NULL;
    return CONTAINING_RECORD(timer->deadlines.Flink, struct scfs_deadline, link);
}

static uint64_t expire_locked(struct scfs_timer *timer)
{
    struct scfs_deadline *deadline;

    while ((deadline = first(timer)) != NULL && deadline->at_ms <= timer->now_ms()) {
        RemoveEntryList(&deadline->link);
        deadline->armed = false;
        timer->running = deadline;
        timer->runner = pthread_self();
        pthread_mutex_unlock(&timer->lock);
        deadline->expired(deadline);
        pthread_mutex_lock(&timer->lock);
        timer->running = NULL;
        pthread_cond_broadcast(&timer->changed);
    }
    return deadline != NULL ? deadline->at_ms : SCFS_NEVER;
}

uint64_t scfs_timer_expire(struct scfs_timer *timer)
{
    uint64_t next;

    pthread_mutex_lock(&timer->lock);
    next = expire_locked(timer);
    pthread_mutex_unlock(&timer->lock);
    return next;
}

static void *timer_thread(void *argument)
{
    struct scfs_timer *timer = argument;

    pthread_mutex_lock(&timer->lock);
    while (!timer->stopping) {
        uint64_t next = expire_locked(timer);

        if (timer->stopping)
            break;
        if (next == SCFS_NEVER) {
            pthread_cond_wait(&timer->changed, &timer->lock);
        } else {
            struct timespec until = {.tv_sec = (time_t)(next / 1000),
                                     .tv_nsec = (long)(next % 1000) * 1000000};

            pthread_cond_timedwait(&timer->changed, &timer->lock, &until);
        }
    }
    pthread_mutex_unlock(&timer->lock);
    return NULL;
}

int scfs_timer_start(struct scfs_timer *timer)
{
    int error = pthread_create(&timer->thread, NULL, timer_thread, timer);

    timer->started = error == 0;
    return error;
}

void scfs_timer_stop(struct scfs_timer *timer)
{
    pthread_mutex_lock(&timer->lock);
    timer->stopping = true;
    pthread_cond_broadcast(&timer->changed);
    pthread_mutex_unlock(&timer->lock);
    if (timer->started)
        pthread_join(timer->thread, NULL);
    timer->started = false;
}

void scfs_timer_arm(struct scfs_timer *timer, struct scfs_deadline *deadline,
                    uint64_t after_ms)
{
    LIST_ENTRY *before;
    bool earlier;

    pthread_mutex_lock(&timer->lock);
    deadline->at_ms = timer->now_ms() + after_ms;
    if (deadline->armed)
        RemoveEntryList(&deadline->link);
    deadline->armed = true;
    /* From the end: most deadlines are the latest so far. */
    before = timer->deadlines.Blink;
    while (before != &timer->deadlines &&
           CONTAINING_RECORD(before, struct scfs_deadline, link)->at_ms > deadline->at_ms)
        before = before->Blink;
    InsertHeadList(before, &deadline->link);
    earlier = first(timer) == deadline;
    pthread_mutex_unlock(&timer->lock);
    if (earlier) /* without the lock, which it wants first of all */
        pthread_cond_broadcast(&timer->changed);
}

bool scfs_timer_cancel(struct scfs_timer *timer, struct scfs_deadline *deadline)
{
    bool in_time;

    pthread_mutex_lock(&timer->lock);
    in_time = deadline->armed;
    if (in_time) {
        RemoveEntryList(&deadline->link);
        deadline->armed = false;
    } else {
        while (timer->running == deadline &&
               !pthread_equal(timer->runner, pthread_self()))
            pthread_cond_wait(&timer->changed, &timer->lock);
    }
    pthread_mutex_unlock(&timer->lock);
    return in_time;
}
