/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_reader.h - a CCID device in software behind struct ccid_usb_ops, as the
 * driver's tests and the virtual bus use it. virtual_reader.c says how it works.
 */
#ifndef CCID_VIRTUAL_READER_H
#define CCID_VIRTUAL_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ccid/clock.h"
#include "ccid/internal.h"

#define CCID_VIRTUAL_SLOTS_MAX    4
#define CCID_VIRTUAL_CONFIG_MAX   128
#define CCID_VIRTUAL_EXTENSION_MS 500 /* between two time extensions */

/* What the device says of itself; the rest of its descriptor is fixed. */
struct ccid_virtual_shape {
    enum ccid_level level;
    uint8_t slot_count;   /* 1 ... CCID_VIRTUAL_SLOTS_MAX */
    bool interrupt;       /* has an interrupt endpoint */
    uint16_t packet_size; /* of the bulk endpoints */
    uint8_t voltage_support;
    uint32_t features; /* dwFeatures without the level */
    uint32_t mechanical;
    uint32_t max_message_length;
    const uint8_t *atr; /* of the card that it gets unless told */
    size_t atr_len;     /* 0: the built-in one */
};

/* One slot, short and extended APDUs, everything automatic except activation. */
extern const struct ccid_virtual_shape ccid_virtual_default_shape;

/* The shape that a user calls so (virtual_shape.c): NULL is the default; or NULL. */
const struct ccid_virtual_shape *ccid_virtual_shape(const char *name);

struct ccid_virtual_reader;

/* Without cards in it. NULL: no memory. The clock is borrowed. */
struct ccid_virtual_reader *ccid_virtual_reader_new(
    struct ccid_clock *clock, const struct ccid_virtual_shape *shape);
/* Nobody uses the port any more. */
void ccid_virtual_reader_free(struct ccid_virtual_reader *reader);

struct ccid_usb_port ccid_virtual_reader_port(struct ccid_virtual_reader *reader);

/* Its configuration descriptor; returns the length. */
size_t ccid_virtual_reader_config(const struct ccid_virtual_shape *shape,
                                  uint8_t out[CCID_VIRTUAL_CONFIG_MAX]);

/* Puts a new card in, takes it out. From any thread that holds no lock: the change is
 * notified from here. atr_len 0: the card of the shape. 0, -EINVAL (no such slot, ATR not
 * 2 to 33 bytes), -EEXIST, -ENOENT. */
int ccid_virtual_reader_insert(struct ccid_virtual_reader *reader, unsigned slot,
                               const uint8_t *atr, size_t atr_len);
int ccid_virtual_reader_remove(struct ccid_virtual_reader *reader, unsigned slot);

/* From now on everything ends with CCID_USB_GONE, what is running included. */
void ccid_virtual_reader_unplug(struct ccid_virtual_reader *reader);

#endif
