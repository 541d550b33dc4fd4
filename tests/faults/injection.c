/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * injection.c - one run with a fault, and what is looked at afterwards, whatever it was
 * (injection_running.c, injection_ends.c): nobody is killed by a signal, no sanitizer
 * complains, and the next use works.
 */
#include "injection_parts.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Until everything works again: some things are tried again later. */
#define MEND_MS 6000

const char *const injection_modules[] = {"scardfs", "libsmclib", "libusb", "libfuse",
                                         "libusb_init"};

#define FAULT(name, type, fails, code, params, args) #name,
#define SPECIAL(name)                                #name,
const char *const fault_names[FAULT_COUNT] = {
#include "functions.h"
};
#undef FAULT
#undef SPECIAL

/* ---- arming ---------------------------------------------------------------------- */

void bench_arm(struct bench *b, const struct injection *injection)
{
    atomic_store(&b->area->seen, 0);
    atomic_store(&b->area->fired, 0);
    atomic_store(&b->area->fired_modules, 0);
    atomic_store(&b->area->nth, injection->nth);
    atomic_store(&b->area->sticky, injection->sticky);
    atomic_store(&b->area->target, (int)injection->function);
}

void bench_disarm(struct bench *b)
{
    atomic_store(&b->area->target, FAULTS_NONE);
}

void bench_renew(struct bench *b)
{
    memset(b->area, 0, sizeof *b->area);
    bench_disarm(b);
}

void bench_complain(struct bench *b, const struct injection *injection, const char *what)
{
    uint64_t caller = atomic_load(&b->area->fired_caller);

    b->failures++;
    printf("FAIL %s: %s %u%s (from %s+%#llx): %s\n", b->scenario->name,
           injection ? fault_names[injection->function] : "no fault",
           injection ? injection->nth : 0,
           injection && injection->sticky ? " and later" : "",
           injection_modules[caller >> 48], (unsigned long long)(caller & FAULTS_OFFSET),
           what);
    subject_print_log(&b->subject);
    fflush(stdout);
}

/* ---- use ------------------------------------------------------------------------- */

/* LeakSanitizer does so at the end. */
bool bench_sanitizer_complains(const struct bench *b)
{
    return subject_has_said(&b->subject, "Sanitizer") ||
           subject_has_said(&b->subject, "runtime error");
}

static bool has_ended(const struct bench *b)
{
    struct pollfd fd = {.fd = b->subject.pidfd, .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

/* Everything as it should be, and the same once more; NULL or what is wrong. */
const char *bench_use(struct bench *b)
{
    const struct scenario *scenario = b->scenario;
    int64_t until = now_us() + MEND_MS * 1000;
    int status = WORKED;
    pid_t child;

    do {
        status = WORKED;
        if (scenario->prepare &&
            !attempt(scenario->prepare, &b->subject, ATTEMPT_MS, &status, &child)) {
            attempt_give_up(child);
            return "hangs before the next use";
        }
        if (status == WORKED &&
            !attempt(scenario->run, &b->subject, ATTEMPT_MS, &status, &child)) {
            attempt_give_up(child);
            return "hangs at the next use";
        }
        if (status == WRONG)
            return "the next use gets something wrong";
        if (status == WORKED)
            return NULL;
        b->retried++;
        pause_ms(10);
    } while (now_us() < until && !has_ended(b));
    return has_ended(b) ? "ended" : "the next use fails";
}

/* ---- all ------------------------------------------------------------------------- */

bool bench_measure(struct bench *b)
{
    bool good;

    if (b->scenario->kind == SCENARIO_LIVE) {
        good = bench_restart(b);
        for (int i = 0; i < FAULT_COUNT; i++)
            atomic_store(&b->area->calls[i], 0);
        if (good && bench_use(b))
            good = false;
    } else {
        good = b->scenario->kind == SCENARIO_START ? bench_inject_start(b, NULL)
                                                   : bench_inject_stop(b, NULL);
    }
    for (int i = 0; i < FAULT_COUNT; i++)
        b->calls[i] = atomic_load(&b->area->calls[i]);
    return good && atomic_load(&b->area->attached);
}

bool bench_inject(struct bench *b, const struct injection *injection)
{
    int64_t begun = now_us();
    bool reached;

    switch (b->scenario->kind) {
    case SCENARIO_START:
        reached = bench_inject_start(b, injection);
        break;
    case SCENARIO_STOP:
        reached = bench_inject_stop(b, injection);
        break;
    default:
        reached = bench_inject_live(b, injection);
        break;
    }
    b->injected += reached;
    if (getenv("SWEEP_SLOW") && now_us() - begun > 1000000)
        printf("     %s: %s %u%s took %.1f s\n", b->scenario->name,
               fault_names[injection->function], injection->nth,
               injection->sticky ? " and later" : "", (double)(now_us() - begun) / 1e6);
    return reached;
}
