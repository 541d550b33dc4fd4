/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mechanical.c - readers that move the card: RDF_READER_SWALLOW, RDF_CARD_EJECT and
 * RDF_CARD_CONFISCATE by PC_to_RDR_Mechanical (CCID 1.1 §6.1.12).
 *
 * A card that came into such a reader is PRESENT until it has been swallowed, and PRESENT
 * again when it has been ejected, until somebody takes it. A card that was captured is
 * gone for good.
 */
#include "ccid/slot.h"

#define MECHANICAL_MS 30000 /* a motor */

/* bFunction */
#define FUNCTION_ACCEPT  0x01
#define FUNCTION_EJECT   0x02
#define FUNCTION_CAPTURE 0x03

void ccid_mechanical_init(struct ccid_slot *slot)
{
    uint32_t mechanical = slot->device->desc.mechanical;
    PSMARTCARD_EXTENSION ext = &slot->ext;

    if ((mechanical & CCID_MECHANICAL_ACCEPTS) != 0) {
        ext->ReaderCapabilities.MechProperties |= SCARD_READER_SWALLOWS;
        ext->ReaderFunction[RDF_READER_SWALLOW] = ccid_card_swallow;
    }
    if ((mechanical & CCID_MECHANICAL_EJECTS) != 0) {
        ext->ReaderCapabilities.MechProperties |= SCARD_READER_EJECTS;
        ext->ReaderFunction[RDF_CARD_EJECT] = ccid_card_eject;
    }
    if ((mechanical & CCID_MECHANICAL_CAPTURES) != 0) {
        ext->ReaderCapabilities.MechProperties |= SCARD_READER_CONFISCATES;
        ext->ReaderFunction[RDF_CARD_CONFISCATE] = ccid_card_confiscate;
    }
}

static NTSTATUS move(struct ccid_slot *slot, uint8_t function)
{
    struct ccid_command command = {
        .type = CCID_MECHANICAL,
        .p1 = function,
        .answer_type = CCID_SLOT_STATUS,
        .timeout_ms = MECHANICAL_MS,
    };
    uint32_t changes = ccid_state_changes(slot);
    NTSTATUS status = ccid_cmd(slot, &command);

    /* Nobody knows where the card is: the next reset puts it in position. */
    if (status != STATUS_SUCCESS &&
        (slot->device->desc.mechanical & CCID_MECHANICAL_ACCEPTS) != 0 &&
        ccid_state_current(slot) >= SCARD_PRESENT)
        (void)ccid_state_moved(slot, changes, SCARD_PRESENT);
    if (command.answered && status != STATUS_SUCCESS && status != STATUS_NO_MEDIA)
        ccid_cmd_log(slot, &command, status, "the card was not moved");
    return status;
}

NTSTATUS ccid_mechanical_swallow(struct ccid_slot *slot)
{
    uint32_t changes = ccid_state_changes(slot);
    NTSTATUS status;

    if (ccid_state_current(slot) != SCARD_PRESENT)
        return STATUS_SUCCESS; /* in position already */
    status = move(slot, FUNCTION_ACCEPT);
    return status == STATUS_SUCCESS ? ccid_state_moved(slot, changes, SCARD_SWALLOWED)
                                    : status;
}

/* Nothing is moved under power. */
static NTSTATUS release(struct ccid_slot *slot, uint8_t function)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (ccid_state_current(slot) > SCARD_SWALLOWED) {
        status = ccid_icc_power_off(slot);
        ccid_state_unpowered(slot);
    }
    return status == STATUS_SUCCESS ? move(slot, function) : status;
}

static NTSTATUS eject(struct ccid_slot *slot)
{
    uint32_t changes = ccid_state_changes(slot);
    NTSTATUS status = release(slot, FUNCTION_EJECT);

    if (status == STATUS_SUCCESS)
        (void)ccid_state_moved(slot, changes, SCARD_PRESENT); /* taken already: absent */
    return status;
}

static NTSTATUS confiscate(struct ccid_slot *slot)
{
    NTSTATUS status = release(slot, FUNCTION_CAPTURE);

    if (status == STATUS_SUCCESS)
        ccid_state_confiscated(slot);
    return status;
}

static NTSTATUS run(PSMARTCARD_EXTENSION ext, NTSTATUS (*act)(struct ccid_slot *))
{
    struct ccid_slot *slot = ccid_slot_of(ext);
    NTSTATUS status = ccid_card_enter(slot);

    if (status != STATUS_SUCCESS)
        return status;
    status = act(slot);
    ccid_card_leave(slot);
    return status;
}

NTSTATUS ccid_card_swallow(PSMARTCARD_EXTENSION ext)
{
    return run(ext, ccid_mechanical_swallow);
}

NTSTATUS ccid_card_eject(PSMARTCARD_EXTENSION ext)
{
    return run(ext, eject);
}

NTSTATUS ccid_card_confiscate(PSMARTCARD_EXTENSION ext)
{
    return run(ext, confiscate);
}
