/* SPDX-License-Identifier: BSD-2-Clause */
/* hostile_message.c - the messages of a hostile device (hostile_device.h). */
#include <string.h>

#include "ccid/msg.h"
#include "hostile_device.h"

/* The answer that belongs to a command (CCID 1.1 table 6.1-1). */
static uint8_t answer_type(uint8_t command)
{
    switch (command) {
    case CCID_GET_PARAMETERS:
    case 0x61: /* SetParameters */
    case 0x6D: /* ResetParameters */
        return CCID_PARAMETERS;
    case CCID_XFR_BLOCK:
    case CCID_SECURE:
    case 0x62: /* IccPowerOn */
        return CCID_DATA_BLOCK;
    case CCID_ESCAPE_OUT:
        return CCID_ESCAPE_IN;
    case CCID_SET_RATE:
        return CCID_RATE_AND_CLOCK;
    default:
        return CCID_SLOT_STATUS;
    }
}

static void put_length(uint8_t *message, uint32_t length)
{
    for (int i = 0; i < 4; i++)
        message[1 + i] = (uint8_t)(length >> (8 * i));
}

void hostile_message_append(struct hostile_device *device, uint16_t len)
{
    fuzz_read(device->in, device->message + device->message_len, len);
    device->message_len += len;
}

void hostile_message_honest(struct hostile_device *device)
{
    static const uint8_t atr[] = {0x3B, 0x80, 0x01, 0x81}, ok[] = {0x90, 0x00},
                         parameters[] = {0x11, 0x10, 0x00, 0x4D, 0x00, 0x20, 0x00};
    const uint8_t bit = (uint8_t)(1u << (device->slot & 1));
    uint8_t *message = device->message;
    const uint8_t *data = NULL;
    size_t len = 0;

    if (device->type == CCID_ICC_POWER_ON) {
        device->active |= bit;
        data = atr;
        len = sizeof atr;
    } else if (device->type == CCID_ICC_POWER_OFF) {
        device->active &= (uint8_t)~bit;
    } else if (answer_type(device->type) == CCID_PARAMETERS) {
        data = parameters;
        len = sizeof parameters;
    } else if (answer_type(device->type) == CCID_DATA_BLOCK) {
        data = ok;
        len = sizeof ok;
    }
    ccid_msg_header(message, answer_type(device->type), (uint32_t)len, device->slot,
                    device->seq, (device->active & bit) != 0 ? 0 : 1, 0,
                    answer_type(device->type) == CCID_PARAMETERS);
    if (len > 0)
        memcpy(message + CCID_HEADER_LENGTH, data, len);
    device->message_at = 0;
    device->message_len = CCID_HEADER_LENGTH + len;
}

static void make_answer(struct hostile_device *device)
{
    uint8_t *message = device->message;
    uint16_t len;

    memset(message, 0, CCID_HEADER_LENGTH);
    message[0] = answer_type(device->type);
    message[5] = device->slot;
    message[6] = device->seq;
    fuzz_read(device->in, message + 7, 3);
    len = fuzz_u16(device->in);
    put_length(message, len);
    device->message_len = CCID_HEADER_LENGTH;
    hostile_message_append(device, len);
}

void hostile_message_again(struct hostile_device *device)
{
    device->again--;
    device->message_at = 0;
    if (device->fitting && device->message_len >= CCID_HEADER_LENGTH) {
        device->message[0] = answer_type(device->type);
        device->message[5] = device->slot;
        device->message[6] = device->seq;
    }
}

bool hostile_message_next(struct hostile_device *device, uint8_t says)
{
    uint8_t which, by;

    device->message_at = device->message_len = 0;
    device->fitting = says == DEVICE_ANSWER;
    switch (says) {
    case DEVICE_ANSWER:
        make_answer(device);
        return true;
    case DEVICE_HEADER:
        fuzz_read(device->in, device->message, CCID_HEADER_LENGTH);
        device->message_len = CCID_HEADER_LENGTH;
        hostile_message_append(device, fuzz_u16(device->in));
        return true;
    case DEVICE_WRONG:
        which = fuzz_u8(device->in);
        by = fuzz_u8(device->in);
        make_answer(device);
        device->message[which % CCID_HEADER_LENGTH] ^= by;
        return true;
    case DEVICE_RAW:
        hostile_message_append(device, fuzz_u16(device->in));
        return true;
    default:
        return false;
    }
}
