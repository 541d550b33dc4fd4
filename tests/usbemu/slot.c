/* SPDX-License-Identifier: BSD-2-Clause */
/* slot.c - a slot: its card coming and going, and the end of what it was doing. */
#include "ccid.h"

#include <stdlib.h>
#include <string.h>

void emu_slot_clear(struct emu_slot *slot)
{
    emu_t0_reset(&slot->t0);
    emu_t1_reset(&slot->t1);
    free(slot->command);
    free(slot->reply);
    slot->command = slot->reply = NULL;
    slot->command_len = slot->reply_len = slot->reply_pos = 0;
    slot->busy_until_ns = 0;
}

/* Both halves of an abort are here: the command is given up, the abort answered. */
static void finish_abort(struct emu_device *device, unsigned index)
{
    struct emu_slot *slot = &device->slots[index];
    const struct emu_command c = {.slot = (uint8_t)index, .seq = slot->abort_seq};

    slot->abort_control = slot->abort_bulk = false;
    emu_forget(device, index);
    slot->busy_until_ns = 0;
    emu_answer_ok(device, &c, RDR_SLOT_STATUS, 0, NULL, 0);
}

void emu_abort_control(struct emu_device *device, unsigned slot, uint8_t seq)
{
    if (slot >= device->slot_count)
        return;
    device->slots[slot].abort_control = true;
    if (device->slots[slot].abort_bulk && device->slots[slot].abort_seq == seq) {
        finish_abort(device, slot);
        return;
    }
    device->slots[slot].abort_bulk = false;
    device->slots[slot].abort_seq = seq;
}

void emu_abort_bulk(struct emu_device *device, struct emu_slot *slot,
                    const struct emu_command *c)
{
    bool other_half = slot->abort_control && slot->abort_seq == c->seq;

    slot->abort_bulk = true;
    slot->abort_seq = c->seq;
    if (other_half)
        finish_abort(device, c->slot);
}

size_t emu_slot_change(const struct emu_device *device,
                       uint8_t out[1 + EMU_SLOTS_MAX / 4])
{
    memset(out, 0, 1 + EMU_SLOTS_MAX / 4);
    out[0] = 0x50; /* RDR_to_PC_NotifySlotChange */
    for (unsigned i = 0; i < device->slot_count; i++) {
        unsigned bits =
            (device->slots[i].present ? 1u : 0u) | (device->slots[i].changed ? 2u : 0u);

        out[1 + i / 4] |= (uint8_t)(bits << (i % 4 * 2));
    }
    return 1 + (device->slot_count + 3) / 4;
}

/* A command that the card worked on ends at once when the card goes. */
void emu_set_card(struct emu_device *device, unsigned index, bool present)
{
    struct emu_slot *slot = &device->slots[index];

    if (slot->present == present)
        return;
    slot->present = present;
    slot->powered = false;
    slot->changed = true;
    for (struct emu_answer *a = device->answers, *next; a; a = next) {
        next = a->next;
        if (a->slot == index && slot->busy_until_ns && a->len >= CCID_HEADER_LEN &&
            !a->pos && a->bytes[7] >> 6 != TIME_EXTENSION) {
            const struct emu_command c = {.slot = (uint8_t)index, .seq = a->bytes[6]};

            emu_forget(device, index);
            emu_answer_failed(device, &c, RDR_DATA_BLOCK, ICC_MUTE);
            break;
        }
    }
    emu_slot_clear(slot);
    emu_notify(device);
}

void emu_reset(struct emu_device *device)
{
    for (unsigned i = 0; i < device->slot_count; i++) {
        emu_slot_clear(&device->slots[i]);
        device->slots[i].powered = false;
        device->slots[i].abort_control = device->slots[i].abort_bulk = false;
    }
    emu_forget(device, EMU_SLOTS_MAX);
    device->out_len = 0;
}
