/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resync.c - back in step after a command that failed half-way.
 *
 * Steps, each tried only if the one before did not do (CCID 1.1 §5.3.1 and §6.1.13):
 * drop what is queued; control request ABORT and message Abort with one number, then
 * read until the slot status with that number; clear both endpoints and ask for the slot
 * status twice, with both halves of the abort between if only one had arrived; a port
 * reset, once, if nobody shares the device. In the end the card is powered off: nobody
 * knows what it has executed; where the time is over before that, its next reset begins
 * so. A token without bulk endpoints begins with that.
 */
#include "ccid/service.h"
#include "ccid/trace.h"

#define DRAIN_MS     10
#define DRAIN_MAX    16
#define STEP_MS      1000
#define ABORT_ALL_MS 2000

#define REQUEST_ABORT      0x01 /* CCID 1.1 table 5.3-1 */
#define REQUEST_TYPE_ABORT 0x21

struct resync {
    struct ccid_slot *slot;
    struct ccid_device *device;
    const struct ccid_usb_ops *ops;
    struct ccid_usb *usb;
    uint64_t end_ms;
};

/* What is left for a step; 0 when the budget is spent. */
static uint32_t step_ms(const struct resync *r, uint32_t most_ms)
{
    uint64_t now = r->ops->now_ms(r->usb);

    if (now >= r->end_ms)
        return 0;
    return r->end_ms - now < most_ms ? (uint32_t)(r->end_ms - now) : most_ms;
}

static enum ccid_usb_result read_any(struct ccid_slot *slot, size_t *got, uint32_t ms)
{
    const struct ccid_usb_port *port = &slot->port;
    size_t packet = slot->device->desc.bulk_in.packet_size;
    enum ccid_usb_result result;

    *got = 0;
    result = port->ops->bulk_in(port->usb, slot->ext.SmartcardReply.Buffer,
                                slot->ext.SmartcardReply.BufferSize / packet * packet,
                                got, ms);
    if (*got > 0 && ccid_traced(slot))
        ccid_trace_in(slot, slot->ext.SmartcardReply.Buffer, *got, CCID_ABORT, false);
    return result;
}

/* What was read belongs to nobody any more. */
static void forget(struct ccid_slot *slot)
{
    RtlSecureZeroMemory(slot->ext.SmartcardReply.Buffer,
                        slot->ext.SmartcardReply.BufferSize);
}

void ccid_drain(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;
    bool cleared = false;
    size_t got;

    if (slot->device->desc.transport != CCID_TRANSPORT_BULK)
        return; /* nothing queues there */
    for (int i = 0; i < DRAIN_MAX; i++) {
        enum ccid_usb_result result = read_any(slot, &got, DRAIN_MS);

        if (result == CCID_USB_STALL && !cleared) {
            cleared = true;
            (void)port->ops->clear_halt(port->usb);
        } else if (result != CCID_USB_OK && result != CCID_USB_OVERFLOW) {
            break;
        }
    }
    forget(slot);
}

/* Reads until the slot status that ends an abort sequence. */
static bool abort_answered(const struct resync *r, uint8_t seq)
{
    uint64_t end_ms = r->ops->now_ms(r->usb) + step_ms(r, ABORT_ALL_MS);
    struct ccid_answer answer;
    bool answered = false;
    size_t got;

    for (int i = 0; i < DRAIN_MAX && !answered; i++) {
        uint64_t now = r->ops->now_ms(r->usb);

        if (now >= end_ms ||
            read_any(r->slot, &got, (uint32_t)(end_ms - now)) != CCID_USB_OK)
            break;
        answered =
            ccid_msg_decode(r->slot->ext.SmartcardReply.Buffer, got, &answer) == NULL &&
            answer.type == CCID_SLOT_STATUS && answer.slot == r->slot->index &&
            answer.seq == seq;
    }
    forget(r->slot);
    return answered;
}

static bool abort_with(const struct resync *r, uint8_t seq)
{
    uint8_t message[CCID_HEADER_LENGTH];
    enum ccid_usb_result result;
    size_t done;

    result = r->ops->control(
        r->usb, REQUEST_TYPE_ABORT, REQUEST_ABORT, (uint16_t)(seq << 8 | r->slot->index),
        r->device->desc.interface_number, NULL, 0, &done, step_ms(r, STEP_MS));
    if (ccid_traced(r->slot))
        ccid_trace_control(r->slot, REQUEST_TYPE_ABORT, REQUEST_ABORT,
                           (uint16_t)(seq << 8 | r->slot->index), NULL, 0, 0, result);
    if (result == CCID_USB_STALL)
        r->device->refuses_abort = true;
    if (result != CCID_USB_OK || step_ms(r, STEP_MS) == 0)
        return false;
    ccid_msg_header(message, CCID_ABORT, 0, r->slot->index, seq, 0, 0, 0);
    if (ccid_traced(r->slot))
        ccid_trace_out(r->slot, message, sizeof(message));
    if (r->ops->bulk_out(r->usb, message, sizeof(message), step_ms(r, STEP_MS)) !=
        CCID_USB_OK)
        return false;
    return abort_answered(r, seq);
}

static bool abort_sequence(const struct resync *r)
{
    bool answered;
    uint8_t seq;

    if (r->device->refuses_abort || step_ms(r, STEP_MS) == 0 ||
        ccid_cmd_number(r->slot, &seq) != CCID_USB_OK)
        return false;
    answered = abort_with(r, seq);
    ccid_cmd_number_done(r->slot);
    return answered;
}

/* Only one half of an abort sequence has arrived: until the other does, every command
 * fails so. */
static bool is_aborting(const struct ccid_answer *answer)
{
    return answer->outcome == CCID_FAILED && answer->error == CCID_ERROR_ABORTED;
}

/* The slot still works on another command (CCID 1.1 table 6.2-2). */
static bool is_busy(const struct ccid_answer *answer)
{
    return answer->outcome == CCID_FAILED && answer->error == CCID_ERROR_SLOT_BUSY;
}

/* A command that is answered with a slot status, without repairs of its own. */
static NTSTATUS simple_command(const struct resync *r, uint8_t type, enum ccid_icc *icc)
{
    struct ccid_command command = {
        .type = type,
        .answer_type = CCID_SLOT_STATUS,
        .timeout_ms = step_ms(r, STEP_MS),
        .total_ms = step_ms(r, STEP_MS), /* whatever time the reader asks for */
    };
    NTSTATUS status;

    if (command.timeout_ms == 0)
        return STATUS_IO_TIMEOUT;
    status = ccid_cmd_once(r->slot, &command);
    if (!command.answered)
        return status;
    *icc = command.answer.icc;
    if (is_busy(&command.answer))
        return STATUS_DEVICE_BUSY;
    return is_aborting(&command.answer) ? STATUS_CANCELLED : STATUS_SUCCESS;
}

/* The reader answers again: the end of every way back. */
static NTSTATUS ask_status(const struct resync *r)
{
    enum ccid_icc icc;
    NTSTATUS status = simple_command(r, CCID_GET_SLOT_STATUS, &icc);

    return status == STATUS_DEVICE_BUSY ? STATUS_SUCCESS : status;
}

/* A reader that answers and is still at the old command has not got its abort: once more.
 * If that does not help either, the next command waits until the slot has time. */
static NTSTATUS switch_off(const struct resync *r)
{
    enum ccid_icc icc = CCID_ICC_ACTIVE;
    NTSTATUS status = simple_command(r, CCID_ICC_POWER_OFF, &icc);

    if (status == STATUS_DEVICE_BUSY &&
        r->device->desc.transport == CCID_TRANSPORT_BULK && abort_sequence(r))
        status = simple_command(r, CCID_ICC_POWER_OFF, &icc);
    r->slot->may_be_powered = icc == CCID_ICC_ACTIVE;
    return status == STATUS_DEVICE_BUSY ? STATUS_SUCCESS : status;
}

static NTSTATUS ask_twice(const struct resync *r)
{
    NTSTATUS status = ask_status(r);

    if (status == STATUS_CANCELLED) {
        r->device->refuses_abort = false; /* it has taken one */
        (void)abort_sequence(r);
    }
    if (status != STATUS_SUCCESS && status != STATUS_DEVICE_REMOVED)
        status = ask_status(r);
    return status;
}

/* The steps of CCID that hurt nobody. */
static NTSTATUS recall_reader(const struct resync *r)
{
    NTSTATUS status = STATUS_IO_TIMEOUT;

    ccid_drain(r->slot);
    if (abort_sequence(r))
        status = ask_status(r);
    if (status != STATUS_SUCCESS && step_ms(r, STEP_MS) > 0) {
        (void)r->ops->clear_halt(r->usb);
        status = ask_twice(r);
    }
    return status;
}

/* ICCD has no abort and no queue: what the token was doing ends with its power. */
static NTSTATUS switch_token_off(const struct resync *r)
{
    NTSTATUS status = switch_off(r);

    if (status != STATUS_SUCCESS && status != STATUS_DEVICE_REMOVED)
        status = switch_off(r);
    return status;
}

static NTSTATUS reset_port(const struct resync *r)
{
    enum ccid_usb_result result;

    if (!r->device->desc.only_interface || r->device->was_reset ||
        step_ms(r, STEP_MS) == 0)
        return STATUS_IO_TIMEOUT;
    r->device->was_reset = true;
    result = r->ops->reset(r->usb);
    /* One that failed may have come as far as this, too. */
    for (uint8_t i = 0; i < r->device->desc.slot_count; i++) {
        struct ccid_slot *slot = ccid_slot_hold(r->device, i);

        if (slot == NULL)
            continue;
        ccid_state_unpowered(slot);
        SmartcardReleaseRemoveLock(&slot->ext);
    }
    return result == CCID_USB_OK ? ask_status(r) : STATUS_IO_DEVICE_ERROR;
}

static NTSTATUS resync(struct ccid_slot *slot, uint32_t budget_ms)
{
    struct ccid_device *device = slot->device;
    const struct resync r = {
        .slot = slot,
        .device = device,
        .ops = slot->port.ops,
        .usb = slot->port.usb,
        .end_ms = slot->port.ops->now_ms(slot->port.usb) + budget_ms,
    };
    NTSTATUS status;
    bool off = false;

    if (ccid_device_is_gone(device))
        return STATUS_DEVICE_REMOVED;
    ccid_state_unpowered(slot);
    if (ccid_trouble_quarantined(device) && !slot->trying) {
        slot->out_of_step = true;
        return STATUS_IO_DEVICE_ERROR;
    }
    if (device->desc.transport != CCID_TRANSPORT_BULK) {
        status = switch_token_off(&r);
        off = status == STATUS_SUCCESS;
    } else {
        status = recall_reader(&r);
    }
    if (status != STATUS_SUCCESS)
        status = reset_port(&r);
    if (ccid_device_is_gone(device))
        return STATUS_DEVICE_REMOVED;
    if (status != STATUS_SUCCESS) {
        slot->out_of_step = true;
        SmcLog(slot->object, status, "the reader does not come back into step");
        ccid_trouble_failed(slot);
        /* Who waits for a card would wait in vain. */
        if (budget_ms >= CCID_RESYNC_LATER_MS)
            SmcEndCardTracking(&slot->ext, STATUS_IO_DEVICE_ERROR);
        return status;
    }
    slot->out_of_step = false;
    device->was_reset = false;
    ccid_trouble_over(device);
    return off ? STATUS_SUCCESS : switch_off(&r);
}

NTSTATUS ccid_resync(struct ccid_slot *slot, uint32_t budget_ms)
{
    NTSTATUS status;

    if (slot->device->mux == NULL)
        return resync(slot, budget_ms);
    ccid_state_unpowered(slot);
    if (ccid_mux_pause(slot->port.usb, budget_ms) != CCID_USB_OK) {
        slot->out_of_step = true; /* others are being brought back */
        return ccid_device_is_gone(slot->device) ? STATUS_DEVICE_REMOVED
                                                 : STATUS_IO_TIMEOUT;
    }
    status = resync(slot, budget_ms);
    ccid_mux_resume(slot->port.usb);
    return status;
}
