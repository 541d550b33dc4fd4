/* SPDX-License-Identifier: BSD-2-Clause */
/* crew.h - the processes: 32 clients, some of which are killed, and the watchers. */
#ifndef TESTS_SOAK_CREW_H
#define TESTS_SOAK_CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "soak.h"

struct crew {
    const char *mount;
    uint32_t seed;
    bool uids; /* each client takes its own */
    pid_t clients[CLIENTS], watchers[WATCHERS];
    unsigned lives[CLIENTS], kills;
};

void crew_start_clients(struct crew *crew);
/* Tells them to stop and waits for the ends of their calls. */
void crew_end_clients(struct crew *crew);
/* SIGKILL, whatever it is doing; another one takes its place. */
void crew_kill(struct crew *crew, int victim);
void crew_look_for_stuck_calls(void);

void crew_start_watchers(struct crew *crew);
void crew_end_watchers(struct crew *crew);

#endif
