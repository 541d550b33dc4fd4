/* SPDX-License-Identifier: BSD-2-Clause */
/* test-trace.c - what a trace shows of messages, and what it says of the device. */
#include "ccid/trace.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ccid/slot.h"
#include "smclib/io.h"

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
        assert_int_equal(ccid_trace_shown_command(message, 3, rows[i].secret,
                                                  rows[i].level, rows[i].protocol),
                         3);
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

/* ---- control requests -------------------------------------------------------------- */

static struct {
    struct smc_trace_packet packets[2];
    UCHAR setup[8];
    unsigned count;
} seen;

static void on_trace(void *context, PDEVICE_OBJECT device,
                     const struct smc_trace_packet *packet)
{
    (void)context;
    (void)device;
    assert_in_range(seen.count, 0, 1);
    seen.packets[seen.count++] = *packet;
    if (packet->setup != NULL)
        memcpy(seen.setup, packet->setup, sizeof(seen.setup));
}

static void trace_control(bool secret, uint8_t request_type, size_t done,
                          enum ccid_usb_result result)
{
    static const struct smc_io_client client = {.trace = on_trace};
    static struct ccid_device device = {.desc = {.interface_number = 2}};
    static const uint8_t data[6] = "secret";
    DEVICE_OBJECT object = {.Traced = 1};
    struct ccid_slot slot = {.device = &device, .object = &object, .secret = secret};

    memset(&seen, 0, sizeof(seen));
    smc_io_register(&client);
    ccid_trace_control(&slot, request_type, 0x65, 0x1234, data, sizeof(data), done,
                       result);
    smc_io_register(NULL);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.packets[0].event, SMC_TRACE_SUBMITTED);
    assert_int_equal(seen.packets[1].event, SMC_TRACE_COMPLETED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(seen.packets[i].transfer, SMC_TRACE_CONTROL);
        assert_int_equal(seen.packets[i].endpoint, request_type & 0x80);
    }
    assert_null(seen.packets[1].setup);
}

static void test_control_request_out_shows_its_data_when_it_is_submitted(void **state)
{
    static const uint8_t setup[8] = {0x21, 0x65, 0x34, 0x12, 2, 0, 6, 0};

    (void)state;
    for (int secret = 0; secret < 2; secret++) {
        trace_control(secret != 0, 0x21, 6, CCID_USB_OK);
        assert_memory_equal(seen.setup, setup, sizeof(setup));
        assert_non_null(seen.packets[0].data);
        assert_int_equal(seen.packets[0].length, 6);
        assert_int_equal(seen.packets[0].shown, secret ? 0 : 6);
        assert_null(seen.packets[1].data);
        assert_int_equal(seen.packets[1].length, 0);
        assert_int_equal(seen.packets[1].status, 0);
    }
}

static void test_control_request_in_shows_what_came_when_it_is_completed(void **state)
{
    (void)state;
    trace_control(false, 0xA1, 4, CCID_USB_OK);
    assert_null(seen.packets[0].data);
    assert_int_equal(seen.packets[0].length, 0);
    assert_int_equal(seen.packets[0].shown, 0);
    assert_non_null(seen.packets[1].data);
    assert_int_equal(seen.packets[1].length, 4);
    assert_int_equal(seen.packets[1].shown, 4);
}

static void test_control_request_that_fails_shows_why(void **state)
{
    static const struct {
        enum ccid_usb_result result;
        int error;
    } rows[] = {
        {CCID_USB_TIMEOUT, -ECONNRESET}, {CCID_USB_CANCELLED, -ECONNRESET},
        {CCID_USB_STALL, -EPIPE},        {CCID_USB_OVERFLOW, -EOVERFLOW},
        {CCID_USB_GONE, -ENODEV},        {CCID_USB_NO_MEMORY, -ENOMEM},
        {CCID_USB_IO, -EPROTO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        trace_control(false, 0xA1, 0, rows[i].result);
        assert_int_equal(seen.packets[0].status, 0);
        assert_int_equal(seen.packets[1].status, rows[i].error);
        assert_int_equal(seen.packets[1].length, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apdu_with_an_instruction_for_pins_is_secret),
        cmocka_unit_test(test_request_that_is_not_understood_is_secret),
        cmocka_unit_test(test_command_shows_nothing_behind_the_place_of_a_pin),
        cmocka_unit_test(test_answer_is_shown_only_if_it_is_known_to_what),
        cmocka_unit_test(test_descriptor_is_what_was_read),
        cmocka_unit_test(test_control_request_out_shows_its_data_when_it_is_submitted),
        cmocka_unit_test(test_control_request_in_shows_what_came_when_it_is_completed),
        cmocka_unit_test(test_control_request_that_fails_shows_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
