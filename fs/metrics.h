/* SPDX-License-Identifier: BSD-2-Clause */
/* metrics.h - what a reader has done, in numbers, and the file `metrics`. */
#ifndef SCFS_METRICS_H
#define SCFS_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "wdm.h"

/* What requests fail of, in coarse; the last is all the rest. */
#define SCFS_ERROR_KINDS 11
/* Latencies up to so many limits, and those above. */
#define SCFS_LATENCIES 12

/* Only ever added to, atomically, by the thread that runs the request. */
struct scfs_metrics {
    uint64_t apdus;
    uint64_t command_bytes, response_bytes;
    uint64_t latencies[SCFS_LATENCIES + 1];
    uint64_t latency_us; /* of all together */
    uint64_t errors[SCFS_ERROR_KINDS];
};

/* Microseconds of a clock that only goes forward. */
uint64_t scfs_metrics_now_us(void);

/* A request has ended. */
void scfs_metrics_failed(struct scfs_metrics *metrics, NTSTATUS status);
/* A command has gone to the card, and what it answered has so many bytes. */
void scfs_metrics_apdu(struct scfs_metrics *metrics, size_t command, size_t response,
                       uint64_t took_us);

/* A value of a label: what a device says may have quotes in it. */
void scfs_metrics_label(FILE *out, const char *value);

#endif
