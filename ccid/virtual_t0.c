/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_t0.c - the card's side of T=0.
 *
 * Five bytes are a command without data or one that expects P3 bytes; only the command
 * itself knows which, so it is executed as the latter. An answer to a command with data
 * waits for GET RESPONSE (61xx). Where P3 is not the number of bytes that there are, the
 * card says the right one (6Cxx).
 */
#include "ccid/virtual_t0.h"

#include <string.h>

#define HEADER           5
#define STATUS_WORD      2
#define INS_GET_RESPONSE 0xC0

static size_t only(uint8_t *out, unsigned status_word)
{
    out[0] = (uint8_t)(status_word >> 8);
    out[1] = (uint8_t)status_word;
    return STATUS_WORD;
}

/* SW1 with a number of bytes, 256 and more as 00. */
static size_t number(uint8_t *out, uint8_t sw1, size_t bytes)
{
    return only(out, (unsigned)sw1 << 8 | (bytes < 256 ? (unsigned)bytes : 0));
}

static size_t expected(const uint8_t *tpdu)
{
    return tpdu[4] == 0 ? 256 : tpdu[4];
}

void ccid_virtual_t0_reset(struct ccid_virtual_t0 *card)
{
    card->answer_len = card->answer_pos = 0;
}

static size_t get_response(struct ccid_virtual_t0 *card, const uint8_t *tpdu,
                           uint8_t *out)
{
    size_t left, part = expected(tpdu);

    if (card->answer_len == 0)
        return only(out, 0x6985);
    left = card->answer_len - STATUS_WORD - card->answer_pos;
    if (part > left)
        return number(out, 0x6C, left);
    memcpy(out, card->answer + card->answer_pos, part);
    card->answer_pos += part;
    if (part < left)
        return part + number(out + part, 0x61, left - part);
    memcpy(out + part, card->answer + card->answer_len - STATUS_WORD, STATUS_WORD);
    ccid_virtual_t0_reset(card);
    return part + STATUS_WORD;
}

size_t ccid_virtual_t0_tpdu(struct ccid_virtual_t0 *card, const uint8_t *tpdu, size_t len,
                            uint8_t out[CCID_VIRTUAL_T0_ANSWER_MAX])
{
    bool has_data = len > HEADER;
    size_t answer_len;

    if (tpdu[1] == INS_GET_RESPONSE)
        return get_response(card, tpdu, out);
    ccid_virtual_t0_reset(card); /* whatever waited, waited for the next command only */
    if (has_data && len != HEADER + (size_t)tpdu[4])
        return only(out, 0x6700);
    answer_len = card->execute(card->context, tpdu, len, card->answer);
    if (answer_len == 0)
        return 0;
    if (answer_len == STATUS_WORD ||
        (!has_data && answer_len == expected(tpdu) + STATUS_WORD)) {
        memcpy(out, card->answer, answer_len);
        return answer_len;
    }
    if (!has_data && answer_len <= CCID_VIRTUAL_T0_ANSWER_MAX)
        return number(out, 0x6C, answer_len - STATUS_WORD);
    card->answer_len = answer_len;
    return number(out, 0x61, answer_len - STATUS_WORD);
}
