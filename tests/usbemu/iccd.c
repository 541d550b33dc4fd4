/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iccd.c - a token that is its own card, driven by control requests (USB ICCD 1.0).
 *
 * Version B takes APDUs, or their parts, and hands out answers with bResponseType in
 * front. Version A takes the header of a T=0 command and its data, and says in its status
 * byte what is next. In both slot->reply is the answer; while it waits to be fetched, or
 * is not due yet, no other command is taken. Power off ends everything.
 */
#include "usbemu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define A_POWER_ON  0xa162
#define B_POWER_ON  0x2162
#define POWER_OFF   0x2163
#define XFR_BLOCK   0x2165
#define DATA_BLOCK  0xa16f
#define SLOT_STATUS 0xa181 /* version B */
#define ICC_STATUS  0xa1a0 /* version A */

#define HEADER   5 /* CLA INS P1 P2 P3 */
#define ICC_MUTE 0xfe
#define BAD_PART 8 /* wLevelParameter */

static bool is_due(const struct emu_slot *slot)
{
    return slot->busy_until_ns == 0 || slot->busy_until_ns <= emu_now_ns();
}

static int give(uint8_t *data, size_t len, const void *bytes, size_t n)
{
    if (n > len)
        n = len;
    if (n)
        memcpy(data, bytes, n);
    return (int)n;
}

/* The answer has been fetched. */
static void forget_answer(struct emu_slot *slot)
{
    free(slot->reply);
    slot->reply = NULL;
    slot->reply_len = slot->reply_pos = 0;
    slot->token_ready = false;
    slot->busy_until_ns = 0;
}

static void power(struct emu_slot *slot, bool on)
{
    emu_slot_clear(slot);
    slot->token_ready = false;
    ccid_virtual_card_reset(&slot->card);
    slot->powered = on;
}

/* ---- version B -------------------------------------------------------------------- */

static void answer_b(struct emu_slot *slot, uint8_t type, const void *bytes, size_t len)
{
    uint8_t *reply = emu_alloc(len);

    if (len)
        memcpy(reply, bytes, len);
    free(slot->reply);
    slot->reply = reply;
    slot->reply_len = len;
    slot->reply_pos = 0;
    slot->token_type = type;
    slot->token_ready = true;
}

static void fail_b(struct emu_slot *slot, uint8_t error)
{
    const uint8_t failed[2] = {(uint8_t)(0x40 | (slot->powered ? 0 : 1)), error};

    answer_b(slot, 0x40, failed, sizeof failed);
}

static void run_b(struct emu_slot *slot)
{
    uint8_t *response = emu_alloc(CCID_VIRTUAL_RESPONSE_MAX);
    uint32_t delay_ms;
    size_t n =
        emu_card_apdu(&slot->card, slot->command, slot->command_len, response, &delay_ms);

    if (n == 0)
        fail_b(slot, ICC_MUTE);
    else
        answer_b(slot, 0, response, n);
    if (delay_ms)
        slot->busy_until_ns = emu_now_ns() + (int64_t)delay_ms * 1000000;
    free(response);
}

/* The level parameter: 0 whole, 1 begins, 3 continues, 2 ends, 10h asks for more. */
static int xfr_b(struct emu_slot *slot, unsigned level, const uint8_t *data, size_t len)
{
    if (slot->token_ready || (level == 0x10 && (!slot->reply || len)))
        return -EPIPE;
    if (level == 0x10) {
        slot->token_ready = true;
        return 0;
    }
    if (level == 0 || level == 1)
        slot->command_len = 0;
    if (!slot->command)
        slot->command = emu_alloc(EMU_APDU_MAX);
    if (!slot->powered || level > 3 || len > EMU_APDU_MAX - slot->command_len) {
        fail_b(slot, slot->powered ? BAD_PART : ICC_MUTE);
        return (int)len;
    }
    if (len)
        memcpy(slot->command + slot->command_len, data, len);
    slot->command_len += len;
    if (level == 1 || level == 3)
        answer_b(slot, 0x10, NULL, 0);
    else
        run_b(slot);
    return (int)len;
}

static int data_b(struct emu_device *device, struct emu_slot *slot, uint8_t *data,
                  size_t len)
{
    size_t room = device->max_message < len - 1 ? device->max_message : len - 1;
    size_t left = slot->reply_len - slot->reply_pos;
    bool first = slot->reply_pos == 0, last = left <= room;

    if (!slot->token_ready || len == 0)
        return -EPIPE;
    if (!is_due(slot)) {
        int64_t units = (slot->busy_until_ns - emu_now_ns()) / 10000000 + 1;
        const uint8_t poll[3] = {0x80, (uint8_t)units, (uint8_t)(units >> 8)};

        return give(data, len, poll, sizeof poll);
    }
    if (slot->token_type < 4) /* data: whether it begins and ends here */
        slot->token_type = first ? (last ? 0 : 1) : (last ? 2 : 3);
    data[0] = slot->token_type;
    room = (size_t)give(data + 1, room, slot->reply + slot->reply_pos, left);
    slot->reply_pos += room;
    slot->token_ready = false;
    if (last)
        forget_answer(slot);
    return (int)(1 + room);
}

static int control_b(struct emu_device *device, const uint8_t setup[8], uint8_t *data,
                     size_t len)
{
    struct emu_slot *slot = &device->slots[0];
    uint8_t status[3] = {0, !slot->present ? 2 : slot->powered ? 0 : 1, 0};

    switch ((unsigned)setup[0] << 8 | setup[1]) {
    case B_POWER_ON:
        if (slot->token_ready)
            return -EPIPE;
        power(slot, !device->faults.mute);
        if (slot->powered)
            answer_b(slot, 0, slot->card.atr, slot->card.atr_len);
        else
            fail_b(slot, ICC_MUTE);
        return 0;
    case POWER_OFF:
        power(slot, false);
        return 0;
    case XFR_BLOCK:
        return xfr_b(slot, setup[3], data, len);
    case DATA_BLOCK:
        return data_b(device, slot, data, len);
    case SLOT_STATUS:
        return give(data, len, status, sizeof status);
    default:
        return -EPIPE;
    }
}

/* ---- version A -------------------------------------------------------------------- */

static void run_a(struct emu_slot *slot)
{
    uint32_t delay_ms;

    slot->reply = emu_alloc(CCID_VIRTUAL_RESPONSE_MAX);
    slot->reply_pos = 0;
    slot->reply_len = emu_t0_tpdu(&slot->t0, &slot->card, slot->command,
                                  slot->command_len, slot->reply, &delay_ms);
    if (delay_ms)
        slot->busy_until_ns = emu_now_ns() + (int64_t)delay_ms * 1000000;
    slot->command_len = 0;
}

/* The built-in card's commands with data, which a T=0 card knows by INS. */
static bool brings_data(const uint8_t *header)
{
    return header[4] && memchr("\xa4\x20\xe0\xc2", header[1], 4) != NULL;
}

static int xfr_a(struct emu_slot *slot, const uint8_t *data, size_t len)
{
    bool header = slot->command_len == 0;

    if (!slot->powered || slot->reply || len != (header ? HEADER : slot->command[4]))
        return -EPIPE;
    if (!slot->command)
        slot->command = emu_alloc(EMU_APDU_MAX);
    memcpy(slot->command + slot->command_len, data, len);
    slot->command_len += len;
    if (!header || !brings_data(data))
        run_a(slot);
    return (int)len;
}

static uint8_t status_a(const struct emu_slot *slot)
{
    if (!slot->present)
        return 0x80;
    if (!slot->reply)
        return slot->command_len ? 0x10 : 0x00;
    if (!is_due(slot))
        return 0x40;
    if (slot->reply_len == 0)
        return 0x80; /* mute */
    return slot->reply_len - slot->reply_pos > 2 ? 0x10 : 0x20;
}

static int data_a(struct emu_slot *slot, uint8_t *data, size_t len)
{
    uint8_t status = status_a(slot);
    size_t left = slot->reply_len - slot->reply_pos;
    int n;

    if (!slot->reply || (status != 0x10 && status != 0x20))
        return -EPIPE;
    n = give(data, len, slot->reply + slot->reply_pos, left > 2 ? left - 2 : left);
    slot->reply_pos += (size_t)n;
    if (status == 0x20)
        forget_answer(slot);
    return n;
}

static int control_a(struct emu_device *device, const uint8_t setup[8], uint8_t *data,
                     size_t len)
{
    struct emu_slot *slot = &device->slots[0];
    uint8_t status = status_a(slot);

    switch ((unsigned)setup[0] << 8 | setup[1]) {
    case A_POWER_ON:
        if (slot->reply || !slot->present || device->faults.mute)
            return -EPIPE;
        power(slot, true);
        return give(data, len, slot->card.atr, slot->card.atr_len);
    case POWER_OFF:
        power(slot, false);
        return 0;
    case XFR_BLOCK:
        return xfr_a(slot, data, len);
    case DATA_BLOCK:
        return data_a(slot, data, len);
    case ICC_STATUS:
        return give(data, len, &status, 1);
    default:
        return -EPIPE;
    }
}

int emu_iccd_control(struct emu_device *device, const uint8_t setup[8], uint8_t *data,
                     size_t len)
{
    device->messages++;
    if (device->faults.stall) {
        device->faults.stall--;
        return -EPIPE;
    }
    return device->iccd == EMU_ICCD_A ? control_a(device, setup, data, len)
                                      : control_b(device, setup, data, len);
}
