/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h - a virtual reader seen from the bus: messages in hexadecimal out and in, on a
 * virtual clock, without the driver.
 */
#ifndef TEST_WIRE_H
#define TEST_WIRE_H

#include "ccid/virtual_reader.h"
#include "virtual_clock.h"

struct wire {
    struct virtual_clock clock;
    struct ccid_virtual_reader *reader;
    struct ccid_usb_port port;
    uint8_t in[1024]; /* the last answer */
    size_t in_len;
};

/* A reader of that shape, with a card in every slot. atr: hexadecimal; NULL: the shape's.
 */
void wire_begin(struct wire *wire, const struct ccid_virtual_shape *shape,
                const char *atr);
void wire_end(struct wire *wire);

void wire_out(struct wire *wire, const char *message);
void wire_expect_in(struct wire *wire, const char *answer);
/* A message and its answer, whole. */
void wire_expect(struct wire *wire, const char *message, const char *answer);
/* The first slot gets power, whatever the card's ATR. */
void wire_power_on(struct wire *wire);

#endif
