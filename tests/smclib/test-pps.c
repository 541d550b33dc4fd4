/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"
#include "smclib/internal.h"

static SCARD_READER_CAPABILITIES reader_caps(void)
{
    SCARD_READER_CAPABILITIES caps;

    memset(&caps, 0, sizeof caps);
    caps.CLKFrequency.Default = 3580;
    caps.CLKFrequency.Max = 4000;
    caps.DataRate.Default = 9623;
    caps.DataRate.Max = 344086;
    return caps;
}

static void test_pps_default_is_372_1_at_the_readers_default(void **state)
{
    SCARD_READER_CAPABILITIES caps = reader_caps();
    PTS_DATA pts = {.Type = PTS_TYPE_DEFAULT};

    (void)state;
    smc_pps_choose(&pts, 9, 6, false, &caps);
    assert_int_equal(pts.Fl << 4 | pts.Dl, 0x11);
    assert_int_equal(pts.CLKFrequency, 3580);
    assert_int_equal(pts.DataRate, 9623);
    assert_int_equal(pts.StopBits, 2);
}

static void test_pps_optimal_takes_ta1_where_clock_and_rate_allow(void **state)
{
    SCARD_READER_CAPABILITIES caps = reader_caps();
    PTS_DATA pts = {.Type = PTS_TYPE_OPTIMAL};

    (void)state;
    smc_pps_choose(&pts, 9, 6, true, &caps); /* 512/32 at 4 MHz: 250 000 bit/s */
    assert_int_equal(pts.Fl << 4 | pts.Dl, 0x96);
    assert_int_equal(pts.CLKFrequency, 4000);
    assert_int_equal(pts.DataRate, 250000);
    assert_int_equal(pts.StopBits, 1);
}

static void test_pps_optimal_lowers_d_until_the_rate_fits(void **state)
{
    SCARD_READER_CAPABILITIES caps = reader_caps();
    PTS_DATA pts = {.Type = PTS_TYPE_OPTIMAL};

    (void)state;
    caps.DataRate.Max = 130000;
    smc_pps_choose(&pts, 9, 6, false, &caps); /* 32, 20: too fast; 16: 125 000 */
    assert_int_equal(pts.Fl << 4 | pts.Dl, 0x95);
    assert_int_equal(pts.DataRate, 125000);
    caps.DataRate.Max = 9700;
    smc_pps_choose(&pts, 9, 6, false, &caps); /* nothing but D = 1 */
    assert_int_equal(pts.Fl << 4 | pts.Dl, 0x11);
    assert_int_equal(pts.CLKFrequency, 3580);
}

static void test_pps_optimal_looks_for_the_rate_in_the_readers_list(void **state)
{
    static ULONG rates[] = {10753, 64000, 126000};
    static ULONG clocks[] = {2000, 4000, 8000};
    SCARD_READER_CAPABILITIES caps = reader_caps();
    PTS_DATA pts = {.Type = PTS_TYPE_OPTIMAL};

    (void)state;
    caps.DataRatesSupported.List = rates;
    caps.DataRatesSupported.Entries = 3;
    caps.CLKFrequenciesSupported.List = clocks;
    caps.CLKFrequenciesSupported.Entries = 3;
    smc_pps_choose(&pts, 9, 6, false, &caps); /* 125 000 is within 2 % of 126 000 */
    assert_int_equal(pts.Fl << 4 | pts.Dl, 0x95);
    assert_int_equal(pts.CLKFrequency, 4000); /* 8000 is above the 5 MHz of FI = 9 */
    clocks[0] = clocks[1] = 8000;
    smc_pps_choose(&pts, 9, 6, false, &caps); /* no clock that the card can stand */
    assert_int_equal(pts.Fl << 4 | pts.Dl, 0x11);
}

static void test_pps_of_the_drivers_own_is_left_alone(void **state)
{
    SCARD_READER_CAPABILITIES caps = reader_caps();
    PTS_DATA pts = {.Type = PTS_TYPE_USER, .Fl = 5, .Dl = 4, .CLKFrequency = 1};

    (void)state;
    smc_pps_choose(&pts, 9, 6, false, &caps);
    assert_int_equal(pts.Fl << 4 | pts.Dl, 0x54);
    assert_int_equal(pts.CLKFrequency, 1);
}

static void test_pps_optimal_takes_the_clock_that_the_card_can_stand(void **state)
{
    static ULONG falling[] = {8000, 4000, 2000};
    SCARD_READER_CAPABILITIES caps = reader_caps();
    PTS_DATA pts = {.Type = PTS_TYPE_OPTIMAL};

    (void)state;
    caps.CLKFrequency.Max = 8000; /* above the 5 MHz of FI = 9, the default is not */
    smc_pps_choose(&pts, 9, 6, false, &caps);
    assert_int_equal(pts.CLKFrequency, 3580);
    assert_int_equal(pts.Fl << 4 | pts.Dl, 0x96);
    caps.CLKFrequency.Default = 6000;
    smc_pps_choose(&pts, 9, 6, false, &caps);
    assert_int_equal(pts.Fl << 4 | pts.Dl, 0x11);
    caps.CLKFrequenciesSupported.List = falling;
    caps.CLKFrequenciesSupported.Entries = 3;
    smc_pps_choose(&pts, 9, 6, false, &caps);
    assert_int_equal(pts.CLKFrequency, 4000);
    smc_pps_choose(&pts, 7, 6, false, &caps); /* FI = 7 is reserved */
    assert_int_equal(pts.Fl << 4 | pts.Dl, 0x11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pps_default_is_372_1_at_the_readers_default),
        cmocka_unit_test(test_pps_optimal_takes_ta1_where_clock_and_rate_allow),
        cmocka_unit_test(test_pps_optimal_lowers_d_until_the_rate_fits),
        cmocka_unit_test(test_pps_optimal_looks_for_the_rate_in_the_readers_list),
        cmocka_unit_test(test_pps_of_the_drivers_own_is_left_alone),
        cmocka_unit_test(test_pps_optimal_takes_the_clock_that_the_card_can_stand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
