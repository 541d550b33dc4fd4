/* SPDX-License-Identifier: BSD-2-Clause */
/* report.c - see report.h. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>

#include "soak.h"

static void print_slope(const char *what, const struct slope *slope, double bound)
{
    if (!slope->known)
        return;
    printf("%s: %+.0f KiB per hour over %.0f s", what, slope->per_hour, slope->window_s);
    if (bound > 0)
        printf(" (bound %.0f)\n", bound);
    else
        printf(" (not judged)\n");
}

static void write_slope(FILE *file, const char *what, const struct slope *slope,
                        double bound)
{
    if (!slope->known)
        return;
    fprintf(file, "\"%s_slope_kib_per_hour\": %.1f, \"%s_window_s\": %.0f, ", what,
            slope->per_hour, what, slope->window_s);
    if (bound > 0)
        fprintf(file, "\"%s_slope_bound\": %.1f, ", what, bound);
    else
        fprintf(file, "\"%s_slope_bound\": \"not judged, the run was too short\", ",
                what);
}

void report_print(const struct report *r)
{
    printf("%.1f minutes, seed %u\n"
           "%" PRIu64 " operations, %" PRIu64 " APDUs, %" PRIu64 " transactions\n"
           "%u kills, %u plugs, %u insertions, %lu faults (%s)\n"
           "%" PRIu64 " calls failed, with reason; longest call %lld ms (%s)\n"
           "%lu numbered commands executed on USB, %lu of them again or late\n",
           r->minutes, r->seed, soak->operations, soak->apdus, soak->transactions,
           r->kills, r->plugs, r->insertions, r->faults, r->fault_kinds, soak->failures,
           (long long)soak->longest_ms, soak->longest != NULL ? soak->longest : "none",
           r->ledger.executed, r->ledger.repeated);
    printf("RSS %.0f KiB at the end\n", r->rss_kib);
    print_slope("RSS", &r->rss, r->rss_bound);
    print_slope("heap", &r->heap, r->heap_bound);
    printf("files %d before, %d after; threads %d before, %d after; "
           "allocated %.0f KiB before, %.0f after\n"
           "%u violations\n",
           r->before.files, r->after.files, r->before.threads, r->after.threads,
           r->before.heap_kib, r->after.heap_kib, soak->violations);
}

bool report_write(const struct report *r, const char *path)
{
    FILE *file = fopen(path, "we");

    if (file == NULL)
        return false;
    fprintf(file,
            "{\"minutes\": %.2f, \"seed\": %u, \"operations\": %" PRIu64
            ", \"apdus\": %" PRIu64 ", \"transactions\": %" PRIu64
            ", \"kills\": %u, \"plugs\": %u, \"insertions\": %u, \"faults\": %lu, "
            "\"failed_calls\": %" PRIu64 ", \"longest_call_ms\": %lld, "
            "\"numbered\": %lu, \"repeated\": %lu, \"violations\": %u, ",
            r->minutes, r->seed, soak->operations, soak->apdus, soak->transactions,
            r->kills, r->plugs, r->insertions, r->faults, soak->failures,
            (long long)soak->longest_ms, r->ledger.executed, r->ledger.repeated,
            soak->violations);
    fprintf(file, "\"rss_kib\": %.0f, ", r->rss_kib);
    write_slope(file, "rss", &r->rss, r->rss_bound);
    write_slope(file, "heap", &r->heap, r->heap_bound);
    fprintf(file,
            "\"files_before\": %d, \"files_after\": %d, \"threads_before\": %d, "
            "\"threads_after\": %d, \"idle_heap_kib_before\": %.1f, "
            "\"idle_heap_kib_after\": %.1f}\n",
            r->before.files, r->after.files, r->before.threads, r->after.threads,
            r->before.heap_kib, r->after.heap_kib);
    return fclose(file) == 0;
}
