/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_shape.c - the kinds of virtual reader: by the name that a user gives, and by
 * the descriptor of a real one.
 */
#include "ccid/virtual_shape.h"

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

/* A product number that pid.codes gives to nobody: it is for tests. */
#define TEST_VID 0x1209
#define TEST_PID 0x0001

/* What is the same in all of them. */
#define ONE_SLOT                                                                         \
    .vid = TEST_VID, .pid = TEST_PID, .vendor = "scardfs", .interface_count = 1,         \
    .interface_class = 0x0B, .interrupt = true, .packet_size = 512,                      \
    .descriptor_type = 0x21, .bcd_ccid = 0x0110, .slot_count = 1,                        \
    .voltage_support = VOLTAGES, .protocols = 3, .default_clock_khz = 4000,              \
    .maximum_clock_khz = 4000, .data_rate_bps = 10752, .maximum_data_rate_bps = 344086,  \
    .max_ifsd = 254, .class_get_response = 0xFF, .class_envelope = 0xFF,                 \
    .max_busy_slots = 1

/* A reader at TPDU level; PPS and S(IFS request) are the host's. */
#define TPDU                                                                             \
    ONE_SLOT, .level = CCID_LEVEL_TPDU, .max_message_length = MESSAGE_TPDU,              \
              .features = AUTOMATIC & ~(CCID_FEATURE_AUTO_PPS | CCID_FEATURE_AUTO_IFSD)

/* T=0 only; TA1 = 18h, so that a PPS is worth its while; WI 255. */
static const uint8_t atr_t0[] = {0x3b, 0x95, 0x18, 0x40, 0xff,
                                 0x62, 0x01, 0x02, 0x01, 0x04};
/* T=0 only, without interface bytes; "TESTBED", 01. */
static const uint8_t atr_t0_plain[] = {0x3b, 0x08, 0x54, 0x45, 0x53,
                                       0x54, 0x42, 0x45, 0x44, 0x01};
/* T=1 only; TA1 = 11h, IFSC 254, BWI 4, CWI 5, LRC; "scardT1". */
static const uint8_t atr_t1[] = {0x3b, 0x97, 0x11, 0x81, 0x31, 0xfe, 0x45, 0x73,
                                 0x63, 0x61, 0x72, 0x64, 0x54, 0x31, 0x8f};

const struct ccid_virtual_shape ccid_virtual_default_shape = {
    .product = "Virtual Reader",
    .level = CCID_LEVEL_EXTENDED_APDU,
    ONE_SLOT,
    .features = AUTOMATIC,
    .max_message_length = MESSAGE_EXTENDED,
};

/* The card behind it is a program (vpcd.h). */
static const struct ccid_virtual_shape vpcd = {
    .level = CCID_LEVEL_EXTENDED_APDU,
    ONE_SLOT,
    .product = "Virtual PCD",
    .features = AUTOMATIC,
    .max_message_length = MESSAGE_EXTENDED,
};

static const struct ccid_virtual_shape tpdu = {
    .product = "Virtual Reader",
    TPDU,
    .atr = atr_t0,
    .atr_len = sizeof(atr_t0),
};

static const struct ccid_virtual_shape tpdu_t1 = {
    .product = "Virtual Reader",
    TPDU,
    .atr = atr_t1,
    .atr_len = sizeof(atr_t1),
};

static const struct ccid_virtual_shape mechanical = {
    .product = "Virtual Reader",
    .level = CCID_LEVEL_EXTENDED_APDU,
    ONE_SLOT,
    .features = AUTOMATIC,
    .mechanical =
        CCID_MECHANICAL_ACCEPTS | CCID_MECHANICAL_EJECTS | CCID_MECHANICAL_CAPTURES,
    .max_message_length = MESSAGE_EXTENDED,
};

/* Keys, and a display of two lines of 16 characters. */
static const struct ccid_virtual_shape pinpad = {
    .product = "Virtual Reader",
    .level = CCID_LEVEL_EXTENDED_APDU,
    ONE_SLOT,
    .features = AUTOMATIC | CCID_FEATURE_CLOCK_STOP,
    .max_message_length = MESSAGE_EXTENDED,
    .lcd_layout = 0x0210,
    .pin_support = 0x03,
};

const struct ccid_virtual_shape *ccid_virtual_shape(const char *name)
{
    static const struct {
        const char *name;
        const struct ccid_virtual_shape *shape;
    } shapes[] = {
        {"vpcd", &vpcd},       {"tpdu", &tpdu},
        {"tpdu-t1", &tpdu_t1}, {"mechanical", &mechanical},
        {"pinpad", &pinpad},
    };

    if (name == NULL)
        return &ccid_virtual_default_shape;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (strcmp(name, shapes[i].name) == 0)
            return shapes[i].shape;
    }
    return NULL;
}

/* ---- of a real reader ------------------------------------------------------------- */

#define PROTOCOL_T0     0x1u
#define PROTOCOL_T1     0x2u
#define PROTOCOLS_BOTH  (PROTOCOL_T0 | PROTOCOL_T1)
#define PROTOCOL_ICCD_A 1
#define PROTOCOL_ICCD_B 2
/* Of a full-speed device, which nearly all readers are. */
#define PACKET_SIZE_FULL_SPEED 64

uint32_t ccid_virtual_level_bit(enum ccid_level level)
{
    switch (level) {
    case CCID_LEVEL_TPDU:
        return CCID_FEATURE_TPDU;
    case CCID_LEVEL_SHORT_APDU:
        return CCID_FEATURE_SHORT_APDU;
    case CCID_LEVEL_EXTENDED_APDU:
        return CCID_FEATURE_EXTENDED_APDU;
    case CCID_LEVEL_CHARACTER:
        break;
    }
    return 0;
}

/* Whether interfaces with these endpoints are readers; if so, of which kind. */
static bool judge_endpoints(const struct ccid_virtual_interface *interface,
                            struct ccid_virtual_shape *out)
{
    if (interface->endpoint_count == 2 || interface->endpoint_count == 3) {
        out->transport = CCID_TRANSPORT_BULK;
        out->interrupt = interface->endpoint_count == 3;
        return true;
    }
    out->interrupt = interface->endpoint_count == 1;
    out->transport = interface->protocol == PROTOCOL_ICCD_A ? CCID_TRANSPORT_ICCD_A
                                                            : CCID_TRANSPORT_ICCD_B;
    return interface->endpoint_count < 2 && (interface->protocol == PROTOCOL_ICCD_A ||
                                             interface->protocol == PROTOCOL_ICCD_B);
}

/* The card speaks what the reader can; one that can do neither gets the card for both. */
static void choose_card(struct ccid_virtual_shape *out)
{
    if ((out->protocols & PROTOCOLS_BOTH) == PROTOCOL_T0) {
        out->atr = atr_t0_plain;
        out->atr_len = sizeof(atr_t0_plain);
    } else if ((out->protocols & PROTOCOLS_BOTH) == PROTOCOL_T1) {
        out->atr = atr_t1;
        out->atr_len = sizeof(atr_t1);
    }
}

NTSTATUS ccid_virtual_shape_of(const uint8_t *class_descriptor, size_t len,
                               const struct ccid_virtual_interface *interface,
                               struct ccid_virtual_shape *out)
{
    struct ccid_desc desc = {0};
    NTSTATUS status = ccid_desc_parse_class(class_descriptor, len, &desc);

    if (status != STATUS_SUCCESS)
        return status;
    *out = (struct ccid_virtual_shape){
        .interface_count = 1,
        .interface_number = interface->number,
        .interface_class = interface->class_code,
        .interface_subclass = interface->subclass,
        .interface_protocol = interface->protocol,
        .packet_size = PACKET_SIZE_FULL_SPEED,
        .descriptor_type = class_descriptor[1],
        .bcd_ccid = desc.bcd_ccid,
        .slot_count = desc.slot_count,
        .voltage_support = desc.voltage_support,
        .protocols = desc.protocols,
        .default_clock_khz = desc.default_clock_khz,
        .maximum_clock_khz = desc.maximum_clock_khz,
        .clock_count = desc.clock_count,
        .data_rate_bps = desc.data_rate_bps,
        .maximum_data_rate_bps = desc.maximum_data_rate_bps,
        .data_rate_count = desc.data_rate_count,
        .max_ifsd = desc.max_ifsd,
        .synch_protocols = desc.synch_protocols,
        .mechanical = desc.mechanical,
        .level = desc.level,
        .features = desc.features & ~ccid_virtual_level_bit(desc.level),
        .max_message_length = desc.max_message_length,
        .class_get_response = desc.class_get_response,
        .class_envelope = desc.class_envelope,
        .lcd_layout = desc.lcd_layout,
        .pin_support = desc.pin_support,
        .max_busy_slots = desc.max_busy_slots,
    };
    if (!judge_endpoints(interface, out) || out->slot_count > CCID_VIRTUAL_SLOTS_MAX)
        return STATUS_NOT_SUPPORTED;
    choose_card(out);
    return STATUS_SUCCESS;
}

unsigned ccid_virtual_shape_busy_limit(const struct ccid_virtual_shape *shape)
{
    if (shape->max_busy_slots == 0)
        return 1;
    return shape->max_busy_slots < shape->slot_count ? shape->max_busy_slots
                                                     : shape->slot_count;
}
