/* SPDX-License-Identifier: BSD-2-Clause */
/* behaviour_connect.c - who may connect, and what becomes of who is connected. */
#include "behaviour.h"

#include <string.h>

static void connect_step(const char *name, SCARDCONTEXT context, const char *which,
                         DWORD share, DWORD protocols)
{
    SCARDHANDLE card = 0;
    DWORD protocol = 0x77;
    LONG code = SCardConnect(context, which, share, protocols, &card, &protocol);

    step(code, name, " protocol %lx%s", protocol, card != 0 ? " handle" : "");
    if (code == SCARD_S_SUCCESS)
        need(SCardDisconnect(card, SCARD_LEAVE_CARD), "the end of a connection");
}

static void reconnect_step(const char *name, SCARDHANDLE card, DWORD share,
                           DWORD protocols, DWORD initialization)
{
    DWORD protocol = 0x77;
    LONG code = SCardReconnect(card, share, protocols, initialization, &protocol);

    step(code, name, " protocol %lx", protocol);
}

static void run_arguments(SCARDCONTEXT context)
{
    char longest[2 * MAX_READERNAME];
    SCARDHANDLE card;
    DWORD protocol;

    group("connect");
    step(SCardConnect(context, reader, SCARD_SHARE_SHARED, 3, NULL, &protocol),
         "no place for the handle", "%s", "");
    step(SCardConnect(context, reader, SCARD_SHARE_SHARED, 3, &card, NULL),
         "no place for the protocol", "%s", "");
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    connect_step("no name", context, NULL, SCARD_SHARE_SHARED, 3);
    connect_step("an empty name", context, "", SCARD_SHARE_SHARED, 3);
    connect_step("another name", context, "None 00 00", SCARD_SHARE_SHARED, 3);
    connect_step("a name too long", context, longest, SCARD_SHARE_SHARED, 3);
    connect_step("no context", 12345, reader, SCARD_SHARE_SHARED, 3);
    connect_step("share mode 0", context, reader, 0, 3);
    connect_step("share mode 4", context, reader, 4, 3);
    connect_step("no protocol", context, reader, SCARD_SHARE_SHARED, 0);
    connect_step("T=15", context, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T15);
    connect_step("shared", context, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1);
    connect_step("shared again", context, reader, SCARD_SHARE_SHARED, 3);
    connect_step("exclusive", context, reader, SCARD_SHARE_EXCLUSIVE, 3);
    connect_step("direct", context, reader, SCARD_SHARE_DIRECT, 0);
    connect_step("direct with a protocol", context, reader, SCARD_SHARE_DIRECT, 3);
}

static void run_direct(SCARDCONTEXT context)
{
    SCARDHANDLE card = 0;
    DWORD protocol;

    group("direct");
    need(SCardConnect(context, reader, SCARD_SHARE_DIRECT, 0, &card, &protocol),
         "a direct connection");
    status_step("is asked", card);
    select_step("transmits", card);
    step(SCardBeginTransaction(card), "begins", "%s", "");
    step(SCardEndTransaction(card, SCARD_LEAVE_CARD), "ends", "%s", "");
    change_step("is seen", context, reader, SCARD_STATE_UNAWARE, 0);
    connect_step("another one shared", context, reader, SCARD_SHARE_SHARED, 3);
    connect_step("another one exclusive", context, reader, SCARD_SHARE_EXCLUSIVE, 3);
    reconnect_step("becomes shared", card, SCARD_SHARE_SHARED, 3, SCARD_LEAVE_CARD);
    select_step("transmits, shared", card);
    reconnect_step("becomes direct", card, SCARD_SHARE_DIRECT, 0, SCARD_LEAVE_CARD);
    step(SCardDisconnect(card, SCARD_LEAVE_CARD), "is left", "%s", "");
    step(SCardDisconnect(card, SCARD_LEAVE_CARD), "is left twice", "%s", "");
}

static void run_direct_resets(SCARDCONTEXT context)
{
    const DWORD how[] = {SCARD_RESET_CARD, SCARD_UNPOWER_CARD};
    SCARDHANDLE card = new_card(context), other = new_card(context);

    for (unsigned i = 0; i < 2; i++) {
        group(i == 0 ? "direct, reset" : "direct, unpower");
        reconnect_step("becomes direct", card, SCARD_SHARE_DIRECT, 0, how[i]);
        status_step("the other one", other);
        power_again(card);
        renew(other);
        select_step("the other one after reconnect", other);
    }
    need(SCardDisconnect(card, SCARD_LEAVE_CARD), "the end of a connection");
    need(SCardDisconnect(other, SCARD_LEAVE_CARD), "the end of a connection");
}

static void run_sharing(SCARDCONTEXT context, SCARDCONTEXT second)
{
    SCARDHANDLE card, other;
    DWORD protocol;

    group("sharing");
    need(SCardConnect(context, reader, SCARD_SHARE_EXCLUSIVE, 3, &card, &protocol),
         "an exclusive connection");
    change_step("exclusive is seen", second, reader, SCARD_STATE_UNAWARE, 0);
    select_step("exclusive transmits", card);
    connect_step("exclusive and shared", second, reader, SCARD_SHARE_SHARED, 3);
    connect_step("exclusive and exclusive", second, reader, SCARD_SHARE_EXCLUSIVE, 3);
    connect_step("exclusive and direct", second, reader, SCARD_SHARE_DIRECT, 0);
    connect_step("exclusive and shared, one context", context, reader, SCARD_SHARE_SHARED,
                 3);
    need(SCardDisconnect(card, SCARD_LEAVE_CARD), "the end of a connection");
    card = new_card(context);
    other = new_card(second);
    change_step("shared is seen", second, reader, SCARD_STATE_UNAWARE, 0);
    change_step("shared is no news", second, reader,
                known_state(second) & ~(DWORD)SCARD_STATE_INUSE, 0);
    select_step("the first of two", card);
    select_step("the second of two", other);
    need(SCardDisconnect(other, SCARD_LEAVE_CARD), "the end of a connection");
    change_step("one is left", second, reader, SCARD_STATE_UNAWARE, 0);
    need(SCardDisconnect(card, SCARD_LEAVE_CARD), "the end of a connection");
    change_step("none is left", second, reader, SCARD_STATE_UNAWARE, 0);
}

static void run_reconnect(SCARDCONTEXT context)
{
    SCARDHANDLE card = new_card(context);
    const DWORD shared = SCARD_SHARE_SHARED;

    group("reconnect");
    step(SCardReconnect(card, shared, 3, SCARD_LEAVE_CARD, NULL), "no place", "%s", "");
    reconnect_step("share mode 9", card, 9, 3, SCARD_LEAVE_CARD);
    reconnect_step("initialization 3", card, shared, 3, SCARD_EJECT_CARD);
    reconnect_step("initialization 9", card, shared, 3, 9);
    reconnect_step("no protocol", card, shared, 0, SCARD_LEAVE_CARD);
    reconnect_step("no such handle", 12345, shared, 3, SCARD_LEAVE_CARD);
    reconnect_step("leave", card, shared, 3, SCARD_LEAVE_CARD);
    reconnect_step("the other protocol", card, shared, SCARD_PROTOCOL_T0,
                   SCARD_LEAVE_CARD);
    reconnect_step("the other protocol after a reset", card, shared, SCARD_PROTOCOL_T0,
                   SCARD_RESET_CARD);
    select_step("transmits so", card);
    reconnect_step("reset, any protocol", card, shared, 3, SCARD_RESET_CARD);
    reconnect_step("reset, T=1", card, shared, SCARD_PROTOCOL_T1, SCARD_RESET_CARD);
    select_step("transmits after a reset", card);
    reconnect_step("power cycle", card, shared, SCARD_PROTOCOL_T1, SCARD_UNPOWER_CARD);
    select_step("transmits after a power cycle", card);
    reconnect_step("exclusive", card, SCARD_SHARE_EXCLUSIVE, 3, SCARD_LEAVE_CARD);
    change_step("exclusive is seen", context, reader, SCARD_STATE_UNAWARE, 0);
    step(SCardDisconnect(card, 9), "disposition 9", "%s", "");
    step(SCardDisconnect(card, SCARD_RESET_CARD), "the end", "%s", "");
}

void run_connect(void)
{
    SCARDCONTEXT context = new_context(), second = new_context();

    run_arguments(context);
    run_direct(context);
    run_direct_resets(context);
    run_sharing(context, second);
    run_reconnect(context);
    need(SCardReleaseContext(context), "the end of the context");
    need(SCardReleaseContext(second), "the end of the context");
}

/* ---- resets ---------------------------------------------------------------------- */

static void tell_all(const char *what, SCARDHANDLE card)
{
    unsigned char value[MAX_BUFFER_SIZE];
    DWORD len = sizeof value;

    group(what);
    status_step("status", card);
    select_step("transmit", card);
    select_step("transmit again", card);
    step(SCardBeginTransaction(card), "begin", "%s", "");
    step(SCardEndTransaction(card, SCARD_LEAVE_CARD), "end", "%s", "");
    step(SCardGetAttrib(card, SCARD_ATTR_ATR_STRING, value, &len), "attribute", "%s", "");
}

void run_reset(void)
{
    SCARDCONTEXT context = new_context(), second = new_context();
    SCARDHANDLE card = new_card(context), other = new_card(second), third;

    group("reset");
    reconnect_step("by reconnect", card, SCARD_SHARE_SHARED, 3, SCARD_RESET_CARD);
    select_step("who did it transmits", card);
    tell_all("reset by another", other);
    change_step("event", second, reader, SCARD_STATE_UNAWARE, 0);
    reconnect_step("reconnect", other, SCARD_SHARE_SHARED, 3, SCARD_LEAVE_CARD);
    select_step("transmit after reconnect", other);
    group("power cycle by another");
    reconnect_step("by reconnect", card, SCARD_SHARE_SHARED, 3, SCARD_UNPOWER_CARD);
    select_step("transmit", other);
    renew(other);
    group("reset by disconnect");
    third = new_card(context);
    step(SCardDisconnect(third, SCARD_RESET_CARD), "disconnect", "%s", "");
    select_step("the first", card);
    select_step("the second", other);
    renew(card);
    renew(other);
    third = new_card(context);
    step(SCardDisconnect(third, SCARD_UNPOWER_CARD), "disconnect, unpower", "%s", "");
    select_step("the first after it", card);
    connect_step("connect after it", context, reader, SCARD_SHARE_SHARED, 3);
    power_again(card);
    renew(other);
    third = new_card(context);
    step(SCardDisconnect(third, SCARD_LEAVE_CARD), "disconnect, leave", "%s", "");
    select_step("the first as before", card);
    group("reset, and gone");
    reconnect_step("by reconnect", card, SCARD_SHARE_SHARED, 3, SCARD_RESET_CARD);
    step(SCardDisconnect(other, SCARD_LEAVE_CARD), "disconnect of the other", "%s", "");
    select_step("who did it", card);
    need(SCardReleaseContext(context), "the end of the context");
    need(SCardReleaseContext(second), "the end of the context");
}
