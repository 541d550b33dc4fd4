/* SPDX-License-Identifier: BSD-2-Clause */
/* usage.h - what the daemon takes of the machine: memory over time, files, threads. */
#ifndef TESTS_SOAK_USAGE_H
#define TESTS_SOAK_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define USAGE_SAMPLES 1024

/* A sample every second, in a long run every second one, and so on. */
struct usage {
    unsigned samples, every_s;
    double seconds[USAGE_SAMPLES];
    double rss_kib[USAGE_SAMPLES];  /* of the machine */
    double heap_kib[USAGE_SAMPLES]; /* allocated and not freed */
    int64_t begun_ms, next_ms;
};

struct held {
    int files, threads;
    double heap_kib; /* allocated */
};

void usage_begin(struct usage *u);
bool usage_is_due(const struct usage *u);
void usage_add(struct usage *u, double rss_kib, double heap_kib);

struct slope {
    bool known;      /* there were enough samples */
    double per_hour; /* KiB, by least squares */
    double window_s; /* the second half of the run: the first is the warm-up */
};

struct slope usage_slope(const struct usage *u, const double kib[USAGE_SAMPLES]);

double usage_rss_kib(pid_t pid);
struct held usage_held(pid_t pid, double heap_kib);

#endif
