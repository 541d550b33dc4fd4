/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apdu.c - an APDU on a reader that takes APDUs: in one message at short APDU level, in
 * as many as it takes at extended level (CCID 1.1 §6.1.4, wLevelParameter, and §6.2.1,
 * bChainParameter).
 *
 * sending -last part out-> receiving -last part in-> done. A part out of turn ends the
 * command, and the slot is resynchronised: what else the reader has to say would be
 * taken for the next answer. Bounds: every part but the last carries a byte, there are
 * 1280 of them, no more than an answer of 65 538 bytes, ten minutes in all. An answer
 * that is too large for the caller is read to its end, so that the next command gets its
 * own.
 */
#include "ccid/slot.h"

#include <string.h>

#include "ccid/quirks.h"
#include "ccid/timing.h"

#define SHORT_APDU_MAX   261 /* header, Lc, 255 bytes, Le */
#define SHORT_ANSWER_MAX 258
#define PARTS_MAX        1280 /* the longest answer has 1214 in messages of 64 bytes */
#define ANSWER_MAX       (65536u + 2u)

enum chain {
    CHAIN_WHOLE = 0x00,
    CHAIN_BEGINS = 0x01,
    CHAIN_ENDS = 0x02,
    CHAIN_GOES_ON = 0x03,
    CHAIN_NEXT_PART = 0x10, /* "your turn again" */
};

struct transfer {
    struct ccid_slot *slot;
    const UCHAR *apdu;
    uint32_t length;
    UCHAR *answer;
    uint32_t room, got; /* got counts what did not fit, too */
    uint64_t end_ms;
    struct ccid_command command;
};

/* ISO/IEC 7816-4 §5.1: a zero where a short command has P3, and more behind it. */
static bool is_extended(const struct transfer *t)
{
    return t->length >= 7 && t->apdu[4] == 0;
}

/* Of the command and its answer, at most. */
static uint32_t characters(const struct transfer *t)
{
    return t->length + (is_extended(t) ? t->room : SHORT_ANSWER_MAX);
}

/* The reader has broken the order of parts. */
static NTSTATUS out_of_turn(struct transfer *t, const char *problem)
{
    struct ccid_slot *slot = t->slot;

    ccid_cmd_log(slot, &t->command, STATUS_DEVICE_PROTOCOL_ERROR, problem);
    ccid_cancel_disarm(slot);
    slot->out_of_step = true;
    (void)ccid_resync(slot, CCID_RESYNC_NOW_MS);
    return STATUS_DEVICE_PROTOCOL_ERROR;
}

static NTSTATUS exchange(struct transfer *t, enum chain parameter, const UCHAR *part,
                         uint32_t length)
{
    struct ccid_slot *slot = t->slot;
    const SCARD_CARD_CAPABILITIES card = ccid_state_card(slot);
    const struct ccid_usb_port *port = &slot->port;
    uint64_t now = port->ops->now_ms(port->usb);
    NTSTATUS status;

    t->command = (struct ccid_command){
        .type = CCID_XFR_BLOCK,
        .p2 = (uint8_t)parameter, /* wLevelParameter, low byte first */
        .answer_type = CCID_DATA_BLOCK,
        .length = length,
        .timeout_ms = ccid_timeout_apdu_ms(&slot->device->desc, &card, characters(t)),
        .total_ms = now < t->end_ms ? (uint32_t)(t->end_ms - now) : 1,
    };
    if (length != 0)
        memcpy(ccid_slot_data(slot), part, length);
    status = ccid_cmd(slot, &t->command);
    if (status != STATUS_SUCCESS)
        return ccid_card_failed(slot, &t->command, status);
    return STATUS_SUCCESS;
}

/* Whether the reader carries the command at all; if not, nothing is sent. */
static NTSTATUS check_fits(struct transfer *t)
{
    const struct ccid_desc *desc = &t->slot->device->desc;

    if (desc->level == CCID_LEVEL_EXTENDED_APDU)
        return STATUS_SUCCESS;
    t->command.type = CCID_XFR_BLOCK;
    if (t->length > SHORT_APDU_MAX || is_extended(t)) {
        ccid_cmd_log(t->slot, &t->command, STATUS_NOT_SUPPORTED,
                     "the reader takes no extended APDU");
        return STATUS_NOT_SUPPORTED;
    }
    if (t->length + CCID_HEADER_LENGTH > desc->message_size) {
        ccid_cmd_log(t->slot, &t->command, STATUS_BUFFER_OVERFLOW,
                     "longer than the reader's messages");
        return STATUS_BUFFER_OVERFLOW;
    }
    return STATUS_SUCCESS;
}

/* Leaves the answer to the last part in t->command. */
static NTSTATUS send_apdu(struct transfer *t)
{
    uint32_t part_max = t->slot->device->desc.message_size - CCID_HEADER_LENGTH;
    uint32_t sent = 0;
    NTSTATUS status;

    for (;;) {
        uint32_t part = t->length - sent < part_max ? t->length - sent : part_max;
        bool first = sent == 0, last = part == t->length - sent;
        const struct ccid_answer *answer = &t->command.answer;

        status = exchange(t,
                          first ? (last ? CHAIN_WHOLE : CHAIN_BEGINS)
                                : (last ? CHAIN_ENDS : CHAIN_GOES_ON),
                          t->apdu + sent, part);
        if (status != STATUS_SUCCESS || last)
            return status;
        if (answer->extra != CHAIN_NEXT_PART || answer->length != 0)
            return out_of_turn(t, "the reader does not ask for the next part");
        sent += part;
    }
}

static void take_part(struct transfer *t)
{
    const struct ccid_answer *answer = &t->command.answer;
    uint32_t kept = t->got < t->room ? t->room - t->got : 0;

    if (kept > answer->length)
        kept = answer->length;
    if (kept != 0)
        memcpy(t->answer + t->got, answer->data, kept);
    t->got += answer->length;
}

/* Some readers chain what they answer although they take no chained command. */
static bool may_be_chained(const struct ccid_desc *desc)
{
    return desc->level == CCID_LEVEL_EXTENDED_APDU ||
           (desc->quirks & CCID_QUIRK_CHAINED_ANSWERS) != 0;
}

static NTSTATUS receive_answer(struct transfer *t)
{
    const struct ccid_answer *answer = &t->command.answer;
    NTSTATUS status;

    if (!may_be_chained(&t->slot->device->desc)) {
        take_part(t); /* bChainParameter means nothing there */
        return STATUS_SUCCESS;
    }
    if (answer->extra != CHAIN_WHOLE && answer->extra != CHAIN_BEGINS)
        return out_of_turn(t, "the answer does not begin with its beginning");
    for (unsigned int parts = 1;; parts++) {
        bool last = answer->extra == CHAIN_WHOLE || answer->extra == CHAIN_ENDS;

        if (!last && (answer->length == 0 || parts >= PARTS_MAX))
            return out_of_turn(t, "an answer without end");
        if (answer->length > ANSWER_MAX - t->got)
            return out_of_turn(t, "an answer longer than any card's");
        take_part(t);
        if (last)
            return STATUS_SUCCESS;
        status = exchange(t, CHAIN_NEXT_PART, NULL, 0);
        if (status != STATUS_SUCCESS)
            return status;
        if (answer->extra != CHAIN_GOES_ON && answer->extra != CHAIN_ENDS)
            return out_of_turn(t, "a part of the answer out of turn");
    }
}

NTSTATUS ccid_apdu_receive(struct ccid_slot *slot, const struct ccid_command *command,
                           uint64_t end_ms, UCHAR *answer, uint32_t room, uint32_t *got)
{
    struct transfer t = {
        .slot = slot,
        .answer = answer,
        .room = room,
        .end_ms = end_ms,
        .command = *command,
    };
    NTSTATUS status = receive_answer(&t);

    *got = t.got;
    return status;
}

NTSTATUS ccid_apdu_transmit(struct ccid_slot *slot)
{
    SMARTCARD_EXTENSION *ext = &slot->ext;
    const struct ccid_usb_port *port = &slot->port;
    struct transfer t = {.slot = slot};
    SCARD_IO_REQUEST header;
    NTSTATUS status;

    /* smclib has seen to it that header and command are there. */
    memcpy(&header, ext->IoRequest.RequestBuffer, sizeof(header));
    if (ext->IoRequest.ReplyBufferLength < header.cbPciLength)
        return STATUS_BUFFER_TOO_SMALL;
    t.apdu = ext->IoRequest.RequestBuffer + header.cbPciLength;
    t.length = ext->IoRequest.RequestBufferLength - header.cbPciLength;
    /* The same memory: no part of an answer comes before the last part of the command. */
    t.answer = ext->IoRequest.ReplyBuffer + header.cbPciLength;
    t.room = ext->IoRequest.ReplyBufferLength - header.cbPciLength;
    t.end_ms = port->ops->now_ms(port->usb) + CCID_COMMAND_MAX_MS;
    status = check_fits(&t);
    if (status != STATUS_SUCCESS)
        return status;

    status = send_apdu(&t);
    if (status == STATUS_SUCCESS) {
        slot->rate_unproven = false;
        status = receive_answer(&t);
    }
    /* The library wipes what these cover: every part, the longest ones included. */
    ext->SmartcardRequest.BufferLength = ext->SmartcardRequest.BufferSize;
    ext->SmartcardReply.BufferLength = ext->SmartcardReply.BufferSize;
    if (t.length < slot->device->desc.message_size - CCID_HEADER_LENGTH)
        ext->SmartcardRequest.BufferLength = CCID_HEADER_LENGTH + t.length;
    if (t.got < ext->SmartcardReply.BufferSize - CCID_HEADER_LENGTH)
        ext->SmartcardReply.BufferLength = CCID_HEADER_LENGTH + t.got;
    if (status != STATUS_SUCCESS)
        return status;
    if (t.got < 2) {
        ccid_cmd_log(slot, &t.command, STATUS_DEVICE_PROTOCOL_ERROR,
                     "the answer has no status word");
        return STATUS_DEVICE_PROTOCOL_ERROR;
    }
    if (t.got > t.room)
        return STATUS_BUFFER_TOO_SMALL;
    *ext->IoRequest.Information = header.cbPciLength + t.got;
    return STATUS_SUCCESS;
}
