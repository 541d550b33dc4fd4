/* SPDX-License-Identifier: BSD-2-Clause */
/* test-table.c - numbers of contexts and cards: stale ones are recognised. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "contrib/pcsc/table.h"
#include "fake_mount.h"

#define MANY (2 * TABLE_CHUNK + 1)

struct thing {
    struct table_entry entry;
    unsigned cleared, forgotten;
};

static void clear(struct table_entry *entry)
{
    ((struct thing *)entry)->cleared++;
}

static void forget(struct table_entry *entry)
{
    ((struct thing *)entry)->forgotten++;
}

static struct table table = {.entry_size = sizeof(struct thing),
                             .kind = 0x20000000,
                             .clear = clear,
                             .forget = forget,
                             .lock = PTHREAD_MUTEX_INITIALIZER};

/* With the reference of its number only. */
static long make(struct thing **thing)
{
    struct table_entry *entry = table_new(&table);
    long number;

    assert_non_null(entry);
    number = table_publish(&table, entry);
    table_put(&table, entry);
    if (thing != NULL)
        *thing = (struct thing *)entry;
    return number;
}

static void test_number_leads_to_its_object_until_it_is_withdrawn(void **state)
{
    struct thing *thing;
    const long number = make(&thing);
    struct table_entry *entry = table_get(&table, number);

    (void)state;
    assert_ptr_equal(entry, thing);
    assert_ptr_equal(table_peek(&table, number), entry);
    assert_true(table_withdraw(&table, entry));
    assert_false(table_withdraw(&table, entry));
    assert_null(table_get(&table, number));
    assert_null(table_peek(&table, number));
    assert_int_equal(thing->cleared, 0); /* somebody still uses it */
    table_put(&table, entry);
    assert_int_equal(thing->cleared, 1);
}

static void test_place_is_used_again_under_another_number(void **state)
{
    struct thing *first, *again;
    const long number = make(&first);

    (void)state;
    assert_true(table_withdraw(&table, &first->entry));
    for (int i = 0; i < 1000; i++) {
        const long next = make(&again);

        assert_ptr_equal(again, first);
        assert_int_not_equal(next, number);
        assert_null(table_get(&table, number));
        assert_true(table_withdraw(&table, &again->entry));
    }
}

static void test_what_was_never_a_number_leads_nowhere(void **state)
{
    static const long wrong[] = {0, -1, 1, 0x20000000 | 0x3FFF, 0x40000000, INT32_MAX};
    struct thing *thing;
    const long number = make(&thing);

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_null(table_get(&table, wrong[i]));
    assert_null(table_get(&table, number ^ table.kind));
    assert_null(table_get(&table, number | INT64_C(1) << 32));
    assert_in_range(number, 1, INT32_MAX); /* programs keep it in an int */
    assert_true(table_withdraw(&table, &thing->entry));
}

static void test_all_that_have_numbers_are_found(void **state)
{
    static struct thing *things[MANY];
    struct table_entry *entry;
    unsigned found = 0;
    int index = -1;

    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        make(&things[i]);
    assert_true(table_withdraw(&table, &things[7]->entry));
    while ((entry = table_next(&table, &index)) != NULL) {
        assert_ptr_not_equal(entry, things[7]);
        table_put(&table, entry);
        found++;
    }
    assert_int_equal(found, MANY - 1);
    for (unsigned i = 0; i < MANY; i++) {
        if (i != 7)
            assert_true(table_withdraw(&table, &things[i]->entry));
    }
}

/* The child of a fork knows nobody, and its places are free, whoever held them. */
static void test_child_has_nothing(void **state)
{
    struct thing *named, *held;
    const long number = make(&named);
    long held_number;

    (void)state;
    held_number = make(&held);
    assert_non_null(table_get(&table, held_number)); /* by a thread that is not here */
    table_forget_all(&table);
    assert_null(table_get(&table, number));
    assert_null(table_get(&table, held_number));
    assert_int_equal(named->forgotten, 1);
    assert_int_equal(held->forgotten, 1);
    make(&held);
    assert_int_equal(held->entry.refs, 1);
    assert_true(table_withdraw(&table, &held->entry));
}

static void test_table_that_is_full_says_so(void **state)
{
    static struct table full = {.entry_size = sizeof(struct thing),
                                .kind = 0x20000000,
                                .clear = clear,
                                .forget = forget,
                                .lock = PTHREAD_MUTEX_INITIALIZER};
    struct table_entry *last = NULL;

    (void)state;
    fake_fails(FAKE_MEMORY, NULL, 0, 1, ENOMEM);
    assert_null(table_new(&full));
    fake_fails(FAKE_MEMORY, NULL, 1, 1, ENOMEM);
    for (unsigned i = 0; i < TABLE_CHUNK * TABLE_CHUNKS; i++) {
        struct table_entry *entry = table_new(&full);

        if (entry == NULL) { /* and then it goes on where it was */
            assert_int_equal(i, TABLE_CHUNK);
            entry = table_new(&full);
        }
        assert_non_null(entry);
        assert_int_equal(entry->index, i);
        last = entry;
    }
    assert_null(table_new(&full));
    table_put(&full, last);
    assert_ptr_equal(table_new(&full), last);
    for (unsigned i = 0; i < TABLE_CHUNKS; i++)
        free(full.chunks[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_leads_to_its_object_until_it_is_withdrawn),
        cmocka_unit_test(test_place_is_used_again_under_another_number),
        cmocka_unit_test(test_what_was_never_a_number_leads_nowhere),
        cmocka_unit_test(test_all_that_have_numbers_are_found),
        cmocka_unit_test(test_child_has_nothing),
        cmocka_unit_test(test_table_that_is_full_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
