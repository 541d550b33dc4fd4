/* SPDX-License-Identifier: BSD-2-Clause */
/* test-trace.c - what a trace shows of messages, and what it says of the device. */
#include "ccid/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_apdu_with_an_instruction_for_pins_is_secret(void **state)
{
    static const uint8_t secret[] = {0x20, 0x21, 0x24, 0x25, 0x26, 0x27,
                                     0x28, 0x29, 0x2C, 0x2D, 0xC2, 0xC3};
    size_t next = 0;

    (void)state;
    for (unsigned ins = 0; ins < 256; ins++) {
        const uint8_t apdu[] = {0x80, (uint8_t)ins, 0, 0};
        bool expected = next < sizeof(secret) && secret[next] == ins;

        assert_int_equal(ccid_trace_is_secret(apdu, sizeof(apdu)), expected);
        next += expected;
    }
    assert_int_equal(next, sizeof(secret));
}

static void test_request_that_is_not_understood_is_secret(void **state)
{
    static const struct {
        UCHAR bytes[16];
        ULONG len;
        bool secret;
    } rows[] = {
        {{2, 0, 0, 0, 8, 0, 0, 0, 0x00, 0xB0, 0, 0}, 12, false},
        {{2, 0, 0, 0, 8, 0, 0, 0, 0x00, 0x20, 0, 0}, 12, true},
        {{2, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0x00, 0xB0}, 14, false},
        {{2, 0, 0, 0, 12, 0, 0, 0, 0, 0xB0, 0, 0, 0x00, 0x20}, 14, true},
        {{2, 0, 0, 0, 8, 0, 0, 0, 0x00}, 9, true},
        {{2, 0, 0, 0, 17, 0, 0, 0, 0x00, 0xB0}, 10, true},
        {{2, 0, 0, 0}, 4, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(ccid_trace_request_is_secret(rows[i].bytes, rows[i].len),
                         rows[i].secret);
}

static void test_command_shows_nothing_behind_the_place_of_a_pin(void **state)
{
    static const struct {
        uint8_t type, level_parameter;
        bool secret;
        enum ccid_level level;
        ULONG protocol;
        size_t shown;
    } rows[] = {
        {CCID_XFR_BLOCK, 0, false, CCID_LEVEL_EXTENDED_APDU, SCARD_PROTOCOL_T1, 30},
        {CCID_XFR_BLOCK, 0, true, CCID_LEVEL_SHORT_APDU, SCARD_PROTOCOL_T1, 14},
        {CCID_XFR_BLOCK, 1, true, CCID_LEVEL_EXTENDED_APDU, SCARD_PROTOCOL_T0, 14},
        {CCID_XFR_BLOCK, 2, true, CCID_LEVEL_EXTENDED_APDU, SCARD_PROTOCOL_T1, 10},
        {CCID_XFR_BLOCK, 3, true, CCID_LEVEL_EXTENDED_APDU, SCARD_PROTOCOL_T1, 10},
        {CCID_XFR_BLOCK, 0, true, CCID_LEVEL_TPDU, SCARD_PROTOCOL_T0, 14},
        {CCID_XFR_BLOCK, 0, true, CCID_LEVEL_TPDU, SCARD_PROTOCOL_T1, 13},
        /* The card has gone meanwhile, and its protocol with it. */
        {CCID_XFR_BLOCK, 0, true, CCID_LEVEL_TPDU, SCARD_PROTOCOL_UNDEFINED, 13},
        {CCID_XFR_BLOCK, 0, true, CCID_LEVEL_CHARACTER, SCARD_PROTOCOL_T0, 10},
        {CCID_XFR_BLOCK, 0, true, CCID_LEVEL_CHARACTER, SCARD_PROTOCOL_T1, 10},
        {CCID_SECURE, 0, false, CCID_LEVEL_EXTENDED_APDU, SCARD_PROTOCOL_T1, 10},
        {CCID_ESCAPE_OUT, 0, false, CCID_LEVEL_EXTENDED_APDU, SCARD_PROTOCOL_T1, 10},
        {CCID_SET_PARAMETERS, 0, true, CCID_LEVEL_TPDU, SCARD_PROTOCOL_T1, 30},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t message[30] = {rows[i].type};

        message[8] = rows[i].level_parameter;
        assert_int_equal(ccid_trace_shown_command(message, sizeof(message),
                                                  rows[i].secret, rows[i].level,
                                                  rows[i].protocol),
                         rows[i].shown);
        assert_int_equal(ccid_trace_shown_command(message, CCID_HEADER_LENGTH,
                                                  rows[i].secret, rows[i].level,
                                                  rows[i].protocol),
                         CCID_HEADER_LENGTH);
    }
}

static void test_answer_is_shown_only_if_it_is_known_to_what(void **state)
{
    static const struct {
        uint8_t answer, command;
        bool ours;
        size_t shown;
    } rows[] = {
        {CCID_DATA_BLOCK, CCID_XFR_BLOCK, true, 30},
        {CCID_DATA_BLOCK, CCID_XFR_BLOCK, false, 10},
        {CCID_DATA_BLOCK, CCID_SECURE, true, 10},
        {CCID_ESCAPE_IN, CCID_ESCAPE_OUT, true, 10},
        {CCID_ESCAPE_IN, CCID_XFR_BLOCK, true, 10},
        {CCID_SLOT_STATUS, CCID_GET_SLOT_STATUS, true, 30},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint8_t message[30] = {rows[i].answer};

        assert_int_equal(ccid_trace_shown_answer(message, sizeof(message),
                                                 rows[i].command, rows[i].ours),
                         rows[i].shown);
        assert_int_equal(
            ccid_trace_shown_answer(message, 3, rows[i].command, rows[i].ours), 3);
    }
}

static void test_descriptor_is_what_was_read(void **state)
{
    static const struct ccid_desc desc = {
        .configuration = 1,
        .interface_number = 2,
        .bulk_in = {0x82, 0, 64},
        .bulk_out = {0x01, 0, 64},
        .interrupt_in = {0x83, 24, 8},
        .bcd_ccid = 0x0110,
        .max_slot_index = 3,
        .voltage_support = 7,
        .protocols = 3,
        .default_clock_khz = 4000,
        .maximum_clock_khz = 8000,
        .clock_count = 1,
        .data_rate_bps = 10753,
        .maximum_data_rate_bps = 344086,
        .data_rate_count = 2,
        .max_ifsd = 254,
        .features = CCID_FEATURE_TPDU | CCID_FEATURE_AUTO_BAUD,
        .max_message_length = 271,
        .class_get_response = 0xFF,
        .class_envelope = 0xFE,
        .lcd_layout = 0x0210,
        .pin_support = 3,
        .max_busy_slots = 1,
    };
    uint8_t bytes[SMC_DESCRIPTOR_MAX];
    size_t len = ccid_trace_descriptor(bytes, &desc);
    struct ccid_desc again;

    (void)state;
    assert_int_equal(len, 9 + 9 + 54 + 3 * 7);
    assert_int_equal(bytes[2] | bytes[3] << 8, len);
    assert_int_equal(ccid_desc_parse(bytes, len, 2, &again), STATUS_SUCCESS);
    assert_memory_equal(&again.bulk_in, &desc.bulk_in, sizeof(desc.bulk_in));
    assert_memory_equal(&again.bulk_out, &desc.bulk_out, sizeof(desc.bulk_out));
    assert_memory_equal(&again.interrupt_in, &desc.interrupt_in,
                        sizeof(desc.interrupt_in));
    assert_int_equal(again.configuration, desc.configuration);
    assert_memory_equal(&again.bcd_ccid, &desc.bcd_ccid,
                        offsetof(struct ccid_desc, transport) -
                            offsetof(struct ccid_desc, bcd_ccid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apdu_with_an_instruction_for_pins_is_secret),
        cmocka_unit_test(test_request_that_is_not_understood_is_secret),
        cmocka_unit_test(test_command_shows_nothing_behind_the_place_of_a_pin),
        cmocka_unit_test(test_answer_is_shown_only_if_it_is_known_to_what),
        cmocka_unit_test(test_descriptor_is_what_was_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
