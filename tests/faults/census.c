/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * census.c - what the daemon has: memory that was not freed, by who had allocated it, and
 * open files; see injection_parts.h.
 */
#include "injection_parts.h"

#include <dirent.h>
#include <stdio.h>

unsigned bench_live(const struct bench *b)
{
    return __atomic_load_n(&b->area->live_count, __ATOMIC_SEQ_CST);
}

unsigned bench_descriptors(const struct bench *b)
{
    char path[64];
    unsigned count = 0;
    DIR *directory;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)b->subject.pid);
    directory = opendir(path);
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

/* False: there is more than there should be, for long enough. */
bool bench_settles(const struct bench *b)
{
    for (int64_t until = now_us() + BENCH_SETTLE_MS * 1000;; pause_ms(1)) {
        if (bench_live(b) <= b->base_live && bench_descriptors(b) <= b->base_fds)
            return true;
        if (now_us() > until)
            return false;
    }
}

static void count(struct census *census, uint64_t caller)
{
    unsigned i = 0;

    while (i < census->callers && census->caller[i] != caller)
        i++;
    if (i == CENSUS_MAX)
        return;
    if (i == census->callers) {
        census->callers++;
        census->caller[i] = caller;
        census->count[i] = 0;
    }
    census->count[i]++;
}

/* What has not been freed, by who had allocated it. */
void census_take(const struct bench *b, struct census *census)
{
    census->callers = 0;
    for (unsigned i = 0; i < FAULTS_LIVE_MAX; i++)
        if (b->area->live[i].address != 0)
            count(census, b->area->live[i].caller);
}

/* Who has more than he had; NULL: nobody. But for libusb_init of libusb 1.0.26, which
 * keeps its first event source when it has no memory for the second: a fault of its own,
 * which with "and later" need not be the last. */
const char *census_grown(const struct bench *b, const struct census *before,
                         const struct census *now)
{
    const unsigned met = atomic_load(&b->area->fired_modules);
    static char what[256];
    size_t len = 0;

    for (unsigned i = 0; i < now->callers; i++) {
        const unsigned module = (unsigned)(now->caller[i] >> 48);
        unsigned had = 0;

        if (module == FAULTS_LIBUSB_INIT && (met & 1u << module))
            continue;
        for (unsigned j = 0; j < before->callers; j++)
            if (before->caller[j] == now->caller[i])
                had = before->count[j];
        if (now->count[i] > had && len < sizeof what - 64)
            len += (size_t)snprintf(
                what + len, sizeof what - len, "%s%s+%#llx has %u blocks, not %u",
                len ? ", " : "", injection_modules[module],
                (unsigned long long)(now->caller[i] & FAULTS_OFFSET), now->count[i], had);
    }
    return len ? what : NULL;
}
