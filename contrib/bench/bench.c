/* SPDX-License-Identifier: BSD-2-Clause */
/* bench.c - see bench.h. */
#include "bench.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

void bench_print_median(uint64_t *samples_ns, size_t count)
{
    qsort(samples_ns, count, sizeof *samples_ns, compare);
    printf("%.2f\n", (double)samples_ns[count / 2] / 1000.0);
}

void bench_run(long count, bench_exchange *exchange, void *context)
{
    uint64_t *samples;

    if (count < 0 || count > 1000000)
        errx(2, "count is not between 0 and 1000000");
    if (count == 0)
        return;
    samples = malloc((size_t)count * sizeof(*samples));
    if (samples == NULL)
        err(1, "samples");
    for (long i = -(count / 10); i < count; i++) {
        const uint64_t begin = bench_now_ns();

        exchange(context);
        if (i >= 0)
            samples[i] = bench_now_ns() - begin;
    }
    bench_print_median(samples, (size_t)count);
    free(samples);
}
