/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task_run.c - a task in the executor: what it sends, and its end when nobody has taken
 * it away. The theory is in task.c.
 */
#include "fs/task_internal.h"

#include <string.h>

static struct scfs_task *task_of(struct scfs_job *job)
{
    return CONTAINING_RECORD(job, struct scfs_task, job);
}

/* A reset that the library will not refuse for its form. */
static bool is_reset(ULONG code, const void *buffer, ULONG in_len)
{
    uint32_t minor = SCARD_POWER_DOWN;

    if (code != IOCTL_SMARTCARD_POWER || in_len < sizeof minor)
        return false;
    memcpy(&minor, buffer, sizeof minor);
    return minor == SCARD_COLD_RESET || minor == SCARD_WARM_RESET;
}

NTSTATUS scfs_task_send(struct scfs_task *task, ULONG code, void *buffer, ULONG in_len,
                        ULONG out_len, ULONG *information)
{
    struct scfs_reader *reader = task->reader;
    bool reset = is_reset(code, buffer, in_len);
    NTSTATUS status;

    if (information != NULL)
        *information = 0;
    pthread_mutex_lock(&reader->lock);
    if (task->aborted) {
        pthread_mutex_unlock(&reader->lock);
        return STATUS_CANCELLED;
    }
    if (task_takes_turns(task) && scfs_session_lost_locked(task->handle)) {
        pthread_mutex_unlock(&reader->lock); /* between two requests of a sequence */
        return STATUS_DEVICE_NOT_CONNECTED;
    }
    scfs_request_init(&task->request, reader, code, buffer, in_len, out_len);
    task->sent = true;
    task->changes_state |= code != IOCTL_SMARTCARD_TRANSMIT;
    if (reset)
        reader->resetting++;
    pthread_mutex_unlock(&reader->lock);

    status = scfs_request_run(&task->request);
    scfs_users_sent(reader, task->handle, code, status);
    if (reset)
        scfs_powerup_reset_ended(reader, status);
    if (information != NULL && NT_SUCCESS(status))
        *information = task->request.irp.IoStatus.Information <= out_len
                           ? (ULONG)task->request.irp.IoStatus.Information
                           : out_len;
    return status;
}

static NTSTATUS begin_run(struct scfs_task *task)
{
    struct scfs_reader *reader = task->reader;
    const bool touches = task_takes_turns(task) && !task->ops->ends;
    bool clean = true;
    NTSTATUS status = STATUS_SUCCESS;

    pthread_mutex_lock(&reader->lock);
    task->ran = true;
    task_end_wait_locked(task);
    if (reader->gone) /* entered after scfs_task_end_all had looked */
        status = STATUS_DEVICE_REMOVED;
    else if (task->aborted)
        status = STATUS_CANCELLED;
    else if (touches && scfs_session_lost_locked(task->handle))
        status = STATUS_DEVICE_NOT_CONNECTED; /* another card is in by now */
    else if (task_was_reset_locked(task))
        status = STATUS_CONNECTION_RESET; /* while it waited */
    if (NT_SUCCESS(status) && touches) {
        reader->touched = true;
        scfs_session_bind_locked(task->handle);
        clean = scfs_users_touch_locked(task);
    }
    pthread_mutex_unlock(&reader->lock);
    if (clean)
        return status;
    status = scfs_users_prepare(task);
    pthread_mutex_lock(&reader->lock);
    if (NT_SUCCESS(status) && task_was_reset_locked(task))
        status = STATUS_CONNECTION_RESET; /* in this moment, by the daemon */
    pthread_mutex_unlock(&reader->lock);
    return status;
}

static void leave_turn(struct scfs_task *task, bool in_place)
{
    struct scfs_reader *reader = task->reader;
    bool others;

    pthread_mutex_lock(&reader->lock);
    if (task->turn.state == SCFS_TURN_ADMITTED)
        scfs_turn_leave(&reader->turn, &task->turn);
    if (task_takes_turns(task)) /* what takes none is nobody's sign of life */
        scfs_transaction_active_locked(reader);
    others = !IsListEmpty(&reader->turn.line);
    pthread_mutex_unlock(&reader->lock);
    if (others)
        scfs_task_advance(reader, in_place);
}

void task_run(struct scfs_job *job)
{
    struct scfs_task *task = task_of(job);

    task->status = begin_run(task);
    if (NT_SUCCESS(task->status))
        task->status = task->ops->run(task);
    leave_turn(task, true);
}

void task_finish(struct scfs_job *job)
{
    struct scfs_task *task = task_of(job);
    struct scfs_reader *reader = task->reader;
    bool ours;

    if (!task->ran) {
        task->status = STATUS_INSUFFICIENT_RESOURCES;
        leave_turn(task, false);
    }
    pthread_mutex_lock(&reader->lock);
    ours = scfs_park_take_locked(&task->park);
    task->over = true;
    task_end_wait_locked(task); /* it got no thread */
    RemoveEntryList(&task->link);
    pthread_mutex_unlock(&reader->lock);
    if (ours) {
        scfs_park_settle(&task->park);
        (void)task->ops->answer(task, task->status);
    }
    if (task->changes_state || !NT_SUCCESS(task->status))
        scfs_reader_wake(reader);
    scfs_reader_leave(reader);
    scfs_task_put(task);
}
