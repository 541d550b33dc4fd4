/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_clock.c - see virtual_clock.h. One thread uses it. */
#include "virtual_clock.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t now_ms(struct ccid_clock *clock)
{
    return ((struct virtual_clock *)clock)->now_ms;
}

static void wait(struct ccid_clock *clock, pthread_cond_t *condition,
                 pthread_mutex_t *lock, uint64_t deadline_ms)
{
    struct virtual_clock *self = (struct virtual_clock *)clock;
    unsigned next = self->appointment_count;

    (void)condition;
    for (unsigned i = 0; i < self->appointment_count; i++) {
        if (self->appointments[i].at_ms <= deadline_ms &&
            (next == self->appointment_count ||
             self->appointments[i].at_ms < self->appointments[next].at_ms))
            next = i;
    }
    if (next < self->appointment_count) {
        void (*call)(void *context) = self->appointments[next].call;
        void *context = self->appointments[next].context;

        if (self->now_ms < self->appointments[next].at_ms)
            self->now_ms = self->appointments[next].at_ms;
        self->appointments[next] = self->appointments[--self->appointment_count];
        pthread_mutex_unlock(lock);
        call(context);
        pthread_mutex_lock(lock);
    } else if (deadline_ms == CCID_CLOCK_NEVER) {
        fprintf(stderr, "virtual clock: a wait without end\n");
        abort();
    } else if (self->now_ms < deadline_ms) {
        self->now_ms = deadline_ms;
    }
}

void virtual_clock_init(struct virtual_clock *self)
{
    *self =
        (struct virtual_clock){.clock = {.now_ms = now_ms, .wait = wait}, .now_ms = 1000};
}

void virtual_clock_at(struct virtual_clock *self, uint64_t at_ms,
                      void (*call)(void *context), void *context)
{
    if (self->appointment_count == VIRTUAL_CLOCK_APPOINTMENTS)
        abort();
    self->appointments[self->appointment_count].at_ms = at_ms;
    self->appointments[self->appointment_count].call = call;
    self->appointments[self->appointment_count].context = context;
    self->appointment_count++;
}
