/* SPDX-License-Identifier: BSD-2-Clause */
/* scenarios.h - what is done while a call fails. */
#ifndef TESTS_FAULTS_SCENARIOS_H
#define TESTS_FAULTS_SCENARIOS_H

#include "subject.h"

/* What an operation has come to; it is run in a child, of which it is the exit status. */
enum outcome { WORKED, FAILED, WRONG /* it delivered something that is not so */ };

enum scenario_kind {
    SCENARIO_START, /* the call fails while the daemon starts; run: is it up, and usable
                     */
    SCENARIO_STOP,  /* while it ends */
    SCENARIO_LIVE,  /* while run, with the same daemon again and again */
};

struct scenario {
    const char *name;
    enum scenario_kind kind;
    struct launch launch;
    /* LIVE: brings everything where run expects it, without a fault; may be NULL */
    int (*prepare)(void *subject);
    int (*run)(void *subject);
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

/* uses.c */
int use_none(void *subject);
int use_connect(void *subject);
int use_transmit(void *subject);
int use_long(void *subject);
int use_hex(void *subject);
int use_power(void *subject);
int use_poll(void *subject);
int use_lock(void *subject);
int use_interrupt(void *subject);
int use_transaction(void *subject);
int use_wait(void *subject);
int use_trace(void *subject);
int use_files(void *subject);
int use_virtual(void *subject);
int use_card_program(void *subject);

int prepare_card(void *subject);
int prepare_no_card_program(void *subject);
int prepare_unplugged(void *subject);
int prepare_plugged(void *subject);
int prepare_one_virtual(void *subject);
int use_plug(void *subject);
int use_unplug(void *subject);
int use_started_usb(void *subject);
int use_started_virtual(void *subject);

#endif
