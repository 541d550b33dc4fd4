/* SPDX-License-Identifier: BSD-2-Clause */
/* load_events.c - clients that wait for all readers while cards come and go. */
#include "load.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READERS_MAX 16

static char names[READERS_MAX][MAX_READERNAME];

/* The readers of the mount, which are readerN in the order of their names' numbers. */
static unsigned list_readers(void)
{
    SCARDCONTEXT context = new_context();
    char all[READERS_MAX * MAX_READERNAME];
    DWORD len = sizeof all;
    unsigned count = 0;

    need(SCardListReaders(context, NULL, all, &len), "the readers");
    for (const char *name = all; *name != 0 && count < READERS_MAX;
         name += strlen(name) + 1)
        snprintf(names[count++], sizeof names[0], "%.*s", MAX_READERNAME - 1, name);
    need(SCardReleaseContext(context), "the end of the context");
    return count;
}

static void order(const char *verb, unsigned number)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/virtual", getenv("SCARDFS_MOUNT"));
    file = fopen(path, "w");
    if (file == NULL || fprintf(file, "%s reader%u\n", verb, number) < 0 ||
        fclose(file) != 0) {
        perror(path);
        _exit(1);
    }
}

/* How far a counter has gone; it must agree with the state. */
static unsigned step_of(const SCARD_READERSTATE *state)
{
    const unsigned step =
        (unsigned)((state->dwEventState >> 16) - (state->dwCurrentState >> 16)) & 0xFFFF;
    const bool other = ((state->dwCurrentState ^ state->dwEventState) &
                        (SCARD_STATE_PRESENT | SCARD_STATE_EMPTY)) != 0;

    if (step % 2 != other)
        need(SCARD_F_UNKNOWN_ERROR, "counter and state agree");
    return step;
}

static void tell(int ready)
{
    if (write(ready, "", 1) != 1)
        _exit(1);
}

/* Follows the counters of all readers until each has gone up by changes, and tells
 * whenever all have gone up by two: a lost event ends it never. */
static void follow(unsigned readers, unsigned changes, int ready)
{
    SCARDCONTEXT context = new_context();
    SCARD_READERSTATE states[READERS_MAX] = {0};
    unsigned seen[READERS_MAX] = {0};

    for (unsigned i = 0; i < readers; i++)
        states[i].szReader = names[i];
    need(SCardGetStatusChange(context, INFINITE, states, readers), "the state");
    tell(ready);
    for (unsigned told = 0; told < changes;) {
        unsigned least = changes;

        for (unsigned i = 0; i < readers; i++)
            states[i].dwCurrentState =
                states[i].dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
        need(SCardGetStatusChange(context, INFINITE, states, readers), "a change");
        for (unsigned i = 0; i < readers; i++) {
            seen[i] += step_of(&states[i]);
            least = seen[i] < least ? seen[i] : least;
        }
        for (; told + 2 <= least; told += 2)
            tell(ready);
    }
    need(SCardReleaseContext(context), "the end of the context");
    for (unsigned i = 0; i < readers; i++) {
        if (seen[i] != changes) {
            fprintf(stderr, "load: %s: %u changes, not %u\n", names[i], seen[i], changes);
            _exit(1);
        }
    }
    _exit(0);
}

static void hear_of_all(int ready, unsigned clients)
{
    char byte;

    for (unsigned i = 0; i < clients; i++) {
        if (read(ready, &byte, 1) != 1)
            _exit(1);
    }
}

/* The driver tells at most 20 changes of a reader in a second: so many cycles in little
 * time take several readers. */
int run_events(unsigned clients, unsigned cycles)
{
    const unsigned readers = list_readers(), rounds = (cycles + readers - 1) / readers;
    unsigned failed;
    int ready[2];

    need(pipe(ready), "a pipe");
    for (unsigned i = 0; i < clients; i++) {
        if (fork() == 0)
            follow(readers, 2 * rounds, ready[1]);
    }
    close(ready[1]); /* who ends early ends the wait for him */
    hear_of_all(ready[0], clients);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < readers; i++) {
            order("remove", i);
            order("insert", i);
        }
        hear_of_all(ready[0], clients);
    }
    failed = wait_for_children(clients);
    printf("%u clients, %u readers: %u removals and insertions, %u have lost one\n",
           clients, readers, rounds * readers, failed);
    return failed > 0;
}
