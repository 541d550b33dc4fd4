/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * health.c - see health.h.
 *
 *   healthy -failed-> failed: tried again after 5, 10, 20 ... 300 s
 *   healthy, failed -20 violations in 60 s-> quarantined: after 60 s, 2 min ... 1 h
 *   failed, quarantined -recovered-> healthy
 */
#include "ccid/health.h"

#define FAILED_FIRST_MS        5000
#define FAILED_LONGEST_MS      300000
#define QUARANTINED_FIRST_MS   60000
#define QUARANTINED_LONGEST_MS 3600000

void ccid_history_note(struct ccid_history *history, uint64_t now_ms)
{
    history->at_ms[history->next] = now_ms;
    history->next = (uint8_t)((history->next + 1u) % CCID_HISTORY_MAX);
    if (history->count < CCID_HISTORY_MAX)
        history->count++;
}

uint32_t ccid_history_wait(const struct ccid_history *history, uint64_t now_ms,
                           uint32_t span_ms, uint8_t most)
{
    uint64_t oldest;

    if (history->count < most)
        return 0;
    oldest = history->at_ms[(history->next + CCID_HISTORY_MAX - (unsigned)most) %
                            CCID_HISTORY_MAX];
    return now_ms - oldest >= span_ms ? 0 : span_ms - (uint32_t)(now_ms - oldest);
}

static void become(struct ccid_health *health, enum ccid_condition condition)
{
    __atomic_store_n(&health->condition, condition, __ATOMIC_SEQ_CST);
}

bool ccid_health_violation(struct ccid_health *health, uint64_t now_ms)
{
    health->violations++;
    if (health->condition == CCID_QUARANTINED)
        return false;
    ccid_history_note(&health->recent, now_ms);
    if (ccid_history_wait(&health->recent, now_ms, CCID_VIOLATIONS_SPAN_MS,
                          CCID_VIOLATIONS_MAX) == 0)
        return false;
    health->quarantines++;
    become(health, CCID_QUARANTINED);
    health->delay_ms = QUARANTINED_FIRST_MS;
    health->retry_ms = now_ms + health->delay_ms;
    return true;
}

void ccid_health_failed(struct ccid_health *health, uint64_t now_ms)
{
    uint32_t longest = health->condition == CCID_QUARANTINED ? QUARANTINED_LONGEST_MS
                                                             : FAILED_LONGEST_MS;

    health->failures++;
    if (health->condition == CCID_HEALTHY) {
        become(health, CCID_OUT_OF_ORDER);
        health->delay_ms = FAILED_FIRST_MS;
    } else if (now_ms < health->retry_ms) {
        return; /* a client's try in between */
    } else {
        health->delay_ms =
            health->delay_ms < longest / 2 ? 2 * health->delay_ms : longest;
    }
    health->retry_ms = now_ms + health->delay_ms;
}

void ccid_health_recovered(struct ccid_health *health)
{
    health->recoveries++;
    if (health->condition == CCID_QUARANTINED)
        health->recent = (struct ccid_history){0};
    become(health, CCID_HEALTHY);
}

uint32_t ccid_health_wait(const struct ccid_health *health, uint64_t now_ms)
{
    if (health->condition == CCID_HEALTHY)
        return CCID_NO_RETRY;
    return now_ms >= health->retry_ms ? 0 : (uint32_t)(health->retry_ms - now_ms);
}

const char *ccid_health_counter(const struct ccid_health *health, size_t index,
                                uint32_t *value)
{
    const struct {
        const char *name;
        uint32_t value;
    } counters[] = {
        {"discards", health->discards},
        {"violations", health->violations},
        {"unknown_notices", health->unknown_notices},
        {"hardware_errors", health->hardware_errors},
        {"notice_failures", health->notice_failures},
        {"notice_storms", health->notice_storms},
        {"recoveries", health->recoveries},
        {"failures", health->failures},
        {"quarantines", health->quarantines},
    };

    if (index >= sizeof counters / sizeof counters[0])
        return NULL;
    *value = counters[index].value;
    return counters[index].name;
}
