/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mux_table.h - the commands that are outstanding on a device whose slots are busy at
 * once: how many may be, which numbers they have, whose an answer is. Pure.
 */
#ifndef CCID_MUX_TABLE_H
#define CCID_MUX_TABLE_H

#include "ccid/internal.h"

/* bSlot of an answer; behind dwLength. The smallest packets have 8 bytes, which is not
 * the whole header. */
#define CCID_MUX_SLOT_AT 5

struct ccid_mux_table {
    uint8_t slot_count;
    uint8_t limit; /* commands at once */
    uint8_t outstanding_count;
    uint8_t next_seq;
    uint64_t arrivals; /* of those who had to wait for a place */
    struct {
        bool outstanding;
        uint8_t seq;
        uint64_t arrival; /* 0: does not wait */
    } slots[CCID_SLOTS_MAX];
};

void ccid_mux_table_init(struct ccid_mux_table *table, uint8_t slot_count, uint8_t limit);

/*
 * A place and a number for the slot, which has none. False: there is none, or others came
 * first; the slot then keeps its turn until it has called again and got one, or leave.
 * beyond: it gets one whatever the limit.
 */
bool ccid_mux_table_take(struct ccid_mux_table *table, uint8_t slot, bool beyond,
                         uint8_t *seq);
/* Gives back the place, or the turn. */
void ccid_mux_table_leave(struct ccid_mux_table *table, uint8_t slot);

/*
 * The slot that a message (its first packet) is for; -1: no slot waits for it. Its number
 * is looked at by whoever sent the command: a wrong one is that slot's trouble alone.
 */
int ccid_mux_table_owner(const struct ccid_mux_table *table, const uint8_t *message,
                         size_t len);

#endif
