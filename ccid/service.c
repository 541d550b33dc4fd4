/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service.c - what the driver does by itself, in turns that it asks for
 * (SmcRequestService) and that come between the requests of others.
 *
 * A turn brings a device back that is in trouble (trouble.c), restarts the interrupt
 * endpoint (notify.c), passes on news that were held back (state.c), and looks at the
 * slot where nobody tells of cards: without a working interrupt endpoint, and only while
 * somebody cares, that is, while a tracker is pending or the card has power. Each says
 * when it wants the next turn; the earliest is asked for. A reader that is well and has
 * an interrupt endpoint asks once in a while only: for one more look when an answer has
 * said that the card is gone, for the endpoint would never say that it is still there.
 *
 * A look never falls between the messages of a request, and what a request was answered
 * counts as one. While the machine sleeps there are no turns; resume asks for one.
 */
#include "ccid/service.h"

#include "ccid/quirks.h"

#define TRY_POWER_MS 30000
#define ABSENT_MS    100 /* until a card that an answer has missed is looked for */

/* ---- asking ---------------------------------------------------------------------- */

void ccid_service_ask(struct ccid_slot *slot, uint32_t delay_ms)
{
    if (delay_ms != CCID_NO_RETRY)
        SmcRequestService(slot->object, delay_ms);
}

void ccid_service_ask_all(struct ccid_device *device, uint32_t delay_ms)
{
    for (uint8_t i = 0; i < device->desc.slot_count; i++) {
        struct ccid_slot *slot = ccid_slot_hold(device, i);

        if (slot == NULL)
            continue;
        ccid_service_ask(slot, delay_ms);
        SmartcardReleaseRemoveLock(&slot->ext);
    }
}

void ccid_service_arrived(struct ccid_slot *slot)
{
    ccid_state_release(slot);
    if (!ccid_notify_hears(slot->device) ||
        __atomic_load_n(&slot->look, __ATOMIC_SEQ_CST))
        ccid_service_ask(slot, 0);
}

void ccid_service_look(struct ccid_device *device)
{
    for (uint8_t i = 0; i < device->desc.slot_count; i++) {
        struct ccid_slot *slot = ccid_slot_hold(device, i);

        if (slot == NULL)
            continue;
        __atomic_store_n(&slot->look, true, __ATOMIC_SEQ_CST);
        ccid_service_ask(slot, 0);
        SmartcardReleaseRemoveLock(&slot->ext);
    }
}

/* ---- looking for a card ---------------------------------------------------------- */

/* Nobody tells of its cards; *fixed_ms is the time between two looks. */
static bool is_polled(const struct ccid_slot *slot, uint32_t *fixed_ms)
{
    const struct ccid_desc *desc = &slot->device->desc;

    *fixed_ms = CCID_POLL_ADAPTIVE;
    if (desc->built_in)
        return false;
    if (desc->interrupt_in.address == 0)
        return true;
    return ccid_notify_deaf(slot->device, fixed_ms);
}

/* What the reader says of presence is not true; only a reset tells. */
static bool has_no_detector(const struct ccid_slot *slot)
{
    return (slot->device->desc.quirks &
            (CCID_QUIRK_ALWAYS_PRESENT | CCID_QUIRK_NO_DETECTOR)) != 0;
}

static bool somebody_cares(struct ccid_slot *slot)
{
    KIRQL irql;
    bool cares;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    cares = slot->ext.OsData->NotificationIrp != NULL ||
            slot->ext.ReaderCapabilities.CurrentState > SCARD_SWALLOWED;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    return cares;
}

/* Whether a card answers to a reset, without a word when none does. */
static NTSTATUS try_power(struct ccid_slot *slot, enum ccid_icc *icc)
{
    struct ccid_command command = {
        .type = CCID_ICC_POWER_ON,
        .p1 = (slot->device->desc.features & CCID_FEATURE_AUTO_VOLTAGE) != 0 ? 0 : 1,
        .answer_type = CCID_DATA_BLOCK,
        .timeout_ms = TRY_POWER_MS,
    };
    NTSTATUS status = ccid_cmd(slot, &command);

    if (!command.answered)
        return status;
    *icc = status == STATUS_SUCCESS ? CCID_ICC_INACTIVE : CCID_ICC_ABSENT;
    return status == STATUS_SUCCESS ? ccid_icc_power_off(slot) : STATUS_SUCCESS;
}

static void look(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;
    uint32_t changes = ccid_state_changes(slot);
    ULONG state = ccid_state_current(slot);
    enum ccid_icc icc = CCID_ICC_INACTIVE;
    NTSTATUS status = STATUS_SUCCESS;
    bool exchanged;

    if (!has_no_detector(slot))
        status = ccid_icc_status(slot, 0, &icc);
    else if (state <= SCARD_ABSENT)
        status = try_power(slot, &icc);
    else
        icc = CCID_ICC_ACTIVE; /* until a reset fails */
    /* A card that was powered and is not any more: another one, or as good as that. */
    exchanged = icc == CCID_ICC_INACTIVE && state > SCARD_SWALLOWED;
    if (status == STATUS_SUCCESS)
        ccid_state_looked(slot, icc != CCID_ICC_ABSENT, exchanged, changes);
    ccid_poll_sampled(&slot->poll, port->ops->now_ms(port->usb),
                      ccid_state_changes(slot) != changes);
}

static uint32_t poll_turn(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;
    uint32_t fixed_ms;
    bool polled = is_polled(slot, &fixed_ms);
    bool due = __atomic_exchange_n(&slot->look, false, __ATOMIC_SEQ_CST);

    if (!due && polled && somebody_cares(slot))
        due = ccid_poll_wait(&slot->poll, port->ops->now_ms(port->usb), fixed_ms) == 0;
    if (due)
        look(slot);
    if (!polled || ccid_device_is_gone(slot->device) || !somebody_cares(slot))
        return CCID_NO_RETRY;
    return ccid_poll_wait(&slot->poll, port->ops->now_ms(port->usb), fixed_ms);
}

void ccid_service_tracked(struct ccid_slot *slot)
{
    uint32_t fixed_ms;

    if (is_polled(slot, &fixed_ms))
        ccid_service_ask(slot, CCID_POLL_FAST_MS);
}

void ccid_service_absent(struct ccid_slot *slot, uint32_t changes)
{
    if (ccid_state_current(slot) < SCARD_PRESENT || ccid_state_changes(slot) != changes)
        return; /* no news, or there are newer ones */
    ccid_state_sampled(slot, false, changes);
    __atomic_store_n(&slot->look, true, __ATOMIC_SEQ_CST);
    ccid_service_ask(slot, ABSENT_MS);
}

void ccid_service_used(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;
    uint32_t fixed_ms;
    uint64_t now;

    ccid_trouble_tell(slot);
    if (!is_polled(slot, &fixed_ms))
        return;
    now = port->ops->now_ms(port->usb);
    ccid_poll_used(&slot->poll, now);
    /* In a burst of requests the turn that is on its way will do. */
    if (slot->turn_ms > now && slot->turn_ms <= now + CCID_POLL_FAST_MS)
        return;
    slot->turn_ms = now + CCID_POLL_FAST_MS;
    ccid_service_ask(slot, CCID_POLL_FAST_MS);
}

void ccid_service_reset_failed(struct ccid_slot *slot, uint32_t changes)
{
    if (has_no_detector(slot) && !ccid_device_is_gone(slot->device))
        ccid_state_sampled(slot, false, changes);
}

/* ---- the turn -------------------------------------------------------------------- */

static uint32_t earlier(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void ccid_service(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;
    uint32_t next_ms;

    if (ccid_device_is_gone(slot->device) || slot->suspended)
        return;
    slot->running = NULL; /* nobody can cancel it */
    slot->turn_ms = 0;
    port->ops->enter(port->usb);
    next_ms = ccid_trouble_turn(slot);
    if (next_ms == CCID_NO_RETRY) {
        ccid_state_release(slot);
        next_ms = earlier(ccid_notify_turn(slot), poll_turn(slot));
    }
    port->ops->leave(port->usb);
    ccid_trouble_tell(slot);
    if (ccid_state_current(slot) <= SCARD_ABSENT)
        ccid_device_rest(slot->device);
    ccid_service_ask(slot, next_ms);
}
