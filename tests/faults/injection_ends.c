/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * injection_ends.c - a fault in the start or in the end of a daemon. One that does not
 * start says why, with a status that is not 0, and leaves nothing mounted. One that is
 * told to end does. Memory is compared with what a process without a fault leaves.
 */
#include "injection_parts.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* ---- a start --------------------------------------------------------------------- */

/* In the background the first process ends when the daemon is ready. */
static bool is_up(struct bench *b, bool *up, int *status)
{
    struct subject *s = &b->subject;
    enum subject_state state;

    *up = false;
    if (b->scenario->launch.background) {
        if (!subject_ended(s, BENCH_PATIENCE_MS, status)) {
            bench_disarm(b);
            if (!subject_ended(s, ATTEMPT_MS, status))
                return false;
        }
        *up = WIFEXITED(*status) && WEXITSTATUS(*status) == 0 && subject_adopt(s);
        return true;
    }
    state = subject_wait(s, BENCH_PATIENCE_MS);
    bench_disarm(b);
    if (state == SUBJECT_ENDED)
        return subject_ended(s, ATTEMPT_MS, status);
    *up = true; /* or its word got lost: the next use shows */
    return true;
}

static const char *judge_refusal(struct bench *b, int status)
{
    struct subject *s = &b->subject;

    if (bench_sanitizer_complains(b))
        return "a sanitizer complains";
    if (WIFSIGNALED(status))
        return "killed by a signal at its start";
    if (WEXITSTATUS(status) == 0)
        return "does not start, with status 0";
    if (subject_said(s) == 0)
        return "does not start, and does not say why";
    if (subject_mounted(s) && !subject_has_said(s, "stays mounted"))
        return "does not start, and is left mounted";
    return NULL;
}

static const char *stop(struct bench *b)
{
    struct subject *s = &b->subject;
    int status;

    kill(s->pid, SIGTERM);
    if (!subject_ended(s, BENCH_PATIENCE_MS, &status)) {
        bench_disarm(b);
        if (!subject_ended(s, ATTEMPT_MS, &status))
            return "does not end";
    }
    if (bench_sanitizer_complains(b))
        return "a sanitizer complains";
    if (WIFSIGNALED(status))
        return "killed by a signal at its end";
    if (subject_mounted(s) && !subject_has_said(s, "stays mounted"))
        return "has ended, and is still mounted";
    if (WEXITSTATUS(status) != 0 && subject_said(s) == 0)
        return "ends with a status that is not 0, and does not say why";
    return NULL;
}

static const char *run_start(struct bench *b)
{
    const char *wrong = NULL;
    int status = 0;
    bool up;

    if (!is_up(b, &up, &status))
        return "hangs at its start";
    bench_disarm(b);
    if (!up)
        return judge_refusal(b, status);
    wrong = bench_use(b);
    if (wrong && subject_ended(&b->subject, 0, &status))
        return judge_refusal(b, status); /* just after it was ready */
    return wrong ? wrong : stop(b);
}

bool bench_inject_start(struct bench *b, const struct injection *injection)
{
    const char *wrong;
    bool reached;

    bench_renew(b);
    if (injection)
        bench_arm(b, injection);
    subject_start(&b->subject, &b->scenario->launch, b->preload);
    wrong = run_start(b);
    reached = injection && atomic_load(&b->area->seen) >= injection->nth;
    census_take(b, injection ? &b->now : &b->before);
    if (!wrong && injection && !b->scenario->launch.background)
        wrong = census_grown(b, &b->before, &b->now);
    if (wrong)
        bench_complain(b, injection, wrong);
    subject_kill(&b->subject);
    while (b->scenario->launch.background && subject_adopt(&b->subject))
        subject_kill(&b->subject); /* what was said not to be there */
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ; /* what the daemon has started, and left to us */
    subject_unmount(&b->subject);
    return injection ? reached : !wrong;
}

/* ---- an end ---------------------------------------------------------------------- */

bool bench_inject_stop(struct bench *b, const struct injection *injection)
{
    const char *wrong = NULL;
    bool reached;

    bench_renew(b);
    subject_start(&b->subject, &b->scenario->launch, b->preload);
    if (subject_wait(&b->subject, ATTEMPT_MS) != SUBJECT_READY)
        wrong = "does not start";
    else
        wrong = bench_use(b);
    for (int i = 0; i < FAULT_COUNT; i++)
        atomic_store(&b->area->calls[i], 0);
    if (injection)
        bench_arm(b, injection);
    if (!wrong)
        wrong = stop(b);
    reached = injection && atomic_load(&b->area->seen) >= injection->nth;
    /* who may not unmount cannot */
    if (wrong && injection && injection->function == FAULT_umount2 &&
        !strcmp(wrong, "has ended, and is still mounted"))
        wrong = NULL;
    if (wrong)
        bench_complain(b, injection, wrong);
    subject_kill(&b->subject);
    subject_unmount(&b->subject);
    return injection ? reached : !wrong;
}
