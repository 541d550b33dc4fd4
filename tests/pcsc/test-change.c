/* SPDX-License-Identifier: BSD-2-Clause */
/* test-change.c - what SCardGetStatusChange makes of what the mount says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "contrib/pcsc/change.h"

#define COUNTED(counter) ((DWORD)(counter) << 16)

static void test_state_of_a_reader(void **state)
{
    static const struct {
        uint32_t counter, flags, connections;
        DWORD state;
    } rows[] = {
        {0, 0, 0, COUNTED(1) | SCARD_STATE_EMPTY},
        {5, 0, 0, COUNTED(6) | SCARD_STATE_EMPTY},
        {5, 0, 2, COUNTED(6) | SCARD_STATE_EMPTY}, /* direct connections */
        {1, SCARD_INFO_PRESENT, 0, COUNTED(2) | SCARD_STATE_PRESENT},
        {1, SCARD_INFO_PRESENT, 1, COUNTED(2) | SCARD_STATE_PRESENT | SCARD_STATE_INUSE},
        {1, SCARD_INFO_PRESENT | SCARD_INFO_EXCLUSIVE, 1,
         COUNTED(2) | SCARD_STATE_PRESENT | SCARD_STATE_EXCLUSIVE},
        {1, SCARD_INFO_PRESENT | SCARD_INFO_MUTE, 0,
         COUNTED(2) | SCARD_STATE_PRESENT | SCARD_STATE_MUTE},
        /* A card that is being reset has not come yet. */
        {1, SCARD_INFO_PRESENT | SCARD_INFO_RESETTING, 0, COUNTED(1) | SCARD_STATE_EMPTY},
        {0, SCARD_INFO_PRESENT | SCARD_INFO_RESETTING, 0, COUNTED(1) | SCARD_STATE_EMPTY},
        /* The counter is never 0, which callers give who have none. */
        {0xFFFE, 0, 0, COUNTED(0xFFFF) | SCARD_STATE_EMPTY},
        {0xFFFF, 0, 0, COUNTED(1) | SCARD_STATE_EMPTY},
        {UINT32_MAX, 0, 0, COUNTED(1) | SCARD_STATE_EMPTY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct scard_info info = {.counter = rows[i].counter,
                                        .flags = rows[i].flags,
                                        .connections = rows[i].connections};

        if (change_state(&info) != rows[i].state)
            print_error("row %zu\n", i);
        assert_int_equal(change_state(&info), rows[i].state);
    }
}

static void test_news(void **state)
{
    const DWORD in = COUNTED(2) | SCARD_STATE_PRESENT;
    const DWORD out = COUNTED(3) | SCARD_STATE_EMPTY;
    const struct {
        DWORD known, now;
        bool news;
    } rows[] = {
        {SCARD_STATE_UNAWARE, in, true},
        {SCARD_STATE_UNAWARE, out, true},
        {in, in, false},
        {in | SCARD_STATE_CHANGED, in, false},
        {out, out, false},
        {in, out, true},
        {out, in, true},
        {SCARD_STATE_PRESENT, in, false}, /* without a counter */
        {SCARD_STATE_EMPTY, in, true},
        {SCARD_STATE_PRESENT, out, true},
        {COUNTED(2), in, false}, /* only the counter */
        {COUNTED(1), in, true},
        {COUNTED(1) | SCARD_STATE_PRESENT, in, true}, /* out and in again */
        {in, in | SCARD_STATE_INUSE, false},          /* was not asked about */
        {in | SCARD_STATE_INUSE, in, true},
        {in | SCARD_STATE_EXCLUSIVE, in | SCARD_STATE_INUSE, true},
        {in, in | SCARD_STATE_MUTE, true}, /* never fails to be told */
        {in | SCARD_STATE_MUTE, in | SCARD_STATE_MUTE, false},
        {in | SCARD_STATE_MUTE, in, true},
        {SCARD_STATE_UNKNOWN, in, true}, /* the reader has come */
        {SCARD_STATE_UNAVAILABLE, in, true},
        {in | SCARD_STATE_ATRMATCH, in, false},
        {in | SCARD_STATE_UNPOWERED, in, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (change_is_news(rows[i].known, rows[i].now) != rows[i].news)
            print_error("row %zu\n", i);
        assert_int_equal(change_is_news(rows[i].known, rows[i].now), rows[i].news);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_of_a_reader),
        cmocka_unit_test(test_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
