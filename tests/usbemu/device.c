/* SPDX-License-Identifier: BSD-2-Clause */
/* device.c - the readers there are: options, plug and unplug. */
#include "usbemu.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

pthread_mutex_t emu_lock = PTHREAD_MUTEX_INITIALIZER;

static struct emu_device *devices[EMU_DEVICES_MAX];
static unsigned device_count;
static unsigned last_address = 1; /* a root hub's */

/* A TPDU reader's card knows T=0 alone unless told otherwise. */
static const char atr_tpdu[] = "3b0454455354";

void *emu_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);

    if (!p)
        abort();
    return p;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int emu_unhex(const char *hex, uint8_t *out, size_t room)
{
    size_t len = strlen(hex);

    if (len % 2 || len / 2 > room)
        return -1;
    for (size_t i = 0; i < len / 2; i++) {
        int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return -1;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return (int)(len / 2);
}

bool emu_set_atr(struct emu_device *device, unsigned index, const char *hex)
{
    static const uint8_t params_t0[7] = {0x11, 0x00, 0x00, 0x0a};
    static const uint8_t params_t1[7] = {0x11, 0x10, 0x00, 0x4d, 0x00, 0xfe};
    struct emu_slot *slot = &device->slots[index];
    uint8_t atr[CCID_VIRTUAL_ATR_MAX];
    int len;

    if ((!hex || !*hex) && device->level == EMU_TPDU)
        hex = atr_tpdu;
    len = emu_unhex(hex ? hex : "", atr, sizeof atr);
    if (len < 0 || !ccid_virtual_card_init(&slot->card, atr, (size_t)len))
        return false;
    slot->protocol = ccid_virtual_card_protocols(&slot->card) & 1 ? 0 : 1;
    memcpy(slot->params, slot->protocol ? params_t1 : params_t0, sizeof slot->params);
    return true;
}

struct emu_device *emu_device(unsigned *i)
{
    return *i < device_count ? devices[(*i)++] : NULL;
}

struct emu_device *emu_find(const char *name)
{
    struct emu_device *device;

    for (unsigned i = 0; (device = emu_device(&i));)
        if (!strcmp(device->name, name))
            return device;
    return NULL;
}

struct emu_device *emu_interface(struct emu_device *device, unsigned number)
{
    while (device && device->interface_number != number)
        device = device->next_interface;
    return device;
}

struct emu_device *emu_interface_of(struct emu_device *device, unsigned endpoint)
{
    unsigned number = ((endpoint & 0x0f) - 1) / EMU_EP_STEP;

    return endpoint & 0x0f ? emu_interface(device, number) : NULL;
}

struct emu_device *emu_find_address(unsigned bus, unsigned address)
{
    struct emu_device *device;

    for (unsigned i = 0; (device = emu_device(&i));)
        if (device->bus == bus && device->address == address)
            return device;
    return NULL;
}

/* As the kernel does: the next free one, 127 at most. */
static unsigned free_address(unsigned bus)
{
    do
        last_address = last_address < 127 ? last_address + 1 : 2;
    while (emu_find_address(bus, last_address));
    return last_address;
}

/* ---- options --------------------------------------------------------------------- */

struct options {
    unsigned cards; /* the first slots that hold a card */
    unsigned interfaces;
    char atr[2 * CCID_VIRTUAL_ATR_MAX + 1];
};

static bool number(const char *s, int base, unsigned long max, unsigned long *out)
{
    char *end;

    *out = strtoul(s, &end, base);
    return *s && !*end && *out <= max;
}

static bool text(struct emu_string *out, const char *s, bool hex)
{
    int n = hex ? emu_unhex(s, out->bytes, EMU_STRING_MAX) : (int)strlen(s);

    if (n < 0 || n > EMU_STRING_MAX)
        return false;
    if (!hex)
        memcpy(out->bytes, s, (size_t)n);
    out->bytes[n] = 0;
    out->len = (size_t)n;
    return true;
}

static bool level(struct emu_device *device, const char *value)
{
    static const char *const names[] = {[EMU_CHARACTER] = "char",
                                        [EMU_TPDU] = "tpdu",
                                        [EMU_SHORT_APDU] = "short",
                                        [EMU_EXTENDED_APDU] = "ext"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(value, names[i]) == 0) {
            device->level = (enum emu_level)i;
            return true;
        }
    }
    return false;
}

/* A class descriptor in full: what the emulation does follows from it. */
static bool class_descriptor(struct emu_device *device, const char *hex)
{
    const uint8_t *p = device->class_bytes;
    uint32_t max_message;

    if (emu_unhex(hex, device->class_bytes, EMU_CLASS_LEN) != EMU_CLASS_LEN ||
        p[4] >= EMU_SLOTS_MAX)
        return false;
    device->class_given = true;
    device->slot_count = p[4] + 1u;
    device->level = p[42] & 4   ? EMU_EXTENDED_APDU
                    : p[42] & 2 ? EMU_SHORT_APDU
                    : p[42] & 1 ? EMU_TPDU
                                : EMU_CHARACTER;
    max_message = (uint32_t)p[44] | (uint32_t)p[45] << 8 | (uint32_t)p[46] << 16 |
                  (uint32_t)p[47] << 24;
    device->max_message = max_message > EMU_MESSAGE_MAX ? EMU_MESSAGE_MAX : max_message;
    device->busy_slots = p[53];
    return device->max_message >= 20;
}

/* Level and lengths are those of real ones, unless told afterwards. */
static bool token(struct emu_device *device, const char *value)
{
    if (strcmp(value, "a") != 0 && strcmp(value, "b") != 0)
        return false;
    device->iccd = value[0] == 'a' ? EMU_ICCD_A : EMU_ICCD_B;
    device->level = device->iccd == EMU_ICCD_A ? EMU_CHARACTER : EMU_SHORT_APDU;
    device->interrupt_endpoint = false;
    device->max_message = 261;
    return true;
}

static bool flag(const char *value, bool *out)
{
    unsigned long n;

    if (!number(value, 10, 1, &n))
        return false;
    *out = n != 0;
    return true;
}

static bool option(struct emu_device *device, struct options *o, const char *key,
                   const char *value)
{
    unsigned long n = 0;
    bool ok;

    if (!strcmp(key, "level"))
        return level(device, value);
    if (!strcmp(key, "product") || !strcmp(key, "producthex"))
        return text(&device->product, value, key[7] != 0);
    if (!strcmp(key, "serial") || !strcmp(key, "serialhex"))
        return text(&device->serial, value, key[6] != 0);
    if (!strcmp(key, "atr")) {
        snprintf(o->atr, sizeof o->atr, "%s", value);
        return strlen(value) < sizeof o->atr;
    }
    if (!strcmp(key, "iccd"))
        return token(device, value);
    if (!strcmp(key, "class"))
        return class_descriptor(device, value);
    if (!strcmp(key, "after"))
        return flag(value, &device->class_after);
    if (!strcmp(key, "wake"))
        return flag(value, &device->remote_wakeup);
    if (!strcmp(key, "intr"))
        return flag(value, &device->interrupt_endpoint);
    if (!strcmp(key, "vid")) {
        ok = number(value, 16, 0xffff, &n);
        device->vid = (unsigned)n;
    } else if (!strcmp(key, "pid")) {
        ok = number(value, 16, 0xffff, &n);
        device->pid = (unsigned)n;
    } else if (!strcmp(key, "slots")) {
        ok = number(value, 10, EMU_SLOTS_MAX, &n) && n > 0;
        device->slot_count = (unsigned)n;
    } else if (!strcmp(key, "card")) {
        ok = number(value, 10, EMU_SLOTS_MAX, &n);
        o->cards = (unsigned)n;
    } else if (!strcmp(key, "maxmsg")) {
        ok = number(value, 10, EMU_MESSAGE_MAX, &n) && n >= 20;
        device->max_message = (uint32_t)n;
    } else if (!strcmp(key, "latency")) {
        ok = number(value, 10, 60000000, &n);
        device->latency_us = (uint32_t)n;
    } else if (!strcmp(key, "chance")) {
        ok = number(value, 10, EMU_CHANCE_ONE, &n);
        device->faults.chance = (unsigned)n;
    } else if (!strcmp(key, "seed")) {
        ok = number(value, 10, UINT32_MAX, &n);
        emu_faults_seed(device, (uint32_t)n);
    } else if (!strcmp(key, "hs")) {
        ok = number(value, 10, 1, &n);
        device->high_speed = n;
        device->packet_size = n ? 512 : 64;
    } else if (!strcmp(key, "packet")) {
        ok = number(value, 10, 1024, &n);
        device->packet_size = (unsigned)n;
    } else if (!strcmp(key, "classlen")) {
        ok = number(value, 10, EMU_CLASS_LEN, &n) && n != 1;
        device->class_len = (unsigned)n;
    } else if (!strcmp(key, "busy")) {
        ok = number(value, 10, EMU_SLOTS_MAX, &n) && n > 0;
        device->busy_slots = (unsigned)n;
    } else if (!strcmp(key, "interfaces")) {
        ok = number(value, 10, EMU_INTERFACES_MAX, &n) && n > 0;
        o->interfaces = (unsigned)n;
    } else {
        ok = false;
    }
    return ok;
}

static bool parse(struct emu_device *device, struct options *o, const char *text_in)
{
    char *copy = strdup(text_in), *save = NULL;
    bool ok = copy != NULL;

    for (char *t = ok ? strtok_r(copy, ",", &save) : NULL; t && ok;
         t = strtok_r(NULL, ",", &save)) {
        char *value = strchr(t, '=');

        if (value)
            *value++ = 0;
        ok = value && option(device, o, t, value);
    }
    free(copy);
    return ok;
}

static void discard_interface(struct emu_device *device)
{
    for (unsigned i = 0; device->slots && i < device->slot_count; i++)
        emu_slot_clear(&device->slots[i]);
    free(device->slots);
    free(device->out);
    device->slots = NULL;
    device->out = NULL;
    device->slot_count = 0;
}

static void discard(struct emu_device *device)
{
    for (; device; device = device->next_interface)
        discard_interface(device);
}

/* The first slots get their cards; false: the ATR is none. */
static bool furnish(struct emu_device *device, const struct options *o)
{
    if (!device->max_message)
        device->max_message = device->level == EMU_EXTENDED_APDU ? EMU_MESSAGE_MAX : 271;
    device->out = emu_alloc(EMU_MESSAGE_MAX);
    device->slots = emu_alloc(device->slot_count * sizeof *device->slots);
    for (unsigned i = 0; i < device->slot_count; i++) {
        if (!emu_set_atr(device, i, o->atr))
            return false;
        device->slots[i].present = device->slots[i].changed = i < o->cards;
    }
    return true;
}

/* The other interfaces, alike. */
static bool furnish_all(struct emu_device *device, const struct options *o)
{
    for (unsigned i = o->interfaces; i-- > 1;) {
        struct emu_device *other = emu_alloc(sizeof *other);

        *other = *device;
        other->interface_number = i;
        device->next_interface = other;
        if (!furnish(other, o))
            return false;
        other->interrupt_pending = other->interrupt_endpoint;
    }
    return furnish(device, o);
}

static void free_interfaces(struct emu_device *device)
{
    while (device) {
        struct emu_device *next = device->next_interface;

        free(device);
        device = next;
    }
}

struct emu_device *emu_plug(const char *name, const char *options, const char **error)
{
    struct options o = {.interfaces = 1};
    struct emu_device *device;
    unsigned bus;

    *error = "the name is not BUS-PORT";
    if (sscanf(name, "%3u-", &bus) != 1 || strlen(name) >= sizeof device->name ||
        name[strspn(name, "0123456789-.")])
        return NULL;
    *error = "exists";
    if (emu_find(name))
        return NULL;
    *error = "too many readers";
    if (device_count == EMU_DEVICES_MAX)
        return NULL;

    device = emu_alloc(sizeof *device);
    snprintf(device->name, sizeof device->name, "%s", name);
    device->bus = bus;
    device->level = EMU_EXTENDED_APDU;
    device->slot_count = device->busy_slots = 1;
    device->vid = 0x04e6; /* known to libccid, without its work-arounds */
    device->pid = 0x581c;
    device->high_speed = device->interrupt_endpoint = true;
    device->packet_size = 512;
    device->class_len = EMU_CLASS_LEN;
    device->serial.len = (size_t)snprintf((char *)device->serial.bytes,
                                          sizeof device->serial.bytes, "EMU%s", name);
    device->product.len =
        (size_t)snprintf((char *)device->product.bytes, sizeof device->product.bytes,
                         "CCID Reader %s", name);
    *error = "bad option";
    if (!parse(device, &o, options ? options : "") || !furnish_all(device, &o)) {
        discard(device);
        free_interfaces(device);
        return NULL;
    }
    device->address = free_address(bus);
    emu_build_descriptors(device);
    emu_revive(device);
    device->interrupt_pending = device->interrupt_endpoint;
    device->users = 1;
    devices[device_count++] = device;
    return device;
}

void emu_device_hold(struct emu_device *device)
{
    device->users++;
}

void emu_device_let_go(struct emu_device *device)
{
    if (--device->users == 0)
        free_interfaces(device);
}

void emu_unplug(struct emu_device *device)
{
    unsigned i = 0;

    while (devices[i] != device)
        i++;
    device_count--;
    memmove(&devices[i], &devices[i + 1], (device_count - i) * sizeof *devices);
    for (struct emu_device *d = device; d; d = d->next_interface) {
        d->gone = true;
        emu_end_urbs(d, -ESHUTDOWN);
        emu_forget(d, EMU_SLOTS_MAX);
    }
    emu_handles_hang_up(device);
    discard(device);
    emu_announce(device, false);
    emu_device_let_go(device);
}

static void start(void)
{
    const char *list = getenv("USBEMU_DEVICES"), *path = getenv("USBEMU_CTL");
    char *copy = strdup(list ? list : ""), *save = NULL;
    const char *error;

    pthread_mutex_lock(&emu_lock);
    for (char *t = strtok_r(copy, ";", &save); t; t = strtok_r(NULL, ";", &save)) {
        char *options = strchr(t, ':');

        if (options)
            *options++ = 0;
        if (!emu_plug(t, options, &error))
            fprintf(stderr, "usbemu: %s: %s\n", t, error);
    }
    pthread_mutex_unlock(&emu_lock);
    free(copy);
    if (path && *path)
        emu_control_listen(path);
}

void emu_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, start);
}
