/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * character.c - what a reader at character level leaves to the host (CCID 1.1 §3.2.2):
 * it carries characters, and wLevelParameter of XfrBlock says how many are to come back.
 *
 * T=0: procedure.c says what follows what. T=1: a block goes out and its first three
 * characters come back; they say how many follow.
 *
 * A T=0 command that ends otherwise than with SW1 SW2 leaves a card that may take the
 * next header for data: it is switched off. At T=1 the library has its ways to go on.
 *
 * Bounds: every XfrBlock that expects characters must bring one; NULLs end with the ten
 * minutes of a command.
 */
#include "ccid/tpdu.h"

#include <string.h>

#include "ccid/procedure.h"
#include "ccid/timing.h"

#define BLOCK_MAX (SCARD_T1_PROLOGUE_LENGTH + SCARD_T1_MAX_IFS + 2) /* CRC */

/* What the messages have brought, together; no message had more of it. */
static void give_answer(struct ccid_slot *slot, const uint8_t *bytes, size_t length)
{
    const struct ccid_answer answer = {.data = bytes, .length = (uint32_t)length};

    ccid_card_take_answer(slot, &answer);
}

/* ---- T=0 ------------------------------------------------------------------------- */

/* Characters out, in as many messages as they take; the last one asks for the answer. */
static NTSTATUS exchange(const struct ccid_transmission *t,
                         const struct ccid_procedure_step *step,
                         struct ccid_command *command)
{
    struct ccid_slot *slot = t->slot;
    const SCARD_CARD_CAPABILITIES card = ccid_state_card(slot);
    uint32_t room = slot->device->desc.message_size - CCID_HEADER_LENGTH;
    struct ccid_xfr xfr = {
        .timeout_ms = ccid_timeout_transmit_ms(&slot->device->desc, &card),
    };
    size_t sent = 0;
    NTSTATUS status;

    do {
        size_t left = step->send_len - sent;

        xfr.length = left < room ? (uint32_t)left : room;
        if (left <= room)
            xfr.level = (uint16_t)(step->expect < room ? step->expect : room);
        memcpy(ccid_slot_data(slot), step->send + sent, xfr.length);
        sent += xfr.length;
        status = ccid_transmission_xfr(t, &xfr, command);
    } while (status == STATUS_SUCCESS && sent < step->send_len);
    return status;
}

static enum ccid_procedure_result take(struct ccid_procedure *procedure,
                                       const struct ccid_answer *answer,
                                       const char **problem)
{
    enum ccid_procedure_result result = CCID_PROCEDURE_GOES_ON;

    if (answer->length == 0) {
        *problem = "no characters where some were due";
        return CCID_PROCEDURE_BROKEN;
    }
    for (uint32_t i = 0; i < answer->length; i++) {
        if (result == CCID_PROCEDURE_ENDED)
            result = CCID_PROCEDURE_BROKEN; /* there is something behind the end */
        if (result == CCID_PROCEDURE_BROKEN) {
            *problem = "the card breaks the order of T=0";
            return result;
        }
        result = ccid_procedure_take(procedure, answer->data[i]);
    }
    if (result == CCID_PROCEDURE_BROKEN)
        *problem = "the card breaks the order of T=0";
    return result;
}

static NTSTATUS run(const struct ccid_transmission *t, struct ccid_procedure *procedure,
                    struct ccid_command *command)
{
    enum ccid_procedure_result result = CCID_PROCEDURE_GOES_ON;
    struct ccid_slot *slot = t->slot;
    const char *problem = NULL;
    NTSTATUS status = STATUS_SUCCESS;

    while (result == CCID_PROCEDURE_GOES_ON && status == STATUS_SUCCESS) {
        struct ccid_procedure_step step;

        ccid_procedure_next(procedure, &step);
        status = exchange(t, &step, command);
        if (status == STATUS_SUCCESS)
            result = take(procedure, &command->answer, &problem);
    }
    if (status == STATUS_SUCCESS && result == CCID_PROCEDURE_ENDED)
        return STATUS_SUCCESS;
    if (status == STATUS_SUCCESS) {
        status = STATUS_DEVICE_PROTOCOL_ERROR;
        ccid_cmd_log(slot, command, status, problem);
    } else {
        status = ccid_card_failed(slot, command, status);
    }
    if (ccid_state_current(slot) > SCARD_SWALLOWED &&
        !ccid_device_is_gone(slot->device)) {
        (void)ccid_icc_power_off(slot);
        ccid_state_unpowered(slot);
    }
    return status;
}

NTSTATUS ccid_character_tpdu(const struct ccid_transmission *t,
                             struct ccid_command *command)
{
    SMARTCARD_EXTENSION *ext = &t->slot->ext;
    uint8_t tpdu[CCID_PROCEDURE_TPDU_MAX], answer[CCID_PROCEDURE_ANSWER_MAX];
    size_t length = ext->SmartcardRequest.BufferLength - CCID_HEADER_LENGTH;
    struct ccid_procedure procedure;
    NTSTATUS status = STATUS_INVALID_PARAMETER;

    if (length > sizeof(tpdu) || ext->T0.Le > CCID_PROCEDURE_ANSWER_MAX - 2)
        return status;
    memcpy(tpdu, ccid_slot_data(t->slot), length);
    if (ccid_procedure_begin(&procedure, tpdu, length, ext->T0.Le, answer))
        status = run(t, &procedure, command);
    if (status == STATUS_SUCCESS)
        give_answer(t->slot, answer, procedure.got);
    RtlSecureZeroMemory(tpdu, sizeof(tpdu));
    RtlSecureZeroMemory(answer, sizeof(answer));
    return status;
}

/* ---- T=1 ------------------------------------------------------------------------- */

/* How many characters are still to come, as far as those that came say it. */
static size_t missing(const SMARTCARD_EXTENSION *ext, const uint8_t *block, size_t have)
{
    size_t check = (ext->CardCapabilities.T1.EDC & T1_CRC_CHECK) != 0 ? 2 : 1;
    size_t whole;

    if (have < SCARD_T1_PROLOGUE_LENGTH)
        return SCARD_T1_PROLOGUE_LENGTH - have;
    if (block[2] > SCARD_T1_MAX_IFS)
        return 0; /* no block: the library says so to the card */
    whole = SCARD_T1_PROLOGUE_LENGTH + (size_t)block[2] + check;
    return have < whole ? whole - have : 0;
}

NTSTATUS ccid_character_block(const struct ccid_transmission *t,
                              struct ccid_command *command)
{
    struct ccid_slot *slot = t->slot;
    SMARTCARD_EXTENSION *ext = &slot->ext;
    const SCARD_CARD_CAPABILITIES card = ccid_state_card(slot);
    const struct ccid_answer *answer = &command->answer;
    struct ccid_xfr xfr = {
        .bwi = ext->T1.Wtx,
        .level = SCARD_T1_PROLOGUE_LENGTH,
        .length = ext->SmartcardRequest.BufferLength - CCID_HEADER_LENGTH,
        .timeout_ms = ccid_timeout_block_ms(&slot->device->desc, &card, ext->T1.Wtx),
    };
    uint8_t block[BLOCK_MAX];
    size_t have = 0, left;
    NTSTATUS status;

    do {
        status = ccid_transmission_xfr(t, &xfr, command);
        if (status != STATUS_SUCCESS)
            break;
        if (answer->length == 0 || answer->length > sizeof(block) - have)
            break; /* what there is is no block */
        memcpy(block + have, answer->data, answer->length);
        have += answer->length;
        left = missing(ext, block, have);
        xfr.bwi = 0;
        xfr.length = 0;
        xfr.level = (uint16_t)left;
    } while (left != 0);
    if (status == STATUS_SUCCESS)
        give_answer(slot, block, have);
    RtlSecureZeroMemory(block, sizeof(block));
    return status;
}

/* ---- PPS ------------------------------------------------------------------------- */

NTSTATUS ccid_character_pps(struct ccid_slot *slot, uint32_t length, uint32_t timeout_ms,
                            uint8_t answer[CCID_CHARACTER_PPS_MAX], size_t *answer_len,
                            struct ccid_command *command)
{
    struct ccid_transmission t = ccid_transmission_begin(slot);
    struct ccid_xfr xfr = {.level = 2, .length = length, .timeout_ms = timeout_ms};
    NTSTATUS status;

    *answer_len = 0;
    t.end_ms = slot->port.ops->now_ms(slot->port.usb) + 2 * timeout_ms;
    do {
        status = ccid_transmission_xfr(&t, &xfr, command);
        if (status != STATUS_SUCCESS)
            return status;
        if (command->answer.length == 0 ||
            command->answer.length > CCID_CHARACTER_PPS_MAX - *answer_len)
            return STATUS_SUCCESS; /* what there is is no PPS */
        memcpy(answer + *answer_len, command->answer.data, command->answer.length);
        *answer_len += command->answer.length;
        xfr.length = 0;
        xfr.level = 1; /* PPS0, if that is all that is missing */
        if (*answer_len >= 2) {
            size_t due = 3;

            /* Bits 5 to 7 of PPS0: PPS1 to PPS3 are there (ISO/IEC 7816-3 §9.2). */
            for (unsigned int bit = 0x10; bit <= 0x40; bit <<= 1)
                due += (answer[1] & bit) != 0;
            xfr.level = (uint16_t)(*answer_len < due ? due - *answer_len : 0);
        }
    } while (xfr.level != 0);
    return STATUS_SUCCESS;
}
