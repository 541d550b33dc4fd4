/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ccid.c - the reader behind the bulk and interrupt endpoints (USB CCID 1.1 §6).
 *
 * An honest reader: one answer to each command, in the slot's state; a command to a slot
 * that still works on another is refused with CMD_SLOT_BUSY; an abort needs both its
 * control request and its bulk message. Dishonesty is asked for by struct emu_faults.
 */
#include "ccid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *trace_file;

/* Later the program may be confined. */
__attribute__((constructor)) static void open_trace(void)
{
    const char *path = getenv("USBEMU_TRACE");

    if (path && *path)
        trace_file = fopen(path, "ae");
}

static void trace(const struct emu_device *device, char direction, const uint8_t *p,
                  size_t len)
{
    FILE *file = trace_file;

    if (!file)
        return;
    fprintf(file, "%lld %s %c", (long long)(emu_now_ns() / 1000), device->name,
            direction);
    for (size_t i = 0; i < len && i < 80; i++)
        fprintf(file, " %02X", p[i]);
    fprintf(file, "%s\n", len > 80 ? " ..." : "");
    fflush(file);
}

static uint8_t icc_status(const struct emu_device *device, unsigned slot)
{
    if (slot >= device->slot_count || !device->slots[slot].present)
        return 2;
    return device->slots[slot].powered ? 0 : 1;
}

void emu_answer(struct emu_device *device, const struct emu_command *c,
                const struct emu_reply *a)
{
    uint8_t *m = emu_alloc(CCID_HEADER_LEN + a->len);
    size_t len = CCID_HEADER_LEN + a->len;
    int64_t delay_us = (int64_t)device->latency_us + a->delay_us;

    m[0] = a->type;
    for (unsigned i = 0; i < 4; i++)
        m[1 + i] = (uint8_t)(a->len >> (8 * i));
    m[5] = c->slot;
    m[6] = c->seq;
    m[7] = (uint8_t)(icc_status(device, c->slot) | a->status << 6);
    m[8] = a->error;
    m[9] = a->extra;
    if (a->len)
        memcpy(m + CCID_HEADER_LEN, a->data, a->len);
    if (device->faults.bad_sequence) {
        device->faults.bad_sequence--;
        m[6]++;
    }
    if (device->faults.short_answer) {
        device->faults.short_answer--;
        len = 7;
    }
    trace(device, '<', m, len);
    emu_queue(device, c->slot, m, len, delay_us);
    free(m);
}

void emu_answer_ok(struct emu_device *device, const struct emu_command *c, uint8_t type,
                   uint8_t extra, const uint8_t *data, size_t len)
{
    const struct emu_reply a = {.type = type, .extra = extra, .data = data, .len = len};

    emu_answer(device, c, &a);
}

void emu_answer_failed(struct emu_device *device, const struct emu_command *c,
                       uint8_t type, uint8_t error)
{
    const struct emu_reply a = {.type = type, .status = COMMAND_FAILED, .error = error};

    emu_answer(device, c, &a);
}

static uint8_t answer_type(uint8_t command)
{
    switch (command) {
    case PC_ICC_POWER_ON:
    case PC_SECURE:
    case PC_XFR_BLOCK:
        return RDR_DATA_BLOCK;
    case PC_SET_PARAMETERS:
    case PC_GET_PARAMETERS:
    case PC_RESET_PARAMETERS:
        return RDR_PARAMETERS;
    case PC_ESCAPE:
        return RDR_ESCAPE;
    case PC_SET_RATE:
        return RDR_RATE;
    default:
        return RDR_SLOT_STATUS;
    }
}

/* ---- commands -------------------------------------------------------------------- */

static void power_on(struct emu_device *device, struct emu_slot *slot,
                     const struct emu_command *c)
{
    if (device->faults.mute) {
        emu_answer_failed(device, c, RDR_DATA_BLOCK, ICC_MUTE);
        return;
    }
    emu_slot_clear(slot);
    ccid_virtual_card_reset(&slot->card);
    slot->powered = true;
    slot->powered_up++;
    emu_answer_ok(device, c, RDR_DATA_BLOCK, 0, slot->card.atr, slot->card.atr_len);
}

static void parameters(struct emu_device *device, struct emu_slot *slot,
                       const struct emu_command *c)
{
    if (c->type == PC_SET_PARAMETERS) {
        if (c->extra > 1 || c->len != (c->extra ? 7u : 5u)) {
            emu_answer_failed(device, c, RDR_PARAMETERS, c->extra > 1 ? 7 : BAD_LENGTH);
            return;
        }
        memcpy(slot->params, c->data, c->len);
        slot->protocol = c->extra;
    }
    emu_answer_ok(device, c, RDR_PARAMETERS, slot->protocol, slot->params,
                  slot->protocol ? 7 : 5);
}

/* Commands that need no card in the slot. */
static bool without_card(uint8_t type)
{
    return type == PC_GET_SLOT_STATUS || type == PC_ICC_POWER_OFF || type == PC_ESCAPE;
}

static void serve(struct emu_device *device, struct emu_slot *slot,
                  const struct emu_command *c)
{
    switch (c->type) {
    case PC_ICC_POWER_ON:
        power_on(device, slot, c);
        break;
    case PC_ICC_POWER_OFF:
        slot->powered = false;
        emu_slot_clear(slot);
        emu_answer_ok(device, c, RDR_SLOT_STATUS, 0, NULL, 0);
        break;
    case PC_GET_SLOT_STATUS:
    case PC_ICC_CLOCK:
        emu_answer_ok(device, c, RDR_SLOT_STATUS, 0, NULL, 0);
        break;
    case PC_SET_PARAMETERS:
    case PC_GET_PARAMETERS:
    case PC_RESET_PARAMETERS:
        parameters(device, slot, c);
        break;
    case PC_ESCAPE: /* says what it was told */
        emu_answer_ok(device, c, RDR_ESCAPE, 0, c->data, c->len > 16 ? 16 : c->len);
        break;
    case PC_SET_RATE:
        emu_answer_ok(device, c, RDR_RATE, 0, c->data, c->len > 8 ? 8 : c->len);
        break;
    case PC_XFR_BLOCK:
        emu_xfr_block(device, slot, c);
        break;
    default:
        emu_answer_failed(device, c, answer_type(c->type), NOT_SUPPORTED);
        break;
    }
}

/* The slot works, or as many others as may at once. */
static bool is_busy(const struct emu_device *device, const struct emu_slot *slot)
{
    int64_t now = 0;
    unsigned busy = 0;

    for (unsigned i = 0; i < device->slot_count; i++) {
        if (!device->slots[i].busy_until_ns)
            continue;
        now = now ? now : emu_now_ns();
        if (device->slots[i].busy_until_ns <= now)
            continue;
        if (&device->slots[i] == slot)
            return true;
        busy++;
    }
    return busy > 0 && busy >= device->busy_slots;
}

static void message(struct emu_device *device, const uint8_t *m, size_t len)
{
    const struct emu_command c = {.type = m[0],
                                  .slot = m[5],
                                  .seq = m[6],
                                  .extra = m[7],
                                  .level_low = m[8],
                                  .level_high = m[9],
                                  .data = m + CCID_HEADER_LEN,
                                  .len = len - CCID_HEADER_LEN};
    uint8_t type = answer_type(c.type);
    struct emu_slot *slot;

    trace(device, '>', m, len);
    device->messages++;
    emu_faults_draw(device);
    if (device->faults.drop) {
        device->faults.drop--;
        return;
    }
    if (c.slot >= device->slot_count) {
        emu_answer_failed(device, &c, type, BAD_SLOT);
        return;
    }
    slot = &device->slots[c.slot];
    if (c.type == PC_ABORT)
        emu_abort_bulk(device, slot, &c);
    else if (slot->abort_control)
        emu_answer_failed(device, &c, type, CMD_ABORTED);
    else if (len > device->max_message)
        emu_answer_failed(device, &c, type, BAD_LENGTH);
    else if (is_busy(device, slot))
        emu_answer_failed(device, &c, type, CMD_SLOT_BUSY);
    else if (!slot->present && !without_card(c.type))
        emu_answer_failed(device, &c, type, ICC_MUTE);
    else
        serve(device, slot, &c);
}

/* A message may come in several transfers; one that claims too much is thrown away with
 * everything of its transfer. */
void emu_bulk_out(struct emu_device *device, const uint8_t *data, size_t len)
{
    if (len > EMU_MESSAGE_MAX - device->out_len) {
        device->out_len = 0;
        return;
    }
    if (len)
        memcpy(device->out + device->out_len, data, len);
    device->out_len += len;
    while (device->out_len >= CCID_HEADER_LEN) {
        const uint8_t *m = device->out;
        size_t want = CCID_HEADER_LEN + ((size_t)m[1] | (size_t)m[2] << 8 |
                                         (size_t)m[3] << 16 | (size_t)m[4] << 24);

        if (want > EMU_MESSAGE_MAX) {
            device->out_len = 0;
            return;
        }
        if (device->out_len < want)
            return;
        message(device, m, want);
        device->out_len -= want;
        memmove(device->out, device->out + want, device->out_len);
    }
}
