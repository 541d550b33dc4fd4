/* SPDX-License-Identifier: BSD-2-Clause */
/* bench.h - times one exchange again and again and prints the median. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* READ BINARY of 8 bytes: a short APDU that every emulated card answers. */
#define BENCH_APDU       0x00, 0xB0, 0x00, 0x00, 0x08
#define BENCH_APDU_LEN   5
#define BENCH_ANSWER_LEN 10

/* One exchange; returns when the answer has been checked, ends the program otherwise. */
typedef void bench_exchange(void *context);

/*
 * Runs exchange count times (0 ... 1,000,000) and prints the median in microseconds.
 * The first tenth is not counted: caches fill, the processor speeds up.
 */
void bench_run(long count, bench_exchange *exchange, void *context);

/* On CLOCK_MONOTONIC. */
uint64_t bench_now_ns(void);
/* In microseconds; sorts the samples. */
void bench_print_median(uint64_t *samples_ns, size_t count);

#endif
