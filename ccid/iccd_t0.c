/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iccd_t0.c - a T=0 command of an ICCD of version A: what its status byte says, and what
 * is to be done next. Pure.
 *
 * header -10h-> data, out or in -20h-> SW1 SW2. A command without data goes from the
 * header to SW1 SW2, and so does one that the card refuses. Procedure bytes are the
 * token's business; 61xx and 6Cxx are the caller's.
 */
#include "ccid/iccd.h"

#define HEADER 5 /* CLA INS P1 P2 P3 */

#define STATUS_MUTE 0x80
#define STATUS_BUSY 0x40
#define STATUS_DATA 0x10
#define STATUS_SW   0x20

bool iccd_t0_begin(struct iccd_t0 *t0, const uint8_t *tpdu, uint32_t length)
{
    *t0 = (struct iccd_t0){0};
    if (length == HEADER) {
        t0->expected = tpdu[4] != 0 ? tpdu[4] : 256;
        return true;
    }
    if (length < HEADER || length != HEADER + (uint32_t)tpdu[4])
        return false;
    t0->to_send = tpdu[4];
    return true;
}

enum iccd_t0_step iccd_t0_next(const struct iccd_t0 *t0, uint8_t status)
{
    if ((status & STATUS_MUTE) != 0)
        return ICCD_T0_MUTE;
    if ((status & STATUS_BUSY) != 0)
        return ICCD_T0_WAIT;
    if (status == STATUS_SW)
        return ICCD_T0_END;
    if (status == STATUS_DATA && t0->to_send != 0)
        return ICCD_T0_SEND;
    if (status == STATUS_DATA && t0->expected != 0)
        return ICCD_T0_RECEIVE;
    return ICCD_T0_VIOLATION; /* 00h, too: it has forgotten the command */
}
