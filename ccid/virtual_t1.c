/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_t1.c - the card's side of T=1 (ISO/IEC 7816-3 §11): written from the card's
 * view, on its own, so that an error in smclib's side does not find its twin here.
 *
 * The card never speaks first. It remembers its last block and sends it again when the
 * reader asks for it; an invalid block it answers with R, except that R answers R.
 */
#include "ccid/virtual_t1.h"

#include <string.h>

size_t ccid_virtual_t1_edc(bool crc, const uint8_t *data, size_t len, uint8_t edc[2])
{
    if (!crc) {
        uint8_t sum = 0;
        while (len--)
            sum ^= *data++;
        edc[0] = sum;
        return 1;
    }
    uint16_t value = 0xffff;
    for (size_t i = 0; i < len; i++) {
        value ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            value = (uint16_t)(value & 1 ? value >> 1 ^ 0x8408 : value >> 1);
    }
    edc[0] = (uint8_t)(value >> 8);
    edc[1] = (uint8_t)value;
    return 2;
}

static void forget_command(struct ccid_virtual_t1 *card)
{
    explicit_bzero(card->command, card->command_len);
    card->command_len = 0;
}

/* But for its end, perhaps, which is the last block. */
static void forget_answer(struct ccid_virtual_t1 *card)
{
    explicit_bzero(card->answer, card->answer_len);
    card->answer_len = card->answer_pos = card->part_len = 0;
}

static void forget_last(struct ccid_virtual_t1 *card)
{
    explicit_bzero(card->last, card->last_len);
    card->last_len = 0;
}

void ccid_virtual_t1_forget(struct ccid_virtual_t1 *card)
{
    forget_command(card);
    forget_answer(card);
    forget_last(card);
}

void ccid_virtual_t1_reset(struct ccid_virtual_t1 *card)
{
    card->ifsd = 32;
    card->ns = card->nr = 0;
    card->blocks_sent = card->commands = 0;
    card->answering = card->mute = false;
    ccid_virtual_t1_forget(card);
}

static size_t keep(struct ccid_virtual_t1 *card, uint8_t nad, uint8_t pcb,
                   const uint8_t *inf, size_t len)
{
    uint8_t *block = card->last;

    forget_last(card);
    block[0] = (uint8_t)((nad & 0x07) << 4 | (nad & 0x70) >> 4);
    block[1] = pcb;
    block[2] = (uint8_t)len;
    if (len)
        memcpy(block + 3, inf, len);
    card->last_len = 3 + len;
    card->last_len +=
        ccid_virtual_t1_edc(card->crc, block, card->last_len, block + card->last_len);
    return card->last_len;
}

static size_t r_block(struct ccid_virtual_t1 *card, uint8_t nad, uint8_t error)
{
    return keep(card, nad, (uint8_t)(0x80 | card->nr << 4 | error), NULL, 0);
}

static size_t answer_part(struct ccid_virtual_t1 *card, uint8_t nad)
{
    size_t left = card->answer_len - card->answer_pos;
    size_t part = left < card->ifsd ? left : card->ifsd, len;
    uint8_t pcb = (uint8_t)(card->ns << 6 | (part < left ? 0x20 : 0));

    card->part_len = part;
    len = keep(card, nad, pcb, card->answer + card->answer_pos, part);
    if (part == left)
        forget_answer(card);
    return len;
}

static size_t take_i(struct ccid_virtual_t1 *card, const uint8_t *in, size_t inf_len)
{
    uint8_t number = in[1] >> 6 & 1;

    if (card->answering) { /* acknowledges the end of the answer */
        card->answering = false;
        card->ns ^= 1;
        forget_command(card);
    }
    if (number != card->nr || inf_len > card->ifsc ||
        card->command_len + inf_len > sizeof card->command)
        return r_block(card, in[0], 2);
    memcpy(card->command + card->command_len, in + 3, inf_len);
    card->command_len += inf_len;
    card->nr ^= 1;
    if (in[1] & 0x20)
        return r_block(card, in[0], 0);
    card->commands++;
    card->answer_len =
        card->execute(card->context, card->command, card->command_len, card->answer);
    forget_command(card);
    card->answer_pos = 0;
    card->mute = card->answer_len == 0;
    card->answering = true;
    return answer_part(card, in[0]);
}

static size_t take_r(struct ccid_virtual_t1 *card, const uint8_t *in)
{
    uint8_t number = in[1] >> 4 & 1;

    if (card->answering && number != card->ns &&
        card->answer_pos + card->part_len < card->answer_len) {
        card->answer_pos += card->part_len;
        card->ns ^= 1;
        return answer_part(card, in[0]);
    }
    return card->last_len ? card->last_len : r_block(card, in[0], 2);
}

static size_t take_s(struct ccid_virtual_t1 *card, const uint8_t *in, size_t inf_len)
{
    switch (in[1]) {
    case 0xc0: /* RESYNCH */
        card->ns = card->nr = 0;
        card->ifsd = 32;
        card->answering = false;
        forget_command(card);
        forget_answer(card);
        return keep(card, in[0], 0xe0, NULL, 0);
    case 0xc1: /* IFS */
        if (inf_len != 1 || in[3] == 0 || in[3] == 255 ||
            card->fault == CCID_T1_FAULT_IFS_REFUSED)
            return r_block(card, in[0], 2);
        card->ifsd = in[3];
        return keep(card, in[0], 0xe1, in + 3, 1);
    default:
        return r_block(card, in[0], 2);
    }
}

static bool faulty(const struct ccid_virtual_t1 *card)
{
    return card->fault != CCID_T1_FAULT_NONE && card->blocks_sent >= card->fault_at &&
           card->blocks_sent - card->fault_at < card->fault_count;
}

/* The block as it goes out, with the fault that was ordered. */
static size_t send_last(struct ccid_virtual_t1 *card, uint8_t *out)
{
    size_t tail = card->crc ? 2 : 1;

    bool fault = faulty(card);

    card->blocks_sent++;
    memcpy(out, card->last, card->last_len);
    if (!fault)
        return card->last_len;
    switch (card->fault) {
    case CCID_T1_FAULT_BAD_EDC:
        out[card->last_len - 1] ^= 0xff;
        break;
    case CCID_T1_FAULT_LOST:
        return 0;
    case CCID_T1_FAULT_WRONG_SEQ:
        out[1] ^= (out[1] & 0x80) ? 0x10 : 0x40;
        ccid_virtual_t1_edc(card->crc, out, card->last_len - tail,
                            out + card->last_len - tail);
        break;
    case CCID_T1_FAULT_WTX:
    case CCID_T1_FAULT_ABORT: {
        size_t len = card->fault == CCID_T1_FAULT_WTX ? 1 : 0;
        out[1] = len ? 0xc3 : 0xc2;
        out[2] = (uint8_t)len;
        out[3] = card->fault_value;
        return 3 + len + ccid_virtual_t1_edc(card->crc, out, 3 + len, out + 3 + len);
    }
    default:
        break;
    }
    return card->last_len;
}

size_t ccid_virtual_t1_block(struct ccid_virtual_t1 *card, const uint8_t *in, size_t len,
                             uint8_t out[CCID_VIRTUAL_T1_BLOCK_MAX])
{
    size_t tail = card->crc ? 2 : 1;
    uint8_t edc[2];

    if (len < 3 + tail || len > CCID_VIRTUAL_T1_BLOCK_MAX || in[2] != len - 3 - tail) {
        r_block(card, len ? in[0] : 0, 2);
    } else if (ccid_virtual_t1_edc(card->crc, in, len - tail, edc),
               memcmp(edc, in + len - tail, tail) != 0) {
        r_block(card, in[0], 1);
    } else if (in[1] == 0xe3 || in[1] == 0xe1 || in[1] == 0xe2) {
        /* The reader has answered our S-block: go on with what was meant. */
    } else if (!(in[1] & 0x80)) {
        take_i(card, in, in[2]);
    } else if (!(in[1] & 0x40)) {
        take_r(card, in);
    } else {
        take_s(card, in, in[2]);
    }
    return card->last_len && !card->mute ? send_last(card, out) : 0;
}
