/* SPDX-License-Identifier: BSD-2-Clause */
/* task_internal.h - what the files of a task share; see task.c. */
#ifndef SCFS_TASK_INTERNAL_H
#define SCFS_TASK_INTERNAL_H

#include "fs/session.h"

static inline bool task_takes_turns(const struct scfs_task *task)
{
    return task->handle != NULL && !task->quiet;
}

/* Its connection has yet to learn that somebody else has reset the card. */
static inline bool task_was_reset_locked(const struct scfs_task *task)
{
    return task->minds_resets && scfs_session_was_reset_locked(task->handle);
}

/* task.c: it waits no longer, as far as its user's and its handle's limits go. The
 * reader's lock is held. */
void task_end_wait_locked(struct scfs_task *task);

/* task_run.c: the executor's. */
void task_run(struct scfs_job *job);
void task_finish(struct scfs_job *job);

/* task_away.c: the park's. */
bool task_withdraw(struct scfs_park *park, int error);
void task_give_up(struct scfs_park *park, int error);

#endif
