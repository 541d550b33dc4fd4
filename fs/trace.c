/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.c - the file `trace` of a reader: what goes over USB, live.
 *
 * Each open file has a queue of bytes of its own and begins with what makes a whole
 * capture of it: the file's header and an exchange that nobody has had, in which the
 * device gives its configuration descriptor; without it Wireshark would not know that
 * the rest is CCID. A queue that is full loses whole packets, and the next one that fits
 * says how many. The driver is asked for messages while at least one file is open, and
 * has left out of them what may be a PIN; what has been read is wiped all the same.
 *
 * A reader that is gone still gives what it had said before, then ENODEV.
 */
#include "fs/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "fs/pcapng.h"

#define QUEUE_SIZE 262144 /* three of the longest messages */
#define READ_MAX   65536

struct scfs_trace {
    LIST_ENTRY link; /* in scfs_reader.traces; the reader's lock, like the rest */
    size_t first, used;
    uint32_t lost; /* packets since the last that fitted */
    uint8_t queue[QUEUE_SIZE];
};

/* ---- the queue ------------------------------------------------------------------- */

/* bytes NULL: zeros. There is room. */
static void put(struct scfs_trace *trace, const uint8_t *bytes, size_t len)
{
    size_t at = (trace->first + trace->used) % QUEUE_SIZE;
    size_t part = len < QUEUE_SIZE - at ? len : QUEUE_SIZE - at;

    if (bytes != NULL && len > 0) {
        memcpy(trace->queue + at, bytes, part);
        memcpy(trace->queue, bytes + part, len - part);
    } else {
        memset(trace->queue + at, 0, part);
        memset(trace->queue, 0, len - part);
    }
    trace->used += len;
}

static size_t take(struct scfs_trace *trace, uint8_t *out, size_t size)
{
    size_t len = size < trace->used ? size : trace->used;
    size_t part = len < QUEUE_SIZE - trace->first ? len : QUEUE_SIZE - trace->first;

    memcpy(out, trace->queue + trace->first, part);
    memcpy(out + part, trace->queue, len - part);
    RtlSecureZeroMemory(trace->queue + trace->first, part);
    RtlSecureZeroMemory(trace->queue, len - part);
    trace->first = (trace->first + len) % QUEUE_SIZE;
    trace->used -= len;
    return len;
}

static void add(struct scfs_trace *trace, const struct smc_trace_packet *packet,
                const struct scfs_pcapng_place *place)
{
    uint8_t head[SCFS_PCAPNG_HEAD], tail[SCFS_PCAPNG_TAIL_MAX];
    size_t shown = packet->shown < packet->length ? packet->shown : packet->length;
    size_t tail_len;

    if (scfs_pcapng_size(packet, trace->lost) > QUEUE_SIZE - trace->used) {
        trace->lost++;
        return;
    }
    scfs_pcapng_head(head, packet, place, trace->lost);
    tail_len = scfs_pcapng_tail(tail, packet, trace->lost);
    put(trace, head, sizeof head);
    put(trace, packet->data, shown);
    put(trace, NULL, packet->length - shown);
    put(trace, tail, tail_len);
    trace->lost = 0;
}

/* ---- packets --------------------------------------------------------------------- */

/* The bus that a path such as "1-2.3" begins with; 0 where there is none. */
static uint16_t bus_of(const struct smc_device_identity *identity)
{
    uint16_t bus = 0;

    for (const char *digit = identity->path; *digit >= '0' && *digit <= '9' && bus < 1000;
         digit++)
        bus = (uint16_t)(bus * 10 + (*digit - '0'));
    return bus;
}

/* The reader's lock is held. */
static struct scfs_pcapng_place place_locked(struct scfs_reader *reader,
                                             const struct smc_trace_packet *packet)
{
    struct scfs_pcapng_place place = {
        .bus = bus_of(smc_io_identity(reader->device)),
        .device = (uint8_t)(reader->device_number % 127 + 1),
    };
    struct timeval now;

    gettimeofday(&now, NULL);
    place.time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_usec;
    if (packet->transfer != SMC_TRACE_CONTROL || packet->event == SMC_TRACE_SUBMITTED)
        place.id = ++reader->trace.id;
    else
        place.id = reader->trace.control_id;
    if (packet->transfer == SMC_TRACE_CONTROL)
        reader->trace.control_id = place.id;
    return place;
}

void scfs_trace_packet(struct scfs *fs, PDEVICE_OBJECT device,
                       const struct smc_trace_packet *packet)
{
    struct scfs_reader *reader = scfs_registry_by_device(fs, device);

    if (reader == NULL)
        return;
    pthread_mutex_lock(&reader->lock);
    if (!reader->gone) {
        struct scfs_pcapng_place place = place_locked(reader, packet);

        for (LIST_ENTRY *i = reader->trace.files.Flink; i != &reader->trace.files;
             i = i->Flink)
            add(CONTAINING_RECORD(i, struct scfs_trace, link), packet, &place);
    }
    pthread_mutex_unlock(&reader->lock);
    scfs_wait_wake(&reader->lock, &reader->waits, 0);
    scfs_poll_wake(&reader->lock, &reader->pollers);
    scfs_reader_put(reader);
}

/* GET DESCRIPTOR (USB 2.0 §9.4.3) of the configuration, and the answer. */
static void introduce_locked(struct scfs_reader *reader, struct scfs_trace *trace)
{
    const struct smc_device_identity *identity = smc_io_identity(reader->device);
    const uint8_t setup[8] = {0x80, 6, 0, 2, 0, 0, identity->descriptor_length, 0};
    const struct smc_trace_packet asked = {
        .event = SMC_TRACE_SUBMITTED,
        .transfer = SMC_TRACE_CONTROL,
        .endpoint = 0x80,
        .setup = setup,
    };
    const struct smc_trace_packet answer = {
        .event = SMC_TRACE_COMPLETED,
        .transfer = SMC_TRACE_CONTROL,
        .endpoint = 0x80,
        .data = identity->descriptor,
        .length = identity->descriptor_length,
        .shown = identity->descriptor_length,
    };
    uint8_t begin[SCFS_PCAPNG_BEGIN];
    struct scfs_pcapng_place place;

    scfs_pcapng_begin(begin);
    put(trace, begin, sizeof begin);
    if (identity->descriptor_length == 0)
        return;
    place = place_locked(reader, &asked);
    add(trace, &asked, &place);
    place = place_locked(reader, &answer);
    add(trace, &answer, &place);
}

/* ---- files ----------------------------------------------------------------------- */

int scfs_trace_open(struct scfs_handle *handle)
{
    struct scfs_reader *reader = handle->reader;
    struct scfs_trace *trace = malloc(sizeof *trace);

    if (trace == NULL)
        return ENOMEM;
    trace->first = trace->used = 0;
    trace->lost = 0;
    if (!scfs_reader_enter(reader)) {
        free(trace);
        return ENODEV;
    }
    pthread_mutex_lock(&reader->lock);
    introduce_locked(reader, trace);
    InsertTailList(&reader->trace.files, &trace->link);
    handle->trace = trace;
    smc_io_trace(reader->device, 1);
    pthread_mutex_unlock(&reader->lock);
    scfs_reader_leave(reader);
    return 0;
}

void scfs_trace_close(struct scfs_handle *handle)
{
    struct scfs_reader *reader = handle->reader;
    struct scfs_trace *trace;

    if (handle->trace == NULL)
        return;
    pthread_mutex_lock(&reader->lock);
    trace = handle->trace;
    handle->trace = NULL;
    RemoveEntryList(&trace->link);
    if (!reader->gone && IsListEmpty(&reader->trace.files))
        smc_io_trace(reader->device, 0);
    pthread_mutex_unlock(&reader->lock);
    RtlSecureZeroMemory(trace, sizeof *trace);
    free(trace);
}

bool scfs_trace_ready_locked(const struct scfs_handle *handle)
{
    return handle->trace != NULL && handle->trace->used > 0;
}

bool scfs_trace_answer(fuse_req_t req, struct scfs_handle *handle, size_t size)
{
    size_t len = 0, room = size < READ_MAX ? size : READ_MAX;
    uint8_t *part = malloc(room);

    if (part == NULL) {
        fuse_reply_err(req, ENOMEM);
        return true;
    }
    pthread_mutex_lock(handle->lock);
    if (handle->trace != NULL)
        len = take(handle->trace, part, room);
    pthread_mutex_unlock(handle->lock);
    if (len > 0 || room == 0)
        fuse_reply_buf(req, (const char *)part, len); /* unheard: who read is gone */
    RtlSecureZeroMemory(part, len);
    free(part);
    return len > 0 || room == 0;
}
