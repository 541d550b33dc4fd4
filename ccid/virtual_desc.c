/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_desc.c - the configuration descriptor that the virtual reader presents. */
#include "ccid/virtual_reader.h"

#include <string.h>

#define INTERRUPT_PACKET_SIZE 8

static uint8_t *put16(uint8_t *p, uint32_t value)
{
    *p++ = (uint8_t)value;
    *p++ = (uint8_t)(value >> 8);
    return p;
}

static uint8_t *put32(uint8_t *p, uint32_t value)
{
    return put16(put16(p, value & 0xffff), value >> 16);
}

static uint8_t *endpoint(uint8_t *p, uint8_t address, uint8_t attributes, uint16_t packet,
                         uint8_t interval)
{
    *p++ = 7;
    *p++ = 0x05;
    *p++ = address;
    *p++ = attributes;
    p = put16(p, packet);
    *p++ = interval;
    return p;
}

static uint32_t level_feature(enum ccid_level level)
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

/* CCID 1.1 §5.1. */
static uint8_t *class_descriptor(uint8_t *p, const struct ccid_virtual_shape *shape)
{
    *p++ = CCID_DESC_LENGTH;
    *p++ = 0x21;
    p = put16(p, 0x0110);
    *p++ = (uint8_t)(shape->slot_count - 1);
    *p++ = shape->voltage_support;
    p = put32(p, 3);      /* dwProtocols: T=0 and T=1 */
    p = put32(p, 4000);   /* dwDefaultClock, kHz */
    p = put32(p, 4000);   /* dwMaximumClock */
    *p++ = 0;             /* bNumClockSupported */
    p = put32(p, 10752);  /* dwDataRate, bit/s */
    p = put32(p, 344086); /* dwMaxDataRate */
    *p++ = 0;             /* bNumDataRatesSupported */
    p = put32(p, 254);    /* dwMaxIFSD */
    p = put32(p, 0);      /* dwSynchProtocols */
    p = put32(p, shape->mechanical);
    p = put32(p, shape->features | level_feature(shape->level));
    p = put32(p, shape->max_message_length);
    *p++ = 0xff; /* bClassGetResponse */
    *p++ = 0xff; /* bClassEnvelope */
    p = put16(p, 0);
    *p++ = 0; /* bPINSupport */
    *p++ = 1; /* bMaxCCIDBusySlots */
    return p;
}

size_t ccid_virtual_reader_config(const struct ccid_virtual_shape *shape,
                                  uint8_t out[CCID_VIRTUAL_CONFIG_MAX])
{
    static const uint8_t configuration[9] = {9, 0x02, 0, 0, 1, 1, 0, 0x80, 50};
    static const uint8_t interface[9] = {9, 0x04, 0, 0, 2, 0x0b, 0, 0, 0};
    uint8_t *p = out;

    memcpy(p, configuration, sizeof(configuration));
    p += sizeof(configuration);
    memcpy(p, interface, sizeof(interface));
    if (shape->interrupt)
        p[4] = 3;
    p += sizeof(interface);
    p = class_descriptor(p, shape);
    p = endpoint(p, 0x01, 0x02, shape->packet_size, 0);
    p = endpoint(p, 0x82, 0x02, shape->packet_size, 0);
    if (shape->interrupt)
        p = endpoint(p, 0x83, 0x03, INTERRUPT_PACKET_SIZE, 8);
    put16(out + 2, (uint32_t)(p - out));
    return (size_t)(p - out);
}
