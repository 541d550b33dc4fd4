/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics.c - what a reader has done, in numbers (OpenMetrics 1.0 text).
 *
 * Counting is one or a few atomic additions after a request, without a lock. The text is
 * made when the file is read from its beginning and kept in the handle, so that a reader
 * of several reads sees one state. Counters of different readers are not taken at the
 * same moment, those of one histogram are.
 */
#include "fs/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* In the order of SCFS_ERROR_KINDS. */
static const struct {
    NTSTATUS status;
    const char *name;
} kinds[SCFS_ERROR_KINDS - 1] = {
    {STATUS_IO_TIMEOUT, "timeout"},          {STATUS_NO_MEDIA, "no_card"},
    {STATUS_DEVICE_REMOVED, "removed"},      {STATUS_CANCELLED, "cancelled"},
    {STATUS_IO_DEVICE_ERROR, "transfer"},    {STATUS_DEVICE_PROTOCOL_ERROR, "protocol"},
    {STATUS_UNRECOGNIZED_MEDIA, "atr"},      {STATUS_INVALID_DEVICE_STATE, "state"},
    {STATUS_NOT_SUPPORTED, "not_supported"}, {STATUS_INVALID_PARAMETER, "invalid"},
};

static const struct {
    uint64_t us;
    const char *seconds;
} limits[SCFS_LATENCIES] = {
    {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},
    {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"},
    {500000, "0.5"},  {1000000, "1.0"}, {5000000, "5.0"}, {30000000, "30.0"},
};

/* ---- counting -------------------------------------------------------------------- */

static void add(uint64_t *counter, uint64_t more)
{
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

static uint64_t value(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

uint64_t scfs_metrics_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void scfs_metrics_failed(struct scfs_metrics *metrics, NTSTATUS status)
{
    size_t kind = 0;

    while (kind < SCFS_ERROR_KINDS - 1 && kinds[kind].status != status)
        kind++;
    add(&metrics->errors[kind], 1);
}

void scfs_metrics_apdu(struct scfs_metrics *metrics, size_t command, size_t response,
                       uint64_t took_us)
{
    size_t slot = 0;

    while (slot < SCFS_LATENCIES && took_us > limits[slot].us)
        slot++;
    add(&metrics->apdus, 1);
    add(&metrics->command_bytes, command);
    add(&metrics->response_bytes, response);
    add(&metrics->latencies[slot], 1);
    add(&metrics->latency_us, took_us);
}

/* ---- text ------------------------------------------------------------------------ */

void scfs_metrics_label(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            fputs("\\n", out);
            continue;
        }
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void family(FILE *out, const char *name, const char *type, const char *unit,
                   const char *help)
{
    fprintf(out, "# TYPE %s %s\n", name, type);
    if (unit != NULL)
        fprintf(out, "# UNIT %s %s\n", name, unit);
    fprintf(out, "# HELP %s %s\n", name, help);
}

struct shown {
    struct scfs_reader **readers; /* with a reference each */
    size_t count;
};

static void one(FILE *out, const char *name, const struct scfs_reader *reader, uint64_t n)
{
    fprintf(out, "%s{reader=\"reader%u\"} %" PRIu64 "\n", name, reader->number, n);
}

static void show_readers(FILE *out, const struct shown *shown, uint32_t changes)
{
    family(out, "scard_readers", "gauge", NULL, "Readers that are there.");
    fprintf(out, "scard_readers %zu\n", shown->count);
    family(out, "scard_reader_changes", "counter", NULL,
           "Arrivals and removals of readers.");
    fprintf(out, "scard_reader_changes_total %" PRIu32 "\n", changes);
    family(out, "scard_reader", "info", NULL, "Names of the readers.");
    for (size_t i = 0; i < shown->count; i++) {
        const struct scfs_reader *reader = shown->readers[i];
        char name[sizeof reader->name];

        snprintf(name, sizeof name, "%s", reader->name);
        name[strcspn(name, "\n")] = '\0';
        fprintf(out, "scard_reader_info{reader=\"reader%u\",name=\"", reader->number);
        scfs_metrics_label(out, name);
        fputs("\"} 1\n", out);
    }
}

static void show_cards(FILE *out, const struct shown *shown)
{
    family(out, "scard_card_present", "gauge", NULL, "Whether a card is in.");
    for (size_t i = 0; i < shown->count; i++) {
        struct scfs_reader *reader = shown->readers[i];
        bool present;

        pthread_mutex_lock(&reader->lock);
        present = reader->present;
        pthread_mutex_unlock(&reader->lock);
        one(out, "scard_card_present", reader, present);
    }
    family(out, "scard_card_changes", "counter", NULL, "Insertions and removals.");
    for (size_t i = 0; i < shown->count; i++) {
        struct scfs_reader *reader = shown->readers[i];
        uint32_t counter;

        pthread_mutex_lock(&reader->lock);
        counter = reader->counter;
        pthread_mutex_unlock(&reader->lock);
        one(out, "scard_card_changes_total", reader, counter);
    }
}

static void show_counts(FILE *out, const struct shown *shown)
{
    family(out, "scard_apdus", "counter", NULL, "Commands that cards have answered.");
    for (size_t i = 0; i < shown->count; i++)
        one(out, "scard_apdus_total", shown->readers[i],
            value(&shown->readers[i]->metrics.apdus));
    family(out, "scard_command_bytes", "counter", "bytes", "Bytes of those commands.");
    for (size_t i = 0; i < shown->count; i++)
        one(out, "scard_command_bytes_total", shown->readers[i],
            value(&shown->readers[i]->metrics.command_bytes));
    family(out, "scard_response_bytes", "counter", "bytes", "Bytes of the answers.");
    for (size_t i = 0; i < shown->count; i++)
        one(out, "scard_response_bytes_total", shown->readers[i],
            value(&shown->readers[i]->metrics.response_bytes));
    family(out, "scard_errors", "counter", NULL, "Failed requests to readers.");
    for (size_t i = 0; i < shown->count; i++) {
        for (size_t k = 0; k < SCFS_ERROR_KINDS; k++)
            fprintf(out,
                    "scard_errors_total{reader=\"reader%u\",kind=\"%s\"} %" PRIu64 "\n",
                    shown->readers[i]->number,
                    k < SCFS_ERROR_KINDS - 1 ? kinds[k].name : "other",
                    value(&shown->readers[i]->metrics.errors[k]));
    }
}

static void show_latencies(FILE *out, const struct shown *shown)
{
    static const char name[] = "scard_apdu_duration_seconds";

    family(out, name, "histogram", "seconds", "Time that commands took in the reader.");
    for (size_t i = 0; i < shown->count; i++) {
        const struct scfs_metrics *metrics = &shown->readers[i]->metrics;
        unsigned number = shown->readers[i]->number;
        uint64_t us = value(&metrics->latency_us), sum = 0;

        for (size_t l = 0; l <= SCFS_LATENCIES; l++) {
            sum += value(&metrics->latencies[l]);
            fprintf(out, "%s_bucket{reader=\"reader%u\",le=\"%s\"} %" PRIu64 "\n", name,
                    number, l < SCFS_LATENCIES ? limits[l].seconds : "+Inf", sum);
        }
        fprintf(out, "%s_sum{reader=\"reader%u\"} %" PRIu64 ".%06" PRIu64 "\n", name,
                number, us / 1000000, us % 1000000);
        fprintf(out, "%s_count{reader=\"reader%u\"} %" PRIu64 "\n", name, number, sum);
    }
}

/* What the driver counts: of the whole device, so for its first slot only. */
static void show_device_events(FILE *out, const struct shown *shown)
{
    family(out, "scard_device_events", "counter", NULL,
           "What the driver has counted, by the reader of the first slot.");
    for (size_t i = 0; i < shown->count; i++) {
        struct scfs_reader *reader = shown->readers[i];
        const char *name;
        ULONG count = 0;

        if (!scfs_reader_enter(reader))
            continue;
        for (ULONG k = 0; reader->device->SlotNumber == 0 &&
                          reader->device->Counter != NULL && k < SCFS_DEVICE_COUNTERS_MAX;
             k++) {
            name = reader->device->Counter(reader->device, k, &count);
            if (name == NULL)
                break;
            fprintf(out, "scard_device_events_total{reader=\"reader%u\",kind=\"",
                    reader->number);
            scfs_metrics_label(out, name);
            fprintf(out, "\"} %u\n", (unsigned)count);
        }
        scfs_reader_leave(reader);
    }
}

/* The readers that are there; false: no memory. */
static bool take_readers(struct scfs *fs, struct shown *shown, uint32_t *changes)
{
    bool done;

    pthread_mutex_lock(&fs->lock);
    *changes = fs->changes;
    shown->readers = NULL;
    shown->count = 0;
    for (LIST_ENTRY *i = fs->readers.Flink; i != &fs->readers; i = i->Flink)
        shown->count++;
    if (shown->count > 0)
        shown->readers = calloc(shown->count, sizeof(struct scfs_reader *));
    done = shown->count == 0 || shown->readers != NULL;
    shown->count = 0;
    for (LIST_ENTRY *i = fs->readers.Flink; done && i != &fs->readers; i = i->Flink) {
        struct scfs_reader *reader = CONTAINING_RECORD(i, struct scfs_reader, link);

        if (reader->listed)
            shown->readers[shown->count++] = scfs_reader_get(reader);
    }
    pthread_mutex_unlock(&fs->lock);
    return done;
}

char *scfs_metrics_text(struct scfs *fs, size_t *len)
{
    struct shown shown;
    uint32_t changes;
    char *text = NULL;
    FILE *out;
    bool failed;

    if (!take_readers(fs, &shown, &changes))
        return NULL;
    out = open_memstream(&text, len);
    if (out != NULL) {
        show_readers(out, &shown, changes);
        show_cards(out, &shown);
        show_counts(out, &shown);
        show_latencies(out, &shown);
        show_device_events(out, &shown);
        fputs("# EOF\n", out);
        failed = ferror(out) != 0;
        if (fclose(out) != 0 || failed) {
            free(text);
            text = NULL;
        }
    }
    for (size_t i = 0; i < shown.count; i++)
        scfs_reader_put(shown.readers[i]);
    free(shown.readers);
    return text;
}

/* ---- the file -------------------------------------------------------------------- */

/* Makes the text anew where a reading of the file begins. */
static bool refresh(struct scfs_handle *handle)
{
    size_t len = 0;
    char *text = scfs_metrics_text(handle->fs, &len), *old;

    if (text == NULL)
        return false;
    pthread_mutex_lock(handle->lock);
    old = handle->snapshot;
    handle->snapshot = text;
    handle->snapshot_len = len;
    pthread_mutex_unlock(handle->lock);
    free(old);
    return true;
}

void scfs_metrics_read(fuse_req_t req, struct scfs_handle *handle, size_t size, off_t off)
{
    size_t from, len = 0;
    char *part;

    if (off < 0) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    if (off == 0 && !refresh(handle)) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    part = malloc(size);
    if (part == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    pthread_mutex_lock(handle->lock);
    if (handle->snapshot != NULL) {
        from = (uint64_t)off < handle->snapshot_len ? (size_t)off : handle->snapshot_len;
        len = handle->snapshot_len - from < size ? handle->snapshot_len - from : size;
        memcpy(part, handle->snapshot + from, len);
    }
    pthread_mutex_unlock(handle->lock);
    fuse_reply_buf(req, part, len);
    free(part);
}
