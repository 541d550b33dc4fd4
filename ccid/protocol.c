/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * protocol.c - RDF_SET_PROTOCOL: agreeing on T=0 or T=1 and their parameters (CCID 1.1
 * §6.1.5 and §6.1.7).
 *
 * What has to be done depends on what the reader does by itself (dwFeatures): all of it
 * (40h), the PPS (80h), or nothing. Then the PPS is made here, at TPDU level; at the
 * other levels it cannot be, and the card's first protocol at its default rate is used.
 *
 * A PPS that fails costs a cold reset and is tried once more for the default rate.
 */
#include "ccid/slot.h"

#define FIDI_DEFAULT 0x11

static ULONG protocol_bit(uint8_t number)
{
    return number == 1   ? SCARD_PROTOCOL_T1
           : number == 0 ? SCARD_PROTOCOL_T0
                         : SCARD_PROTOCOL_UNDEFINED;
}

static uint8_t protocol_number(ULONG bit)
{
    return bit == SCARD_PROTOCOL_T1 ? 1 : 0;
}

static uint8_t wanted_fidi(const SCARD_CARD_CAPABILITIES *card)
{
    return (uint8_t)(card->PtsData.Fl << 4 | (card->PtsData.Dl & 0x0F));
}

/* Card capabilities for the rate that every card starts with. */
static NTSTATUS use_default_rate(struct ccid_slot *slot)
{
    if (wanted_fidi(&slot->ext.CardCapabilities) == FIDI_DEFAULT)
        return STATUS_SUCCESS;
    slot->ext.CardCapabilities.PtsData.Type = PTS_TYPE_DEFAULT;
    return SmartcardUpdateCardCapabilities(&slot->ext);
}

/* The reader has chosen; find out what. */
static NTSTATUS reader_decides(struct ccid_slot *slot, ULONG mask, ULONG *chosen)
{
    uint8_t number;
    NTSTATUS status = ccid_icc_get_protocol(slot, &number);

    if (status == STATUS_NOT_SUPPORTED) {
        number = slot->ext.CardCapabilities.FirstProtocol;
        status = STATUS_SUCCESS;
    }
    if (status != STATUS_SUCCESS)
        return status;
    *chosen = protocol_bit(number);
    return (*chosen & mask) != 0 ? STATUS_SUCCESS : STATUS_NOT_SUPPORTED;
}

/* The reader does the PPS for the parameters it is given. */
static NTSTATUS reader_negotiates(struct ccid_slot *slot, ULONG chosen)
{
    SCARD_CARD_CAPABILITIES *card = &slot->ext.CardCapabilities;
    uint8_t number = protocol_number(chosen);
    uint8_t fidi = wanted_fidi(card);
    NTSTATUS status = ccid_icc_set_parameters(slot, number, fidi);

    if (status != STATUS_IO_TIMEOUT && status != STATUS_IO_DEVICE_ERROR &&
        status != STATUS_DEVICE_PROTOCOL_ERROR && status != STATUS_UNRECOGNIZED_MEDIA)
        return status;
    if (fidi == FIDI_DEFAULT || slot->out_of_step)
        return status;
    /* A failed PPS leaves the card mute: reset it and stay at the default rate. */
    SmcLog(slot->object, status, "no PPS for Fi/Di %02x: default rate", fidi);
    status = ccid_card_reset(slot, CCID_RESET_COLD);
    if (status == STATUS_SUCCESS)
        status = use_default_rate(slot);
    if (status == STATUS_SUCCESS)
        status = ccid_icc_set_parameters(slot, number, FIDI_DEFAULT);
    return status;
}

static NTSTATUS nobody_negotiates(struct ccid_slot *slot, ULONG mask, ULONG *chosen)
{
    uint8_t first = slot->ext.CardCapabilities.FirstProtocol;
    NTSTATUS status;

    *chosen = protocol_bit(first);
    if ((*chosen & mask) == 0)
        return STATUS_NOT_SUPPORTED;
    status = use_default_rate(slot);
    if (status != STATUS_SUCCESS)
        return status;
    return ccid_icc_set_parameters(slot, first, FIDI_DEFAULT);
}

/* After a failed PPS nobody knows what the card expects. */
static NTSTATUS begin_again(struct ccid_slot *slot)
{
    NTSTATUS status = ccid_card_reset(slot, CCID_RESET_COLD);

    return status == STATUS_SUCCESS ? use_default_rate(slot) : status;
}

/* The PPS of the second attempt, without PPS1. */
static NTSTATUS default_pps(struct ccid_slot *slot, uint8_t number, NTSTATUS first)
{
    struct ccid_pps_result result;
    NTSTATUS status;

    /* A card that is silent knows no PPS; it speaks its first protocol all the same. */
    if (first == STATUS_IO_TIMEOUT && number == slot->ext.CardCapabilities.FirstProtocol)
        return STATUS_SUCCESS;
    status = ccid_pps(slot, number, false, FIDI_DEFAULT, &result);
    if (status != STATUS_SUCCESS && result.card_failed)
        (void)ccid_card_reset(slot, CCID_RESET_COLD); /* negotiable, as it was */
    return status;
}

/* The host makes the PPS, where one is needed. */
static NTSTATUS host_negotiates(struct ccid_slot *slot, uint8_t number)
{
    SCARD_CARD_CAPABILITIES *card = &slot->ext.CardCapabilities;
    uint8_t fidi = wanted_fidi(card);
    struct ccid_pps_result result;
    NTSTATUS status;

    if (fidi == FIDI_DEFAULT && number == card->FirstProtocol)
        return ccid_icc_set_parameters(slot, number, fidi);
    status = ccid_pps(slot, number, fidi != FIDI_DEFAULT, fidi, &result);
    if (status == STATUS_SUCCESS && !result.rate_accepted) {
        status = use_default_rate(slot);
    } else if (status != STATUS_SUCCESS && result.card_failed) {
        NTSTATUS first = status;

        SmcLog(slot->object, status, "no PPS for T=%d, Fi/Di %02x: default rate", number,
               fidi);
        status = begin_again(slot);
        if (status == STATUS_SUCCESS)
            status = default_pps(slot, number, first);
    }
    if (status != STATUS_SUCCESS)
        return status;
    return ccid_icc_set_parameters(slot, number, wanted_fidi(card));
}

static NTSTATUS negotiate(struct ccid_slot *slot, ULONG mask, ULONG *chosen)
{
    uint32_t features = slot->device->desc.features;

    /* Readers that claim both 40h and 80h want to be left alone; ICCD has no requests for
     * parameters, whatever its token claims. */
    if ((features & CCID_FEATURE_AUTO_NEGOTIATE) != 0 ||
        slot->device->desc.transport != CCID_TRANSPORT_BULK)
        return reader_decides(slot, mask, chosen);
    if ((features & CCID_FEATURE_AUTO_PPS) == 0 &&
        slot->device->desc.level != CCID_LEVEL_TPDU)
        return nobody_negotiates(slot, mask, chosen);
    *chosen = (mask & SCARD_PROTOCOL_T1) != 0 ? SCARD_PROTOCOL_T1 : SCARD_PROTOCOL_T0;
    if ((features & CCID_FEATURE_AUTO_PPS) == 0)
        return host_negotiates(slot, protocol_number(*chosen));
    return reader_negotiates(slot, *chosen);
}

/* A reader at TPDU level that asks for its IFSD by itself has done so by now. */
static void note_ifsd(struct ccid_slot *slot)
{
    const struct ccid_desc *desc = &slot->device->desc;

    if (desc->level == CCID_LEVEL_TPDU && (desc->features & CCID_FEATURE_AUTO_IFSD) != 0)
        slot->ext.T1.IFSD = (UCHAR)desc->ifsd;
}

NTSTATUS ccid_card_set_protocol(PSMARTCARD_EXTENSION ext)
{
    struct ccid_slot *slot = ccid_slot_of(ext);
    ULONG mask = ext->MinorIoControlCode & SCARD_PROTOCOL_Tx;
    ULONG chosen = SCARD_PROTOCOL_UNDEFINED;
    uint32_t changes;
    NTSTATUS status;
    KIRQL irql;

    if (mask == 0)
        return STATUS_INVALID_DEVICE_REQUEST; /* raw only */
    status = ccid_card_enter(slot);
    if (status != STATUS_SUCCESS)
        return status;
    changes = ccid_state_changes(slot);
    status = negotiate(slot, mask, &chosen);
    if (status == STATUS_SUCCESS) {
        note_ifsd(slot);
        KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
        ext->CardCapabilities.Protocol.Selected = chosen;
        ext->ReaderCapabilities.CurrentState = SCARD_SPECIFIC;
        KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
        status = ccid_state_settle(slot, changes);
    }
    if (status == STATUS_SUCCESS) {
        RtlCopyMemory(ext->IoRequest.ReplyBuffer, &chosen, sizeof(chosen));
        *ext->IoRequest.Information = sizeof(chosen);
    }
    ccid_card_leave(slot);
    return status;
}

NTSTATUS ccid_protocol_specific(struct ccid_slot *slot)
{
    const SCARD_CARD_CAPABILITIES *card = &slot->ext.CardCapabilities;

    note_ifsd(slot);
    if (!card->SpecificMode || card->Protocol.Selected == SCARD_PROTOCOL_UNDEFINED ||
        (slot->device->desc.features & CCID_FEATURE_AUTO_NEGOTIATE) != 0 ||
        slot->device->desc.transport != CCID_TRANSPORT_BULK)
        return STATUS_SUCCESS;
    /* TA2 bit 5: parameters that only the reader's own list of cards can know. */
    if (card->ImplicitParameters)
        return STATUS_SUCCESS;
    return ccid_icc_set_parameters(slot, protocol_number(card->Protocol.Selected),
                                   (uint8_t)(card->Fl << 4 | (card->Dl & 0x0F)));
}
