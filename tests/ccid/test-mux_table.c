/* SPDX-License-Identifier: BSD-2-Clause */
/* test-mux_table.c - ccid/mux_table.c: places, numbers, and whose an answer is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ccid/mux_table.h"

static void test_take_gives_as_many_places_as_the_device_has(void **state)
{
    struct ccid_mux_table table;
    uint8_t seq;

    (void)state;
    ccid_mux_table_init(&table, 3, 2);
    assert_true(ccid_mux_table_take(&table, 0, false, &seq));
    assert_true(ccid_mux_table_take(&table, 2, false, &seq));
    assert_false(ccid_mux_table_take(&table, 1, false, &seq));
    ccid_mux_table_leave(&table, 0);
    assert_true(ccid_mux_table_take(&table, 1, false, &seq));
    assert_int_equal(table.outstanding_count, 2);
}

static void test_take_beyond_the_limit_is_counted_and_given_back(void **state)
{
    struct ccid_mux_table table;
    uint8_t seq;

    (void)state;
    ccid_mux_table_init(&table, 3, 2);
    assert_true(ccid_mux_table_take(&table, 0, false, &seq));
    assert_true(ccid_mux_table_take(&table, 1, false, &seq));
    assert_true(ccid_mux_table_take(&table, 2, true, &seq));
    ccid_mux_table_leave(&table, 0);
    assert_false(ccid_mux_table_take(&table, 0, false, &seq));
    ccid_mux_table_leave(&table, 2);
    assert_true(ccid_mux_table_take(&table, 0, false, &seq));
}

/* Slots 0 and 1 come back as fast as they can; slot 2 is served all the same. */
static void test_place_goes_to_who_has_waited_longest(void **state)
{
    struct ccid_mux_table table;
    uint8_t seq;

    (void)state;
    ccid_mux_table_init(&table, 4, 2);
    assert_true(ccid_mux_table_take(&table, 0, false, &seq));
    assert_true(ccid_mux_table_take(&table, 1, false, &seq));
    assert_false(ccid_mux_table_take(&table, 2, false, &seq));
    assert_false(ccid_mux_table_take(&table, 3, false, &seq));
    ccid_mux_table_leave(&table, 0);
    assert_false(ccid_mux_table_take(&table, 0, false, &seq));
    assert_false(ccid_mux_table_take(&table, 3, false, &seq));
    assert_true(ccid_mux_table_take(&table, 2, false, &seq));
    ccid_mux_table_leave(&table, 1);
    assert_false(ccid_mux_table_take(&table, 0, false, &seq));
    assert_true(ccid_mux_table_take(&table, 3, false, &seq));
}

static void test_leave_gives_up_the_turn_of_who_waits(void **state)
{
    struct ccid_mux_table table;
    uint8_t seq;

    (void)state;
    ccid_mux_table_init(&table, 3, 1);
    assert_true(ccid_mux_table_take(&table, 0, false, &seq));
    assert_false(ccid_mux_table_take(&table, 1, false, &seq));
    assert_false(ccid_mux_table_take(&table, 2, false, &seq));
    ccid_mux_table_leave(&table, 1);
    ccid_mux_table_leave(&table, 0);
    assert_true(ccid_mux_table_take(&table, 2, false, &seq));
    assert_int_equal(table.outstanding_count, 1);
}

/* A command that lasts while the counter goes round keeps its number for itself. */
static void test_number_that_is_outstanding_is_not_given_again(void **state)
{
    struct ccid_mux_table table;
    uint8_t first, last, seq = 0;

    (void)state;
    ccid_mux_table_init(&table, 3, 3);
    assert_true(ccid_mux_table_take(&table, 0, false, &first));
    assert_true(ccid_mux_table_take(&table, 1, false, &last));
    assert_int_equal(last, (uint8_t)(first + 1));
    for (int i = 0; i < 1000; i++) {
        assert_true(ccid_mux_table_take(&table, 2, false, &seq));
        assert_int_not_equal(seq, first);
        assert_int_not_equal(seq, last);
        ccid_mux_table_leave(&table, 2);
    }
}

static void test_owner_is_the_slot_that_waits_for_an_answer(void **state)
{
    static const struct {
        uint8_t slot;
        size_t len;
        int owner;
    } rows[] = {
        {1, 10, 1},    {1, 64, 1}, {0, 10, -1}, /* not outstanding */
        {3, 10, -1},                            /* no such slot */
        {255, 10, -1}, {1, 5, -1}, {1, 8, 1},   /* as far as bSlot */
        {1, 0, -1},
    };
    struct ccid_mux_table table;
    uint8_t seq;

    (void)state;
    ccid_mux_table_init(&table, 3, 3);
    assert_true(ccid_mux_table_take(&table, 1, false, &seq));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t message[64] = {0x80, 0, 0, 0, 0, rows[i].slot};

        assert_int_equal(ccid_mux_table_owner(&table, message, rows[i].len),
                         rows[i].owner);
    }
    ccid_mux_table_leave(&table, 1);
    {
        const uint8_t late[10] = {0x80, 0, 0, 0, 0, 1};

        assert_int_equal(ccid_mux_table_owner(&table, late, sizeof(late)), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_gives_as_many_places_as_the_device_has),
        cmocka_unit_test(test_take_beyond_the_limit_is_counted_and_given_back),
        cmocka_unit_test(test_place_goes_to_who_has_waited_longest),
        cmocka_unit_test(test_leave_gives_up_the_turn_of_who_waits),
        cmocka_unit_test(test_number_that_is_outstanding_is_not_given_again),
        cmocka_unit_test(test_owner_is_the_slot_that_waits_for_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
