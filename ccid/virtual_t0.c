/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_t0.c - the card's side of T=0.
 *
 * Five bytes are a command without data or one that expects P3 bytes; only the command
 * itself knows which, so it is executed as the latter. An answer to a command with data
 * waits for GET RESPONSE (61xx). Where P3 is not the number of bytes that there are, the
 * card says the right one (6Cxx). An extended APDU comes in ENVELOPEs.
 */
#include "ccid/virtual_t0.h"

#include <string.h>

#define HEADER           5
#define STATUS_WORD      2
#define INS_GET_RESPONSE 0xC0
#define INS_ENVELOPE     0xC2
#define ENVELOPE_MAX     255
#define EXTENDED_HEADER  7 /* CLA INS P1 P2 00 and two bytes Lc */
#define LE_LENGTH        2

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

static void forget_answer(struct ccid_virtual_t0 *card)
{
    explicit_bzero(card->answer, card->answer_len);
    card->answer_len = card->answer_pos = 0;
}

static void forget_envelope(struct ccid_virtual_t0 *card)
{
    explicit_bzero(card->apdu, card->apdu_len);
    card->apdu_len = 0;
    card->le_may_follow = false;
}

void ccid_virtual_t0_reset(struct ccid_virtual_t0 *card)
{
    forget_answer(card);
    forget_envelope(card);
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
    forget_answer(card);
    return part + STATUS_WORD;
}

/* ---- ENVELOPE (ISO/IEC 7816-4 §7.6.2, ISO/IEC 7816-3 §12.2.5) ---------------------- */

static size_t refuse(struct ccid_virtual_t0 *card, uint8_t *out)
{
    ccid_virtual_t0_reset(card);
    return only(out, 0x6700);
}

/* The answer waits for GET RESPONSE; a status word alone is said at once. */
static size_t announce(struct ccid_virtual_t0 *card, uint8_t *out)
{
    size_t len = card->answer_len;

    if (len > STATUS_WORD)
        return number(out, 0x61, len - STATUS_WORD);
    memcpy(out, card->answer, len);
    forget_answer(card);
    return len;
}

static size_t execute_apdu(struct ccid_virtual_t0 *card, uint8_t *out)
{
    card->answer_len =
        card->execute(card->context, card->apdu, card->apdu_len, card->answer);
    forget_envelope(card);
    return announce(card, out);
}

/*
 * Whole is an extended APDU with data, with Le or without. Where it is whole without Le
 * and the ENVELOPE is full, the Le may be in the next one: the command runs now, since
 * perhaps nothing follows, and what it answers is said when the Le has come.
 */
static size_t envelope(struct ccid_virtual_t0 *card, const uint8_t *tpdu, size_t len,
                       uint8_t *out)
{
    size_t part = len - HEADER, whole, out_len;

    if (part != tpdu[4] || part == 0)
        return refuse(card, out);
    if (card->le_may_follow && part == LE_LENGTH) {
        forget_envelope(card);
        return announce(card, out);
    }
    forget_answer(card);
    card->le_may_follow = false;
    if (part > CCID_VIRTUAL_T0_APDU_MAX - card->apdu_len)
        return refuse(card, out);
    memcpy(card->apdu + card->apdu_len, tpdu + HEADER, part);
    card->apdu_len += part;
    if (card->apdu_len < EXTENDED_HEADER)
        return only(out, 0x9000);
    whole = EXTENDED_HEADER + ((size_t)card->apdu[5] << 8 | card->apdu[6]);
    if (card->apdu[4] != 0 || whole == EXTENDED_HEADER ||
        card->apdu_len > whole + LE_LENGTH)
        return refuse(card, out);
    if (card->apdu_len < whole || card->apdu_len == whole + 1)
        return only(out, 0x9000);
    if (card->apdu_len == whole && part == ENVELOPE_MAX) {
        out_len = execute_apdu(card, out);
        card->le_may_follow = card->answer_len > STATUS_WORD;
        return card->le_may_follow ? only(out, 0x9000) : out_len;
    }
    return execute_apdu(card, out);
}

size_t ccid_virtual_t0_tpdu(struct ccid_virtual_t0 *card, const uint8_t *tpdu, size_t len,
                            uint8_t out[CCID_VIRTUAL_T0_ANSWER_MAX])
{
    bool has_data = len > HEADER;
    size_t answer_len;

    if (tpdu[1] == INS_GET_RESPONSE)
        return get_response(card, tpdu, out);
    if (tpdu[1] == INS_ENVELOPE)
        return envelope(card, tpdu, len, out);
    ccid_virtual_t0_reset(card); /* whatever waited, waited for the next command only */
    if (has_data && len != HEADER + (size_t)tpdu[4])
        return only(out, 0x6700);
    answer_len = card->execute(card->context, tpdu, len, card->answer);
    if (answer_len == 0)
        return 0;
    card->answer_len = answer_len;
    if (answer_len == STATUS_WORD ||
        (!has_data && answer_len == expected(tpdu) + STATUS_WORD)) {
        memcpy(out, card->answer, answer_len);
        forget_answer(card);
        return answer_len;
    }
    if (!has_data && answer_len <= CCID_VIRTUAL_T0_ANSWER_MAX) {
        forget_answer(card);
        return number(out, 0x6C, answer_len - STATUS_WORD);
    }
    return number(out, 0x61, answer_len - STATUS_WORD);
}
