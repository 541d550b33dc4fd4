/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tpdu.c - RDF_TRANSMIT on a reader at TPDU level (CCID 1.1 §3.2.1).
 *
 * T=0: the caller's TPDU is one XfrBlock and its answer goes back as it came; GET
 * RESPONSE (61xx) and the right Le (6Cxx) are the caller's affair, procedure bytes the
 * reader's.
 *
 * T=1: the library makes the blocks, one XfrBlock each, until it has the answer. A block
 * that the card did not answer, or not well, is a block that did not come: ISO/IEC 7816-3
 * §11.6.3 has its ways to ask again. What ends the loop is the reader: it does not
 * answer, is gone, was told to stop; or its card has lost power or was exchanged, so that
 * the rest of the command would reach another one.
 *
 * Bounds: each block has its own time, which grows with the waiting time extension that
 * the card asked for; all of them together have ten minutes.
 */
#include "ccid/slot.h"

#define TRANSMIT_MAX_MS (10u * 60u * 1000u)

/* One command of the caller, from its first XfrBlock to its last. */
struct transmission {
    struct ccid_slot *slot;
    uint32_t changes; /* of the slot, when it began */
    uint64_t end_ms;
};

static struct transmission begin(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;

    return (struct transmission){
        .slot = slot,
        .changes = ccid_state_changes(slot),
        .end_ms = port->ops->now_ms(port->usb) + TRANSMIT_MAX_MS,
    };
}

/* Sends what the library has put behind the place of the header. */
static NTSTATUS xfr_block(const struct transmission *t, uint8_t bwi, uint32_t timeout_ms,
                          struct ccid_command *command)
{
    struct ccid_slot *slot = t->slot;
    const struct ccid_usb_port *port = &slot->port;
    uint64_t now = port->ops->now_ms(port->usb);

    *command = (struct ccid_command){
        .type = CCID_XFR_BLOCK,
        .p1 = bwi,
        .answer_type = CCID_DATA_BLOCK,
        .length = slot->ext.SmartcardRequest.BufferLength - CCID_HEADER_LENGTH,
        .timeout_ms = timeout_ms,
    };
    if (ccid_state_changes(slot) != t->changes)
        return STATUS_NO_MEDIA; /* another card, or none */
    if (now >= t->end_ms) {
        ccid_cmd_log(slot, command, STATUS_IO_TIMEOUT, "the card comes to no end");
        return STATUS_IO_TIMEOUT;
    }
    command->total_ms = (uint32_t)(t->end_ms - now);
    return ccid_cmd(slot, command);
}

/* ---- T=0 ------------------------------------------------------------------------- */

static NTSTATUS transmit_t0(struct ccid_slot *slot)
{
    SMARTCARD_EXTENSION *ext = &slot->ext;
    const struct transmission t = begin(slot);
    struct ccid_command command;
    NTSTATUS status;

    ext->SmartcardRequest.BufferLength = CCID_HEADER_LENGTH;
    status = SmartcardT0Request(ext);
    if (status != STATUS_SUCCESS)
        return status;
    status = xfr_block(&t, 0, ccid_timeout_transmit_ms(&ext->CardCapabilities), &command);
    if (status != STATUS_SUCCESS)
        return ccid_card_failed(slot, &command, status);
    ccid_card_take_answer(slot, &command.answer);
    status = SmartcardT0Reply(ext);
    if (status == STATUS_DEVICE_PROTOCOL_ERROR)
        ccid_cmd_log(slot, &command, status, "the answer is no T=0 answer");
    return status;
}

/* ---- T=1 ------------------------------------------------------------------------- */

/* The block, or the answer to it, got lost between reader and card. */
static bool is_lost(const struct ccid_command *command)
{
    if (!command->answered || command->answer.icc != CCID_ICC_ACTIVE)
        return false;
    return command->answer.error == CCID_ERROR_MUTE ||
           command->answer.error == CCID_ERROR_PARITY ||
           command->answer.error == CCID_ERROR_OVERRUN;
}

/* One block out, one block in, or none (BufferLength 0). */
static NTSTATUS exchange_block(const struct transmission *t)
{
    struct ccid_slot *slot = t->slot;
    SMARTCARD_EXTENSION *ext = &slot->ext;
    struct ccid_command command;
    NTSTATUS status =
        xfr_block(t, ext->T1.Wtx,
                  ccid_timeout_block_ms(&ext->CardCapabilities, ext->T1.Wtx), &command);

    if (status == STATUS_SUCCESS) {
        ccid_card_take_answer(slot, &command.answer);
        return STATUS_SUCCESS;
    }
    if (!is_lost(&command))
        return ccid_card_failed(slot, &command, status);
    ext->SmartcardReply.BufferLength = 0;
    return STATUS_SUCCESS;
}

static NTSTATUS transmit_t1(struct ccid_slot *slot)
{
    SMARTCARD_EXTENSION *ext = &slot->ext;
    const struct transmission t = begin(slot);
    NTSTATUS status;

    do {
        ext->SmartcardRequest.BufferLength = CCID_HEADER_LENGTH;
        status = SmartcardT1Request(ext);
        if (status != STATUS_SUCCESS)
            return status;
        status = exchange_block(&t);
        if (status != STATUS_SUCCESS)
            return status;
        status = SmartcardT1Reply(ext);
    } while (status == STATUS_MORE_PROCESSING_REQUIRED);

    if (status == STATUS_DEVICE_PROTOCOL_ERROR)
        SmcLog(slot->object, status, "T=1: the card breaks the block protocol");
    else if (status == STATUS_IO_TIMEOUT)
        SmcLog(slot->object, status, "T=1: the card is mute");
    return status;
}

NTSTATUS ccid_tpdu_transmit(struct ccid_slot *slot)
{
    switch (slot->ext.CardCapabilities.Protocol.Selected) {
    case SCARD_PROTOCOL_T0:
        return transmit_t0(slot);
    case SCARD_PROTOCOL_T1:
        return transmit_t1(slot);
    default:
        return STATUS_INVALID_DEVICE_REQUEST;
    }
}
