/* SPDX-License-Identifier: BSD-2-Clause */
/* test-virtual_control.c - class requests to the virtual reader. */
#include "ccid/virtual_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

static const uint32_t clocks[] = {4000, 8000, 0x01020304};
static const uint32_t rates[] = {10753};
static struct wire wire;

static int setup(void **state)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;

    (void)state;
    shape.interface_number = 2;
    shape.clocks_khz = clocks;
    shape.clock_list_length = 3;
    shape.rates_bps = rates;
    shape.rate_list_length = 1;
    wire_begin(&wire, &shape, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wire_end(&wire);
    return 0;
}

static enum ccid_usb_result ask(uint8_t type, uint8_t request, uint16_t value,
                                uint16_t index, uint16_t room)
{
    memset(wire.in, 0xee, sizeof(wire.in));
    return wire.port.ops->control(wire.port.usb, type, request, value, index, wire.in,
                                  room, &wire.in_len, 1000);
}

static void test_control_lists_are_given_as_far_as_they_are_asked_for(void **state)
{
    static const uint8_t all[] = {0xA0, 0x0F, 0, 0, 0x40, 0x1F, 0, 0, 4, 3, 2, 1};
    static const size_t rooms[][2] = {{12, 12}, {1020, 12}, {8, 8}, {5, 5}, {0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        assert_int_equal(ask(0xA1, 2, 0, 2, (uint16_t)rooms[i][0]), CCID_USB_OK);
        assert_int_equal(wire.in_len, rooms[i][1]);
        assert_memory_equal(wire.in, all, wire.in_len);
        assert_int_equal(wire.in[wire.in_len], 0xee);
    }
    assert_int_equal(ask(0xA1, 3, 0, 2, 1020), CCID_USB_OK);
    assert_int_equal(wire.in_len, 4);
    assert_memory_equal(wire.in, "\x01\x2a\0\0", 4);
}

static void test_control_request_that_is_none_is_stalled(void **state)
{
    static const struct {
        uint8_t type, request;
        uint16_t value, index;
    } rows[] = {
        {0x21, 2, 0, 2},                                   /* the wrong way */
        {0xA1, 2, 1, 2},                                   /* wValue */
        {0xA1, 2, 0, 0},                                   /* of another interface */
        {0xA1, 4, 0, 2}, {0xA1, 1, 0, 2}, {0x21, 1, 0, 2}, /* ABORT has no data */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            ask(rows[i].type, rows[i].request, rows[i].value, rows[i].index, 8),
            CCID_USB_STALL);
        assert_int_equal(wire.in_len, 0);
    }
}

static void test_control_abort_is_for_a_slot_of_its_interface(void **state)
{
    (void)state;
    assert_int_equal(ask(0x21, 1, 0x0700, 2, 0), CCID_USB_OK);
    assert_int_equal(ask(0x21, 1, 0x0701, 2, 0), CCID_USB_STALL);
    assert_int_equal(ask(0x21, 1, 0x0700, 0, 0), CCID_USB_STALL);
    wire_expect(&wire, "72 00000000 00 07 000000", "81 00000000 00 07 01 00 00");
}

static void test_control_list_that_the_shape_has_not_is_stalled(void **state)
{
    struct wire other;
    size_t done = 1;
    uint8_t data[8];

    (void)state;
    wire_begin(&other, &ccid_virtual_default_shape, NULL);
    for (uint8_t request = 2; request <= 3; request++)
        assert_int_equal(other.port.ops->control(other.port.usb, 0xA1, request, 0, 0,
                                                 data, sizeof(data), &done, 1000),
                         CCID_USB_STALL);
    assert_int_equal(done, 0);
    wire_end(&other);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_control_lists_are_given_as_far_as_they_are_asked_for),
        CASE(test_control_request_that_is_none_is_stalled),
        CASE(test_control_abort_is_for_a_slot_of_its_interface),
        CASE(test_control_list_that_the_shape_has_not_is_stalled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
