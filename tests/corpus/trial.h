/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trial.h - one reader at work: every slot is powered, gives its ATR and agrees on a
 * protocol, and its card gets short commands of all four cases and an ECHO of 60,000
 * bytes. Where the reader lets the host choose, with each protocol in turn.
 *
 * What a reader may refuse is said by its descriptor alone (trial.c); everything else
 * must work.
 */
#ifndef TESTS_CORPUS_TRIAL_H
#define TESTS_CORPUS_TRIAL_H

#include "row.h"

#define TRIAL_ECHO_LEN 60000

enum trial_outcome {
    TRIAL_PASSED,  /* all of it */
    TRIAL_REFUSED, /* all but the ECHO, which was refused as documented */
    TRIAL_FAILED,
};

struct trial_result {
    enum trial_outcome outcome;
    NTSTATUS status;    /* of a refusal */
    const char *reason; /* of a refusal */
    char problem[ROW_PROBLEM_MAX];
    unsigned slots, exchanges;
};

void trial_run(const struct row *row, struct trial_result *result);

#endif
