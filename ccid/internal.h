/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - what the files of the CCID driver share. driver.c says how they work
 * together.
 *
 * A bus (usb*.c, virtual*.c) uses three things of it: ccid_desc_interfaces and
 * ccid_desc_parse to judge a configuration descriptor, and ccid_device_add and
 * ccid_device_remove to hand over a claimed interface and take it back.
 */
#ifndef CCID_INTERNAL_H
#define CCID_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smclib.h"

#include "ccid/ccid.h"
#include "ccid/usb_ops.h"

/* ---- desc.c: descriptors (pure) -------------------------------------------------- */

#define CCID_DESC_LENGTH 54 /* CCID 1.1 table 5.1-1 */
#define CCID_SLOTS_MAX   32
/* Longest message worth a buffer: an extended APDU and its header, rounded up. */
#define CCID_MESSAGE_MAX 65556

/* dwFeatures */
#define CCID_FEATURE_AUTO_PARAMETERS 0x00000002u
#define CCID_FEATURE_AUTO_ACTIVATION 0x00000004u
#define CCID_FEATURE_AUTO_VOLTAGE    0x00000008u
#define CCID_FEATURE_AUTO_CLOCK      0x00000010u
#define CCID_FEATURE_AUTO_BAUD       0x00000020u
#define CCID_FEATURE_AUTO_NEGOTIATE  0x00000040u
#define CCID_FEATURE_AUTO_PPS        0x00000080u
#define CCID_FEATURE_CLOCK_STOP      0x00000100u
#define CCID_FEATURE_AUTO_IFSD       0x00000400u
#define CCID_FEATURE_BUILT_IN        0x00000800u /* the reader is a token */
#define CCID_FEATURE_TPDU            0x00010000u
#define CCID_FEATURE_SHORT_APDU      0x00020000u
#define CCID_FEATURE_EXTENDED_APDU   0x00040000u

/* dwMechanical */
#define CCID_MECHANICAL_ACCEPTS  0x1u
#define CCID_MECHANICAL_EJECTS   0x2u
#define CCID_MECHANICAL_CAPTURES 0x4u

/* bVoltageSupport */
#define CCID_VOLTAGE_5V  0x01u
#define CCID_VOLTAGE_3V  0x02u
#define CCID_VOLTAGE_18V 0x04u

enum ccid_level {
    CCID_LEVEL_CHARACTER,
    CCID_LEVEL_TPDU,
    CCID_LEVEL_SHORT_APDU,
    CCID_LEVEL_EXTENDED_APDU,
};

/* How messages reach the device. */
enum ccid_transport {
    CCID_TRANSPORT_BULK,   /* CCID 1.1: Bulk-OUT and Bulk-IN */
    CCID_TRANSPORT_ICCD_A, /* ICCD 1.0: control requests, bInterfaceProtocol 1 */
    CCID_TRANSPORT_ICCD_B, /* the same, bInterfaceProtocol 2 */
};

struct ccid_endpoint {
    uint8_t address; /* with the direction bit; 0: the interface has none */
    uint8_t interval;
    uint16_t packet_size;
};

struct ccid_desc {
    /* Where it is. */
    uint8_t configuration; /* bConfigurationValue */
    uint8_t interface_number;
    uint8_t interface_class;
    uint8_t interface_protocol;
    uint8_t interface_string; /* index of iInterface */
    bool only_interface;      /* of its device: a port reset hurts nobody else */
    struct ccid_endpoint bulk_in;
    struct ccid_endpoint bulk_out;
    struct ccid_endpoint interrupt_in;

    /* What it says, as it says it. */
    uint16_t bcd_ccid;
    uint8_t max_slot_index;
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
    uint32_t features;
    uint32_t max_message_length;
    uint8_t class_get_response;
    uint8_t class_envelope;
    uint16_t lcd_layout;
    uint8_t pin_support;
    uint8_t max_busy_slots;

    /* What follows from it, safe to use. */
    enum ccid_transport transport;
    enum ccid_level level;
    bool built_in;           /* the card is part of the device and cannot go */
    uint8_t slot_count;      /* 1 ... CCID_SLOTS_MAX */
    uint8_t busy_slot_count; /* 1 ... slot_count */
    uint32_t message_size;   /* longest message to send, 64 ... CCID_MESSAGE_MAX */
    uint32_t ifsd;           /* 1 ... 254 */

    /* What is known of this device alone (quirks.h); 0 before ccid_quirks_apply. */
    uint32_t quirks;               /* CCID_QUIRK_ bits */
    uint32_t usable_data_rate_bps; /* it claims more than it reaches; 0: it does not */
    uint32_t extra_card_ms;        /* for every answer of the card */
    uint32_t boot_ms;              /* to wait before the first command */
    uint32_t first_status_ms;      /* for the first answer; 0: as for anybody */

    const char *problem; /* after a refusal: the reason, for the log */
};

/* CCID interfaces of one device that are used: the first of its descriptor. */
#define CCID_INTERFACES_MAX 8

/*
 * The numbers of the interfaces that may be CCID, each once and in ascending order: class
 * 0Bh, or class FFh of a device that is known to be an early reader. Returns how many.
 */
size_t ccid_desc_interfaces(const uint8_t *config, size_t len, uint16_t vid, uint16_t pid,
                            uint8_t numbers[CCID_INTERFACES_MAX]);

/*
 * Reads one interface of a configuration descriptor, as the device sent it. On failure,
 * which is STATUS_INVALID_PARAMETER for a descriptor that breaks the rules, out->problem
 * is set.
 */
NTSTATUS ccid_desc_parse(const uint8_t *config, size_t len, uint8_t interface_number,
                         struct ccid_desc *out);

/* The class-descriptor fields and what follows from them, from its first 54 bytes. */
NTSTATUS ccid_desc_parse_class(const uint8_t *bytes, size_t len, struct ccid_desc *out);

/* ---- device.c: one CCID interface ------------------------------------------------ */

struct ccid_device;

/*
 * Reports a claimed interface as a reader. The port must work until ccid_device_remove
 * has returned (or this call has failed). Blocks while the device is started. identity
 * is copied; its slot counts are taken from desc.
 */
NTSTATUS ccid_device_add(PDRIVER_OBJECT driver, const struct ccid_usb_port *port,
                         const struct ccid_desc *desc,
                         const struct smc_device_identity *identity,
                         struct ccid_device **out);

/*
 * Takes the reader away and frees it. surprise: the hardware is gone; what runs is
 * ended and nothing more is sent. Afterwards the port is the bus's again. A bus whose
 * device has vanished calls it also while a transfer runs.
 */
void ccid_device_remove(struct ccid_device *device, bool surprise);

/* The port of a function device, for ccid_virtual_insert and its like to find theirs. */
const struct ccid_usb_port *ccid_device_port(PDEVICE_OBJECT device);

/* ---- the other ends of the buses ------------------------------------------------- */

void ccid_usb_unwatch(void);  /* usb_watch.c */
void ccid_virtual_stop(void); /* virtual_bus.c */

#endif
