/* SPDX-License-Identifier: BSD-2-Clause */
/* test-virtual_rate.c - clock and data rate of the virtual reader. */
#include "ccid/virtual_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

#define AUTO_BAUD  CCID_FEATURE_AUTO_BAUD
#define CLOCK_STOP 0x100u
#define CHALLENGE  "6F 05000000 00 03 000000 00CA000001"
#define ANSWERED   "80 03000000 00 03 00 00 00 009000"
#define MUTE       "80 00000000 00 03 40 FE 00"

static struct wire wire;

static void begin(uint32_t features)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;

    shape.level = CCID_LEVEL_TPDU;
    shape.features = features;
    wire_begin(&wire, &shape, "3B 10 95"); /* T=0, TA1 = 95h: 125000 bit/s */
    wire_power_on(&wire);
}

static void test_rate_offered_by_maximum_and_list(void **state)
{
    static const uint32_t list[] = {10753, 124998, 250003};
    static const struct {
        uint32_t maximum;
        uint8_t announced;
        uint8_t fidi;
        bool offered;
    } rows[] = {
        {344086, 0, 0x95, true},  {344086, 0, 0x96, true},  {344086, 0, 0x97, false},
        {125000, 0, 0x95, true},  {124998, 0, 0x95, true},  {124997, 0, 0x95, false},
        {344086, 3, 0x95, true},  {344086, 3, 0x96, false}, {344086, 3, 0x11, true},
        {0, 0, 0x11, true},       {0, 0, 0x95, false},      {344086, 0, 0x71, false},
        {344086, 0, 0x10, false}, {344086, 0, 0x1A, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;

        shape.maximum_data_rate_bps = rows[i].maximum;
        shape.data_rate_count = rows[i].announced;
        shape.rates_bps = list;
        shape.rate_list_length = 3;
        assert_int_equal(virtual_rate_offered(&shape, rows[i].fidi), rows[i].offered);
    }
}

/* PPS and SetParameters for 95h, then whether the card is heard. */
static void negotiate(const char *answer)
{
    wire_expect(&wire, "6F 04000000 00 04 000000 FF 10 95 7A",
                "80 04000000 00 04 00 00 00 FF 10 95 7A");
    wire_expect(&wire, "61 05000000 00 02 000000 95 00 00 0A 00",
                "82 05000000 00 02 00 00 00 95 00 00 0A 00");
    wire_expect(&wire, CHALLENGE, answer);
}

static void test_rate_follows_the_parameters_of_an_automatic_reader(void **state)
{
    (void)state;
    begin(AUTO_BAUD);
    negotiate(ANSWERED);
    wire_expect(&wire, "73 08000000 00 05 000000 A00F0000 48E80100",
                "84 00000000 00 05 40 00 00");
    wire_end(&wire);
}

static void test_rate_of_another_reader_is_in_force_when_the_host_sets_it(void **state)
{
    (void)state;
    begin(0);
    wire_expect(&wire, CHALLENGE, ANSWERED); /* at the default */
    wire_end(&wire);
    begin(0);
    negotiate(MUTE);
    wire_expect(&wire, "73 08000000 00 05 000000 A00F0000 48E80100",
                "84 08000000 00 05 00 00 00 A00F0000 48E80100");
    wire_expect(&wire, CHALLENGE, ANSWERED);
    wire_end(&wire);
}

static void test_rate_set_says_what_is_really_used(void **state)
{
    static const uint32_t clocks[] = {4000, 8000}, rates[] = {10753, 21505, 43011};
    static const struct {
        uint8_t announced;
        const char *asked, *used;
    } rows[] = {
        {0, "70170000 48E80100", "70170000 48E80100"}, /* 6000 kHz */
        {0, "A10F0000 00000010", "A10F0000 16400500"}, /* no more than the maximum */
        {0, "E8030000 002A0000", "A00F0000 002A0000"}, /* below the default clock */
        {2, "401F0000 FFFF0000", "401F0000 03A80000"},
        {2, "70170000 00540000", "A00F0000 01540000"}, /* off by one: the list's */
        {2, "A00F0000 01000000", "A00F0000 002A0000"}, /* nothing so slow: the default */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;
        char message[80], answer[80];

        shape.features = 0;
        shape.maximum_clock_khz = 8000;
        shape.clock_count = shape.data_rate_count = rows[i].announced;
        shape.clocks_khz = clocks;
        shape.clock_list_length = 2;
        shape.rates_bps = rates;
        shape.rate_list_length = 3;
        wire_begin(&wire, &shape, NULL);
        snprintf(message, sizeof(message), "73 08000000 00 05 000000 %s", rows[i].asked);
        snprintf(answer, sizeof(answer), "84 08000000 00 05 01 00 00 %s", rows[i].used);
        wire_expect(&wire, message, answer);
        wire_end(&wire);
    }
}

static void test_rate_message_of_another_length_is_refused(void **state)
{
    (void)state;
    begin(0);
    wire_expect(&wire, "73 04000000 00 05 000000 A00F0000", "84 00000000 00 05 40 01 00");
    wire_end(&wire);
}

static void test_rate_clock_stops_where_it_can(void **state)
{
    (void)state;
    begin(AUTO_BAUD);
    wire_expect(&wire, "6E 00000000 00 06 010000", "81 00000000 00 06 40 00 00");
    wire_end(&wire);

    begin(AUTO_BAUD | CLOCK_STOP);
    wire_expect(&wire, "6E 00000000 00 06 020000", "81 00000000 00 06 40 07 00");
    wire_expect(&wire, "6E 00000000 00 06 010000", "81 00000000 00 06 00 00 01");
    wire_expect(&wire, "65 00000000 00 07 000000", "81 00000000 00 07 00 00 01");
    wire_expect(&wire, CHALLENGE, MUTE);
    wire_expect(&wire, "6E 00000000 00 06 000000", "81 00000000 00 06 00 00 00");
    wire_expect(&wire, CHALLENGE, ANSWERED);
    wire_expect(&wire, "6E 00000000 00 06 010000", "81 00000000 00 06 00 00 01");
    wire_power_on(&wire); /* runs again */
    wire_expect(&wire, CHALLENGE, ANSWERED);
    wire_expect(&wire, "63 00000000 00 08 000000", "81 00000000 00 08 01 00 00");
    wire_expect(&wire, "6E 00000000 00 06 010000", "81 00000000 00 06 41 FE 00");
    wire_end(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_offered_by_maximum_and_list),
        cmocka_unit_test(test_rate_follows_the_parameters_of_an_automatic_reader),
        cmocka_unit_test(test_rate_of_another_reader_is_in_force_when_the_host_sets_it),
        cmocka_unit_test(test_rate_set_says_what_is_really_used),
        cmocka_unit_test(test_rate_message_of_another_length_is_refused),
        cmocka_unit_test(test_rate_clock_stops_where_it_can),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
