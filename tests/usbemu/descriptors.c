/* SPDX-License-Identifier: BSD-2-Clause */
/* descriptors.c - what an emulated reader says of itself: USB descriptors, the control
 * endpoint, and the sysfs attributes that the kernel would derive from them. */
#include "usbemu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_LEN    18
#define CONFIG_LEN    9
#define INTERFACE_LEN 9
#define CLASS_LEN     EMU_CLASS_LEN
#define ENDPOINT_LEN  7u

#define CONFIGURATION_MAX 512

#define CLOCK_KHZ     4000
#define DATA_RATE_BPS 10752
#define DATA_RATE_MAX 344086
#define MAX_IFSD      254

/* dwFeatures (CCID 1.1 §5.1): parameters, activation, voltage, clock, rate and PPS are
 * automatic. */
#define FEATURES_AUTO    0x000000be
#define FEATURE_IFSD     0x00000400
#define FEATURES_TOKEN   0x00000840 /* negotiates by itself; is its own card */
#define FEATURE_TPDU     0x00010000
#define FEATURE_SHORT    0x00020000
#define FEATURE_EXTENDED 0x00040000

static uint8_t *put16(uint8_t *p, unsigned v)
{
    *p++ = (uint8_t)v;
    *p++ = (uint8_t)(v >> 8);
    return p;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    return put16(put16(p, v & 0xffff), v >> 16);
}

static uint8_t *put_bytes(uint8_t *p, const uint8_t *bytes, size_t len)
{
    memcpy(p, bytes, len);
    return p + len;
}

static uint32_t features(enum emu_level level)
{
    switch (level) {
    case EMU_TPDU:
        return FEATURES_AUTO | FEATURE_TPDU;
    case EMU_SHORT_APDU:
        return FEATURES_AUTO | FEATURE_IFSD | FEATURE_SHORT;
    case EMU_EXTENDED_APDU:
        return FEATURES_AUTO | FEATURE_IFSD | FEATURE_EXTENDED;
    case EMU_CHARACTER:
    default:
        return FEATURES_AUTO | FEATURE_IFSD;
    }
}

static uint32_t token_features(enum emu_level level)
{
    return FEATURES_TOKEN | (features(level) & 0x00070000);
}

static void put_class(uint8_t *p, const struct emu_device *device)
{
    const uint8_t head[] = {
        CLASS_LEN, 0x21, 0x10, 0x01, (uint8_t)(device->slot_count - 1),
        7 /* 5, 3 and 1.8 V */};

    p = put_bytes(p, head, sizeof head);
    p = put32(p, device->iccd ? device->iccd : 3u); /* dwProtocols: T=0, T=1 */
    p = put32(p, CLOCK_KHZ);
    p = put32(p, CLOCK_KHZ);
    *p++ = 0;
    p = put32(p, DATA_RATE_BPS);
    p = put32(p, DATA_RATE_MAX);
    *p++ = 0;
    p = put32(p, MAX_IFSD);
    p = put32(p, 0); /* dwSynchProtocols */
    p = put32(p, 0); /* dwMechanical */
    p = put32(p, device->iccd ? token_features(device->level) : features(device->level));
    p = put32(p, device->max_message);
    *p++ = 0xff; /* bClassGetResponse, bClassEnvelope: as the command */
    *p++ = 0xff;
    p = put16(p, 0); /* no display */
    *p++ = 0;        /* no PIN pad */
    *p = (uint8_t)device->busy_slots;
}

static uint8_t *put_endpoint(uint8_t *p, uint8_t address, uint8_t type, unsigned packet,
                             uint8_t interval)
{
    const uint8_t head[] = {(uint8_t)ENDPOINT_LEN, 5, address, type};

    p = put16(put_bytes(p, head, sizeof head), packet);
    *p++ = interval;
    return p;
}

static uint8_t *put_interface(uint8_t *p, const struct emu_device *device)
{
    const uint8_t endpoints =
        (uint8_t)((device->iccd ? 0 : 2) + (device->interrupt_endpoint ? 1 : 0));
    const uint8_t above = (uint8_t)(device->interface_number * EMU_EP_STEP);
    const uint8_t head[] = {INTERFACE_LEN,
                            4,
                            (uint8_t)device->interface_number,
                            0,
                            endpoints,
                            0x0b,
                            0,
                            (uint8_t)device->iccd,
                            4};
    uint8_t class[CLASS_LEN];

    if (device->class_given)
        memcpy(class, device->class_bytes, CLASS_LEN);
    else
        put_class(class, device);
    if (!device->class_given || device->class_len != CLASS_LEN)
        class[0] = (uint8_t)device->class_len; /* a wrong one cuts it short */
    p = put_bytes(p, head, sizeof head);
    if (!device->class_after)
        p = put_bytes(p, class, device->class_len);
    if (!device->iccd) {
        p = put_endpoint(p, EMU_EP_OUT + above, 2, device->packet_size, 0);
        p = put_endpoint(p, EMU_EP_IN + above, 2, device->packet_size, 0);
    }
    if (device->interrupt_endpoint)
        p = put_endpoint(p, EMU_EP_INTERRUPT + above, 3, 8, device->high_speed ? 8 : 16);
    if (device->class_after)
        p = put_bytes(p, class, device->class_len);
    return p;
}

void emu_build_descriptors(struct emu_device *device)
{
    const uint8_t dev_head[] = {DEVICE_LEN, 1, 0x00, 0x02, 0, 0, 0, 64};
    const uint8_t dev_tail[] = {0x00, 0x01, 1, 2, 3, 1};
    const uint8_t attributes = device->remote_wakeup ? 0xa0 : 0x80;
    uint8_t config[] = {CONFIG_LEN, 2, 0, 0, 0, 1, 0, attributes, 50};
    uint8_t *p = device->descriptors, *configuration;

    _Static_assert(DEVICE_LEN + CONFIG_LEN +
                           EMU_INTERFACES_MAX *
                               (INTERFACE_LEN + CLASS_LEN + 3 * ENDPOINT_LEN) <=
                       sizeof device->descriptors,
                   "the descriptors fit");
    p = put_bytes(p, dev_head, sizeof dev_head);
    p = put16(put16(p, device->vid), device->pid);
    p = put_bytes(p, dev_tail, sizeof dev_tail);
    configuration = p;
    p = put_bytes(p, config, sizeof config);
    for (struct emu_device *d = device; d; d = d->next_interface) {
        p = put_interface(p, d);
        configuration[4]++;
    }
    put16(configuration + 2, (unsigned)(p - configuration));
    device->descriptors_len = (size_t)(p - device->descriptors);
}

/* ---- control endpoint ------------------------------------------------------------ */

static size_t string_descriptor(const struct emu_device *device, unsigned index,
                                uint8_t out[255])
{
    static const char *const fixed[] = {[1] = "Emulated", [4] = "CCID interface"};
    const uint8_t *s;
    size_t len, n = 2;

    if (index == 2 || index == 3) {
        const struct emu_string *own = index == 2 ? &device->product : &device->serial;

        s = own->bytes;
        len = own->len;
    } else if (index < sizeof fixed / sizeof *fixed && fixed[index]) {
        s = (const uint8_t *)fixed[index];
        len = strlen(fixed[index]);
    } else {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        out[n++] = s[i];
        out[n++] = 0;
    }
    out[0] = (uint8_t)n;
    out[1] = 3;
    return n;
}

static size_t get_descriptor(const struct emu_device *device, unsigned type,
                             unsigned index, uint8_t out[CONFIGURATION_MAX])
{
    static const uint8_t languages[] = {4, 3, 0x09, 0x04};
    size_t len;

    switch (type) {
    case 1:
        memcpy(out, device->descriptors, DEVICE_LEN);
        return DEVICE_LEN;
    case 2:
        len = device->descriptors_len - DEVICE_LEN;
        memcpy(out, device->descriptors + DEVICE_LEN, len);
        return len;
    case 3:
        if (index)
            return string_descriptor(device, index, out);
        memcpy(out, languages, sizeof languages);
        return sizeof languages;
    default:
        return 0;
    }
}

int emu_control(struct emu_device *device, const uint8_t setup[8], uint8_t *data,
                size_t len)
{
    unsigned request = (unsigned)setup[0] << 8 | setup[1];
    size_t room = (size_t)setup[6] | (size_t)setup[7] << 8, n;
    uint8_t answer[CONFIGURATION_MAX] = {0};

    if (device->iccd && (setup[0] & 0x7f) == 0x21)
        return emu_iccd_control(device, setup, data, room < len ? room : len);
    switch (request) {
    case 0x8006: /* GET_DESCRIPTOR */
        n = get_descriptor(device, setup[3], setup[2], answer);
        if (!n)
            return -EPIPE;
        break;
    case 0x8008: /* GET_CONFIGURATION */
        answer[0] = 1;
        n = 1;
        break;
    case 0x8000: /* GET_STATUS */
    case 0x8100:
    case 0x8200:
        n = 2;
        break;
    case 0xa102: /* GET_CLOCK_FREQUENCIES */
        put32(answer, CLOCK_KHZ);
        n = 4;
        break;
    case 0xa103: /* GET_DATA_RATES */
        put32(answer, DATA_RATE_BPS);
        n = 4;
        break;
    case 0x0003: /* SET_FEATURE: DEVICE_REMOTE_WAKEUP */
        if (setup[2] != 1 || !device->remote_wakeup)
            return -EPIPE;
        device->wakeup_enabled = true;
        return 0;
    case 0x2101: /* ABORT: wValue is bSlot, bSeq */
        device = emu_interface(device, setup[4]);
        if (!device)
            return -EPIPE;
        emu_abort_control(device, setup[2], setup[3]);
        return 0;
    default: /* SET_CONFIGURATION and the like are accepted, the rest is refused */
        return setup[0] & 0xe0 ? -EPIPE : 0;
    }
    if (n > room)
        n = room;
    if (n > len)
        n = len;
    if (n)
        memcpy(data, answer, n);
    return (int)n;
}

/* ---- sysfs ----------------------------------------------------------------------- */

struct attribute {
    const char *name;
    char value[EMU_STRING_MAX + 1];
};

static char *find_attribute(const struct attribute *list, size_t count, const char *name,
                            size_t *len)
{
    char *copy;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) != 0)
            continue;
        *len = strlen(list[i].value);
        copy = emu_alloc(*len + 1);
        memcpy(copy, list[i].value, *len);
        return copy;
    }
    return NULL;
}

static char *interface_attribute(const struct emu_device *device, const char *name,
                                 size_t *len)
{
    const struct attribute list[] = {
        {"bInterfaceNumber", "00"},
        {"bInterfaceClass", "0b"},
        {"bInterfaceSubClass", "00"},
        {"bInterfaceProtocol", "00"},
        {"bAlternateSetting", " 0"},
        {"interface", "CCID interface"},
        {"bNumEndpoints", {'0', device->interrupt_endpoint ? '3' : '2', 0}},
    };

    return find_attribute(list, sizeof list / sizeof *list, name, len);
}

char *emu_attribute(struct emu_device *device, bool interface, const char *name,
                    size_t *len)
{
    const char *port = strchr(device->name, '-');
    struct attribute list[] = {
        {"busnum", ""},
        {"devnum", ""},
        {"idVendor", ""},
        {"idProduct", ""},
        {"product", ""},
        {"serial", ""},
        {"devpath", ""},
        {"speed", ""},
        {"bConfigurationValue", "1"},
        {"bcdDevice", "0100"},
        {"manufacturer", "Emulated"},
        {"bNumInterfaces", ""},
        {"bNumConfigurations", "1"},
        {"bDeviceClass", "00"},
        {"bDeviceSubClass", "00"},
        {"bDeviceProtocol", "00"},
        {"bMaxPacketSize0", "64"},
        {"version", " 2.00"},
        {"maxchild", "0"},
    };
    const size_t room = sizeof list[0].value;
    unsigned interfaces = 0;

    if (interface)
        return interface_attribute(device, name, len);
    if (!strcmp(name, "descriptors")) {
        char *copy = emu_alloc(device->descriptors_len + 1);

        *len = device->descriptors_len;
        memcpy(copy, device->descriptors, *len);
        return copy;
    }
    for (const struct emu_device *d = device; d; d = d->next_interface)
        interfaces++;
    snprintf(list[11].value, room, "%2u", interfaces);
    snprintf(list[0].value, room, "%u", device->bus);
    snprintf(list[1].value, room, "%u", device->address);
    snprintf(list[2].value, room, "%04x", device->vid);
    snprintf(list[3].value, room, "%04x", device->pid);
    snprintf(list[4].value, room, "%s", (const char *)device->product.bytes);
    snprintf(list[5].value, room, "%s", (const char *)device->serial.bytes);
    snprintf(list[6].value, room, "%s", port ? port + 1 : device->name);
    snprintf(list[7].value, room, "%s", device->high_speed ? "480" : "12");
    return find_attribute(list, sizeof list / sizeof *list, name, len);
}
