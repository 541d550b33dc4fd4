/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_clock.h - a clock that moves when somebody waits on it, and then at once: to
 * the next appointment, or to the end of the wait. A wait that nothing would ever end
 * aborts the program.
 */
#ifndef TESTS_CCID_VIRTUAL_CLOCK_H
#define TESTS_CCID_VIRTUAL_CLOCK_H

#include "ccid/clock.h"

#define VIRTUAL_CLOCK_APPOINTMENTS 8

struct virtual_clock {
    struct ccid_clock clock; /* to hand out */
    uint64_t now_ms;
    struct {
        uint64_t at_ms;
        void (*call)(void *context);
        void *context;
    } appointments[VIRTUAL_CLOCK_APPOINTMENTS];
    unsigned appointment_count;
};

void virtual_clock_init(struct virtual_clock *self);
/* Calls something, without a lock, when a wait reaches that time. */
void virtual_clock_at(struct virtual_clock *self, uint64_t at_ms,
                      void (*call)(void *context), void *context);

#endif
