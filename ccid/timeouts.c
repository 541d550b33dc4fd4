/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timeouts.c - how long a card may take for one command. Pure.
 *
 * The reader has to give up first, so that its error, and not our silence, is the
 * answer: the longest legal exchange of ISO/IEC 7816-3 §10.2 (T=0) or §11.4.3 (T=1),
 * and a second. A card may announce waiting times of hours; nothing waits longer than
 * ten minutes. Where there is nothing to compute from, it is a minute: no clock, or no
 * contacts.
 */
#include "ccid/timing.h"

#include "ccid/slot.h"

#include <string.h>

#define MARGIN_MS  1000u
#define LEAST_MS   3000u
#define UNKNOWN_MS 60000u
#define ONE_BLOCK  520u /* characters that the times below reckon with, both ways */

static uint32_t bounded_ms(const struct ccid_desc *desc, uint64_t us)
{
    uint64_t ms = us / 1000 < LEAST_MS ? (uint64_t)LEAST_MS * 1000 : us;

    ms = (ms + (uint64_t)MARGIN_MS * 1000) / 1000 + desc->extra_card_ms;
    return ms > CCID_COMMAND_MAX_MS ? CCID_COMMAND_MAX_MS : (uint32_t)ms;
}

static uint32_t unknown_ms(const struct ccid_desc *desc)
{
    return UNKNOWN_MS + desc->extra_card_ms > CCID_COMMAND_MAX_MS
               ? CCID_COMMAND_MAX_MS
               : UNKNOWN_MS + desc->extra_card_ms;
}

/* PC/SC part 3 §3.1.3.2.3.1: the ATR that a reader makes up for a card without contacts.
 */
static bool is_contactless(const SCARD_CARD_CAPABILITIES *card)
{
    const UCHAR *atr = card->ATR.Buffer;

    return card->ATR.Length >= 5 && atr[0] == 0x3B && (atr[1] & 0xF0) == 0x80 &&
           atr[2] == 0x80 && atr[3] == 0x01 && card->ATR.Length == 5 + (atr[1] & 0x0F);
}

uint8_t ccid_timeout_bwi(const SCARD_CARD_CAPABILITIES *card)
{
    /* The OpenPGP card 2 makes keys without asking for time, and is not done within the
     * 1.4 s of its ATR. */
    static const UCHAR openpgp_2[] = {0x3B, 0xFA, 0x13, 0x00, 0xFF, 0x81, 0x31,
                                      0x80, 0x45, 0x00, 0x31, 0xC1, 0x73, 0xC0,
                                      0x01, 0x00, 0x00, 0x90, 0x00, 0xB1};

    if (card->T1.BWI < 7 && card->ATR.Length == sizeof(openpgp_2) &&
        memcmp(card->ATR.Buffer, openpgp_2, sizeof(openpgp_2)) == 0)
        return 7;
    return card->T1.BWI;
}

uint32_t ccid_timeout_block_ms(const struct ccid_desc *desc,
                               const SCARD_CARD_CAPABILITIES *card, uint8_t wtx)
{
    uint64_t bwt_us = (uint64_t)card->T1.BWT << (ccid_timeout_bwi(card) - card->T1.BWI);

    if (bwt_us == 0 || desc->default_clock_khz == 0)
        return unknown_ms(desc);
    if (wtx > 1)
        bwt_us *= wtx;
    return bounded_ms(desc,
                      260 * (uint64_t)card->GT + bwt_us + 260 * (uint64_t)card->T1.CWT);
}

uint32_t ccid_timeout_transmit_ms(const struct ccid_desc *desc,
                                  const SCARD_CARD_CAPABILITIES *card)
{
    uint64_t character_us = card->GT;
    uint64_t many_characters, many_waits;

    if (card->Protocol.Selected == SCARD_PROTOCOL_T1)
        return ccid_timeout_block_ms(desc, card, 0);
    if (card->T0.WT == 0 || desc->default_clock_khz == 0)
        return unknown_ms(desc);
    many_characters = 261 * character_us + 6 * (uint64_t)card->T0.WT;
    many_waits = 5 * character_us + 260 * (uint64_t)card->T0.WT;
    return bounded_ms(desc, many_characters > many_waits ? many_characters : many_waits);
}

uint32_t ccid_timeout_apdu_ms(const struct ccid_desc *desc,
                              const SCARD_CARD_CAPABILITIES *card, uint32_t characters)
{
    uint64_t ms =
        is_contactless(card) ? unknown_ms(desc) : ccid_timeout_transmit_ms(desc, card);

    /* What the reader carries beyond one block takes its time on the line. */
    if (characters > ONE_BLOCK)
        ms += (uint64_t)(characters - ONE_BLOCK) * card->GT / 1000;
    return ms > CCID_COMMAND_MAX_MS ? CCID_COMMAND_MAX_MS : (uint32_t)ms;
}
