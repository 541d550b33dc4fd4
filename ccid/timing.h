/* SPDX-License-Identifier: BSD-2-Clause */
/* timing.h - waiting times and rates, computed from what card and reader can do. */
#ifndef CCID_TIMING_H
#define CCID_TIMING_H

#include "ccid/internal.h"

struct ccid_slot;

/* ---- timeouts.c ------------------------------------------------------------------ */

/* One TPDU at T=0, or one block each way at T=1. */
uint32_t ccid_timeout_transmit_ms(const struct ccid_desc *desc,
                                  const SCARD_CARD_CAPABILITIES *card);
/* One block each way at T=1; wtx is what the card has asked for, 0: nothing. */
uint32_t ccid_timeout_block_ms(const struct ccid_desc *desc,
                               const SCARD_CARD_CAPABILITIES *card, uint8_t wtx);
/* A message of a reader at APDU level, for which so many characters may cross the
 * contacts. */
uint32_t ccid_timeout_apdu_ms(const struct ccid_desc *desc,
                              const SCARD_CARD_CAPABILITIES *card, uint32_t characters);
/* BWI, corrected for cards that do not keep to theirs. */
uint8_t ccid_timeout_bwi(const SCARD_CARD_CAPABILITIES *card);

/* ---- fidi.c ---------------------------------------------------------------------- */

#define CCID_FIDI_DEFAULT 0x11 /* 372/1 */

/* The rate of Fi and Di at the reader's default clock; 0: they are reserved. */
uint32_t ccid_fidi_bps(const SCARD_CARD_CAPABILITIES *card,
                       const SCARD_READER_CAPABILITIES *reader, uint8_t fidi);
/* The card's Fi with the best of its Di, or a lower one, that the reader can do;
 * below_bps is a rate that it must stay below, 0: none. CCID_FIDI_DEFAULT where there is
 * none. */
uint8_t ccid_fidi_choose(const SCARD_CARD_CAPABILITIES *card,
                         const SCARD_READER_CAPABILITIES *reader, uint32_t below_bps);

/* ---- agreed_rate.c --------------------------------------------------------------- */

#define CCID_RATE_FAILURES_MAX 2 /* of a card; then the default rate */

/* Fi and Di of the card capabilities. */
uint8_t ccid_rate_fidi(const SCARD_CARD_CAPABILITIES *card);
/* Those to ask for now. */
uint8_t ccid_rate_wanted(struct ccid_slot *slot);
/* Card capabilities for that rate. */
NTSTATUS ccid_rate_use(struct ccid_slot *slot, uint8_t fidi);
/* The card does not get along at the rate that was agreed on: stay below it from now. */
void ccid_rate_failed(struct ccid_slot *slot);

#endif
