/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_contact.h - the built-in card as a reader at TPDU level sees it through the
 * contacts: it speaks one protocol at one rate, listens to a PPS first, and says nothing
 * to a reader that speaks otherwise.
 */
#ifndef CCID_VIRTUAL_CONTACT_H
#define CCID_VIRTUAL_CONTACT_H

#include "ccid/virtual_card.h"
#include "ccid/virtual_t0.h"
#include "ccid/virtual_t1.h"

#define CCID_VIRTUAL_CONTACT_MAX CCID_VIRTUAL_T1_BLOCK_MAX /* longest answer */

struct ccid_virtual_contact {
    struct ccid_virtual_card *card;
    struct ccid_virtual_offer offer;
    uint8_t protocol, fidi; /* what it speaks */
    bool fresh;             /* it has said nothing but its ATR */
    uint8_t wtx_asked;      /* multiplier of S(WTX request), until it is granted */
    uint32_t delay_ms;      /* of the command executed last */
    struct ccid_virtual_t0 t0;
    struct ccid_virtual_t1 t1;
};

/* What the reader speaks, and how long the card takes. */
struct ccid_virtual_line {
    uint8_t protocol, fidi; /* in */
    uint32_t delay_ms;      /* out: for the command itself */
    uint8_t waits;          /* out: block waiting times that it takes on top */
};

/* Cold or warm reset of the card. */
void ccid_virtual_contact_reset(struct ccid_virtual_contact *contact,
                                struct ccid_virtual_card *card);

/* Whether the bytes are a PPS request that the card listens to. */
bool ccid_virtual_contact_awaits_pps(const struct ccid_virtual_contact *contact,
                                     const uint8_t *in, size_t len);

/* Takes a TPDU, a block or a PPS request and gives the card's answer; returns its length,
 * 0 for silence. */
size_t ccid_virtual_contact_exchange(struct ccid_virtual_contact *contact,
                                     struct ccid_virtual_line *line, const uint8_t *in,
                                     size_t len, uint8_t out[CCID_VIRTUAL_CONTACT_MAX]);

#endif
