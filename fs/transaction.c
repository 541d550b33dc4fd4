/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transaction.c - BEGIN and END, flock(2), and what ends a transaction against the will
 * of its holder.
 *
 * THEORY. A transaction is the turn of a reader (turn.c) held by an open file. It begins
 * by BEGIN or flock(LOCK_EX), which are the same thing, and is over by END, by
 * flock(LOCK_UN) (which leaves the card as it is), by the closing of the file, or, with
 * -o idle_limit, when the holder does nothing for that long while others wait. In the
 * last two cases the card is reset before the next one gets to it (users.c). A holder
 * whose card has gone keeps the turn, and gets ENXIO for everything, until he ends it:
 * he shall not take the next card for his own.
 *
 * END with a disposition is a task of the holder that gives the turn up when it has run.
 * It runs to its end: a client that is interrupted meanwhile finds the transaction over.
 *
 * Patience: one deadline per reader, armed by the first who waits. When it comes and the
 * holder was active since, it is armed again for the rest.
 */
#include "fs/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "fs/sequence.h"

static struct scfs_handle *holder_locked(const struct scfs_reader *reader)
{
    return reader->turn.holder == NULL
               ? NULL
               : CONTAINING_RECORD(reader->turn.holder, struct scfs_handle, turn);
}

bool scfs_transaction_mine_locked(const struct scfs_handle *handle)
{
    return handle->reader->turn.holder == &handle->turn;
}

void scfs_transaction_began_locked(struct scfs_handle *handle)
{
    scfs_session_bind_locked(handle);
    scfs_users_add_locked(handle);
    scfs_transaction_active_locked(handle->reader);
    if (handle->reader->turn.waiting > 0)
        scfs_transaction_awaited_locked(handle->reader);
}

static void end_locked(struct scfs_handle *handle)
{
    scfs_turn_end(&handle->reader->turn);
    handle->session.label[0] = '\0';
    scfs_session_unbind_locked(handle);
}

/* ---- begin ----------------------------------------------------------------------- */

struct begin {
    struct scfs_task task;
    bool flock;
    struct scard_begin call;
};

static int answer_begin(struct scfs_task *task, NTSTATUS status)
{
    struct begin *begin = CONTAINING_RECORD(task, struct begin, task);

    if (begin->flock)
        return fuse_reply_err(task->park.req, status == STATUS_IO_TIMEOUT
                                                  ? EWOULDBLOCK
                                                  : smc_status_errno(status));
    begin->call.status = status;
    return fuse_reply_ioctl(task->park.req, -smc_status_errno(status), &begin->call,
                            sizeof begin->call);
}

static void destroy_begin(struct scfs_task *task)
{
    free(CONTAINING_RECORD(task, struct begin, task));
}

/* call: NULL for flock. label is clean. */
static void start_begin(fuse_req_t req, struct scfs_handle *handle,
                        const struct scard_begin *call, uint32_t timeout_ms)
{
    static const struct scfs_task_ops ops = {
        .answer = answer_begin, .destroy = destroy_begin, .keeps_place = true};
    struct begin *begin = calloc(1, sizeof *begin);

    if (begin == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    scfs_task_init(&begin->task, &ops, handle->reader, handle, req);
    begin->task.minds_resets = true;
    begin->flock = call == NULL;
    if (call != NULL)
        begin->call = *call;
    scfs_task_start(&begin->task, timeout_ms);
}

/* Printable ASCII in one word: `owner` is a line of words. */
static void copy_label(char *out, const char label[SCARD_LABEL_MAX])
{
    size_t len = strnlen(label, SCARD_LABEL_MAX);

    for (size_t i = 0; i < len; i++)
        out[i] = label[i] > ' ' && label[i] <= '~' ? label[i] : '_';
    out[len] = '\0';
}

void scfs_transaction_begin(fuse_req_t req, struct scfs_handle *handle, const void *in)
{
    struct scard_begin call;
    bool mine;

    memcpy(&call, in, sizeof call);
    pthread_mutex_lock(&handle->reader->lock);
    mine = scfs_transaction_mine_locked(handle) && !scfs_session_lost_locked(handle);
    if (!scfs_transaction_mine_locked(handle))
        copy_label(handle->session.label, call.label);
    pthread_mutex_unlock(&handle->reader->lock);
    if (mine)
        fuse_reply_err(req, EALREADY);
    else
        start_begin(req, handle, &call, call.timeout_ms);
}

/* ---- end ------------------------------------------------------------------------- */

struct end {
    struct scfs_task task;
    struct scard_end call;
};

static int answer_end(struct scfs_task *task, NTSTATUS status)
{
    struct scard_end call = CONTAINING_RECORD(task, struct end, task)->call;

    call.status = status;
    return fuse_reply_ioctl(task->park.req, -smc_status_errno(status), &call,
                            sizeof call);
}

static NTSTATUS run_end(struct scfs_task *task)
{
    const uint32_t disposition =
        CONTAINING_RECORD(task, struct end, task)->call.disposition;
    struct scfs_reader *reader = task->reader;
    NTSTATUS status = scfs_session_dispose(task, disposition);

    pthread_mutex_lock(&reader->lock);
    if (scfs_transaction_mine_locked(task->handle))
        end_locked(task->handle);
    pthread_mutex_unlock(&reader->lock);
    return status;
}

static void destroy_end(struct scfs_task *task)
{
    free(CONTAINING_RECORD(task, struct end, task));
}

static void start_end(fuse_req_t req, struct scfs_handle *handle,
                      const struct scard_end *call)
{
    static const struct scfs_task_ops ops = {
        .run = run_end, .answer = answer_end, .destroy = destroy_end, .ends = true};
    struct end *end = calloc(1, sizeof *end);

    if (end == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    scfs_task_init(&end->task, &ops, handle->reader, handle, req);
    end->call = *call;
    scfs_task_start(&end->task, SCARD_TIMEOUT_INFINITE);
}

void scfs_transaction_end(fuse_req_t req, struct scfs_handle *handle, const void *in)
{
    struct scfs_reader *reader = handle->reader;
    struct scard_end call;
    NTSTATUS status = STATUS_SUCCESS;
    bool mine, now;

    memcpy(&call, in, sizeof call);
    if (call.disposition > SCARD_DISPOSITION_EJECT) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    pthread_mutex_lock(&reader->lock);
    mine = scfs_transaction_mine_locked(handle);
    now = reader->gone || scfs_session_lost_locked(handle) ||
          call.disposition == SCARD_DISPOSITION_LEAVE;
    if (reader->gone)
        status = STATUS_DEVICE_REMOVED;
    else if (!mine && handle->session.taken)
        status = scfs_session_refusal_locked(handle);
    if (mine && now)
        end_locked(handle);
    pthread_mutex_unlock(&reader->lock);

    scfs_reader_get(reader); /* once it is answered, the client may close */
    if (NT_SUCCESS(status) && !mine) {
        fuse_reply_err(req, EPERM);
    } else if (!NT_SUCCESS(status) || now) {
        call.status = status;
        fuse_reply_ioctl(req, -smc_status_errno(status), &call, sizeof call);
    } else {
        start_end(req, handle, &call);
        mine = false; /* advances by itself */
    }
    if (mine)
        scfs_task_advance(reader, true);
    scfs_reader_put(reader);
}

/* ---- flock ----------------------------------------------------------------------- */

static void unlock(fuse_req_t req, struct scfs_handle *handle)
{
    struct scfs_reader *reader = handle->reader;
    bool mine;

    pthread_mutex_lock(&reader->lock);
    scfs_turn_drop_ghost(&reader->turn, &handle->turn);
    handle->session.taken = false;
    mine = scfs_transaction_mine_locked(handle);
    if (mine)
        end_locked(handle);
    pthread_mutex_unlock(&reader->lock);
    scfs_reader_get(reader); /* once it is answered, the client may close */
    fuse_reply_err(req, 0);
    scfs_task_advance(reader, true);
    scfs_reader_put(reader);
}

void scfs_transaction_flock(fuse_req_t req, struct scfs_handle *handle, int operation)
{
    struct scfs_reader *reader = handle->reader;
    bool mine;

    if (operation & LOCK_UN) {
        unlock(req, handle);
        return;
    }
    if (operation & LOCK_SH) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    if (!handle->may_touch) {
        fuse_reply_err(req, EBADF);
        return;
    }
    pthread_mutex_lock(&reader->lock);
    mine = scfs_transaction_mine_locked(handle) && !scfs_session_lost_locked(handle);
    if (!scfs_transaction_mine_locked(handle))
        handle->session.label[0] = '\0'; /* of a BEGIN that came to nothing */
    pthread_mutex_unlock(&reader->lock);
    if (mine)
        fuse_reply_err(req, 0);
    else
        start_begin(req, handle, NULL, operation & LOCK_NB ? 0 : SCARD_TIMEOUT_INFINITE);
}

/* ---- against his will ------------------------------------------------------------ */

bool scfs_transaction_release_locked(struct scfs_handle *handle)
{
    bool mine = scfs_transaction_mine_locked(handle);

    scfs_turn_drop_ghost(&handle->reader->turn, &handle->turn);
    if (mine)
        end_locked(handle);
    return mine;
}

static uint64_t limit_ms(const struct scfs_reader *reader)
{
    return (uint64_t)reader->fs->options->idle_limit_s * 1000;
}

void scfs_transaction_active_locked(struct scfs_reader *reader)
{
    if (limit_ms(reader) != 0)
        reader->patience.idle_since_ms = reader->fs->timer.now_ms();
}

void scfs_transaction_awaited_locked(struct scfs_reader *reader)
{
    if (limit_ms(reader) == 0 || reader->patience.armed || reader->gone)
        return;
    reader->patience.armed = true;
    scfs_timer_arm(&reader->fs->timer, &reader->patience.deadline, limit_ms(reader));
}

/* Whether the holder has been idle for too long; arms the deadline again if not. */
static bool has_idled_locked(struct scfs_reader *reader, const struct scfs_handle *holder)
{
    const uint64_t limit = limit_ms(reader);
    uint64_t idle = reader->fs->timer.now_ms() - reader->patience.idle_since_ms;

    reader->patience.armed = false;
    if (reader->turn.waiting == 0 || reader->gone)
        return false; /* the next who waits arms it */
    if (holder->turn.admitted == 0 && idle >= limit)
        return true;
    reader->patience.armed = true;
    scfs_timer_arm(&reader->fs->timer, &reader->patience.deadline,
                   holder->turn.admitted == 0 ? limit - idle : limit);
    return false;
}

static void patience_lost(struct scfs_deadline *deadline)
{
    struct scfs_reader *reader =
        CONTAINING_RECORD(deadline, struct scfs_reader, patience.deadline);
    struct scfs_handle *holder;
    bool idle = false;

    pthread_mutex_lock(&reader->lock);
    holder = holder_locked(reader);
    if (holder == NULL)
        reader->patience.armed = false;
    else
        idle = has_idled_locked(reader, holder);
    if (idle) {
        end_locked(holder);
        holder->session.taken = true;
        reader->card.reset_owed = reader->present;
    }
    pthread_mutex_unlock(&reader->lock);
    if (!idle)
        return;
    scfs_users_reset(reader);
    scfs_task_advance(reader, false);
}

void scfs_transaction_reader_init(struct scfs_reader *reader)
{
    reader->patience.deadline.expired = patience_lost;
}

void scfs_transaction_reader_end(struct scfs_reader *reader)
{
    scfs_timer_cancel(&reader->fs->timer, &reader->patience.deadline);
}
