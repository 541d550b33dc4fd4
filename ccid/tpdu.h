/* SPDX-License-Identifier: BSD-2-Clause */
/* tpdu.h - what crosses the contacts below APDU level: TPDUs, characters, the PPS. */
#ifndef CCID_TPDU_H
#define CCID_TPDU_H

#include "ccid/slot.h"

/* ---- tpdu.c ---------------------------------------------------------------------- */

/* One command of the caller, from its first XfrBlock to its last. */
struct ccid_transmission {
    struct ccid_slot *slot;
    uint32_t changes; /* of the slot, when it began */
    uint64_t end_ms;
};

/* One XfrBlock; its data is already at ccid_slot_data. */
struct ccid_xfr {
    uint8_t bwi;
    uint16_t level; /* wLevelParameter */
    uint32_t length;
    uint32_t timeout_ms;
};

struct ccid_transmission ccid_transmission_begin(struct ccid_slot *slot);
/* STATUS_NO_MEDIA, and nothing is sent, if the card is not the one that it began with. */
NTSTATUS ccid_transmission_xfr(const struct ccid_transmission *t,
                               const struct ccid_xfr *xfr, struct ccid_command *command);
NTSTATUS ccid_tpdu_transmit(struct ccid_slot *slot);
/* T=1: the block, or the answer to it, got lost between reader and card. */
bool ccid_tpdu_block_is_lost(const struct ccid_command *command);

/* ---- character.c ----------------------------------------------------------------- */

#define CCID_CHARACTER_PPS_MAX 6 /* PPSS, PPS0 to PPS3, PCK */

/* What stands in SmartcardRequest goes out, the answer comes into SmartcardReply; T=0 has
 * logged a failure, a block of T=1 has not. */
NTSTATUS ccid_character_tpdu(const struct ccid_transmission *t,
                             struct ccid_command *command);
NTSTATUS ccid_character_block(const struct ccid_transmission *t,
                              struct ccid_command *command);
/* A PPS request of that length at ccid_slot_data. */
NTSTATUS ccid_character_pps(struct ccid_slot *slot, uint32_t length, uint32_t timeout_ms,
                            uint8_t answer[CCID_CHARACTER_PPS_MAX], size_t *answer_len,
                            struct ccid_command *command);

/* ---- pps.c ----------------------------------------------------------------------- */

#define CCID_PPS_MAX 4 /* PPSS, PPS0, PPS1, PCK */

/* Pure: the request; returns its length. */
size_t ccid_pps_request(uint8_t out[CCID_PPS_MAX], uint8_t protocol, bool with_rate,
                        uint8_t fidi);
/* Pure: NULL when the card has agreed (*rate: also to PPS1), else what is wrong. */
const char *ccid_pps_check(const uint8_t *request, const uint8_t *answer, size_t len,
                           bool *rate);

struct ccid_pps_result {
    bool rate_accepted;
    bool card_failed; /* not the reader: a reset brings the card back */
};
/* STATUS_SUCCESS, STATUS_DEVICE_PROTOCOL_ERROR for a wrong answer, or what the command
 * ended with. */
NTSTATUS ccid_pps(struct ccid_slot *slot, uint8_t protocol, bool with_rate, uint8_t fidi,
                  struct ccid_pps_result *result);

#endif
