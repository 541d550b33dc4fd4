/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_card.h - a card below the fake reader, for T=0 and T=1: an RDF_TRANSMIT that does
 * what a driver of a TPDU reader does. One reader at a time.
 *
 * 00 D6 P1 P2 Lc data   writes to a memory of 256 bytes      9000
 * 00 B0 P1 P2 Le        reads it
 * 00 A4 00 00 02 3F 00  9000; every other file               6A82
 * 80 E0 00 00 ...       the status word is P1 P2
 * 80 E2 P1 P2 Le        P1 P2 bytes of 55, T=1
 * 80 00 ...             silence
 */
#ifndef TESTS_SMCLIB_FAKE_CARD_H
#define TESTS_SMCLIB_FAKE_CARD_H

#include "ccid/virtual_t1.h"
#include "fake_reader.h"

struct fake_card {
    struct ccid_virtual_t1 t1;
    UCHAR memory[256];
    bool inverse; /* what a raw inverse card sends and gets is inverted */
    ULONG longest_request, longest_reply; /* bytes on the line */
    UCHAR longest_wait;                   /* T1.Wtx */
};

extern struct fake_card fake_card;

/* A reset of the card; its memory stays. */
void fake_card_reset(UCHAR ifsc);

NTSTATUS fake_card_transmit(PSMARTCARD_EXTENSION ext);

#endif
