/* SPDX-License-Identifier: BSD-2-Clause */
/* test-protocol.c - ccid/protocol.c: who negotiates, and with which parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

#define GET_OUT   "6C 00000000 00 SS 000000"
#define GET_T0_IN "82 05000000 00 SS 00 00 00 11 00 00 0A 00"
#define GET_T1_IN "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00"

#define BENCH_AUTO_PPS (BENCH_SHORT & ~0x40u) | 0x80u

/* T=0 and T=1, TA1 = 18h: 12 times the default rate. */
#define ATR_BOTH "3B 90 18 80 01 09"
/* TA2 = 00h: specific mode, T=0, rate of TA1 = 18h. */
#define ATR_SPECIFIC "3B 90 18 10 00"

static void powered(struct bench *bench, uint32_t features, const char *answer)
{
    bench_begin(bench, features);
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, answer);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(bench_state(bench), SCARD_NEGOTIABLE);
}

static void protocol_is(struct bench *bench, ULONG protocol)
{
    ULONG tag = SCARD_ATTR_CURRENT_PROTOCOL_TYPE;
    ULONG value;

    assert_int_equal(bench->reply_length, 4);
    memcpy(&value, bench->reply, 4);
    assert_int_equal(value, protocol);
    assert_int_equal(bench_state(bench), SCARD_SPECIFIC);
    assert_int_equal(bench_ioctl(bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, 4, 4),
                     STATUS_SUCCESS);
    memcpy(&value, bench->reply, 4);
    assert_int_equal(value, protocol);
}

/* ---- 40h ------------------------------------------------------------------------- */

static void test_reader_that_negotiates_is_asked_what_it_chose(void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_SHORT, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, GET_OUT, GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    protocol_is(&bench, SCARD_PROTOCOL_T0);
    bench_end(&bench);
}

static void test_reader_that_chose_another_protocol_is_not_overruled(void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_SHORT, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, GET_OUT, GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_NOT_SUPPORTED);
    assert_int_equal(bench_state(&bench), SCARD_NEGOTIABLE);
    script_command(&bench.usb, GET_OUT, GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T0), STATUS_SUCCESS);
    protocol_is(&bench, SCARD_PROTOCOL_T0);
    bench_end(&bench);
}

static void test_reader_without_get_parameters_has_the_first_protocol(void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_SHORT, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, GET_OUT, "81 00000000 00 SS 40 00 00");
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    protocol_is(&bench, SCARD_PROTOCOL_T0);
    bench_end(&bench);
}

/* ---- 80h ------------------------------------------------------------------------- */

static void test_reader_with_automatic_pps_gets_the_cards_parameters(void **state)
{
    static const struct {
        ULONG mask;
        const char *out;
        ULONG protocol;
    } rows[] = {
        {SCARD_PROTOCOL_Tx, "61 07000000 00 SS 010000 18 10 00 4D 00 20 00",
         SCARD_PROTOCOL_T1},
        {SCARD_PROTOCOL_T0, "61 05000000 00 SS 000000 18 00 00 0A 00", SCARD_PROTOCOL_T0},
        {SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_DEFAULT,
         "61 05000000 00 SS 000000 11 00 00 0A 00", SCARD_PROTOCOL_T0},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        powered(&bench, BENCH_AUTO_PPS, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
        script_command(&bench.usb, rows[i].out, GET_T1_IN);
        assert_int_equal(bench_set_protocol(&bench, rows[i].mask), STATUS_SUCCESS);
        protocol_is(&bench, rows[i].protocol);
        bench_end(&bench);
    }
}

/* A failed PPS leaves the card mute: one cold reset, then the default rate. */
static void test_failed_pps_falls_back_to_the_default_rate(void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_AUTO_PPS, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, "61 07000000 00 SS 010000 18 10 00 4D 00 20 00",
                   "82 00000000 00 SS 40 FE 01");
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    script_command(&bench.usb, BENCH_ON_OUT, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, "61 07000000 00 SS 010000 11 10 00 4D 00 20 00",
                   GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
    protocol_is(&bench, SCARD_PROTOCOL_T1);
    bench_end(&bench);

    /* And no further. */
    powered(&bench, BENCH_AUTO_PPS, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, "61 07000000 00 SS 010000 18 10 00 4D 00 20 00",
                   "82 00000000 00 SS 40 FE 01");
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    script_command(&bench.usb, BENCH_ON_OUT, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, "61 07000000 00 SS 010000 11 10 00 4D 00 20 00",
                   "82 00000000 00 SS 40 FE 01");
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_IO_TIMEOUT);
    bench_end(&bench);
}

static void test_value_that_the_reader_keeps_is_accepted(void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_AUTO_PPS, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, "61 07000000 00 SS 010000 18 10 00 4D 00 20 00",
                   "82 00000000 00 SS 40 0D 01"); /* bmWaitingIntegers: its own */
    script_command(&bench.usb, GET_OUT, GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
    protocol_is(&bench, SCARD_PROTOCOL_T1);
    bench_end(&bench);
}

/* ---- nobody: a reader at APDU level that says so ---------------------------------- */

#define BENCH_NOBODY (BENCH_SHORT & ~0x42u)

static void test_reader_without_any_pps_stays_at_the_first_protocol(void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_NOBODY, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_NOT_SUPPORTED);
    script_command(&bench.usb, "61 05000000 00 SS 000000 11 00 00 0A 00", GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    protocol_is(&bench, SCARD_PROTOCOL_T0);
    bench_end(&bench);
}

static void test_missing_set_parameters_matters_only_without_automatic_ones(void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_NOBODY | 0x2, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, "61 05000000 00 SS 000000 11 00 00 0A 00",
                   "81 00000000 00 SS 40 00 00");
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    bench_end(&bench);

    powered(&bench, BENCH_NOBODY, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, "61 05000000 00 SS 000000 11 00 00 0A 00",
                   "81 00000000 00 SS 40 00 00");
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_NOT_SUPPORTED);
    assert_int_equal(bench_state(&bench), SCARD_NEGOTIABLE);
    bench_end(&bench);
}

/* ---- specific mode --------------------------------------------------------------- */

static void test_card_in_specific_mode_is_announced_to_the_reader_at_once(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_TPDU);
    bench_add(&bench, true);
    script_command(&bench.usb, BENCH_ON_OUT, "80 05000000 00 SS 00 00 00 " ATR_SPECIFIC);
    script_command(&bench.usb, "61 05000000 00 SS 000000 18 00 00 0A 00", GET_T0_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_SPECIFIC);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T0), STATUS_SUCCESS);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_NOT_SUPPORTED);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_that_negotiates_is_asked_what_it_chose),
        cmocka_unit_test(test_reader_that_chose_another_protocol_is_not_overruled),
        cmocka_unit_test(test_reader_without_get_parameters_has_the_first_protocol),
        cmocka_unit_test(test_reader_with_automatic_pps_gets_the_cards_parameters),
        cmocka_unit_test(test_failed_pps_falls_back_to_the_default_rate),
        cmocka_unit_test(test_value_that_the_reader_keeps_is_accepted),
        cmocka_unit_test(test_reader_without_any_pps_stays_at_the_first_protocol),
        cmocka_unit_test(test_missing_set_parameters_matters_only_without_automatic_ones),
        cmocka_unit_test(test_card_in_specific_mode_is_announced_to_the_reader_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
