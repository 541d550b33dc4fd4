/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_shape.c - the kinds of virtual reader, by the name that a user gives. */
#include "ccid/virtual_reader.h"

#include <string.h>

#define VOLTAGES (CCID_VOLTAGE_5V | CCID_VOLTAGE_3V | CCID_VOLTAGE_18V)

/* The reader does everything by itself, except activation. */
#define AUTOMATIC                                                                        \
    (CCID_FEATURE_AUTO_PARAMETERS | CCID_FEATURE_AUTO_VOLTAGE |                          \
     CCID_FEATURE_AUTO_CLOCK | CCID_FEATURE_AUTO_BAUD | CCID_FEATURE_AUTO_PPS |          \
     CCID_FEATURE_AUTO_IFSD)

/* An extended APDU at its longest, in one message. */
#define MESSAGE_EXTENDED 65554
/* What nearly all readers at TPDU level say: a block and its header, and 2. */
#define MESSAGE_TPDU 271

/* What is the same in all of them. */
#define ONE_SLOT                                                                         \
    .slot_count = 1, .interrupt = true, .packet_size = 512, .voltage_support = VOLTAGES

/* A reader at TPDU level; PPS and S(IFS request) are the host's. */
#define TPDU                                                                             \
    ONE_SLOT, .level = CCID_LEVEL_TPDU, .max_message_length = MESSAGE_TPDU,              \
              .features = AUTOMATIC & ~(CCID_FEATURE_AUTO_PPS | CCID_FEATURE_AUTO_IFSD)

/* T=0 only; TA1 = 18h, so that a PPS is worth its while; WI 255. */
static const uint8_t atr_t0[] = {0x3b, 0x95, 0x18, 0x40, 0xff,
                                 0x62, 0x01, 0x02, 0x01, 0x04};
/* T=1 only; TA1 = 11h, IFSC 254, BWI 4, CWI 5, LRC; "scardT1". */
static const uint8_t atr_t1[] = {0x3b, 0x97, 0x11, 0x81, 0x31, 0xfe, 0x45, 0x73,
                                 0x63, 0x61, 0x72, 0x64, 0x54, 0x31, 0x8f};

const struct ccid_virtual_shape ccid_virtual_default_shape = {
    .level = CCID_LEVEL_EXTENDED_APDU,
    ONE_SLOT,
    .features = AUTOMATIC,
    .max_message_length = MESSAGE_EXTENDED,
};

static const struct ccid_virtual_shape tpdu = {
    TPDU,
    .atr = atr_t0,
    .atr_len = sizeof(atr_t0),
};

static const struct ccid_virtual_shape tpdu_t1 = {
    TPDU,
    .atr = atr_t1,
    .atr_len = sizeof(atr_t1),
};

static const struct ccid_virtual_shape mechanical = {
    .level = CCID_LEVEL_EXTENDED_APDU,
    ONE_SLOT,
    .features = AUTOMATIC,
    .mechanical =
        CCID_MECHANICAL_ACCEPTS | CCID_MECHANICAL_EJECTS | CCID_MECHANICAL_CAPTURES,
    .max_message_length = MESSAGE_EXTENDED,
};

const struct ccid_virtual_shape *ccid_virtual_shape(const char *name)
{
    static const struct {
        const char *name;
        const struct ccid_virtual_shape *shape;
    } shapes[] = {
        {"tpdu", &tpdu},
        {"tpdu-t1", &tpdu_t1},
        {"mechanical", &mechanical},
    };

    if (name == NULL)
        return &ccid_virtual_default_shape;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (strcmp(name, shapes[i].name) == 0)
            return shapes[i].shape;
    }
    return NULL;
}
