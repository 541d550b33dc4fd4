/* SPDX-License-Identifier: BSD-2-Clause */
/* report.h - the figures of a run, for people and for programs. */
#ifndef TESTS_SOAK_REPORT_H
#define TESTS_SOAK_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "stage.h"
#include "usage.h"

struct report {
    double minutes;
    unsigned seed, kills, plugs, insertions;
    unsigned long faults;
    char fault_kinds[256];
    struct ledger ledger;
    double rss_kib;
    struct slope rss, heap;
    double rss_bound, heap_bound; /* KiB per hour; 0: not judged */
    struct held before, after;
};

void report_print(const struct report *r);
/* As JSON; false: the file cannot be written. */
bool report_write(const struct report *r, const char *path);

#endif
