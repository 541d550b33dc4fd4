/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stage.h - the daemon with its four readers: two on the emulated USB, of the extended
 * APDU and the TPDU level (T=1), and two virtual ones, of the extended APDU and the TPDU
 * level (T=0). Their cards and they themselves come and go.
 */
#ifndef TESTS_SOAK_STAGE_H
#define TESTS_SOAK_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon.h"

struct stage {
    struct daemon daemon;
    char directory[64]; /* of the socket of the emulation */
    int emulation;      /* connected */
    uint32_t seed;
    unsigned plugs, insertions;
    void (*meanwhile)(void); /* called again and again while something is waited for */
};

struct ledger {
    unsigned long executed, repeated;
    unsigned client, number; /* the first repeated */
};

/* faults: in 100,000 messages. log: where the daemon's words go. */
void stage_start(struct stage *s, unsigned faults, const char *log);
/* The daemon's exit status. */
int stage_stop(struct stage *s);

/* Takes the card out and puts it in again; or the same with the reader. Each change is
 * waited for with every watcher. out_ms: so long it is not there. */
void stage_exchange_card(struct stage *s, int reader, unsigned out_ms);
void stage_replug(struct stage *s, int reader, unsigned out_ms);
/* Every watcher knows the card that is in. */
void stage_wait_for_watchers(struct stage *s, int reader);

/* Notes in the readers' records which have had faults since the last call. */
void stage_look_for_faults(struct stage *s);
/* "stall 1 drop 2 ..." and the sum. */
unsigned long stage_faults(struct stage *s, char *text, size_t room);
double stage_heap_kib(struct stage *s); /* of the daemon, emulated readers included */
struct ledger stage_ledger(struct stage *s);

#endif
