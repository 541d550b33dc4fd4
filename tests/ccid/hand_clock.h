/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hand_clock.h - a clock for several threads, that a test moves by hand. Time stands
 * while anybody is at work: it moves on only when every thread that counts waits on the
 * clock.
 */
#ifndef TESTS_CCID_HAND_CLOCK_H
#define TESTS_CCID_HAND_CLOCK_H

#include <stdbool.h>

#include "ccid/clock.h"

#define HAND_CLOCK_WAITERS 16

struct hand_clock {
    struct ccid_clock clock; /* to hand out */
    pthread_mutex_t lock;    /* never taken before that of a waiter */
    pthread_cond_t changed;
    uint64_t now_ms;
    unsigned threads; /* that count */
    unsigned round;
    bool automatic;
    struct {
        pthread_cond_t *condition; /* NULL: free */
        pthread_mutex_t *lock;
        uint64_t deadline_ms;
        unsigned round;
    } waiters[HAND_CLOCK_WAITERS];
};

void hand_clock_init(struct hand_clock *self);
void hand_clock_destroy(struct hand_clock *self);
/* From here to leave a thread counts: before it is started, when its work is done. */
void hand_clock_enter(struct hand_clock *self);
void hand_clock_leave(struct hand_clock *self);
/* While on, and one thread uses the clock, time passes by itself where it waits. */
void hand_clock_auto(struct hand_clock *self, bool on);
/* Returns when all that count wait, and nothing has any work left to do now. */
void hand_clock_settle(struct hand_clock *self);
/* Moves time, from one deadline to the next. */
void hand_clock_advance(struct hand_clock *self, uint32_t ms);

#endif
