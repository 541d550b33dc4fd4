/* SPDX-License-Identifier: BSD-2-Clause */
/* ccid.h - CCID messages inside the emulator: what ccid.c, xfr.c and slot.c share. */
#ifndef USBEMU_CCID_H
#define USBEMU_CCID_H

#include "usbemu.h"

#define CCID_HEADER_LEN 10

/* bStatus: command status in the upper two bits */
#define COMMAND_FAILED 1
#define TIME_EXTENSION 2

/* bError; a small number is the offset of the field that is wrong */
#define BAD_LENGTH    1
#define BAD_SLOT      5
#define CMD_ABORTED   0xff
#define ICC_MUTE      0xfe
#define CMD_SLOT_BUSY 0xe0
#define NOT_SUPPORTED 0

#define PC_SET_PARAMETERS   0x61
#define PC_ICC_POWER_ON     0x62
#define PC_ICC_POWER_OFF    0x63
#define PC_GET_SLOT_STATUS  0x65
#define PC_SECURE           0x69
#define PC_ESCAPE           0x6b
#define PC_GET_PARAMETERS   0x6c
#define PC_RESET_PARAMETERS 0x6d
#define PC_ICC_CLOCK        0x6e
#define PC_XFR_BLOCK        0x6f
#define PC_ABORT            0x72
#define PC_SET_RATE         0x73

#define RDR_DATA_BLOCK  0x80
#define RDR_SLOT_STATUS 0x81
#define RDR_PARAMETERS  0x82
#define RDR_ESCAPE      0x83
#define RDR_RATE        0x84

/* A command message, length checked. */
struct emu_command {
    uint8_t type, slot, seq, extra, level_low, level_high;
    const uint8_t *data;
    size_t len;
};

/* What is common to every answer. */
struct emu_reply {
    uint8_t type, status, error, extra;
    const uint8_t *data;
    size_t len;
    int64_t delay_us; /* beyond the device's latency */
};

void emu_answer(struct emu_device *device, const struct emu_command *c,
                const struct emu_reply *a);
void emu_answer_ok(struct emu_device *device, const struct emu_command *c, uint8_t type,
                   uint8_t extra, const uint8_t *data, size_t len);
void emu_answer_failed(struct emu_device *device, const struct emu_command *c,
                       uint8_t type, uint8_t error);

/* xfr.c */
void emu_xfr_block(struct emu_device *device, struct emu_slot *slot,
                   const struct emu_command *c);

/* slot.c */
void emu_abort_bulk(struct emu_device *device, struct emu_slot *slot,
                    const struct emu_command *c);

#endif
