/* SPDX-License-Identifier: BSD-2-Clause */
/* test-polling.c - ccid/polling.c: how often a slot is looked at. */
#include "ccid/polling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_poll_of_a_slot_that_was_never_seen_is_due(void **state)
{
    struct ccid_poll poll = {0};

    (void)state;
    assert_int_equal(ccid_poll_wait(&poll, 5, CCID_POLL_ADAPTIVE), 0);
    assert_int_equal(ccid_poll_wait(&poll, 5, CCID_POLL_DEAF_MS), 0);
}

static void test_poll_slows_down_while_nothing_happens(void **state)
{
    static const struct {
        char event; /* u: used; =, !: looked at, the same, changed */
        uint32_t wait_ms;
    } rows[] = {
        {'=', 250},  {'=', 500}, {'=', 1000}, {'=', 2000}, {'=', 2000},
        {'!', 250},  {'=', 500}, {'u', 250},  {'u', 250},  {'=', 500},
        {'=', 1000}, {'u', 250}, {'!', 250},
    };
    struct ccid_poll poll = {0};
    uint64_t now_ms = 1000;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].event == 'u')
            ccid_poll_used(&poll, now_ms);
        else
            ccid_poll_sampled(&poll, now_ms, rows[i].event == '!');
        assert_int_equal(ccid_poll_wait(&poll, now_ms, CCID_POLL_ADAPTIVE),
                         rows[i].wait_ms);
        now_ms += rows[i].wait_ms - 1;
        assert_int_equal(ccid_poll_wait(&poll, now_ms, CCID_POLL_ADAPTIVE), 1);
        now_ms += 1;
        assert_int_equal(ccid_poll_wait(&poll, now_ms, CCID_POLL_ADAPTIVE), 0);
    }
}

static void test_fixed_interval_does_not_slow_down(void **state)
{
    struct ccid_poll poll = {0};

    (void)state;
    for (uint64_t now_ms = 1000; now_ms < 5000; now_ms += CCID_POLL_DEAF_MS) {
        ccid_poll_sampled(&poll, now_ms, false);
        assert_int_equal(ccid_poll_wait(&poll, now_ms, CCID_POLL_DEAF_MS),
                         CCID_POLL_DEAF_MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poll_of_a_slot_that_was_never_seen_is_due),
        cmocka_unit_test(test_poll_slows_down_while_nothing_happens),
        cmocka_unit_test(test_fixed_interval_does_not_slow_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
