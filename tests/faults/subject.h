/* SPDX-License-Identifier: BSD-2-Clause */
/* subject.h - the daemon under test, with the emulated USB and perhaps faults.so in it.
 */
#ifndef TESTS_FAULTS_SUBJECT_H
#define TESTS_FAULTS_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attempt.h"

struct launch {
    const char *const *options; /* NULL ends them */
    const char *devices;        /* USBEMU_DEVICES, "": none */
    bool background;            /* without -f */
};

struct subject {
    pid_t pid; /* 0: none */
    int pidfd, ready_fd, emulation_fd;
    char dir[64], mount[80], log[80], area[80], emulation[80], ready[80], card[80];
    char rules[80], leaks[80], state[80];
    const char *const *before; /* a command in front of the daemon's, NULL: none */
    off_t log_begin;           /* where this run's part of the log begins */
};

/* A directory with everything that the daemon gets; false after a sentence. */
bool subject_new(struct subject *s);
void subject_free(struct subject *s);

/* preload: what is in front of the emulation, or NULL. */
void subject_start(struct subject *s, const struct launch *launch, const char *preload);

enum subject_state { SUBJECT_READY, SUBJECT_ENDED, SUBJECT_SILENT };
/* Until it has said that it is ready, or has ended; for so long. */
enum subject_state subject_wait(struct subject *s, int limit_ms);
/* True once it has ended, with its wait status; for so long. */
bool subject_ended(struct subject *s, int limit_ms, int *status);
/* Of one that has gone to the background: it is the caller's child (a subreaper) now. */
bool subject_adopt(struct subject *s);
void subject_kill(struct subject *s);

bool subject_mounted(const struct subject *s);
/* Takes away what may have been left mounted. */
void subject_unmount(const struct subject *s);

/* How much it has written since it was started, and whether that has the word in it. */
size_t subject_said(const struct subject *s);
bool subject_has_said(const struct subject *s, const char *words);
void subject_print_log(const struct subject *s);

/* "MOUNT/NAME", in a buffer that the next call uses again. */
const char *subject_path(const struct subject *s, const char *name);
/* A command of the emulation's socket; its answer, NULL: refused. */
const char *subject_emulate(struct subject *s, const char *line);

#endif
