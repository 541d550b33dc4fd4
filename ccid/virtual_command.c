/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_command.c - what the virtual reader does with a Bulk-OUT message: CCID 1.1 §6.1
 * seen from the device. Its checks are its own and not those of msg.c, so that a mistake
 * in one does not hide behind the same mistake in the other.
 */
#include "ccid/virtual_internal.h"

#include <string.h>

/* CCID 1.1 table 6.1-1: what this project's driver may not send. */
#define RESET_PARAMETERS   0x6D
#define SET_RATE_AND_CLOCK 0x73
#define T0_APDU            0x6A

#define CLOCK_STOPPED_LOW 1 /* bClockStatus */

void virtual_done(const struct virtual_request *request, uint8_t extra, size_t data_len)
{
    virtual_end(request->reader, request->slot_index, CCID_DONE, 0, extra, data_len);
}

void virtual_failed(const struct virtual_request *request, uint8_t error)
{
    virtual_end(request->reader, request->slot_index, CCID_FAILED, error, 0, 0);
}

/* ---- commands -------------------------------------------------------------------- */

/* Whether bPowerSelect is one of the voltages on offer: 1, 2, 3 are bits 0, 1, 2 of
 * bVoltageSupport; 0 is the reader's own choice. */
static bool voltage_offered(const struct ccid_virtual_shape *shape, uint8_t select)
{
    if (select == 0)
        return shape->voltage_support == 0 ||
               (shape->features &
                (CCID_FEATURE_AUTO_VOLTAGE | CCID_FEATURE_AUTO_ACTIVATION)) != 0;
    return select <= 3 && (shape->voltage_support >> (select - 1) & 1) != 0;
}

static void power_on(struct virtual_request *request)
{
    struct virtual_slot *slot = request->slot;

    if (!slot->present || slot->at_mouth) {
        virtual_failed(request, CCID_ERROR_MUTE);
        return;
    }
    if (!voltage_offered(&request->reader->shape, request->header[7])) {
        virtual_failed(request, VIRTUAL_AT_BYTE_7);
        return;
    }
    if (slot->far.send != NULL) {
        virtual_far_power_on(request);
        return;
    }
    virtual_slot_activate(request->reader, slot);
    memcpy(slot->response, slot->card.atr, slot->card.atr_len);
    virtual_done(request, 0, slot->card.atr_len);
}

static void power_off(struct virtual_request *request)
{
    virtual_slot_deactivate(request->slot);
    virtual_done(request, 0, 0);
}

static void slot_status(struct virtual_request *request)
{
    virtual_done(request, request->slot->clock_stopped ? CLOCK_STOPPED_LOW : 0, 0);
}

/* CCID 1.1 §6.1.6: for readers that talk T=0 by themselves. */
static void t0_apdu(struct virtual_request *request)
{
    const struct ccid_virtual_shape *shape = &request->reader->shape;
    struct virtual_slot *slot = request->slot;
    uint8_t changes = request->header[7];

    if (shape->level < CCID_LEVEL_SHORT_APDU) {
        virtual_failed(request, CCID_ERROR_NOT_SUPPORTED);
    } else if (changes > 3) {
        virtual_failed(request, VIRTUAL_AT_BYTE_7);
    } else {
        slot->class_get_response =
            (changes & 1) != 0 ? request->header[8] : shape->class_get_response;
        slot->class_envelope =
            (changes & 2) != 0 ? request->header[9] : shape->class_envelope;
        virtual_done(request, 0, 0);
    }
}

void virtual_card_run(const struct virtual_request *request, const uint8_t *apdu,
                      size_t len)
{
    struct virtual_slot *slot = request->slot;
    uint32_t delay_ms = 0;

    virtual_forget_response(slot);
    slot->contact->fresh = false;
    if (slot->far.send != NULL) {
        virtual_far_run(request, apdu, len);
        return;
    }
    if (virtual_contact_hears(request->reader, slot))
        slot->response_len =
            ccid_virtual_card_apdu(&slot->card, apdu, len, slot->response, &delay_ms);
    if (slot->response_len == 0)
        virtual_mute(request->reader, request->slot_index, 1);
    else
        virtual_work(request->reader, request->slot_index, delay_ms);
}

/* The command direction of CCID 1.1 §6.1.4, wLevelParameter. */
static void extended_block(struct virtual_request *request, unsigned level_parameter)
{
    struct virtual_slot *slot = request->slot;
    bool begins = level_parameter == 0x00 || level_parameter == 0x01;
    bool ends = level_parameter == 0x00 || level_parameter == 0x02;
    bool next_part = level_parameter == 0x10;
    bool more = slot->response_sent > 0 && slot->response_sent < slot->response_len;

    if (level_parameter > 3 && !next_part) {
        virtual_failed(request, VIRTUAL_AT_LEVEL);
        return;
    }
    if (next_part) {
        if (!more || request->data_len != 0)
            virtual_failed(request, VIRTUAL_AT_LEVEL);
        else
            virtual_respond(request->reader, request->slot_index);
        return;
    }
    if (begins)
        virtual_forget_command(slot); /* which was not sent to its end */
    else if (!slot->collecting) {
        virtual_failed(request, VIRTUAL_AT_LEVEL);
        return;
    }
    virtual_forget_response(slot);
    slot->collecting = false;
    if (request->data_len > VIRTUAL_APDU_MAX - slot->command_len) {
        virtual_failed(request, VIRTUAL_AT_LENGTH);
        return;
    }
    memcpy(slot->command + slot->command_len, request->data, request->data_len);
    slot->command_len += request->data_len;
    if (ends) {
        virtual_card_run(request, slot->command, slot->command_len);
        virtual_forget_command(slot);
    } else {
        slot->collecting = true;
        virtual_done(request, 0x10, 0);
    }
}

/* Four bytes up to header, Lc, 255 bytes and Le; the extended forms have 00 where Lc is.
 */
static bool is_short_apdu(const uint8_t *apdu, size_t len)
{
    return len >= 4 && len <= 4 + 1 + 255 + 1 && !(len > 5 && apdu[4] == 0);
}

/* Readers at APDU level that negotiate nothing by themselves let a PPS pass. */
static bool is_pps(const struct virtual_request *request)
{
    return request->reader->shape.level >= CCID_LEVEL_SHORT_APDU &&
           !virtual_reader_negotiates(&request->reader->shape) &&
           ccid_virtual_contact_awaits_pps(request->slot->contact, request->data,
                                           request->data_len);
}

static void xfr_block(struct virtual_request *request)
{
    unsigned level_parameter = request->header[8] | (unsigned)request->header[9] << 8;

    virtual_pinpad_forget(&request->slot->pad); /* no RESEND can follow */
    if (!request->slot->active || request->slot->clock_stopped) {
        virtual_failed(request, CCID_ERROR_MUTE);
        return;
    }
    if (is_pps(request)) {
        virtual_tpdu_block(request->reader, request->slot_index, request->header[7],
                           request->data, request->data_len);
        return;
    }
    switch (virtual_level(&request->reader->shape)) {
    case CCID_LEVEL_EXTENDED_APDU:
        extended_block(request, level_parameter);
        break;
    case CCID_LEVEL_SHORT_APDU:
        if (level_parameter != 0)
            virtual_failed(request, VIRTUAL_AT_LEVEL);
        else if (!is_short_apdu(request->data, request->data_len))
            virtual_failed(request, VIRTUAL_AT_LENGTH);
        else
            virtual_card_run(request, request->data, request->data_len);
        break;
    case CCID_LEVEL_TPDU:
        if (level_parameter != 0)
            virtual_failed(request, VIRTUAL_AT_LEVEL);
        else
            virtual_tpdu_block(request->reader, request->slot_index, request->header[7],
                               request->data, request->data_len);
        break;
    case CCID_LEVEL_CHARACTER:
        virtual_character_block(request, level_parameter);
        break;
    }
}

/* CCID 1.1 §6.1.12: accept, eject and capture are bits 0 to 2 of dwMechanical. */
static void mechanical(struct virtual_request *request)
{
    struct virtual_slot *slot = request->slot;
    uint8_t function = request->header[7];

    if (function < 1 || function > 3 ||
        (request->reader->shape.mechanical >> (function - 1) & 1) == 0) {
        virtual_failed(request, VIRTUAL_AT_BYTE_7);
        return;
    }
    if (!slot->present) {
        virtual_failed(request, CCID_ERROR_MUTE);
        return;
    }
    if (function == 3) {
        virtual_card_out_locked(request->reader, request->slot_index);
    } else {
        slot->at_mouth = function == 2;
        if (slot->at_mouth)
            virtual_slot_deactivate(slot);
    }
    virtual_done(request, 0, 0);
}

static void unsupported(struct virtual_request *request)
{
    virtual_failed(request, CCID_ERROR_NOT_SUPPORTED);
}

static const struct command {
    uint8_t type;
    uint8_t answer;
    bool takes_data;
    void (*run)(struct virtual_request *request);
} commands[] = {
    {CCID_SET_PARAMETERS, CCID_PARAMETERS, true, virtual_parameters_set},
    {CCID_ICC_POWER_ON, CCID_DATA_BLOCK, false, power_on},
    {CCID_ICC_POWER_OFF, CCID_SLOT_STATUS, false, power_off},
    {CCID_GET_SLOT_STATUS, CCID_SLOT_STATUS, false, slot_status},
    {CCID_GET_PARAMETERS, CCID_PARAMETERS, false, virtual_parameters_get},
    {RESET_PARAMETERS, CCID_PARAMETERS, false, virtual_parameters_to_default},
    {SET_RATE_AND_CLOCK, CCID_RATE_AND_CLOCK, true, virtual_rate_set},
    {CCID_ICC_CLOCK, CCID_SLOT_STATUS, false, virtual_rate_clock},
    {T0_APDU, CCID_SLOT_STATUS, false, t0_apdu},
    {CCID_XFR_BLOCK, CCID_DATA_BLOCK, true, xfr_block},
    {CCID_MECHANICAL, CCID_SLOT_STATUS, false, mechanical},
    {CCID_SECURE, CCID_DATA_BLOCK, true, virtual_pinpad},
    {CCID_ESCAPE_OUT, CCID_ESCAPE_IN, true, virtual_escape},
};

static const struct command unknown_command = {0, CCID_SLOT_STATUS, true, unsupported};

static const struct command *find_command(uint8_t type)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (commands[i].type == type)
            return &commands[i];
    }
    return &unknown_command;
}

/* ---- entry ----------------------------------------------------------------------- */

static unsigned busy_slots(const struct ccid_virtual_reader *reader)
{
    unsigned count = 0;

    for (unsigned i = 0; i < reader->shape.slot_count; i++)
        count += reader->slots[i].busy;
    return count;
}

void virtual_command_locked(struct ccid_virtual_reader *reader, const uint8_t *message,
                            size_t len)
{
    const struct command *command;
    struct virtual_request request;
    struct virtual_slot *slot;
    uint8_t slot_index, seq;

    if (len < CCID_HEADER_LENGTH)
        return; /* not a message: there is no slot and no number to answer with */
    command = find_command(message[0]);
    slot_index = message[5];
    seq = message[6];
    if (slot_index >= reader->shape.slot_count) {
        virtual_put(reader, slot_index, command->answer, seq, CCID_FAILED,
                    VIRTUAL_AT_SLOT, 0, NULL, 0);
        return;
    }
    slot = &reader->slots[slot_index];
    if (message[0] == CCID_ABORT) {
        slot->abort_message = true;
        slot->abort_message_seq = seq;
        virtual_finish_abort(reader, slot_index);
        return;
    }
    if (slot->abort_control || slot->abort_message) {
        virtual_put(reader, slot_index, command->answer, seq, CCID_FAILED,
                    CCID_ERROR_ABORTED, 0, NULL, 0);
        return;
    }
    if (slot->busy ||
        busy_slots(reader) >= ccid_virtual_shape_busy_limit(&reader->shape)) {
        virtual_put(reader, slot_index, command->answer, seq, CCID_FAILED,
                    CCID_ERROR_SLOT_BUSY, 0, NULL, 0);
        return;
    }
    slot->busy = true;
    slot->busy_seq = seq;
    slot->busy_answer = command->answer;
    request = (struct virtual_request){
        .reader = reader,
        .slot = slot,
        .slot_index = slot_index,
        .header = message,
        .data = message + CCID_HEADER_LENGTH,
        .data_len = len - CCID_HEADER_LENGTH,
    };
    if (ccid_msg_length(message) != request.data_len ||
        len > virtual_message_limit(&reader->shape) ||
        (!command->takes_data && request.data_len != 0))
        virtual_failed(&request, VIRTUAL_AT_LENGTH);
    else
        command->run(&request);
}
