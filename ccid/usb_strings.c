/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb_strings.c - the names that a device gives itself. They are bytes from outside that
 * end up in file names and text files: whatever they are, printable ASCII comes out.
 */
#include "ccid/usb.h"

#include <stdio.h>

#define STRING_TYPE        3
#define LANGUAGE_US        0x0409
#define TEXT_BYTES_MAX     100
#define GET_DESCRIPTOR     6
#define STANDARD_IN        0x80
#define MANUFACTURER_INDEX 14 /* in the device descriptor, USB 2.0 table 9-8 */
#define PRODUCT_INDEX      15
#define SERIAL_INDEX       16

static uint32_t unit_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

/* The character at *at, which moves on by one or two units of UTF-16LE. */
static uint32_t next_character(const uint8_t *p, size_t len, size_t *at)
{
    uint32_t unit = unit_at(p + *at);
    uint32_t low;

    *at += 2;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit > 0xdbff || len - *at < 2)
        return 0xfffd;
    low = unit_at(p + *at);
    if (low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *at += 2;
    return 0x10000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
}

static size_t to_utf8(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* Nothing that a name can begin or end with. */
static bool is_blank(uint32_t c)
{
    return c == 0 || c == ' ';
}

/* A string of such alone, as some firmware has in place of one, is no name. */
static bool is_visible(uint32_t c)
{
    return c > ' ' && c != 0x7f && c != 0xfffe && c != 0xffff;
}

/* The part of the string that counts: without blanks and zeros at its ends. False:
 * there is none. */
static bool trim(const uint8_t *p, size_t *begin, size_t *end)
{
    size_t first = 0, last = 0;
    bool visible = false;

    for (size_t at = *begin; *end >= at && *end - at >= 2;) {
        size_t before = at;
        uint32_t c = next_character(p, *end, &at);

        visible = visible || is_visible(c);
        if (!is_blank(c)) {
            first = first == 0 ? before : first;
            last = at;
        }
    }
    *begin = first;
    *end = last;
    return visible;
}

/* A character as text, at most 16 bytes. */
static size_t to_text(uint32_t c, char out[17])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[4];
    size_t count = to_utf8(c, bytes);
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        if (bytes[i] >= 0x20 && bytes[i] <= 0x7e) {
            out[len++] = (char)bytes[i];
        } else {
            out[len++] = '\\';
            out[len++] = 'x';
            out[len++] = digits[bytes[i] >> 4];
            out[len++] = digits[bytes[i] & 15];
        }
    }
    out[len] = '\0';
    return len;
}

void usb_string_decode(const uint8_t *descriptor, size_t len, char *out, size_t size)
{
    size_t at = 2;
    size_t done = 0;

    out[0] = '\0';
    if (len < 2 || descriptor[1] != STRING_TYPE)
        return;
    if (descriptor[0] < len)
        len = descriptor[0];
    if (!trim(descriptor, &at, &len))
        return;
    while (len >= at && len - at >= 2) { /* an odd last byte is no character */
        char text[17];
        size_t n = to_text(next_character(descriptor, len, &at), text);

        if (n >= size - done)
            return;
        memcpy(out + done, text, n + 1);
        done += n;
    }
}

/* The first language of the strings. */
static uint16_t read_language(struct ccid_usb *usb)
{
    uint8_t descriptor[USB_STRING_BYTES];
    size_t len;

    if (usb_control(usb, STANDARD_IN, GET_DESCRIPTOR, STRING_TYPE << 8, 0, descriptor,
                    sizeof(descriptor), &len, USB_STRING_TIMEOUT_MS) != CCID_USB_OK ||
        len < 4 || descriptor[1] != STRING_TYPE)
        return LANGUAGE_US; /* some devices have strings and no list of languages */
    return (uint16_t)unit_at(descriptor + 2);
}

static void read_string(struct ccid_usb *usb, uint16_t language, uint8_t index, char *out)
{
    uint8_t descriptor[USB_STRING_BYTES];
    size_t len;

    out[0] = '\0';
    if (index == 0)
        return;
    if (usb_control(usb, STANDARD_IN, GET_DESCRIPTOR,
                    (uint16_t)(STRING_TYPE << 8 | index), language, descriptor,
                    sizeof(descriptor), &len, USB_STRING_TIMEOUT_MS) == CCID_USB_OK)
        usb_string_decode(descriptor, len, out, TEXT_BYTES_MAX + 1);
}

void usb_identity_read(struct ccid_usb *usb, const uint8_t *device_descriptor,
                       const struct ccid_desc *desc, struct smc_device_identity *out)
{
    uint16_t language = read_language(usb);

    read_string(usb, language, device_descriptor[MANUFACTURER_INDEX], out->vendor);
    read_string(usb, language, device_descriptor[PRODUCT_INDEX], out->product);
    read_string(usb, language, device_descriptor[SERIAL_INDEX], out->serial);
    read_string(usb, language, desc->interface_string, out->interface_name);
    if (out->product[0] == '\0')
        snprintf(out->product, sizeof(out->product), "USB %04x:%04x", out->vid, out->pid);
}
