/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-virtual_parameters.c - protocol parameters of virtual readers that do more or less
 * by themselves.
 */
#include "ccid/virtual_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

#define GET        "6C 00000000 00 02 000000"
#define GOT_T0     "82 05000000 00 02 00 00 00 "
#define GOT_T1     "82 07000000 00 02 00 00 01 "
#define SET_T0     "61 05000000 00 02 000000 "
#define SET_T1     "61 07000000 00 02 010000 "
#define REFUSED    "82 00000000 00 02 40 "
#define CHALLENGE  "6F 05000000 00 03 000000 00CA000001"
#define ANSWERED   "80 03000000 00 03 00 00 00 009000"
#define MUTE       "80 00000000 00 03 40 FE 00"
#define PPS        "6F 04000000 00 04 000000 FF 11 95 7B"
#define PPS_ANSWER "80 04000000 00 04 00 00 00 FF 11 95 7B"
/* T=0 first, then T=1 with IFSC 64 and CRC; TA1 = 95h. */
#define ATR_BOTH "3B 90 95 80 51 40 01 45"

static struct wire wire;

static void begin(enum ccid_level level, uint32_t features, uint32_t protocols)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;

    shape.level = level;
    shape.features = features;
    shape.protocols = protocols;
    wire_begin(&wire, &shape, ATR_BOTH);
    wire_power_on(&wire);
}

#define BAUD CCID_FEATURE_AUTO_BAUD

static void test_parameters_after_power_on_are_default_or_of_the_card(void **state)
{
    static const struct {
        uint32_t features, protocols;
        const char *answer;
    } rows[] = {
        {BAUD, 3, GOT_T0 "11 00 00 0A 00"},
        {BAUD | CCID_FEATURE_AUTO_PARAMETERS, 3, GOT_T0 "11 00 00 0A 00"},
        {BAUD | CCID_FEATURE_AUTO_PPS, 3, GOT_T0 "11 00 00 0A 00"},
        {CCID_FEATURE_AUTO_NEGOTIATE, 3, GOT_T0 "95 00 00 0A 00"},
        {CCID_FEATURE_AUTO_NEGOTIATE, 1, GOT_T0 "95 00 00 0A 00"},
        {CCID_FEATURE_AUTO_NEGOTIATE, 2, GOT_T1 "95 11 00 4D 00 40 00"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(CCID_LEVEL_TPDU, rows[i].features, rows[i].protocols);
        wire_expect(&wire, GET, rows[i].answer);
        wire_end(&wire);
    }
}

static void test_parameters_that_the_reader_cannot_set_are_refused(void **state)
{
    static const struct {
        uint32_t features, protocols;
        const char *message, *answer;
    } rows[] = {
        {BAUD, 1, SET_T1 "11 10 00 4D 00 20 00", REFUSED "07 00"},
        {BAUD, 2, SET_T0 "11 00 00 0A 00", REFUSED "07 00"},
        {BAUD, 3, "61 05000000 00 02 800000 11 00 00 0A 00", REFUSED "07 00"},
        {BAUD, 3, "61 04000000 00 02 000000 11 00 00 0A", REFUSED "01 00"},
        {BAUD, 3, SET_T0 "7F 00 00 0A 00", REFUSED "0A 00"},       /* Fi reserved */
        {BAUD, 3, SET_T0 "90 00 00 0A 00", REFUSED "0A 00"},       /* Di reserved */
        {BAUD, 3, SET_T0 "17 00 00 0A 00", REFUSED "0A 00"},       /* too fast */
        {BAUD, 3, SET_T0 "11 10 00 0A 00", REFUSED "0B 00"},       /* bmTCCKST0 */
        {BAUD, 3, SET_T1 "11 00 00 4D 00 20 00", REFUSED "0B 00"}, /* bmTCCKST1 */
        {CCID_FEATURE_AUTO_NEGOTIATE, 3, SET_T1 "95 10 00 4D 00 20 00", REFUSED "07 00"},
        {CCID_FEATURE_AUTO_NEGOTIATE, 3, SET_T0 "11 00 00 0A 00", REFUSED "0A 00"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(CCID_LEVEL_TPDU, rows[i].features, rows[i].protocols);
        wire_expect(&wire, rows[i].message, rows[i].answer);
        wire_end(&wire);
    }
}

static void test_parameters_of_a_negotiating_reader_may_be_set_as_they_are(void **state)
{
    (void)state;
    begin(CCID_LEVEL_TPDU, CCID_FEATURE_AUTO_NEGOTIATE, 3);
    wire_expect(&wire, SET_T0 "95 00 00 20 00", GOT_T0 "95 00 00 20 00");
    wire_expect(&wire, CHALLENGE, ANSWERED);
    /* Back to the default is nothing that such a reader does. */
    wire_expect(&wire, "6D 00000000 00 02 000000", GOT_T0 "95 00 00 20 00");
    wire_end(&wire);
}

static void test_parameters_reset_brings_the_default(void **state)
{
    (void)state;
    begin(CCID_LEVEL_TPDU, BAUD, 3);
    wire_expect(&wire, SET_T1 "95 11 05 45 00 40 00", GOT_T1 "95 11 05 45 00 40 00");
    wire_expect(&wire, "6D 00000000 00 02 000000", GOT_T0 "11 00 00 0A 00");
    assert_int_equal(ccid_virtual_reader_remove(wire.reader, 0), 0);
    wire_expect(&wire, "6D 00000000 00 02 000000", "82 00000000 00 02 42 FE 00");
    wire_expect(&wire, GET, "82 00000000 00 02 42 FE 00");
    wire_expect(&wire, SET_T0 "11 00 00 0A 00", "82 00000000 00 02 42 FE 00");
    wire_end(&wire);
}

static void test_parameters_hold_for_the_card_only_after_a_pps(void **state)
{
    static const enum ccid_level levels[] = {CCID_LEVEL_TPDU, CCID_LEVEL_SHORT_APDU,
                                             CCID_LEVEL_EXTENDED_APDU};

    (void)state;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        begin(levels[i], BAUD, 3); /* without a PPS */
        wire_expect(&wire, SET_T0 "95 00 00 0A 00", GOT_T0 "95 00 00 0A 00");
        wire_expect(&wire, CHALLENGE, MUTE);
        wire_end(&wire);

        begin(levels[i], BAUD | CCID_FEATURE_AUTO_PPS, 3); /* the reader's */
        wire_expect(&wire, SET_T0 "95 00 00 0A 00", GOT_T0 "95 00 00 0A 00");
        wire_expect(&wire, CHALLENGE, ANSWERED);
        wire_end(&wire);
    }
}

static void test_parameters_at_apdu_level_follow_a_pps_of_the_host(void **state)
{
    (void)state;
    begin(CCID_LEVEL_SHORT_APDU, BAUD, 3);
    wire_expect(&wire, PPS, PPS_ANSWER);
    wire_expect(&wire, CHALLENGE, MUTE);
    wire_end(&wire);
    begin(CCID_LEVEL_SHORT_APDU, BAUD, 3);
    wire_expect(&wire, PPS, PPS_ANSWER);
    wire_expect(&wire, SET_T1 "95 11 00 4D 00 40 00", GOT_T1 "95 11 00 4D 00 40 00");
    wire_expect(&wire, CHALLENGE, ANSWERED);
    wire_expect(&wire, PPS, "80 02000000 00 04 00 00 00 6E00"); /* an APDU by now */
    wire_end(&wire);
}

static void test_parameters_reader_that_negotiates_lets_no_pps_pass(void **state)
{
    (void)state;
    begin(CCID_LEVEL_SHORT_APDU, CCID_FEATURE_AUTO_NEGOTIATE, 3);
    wire_expect(&wire, PPS, "80 02000000 00 04 00 00 00 6E00");
    wire_end(&wire);
}

/* What the reader asks its card for in S(IFS request). */
static void test_parameters_own_ifsd_is_no_more_than_a_message_brings(void **state)
{
    static const struct {
        uint32_t message_length, max_ifsd;
        uint8_t ifsd;
    } rows[] = {{271, 254, 254}, {271, 0, 254},   {271, 4096, 254},
                {271, 49, 49},   {268, 254, 253}, {64, 254, 49}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;

        shape.level = CCID_LEVEL_TPDU;
        shape.features = BAUD | CCID_FEATURE_AUTO_PPS | CCID_FEATURE_AUTO_IFSD;
        shape.max_message_length = rows[i].message_length;
        shape.max_ifsd = rows[i].max_ifsd;
        wire_begin(&wire, &shape, ATR_BOTH);
        wire_power_on(&wire);
        wire_expect(&wire, SET_T1 "11 11 00 4D 00 40 00", GOT_T1 "11 11 00 4D 00 40 00");
        assert_int_equal(wire.reader->slots[0].contact->t1.ifsd, rows[i].ifsd);
        wire_end(&wire);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_after_power_on_are_default_or_of_the_card),
        cmocka_unit_test(test_parameters_that_the_reader_cannot_set_are_refused),
        cmocka_unit_test(test_parameters_of_a_negotiating_reader_may_be_set_as_they_are),
        cmocka_unit_test(test_parameters_reset_brings_the_default),
        cmocka_unit_test(test_parameters_hold_for_the_card_only_after_a_pps),
        cmocka_unit_test(test_parameters_at_apdu_level_follow_a_pps_of_the_host),
        cmocka_unit_test(test_parameters_reader_that_negotiates_lets_no_pps_pass),
        cmocka_unit_test(test_parameters_own_ifsd_is_no_more_than_a_message_brings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
