/* SPDX-License-Identifier: BSD-2-Clause */
/* change.h - what SCardGetStatusChange says of a reader. */
#ifndef PCSC_CHANGE_H
#define PCSC_CHANGE_H

#include "contrib/pcsc/mount.h"
#include "contrib/pcsc/winscard.h"

/* The counter of a mount as the high word of a state. It is never 0, which callers give
 * who have none, and goes up by one with the mount's. */
DWORD change_counter(uint32_t counter);

/* SCARD_STATE_* and the counter, without SCARD_STATE_CHANGED. */
DWORD change_state(const struct scard_info *info);
/* Is that something else than what the caller knows (dwCurrentState)? What he does not
 * mention, he does not ask about. */
bool change_is_news(DWORD known, DWORD state);

#endif
