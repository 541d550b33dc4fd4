/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * injection.c - one run with a fault, and what is looked at afterwards.
 *
 * A daemon that was running still runs, has answered whoever waited, holds no more memory
 * and no more file descriptors than before, and does the same thing properly as soon as
 * the fault is gone. One that does not start says why, with a status that is not 0, and
 * leaves nothing mounted. One that is told to end does. Nobody is killed by a signal.
 *
 * Memory is compared with a run without a fault. What is only kept (a thread's buffers)
 * is so once: a fault that leaves something behind is repeated, and is a leak when that
 * grows each time.
 */
#include "injection.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 1000 /* until a fault that stays is taken away from who waits */
#define MEND_MS                                                                          \
    6000 /* until everything works again: some things are tried again later              \
          */
#define SLOW_MS                                                                          \
    500 /* it makes do (asks instead of listening); the next one gets a new one */
#define SETTLE_MS 300 /* until threads that end have freed what they had */
#define REPEATS   3
#define OFFSET    0xffffffffffffu /* of a caller in its module */

static const char *const modules[] = {"scardfs", "libsmclib", "libusb", "libfuse"};

#define FAULT(name, type, fails, code, params, args) #name,
#define SPECIAL(name)                                #name,
const char *const fault_names[FAULT_COUNT] = {
#include "functions.h"
};
#undef FAULT
#undef SPECIAL

/* ---- arming ---------------------------------------------------------------------- */

static void arm(struct bench *b, const struct injection *injection)
{
    atomic_store(&b->area->seen, 0);
    atomic_store(&b->area->fired, 0);
    atomic_store(&b->area->nth, injection->nth);
    atomic_store(&b->area->sticky, injection->sticky);
    atomic_store(&b->area->target, (int)injection->function);
}

static void disarm(struct bench *b)
{
    atomic_store(&b->area->target, FAULTS_NONE);
}

static void renew(struct bench *b)
{
    memset(b->area, 0, sizeof *b->area);
    disarm(b);
}

static void complain(struct bench *b, const struct injection *injection, const char *what)
{
    uint64_t caller = atomic_load(&b->area->fired_caller);

    b->failures++;
    printf("FAIL %s: %s %u%s (from %s+%#llx): %s\n", b->scenario->name,
           injection ? fault_names[injection->function] : "no fault",
           injection ? injection->nth : 0,
           injection && injection->sticky ? " and later" : "", modules[caller >> 48],
           (unsigned long long)(caller & OFFSET), what);
    subject_print_log(&b->subject);
    fflush(stdout);
}

/* ---- what is left ---------------------------------------------------------------- */

static unsigned live(const struct bench *b)
{
    return __atomic_load_n(&b->area->live_count, __ATOMIC_SEQ_CST);
}

static unsigned descriptors(const struct bench *b)
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
static bool settles(const struct bench *b)
{
    for (int64_t until = now_us() + SETTLE_MS * 1000;; pause_ms(1)) {
        if (live(b) <= b->base_live && descriptors(b) <= b->base_fds)
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
static void take_census(const struct bench *b, struct census *census)
{
    census->callers = 0;
    for (unsigned i = 0; i < FAULTS_LIVE_MAX; i++)
        if (b->area->live[i].address != 0)
            count(census, b->area->live[i].caller);
}

/* Who has more than he had; NULL: nobody. Not a library that has forgotten something at
 * its own fault: libusb does when it cannot start. */
static const char *grown(const struct bench *b, const struct census *before,
                         const struct census *now)
{
    const unsigned fired = atomic_load(&b->area->fired)
                               ? (unsigned)atomic_load(&b->area->fired_module)
                               : FAULTS_DAEMON;
    static char what[256];
    size_t len = 0;

    for (unsigned i = 0; i < now->callers; i++) {
        unsigned had = 0;

        if (fired >= FAULTS_LIBUSB && now->caller[i] >> 48 == fired)
            continue;
        for (unsigned j = 0; j < before->callers; j++)
            if (before->caller[j] == now->caller[i])
                had = before->count[j];
        if (now->count[i] > had && len < sizeof what - 64)
            len += (size_t)snprintf(
                what + len, sizeof what - len, "%s%s+%#llx has %u blocks, not %u",
                len ? ", " : "", modules[now->caller[i] >> 48],
                (unsigned long long)(now->caller[i] & OFFSET), now->count[i], had);
    }
    return len ? what : NULL;
}

/* LeakSanitizer does so at the end. */
static bool sanitizer_complains(const struct bench *b)
{
    return subject_has_said(&b->subject, "Sanitizer") ||
           subject_has_said(&b->subject, "runtime error");
}

/* ---- use ------------------------------------------------------------------------- */

static bool has_ended(const struct bench *b)
{
    struct pollfd fd = {.fd = b->subject.pidfd, .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

/* Everything as it should be, and the same once more; NULL or what is wrong. */
static const char *use(struct bench *b)
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

/* ---- a daemon that runs ---------------------------------------------------------- */

static bool restart(struct bench *b)
{
    const char *wrong;

    subject_kill(&b->subject);
    subject_unmount(&b->subject);
    renew(b);
    subject_start(&b->subject, &b->scenario->launch, b->preload);
    if (subject_wait(&b->subject, ATTEMPT_MS) != SUBJECT_READY) {
        complain(b, NULL, "does not start");
        return false;
    }
    for (int i = 0; i < 3; i++) {
        wrong = use(b);
        if (wrong) {
            complain(b, NULL, wrong);
            return false;
        }
    }
    pause_ms(SETTLE_MS);
    b->base_live = live(b);
    b->base_fds = descriptors(b);
    return true;
}

/* libfuse ends its loop when a thread of it has no memory: that is an end in order. */
static const char *judge_end(struct bench *b, int status)
{
    if (sanitizer_complains(b))
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
    arm(b, injection);
    if (!attempt(scenario->run, &b->subject, PATIENCE_MS, &status, &child)) {
        disarm(b);
        if (!attempt_more(child, ATTEMPT_MS, &status)) {
            attempt_give_up(child);
            wrong = "hangs";
        }
    }
    disarm(b);
    if (status == WRONG)
        wrong = "delivers something wrong";
    if (subject_ended(&b->subject, 0, &ended)) {
        const char *why = judge_end(b, ended);

        return why ? why : wrong;
    }
    if (!wrong && atomic_load(&b->area->fired) > 0) {
        int64_t begun = now_us();

        wrong = use(b);
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
        unsigned before = live(b) + descriptors(b);

        if (run_live(b, injection) || b->subject.pid == 0)
            return;
        (void)settles(b);
        times += live(b) + descriptors(b) > before;
    }
    if (times == REPEATS) {
        const char *who;

        take_census(b, &b->now);
        who = grown(b, &b->before, &b->now);
        if (who || descriptors(b) > b->base_fds)
            complain(b, injection, who ? who : "file descriptors are not closed");
    }
    b->base_live = live(b);
    b->base_fds = descriptors(b);
}

/* Without memory for a request, libfuse answers it alone: of a RELEASE nobody hears, and
 * the handle stays until the end. */
static bool lost_by_libfuse(struct bench *b, const struct injection *injection)
{
    if (injection->function != FAULT_calloc ||
        atomic_load(&b->area->fired_module) != FAULTS_LIBFUSE)
        return false;
    b->base_live = live(b);
    b->base_fds = descriptors(b);
    return true;
}

static bool inject_live(struct bench *b, const struct injection *injection)
{
    const char *wrong;
    bool reached;

    if (b->subject.pid == 0 && !restart(b))
        return false;
    b->slow = false;
    take_census(b, &b->before);
    wrong = run_live(b, injection);
    reached = atomic_load(&b->area->seen) >= injection->nth;
    if (wrong) {
        complain(b, injection, wrong);
        (void)restart(b);
    } else if (b->subject.pid != 0 && b->slow) {
        (void)restart(b);
    } else if (b->subject.pid != 0 && !settles(b) && !lost_by_libfuse(b, injection)) {
        look_for_leak(b, injection);
    }
    return reached;
}

/* ---- a start --------------------------------------------------------------------- */

/* In the background the first process ends when the daemon is ready. */
static bool is_up(struct bench *b, bool *up, int *status)
{
    struct subject *s = &b->subject;
    enum subject_state state;

    *up = false;
    if (b->scenario->launch.background) {
        if (!subject_ended(s, PATIENCE_MS, status)) {
            disarm(b);
            if (!subject_ended(s, ATTEMPT_MS, status))
                return false;
        }
        *up = WIFEXITED(*status) && WEXITSTATUS(*status) == 0 && subject_adopt(s);
        return true;
    }
    state = subject_wait(s, PATIENCE_MS);
    disarm(b);
    if (state == SUBJECT_ENDED)
        return subject_ended(s, ATTEMPT_MS, status);
    *up = true; /* or its word got lost: the next use shows */
    return true;
}

static const char *judge_refusal(struct bench *b, int status)
{
    struct subject *s = &b->subject;

    if (sanitizer_complains(b))
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
    if (!subject_ended(s, PATIENCE_MS, &status)) {
        disarm(b);
        if (!subject_ended(s, ATTEMPT_MS, &status))
            return "does not end";
    }
    if (sanitizer_complains(b))
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
    disarm(b);
    if (!up)
        return judge_refusal(b, status);
    wrong = use(b);
    if (wrong && subject_ended(&b->subject, 0, &status))
        return judge_refusal(b, status); /* just after it was ready */
    return wrong ? wrong : stop(b);
}

static bool inject_start(struct bench *b, const struct injection *injection)
{
    const char *wrong;
    bool reached;

    renew(b);
    if (injection)
        arm(b, injection);
    subject_start(&b->subject, &b->scenario->launch, b->preload);
    wrong = run_start(b);
    reached = injection && atomic_load(&b->area->seen) >= injection->nth;
    take_census(b, injection ? &b->now : &b->before);
    if (!wrong && injection && !b->scenario->launch.background)
        wrong = grown(b, &b->before, &b->now);
    if (wrong)
        complain(b, injection, wrong);
    subject_kill(&b->subject);
    while (b->scenario->launch.background && subject_adopt(&b->subject))
        subject_kill(&b->subject); /* what was said not to be there */
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ; /* what the daemon has started, and left to us */
    subject_unmount(&b->subject);
    return injection ? reached : !wrong;
}

/* ---- an end ---------------------------------------------------------------------- */

static bool inject_stop(struct bench *b, const struct injection *injection)
{
    const char *wrong = NULL;
    bool reached;

    renew(b);
    subject_start(&b->subject, &b->scenario->launch, b->preload);
    if (subject_wait(&b->subject, ATTEMPT_MS) != SUBJECT_READY)
        wrong = "does not start";
    else
        wrong = use(b);
    for (int i = 0; i < FAULT_COUNT; i++)
        atomic_store(&b->area->calls[i], 0);
    if (injection)
        arm(b, injection);
    if (!wrong)
        wrong = stop(b);
    reached = injection && atomic_load(&b->area->seen) >= injection->nth;
    /* who may not unmount cannot */
    if (wrong && injection && injection->function == FAULT_umount2 &&
        !strcmp(wrong, "has ended, and is still mounted"))
        wrong = NULL;
    if (wrong)
        complain(b, injection, wrong);
    subject_kill(&b->subject);
    subject_unmount(&b->subject);
    return injection ? reached : !wrong;
}

/* ---- all ------------------------------------------------------------------------- */

bool bench_measure(struct bench *b)
{
    bool good;

    if (b->scenario->kind == SCENARIO_LIVE) {
        good = restart(b);
        for (int i = 0; i < FAULT_COUNT; i++)
            atomic_store(&b->area->calls[i], 0);
        if (good && use(b))
            good = false;
    } else {
        good = b->scenario->kind == SCENARIO_START ? inject_start(b, NULL)
                                                   : inject_stop(b, NULL);
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
        reached = inject_start(b, injection);
        break;
    case SCENARIO_STOP:
        reached = inject_stop(b, injection);
        break;
    default:
        reached = inject_live(b, injection);
        break;
    }
    b->injected += reached;
    if (getenv("SWEEP_SLOW") && now_us() - begun > 1000000)
        printf("     %s: %s %u%s took %.1f s\n", b->scenario->name,
               fault_names[injection->function], injection->nth,
               injection->sticky ? " and later" : "", (double)(now_us() - begun) / 1e6);
    return reached;
}
