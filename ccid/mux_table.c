/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mux_table.c - see mux_table.h. Places are given in the order in which they were asked
 * for: with a limit below the number of slots, two busy slots would otherwise keep the
 * third one out.
 */
#include "ccid/mux_table.h"

void ccid_mux_table_init(struct ccid_mux_table *table, uint8_t slot_count, uint8_t limit)
{
    *table = (struct ccid_mux_table){.slot_count = slot_count, .limit = limit};
}

static bool is_first(const struct ccid_mux_table *table, uint8_t slot)
{
    for (uint8_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].arrival != 0 &&
            (table->slots[slot].arrival == 0 ||
             table->slots[i].arrival < table->slots[slot].arrival))
            return false;
    }
    return true;
}

static bool is_outstanding(const struct ccid_mux_table *table, uint8_t seq)
{
    for (uint8_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].outstanding && table->slots[i].seq == seq)
            return true;
    }
    return false;
}

bool ccid_mux_table_take(struct ccid_mux_table *table, uint8_t slot, bool beyond,
                         uint8_t *seq)
{
    if (!beyond && (table->outstanding_count >= table->limit || !is_first(table, slot))) {
        if (table->slots[slot].arrival == 0)
            table->slots[slot].arrival = ++table->arrivals;
        return false;
    }
    /* At most one number per slot is taken, so one of 256 is free. */
    while (is_outstanding(table, table->next_seq))
        table->next_seq++;
    *seq = table->next_seq++;
    table->slots[slot].seq = *seq;
    table->slots[slot].outstanding = true;
    table->slots[slot].arrival = 0;
    table->outstanding_count++;
    return true;
}

void ccid_mux_table_leave(struct ccid_mux_table *table, uint8_t slot)
{
    if (table->slots[slot].outstanding)
        table->outstanding_count--;
    table->slots[slot].outstanding = false;
    table->slots[slot].arrival = 0;
}

int ccid_mux_table_owner(const struct ccid_mux_table *table, const uint8_t *message,
                         size_t len)
{
    uint8_t slot;

    if (len <= CCID_MUX_SLOT_AT)
        return -1;
    slot = message[CCID_MUX_SLOT_AT];
    return slot < table->slot_count && table->slots[slot].outstanding ? slot : -1;
}
