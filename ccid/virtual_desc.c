/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_desc.c - the configuration descriptor that the virtual reader presents. */
#include "ccid/virtual_shape.h"

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

/* CCID 1.1 §5.1. */
static uint8_t *class_descriptor(uint8_t *p, const struct ccid_virtual_shape *shape)
{
    *p++ = CCID_DESC_LENGTH;
    *p++ = shape->descriptor_type;
    p = put16(p, shape->bcd_ccid);
    *p++ = (uint8_t)(shape->slot_count - 1);
    *p++ = shape->voltage_support;
    p = put32(p, shape->protocols);
    p = put32(p, shape->default_clock_khz);
    p = put32(p, shape->maximum_clock_khz);
    *p++ = shape->clock_count;
    p = put32(p, shape->data_rate_bps);
    p = put32(p, shape->maximum_data_rate_bps);
    *p++ = shape->data_rate_count;
    p = put32(p, shape->max_ifsd);
    p = put32(p, shape->synch_protocols);
    p = put32(p, shape->mechanical);
    p = put32(p, shape->features | ccid_virtual_level_bit(shape->level));
    p = put32(p, shape->max_message_length);
    *p++ = shape->class_get_response;
    *p++ = shape->class_envelope;
    p = put16(p, shape->lcd_layout);
    *p++ = shape->pin_support;
    *p++ = shape->max_busy_slots;
    return p;
}

static uint8_t *interface_descriptor(uint8_t *p, const struct ccid_virtual_shape *shape)
{
    bool bulk = shape->transport == CCID_TRANSPORT_BULK;

    *p++ = 9;
    *p++ = 0x04;
    *p++ = shape->interface_number;
    *p++ = 0; /* bAlternateSetting */
    *p++ = (uint8_t)((bulk ? 2 : 0) + (shape->interrupt ? 1 : 0));
    *p++ = shape->interface_class;
    *p++ = shape->interface_subclass;
    *p++ = shape->interface_protocol;
    *p++ = 0; /* iInterface: there are no string descriptors */
    return p;
}

size_t ccid_virtual_reader_config(const struct ccid_virtual_shape *shape,
                                  uint8_t out[CCID_VIRTUAL_CONFIG_MAX])
{
    const uint8_t configuration[9] = {9, 0x02, 0,    0, shape->interface_count,
                                      1, 0,    0x80, 50};
    uint8_t *p = out;

    memcpy(p, configuration, sizeof(configuration));
    p += sizeof(configuration);
    p = interface_descriptor(p, shape);
    p = class_descriptor(p, shape);
    if (shape->transport == CCID_TRANSPORT_BULK) {
        p = endpoint(p, 0x01, 0x02, shape->packet_size, 0);
        p = endpoint(p, 0x82, 0x02, shape->packet_size, 0);
    }
    if (shape->interrupt)
        p = endpoint(p, 0x83, 0x03, INTERRUPT_PACKET_SIZE, 8);
    put16(out + 2, (uint32_t)(p - out));
    return (size_t)(p - out);
}
