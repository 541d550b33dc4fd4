/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turn.h - whose turn it is at a reader: one holder or none, and a line. Pure; the
 * caller has the reader's lock.
 */
#ifndef SCFS_TURN_H
#define SCFS_TURN_H

#include <stdbool.h>

#include "wdm.h" /* LIST_ENTRY */

enum scfs_turn_kind {
    SCFS_TURN_CALL,  /* one piece of work */
    SCFS_TURN_BEGIN, /* wants to become the holder */
};

enum scfs_turn_state {
    SCFS_TURN_OUT,
    SCFS_TURN_WAITING,
    SCFS_TURN_ADMITTED, /* a call, until it leaves */
};

struct scfs_turn_owner;

struct scfs_turn_entry {
    LIST_ENTRY link; /* in the line while it waits; the caller's otherwise */
    struct scfs_turn_owner *owner;
    enum scfs_turn_kind kind;
    enum scfs_turn_state state;
};

/* Part of whatever may hold the turn: an open file. All zero at first. */
struct scfs_turn_owner {
    unsigned admitted;            /* calls of it that have not left */
    struct scfs_turn_entry ghost; /* keeps its place in the line */
};

struct scfs_turn {
    struct scfs_turn_owner *holder;
    unsigned admitted; /* calls that have not left */
    unsigned waiting;  /* in the line, without ghosts */
    LIST_ENTRY line;
};

void scfs_turn_init(struct scfs_turn *turn);

/* True: admitted at once (a begin: owner is the holder now). False: it waits. A begin
 * takes over the place of its owner's ghost. */
bool scfs_turn_ask(struct scfs_turn *turn, struct scfs_turn_entry *entry,
                   struct scfs_turn_owner *owner, enum scfs_turn_kind kind);
/* A call that was admitted has ended, or will not be made. */
void scfs_turn_leave(struct scfs_turn *turn, struct scfs_turn_entry *entry);
/* One that waits does not wait any more. */
void scfs_turn_withdraw(struct scfs_turn *turn, struct scfs_turn_entry *entry);
/* The same, and a ghost keeps its place. */
void scfs_turn_leave_ghost(struct scfs_turn *turn, struct scfs_turn_entry *entry);
/* Takes away the owner's ghost, if there is one. */
void scfs_turn_drop_ghost(struct scfs_turn *turn, struct scfs_turn_owner *owner);
/* The holder gives up. */
void scfs_turn_end(struct scfs_turn *turn);

/* After any of the four above: takes the next one out of the line whose turn has come
 * (a begin: its owner is the holder now); NULL: nobody's. To be called until it is NULL.
 */
struct scfs_turn_entry *scfs_turn_next(struct scfs_turn *turn);

#endif
