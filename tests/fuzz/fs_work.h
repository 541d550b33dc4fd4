/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_work.h - the work that fs leaves to spare threads, in this thread: done when the
 * target says so, in the order in which it came. Linked with --wrap=scfs_spare_run.
 */
#ifndef TESTS_FUZZ_FS_WORK_H
#define TESTS_FUZZ_FS_WORK_H

#include <stdbool.h>

void fs_work_begin(void);
/* The oldest piece, if there is any; all of them. */
void fs_work_do(void);
void fs_work_do_all(void);
/* What follows may wait for work: it gets threads, until the second call, which waits for
 * them. What is left from before is done first. */
void fs_work_threads(void);
void fs_work_no_threads(void);
bool fs_work_has_threads(void);

#endif
