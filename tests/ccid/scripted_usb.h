/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scripted_usb.h - a struct ccid_usb that plays a script: what must be sent, what is
 * received for it. Time is virtual: a read that nothing answers moves the clock by its
 * timeout and is over.
 *
 * Messages are hex digits with spaces. SS in a message that is sent stands for whatever
 * sequence number it has, in one that is received for the last number that was sent; TT
 * is a number that no command has. A read without a message in the script is a silence;
 * sending, control requests, clear-halts and resets must be in the script.
 */
#ifndef TEST_SCRIPTED_USB_H
#define TEST_SCRIPTED_USB_H

#include "ccid/usb_ops.h"

#define SCRIPT_STEPS_MAX 2700

enum script_kind {
    SCRIPT_OUT,
    SCRIPT_IN,
    SCRIPT_CONTROL,
    SCRIPT_CLEAR_HALT,
    SCRIPT_RESET,
};

struct script_step {
    enum script_kind kind;
    enum ccid_usb_result result;
    const char *hex; /* message, or the data of a control request */
    uint32_t delay_ms;
    uint8_t request_type, request;
    uint16_t value;
    void (*action)(void *context); /* while the transfer is under way */
    void *context;
};

struct ccid_usb {
    uint64_t now_ms;
    struct script_step steps[SCRIPT_STEPS_MAX];
    size_t count, at;
    uint8_t last_seq, abort_seq;
    unsigned int sent;
    uint8_t message[70000]; /* being received */
    size_t message_length, message_at;
    bool in_message;
    unsigned int exchanges, reads, slept_ms;
    int entered;                     /* enter minus leave */
    void (*entering)(void *context); /* once, in the next enter */
    void *entering_context;
    bool cancelled; /* by any thread */
    bool lenient;   /* what is not in the script is refused, not a failure */
    bool started;
    enum ccid_usb_result start_result, sleep_result;
    ccid_usb_notify *notify;
    void *notify_context;
};

extern const struct ccid_usb_ops scripted_ops;

void script_begin(struct ccid_usb *usb);
/* Each returns the step, to be changed where the test needs it. */
struct script_step *script_out(struct ccid_usb *usb, const char *hex);
struct script_step *script_in(struct ccid_usb *usb, const char *hex);
/* Both: a command and its answer. */
void script_command(struct ccid_usb *usb, const char *out, const char *in);
/* The control request ABORT of a slot, with any number. */
struct script_step *script_abort_request(struct ccid_usb *usb, uint8_t slot);
struct script_step *script_control_in(struct ccid_usb *usb, uint8_t request,
                                      const char *hex);
void script_clear_halt(struct ccid_usb *usb);
void script_reset(struct ccid_usb *usb);
/* A whole abort sequence of slot 0 that works, and the power-off at its end. */
void script_resync(struct ccid_usb *usb);
/* Fails the test unless every step was played. */
void script_end(struct ccid_usb *usb);

/* Delivers a message of the interrupt endpoint. */
void script_notify(struct ccid_usb *usb, const char *hex);

#endif
