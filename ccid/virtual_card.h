/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_card.h - the built-in card of the virtual reader: APDU in, APDU out. It does no
 * I/O and knows no time: a command that takes long says how long.
 *
 *   00 A4 04 00 Lc AID       SELECT: F0 54 45 53 54 42 45 44 or its beginning, else 6A82
 *   00 A4 00 00 02 3F 00     SELECT the master file
 *   00 84 00 00 Le           GET CHALLENGE
 *   00 CA P1 P2 Le           Le bytes 00 01 02 ...
 *   00 B0 P1 P2 Le           likewise
 *   00 20 00 80 Lc PIN       VERIFY 31 32 33 34 35 36; three tries: 63Cx, then 6983
 *   00 24 00 80 Lc OLD NEW   changes it, to four to eight bytes; tries as above
 *   80 00 01 00 01 11        the card is mute from now on, until its next reset
 *   80 E0 00 00 Lc data [Le] ECHO
 *   80 E2 P1 P2 [Le]         P1P2 bytes 00 01 02 ... (at most Le)
 *   80 E4 P1 P2              takes P1P2 ms
 *   80 E6 00 00              9000 if the PIN is verified, else 6982
 *   80 E8 00 00 04           APDUs received since power-up, this one included
 *
 * A row of the table with a wrong or missing Lc or Le, and an APDU that is none: 6700.
 * Anything else: 6D00 in the classes 00 and 80, 6E00 in others.
 */
#ifndef CCID_VIRTUAL_CARD_H
#define CCID_VIRTUAL_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CCID_VIRTUAL_ATR_MAX 33 /* ISO 7816-3:2006 §8.2.1 */
/* The longest response: 65536 bytes of data and SW1 SW2. */
#define CCID_VIRTUAL_RESPONSE_MAX 65538

struct ccid_virtual_card {
    uint8_t atr[CCID_VIRTUAL_ATR_MAX];
    size_t atr_len;
    uint8_t pin[8];
    size_t pin_len;
    uint8_t pin_tries;    /* left; kept over resets, as in a real card's EEPROM */
    bool pin_verified;    /* lost at every reset */
    bool mute;            /* until the next reset */
    uint32_t apdu_count;  /* since the last reset */
    uint32_t random_seed; /* of GET CHALLENGE */
};

/* A new card. atr_len 0: the built-in ATR. False: the ATR is not 2 ... 33 bytes long;
 * what stands in it is the card's affair, since bad cards are to be tried too. */
bool ccid_virtual_card_init(struct ccid_virtual_card *card, const uint8_t *atr,
                            size_t atr_len);

/* Power-up, cold or warm. */
void ccid_virtual_card_reset(struct ccid_virtual_card *card);

/* What the ATR offers (ISO 7816-3:2006 §8.3). */
struct ccid_virtual_offer {
    uint32_t protocols; /* bit 0 T=0, bit 1 T=1, as in dwProtocols */
    uint8_t first;      /* what the card speaks without a PPS */
    bool specific;      /* TA2: it listens to none */
    uint8_t fidi;       /* TA1 */
    uint8_t ifsc;
    bool crc;
};

void ccid_virtual_card_offer(const struct ccid_virtual_card *card,
                             struct ccid_virtual_offer *offer);

/* The protocols alone. */
uint32_t ccid_virtual_card_protocols(const struct ccid_virtual_card *card);

/* Executes one APDU. response has room for CCID_VIRTUAL_RESPONSE_MAX bytes. Returns the
 * length of the response, at least 2, or 0: the card is mute. *delay_ms is the time it
 * needs. */
size_t ccid_virtual_card_apdu(struct ccid_virtual_card *card, const uint8_t *apdu,
                              size_t len, uint8_t *response, uint32_t *delay_ms);

/* The same, as those who speak a protocol for the card call it. answer has room for
 * CCID_VIRTUAL_RESPONSE_MAX bytes. */
typedef size_t ccid_virtual_apdu(void *context, const uint8_t *command, size_t len,
                                 uint8_t *answer);

#endif
