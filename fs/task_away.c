/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task_away.c - a task that is taken away from where it waits or runs: by an interrupt, a
 * limit, the closing of its handle, or the end of its reader. The theory is in task.c.
 */
#include "fs/task_internal.h"

#include <errno.h>

bool task_withdraw(struct scfs_park *park, int error)
{
    struct scfs_task *task = CONTAINING_RECORD(park, struct scfs_task, park);
    struct scfs_turn *turn = &task->reader->turn;
    bool waited = task->turn.state == SCFS_TURN_WAITING;

    if (waited && error == EINTR && task->ops->keeps_place)
        scfs_turn_leave_ghost(turn, &task->turn);
    else if (waited)
        scfs_turn_withdraw(turn, &task->turn);
    task_end_wait_locked(task);
    if (!waited) {
        scfs_executor_lock(task->reader->executor);
        waited = scfs_executor_withdraw_locked(task->reader->executor, &task->job);
        scfs_executor_unlock(task->reader->executor);
        if (waited && task->turn.state == SCFS_TURN_ADMITTED)
            scfs_turn_leave(turn, &task->turn);
    }
    task->was_running = !waited;
    if (waited) { /* its reference and its use of the device are ours now */
        RemoveEntryList(&task->link);
        InitializeListHead(&task->link);
        return true;
    }
    if (error == ETIMEDOUT)
        return false; /* its turn has come */
    scfs_task_get(task);
    if (error == EINTR && task->ops->keep != NULL && task->ops->keep(task)) {
        task->kept = true;
        return true;
    }
    task->aborted = !task->ops->ends || error == ENODEV;
    task->cancel = task->aborted && task->sent;
    return true;
}

/* Before the client hears of it: when he closes the file, it shall be found. */
static void go_on_unheard(struct scfs_task *task)
{
    fuse_req_t req = task->park.req;
    bool over;

    pthread_mutex_lock(&task->reader->lock);
    task->park.req = NULL;
    over = task->over;
    if (!over)
        task->park.state = SCFS_PARK_WAITING;
    task->aborted |= task->reader->gone; /* scfs_task_end_all has not found it */
    task->cancel = task->aborted && task->sent && !over;
    pthread_mutex_unlock(&task->reader->lock);
    if (over)
        (void)task->ops->answer(task, task->status);
    else if (task->cancel)
        IoCancelIrp(&task->request.irp);
    fuse_reply_err(req, EINTR);
    scfs_task_put(task);
}

void task_give_up(struct scfs_park *park, int error)
{
    struct scfs_task *task = CONTAINING_RECORD(park, struct scfs_task, park);

    if (error == EINTR && task->kept) {
        go_on_unheard(task);
        return;
    }
    /* IoCancelIrp may run into the completion; it must not delay the client. */
    if (error == EINTR)
        fuse_reply_err(park->req, EINTR);
    else
        (void)task->ops->answer(task, error == ETIMEDOUT   ? STATUS_IO_TIMEOUT
                                      : error == ECANCELED ? STATUS_CANCELLED
                                                           : STATUS_DEVICE_REMOVED);
    if (!task->was_running) {
        scfs_task_advance(task->reader, false);
        scfs_reader_leave(task->reader);
    } else if (task->cancel) {
        IoCancelIrp(&task->request.irp);
    }
    scfs_task_put(task);
}

/* The reader's lock is held. */
static bool is_to_end_locked(const struct scfs_task *task,
                             const struct scfs_handle *handle, bool unheard)
{
    return task->park.state == SCFS_PARK_WAITING &&
           (handle == NULL || task->handle == handle) &&
           (!unheard || task->park.req == NULL);
}

static void end_tasks(struct scfs_reader *reader, const struct scfs_handle *handle,
                      bool unheard)
{
    LIST_ENTRY *i;

    pthread_mutex_lock(&reader->lock);
    i = reader->tasks.Flink;
    while (i != &reader->tasks) {
        struct scfs_task *task = CONTAINING_RECORD(i, struct scfs_task, link);

        i = i->Flink;
        if (!is_to_end_locked(task, handle, unheard))
            continue;
        scfs_park_end_locked(&task->park, handle != NULL ? ECANCELED : ENODEV);
        pthread_mutex_lock(&reader->lock);
        i = reader->tasks.Flink; /* anything may have happened meanwhile */
    }
    pthread_mutex_unlock(&reader->lock);
}

void scfs_task_end_all(struct scfs_reader *reader, const struct scfs_handle *handle)
{
    end_tasks(reader, handle, false);
}

void scfs_task_end_unheard(struct scfs_reader *reader, const struct scfs_handle *handle)
{
    end_tasks(reader, handle, true);
}
