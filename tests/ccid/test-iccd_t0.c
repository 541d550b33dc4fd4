/* SPDX-License-Identifier: BSD-2-Clause */
/* test-iccd_t0.c - ccid/iccd_t0.c: what the status byte of a token of version A asks
 * for. */
#include "ccid/iccd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_t0_begin_knows_what_is_sent_and_what_may_come(void **state)
{
    static const struct {
        uint8_t p3;
        uint32_t length;
        bool good;
        uint32_t to_send, expected;
    } rows[] = {
        {0, 5, true, 0, 256},    {1, 5, true, 0, 1},       {255, 5, true, 0, 255},
        {1, 6, true, 1, 0},      {255, 260, true, 255, 0}, {0, 0, false, 0, 0},
        {0, 4, false, 0, 0},     {0, 6, false, 0, 0},      {2, 6, false, 0, 0},
        {2, 8, false, 0, 0},     {255, 259, false, 0, 0},  {255, 261, false, 0, 0},
        {5, 0x10A, false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t tpdu[300] = {0x00, 0xCA, 0x00, 0x00, rows[i].p3};
        struct iccd_t0 t0;

        assert_int_equal(iccd_t0_begin(&t0, tpdu, rows[i].length), rows[i].good);
        assert_int_equal(t0.to_send, rows[i].to_send);
        assert_int_equal(t0.expected, rows[i].expected);
    }
}

/* Every byte, in each of the three situations. */
static void test_t0_next_of_every_status_byte(void **state)
{
    static const struct iccd_t0 to_send = {.to_send = 3}, expecting = {.expected = 3},
                                neither = {0};

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        enum iccd_t0_step any = byte >= 0x80         ? ICCD_T0_MUTE
                                : (byte & 0x40) != 0 ? ICCD_T0_WAIT
                                : byte == 0x20       ? ICCD_T0_END
                                                     : ICCD_T0_VIOLATION;

        assert_int_equal(iccd_t0_next(&to_send, (uint8_t)byte),
                         byte == 0x10 ? ICCD_T0_SEND : any);
        assert_int_equal(iccd_t0_next(&expecting, (uint8_t)byte),
                         byte == 0x10 ? ICCD_T0_RECEIVE : any);
        assert_int_equal(iccd_t0_next(&neither, (uint8_t)byte), any);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t0_begin_knows_what_is_sent_and_what_may_come),
        cmocka_unit_test(test_t0_next_of_every_status_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
