/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle_worker.h - a process under a uid of its own that does random things with a
 * reader, and compares what the card says with what must be true.
 */
#ifndef TESTS_MOUNT_ORACLE_WORKER_H
#define TESTS_MOUNT_ORACLE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#define WORKERS 8

/* Shared by all processes; atomic, but for the text. */
struct oracle {
    int inside;          /* 1 + the worker who is in a transaction, 0: nobody */
    int doomed[WORKERS]; /* is about to be killed, or was */
    int done[WORKERS];   /* operations */
    int transactions, exchanges;
    int violations;
    char first[128]; /* what the first violation was */
};

/* Works until it has done so many operations in all its lives; then exits. */
_Noreturn void oracle_work(struct oracle *oracle, int worker, const char *control,
                           int operations, uint32_t seed);

#endif
