/* SPDX-License-Identifier: BSD-2-Clause */
/* unmounter.h - a small process that unmounts when it is told to. */
#ifndef SCFS_UNMOUNTER_H
#define SCFS_UNMOUNTER_H

#include <stdbool.h>
#include <sys/types.h>

struct scfs_unmounter {
    int link; /* socket to it; -1: there is none */
    pid_t child;
};

/* Only while the process has one thread, before it is confined. False, with errno. */
bool scfs_unmounter_start(struct scfs_unmounter *unmounter, const char *path);

/* Has it unmount what a scardfs has mounted there, waits until it has, and ends it.
 * Without one, and the second time, nothing. In any thread, but in one at a time. False
 * when it could not, or somebody has killed it. */
bool scfs_unmounter_do(struct scfs_unmounter *unmounter);

/* Ends it without. */
bool scfs_unmounter_end(struct scfs_unmounter *unmounter);

#endif
