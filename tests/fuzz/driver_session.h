/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * driver_session.h - the CCID driver on a hostile device, driven by IRPs in an order from
 * the input.
 *
 * What is checked: every request is completed once, within ten minutes and a second of
 * virtual time, with a status that has a name and an errno; it returns no more than there
 * is room for, of the device's bytes no more than the device sent, and nothing when it
 * fails. The removal of the device ends what waits. And whatever it has said, once a
 * device with bulk endpoints does as it should, a card in it is reset.
 */
#ifndef TESTS_FUZZ_DRIVER_SESSION_H
#define TESTS_FUZZ_DRIVER_SESSION_H

#include "fuzz.h"

/* A request of the input: one of these, then what it says behind it. */
enum session_request {
    SESSION_POWER,    /* minor: one byte; 40h: of the second slot */
    SESSION_PROTOCOL, /* mask: one byte; 20h: of the second slot */
    SESSION_TRANSMIT, /* slot, length, room: one, two, two bytes; the command */
    SESSION_IOCTL,    /* slot, code (below), length, room: one byte each; the input */
    SESSION_PIN,      /* kind (0: verify), length: one byte each; abData, whose length
                         the structure has right, behind what the structure holds */
    SESSION_SERVICE,  /* the driver gets the turn that it has asked for */
    SESSION_NOTIFY,   /* an interrupt message: length, bytes */
    SESSION_TIME,     /* ms: two bytes */
    SESSION_SLEEP,    /* the machine sleeps, or is awake again */
    SESSION_REQUESTS
};

/* Codes of SESSION_IOCTL, by their index in the list of driver_session.c. */

struct session_reader {
    uint16_t seed;   /* of failures */
    uint32_t quirks; /* CCID_QUIRK_ bits, and these two that are none: */
#define SESSION_TRACED       0x80000000u /* its messages are */
#define SESSION_NO_INTERRUPT 0x40000000u /* it has no interrupt endpoint */
    uint8_t protocol; /* bInterfaceProtocol: 1 or 2 without bulk endpoints */
    uint8_t class_descriptor[54];
};

/* The front of the input: seed, quirks, the class descriptor as it comes. */
void session_reader_read(struct session_reader *reader, struct fuzz_input *in);

/* The whole life of such a reader. */
void driver_session(const struct session_reader *reader, struct fuzz_input *in);

#endif
