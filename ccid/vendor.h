/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vendor.h - what RDF_IOCTL_VENDOR serves: PIN pads, escape commands, the card's clock.
 * vendor.c tells the codes apart.
 */
#ifndef CCID_VENDOR_H
#define CCID_VENDOR_H

#include "ccid/pin.h"
#include "ccid/slot.h"

/* The bytes of a request: input and output are the same memory. */
struct ccid_vendor_call {
    struct ccid_slot *slot;
    uint8_t *bytes;
    uint32_t length; /* of the input */
    uint32_t room;   /* for the output */
    uint32_t got;    /* out */
};

/* secure.c: the user types a PIN. The answer is SW1 SW2. */
NTSTATUS ccid_secure(struct ccid_vendor_call *call, enum ccid_pin_operation operation);

/* ---- escape.c -------------------------------------------------------------------- */

bool ccid_escape_is_allowed(void);
/* Sends a command of the vendor's to the reader, and gives its answer. */
NTSTATUS ccid_escape(struct ccid_vendor_call *call);
/* The same between ccid_card_enter and ccid_card_leave, the answer in command->answer.
 * total_ms: as in struct ccid_command. */
NTSTATUS ccid_escape_send(struct ccid_slot *slot, const uint8_t *bytes, uint32_t length,
                          uint32_t total_ms, struct ccid_command *command);

#endif
