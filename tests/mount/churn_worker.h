/* SPDX-License-Identifier: BSD-2-Clause */
/* churn_worker.h - a process that looks at a reader which comes and goes, and compares
 * what it sees with what has been announced. */
#ifndef TESTS_MOUNT_CHURN_WORKER_H
#define TESTS_MOUNT_CHURN_WORKER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define WORKERS      8
#define LINKS        2
#define STUCK_MS     15000 /* without a look of anybody */
#define MAY_LAG_MS   5000  /* names in a directory that somebody holds */
#define CONTROL_MODE 0660

enum phase { MOVING, PRESENT, ABSENT };

/* The reader that comes and goes: written while it is MOVING. */
struct subject {
    char name[NAME_MAX + 1];
    char links[LINKS][2 * NAME_MAX]; /* "by-id/..." and "by-path/..." */
    ino_t ino;
};

/* Shared by all processes; the numbers are atomic. */
struct churn {
    uint32_t phase; /* four times a count, and an enum phase */
    struct subject subject;
    int stop;
    int looks[WORKERS];   /* done by each */
    int told[ABSENT + 1]; /* looks that were in one phase from beginning to end */
    int stale;
    char first[512]; /* what the first stale look has seen */
};

/* Looks until it shall stop; then exits. */
_Noreturn void churn_work(struct churn *churn, int worker, const char *mount);

#endif
