/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * soak.h - what the processes of the soak test share: who does what on which reader, and
 * what has gone wrong. Numbers are atomic; texts are written by one process.
 */
#ifndef TESTS_SOAK_SOAK_H
#define TESTS_SOAK_SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READERS     4
#define USB_READERS 2 /* the first */
#define READER_T0   3 /* the only one whose card speaks T=0 */
#define CLIENTS     32
#define WATCHERS    (2 * READERS) /* of cards that come and go: one each by two means */
#define UIDS        8             /* each with a client of every way to the card */
#define UID_BASE    61000

/* Once a command has failed the next use of the reader works within 3 s, unless it meets
 * with a fault, too. A fault costs its command the time that the card has for it: 4 s
 * with the cards here (ccid/timeouts.c), but 30 s for a power-on, since the longest ATR
 * may take that. */
#define NEXT_USE_MS 3000
#define DEADLINE_MS 30000
#define RECOVER_MS  (DEADLINE_MS + NEXT_USE_MS)
/* A call waits in line: twice somebody before it may meet with the worst of faults, and
 * then itself. */
#define CALL_MS (3 * RECOVER_MS)

struct reader {
    char tag[16]; /* part of its name that no other reader has */
    bool faulty;  /* faults are injected into it */
    /* Even: the card has been in since the last change; odd: card or reader comes or goes
     */
    uint32_t generation;
    int64_t settled_ms; /* when it became even */
    /* The first failure that no success has followed: when, in ms, * 65536 + how many
     * faults there had been when that call began; 0: none */
    uint64_t trouble;
    int64_t fault_ms; /* of the last fault that was injected */
    uint32_t faults;  /* since it was plugged in */
    uint64_t inside;  /* the transaction: generation * 256 + client + 1; 0: none */
    /* What the watchers know: 0 not there, else 2 * the counter + 2, and 1 with a card */
    uint32_t seen[2];
};

struct client_record {
    uint32_t number;   /* of its last command */
    int64_t call_ms;   /* when its call began; 0: it is in none */
    const char *call;  /* which; a literal, so the same in all processes */
    uint32_t sessions; /* that went well to their end */
    int doomed;        /* it is about to be killed */
};

struct soak {
    struct reader readers[READERS];
    struct client_record clients[CLIENTS];
    int stop;
    uint64_t operations, apdus, transactions, failures;
    int64_t longest_ms;
    const char *longest;
    unsigned violations;
    char first[512];
};

extern struct soak *soak; /* shared */

/* Something that must not be. Who: "client 3 (ioctl)". */
void violation(const char *who, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* xorshift32; *state is not 0. */
uint32_t draw(uint32_t *state);

/* The directory of the reader with that tag, or -1: it is not there. */
int reader_open(const char *mount, const char *tag, char *name, size_t room);

#define LOAD(p)     __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define ADD(p, v)   __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)

#endif
