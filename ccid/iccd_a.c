/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iccd_a.c - ICCD of version A: a card at character level. What happens with a request
 * is in the status byte that GET_ICC_STATUS gives, so each is followed by one; a T=0
 * command is a header, data and SW1 SW2, each a request of its own.
 *
 * The status byte does not say whether the card has power; the driver's own state does.
 * Before it knows any, the card counts as powered, so that it is switched off and nobody
 * inherits what somebody else has left there. 80h is no card, or one that is mute: the
 * token is its own card, so it is the latter, and a reset may bring it back.
 */
#include "ccid/iccd.h"

#include <string.h>

#define STATUS_BUSY 0x40
#define STATUS_MUTE 0x80
#define STATUS_WORD 2
#define ATR_ROOM    64 /* more than an ATR may have, so that a longer one is noticed */

static NTSTATUS read_status(struct iccd *x, uint8_t *status)
{
    uint32_t got;

    return iccd_in(x, ICCD_GET_ICC_STATUS, status, 1, &got);
}

/* Until the token is at work no more. */
static NTSTATUS read_settled_status(struct iccd *x)
{
    uint8_t byte = 0;
    NTSTATUS status = read_status(x, &byte);

    while (status == STATUS_SUCCESS &&
           (byte & (STATUS_BUSY | STATUS_MUTE)) == STATUS_BUSY) {
        status = iccd_wait(x, 0);
        if (status == STATUS_SUCCESS)
            status = read_status(x, &byte);
    }
    return status;
}

NTSTATUS iccd_a_status(struct iccd *x)
{
    ULONG state = ccid_state_current(x->slot);
    bool active = state == SCARD_UNKNOWN || state > SCARD_SWALLOWED;
    uint8_t byte = 0;
    NTSTATUS status = read_status(x, &byte);

    if (status != STATUS_SUCCESS)
        return status;
    if ((byte & STATUS_MUTE) != 0)
        active = false;
    iccd_done(x, active ? CCID_ICC_ACTIVE : CCID_ICC_INACTIVE, 0, 0);
    return STATUS_SUCCESS;
}

static NTSTATUS power_off(struct iccd *x)
{
    NTSTATUS status = iccd_out(x, ICCD_ICC_POWER_OFF, 0, NULL, 0);

    return status == STATUS_SUCCESS ? read_settled_status(x) : status;
}

NTSTATUS iccd_a_power_off(struct iccd *x)
{
    NTSTATUS status = power_off(x);

    if (status == STATUS_SUCCESS)
        iccd_done(x, CCID_ICC_INACTIVE, 0, 0);
    return status;
}

/* These tokens want to be off first, whatever kind of reset it is. */
NTSTATUS iccd_a_power_on(struct iccd *x)
{
    uint32_t got = 0;
    NTSTATUS status = power_off(x);

    if (status == STATUS_SUCCESS)
        status = iccd_in(x, ICCD_ICC_POWER_ON, iccd_data(x), ATR_ROOM, &got);
    if (status == STATUS_SUCCESS)
        iccd_done(x, CCID_ICC_ACTIVE, 0, got);
    return status;
}

static NTSTATUS receive(struct iccd *x, struct iccd_t0 *t0, uint32_t *length)
{
    uint32_t got = 0;
    NTSTATUS status =
        iccd_in(x, ICCD_DATA_BLOCK, iccd_data(x) + *length, (uint16_t)t0->expected, &got);

    if (status == STATUS_SUCCESS) {
        *length += got;
        t0->expected -= got; /* it may come in parts, none of them empty */
    }
    return status;
}

/* ISO/IEC 7816-3 §10.3.3: SW1 is 6Xh or 9Xh. Anything else is data, and token and driver
 * are not at the same point. */
/* A card gives all of the data that it was asked for, or none, and only with P3 = 00h is
 * it not known how much that is; what it breaks off it does not end well. */
static bool is_broken_off(const struct iccd *x, const struct iccd_t0 *t0, uint32_t length,
                          uint8_t sw1)
{
    return length != 0 && t0->expected != 0 && ccid_slot_data(x->slot)[4] != 0 &&
           (sw1 == 0x90 || sw1 == 0x61);
}

static NTSTATUS end(struct iccd *x, const struct iccd_t0 *t0, uint32_t length)
{
    uint8_t *sw = iccd_data(x) + length;
    uint32_t got = 0;
    NTSTATUS status = iccd_in(x, ICCD_DATA_BLOCK, sw, STATUS_WORD, &got);

    if (status != STATUS_SUCCESS)
        return status;
    if (got != STATUS_WORD)
        return iccd_violation(x, "half a status word");
    if (sw[0] >> 4 != 6 && sw[0] >> 4 != 9)
        return iccd_violation(x, "a status word that is none");
    if (is_broken_off(x, t0, length, sw[0]))
        return iccd_violation(x, "a part of the data");
    iccd_done(x, CCID_ICC_ACTIVE, 0, length + STATUS_WORD);
    return STATUS_SUCCESS;
}

NTSTATUS iccd_a_block(struct iccd *x)
{
    uint8_t *tpdu = ccid_slot_data(x->slot);
    uint32_t header = x->command->length, length = 0;
    struct iccd_t0 t0;
    NTSTATUS status;
    uint8_t byte = 0;

    if (!iccd_t0_begin(&t0, tpdu, x->command->length)) {
        iccd_failed(x, CCID_ICC_ACTIVE, CCID_ERROR_NOT_SUPPORTED);
        return STATUS_SUCCESS;
    }
    header -= t0.to_send;
    status = iccd_out(x, ICCD_XFR_BLOCK, 0, tpdu, header);
    while (status == STATUS_SUCCESS &&
           (status = read_status(x, &byte)) == STATUS_SUCCESS) {
        switch (iccd_t0_next(&t0, byte)) {
        case ICCD_T0_WAIT:
            status = iccd_wait(x, 0);
            break;
        case ICCD_T0_SEND:
            status = iccd_out(x, ICCD_XFR_BLOCK, 0, tpdu + header, t0.to_send);
            t0.to_send = 0;
            break;
        case ICCD_T0_RECEIVE:
            status = receive(x, &t0, &length);
            break;
        case ICCD_T0_END:
            return end(x, &t0, length);
        case ICCD_T0_MUTE:
            iccd_failed(x, CCID_ICC_INACTIVE, CCID_ERROR_MUTE);
            return STATUS_SUCCESS;
        case ICCD_T0_VIOLATION:
            return iccd_violation(x, "a status byte that cannot be here");
        }
    }
    return status;
}
