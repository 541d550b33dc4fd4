/* SPDX-License-Identifier: BSD-2-Clause */
/* secure.h - a PIN entry under way, for secure.c and secure_t1.c. */
#ifndef CCID_SECURE_H
#define CCID_SECURE_H

#include "ccid/pin.h"
#include "ccid/tpdu.h"

struct ccid_pin_entry {
    struct ccid_slot *slot;
    struct ccid_pin pin;
    struct ccid_transmission transmission;
    bool typed;      /* T=1: the reader has made the block */
    uint8_t resynch; /* T=1: how often the engine had started again by then */
    uint8_t user[2]; /* SW1 SW2 when the user ended it; SW1 0: he did not */
    struct ccid_command command;
};

/* ---- secure.c -------------------------------------------------------------------- */

/* Sends what is at ccid_slot_data. STATUS_SUCCESS with entry->user[0] set: the user ended
 * it. */
NTSTATUS ccid_secure_ask(struct ccid_pin_entry *entry, uint32_t length);

/* ---- secure_t1.c ----------------------------------------------------------------- */

/* The entry with T=1 at TPDU level; *got counts what did not fit, too. */
NTSTATUS ccid_secure_t1(struct ccid_pin_entry *entry, uint8_t *out, uint32_t room,
                        uint32_t *got);

#endif
