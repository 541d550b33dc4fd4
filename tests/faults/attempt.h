/* SPDX-License-Identifier: BSD-2-Clause */
/* attempt.h - something is done in a child, which may hang, and for so long. */
#ifndef TESTS_FAULTS_ATTEMPT_H
#define TESTS_FAULTS_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ATTEMPT_MS 10000 /* the watchdog: nothing takes so long */

/* Runs it in a child; true when it has ended in time. *status: what it returned, or 128
 * and a signal. */
bool attempt(int (*run)(void *), void *argument, int limit_ms, int *status, pid_t *child);
/* Goes on waiting for one that has not, or ends it. */
bool attempt_more(pid_t child, int limit_ms, int *status);
void attempt_give_up(pid_t child);

/* A file that can be polled for the end of that child. */
int attempt_pidfd(pid_t child);

int64_t now_us(void);
void pause_ms(int ms);

#endif
