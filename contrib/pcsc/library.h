/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library.h - what the parts of libpcsclite.so.1 share.
 *
 * THEORY. The library has no daemon, no thread and no state of a card: who is connected,
 * who holds a transaction, when a card was reset or taken out is the mount's knowledge
 * (scardfs(5)). A SCARDHANDLE is an open `control`, a SCARDCONTEXT is a name under which
 * waits can be cancelled. Files:
 *
 *   winscard.h           the API; errors.c its codes in words
 *   mount*.[ch]          the mount, without PC/SC
 *   table.[ch]           numbers for objects
 *   reader.[ch]          which directory a reader's name stands for
 *   context.c cancel.c   contexts, SCardCancel
 *   list.c change.c watch.c    readers, and waiting for them
 *   connect.c transaction.c status.c transmit.c control.c attrib.c   cards
 *   fork.c               what a child must not share
 *
 * Locks, outer first: a card's, a table's, the cache's (reader.c). A context's gate is
 * taken alone, and so is its lock. A card's lock is held during calls to the mount, so
 * that one handle does one thing at a time, as programs expect; SCardCancel takes none.
 */
#ifndef PCSC_LIBRARY_H
#define PCSC_LIBRARY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contrib/pcsc/table.h"
#include "contrib/pcsc/winscard.h"

/* ---- contexts (context.c, cancel.c) ----------------------------------------------- */

/*
 * SCardCancel ends the waits that have begun before it, and must be safe in a signal
 * handler: it counts and writes to an eventfd. `mark` is the count when the first of the
 * waits in progress began; who comes while cancelled ones have yet to leave waits for
 * that.
 */
struct gate {
    atomic_uint cancels;
    unsigned waits, mark;
    pthread_mutex_t lock;
    pthread_cond_t left;
    atomic_uint cancelling; /* calls that use the descriptor */
    atomic_int fd;          /* the eventfd, -1 until the first wait */
};

void gate_init(struct gate *gate);
/* The descriptor to poll, or -1: none can be had. */
int gate_enter(struct gate *gate);
bool gate_is_cancelled(struct gate *gate);
/* The descriptor was readable without that. */
void gate_calm(struct gate *gate);
void gate_leave(struct gate *gate);
void gate_cancel(struct gate *gate);
void gate_close(struct gate *gate);

struct reader;
struct watch_set;

struct context {
    struct table_entry entry;
    struct gate gate;
    _Atomic(struct watch_set *) watches; /* of the last wait, for the next one */
    bool made;                           /* gate and lock */
    pthread_mutex_t lock;                /* what follows, and looks at the count */
    unsigned long looks, heard_look;     /* heard_look 0: nothing is heard yet */
    uint32_t heard;                      /* of arrivals */
};

extern struct table contexts;

struct context *context_get(SCARDCONTEXT number);
void context_put(struct context *context);
/* The count of arrivals that it has heard of; false: of none yet. */
bool context_heard(struct context *context, uint32_t *count);
/* The count now: an errno. It is heard once it has been told, by its number as a look:
 * what somebody else has heard by a later one stays. */
int context_look(struct context *context, unsigned long *look, uint32_t *count);
void context_hears(struct context *context, unsigned long look, uint32_t count);
/*
 * Gives len bytes to a caller who has room for *room of them, SCARD_AUTOALLOCATE, or only
 * asks for the length (out NULL). room NULL: nothing is wanted.
 */
LONG give_bytes(const void *bytes, size_t len, void *out, DWORD *room);

/* ---- cards (connect.c) ------------------------------------------------------------ */

struct card {
    struct table_entry entry;
    pthread_mutex_t lock;
    int fd;                /* `control`, -1 when the reader could not be opened again */
    struct reader *reader; /* of fd */
    SCARDCONTEXT context;
    DWORD share, protocol;
    unsigned begun; /* transactions, one in another */
    bool made;      /* lock */
    char name[MAX_READERNAME];
};

extern struct table cards;

/* The card with its lock held, or NULL. */
struct card *card_get(SCARDHANDLE number);
void card_put(struct card *card);
/* What the mount has answered to a call of it, as it was: ECANCELED tells once that a
 * transaction has been taken away. */
int card_hears(struct card *card, int error);
/* SCARD_RESET_CARD or SCARD_UNPOWER_CARD, at once: an errno. */
int card_power(struct card *card, DWORD disposition);
/* Its context is released. */
void card_drop_all(SCARDCONTEXT context);

/* ---- what a mount says, in codes (convert.c) --------------------------------------- */

LONG convert_error(int error);
DWORD convert_protocol(uint32_t protocol); /* of winsmcrd.h */
uint32_t convert_to_protocols(DWORD protocols);

#endif
