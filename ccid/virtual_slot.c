/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_slot.c - the contacts of the virtual reader: a card comes, goes, gets power and
 * loses it.
 */
#include "ccid/virtual_internal.h"

#include <string.h>

static const uint8_t default_t0[5] = {0x11, 0x00, 0x00, 0x0a, 0x00};
static const uint8_t default_t1[7] = {0x11, 0x10, 0x00, 0x4d, 0x00, 0x20, 0x00};

size_t virtual_slot_parameters_length(uint8_t protocol)
{
    return protocol == 0 ? sizeof(default_t0) : sizeof(default_t1);
}

void virtual_slot_default_parameters(struct virtual_slot *slot)
{
    slot->protocol = (ccid_virtual_card_protocols(&slot->card) & 1) != 0 ? 0 : 1;
    if (slot->protocol == 0)
        memcpy(slot->parameters, default_t0, sizeof(default_t0));
    else
        memcpy(slot->parameters, default_t1, sizeof(default_t1));
}

void virtual_slot_activate(struct virtual_slot *slot)
{
    slot->active = true;
    slot->collecting = false;
    slot->response_len = slot->response_sent = 0;
    ccid_virtual_card_reset(&slot->card);
    if (slot->contact != NULL)
        ccid_virtual_contact_reset(slot->contact, &slot->card);
    virtual_slot_default_parameters(slot);
}

void virtual_slot_deactivate(struct virtual_slot *slot)
{
    slot->active = false;
    slot->collecting = false;
    slot->response_len = slot->response_sent = 0;
    ccid_virtual_card_reset(&slot->card);
}

void virtual_card_in_locked(struct ccid_virtual_reader *reader, unsigned slot_index)
{
    struct virtual_slot *slot = &reader->slots[slot_index];

    slot->present = true;
    slot->at_mouth = (reader->shape.mechanical & CCID_MECHANICAL_ACCEPTS) != 0;
    slot->changed = reader->in_use;
    virtual_slot_deactivate(slot);
    virtual_slot_default_parameters(slot);
    if ((reader->shape.features & CCID_FEATURE_AUTO_ACTIVATION) != 0 && !slot->at_mouth)
        virtual_slot_activate(slot);
}

/* A command that the card was working on ends: it does not answer any more. */
void virtual_card_out_locked(struct ccid_virtual_reader *reader, unsigned slot_index)
{
    struct virtual_slot *slot = &reader->slots[slot_index];

    slot->present = false;
    slot->changed = reader->in_use;
    virtual_slot_deactivate(slot);
    if (slot->running)
        virtual_end(reader, (uint8_t)slot_index, CCID_FAILED, CCID_ERROR_MUTE, 0, 0);
}

void virtual_reset_locked(struct ccid_virtual_reader *reader)
{
    reader->queue_count = 0;
    reader->head_sent = 0;
    for (unsigned i = 0; i < reader->shape.slot_count; i++) {
        struct virtual_slot *slot = &reader->slots[i];

        virtual_slot_deactivate(slot);
        slot->busy = slot->running = false;
        slot->abort_control = slot->abort_message = false;
    }
}
