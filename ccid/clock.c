/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.c - the real clock. */
#include "ccid/clock.h"

#include <time.h>

static uint64_t real_now_ms(struct ccid_clock *clock)
{
    struct timespec now;

    (void)clock;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void real_wait(struct ccid_clock *clock, pthread_cond_t *condition,
                      pthread_mutex_t *lock, uint64_t deadline_ms)
{
    struct timespec until;

    (void)clock;
    if (deadline_ms == CCID_CLOCK_NEVER) {
        pthread_cond_wait(condition, lock);
        return;
    }
    until.tv_sec = (time_t)(deadline_ms / 1000);
    until.tv_nsec = (long)(deadline_ms % 1000) * 1000000;
    pthread_cond_timedwait(condition, lock, &until);
}

struct ccid_clock *ccid_clock_real(void)
{
    static struct ccid_clock real = {.now_ms = real_now_ms, .wait = real_wait};

    return &real;
}

int ccid_clock_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);

    if (error != 0)
        return error;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    error = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return error;
}

uint64_t ccid_clock_deadline(uint64_t now_ms, uint32_t span_ms)
{
    return span_ms == UINT32_MAX ? CCID_CLOCK_NEVER : now_ms + span_ms;
}
