/* SPDX-License-Identifier: BSD-2-Clause */
/* injection.h - one call fails, once or from then on, and what must not come of it. */
#ifndef TESTS_FAULTS_INJECTION_H
#define TESTS_FAULTS_INJECTION_H

#include "faults.h"
#include "scenarios.h"

struct injection {
    enum faults_function function;
    unsigned nth;
    bool sticky;
};

#define CENSUS_MAX 512

struct census {
    unsigned callers, count[CENSUS_MAX];
    uint64_t caller[CENSUS_MAX];
};

struct bench {
    struct subject subject;
    struct faults_area *area;
    const struct scenario *scenario;
    const char *preload;              /* faults.so */
    unsigned long calls[FAULT_COUNT]; /* of a run without a fault */
    unsigned base_live, base_fds;     /* LIVE: when nothing has gone wrong */
    struct census before, now; /* START: before is what a process leaves at its end */
    bool slow;                 /* LIVE: the next use took long */
    unsigned injected, failures, ended, retried;
};

/* A fault that once did harm. */
struct regression {
    const char *name, *scenario;
    struct injection injection;
};

extern const struct regression regressions[];
extern const unsigned regression_count;

extern const char *const fault_names[FAULT_COUNT];

/* A run without a fault, which everything else is compared with. False after a line. */
bool bench_measure(struct bench *b);
/* One run; false: the fault was not reached. Prints what was wrong. */
bool bench_inject(struct bench *b, const struct injection *injection);

#endif
