/* SPDX-License-Identifier: BSD-2-Clause */
/* test-timeouts.c - ccid/timeouts.c: how long a card may take. */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

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
        assert_int_equal(ccid_timeout_transmit_ms(&card), rows[i].timeout_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeout_of_a_command_by_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
