/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * injection_running.c - a fault in a daemon that runs, the same one again and again. It
 * still runs, has answered whoever waited, holds no more memory and no more file
 * descriptors than before, and does the same thing properly as soon as the fault is gone.
 *
 * What is only kept (a thread's buffers) is so once: a fault that leaves something behind
 * is repeated, and is a leak when that grows each time.
 */
#include "injection_parts.h"

#include <stdio.h>
#include <sys/wait.h>

#define SLOW_MS                                                                          \
    500 /* it makes do (asks instead of listening); the next one gets a new one */
#define REPEATS 3

bool bench_restart(struct bench *b)
{
    const char *wrong;

    subject_kill(&b->subject);
    subject_unmount(&b->subject);
    bench_renew(b);
    subject_start(&b->subject, &b->scenario->launch, b->preload);
    if (subject_wait(&b->subject, ATTEMPT_MS) != SUBJECT_READY) {
        bench_complain(b, NULL, "does not start");
        return false;
    }
    for (int i = 0; i < 3; i++) {
        wrong = bench_use(b);
        if (wrong) {
            bench_complain(b, NULL, wrong);
            return false;
        }
    }
    pause_ms(BENCH_SETTLE_MS);
    b->base_live = bench_live(b);
    b->base_fds = bench_descriptors(b);
    return true;
}

/* libfuse ends its loop when a thread of it has no memory: that is an end in order. */
static const char *judge_end(struct bench *b, int status)
{
    if (bench_sanitizer_complains(b))
        return "a sanitizer complains";
    if (WIFSIGNALED(status))
        return "killed by a signal";
    if (subject_mounted(&b->subject))
        return "ended, and is still mounted";
    if (!subject_has_said(&b->subject, "fuse: "))
        return "ended";
    if (WEXITSTATUS(status) == 0)
        return "ended without a word";
    b->ended++;
    return NULL;
}

static const char *run_live(struct bench *b, const struct injection *injection)
{
    const struct scenario *scenario = b->scenario;
    const char *wrong = NULL;
    int status = 0, ended;
    pid_t child;

    if (scenario->prepare) {
        if (!attempt(scenario->prepare, &b->subject, ATTEMPT_MS, &status, &child))
            attempt_give_up(child);
    }
    bench_arm(b, injection);
    if (!attempt(scenario->run, &b->subject, BENCH_PATIENCE_MS, &status, &child)) {
        bench_disarm(b);
        if (!attempt_more(child, ATTEMPT_MS, &status)) {
            attempt_give_up(child);
            wrong = "hangs";
        }
    }
    bench_disarm(b);
    if (status == WRONG)
        wrong = "delivers something wrong";
    if (subject_ended(&b->subject, 0, &ended)) {
        const char *why = judge_end(b, ended);

        return why ? why : wrong;
    }
    if (!wrong && atomic_load(&b->area->fired) > 0) {
        int64_t begun = now_us();

        wrong = bench_use(b);
        b->slow = now_us() - begun > SLOW_MS * 1000;
    }
    if (wrong && subject_ended(&b->subject, 0, &ended))
        wrong = judge_end(b, ended);
    return wrong;
}

/* Something is left: again and again, and more each time? */
static void look_for_leak(struct bench *b, const struct injection *injection)
{
    unsigned times = 0;

    for (int i = 0; i < REPEATS; i++) {
        unsigned before = bench_live(b) + bench_descriptors(b);

        const char *wrong = run_live(b, injection);

        if (wrong) {
            bench_complain(b, injection, wrong);
            (void)bench_restart(b);
        }
        if (wrong || b->subject.pid == 0)
            return;
        (void)bench_settles(b);
        times += bench_live(b) + bench_descriptors(b) > before;
    }
    if (times == REPEATS) {
        const char *who;

        census_take(b, &b->now);
        who = census_grown(b, &b->before, &b->now);
        if (who || bench_descriptors(b) > b->base_fds)
            bench_complain(b, injection, who ? who : "file descriptors are not closed");
    }
    b->base_live = bench_live(b);
    b->base_fds = bench_descriptors(b);
}

bool bench_inject_live(struct bench *b, const struct injection *injection)
{
    const char *wrong;
    bool reached;

    if (b->subject.pid == 0 && !bench_restart(b))
        return false;
    b->slow = false;
    census_take(b, &b->before);
    wrong = run_live(b, injection);
    reached = atomic_load(&b->area->seen) >= injection->nth;
    if (wrong) {
        bench_complain(b, injection, wrong);
        (void)bench_restart(b);
    } else if (b->subject.pid != 0 && b->slow) {
        (void)bench_restart(b);
    } else if (b->subject.pid != 0 && !bench_settles(b)) {
        look_for_leak(b, injection);
    }
    return reached;
}
