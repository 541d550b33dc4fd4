/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tpdu.c - RDF_TRANSMIT on a reader at TPDU or character level (CCID 1.1 §3.2.1).
 *
 * T=0: the caller's TPDU is one XfrBlock and its answer goes back as it came; GET
 * RESPONSE (61xx) and the right Le (6Cxx) are the caller's affair, procedure bytes the
 * reader's (at character level: character.c's).
 *
 * T=1: the library makes the blocks, one XfrBlock each, until it has the answer. A block
 * that the card did not answer, or not well, is a block that did not come: ISO/IEC 7816-3
 * §11.6.3 has its ways to ask again. What ends the loop is the reader: it does not
 * answer, is gone, was told to stop; or its card has lost power or was exchanged, so that
 * the rest of the command would reach another one.
 *
 * A card that agreed to a rate and then is silent at its first block, an S(IFS request),
 * cannot do that rate: it is reset and asked for a lower one, and the command begins
 * anew. Nothing of it was out yet. Where the first block is the command's, it fails and
 * the next negotiation stays below that rate.
 *
 * Bounds: each block has its own time, which grows with the waiting time extension that
 * the card asked for; all of them together have ten minutes.
 */
#include "ccid/tpdu.h"

#include "ccid/timing.h"

struct ccid_transmission ccid_transmission_begin(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;

    return (struct ccid_transmission){
        .slot = slot,
        .changes = ccid_state_changes(slot),
        .end_ms = port->ops->now_ms(port->usb) + CCID_COMMAND_MAX_MS,
    };
}

NTSTATUS ccid_transmission_xfr(const struct ccid_transmission *t,
                               const struct ccid_xfr *xfr, struct ccid_command *command)
{
    struct ccid_slot *slot = t->slot;
    const struct ccid_usb_port *port = &slot->port;
    uint64_t now = port->ops->now_ms(port->usb);

    *command = (struct ccid_command){
        .type = CCID_XFR_BLOCK,
        .p1 = xfr->bwi,
        .p2 = (uint8_t)xfr->level,
        .p3 = (uint8_t)(xfr->level >> 8),
        .answer_type = CCID_DATA_BLOCK,
        .length = xfr->length,
        .timeout_ms = xfr->timeout_ms,
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

static bool is_character_level(const struct ccid_slot *slot)
{
    return slot->device->desc.level == CCID_LEVEL_CHARACTER;
}

/* ---- T=0 ------------------------------------------------------------------------- */

static NTSTATUS whole_tpdu(const struct ccid_transmission *t,
                           struct ccid_command *command)
{
    struct ccid_slot *slot = t->slot;
    const SCARD_CARD_CAPABILITIES card = ccid_state_card(slot);
    const struct ccid_xfr xfr = {
        .length = slot->ext.SmartcardRequest.BufferLength - CCID_HEADER_LENGTH,
        .timeout_ms = ccid_timeout_transmit_ms(&slot->device->desc, &card),
    };
    NTSTATUS status = ccid_transmission_xfr(t, &xfr, command);

    if (status != STATUS_SUCCESS)
        return ccid_card_failed(slot, command, status);
    ccid_card_take_answer(slot, &command->answer);
    return STATUS_SUCCESS;
}

/* At character level the command need not fit a message: it goes out in parts. */
static NTSTATUS prepare_t0(struct ccid_slot *slot)
{
    SMARTCARD_REQUEST *request = &slot->ext.SmartcardRequest;
    ULONG size = request->BufferSize;
    NTSTATUS status;

    request->BufferLength = CCID_HEADER_LENGTH;
    if (is_character_level(slot) && size < MIN_BUFFER_SIZE)
        request->BufferSize = MIN_BUFFER_SIZE; /* what there is at least (device.c) */
    status = SmartcardT0Request(&slot->ext);
    request->BufferSize = size;
    return status;
}

static NTSTATUS transmit_t0(struct ccid_slot *slot)
{
    SMARTCARD_EXTENSION *ext = &slot->ext;
    const struct ccid_transmission t = ccid_transmission_begin(slot);
    struct ccid_command command = {.type = CCID_XFR_BLOCK};
    NTSTATUS status;

    status = prepare_t0(slot);
    if (status == STATUS_BUFFER_OVERFLOW)
        ccid_cmd_log(slot, &command, status, "longer than the reader's messages");
    if (status == STATUS_SUCCESS)
        status = is_character_level(slot) ? ccid_character_tpdu(&t, &command)
                                          : whole_tpdu(&t, &command);
    if (status != STATUS_SUCCESS)
        return status;
    status = SmartcardT0Reply(ext);
    if (status == STATUS_DEVICE_PROTOCOL_ERROR)
        ccid_cmd_log(slot, &command, status, "the answer is no T=0 answer");
    return status;
}

/* ---- T=1 ------------------------------------------------------------------------- */

bool ccid_tpdu_block_is_lost(const struct ccid_command *command)
{
    if (!command->answered || command->answer.icc != CCID_ICC_ACTIVE)
        return false;
    return command->answer.error == CCID_ERROR_MUTE ||
           command->answer.error == CCID_ERROR_PARITY ||
           command->answer.error == CCID_ERROR_OVERRUN;
}

static NTSTATUS whole_block(const struct ccid_transmission *t,
                            struct ccid_command *command)
{
    struct ccid_slot *slot = t->slot;
    SMARTCARD_EXTENSION *ext = &slot->ext;
    const SCARD_CARD_CAPABILITIES card = ccid_state_card(slot);
    const struct ccid_xfr xfr = {
        .bwi = ext->T1.Wtx,
        .length = ext->SmartcardRequest.BufferLength - CCID_HEADER_LENGTH,
        .timeout_ms = ccid_timeout_block_ms(&slot->device->desc, &card, ext->T1.Wtx),
    };
    NTSTATUS status = ccid_transmission_xfr(t, &xfr, command);

    if (status == STATUS_SUCCESS)
        ccid_card_take_answer(slot, &command->answer);
    return status;
}

/* One block out, one block in, or none (BufferLength 0). STATUS_MORE_PROCESSING_REQUIRED:
 * the card is at a lower rate now, and has no block of the command. */
static NTSTATUS exchange_block(const struct ccid_transmission *t)
{
    struct ccid_slot *slot = t->slot;
    SMARTCARD_EXTENSION *ext = &slot->ext;
    bool asked_ifs = ext->T1.LastPcb == T1_IFS_REQUEST;
    struct ccid_command command;
    NTSTATUS status = is_character_level(slot) ? ccid_character_block(t, &command)
                                               : whole_block(t, &command);

    if (status == STATUS_SUCCESS)
        return STATUS_SUCCESS;
    if (!ccid_tpdu_block_is_lost(&command))
        return ccid_card_failed(slot, &command, status);
    if (slot->rate_unproven) {
        ccid_rate_failed(slot);
        if (asked_ifs) {
            status = ccid_protocol_again(slot, t->changes);
            return status == STATUS_SUCCESS ? STATUS_MORE_PROCESSING_REQUIRED : status;
        }
    }
    ext->SmartcardReply.BufferLength = 0;
    return STATUS_SUCCESS;
}

/* The block was in order, but it cannot be what the card has said. */
static NTSTATUS no_status_word(struct ccid_slot *slot)
{
    *slot->ext.IoRequest.Information = 0;
    SmcLog(slot->object, STATUS_DEVICE_PROTOCOL_ERROR,
           "T=1: the answer has no status word");
    return STATUS_DEVICE_PROTOCOL_ERROR;
}

static NTSTATUS transmit_t1(struct ccid_slot *slot)
{
    SMARTCARD_EXTENSION *ext = &slot->ext;
    const struct ccid_transmission t = ccid_transmission_begin(slot);
    NTSTATUS status;

    do {
        ext->SmartcardRequest.BufferLength = CCID_HEADER_LENGTH;
        status = SmartcardT1Request(ext);
        if (status != STATUS_SUCCESS)
            return status;
        status = exchange_block(&t);
        if (status == STATUS_SUCCESS)
            status = SmartcardT1Reply(ext);
        else if (status != STATUS_MORE_PROCESSING_REQUIRED)
            return status;
    } while (status == STATUS_MORE_PROCESSING_REQUIRED);

    if (status == STATUS_SUCCESS &&
        *ext->IoRequest.Information < sizeof(SCARD_IO_REQUEST) + 2)
        return no_status_word(slot);
    if (status == STATUS_DEVICE_PROTOCOL_ERROR)
        SmcLog(slot->object, status, "T=1: the card breaks the block protocol");
    else if (status == STATUS_IO_TIMEOUT)
        SmcLog(slot->object, status, "T=1: the card is mute");
    return status;
}

NTSTATUS ccid_tpdu_transmit(struct ccid_slot *slot)
{
    switch (ccid_state_card(slot).Protocol.Selected) {
    case SCARD_PROTOCOL_T0:
        return transmit_t0(slot);
    case SCARD_PROTOCOL_T1:
        return transmit_t1(slot);
    default:
        return STATUS_INVALID_DEVICE_REQUEST;
    }
}
