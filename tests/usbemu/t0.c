/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * t0.c - the card's side of T=0 (ISO/IEC 7816-3 §10, 7816-4 annex A.2).
 *
 * A five-byte TPDU is either a command without data or one that expects P3 bytes; the
 * card knows which by its instruction. An answer to a command with data waits for GET
 * RESPONSE (61xx, 00 C0). The reader underneath handles procedure and NULL bytes.
 */
#include "tpdu.h"

#include <stdlib.h>
#include <string.h>

static size_t get_response(struct emu_t0 *t0, uint8_t p3, uint8_t *reply)
{
    size_t left = t0->len - t0->pos;
    size_t n = p3 ? p3 : 256;

    if (left == 0) {
        reply[0] = 0x69;
        reply[1] = 0x85;
        return 2;
    }
    if (n > left)
        n = left;
    memcpy(reply, t0->waiting + t0->pos, n);
    t0->pos += n;
    left -= n;
    reply[n] = left ? 0x61 : 0x90;
    reply[n + 1] = left > 255 ? 0 : (uint8_t)left;
    return n + 2;
}

void emu_t0_reset(struct emu_t0 *t0)
{
    free(t0->waiting);
    memset(t0, 0, sizeof *t0);
}

size_t emu_t0_tpdu(struct emu_t0 *t0, struct ccid_virtual_card *card, const uint8_t *tpdu,
                   size_t tpdu_len, uint8_t *reply, uint32_t *delay_ms)
{
    uint8_t apdu[5 + 255];
    size_t expected, n;

    *delay_ms = 0;
    if (card->mute)
        return 0;
    if (tpdu_len < 5 || tpdu_len > sizeof apdu ||
        (tpdu_len > 5 && tpdu_len != 5u + tpdu[4])) {
        reply[0] = 0x67;
        reply[1] = 0x00;
        return 2;
    }
    if (tpdu[1] == 0xc0)
        return get_response(t0, tpdu[4], reply);

    emu_t0_reset(t0);
    memcpy(apdu, tpdu, tpdu_len);
    n = emu_card_apdu(card, apdu, tpdu_len, reply, delay_ms);
    if (n == 0)
        return 0;
    expected = tpdu[4] ? tpdu[4] : 256;
    if (n == 2 || (tpdu_len == 5 && n == expected + 2))
        return n;
    if (tpdu_len == 5 && n <= 258) { /* wrong Le: says the right one */
        reply[0] = 0x6c;
        reply[1] = (uint8_t)(n - 2);
        return 2;
    }
    t0->len = n - 2;
    t0->waiting = emu_alloc(t0->len);
    memcpy(t0->waiting, reply, t0->len);
    reply[0] = 0x61;
    reply[1] = t0->len > 255 ? 0 : (uint8_t)t0->len;
    return 2;
}
