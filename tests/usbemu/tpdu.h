/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tpdu.h - the built-in card (ccid/virtual_card.h) as a TPDU-level reader sees it: by T=0
 * and T=1 of ISO/IEC 7816-3.
 *
 * Nothing here waits: a command that takes time says in delay_ms how long, and the reader
 * delivers the answer that much later.
 */
#ifndef USBEMU_TPDU_H
#define USBEMU_TPDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ccid/virtual_card.h"

/* ccid_virtual_card_apdu() by a card that keeps account (ledger.c). */
size_t emu_card_apdu(struct ccid_virtual_card *card, const uint8_t *apdu, size_t len,
                     uint8_t *reply, uint32_t *delay_ms);

#define EMU_APDU_MAX 65544 /* header 4, Lc 3, data 65 535, Le 2 */

/* T=0: the answer that waits for GET RESPONSE. */
struct emu_t0 {
    uint8_t *waiting;
    size_t len, pos;
};

/* One command TPDU; reply has CCID_VIRTUAL_RESPONSE_MAX bytes. Returns the reply's
 * length, 0 of a mute card. */
size_t emu_t0_tpdu(struct emu_t0 *t0, struct ccid_virtual_card *card, const uint8_t *tpdu,
                   size_t tpdu_len, uint8_t *reply, uint32_t *delay_ms);
void emu_t0_reset(struct emu_t0 *t0);

/* T=1: sequence numbers, the command being collected, the answer being sent. */
struct emu_t1 {
    uint8_t ns;       /* N(S) of our next I-block */
    uint8_t expected; /* N(S) of the next I-block from the reader */
    uint8_t ifsd;     /* what the reader takes, 0: the default 32 */
    bool sending;
    uint8_t *command, *answer;
    size_t command_len, answer_len, answer_pos;
};

#define EMU_T1_BLOCK_MAX 258 /* NAD PCB LEN, 254 bytes, LRC */

/* One block; reply has EMU_T1_BLOCK_MAX bytes. Returns the reply's length, 0 of a
 * mute card. */
size_t emu_t1_block(struct emu_t1 *t1, struct ccid_virtual_card *card,
                    const uint8_t *block, size_t block_len, uint8_t *reply,
                    uint32_t *delay_ms);
void emu_t1_reset(struct emu_t1 *t1);

/* malloc that ends the process rather than fail: an emulator without memory is no test.
 */
void *emu_alloc(size_t size);

#endif
