/* SPDX-License-Identifier: BSD-2-Clause */
/* test-icc.c - ccid/icc.c: voltages, and what is taken for an ATR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/quirks.h"

#define MUTE      "80 00000000 00 SS 41 FE 00"
#define ON_18V    "62 00000000 00 SS 030000"
#define ON_3V     "62 00000000 00 SS 020000"
#define ON_5V     "62 00000000 00 SS 010000"
#define ON_AUTO   "62 00000000 00 SS 000000"
#define OFF       BENCH_OFF_OUT
#define OFF_IN    BENCH_OFF_IN
#define ACTIVE_IN "81 00000000 00 SS 00 00 00"
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

/* T=1, and a TA for T=15: bits 0 to 2 are the classes A, B, C. */
#define CLASS_B_IN  "80 06000000 00 SS 00 00 00 3B 80 81 1F 02 1C"
#define CLASS_C_IN  "80 06000000 00 SS 00 00 00 3B 80 81 1F 04 1A"
#define CLASS_AB_IN "80 06000000 00 SS 00 00 00 3B 80 81 1F 03 1D"
#define CLASS_5_IN  "80 06000000 00 SS 00 00 00 3B 80 81 1F 01 1F"

/* A card may answer at a voltage that is none of its classes. */
static void test_card_gets_a_voltage_that_it_names(void **state)
{
    static const struct {
        uint8_t voltages;
        const char *first_out, *atr, *second_out;
    } rows[] = {
        {7, ON_18V, CLASS_C_IN, NULL},
        {7, ON_18V, CLASS_B_IN, ON_3V},
        {7, ON_18V, CLASS_AB_IN, ON_3V}, /* the lower of the two */
        {7, ON_18V, CLASS_5_IN, ON_5V},
        {5, ON_18V, CLASS_AB_IN, ON_5V}, /* the reader has no 3 V */
        {3, ON_3V, CLASS_5_IN, ON_5V},
        {3, ON_3V, CLASS_B_IN, NULL},
        {6, ON_18V, CLASS_5_IN, NULL},   /* nothing suits: it works, it stays */
        {1, ON_5V, CLASS_C_IN, NULL},    /* only one voltage */
        {7, ON_18V, BENCH_ATR_IN, NULL}, /* it names none */
        {0, ON_AUTO, CLASS_B_IN, NULL},  /* the reader's affair */
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(&bench, rows[i].voltages, BENCH_EXTENDED);
        script_command(&bench.usb, rows[i].first_out, rows[i].atr);
        if (rows[i].second_out != NULL) {
            script_command(&bench.usb, OFF, OFF_IN);
            script_command(&bench.usb, rows[i].second_out, rows[i].atr);
        }
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
        assert_int_equal(bench_state(&bench), SCARD_NEGOTIABLE);
        bench_end(&bench);
    }
}

/* A voltage that has failed is not tried again, whatever the card says. */
static void test_card_that_names_a_voltage_at_which_it_was_mute_stays(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, 7, BENCH_EXTENDED);
    script_command(&bench.usb, ON_18V, MUTE);
    script_command(&bench.usb, OFF, OFF_IN);
    script_command(&bench.usb, ON_3V, CLASS_C_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_card_that_is_mute_at_the_voltage_that_it_names_has_no_power(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, 7, BENCH_EXTENDED);
    script_command(&bench.usb, ON_18V, CLASS_5_IN);
    script_command(&bench.usb, OFF, OFF_IN);
    script_command(&bench.usb, ON_5V, MUTE);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_IO_TIMEOUT);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    assert_int_equal(bench.log_lines, 1);
    bench_end(&bench);

    begin(&bench, 7, BENCH_EXTENDED);
    script_command(&bench.usb, ON_18V, CLASS_5_IN);
    script_command(&bench.usb, OFF, "81 00000000 00 SS 02 00 00");
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);
}

/* ---- single readers --------------------------------------------------------------- */

static void test_reader_that_needs_it_is_switched_off_before_the_first_power_on(
    void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.desc.quirks = CCID_QUIRK_POWER_OFF_FIRST;
    bench_add(&bench, true);
    script_command(&bench.usb, OFF, OFF_IN);
    script_command(&bench.usb, ON_AUTO, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_end(&bench);
}

/* bError BBh: the escape command 1Fh 01h and one more attempt. */
static void test_reader_in_emv_mode_is_told_to_leave_it_once(void **state)
{
    static const char escape[] = "6B 02000000 00 SS 000000 1F 01";
    static const char done[] = "83 00000000 00 SS 01 00 00";
    static const char emv[] = "80 00000000 00 SS 41 BB 00";
    struct bench bench;

    (void)state;
    for (int outcome = 0; outcome < 3; outcome++) {
        bench_begin(&bench, BENCH_EXTENDED);
        bench.desc.quirks = CCID_QUIRK_EMV_ESCAPE;
        bench_add(&bench, true);
        script_command(&bench.usb, ON_AUTO, emv);
        if (outcome == 2) { /* it does not know it */
            script_command(&bench.usb, escape, "83 00000000 00 SS 41 00 00");
        } else {
            script_command(&bench.usb, escape, done);
            script_command(&bench.usb, ON_AUTO, outcome == 0 ? BENCH_ATR_IN : emv);
        }
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET),
                         outcome == 0 ? STATUS_SUCCESS : STATUS_IO_DEVICE_ERROR);
        bench_end(&bench);
    }
    begin(&bench, 0, BENCH_EXTENDED); /* others keep their BBh */
    script_command(&bench.usb, ON_AUTO, emv);
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
}

/* Of a reader that says that it gives cards power when they come in. */
static void test_cold_reset_of_a_card_that_has_come_asks_whether_it_has_power(
    void **state)
{
    static const struct {
        const char *status;
        bool off;
    } rows[] = {{ACTIVE_IN, true}, {OFF_IN, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench bench;

        begin(&bench, 0, BENCH_EXTENDED | 0x4);
        script_command(&bench.usb, BENCH_STATUS_OUT, rows[i].status);
        if (rows[i].off)
            script_command(&bench.usb, OFF, OFF_IN);
        script_command(&bench.usb, ON_AUTO, BENCH_ATR_IN);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
        assert_int_equal(bench.usb.slept_ms, rows[i].off ? 10 : 0);
        bench_end(&bench);
    }
}

static void test_reader_that_goes_while_the_contacts_settle_is_removed(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    bench.usb.sleep_result = CCID_USB_GONE; /* and the bus has not said so yet */
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_DEVICE_REMOVED);
    bench_end(&bench);
}

/* A caller is told three failures of a card; what the reader did not like is none. */
static void test_reasons_of_the_reader_are_unrecognized_media(void **state)
{
    static const char *const answers[] = {
        "80 00000000 00 SS 41 00 00", /* it knows no power-on */
        "80 00000000 00 SS 41 05 00", /* a wrong byte 5 */
        "80 00000000 00 SS 41 F4 00", /* a procedure byte */
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin(&bench, 0, BENCH_EXTENDED);
        script_command(&bench.usb, ON_AUTO, answers[i]);
        script_command(&bench.usb, OFF, OFF_IN);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET),
                         STATUS_UNRECOGNIZED_MEDIA);
        assert_int_equal(bench.log_lines, 1);
        bench_end(&bench);
    }
}

static void test_each_failure_that_a_voltage_may_cure_tries_the_next(void **state)
{
    static const char *const answers[] = {
        "80 00000000 00 SS 41 F8 00", /* TS */
        "80 00000000 00 SS 41 F7 00", /* TCK */
        "80 00000000 00 SS 41 07 00", /* bPowerSelect */
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        begin(&bench, 3, BENCH_EXTENDED);
        script_command(&bench.usb, ON_3V, answers[i]);
        script_command(&bench.usb, OFF, OFF_IN);
        script_command(&bench.usb, ON_5V, BENCH_ATR_IN);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
        bench_end(&bench);
    }
}

/* It is the reader that is silent, not the card. */
static void test_silence_of_the_reader_is_cured_by_no_voltage(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, 7, BENCH_EXTENDED);
    script_out(&bench.usb, ON_18V);
    script_resync(&bench.usb);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_IO_TIMEOUT);
    bench_end(&bench);
    /* Nor when the card has named another one. */
    begin(&bench, 7, BENCH_EXTENDED);
    script_command(&bench.usb, ON_18V, CLASS_5_IN);
    script_command(&bench.usb, OFF, OFF_IN);
    script_out(&bench.usb, ON_5V);
    script_resync(&bench.usb);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_IO_TIMEOUT);
    bench_end(&bench);
}

static void test_warm_reset_is_at_the_voltage_in_use(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, 7, BENCH_EXTENDED);
    script_command(&bench.usb, ON_18V, MUTE);
    script_command(&bench.usb, OFF, OFF_IN);
    script_command(&bench.usb, ON_3V, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, ON_3V, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_WARM_RESET), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_reader_with_an_emv_mode_is_told_only_if_it_says_so(void **state)
{
    struct bench bench;

    (void)state;
    for (int silent = 0; silent < 2; silent++) {
        bench_begin(&bench, BENCH_EXTENDED);
        bench.desc.quirks = CCID_QUIRK_EMV_ESCAPE;
        bench_add(&bench, true);
        if (silent) {
            script_out(&bench.usb, ON_AUTO);
            script_resync(&bench.usb);
        } else {
            script_command(&bench.usb, ON_AUTO, MUTE);
        }
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_IO_TIMEOUT);
        bench_end(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_voltage_is_automatic_where_the_reader_chooses),
        cmocka_unit_test(test_voltages_are_tried_from_the_lowest),
        cmocka_unit_test(test_mute_card_is_tried_once_at_each_voltage),
        cmocka_unit_test(test_card_that_goes_between_two_voltages_ends_it),
        cmocka_unit_test(test_failure_that_no_voltage_cures_is_not_repeated),
        cmocka_unit_test(test_card_gets_a_voltage_that_it_names),
        cmocka_unit_test(test_card_that_names_a_voltage_at_which_it_was_mute_stays),
        cmocka_unit_test(
            test_card_that_is_mute_at_the_voltage_that_it_names_has_no_power),
        cmocka_unit_test(
            test_reader_that_needs_it_is_switched_off_before_the_first_power_on),
        cmocka_unit_test(test_reader_in_emv_mode_is_told_to_leave_it_once),
        cmocka_unit_test(test_answers_that_are_no_atr_are_unrecognized_media),
        cmocka_unit_test(test_atr_of_33_bytes_is_taken_whole),
        cmocka_unit_test(test_cold_reset_of_a_powered_card_begins_with_power_off),
        cmocka_unit_test(
            test_cold_reset_of_a_card_that_has_come_asks_whether_it_has_power),
        cmocka_unit_test(test_reader_that_goes_while_the_contacts_settle_is_removed),
        cmocka_unit_test(test_reasons_of_the_reader_are_unrecognized_media),
        cmocka_unit_test(test_each_failure_that_a_voltage_may_cure_tries_the_next),
        cmocka_unit_test(test_silence_of_the_reader_is_cured_by_no_voltage),
        cmocka_unit_test(test_warm_reset_is_at_the_voltage_in_use),
        cmocka_unit_test(test_reader_with_an_emv_mode_is_told_only_if_it_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
