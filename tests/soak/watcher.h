/* SPDX-License-Identifier: BSD-2-Clause */
/* watcher.h - a process that follows the card of one reader. */
#ifndef TESTS_SOAK_WATCHER_H
#define TESTS_SOAK_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

/* What it knows, as the reader's record has it. */
#define SEEN(counter, present) (2 * (uint32_t)(counter) + 2 + ((present) ? 1u : 0u))

/* Watches until it is killed: one of each reader's two reads `events/present` and
 * `events/absent` in turn, the other the stream `events/changes`. */
_Noreturn void watcher_run(int number, const char *mount);

#endif
