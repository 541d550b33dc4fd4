/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - what a program does with a reader from the first reset on, request by
 * request, on readers of every kind.
 */
#ifndef TESTS_CCID_SESSION_H
#define TESTS_CCID_SESSION_H

#include "sweep.h"

#define SESSION_STEPS_MAX 16
#define SESSION_REPLY_MAX 600

struct session_step {
    enum {
        STEP_END,
        STEP_POWER,     /* minor: "01000000" */
        STEP_PROTOCOL,  /* mask */
        STEP_TRANSMIT,  /* a command, with the header of the protocol in force */
        STEP_CANCEL,    /* likewise; cancelled after 100 ms */
        STEP_CONNECT_1, /* cold reset and protocol of the second slot */
        STEP_SLOT_1,    /* a command to it */
        STEP_IOCTL      /* code and input */
    } kind;
    const char *in; /* hexadecimal */
    ULONG code;
};

struct session {
    struct scenario scenario; /* its shape and card; unpowered */
    bool checked;             /* T=1: a checksum covers what comes from the card */
    struct session_step steps[SESSION_STEPS_MAX];
};

struct session_reply {
    NTSTATUS status;
    ULONG length;
    uint8_t bytes[SESSION_REPLY_MAX];
};

extern const struct session sessions[];
extern const size_t session_count;

/* Makes one request. The reply of a command is without the header. */
void session_step(struct sweep *s, const struct session_step *step,
                  struct session_reply *reply);

#endif
