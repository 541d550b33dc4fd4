/* SPDX-License-Identifier: BSD-2-Clause */
/* power.h - the sleep of the machine: power.c tells the readers, logind.c hears of it. */
#ifndef SCFS_POWER_H
#define SCFS_POWER_H

#include "fs/internal.h"

/* The machine is about to sleep: every reader's card loses its power, in the reader's
 * turn. False: some reader was busy for so long that it is told later. */
bool scfs_power_sleep(struct scfs *fs);
/* It has woken up. Does not wait. */
void scfs_power_wake(struct scfs *fs);

/*
 * Listens to logind on the system bus, in a thread that sleeps between its messages.
 * Without libsystemd, or a bus, there is no thread, and this does nothing.
 */
struct scfs_logind;
struct scfs_logind *scfs_logind_start(struct scfs *fs);
void scfs_logind_stop(struct scfs_logind *logind); /* NULL: nothing */

#endif
