/* SPDX-License-Identifier: BSD-2-Clause */
/* behaviour_removal.c - cards that are taken out and put in. */
#include "behaviour.h"

static void reconnect_step(const char *name, SCARDHANDLE card)
{
    DWORD protocol = 0x77;
    LONG code = SCardReconnect(card, SCARD_SHARE_SHARED, 3, SCARD_LEAVE_CARD, &protocol);

    step(code, name, "%s", "");
}

static void connect_step(const char *name, SCARDCONTEXT context, DWORD share)
{
    SCARDHANDLE card = 0;
    DWORD protocol;
    LONG code = SCardConnect(context, reader, share, 3, &card, &protocol);

    step(code, name, "%s", "");
    if (code == SCARD_S_SUCCESS) {
        status_step("its status", card);
        step(SCardDisconnect(card, SCARD_LEAVE_CARD), "its end", "%s", "");
    }
}

static LONG wait_for_change(struct other *other)
{
    SCARD_READERSTATE state = {.szReader = reader, .dwCurrentState = other->known};
    LONG code = SCardGetStatusChange(other->context, ENDLESS, &state, 1);

    other->event = state.dwEventState;
    return code;
}

static void run_waiting(SCARDCONTEXT context, SCARDCONTEXT second)
{
    struct other waiter = {.work = wait_for_change, .context = second};

    group("waiting");
    waiter.known = known_state(second);
    begin_other(&waiter);
    step(is_over(&waiter), "for a removal", "%s", "");
    card_out(context);
    end_other(&waiter);
    step(waiter.code, "the removal", " event %lx", counted(waiter.event));
    waiter.known = waiter.event & ~(DWORD)SCARD_STATE_CHANGED;
    begin_other(&waiter);
    step(is_over(&waiter), "for an insertion", "%s", "");
    card_in(context);
    end_other(&waiter);
    step(waiter.code, "the insertion", " event %lx", counted(waiter.event));
    card_out(context);
    card_in(context);
    change_step("both have been", second, reader,
                waiter.event & ~(DWORD)SCARD_STATE_CHANGED, ENDLESS);
}

void run_removal(void)
{
    SCARDCONTEXT context = new_context(), second = new_context();
    SCARDHANDLE card = new_card(context), other = new_card(second);

    group("removed");
    need(SCardBeginTransaction(card), "a transaction");
    card_out(context);
    change_step("is seen", context, reader, SCARD_STATE_UNAWARE, 0);
    select_step("the holder transmits", card);
    status_step("the holder asks", card);
    select_step("the other one transmits", other);
    step(SCardBeginTransaction(other), "the other one begins", "%s", "");
    reconnect_step("the other one reconnects", other);
    select_step("the other one still", other);
    connect_step("another connects", context, SCARD_SHARE_SHARED);
    connect_step("another connects directly", context, SCARD_SHARE_DIRECT);
    step(SCardDisconnect(card, SCARD_RESET_CARD), "the holder goes", "%s", "");
    group("put in again");
    card_in(context);
    change_step("is seen", context, reader, SCARD_STATE_UNAWARE, 0);
    select_step("the other one transmits", other);
    reconnect_step("the other one reconnects", other);
    select_step("and transmits", other);
    need(SCardDisconnect(other, SCARD_LEAVE_CARD), "the end of a connection");
    run_waiting(context, second);
    need(SCardReleaseContext(context), "the end of the context");
    need(SCardReleaseContext(second), "the end of the context");
}
