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
#include "ccid/virtual_shape.h"

#define CCID_VIRTUAL_EXTENSION_MS 500 /* between two time extensions */

struct ccid_virtual_reader;

/* Without cards in it. NULL: no memory. The clock is borrowed, and so are the lists and
 * the ATR of the shape. */
struct ccid_virtual_reader *ccid_virtual_reader_new(
    struct ccid_clock *clock, const struct ccid_virtual_shape *shape);
/* Nobody uses the port any more. */
void ccid_virtual_reader_free(struct ccid_virtual_reader *reader);

struct ccid_usb_port ccid_virtual_reader_port(struct ccid_virtual_reader *reader);

/* Puts a new card in, takes it out. From any thread that holds no lock: the change is
 * notified from here. atr_len 0: the card of the shape. 0, -EINVAL (no such slot, ATR not
 * 2 to 33 bytes), -EEXIST, -ENOENT. */
int ccid_virtual_reader_insert(struct ccid_virtual_reader *reader, unsigned slot,
                               const uint8_t *atr, size_t atr_len);
int ccid_virtual_reader_remove(struct ccid_virtual_reader *reader, unsigned slot);

/* A card that is somewhere else. */
struct ccid_virtual_far {
    /* A message of the vpicc protocol for it; NULL: it has been taken out. The reader's
     * lock is held: it must not wait. */
    void (*send)(void *context, const uint8_t *message, size_t len, bool answered);
    void *context;
};

/* Puts it in; as ccid_virtual_reader_insert. */
int ccid_virtual_reader_insert_far(struct ccid_virtual_reader *reader, unsigned slot,
                                   const struct ccid_virtual_far *far);
/* Its answer to the number-th message that is answered, from 1; dropped unless that is
 * the last one and the reader waits. */
void ccid_virtual_reader_answer_far(struct ccid_virtual_reader *reader, unsigned slot,
                                    unsigned number, const uint8_t *bytes, size_t len);

/* What the user does when the PIN pad asks next: "cancel", "timeout", or the PINs that he
 * types, digits with slashes between. Otherwise he types 123456 wherever he is asked. 0;
 * -EINVAL: no such slot, or no such user. */
int ccid_virtual_reader_type(struct ccid_virtual_reader *reader, unsigned slot,
                             const char *keys);

/* From now on everything ends with CCID_USB_GONE, what is running included. */
void ccid_virtual_reader_unplug(struct ccid_virtual_reader *reader);

#endif
