/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait.c - requests that wait for something to become true: reads of the files in events,
 * `changes` and `atr`, and the ioctls IS_PRESENT and IS_ABSENT.
 *
 * An event is marked as delivered before the answer, under the handle's lock, and put
 * back when the answer is not accepted: a second read that overtakes cannot get it twice,
 * and an interrupted one cannot lose it.
 */
#include "fs/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum wait_kind { WAIT_LINE, WAIT_ATR, WAIT_TRACE, WAIT_CALL };

struct wait {
    LIST_ENTRY link; /* of the reader or the registry */
    struct scfs_park park;
    enum wait_kind kind;
    bool counted; /* among those of its user */
    struct scfs_handle *handle;
    bool for_present; /* WAIT_CALL */
    size_t size;      /* of the read */
    off_t off;
    char line[SCFS_LINE_MAX]; /* taken from the handle */
    size_t line_len;
    struct scard_call header;
};

static struct wait *wait_of(LIST_ENTRY *link)
{
    return CONTAINING_RECORD(link, struct wait, link);
}

static LIST_ENTRY *list_of(const struct scfs_handle *handle)
{
    return handle->reader != NULL ? &handle->reader->waits : &handle->fs->waits;
}

/* ---- lines ----------------------------------------------------------------------- */

bool scfs_wait_ready_locked(const struct scfs_handle *handle)
{
    if (handle->line_pos < handle->line_len)
        return true;
    switch (handle->kind) {
    case SCFS_EVENTS_PRESENT:
        return handle->delivered || handle->reader->present;
    case SCFS_EVENTS_ABSENT:
        return handle->delivered || !handle->reader->present;
    case SCFS_EVENTS_CHANGES:
        return !handle->delivered ||
               handle->seen_changes != handle->reader->noted.changes;
    case SCFS_CHANGES:
        return !handle->delivered || handle->seen_changes != handle->fs->changes;
    case SCFS_TRACE:
        return scfs_trace_ready_locked(handle);
    default:
        return true;
    }
}

static bool is_stream(const struct scfs_handle *handle)
{
    return handle->kind == SCFS_CHANGES || handle->kind == SCFS_EVENTS_CHANGES;
}

static size_t next_line_locked(struct scfs_handle *handle)
{
    const struct scfs_reader *reader = handle->reader;
    uint32_t counter;

    switch (handle->kind) {
    case SCFS_EVENTS_CHANGES:
        handle->seen_changes = reader->noted.changes;
        return (size_t)snprintf(handle->line, sizeof handle->line, "%u %s\n",
                                reader->noted.changes,
                                scfs_text_state(reader->noted.state));
    case SCFS_CHANGES:
        counter = handle->seen_changes = handle->fs->changes;
        break;
    default:
        counter = reader->counter;
        break;
    }
    return (size_t)snprintf(handle->line, sizeof handle->line, "%u\n", counter);
}

/* Takes up to size bytes of the line that is due; 0 is the end of the file. */
static size_t take_line_locked(struct scfs_handle *handle, char *out, size_t size)
{
    size_t len;

    if (handle->line_pos == handle->line_len) {
        if (handle->delivered && !is_stream(handle))
            return 0;
        handle->delivered = true;
        handle->line_pos = 0;
        handle->line_len = next_line_locked(handle);
    }
    len = handle->line_len - handle->line_pos;
    if (len > size)
        len = size;
    memcpy(out, handle->line + handle->line_pos, len);
    handle->line_pos += len;
    return len;
}

static void put_line_back(struct scfs_handle *handle, size_t len)
{
    pthread_mutex_lock(handle->lock);
    if (handle->line_pos >= len)
        handle->line_pos -= len;
    pthread_mutex_unlock(handle->lock);
}

/* ---- one wait -------------------------------------------------------------------- */

static void answer(struct wait *wait, int error)
{
    fuse_req_t req = wait->park.req;

    if (wait->counted)
        scfs_quota_give(&wait->handle->fs->quota, wait->handle->uid, SCFS_QUOTA_WAITS);
    if (wait->kind == WAIT_CALL && error != EINTR && error != EDQUOT) {
        NTSTATUS status = error == 0           ? STATUS_SUCCESS
                          : error == ETIMEDOUT ? STATUS_IO_TIMEOUT
                          : error == ENODEV    ? STATUS_DEVICE_REMOVED
                          : error == EIO       ? STATUS_IO_DEVICE_ERROR
                                               : STATUS_CANCELLED;

        scfs_control_answer(req, &wait->header, status, 0);
    } else if (error != 0) {
        fuse_reply_err(req, error);
    } else if (wait->kind == WAIT_ATR) {
        scfs_wait_atr(req, wait->handle, wait->size, wait->off, false);
    } else if (wait->kind == WAIT_TRACE) {
        scfs_wait_trace(req, wait->handle, wait->size, false);
    } else if (fuse_reply_buf(req, wait->line, wait->line_len) != 0) {
        put_line_back(wait->handle, wait->line_len);
    }
    scfs_handle_put(wait->handle);
    free(wait);
}

static bool withdraw(struct scfs_park *park, int error)
{
    (void)error;
    RemoveEntryList(&CONTAINING_RECORD(park, struct wait, park)->link);
    return true;
}

static void give_up(struct scfs_park *park, int error)
{
    answer(CONTAINING_RECORD(park, struct wait, park), error);
}

static bool due_locked(const struct wait *wait)
{
    switch (wait->kind) {
    case WAIT_LINE:
    case WAIT_TRACE:
        return scfs_wait_ready_locked(wait->handle);
    case WAIT_ATR:
        return wait->handle->reader->resetting == 0;
    case WAIT_CALL:
        return wait->handle->reader->present == wait->for_present;
    }
    return true;
}

/* What belongs to the moment at which it became due. */
static void collect_locked(struct wait *wait)
{
    if (wait->kind == WAIT_LINE) {
        size_t size = wait->size < sizeof wait->line ? wait->size : sizeof wait->line;

        wait->line_len = take_line_locked(wait->handle, wait->line, size);
    }
}

static struct wait *wait_new(struct scfs_handle *handle, enum wait_kind kind)
{
    struct wait *wait = calloc(1, sizeof *wait);

    if (wait == NULL)
        return NULL;
    InitializeListHead(&wait->link);
    wait->park.withdraw = withdraw;
    wait->park.give_up = give_up;
    wait->kind = kind;
    wait->handle = scfs_handle_get(handle);
    return wait;
}

/*
 * Answers at once when it is due, and with expired when it may not wait; parks it
 * otherwise. contradicted: the driver's record says that a change is just being reported,
 * so that what we believe is already out of date.
 */
static void begin(fuse_req_t req, struct wait *wait, bool contradicted, int expired)
{
    struct scfs_handle *handle = wait->handle;
    int error = 0;

    scfs_park_prepare(&wait->park, req, handle->lock);
    if (wait->kind == WAIT_CALL && wait->header.timeout_ms != SCARD_TIMEOUT_INFINITE)
        scfs_park_limit(&wait->park, &handle->fs->timer, wait->header.timeout_ms);
    pthread_mutex_lock(handle->lock);
    if (handle->reader != NULL ? handle->reader->gone : handle->fs->stopping) {
        error = ENODEV;
    } else if (!contradicted && due_locked(wait)) {
        collect_locked(wait);
    } else if (expired != 0) {
        error = expired;
    } else if (!(wait->counted = scfs_quota_take(&handle->fs->quota, handle->uid,
                                                 SCFS_QUOTA_WAITS))) {
        error = EDQUOT;
    } else if (scfs_park_wait_locked(&wait->park)) {
        InsertTailList(list_of(handle), &wait->link);
        scfs_park_start_limit_locked(&wait->park);
        pthread_mutex_unlock(handle->lock);
        return;
    } else {
        error = EINTR;
    }
    pthread_mutex_unlock(handle->lock);
    scfs_park_settle(&wait->park);
    answer(wait, error);
}

static bool contradicts(struct scfs_handle *handle, bool for_present)
{
    bool there;

    if (!scfs_reader_enter(handle->reader))
        return false;
    there = scfs_reader_state(handle->reader) > SCARD_ABSENT;
    scfs_reader_leave(handle->reader);
    return there != for_present;
}

/* ---- entries --------------------------------------------------------------------- */

void scfs_wait_read(fuse_req_t req, struct scfs_handle *handle, size_t size,
                    bool nonblock)
{
    struct wait *wait = wait_new(handle, WAIT_LINE);
    bool contradicted = false;

    if (wait == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    wait->size = size;
    if (!is_stream(handle)) {
        bool begun;

        pthread_mutex_lock(handle->lock);
        begun = handle->delivered;
        pthread_mutex_unlock(handle->lock);
        contradicted = !begun && contradicts(handle, handle->kind == SCFS_EVENTS_PRESENT);
    }
    begin(req, wait, contradicted, nonblock ? EAGAIN : 0);
}

void scfs_wait_atr(fuse_req_t req, struct scfs_handle *handle, size_t size, off_t off,
                   bool nonblock)
{
    struct wait *wait;
    bool resetting;

    if (off == 0)
        scfs_powerup_demand(handle->reader);
    pthread_mutex_lock(handle->lock);
    resetting = handle->reader->resetting > 0 && off == 0;
    pthread_mutex_unlock(handle->lock);
    if (!resetting) {
        scfs_content_read(req, handle, size, off);
        return;
    }
    wait = wait_new(handle, WAIT_ATR);
    if (wait == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    wait->size = size;
    wait->off = off;
    begin(req, wait, false, nonblock ? EAGAIN : 0);
}

void scfs_wait_trace(fuse_req_t req, struct scfs_handle *handle, size_t size,
                     bool nonblock)
{
    struct wait *wait;

    if (scfs_trace_answer(req, handle, size))
        return;
    wait = wait_new(handle, WAIT_TRACE);
    if (wait == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    wait->size = size;
    begin(req, wait, false, nonblock ? EAGAIN : 0);
}

void scfs_wait_call(fuse_req_t req, struct scfs_handle *handle,
                    const struct scard_call *header)
{
    struct wait *wait = wait_new(handle, WAIT_CALL);

    if (wait == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    wait->header = *header;
    wait->for_present = header->code == IOCTL_SMARTCARD_IS_PRESENT;
    begin(req, wait, contradicts(handle, wait->for_present),
          header->timeout_ms == 0 ? ETIMEDOUT : 0);
}

/* ---- wakers ---------------------------------------------------------------------- */

/* Takes those that are due (all, with an error) and answers them without the lock. */
static void end_some(pthread_mutex_t *lock, LIST_ENTRY *waits, int error,
                     const struct scfs_handle *calls_of)
{
    LIST_ENTRY due;

    InitializeListHead(&due);
    pthread_mutex_lock(lock);
    for (LIST_ENTRY *i = waits->Flink, *next; i != waits; i = next) {
        struct wait *wait = wait_of(i);

        next = i->Flink;
        if (calls_of != NULL && (wait->kind != WAIT_CALL || wait->handle != calls_of))
            continue;
        if (error == 0 && !due_locked(wait))
            continue;
        if (!scfs_park_take_locked(&wait->park))
            continue;
        if (error == 0)
            collect_locked(wait);
        RemoveEntryList(&wait->link);
        InsertTailList(&due, &wait->link);
    }
    pthread_mutex_unlock(lock);

    while (!IsListEmpty(&due)) {
        struct wait *wait = wait_of(RemoveHeadList(&due));

        scfs_park_settle(&wait->park);
        answer(wait, error);
    }
}

void scfs_wait_wake(pthread_mutex_t *lock, LIST_ENTRY *waits, int error)
{
    end_some(lock, waits, error, NULL);
}

void scfs_wait_cancel(struct scfs_handle *handle)
{
    end_some(handle->lock, list_of(handle), ECANCELED, handle);
}
