/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timeouts.c - how long a card may take for one command. Pure.
 *
 * The reader has to give up first, so that its error, and not our silence, is the
 * answer: the longest legal exchange of ISO/IEC 7816-3 §10.2 (T=0) or §11.4.3 (T=1),
 * and a second. A card may announce waiting times of hours; nothing waits longer than
 * ten minutes.
 */
#include "ccid/slot.h"

#define MARGIN_MS  1000u
#define LEAST_MS   3000u
#define MOST_MS    (10u * 60u * 1000u)
#define UNKNOWN_MS 60000u /* no parameters to compute from */

static uint32_t bounded_ms(uint64_t us)
{
    us = us / 1000 < LEAST_MS ? (uint64_t)LEAST_MS * 1000 : us;
    us += (uint64_t)MARGIN_MS * 1000;
    return us / 1000 > MOST_MS ? MOST_MS : (uint32_t)(us / 1000);
}

uint32_t ccid_timeout_block_ms(const SCARD_CARD_CAPABILITIES *card, uint8_t wtx)
{
    uint64_t bwt_us = card->T1.BWT;

    if (bwt_us == 0)
        return UNKNOWN_MS;
    if (wtx > 1)
        bwt_us *= wtx;
    return bounded_ms(260 * (uint64_t)card->GT + bwt_us + 260 * (uint64_t)card->T1.CWT);
}

uint32_t ccid_timeout_transmit_ms(const SCARD_CARD_CAPABILITIES *card)
{
    uint64_t character_us = card->GT;
    uint64_t many_characters, many_waits;

    if (card->Protocol.Selected == SCARD_PROTOCOL_T1)
        return ccid_timeout_block_ms(card, 0);
    if (card->T0.WT == 0)
        return UNKNOWN_MS;
    many_characters = 261 * character_us + 6 * (uint64_t)card->T0.WT;
    many_waits = 5 * character_us + 260 * (uint64_t)card->T0.WT;
    return bounded_ms(many_characters > many_waits ? many_characters : many_waits);
}
