/* SPDX-License-Identifier: BSD-2-Clause */
/* behaviour_change.c - SCardGetStatusChange and SCardCancel. */
#include "behaviour.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

#define READERS 300

static void run_known(SCARDCONTEXT context)
{
    const DWORD now = known_state(context), low = now & 0xFFFF;
    const DWORD counter = now & 0xFFFF0000, wrong = 0x70000;

    group("known");
    change_step("nothing", context, reader, SCARD_STATE_UNAWARE, 0);
    change_step("nothing, waits", context, reader, SCARD_STATE_UNAWARE, ENDLESS);
    change_step("what is", context, reader, now, 0);
    change_step("what is, waits", context, reader, now, 50);
    change_step("what is and CHANGED", context, reader, now | SCARD_STATE_CHANGED, 0);
    change_step("without the counter", context, reader, low, 0);
    change_step("another counter", context, reader, low | wrong, 0);
    change_step("only the counter", context, reader, counter, 0);
    change_step("only another counter", context, reader, wrong, 0);
    change_step("CHANGED", context, reader, SCARD_STATE_CHANGED, 0);
    change_step("EMPTY", context, reader, SCARD_STATE_EMPTY, 0);
    change_step("PRESENT", context, reader, SCARD_STATE_PRESENT, 0);
    change_step("ATRMATCH", context, reader, now | SCARD_STATE_ATRMATCH, 0);
    change_step("INUSE", context, reader, now | SCARD_STATE_INUSE, 0);
    change_step("EXCLUSIVE", context, reader, now | SCARD_STATE_EXCLUSIVE, 0);
    change_step("MUTE", context, reader, now | SCARD_STATE_MUTE, 0);
    change_step("UNPOWERED", context, reader, now | SCARD_STATE_UNPOWERED, 0);
    change_step("UNKNOWN", context, reader, SCARD_STATE_UNKNOWN, 0);
    change_step("UNAVAILABLE", context, reader, SCARD_STATE_UNAVAILABLE, 0);
    change_step("IGNORE", context, reader, SCARD_STATE_IGNORE, 0);
    change_step("IGNORE, waits", context, reader, SCARD_STATE_IGNORE, ENDLESS);
}

static void run_readers(SCARDCONTEXT context)
{
    SCARD_READERSTATE states[READERS] = {0};
    LONG code;

    group("readers");
    change_step("none of that name", context, "None 00 00", SCARD_STATE_UNAWARE, 0);
    change_step("none of that name, UNKNOWN", context, "None 00 00", SCARD_STATE_UNKNOWN,
                ENDLESS);
    change_step("none of that name, IGNORE", context, "None 00 00", SCARD_STATE_IGNORE,
                ENDLESS);
    change_step("the name is empty", context, "", SCARD_STATE_UNAWARE, 0);
    change_step("no name", context, NULL, SCARD_STATE_UNAWARE, 0);
    change_step("no such context", 12345, reader, SCARD_STATE_UNAWARE, 0);
    step(SCardGetStatusChange(context, 0, NULL, 0), "none", "%s", "");
    step(SCardGetStatusChange(context, ENDLESS, NULL, 0), "none, waits", "%s", "");
    step(SCardGetStatusChange(context, 0, NULL, 1), "one, but no state", "%s", "");
    change_step("arrivals", context, NOTIFICATION, SCARD_STATE_UNAWARE, 0);
    change_step("arrivals, wait", context, NOTIFICATION, SCARD_STATE_UNAWARE, 50);
    states[0].szReader = reader;
    states[0].dwCurrentState = known_state(context);
    states[1].szReader = NOTIFICATION;
    code = SCardGetStatusChange(context, 50, states, 2);
    step(code, "one and arrivals, wait", " %lx %lx", counted(states[0].dwEventState),
         states[1].dwEventState);
    states[0].dwCurrentState = SCARD_STATE_UNAWARE;
    code = SCardGetStatusChange(context, ENDLESS, states, 2);
    step(code, "one unknown and arrivals", " %lx %lx", counted(states[0].dwEventState),
         states[1].dwEventState);
    for (unsigned i = 0; i < READERS; i++)
        states[i].szReader = reader;
    step(SCardGetStatusChange(context, 0, states, 16), "sixteen", "%s", "");
    step(SCardGetStatusChange(context, 0, states, READERS), "three hundred", "%s", "");
    states[0].dwCurrentState = SCARD_STATE_UNAWARE;
    states[1].dwCurrentState = SCARD_STATE_IGNORE;
    states[1].dwEventState = 0xDEAD;
    code = SCardGetStatusChange(context, 0, states, 2);
    step(code, "one known, one ignored", " %lx %lx", counted(states[0].dwEventState),
         states[1].dwEventState);
    change_step("arrivals, in small letters", context, "\\\\?pnp?\\notification",
                SCARD_STATE_UNAWARE, 0);
}

void run_change(void)
{
    SCARDCONTEXT context = new_context();

    run_known(context);
    run_readers(context);
    need(SCardReleaseContext(context), "the end of the context");
}

/* ---- cancel ---------------------------------------------------------------------- */

static SCARDCONTEXT to_cancel;

static void cancel(int number)
{
    (void)number;
    (void)SCardCancel(to_cancel);
}

static void nothing(int number)
{
    (void)number;
}

/* Soon, while this thread waits; again, should it have come too early. */
static void alarm_soon(void (*handler)(int), bool again)
{
    const struct sigaction action = {.sa_handler = handler};
    const struct itimerval soon = {.it_value.tv_usec = 100000,
                                   .it_interval.tv_usec = again ? 100000 : 0};
    const struct itimerval never = {0};

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, handler != SIG_IGN ? &soon : &never, NULL);
}

static LONG wait_for_change(struct other *other)
{
    SCARD_READERSTATE state = {.szReader = reader, .dwCurrentState = other->known};
    LONG code = SCardGetStatusChange(other->context, other->timeout_ms, &state, 1);

    other->event = state.dwEventState;
    return code;
}

/* A wait that may just not have begun is cancelled again. */
static void cancel_until_over(SCARDCONTEXT context, struct other *waiter)
{
    while (!is_over(waiter))
        (void)SCardCancel(context);
    end_other(waiter);
}

void run_cancel(void)
{
    SCARDCONTEXT context = new_context();
    const DWORD now = known_state(context);
    struct other waiter = {.work = wait_for_change, .context = context, .known = now};

    group("cancel");
    waiter.timeout_ms = ENDLESS;
    begin_other(&waiter);
    step(is_over(&waiter), "a wait goes on", "%s", "");
    step(SCardCancel(context), "from another thread", "%s", "");
    cancel_until_over(context, &waiter);
    step(waiter.code, "the wait ends", " event %lx", counted(waiter.event));
    waiter.timeout_ms = (DWORD)-1; /* as Java gives it */
    begin_other(&waiter);
    step(is_over(&waiter), "a wait of 64 bits goes on", "%s", "");
    (void)SCardCancel(context);
    cancel_until_over(context, &waiter);
    step(waiter.code, "that wait ends", " event %lx", counted(waiter.event));
    change_step("the next wait", context, reader, now, 50);
    to_cancel = context;
    alarm_soon(cancel, true);
    change_step("from a signal handler", context, reader, now, ENDLESS);
    alarm_soon(SIG_IGN, false);
    alarm_soon(nothing, false);
    change_step("a signal alone", context, reader, now, 300);
    need(SCardReleaseContext(context), "the end of the context");
}
