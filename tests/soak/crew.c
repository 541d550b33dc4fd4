/* SPDX-License-Identifier: BSD-2-Clause */
/* crew.c - see crew.h. */
#include "crew.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "daemon.h"
#include "soak.h"
#include "watcher.h"

#define END_MS (CALL_MS + RECOVER_MS) /* for the last calls of all clients */

static pid_t child(void)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(1);
    }
    return pid;
}

static void start_client(struct crew *crew, int number)
{
    const uint32_t own =
        crew->seed + (uint32_t)(number + 1) * 2654435761u + crew->lives[number]++;

    crew->clients[number] = child();
    if (crew->clients[number] == 0)
        client_run(number, crew->mount, own, crew->uids);
}

void crew_start_clients(struct crew *crew)
{
    STORE(&soak->stop, 0);
    for (int i = 0; i < CLIENTS; i++)
        start_client(crew, i);
}

void crew_start_watchers(struct crew *crew)
{
    for (int i = 0; i < WATCHERS; i++) {
        crew->watchers[i] = child();
        if (crew->watchers[i] == 0)
            watcher_run(i, crew->mount);
    }
}

void crew_kill(struct crew *crew, int victim)
{
    struct client_record *record = &soak->clients[victim];

    STORE(&record->doomed, 1);
    kill(crew->clients[victim], SIGKILL);
    waitpid(crew->clients[victim], NULL, 0);
    for (int i = 0; i < READERS; i++) {
        uint64_t inside = LOAD(&soak->readers[i].inside);

        /* nobody else has come in since */
        if ((inside & 0xff) == (unsigned)victim + 1)
            __atomic_compare_exchange_n(&soak->readers[i].inside, &inside, 0, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    STORE(&record->call_ms, 0);
    STORE(&record->doomed, 0);
    crew->kills++;
    start_client(crew, victim);
}

void crew_end_watchers(struct crew *crew)
{
    for (int i = 0; i < WATCHERS; i++) {
        kill(crew->watchers[i], SIGKILL);
        waitpid(crew->watchers[i], NULL, 0);
    }
}

/* Those that end otherwise than by being killed. */
static void bury(struct crew *crew, int number, int status)
{
    crew->clients[number] = 0;
    if (status != 0)
        violation(client_name(number), "has ended with status %x", (unsigned)status);
}

void crew_end_clients(struct crew *crew)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    const int64_t since = now_ms();
    int left = CLIENTS, status;

    STORE(&soak->stop, 1);
    while (left > 0) {
        left = 0;
        for (int i = 0; i < CLIENTS; i++) {
            if (crew->clients[i] != 0 &&
                waitpid(crew->clients[i], &status, WNOHANG) == crew->clients[i])
                bury(crew, i, status);
            if (crew->clients[i] != 0 && now_ms() - since > END_MS) {
                violation(client_name(i), "does not end: %s", soak->clients[i].call);
                kill(crew->clients[i], SIGKILL);
                waitpid(crew->clients[i], NULL, 0);
                crew->clients[i] = 0;
            }
            left += crew->clients[i] != 0;
        }
        nanosleep(&pause, NULL);
    }
}

void crew_look_for_stuck_calls(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct client_record *record = &soak->clients[i];
        const int64_t since = LOAD(&record->call_ms);

        if (since == 0 || now_ms() - since <= CALL_MS)
            continue;
        violation(client_name(i), "%s has lasted %lld ms", record->call,
                  (long long)(now_ms() - since));
        STORE(&record->call_ms, now_ms()); /* it is told of again after as long */
    }
}
