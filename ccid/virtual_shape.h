/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_shape.h - what a virtual reader is: all that its descriptors say, the lists
 * that it gives when asked, and the card that it gets. Pure.
 *
 * A shape is made by copying one and changing it, or of the descriptor of a real reader
 * (ccid_virtual_shape_of). The device behaves as its shape says (virtual_command.c), and
 * its driver reads the shape back out of the descriptors.
 */
#ifndef CCID_VIRTUAL_SHAPE_H
#define CCID_VIRTUAL_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ccid/internal.h"

#define CCID_VIRTUAL_SLOTS_MAX  8
#define CCID_VIRTUAL_CONFIG_MAX 128

struct ccid_virtual_shape {
    /* The device and its interface. A name that is NULL is not there. */
    uint16_t vid, pid, bcd_device;
    const char *vendor, *product, *interface_name;
    uint8_t interface_count; /* of the device; this is one of them */
    uint8_t interface_number;
    uint8_t interface_class; /* 0Bh, FFh */
    uint8_t interface_subclass;
    uint8_t interface_protocol;
    enum ccid_transport transport; /* ICCD: no bulk endpoints */
    bool interrupt;                /* has an interrupt endpoint */
    uint16_t packet_size;          /* of the bulk endpoints */

    /* The class descriptor (CCID 1.1 table 5.1-1), as the device says it. */
    uint8_t descriptor_type; /* 21h; FFh on early devices */
    uint16_t bcd_ccid;
    uint8_t slot_count; /* bMaxSlotIndex + 1: 1 ... CCID_VIRTUAL_SLOTS_MAX */
    uint8_t voltage_support;
    uint32_t protocols;
    uint32_t default_clock_khz;
    uint32_t maximum_clock_khz;
    uint8_t clock_count;
    uint32_t data_rate_bps;
    uint32_t maximum_data_rate_bps;
    uint8_t data_rate_count;
    uint32_t max_ifsd;
    uint32_t synch_protocols;
    uint32_t mechanical;
    enum ccid_level level;
    uint32_t features; /* dwFeatures without the level */
    bool chains;       /* takes and gives APDUs in parts although it says short level */
    uint32_t max_message_length;
    uint8_t class_get_response;
    uint8_t class_envelope;
    uint16_t lcd_layout;
    uint8_t pin_support;
    uint8_t max_busy_slots;

    /* What GET_CLOCK_FREQUENCIES and GET_DATA_RATES answer, whatever their numbers above
     * say; without a list the request is refused. */
    const uint32_t *clocks_khz;
    size_t clock_list_length;
    const uint32_t *rates_bps;
    size_t rate_list_length;

    /* The card that every slot gets unless told. Length 0: the built-in one. */
    const uint8_t *atr;
    size_t atr_len;
};

/* One slot, short and extended APDUs, everything automatic except activation. */
extern const struct ccid_virtual_shape ccid_virtual_default_shape;

/* The shape that a user calls so: NULL is the default; or NULL, there is none. */
const struct ccid_virtual_shape *ccid_virtual_shape(const char *name);

/* What the interface descriptor of a real reader says. */
struct ccid_virtual_interface {
    uint8_t number;
    uint8_t class_code, subclass, protocol;
    uint8_t endpoint_count; /* 3: with an interrupt endpoint; less than 2: ICCD */
};

/*
 * The shape of a reader whose class descriptor and interface are given, with a card that
 * suits its dwProtocols, without names and lists. STATUS_NOT_SUPPORTED for more slots
 * than CCID_VIRTUAL_SLOTS_MAX and for endpoints that no reader has;
 * STATUS_INVALID_PARAMETER for what ccid_desc_parse_class refuses.
 */
NTSTATUS ccid_virtual_shape_of(const uint8_t *class_descriptor, size_t len,
                               const struct ccid_virtual_interface *interface,
                               struct ccid_virtual_shape *out);

/* The configuration descriptor of the device, with the one interface that is a reader;
 * returns the length. */
size_t ccid_virtual_reader_config(const struct ccid_virtual_shape *shape,
                                  uint8_t out[CCID_VIRTUAL_CONFIG_MAX]);

/* The bit of dwFeatures that says the level; 0 for the character level. */
uint32_t ccid_virtual_level_bit(enum ccid_level level);

/* The slots that the device works on at once: 1 ... slot_count. */
unsigned ccid_virtual_shape_busy_limit(const struct ccid_virtual_shape *shape);

#endif
