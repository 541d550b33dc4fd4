/* SPDX-License-Identifier: BSD-2-Clause */
/* judge.h - whether what comes of a client's calls may be, after what has happened. */
#ifndef TESTS_SOAK_JUDGE_H
#define TESTS_SOAK_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

struct judge {
    int client, uid; /* uid: its number, -1: that of the test */
    int reader;
    uint32_t generation; /* of the reader when the session began */
    int64_t begun_ms;
    uint32_t faults; /* of the reader, when the call began */
    const char *call;
    uint64_t mark; /* in inside of the reader */
};

/* A session with that reader begins. */
void judge_turns_to(struct judge *j, int reader);
/* The reader is not there. */
void judge_misses(struct judge *j);

void judge_begins(struct judge *j, const char *call);
/* Returns error. touches: the card was there and did something if it is 0. */
int judge_ends(struct judge *j, int error, bool touches);

void judge_comes_in(struct judge *j);
void judge_goes_out(struct judge *j);

void judge_that(const struct judge *j, bool truth, const char *what);

#endif
