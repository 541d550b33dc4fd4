/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * behaviour.h - what a PC/SC program sees: calls in certain orders, one line of output
 * for each, the same for every library that behaves the same. behaviour.sh runs it twice.
 */
#ifndef BEHAVIOUR_H
#define BEHAVIOUR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <reader.h>
#include <winscard.h>

#define NOTIFICATION "\\\\?PnP?\\Notification"
#define ENDLESS      ((DWORD)INFINITE)

extern const char *reader; /* the one whose card obeys; it has been listed */

/* Begins a group of steps, whose names it leads. */
void group(const char *name);
/* One step: what was returned, and more (printf). */
void step(LONG code, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For what must work on both sides, or nothing after it makes sense. */
void need(LONG code, const char *what);

/* The card is taken out, is put in, and the library knows. */
void card_out(SCARDCONTEXT context);
void card_in(SCARDCONTEXT context);

SCARDCONTEXT new_context(void);
/* Shared, T=0 or T=1. */
SCARDHANDLE new_card(SCARDCONTEXT context);
/* Reconnects, whatever the state. */
void renew(SCARDHANDLE card);
/* The same with a reset, which makes pcscd switch a card on again. */
void power_again(SCARDHANDLE card);
DWORD protocol_of(SCARDHANDLE card);

/* A state, its counter as if that of the card which was in at the beginning were 1: pcscd
 * counts from 0, this library from 1, because 0 is what callers say who have none. */
DWORD counted(DWORD state);

/* Steps. */
void status_step(const char *name, SCARDHANDLE card);
/* SELECT of the master file. */
void select_step(const char *name, SCARDHANDLE card);
void change_step(const char *name, SCARDCONTEXT context, const char *which, DWORD known,
                 DWORD timeout_ms);
/* What is now, as dwCurrentState. */
DWORD known_state(SCARDCONTEXT context);

/* Work of another thread. */
struct other {
    LONG (*work)(struct other *other);
    SCARDCONTEXT context;
    SCARDHANDLE card;
    DWORD known, timeout_ms;
    LONG code;
    DWORD event;
    pthread_t thread;
    bool over; /* under lock */
};
void begin_other(struct other *other);
/* Whether it is over within a second: it does not wait for us. */
bool is_over(struct other *other);
void end_other(struct other *other);

void run_context(void);
void run_change(void);
void run_cancel(void);
void run_connect(void);
void run_reset(void);
void run_transaction(void);
void run_status(void);
void run_transmit(void);
void run_control(void);
void run_removal(void);
void run_fork(void);

#endif
