/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * matrix_subject.c - see matrix_subject.h. The main thread of the process obeys orders,
 * another one makes the call that may block, so that one can close or end beside it.
 */
#include "matrix_subject.h"

#include "calls.h"
#include "wdm.h"
#include "winsmcrd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum order { ORDER_END = 'E', ORDER_CLOSE = 'C', ORDER_NEXT = 'N' };

struct self { /* the process itself */
    int fd;
    enum subject_state state;
    struct subject_report *report;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};

    nanosleep(&t, NULL);
}

static const char *word(int error)
{
    return error == 0 ? "ok" : strerrorname_np(error);
}

/* ---- states ----------------------------------------------------------------------- */

static const char *poll_words(int fd, short events)
{
    static const struct {
        short bit;
        const char *name;
    } bits[] = {{POLLIN, "IN"},
                {POLLPRI, "PRI"},
                {POLLERR, "ERR"},
                {POLLHUP, "HUP"},
                {POLLNVAL, "NVAL"}};
    static char words[32];
    struct pollfd p = {.fd = fd, .events = events};

    words[0] = 0;
    if (poll(&p, 1, -1) < 0)
        return word(errno);
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if ((p.revents & bits[i].bit) != 0) {
            strcat(words, words[0] != 0 ? "|" : "");
            strcat(words, bits[i].name);
        }
    return words;
}

static const char *file_of(enum subject_state state)
{
    return state == SUBJECT_EVENT || state == SUBJECT_POLL ? "reader0/events/absent"
                                                           : "reader0/control";
}

static bool makes_a_call(enum subject_state state)
{
    switch (state) {
    case SUBJECT_IDLE:
    case SUBJECT_REPLY:
    case SUBJECT_CONNECTED:
    case SUBJECT_HOLDING:
    case SUBJECT_LOCKING:
        return false;
    default:
        return true;
    }
}

/* Everything before the call. */
static int prepare(const struct self *self)
{
    int error = 0;

    switch (self->state) {
    case SUBJECT_REPLY:
        return call_write_and_wait(self->fd);
    case SUBJECT_READ:
        return call_write(self->fd, SUBJECT_SLOW_MS);
    case SUBJECT_CONNECTED:
        return call_connect(self->fd);
    case SUBJECT_HOLDING:
        error = call_begin(self->fd, "matrix");
        return error != 0 ? error : call_select_protocol(self->fd);
    case SUBJECT_LOCKING:
        error = call_lock(self->fd);
        return error != 0 ? error : call_select_protocol(self->fd);
    case SUBJECT_IDLE:
    case SUBJECT_IN_FLIGHT:
        return call_select_protocol(self->fd);
    default:
        return 0;
    }
}

static const char *call(const struct self *self)
{
    switch (self->state) {
    case SUBJECT_SHORT:
        return word(call_transmit(self->fd, 0));
    case SUBJECT_IN_FLIGHT:
        return word(call_transmit(self->fd, SUBJECT_SLOW_MS));
    case SUBJECT_EVENT:
        return word(call_read(self->fd));
    case SUBJECT_TRACKER:
        return word(call_device(self->fd, IOCTL_SMARTCARD_IS_ABSENT, NULL, 0, 0));
    case SUBJECT_POLL:
        return poll_words(self->fd, POLLIN);
    case SUBJECT_READ:
        return word(call_read(self->fd));
    case SUBJECT_BEGIN:
        return word(call_begin(self->fd, "matrix"));
    case SUBJECT_FLOCK:
        return word(call_lock(self->fd));
    default:
        return "";
    }
}

static const char *next(const struct self *self)
{
    switch (self->state) {
    case SUBJECT_EVENT:
    case SUBJECT_POLL:
    case SUBJECT_REPLY:
    case SUBJECT_READ:
        return word(call_read(self->fd));
    default:
        return word(call_transmit(self->fd, 0));
    }
}

/* ---- the process ------------------------------------------------------------------ */

static void *make_call(void *argument)
{
    const struct self *self = argument;
    struct subject_report *report = self->report;

    __atomic_store_n(&report->tid, gettid(), __ATOMIC_SEQ_CST);
    snprintf(report->call, sizeof report->call, "%s", call(self));
    __atomic_store_n(&report->ended, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static const char *obey(const struct self *self, char order)
{
    switch ((enum order)order) {
    case ORDER_END:
        return word(call_end(self->fd, SCARD_DISPOSITION_LEAVE));
    case ORDER_CLOSE:
        /* Under a call of the other thread, which ThreadSanitizer would say of close. */
        return word(syscall(SYS_close, self->fd) != 0 ? errno : 0);
    case ORDER_NEXT:
        return next(self);
    }
    return "?";
}

static _Noreturn void be(struct self *self, const struct daemon *d, int orders)
{
    pthread_t thread;
    char order = 'R';
    int error;

    self->fd = open(daemon_path(d, file_of(self->state)), O_RDWR | O_CLOEXEC);
    if (self->fd < 0)
        self->fd = open(daemon_path(d, file_of(self->state)), O_RDONLY | O_CLOEXEC);
    if (self->fd < 0)
        die("a subject's file");
    error = prepare(self);
    if (error != 0) {
        errno = error;
        die("a subject's preparation");
    }
    if (makes_a_call(self->state) &&
        (pthread_create(&thread, NULL, make_call, self) != 0 ||
         pthread_detach(thread) != 0))
        die("a subject's thread");
    if (write(orders, &order, 1) != 1)
        exit(1);
    while (read(orders, &order, 1) == 1) {
        snprintf(self->report->answer, sizeof self->report->answer, "%s",
                 obey(self, order));
        if (write(orders, &order, 1) != 1)
            break;
    }
    _exit(0);
}

/* ---- from outside ----------------------------------------------------------------- */

/* Whether the thread is in the call of its state and sleeps. */
static bool sleeps(const struct subject *s)
{
    static const long calls[] = {SYS_ioctl, SYS_read, SYS_poll, SYS_ppoll, SYS_flock};
    pid_t tid = __atomic_load_n(&s->report->tid, __ATOMIC_SEQ_CST);
    char path[64];
    long number = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", (int)s->pid, (int)tid);
    file = tid == 0 ? NULL : fopen(path, "re");
    if (file == NULL)
        return false;
    if (fscanf(file, "%ld", &number) != 1) /* "running" */
        number = -1;
    fclose(file);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (number == calls[i])
            return true;
    return false;
}

/* One byte to and fro. */
static void exchange_byte(struct subject *s, const char *order)
{
    struct pollfd p = {.fd = s->orders, .events = POLLIN};
    char byte;

    if (order != NULL && write(s->orders, order, 1) != 1)
        die("an order");
    if (poll(&p, 1, SUBJECT_LIMIT_MS) != 1 || read(s->orders, &byte, 1) != 1) {
        fprintf(stderr, "a subject does not answer\n");
        kill(s->pid, SIGKILL);
        exit(1);
    }
}

void subject_start(struct subject *s, const struct daemon *d, enum subject_state state)
{
    int64_t limit = now_ms() + SUBJECT_LIMIT_MS;
    int ends[2];

    s->state = state;
    s->report = mmap(NULL, sizeof *s->report, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s->report == MAP_FAILED ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        die("a subject");
    fflush(NULL);
    s->pid = fork();
    if (s->pid < 0)
        die("fork");
    if (s->pid == 0) {
        struct self self = {.state = state, .report = s->report};

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        be(&self, d, ends[1]);
    }
    close(ends[1]);
    s->orders = ends[0];
    exchange_byte(s, NULL);
    while (makes_a_call(state) && !sleeps(s)) {
        if (now_ms() > limit || subject_call_ended(s, 0)) {
            fprintf(stderr, "a subject's call does not block: %s\n", s->report->call);
            exit(1);
        }
        pause_ms(1);
    }
    /* The kernel hands requests over in order: with this one the daemon has that one. */
    (void)daemon_text(d, "version");
}

bool subject_makes_a_call(const struct subject *s)
{
    return makes_a_call(s->state);
}

bool subject_call_ended(const struct subject *s, unsigned within_ms)
{
    int64_t limit = now_ms() + within_ms;

    while (__atomic_load_n(&s->report->ended, __ATOMIC_SEQ_CST) == 0) {
        if (now_ms() >= limit)
            return false;
        pause_ms(1);
    }
    return true;
}

static const char *give_order(struct subject *s, enum order order)
{
    char byte = (char)order;

    exchange_byte(s, &byte);
    return s->report->answer;
}

const char *subject_end(struct subject *s)
{
    return give_order(s, ORDER_END);
}

const char *subject_close(struct subject *s)
{
    return give_order(s, ORDER_CLOSE);
}

const char *subject_next(struct subject *s)
{
    return give_order(s, ORDER_NEXT);
}

bool subject_kill(struct subject *s, unsigned within_ms)
{
    int64_t limit = now_ms() + within_ms;

    kill(s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, WNOHANG) == 0) {
        if (now_ms() > limit)
            return false;
        pause_ms(1);
    }
    s->pid = 0;
    return true;
}

void subject_finish(struct subject *s)
{
    close(s->orders); /* it exits at the end of its orders */
    if (s->pid != 0)
        waitpid(s->pid, NULL, 0);
    munmap(s->report, sizeof *s->report);
    *s = (struct subject){0};
}
