/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.c - a card-touching ioctl on its way through the executor: one allocation with the
 * job, the park, the IRP, the header and the data.
 *
 * The job holds a reference, a use of the device, and answers the client when it has run,
 * unless somebody has taken the park before: then a queued call is withdrawn, and a
 * running one is cancelled and ends unheard.
 */
#include "fs/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct call {
    struct scfs_job job;
    struct scfs_park park;
    struct scfs_request request;
    struct scfs_reader *reader;
    LONG refs;        /* atomic */
    bool was_running; /* when it was withdrawn */
    NTSTATUS status;
    size_t room;            /* bytes of data */
    struct scard_call call; /* with the data behind it */
};

static void put(struct call *call)
{
    if (InterlockedDecrement(&call->refs) > 0)
        return;
    RtlSecureZeroMemory(call->call.data, call->room); /* it may have been a PIN */
    scfs_reader_put(call->reader);
    free(call);
}

/* ---- taken away ------------------------------------------------------------------ */

/* The executor's lock is held. */
static bool withdraw(struct scfs_park *park, int error)
{
    struct call *call = CONTAINING_RECORD(park, struct call, park);

    call->was_running =
        !scfs_executor_withdraw_locked(call->reader->executor, &call->job);
    if (!call->was_running)
        return true; /* the job's reference and use are ours now */
    if (error == ETIMEDOUT)
        return false; /* its turn has come: a limit does not bound a running request */
    InterlockedIncrement(&call->refs);
    return true;
}

static void give_up(struct scfs_park *park, int error)
{
    struct call *call = CONTAINING_RECORD(park, struct call, park);

    /* IoCancelIrp may run into the completion; it must not delay the client. The data
     * are the running request's: only the header is answered. */
    if (error == EINTR) {
        fuse_reply_err(park->req, EINTR);
    } else {
        struct scard_call header = call->call;

        scfs_control_answer(
            park->req, &header,
            error == ETIMEDOUT ? STATUS_IO_TIMEOUT : STATUS_DEVICE_REMOVED, 0);
    }
    if (call->was_running)
        IoCancelIrp(&call->request.irp);
    else
        scfs_reader_leave(call->reader);
    put(call);
}

/* ---- running --------------------------------------------------------------------- */

/* A reset that the library will not refuse for its form. */
static bool is_reset(const struct call *call)
{
    uint32_t minor = SCARD_POWER_DOWN;

    if (call->call.code != IOCTL_SMARTCARD_POWER || call->call.in_len < sizeof minor)
        return false;
    memcpy(&minor, call->call.data, sizeof minor);
    return minor == SCARD_COLD_RESET || minor == SCARD_WARM_RESET;
}

static void run(struct scfs_job *job)
{
    struct call *call = CONTAINING_RECORD(job, struct call, job);
    bool reset = is_reset(call);

    if (__atomic_load_n(&call->request.irp.Cancel, __ATOMIC_RELAXED)) {
        call->status = STATUS_CANCELLED;
        return;
    }
    pthread_mutex_lock(&call->reader->lock);
    if (call->reader->gone) { /* queued after scfs_call_end_all had looked */
        pthread_mutex_unlock(&call->reader->lock);
        call->status = STATUS_DEVICE_REMOVED;
        return;
    }
    call->reader->touched = true;
    if (reset)
        call->reader->resetting++;
    pthread_mutex_unlock(&call->reader->lock);
    call->status = scfs_request_run(&call->request);
    if (reset)
        scfs_powerup_reset_ended(call->reader, call->status);
}

static void finish(struct scfs_job *job)
{
    struct call *call = CONTAINING_RECORD(job, struct call, job);
    struct scfs_reader *reader = call->reader;
    bool ours;

    scfs_executor_lock(reader->executor);
    ours = scfs_park_take_locked(&call->park);
    scfs_executor_unlock(reader->executor);
    if (ours) {
        ULONG_PTR information = call->request.irp.IoStatus.Information;

        scfs_park_settle(&call->park);
        scfs_control_answer(call->park.req, &call->call, call->status,
                            information <= call->call.out_len ? (ULONG)information
                                                              : call->call.out_len);
    }
    if (call->call.code != IOCTL_SMARTCARD_TRANSMIT) /* what may change the state */
        scfs_poll_wake(&reader->lock, &reader->pollers);
    scfs_reader_leave(reader);
    put(call);
}

/* ---- entries --------------------------------------------------------------------- */

static struct call *call_new(struct scfs_handle *handle, const struct scard_call *header,
                             const uint8_t *input)
{
    size_t room = header->in_len > header->out_len ? header->in_len : header->out_len;
    struct call *call = malloc(sizeof *call + room);

    if (call == NULL)
        return NULL;
    memset(call, 0, sizeof *call);
    call->job = (struct scfs_job){.run = run, .finish = finish};
    call->park.withdraw = withdraw;
    call->park.give_up = give_up;
    call->reader = scfs_reader_get(handle->reader);
    call->refs = 1;
    call->room = room;
    call->call = *header;
    memcpy(call->call.data, input, header->in_len);
    memset(call->call.data + header->in_len, 0, room - header->in_len);
    scfs_request_init(&call->request, call->reader, header->code, call->call.data,
                      header->in_len, header->out_len);
    return call;
}

void scfs_call_start(fuse_req_t req, struct scfs_handle *handle,
                     const struct scard_call *header, const uint8_t *input)
{
    struct scfs_reader *reader = handle->reader;
    struct scfs_executor *executor = reader->executor;
    struct call *call = NULL;
    int error = 0;

    if (!scfs_reader_enter(reader)) {
        struct scard_call refused = *header;

        scfs_control_answer(req, &refused, STATUS_DEVICE_REMOVED, 0);
        return;
    }
    call = call_new(handle, header, input);
    if (call == NULL) {
        scfs_reader_leave(reader);
        fuse_reply_err(req, ENOMEM);
        return;
    }
    scfs_park_prepare(&call->park, req, &executor->lock);
    if (header->timeout_ms != SCARD_TIMEOUT_INFINITE)
        scfs_park_limit(&call->park, &handle->fs->timer, header->timeout_ms);

    scfs_executor_lock(executor);
    if (executor->busy && header->timeout_ms == 0)
        error = ETIMEDOUT;
    else if (!scfs_park_wait_locked(&call->park))
        error = EINTR;
    if (error == 0) {
        if (executor->busy)
            scfs_park_start_limit_locked(&call->park);
        scfs_executor_submit_locked(executor, &call->job);
        return;
    }
    scfs_executor_unlock(executor);
    scfs_park_settle(&call->park);
    give_up(&call->park, error);
}

/* A call of the reader that still waits for its answer. */
static struct call *find_locked(struct scfs_executor *executor,
                                const struct scfs_reader *reader)
{
    struct scfs_job *job = executor->current;
    LIST_ENTRY *i = executor->queue.Flink;

    for (;;) {
        if (job != NULL && job->run == run) {
            struct call *call = CONTAINING_RECORD(job, struct call, job);

            if (call->reader == reader && call->park.state == SCFS_PARK_WAITING)
                return call;
        }
        if (i == &executor->queue)
            return NULL;
        job = CONTAINING_RECORD(i, struct scfs_job, link);
        i = i->Flink;
    }
}

void scfs_call_end_all(struct scfs_reader *reader)
{
    struct call *call;

    scfs_executor_lock(reader->executor);
    while ((call = find_locked(reader->executor, reader)) != NULL) {
        scfs_park_end_locked(&call->park, ENODEV); /* releases the lock */
        scfs_executor_lock(reader->executor);
    }
    scfs_executor_unlock(reader->executor);
}
