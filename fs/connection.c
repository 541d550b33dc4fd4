/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connection.c - CONNECT and DISCONNECT.
 *
 * THEORY. A connection says how an open file shares the card: exclusive with nobody else,
 * shared, or direct (the reader, whatever becomes of the card). Its share mode is taken
 * when CONNECT is asked, before the card is, so that two exclusive ones cannot both
 * succeed, and given back when CONNECT fails, for that of the connection which was there
 * before. CONNECT on a connected handle changes mode and protocols.
 *
 * A CONNECT that is interrupted ends later than the call that repeats it begins, and one
 * of a closed handle after its end. So each has a claim on the mode, by number, and gives
 * back only what nobody has set after it. Whoever was interrupted has not connected, even
 * if the card has answered (SCARD_CONNECT_KEEP).
 */
#include "fs/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/exchange.h"
#include "fs/sequence.h"

/* ---- connections ----------------------------------------------------------------- */

void scfs_connection_set_locked(struct scfs_handle *handle, uint32_t share)
{
    struct scfs_reader *reader = handle->reader;

    if (handle->session.share != 0)
        reader->connections.count--;
    if (reader->connections.exclusive == handle)
        reader->connections.exclusive = NULL;
    handle->session.share = share;
    handle->session.claim++;
    handle->session.tells &= share != 0;
    if (share == 0)
        handle->session.connected = 0;
    if (share != 0)
        reader->connections.count++;
    if (share == SCARD_SHARE_MODE_EXCLUSIVE)
        reader->connections.exclusive = handle;
    scfs_session_unbind_locked(handle);
}

uint32_t scfs_connection_sharing_locked(const struct scfs_reader *reader)
{
    if (reader->connections.exclusive != NULL)
        return SCARD_SHARE_MODE_EXCLUSIVE;
    return reader->connections.count > 0 ? SCARD_SHARE_MODE_SHARED : 0;
}

void scfs_connection_tell(struct scfs_reader *reader)
{
    uint32_t sharing;
    bool news;

    pthread_mutex_lock(&reader->lock);
    sharing = scfs_connection_sharing_locked(reader);
    news = sharing != reader->connections.told;
    reader->connections.told = sharing;
    pthread_mutex_unlock(&reader->lock);
    if (news)
        scfs_poll_wake(&reader->lock, &reader->pollers);
}

static bool in_conflict_locked(const struct scfs_handle *handle, uint32_t share)
{
    const struct scfs_reader *reader = handle->reader;
    unsigned others = reader->connections.count - (handle->session.share != 0);

    return (reader->connections.exclusive != NULL &&
            reader->connections.exclusive != handle) ||
           (share == SCARD_SHARE_MODE_EXCLUSIVE && others > 0);
}

struct connect {
    struct scfs_task task;
    struct scard_connect call;
    unsigned claim;
    uint32_t before; /* the connection that it has replaced */
    bool connected, heard;
};

static struct connect *connect_of(struct scfs_task *task)
{
    return CONTAINING_RECORD(task, struct connect, task);
}

/* The mode goes back to what it was, as far as others let it. */
static void give_back_locked(struct scfs_handle *handle, unsigned claim, uint32_t before)
{
    if (handle->session.claim != claim)
        return;
    if (before == 0 || !in_conflict_locked(handle, before))
        scfs_connection_set_locked(handle, before);
    handle->session.connected = handle->session.share;
}

static NTSTATUS connected_locked(struct connect *connect)
{
    struct scfs_handle *handle = connect->task.handle;
    const uint32_t share = connect->call.share;

    if (connect->task.aborted || connect->task.kept)
        return STATUS_CANCELLED;
    if (handle->session.claim != connect->claim) { /* another thread of the client */
        if (in_conflict_locked(handle, share))
            return STATUS_DEVICE_BUSY;
        scfs_connection_set_locked(handle, share);
        connect->claim = handle->session.claim;
    }
    connect->connected = true;
    connect->before = handle->session.connected;
    handle->session.connected = share;
    connect->call.resets = handle->reader->card.resets;
    handle->session.tells = (connect->call.flags & SCARD_CONNECT_TELL_RESETS) != 0;
    scfs_session_knows_resets_locked(handle);
    scfs_session_bind_locked(handle);
    return STATUS_SUCCESS;
}

static NTSTATUS run_connect(struct scfs_task *task)
{
    struct connect *connect = connect_of(task);
    struct scfs_reader *reader = task->reader;
    uint32_t protocol = 0;
    NTSTATUS status = scfs_sequence_connect(task, connect->call.protocols, &protocol);

    if (!NT_SUCCESS(status))
        return status;
    connect->call.protocol = protocol;
    connect->call.atr_len = scfs_session_atr(reader, connect->call.atr);
    pthread_mutex_lock(&reader->lock);
    status = connected_locked(connect);
    pthread_mutex_unlock(&reader->lock);
    return status;
}

static bool keep_connect(struct scfs_task *task)
{
    return (connect_of(task)->call.flags & SCARD_CONNECT_KEEP) != 0;
}

static int answer_connect(struct scfs_task *task, NTSTATUS status)
{
    struct connect *connect = connect_of(task);
    struct scard_connect failed = {.size = sizeof failed,
                                   .version = SCARD_IOC_VERSION,
                                   .share = connect->call.share,
                                   .protocols = connect->call.protocols,
                                   .timeout_ms = connect->call.timeout_ms,
                                   .flags = connect->call.flags,
                                   .status = status};

    if (task->park.req == NULL)
        return 0; /* kept */
    connect->call.status = NT_SUCCESS(status) ? status : connect->call.status;
    connect->heard = fuse_reply_ioctl(task->park.req, -smc_status_errno(status),
                                      NT_SUCCESS(status) ? &connect->call : &failed,
                                      sizeof failed) == 0;
    return 0;
}

/* Nobody can use the share mode that was asked for as long as this has not run. */
static void destroy_connect(struct scfs_task *task)
{
    struct connect *connect = connect_of(task);
    struct scfs_handle *handle = task->handle;

    pthread_mutex_lock(&handle->reader->lock);
    if (!connect->connected)
        give_back_locked(handle, connect->claim, handle->session.connected);
    else if (!connect->heard)
        give_back_locked(handle, connect->claim, connect->before);
    pthread_mutex_unlock(&handle->reader->lock);
    scfs_connection_tell(handle->reader);
    free(connect);
}

static void start_connect(fuse_req_t req, struct scfs_handle *handle,
                          const struct scard_connect *call, unsigned claim)
{
    static const struct scfs_task_ops ops = {.run = run_connect,
                                             .answer = answer_connect,
                                             .destroy = destroy_connect,
                                             .keep = keep_connect};
    struct connect *connect = calloc(1, sizeof *connect);

    if (connect == NULL) {
        pthread_mutex_lock(&handle->reader->lock);
        give_back_locked(handle, claim, handle->session.connected);
        pthread_mutex_unlock(&handle->reader->lock);
        fuse_reply_err(req, ENOMEM);
        return;
    }
    scfs_task_init(&connect->task, &ops, handle->reader, handle, req);
    connect->call = *call;
    connect->claim = claim;
    scfs_task_start(&connect->task, call->timeout_ms);
}

/* Nothing is sent: only the share mode is taken. */
static void answer_direct(fuse_req_t req, struct scfs_handle *handle,
                          struct scard_connect *call, NTSTATUS status)
{
    struct scfs_reader *reader = handle->reader;

    call->status = status;
    if (scfs_reader_enter(reader)) {
        call->atr_len = scfs_session_atr(reader, call->atr);
        scfs_reader_leave(reader);
    } else {
        call->status = STATUS_DEVICE_REMOVED;
    }
    pthread_mutex_lock(&reader->lock);
    call->resets = reader->card.resets;
    handle->session.connected = handle->session.share;
    handle->session.tells = false;
    scfs_session_bind_locked(handle);
    scfs_users_add_locked(handle);
    pthread_mutex_unlock(&reader->lock);
    scfs_connection_tell(reader);
    fuse_reply_ioctl(req, -smc_status_errno(call->status), call, sizeof *call);
}

/* There is no card to connect to, and a transaction to wait for, perhaps of a holder who
 * has yet to learn that his card has gone. */
static bool must_wait_for_nothing_locked(const struct scfs_handle *handle, uint32_t share)
{
    const struct scfs_reader *reader = handle->reader;

    return share != SCARD_SHARE_MODE_DIRECT && !reader->present &&
           reader->turn.holder != NULL && !scfs_transaction_mine_locked(handle);
}

void scfs_session_connect(fuse_req_t req, struct scfs_handle *handle, const void *in)
{
    const uint32_t known = SCFS_PROTOCOLS_ANY | SCARD_PROTOCOL_DEFAULT;
    const uint32_t flags = SCARD_CONNECT_TELL_RESETS | SCARD_CONNECT_KEEP;
    struct scfs_reader *reader = handle->reader;
    struct scard_connect call;
    NTSTATUS status;
    unsigned claim;
    bool conflict;

    memcpy(&call, in, sizeof call);
    if ((call.flags & ~flags) != 0 || call.share < SCARD_SHARE_MODE_EXCLUSIVE ||
        call.share > SCARD_SHARE_MODE_DIRECT || (call.protocols & ~known) != 0 ||
        (call.share != SCARD_SHARE_MODE_DIRECT &&
         (call.protocols & SCFS_PROTOCOLS_ANY) == 0)) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    call.protocol = call.resets = call.atr_len = 0;
    memset(call.atr, 0, sizeof call.atr);
    pthread_mutex_lock(&reader->lock);
    conflict = in_conflict_locked(handle, call.share);
    status = conflict ? STATUS_DEVICE_BUSY : scfs_session_refusal_locked(handle);
    if (NT_SUCCESS(status) && must_wait_for_nothing_locked(handle, call.share))
        status = STATUS_NO_MEDIA;
    if (NT_SUCCESS(status))
        scfs_connection_set_locked(handle, call.share);
    claim = handle->session.claim;
    pthread_mutex_unlock(&reader->lock);

    if (!NT_SUCCESS(status)) {
        call.status = status;
        fuse_reply_ioctl(req, -smc_status_errno(status), &call, sizeof call);
    } else if (call.share == SCARD_SHARE_MODE_DIRECT) {
        answer_direct(req, handle, &call, status);
    } else {
        start_connect(req, handle, &call, claim);
    }
}

/* ---- disconnect ------------------------------------------------------------------ *
 *
 * Who forgets his connection forgets what he has written: a command whose outcome nobody
 * can read any more is ended as by a close, or it would still be in line when the next
 * one is written, and one open file would have any number of them there.
 */

struct disconnect {
    struct scfs_task task;
    struct scard_disconnect call;
};

static void end_locked(struct scfs_handle *handle, const struct scard_disconnect *call)
{
    scfs_connection_set_locked(handle, 0);
    if ((call->flags & SCARD_DISCONNECT_FORGET) == 0)
        return;
    scfs_reply_clear(&handle->reply); /* as if it had just been opened */
    if (!scfs_transaction_mine_locked(handle))
        scfs_users_remove_locked(handle);
}

/* What is to be done without the lock then. */
static void ended(struct scfs_handle *handle, const struct scard_disconnect *call)
{
    scfs_exchange_wake(handle);
    if ((call->flags & SCARD_DISCONNECT_FORGET) != 0)
        scfs_task_end_unheard(handle->reader, handle);
}

static NTSTATUS run_disconnect(struct scfs_task *task)
{
    struct disconnect *disconnect = CONTAINING_RECORD(task, struct disconnect, task);
    struct scfs_reader *reader = task->reader;
    NTSTATUS status = STATUS_SUCCESS;
    bool alone;

    pthread_mutex_lock(&reader->lock);
    alone = reader->connections.count <= 1;
    pthread_mutex_unlock(&reader->lock);
    if (alone)
        status = scfs_session_dispose(task, disconnect->call.disposition);
    pthread_mutex_lock(&reader->lock);
    end_locked(task->handle, &disconnect->call);
    pthread_mutex_unlock(&reader->lock);
    ended(task->handle, &disconnect->call);
    scfs_connection_tell(reader);
    return status;
}

static int answer_disconnect(struct scfs_task *task, NTSTATUS status)
{
    struct scard_disconnect call = CONTAINING_RECORD(task, struct disconnect, task)->call;

    call.status = status;
    return fuse_reply_ioctl(task->park.req, -smc_status_errno(status), &call,
                            sizeof call);
}

static void destroy_disconnect(struct scfs_task *task)
{
    free(CONTAINING_RECORD(task, struct disconnect, task));
}

static void start_disconnect(fuse_req_t req, struct scfs_handle *handle,
                             const struct scard_disconnect *call)
{
    static const struct scfs_task_ops ops = {.run = run_disconnect,
                                             .answer = answer_disconnect,
                                             .destroy = destroy_disconnect,
                                             .ends = true};
    struct disconnect *disconnect = calloc(1, sizeof *disconnect);

    if (disconnect == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    scfs_task_init(&disconnect->task, &ops, handle->reader, handle, req);
    disconnect->call = *call;
    scfs_task_start(&disconnect->task, SCARD_TIMEOUT_INFINITE);
}

void scfs_session_disconnect(fuse_req_t req, struct scfs_handle *handle, const void *in)
{
    struct scfs_reader *reader = handle->reader;
    struct scard_disconnect call;
    bool connected, now;

    memcpy(&call, in, sizeof call);
    if (call.disposition > SCARD_DISPOSITION_EJECT ||
        (call.flags & ~(uint32_t)SCARD_DISCONNECT_FORGET) != 0) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    pthread_mutex_lock(&reader->lock);
    connected = handle->session.share != 0;
    now = scfs_session_lost_locked(handle) || reader->connections.count > 1 ||
          call.disposition == SCARD_DISPOSITION_LEAVE;
    if (connected && now)
        end_locked(handle, &call);
    pthread_mutex_unlock(&reader->lock);
    if (connected && now)
        ended(handle, &call);
    scfs_connection_tell(reader);
    if (!connected) {
        fuse_reply_err(req, EPERM);
    } else if (now) {
        call.status = STATUS_SUCCESS;
        fuse_reply_ioctl(req, 0, &call, sizeof call);
    } else {
        start_disconnect(req, handle, &call);
    }
}
