/* SPDX-License-Identifier: BSD-2-Clause */
/* wire.c - messages to and from a virtual reader. */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TIMEOUT_MS 60000

static size_t unhex(const char *text, uint8_t *out, size_t size)
{
    size_t len = 0;

    while (*text != '\0') {
        char digits[3] = {text[0], text[1], '\0'};

        if (*text == ' ') {
            text++;
            continue;
        }
        assert_true(len < size);
        out[len++] = (uint8_t)strtoul(digits, NULL, 16);
        text += 2;
    }
    return len;
}

void wire_begin(struct wire *wire, const struct ccid_virtual_shape *shape,
                const char *atr)
{
    uint8_t bytes[33];
    size_t len = atr == NULL ? 0 : unhex(atr, bytes, sizeof(bytes));

    memset(wire, 0, sizeof(*wire));
    virtual_clock_init(&wire->clock);
    wire->reader = ccid_virtual_reader_new(&wire->clock.clock, shape);
    assert_non_null(wire->reader);
    wire->port = ccid_virtual_reader_port(wire->reader);
    for (unsigned slot = 0; slot < shape->slot_count; slot++)
        assert_int_equal(ccid_virtual_reader_insert(wire->reader, slot, bytes, len), 0);
}

void wire_end(struct wire *wire)
{
    ccid_virtual_reader_free(wire->reader);
}

void wire_out(struct wire *wire, const char *message)
{
    uint8_t bytes[300];
    size_t len = unhex(message, bytes, sizeof(bytes));

    assert_int_equal(wire->port.ops->bulk_out(wire->port.usb, bytes, len, TIMEOUT_MS),
                     CCID_USB_OK);
}

void wire_expect_in(struct wire *wire, const char *answer)
{
    uint8_t bytes[300];
    size_t len = unhex(answer, bytes, sizeof(bytes));

    assert_int_equal(wire->port.ops->bulk_in(wire->port.usb, wire->in, sizeof(wire->in),
                                             &wire->in_len, TIMEOUT_MS),
                     CCID_USB_OK);
    assert_int_equal(wire->in_len, len);
    assert_memory_equal(wire->in, bytes, len);
}

void wire_expect(struct wire *wire, const char *message, const char *answer)
{
    wire_out(wire, message);
    wire_expect_in(wire, answer);
}

void wire_power_on(struct wire *wire)
{
    wire_out(wire, "62 00000000 00 01 010000");
    assert_int_equal(wire->port.ops->bulk_in(wire->port.usb, wire->in, sizeof(wire->in),
                                             &wire->in_len, TIMEOUT_MS),
                     CCID_USB_OK);
    assert_int_equal(wire->in[0], 0x80);
    assert_int_equal(wire->in[7], 0);
}
