/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * matrix_subject.h - a process that has a file of a reader open and is in one of the
 * states in which something can end: its call, its transaction, its file, itself.
 */
#ifndef TESTS_MOUNT_MATRIX_SUBJECT_H
#define TESTS_MOUNT_MATRIX_SUBJECT_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon.h"

#define SUBJECT_SLOW_MS  1500 /* of an APDU that runs */
#define SUBJECT_LIMIT_MS 10000

enum subject_state {
    SUBJECT_IDLE,      /* has powered the card and selected a protocol */
    SUBJECT_SHORT,     /* in TRANSMIT of a short command */
    SUBJECT_IN_FLIGHT, /* in TRANSMIT of a command of SUBJECT_SLOW_MS */
    SUBJECT_EVENT,     /* in read of events/absent */
    SUBJECT_TRACKER,   /* in IS_ABSENT */
    SUBJECT_POLL,      /* in poll of events/absent */
    SUBJECT_REPLY,     /* has written a command, its answer is there */
    SUBJECT_READ,      /* in read of the answer to a command of SUBJECT_SLOW_MS */
    SUBJECT_CONNECTED, /* has done CONNECT, shared */
    SUBJECT_HOLDING,   /* has done BEGIN */
    SUBJECT_LOCKING,   /* has done flock */
    SUBJECT_BEGIN,     /* in BEGIN */
    SUBJECT_FLOCK,     /* in flock */
};

/* What has come of it, in words: "ok", the name of an errno, poll bits. */
struct subject_report {
    pid_t tid; /* atomic: of the thread that makes the call; 0 before it does */
    int ended; /* atomic: the call has returned */
    char call[32];
    char answer[32]; /* to the last order */
};

struct subject {
    pid_t pid;
    int orders; /* a socket */
    struct subject_report *report;
    enum subject_state state;
};

/* Returns once it is in that state: its call, if there is one, sleeps in the kernel. */
void subject_start(struct subject *s, const struct daemon *d, enum subject_state state);

bool subject_makes_a_call(const struct subject *s);
/* Whether the call has ended within so many milliseconds. */
bool subject_call_ended(const struct subject *s, unsigned within_ms);

/* Each makes one system call on its file and returns what came of it. */
const char *subject_end(struct subject *s);   /* the END of a transaction */
const char *subject_close(struct subject *s); /* close(2), the call beside it or not */
const char *subject_next(struct subject *s);  /* what this state does next */

/* SIGKILL; false: it was not reaped within that time. */
bool subject_kill(struct subject *s, unsigned within_ms);
/* Lets it exit and forgets it; also after subject_kill. */
void subject_finish(struct subject *s);

#endif
