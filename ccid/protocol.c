/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * protocol.c - RDF_SET_PROTOCOL: agreeing on T=0 or T=1 and their parameters (CCID 1.1
 * §6.1.5, §6.1.7 and §6.1.14).
 *
 * What has to be done depends on what the reader does by itself (dwFeatures): all of it
 * (40h), the PPS (80h), or nothing. Then the PPS is made here, at APDU level too, and
 * SetParameters follows; the rate has to be set as well where the reader takes it neither
 * from the parameters (10h, 20h).
 *
 * The rate is agreed_rate.c's choice. A PPS that the card fails costs a cold reset and is
 * tried once more for the default rate; a rate that card or reader cannot do in the end
 * costs a cold reset and one of the next lower, two times, then the default.
 */
#include "ccid/slot.h"

#include "ccid/quirks.h"
#include "ccid/timing.h"
#include "ccid/tpdu.h"

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

/* Readers that claim both 40h and 80h want to be left alone, too; ICCD has no requests
 * for parameters, whatever its token claims. */
static bool reader_does_all(const struct ccid_desc *desc)
{
    return (desc->features & CCID_FEATURE_AUTO_NEGOTIATE) != 0 ||
           desc->transport != CCID_TRANSPORT_BULK;
}

/* ---- the reader ------------------------------------------------------------------ */

/* Parameters of another protocol than the card's: unless the reader has chosen that, the
 * card has lost its power, and they are those of no card. So it may be with one that was
 * exchanged just then: the notification comes later. */
static NTSTATUS not_wanted(struct ccid_slot *slot)
{
    enum ccid_icc icc = CCID_ICC_ACTIVE;

    if (ccid_icc_status(slot, 0, &icc) != STATUS_SUCCESS || icc == CCID_ICC_ACTIVE)
        return STATUS_NOT_SUPPORTED;
    if (icc == CCID_ICC_ABSENT)
        return STATUS_NO_MEDIA;
    ccid_state_unpowered(slot);
    return STATUS_INVALID_DEVICE_STATE;
}

/* The reader has chosen; find out what. */
static NTSTATUS reader_decides(struct ccid_slot *slot, ULONG mask, ULONG *chosen)
{
    uint8_t fidi = ccid_rate_fidi(&slot->ext.CardCapabilities);
    uint8_t number;
    NTSTATUS status = ccid_icc_get_protocol(slot, &number, &fidi);

    if (status == STATUS_NOT_SUPPORTED) {
        /* The card's choice, unless the reader can only do the other one. */
        number = slot->ext.CardCapabilities.FirstProtocol;
        if ((protocol_bit(number) & slot->ext.ReaderCapabilities.SupportedProtocols) == 0)
            number ^= 1;
        status = STATUS_SUCCESS;
    }
    if (status != STATUS_SUCCESS)
        return status;
    *chosen = protocol_bit(number);
    if ((*chosen & mask) == 0)
        return not_wanted(slot);
    return ccid_rate_use(slot, fidi);
}

/* What reader and card are to use from now on. The card is there already, or follows the
 * reader's PPS. */
static NTSTATUS tell_reader(struct ccid_slot *slot, uint8_t number, uint8_t fidi)
{
    const struct ccid_desc *desc = &slot->device->desc;
    const SCARD_READER_CAPABILITIES *reader = &slot->ext.ReaderCapabilities;
    uint8_t in_use = fidi;
    NTSTATUS status = ccid_icc_set_parameters(slot, number, &in_use);

    if (status != STATUS_SUCCESS)
        return status;
    if (in_use != fidi) {
        if ((desc->features & CCID_FEATURE_AUTO_PPS) != 0)
            return ccid_rate_use(slot, in_use); /* the card does as the reader says */
        if (fidi != CCID_FIDI_DEFAULT)
            return STATUS_IO_DEVICE_ERROR; /* it has agreed to another rate */
    }
    if (fidi == CCID_FIDI_DEFAULT ||
        (desc->features & (CCID_FEATURE_AUTO_CLOCK | CCID_FEATURE_AUTO_BAUD)) != 0)
        return STATUS_SUCCESS;
    status = ccid_icc_set_rate(slot, reader->CLKFrequency.Default,
                               ccid_fidi_bps(&slot->ext.CardCapabilities, reader, fidi));
    /* A reader without the command is at the card's rate only if it took it from the
     * parameters after all: the first exchange shows. */
    return status == STATUS_NOT_SUPPORTED       ? STATUS_SUCCESS
           : status == STATUS_INVALID_PARAMETER ? STATUS_IO_DEVICE_ERROR
                                                : status;
}

/* ---- the card -------------------------------------------------------------------- */

/* After a failed PPS nobody knows what the card expects. */
static NTSTATUS begin_again(struct ccid_slot *slot)
{
    NTSTATUS status = ccid_card_reset(slot, CCID_RESET_COLD);

    return status == STATUS_SUCCESS ? ccid_rate_use(slot, CCID_FIDI_DEFAULT) : status;
}

/* The PPS of the second attempt, without PPS1. */
static NTSTATUS default_pps(struct ccid_slot *slot, uint8_t number, NTSTATUS first)
{
    struct ccid_pps_result result;
    NTSTATUS status;

    /* A card that is silent knows no PPS; it speaks its first protocol all the same. So
     * does one behind a reader that takes APDUs and knows nothing of a PPS. */
    if ((first == STATUS_IO_TIMEOUT || slot->device->desc.level > CCID_LEVEL_TPDU) &&
        number == slot->ext.CardCapabilities.FirstProtocol)
        return STATUS_SUCCESS;
    status = ccid_pps(slot, number, false, CCID_FIDI_DEFAULT, &result);
    if (status != STATUS_SUCCESS && result.card_failed)
        (void)ccid_card_reset(slot, CCID_RESET_COLD); /* negotiable, as it was */
    return status;
}

/* The host makes the PPS, where one is needed; *fidi becomes what the card has agreed
 * to. */
static NTSTATUS host_pps(struct ccid_slot *slot, uint8_t number, uint8_t *fidi)
{
    uint8_t first_protocol = slot->ext.CardCapabilities.FirstProtocol;
    struct ccid_pps_result result;
    NTSTATUS status, first;

    if (*fidi == CCID_FIDI_DEFAULT && number == first_protocol)
        return STATUS_SUCCESS;
    status = ccid_pps(slot, number, *fidi != CCID_FIDI_DEFAULT, *fidi, &result);
    if (status == STATUS_SUCCESS && result.rate_accepted)
        return STATUS_SUCCESS;
    if (status == STATUS_SUCCESS) {
        *fidi = CCID_FIDI_DEFAULT;
        return ccid_rate_use(slot, *fidi);
    }
    if (!result.card_failed)
        return status;
    SmcLog(slot->object, status, "no PPS for T=%d, Fi/Di %02x: default rate", number,
           *fidi);
    *fidi = CCID_FIDI_DEFAULT;
    first = status;
    status = begin_again(slot);
    return status == STATUS_SUCCESS ? default_pps(slot, number, first) : status;
}

/* ---- both ------------------------------------------------------------------------ */

/* Failures of a rate, which a lower one may cure. */
static bool is_about_rate(NTSTATUS status)
{
    return status == STATUS_IO_TIMEOUT || status == STATUS_IO_DEVICE_ERROR ||
           status == STATUS_DEVICE_PROTOCOL_ERROR || status == STATUS_UNRECOGNIZED_MEDIA;
}

/* For a powered card. Each round has a lower rate than the one before. */
static NTSTATUS agree(struct ccid_slot *slot, uint8_t number)
{
    const struct ccid_desc *desc = &slot->device->desc;
    bool twice = (desc->quirks & CCID_QUIRK_RATE_POWER_TWICE) != 0;
    NTSTATUS status;
    uint8_t fidi;

    for (int round = 0;; round++) {
        fidi = ccid_rate_wanted(slot);
        status = ccid_rate_use(slot, fidi);
        if (status == STATUS_SUCCESS && (desc->features & CCID_FEATURE_AUTO_PPS) == 0) {
            status = host_pps(slot, number, &fidi);
            if (status != STATUS_SUCCESS)
                return status; /* it has tried what there is to try */
        }
        if (status == STATUS_SUCCESS)
            status = tell_reader(slot, number, fidi);
        if (status == STATUS_SUCCESS)
            break;
        /* The last round is at the default rate, if card and reader stay the same. */
        if (fidi == CCID_FIDI_DEFAULT || round >= CCID_RATE_FAILURES_MAX ||
            slot->out_of_step || !is_about_rate(status))
            return status;
        SmcLog(slot->object, status, "Fi/Di %02x does not work: a lower rate", fidi);
        ccid_rate_failed(slot);
        status = ccid_card_reset(slot, CCID_RESET_COLD);
        if (status == STATUS_SUCCESS && twice)
            status = ccid_card_reset(slot, CCID_RESET_COLD);
        if (status != STATUS_SUCCESS)
            return status;
    }
    slot->rate_unproven =
        ccid_rate_fidi(&slot->ext.CardCapabilities) != CCID_FIDI_DEFAULT;
    return STATUS_SUCCESS;
}

/* Readers that cannot do a PPS: the card's first protocol at its default rate. */
static NTSTATUS nobody_negotiates(struct ccid_slot *slot, ULONG mask, ULONG *chosen)
{
    uint8_t first = slot->ext.CardCapabilities.FirstProtocol;
    NTSTATUS status;

    *chosen = protocol_bit(first);
    if ((*chosen & mask) == 0)
        return STATUS_NOT_SUPPORTED;
    status = ccid_rate_use(slot, CCID_FIDI_DEFAULT);
    return status == STATUS_SUCCESS ? tell_reader(slot, first, CCID_FIDI_DEFAULT)
                                    : status;
}

static NTSTATUS negotiate(struct ccid_slot *slot, ULONG mask, ULONG *chosen)
{
    const struct ccid_desc *desc = &slot->device->desc;

    slot->rate_unproven = false;
    if (reader_does_all(desc))
        return reader_decides(slot, mask, chosen);
    if ((desc->quirks & CCID_QUIRK_NO_PPS) != 0)
        return nobody_negotiates(slot, mask, chosen);
    *chosen = (mask & SCARD_PROTOCOL_T1) != 0 ? SCARD_PROTOCOL_T1 : SCARD_PROTOCOL_T0;
    return agree(slot, protocol_number(*chosen));
}

/* A reader at TPDU level that asks for its IFSD by itself has done so by now. */
static void note_ifsd(struct ccid_slot *slot)
{
    const struct ccid_desc *desc = &slot->device->desc;

    if (desc->level == CCID_LEVEL_TPDU && (desc->features & CCID_FEATURE_AUTO_IFSD) != 0)
        slot->ext.T1.IFSD = (UCHAR)desc->ifsd;
}

static NTSTATUS settle(struct ccid_slot *slot, ULONG chosen, uint32_t changes)
{
    SMARTCARD_EXTENSION *ext = &slot->ext;
    KIRQL irql;

    note_ifsd(slot);
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    ext->CardCapabilities.Protocol.Selected = chosen;
    ext->ReaderCapabilities.CurrentState = SCARD_SPECIFIC;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    return ccid_state_settle(slot, changes);
}

NTSTATUS ccid_protocol_again(struct ccid_slot *slot, uint32_t changes)
{
    ULONG chosen = ccid_state_card(slot).Protocol.Selected;
    NTSTATUS status;

    SmcLog(slot->object, STATUS_IO_TIMEOUT, "Fi/Di %02x does not work: a lower rate",
           ccid_rate_fidi(&slot->ext.CardCapabilities));
    status = ccid_card_reset(slot, CCID_RESET_COLD);
    if (status == STATUS_SUCCESS)
        status = agree(slot, protocol_number(chosen));
    return status == STATUS_SUCCESS ? settle(slot, chosen, changes) : status;
}

NTSTATUS ccid_card_set_protocol(PSMARTCARD_EXTENSION ext)
{
    struct ccid_slot *slot = ccid_slot_of(ext);
    ULONG mask = ext->MinorIoControlCode & SCARD_PROTOCOL_Tx;
    ULONG chosen = SCARD_PROTOCOL_UNDEFINED;
    uint32_t changes;
    NTSTATUS status;

    if (mask == 0)
        return STATUS_INVALID_DEVICE_REQUEST; /* raw only */
    status = ccid_card_enter(slot);
    if (status != STATUS_SUCCESS)
        return status;
    changes = ccid_state_changes(slot);
    status = negotiate(slot, mask, &chosen);
    if (status == STATUS_SUCCESS)
        status = settle(slot, chosen, changes);
    if (status == STATUS_SUCCESS) {
        RtlCopyMemory(ext->IoRequest.ReplyBuffer, &chosen, sizeof(chosen));
        *ext->IoRequest.Information = sizeof(chosen);
    }
    ccid_card_leave(slot);
    return status;
}

NTSTATUS ccid_protocol_specific(struct ccid_slot *slot)
{
    const SCARD_CARD_CAPABILITIES now = ccid_state_card(slot), *card = &now;

    note_ifsd(slot);
    slot->rate_unproven = false;
    if (!card->SpecificMode || card->Protocol.Selected == SCARD_PROTOCOL_UNDEFINED ||
        reader_does_all(&slot->device->desc))
        return STATUS_SUCCESS;
    /* TA2 bit 5: parameters that only the reader's own list of cards can know. */
    if (card->ImplicitParameters)
        return STATUS_SUCCESS;
    return tell_reader(slot, protocol_number(card->Protocol.Selected),
                       (uint8_t)(card->Fl << 4 | (card->Dl & 0x0F)));
}
