/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pin.h - what a program asks of a PIN pad (PC/SC part 10 §2.5) as what a reader is told
 * (CCID 1.1 §6.1.11). Pure.
 */
#ifndef CCID_PIN_H
#define CCID_PIN_H

#include <stddef.h>
#include <stdint.h>

#include "scard_ioctl.h"

/* bPINOperation; also the bit of bPINSupport. */
enum ccid_pin_operation { CCID_PIN_VERIFY = 0x00, CCID_PIN_MODIFY = 0x01 };
/* T=1: the block with the PIN once more, which only the reader has. */
#define CCID_PIN_RESEND 0x05

/* A modification with three messages, and the command. */
#define CCID_PIN_DATA_MAX (20 + SCARD_PIN_APDU_MAX)

struct ccid_pin {
    uint8_t data[CCID_PIN_DATA_MAX]; /* abData of PC_to_RDR_Secure */
    uint32_t length;
    uint32_t prologue;    /* where bTeoPrologue stands in it; the command follows */
    uint32_t apdu_length; /* of the command */
    uint8_t timeout_s;    /* 0: the reader's own */
};

/*
 * Reads struct scard_pin_verify or struct scard_pin_modify and writes out; quirks are
 * CCID_QUIRK_PIN_ bits. NULL when it is sound, else what is wrong with it, for the log.
 */
const char *ccid_pin_build(enum ccid_pin_operation operation, const uint8_t *in,
                           size_t len, uint32_t quirks, struct ccid_pin *out);

/* How many digits the pad takes. */
void ccid_pin_digits(uint32_t quirks, uint8_t *min, uint8_t *max);

#endif
