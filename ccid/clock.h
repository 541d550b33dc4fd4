/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - the time by which the virtual reader lives: the real one in the product, one
 * that a test moves by hand in the tests.
 */
#ifndef CCID_CLOCK_H
#define CCID_CLOCK_H

#include <pthread.h>
#include <stdint.h>

#define CCID_CLOCK_NEVER UINT64_MAX /* a deadline that does not come */

struct ccid_clock {
    uint64_t (*now_ms)(struct ccid_clock *clock);
    /*
     * Waits on a condition made by ccid_clock_condition_init until it is signalled or
     * the deadline has come. lock is held at the call and at the return; as with every
     * condition the caller looks again at what it waits for, and at the time.
     */
    void (*wait)(struct ccid_clock *clock, pthread_cond_t *condition,
                 pthread_mutex_t *lock, uint64_t deadline_ms);
};

/* CLOCK_MONOTONIC. */
struct ccid_clock *ccid_clock_real(void);

/* A condition whose timed wait counts in CLOCK_MONOTONIC. 0 or an errno value. */
int ccid_clock_condition_init(pthread_cond_t *condition);

/* now + span without wrapping; a span of UINT32_MAX is for ever. */
uint64_t ccid_clock_deadline(uint64_t now_ms, uint32_t span_ms);

#endif
