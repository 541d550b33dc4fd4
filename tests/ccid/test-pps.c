/* SPDX-License-Identifier: BSD-2-Clause */
/* test-pps.c - ccid/pps.c, and what ccid/protocol.c makes of it. */
#include "ccid/tpdu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

/* ---- the bytes ------------------------------------------------------------------- */

static void test_pps_request_has_pps1_only_for_another_rate(void **state)
{
    uint8_t out[CCID_PPS_MAX];

    (void)state;
    assert_int_equal(ccid_pps_request(out, 1, true, 0x18), 4);
    assert_memory_equal(out, "\xFF\x11\x18\xF6", 4);
    assert_int_equal(ccid_pps_request(out, 0, true, 0x95), 4);
    assert_memory_equal(out, "\xFF\x10\x95\x7A", 4);
    assert_int_equal(ccid_pps_request(out, 1, false, 0x18), 3);
    assert_memory_equal(out, "\xFF\x01\xFE", 3);
}

static void test_pps_answer_is_agreement_or_a_reason(void **state)
{
    static const struct {
        const char *request, *answer;
        size_t len;
        bool agreed, rate;
    } rows[] = {
        {"\xFF\x11\x18\xF6", "\xFF\x11\x18\xF6", 4, true, true},
        {"\xFF\x11\x18\xF6", "\xFF\x01\xFE", 3, true, false}, /* at the default rate */
        {"\xFF\x01\xFE", "\xFF\x01\xFE", 3, true, false},
        {"\xFF\x11\x18\xF6", "\xFF\x11\x18\xF7", 4, false, false},     /* PCK */
        {"\xFF\x11\x18\xF6", "\xFF\x01\xFF", 3, false, false},         /* PCK */
        {"\xFF\x11\x18\xF6", "\xFF\x11\x13\xFD", 4, false, false},     /* PPS1 */
        {"\xFF\x01\xFE", "\xFF\x11\x18\xF6", 4, false, false},         /* PPS1 */
        {"\xFF\x11\x18\xF6", "\xFF\x10\x18\xF7", 4, false, false},     /* protocol */
        {"\xFF\x11\x18\xF6", "\xFE\x11\x18\xF7", 4, false, false},     /* PPSS */
        {"\xFF\x11\x18\xF6", "\xFF\x11\xEE", 3, false, false},         /* too short */
        {"\xFF\x11\x18\xF6", "\xFF\x11\x18\xF6\x00", 5, false, false}, /* too long */
        {"\xFF\x11\x18\xF6", "\xFF\x31\x18\x00\xD6", 5, false, false}, /* PPS2 */
        {"\xFF\x11\x18\xF6", "\xFF\x51\x18\x00\xB6", 5, false, false}, /* PPS3 */
        {"\xFF\x11\x18\xF6", "\xFF\x91\x18\x76", 4, false, false},     /* reserved */
        {"\xFF\x11\x18\xF6", "\xFF\x11", 2, false, false},
        {"\xFF\x11\x18\xF6", "", 0, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool rate = false;
        const char *problem =
            ccid_pps_check((const uint8_t *)rows[i].request,
                           (const uint8_t *)rows[i].answer, rows[i].len, &rate);

        assert_int_equal(problem == NULL, rows[i].agreed);
        if (problem == NULL)
            assert_int_equal(rate, rows[i].rate);
    }
}

/* ---- on a reader ----------------------------------------------------------------- */

/* T=0 first, then T=1; TA1 = 18h: 12 times the default rate. */
#define ATR_BOTH "80 06000000 00 SS 00 00 00 3B 90 18 80 01 09"
/* T=0 alone, at that rate. */
#define ATR_T0 "80 03000000 00 SS 00 00 00 3B 10 18"
/* T=1 alone, at the default rate. */
#define ATR_T1 BENCH_ATR_IN

#define GET_T0_IN "82 05000000 00 SS 00 00 00 11 00 00 0A 00"
#define GET_T1_IN "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00"

#define PPS_T1_18_OUT "6F 04000000 00 SS 000000 FF 11 18 F6"
#define PPS_T1_OUT    "6F 03000000 00 SS 000000 FF 01 FE"
#define PPS_T0_18_OUT "6F 04000000 00 SS 000000 FF 10 18 F7"
#define PPS_T0_OUT    "6F 03000000 00 SS 000000 FF 00 FF"
#define PPS_T1_18_IN  "80 04000000 00 SS 00 00 00 FF 11 18 F6"
#define PPS_T1_IN     "80 03000000 00 SS 00 00 00 FF 01 FE"
#define PPS_T0_18_IN  "80 04000000 00 SS 00 00 00 FF 10 18 F7"
#define PPS_BAD_IN    "80 04000000 00 SS 00 00 00 FF 11 18 00"
#define MUTE_IN       "80 00000000 00 SS 40 FE 00"

#define SET_T1_18_OUT "61 07000000 00 SS 010000 18 10 00 4D 00 20 00"
#define SET_T1_11_OUT "61 07000000 00 SS 010000 11 10 00 4D 00 20 00"
#define SET_T0_18_OUT "61 05000000 00 SS 000000 18 00 00 0A 00"
#define SET_T0_11_OUT "61 05000000 00 SS 000000 11 00 00 0A 00"

static void powered(struct bench *bench, const char *answer)
{
    bench_begin(bench, BENCH_TPDU);
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, answer);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(bench_state(bench), SCARD_NEGOTIABLE);
}

static void cold_reset(struct bench *bench, const char *answer)
{
    script_command(&bench->usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    script_command(&bench->usb, BENCH_ON_OUT, answer);
}

static ULONG attribute(struct bench *bench, ULONG tag)
{
    ULONG value;

    assert_int_equal(
        bench_ioctl(bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, sizeof(tag), 4),
        STATUS_SUCCESS);
    memcpy(&value, bench->reply, sizeof(value));
    return value;
}

static void test_pps_comes_before_set_parameters_where_one_is_needed(void **state)
{
    static const struct {
        const char *atr;
        ULONG mask;
        const char *pps_out, *pps_in, *set_out, *set_in;
        ULONG protocol, d;
    } rows[] = {
        /* rate and protocol differ from what the card begins with */
        {ATR_BOTH, SCARD_PROTOCOL_Tx, PPS_T1_18_OUT, PPS_T1_18_IN, SET_T1_18_OUT,
         GET_T1_IN, SCARD_PROTOCOL_T1, 12},
        /* only the protocol */
        {ATR_BOTH, SCARD_PROTOCOL_T1 | SCARD_PROTOCOL_DEFAULT, PPS_T1_OUT, PPS_T1_IN,
         SET_T1_11_OUT, GET_T1_IN, SCARD_PROTOCOL_T1, 1},
        /* only the rate */
        {ATR_T0, SCARD_PROTOCOL_Tx, PPS_T0_18_OUT, PPS_T0_18_IN, SET_T0_18_OUT, GET_T0_IN,
         SCARD_PROTOCOL_T0, 12},
        /* the card agrees to the protocol and stays at the default rate */
        {ATR_BOTH, SCARD_PROTOCOL_Tx, PPS_T1_18_OUT, PPS_T1_IN, SET_T1_11_OUT, GET_T1_IN,
         SCARD_PROTOCOL_T1, 1},
        /* nothing: no PPS */
        {ATR_T0, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_DEFAULT, NULL, NULL, SET_T0_11_OUT,
         GET_T0_IN, SCARD_PROTOCOL_T0, 1},
        {ATR_T1, SCARD_PROTOCOL_Tx, NULL, NULL, SET_T1_11_OUT, GET_T1_IN,
         SCARD_PROTOCOL_T1, 1},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        powered(&bench, rows[i].atr);
        if (rows[i].pps_out != NULL)
            script_command(&bench.usb, rows[i].pps_out, rows[i].pps_in);
        script_command(&bench.usb, rows[i].set_out, rows[i].set_in);
        assert_int_equal(bench_set_protocol(&bench, rows[i].mask), STATUS_SUCCESS);
        assert_int_equal(bench_state(&bench), SCARD_SPECIFIC);
        assert_int_equal(attribute(&bench, SCARD_ATTR_CURRENT_PROTOCOL_TYPE),
                         rows[i].protocol);
        assert_int_equal(attribute(&bench, SCARD_ATTR_CURRENT_D), rows[i].d);
        bench_end(&bench);
    }
}

static void test_readers_that_make_the_pps_get_none_from_the_host(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_TPDU | CCID_FEATURE_AUTO_PPS);
    bench_add(&bench, true);
    script_command(&bench.usb, BENCH_ON_OUT, ATR_BOTH);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, SET_T1_18_OUT, GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    bench_end(&bench);
}

/* Requirement 28, and the fallback that works. */
static void test_pps_with_wrong_check_character_is_repeated_once_without_pps1(
    void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, ATR_BOTH);
    script_command(&bench.usb, PPS_T1_18_OUT, PPS_BAD_IN);
    cold_reset(&bench, ATR_BOTH);
    script_command(&bench.usb, PPS_T1_OUT, PPS_T1_IN);
    script_command(&bench.usb, SET_T1_11_OUT, GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    assert_int_equal(attribute(&bench, SCARD_ATTR_CURRENT_D), 1);
    bench_end(&bench);

    /* Wrong again: an error; the card is left as after a reset. */
    powered(&bench, ATR_T0);
    script_command(&bench.usb, PPS_T0_18_OUT, PPS_BAD_IN);
    cold_reset(&bench, ATR_T0);
    script_command(&bench.usb, PPS_T0_OUT, PPS_BAD_IN);
    cold_reset(&bench, ATR_T0);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx),
                     STATUS_DEVICE_PROTOCOL_ERROR);
    assert_int_equal(bench_state(&bench), SCARD_NEGOTIABLE);
    bench_end(&bench);
}

static void test_card_that_is_silent_at_a_pps_speaks_its_first_protocol(void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, ATR_T0);
    script_command(&bench.usb, PPS_T0_18_OUT, MUTE_IN);
    cold_reset(&bench, ATR_T0);
    script_command(&bench.usb, SET_T0_11_OUT, GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    assert_int_equal(attribute(&bench, SCARD_ATTR_CURRENT_D), 1);
    bench_end(&bench);

    /* Another protocol needs a PPS. */
    powered(&bench, ATR_BOTH);
    script_command(&bench.usb, PPS_T1_18_OUT, MUTE_IN);
    cold_reset(&bench, ATR_BOTH);
    script_command(&bench.usb, PPS_T1_OUT, MUTE_IN);
    cold_reset(&bench, ATR_BOTH);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_IO_TIMEOUT);
    assert_int_equal(bench_state(&bench), SCARD_NEGOTIABLE);
    bench_end(&bench);
}

static void test_pps_that_the_reader_fails_at_is_not_repeated(void **state)
{
    static const struct {
        const char *in;
        NTSTATUS status;
        ULONG state;
    } rows[] = {
        {"80 00000000 00 SS 42 FE 00", STATUS_NO_MEDIA, SCARD_ABSENT},
        {"80 00000000 00 SS 41 FE 00", STATUS_IO_TIMEOUT, SCARD_SWALLOWED},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        powered(&bench, ATR_T0);
        script_command(&bench.usb, PPS_T0_18_OUT, rows[i].in);
        assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), rows[i].status);
        assert_int_equal(bench_state(&bench), rows[i].state);
        bench_end(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pps_request_has_pps1_only_for_another_rate),
        cmocka_unit_test(test_pps_answer_is_agreement_or_a_reason),
        cmocka_unit_test(test_pps_comes_before_set_parameters_where_one_is_needed),
        cmocka_unit_test(test_readers_that_make_the_pps_get_none_from_the_host),
        cmocka_unit_test(
            test_pps_with_wrong_check_character_is_repeated_once_without_pps1),
        cmocka_unit_test(test_card_that_is_silent_at_a_pps_speaks_its_first_protocol),
        cmocka_unit_test(test_pps_that_the_reader_fails_at_is_not_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
