/* SPDX-License-Identifier: BSD-2-Clause */
/* test-links.c - names in by-id and by-path, and when there are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fs/internal.h"
#include "fs/links.h"

#define DEVICES 3

static struct scfs_options options;
static struct scfs fs;
static struct smc_device_identity identities[DEVICES];
static DEVICE_OBJECT physical[DEVICES], function[DEVICES];

static int setup(void **state)
{
    (void)state;
    scfs_init(&fs, &options, NULL);
    for (unsigned i = 0; i < DEVICES; i++) {
        identities[i] = (struct smc_device_identity){
            .vid = 0x04e6, .pid = 0x5116, .serial = "AB12", .slot_count = 1};
        snprintf(identities[i].path, sizeof identities[i].path, "1-%u", i + 1);
        physical[i] = (DEVICE_OBJECT){.Identity = &identities[i]};
        function[i] = (DEVICE_OBJECT){.LowerDevice = &physical[i]};
    }
    return 0;
}

static void add(unsigned i)
{
    struct scfs_reader *reader = scfs_reader_new(&fs, &function[i]);

    assert_non_null(reader);
    assert_true(scfs_registry_add(&fs, reader));
    scfs_reader_put(reader);
}

static void take(unsigned i)
{
    struct scfs_reader *reader = scfs_registry_remove(&fs, &function[i]);

    assert_non_null(reader);
    scfs_registry_left(reader);
    scfs_reader_put(reader);
}

/* The device that the name means; -1: nobody. */
static int found(enum scfs_kind kind, const char *name)
{
    struct scfs_reader *reader = scfs_link_find(&fs, kind, name);
    char own[SCFS_LINK_NAME_SIZE];
    int device = -1;

    if (reader != NULL) {
        device = (int)(reader->device - function);
        assert_true(scfs_link_of(reader, kind, own));
        assert_string_equal(own, name);
        scfs_reader_put(reader);
    }
    return device;
}

static void test_name_is_safe_in_a_file_name_whatever_the_device_says(void **state)
{
    static const struct {
        const char *serial, *path;
        unsigned slot;
        const char *id, *by_path;
    } rows[] = {
        {"AB12", "1-2.3", 0, "usb-04e6_5116_AB12-if1-slot0", "usb-1-2.3-if1-slot0"},
        {"", "2-1", 3, "", "usb-2-1-if1-slot3"},
        {"../x", "", 0, "usb-04e6_5116__._x-if1-slot0", ""},
        {"a b/c\\x0a;$(d)", "virtual-0", 0, "usb-04e6_5116_a_b_c_x0a___d_-if1-slot0",
         "usb-virtual-0-if1-slot0"},
        {"[A^z{~Z", "@1", 0, "usb-04e6_5116__A_z__Z-if1-slot0", "usb-_1-if1-slot0"},
        {"x.y+z-0", "1-1", 0, "usb-04e6_5116_x.y+z-0-if1-slot0", "usb-1-1-if1-slot0"},
    };
    char name[SCFS_LINK_NAME_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smc_device_identity identity = {
            .vid = 0x04e6, .pid = 0x5116, .interface_number = 1};

        snprintf(identity.serial, sizeof identity.serial, "%s", rows[i].serial);
        snprintf(identity.path, sizeof identity.path, "%s", rows[i].path);
        scfs_link_name(name, SCFS_LINK_ID, &identity, rows[i].slot);
        assert_string_equal(name, rows[i].id);
        scfs_link_name(name, SCFS_LINK_PATH, &identity, rows[i].slot);
        assert_string_equal(name, rows[i].by_path);
    }
}

static void test_name_of_the_longest_serial_ends_with_the_slot(void **state)
{
    struct smc_device_identity identity = {.vid = 1, .pid = 2, .interface_number = 255};
    char name[SCFS_LINK_NAME_SIZE];

    (void)state;
    memset(identity.serial, 's', sizeof identity.serial); /* not even an end */
    scfs_link_name(name, SCFS_LINK_ID, &identity, 31);
    assert_int_equal(strlen(name),
                     strlen("usb-0001_0002_") + 100 + strlen("-if255-slot31"));
    assert_string_equal(name + strlen(name) - 13, "-if255-slot31");
}

static void test_find_gives_the_reader_while_it_is_there(void **state)
{
    (void)state;
    identities[1].serial[0] = 'X';
    add(0);
    add(1);
    assert_int_equal(found(SCFS_LINK_ID, "usb-04e6_5116_AB12-if0-slot0"), 0);
    assert_int_equal(found(SCFS_LINK_ID, "usb-04e6_5116_XB12-if0-slot0"), 1);
    assert_int_equal(found(SCFS_LINK_PATH, "usb-1-2-if0-slot0"), 1);
    assert_int_equal(found(SCFS_LINK_PATH, "usb-1-2-if0-slot1"), -1);
    assert_int_equal(found(SCFS_LINK_ID, ""), -1);
    take(1);
    assert_int_equal(found(SCFS_LINK_PATH, "usb-1-2-if0-slot0"), -1);
    take(0);
}

static void test_serial_that_two_readers_claim_names_neither(void **state)
{
    static const char name[] = "usb-04e6_5116_AB12-if0-slot0";

    (void)state;
    add(0);
    assert_int_equal(found(SCFS_LINK_ID, name), 0);
    identities[1].interface_number = 1; /* still the same serial number */
    add(1);
    assert_int_equal(found(SCFS_LINK_ID, name), -1);
    assert_int_equal(found(SCFS_LINK_ID, "usb-04e6_5116_AB12-if1-slot0"), -1);
    assert_int_equal(found(SCFS_LINK_PATH, "usb-1-1-if0-slot0"), 0);
    take(0);
    assert_int_equal(found(SCFS_LINK_ID, "usb-04e6_5116_AB12-if1-slot0"), 1);
    take(1);
}

static void test_serial_of_another_model_is_another_one(void **state)
{
    (void)state;
    identities[1].vid++;
    identities[2].pid++;
    for (unsigned i = 0; i < DEVICES; i++)
        add(i);
    assert_int_equal(found(SCFS_LINK_ID, "usb-04e6_5116_AB12-if0-slot0"), 0);
    assert_int_equal(found(SCFS_LINK_ID, "usb-04e7_5116_AB12-if0-slot0"), 1);
    assert_int_equal(found(SCFS_LINK_ID, "usb-04e6_5117_AB12-if0-slot0"), 2);
    for (unsigned i = 0; i < DEVICES; i++)
        take(i);
}

static void test_reader_without_a_name_or_not_there_has_no_link(void **state)
{
    char name[SCFS_LINK_NAME_SIZE];
    struct scfs_reader *reader;

    (void)state;
    identities[0].serial[0] = identities[1].serial[0] = '\0';
    add(0);
    add(1);
    assert_int_equal(found(SCFS_LINK_ID, ""), -1);
    reader = scfs_link_find(&fs, SCFS_LINK_PATH, "usb-1-1-if0-slot0");
    assert_non_null(reader);
    assert_false(scfs_link_of(reader, SCFS_LINK_ID, name));
    assert_string_equal(name, "");
    assert_true(scfs_link_of(reader, SCFS_LINK_PATH, name));
    take(0);
    assert_false(scfs_link_of(reader, SCFS_LINK_PATH, name));
    scfs_reader_put(reader);
    take(1);
}

static void test_slots_and_interfaces_of_one_device_share_its_serial(void **state)
{
    (void)state;
    function[1].LowerDevice = &physical[0];
    function[1].SlotNumber = 1;
    identities[2].interface_number = 2;
    memcpy(identities[2].path, identities[0].path, sizeof identities[2].path);
    for (unsigned i = 0; i < DEVICES; i++)
        add(i);
    assert_int_equal(found(SCFS_LINK_ID, "usb-04e6_5116_AB12-if0-slot0"), 0);
    assert_int_equal(found(SCFS_LINK_ID, "usb-04e6_5116_AB12-if0-slot1"), 1);
    assert_int_equal(found(SCFS_LINK_ID, "usb-04e6_5116_AB12-if2-slot0"), 2);
    assert_int_equal(found(SCFS_LINK_PATH, "usb-1-1-if2-slot0"), 2);
    for (unsigned i = 0; i < DEVICES; i++)
        take(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_is_safe_in_a_file_name_whatever_the_device_says),
        cmocka_unit_test(test_name_of_the_longest_serial_ends_with_the_slot),
        cmocka_unit_test_setup(test_find_gives_the_reader_while_it_is_there, setup),
        cmocka_unit_test_setup(test_serial_that_two_readers_claim_names_neither, setup),
        cmocka_unit_test_setup(test_serial_of_another_model_is_another_one, setup),
        cmocka_unit_test_setup(test_reader_without_a_name_or_not_there_has_no_link,
                               setup),
        cmocka_unit_test_setup(test_slots_and_interfaces_of_one_device_share_its_serial,
                               setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
