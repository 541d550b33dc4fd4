/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exchange.c - a command that was written to `control` or `transmit`.
 *
 * The write checks the command, takes the one place that the open file has for an outcome
 * (reply.c), queues the work and returns; what comes of it, an answer or an error, is for
 * the next read (exchange_read.c). Nothing is sent of a command that is refused.
 *
 * There is one copy of the command, in an area that the answer then uses as well; it
 * becomes the reply. All of it that may hold a command is wiped.
 */
#include "fs/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/apdu.h"
#include "fs/sequence.h"
#include "fs/session.h"

struct exchange {
    struct scfs_task task;
    unsigned serial; /* of the handle's reply */
    uint8_t *area;
    size_t len; /* of the command */
    size_t answer_len;
};

static struct exchange *exchange_of(struct scfs_task *task)
{
    return CONTAINING_RECORD(task, struct exchange, task);
}

static NTSTATUS run(struct scfs_task *task)
{
    struct exchange *exchange = exchange_of(task);

    return scfs_sequence_exchange(task, exchange->area, exchange->len,
                                  &exchange->answer_len);
}

/* Nothing of the command behind the answer. */
static void wipe_behind_answer(struct exchange *exchange)
{
    size_t longest =
        exchange->len > exchange->answer_len ? exchange->len : exchange->answer_len;

    RtlSecureZeroMemory(exchange->area + SCFS_EXCHANGE_OFFSET + exchange->answer_len,
                        longest - exchange->answer_len);
}

static int answer(struct scfs_task *task, NTSTATUS status)
{
    struct exchange *exchange = exchange_of(task);
    struct scfs_handle *handle = task->handle;
    int error = NT_SUCCESS(status) ? 0 : smc_status_errno(status);
    bool kept;

    if (error == 0)
        wipe_behind_answer(exchange);
    pthread_mutex_lock(handle->lock);
    kept = scfs_reply_end(&handle->reply, exchange->serial, error, exchange->area,
                          SCFS_EXCHANGE_OFFSET, exchange->answer_len);
    if (kept)
        exchange->area = NULL;
    pthread_mutex_unlock(handle->lock);
    scfs_exchange_wake(handle);
    return 0;
}

static void wipe_area(uint8_t *area)
{
    RtlSecureZeroMemory(area, SCFS_EXCHANGE_ROOM);
    free(area);
}

static void destroy(struct scfs_task *task)
{
    struct exchange *exchange = exchange_of(task);

    if (exchange->area != NULL)
        wipe_area(exchange->area);
    free(exchange);
}

static const struct scfs_task_ops exchange_ops = {
    .run = run,
    .answer = answer,
    .destroy = destroy,
};

/* 0 or -errno; the place for the outcome is taken then. */
static int prepare(struct scfs_handle *handle, uint8_t *area, size_t len,
                   struct exchange **made)
{
    struct scfs_apdu_parts parts;
    struct exchange *exchange;
    unsigned serial = 0;
    int error = scfs_apdu_split(area + SCFS_EXCHANGE_OFFSET, len, &parts);

    if (error != 0)
        return error;
    exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return -ENOMEM;
    pthread_mutex_lock(handle->lock);
    /* What ends a handle comes before an outcome that nobody has read. */
    if (handle->reader->gone)
        error = -ENODEV;
    else if (scfs_session_lost_locked(handle))
        error = -ENXIO;
    else if (scfs_session_was_reset_locked(handle))
        error = -ECONNRESET;
    else
        error = scfs_reply_ask(&handle->reply, &serial);
    pthread_mutex_unlock(handle->lock);
    if (error != 0) {
        free(exchange);
        return error;
    }
    exchange->serial = serial;
    exchange->area = area;
    exchange->len = len;
    scfs_task_init(&exchange->task, &exchange_ops, handle->reader, handle, NULL);
    exchange->task.minds_resets = true;
    *made = exchange;
    return 0;
}

void scfs_exchange_start(fuse_req_t req, struct scfs_handle *handle, uint8_t *area,
                         size_t len, size_t size)
{
    struct exchange *exchange = NULL;
    int error = prepare(handle, area, len, &exchange);
    NTSTATUS status;
    bool work;

    if (error != 0) {
        wipe_area(area);
        fuse_reply_err(req, -error);
        return;
    }
    status = scfs_task_queue(&exchange->task, &work);
    if (!NT_SUCCESS(status)) {
        pthread_mutex_lock(handle->lock);
        scfs_reply_withdraw(&handle->reply, exchange->serial);
        pthread_mutex_unlock(handle->lock);
        scfs_exchange_wake(handle);
        scfs_task_put(&exchange->task);
        fuse_reply_err(req, status == STATUS_INSUFFICIENT_RESOURCES
                                ? EDQUOT
                                : smc_status_errno(status));
        return;
    }
    /* The client goes on while the card works, in this thread if the reader is idle. What
     * he does next comes behind this command, through whatever file. */
    scfs_handle_get(handle);
    fuse_reply_write(req, size);
    if (work)
        scfs_task_work(handle->reader);
    scfs_handle_put(handle);
}

void scfs_exchange_write(fuse_req_t req, struct scfs_handle *handle, char *text,
                         size_t size)
{
    uint8_t *area;

    if (size > SCARD_APDU_MAX) {
        RtlSecureZeroMemory(text, size);
        fuse_reply_err(req, EMSGSIZE);
        return;
    }
    area = malloc(SCFS_EXCHANGE_ROOM);
    if (area != NULL)
        memcpy(area + SCFS_EXCHANGE_OFFSET, text, size);
    RtlSecureZeroMemory(text, size);
    if (area == NULL)
        fuse_reply_err(req, ENOMEM);
    else
        scfs_exchange_start(req, handle, area, size, size);
}
