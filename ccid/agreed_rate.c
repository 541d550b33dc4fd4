/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agreed_rate.c - at which Fi and Di card and reader are to speak: fidi.c's choice, below
 * what has failed with this card. The slot remembers that until the card is exchanged, so
 * that no later reset tries it again.
 */
#include "ccid/timing.h"

#include "ccid/slot.h"

uint8_t ccid_rate_fidi(const SCARD_CARD_CAPABILITIES *card)
{
    return (uint8_t)(card->PtsData.Fl << 4 | (card->PtsData.Dl & 0x0F));
}

void ccid_rate_failed(struct ccid_slot *slot)
{
    const SCARD_CARD_CAPABILITIES *card = &slot->ext.CardCapabilities;
    uint32_t changes = ccid_state_changes(slot);

    slot->rate_unproven = false;
    if (ccid_rate_fidi(card) == CCID_FIDI_DEFAULT || card->SpecificMode)
        return;
    if (slot->rate_card_changes != changes)
        slot->rate_failures = 0;
    slot->rate_card_changes = changes;
    slot->rate_failures++;
    slot->rate_failed_bps =
        ccid_fidi_bps(card, &slot->ext.ReaderCapabilities, ccid_rate_fidi(card));
}

uint8_t ccid_rate_wanted(struct ccid_slot *slot)
{
    const SCARD_CARD_CAPABILITIES *card = &slot->ext.CardCapabilities;
    uint32_t usable_bps = slot->device->desc.usable_data_rate_bps;
    uint32_t below_bps = usable_bps != 0 ? usable_bps + 1 : 0;

    if (card->PtsData.Type == PTS_TYPE_DEFAULT)
        return CCID_FIDI_DEFAULT;
    if (slot->rate_failures != 0 && slot->rate_card_changes == ccid_state_changes(slot)) {
        if (slot->rate_failures >= CCID_RATE_FAILURES_MAX)
            return CCID_FIDI_DEFAULT;
        if (below_bps == 0 || slot->rate_failed_bps < below_bps)
            below_bps = slot->rate_failed_bps;
    }
    return ccid_fidi_choose(card, &slot->ext.ReaderCapabilities, below_bps);
}

NTSTATUS ccid_rate_use(struct ccid_slot *slot, uint8_t fidi)
{
    const SCARD_READER_CAPABILITIES *reader = &slot->ext.ReaderCapabilities;
    PTS_DATA *pts = &slot->ext.CardCapabilities.PtsData;
    UCHAR type = pts->Type;
    NTSTATUS status;
    KIRQL irql;

    if (fidi == ccid_rate_fidi(&slot->ext.CardCapabilities) &&
        pts->CLKFrequency == reader->CLKFrequency.Default)
        return STATUS_SUCCESS;
    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    pts->Type = PTS_TYPE_USER;
    pts->Fl = fidi >> 4;
    pts->Dl = fidi & 0x0F;
    pts->CLKFrequency = reader->CLKFrequency.Default;
    pts->DataRate = fidi == CCID_FIDI_DEFAULT
                        ? reader->DataRate.Default
                        : ccid_fidi_bps(&slot->ext.CardCapabilities, reader, fidi);
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    status = SmartcardUpdateCardCapabilities(&slot->ext);
    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    pts->Type = type;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    return status;
}
