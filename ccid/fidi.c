/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fidi.c - which Fi and Di to ask a card for: the best of its TA1 that the reader can do
 * (ISO/IEC 7816-3 §8.3; CCID 1.1 table 5.1-1, dwDataRate and dwMaxDataRate). Pure.
 *
 * The clock is the one that the card started with. A rate is possible if it is not above
 * the reader's maximum and, where the reader has a list, in it.
 */
#include "ccid/timing.h"

#define TOLERANCE_BPS 2 /* lists are rounded one way or the other */

uint32_t ccid_fidi_bps(const SCARD_CARD_CAPABILITIES *card,
                       const SCARD_READER_CAPABILITIES *reader, uint8_t fidi)
{
    uint64_t f = card->ClockRateConversion[fidi >> 4].F;
    uint64_t d = card->BitRateAdjustment[fidi & 0x0F].DNumerator;
    uint64_t bps;

    if (f == 0)
        return 0;
    bps = reader->CLKFrequency.Default * UINT64_C(1000) * d / f;
    return bps < UINT32_MAX ? (uint32_t)bps : UINT32_MAX;
}

static bool possible(const SCARD_READER_CAPABILITIES *reader, uint32_t bps)
{
    if (bps == 0 || bps > (uint64_t)reader->DataRate.Max + TOLERANCE_BPS)
        return false;
    if (reader->DataRatesSupported.Entries == 0)
        return true;
    for (uint8_t i = 0; i < reader->DataRatesSupported.Entries; i++) {
        uint32_t listed = reader->DataRatesSupported.List[i];

        if ((listed > bps ? listed - bps : bps - listed) <= TOLERANCE_BPS)
            return true;
    }
    return false;
}

uint8_t ccid_fidi_choose(const SCARD_CARD_CAPABILITIES *card,
                         const SCARD_READER_CAPABILITIES *reader, uint32_t below_bps)
{
    ULONG d = card->BitRateAdjustment[card->Dl & 0x0F].DNumerator;
    uint8_t best = CCID_FIDI_DEFAULT;
    ULONG best_d = 1;

    for (uint8_t di = 0; di < 16; di++) {
        uint8_t fidi = (uint8_t)(card->Fl << 4 | di);
        ULONG this_d = card->BitRateAdjustment[di].DNumerator;
        uint32_t bps = ccid_fidi_bps(card, reader, fidi);

        if (this_d <= best_d || this_d > d || (below_bps != 0 && bps >= below_bps) ||
            !possible(reader, bps))
            continue;
        best = fidi;
        best_d = this_d;
    }
    return best;
}
