/* SPDX-License-Identifier: BSD-2-Clause */
/* test-node.c - names, kinds and inode numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fs/attributes.h"
#include "fs/node.h"

static void test_ino_of_two_readers_never_is_the_same(void **state)
{
    (void)state;
    assert_int_equal(scfs_node_ino(0, SCFS_ROOT), 1);
    assert_true(scfs_node_ino(1, SCFS_ATR) != scfs_node_ino(2, SCFS_ATR));
    assert_int_equal(scfs_node_sequence(scfs_node_ino(UINT64_C(1) << 29, SCFS_STATE)),
                     UINT64_C(1) << 29);
    assert_int_equal(scfs_node_kind(scfs_node_ino(77, SCFS_STATE)), SCFS_STATE);
}

static void test_alias_is_the_same_node_with_another_number(void **state)
{
    const uint64_t ino = scfs_node_ino(UINT64_C(1) << 29, SCFS_POWER);

    (void)state;
    assert_int_equal(scfs_node_alias(ino, 0), ino);
    for (unsigned n = 1; n < 1u << 22; n++) {
        const uint64_t alias = scfs_node_alias(ino, n);

        assert_true(alias != scfs_node_alias(ino, n - 1));
        assert_int_equal(scfs_node_kind(alias), SCFS_POWER);
        assert_int_equal(scfs_node_sequence(alias), UINT64_C(1) << 29);
    }
    assert_int_equal(scfs_node_alias(ino, 1u << 22), ino);
}

static void test_child_is_found_by_every_name_that_is_listed(void **state)
{
    static const enum scfs_kind parents[] = {SCFS_ROOT, SCFS_READER, SCFS_EVENTS,
                                             SCFS_ATTRIBUTES};
    size_t count = 0;

    (void)state;
    for (size_t p = 0; p < sizeof parents / sizeof parents[0]; p++) {
        enum scfs_kind kind;

        for (size_t i = 0; (kind = scfs_node_nth(parents[p], i)) != SCFS_NONE; i++) {
            assert_int_equal(scfs_node_child(parents[p], scfs_node_name(kind)), kind);
            count++;
        }
    }
    assert_true(count > scfs_attribute_count);
}

static void test_child_of_another_name_is_none(void **state)
{
    static const struct {
        enum scfs_kind parent;
        const char *name;
    } rows[] = {
        {SCFS_ROOT, ""},
        {SCFS_ROOT, "reader0"},
        {SCFS_ROOT, "atr"},
        {SCFS_READER, "Control"},
        {SCFS_READER, "events/absent"},
        {SCFS_EVENTS, "state"},
        {SCFS_ATTRIBUTES, ""},
        {SCFS_ATTRIBUTES, "SCARD_ATTR_VENDOR_NAME"},
        {SCFS_ATR, "atr"},
        {SCFS_READER, ".."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(scfs_node_child(rows[i].parent, rows[i].name), SCFS_NONE);
}

static void test_mode_of_control_is_the_one_of_the_options(void **state)
{
    (void)state;
    assert_int_equal(scfs_node_mode(SCFS_CONTROL, 0600), 0600);
    assert_int_equal(scfs_node_mode(SCFS_TRANSMIT, 0640), 0640);
    assert_int_equal(scfs_node_mode(SCFS_POWER, 0666), 0666);
    assert_int_equal(scfs_node_mode(SCFS_VIRTUAL, 0666), 0600);
    assert_int_equal(scfs_node_mode(SCFS_READER, 0660), 0555);
    assert_int_equal(scfs_node_mode(SCFS_ATTRIBUTE, 0660), 0444);
}

static void test_reader_number_takes_one_spelling_only(void **state)
{
    static const struct {
        const char *name;
        int number; /* -1: none */
    } rows[] = {
        {"reader0", 0},
        {"reader10", 10},
        {"reader4294967295", -1},
        {"reader", -1},
        {"reader00", -1},
        {"reader07", -1},
        {"reader-1", -1},
        {"reader1 ", -1},
        {"reader1\n", -1},
        {"Reader1", -1},
        {"xreader1", -1},
        {"", -1},
        {"..", -1},
        {"reader0x1", -1},
        {"reader99999999", 99999999},
        {"reader18446744073709551616", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned number = 7;
        bool found = scfs_reader_number(rows[i].name, &number);

        assert_int_equal(found, rows[i].number >= 0);
        if (found)
            assert_int_equal(number, rows[i].number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ino_of_two_readers_never_is_the_same),
        cmocka_unit_test(test_alias_is_the_same_node_with_another_number),
        cmocka_unit_test(test_child_is_found_by_every_name_that_is_listed),
        cmocka_unit_test(test_child_of_another_name_is_none),
        cmocka_unit_test(test_mode_of_control_is_the_one_of_the_options),
        cmocka_unit_test(test_reader_number_takes_one_spelling_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
