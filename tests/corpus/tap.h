/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap.h - listens on the bus of one reader: what goes over it is counted and noted. One
 * tap at a time.
 *
 * The note is one word a message or request: bMessageType in hexadecimal ("62"), and for
 * class requests bmRequestType:bRequest ("A1:03").
 */
#ifndef TESTS_CORPUS_TAP_H
#define TESTS_CORPUS_TAP_H

#include "ccid/usb_ops.h"

struct tap {
    unsigned outs, ins, controls;
    char note[8192]; /* the beginning, where there is more */
};

/* The port with the tap on it; valid until the next call. */
struct ccid_usb_port tap_port(struct tap *tap, struct ccid_usb_port inner);
/* Forgets what there was. */
void tap_clear(struct tap *tap);

#endif
