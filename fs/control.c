/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - the ioctl envelope of `control` (scard_ioctl.h): what is refused, what the
 * library answers alone, what waits, and what goes to the card.
 */
#include "fs/session.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* The rules of struct scard_call; the kernel has copied exactly _IOC_SIZE bytes. */
static bool well_formed(const struct scard_call *call, unsigned cmd, size_t in_size)
{
    size_t room;

    if (call->size != _IOC_SIZE(cmd) || call->size != in_size ||
        call->version != SCARD_IOC_VERSION ||
        (call->flags & ~(uint32_t)SCARD_CALL_KEEP) != 0)
        return false;
    room = call->size - SCARD_CALL_HEADER_SIZE;
    return call->in_len <= room && call->out_len <= room;
}

void scfs_control_answer(fuse_req_t req, struct scard_call *call, NTSTATUS status,
                         ULONG information)
{
    size_t len = SCARD_CALL_HEADER_SIZE;

    call->status = status;
    call->out_len = NT_SUCCESS(status) ? information : 0;
    /* A negative result and the bytes both reach the client. */
    fuse_reply_ioctl(req, -smc_status_errno(status), call, len + call->out_len);
}

/* GET_STATE and the like: under the library's spin lock, in this thread, at any time. */
static void answer_now(fuse_req_t req, struct scfs_handle *handle,
                       const struct scard_call *header, const uint8_t *input)
{
    struct scfs_reader *reader = handle->reader;
    union {
        struct scard_call call;
        uint8_t bytes[SCARD_CALL_SIZE_MAX];
    } u;
    ULONG information = 0;
    NTSTATUS status = STATUS_DEVICE_REMOVED;

    u.call = *header;
    memcpy(u.call.data, input, header->in_len);
    if (scfs_reader_enter(reader)) {
        status = smc_irp_ioctl(reader->device, &reader->file, header->code, u.call.data,
                               header->in_len, header->out_len, &information);
        scfs_reader_leave(reader);
    }
    if (information > header->out_len)
        information = header->out_len;
    if (NT_SUCCESS(status) && header->code == IOCTL_SMARTCARD_GET_STATE &&
        information == sizeof(uint32_t)) {
        uint32_t state;

        memcpy(&state, u.call.data, sizeof state);
        pthread_mutex_lock(handle->lock);
        scfs_poll_seen_locked(handle, state, false);
        pthread_mutex_unlock(handle->lock);
    }
    scfs_control_answer(req, &u.call, status, information);
}

/* The tag a request names; one that nobody has when it is too short for one. */
static uint32_t tag_of(const struct scard_call *header, const uint8_t *input)
{
    uint32_t tag = 0;

    if (header->in_len >= sizeof tag)
        memcpy(&tag, input, sizeof tag);
    return tag;
}

/* ---- session calls --------------------------------------------------------------- */

struct session_call {
    unsigned cmd;
    bool touches;
    uint8_t status_at;
    uint8_t reserved_at, reserved; /* bytes that must be zero */
    void (*serve)(fuse_req_t req, struct scfs_handle *handle, const void *in);
};

#define FIELDS(type)                                                                     \
    offsetof(struct type, status), offsetof(struct type, reserved),                      \
        sizeof((struct type *)NULL)->reserved

static const struct session_call session_calls[] = {
    {SCARD_IOC_CONNECT, true, FIELDS(scard_connect), scfs_session_connect},
    {SCARD_IOC_DISCONNECT, true, FIELDS(scard_disconnect), scfs_session_disconnect},
    {SCARD_IOC_BEGIN, true, FIELDS(scard_begin), scfs_transaction_begin},
    {SCARD_IOC_END, true, FIELDS(scard_end), scfs_transaction_end},
    {SCARD_IOC_REPLY_SIZE, true, FIELDS(scard_reply_size), scfs_session_reply_size},
    {SCARD_IOC_INFO, false, FIELDS(scard_info), scfs_session_info},
};

static bool all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static bool is_gone(struct scfs_handle *handle)
{
    bool gone;

    pthread_mutex_lock(handle->lock);
    gone = handle->reader->gone;
    pthread_mutex_unlock(handle->lock);
    return gone;
}

static void answer_removed(fuse_req_t req, const struct session_call *call,
                           const void *in, size_t in_size)
{
    const int32_t status = STATUS_DEVICE_REMOVED;
    uint8_t out[sizeof(struct scard_info)]; /* the longest of them */

    memcpy(out, in, in_size);
    memcpy(out + call->status_at, &status, sizeof status);
    fuse_reply_ioctl(req, -smc_status_errno(status), out, in_size);
}

static void serve_session(fuse_req_t req, struct scfs_handle *handle,
                          const struct session_call *call, const void *in, size_t in_size)
{
    uint32_t head[2] = {0};

    if (in != NULL && in_size >= sizeof head)
        memcpy(head, in, sizeof head);
    if (in_size != _IOC_SIZE(call->cmd) || head[0] != in_size ||
        head[1] != SCARD_IOC_VERSION ||
        !all_zero((const uint8_t *)in + call->reserved_at, call->reserved))
        fuse_reply_err(req, EINVAL);
    else if (is_gone(handle))
        answer_removed(req, call, in, in_size);
    else if (call->touches && !handle->may_touch)
        fuse_reply_err(req, EBADF);
    else
        call->serve(req, handle, in);
}

/* ---- all of them ----------------------------------------------------------------- */

/* There is nothing to it; only a reader has to be there. */
static void answer_simply(fuse_req_t req, struct scfs_handle *handle,
                          struct scard_call *header)
{
    scfs_control_answer(req, header,
                        is_gone(handle) ? STATUS_DEVICE_REMOVED : STATUS_SUCCESS, 0);
}

/* A control code of smclib. */
static void serve_call(fuse_req_t req, struct scfs_handle *handle, unsigned cmd,
                       uint8_t *in, size_t in_size)
{
    struct scard_call header;
    uint8_t *input;

    if (_IOC_TYPE(cmd) != SCARD_IOC_MAGIC || _IOC_NR(cmd) != 1 ||
        _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE)) {
        fuse_reply_err(req, ENOTTY);
        return;
    }
    if (in == NULL || in_size < sizeof header) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    memcpy(&header, in, sizeof header);
    input = in + sizeof header;
    if (!well_formed(&header, cmd, in_size)) {
        fuse_reply_err(req, EINVAL);
        return;
    }

    switch (header.code) {
    case IOCTL_SMARTCARD_GET_STATE:
    case IOCTL_SMARTCARD_GET_LAST_ERROR:
        answer_now(req, handle, &header, input);
        return;
    case IOCTL_SMARTCARD_GET_ATTRIBUTE:
        /* Those of the vendor's class are offered to the driver, which may block. */
        if (tag_of(&header, input) >> 16 != SCARD_CLASS_VENDOR_DEFINED) {
            answer_now(req, handle, &header, input);
            return;
        }
        break;
    case IOCTL_SMARTCARD_IS_PRESENT:
    case IOCTL_SMARTCARD_IS_ABSENT:
        scfs_wait_call(req, handle, &header);
        return;
    case SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING:
        scfs_wait_cancel(handle);
        answer_simply(req, handle, &header);
        return;
    case SCFS_IOCTL_SMARTCARD_RESET_EVENTS: /* no stale events can exist here */
        answer_simply(req, handle, &header);
        return;
    case IOCTL_SMARTCARD_SET_ATTRIBUTE:
        if (handle->may_touch && tag_of(&header, input) == SCARD_ATTR_DEVICE_IN_USE) {
            answer_now(req, handle, &header, input);
            return;
        }
        break;
    default:
        break;
    }
    if (!handle->may_touch) {
        fuse_reply_err(req, EBADF);
        return;
    }
    /* What it switches on goes for all readers, and into the log of all. */
    if (header.code == SCFS_IOCTL_SMARTCARD_SET_DEBUG_LEVEL && handle->uid != 0) {
        fuse_reply_err(req, EPERM);
        return;
    }
    scfs_call_start(req, handle, &header, input);
}

void scfs_control_ioctl(fuse_req_t req, struct scfs_handle *handle, unsigned cmd,
                        void *in, size_t in_size)
{
    for (size_t i = 0; i < sizeof session_calls / sizeof session_calls[0]; i++) {
        if (session_calls[i].cmd == cmd) {
            serve_session(req, handle, &session_calls[i], in, in_size);
            return;
        }
    }
    serve_call(req, handle, cmd, in, in_size);
    if (in != NULL)
        RtlSecureZeroMemory(in, in_size);
}
