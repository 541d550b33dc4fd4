/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turn.c - whose turn it is at a reader.
 *
 * Without a holder whoever is first in the line may go: a call at once, so that several
 * may be under way and the executor orders them; a begin when no call of another owner
 * is left, and then its owner is the holder. With a holder only his calls are admitted,
 * past the line. Nobody overtakes a begin that is first and has to wait.
 *
 * A ghost stands for a begin that was interrupted and may come back (flock(2), which the
 * kernel repeats after a signal). It holds nobody up: first in the line it vanishes.
 */
#include "fs/turn.h"

static void enter_line(struct scfs_turn *turn, struct scfs_turn_entry *entry,
                       LIST_ENTRY *before)
{
    InsertTailList(before, &entry->link);
    entry->state = SCFS_TURN_WAITING;
    turn->waiting++;
}

static void leave_line(struct scfs_turn *turn, struct scfs_turn_entry *entry)
{
    RemoveEntryList(&entry->link);
    entry->state = SCFS_TURN_OUT;
    turn->waiting--;
}

static bool may_go(const struct scfs_turn *turn, const struct scfs_turn_entry *entry)
{
    if (turn->holder != NULL)
        return turn->holder == entry->owner;
    return entry->kind == SCFS_TURN_CALL || turn->admitted == entry->owner->admitted;
}

static void admit(struct scfs_turn *turn, struct scfs_turn_entry *entry)
{
    if (entry->kind == SCFS_TURN_BEGIN) {
        turn->holder = entry->owner;
        return;
    }
    entry->state = SCFS_TURN_ADMITTED;
    entry->owner->admitted++;
    turn->admitted++;
}

void scfs_turn_init(struct scfs_turn *turn)
{
    *turn = (struct scfs_turn){0};
    InitializeListHead(&turn->line);
}

bool scfs_turn_ask(struct scfs_turn *turn, struct scfs_turn_entry *entry,
                   struct scfs_turn_owner *owner, enum scfs_turn_kind kind)
{
    struct scfs_turn_entry *ghost = &owner->ghost;
    LIST_ENTRY *place = &turn->line;

    entry->owner = owner;
    entry->kind = kind;
    entry->state = SCFS_TURN_OUT;
    if (kind == SCFS_TURN_BEGIN && ghost->state == SCFS_TURN_WAITING) {
        place = ghost->link.Flink;
        RemoveEntryList(&ghost->link);
        ghost->state = SCFS_TURN_OUT;
    }
    if ((turn->holder == owner || turn->line.Flink == place) && may_go(turn, entry)) {
        admit(turn, entry);
        return true;
    }
    enter_line(turn, entry, place);
    return false;
}

void scfs_turn_leave(struct scfs_turn *turn, struct scfs_turn_entry *entry)
{
    entry->state = SCFS_TURN_OUT;
    entry->owner->admitted--;
    turn->admitted--;
}

void scfs_turn_withdraw(struct scfs_turn *turn, struct scfs_turn_entry *entry)
{
    leave_line(turn, entry);
}

void scfs_turn_leave_ghost(struct scfs_turn *turn, struct scfs_turn_entry *entry)
{
    struct scfs_turn_entry *ghost = &entry->owner->ghost;

    if (ghost->state == SCFS_TURN_OUT) {
        ghost->owner = entry->owner;
        ghost->kind = entry->kind;
        ghost->state = SCFS_TURN_WAITING;
        InsertTailList(&entry->link, &ghost->link); /* just before it */
    }
    leave_line(turn, entry);
}

void scfs_turn_drop_ghost(struct scfs_turn *turn, struct scfs_turn_owner *owner)
{
    (void)turn;
    if (owner->ghost.state == SCFS_TURN_OUT)
        return;
    RemoveEntryList(&owner->ghost.link);
    owner->ghost.state = SCFS_TURN_OUT;
}

void scfs_turn_end(struct scfs_turn *turn)
{
    turn->holder = NULL;
}

struct scfs_turn_entry *scfs_turn_next(struct scfs_turn *turn)
{
    while (!IsListEmpty(&turn->line)) {
        struct scfs_turn_entry *entry =
            CONTAINING_RECORD(turn->line.Flink, struct scfs_turn_entry, link);

        if (!may_go(turn, entry))
            return NULL;
        if (entry == &entry->owner->ghost) {
            scfs_turn_drop_ghost(turn, entry->owner);
            continue;
        }
        leave_line(turn, entry);
        admit(turn, entry);
        return entry;
    }
    return NULL;
}
