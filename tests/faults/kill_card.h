/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kill_card.h - what the card is told while the daemon is killed, and what it says of
 * that itself. It keeps its power and its memory (usbemu/kept.c), whoever is killed.
 */
#ifndef TESTS_FAULTS_KILL_CARD_H
#define TESTS_FAULTS_KILL_CARD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "subject.h"

/* Of the APDUs sent in the life of a card; shared with the children that send. */
struct sent {
    atomic_uint begun, answered;
};

extern struct sent *sent;

/* Commands that change something about the card, short and long; 0 or 1. */
int use_card(void *subject);
/* Of the new daemon; 0 or a word of kill_verdicts. */
int use_new_card(void *subject);

#define KILL_VERDICTS 4
extern const char *const kill_verdicts[KILL_VERDICTS];

struct card {
    unsigned powered;
    unsigned long executed, powered_up, left;
};

/* Asks the emulation; false: it has none. */
bool card_of(struct subject *s, struct card *card);

#endif
