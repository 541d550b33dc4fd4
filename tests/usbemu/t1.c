/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * t1.c - the card's side of T=1 (ISO/IEC 7816-3 §11): I-blocks with chaining both ways,
 * R-blocks, S(RESYNCH), S(IFS). An invalid block is answered with an R-block.
 */
#include "tpdu.h"

#include <stdlib.h>
#include <string.h>

#define PCB_MORE     0x20
#define PCB_R        0x80
#define PCB_S        0xc0
#define PCB_RESYNCH  0xc0
#define PCB_IFS      0xc1
#define R_EDC_ERROR  1
#define IFSD_DEFAULT 32
#define INF_MAX      254

static uint8_t lrc(const uint8_t *p, size_t len)
{
    uint8_t x = 0;

    for (size_t i = 0; i < len; i++)
        x ^= p[i];
    return x;
}

static size_t make(uint8_t *reply, uint8_t nad, unsigned pcb, const uint8_t *inf,
                   size_t len)
{
    /* source and destination change places */
    reply[0] = (uint8_t)((nad >> 4 & 0x07) | (nad & 0x07) << 4);
    reply[1] = (uint8_t)pcb;
    reply[2] = (uint8_t)len;
    if (len)
        memcpy(reply + 3, inf, len);
    reply[3 + len] = lrc(reply, 3 + len);
    return len + 4;
}

static size_t inf_limit(const struct emu_t1 *t1)
{
    return t1->ifsd ? t1->ifsd : IFSD_DEFAULT;
}

/* The present part of the answer, again if it was sent before. */
static size_t send_part(struct emu_t1 *t1, uint8_t nad, uint8_t *reply)
{
    size_t left = t1->answer_len - t1->answer_pos;
    size_t n = left < inf_limit(t1) ? left : inf_limit(t1);
    unsigned more = n < left ? PCB_MORE : 0u;

    t1->sending = true;
    return make(reply, nad, (unsigned)t1->ns << 6 | more, t1->answer + t1->answer_pos, n);
}

static size_t s_block(struct emu_t1 *t1, const uint8_t *b, uint8_t *reply)
{
    if (b[1] == PCB_RESYNCH) {
        uint8_t ifsd = t1->ifsd;

        emu_t1_reset(t1);
        t1->ifsd = ifsd;
    } else if (b[1] == PCB_IFS && b[2] == 1 && b[3] > 0 && b[3] < 255) {
        t1->ifsd = b[3];
    }
    return make(reply, b[0], b[1] | 0x20u, b + 3, b[2]);
}

static size_t r_block(struct emu_t1 *t1, const uint8_t *b, uint8_t *reply)
{
    uint8_t nr = b[1] >> 4 & 1;

    if (!t1->sending)
        return make(reply, b[0], PCB_R | (unsigned)t1->expected << 4, NULL, 0);
    if (nr != t1->ns && t1->answer_len - t1->answer_pos > inf_limit(t1)) {
        t1->answer_pos += inf_limit(t1);
        t1->ns ^= 1;
    }
    return send_part(t1, b[0], reply);
}

static size_t i_block(struct emu_t1 *t1, struct ccid_virtual_card *card, const uint8_t *b,
                      uint8_t *reply, uint32_t *delay_ms)
{
    if ((b[1] >> 6 & 1) != t1->expected) /* sent twice: our answer was lost */
        return t1->sending
                   ? send_part(t1, b[0], reply)
                   : make(reply, b[0], PCB_R | (unsigned)t1->expected << 4, NULL, 0);
    if (t1->sending) {
        t1->ns ^= 1;
        t1->sending = false;
    }
    if (!t1->command)
        t1->command = emu_alloc(EMU_APDU_MAX);
    t1->expected ^= 1;
    if (b[2] <= EMU_APDU_MAX - t1->command_len) {
        memcpy(t1->command + t1->command_len, b + 3, b[2]);
        t1->command_len += b[2];
    }
    if (b[1] & PCB_MORE)
        return make(reply, b[0], PCB_R | (unsigned)t1->expected << 4, NULL, 0);

    if (!t1->answer)
        t1->answer = emu_alloc(CCID_VIRTUAL_RESPONSE_MAX);
    t1->answer_len =
        emu_card_apdu(card, t1->command, t1->command_len, t1->answer, delay_ms);
    t1->answer_pos = 0;
    t1->command_len = 0;
    if (t1->answer_len == 0)
        return 0;
    return send_part(t1, b[0], reply);
}

void emu_t1_reset(struct emu_t1 *t1)
{
    free(t1->command);
    free(t1->answer);
    memset(t1, 0, sizeof *t1);
}

size_t emu_t1_block(struct emu_t1 *t1, struct ccid_virtual_card *card,
                    const uint8_t *block, size_t block_len, uint8_t *reply,
                    uint32_t *delay_ms)
{
    *delay_ms = 0;
    if (card->mute)
        return 0;
    if (block_len < 4 || block_len != 4u + block[2] || block[2] > INF_MAX ||
        lrc(block, block_len) != 0)
        return make(reply, 0, PCB_R | (unsigned)t1->expected << 4 | R_EDC_ERROR, NULL, 0);
    if ((block[1] & PCB_S) == PCB_S)
        return s_block(t1, block, reply);
    if ((block[1] & PCB_S) == PCB_R)
        return r_block(t1, block, reply);
    return i_block(t1, card, block, reply, delay_ms);
}
