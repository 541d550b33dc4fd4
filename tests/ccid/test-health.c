/* SPDX-License-Identifier: BSD-2-Clause */
/* test-health.c - ccid/health.c: how much is too much, and when it is tried again. */
#include "ccid/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_history_allows_most_within_any_span(void **state)
{
    static const struct {
        uint8_t events; /* one each 10 ms, from 1000 on */
        uint8_t most;
        uint32_t span_ms;
        uint64_t now_ms;
        uint32_t wait_ms;
    } rows[] = {
        {0, 3, 100, 1000, 0},      {2, 3, 100, 1010, 0},      {3, 3, 100, 1020, 80},
        {3, 3, 100, 1099, 1},      {3, 3, 100, 1100, 0},      {4, 3, 100, 1030, 80},
        {20, 20, 1000, 1190, 810}, {25, 20, 1000, 1240, 810}, {25, 20, 1000, 2050, 0},
        {25, 20, 1000, 2049, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_history history = {0};

        for (uint8_t e = 0; e < rows[i].events; e++)
            ccid_history_note(&history, 1000 + 10u * e);
        assert_int_equal(
            ccid_history_wait(&history, rows[i].now_ms, rows[i].span_ms, rows[i].most),
            rows[i].wait_ms);
    }
}

static void test_twenty_violations_in_a_minute_are_a_quarantine(void **state)
{
    struct ccid_health health = {0};

    (void)state;
    for (uint64_t i = 0; i < 19; i++)
        assert_false(ccid_health_violation(&health, 1000 + 3000 * i));
    assert_int_equal(health.condition, CCID_HEALTHY);
    assert_true(ccid_health_violation(&health, 1000 + 59999));
    assert_int_equal(health.condition, CCID_QUARANTINED);
    assert_int_equal(ccid_health_wait(&health, 60999), 60000);
    assert_false(ccid_health_violation(&health, 61000)); /* not once more */
    assert_int_equal(health.violations, 21);
    assert_int_equal(health.quarantines, 1);
}

static void test_violations_that_are_further_apart_are_none(void **state)
{
    struct ccid_health health = {0};

    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        assert_false(
            ccid_health_violation(&health, 1000 + 3158 * i)); /* 19 * 3158 > 60 s */
    assert_int_equal(ccid_health_wait(&health, 400000), CCID_NO_RETRY);
}

/* Each try comes when it is due and fails. */
static void assert_delays(struct ccid_health *health, uint64_t now_ms,
                          const uint32_t *delays_s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ccid_health_wait(health, now_ms), delays_s[i] * 1000);
        assert_int_equal(ccid_health_wait(health, now_ms + delays_s[i] * 1000 - 1), 1);
        now_ms += delays_s[i] * 1000;
        assert_int_equal(ccid_health_wait(health, now_ms), 0);
        ccid_health_failed(health, now_ms);
    }
}

static void test_failed_device_is_tried_less_and_less_often(void **state)
{
    static const uint32_t delays_s[] = {5, 10, 20, 40, 80, 160, 300, 300};
    struct ccid_health health = {0};

    (void)state;
    assert_int_equal(ccid_health_wait(&health, 7000), CCID_NO_RETRY);
    ccid_health_failed(&health, 7000);
    assert_int_equal(health.condition, CCID_OUT_OF_ORDER);
    assert_delays(&health, 7000, delays_s, sizeof(delays_s) / sizeof(delays_s[0]));
}

static void test_quarantined_device_is_tried_once_a_minute_and_then_an_hour(void **state)
{
    static const uint32_t delays_s[] = {60, 120, 240, 480, 960, 1920, 3600, 3600};
    struct ccid_health health = {0};

    (void)state;
    for (int i = 0; i < 20; i++)
        (void)ccid_health_violation(&health, 7000);
    assert_delays(&health, 7000, delays_s, sizeof(delays_s) / sizeof(delays_s[0]));
}

static void test_failure_between_two_tries_moves_nothing(void **state)
{
    struct ccid_health health = {0};

    (void)state;
    ccid_health_failed(&health, 1000);
    ccid_health_failed(&health, 2000);
    assert_int_equal(ccid_health_wait(&health, 2000), 4000);
    assert_int_equal(health.failures, 2);
}

static void test_recovery_forgets_violations_and_delay(void **state)
{
    struct ccid_health health = {0};

    (void)state;
    for (int i = 0; i < 20; i++)
        (void)ccid_health_violation(&health, 1000);
    ccid_health_failed(&health, 61000);
    ccid_health_recovered(&health);
    assert_int_equal(health.condition, CCID_HEALTHY);
    assert_int_equal(ccid_health_wait(&health, 61000), CCID_NO_RETRY);
    assert_false(ccid_health_violation(&health, 61000));
    ccid_health_failed(&health, 61000);
    assert_int_equal(ccid_health_wait(&health, 61000), 5000);
}

static void test_counters_have_names_and_values_until_the_last(void **state)
{
    struct ccid_health health = {.discards = 1, .quarantines = 9};
    uint32_t value = 0, count = 0;

    (void)state;
    assert_string_equal(ccid_health_counter(&health, 0, &value), "discards");
    assert_int_equal(value, 1);
    while (ccid_health_counter(&health, count, &value) != NULL)
        count++;
    assert_int_equal(count, 9);
    assert_int_equal(value, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_have_names_and_values_until_the_last),
        cmocka_unit_test(test_history_allows_most_within_any_span),
        cmocka_unit_test(test_twenty_violations_in_a_minute_are_a_quarantine),
        cmocka_unit_test(test_violations_that_are_further_apart_are_none),
        cmocka_unit_test(test_failed_device_is_tried_less_and_less_often),
        cmocka_unit_test(test_quarantined_device_is_tried_once_a_minute_and_then_an_hour),
        cmocka_unit_test(test_failure_between_two_tries_moves_nothing),
        cmocka_unit_test(test_recovery_forgets_violations_and_delay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
