/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state.c - what is known of the card in a slot: presence (from the interrupt endpoint
 * and from every answer) and CurrentState (smclib's scale).
 *
 * News arrive in the event thread while a callback is powering or reading the same
 * card, so everything here is a few instructions under the spin lock, and the tracker is
 * completed after it has been released. `changes` counts what happened; a callback that
 * sets a state compares it before and after.
 */
#include "ccid/slot.h"

/* Under the spin lock. */
static void forget_card(struct ccid_slot *slot)
{
    slot->ext.CardCapabilities.ATR.Length = 0;
    slot->ext.CardCapabilities.Protocol.Selected = SCARD_PROTOCOL_UNDEFINED;
}

/* What a card is in that has just come, or of whose place nothing is known. */
static ULONG inserted(const struct ccid_slot *slot)
{
    return (slot->ext.ReaderCapabilities.MechProperties & SCARD_READER_SWALLOWS) != 0
               ? SCARD_PRESENT
               : SCARD_SWALLOWED;
}

/* Under the spin lock. Returns whether the tracker is to be completed. */
static bool take_news(struct ccid_slot *slot, bool present, bool exchanged)
{
    PSCARD_READER_CAPABILITIES reader = &slot->ext.ReaderCapabilities;
    bool first = reader->CurrentState == SCARD_UNKNOWN;

    if (!first && slot->present == present && !(present && exchanged))
        return false;
    slot->present = present;
    slot->changes++;
    forget_card(slot);
    reader->CurrentState = present ? inserted(slot) : SCARD_ABSENT;
    if (present)
        reader->CardConfiscated = FALSE;
    return true;
}

void ccid_state_report(struct ccid_slot *slot, bool present, bool exchanged)
{
    KIRQL irql;
    bool news;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    news = take_news(slot, present, exchanged);
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    if (news)
        SmartcardCompleteCardTracking(&slot->ext);
}

void ccid_state_sampled(struct ccid_slot *slot, bool present, uint32_t changes)
{
    KIRQL irql;
    bool news = false;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    if (slot->changes == changes)
        news = take_news(slot, present, false);
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    if (news)
        SmartcardCompleteCardTracking(&slot->ext);
}

uint32_t ccid_state_changes(struct ccid_slot *slot)
{
    KIRQL irql;
    uint32_t changes;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    changes = slot->changes;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    return changes;
}

ULONG ccid_state_current(struct ccid_slot *slot)
{
    KIRQL irql;
    ULONG state;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    state = slot->ext.ReaderCapabilities.CurrentState;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    return state;
}

void ccid_state_unpowered(struct ccid_slot *slot)
{
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    slot->ext.CardCapabilities.Protocol.Selected = SCARD_PROTOCOL_UNDEFINED;
    if (slot->ext.ReaderCapabilities.CurrentState > SCARD_SWALLOWED)
        slot->ext.ReaderCapabilities.CurrentState = SCARD_SWALLOWED;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
}

NTSTATUS ccid_state_settle(struct ccid_slot *slot, uint32_t changes)
{
    NTSTATUS status = STATUS_SUCCESS;
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    if (slot->changes != changes) {
        forget_card(slot);
        slot->ext.ReaderCapabilities.CurrentState =
            slot->present ? inserted(slot) : SCARD_ABSENT;
        status = STATUS_NO_MEDIA; /* the card that was asked for */
    }
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    return status;
}

NTSTATUS ccid_state_moved(struct ccid_slot *slot, uint32_t changes, ULONG state)
{
    NTSTATUS status = STATUS_SUCCESS;
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    if (slot->changes == changes && slot->present)
        slot->ext.ReaderCapabilities.CurrentState = state;
    else
        status = STATUS_NO_MEDIA;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    return status;
}

void ccid_state_confiscated(struct ccid_slot *slot)
{
    KIRQL irql;
    bool news;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    news = take_news(slot, false, false);
    slot->ext.ReaderCapabilities.CardConfiscated = TRUE;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    if (news)
        SmartcardCompleteCardTracking(&slot->ext);
}
