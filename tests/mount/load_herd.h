/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load_herd.h - processes that together wait thousandfold: threads that are blocked in a
 * read of events/present, and descriptors of the same file in one epoll.
 */
#ifndef TESTS_MOUNT_LOAD_HERD_H
#define TESTS_MOUNT_LOAD_HERD_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon.h"

#define HERDS       8
#define HERD_SIZE   625 /* threads, and as many descriptors in its epoll */
#define HERD_TOTAL  (HERDS * HERD_SIZE)
#define HERD_READER "reader%d/events/present" /* of herd %d */

/* Starts all of them; returns once every thread sleeps in its read, every descriptor has
 * been polled. False: not within that time. */
bool herds_start(const struct daemon *d, unsigned within_ms);

/* How many have got their event. */
int herds_readers_woken(void);
int herds_pollers_woken(void);
/* How many of them failed, or got something that is no event. */
int herds_failures(void);

/* How many threads of all herds sleep so that no signal reaches them (state D). */
int herds_in_state_d(void);

/* Waits for the end of all processes; how many have not ended by then. */
int herds_reap(unsigned within_ms);
void herds_kill(void);

#endif
