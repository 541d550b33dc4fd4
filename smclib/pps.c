/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pps.c - chooses clock and bit rate for a card: the best that TA1 and the reader allow,
 * or the default of 372/1. Pure. The exchange itself (ISO/IEC 7816-3 §9) is the driver's.
 */
#include "internal.h"

#define RATE_TOLERANCE 50 /* a rate matches within one part in 50 */

/* Highest clock of the reader that F allows; 0 when there is none. kHz. */
static ULONG clock_choose(const SCARD_READER_CAPABILITIES *reader, ULONG max_khz)
{
    ULONG best = 0;

    if (reader->CLKFrequenciesSupported.Entries == 0) {
        best = reader->CLKFrequency.Max <= max_khz ? reader->CLKFrequency.Max : 0;
        if (best == 0 && reader->CLKFrequency.Default <= max_khz)
            best = reader->CLKFrequency.Default;
        return best;
    }
    for (unsigned i = 0; i < reader->CLKFrequenciesSupported.Entries; i++) {
        ULONG khz = reader->CLKFrequenciesSupported.List[i];

        if (khz <= max_khz && khz > best)
            best = khz;
    }
    return best;
}

static bool rate_supported(const SCARD_READER_CAPABILITIES *reader, ULONG rate)
{
    if (reader->DataRatesSupported.Entries == 0)
        return rate <= reader->DataRate.Max + reader->DataRate.Max / RATE_TOLERANCE;
    for (unsigned i = 0; i < reader->DataRatesSupported.Entries; i++) {
        ULONG listed = reader->DataRatesSupported.List[i];
        ULONG difference = listed > rate ? listed - rate : rate - listed;

        if (difference <= listed / RATE_TOLERANCE)
            return true;
    }
    return false;
}

/* The index of the next smaller D; that of D = 1 at the end. */
static UCHAR next_smaller(UCHAR dl)
{
    UCHAR best = 1;

    for (UCHAR i = 0; i < 16; i++) {
        ULONG d = smc_bit_rates[i].DNumerator;

        if (d < smc_bit_rates[dl].DNumerator && d > smc_bit_rates[best].DNumerator)
            best = i;
    }
    return best;
}

static bool choose_optimal(PTS_DATA *pts, UCHAR fl, UCHAR dl,
                           const SCARD_READER_CAPABILITIES *reader)
{
    ULONG f = smc_clock_rates[fl].F;
    ULONG khz = clock_choose(reader, smc_clock_rates[fl].fs / 1000);

    if (khz == 0) /* always with a reserved F, whose highest clock is 0 */
        return false;
    for (; smc_bit_rates[dl].DNumerator > 1; dl = next_smaller(dl)) {
        /* No F allows a clock with which this exceeds 32 bits. */
        ULONG rate = (ULONG)((uint64_t)khz * 1000 * smc_bit_rates[dl].DNumerator / f);

        if (rate_supported(reader, rate)) {
            pts->Fl = fl;
            pts->Dl = dl;
            pts->CLKFrequency = khz;
            pts->DataRate = rate;
            return true;
        }
    }
    return false;
}

void smc_pps_choose(PTS_DATA *pts, UCHAR fl, UCHAR dl, bool one_stop_bit,
                    const SCARD_READER_CAPABILITIES *reader)
{
    if (pts->Type == PTS_TYPE_USER)
        return;
    pts->StopBits = one_stop_bit ? 1 : 2;
    if (pts->Type == PTS_TYPE_OPTIMAL && choose_optimal(pts, fl & 0xF, dl & 0xF, reader))
        return;
    pts->Fl = pts->Dl = 1;
    pts->CLKFrequency = reader->CLKFrequency.Default;
    pts->DataRate = reader->DataRate.Default;
}
