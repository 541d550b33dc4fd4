/* SPDX-License-Identifier: BSD-2-Clause */
/* timer.h - deadlines: one thread that sleeps until the next one. */
#ifndef SCFS_TIMER_H
#define SCFS_TIMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "wdm.h" /* LIST_ENTRY */

#define SCFS_NEVER UINT64_MAX

struct scfs_deadline {
    LIST_ENTRY link;
    uint64_t at_ms;
    bool armed;
    /* In the timer's thread with no lock held. It may free the deadline. */
    void (*expired)(struct scfs_deadline *deadline);
};

struct scfs_timer {
    pthread_mutex_t lock; /* a leaf */
    pthread_cond_t changed;
    LIST_ENTRY deadlines; /* sorted */
    uint64_t (*now_ms)(void);
    const struct scfs_deadline *running; /* whose function is being called */
    pthread_t runner;                    /* and by whom */
    bool stopping;
    bool started;
    pthread_t thread;
};

/* CLOCK_MONOTONIC, milliseconds. */
uint64_t scfs_clock_ms(void);

void scfs_timer_init(struct scfs_timer *timer, uint64_t (*now_ms)(void));
/* Starts the thread; 0 or an errno. A test calls scfs_timer_expire in its place. */
int scfs_timer_start(struct scfs_timer *timer);
/* Ends the thread. Deadlines that are left do not come any more. */
void scfs_timer_stop(struct scfs_timer *timer);

/* The deadline comes once, after_ms from now; one that is armed is moved. expired must be
 * set. */
void scfs_timer_arm(struct scfs_timer *timer, struct scfs_deadline *deadline,
                    uint64_t after_ms);
/*
 * After the return expired does not run and will not run; waits while it runs in another
 * thread. Hold no lock that it takes. True: it has not run.
 */
bool scfs_timer_cancel(struct scfs_timer *timer, struct scfs_deadline *deadline);

/* Runs what is due; returns the time of the next deadline or SCFS_NEVER. */
uint64_t scfs_timer_expire(struct scfs_timer *timer);

#endif
