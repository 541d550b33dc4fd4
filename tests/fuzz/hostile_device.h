/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile_device.h - a CCID device whose every byte, result and moment comes from the
 * input. Time is virtual: it passes when somebody waits. When the input is at its end the
 * device is silent for ever, or, where it is told so, an honest reader with a card in
 * every slot (of its bulk endpoints).
 *
 * A read takes one of these from the input (enum device_says), and so does a control
 * request, to which an answer is a length (two bytes) and the data stage:
 */
#ifndef TESTS_FUZZ_HOSTILE_DEVICE_H
#define TESTS_FUZZ_HOSTILE_DEVICE_H

#include "ccid/usb_ops.h"
#include "fuzz.h"
#include "wdm.h"

enum device_says {
    DEVICE_SILENT,
    DEVICE_ANSWER, /* of the right type, slot and number: status, error, byte 9, length
                      (two bytes), data */
    DEVICE_HEADER, /* the 10 bytes of the header, each as it comes; length, data */
    DEVICE_WRONG,  /* as ANSWER, with one header byte changed: which, by what in front */
    DEVICE_RAW,    /* length (two bytes), bytes: the whole message, or the data stage */
    DEVICE_RESULT, /* enum ccid_usb_result, length (one byte), bytes that came before */
    DEVICE_LATER,  /* ms (two bytes); then another of these */
    DEVICE_NOTIFY, /* length (one byte), a message of the interrupt endpoint; then another
                      of these. Length 255: the endpoint has failed */
    DEVICE_CANCEL, /* what runs is cancelled by its client; then another of these */
    DEVICE_SAYS,
    DEVICE_AGAIN = 0xF9 /* how often (one byte) the message that follows is given once
                           more, to whatever is asked; then another of these */
};

/* The longest message, as lengths have two bytes. */
#define DEVICE_MESSAGE_MAX 70000

struct hostile_device {
    struct fuzz_input *in;
    uint64_t now_ms;
    uint8_t type, slot, seq; /* of the last message to it */
    size_t received;         /* bytes that the host has got from it */
    size_t transfers;
    bool cancelled, gone, started;
    bool honest;     /* to be set: once the input is at its end */
    uint8_t active;  /* slots whose card has power then, a bit each */
    unsigned again;  /* the message is to be given so many times more */
    bool fitting;    /* with the slot and number that were asked for, then */
    bool unanswered; /* a message has come and nothing was said since */
    size_t owed;     /* bytes of a message to it that comes in two transfers */
    int entered;
    ccid_usb_notify *notify;
    void *notify_context;
    PIRP running; /* that DEVICE_CANCEL is for; NULL: none */
    uint8_t message[DEVICE_MESSAGE_MAX];
    size_t message_len, message_at; /* what is left of one that took several transfers */
};

void hostile_device_init(struct hostile_device *device, struct fuzz_input *in);
struct ccid_usb_port hostile_device_port(struct hostile_device *device);
/* Takes an interrupt message from the input: length, bytes. */
void hostile_device_notify(struct hostile_device *device);

/* ---- hostile_message.c ------------------------------------------------------------- */

/* So many bytes of the input, at the end of the message. */
void hostile_message_append(struct hostile_device *device, uint16_t len);
/* The next message, of DEVICE_ANSWER to DEVICE_RAW; false: it is none of these. */
bool hostile_message_next(struct hostile_device *device, uint8_t says);
/* The last one once more. */
void hostile_message_again(struct hostile_device *device);
/* What an honest reader with a card in the slot says to the last command. */
void hostile_message_honest(struct hostile_device *device);

#endif
