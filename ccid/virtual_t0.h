/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_t0.h - the card's side of T=0 (ISO/IEC 7816-3 §10 and §12.2), pure: TPDU in,
 * data and SW1 SW2 out. Procedure bytes are the reader's business.
 */
#ifndef CCID_VIRTUAL_T0_H
#define CCID_VIRTUAL_T0_H

#include "ccid/virtual_card.h"

#define CCID_VIRTUAL_T0_COMMAND_MAX 260 /* header 5, data 255 */
#define CCID_VIRTUAL_T0_ANSWER_MAX  258 /* data 256, SW1 SW2 */
#define CCID_VIRTUAL_T0_APDU_MAX    65544

struct ccid_virtual_t0 {
    ccid_virtual_apdu *execute;
    void *context;

    /* What waits for GET RESPONSE. */
    uint8_t answer[CCID_VIRTUAL_RESPONSE_MAX];
    size_t answer_len; /* with the status word; 0: nothing waits */
    size_t answer_pos;

    /* What ENVELOPE has brought so far of an extended APDU. */
    uint8_t apdu[CCID_VIRTUAL_T0_APDU_MAX];
    size_t apdu_len;
    bool le_may_follow; /* it was executed without, at the edge of an ENVELOPE */
};

/* Reset: nothing waits, nothing is collected. */
void ccid_virtual_t0_reset(struct ccid_virtual_t0 *card);

/* Takes a command of 5 ... CCID_VIRTUAL_T0_COMMAND_MAX bytes; returns the length of the
 * answer, at least 2, or 0 for silence. */
size_t ccid_virtual_t0_tpdu(struct ccid_virtual_t0 *card, const uint8_t *tpdu, size_t len,
                            uint8_t out[CCID_VIRTUAL_T0_ANSWER_MAX]);

#endif
