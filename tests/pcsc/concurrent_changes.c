/* SPDX-License-Identifier: BSD-2-Clause */
/* concurrent_changes.c - readers that come and go while several threads wait. */
#include "concurrent.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS       20
#define NOTIFICATION "\\\\?PnP?\\Notification"

/* With its card, of which the reset may be under way. */
static DWORD state_now(SCARDCONTEXT context)
{
    SCARD_READERSTATE state = {.szReader = reader};

    while ((state.dwEventState & SCARD_STATE_PRESENT) == 0) {
        state.dwCurrentState = state.dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
        need(SCardGetStatusChange(context, INFINITE, &state, 1), SCARD_S_SUCCESS,
             "the state");
    }
    return state.dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
}

/* ---- arrivals -------------------------------------------------------------------- */

static atomic_bool listing_ends;

static void list_all_the_time(struct thread *self)
{
    while (!listing_ends) {
        char names[16 * MAX_READERNAME];
        DWORD len = sizeof names;
        LONG code = SCardListReaders(self->context, NULL, names, &len);

        check(code == SCARD_S_SUCCESS || code == SCARD_E_NO_READERS_AVAILABLE,
              "the readers");
    }
}

/* Two wait in one context, in which a third thread asks for the list. */
static void run_arrivals(void)
{
    SCARDCONTEXT context = new_context();
    struct thread lister = {.work = list_all_the_time, .context = context};
    struct thread waiters[2];

    begin_thread(&lister);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 2; i++) {
            waiters[i] = (struct thread){
                .work = wait_for_change, .context = context, .name = NOTIFICATION};
            begin_thread(&waiters[i]);
        }
        for (unsigned i = 0; i < 2; i++)
            wait_until_it_polls(&waiters[i]);
        if (round % 2 == 0)
            ask_reader("unplug");
        else
            plug_reader();
        for (unsigned i = 0; i < 2; i++) {
            end_thread(&waiters[i]);
            need(waiters[i].code, SCARD_S_SUCCESS, "an arrival");
            check((waiters[i].event & SCARD_STATE_CHANGED) != 0, "it is one");
        }
    }
    listing_ends = true;
    end_thread(&lister);
    need(SCardReleaseContext(context), SCARD_S_SUCCESS, "the end of the context");
    printf("%u arrivals and departures, each heard by both of two who waited\n", ROUNDS);
}

/* ---- a reader that goes and comes ------------------------------------------------ */

static DWORD event_of(SCARDCONTEXT context, DWORD known)
{
    SCARD_READERSTATE state = {.szReader = reader, .dwCurrentState = known};
    LONG code = SCardGetStatusChange(context, 0, &state, 1);

    check(code == SCARD_S_SUCCESS || code == SCARD_E_TIMEOUT, "the state");
    return state.dwEventState;
}

static void run_departure(void)
{
    SCARDCONTEXT context = new_context();
    const DWORD known = state_now(context);
    struct thread waiter = {
        .work = wait_for_change, .context = context, .name = reader, .known = known};

    begin_thread(&waiter);
    wait_until_it_polls(&waiter);
    ask_reader("unplug");
    end_thread(&waiter);
    need(waiter.code, SCARD_S_SUCCESS, "a departure");
    check((waiter.event & 0xFFFF) ==
              (SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE | SCARD_STATE_CHANGED),
          "the reader is unknown");
    plug_reader();
    need(SCardReleaseContext(context), SCARD_S_SUCCESS, "the end of the context");
}

/* Whoever knew the reader that has gone hears of the one that stands in its place, though
 * another thread has found it before. */
static void run_replug(void)
{
    SCARDCONTEXT context = new_context();
    char names[16 * MAX_READERNAME] = "";

    for (unsigned round = 0; round < ROUNDS; round++) {
        const DWORD known = state_now(context);
        DWORD len = sizeof names;

        check((event_of(context, known) & SCARD_STATE_CHANGED) == 0, "nothing is new");
        ask_reader("unplug");
        plug_reader();
        check((event_of(context, known) & SCARD_STATE_CHANGED) != 0, "the first hears");
        check((event_of(context, known) & SCARD_STATE_CHANGED) != 0, "the second hears");
        need(SCardListReaders(context, NULL, names, &len), SCARD_S_SUCCESS,
             "the readers");
        check(strcmp(names, reader) == 0, "the reader has its name again");
    }
    need(SCardReleaseContext(context), SCARD_S_SUCCESS, "the end of the context");
    printf("%u replugs, each heard by both of two, the name the same\n", ROUNDS);
}

void run_changes(void)
{
    run_arrivals();
    run_departure();
    run_replug();
}
