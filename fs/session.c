/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.c - what a handle may do to the card, its end, and what can be asked.
 *
 * THEORY. While a connection is exclusive (connection.c), other handles may not touch the
 * card, except the holder of a transaction that was there before.
 *
 * A connection or a transaction is about one card, the first that was in while it was
 * there. When that card has gone, the handle is lost: ENXIO until it says by DISCONNECT
 * or END that it knows. A connection that asked for it is told of a reset, unless
 * it was its own POWER, in the same way: ECONNRESET for what would touch the card, until
 * CONNECT.
 */
#include "fs/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/exchange.h"
#include "fs/sequence.h"

#define SNAPSHOT_TRIES 4

/* ---- what a handle may do -------------------------------------------------------- */

bool scfs_session_lost_locked(const struct scfs_handle *handle)
{
    return handle->session.card != 0 &&
           handle->session.card != scfs_users_card_locked(handle->reader);
}

bool scfs_session_was_reset_locked(const struct scfs_handle *handle)
{
    return handle->session.tells && handle->session.resets != handle->reader->card.resets;
}

void scfs_session_knows_resets_locked(struct scfs_handle *handle)
{
    handle->session.resets = handle->reader->card.resets;
}

NTSTATUS scfs_session_refusal_locked(struct scfs_handle *handle)
{
    const struct scfs_handle *exclusive = handle->reader->connections.exclusive;

    if (handle->session.taken) {
        handle->session.taken = false;
        return STATUS_CANCELLED;
    }
    if (scfs_session_lost_locked(handle))
        return STATUS_DEVICE_NOT_CONNECTED;
    if (exclusive != NULL && exclusive != handle && !scfs_transaction_mine_locked(handle))
        return STATUS_DEVICE_BUSY;
    return STATUS_SUCCESS;
}

void scfs_session_bind_locked(struct scfs_handle *handle)
{
    if (handle->session.card == 0 &&
        (handle->session.share != 0 || scfs_transaction_mine_locked(handle)))
        handle->session.card = scfs_users_card_locked(handle->reader);
}

void scfs_session_unbind_locked(struct scfs_handle *handle)
{
    if (handle->session.share == 0 && !scfs_transaction_mine_locked(handle))
        handle->session.card = 0;
}

NTSTATUS scfs_session_dispose(struct scfs_task *task, uint32_t disposition)
{
    NTSTATUS status = scfs_sequence_dispose(task, disposition);

    /* It may go at any time: nothing is sent to another card (scfs_task_send). */
    pthread_mutex_lock(&task->reader->lock);
    if (scfs_session_lost_locked(task->handle))
        status = STATUS_SUCCESS;
    if (!NT_SUCCESS(status)) /* what was asked for is still owed */
        task->reader->card.reset_owed = task->reader->present;
    pthread_mutex_unlock(&task->reader->lock);
    return status;
}

/* ---- the end of a handle --------------------------------------------------------- */

void scfs_session_release(struct scfs_handle *handle)
{
    struct scfs_reader *reader = handle->reader;
    bool held;

    scfs_task_end_all(reader, handle);
    pthread_mutex_lock(&reader->lock);
    held = scfs_transaction_release_locked(handle);
    scfs_connection_set_locked(handle, 0);
    scfs_users_remove_locked(handle);
    if (held)
        reader->card.reset_owed = reader->present;
    pthread_mutex_unlock(&reader->lock);
    scfs_connection_tell(reader);
    if (held)
        scfs_users_reset(reader);
    scfs_task_advance(reader, true);
}

/* ---- what can be asked ----------------------------------------------------------- */

/* The reader's record of the card's ATR. */
uint32_t scfs_session_atr(struct scfs_reader *reader, uint8_t atr[SCARD_ATR_ROOM])
{
    ULONG tag = SCARD_ATTR_ATR_STRING, len = 0;
    uint8_t value[SCARD_ATR_ROOM];

    memcpy(value, &tag, sizeof tag);
    if (!NT_SUCCESS(smc_irp_ioctl(reader->device, &reader->file,
                                  IOCTL_SMARTCARD_GET_ATTRIBUTE, value, sizeof tag,
                                  sizeof value, &len)) ||
        len > sizeof value)
        return 0;
    memcpy(atr, value, len);
    return len;
}

static struct scfs_handle *holder_locked(const struct scfs_reader *reader)
{
    return reader->turn.holder == NULL
               ? NULL
               : CONTAINING_RECORD(reader->turn.holder, struct scfs_handle, turn);
}

int scfs_session_owner_text(struct scfs_reader *reader, char *out, size_t size)
{
    const struct scfs_handle *holder;
    int len;

    pthread_mutex_lock(&reader->lock);
    holder = holder_locked(reader);
    if (holder == NULL)
        len = snprintf(out, size, "none\n");
    else
        len = snprintf(out, size, "%d %u %s %u\n", (int)holder->session.pid, holder->uid,
                       holder->session.label[0] != '\0' ? holder->session.label : "-",
                       reader->turn.waiting);
    pthread_mutex_unlock(&reader->lock);
    return len;
}

static uint32_t ask(struct scfs_reader *reader, ULONG code, ULONG tag)
{
    ULONG value = tag, len = 0;
    NTSTATUS status = smc_irp_ioctl(
        reader->device, &reader->file, code, &value,
        code == IOCTL_SMARTCARD_GET_ATTRIBUTE ? sizeof tag : 0, sizeof value, &len);

    return NT_SUCCESS(status) && len == sizeof value ? value : 0;
}

void scfs_session_reply_size(fuse_req_t req, struct scfs_handle *handle, const void *in)
{
    struct scard_reply_size call;

    memcpy(&call, in, sizeof call);
    call.bytes = (uint32_t)scfs_exchange_reply_size(handle);
    call.status = STATUS_SUCCESS;
    fuse_reply_ioctl(req, 0, &call, sizeof call);
}

/* What the library knows, without a lock: drivers are called without one. */
static void ask_library(struct scfs_reader *reader, struct scard_info *info)
{
    info->state = scfs_reader_state(reader);
    info->last_status = (int32_t)ask(reader, IOCTL_SMARTCARD_GET_LAST_ERROR, 0);
    info->protocol =
        ask(reader, IOCTL_SMARTCARD_GET_ATTRIBUTE, SCARD_ATTR_CURRENT_PROTOCOL_TYPE);
    memset(info->atr, 0, sizeof info->atr);
    info->atr_len = scfs_session_atr(reader, info->atr);
}

/* The last reset says that the card does not answer, or not sensibly. */
static bool is_mute_locked(const struct scfs_reader *reader)
{
    switch (reader->reset_status) {
    case STATUS_IO_TIMEOUT:
    case STATUS_UNRECOGNIZED_MEDIA:
    case STATUS_DEVICE_PROTOCOL_ERROR:
    case STATUS_IO_DEVICE_ERROR:
        return reader->present;
    default:
        return false;
    }
}

static uint32_t flags_locked(const struct scfs_handle *handle)
{
    const struct scfs_reader *reader = handle->reader;

    return (reader->connections.exclusive != NULL ? SCARD_INFO_EXCLUSIVE : 0) |
           (scfs_session_lost_locked(handle) ? SCARD_INFO_LOST : 0) |
           (scfs_session_was_reset_locked(handle) ? SCARD_INFO_RESET : 0) |
           (reader->present ? SCARD_INFO_PRESENT : 0) |
           (scfs_powerup_is_arriving_locked(reader) ? SCARD_INFO_RESETTING : 0) |
           (is_mute_locked(reader) ? SCARD_INFO_MUTE : 0);
}

static void fill_locked(struct scard_info *info, struct scfs_handle *handle, bool settled)
{
    const struct scfs_reader *reader = handle->reader;
    const struct scfs_handle *holder = holder_locked(reader);

    info->share = handle->session.share;
    info->users = reader->card.users;
    info->waiting = reader->turn.waiting;
    info->owner_pid = info->owner_uid = UINT32_MAX;
    if (holder != NULL) {
        info->owner_pid = (uint32_t)holder->session.pid;
        info->owner_uid = holder->uid;
        memcpy(info->owner_label, holder->session.label, sizeof info->owner_label);
    }
    info->counter = reader->counter;
    info->connections = reader->connections.count;
    info->flags = flags_locked(handle);
    scfs_poll_seen_locked(handle, info->state, true);
    handle->seen.settled = settled;
}

void scfs_session_info(fuse_req_t req, struct scfs_handle *handle, const void *in)
{
    struct scfs_reader *reader = handle->reader;
    struct scard_info info = {.size = sizeof info,
                              .version = SCARD_IOC_VERSION,
                              .apdu_max = SCARD_APDU_MAX,
                              .reply_max = SCARD_REPLY_MAX};
    struct scard_info call;
    bool same = false, settled;

    memcpy(&call, in, sizeof call);
    settled = (call.flags & SCARD_INFO_SETTLED) != 0;
    if (!scfs_reader_enter(reader)) {
        info.status = STATUS_DEVICE_REMOVED;
        fuse_reply_ioctl(req, -ENODEV, &info, sizeof info);
        return;
    }
    /* A snapshot of two records: asked again when the card has changed in between. */
    for (int i = 0; i < SNAPSHOT_TRIES && !same; i++) {
        pthread_mutex_lock(&reader->lock);
        info.counter = reader->counter;
        info.resets = reader->card.resets;
        pthread_mutex_unlock(&reader->lock);
        ask_library(reader, &info);
        pthread_mutex_lock(&reader->lock);
        same = info.counter == reader->counter && info.resets == reader->card.resets;
        fill_locked(&info, handle, settled);
        if (!same)
            handle->seen.counter--; /* has to ask again */
        pthread_mutex_unlock(&reader->lock);
    }
    scfs_reader_leave(reader);
    fuse_reply_ioctl(req, 0, &info, sizeof info);
}
