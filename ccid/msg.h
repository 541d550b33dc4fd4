/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msg.h - CCID messages as values (CCID 1.1 §6.1 to §6.3). Pure.
 */
#ifndef CCID_MSG_H
#define CCID_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smclib.h"

#define CCID_HEADER_LENGTH 10

/* Bulk-OUT, table 6.1-1. */
#define CCID_SET_PARAMETERS  0x61
#define CCID_ICC_POWER_ON    0x62
#define CCID_ICC_POWER_OFF   0x63
#define CCID_GET_SLOT_STATUS 0x65
#define CCID_SECURE          0x69
#define CCID_ESCAPE_OUT      0x6B
#define CCID_GET_PARAMETERS  0x6C
#define CCID_ICC_CLOCK       0x6E
#define CCID_XFR_BLOCK       0x6F
#define CCID_MECHANICAL      0x71
#define CCID_ABORT           0x72
#define CCID_SET_RATE        0x73

/* Bulk-IN, table 6.2-1. */
#define CCID_DATA_BLOCK     0x80
#define CCID_SLOT_STATUS    0x81
#define CCID_PARAMETERS     0x82
#define CCID_ESCAPE_IN      0x83
#define CCID_RATE_AND_CLOCK 0x84

/* Interrupt-IN, table 6.3-1. */
#define CCID_NOTIFY_SLOT_CHANGE 0x50
#define CCID_HARDWARE_ERROR     0x51

/* bError of table 6.2-2, those that the driver acts on. */
#define CCID_ERROR_ABORTED       0xFF
#define CCID_ERROR_MUTE          0xFE
#define CCID_ERROR_PARITY        0xFD
#define CCID_ERROR_OVERRUN       0xFC
#define CCID_ERROR_CLASS         0xF5
#define CCID_ERROR_ATR_TS        0xF8
#define CCID_ERROR_ATR_TCK       0xF7
#define CCID_ERROR_AUTO_SEQUENCE 0xF2
#define CCID_ERROR_PIN_TIMEOUT   0xF0
#define CCID_ERROR_PIN_CANCELLED 0xEF
#define CCID_ERROR_SLOT_BUSY     0xE0
#define CCID_ERROR_NOT_SUPPORTED 0x00

/* bmICCStatus; the reserved value 3 is read as absent. */
enum ccid_icc { CCID_ICC_ACTIVE, CCID_ICC_INACTIVE, CCID_ICC_ABSENT };

/* bmCommandStatus; 3 is reserved and a violation. */
enum ccid_outcome { CCID_DONE, CCID_FAILED, CCID_TIME_EXTENSION };

/* A Bulk-IN message. data points into the bytes it was read from. */
struct ccid_answer {
    uint8_t type;
    uint8_t slot;
    uint8_t seq;
    uint8_t error; /* bError: also the multiplier of a time extension */
    uint8_t extra; /* byte 9: bChainParameter, bClockStatus or bProtocolNum */
    enum ccid_icc icc;
    enum ccid_outcome outcome;
    uint32_t length;
    const uint8_t *data;
};

/* A Bulk-OUT header; p1, p2, p3 are bytes 7 to 9. */
void ccid_msg_header(uint8_t out[CCID_HEADER_LENGTH], uint8_t type, uint32_t length,
                     uint8_t slot, uint8_t seq, uint8_t p1, uint8_t p2, uint8_t p3);

/* dwLength of a header of at least CCID_HEADER_LENGTH bytes. */
uint32_t ccid_msg_length(const uint8_t *message);

/*
 * Reads a whole Bulk-IN message of len received bytes; what follows 10 + dwLength is
 * ignored. NULL when it is sound, else what is wrong with it, for the log.
 */
const char *ccid_msg_decode(const uint8_t *message, size_t len,
                            struct ccid_answer *answer);

/* Whether an answer with the right slot and number can be one to a command that is
 * answered by expected_type. */
bool ccid_msg_type_fits(const struct ccid_answer *answer, uint8_t expected_type);

/* The status of a failed command, by bError and bmICCStatus. */
NTSTATUS ccid_msg_status(uint8_t error, enum ccid_icc icc);

#endif
