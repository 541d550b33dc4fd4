/* SPDX-License-Identifier: BSD-2-Clause */
/* polling.c - see polling.h. Often after something has happened, less and less often
 * then. */
#include "ccid/polling.h"

void ccid_poll_used(struct ccid_poll *poll, uint64_t now_ms)
{
    poll->sampled_ms = now_ms;
    poll->interval_ms = CCID_POLL_FAST_MS;
}

void ccid_poll_sampled(struct ccid_poll *poll, uint64_t now_ms, bool changed)
{
    uint32_t next_ms = 2 * poll->interval_ms;

    if (changed || poll->interval_ms == 0)
        next_ms = CCID_POLL_FAST_MS;
    poll->sampled_ms = now_ms;
    poll->interval_ms = next_ms < CCID_POLL_SLOW_MS ? next_ms : CCID_POLL_SLOW_MS;
}

uint32_t ccid_poll_wait(const struct ccid_poll *poll, uint64_t now_ms, uint32_t fixed_ms)
{
    uint32_t interval_ms = fixed_ms != CCID_POLL_ADAPTIVE ? fixed_ms : poll->interval_ms;
    uint64_t since_ms = now_ms - poll->sampled_ms;

    if (poll->interval_ms == 0)
        return 0;
    return since_ms >= interval_ms ? 0 : interval_ms - (uint32_t)since_ms;
}
