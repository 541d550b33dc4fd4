/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - many at once on one reader: threads with contexts of their own, processes with
 * transactions, and clients that wait while the card comes and goes.
 *
 * usage: load threads THREADS CONTEXTS | load processes COUNT | load events CLIENTS
 * CYCLES
 *
 * On the first reader, a virtual one with the built-in card (virtual_card.h); events: of
 * the mount that SCARDFS_MOUNT names. Status 0: nothing was lost, mixed up or refused.
 */
#include "load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 5

static char reader[16 * MAX_READERNAME]; /* the first; what follows is not used */

void need(LONG code, const char *what)
{
    if (code == SCARD_S_SUCCESS)
        return;
    fprintf(stderr, "load: %s: %08lx\n", what, (unsigned long)code & 0xFFFFFFFFul);
    _exit(1);
}

SCARDCONTEXT new_context(void)
{
    SCARDCONTEXT context;

    need(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context), "a context");
    return context;
}

static SCARDHANDLE new_card(SCARDCONTEXT context)
{
    SCARDHANDLE card;
    DWORD protocol;

    need(SCardConnect(context, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1, &card,
                      &protocol),
         "a connection");
    return card;
}

static DWORD transmit(SCARDHANDLE card, const unsigned char *command, DWORD len,
                      unsigned char *answer, DWORD room)
{
    need(SCardTransmit(card, SCARD_PCI_T1, command, len, NULL, answer, &room),
         "an answer");
    return room;
}

/* ECHO of a number that nobody else sends. */
static void echo(SCARDHANDLE card, unsigned number)
{
    unsigned char command[9] = {0x80, 0xE0, 0, 0, 4}, answer[16];

    memcpy(command + 5, &number, sizeof number);
    if (transmit(card, command, sizeof command, answer, sizeof answer) != 6 ||
        memcmp(answer, command + 5, 4) != 0) {
        fprintf(stderr, "load: another one's answer\n");
        _exit(1);
    }
}

/* ---- threads --------------------------------------------------------------------- */

#define CONTEXTS_MAX 64

static unsigned contexts_each;

static void use_card(SCARDCONTEXT context, SCARDHANDLE card, unsigned number)
{
    SCARD_READERSTATE state = {.szReader = reader};

    for (unsigned i = 0; i < ROUNDS; i++) {
        need(SCardBeginTransaction(card), "a transaction");
        echo(card, number * ROUNDS + i);
        need(SCardEndTransaction(card, SCARD_LEAVE_CARD), "the end of a transaction");
        need(SCardGetStatusChange(context, 0, &state, 1), "the state");
    }
}

/* All of them at once. */
static void *run_thread(void *argument)
{
    const unsigned *number = argument;
    SCARDCONTEXT contexts[CONTEXTS_MAX];
    SCARDHANDLE cards[CONTEXTS_MAX];

    for (unsigned i = 0; i < contexts_each; i++) {
        contexts[i] = new_context();
        cards[i] = new_card(contexts[i]);
    }
    for (unsigned i = 0; i < contexts_each; i++)
        use_card(contexts[i], cards[i], *number * contexts_each + i);
    for (unsigned i = 0; i < contexts_each; i++) {
        need(SCardDisconnect(cards[i], SCARD_LEAVE_CARD), "the end of a connection");
        need(SCardReleaseContext(contexts[i]), "the end of the context");
    }
    return NULL;
}

static void run_threads(unsigned count)
{
    pthread_t *threads = calloc(count, sizeof *threads);
    unsigned *numbers = calloc(count, sizeof *numbers);

    for (unsigned i = 0; i < count; i++) {
        numbers[i] = i;
        need(pthread_create(&threads[i], NULL, run_thread, &numbers[i]), "a thread");
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    free(numbers);
    printf("%u threads with %u contexts each: %u transactions, each answer its own\n",
           count, contexts_each, count * contexts_each * ROUNDS);
}

/* ---- processes ------------------------------------------------------------------- */

/* APDUs since the card has power. */
static unsigned counted(SCARDHANDLE card)
{
    static const unsigned char command[] = {0x80, 0xE8, 0, 0, 4};
    unsigned char answer[16];

    if (transmit(card, command, sizeof command, answer, sizeof answer) != 6)
        need(SCARD_F_UNKNOWN_ERROR, "the count");
    return (unsigned)answer[0] << 24 | (unsigned)answer[1] << 16 |
           (unsigned)answer[2] << 8 | answer[3];
}

static void run_process(unsigned number)
{
    SCARDCONTEXT context = new_context();
    SCARDHANDLE card = new_card(context);

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned first;

        need(SCardBeginTransaction(card), "a transaction");
        first = counted(card);
        echo(card, number * ROUNDS + i);
        if (counted(card) != first + 2)
            need(SCARD_F_UNKNOWN_ERROR, "nobody in between");
        need(SCardEndTransaction(card, SCARD_LEAVE_CARD), "the end of a transaction");
    }
    need(SCardReleaseContext(context), "the end of the context");
}

unsigned wait_for_children(unsigned count)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < count; i++) {
        int status;

        if (wait(&status) < 0 || status != 0)
            failed++;
    }
    return failed;
}

static int run_processes(unsigned count)
{
    unsigned failed;

    for (unsigned i = 0; i < count; i++) {
        if (fork() == 0) {
            run_process(i);
            _exit(0);
        }
    }
    failed = wait_for_children(count);
    printf("%u processes: %u transactions, nobody in between, %u failed\n", count,
           count * ROUNDS, failed);
    return failed > 0;
}

int main(int argc, char **argv)
{
    SCARDCONTEXT context;
    DWORD len = sizeof reader;
    unsigned numbers[2] = {0};

    for (int i = 2; i < argc && i < 4; i++)
        numbers[i - 2] = (unsigned)strtoul(argv[i], NULL, 10);
    context = new_context();
    need(SCardListReaders(context, NULL, reader, &len), "a reader");
    need(SCardReleaseContext(context), "the end of the context");
    if (argc == 4 && strcmp(argv[1], "threads") == 0) {
        contexts_each = numbers[1] < CONTEXTS_MAX ? numbers[1] : CONTEXTS_MAX;
        run_threads(numbers[0]);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "processes") == 0)
        return run_processes(numbers[0]);
    if (argc == 4 && strcmp(argv[1], "events") == 0)
        return run_events(numbers[0], numbers[1]);
    fprintf(stderr, "usage: load threads N M | processes N | events N CYCLES\n");
    return 2;
}
