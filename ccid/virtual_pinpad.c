/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_pinpad.c - PC_to_RDR_Secure of the virtual reader, and the user at its keys
 * (CCID 1.1 §6.1.11). Like every model here it reads the message by itself, so that a
 * mistake of pin.c does not find its twin.
 *
 * The user is decided on when he is asked: what he types goes into the command at once,
 * but the card gets it only when the time that the typing takes is over. Until then an
 * abort, or the card's removal, ends it without the card having heard of anything.
 */
#include "ccid/virtual_internal.h"

#include <stdio.h>
#include <string.h>

#define KEY_MS             150   /* of a user in practice */
#define TIMEOUT_DEFAULT_MS 30000 /* bTimeOut 0 */
#define PIN_MAX            16
#define RIGHT_PIN          "123456"

#define SW_PINS_DIFFER 0x6402
#define SW_PIN_LENGTH  0x6403

enum operation { VERIFY = 0x00, MODIFY = 0x01, RESEND = 0x05 };

/* abData of a verification or a modification. */
struct form {
    bool modify;
    uint8_t timeout_s, format, block, length_format;
    uint8_t offset_old, offset_new, max, min, confirm;
    const uint8_t *prologue, *apdu;
    size_t apdu_len;
};

bool ccid_virtual_pad_keys(const char *text)
{
    if (strcmp(text, "cancel") == 0 || strcmp(text, "timeout") == 0)
        return true;
    return text[0] != '\0' && strlen(text) <= CCID_VIRTUAL_KEYS_MAX &&
           text[strspn(text, "0123456789/")] == '\0';
}

/* ---- the message ------------------------------------------------------------------ */

/* 0, or the index of the byte that is wrong. */
static uint8_t read_form(const struct virtual_request *request, struct form *form)
{
    const uint8_t *data = request->data;
    size_t at, indexes = 1;

    *form = (struct form){.modify = data[0] == MODIFY};
    if (request->data_len < (form->modify ? 18u : 15u) + 4)
        return VIRTUAL_AT_LENGTH;
    form->timeout_s = data[1];
    form->format = data[2];
    form->block = data[3];
    form->length_format = data[4];
    at = 5;
    if (form->modify) {
        form->offset_old = data[at++];
        form->offset_new = data[at++];
    }
    form->max = data[at++];
    form->min = data[at++];
    if (form->modify)
        form->confirm = data[at++];
    if (data[at] == 0 || data[at] > 7)
        return (uint8_t)(CCID_HEADER_LENGTH + at); /* bEntryValidationCondition */
    if (form->modify && data[at + 1] != 0)
        indexes = data[at + 1] == 3 ? 3 : 2;
    at += 4 + indexes;
    if (request->data_len < at + 3 + 4 ||
        request->data_len > at + 3 + CCID_VIRTUAL_PIN_COMMAND - 2 * (PIN_MAX + 1))
        return VIRTUAL_AT_LENGTH;
    form->prologue = data + at;
    form->apdu = data + at + 3;
    form->apdu_len = request->data_len - (at + 3);
    if (form->min > form->max || (form->format & 3) == 3)
        return CCID_HEADER_LENGTH + 2;
    return 0;
}

/* ---- the PIN block ----------------------------------------------------------------- */

/* Writes the low bits of value, most significant first. False: outside the command. */
static bool put_bits(struct ccid_virtual_pad *pad, size_t bit, unsigned value,
                     unsigned count)
{
    for (unsigned i = 0; i < count; i++, bit++) {
        uint8_t mask = (uint8_t)(0x80 >> bit % 8);
        uint8_t *byte = &pad->command[bit / 8];

        if (bit / 8 >= pad->command_len)
            return false;
        *byte = (uint8_t)(*byte & ~mask);
        if ((value >> (count - 1 - i) & 1) != 0)
            *byte |= mask;
    }
    return true;
}

/* A block of no size: the command grows by what is typed. */
static void make_room(struct ccid_virtual_pad *pad, size_t at, size_t count)
{
    if (pad->command_len < 5)
        pad->command[pad->command_len++] = 0; /* there was no Lc */
    memmove(pad->command + at + count, pad->command + at, pad->command_len - at);
    pad->command_len += count;
    pad->command[4] = (uint8_t)(pad->command_len - 5);
}

static bool put_pin(struct ccid_virtual_pad *pad, const struct form *form, size_t offset,
                    const char *pin)
{
    unsigned type = form->format & 3, digit_bits = type == 1 ? 4 : 8;
    size_t unit = (form->format & 0x80) != 0 ? 8 : 1;
    size_t length_unit = (form->length_format & 0x10) != 0 ? 8 : 1;
    size_t length_bits = form->block >> 4, block_bits = 8u * (form->block & 0x0F);
    size_t data = 8 * (5 + offset);
    size_t at = data + unit * (form->format >> 3 & 0x0F);
    size_t digits = strlen(pin);

    if (block_bits == 0) {
        if (at / 8 > (pad->command_len < 5 ? 5 : pad->command_len))
            return false;
        make_room(pad, at / 8, (digits * digit_bits + 7) / 8);
    } else {
        if (digits * digit_bits > block_bits)
            return false;
        if ((form->format & 4) != 0) /* right justified */
            at += block_bits - digits * digit_bits;
    }
    for (size_t i = 0; i < digits; i++, at += digit_bits) {
        unsigned digit = (unsigned char)pin[i];

        if (!put_bits(pad, at, type == 2 ? digit : digit - '0', digit_bits))
            return false;
    }
    return length_bits == 0 ||
           put_bits(pad, data + length_unit * (form->length_format & 0x0F),
                    (unsigned)digits, (unsigned)length_bits);
}

/* ---- the user -----------------------------------------------------------------------
 */

/* The next PIN that he types; false: he stops there. */
static bool next_pin(const char **keys, char pin[PIN_MAX + 1])
{
    size_t length;

    if (**keys == '\0')
        return false;
    length = strcspn(*keys, "/");
    snprintf(pin, PIN_MAX + 1, "%.*s", (int)length, *keys);
    *keys += length + ((*keys)[length] == '/');
    return true;
}

/* Asks, fills the command in and says how long it takes; the bError that ends it, or 0.
 * What is typed stays in pins. */
static uint8_t ask(struct ccid_virtual_pad *pad, const struct form *form,
                   char pins[3][PIN_MAX + 1], uint64_t *ms)
{
    const char *keys =
        pad->keys[0] != '\0' ? pad->keys : RIGHT_PIN "/" RIGHT_PIN "/" RIGHT_PIN;
    bool current = !form->modify || (form->confirm & 2) != 0;
    unsigned asked = (current ? 1u : 0u) + (form->modify ? 1u + (form->confirm & 1) : 0u);
    const char *new_pin = pins[current ? 1 : 0];

    *ms = KEY_MS;
    if (strcmp(keys, "cancel") == 0)
        return CCID_ERROR_PIN_CANCELLED;
    for (unsigned i = 0; i < asked; i++) {
        if (strcmp(keys, "timeout") == 0 || !next_pin(&keys, pins[i])) {
            *ms = form->timeout_s == 0 ? TIMEOUT_DEFAULT_MS : form->timeout_s * 1000u;
            return CCID_ERROR_PIN_TIMEOUT;
        }
        *ms += KEY_MS * (strlen(pins[i]) + 1);
        if (strlen(pins[i]) < form->min || strlen(pins[i]) > form->max)
            pad->status_word = SW_PIN_LENGTH;
    }
    if (form->modify && (form->confirm & 1) != 0 &&
        strcmp(new_pin, new_pin + PIN_MAX + 1))
        pad->status_word = SW_PINS_DIFFER;
    memcpy(pad->prologue, form->prologue, sizeof(pad->prologue));
    memcpy(pad->command, form->apdu, form->apdu_len);
    pad->command_len = form->apdu_len;
    /* The new one first: without a block size the other is put before it. */
    if ((form->modify && !put_pin(pad, form, form->offset_new, new_pin)) ||
        (current && !put_pin(pad, form, form->offset_old, pins[0])))
        return CCID_HEADER_LENGTH + 3; /* bmPINBlockString */
    return 0;
}

/* ---- the reader ----------------------------------------------------------------------
 */

static void send_block(struct virtual_request *request)
{
    struct ccid_virtual_pad *pad = &request->slot->pad;

    virtual_tpdu_block(request->reader, request->slot_index, 0, pad->block,
                       pad->block_len);
}

static void make_block(struct virtual_slot *slot)
{
    struct ccid_virtual_pad *pad = &slot->pad;

    memcpy(pad->block, pad->prologue, 2);
    pad->block[2] = (uint8_t)pad->command_len;
    memcpy(pad->block + 3, pad->command, pad->command_len);
    pad->block_len = 3 + pad->command_len;
    pad->block_len += ccid_virtual_t1_edc(slot->contact->offer.crc, pad->block,
                                          pad->block_len, pad->block + pad->block_len);
}

/* The command with what was typed: the card has it, or will not get it. */
static void forget_command(struct ccid_virtual_pad *pad)
{
    explicit_bzero(pad->command, pad->command_len);
    pad->command_len = 0;
}

void virtual_pinpad_forget(struct ccid_virtual_pad *pad)
{
    pad->asking = false;
    forget_command(pad);
    explicit_bzero(pad->block, pad->block_len);
    pad->block_len = 0;
}

void virtual_pinpad_typed(struct ccid_virtual_reader *reader, uint8_t slot_index)
{
    struct virtual_slot *slot = &reader->slots[slot_index];
    struct ccid_virtual_pad *pad = &slot->pad;
    struct virtual_request request = {
        .reader = reader, .slot = slot, .slot_index = slot_index};

    pad->asking = false;
    if (pad->status_word != 0) {
        slot->response[0] = (uint8_t)(pad->status_word >> 8);
        slot->response[1] = (uint8_t)pad->status_word;
        slot->response_len = 2;
        slot->response_sent = 0;
        virtual_respond(reader, slot_index);
    } else if (reader->shape.level != CCID_LEVEL_TPDU) {
        virtual_card_run(&request, pad->command, pad->command_len);
    } else if (slot->protocol == 0) {
        virtual_tpdu_block(reader, slot_index, 0, pad->command, pad->command_len);
    } else {
        make_block(slot);
        send_block(&request);
    }
    forget_command(pad);
}

void virtual_pinpad(struct virtual_request *request)
{
    struct ccid_virtual_reader *reader = request->reader;
    struct virtual_slot *slot = request->slot;
    struct ccid_virtual_pad *pad = &slot->pad;
    uint8_t operation = request->data_len > 0 ? request->data[0] : 0xFF, error;
    struct form form;
    char pins[3][PIN_MAX + 1];
    uint64_t ms = 0;

    if (!slot->active || slot->clock_stopped) {
        virtual_failed(request, CCID_ERROR_MUTE);
    } else if (operation == RESEND && pad->block_len != 0) {
        send_block(request);
    } else if (operation > MODIFY || (reader->shape.pin_support >> operation & 1) == 0) {
        virtual_failed(request, reader->shape.pin_support == 0 ? CCID_ERROR_NOT_SUPPORTED
                                                               : CCID_HEADER_LENGTH);
    } else if ((error = read_form(request, &form)) != 0) {
        virtual_failed(request, error);
    } else {
        pad->status_word = 0;
        virtual_pinpad_forget(pad);
        error = ask(pad, &form, pins, &ms);
        explicit_bzero(pad->keys, sizeof pad->keys);
        explicit_bzero(pins, sizeof pins);
        if (error != 0)
            forget_command(pad);
        pad->asking = error == 0;
        virtual_forget_response(slot);
        virtual_work(reader, request->slot_index, (uint32_t)ms);
        slot->finish_error = error;
    }
}
