/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mux.h - one device, several slots with a command under way (bMaxCCIDBusySlots > 1).
 * Every slot gets a port of its own, a lane, on which it is as if it were alone.
 * mux.c has the theory.
 */
#ifndef CCID_MUX_H
#define CCID_MUX_H

#include "ccid/internal.h"

struct ccid_mux;

/* The port is borrowed. NULL: no memory. */
struct ccid_mux *ccid_mux_new(const struct ccid_usb_port *port,
                              const struct ccid_desc *desc);
/* Nobody uses a lane any more. */
void ccid_mux_free(struct ccid_mux *mux);

/* The lane of a slot. Its transfers are made by one thread at a time; start, stop and
 * hold are the device's alone and not there. */
struct ccid_usb_port ccid_mux_lane(struct ccid_mux *mux, uint8_t slot);

/*
 * A place for one command, and its number (bSeq), to be given back by end. Waits as long
 * as the others may take: CCID_USB_TIMEOUT, CCID_USB_CANCELLED or CCID_USB_GONE, and
 * there is no place.
 */
enum ccid_usb_result ccid_mux_begin(struct ccid_usb *lane, uint8_t *seq);
void ccid_mux_end(struct ccid_usb *lane);

/* From pause to resume, which are for the lane that brings its slot back in step, no
 * other lane begins a command. */
enum ccid_usb_result ccid_mux_pause(struct ccid_usb *lane, uint32_t timeout_ms);
void ccid_mux_resume(struct ccid_usb *lane);

/* Everything on all lanes ends with CCID_USB_GONE, for ever. Any thread. */
void ccid_mux_gone(struct ccid_mux *mux);

#endif
