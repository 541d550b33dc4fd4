/* SPDX-License-Identifier: BSD-2-Clause */
/* test-timeouts.c - ccid/timeouts.c: how long a card may take. */
#include "ccid/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct ccid_desc desc = {.default_clock_khz = 4000};

static void test_timeout_of_a_command_by_protocol(void **state)
{
    static const struct {
        ULONG protocol, gt_us, wt_us, bwt_us, cwt_us;
        uint32_t timeout_ms;
    } rows[] = {
        /* T=0 at 4 MHz, 372/1, WI 10: 5 EGT + 260 WWT + 1 s */
        {SCARD_PROTOCOL_T0, 1116, 892800, 0, 0, 5 + 232128 + 1000},
        /* never less than 3 s and a second */
        {SCARD_PROTOCOL_T0, 10, 1000, 0, 0, 4000},
        {SCARD_PROTOCOL_T1, 10, 0, 100000, 1000, 4000},
        /* T=1: 260 EGT + BWT + 260 CWT + 1 s */
        {SCARD_PROTOCOL_T1, 1000, 0, 1400000, 10000, 260 + 1400 + 2600 + 1000},
        /* never more than ten minutes: WI 255 would be 98 */
        {SCARD_PROTOCOL_T0, 1116, 22766400, 0, 0, 600000},
        {SCARD_PROTOCOL_T1, 1116, 0, 4294967295u, 4294967295u, 600000},
        /* nothing known */
        {SCARD_PROTOCOL_T0, 0, 0, 0, 0, 60000},
        {SCARD_PROTOCOL_T1, 0, 0, 0, 0, 60000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        SCARD_CARD_CAPABILITIES card;

        memset(&card, 0, sizeof(card));
        card.Protocol.Selected = rows[i].protocol;
        card.GT = rows[i].gt_us;
        card.T0.WT = rows[i].wt_us;
        card.T1.BWT = rows[i].bwt_us;
        card.T1.CWT = rows[i].cwt_us;
        assert_int_equal(ccid_timeout_transmit_ms(&desc, &card), rows[i].timeout_ms);
    }
}

/* BWT counts as often as the card has asked for, the rest of the block once. */
static void test_timeout_of_a_block_grows_with_the_extension(void **state)
{
    static const struct {
        uint8_t wtx;
        uint32_t timeout_ms;
    } rows[] = {
        {0, 260 + 1400 + 2600 + 1000},         {1, 260 + 1400 + 2600 + 1000},
        {2, 260 + 2 * 1400 + 2600 + 1000},     {30, 260 + 30 * 1400 + 2600 + 1000},
        {255, 260 + 255 * 1400 + 2600 + 1000},
    };
    SCARD_CARD_CAPABILITIES card;

    (void)state;
    memset(&card, 0, sizeof(card));
    assert_int_equal(ccid_timeout_block_ms(&desc, &card, 30), 60000);
    card.GT = 1000;
    card.T1.BWT = 1400000;
    card.T1.CWT = 10000;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(ccid_timeout_block_ms(&desc, &card, rows[i].wtx),
                         rows[i].timeout_ms);
    card.T1.BWT = 4294967295u;
    assert_int_equal(ccid_timeout_block_ms(&desc, &card, 255), 600000);
}

static void set_atr(SCARD_CARD_CAPABILITIES *card, const char *atr, UCHAR length)
{
    memcpy(card->ATR.Buffer, atr, length);
    card->ATR.Length = length;
}

/* What a reader sends at APDU level crosses the contacts, all of it. */
static void test_timeout_of_an_apdu_grows_with_its_length(void **state)
{
    SCARD_CARD_CAPABILITIES card;

    (void)state;
    memset(&card, 0, sizeof(card));
    card.Protocol.Selected = SCARD_PROTOCOL_T1;
    card.GT = 1000;
    card.T1.BWT = 1400000;
    card.T1.CWT = 10000;
    assert_int_equal(ccid_timeout_apdu_ms(&desc, &card, 0), 5260);
    assert_int_equal(ccid_timeout_apdu_ms(&desc, &card, 520), 5260);
    assert_int_equal(ccid_timeout_apdu_ms(&desc, &card, 10520), 15260);
    assert_int_equal(ccid_timeout_apdu_ms(&desc, &card, 4294967295u), 600000);
}

/* No contacts, or no clock: there is nothing to compute from. */
static void test_timeout_without_parameters_is_a_minute(void **state)
{
    static const struct {
        const char *atr;
        UCHAR length;
        uint32_t timeout_ms;
    } rows[] = {
        {"\x3B\x80\x80\x01\x01", 5, 60000}, {"\x3B\x81\x80\x01\x80\x80", 6, 60000},
        {"\x3B\x81\x80\x01\x80", 5, 5260}, /* too short for its T0 */
        {"\x3F\x80\x80\x01\x01", 5, 5260}, /* other TS, other TD1 */
        {"\x3B\x80\x81\x01\x01", 5, 5260},
    };
    static const struct ccid_desc no_clock = {.default_clock_khz = 0};
    SCARD_CARD_CAPABILITIES card;

    (void)state;
    memset(&card, 0, sizeof(card));
    card.Protocol.Selected = SCARD_PROTOCOL_T1;
    card.GT = 1000;
    card.T1.BWT = 1400000;
    card.T1.CWT = 10000;
    card.T0.WT = 1000000;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_atr(&card, rows[i].atr, rows[i].length);
        assert_int_equal(ccid_timeout_apdu_ms(&desc, &card, 260), rows[i].timeout_ms);
        assert_int_equal(ccid_timeout_block_ms(&desc, &card, 0), 5260);
    }
    assert_int_equal(ccid_timeout_block_ms(&no_clock, &card, 0), 60000);
    card.Protocol.Selected = SCARD_PROTOCOL_T0;
    assert_int_equal(ccid_timeout_transmit_ms(&no_clock, &card), 60000);
}

/* A reader that says nothing while its card makes a key. */
static void test_timeout_has_the_time_that_a_reader_is_known_to_need(void **state)
{
    static const struct ccid_desc slow = {.default_clock_khz = 4000,
                                          .extra_card_ms = 300000};
    static const struct ccid_desc slow_no_clock = {.extra_card_ms = 300000};
    SCARD_CARD_CAPABILITIES card;

    (void)state;
    memset(&card, 0, sizeof(card));
    card.Protocol.Selected = SCARD_PROTOCOL_T1;
    card.GT = 1000;
    card.T1.BWT = 1400000;
    card.T1.CWT = 10000;
    assert_int_equal(ccid_timeout_block_ms(&slow, &card, 0), 305260);
    assert_int_equal(ccid_timeout_block_ms(&slow_no_clock, &card, 0), 360000);
    assert_int_equal(ccid_timeout_block_ms(&slow, &card, 255), 600000);
}

/* One card in the field needs more than its ATR says. */
static void test_timeout_bwi_of_a_card_that_does_not_keep_to_it_is_raised(void **state)
{
    static const char openpgp[] = "\x3B\xFA\x13\x00\xFF\x81\x31\x80\x45\x00\x31\xC1\x73"
                                  "\xC0\x01\x00\x00\x90\x00\xB1";
    SCARD_CARD_CAPABILITIES card;

    (void)state;
    memset(&card, 0, sizeof(card));
    card.T1.BWI = 4;
    card.T1.BWT = 1400000;
    card.GT = 1000;
    card.T1.CWT = 10000;
    set_atr(&card, openpgp, 20);
    assert_int_equal(ccid_timeout_bwi(&card), 7);
    assert_int_equal(ccid_timeout_block_ms(&desc, &card, 0),
                     260 + 8 * 1400 + 2600 + 1000);
    card.ATR.Buffer[19] ^= 1;
    assert_int_equal(ccid_timeout_bwi(&card), 4);
    card.ATR.Buffer[19] ^= 1;
    card.T1.BWI = 9;
    assert_int_equal(ccid_timeout_bwi(&card), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeout_of_a_command_by_protocol),
        cmocka_unit_test(test_timeout_of_a_block_grows_with_the_extension),
        cmocka_unit_test(test_timeout_of_an_apdu_grows_with_its_length),
        cmocka_unit_test(test_timeout_without_parameters_is_a_minute),
        cmocka_unit_test(test_timeout_has_the_time_that_a_reader_is_known_to_need),
        cmocka_unit_test(test_timeout_bwi_of_a_card_that_does_not_keep_to_it_is_raised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
