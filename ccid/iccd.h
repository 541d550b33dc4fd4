/* SPDX-License-Identifier: BSD-2-Clause */
/* iccd.h - what the iccd*.c files share; iccd.c says how they work together. */
#ifndef CCID_ICCD_H
#define CCID_ICCD_H

#include "ccid/slot.h"

/* bRequest. Some numbers are those of messages, some are not. */
#define ICCD_ICC_POWER_ON   0x62
#define ICCD_ICC_POWER_OFF  0x63
#define ICCD_XFR_BLOCK      0x65
#define ICCD_DATA_BLOCK     0x6F
#define ICCD_SLOT_STATUS    0x81 /* version B */
#define ICCD_GET_ICC_STATUS 0xA0 /* version A */

/* One command under way. */
struct iccd {
    struct ccid_slot *slot;
    struct ccid_command *command;
    uint64_t begin_ms;
    uint64_t give_up_ms;  /* whatever the token says */
    uint64_t deadline_ms; /* of what it says next */
    unsigned int polls;
    const char *problem;
};

/* ---- iccd.c ---------------------------------------------------------------------- */

/* A control request without an answer; all of data goes out, or it is an error. */
NTSTATUS iccd_out(struct iccd *x, uint8_t request, uint16_t value, uint8_t *data,
                  uint32_t length);
/* One with an answer: *got is 1 ... room. */
NTSTATUS iccd_in(struct iccd *x, uint8_t request, uint8_t *data, uint16_t room,
                 uint32_t *got);
/* The token is at work: sleeps for what it asks for (0: our choice), within the bounds.
 * Then there is time for another answer. */
NTSTATUS iccd_wait(struct iccd *x, uint32_t asked_ms);
/* The token breaks the rules. */
NTSTATUS iccd_violation(struct iccd *x, const char *problem);
/* What a message of the answer's type would say. The data is at iccd_data. */
void iccd_done(struct iccd *x, enum ccid_icc icc, uint8_t extra, uint32_t length);
void iccd_failed(struct iccd *x, enum ccid_icc icc, uint8_t error);

/* Where the data of a message would be. */
static inline uint8_t *iccd_data(const struct iccd *x)
{
    return x->slot->ext.SmartcardReply.Buffer + CCID_HEADER_LENGTH;
}

/* ---- iccd_a.c, iccd_b.c: the commands -------------------------------------------- */

NTSTATUS iccd_a_status(struct iccd *x);
NTSTATUS iccd_a_power_on(struct iccd *x);
NTSTATUS iccd_a_power_off(struct iccd *x);
NTSTATUS iccd_a_block(struct iccd *x);

NTSTATUS iccd_b_status(struct iccd *x);
NTSTATUS iccd_b_power_on(struct iccd *x);
NTSTATUS iccd_b_power_off(struct iccd *x);
NTSTATUS iccd_b_block(struct iccd *x);

/* ---- iccd_t0.c: a T=0 command of version A (pure) -------------------------------- */

enum iccd_t0_step {
    ICCD_T0_WAIT,      /* ask again */
    ICCD_T0_SEND,      /* the data of the command */
    ICCD_T0_RECEIVE,   /* as much of the answer as is still expected */
    ICCD_T0_END,       /* SW1 SW2 */
    ICCD_T0_MUTE,      /* the card does not answer, or is gone */
    ICCD_T0_VIOLATION, /* nothing that can be at this point */
};

struct iccd_t0 {
    uint32_t to_send;  /* of the command's data */
    uint32_t expected; /* of the answer's data, still to come */
};

/* A command TPDU whose header has been sent. False: it is none. */
bool iccd_t0_begin(struct iccd_t0 *t0, const uint8_t *tpdu, uint32_t length);
/* What the token's status byte asks for. */
enum iccd_t0_step iccd_t0_next(const struct iccd_t0 *t0, uint8_t status);

#endif
