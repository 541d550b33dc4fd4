/* SPDX-License-Identifier: BSD-2-Clause */
/* test-timeouts.c - ccid/timeouts.c: how long a card may take. */
#include "ccid/slot.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeout_of_a_command_by_protocol),
        cmocka_unit_test(test_timeout_of_a_block_grows_with_the_extension),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
