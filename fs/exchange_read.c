/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exchange_read.c - reads of `control` and `transmit`: what the command that was written
 * before has come to.
 *
 * While it runs, reads are parked in the handle, first come first served. `control` gives
 * the answer whole or, if the buffer is too small, not at all; `transmit` gives its line
 * in parts of any size and then the end of the file. What is delivered is marked before
 * the answer, under the handle's lock, and put back when the answer is not accepted; a
 * read that is interrupted has taken nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/exchange.h"
#include "fs/hexline.h"
#include "fs/session.h"

struct reading {
    LIST_ENTRY link; /* in scfs_handle.reads */
    struct scfs_park park;
    struct scfs_handle *handle;
    size_t size;
    bool counted; /* among the waits of its user */
};

/* What a read gets. */
struct part {
    int error;
    uint8_t *bytes;
    size_t skip, len; /* skip: they begin there */
    unsigned serial;
    bool taken; /* from the reply, to which it goes back if it is not delivered */
    bool whole; /* bytes were the reply's own */
};

static bool is_text(const struct scfs_handle *handle)
{
    return handle->kind == SCFS_TRANSMIT;
}

static size_t all_of(const struct scfs_handle *handle)
{
    return is_text(handle) ? SCFS_HEXLINE_LEN(handle->reply.len) : handle->reply.len;
}

static struct part failed(int error)
{
    return (struct part){.error = error};
}

/* EAGAIN: it is not there yet. */
static struct part take_locked(struct scfs_handle *handle, size_t size)
{
    struct scfs_reply *reply = &handle->reply;
    struct part part = {.serial = reply->serial, .taken = true};
    size_t all = all_of(handle);

    if (handle->reader->gone)
        return failed(ENODEV);
    if (scfs_session_lost_locked(handle))
        return failed(ENXIO);
    if (reply->state == SCFS_REPLY_RUNNING)
        return failed(EAGAIN);
    if (reply->state == SCFS_REPLY_NONE)
        return failed(is_text(handle) ? 0 : ENODATA);
    part.error = scfs_reply_take_error(reply);
    if (part.error != 0)
        return part;
    if (!is_text(handle) && size < all)
        return failed(EMSGSIZE);
    if (!is_text(handle)) {
        part.skip = reply->skip;
        part.len = all;
        part.bytes = scfs_reply_hand_out(reply); /* a long one is not copied */
        part.whole = true;
        return part;
    }
    part.len = size < all - reply->pos ? size : all - reply->pos;
    part.bytes = malloc(part.len);
    if (part.bytes == NULL)
        return failed(ENOMEM);
    scfs_hexline_write((char *)part.bytes, part.len, reply->pos,
                       reply->bytes + reply->skip, reply->len);
    scfs_reply_take(reply, part.len, all);
    return part;
}

/* The caller has a reference of its own: once it is answered, the client may close. */
static void deliver(fuse_req_t req, struct scfs_handle *handle, struct part *part)
{
    const uint8_t *bytes = part->bytes != NULL ? part->bytes + part->skip : NULL;
    int gone = part->error != 0 ? fuse_reply_err(req, part->error)
                                : fuse_reply_buf(req, (const char *)bytes, part->len);

    if (part->taken) {
        pthread_mutex_lock(handle->lock);
        if (gone != 0 && part->whole) {
            if (scfs_reply_hand_back(&handle->reply, part->serial, part->bytes))
                part->bytes = NULL;
        } else if (gone != 0) {
            scfs_reply_put_back(&handle->reply, part->serial, part->error, part->len);
        } else {
            scfs_reply_delivered(&handle->reply, part->serial);
        }
        pthread_mutex_unlock(handle->lock);
        scfs_poll_wake_handle(handle); /* a write may be taken again */
    }
    if (part->bytes != NULL)
        RtlSecureZeroMemory(part->bytes + part->skip, part->len);
    free(part->bytes);
}

/* ---- waiting --------------------------------------------------------------------- */

static void finish(struct reading *reading, struct part *part)
{
    struct scfs_handle *handle = reading->handle;

    if (reading->counted)
        scfs_quota_give(&handle->fs->quota, handle->uid, SCFS_QUOTA_WAITS);
    deliver(reading->park.req, handle, part);
    scfs_handle_put(handle);
    free(reading);
}

static bool withdraw(struct scfs_park *park, int error)
{
    (void)error;
    RemoveEntryList(&CONTAINING_RECORD(park, struct reading, park)->link);
    return true;
}

static void give_up(struct scfs_park *park, int error)
{
    struct part part = failed(error);

    finish(CONTAINING_RECORD(park, struct reading, park), &part);
}

static void park(fuse_req_t req, struct scfs_handle *handle, size_t size)
{
    struct reading *reading = calloc(1, sizeof *reading);
    struct part part;

    if (reading == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    reading->park.withdraw = withdraw;
    reading->park.give_up = give_up;
    reading->handle = scfs_handle_get(handle);
    reading->size = size;
    scfs_park_prepare(&reading->park, req, handle->lock);
    pthread_mutex_lock(handle->lock);
    part = take_locked(handle, size); /* it may have come by now */
    if (!part.taken && part.error == EAGAIN) {
        reading->counted =
            scfs_quota_take(&handle->fs->quota, handle->uid, SCFS_QUOTA_WAITS);
        if (!reading->counted) {
            part.error = EDQUOT;
        } else if (scfs_park_wait_locked(&reading->park)) {
            InsertTailList(&handle->reads, &reading->link);
            pthread_mutex_unlock(handle->lock);
            return;
        } else {
            part.error = EINTR;
        }
    }
    pthread_mutex_unlock(handle->lock);
    scfs_park_settle(&reading->park);
    finish(reading, &part);
}

/* ---- entries --------------------------------------------------------------------- */

void scfs_exchange_read(fuse_req_t req, struct scfs_handle *handle, size_t size,
                        bool nonblock)
{
    struct part part;

    pthread_mutex_lock(handle->lock);
    part = take_locked(handle, size);
    pthread_mutex_unlock(handle->lock);
    if (!part.taken && part.error == EAGAIN && !nonblock) {
        park(req, handle, size);
        return;
    }
    scfs_handle_get(handle);
    deliver(req, handle, &part);
    scfs_handle_put(handle);
}

/* The first one that waits, taken, with its part; NULL when there is none. */
static struct reading *next_locked(struct scfs_handle *handle, struct part *part)
{
    for (LIST_ENTRY *i = handle->reads.Flink; i != &handle->reads; i = i->Flink) {
        struct reading *reading = CONTAINING_RECORD(i, struct reading, link);

        *part = take_locked(handle, reading->size);
        if (!part->taken && part->error == EAGAIN)
            return NULL;
        /* Nobody else can have it: it is waiting, for the lock is ours and it is listed.
         */
        scfs_park_take_locked(&reading->park);
        RemoveEntryList(&reading->link);
        return reading;
    }
    return NULL;
}

void scfs_exchange_wake(struct scfs_handle *handle)
{
    struct reading *reading;
    struct part part;

    pthread_mutex_lock(handle->lock);
    while ((reading = next_locked(handle, &part)) != NULL) {
        pthread_mutex_unlock(handle->lock);
        scfs_park_settle(&reading->park);
        finish(reading, &part);
        pthread_mutex_lock(handle->lock);
    }
    pthread_mutex_unlock(handle->lock);
    scfs_poll_wake_handle(handle);
}

size_t scfs_exchange_reply_size(struct scfs_handle *handle)
{
    size_t size = 0;

    pthread_mutex_lock(handle->lock);
    if (handle->reply.state == SCFS_REPLY_READY && handle->reply.error == 0)
        size = all_of(handle) - handle->reply.pos;
    pthread_mutex_unlock(handle->lock);
    return size;
}
