/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * polling.h - when a slot is looked at whose card changes nobody announces. Pure.
 */
#ifndef CCID_POLLING_H
#define CCID_POLLING_H

#include <stdbool.h>
#include <stdint.h>

#define CCID_POLL_FAST_MS 250
#define CCID_POLL_SLOW_MS 2000
/* Instead of an interrupt endpoint that does not work, or works too much. */
#define CCID_POLL_DEAF_MS  400
#define CCID_POLL_STORM_MS 250

/* The time between two looks when nothing else says. */
#define CCID_POLL_ADAPTIVE 0

struct ccid_poll {
    uint64_t sampled_ms;  /* the last time that the slot was looked at */
    uint32_t interval_ms; /* 0: it never was */
};

/* The slot was used, and its answers told whether there is a card. */
void ccid_poll_used(struct ccid_poll *poll, uint64_t now_ms);
/* It was looked at, and something had changed or nothing had. */
void ccid_poll_sampled(struct ccid_poll *poll, uint64_t now_ms, bool changed);
/* Until the next look; fixed_ms or CCID_POLL_ADAPTIVE. 0: it is due. */
uint32_t ccid_poll_wait(const struct ccid_poll *poll, uint64_t now_ms, uint32_t fixed_ms);

#endif
