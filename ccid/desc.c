/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * desc.c - USB configuration descriptor to struct ccid_desc (CCID 1.1 §5.1, table
 * 5.1-1). Pure: bytes in, values out, no device needed.
 *
 * The bytes come from the device. The walk goes from descriptor to descriptor by
 * bLength, never past the end, and stops at a length that cannot carry a header.
 * Nothing is gated on bcdCCID or bInterfaceSubClass: fielded readers get both wrong.
 */
#include "ccid/internal.h"

#include <string.h>

#define DESC_CONFIGURATION 0x02
#define DESC_INTERFACE     0x04
#define DESC_ENDPOINT      0x05
#define DESC_CCID          0x21
#define DESC_CCID_EARLY    0xFF /* with interface class FFh only */

#define CLASS_CCID   0x0B
#define CLASS_VENDOR 0xFF

/* bInterfaceProtocol of interfaces without bulk endpoints */
#define PROTOCOL_ICCD_A 1
#define PROTOCOL_ICCD_B 2

#define MESSAGE_HEADER 10
/* A message of a short APDU reader: header, 5 bytes, 255 bytes of data, Le. */
#define MESSAGE_SHORT_APDU 271
/* What a claim that no reader can mean gets; two such buffers stay below 128 KiB. */
#define MESSAGE_ABSURD_CLAIM 65024

/* One step of the walk: the descriptor at *offset, or NULL at the end of what is sound.
 */
static const uint8_t *next_descriptor(const uint8_t *bytes, size_t len, size_t *offset)
{
    const uint8_t *descriptor;

    if (*offset >= len || len - *offset < 2)
        return NULL;
    descriptor = bytes + *offset;
    if (descriptor[0] < 2 || descriptor[0] > len - *offset)
        return NULL;
    *offset += descriptor[0];
    return descriptor;
}

static uint16_t le16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t le32(const uint8_t *bytes)
{
    return (uint32_t)le16(bytes) | (uint32_t)le16(bytes + 2) << 16;
}

/* Readers of before the standard, with class FFh. Any vendor's device has that class:
 * it needs a name on this list. */
static bool is_early_reader(uint16_t vid, uint16_t pid)
{
    static const struct {
        uint16_t vid, pid;
    } early[] = {
        {0x046A, 0x003E}, {0x04E6, 0x5111}, {0x04E6, 0x511A}, {0x04E6, 0x5120},
        {0x04E6, 0x5121}, {0x04E6, 0x512B}, {0x04E6, 0x512C}, {0x04E6, 0x5291},
        {0x04E6, 0x5292}, {0x04E6, 0xE003}, {0x076B, 0x532A}, {0x076B, 0x5340},
        {0x08E6, 0x1359}, {0x08E6, 0x2202}, {0x08E6, 0xACE0}, {0x0973, 0x0003},
        {0x09BE, 0x0002}, {0x0C4B, 0x0300}, {0x0C4B, 0x0500}, {0x1A74, 0x6354},
        {0x1A74, 0x6356}, {0x1DB2, 0x0600}, {0x1DB2, 0x0604}, {0x413C, 0x2100},
    };

    for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
        if (early[i].vid == vid && early[i].pid == pid)
            return true;
    }
    return false;
}

/* Puts a number in its place among count others, once; returns how many they are then. */
static size_t insert(uint8_t numbers[CCID_INTERFACES_MAX], size_t count, uint8_t number)
{
    size_t at = 0;

    while (at < count && numbers[at] < number)
        at++;
    if (at < count && numbers[at] == number)
        return count;
    memmove(numbers + at + 1, numbers + at, count - at);
    numbers[at] = number;
    return count + 1;
}

size_t ccid_desc_interfaces(const uint8_t *config, size_t len, uint16_t vid, uint16_t pid,
                            uint8_t numbers[CCID_INTERFACES_MAX])
{
    size_t count = 0, offset = 0;
    const uint8_t *d;

    while (count < CCID_INTERFACES_MAX &&
           (d = next_descriptor(config, len, &offset)) != NULL) {
        if (d[1] != DESC_INTERFACE || d[0] < 9 || d[3] != 0)
            continue; /* alternate setting 0 only: nobody selects another one */
        if (d[5] == CLASS_CCID || (d[5] == CLASS_VENDOR && is_early_reader(vid, pid)))
            count = insert(numbers, count, d[2]);
    }
    return count;
}

static enum ccid_level exchange_level(uint32_t features)
{
    /* Exactly one bit should be set; of several the most capable one is meant. */
    if ((features & CCID_FEATURE_EXTENDED_APDU) != 0)
        return CCID_LEVEL_EXTENDED_APDU;
    if ((features & CCID_FEATURE_SHORT_APDU) != 0)
        return CCID_LEVEL_SHORT_APDU;
    if ((features & CCID_FEATURE_TPDU) != 0)
        return CCID_LEVEL_TPDU;
    return CCID_LEVEL_CHARACTER;
}

static uint32_t message_size(uint32_t claimed)
{
    if (claimed < 64)
        return MESSAGE_SHORT_APDU; /* 0 and the like: unknown */
    if (claimed == 263)
        return MESSAGE_SHORT_APDU; /* known firmware that takes more than it says */
    if (claimed > CCID_MESSAGE_MAX)
        return MESSAGE_ABSURD_CLAIM;
    return claimed;
}

/* dwMaxIFSD as the one-byte value of a T=1 block that also fits a message: header 10,
 * prologue 3, checksum 1. */
static uint32_t usable_ifsd(const struct ccid_desc *desc)
{
    uint32_t ifsd = desc->max_ifsd;
    uint32_t room = desc->message_size - 14;

    if (ifsd == 0)
        ifsd = desc->level >= CCID_LEVEL_SHORT_APDU ? 254 : 32;
    if (ifsd > 254)
        ifsd = 254;
    if (ifsd > room)
        ifsd = room;
    return ifsd;
}

static NTSTATUS refuse(struct ccid_desc *out, NTSTATUS status, const char *problem)
{
    out->problem = problem;
    return status;
}

NTSTATUS ccid_desc_parse_class(const uint8_t *d, size_t len, struct ccid_desc *out)
{
    if (len < CCID_DESC_LENGTH || d[0] < CCID_DESC_LENGTH)
        return refuse(out, STATUS_INVALID_PARAMETER,
                      "the class descriptor is shorter than 54 bytes");

    out->bcd_ccid = le16(d + 2);
    out->max_slot_index = d[4];
    out->voltage_support = d[5];
    out->protocols = le32(d + 6);
    out->default_clock_khz = le32(d + 10);
    out->maximum_clock_khz = le32(d + 14);
    out->clock_count = d[18];
    out->data_rate_bps = le32(d + 19);
    out->maximum_data_rate_bps = le32(d + 23);
    out->data_rate_count = d[27];
    out->max_ifsd = le32(d + 28);
    out->synch_protocols = le32(d + 32);
    out->mechanical = le32(d + 36);
    out->features = le32(d + 40);
    out->max_message_length = le32(d + 44);
    out->class_get_response = d[48];
    out->class_envelope = d[49];
    out->lcd_layout = le16(d + 50);
    out->pin_support = d[52];
    out->max_busy_slots = d[53];

    if (out->max_slot_index >= CCID_SLOTS_MAX)
        return refuse(out, STATUS_INVALID_PARAMETER, "it claims more than 32 slots");

    out->level = exchange_level(out->features);
    out->slot_count = (uint8_t)(out->max_slot_index + 1);
    out->busy_slot_count = out->max_busy_slots;
    if (out->busy_slot_count == 0)
        out->busy_slot_count = 1;
    if (out->busy_slot_count > out->slot_count)
        out->busy_slot_count = 1; /* known firmware says 5 of 2: believe nothing of it */
    out->built_in = (out->features & CCID_FEATURE_BUILT_IN) != 0;
    out->message_size = message_size(out->max_message_length);
    out->ifsd = usable_ifsd(out);
    return STATUS_SUCCESS;
}

/* USB 2.0 §5.8.3 and USB 3 bulk sizes; an endpoint without one is of no use. */
static bool is_bulk_packet_size(uint16_t size)
{
    return size == 8 || size == 16 || size == 32 || size == 64 || size == 512 ||
           size == 1024;
}

static void take_endpoint(const uint8_t *d, struct ccid_desc *out)
{
    struct ccid_endpoint endpoint = {
        .address = d[2],
        .interval = d[6],
        .packet_size = (uint16_t)(le16(d + 4) & 0x07FF),
    };
    uint8_t type = d[3] & 0x03;
    bool in = (d[2] & 0x80) != 0;
    struct ccid_endpoint *place = NULL;

    if (type == 2)
        place = in ? &out->bulk_in : &out->bulk_out;
    else if (type == 3 && in)
        place = &out->interrupt_in;
    if (place != NULL && place->address == 0)
        *place = endpoint;
}

static bool is_class_descriptor(const uint8_t *d, uint8_t interface_class)
{
    if (d[1] == DESC_CCID)
        return true;
    return d[1] == DESC_CCID_EARLY && interface_class == CLASS_VENDOR &&
           d[0] == CCID_DESC_LENGTH;
}

/*
 * A token that is its own card, driven by control requests (USB ICCD 1.0). Decided by
 * endpoints and bInterfaceProtocol: there is a bulk reader that says 1. False: neither.
 */
static bool take_iccd(struct ccid_desc *out)
{
    uint32_t claimed = out->max_message_length;

    if (out->bulk_in.address != 0 || out->bulk_out.address != 0)
        return false;
    if (out->interface_protocol == PROTOCOL_ICCD_A) {
        out->transport = CCID_TRANSPORT_ICCD_A;
        out->level = CCID_LEVEL_TPDU; /* T=0, made of requests of its own (iccd_a.c) */
    } else if (out->interface_protocol == PROTOCOL_ICCD_B) {
        out->transport = CCID_TRANSPORT_ICCD_B;
        if (out->level == CCID_LEVEL_SHORT_APDU)
            out->level = CCID_LEVEL_EXTENDED_APDU; /* what they say, and they chain */
    } else {
        return false;
    }
    out->built_in = true;
    out->slot_count = out->busy_slot_count = 1;
    /* The length of the data alone: a request has no header. */
    if (claimed < 64)
        claimed = MESSAGE_SHORT_APDU - MESSAGE_HEADER;
    if (claimed > CCID_CONTROL_MAX - 1)
        claimed = CCID_CONTROL_MAX - 1; /* one is bResponseType */
    out->message_size = claimed + MESSAGE_HEADER;
    out->ifsd = usable_ifsd(out);
    return true;
}

static NTSTATUS check(const uint8_t *class_descriptor, struct ccid_desc *out)
{
    NTSTATUS status;

    if (class_descriptor == NULL)
        return refuse(out, STATUS_INVALID_PARAMETER, "it has no class descriptor");
    status = ccid_desc_parse_class(class_descriptor, class_descriptor[0], out);
    if (status != STATUS_SUCCESS)
        return status;

    if (out->bulk_in.address != 0 && out->bulk_out.address != 0) {
        if (!is_bulk_packet_size(out->bulk_in.packet_size) ||
            !is_bulk_packet_size(out->bulk_out.packet_size))
            return refuse(out, STATUS_INVALID_PARAMETER,
                          "a bulk endpoint has an impossible packet size");
    } else if (!take_iccd(out)) {
        return refuse(out, STATUS_INVALID_PARAMETER, "it has no pair of bulk endpoints");
    }
    if (out->interrupt_in.address != 0 && out->interrupt_in.packet_size == 0)
        return refuse(out, STATUS_INVALID_PARAMETER,
                      "the interrupt endpoint has packet size 0");
    return STATUS_SUCCESS;
}

NTSTATUS ccid_desc_parse(const uint8_t *config, size_t len, uint8_t interface_number,
                         struct ccid_desc *out)
{
    const uint8_t *class_descriptor = NULL;
    const uint8_t *d;
    bool inside = false;
    bool found = false;
    size_t offset = 0;

    memset(out, 0, sizeof(*out));
    while ((d = next_descriptor(config, len, &offset)) != NULL) {
        if (d[1] == DESC_CONFIGURATION && d[0] >= 9) {
            out->configuration = d[5];
            out->only_interface = d[4] == 1;
        } else if (d[1] == DESC_INTERFACE && d[0] >= 9) {
            inside = !found && d[2] == interface_number && d[3] == 0;
            if (inside) {
                found = true;
                out->interface_number = d[2];
                out->interface_class = d[5];
                out->interface_string = d[8];
                out->interface_protocol = d[7];
            }
        } else if (inside && d[1] == DESC_ENDPOINT && d[0] >= 7) {
            take_endpoint(d, out);
        } else if (inside && is_class_descriptor(d, out->interface_class) &&
                   (class_descriptor == NULL || class_descriptor[0] < CCID_DESC_LENGTH)) {
            /* Anywhere in the interface: some firmware puts it after an endpoint. Other
             * classes have shorter ones of the same type. */
            class_descriptor = d;
        }
    }
    if (!found)
        return refuse(out, STATUS_INVALID_PARAMETER, "there is no such interface");
    return check(class_descriptor, out);
}
