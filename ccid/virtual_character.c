/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_character.c - XfrBlock of the virtual reader at character level (CCID 1.1
 * §3.2.2): its characters go to the card, and as many come back as wLevelParameter says,
 * or none in time.
 *
 * The card answers a PPS and a block of T=1 whole. At T=0 it takes what it gets until it
 * has a command, and says its procedure bytes on the way (ISO/IEC 7816-3 §10.3.3): for
 * all data at once or for each byte of it, as it was told, and NULL while it works.
 */
#include "ccid/virtual_internal.h"

#include <string.h>

#define HEADER      5
#define INS         1
#define P3          4
#define STATUS_WORD 2
#define NULL_BYTE   0x60
#define NULL_MS     500 /* between two of them while the card works */

static void say(struct virtual_character *line, uint8_t byte)
{
    if (line->said_len < sizeof(line->said))
        line->said[line->said_len++] = byte;
}

static void forget_said(struct virtual_character *line)
{
    explicit_bzero(line->said, line->said_len);
    line->said_len = line->said_at = line->slow_nulls = 0;
}

static void forget_command(struct virtual_character *line)
{
    explicit_bzero(line->command, line->command_len);
    line->command_len = 0;
}

static void say_procedure(struct virtual_character *line, uint8_t byte)
{
    for (unsigned i = 0; i < line->nulls; i++)
        say(line, NULL_BYTE);
    say(line, byte);
}

/* The commands of the built-in card that bring data; only the command itself knows. */
static bool brings_data(uint8_t ins)
{
    return ins == 0x00 || ins == 0x20 || ins == 0xA4 || ins == 0xC2 || ins == 0xE0;
}

static void say_answer(struct virtual_character *line, uint8_t ins, const uint8_t *answer,
                       size_t len)
{
    size_t data_len = len - STATUS_WORD;

    for (size_t i = 0; i < data_len; i++) {
        if (line->single || i == 0)
            say_procedure(line, line->single ? (uint8_t)~ins : ins);
        say(line, answer[i]);
    }
    say_procedure(line, answer[data_len]);
    say(line, answer[data_len + 1]);
}

/* One character of a T=0 command. */
static void take_t0(struct virtual_character *line, struct ccid_virtual_contact *contact,
                    struct ccid_virtual_line *speed, uint8_t byte)
{
    uint8_t answer[CCID_VIRTUAL_CONTACT_MAX];
    size_t due = HEADER, len;

    line->command[line->command_len++] = byte;
    if (line->command_len > HEADER - 1 && brings_data(line->command[INS]))
        due += line->command[P3];
    if (line->command_len < due) {
        bool each = line->single && line->command_len >= HEADER;

        if (each || line->command_len == HEADER)
            say_procedure(line, line->single ? (uint8_t)~line->command[INS]
                                             : line->command[INS]);
        return;
    }
    len = ccid_virtual_contact_exchange(contact, speed, line->command, due, answer);
    for (uint32_t ms = 0; len != 0 && ms < speed->delay_ms; ms += NULL_MS) {
        say(line, NULL_BYTE);
        line->slow_nulls++;
    }
    if (len != 0)
        say_answer(line, line->command[INS], answer, len);
    explicit_bzero(answer, len);
    forget_command(line);
}

void virtual_character_reset(struct virtual_character *line)
{
    forget_said(line);
    forget_command(line);
}

/* What the characters from the reader make the card say. */
static void take(struct virtual_slot *slot, struct ccid_virtual_line *speed,
                 const uint8_t *data, size_t len)
{
    struct virtual_character *line = &slot->character;
    struct ccid_virtual_contact *contact = slot->contact;

    forget_said(line);
    if (speed->fidi != contact->fidi)
        return; /* it does not understand a character */
    if (contact->protocol == 0 && speed->protocol == 0 &&
        !ccid_virtual_contact_awaits_pps(contact, data, len)) {
        for (size_t i = 0; i < len; i++)
            take_t0(line, contact, speed, data[i]);
        speed->delay_ms = 0; /* its NULLs take that time */
        return;
    }
    line->said_len = ccid_virtual_contact_exchange(contact, speed, data, len, line->said);
}

void virtual_character_block(struct virtual_request *request, unsigned expected)
{
    struct ccid_virtual_reader *reader = request->reader;
    struct virtual_slot *slot = request->slot;
    struct virtual_character *line = &slot->character;
    uint8_t bwi = request->header[7];
    struct ccid_virtual_line speed = {
        .protocol = slot->protocol,
        .fidi = virtual_rate_fidi(&reader->shape, slot),
    };
    uint32_t null_ms = 0;

    virtual_forget_response(slot);
    if (request->data_len != 0)
        take(slot, &speed, request->data, request->data_len);
    if (expected == 0) {
        virtual_done(request, 0, 0);
        return;
    }
    if (expected > reader->shape.max_message_length - CCID_HEADER_LENGTH) {
        virtual_failed(request, VIRTUAL_AT_LEVEL);
        return;
    }
    if (line->said_len - line->said_at < expected || speed.waits > (bwi == 0 ? 1 : bwi)) {
        virtual_mute(reader, request->slot_index, bwi);
        return;
    }
    for (; line->slow_nulls > 0 && null_ms < expected * NULL_MS; line->slow_nulls--)
        null_ms += NULL_MS;
    memcpy(slot->response, line->said + line->said_at, expected);
    line->said_at += expected;
    slot->response_len = expected;
    if (line->said_at == line->said_len)
        forget_said(line);
    if (null_ms != 0 || speed.waits != 0)
        virtual_later(reader, slot,
                      null_ms + (uint64_t)(virtual_waiting_ms(slot) - 1) * speed.waits,
                      0);
    else
        virtual_work(reader, request->slot_index, speed.delay_ms);
}
