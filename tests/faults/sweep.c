/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep.c - in each scenario, each call of functions.h fails at its first, second, ...
 * time until the scenario passes without it, and once more with all later ones.
 *
 * SWEEP_EVERY=N: only the first of each, and every N-th from there (40), and not every
 * function in every scenario; 1: all.
 * SWEEP_ONLY=NAME, SWEEP_FUNCTION=NAME: nothing else.
 * SWEEP_JSON=FILE: the figures go there, too.
 */
#include "injection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EVERY_USUAL     40
#define NTH_MAX         5000 /* a call that comes again and again for ever */
#define FUNCTIONS_LEAST 40   /* fewer are reached: most of the table is not in front */

static bool reached[FAULT_COUNT];

static bool chosen(const char *variable, const char *name)
{
    const char *only = getenv(variable);

    return !only || !*only || strcmp(only, name) == 0;
}

static unsigned every(void)
{
    const char *text = getenv("SWEEP_EVERY");
    unsigned long n = text ? strtoul(text, NULL, 10) : EVERY_USUAL;

    return n >= 1 && n < NTH_MAX ? (unsigned)n : EVERY_USUAL;
}

/* A thin sweep takes every second function, and every fourth with all later calls; others
 * in the next scenario. */
static bool left_out(const struct bench *b, const struct injection *injection)
{
    unsigned i = (unsigned)(b->scenario - scenarios) + (unsigned)injection->function;

    return every() > 1 && i % (injection->sticky ? 4 : 2) != 0;
}

static void repeat_regressions(struct bench *b)
{
    for (unsigned i = 0; i < regression_count && b->failures == 0; i++) {
        const struct regression *r = &regressions[i];
        unsigned before = b->failures;

        if (strcmp(r->scenario, b->scenario->name) != 0 ||
            !chosen("SWEEP_FUNCTION", fault_names[r->injection.function]))
            continue;
        if (!bench_inject(b, &r->injection)) {
            b->failures++;
            printf("FAIL %s: it is not reached any more\n", r->name);
        } else {
            printf("%-4s %s\n", b->failures > before ? "FAIL" : "ok", r->name);
        }
    }
}

static void sweep(struct bench *b, FILE *json, bool first)
{
    int64_t begun = now_us();
    unsigned functions = 0;

    b->injected = b->failures = b->ended = b->retried = 0;
    if (!bench_measure(b)) {
        b->failures++;
        printf("FAIL %s: it does not work without a fault\n", b->scenario->name);
    }
    for (int f = 0; f < FAULT_COUNT && b->failures == 0; f++)
        functions += b->calls[f] > 0;
    if (functions > 0)
        repeat_regressions(b);
    for (int i = 0; i < 2 * FAULT_COUNT && functions > 0; i++) {
        struct injection injection = {
            .function = (enum faults_function)(i / 2), .nth = 1, .sticky = i % 2 != 0};

        if (b->calls[injection.function] == 0 || left_out(b, &injection) ||
            !chosen("SWEEP_FUNCTION", fault_names[injection.function]))
            continue;
        while (injection.nth < NTH_MAX && bench_inject(b, &injection)) {
            reached[injection.function] = true;
            injection.nth += every();
        }
        if (injection.nth >= NTH_MAX) {
            b->failures++;
            printf("FAIL %s: %s comes for ever\n", b->scenario->name,
                   fault_names[injection.function]);
        }
    }
    subject_kill(&b->subject);
    subject_unmount(&b->subject);
    printf("%-4s %s: %u functions, %u faults, %u failures (%u ends of libfuse, %u "
           "second tries, %.1f s)\n",
           b->failures ? "FAIL" : "ok", b->scenario->name, functions, b->injected,
           b->failures, b->ended, b->retried, (double)(now_us() - begun) / 1e6);
    fflush(stdout);
    if (json)
        fprintf(json,
                "%s\n    {\"name\": \"%s\", \"functions\": %u, \"faults\": %u, "
                "\"failures\": %u, \"seconds\": %.1f}",
                first ? "" : ",", b->scenario->name, functions, b->injected, b->failures,
                (double)(now_us() - begun) / 1e6);
}

/* What was left out on demand is not missed. */
static bool misses_functions(unsigned functions)
{
    const bool all = chosen("SWEEP_ONLY", "") && chosen("SWEEP_FUNCTION", "");

    if (!all || functions >= FUNCTIONS_LEAST)
        return false;
    printf("FAIL sweep: less than %d functions are reached\n", FUNCTIONS_LEAST);
    return true;
}

static struct faults_area *share(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    struct faults_area *area = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, sizeof *area) == 0)
        area = mmap(NULL, sizeof *area, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (area == MAP_FAILED)
        perror(path);
    close(fd);
    return area;
}

static int skip(const char *reason)
{
    printf("SKIP sweep: %s\n", reason);
    return 77;
}

int main(void)
{
    static struct bench b;
    const char *path = getenv("SWEEP_JSON");
    unsigned faults = 0, failures = 0, functions = 0, ran = 0;
    FILE *json;

    if (access("/dev/fuse", R_OK | W_OK) != 0)
        return skip(strerror(errno));
    if (geteuid() != 0)
        return skip("needs root");
    b.preload = getenv("FAULTS");
    if (!b.preload || !getenv("USBEMU") || !getenv("SCARDFS"))
        return skip("FAULTS, USBEMU and SCARDFS do not say what to test");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!subject_new(&b.subject) || (b.area = share(b.subject.area)) == MAP_FAILED)
        return 1;
    json = path && *path ? fopen(path, "we") : NULL;
    if (json)
        fprintf(json, "{\n  \"every\": %u,\n  \"scenarios\": [", every());
    for (unsigned i = 0; i < scenario_count; i++) {
        b.scenario = &scenarios[i];
        if (!chosen("SWEEP_ONLY", b.scenario->name))
            continue;
        sweep(&b, json, ran++ == 0);
        faults += b.injected;
        failures += b.failures;
    }
    for (int f = 0; f < FAULT_COUNT; f++)
        functions += reached[f];
    subject_free(&b.subject);
    failures += misses_functions(functions);
    printf("%u scenarios, %u of %d functions, %u faults, %u failures\n", ran, functions,
           FAULT_COUNT, faults, failures);
    if (json) {
        fprintf(
            json,
            "\n  ],\n  \"functions\": %u,\n  \"faults\": %u,\n  \"failures\": %u\n}\n",
            functions, faults, failures);
        fclose(json);
    }
    return ran > 0 && faults > 0 && failures == 0 ? 0 : 1;
}
