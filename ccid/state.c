/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state.c - what is known of the card in a slot: presence (from the interrupt endpoint
 * and from every answer) and CurrentState (smclib's scale).
 *
 * News arrive in the event thread while a callback is powering or reading the same
 * card, so everything here is a few instructions under the spin lock, and the tracker is
 * completed after it has been released. `changes` counts what happened; a callback that
 * sets a state compares it before and after.
 *
 * News of the interrupt endpoint that come too fast are held back (ccid_state_heard): the
 * newest state is kept, and whether the card that was in has gone meanwhile. Its state is
 * lost at once, so that no command reaches another card in its place.
 */
#include "ccid/slot.h"

#define NEWS_MAX     20
#define NEWS_SPAN_MS 1000

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

    if (slot->unknown)
        return false;
    if (!first && slot->present == present && !(present && exchanged))
        return false;
    slot->present = present;
    slot->changes++;
    forget_card(slot);
    reader->CurrentState = present ? inserted(slot) : SCARD_ABSENT;
    if (present)
        reader->CardConfiscated = FALSE;
    return !first || present; /* an unknown card was as good as none */
}

/* Under the spin lock: to be put together with what comes until it is released. */
static void hold(struct ccid_slot *slot, bool present, bool exchanged)
{
    if (!slot->held.any || slot->held.present != present || exchanged)
        slot->changes++;
    if (!slot->held.any)
        slot->held.exchanged = false;
    slot->held.any = true;
    slot->held.present = present;
    slot->held.exchanged = slot->held.exchanged || exchanged || !present;
    slot->ext.CardCapabilities.Protocol.Selected = SCARD_PROTOCOL_UNDEFINED;
    if (slot->ext.ReaderCapabilities.CurrentState > SCARD_SWALLOWED)
        slot->ext.ReaderCapabilities.CurrentState = SCARD_SWALLOWED;
}

/* Under the spin lock. *news: the tracker is to be completed. */
static uint32_t release(struct ccid_slot *slot, uint64_t now_ms, bool *news)
{
    uint32_t wait_ms = ccid_history_wait(&slot->news, now_ms, NEWS_SPAN_MS, NEWS_MAX);

    *news = false;
    if (!slot->held.any)
        return CCID_NO_RETRY;
    if (wait_ms > 0)
        return wait_ms;
    slot->held.any = false;
    *news = take_news(slot, slot->held.present, slot->held.exchanged);
    if (*news)
        ccid_history_note(&slot->news, now_ms);
    return CCID_NO_RETRY;
}

void ccid_state_report(struct ccid_slot *slot, bool present, bool exchanged)
{
    KIRQL irql;
    bool news;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    slot->held.any = false;
    news = take_news(slot, present, exchanged);
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    if (news)
        SmartcardCompleteCardTracking(&slot->ext);
}

uint32_t ccid_state_heard(struct ccid_slot *slot, bool present, bool exchanged,
                          uint64_t now_ms)
{
    uint32_t wait_ms;
    KIRQL irql;
    bool news;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    news = slot->held.any || slot->present != present || (present && exchanged) ||
           slot->ext.ReaderCapabilities.CurrentState == SCARD_UNKNOWN;
    if (!news) {
        wait_ms = CCID_NO_RETRY;
    } else if (slot->held.any ||
               ccid_history_wait(&slot->news, now_ms, NEWS_SPAN_MS, NEWS_MAX) > 0) {
        hold(slot, present, exchanged);
        wait_ms = release(slot, now_ms, &news);
    } else {
        ccid_history_note(&slot->news, now_ms);
        news = take_news(slot, present, exchanged);
        wait_ms = CCID_NO_RETRY;
    }
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    if (news)
        SmartcardCompleteCardTracking(&slot->ext);
    return wait_ms;
}

uint32_t ccid_state_release(struct ccid_slot *slot, uint64_t now_ms)
{
    uint32_t wait_ms;
    KIRQL irql;
    bool news;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    wait_ms = release(slot, now_ms, &news);
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    if (news)
        SmartcardCompleteCardTracking(&slot->ext);
    return wait_ms;
}

void ccid_state_sampled(struct ccid_slot *slot, bool present, uint32_t changes)
{
    ccid_state_looked(slot, present, false, changes);
}

void ccid_state_looked(struct ccid_slot *slot, bool present, bool exchanged,
                       uint32_t changes)
{
    KIRQL irql;
    bool news = false;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    if (slot->changes == changes && slot->held.any)
        hold(slot, present, exchanged);
    else if (slot->changes == changes)
        news = take_news(slot, present, exchanged);
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    if (news)
        SmartcardCompleteCardTracking(&slot->ext);
}

void ccid_state_unknown(struct ccid_slot *slot)
{
    KIRQL irql;
    bool news;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    news = slot->ext.ReaderCapabilities.CurrentState > SCARD_ABSENT;
    slot->unknown = true;
    slot->present = false;
    slot->held.any = false;
    slot->changes++;
    forget_card(slot);
    slot->ext.ReaderCapabilities.CurrentState = SCARD_UNKNOWN;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    if (news)
        SmartcardCompleteCardTracking(&slot->ext);
}

void ccid_state_known(struct ccid_slot *slot)
{
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    slot->unknown = false;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
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

SCARD_CARD_CAPABILITIES ccid_state_card(struct ccid_slot *slot)
{
    SCARD_CARD_CAPABILITIES card;
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    card = slot->ext.CardCapabilities;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    return card;
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
        if (slot->unknown)
            slot->ext.ReaderCapabilities.CurrentState = SCARD_UNKNOWN;
        else
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
