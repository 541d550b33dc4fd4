/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * health.h - how a device has behaved: counters, and what follows from too much of
 * something. Pure; times are given, and who calls has the lock.
 */
#ifndef CCID_HEALTH_H
#define CCID_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- how often something may happen ---------------------------------------------- */

#define CCID_HISTORY_MAX 20

struct ccid_history {
    uint64_t at_ms[CCID_HISTORY_MAX]; /* a ring */
    uint8_t next, count;
};

void ccid_history_note(struct ccid_history *history, uint64_t now_ms);
/* How long until one more would not be the most + 1st within span_ms; 0: now. most is at
 * most CCID_HISTORY_MAX. */
uint32_t ccid_history_wait(const struct ccid_history *history, uint64_t now_ms,
                           uint32_t span_ms, uint8_t most);

/* ---- a device -------------------------------------------------------------------- */

#define CCID_VIOLATIONS_MAX     20
#define CCID_VIOLATIONS_SPAN_MS 60000

#define CCID_NO_RETRY UINT32_MAX

enum ccid_condition {
    CCID_HEALTHY,
    CCID_OUT_OF_ORDER, /* it did not come back into step; every command tries that again
                        */
    CCID_QUARANTINED,  /* it breaks the rules again and again; nothing is sent */
};

struct ccid_health {
    /* Since it was plugged in. */
    uint32_t discards;        /* answers to something else */
    uint32_t violations;      /* answers against the rules */
    uint32_t unknown_notices; /* interrupt messages of no known type */
    uint32_t hardware_errors; /* reported by the reader */
    uint32_t notice_failures; /* of the interrupt endpoint */
    uint32_t notice_storms;
    uint32_t recoveries; /* back in step */
    uint32_t failures;   /* not */
    uint32_t quarantines;

    enum ccid_condition condition; /* read without the lock, too */
    uint32_t delay_ms;             /* between this retry and the next */
    uint64_t retry_ms;
    struct ccid_history recent; /* violations */
};

/* True: it is quarantined from now on. */
bool ccid_health_violation(struct ccid_health *health, uint64_t now_ms);
/* It was tried to bring it back, in vain. The next try comes later than this one did. */
void ccid_health_failed(struct ccid_health *health, uint64_t now_ms);
/* It does as it should. */
void ccid_health_recovered(struct ccid_health *health);
/* Until the next try; CCID_NO_RETRY: it is healthy. */
uint32_t ccid_health_wait(const struct ccid_health *health, uint64_t now_ms);

/* The name of the counter with that index and its value; NULL behind the last one. */
const char *ccid_health_counter(const struct ccid_health *health, size_t index,
                                uint32_t *value);

#endif
