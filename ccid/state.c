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
 * One thread tells the tracker, and until the tracker is back presence in CurrentState
 * stays what it has been told: news that come meanwhile, in whatever thread, are held,
 * and the thread that tells goes on with them. Otherwise one completion could stand for
 * two changes and the second one end a tracker that nothing has happened to, and what
 * happens between two trackers would be seen by none.
 *
 * News of the interrupt endpoint that come too fast are held as well (ccid_state_heard):
 * the newest state is kept, and whether the card that was in has gone meanwhile. Its
 * state is lost at once, so that no command reaches another card in its place.
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

/* Under the spin lock. Whether that is anything else than what is known and held. */
static bool is_news(const struct ccid_slot *slot, bool present, bool exchanged)
{
    return slot->held.any || slot->present != present || (present && exchanged) ||
           slot->ext.ReaderCapabilities.CurrentState == SCARD_UNKNOWN;
}

/* Under the spin lock: to be put together with what comes until it is told. */
static void hold(struct ccid_slot *slot, bool present, bool exchanged, bool urgent)
{
    if (slot->unknown || !is_news(slot, present, exchanged))
        return;
    if (!slot->held.any || slot->held.present != present || exchanged)
        slot->changes++;
    if (!slot->held.any)
        slot->held.exchanged = slot->held.urgent = false;
    slot->held.any = true;
    slot->held.present = present;
    slot->held.exchanged = slot->held.exchanged || exchanged || !present;
    slot->held.urgent = slot->held.urgent || urgent;
    slot->ext.CardCapabilities.Protocol.Selected = SCARD_PROTOCOL_UNDEFINED;
    if (slot->ext.ReaderCapabilities.CurrentState > SCARD_SWALLOWED)
        slot->ext.ReaderCapabilities.CurrentState = SCARD_SWALLOWED;
}

static uint64_t now_ms(const struct ccid_slot *slot)
{
    return slot->port.ops->now_ms(slot->port.usb);
}

/* Under the spin lock. Until the endpoint's next news may be told. */
static uint32_t rest_ms(const struct ccid_slot *slot, uint64_t now)
{
    return ccid_history_wait(&slot->news, now, NEWS_SPAN_MS, NEWS_MAX);
}

/* Under the spin lock. */
static bool take_unknown(struct ccid_slot *slot)
{
    bool news = slot->present;

    slot->present = false;
    slot->ext.ReaderCapabilities.CurrentState = SCARD_UNKNOWN;
    return news;
}

/* Under the spin lock. What was held, if it is time: whether that is to be told. */
static bool take_held(struct ccid_slot *slot, uint64_t now)
{
    if (slot->unknown)
        return take_unknown(slot);
    if (!slot->held.any || (!slot->held.urgent && rest_ms(slot, now) > 0))
        return false;
    slot->held.any = false;
    if (!take_news(slot, slot->held.present, slot->held.exchanged))
        return false;
    if (!slot->held.urgent)
        ccid_history_note(&slot->news, now);
    return true;
}

/* Ends what began under the spin lock: releases it, tells the tracker of the news and of
 * what was held, and asks for a turn when it is too early for that. */
static void tell(struct ccid_slot *slot, KIRQL irql, bool news, uint64_t now)
{
    uint32_t wait_ms;

    if (slot->telling) { /* who tells goes on with it */
        KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
        return;
    }
    slot->telling = true;
    while (news || take_held(slot, now)) {
        KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
        SmartcardCompleteCardTracking(&slot->ext);
        now = now_ms(slot);
        KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
        news = false;
    }
    slot->telling = false;
    wait_ms = slot->held.any ? rest_ms(slot, now) : CCID_NO_RETRY;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    if (wait_ms != CCID_NO_RETRY)
        SmcRequestService(slot->object, wait_ms);
}

void ccid_state_report(struct ccid_slot *slot, bool present, bool exchanged)
{
    uint64_t now = now_ms(slot);
    bool news = false;
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    if (slot->telling) {
        hold(slot, present, exchanged, true);
    } else {
        slot->held.any = false;
        news = take_news(slot, present, exchanged);
    }
    tell(slot, irql, news, now);
}

void ccid_state_heard(struct ccid_slot *slot, bool present, bool exchanged)
{
    uint64_t now = now_ms(slot);
    bool news = false;
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    if (slot->telling || slot->held.any || rest_ms(slot, now) > 0) {
        hold(slot, present, exchanged, false);
    } else {
        news = take_news(slot, present, exchanged);
        if (news)
            ccid_history_note(&slot->news, now);
    }
    tell(slot, irql, news, now);
}

void ccid_state_release(struct ccid_slot *slot)
{
    uint64_t now = now_ms(slot);
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    tell(slot, irql, false, now);
}

void ccid_state_sampled(struct ccid_slot *slot, bool present, uint32_t changes)
{
    ccid_state_looked(slot, present, false, changes);
}

void ccid_state_looked(struct ccid_slot *slot, bool present, bool exchanged,
                       uint32_t changes)
{
    uint64_t now = now_ms(slot);
    bool news = false;
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    if (slot->changes == changes && (slot->telling || slot->held.any))
        hold(slot, present, exchanged, !slot->held.any);
    else if (slot->changes == changes)
        news = take_news(slot, present, exchanged);
    tell(slot, irql, news, now);
}

void ccid_state_unknown(struct ccid_slot *slot)
{
    uint64_t now = now_ms(slot);
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    slot->unknown = true;
    slot->held.any = false;
    slot->changes++;
    forget_card(slot);
    tell(slot, irql, false, now); /* CurrentState follows when nobody tells */
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
        if (slot->present)
            slot->ext.ReaderCapabilities.CurrentState = inserted(slot);
        else
            slot->ext.ReaderCapabilities.CurrentState =
                slot->unknown ? SCARD_UNKNOWN : SCARD_ABSENT;
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
    uint64_t now = now_ms(slot);
    bool news = false;
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    if (slot->telling)
        hold(slot, false, false, true);
    else
        news = take_news(slot, false, false);
    slot->ext.ReaderCapabilities.CardConfiscated = TRUE;
    tell(slot, irql, news, now);
}
