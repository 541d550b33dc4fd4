/* SPDX-License-Identifier: BSD-2-Clause */
/* test-protocol.c - ccid/protocol.c: who negotiates, and with which parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/quirks.h"

#define GET_OUT   "6C 00000000 00 SS 000000"
#define GET_T0_IN "82 05000000 00 SS 00 00 00 11 00 00 0A 00"
#define GET_T1_IN "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00"

#define BENCH_AUTO_PPS ((BENCH_SHORT & ~0x40u) | 0xA0u)

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
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 00 00 00");
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_NOT_SUPPORTED);
    assert_int_equal(bench_state(&bench), SCARD_NEGOTIABLE);
    script_command(&bench.usb, GET_OUT, GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T0), STATUS_SUCCESS);
    protocol_is(&bench, SCARD_PROTOCOL_T0);
    bench_end(&bench);
}

/* The card has been exchanged, and the notification is not there yet. */
static void test_parameters_of_a_card_without_power_say_nothing(void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_SHORT, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, GET_OUT, GET_T0_IN);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 01 00 00");
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1),
                     STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
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

#define SET_T1_OUT(fidi) "61 07000000 00 SS 010000 " fidi " 10 00 4D 00 20 00"
#define SET_MUTE_IN      "82 00000000 00 SS 40 FE 01"

static void cold_reset(struct bench *bench, const char *atr)
{
    script_command(&bench->usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    script_command(&bench->usb, BENCH_ON_OUT, atr);
}

/* A failed PPS leaves the card mute: a cold reset and the next lower rate, a second one
 * and the default; no further. */
static void test_rate_that_fails_is_followed_by_lower_ones(void **state)
{
    static const char atr[] = "80 06000000 00 SS 00 00 00 " ATR_BOTH;
    static const struct {
        int failures;
        NTSTATUS status;
    } rows[] = {{1, STATUS_SUCCESS}, {2, STATUS_SUCCESS}, {3, STATUS_IO_TIMEOUT}};
    static const char *const sets[] = {SET_T1_OUT("18"), SET_T1_OUT("14"),
                                       SET_T1_OUT("11")};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        powered(&bench, BENCH_AUTO_PPS, atr);
        for (int n = 0; n < rows[i].failures; n++) {
            script_command(&bench.usb, sets[n], SET_MUTE_IN);
            if (n < 2)
                cold_reset(&bench, atr);
        }
        if (rows[i].failures < 3)
            script_command(&bench.usb, sets[rows[i].failures], GET_T1_IN);
        assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), rows[i].status);
        bench_end(&bench);
    }
}

/* The slot remembers it for the card, and for no other. */
static void test_rate_that_failed_is_not_tried_again_until_the_card_is_exchanged(
    void **state)
{
    static const char atr[] = "80 06000000 00 SS 00 00 00 " ATR_BOTH;
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_AUTO_PPS, atr);
    script_command(&bench.usb, SET_T1_OUT("18"), SET_MUTE_IN);
    cold_reset(&bench, atr);
    script_command(&bench.usb, SET_T1_OUT("14"), GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
    cold_reset(&bench, atr);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, SET_T1_OUT("14"), GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
    script_notify(&bench.usb, "50 02");
    script_notify(&bench.usb, "50 03");
    script_command(&bench.usb, BENCH_ON_OUT, atr);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, SET_T1_OUT("18"), GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
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

/* ---- nobody: the host ------------------------------------------------------------ */

#define BENCH_NOBODY  ((BENCH_SHORT & ~0x42u) | 0x20u)
#define PPS_T1_18_OUT "6F 04000000 00 SS 000000 FF 11 18 F6"
#define PPS_T1_18_IN  "80 04000000 00 SS 00 00 00 FF 11 18 F6"

/* As at TPDU level: a PPS as a block, then SetParameters, which need not be there. */
static void test_reader_of_apdus_without_any_pps_gets_it_from_the_host(void **state)
{
    static const char *const answers[] = {
        "82 07000000 00 SS 00 00 01 18 10 00 4D 00 20 00", "81 00000000 00 SS 40 00 00"};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        powered(&bench, BENCH_NOBODY, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
        script_command(&bench.usb, PPS_T1_18_OUT, PPS_T1_18_IN);
        script_command(&bench.usb, SET_T1_OUT("18"), answers[i]);
        assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
        protocol_is(&bench, SCARD_PROTOCOL_T1);
        bench_end(&bench);
    }
}

/* It takes the PPS for a bad APDU: the card's first protocol goes without. */
static void test_reader_of_apdus_that_knows_no_pps_has_the_first_protocol(void **state)
{
    static const char atr[] = "80 06000000 00 SS 00 00 00 " ATR_BOTH;
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_NOBODY, atr);
    script_command(&bench.usb, "6F 04000000 00 SS 000000 FF 10 18 F7",
                   "80 02000000 00 SS 00 00 00 6E 00");
    cold_reset(&bench, atr);
    script_command(&bench.usb, "61 05000000 00 SS 000000 11 00 00 0A 00", GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T0), STATUS_SUCCESS);
    protocol_is(&bench, SCARD_PROTOCOL_T0);
    bench_end(&bench);
}

static void test_reader_that_cannot_do_a_pps_stays_at_the_first_protocol(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_TPDU);
    bench.desc.quirks = CCID_QUIRK_NO_PPS;
    bench_add(&bench, true);
    script_command(&bench.usb, BENCH_ON_OUT, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_NOT_SUPPORTED);
    script_command(&bench.usb, "61 05000000 00 SS 000000 11 00 00 0A 00", GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    protocol_is(&bench, SCARD_PROTOCOL_T0);
    bench_end(&bench);
}

static void test_missing_set_parameters_matters_only_without_automatic_ones(void **state)
{
    static const struct {
        uint32_t features;
        NTSTATUS status;
    } rows[] = {{BENCH_TPDU | 0x2, STATUS_SUCCESS},
                {BENCH_TPDU, STATUS_NOT_SUPPORTED},
                {BENCH_NOBODY, STATUS_SUCCESS}};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        powered(&bench, rows[i].features, BENCH_ATR_IN);
        script_command(&bench.usb, SET_T1_OUT("11"), "81 00000000 00 SS 40 00 00");
        assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), rows[i].status);
        assert_int_equal(bench_state(&bench), rows[i].status == STATUS_SUCCESS
                                                  ? SCARD_SPECIFIC
                                                  : SCARD_NEGOTIABLE);
        bench_end(&bench);
    }
}

/* ---- the rate, by hand ------------------------------------------------------------ */

/* 4000 kHz; 4 MHz * 12 / 372 = 129032 bit/s */
#define RATE_OUT "73 08000000 00 SS 000000 A00F0000 08F80100"

/* Neither 10h nor 20h: the parameters alone change nothing. */
static void test_reader_without_automatic_rate_is_told_the_rate(void **state)
{
    static const struct {
        const char *answer; /* to the fast rate; the lower one is refused no more */
        bool works;
    } rows[] = {
        {"84 08000000 00 SS 00 00 00 A00F0000 08F80100", true},
        {"84 08000000 00 SS 00 00 00 A00F0000 88F40100", true},  /* 128136: 1 % off */
        {"84 00000000 00 SS 00 00 00", true},                    /* it does not say */
        {"81 00000000 00 SS 40 00 00", true},                    /* no such command */
        {"84 08000000 00 SS 00 00 00 A00F0000 002A0000", false}, /* 10752 */
        {"84 00000000 00 SS 40 0E 00", false},                   /* refused */
        {"84 00000000 00 SS 40 FB 00", false},
    };
    static const char atr[] = "80 06000000 00 SS 00 00 00 " ATR_BOTH;
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        powered(&bench, BENCH_TPDU & ~0x20u, atr);
        script_command(&bench.usb, PPS_T1_18_OUT, PPS_T1_18_IN);
        script_command(&bench.usb, SET_T1_OUT("18"), GET_T1_IN);
        script_command(&bench.usb, RATE_OUT, rows[i].answer);
        if (!rows[i].works) {
            cold_reset(&bench, atr);
            script_command(&bench.usb, "6F 04000000 00 SS 000000 FF 11 14 FA",
                           "80 04000000 00 SS 00 00 00 FF 11 14 FA");
            script_command(&bench.usb, SET_T1_OUT("14"), GET_T1_IN);
            /* 4 MHz * 8 / 372 = 86021 */
            script_command(&bench.usb, "73 08000000 00 SS 000000 A00F0000 05500100",
                           "84 08000000 00 SS 00 00 00 A00F0000 05500100");
        }
        assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
        bench_end(&bench);
    }
}

/* The default rate is what every reader has after a reset. */
static void test_default_rate_is_told_to_nobody(void **state)
{
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_TPDU & ~0x20u, BENCH_ATR_IN);
    script_command(&bench.usb, SET_T1_OUT("11"), GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    bench_end(&bench);
}

/* After a PPS of the host the reader's own value is the wrong one. */
static void test_reader_that_keeps_its_rate_after_the_pps_gets_a_lower_one(void **state)
{
    static const char atr[] = "80 06000000 00 SS 00 00 00 " ATR_BOTH;
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_TPDU, atr);
    script_command(&bench.usb, PPS_T1_18_OUT, PPS_T1_18_IN);
    script_command(&bench.usb, SET_T1_OUT("18"), "82 00000000 00 SS 40 0A 01");
    script_command(&bench.usb, GET_OUT, GET_T1_IN); /* 11h */
    cold_reset(&bench, atr);
    script_command(&bench.usb, "6F 04000000 00 SS 000000 FF 11 14 FA",
                   "80 04000000 00 SS 00 00 00 FF 11 14 FA");
    script_command(&bench.usb, SET_T1_OUT("14"), GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    bench_end(&bench);
}

/* A reader that claims 344086 bit/s and is known to reach 100000. */
static void test_rate_above_what_the_reader_reaches_is_not_asked_for(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_AUTO_PPS);
    bench.desc.usable_data_rate_bps = 100000;
    bench.desc.quirks = CCID_QUIRK_RATE_POWER_TWICE;
    bench_add(&bench, true);
    script_command(&bench.usb, BENCH_ON_OUT, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, SET_T1_OUT("14"), SET_MUTE_IN);
    cold_reset(&bench, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    cold_reset(&bench, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, SET_T1_OUT("13"), GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
    bench_end(&bench);
}

/* ---- first exchange -------------------------------------------------------------- */

/* The card agreed to the rate and is not heard at it. S(IFS request) is no command: the
 * caller's goes out after the next agreement, once. */
static void test_card_that_is_mute_at_its_rate_is_asked_for_a_lower_one(void **state)
{
    static const char atr[] = "80 06000000 00 SS 00 00 00 " ATR_BOTH;
    static const char ifs_out[] = "6F 05000000 00 SS 000000 00 C1 01 FE 3E";
    struct bench bench;

    (void)state;
    powered(&bench, (BENCH_AUTO_PPS & ~CCID_FEATURE_SHORT_APDU) | BENCH_TPDU, atr);
    script_command(&bench.usb, SET_T1_OUT("18"), GET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
    script_command(&bench.usb, ifs_out, "80 00000000 00 SS 40 FD 00");
    cold_reset(&bench, atr);
    script_command(&bench.usb, SET_T1_OUT("14"), GET_T1_IN);
    script_command(&bench.usb, ifs_out, "80 05000000 00 SS 00 00 00 00 E1 01 FE 1E");
    script_command(&bench.usb,
                   "6F 0B000000 00 SS 000000 00 00 07 00 A4 00 00 02 3F 00 9E",
                   "80 06000000 00 SS 00 00 00 00 00 02 90 00 92");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    assert_int_equal(bench_state(&bench), SCARD_SPECIFIC);
    bench_end(&bench);
}

/* What may be the end of a command is not repeated; the next reset knows. */
static void test_command_that_is_lost_at_its_rate_fails_and_lowers_the_next(void **state)
{
    static const char atr[] = "80 03000000 00 SS 00 00 00 3B 10 18";
    static const char set_18[] = "61 05000000 00 SS 000000 18 00 00 0A 00";
    static const char set_14[] = "61 05000000 00 SS 000000 14 00 00 0A 00";
    struct bench bench;

    (void)state;
    powered(&bench, (BENCH_AUTO_PPS & ~CCID_FEATURE_SHORT_APDU) | BENCH_TPDU, atr);
    bench.protocol = SCARD_PROTOCOL_T0;
    script_command(&bench.usb, set_18, GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T0), STATUS_SUCCESS);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 00000000 00 SS 40 FE 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    cold_reset(&bench, atr);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, set_14, GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T0), STATUS_SUCCESS);
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    /* It works: a later silence says nothing about the rate. */
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 00000000 00 SS 40 FE 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    cold_reset(&bench, atr);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, set_14, GET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T0), STATUS_SUCCESS);
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

/* Each reset brings another card, or so it says, and the reader changes its mind. */
static void test_card_that_turns_specific_in_the_middle_comes_to_an_end(void **state)
{
    static const char set_18[] = "61 05000000 00 SS 000000 18 00 00 0A 00";
    static const char set_14[] = "61 05000000 00 SS 000000 14 00 00 0A 00";
    static const char atr[] = "80 05000000 00 SS 00 00 00 " ATR_SPECIFIC;
    struct bench bench;

    (void)state;
    powered(&bench, BENCH_AUTO_PPS, "80 06000000 00 SS 00 00 00 " ATR_BOTH);
    script_command(&bench.usb, set_18, SET_MUTE_IN);
    for (int i = 0; i < 2; i++) {
        cold_reset(&bench, atr);
        script_command(&bench.usb, set_18, GET_T0_IN);
        script_command(&bench.usb, set_14, SET_MUTE_IN);
    }
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T0), STATUS_IO_TIMEOUT);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_that_negotiates_is_asked_what_it_chose),
        cmocka_unit_test(test_reader_that_chose_another_protocol_is_not_overruled),
        cmocka_unit_test(test_parameters_of_a_card_without_power_say_nothing),
        cmocka_unit_test(test_reader_without_get_parameters_has_the_first_protocol),
        cmocka_unit_test(test_reader_with_automatic_pps_gets_the_cards_parameters),
        cmocka_unit_test(test_rate_that_fails_is_followed_by_lower_ones),
        cmocka_unit_test(
            test_rate_that_failed_is_not_tried_again_until_the_card_is_exchanged),
        cmocka_unit_test(test_value_that_the_reader_keeps_is_accepted),
        cmocka_unit_test(test_reader_of_apdus_without_any_pps_gets_it_from_the_host),
        cmocka_unit_test(test_reader_of_apdus_that_knows_no_pps_has_the_first_protocol),
        cmocka_unit_test(test_reader_that_cannot_do_a_pps_stays_at_the_first_protocol),
        cmocka_unit_test(test_missing_set_parameters_matters_only_without_automatic_ones),
        cmocka_unit_test(test_reader_without_automatic_rate_is_told_the_rate),
        cmocka_unit_test(test_default_rate_is_told_to_nobody),
        cmocka_unit_test(test_reader_that_keeps_its_rate_after_the_pps_gets_a_lower_one),
        cmocka_unit_test(test_rate_above_what_the_reader_reaches_is_not_asked_for),
        cmocka_unit_test(test_card_that_is_mute_at_its_rate_is_asked_for_a_lower_one),
        cmocka_unit_test(test_command_that_is_lost_at_its_rate_fails_and_lowers_the_next),
        cmocka_unit_test(test_card_in_specific_mode_is_announced_to_the_reader_at_once),
        cmocka_unit_test(test_card_that_turns_specific_in_the_middle_comes_to_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
