/* SPDX-License-Identifier: BSD-2-Clause */
/* test-icc.c - ccid/icc.c: voltages, and what is taken for an ATR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

#define MUTE      "80 00000000 00 SS 41 FE 00"
#define ON_18V    "62 00000000 00 SS 030000"
#define ON_3V     "62 00000000 00 SS 020000"
#define ON_5V     "62 00000000 00 SS 010000"
#define ON_AUTO   "62 00000000 00 SS 000000"
#define OFF       BENCH_OFF_OUT
#define OFF_IN    BENCH_OFF_IN
#define NO_CARD   "80 00000000 00 SS 42 FE 00"
#define BAD_CLASS "80 00000000 00 SS 41 F5 00"

/* A reader that cannot choose the voltage itself. */
static void begin(struct bench *bench, uint8_t voltages, uint32_t features)
{
    bench_begin(bench, features);
    bench->desc.voltage_support = voltages;
    bench_add(bench, true);
}

/* Requirement 8: no voltage named, or a reader that chooses: automatic, once. */
static void test_voltage_is_automatic_where_the_reader_chooses(void **state)
{
    static const struct {
        uint8_t voltages;
        uint32_t features;
    } rows[] = {{0, BENCH_EXTENDED}, {7, BENCH_EXTENDED | 0x8}, {0xF8, BENCH_EXTENDED}};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(&bench, rows[i].voltages, rows[i].features);
        script_command(&bench.usb, ON_AUTO, MUTE);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_IO_TIMEOUT);
        script_command(&bench.usb, ON_AUTO, BENCH_ATR_IN);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
        bench_end(&bench);
    }
}

static void test_voltages_are_tried_from_the_lowest(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, 7, BENCH_EXTENDED);
    script_command(&bench.usb, ON_18V, MUTE);
    script_command(&bench.usb, OFF, OFF_IN);
    script_command(&bench.usb, ON_3V, BAD_CLASS);
    script_command(&bench.usb, OFF, OFF_IN);
    script_command(&bench.usb, ON_5V, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_reply_is(&bench, BENCH_ATR);
    assert_int_equal(bench.usb.slept_ms, 20);

    /* A warm reset keeps the voltage that the card has. */
    script_command(&bench.usb, ON_5V, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_WARM_RESET), STATUS_SUCCESS);
    bench_end(&bench);
}

/* Requirement 27: each supported voltage at most once, then mute; and again only when
 * somebody asks. */
static void test_mute_card_is_tried_once_at_each_voltage(void **state)
{
    static const struct {
        uint8_t voltages;
        const char *first, *second;
    } rows[] = {{7, ON_18V, ON_3V}, {3, ON_3V, NULL}, {5, ON_18V, NULL}, {1, NULL, NULL}};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(&bench, rows[i].voltages, BENCH_EXTENDED);
        if (rows[i].first != NULL) {
            script_command(&bench.usb, rows[i].first, MUTE);
            script_command(&bench.usb, OFF, OFF_IN);
        }
        if (rows[i].second != NULL) {
            script_command(&bench.usb, rows[i].second, MUTE);
            script_command(&bench.usb, OFF, OFF_IN);
        }
        script_command(&bench.usb, ON_5V, MUTE);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_IO_TIMEOUT);
        assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
        assert_int_equal(bench.log_lines, 1);
        bench_end(&bench);
    }
}

static void test_card_that_goes_between_two_voltages_ends_it(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, 7, BENCH_EXTENDED);
    script_command(&bench.usb, ON_18V, MUTE);
    script_command(&bench.usb, OFF, "81 00000000 00 SS 02 00 00");
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);

    begin(&bench, 7, BENCH_EXTENDED);
    script_command(&bench.usb, ON_18V, NO_CARD);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);
}

static void test_failure_that_no_voltage_cures_is_not_repeated(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, 7, BENCH_EXTENDED);
    script_command(&bench.usb, ON_18V, "80 00000000 00 SS 41 FB 00");
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_IO_DEVICE_ERROR);
    bench_end(&bench);
}

/* Requirements 23, 24, 25: what is no ATR. The card is switched off again. */
static void test_answers_that_are_no_atr_are_unrecognized_media(void **state)
{
    static const struct {
        const char *answer;
        const char *log;
    } rows[] = {
        /* requirement 23: 0 bytes, 1 byte */
        {"80 00000000 00 SS 00 00 00", "empty"},
        {"80 01000000 00 SS 00 00 00 3B", "empty"},
        /* requirement 24: 34 bytes are not cut to 33 */
        {"80 22000000 00 SS 00 00 00 3B 0F 000102030405060708090A0B0C0D0E"
         "0F101112131415161718191A1B1C1D1E1F20",
         "longer than 33"},
        /* requirement 25: a TS that is none */
        {"80 02000000 00 SS 00 00 00 00 00", "TS"},
        {"80 04000000 00 SS 00 00 00 3A 80 01 81", "TS"},
        {"80 04000000 00 SS 00 00 00 FF FF FF FF", "TS"},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ULONG tag = SCARD_ATTR_ATR_STRING;

        begin(&bench, 0, BENCH_EXTENDED);
        script_command(&bench.usb, ON_AUTO, rows[i].answer);
        script_command(&bench.usb, OFF, OFF_IN);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET),
                         STATUS_UNRECOGNIZED_MEDIA);
        assert_int_equal(bench.log_lines, 1);
        assert_non_null(strstr(bench.log, rows[i].log));
        assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
        assert_int_not_equal(
            bench_ioctl(&bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, 4, 33),
            STATUS_SUCCESS);
        script_command(&bench.usb, ON_AUTO, BENCH_ATR_IN);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
        bench_end(&bench);
    }
}

static void test_atr_of_33_bytes_is_taken_whole(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, 0, BENCH_EXTENDED);
    /* Four groups of interface bytes (T=1, T=1, T=15), 15 historical bytes, TCK. */
    script_command(&bench.usb, ON_AUTO,
                   "80 21000000 00 SS 00 00 00 3B FF 11 00 00 E1 00 0A F1 FE 45 00 FF"
                   "01 00 00 0F 000102030405060708090A0B0C0D0E B1");
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_reply_is(&bench, "3B FF 11 00 00 E1 00 0A F1 FE 45 00 FF"
                           "01 00 00 0F 000102030405060708090A0B0C0D0E B1");
    assert_int_equal(bench.reply_length, 33);
    bench_end(&bench);
}

/* A card that the reader powers by itself is switched off for a cold reset. */
static void test_cold_reset_of_a_powered_card_begins_with_power_off(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, 0, BENCH_EXTENDED);
    script_command(&bench.usb, ON_AUTO, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, OFF, OFF_IN);
    script_command(&bench.usb, ON_AUTO, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(bench.usb.slept_ms, 10);
    bench_end(&bench);

    begin(&bench, 0, BENCH_EXTENDED | 0x4);
    script_command(&bench.usb, OFF, OFF_IN);
    script_command(&bench.usb, ON_AUTO, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_voltage_is_automatic_where_the_reader_chooses),
        cmocka_unit_test(test_voltages_are_tried_from_the_lowest),
        cmocka_unit_test(test_mute_card_is_tried_once_at_each_voltage),
        cmocka_unit_test(test_card_that_goes_between_two_voltages_ends_it),
        cmocka_unit_test(test_failure_that_no_voltage_cures_is_not_repeated),
        cmocka_unit_test(test_answers_that_are_no_atr_are_unrecognized_media),
        cmocka_unit_test(test_atr_of_33_bytes_is_taken_whole),
        cmocka_unit_test(test_cold_reset_of_a_powered_card_begins_with_power_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
