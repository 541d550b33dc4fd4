/* SPDX-License-Identifier: BSD-2-Clause */
/* test-registry.c - numbers, names and the counter of changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fs/internal.h"

#define DEVICES 4

static struct scfs_options options;
static struct scfs fs;
static struct smc_device_identity identity = {.product = "Reader", .slot_count = 1};
static DEVICE_OBJECT physical[DEVICES], function[DEVICES];

static int setup(void **state)
{
    (void)state;
    scfs_init(&fs, &options, NULL);
    for (unsigned i = 0; i < DEVICES; i++) {
        physical[i] = (DEVICE_OBJECT){.Identity = &identity};
        function[i] = (DEVICE_OBJECT){.LowerDevice = &physical[i]};
    }
    return 0;
}

static struct scfs_reader *add(PDEVICE_OBJECT device)
{
    struct scfs_reader *reader = scfs_reader_new(&fs, device);

    assert_non_null(reader);
    assert_true(scfs_registry_add(&fs, reader));
    scfs_reader_put(reader);
    return reader;
}

static void take(PDEVICE_OBJECT device)
{
    struct scfs_reader *reader = scfs_registry_remove(&fs, device);

    assert_non_null(reader);
    assert_ptr_equal(fs.leaving.Blink, &reader->leaving);
    scfs_registry_left(reader);
    assert_true(IsListEmpty(&fs.leaving));
    scfs_reader_put(reader);
}

static unsigned number_of(PDEVICE_OBJECT device)
{
    struct scfs_reader *reader = scfs_registry_by_device(&fs, device);
    unsigned number;

    assert_non_null(reader);
    number = reader->number;
    scfs_reader_put(reader);
    return number;
}

static void test_add_gives_the_lowest_free_number(void **state)
{
    (void)state;
    add(&function[0]);
    add(&function[1]);
    add(&function[2]);
    assert_int_equal(number_of(&function[2]), 2);
    take(&function[1]);
    add(&function[3]);
    assert_int_equal(number_of(&function[3]), 1);
    take(&function[0]);
    take(&function[2]);
    take(&function[3]);
    assert_true(IsListEmpty(&fs.readers));
}

static void test_add_avoids_the_number_that_an_open_handle_knows(void **state)
{
    struct scfs_reader *first;

    (void)state;
    first = scfs_reader_get(add(&function[0]));
    assert_true(scfs_registry_opened(first));
    take(&function[0]);
    assert_null(scfs_registry_by_number(&fs, 0));
    assert_false(scfs_registry_opened(first)); /* gone: no new handles */
    add(&function[1]);
    assert_int_equal(number_of(&function[1]), 1);
    scfs_registry_closed(first);
    scfs_reader_put(first);
    add(&function[2]);
    assert_int_equal(number_of(&function[2]), 0);
    take(&function[1]);
    take(&function[2]);
    assert_true(IsListEmpty(&fs.readers));
}

static void test_sequence_is_never_used_again(void **state)
{
    struct scfs_reader *reader;
    uint64_t first;

    (void)state;
    first = add(&function[0])->sequence;
    take(&function[0]);
    assert_true(add(&function[0])->sequence > first);
    assert_null(scfs_registry_by_sequence(&fs, first));
    reader = scfs_registry_after(&fs, first);
    assert_non_null(reader);
    assert_int_equal(reader->sequence, first + 1);
    scfs_reader_put(reader);
    assert_null(scfs_registry_after(&fs, first + 1));
    take(&function[0]);
}

static void test_changes_counts_arrivals_and_removals(void **state)
{
    (void)state;
    add(&function[0]);
    add(&function[1]);
    take(&function[0]);
    assert_int_equal(fs.changes, 3);
    assert_null(scfs_registry_remove(&fs, &function[0])); /* not twice */
    assert_int_equal(fs.changes, 3);
    take(&function[1]);
}

static void test_slots_of_one_device_share_executor_and_device_number(void **state)
{
    struct scfs_reader *a, *b, *c;

    (void)state;
    function[1].LowerDevice = &physical[0];
    function[1].SlotNumber = 1;
    a = add(&function[0]);
    b = add(&function[1]);
    c = add(&function[2]);
    assert_ptr_equal(a->executor, b->executor);
    assert_ptr_not_equal(a->executor, c->executor);
    assert_string_equal(a->name, "Reader 00 00\n");
    assert_string_equal(b->name, "Reader 00 01\n");
    assert_string_equal(c->name, "Reader 01 00\n");
    for (int i = 0; i < 3; i++)
        take(&function[i]);
}

/* Two equal readers in two places, and one of another name. */
static void test_reader_that_comes_back_has_its_name(void **state)
{
    static struct smc_device_identity left = {.product = "Twin", .path = "1-1"},
                                      right = {.product = "Twin", .path = "1-2"},
                                      other = {.product = "Other", .path = "1-3"};

    (void)state;
    physical[0].Identity = &left;
    physical[1].Identity = &right;
    physical[2].Identity = &other;
    for (int i = 0; i < 3; i++)
        add(&function[i]);
    for (int i = 0; i < 3; i++)
        take(&function[i]);
    for (int i = 2; i >= 0; i--) { /* in another order */
        static const char *const names[] = {"Twin 00 00\n", "Twin 01 00\n",
                                            "Other 00 00\n"};

        assert_string_equal(add(&function[i])->name, names[i]);
    }
    for (int i = 0; i < 3; i++)
        take(&function[i]);
}

static void test_name_that_is_taken_is_not_given_again(void **state)
{
    static struct smc_device_identity left = {.product = "Twin", .path = "1-1"},
                                      right = {.product = "Twin", .path = "1-2"};

    (void)state;
    physical[0].Identity = &left;
    physical[1].Identity = &right;
    add(&function[0]);
    take(&function[0]);
    assert_string_equal(add(&function[1])->name, "Twin 00 00\n"); /* was moved there */
    assert_string_equal(add(&function[0])->name, "Twin 01 00\n");
    take(&function[1]);
    take(&function[0]);
    assert_string_equal(add(&function[0])->name, "Twin 01 00\n");
    take(&function[0]);
}

static void test_slots_that_are_busy_at_once_have_executors_of_their_own(void **state)
{
    struct smc_device_identity busy = identity;
    struct scfs_reader *a, *b;

    (void)state;
    busy.slot_count = 3;
    busy.busy_slot_count = 2;
    physical[0].Identity = &busy;
    function[1].LowerDevice = &physical[0];
    function[1].SlotNumber = 1;
    a = add(&function[0]);
    b = add(&function[1]);
    assert_ptr_not_equal(a->executor, b->executor);
    assert_string_equal(a->name, "Reader 00 00\n");
    assert_string_equal(b->name, "Reader 00 01\n");
    take(&function[0]);
    take(&function[1]);
}

static void test_interfaces_that_take_turns_share_an_executor_and_no_number(void **state)
{
    struct smc_device_identity turns[3] = {identity, identity, identity};
    struct scfs_reader *readers[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        turns[i].one_at_a_time = 1;
        turns[i].busy_slot_count = 1;
        snprintf(turns[i].path, sizeof turns[i].path, "1-%d", i / 2);
        physical[i].Identity = &turns[i];
        readers[i] = add(&function[i]);
    }
    assert_ptr_equal(readers[0]->executor, readers[1]->executor);
    assert_ptr_not_equal(readers[0]->executor, readers[2]->executor);
    assert_string_equal(readers[0]->name, "Reader 00 00\n");
    assert_string_equal(readers[1]->name, "Reader 01 00\n");
    for (int i = 0; i < 3; i++)
        take(&function[i]);
}

static void test_interfaces_of_one_path_are_used_at_once_if_they_can(void **state)
{
    struct smc_device_identity at_once[2] = {identity, identity};
    struct scfs_reader *a, *b;

    (void)state;
    for (int i = 0; i < 2; i++) {
        at_once[i].busy_slot_count = 1;
        snprintf(at_once[i].path, sizeof at_once[i].path, "1-1");
        physical[i].Identity = &at_once[i];
    }
    a = add(&function[0]);
    b = add(&function[1]);
    assert_ptr_not_equal(a->executor, b->executor);
    take(&function[0]);
    take(&function[1]);
}

static void test_add_while_stopping_is_refused(void **state)
{
    struct scfs_reader *reader;

    (void)state;
    fs.stopping = true;
    reader = scfs_reader_new(&fs, &function[0]);
    assert_non_null(reader);
    assert_false(scfs_registry_add(&fs, reader));
    scfs_reader_put(reader);
    assert_true(IsListEmpty(&fs.readers));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_add_gives_the_lowest_free_number, setup),
        cmocka_unit_test_setup(test_add_avoids_the_number_that_an_open_handle_knows,
                               setup),
        cmocka_unit_test_setup(test_sequence_is_never_used_again, setup),
        cmocka_unit_test_setup(test_changes_counts_arrivals_and_removals, setup),
        cmocka_unit_test_setup(test_slots_of_one_device_share_executor_and_device_number,
                               setup),
        cmocka_unit_test_setup(test_reader_that_comes_back_has_its_name, setup),
        cmocka_unit_test_setup(test_name_that_is_taken_is_not_given_again, setup),
        cmocka_unit_test_setup(
            test_slots_that_are_busy_at_once_have_executors_of_their_own, setup),
        cmocka_unit_test_setup(
            test_interfaces_that_take_turns_share_an_executor_and_no_number, setup),
        cmocka_unit_test_setup(test_interfaces_of_one_path_are_used_at_once_if_they_can,
                               setup),
        cmocka_unit_test_setup(test_add_while_stopping_is_refused, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
