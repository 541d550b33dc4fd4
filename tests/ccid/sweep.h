/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep.h - what a reader is asked to do while its bus goes wrong: the scenarios of
 * test-fault_sweep.c and test-mutation.c, each on a virtual reader in the shape for it.
 */
#ifndef TESTS_CCID_SWEEP_H
#define TESTS_CCID_SWEEP_H

#include "virtual_bench.h"

#define SWEEP_SLOTS 2

struct sweep {
    struct virtual_bench v;
    const struct scenario *scenario;
    /* APDUs that the card of a slot has executed, over all its resets. */
    uint32_t executed[SWEEP_SLOTS];
    uint32_t counted[SWEEP_SLOTS]; /* the card's own count, when it was looked at last */
};

struct scenario {
    const char *name;
    const char *base;                                 /* ccid_virtual_shape */
    const char *atr;                                  /* NULL: that of the shape */
    void (*change)(struct ccid_virtual_shape *shape); /* or NULL */
    /* Everything before run goes well. */
    enum { SWEEP_CONNECTED, SWEEP_UNPOWERED, SWEEP_UNPLUGGED } from;
    /* Returns what the request ended with; STATUS_SUCCESS only for the right answer,
     * STATUS_WRONG_ANSWER for a success with any other. */
    NTSTATUS (*run)(struct sweep *s);
    uint32_t commands[SWEEP_SLOTS]; /* what the cards are given to execute */
    /* What the device sends has no length and no end but that of the transfer (USB ICCD
     * 1.0, version B): a short one is a short answer. */
    bool unmarked;
    NTSTATUS expected; /* on a good bus */
    uint32_t limit_ms; /* for run, whatever happens */
};

#define STATUS_WRONG_ANSWER ((NTSTATUS)0xE0000001L)

extern const struct scenario sweep_scenarios[];
extern const size_t sweep_scenario_count;

/* A reader with cards, ready for run. */
void sweep_begin(struct sweep *s, const struct scenario *scenario);
void sweep_end(struct sweep *s);

/* The bus is good again; what is gone is plugged in again, and the driver gets the turns
 * that it has asked for. */
void sweep_mend(struct sweep *s);
/* The same; connects where the state says so, and every slot gets its own answer to a
 * command. Returns the time it took. */
uint64_t sweep_works_again(struct sweep *s, unsigned salt);

/* Power and protocol, where they are still to be done. */
NTSTATUS sweep_connect(struct sweep *s, unsigned slot);
/* A command to a slot. STATUS_WRONG_ANSWER unless the answer is that. */
NTSTATUS sweep_transmit(struct sweep *s, unsigned slot, const char *command,
                        const char *answer);

#endif
