/* SPDX-License-Identifier: BSD-2-Clause */
/* xfr.c - PC_to_RDR_XfrBlock (CCID 1.1 §6.1.4): TPDUs, APDUs, and parts of long ones. */
#include "ccid.h"

#include <stdlib.h>
#include <string.h>

#define TIME_EXTENSION_MS 500

/* The answer to an XfrBlock: after the card's time, with time extensions on the way. */
static void put_block(struct emu_device *device, struct emu_slot *slot,
                      const struct emu_command *c, uint8_t chain, const uint8_t *data,
                      size_t len, uint32_t delay_ms)
{
    const struct emu_reply extension = {.type = RDR_DATA_BLOCK,
                                        .status = TIME_EXTENSION,
                                        .error = 1 /* times BWT or WT */};
    struct emu_reply a = extension;

    if (device->faults.time_extension) {
        device->faults.time_extension--;
        emu_answer(device, c, &extension);
    }
    for (uint32_t ms = TIME_EXTENSION_MS; ms < delay_ms; ms += TIME_EXTENSION_MS) {
        a.delay_us = (int64_t)ms * 1000;
        emu_answer(device, c, &a);
    }
    a = (struct emu_reply){.type = RDR_DATA_BLOCK,
                           .extra = chain,
                           .data = data,
                           .len = len,
                           .delay_us = (int64_t)delay_ms * 1000};
    if (delay_ms)
        slot->busy_until_ns = emu_now_ns() + (int64_t)delay_ms * 1000000;
    emu_answer(device, c, &a);
}

static void xfr_tpdu(struct emu_device *device, struct emu_slot *slot,
                     const struct emu_command *c)
{
    uint8_t *reply = emu_alloc(CCID_VIRTUAL_RESPONSE_MAX);
    uint32_t delay_ms;
    size_t n;

    if (slot->protocol == 1)
        n = emu_t1_block(&slot->t1, &slot->card, c->data, c->len, reply, &delay_ms);
    else
        n = emu_t0_tpdu(&slot->t0, &slot->card, c->data, c->len, reply, &delay_ms);
    if (n == 0)
        emu_answer_failed(device, c, RDR_DATA_BLOCK, ICC_MUTE);
    else
        put_block(device, slot, c, 0, reply, n, delay_ms);
    free(reply);
}

/* The next part of the reply, marked as CCID 1.1 §6.2.1 says. */
static void put_part(struct emu_device *device, struct emu_slot *slot,
                     const struct emu_command *c, uint32_t delay_ms)
{
    size_t left = slot->reply_len - slot->reply_pos,
           n = device->max_message - CCID_HEADER_LEN;
    bool first = slot->reply_pos == 0, more = left > n;
    uint8_t chain = first ? (more ? 1 : 0) : (more ? 3 : 2);
    size_t at = slot->reply_pos;

    if (!more)
        n = left;
    slot->reply_pos += n;
    put_block(device, slot, c, chain, slot->reply + at, n, delay_ms);
}

/* wLevelParameter: 0 whole, 1 begins, 3 continues, 2 ends, 10h asks for the next part. */
static void xfr_apdu(struct emu_device *device, struct emu_slot *slot,
                     const struct emu_command *c)
{
    unsigned level = c->level_low | (unsigned)c->level_high << 8;
    uint32_t delay_ms;

    if (level == 0x10 && slot->reply && slot->reply_pos < slot->reply_len) {
        put_part(device, slot, c, 0);
        return;
    }
    if (level > 3 || ((level == 2 || level == 3) && !slot->command)) {
        emu_answer_failed(device, c, RDR_DATA_BLOCK, 8);
        return;
    }
    if (level == 0 || level == 1)
        slot->command_len = 0;
    if (!slot->command)
        slot->command = emu_alloc(EMU_APDU_MAX);
    if (c->len > EMU_APDU_MAX - slot->command_len) {
        emu_answer_failed(device, c, RDR_DATA_BLOCK, BAD_LENGTH);
        return;
    }
    if (c->len)
        memcpy(slot->command + slot->command_len, c->data, c->len);
    slot->command_len += c->len;
    if (level == 1 || level == 3) {
        emu_answer_ok(device, c, RDR_DATA_BLOCK, 0x10, NULL, 0);
        return;
    }
    if (!slot->reply)
        slot->reply = emu_alloc(CCID_VIRTUAL_RESPONSE_MAX);
    slot->executed++;
    slot->reply_len = emu_card_apdu(&slot->card, slot->command, slot->command_len,
                                    slot->reply, &delay_ms);
    slot->reply_pos = 0;
    if (slot->reply_len == 0)
        emu_answer_failed(device, c, RDR_DATA_BLOCK, ICC_MUTE);
    else
        put_part(device, slot, c, delay_ms);
}

void emu_xfr_block(struct emu_device *device, struct emu_slot *slot,
                   const struct emu_command *c)
{
    if (!slot->powered)
        emu_answer_failed(device, c, RDR_DATA_BLOCK, ICC_MUTE);
    else if (device->level == EMU_TPDU || device->level == EMU_CHARACTER)
        xfr_tpdu(device, slot, c);
    else
        xfr_apdu(device, slot, c);
}
