/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hand_clock.c - see hand_clock.h.
 *
 * A thread that was signalled and has not run yet looks as if it waited. So nobody is
 * believed to have nothing to do before all have been woken, several times, and have come
 * back to wait: in a chain of threads that wake each other as many are passed.
 */
#include "hand_clock.h"

#include <stdlib.h>

#define ROUNDS 4

static uint64_t now_ms(struct ccid_clock *clock)
{
    struct hand_clock *self = (struct hand_clock *)clock;
    uint64_t now;

    pthread_mutex_lock(&self->lock);
    now = self->now_ms;
    pthread_mutex_unlock(&self->lock);
    return now;
}

static void wait_until(struct ccid_clock *clock, pthread_cond_t *condition,
                       pthread_mutex_t *lock, uint64_t deadline_ms)
{
    struct hand_clock *self = (struct hand_clock *)clock;
    unsigned i = 0;

    pthread_mutex_lock(&self->lock);
    if (self->automatic && deadline_ms != CCID_CLOCK_NEVER && self->now_ms < deadline_ms)
        self->now_ms = deadline_ms;
    if (self->now_ms >= deadline_ms) {
        pthread_mutex_unlock(&self->lock);
        return;
    }
    while (i < HAND_CLOCK_WAITERS && self->waiters[i].condition != NULL)
        i++;
    if (i == HAND_CLOCK_WAITERS)
        abort();
    self->waiters[i].condition = condition;
    self->waiters[i].lock = lock;
    self->waiters[i].deadline_ms = deadline_ms;
    self->waiters[i].round = self->round;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);

    pthread_cond_wait(condition, lock);

    pthread_mutex_lock(&self->lock);
    self->waiters[i].condition = NULL;
    pthread_mutex_unlock(&self->lock);
}

void hand_clock_init(struct hand_clock *self)
{
    *self = (struct hand_clock){.clock = {.now_ms = now_ms, .wait = wait_until},
                                .now_ms = 1000};
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
}

void hand_clock_destroy(struct hand_clock *self)
{
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
}

void hand_clock_auto(struct hand_clock *self, bool on)
{
    pthread_mutex_lock(&self->lock);
    self->automatic = on;
    pthread_mutex_unlock(&self->lock);
}

void hand_clock_enter(struct hand_clock *self)
{
    pthread_mutex_lock(&self->lock);
    self->threads++;
    pthread_mutex_unlock(&self->lock);
}

void hand_clock_leave(struct hand_clock *self)
{
    pthread_mutex_lock(&self->lock);
    self->threads--;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static bool all_wait(const struct hand_clock *self)
{
    unsigned waiting = 0;

    for (unsigned i = 0; i < HAND_CLOCK_WAITERS; i++)
        waiting +=
            self->waiters[i].condition != NULL && self->waiters[i].round == self->round;
    return waiting >= self->threads;
}

static void until_all_wait(struct hand_clock *self)
{
    pthread_mutex_lock(&self->lock);
    while (!all_wait(self))
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
}

/* Lets time pass and makes everybody look. Each waiter holds its lock until it is in
 * pthread_cond_wait, so that none is missed. */
static void wake_all(struct hand_clock *self, uint64_t ms)
{
    struct {
        pthread_cond_t *condition;
        pthread_mutex_t *lock;
    } sleepers[HAND_CLOCK_WAITERS];

    pthread_mutex_lock(&self->lock);
    self->now_ms += ms;
    self->round++;
    for (unsigned i = 0; i < HAND_CLOCK_WAITERS; i++) {
        sleepers[i].condition = self->waiters[i].condition;
        sleepers[i].lock = self->waiters[i].lock;
    }
    pthread_mutex_unlock(&self->lock);
    for (unsigned i = 0; i < HAND_CLOCK_WAITERS; i++) {
        if (sleepers[i].condition == NULL)
            continue;
        pthread_mutex_lock(sleepers[i].lock);
        pthread_cond_broadcast(sleepers[i].condition);
        pthread_mutex_unlock(sleepers[i].lock);
    }
}

void hand_clock_settle(struct hand_clock *self)
{
    for (int i = 0; i < ROUNDS; i++) {
        until_all_wait(self);
        wake_all(self, 0);
    }
    until_all_wait(self);
}

static uint64_t next_step(struct hand_clock *self, uint64_t end_ms)
{
    uint64_t next = end_ms, step;

    pthread_mutex_lock(&self->lock);
    for (unsigned i = 0; i < HAND_CLOCK_WAITERS; i++) {
        if (self->waiters[i].condition != NULL && self->waiters[i].deadline_ms < next)
            next = self->waiters[i].deadline_ms;
    }
    step = next > self->now_ms ? next - self->now_ms : 0;
    pthread_mutex_unlock(&self->lock);
    return step;
}

void hand_clock_advance(struct hand_clock *self, uint32_t ms)
{
    uint64_t end_ms = now_ms(&self->clock) + ms;

    hand_clock_settle(self);
    while (now_ms(&self->clock) < end_ms) {
        wake_all(self, next_step(self, end_ms));
        hand_clock_settle(self);
    }
}
