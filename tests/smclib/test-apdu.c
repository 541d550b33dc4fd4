/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"
#include "smclib/internal.h"

static void test_apdu_of_each_form_is_well_formed_and_nothing_else(void **state)
{
    static const struct {
        const char *hex;
        bool good;
    } rows[] = {
        {"", false},
        {"00A400", false},
        {"00A40000", true},
        {"00A4000000", true},
        {"00A4000002", true},
        {"00A40000023F00", true},
        {"00A40000023F0000", true},
        {"00A4000008 00", false},
        {"00A40000023F", false},
        {"00A40000023F000000", false},
        {"00B0000000 00", false},
        {"00B0000000 0000", true},
        {"00B0000000 0001", true},
        {"00D6000000 0001 AA", true},
        {"00D6000000 0001 AA 0000", true},
        {"00D6000000 0001 AA 00", false},
        {"00D6000000 0000 0000", false},
        {"00D6000000 0002 AA", false},
        {"00D6000000 0001 AA 000000", false},
    };
    UCHAR apdu[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = fake_hex(rows[i].hex, apdu, sizeof apdu);

        if (smc_apdu_is_well_formed(apdu, len) != rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].hex);
    }
}

static void test_apdu_with_every_short_lc_needs_exactly_that_much_data(void **state)
{
    static UCHAR apdu[300];

    (void)state;
    for (unsigned lc = 1; lc <= 255; lc++) {
        apdu[4] = (UCHAR)lc;
        for (size_t len = 6; len <= 5 + 255 + 2; len++)
            assert_int_equal(smc_apdu_is_well_formed(apdu, len),
                             len == 5 + lc || len == 6 + lc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apdu_of_each_form_is_well_formed_and_nothing_else),
        cmocka_unit_test(test_apdu_with_every_short_lc_needs_exactly_that_much_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
