/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * concurrent_transactions.c - a transaction that is taken away from an idle holder, a
 * context that ends under a connection in the making, and long commands that would go
 * past the rules.
 */
#include "concurrent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 200

static void begin(struct thread *self)
{
    self->code = SCardBeginTransaction(self->card);
}

/* `owner`: the process that has the transaction, first. */
static bool is_ours(void)
{
    char line[128];

    read_file("owner", line, sizeof line);
    return strtol(line, NULL, 10) == (long)getpid();
}

static void connect_again(SCARDHANDLE card)
{
    DWORD protocol;

    need(SCardReconnect(card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1, SCARD_LEAVE_CARD,
                        &protocol),
         SCARD_S_SUCCESS, "SCardReconnect");
}

static void run_idle(void)
{
    SCARDCONTEXT context = new_context();
    SCARDHANDLE idle = new_card(context);
    struct thread other = {.work = begin, .card = new_card(context)};

    need(SCardBeginTransaction(idle), SCARD_S_SUCCESS, "a transaction");
    need(SCardBeginTransaction(idle), SCARD_S_SUCCESS, "a transaction in it");
    begin_thread(&other); /* has it after idle_limit */
    end_thread(&other);
    if (other.code == SCARD_W_RESET_CARD) { /* by which it was taken away */
        connect_again(other.card);
        begin(&other);
    }
    need(other.code, SCARD_S_SUCCESS, "the other one's transaction");
    need(select_file(idle), SCARD_W_RESET_CARD, "it is told of the loss");
    need(SCardEndTransaction(other.card, SCARD_LEAVE_CARD), SCARD_S_SUCCESS, "its end");
    connect_again(idle);
    check(!is_ours(), "nobody has a transaction");
    need(SCardBeginTransaction(idle), SCARD_S_SUCCESS, "a new transaction");
    check(is_ours(), "it is one");
    need(SCardEndTransaction(idle, SCARD_LEAVE_CARD), SCARD_S_SUCCESS, "its end");
    check(!is_ours(), "it has ended");
    need(SCardEndTransaction(idle, SCARD_LEAVE_CARD), SCARD_E_NOT_TRANSACTED,
         "there is no other");
    need(SCardReleaseContext(context), SCARD_S_SUCCESS, "the end of the context");
    printf("a transaction that was taken away does not count\n");
}

static void connect_once(struct thread *self)
{
    DWORD protocol;

    self->code = SCardConnect(self->context, reader, SCARD_SHARE_SHARED,
                              SCARD_PROTOCOL_T1, &self->card, &protocol);
}

static void run_release(void)
{
    unsigned late = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct thread connecting = {.work = connect_once, .context = new_context()};
        DWORD state;

        begin_thread(&connecting);
        while (connecting.id == 0)
            ;
        need(SCardReleaseContext(connecting.context), SCARD_S_SUCCESS, "the end");
        end_thread(&connecting);
        check(connecting.code == SCARD_S_SUCCESS ||
                  connecting.code == SCARD_E_INVALID_HANDLE,
              "a connection or none");
        need(SCardStatus(connecting.card, NULL, NULL, &state, NULL, NULL, NULL),
             SCARD_E_INVALID_HANDLE, "no connection outlives its context");
        late += connecting.code == SCARD_E_INVALID_HANDLE;
    }
    check(files_of_mount() == 0, "no file of the mount is left open");
    printf("%u contexts ended under a connection, %u before it was made; none is left\n",
           ROUNDS, late);
}

static LONG transmit_long(SCARDHANDLE card, const SCARD_IO_REQUEST *pci)
{
    static const unsigned char command[20000 + 9] = {0x80, 0xE0,       0,           0,
                                                     0,    20000 >> 8, 20000 & 0xFF};
    static unsigned char answer[MAX_BUFFER_SIZE_EXTENDED];
    DWORD len = sizeof answer;

    return SCardTransmit(card, pci, command, sizeof command, NULL, answer, &len);
}

static void run_long(void)
{
    SCARDCONTEXT context = new_context();
    SCARDHANDLE direct, card;
    DWORD protocol;

    ask_reader("remove");
    ask_reader("insert");
    need(SCardConnect(context, reader, SCARD_SHARE_DIRECT, 0, &direct, &protocol),
         SCARD_S_SUCCESS, "a direct connection");
    need(transmit_long(direct, SCARD_PCI_T1), SCARD_E_PROTO_MISMATCH, "nothing selected");
    card = new_card(context);
    need(transmit_long(card, SCARD_PCI_T0), SCARD_E_PROTO_MISMATCH, "T=0 to a T=1 card");
    need(transmit_long(card, SCARD_PCI_T1), SCARD_S_SUCCESS, "T=1");
    need(SCardReleaseContext(context), SCARD_S_SUCCESS, "the end of the context");
    printf("long commands keep the rules of short ones\n");
}

void run_transactions(void)
{
    run_idle();
    run_release();
    run_long();
}
