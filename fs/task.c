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
 */
#include "fs/session.h"

#include <errno.h>
#include <string.h>

static struct scfs_task *task_of(struct scfs_job *job)
{
    return CONTAINING_RECORD(job, struct scfs_task, job);
}

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

static bool takes_turns(const struct scfs_task *task)
{
    return task->handle != NULL && !task->quiet;
}

/* Its connection has yet to learn that somebody else has reset the card. */
static bool was_reset_locked(const struct scfs_task *task)
{
    return task->minds_resets && scfs_session_was_reset_locked(task->handle);
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

static void end_wait_locked(struct scfs_task *task)
{
    if (!task->counted)
        return;
    task->counted = false;
    if (task->in_line)
        task->handle->session.waiting--;
    task->in_line = false;
    scfs_quota_give(&task->handle->fs->quota, task->uid, SCFS_QUOTA_WAITS);
}

/* ---- taken away ------------------------------------------------------------------ */

static bool withdraw(struct scfs_park *park, int error)
{
    struct scfs_task *task = CONTAINING_RECORD(park, struct scfs_task, park);
    struct scfs_turn *turn = &task->reader->turn;
    bool waited = task->turn.state == SCFS_TURN_WAITING;

    if (waited && error == EINTR && task->ops->keeps_place)
        scfs_turn_leave_ghost(turn, &task->turn);
    else if (waited)
        scfs_turn_withdraw(turn, &task->turn);
    end_wait_locked(task);
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

static void give_up(struct scfs_park *park, int error)
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

void scfs_task_end_all(struct scfs_reader *reader, struct scfs_handle *handle)
{
    LIST_ENTRY *i;

    pthread_mutex_lock(&reader->lock);
    i = reader->tasks.Flink;
    while (i != &reader->tasks) {
        struct scfs_task *task = CONTAINING_RECORD(i, struct scfs_task, link);

        i = i->Flink;
        if (task->park.state != SCFS_PARK_WAITING ||
            (handle != NULL && task->handle != handle))
            continue;
        scfs_park_end_locked(&task->park, handle != NULL ? ECANCELED : ENODEV);
        pthread_mutex_lock(&reader->lock);
        i = reader->tasks.Flink; /* anything may have happened meanwhile */
    }
    pthread_mutex_unlock(&reader->lock);
}

/* ---- running --------------------------------------------------------------------- */

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
    if (takes_turns(task) && scfs_session_lost_locked(task->handle)) {
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
    const bool touches = takes_turns(task) && !task->ops->ends;
    bool clean = true;
    NTSTATUS status = STATUS_SUCCESS;

    pthread_mutex_lock(&reader->lock);
    task->ran = true;
    end_wait_locked(task);
    if (reader->gone) /* entered after scfs_task_end_all had looked */
        status = STATUS_DEVICE_REMOVED;
    else if (task->aborted)
        status = STATUS_CANCELLED;
    else if (touches && scfs_session_lost_locked(task->handle))
        status = STATUS_DEVICE_NOT_CONNECTED; /* another card is in by now */
    else if (was_reset_locked(task))
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
    if (NT_SUCCESS(status) && was_reset_locked(task))
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
    scfs_transaction_active_locked(reader);
    others = !IsListEmpty(&reader->turn.line);
    pthread_mutex_unlock(&reader->lock);
    if (others)
        scfs_task_advance(reader, in_place);
}

static void run(struct scfs_job *job)
{
    struct scfs_task *task = task_of(job);

    task->status = begin_run(task);
    if (NT_SUCCESS(task->status))
        task->status = task->ops->run(task);
    leave_turn(task, true);
}

static void finish(struct scfs_job *job)
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
    end_wait_locked(task); /* it got no thread */
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

/* ---- entry ----------------------------------------------------------------------- */

void scfs_task_init(struct scfs_task *task, const struct scfs_task_ops *ops,
                    struct scfs_reader *reader, struct scfs_handle *handle,
                    fuse_req_t req)
{
    *task = (struct scfs_task){
        .job = {.run = run, .finish = finish},
        .park = {.withdraw = withdraw, .give_up = give_up},
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
    if (takes_turns(task))
        status = scfs_session_refusal_locked(task->handle);
    if (NT_SUCCESS(status) && was_reset_locked(task))
        status = STATUS_CONNECTION_RESET;
    if (!NT_SUCCESS(status))
        return status;
    if (takes_turns(task))
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

        end_wait_locked(task);
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
