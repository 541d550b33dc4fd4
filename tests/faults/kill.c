/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kill.c - the daemon is killed (SIGKILL) at one system call after the other of its
 * start, of a reader's arrival, of commands and of its end. Each time:
 *
 *   whoever waited for it goes on, and nothing that we have started is in state D;
 *   another daemon serves the same mount point, with the reader, within two seconds;
 *   the card, which has kept its power and whatever it was told (usbemu/kept.c), was told
 *   nothing twice; it is powered anew before it is told anything more, so that its PIN
 *   has to be verified again, and the first answer is that to the first command.
 *
 * KILL_POINTS=N: so many system calls, an equal share for each of the four phases. 0:
 * all. KILL_JSON=FILE: the figures go there, too.
 */
#include "kill_card.h"
#include "killat.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESTART_LIMIT_MS 2000
#define POINTS_USUAL     60
#define RUNS_MAX         8192

#define READER "1-1:level=ext,maxmsg=271,card=1,serial=A1"

enum phase { START, PLUG, TRANSMIT, STOP, PHASES };

static const char *const phase_names[] = {"start", "plug", "transmit", "stop"};

static struct subject subject;
static struct killat_area *area;
static const char *tracer[2];
static int64_t restarts_us[RUNS_MAX];
static unsigned runs, failures;
static const char *const no_options[] = {NULL};

static void *shared(const char *path, size_t size)
{
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    void *memory = MAP_FAILED;

    if (!path)
        memory =
            mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    else if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

/* ---- what is waited for ----------------------------------------------------------- */

static bool reader_comes(int64_t until_us)
{
    while (access(subject_path(&subject, "reader0/state"), R_OK) != 0) {
        if (now_us() > until_us)
            return false;
        pause_ms(1);
    }
    return true;
}

/* Or until the daemon is killed. */
static int wait_for_reader(void *unused)
{
    (void)unused;
    while (!reader_comes(now_us()) && !atomic_load(&area->killed))
        pause_ms(1);
    return 0;
}

/* ---- what is looked at ----------------------------------------------------------- */

/* Whether any process whose parent we are, or that has to do with our directory, is in an
 * uninterruptible sleep. */
static bool somebody_in_d(void)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    bool found = false;

    while (directory && (entry = readdir(directory))) {
        char path[300], text[512] = "", *at;
        int fd, parent = 0;
        char state = 0;

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (read(fd, text, sizeof text - 1) > 0 && (at = strrchr(text, ')')) &&
            sscanf(at + 1, " %c %d", &state, &parent) == 2)
            found |= state == 'D' && (parent == getpid() ||
                                      atoi(entry->d_name) == atomic_load(&area->pid));
        close(fd);
    }
    if (directory)
        closedir(directory);
    return found;
}

static bool nobody_stays_in_d(void)
{
    for (int64_t until = now_us() + 1000000; somebody_in_d(); pause_ms(5))
        if (now_us() > until)
            return false;
    return true;
}

/* ---- a run ----------------------------------------------------------------------- */

static void fail(enum phase phase, unsigned at, const char *what)
{
    failures++;
    printf("FAIL %s, system call %u (number %ld): %s\n", phase_names[phase], at,
           atomic_load(&area->number), what);
    subject_print_log(&subject);
    fflush(stdout);
}

static void arm(unsigned at)
{
    atomic_store(&area->count, 0);
    atomic_store(&area->at, at);
    atomic_store(&area->armed, true);
}

/* Up to the phase, then the phase with the daemon traced; NULL or what is wrong. */
static const char *until_killed(enum phase phase, unsigned at)
{
    const struct launch launch = {.options = no_options,
                                  .devices = phase == PLUG ? "" : READER};
    int status = 0;
    pid_t child = 0;
    bool ended = true;

    memset(area, 0, sizeof *area);
    memset(sent, 0, sizeof *sent);
    if (truncate(subject.state, 0) != 0 && errno != ENOENT)
        return "the card cannot forget";
    if (phase == START)
        arm(at);
    subject.before = tracer;
    subject_start(&subject, &launch, NULL);
    subject.before = NULL;
    if (phase == START) {
        if (subject_wait(&subject, ATTEMPT_MS) == SUBJECT_READY)
            ended = attempt(wait_for_reader, NULL, ATTEMPT_MS, &status, &child);
    } else {
        if (subject_wait(&subject, ATTEMPT_MS) != SUBJECT_READY)
            return "does not start";
        if (phase != PLUG && !reader_comes(now_us() + ATTEMPT_MS * 1000))
            return "the reader does not come";
        if (phase == STOP &&
            (!attempt(use_card, &subject, ATTEMPT_MS, &status, &child) || status != 0))
            return "the card cannot be used";
        arm(at);
    }
    if (phase == PLUG) {
        char line[128];

        snprintf(line, sizeof line, "plug %s", READER);
        *strchr(line, ':') = ' ';
        (void)subject_emulate(&subject, line);
        ended = attempt(wait_for_reader, NULL, ATTEMPT_MS, &status, &child);
    }
    if (phase == TRANSMIT)
        ended = attempt(use_card, &subject, ATTEMPT_MS, &status, &child);
    if (!ended) {
        attempt_give_up(child);
        return "somebody goes on waiting for the dead daemon";
    }
    if (phase == STOP)
        kill(subject.pid, SIGTERM);
    if (!atomic_load(&area->killed) && at != 0 && phase != STOP)
        return NULL; /* it makes fewer calls this time */
    if (at == 0 && phase != STOP)
        atomic_store(&area->armed, false);
    if (at == 0 && phase != STOP)
        return NULL;
    return subject_ended(&subject, ATTEMPT_MS, &status) ? NULL : "it does not end";
}

static const char *restarted(void)
{
    const struct launch launch = {.options = no_options, .devices = READER};
    unsigned begun = atomic_load(&sent->begun), answered = atomic_load(&sent->answered);
    struct card before, after;
    int64_t started = now_us(), took;
    int status;
    pid_t child;

    subject_start(&subject, &launch, NULL);
    if (subject_wait(&subject, RESTART_LIMIT_MS) != SUBJECT_READY)
        return "no restart";
    if (!reader_comes(started + RESTART_LIMIT_MS * 1000))
        return "no reader after the restart";
    took = now_us() - started;
    if (took > RESTART_LIMIT_MS * 1000)
        return "the restart takes too long";
    restarts_us[runs % RUNS_MAX] = took;
    runs++;
    if (!card_of(&subject, &before))
        return "no card after the restart";
    if (before.executed < answered || before.executed > begun)
        return "a command was executed twice, or not at all and answered";
    if (!attempt(use_new_card, &subject, ATTEMPT_MS, &status, &child)) {
        attempt_give_up(child);
        return "the first use hangs";
    }
    if (status != 0)
        return status < KILL_VERDICTS ? kill_verdicts[status] : "the first use fails";
    if (!card_of(&subject, &after))
        return "no card after its first use";
    if (after.executed != before.executed + 3)
        return "a command after the restart was not executed once";
    if (after.left != 0)
        return "something is left half way";
    kill(subject.pid, SIGTERM);
    if (!subject_ended(&subject, ATTEMPT_MS, &status) || status != 0)
        return "the new one does not end";
    return subject_mounted(&subject) ? "it is left mounted" : NULL;
}

/* How many system calls the phase makes; 0: it does not work. */
static unsigned measure(enum phase phase)
{
    const char *wrong = until_killed(phase, 0);
    unsigned count = atomic_load(&area->count);

    if (wrong)
        fail(phase, 0, wrong);
    subject_kill(&subject);
    subject_unmount(&subject);
    return wrong ? 0 : count;
}

/* Whether it was killed: a run may make fewer calls than the one that was measured. */
static bool run(enum phase phase, unsigned at)
{
    const char *wrong = until_killed(phase, at);
    const bool killed = atomic_load(&area->killed);

    if (!wrong && !nobody_stays_in_d())
        wrong = "somebody is in state D";
    subject_kill(&subject); /* where it has not come so far */
    if (!wrong)
        wrong = restarted();
    if (wrong)
        fail(phase, at, wrong);
    subject_kill(&subject);
    subject_unmount(&subject);
    return killed;
}

static unsigned points_wanted(void)
{
    const char *text = getenv("KILL_POINTS");

    return text ? (unsigned)strtoul(text, NULL, 10) : POINTS_USUAL;
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int skip(const char *reason)
{
    printf("SKIP kill: %s\n", reason);
    return 77;
}

int main(void)
{
    const char *path = getenv("KILL_JSON");
    unsigned points = 0, calls[PHASES], killed[PHASES];
    FILE *json;

    signal(SIGPIPE, SIG_IGN); /* of who was killed while we speak */
    if (access("/dev/fuse", R_OK | W_OK) != 0)
        return skip(strerror(errno));
    if (geteuid() != 0)
        return skip("needs root");
    tracer[0] = getenv("KILLAT");
    if (!tracer[0] || !getenv("USBEMU") || !getenv("SCARDFS"))
        return skip("KILLAT, USBEMU and SCARDFS do not say what to test");
    if (!subject_new(&subject))
        return 1;
    area = shared(subject.area, sizeof *area);
    sent = shared(NULL, sizeof *sent);
    setenv("KILLAT_AREA", subject.area, 1);
    setenv("USBEMU_STATE", subject.state, 1);
    for (int phase = 0; phase < PHASES; phase++) {
        unsigned share = points_wanted() / PHASES, step = 1;
        int64_t begun = now_us();

        calls[phase] = measure((enum phase)phase);
        if (share > 0 && calls[phase] > share)
            step = (calls[phase] + share - 1) / share;
        killed[phase] = 0;
        for (unsigned at = 1; at <= calls[phase]; at += step)
            killed[phase] += run((enum phase)phase, at);
        if (killed[phase] == 0)
            fail((enum phase)phase, 0, "it was never killed");
        points += killed[phase];
        printf("%-4s %s: killed at %u of %u system calls (%.1f s)\n",
               failures ? "FAIL" : "ok", phase_names[phase], killed[phase], calls[phase],
               (double)(now_us() - begun) / 1e6);
        fflush(stdout);
    }
    subject_free(&subject);
    qsort(restarts_us, runs < RUNS_MAX ? runs : RUNS_MAX, sizeof *restarts_us, by_size);
    printf("killed %u times, %u restarts: median %.1f ms, longest %.1f ms; %u failures\n",
           points, runs, runs ? (double)restarts_us[runs / 2] / 1000 : 0,
           runs ? (double)restarts_us[runs - 1] / 1000 : 0, failures);
    json = path && *path ? fopen(path, "we") : NULL;
    if (json) {
        fprintf(json, "{\n  \"phases\": {");
        for (int phase = 0; phase < PHASES; phase++)
            fprintf(json, "%s\n    \"%s\": {\"calls\": %u, \"killed\": %u}",
                    phase ? "," : "", phase_names[phase], calls[phase], killed[phase]);
        fprintf(json,
                "\n  },\n  \"killed\": %u,\n  \"restarts\": %u,\n  \"median_ms\": %.1f,\n"
                "  \"longest_ms\": %.1f,\n  \"failures\": %u\n}\n",
                points, runs, runs ? (double)restarts_us[runs / 2] / 1000 : 0,
                runs ? (double)restarts_us[runs - 1] / 1000 : 0, failures);
        fclose(json);
    }
    return runs > 0 && failures == 0 ? 0 : 1;
}
