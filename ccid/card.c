/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * card.c - the callbacks RDF_CARD_POWER, RDF_TRANSMIT and RDF_CARD_TRACKING. smclib
 * has checked the request and calls one at a time.
 */
#include "ccid/service.h"
#include "ccid/timing.h"
#include "ccid/tpdu.h"
#include "ccid/trace.h"

#include <string.h>

NTSTATUS ccid_card_enter(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;
    NTSTATUS status;

    if (ccid_device_is_gone(slot->device))
        return STATUS_DEVICE_REMOVED;
    if (slot->suspended)
        return STATUS_DEVICE_POWERED_OFF;
    if (ccid_trouble_quarantined(slot->device))
        return STATUS_IO_DEVICE_ERROR;
    port->ops->enter(port->usb);
    status = ccid_cancel_arm(slot);
    if (status != STATUS_SUCCESS)
        port->ops->leave(port->usb);
    return status;
}

void ccid_card_leave(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;

    ccid_cancel_disarm(slot);
    port->ops->leave(port->usb);
    ccid_service_used(slot);
    if (ccid_state_current(slot) <= SCARD_ABSENT)
        ccid_device_rest(slot->device);
}

/* ---- power ----------------------------------------------------------------------- */

static void set_atr(struct ccid_slot *slot, const uint8_t *atr, uint32_t length)
{
    SCARD_CARD_CAPABILITIES *card = &slot->ext.CardCapabilities;
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    if (length != 0)
        memcpy(card->ATR.Buffer, atr, length);
    card->ATR.Length = (UCHAR)length;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
}

static NTSTATUS read_atr(struct ccid_slot *slot, const uint8_t *atr, uint32_t length)
{
    NTSTATUS status;

    set_atr(slot, atr, length);
    status = SmartcardUpdateCardCapabilities(&slot->ext);
    if (status != STATUS_SUCCESS)
        SmcLog(slot->object, status, "the ATR cannot be understood");
    return status;
}

/*
 * A card that answers at a voltage which is not one of its classes (ISO/IEC 7816-3
 * §6.2.4; first TA for T=15) gets another: the bPowerSelect of one that it names, the
 * reader has and that was not tried yet, which are the higher ones. 0: it can stay.
 */
static uint8_t right_voltage(const struct ccid_slot *slot)
{
    uint8_t classes = slot->ext.CardCapabilities.ClassAndStop & 0x3F;

    if (slot->voltage == 0 || classes == 0 || (classes >> (slot->voltage - 1) & 1) != 0)
        return 0;
    for (uint8_t select = (uint8_t)(slot->voltage - 1); select > 0; select--) {
        if ((classes & slot->device->desc.voltage_support) >> (select - 1) & 1)
            return select;
    }
    return 0;
}

/* The block that the card may send fits a message of the reader, with its CRC. */
static void limit_ifsd(struct ccid_slot *slot)
{
    const struct ccid_desc *desc = &slot->device->desc;
    uint32_t overhead = SCARD_T1_PROLOGUE_LENGTH +
                        ((slot->ext.CardCapabilities.T1.EDC & T1_CRC_CHECK) != 0 ? 2 : 1);
    uint32_t room = desc->message_size - CCID_HEADER_LENGTH - overhead;

    slot->ext.ReaderCapabilities.MaxIFSD = desc->ifsd < room ? desc->ifsd : room;
}

NTSTATUS ccid_card_reset(struct ccid_slot *slot, enum ccid_reset kind)
{
    uint32_t changes = ccid_state_changes(slot);
    const uint8_t *atr;
    uint32_t length;
    NTSTATUS status = ccid_icc_power_on(slot, kind, &atr, &length);

    if (status == STATUS_SUCCESS)
        status = read_atr(slot, atr, length);
    if (status == STATUS_SUCCESS && right_voltage(slot) != 0) {
        status = ccid_icc_power_at(slot, right_voltage(slot), &atr, &length);
        if (status == STATUS_SUCCESS)
            status = read_atr(slot, atr, length);
    }
    if (status == STATUS_SUCCESS) {
        limit_ifsd(slot);
        status = ccid_protocol_specific(slot);
    }
    if (status == STATUS_SUCCESS)
        return ccid_state_settle(slot, changes);

    if (status == STATUS_UNRECOGNIZED_MEDIA)
        (void)ccid_icc_power_off(slot);
    set_atr(slot, NULL, 0);
    ccid_state_unpowered(slot);
    ccid_service_reset_failed(slot, changes);
    (void)ccid_state_settle(slot, changes);
    return status;
}

static NTSTATUS reset_and_answer(struct ccid_slot *slot, enum ccid_reset kind)
{
    SMARTCARD_EXTENSION *ext = &slot->ext;
    NTSTATUS status = ccid_mechanical_swallow(slot);
    SCARD_CARD_CAPABILITIES card;
    ULONG length;

    if (status == STATUS_SUCCESS)
        status = ccid_card_reset(slot, kind);
    if (status != STATUS_SUCCESS)
        return status;
    card = ccid_state_card(slot);
    length = card.ATR.Length;
    if (length == 0)
        return STATUS_NO_MEDIA; /* it has gone since */
    if (length > ext->IoRequest.ReplyBufferLength)
        return STATUS_BUFFER_TOO_SMALL;
    memcpy(ext->IoRequest.ReplyBuffer, card.ATR.Buffer, length);
    *ext->IoRequest.Information = length;
    return STATUS_SUCCESS;
}

static NTSTATUS power_down(struct ccid_slot *slot)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (ccid_state_current(slot) > SCARD_SWALLOWED || slot->may_be_powered) {
        status = ccid_icc_power_off(slot);
        ccid_state_unpowered(slot);
    }
    return status;
}

/* The reader may have given the card power when it came in. Many that say so do not: a
 * card without power needs none of the time that switching it off takes. */
static bool was_activated(struct ccid_slot *slot)
{
    enum ccid_icc icc;

    return (slot->device->desc.features & CCID_FEATURE_AUTO_ACTIVATION) != 0 &&
           (ccid_icc_status(slot, 0, &icc) != STATUS_SUCCESS || icc != CCID_ICC_INACTIVE);
}

/* Cancelled before it has begun, or the device is on its way out. But what the card said
 * is forgotten by now: a card that kept its power would be one that no protocol can be
 * chosen for. */
static void not_begun(struct ccid_slot *slot, NTSTATUS status)
{
    if (status == STATUS_CANCELLED) {
        slot->port.ops->enter(slot->port.usb);
        (void)power_down(slot);
        ccid_card_leave(slot);
    }
    ccid_state_unpowered(slot);
}

NTSTATUS ccid_card_power(PSMARTCARD_EXTENSION ext)
{
    struct ccid_slot *slot = ccid_slot_of(ext);
    NTSTATUS status = ccid_card_enter(slot);
    bool active;

    if (status != STATUS_SUCCESS) {
        not_begun(slot, status);
        return status;
    }
    active = ccid_state_current(slot) > SCARD_SWALLOWED;
    switch (ext->MinorIoControlCode) {
    case SCARD_POWER_DOWN:
        status = power_down(slot);
        break;
    case SCARD_COLD_RESET:
        active = active || was_activated(slot);
        status = reset_and_answer(slot, active ? CCID_RESET_COLD : CCID_RESET_FIRST);
        break;
    case SCARD_WARM_RESET:
        status = reset_and_answer(slot, active ? CCID_RESET_WARM : CCID_RESET_FIRST);
        break;
    default:
        status = STATUS_INVALID_PARAMETER;
        break;
    }
    ccid_card_leave(slot);
    return status;
}

/* ---- transmit -------------------------------------------------------------------- */

void ccid_card_take_answer(struct ccid_slot *slot, const struct ccid_answer *answer)
{
    SMARTCARD_REPLY *reply = &slot->ext.SmartcardReply;

    slot->rate_unproven = false;
    memmove(reply->Buffer, answer->data, answer->length);
    reply->BufferLength = answer->length;
    /* The library wipes what BufferLength covers; the header moved the end. */
    RtlSecureZeroMemory(reply->Buffer + answer->length, CCID_HEADER_LENGTH);
}

NTSTATUS ccid_card_failed(struct ccid_slot *slot, const struct ccid_command *command,
                          NTSTATUS status)
{
    if (command->answered && status != STATUS_NO_MEDIA)
        ccid_cmd_log(slot, command, status, "failed");
    if (slot->rate_unproven && command->answered &&
        (command->answer.error == CCID_ERROR_MUTE ||
         command->answer.error == CCID_ERROR_PARITY))
        ccid_rate_failed(slot); /* for the next negotiation */
    /* A card that the reader switched off by itself has lost its state. */
    if (command->answered && command->answer.icc == CCID_ICC_INACTIVE)
        ccid_state_unpowered(slot);
    return status;
}

NTSTATUS ccid_card_transmit(PSMARTCARD_EXTENSION ext)
{
    struct ccid_slot *slot = ccid_slot_of(ext);
    NTSTATUS status;

    status = ccid_card_enter(slot);
    if (status != STATUS_SUCCESS)
        return status;
    slot->secret = ccid_trace_request_is_secret(ext->IoRequest.RequestBuffer,
                                                ext->IoRequest.RequestBufferLength);
    if (slot->device->desc.level <= CCID_LEVEL_TPDU)
        status = ccid_tpdu_transmit(slot);
    else
        status = ccid_apdu_transmit(slot);
    /* The library wipes what this covers; what a failure leaves there may be anything. */
    if (status != STATUS_SUCCESS)
        ext->SmartcardReply.BufferLength = ext->SmartcardReply.BufferSize;
    slot->secret = false;
    ccid_card_leave(slot);
    return status;
}

/* ---- tracking -------------------------------------------------------------------- */

NTSTATUS ccid_card_tracking(PSMARTCARD_EXTENSION ext)
{
    /* The interrupt endpoint is always armed; state.c completes the tracker. */
    ccid_service_tracked(ccid_slot_of(ext));
    return STATUS_PENDING;
}
