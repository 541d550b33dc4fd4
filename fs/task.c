/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task.c - work on its way to the card.
 *
 * THEORY. A task waits for its turn in the reader's line (turn.c), then for its thread in
 * the executor's queue, runs, and has ended. Its maker's answer is called exactly once,
 * by whoever takes its park: the end of the work, an interrupt, a limit, the closing of
 * its handle, or the end of its reader. A task taken away while it waits is withdrawn;
 * one that runs is told to send nothing more, what it has sent is cancelled, and it ends
 * unheard. A limit bounds the waiting only. One that is kept goes on without its client:
 * its park waits again, without a request.
 *
 * The turn is given up at the end of run, when this thread is still the executor: so the
 * next in line are only queued, and nothing recurses however long the line is. A begin
 * needs no thread: it is answered by whoever has freed the turn; if nobody hears the
 * answer the turn goes on to the next.
 *
 * Locks: the reader's guards the turn, the list of tasks and every park; the executor's
 * nests in it. `users` of the reader counts each task from its entry to its end.
 *
 * Files: task.c (entry, and who is next) > task_run.c (its work and its end) and
 * task_away.c (taken away before).
 */
#include "fs/task_internal.h"

#include <errno.h>

struct scfs_task *scfs_task_get(struct scfs_task *task)
{
    InterlockedIncrement(&task->refs);
    return task;
}

void scfs_task_put(struct scfs_task *task)
{
    struct scfs_reader *reader = task->reader;
    struct scfs_handle *handle = task->handle;

    if (InterlockedDecrement(&task->refs) > 0)
        return;
    task->ops->destroy(task);
    if (handle != NULL)
        scfs_handle_put(handle);
    scfs_reader_put(reader);
}

/* ---- limits ---------------------------------------------------------------------- */

/* A wait for the thread. False: his user has as many as he may. Work without a request is
 * counted by its maker; the end of a transaction is never refused. The reader's lock is
 * held. */
static bool count_wait_locked(struct scfs_task *task)
{
    if (task->park.req == NULL || task->ops->ends)
        return true;
    task->counted =
        scfs_quota_take(&task->handle->fs->quota, task->uid, SCFS_QUOTA_WAITS);
    return task->counted;
}

/* A wait for the turn, of which a handle has one only. */
static bool count_in_line_locked(struct scfs_task *task)
{
    if (task->park.req == NULL)
        return true;
    if (task->uid != 0 && task->handle->session.waiting > 0)
        return false;
    task->in_line = count_wait_locked(task);
    task->handle->session.waiting += task->in_line;
    return task->in_line;
}

void task_end_wait_locked(struct scfs_task *task)
{
    if (task->in_line) /* the end of a session, too, which is not counted */
        task->handle->session.waiting--;
    if (task->counted)
        scfs_quota_give(&task->handle->fs->quota, task->uid, SCFS_QUOTA_WAITS);
    task->in_line = task->counted = false;
}

/* ---- entry ----------------------------------------------------------------------- */

void scfs_task_init(struct scfs_task *task, const struct scfs_task_ops *ops,
                    struct scfs_reader *reader, struct scfs_handle *handle,
                    fuse_req_t req)
{
    *task = (struct scfs_task){
        .job = {.run = task_run, .finish = task_finish},
        .park = {.withdraw = task_withdraw, .give_up = task_give_up},
        .ops = ops,
        .reader = scfs_reader_get(reader),
        .handle = handle != NULL ? scfs_handle_get(handle) : NULL,
        .uid = handle != NULL ? handle->uid : 0,
        .refs = 1,
    };
    InitializeListHead(&task->link);
    scfs_park_prepare(&task->park, req, &reader->lock);
}

/* Whether the executor would let it wait. */
static bool executor_busy(struct scfs_executor *executor)
{
    bool busy;

    scfs_executor_lock(executor);
    busy = executor->busy;
    scfs_executor_unlock(executor);
    return busy;
}

/* The reader's lock is held. */
static NTSTATUS enter_locked(struct scfs_task *task, uint32_t timeout_ms)
{
    struct scfs_reader *reader = task->reader;
    const bool call = task->ops->run != NULL;
    bool admitted = true;
    NTSTATUS status = STATUS_SUCCESS;

    if (reader->gone)
        return STATUS_DEVICE_REMOVED;
    if (task_takes_turns(task))
        status = scfs_session_refusal_locked(task->handle);
    if (NT_SUCCESS(status) && task_was_reset_locked(task))
        status = STATUS_CONNECTION_RESET;
    if (!NT_SUCCESS(status))
        return status;
    if (task_takes_turns(task))
        admitted = scfs_turn_ask(&reader->turn, &task->turn, &task->handle->turn,
                                 call ? SCFS_TURN_CALL : SCFS_TURN_BEGIN);
    if (timeout_ms == 0 && (!admitted || (call && executor_busy(reader->executor)))) {
        if (task->turn.state == SCFS_TURN_ADMITTED)
            scfs_turn_leave(&reader->turn, &task->turn);
        else if (task->turn.state == SCFS_TURN_WAITING)
            scfs_turn_withdraw(&reader->turn, &task->turn);
        return STATUS_IO_TIMEOUT;
    }
    if (!admitted && !count_in_line_locked(task)) {
        scfs_turn_withdraw(&reader->turn, &task->turn);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (admitted && call && executor_busy(reader->executor) && !count_wait_locked(task)) {
        if (task->turn.state == SCFS_TURN_ADMITTED)
            scfs_turn_leave(&reader->turn, &task->turn);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    (void)scfs_park_wait_locked(&task->park);
    reader->users++;
    if (admitted && !call) { /* has what it wants: nobody may take it away any more */
        (void)scfs_park_take_locked(&task->park);
        scfs_transaction_began_locked(task->handle);
        return STATUS_SUCCESS;
    }
    InsertTailList(&reader->tasks, &task->link);
    if (!admitted) {
        scfs_park_start_limit_locked(&task->park);
        scfs_transaction_awaited_locked(reader);
    }
    return admitted ? STATUS_SUCCESS : STATUS_PENDING;
}

/* STATUS_SUCCESS, and it is the caller's to go with; STATUS_PENDING, it waits for its
 * turn; anything else: refused, and only to be put. */
static NTSTATUS enter(struct scfs_task *task, uint32_t timeout_ms)
{
    struct scfs_reader *reader = task->reader;
    NTSTATUS status;

    if (timeout_ms != SCARD_TIMEOUT_INFINITE)
        scfs_park_limit(&task->park, &reader->fs->timer, timeout_ms);
    pthread_mutex_lock(&reader->lock);
    status = task->park.interrupted ? STATUS_CANCELLED : enter_locked(task, timeout_ms);
    pthread_mutex_unlock(&reader->lock);
    if (!NT_SUCCESS(status))
        scfs_park_settle(&task->park);
    return status;
}

/* A begin that has got the turn. */
static void granted(struct scfs_task *task)
{
    struct scfs_reader *reader = task->reader;

    scfs_park_settle(&task->park);
    if (task->ops->answer(task, STATUS_SUCCESS) != 0) {
        pthread_mutex_lock(&reader->lock);
        (void)scfs_transaction_release_locked(task->handle);
        pthread_mutex_unlock(&reader->lock);
    }
    scfs_reader_leave(reader);
    scfs_task_put(task);
}

/* True: it is the caller's to grant. The reader's lock is held. */
static bool take_begin_locked(struct scfs_task *task)
{
    if (task->ops->run != NULL || !scfs_park_take_locked(&task->park))
        return false;
    RemoveEntryList(&task->link);
    InitializeListHead(&task->link);
    return true;
}

static void go(struct scfs_task *task)
{
    struct scfs_reader *reader = task->reader;

    if (task->ops->run ==
        NULL) { /* a begin: its file may be closed once it is answered */
        scfs_reader_get(reader);
        granted(task);
        scfs_task_advance(reader, true);
        scfs_reader_put(reader);
        return;
    }
    pthread_mutex_lock(&reader->lock);
    scfs_executor_lock(reader->executor);
    if (reader->executor->busy)
        scfs_park_start_limit_locked(&task->park);
    pthread_mutex_unlock(&reader->lock);
    scfs_executor_submit_locked(reader->executor, &task->job);
}

NTSTATUS scfs_task_queue(struct scfs_task *task, bool *work)
{
    struct scfs_reader *reader = task->reader;
    NTSTATUS status = enter(task, SCARD_TIMEOUT_INFINITE);

    *work = false;
    if (status != STATUS_SUCCESS)
        return status;
    pthread_mutex_lock(&reader->lock);
    scfs_executor_lock(reader->executor);
    *work = scfs_executor_claim_locked(reader->executor, &task->job);
    scfs_executor_unlock(reader->executor);
    if (*work) /* the task may be withdrawn and gone before there is work */
        reader->users++;
    pthread_mutex_unlock(&reader->lock);
    return STATUS_SUCCESS;
}

void scfs_task_work(struct scfs_reader *reader)
{
    scfs_executor_work(reader->executor);
    scfs_reader_leave(reader);
}

void scfs_task_start(struct scfs_task *task, uint32_t timeout_ms)
{
    NTSTATUS status = enter(task, timeout_ms);

    if (status == STATUS_SUCCESS)
        go(task);
    if (NT_SUCCESS(status))
        return;
    if (task->park.interrupted)
        fuse_reply_err(task->park.req, EINTR);
    else if (status == STATUS_INSUFFICIENT_RESOURCES)
        fuse_reply_err(task->park.req, EDQUOT);
    else
        (void)task->ops->answer(task, status);
    scfs_task_put(task);
}

static void submit_background(struct scfs_task *task)
{
    scfs_executor_lock(task->reader->executor);
    scfs_executor_background_locked(task->reader->executor, &task->job);
}

void scfs_task_start_background(struct scfs_task *task)
{
    NTSTATUS status = enter(task, SCARD_TIMEOUT_INFINITE);

    if (status == STATUS_SUCCESS) {
        submit_background(task);
    } else if (!NT_SUCCESS(status)) {
        (void)task->ops->answer(task, status);
        scfs_task_put(task);
    }
}

/* ---- the next in line ------------------------------------------------------------ */

/* Puts those calls whose turn has come on the list; returns the begin, if it is one's. */
static struct scfs_task *collect(struct scfs_reader *reader, LIST_ENTRY *calls)
{
    struct scfs_task *begin = NULL;
    struct scfs_turn_entry *entry;

    pthread_mutex_lock(&reader->lock);
    while (begin == NULL && (entry = scfs_turn_next(&reader->turn)) != NULL) {
        struct scfs_task *task = CONTAINING_RECORD(entry, struct scfs_task, turn);

        task_end_wait_locked(task);
        if (take_begin_locked(task)) {
            scfs_transaction_began_locked(task->handle);
            begin = task;
        } else {
            InsertTailList(calls, &entry->link);
        }
    }
    pthread_mutex_unlock(&reader->lock);
    return begin;
}

void scfs_task_advance(struct scfs_reader *reader, bool in_place)
{
    struct scfs_task *begin;
    LIST_ENTRY calls;

    InitializeListHead(&calls);
    while ((begin = collect(reader, &calls)) != NULL)
        granted(begin);
    while (!IsListEmpty(&calls)) {
        struct scfs_task *task =
            CONTAINING_RECORD(RemoveHeadList(&calls), struct scfs_task, turn.link);

        scfs_executor_lock(reader->executor);
        if (!in_place) {
            scfs_executor_background_locked(reader->executor, &task->job);
        } else if (IsListEmpty(&calls)) {
            scfs_executor_submit_locked(reader->executor, &task->job);
        } else { /* before this thread begins to run them, the others shall be in line */
            scfs_executor_enqueue_locked(reader->executor, &task->job);
            scfs_executor_unlock(reader->executor);
        }
    }
}
