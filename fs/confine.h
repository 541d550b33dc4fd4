/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confine.h - what the process may still ask the kernel for, once it is mounted.
 *
 * In two steps. The first comes before the first thread and the first byte of a device or
 * a client: files (landlock.c) and calls (seccomp.c), among them those of a start. The
 * second takes these away, too, when readers have been looked for.
 */
#ifndef SCFS_CONFINE_H
#define SCFS_CONFINE_H

#include <stdbool.h>

#include "fs/scardfs.h"

enum scfs_step { SCFS_STEP_START, SCFS_STEP_SERVE };

/* Only while the process has one thread. False after a sentence: it is to end. */
bool scfs_confine_start(const struct scfs_options *options);

/* For all threads. False after a line in the log: it is to end. */
bool scfs_confine_serve(const struct scfs_options *options);

/* Whether something listens in this process: cards that connect (--vpcd), -o listen=. */
bool scfs_confine_listens(const struct scfs_options *options);

/* ---- the two halves: 0 or an errno; ENOSYS, EOPNOTSUPP: not here ------------------- */

int scfs_seccomp_load(const struct scfs_options *options, enum scfs_step step);
int scfs_landlock_restrict(const struct scfs_options *options);

#endif
