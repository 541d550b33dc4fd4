/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_t1.h - the card's side of T=1 (ISO/IEC 7816-3 §11), pure, with faults to order.
 */
#ifndef CCID_VIRTUAL_T1_H
#define CCID_VIRTUAL_T1_H

#include "ccid/virtual_card.h"

#define CCID_VIRTUAL_T1_BLOCK_MAX   259 /* prologue 3, INF 254, CRC 2 */
#define CCID_VIRTUAL_T1_COMMAND_MAX 65544
#define CCID_VIRTUAL_T1_ANSWER_MAX  CCID_VIRTUAL_RESPONSE_MAX

/* What the card does wrong, from its block number `at` (counted from 0 since the reset)
 * for `count` blocks. */
enum ccid_virtual_t1_fault {
    CCID_T1_FAULT_NONE,
    CCID_T1_FAULT_BAD_EDC,     /* last byte complemented */
    CCID_T1_FAULT_LOST,        /* block not sent */
    CCID_T1_FAULT_WRONG_SEQ,   /* N(S) or N(R) complemented */
    CCID_T1_FAULT_WTX,         /* S(WTX request) with `value`, `count` times, then on */
    CCID_T1_FAULT_IFS_REFUSED, /* S(IFS request) answered by R, other error */
    CCID_T1_FAULT_ABORT,       /* S(ABORT request) in place of the block */
};

struct ccid_virtual_t1 {
    bool crc;
    uint8_t ifsc; /* what the card takes; also the limit that its ATR gives */
    ccid_virtual_apdu *execute;
    void *context;

    enum ccid_virtual_t1_fault fault;
    unsigned fault_at, fault_count;
    uint8_t fault_value;

    uint8_t ifsd;   /* what it may send */
    uint8_t ns, nr; /* its next N(S); the N(S) it expects */
    unsigned blocks_sent;
    unsigned commands; /* executed since the reset */
    bool answering;
    bool mute; /* the command made it so */
    size_t command_len, answer_len, answer_pos, part_len;
    uint8_t last[CCID_VIRTUAL_T1_BLOCK_MAX]; /* without the fault */
    size_t last_len;
    uint8_t command[CCID_VIRTUAL_T1_COMMAND_MAX];
    uint8_t answer[CCID_VIRTUAL_T1_ANSWER_MAX];
};

/* The LRC or the CRC of a block; returns its length. */
size_t ccid_virtual_t1_edc(bool crc, const uint8_t *data, size_t len, uint8_t edc[2]);

/* Reset: sequence numbers, IFSD 32, nothing under way. */
void ccid_virtual_t1_forget(struct ccid_virtual_t1 *card); /* all that was said */
void ccid_virtual_t1_reset(struct ccid_virtual_t1 *card);

/* Takes a block and gives the card's next one; returns its length, 0 for silence. */
size_t ccid_virtual_t1_block(struct ccid_virtual_t1 *card, const uint8_t *in, size_t len,
                             uint8_t out[CCID_VIRTUAL_T1_BLOCK_MAX]);

#endif
