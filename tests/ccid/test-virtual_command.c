/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-virtual_command.c - what the virtual reader accepts depends on its shape:
 * voltages, lengths, the number of slots at work, T0APDU.
 */
#include "ccid/virtual_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

static struct wire wire;

static void test_command_voltage_that_is_not_on_offer_is_refused(void **state)
{
    static const struct {
        uint8_t support;
        uint32_t features;
        uint8_t select;
        bool offered;
    } rows[] = {
        {7, 0, 0, false},
        {7, CCID_FEATURE_AUTO_VOLTAGE, 0, true},
        {7, CCID_FEATURE_AUTO_ACTIVATION, 0, true},
        {0, 0, 0, true}, /* it says nothing: its own choice */
        {0, 0, 1, false},
        {1, 0, 1, true},
        {1, 0, 2, false},
        {2, 0, 2, true},
        {4, 0, 3, true},
        {3, 0, 3, false},
        {7, 0, 4, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;
        uint8_t message[] = {0x62, 0, 0, 0, 0, 0, 1, rows[i].select, 0, 0};

        shape.voltage_support = rows[i].support;
        shape.features = rows[i].features;
        wire_begin(&wire, &shape, NULL);
        assert_int_equal(wire.port.ops->exchange(wire.port.usb, message, sizeof(message),
                                                 wire.in, sizeof(wire.in), &wire.in_len,
                                                 1000),
                         CCID_USB_OK);
        assert_int_equal(wire.in[7] & 0xC0, rows[i].offered ? 0 : 0x40);
        assert_int_equal(wire.in[8], rows[i].offered ? 0 : 7);
        wire_end(&wire);
    }
}

static void test_command_longer_than_the_reader_takes_is_refused(void **state)
{
    static const struct {
        uint32_t claimed;
        size_t len;
        bool taken;
    } rows[] = {{271, 271, true}, {271, 272, false}, {263, 271, true}, {263, 272, false},
                {262, 262, true}, {262, 263, false}, {64, 64, true},   {64, 65, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;
        uint8_t message[300] = {0x6F, (uint8_t)(rows[i].len - 10),
                                (uint8_t)((rows[i].len - 10) >> 8)};

        shape.level = CCID_LEVEL_TPDU;
        shape.max_message_length = rows[i].claimed;
        wire_begin(&wire, &shape, NULL);
        assert_int_equal(wire.port.ops->exchange(wire.port.usb, message, rows[i].len,
                                                 wire.in, sizeof(wire.in), &wire.in_len,
                                                 1000),
                         CCID_USB_OK);
        /* The card has no power: whoever looks at it is past the length. */
        assert_int_equal(wire.in[8], rows[i].taken ? 0xFE : 0x01);
        wire_end(&wire);
    }
}

/* Three slots; in each a command is begun and its answer not fetched. */
static void test_command_beyond_the_slots_at_work_is_refused_as_busy(void **state)
{
    static const uint8_t claimed[] = {0, 1, 2, 3, 9};
    static const unsigned limits[] = {1, 1, 2, 3, 3};

    (void)state;
    for (size_t i = 0; i < sizeof(claimed); i++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;

        shape.slot_count = 3;
        shape.max_busy_slots = claimed[i];
        wire_begin(&wire, &shape, NULL);
        wire_out(&wire, "65 00000000 00 01 000000");
        wire_out(&wire, "65 00000000 01 02 000000");
        wire_out(&wire, "65 00000000 02 03 000000");
        wire_expect_in(&wire, "81 00000000 00 01 01 00 00");
        wire_expect_in(&wire, limits[i] > 1 ? "81 00000000 01 02 01 00 00"
                                            : "81 00000000 01 02 41 E0 00");
        wire_expect_in(&wire, limits[i] > 2 ? "81 00000000 02 03 01 00 00"
                                            : "81 00000000 02 03 41 E0 00");
        wire_expect(&wire, "65 00000000 02 04 000000", "81 00000000 02 04 01 00 00");
        wire_end(&wire);
    }
}

static void test_command_every_slot_has_a_card_of_its_own(void **state)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;

    (void)state;
    shape.slot_count = CCID_VIRTUAL_SLOTS_MAX;
    wire_begin(&wire, &shape, NULL);
    wire_expect(&wire, "62 00000000 07 01 000000",
                "80 0D000000 07 01 00 00 00 3B88800154455354424544015D");
    wire_expect(&wire, "65 00000000 06 02 000000", "81 00000000 06 02 01 00 00");
    wire_expect(&wire, "6F 05000000 07 03 000000 80E8000004",
                "80 06000000 07 03 00 00 00 00000001 9000");
    assert_int_equal(ccid_virtual_reader_remove(wire.reader, 7), 0);
    wire_expect(&wire, "65 00000000 07 04 000000", "81 00000000 07 04 02 00 00");
    wire_expect(&wire, "65 00000000 08 05 000000", "81 00000000 08 05 42 05 00");
    wire_end(&wire);
}

static void test_command_t0_apdu_is_for_readers_at_apdu_level(void **state)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;

    (void)state;
    wire_begin(&wire, &shape, NULL);
    wire_expect(&wire, "6A 00000000 00 01 03C0C2", "81 00000000 00 01 01 00 00");
    assert_int_equal(wire.reader->slots[0].class_get_response, 0xC0);
    assert_int_equal(wire.reader->slots[0].class_envelope, 0xC2);
    wire_expect(&wire, "6A 00000000 00 01 020000", "81 00000000 00 01 01 00 00");
    assert_int_equal(wire.reader->slots[0].class_get_response, 0xFF);
    assert_int_equal(wire.reader->slots[0].class_envelope, 0x00);
    wire_expect(&wire, "6A 00000000 00 01 040000", "81 00000000 00 01 41 07 00");
    wire_end(&wire);
    shape.level = CCID_LEVEL_TPDU;
    wire_begin(&wire, &shape, NULL);
    wire_expect(&wire, "6A 00000000 00 01 000000", "81 00000000 00 01 41 00 00");
    wire_end(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_voltage_that_is_not_on_offer_is_refused),
        cmocka_unit_test(test_command_longer_than_the_reader_takes_is_refused),
        cmocka_unit_test(test_command_beyond_the_slots_at_work_is_refused_as_busy),
        cmocka_unit_test(test_command_every_slot_has_a_card_of_its_own),
        cmocka_unit_test(test_command_t0_apdu_is_for_readers_at_apdu_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
