/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.c - a card-touching ioctl as a task: one allocation with the task, the header and
 * the data. The data are the request's while it runs; a call that is given up early is
 * answered with its header alone, one that outlives its client's patience by the next
 * read (SCARD_CALL_KEEP).
 */
#include "fs/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/exchange.h"

struct call {
    struct scfs_task task;
    ULONG information;
    unsigned serial;        /* of the handle's reply, once it is kept */
    size_t room;            /* bytes of data */
    struct scard_call call; /* with the data behind it */
};

static struct call *call_of(struct scfs_task *task)
{
    return CONTAINING_RECORD(task, struct call, task);
}

static NTSTATUS run(struct scfs_task *task)
{
    struct call *call = call_of(task);
    NTSTATUS status =
        scfs_task_send(task, call->call.code, call->call.data, call->call.in_len,
                       call->call.out_len, &call->information);

    if (call->call.code == IOCTL_SMARTCARD_POWER) {
        pthread_mutex_lock(task->handle->lock);
        scfs_session_knows_resets_locked(task->handle);
        pthread_mutex_unlock(task->handle->lock);
    }
    return status;
}

/* SCARD_CALL_KEEP: the place of the handle for what a written command has come to is
 * taken, unless one is in it. */
static bool keep(struct scfs_task *task)
{
    struct call *call = call_of(task);

    return (call->call.flags & SCARD_CALL_KEEP) != 0 &&
           scfs_reply_ask(&task->handle->reply, &call->serial) == 0;
}

/* Nobody waits for the answer of the ioctl any more: it is the next read's. */
static void answer_read(struct call *call, NTSTATUS status)
{
    struct scfs_handle *handle = call->task.handle;
    const size_t header = call->call.code == IOCTL_SMARTCARD_TRANSMIT &&
                                  call->information >= sizeof(SCARD_IO_REQUEST)
                              ? sizeof(SCARD_IO_REQUEST)
                              : 0;
    const size_t len = NT_SUCCESS(status) ? call->information - header : 0;
    int error = smc_status_errno(status);
    uint8_t *bytes = error == 0 ? malloc(len + 1) : NULL;

    if (bytes != NULL)
        memcpy(bytes, call->call.data + header, len);
    else if (error == 0)
        error = ENOMEM;
    pthread_mutex_lock(handle->lock);
    if (scfs_reply_end(&handle->reply, call->serial, error, bytes, 0, len))
        bytes = NULL;
    pthread_mutex_unlock(handle->lock);
    if (bytes != NULL) {
        RtlSecureZeroMemory(bytes, len);
        free(bytes);
    }
    scfs_exchange_wake(handle);
}

static int answer(struct scfs_task *task, NTSTATUS status)
{
    struct call *call = call_of(task);
    struct scard_call header = call->call;

    if (task->park.req == NULL)
        answer_read(call, status);
    else if (NT_SUCCESS(status))
        scfs_control_answer(task->park.req, &call->call, status, call->information);
    else
        scfs_control_answer(task->park.req, &header, status, 0);
    return 0;
}

static void destroy(struct scfs_task *task)
{
    struct call *call = call_of(task);

    RtlSecureZeroMemory(call->call.data, call->room); /* it may have been a PIN */
    free(call);
}

/* What asks the driver and leaves the card alone. */
static bool is_quiet(uint32_t code)
{
    switch (code) {
    case IOCTL_SMARTCARD_GET_ATTRIBUTE:
    case IOCTL_SMARTCARD_SET_ATTRIBUTE:
    case IOCTL_SMARTCARD_GET_PERF_CNTR:
    case IOCTL_SMARTCARD_GET_FEATURE_REQUEST:
    case SCFS_IOCTL_SMARTCARD_SET_DEBUG_LEVEL:
        return true;
    default:
        return false;
    }
}

void scfs_call_start(fuse_req_t req, struct scfs_handle *handle,
                     const struct scard_call *header, uint8_t *input)
{
    static const struct scfs_task_ops ops = {
        .run = run, .answer = answer, .destroy = destroy, .keep = keep};
    size_t room = header->in_len > header->out_len ? header->in_len : header->out_len;
    struct call *call = malloc(sizeof *call + room);

    if (call == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    scfs_task_init(&call->task, &ops, handle->reader, handle, req);
    call->task.quiet = is_quiet(header->code);
    call->task.minds_resets = !call->task.quiet && header->code != IOCTL_SMARTCARD_POWER;
    call->information = 0;
    call->room = room;
    call->call = *header;
    memcpy(call->call.data, input, header->in_len);
    RtlSecureZeroMemory(input, header->in_len); /* before it runs, perhaps for long */
    memset(call->call.data + header->in_len, 0, room - header->in_len);
    scfs_task_start(&call->task, header->timeout_ms);
}
