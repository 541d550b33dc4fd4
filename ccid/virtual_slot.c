/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_slot.c - the contacts of the virtual reader: a card comes, goes, gets power and
 * loses it.
 */
#include "ccid/virtual_internal.h"

void virtual_slot_activate(struct ccid_virtual_reader *reader, struct virtual_slot *slot)
{
    slot->active = true;
    slot->clock_stopped = false;
    slot->collecting = false;
    virtual_forget_response(slot);
    ccid_virtual_card_reset(&slot->card);
    ccid_virtual_contact_reset(slot->contact, &slot->card);
    virtual_character_reset(&slot->character);
    virtual_parameters_reset(reader, slot);
}

void virtual_slot_deactivate(struct virtual_slot *slot)
{
    if (slot->far.send != NULL)
        virtual_far_power_off(slot);
    slot->active = slot->clock_stopped = false;
    slot->collecting = false;
    virtual_forget_response(slot);
    virtual_forget_command(slot);
    virtual_pinpad_forget(&slot->pad);
    virtual_character_reset(&slot->character);
    ccid_virtual_t0_reset(&slot->contact->t0);
    ccid_virtual_t1_forget(&slot->contact->t1);
    ccid_virtual_card_reset(&slot->card);
}

void virtual_card_in_locked(struct ccid_virtual_reader *reader, unsigned slot_index)
{
    struct virtual_slot *slot = &reader->slots[slot_index];

    slot->present = true;
    slot->at_mouth = (reader->shape.mechanical & CCID_MECHANICAL_ACCEPTS) != 0;
    slot->changed = reader->in_use;
    virtual_slot_deactivate(slot);
    ccid_virtual_contact_reset(slot->contact, &slot->card);
    virtual_character_reset(&slot->character);
    virtual_parameters_reset(reader, slot);
    if ((reader->shape.features & CCID_FEATURE_AUTO_ACTIVATION) != 0 && !slot->at_mouth)
        virtual_slot_activate(reader, slot);
}

/* A command that the card was working on ends: it does not answer any more. */
void virtual_card_out_locked(struct ccid_virtual_reader *reader, unsigned slot_index)
{
    struct virtual_slot *slot = &reader->slots[slot_index];

    slot->present = false;
    slot->changed = reader->in_use;
    virtual_slot_deactivate(slot);
    virtual_far_thrown_out(slot);
    if (slot->running)
        virtual_end(reader, (uint8_t)slot_index, CCID_FAILED, CCID_ERROR_MUTE, 0, 0);
}

void virtual_reset_locked(struct ccid_virtual_reader *reader)
{
    while (reader->queue_count > 0)
        virtual_pop_locked(reader);
    for (unsigned i = 0; i < reader->shape.slot_count; i++) {
        struct virtual_slot *slot = &reader->slots[i];

        virtual_slot_deactivate(slot);
        slot->busy = slot->running = false;
        slot->abort_control = slot->abort_message = false;
    }
}
