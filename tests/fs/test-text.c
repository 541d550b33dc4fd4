/* SPDX-License-Identifier: BSD-2-Clause */
/* test-text.c - how values are written in text files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "smcnt.h"

#include "fs/text.h"

static void test_hex_too_long_is_cut_to_whole_bytes(void **state)
{
    static const uint8_t bytes[] = {0x3B, 0x00, 0xFF};
    char text[8];

    (void)state;
    scfs_text_hex(text, sizeof text, bytes, sizeof bytes);
    assert_string_equal(text, "3b00ff");
    scfs_text_hex(text, 6, bytes, sizeof bytes);
    assert_string_equal(text, "3b00");
    scfs_text_hex(text, 1, bytes, sizeof bytes);
    assert_string_equal(text, "");
}

static void test_printable_hostile_bytes_are_escaped(void **state)
{
    char text[64];

    (void)state;
    scfs_text_printable(text, sizeof text, (const uint8_t *)"a/..\n\x1b[0m\0\xff", 11);
    assert_string_equal(text, "a/..\\x0a\\x1b[0m\\x00\\xff");
    scfs_text_printable(text, 7, (const uint8_t *)"abc\n", 4);
    assert_string_equal(text, "abc"); /* no half escape */
}

static void test_state_out_of_range_is_unknown(void **state)
{
    static const char *const words[] = {"unknown", "absent",     "present",  "swallowed",
                                        "powered", "negotiable", "specific", "unknown"};

    (void)state;
    for (uint32_t i = 0; i < 8; i++)
        assert_string_equal(scfs_text_state(i), words[i]);
    assert_string_equal(scfs_text_state(UINT32_MAX), "unknown");
}

static void test_name_empty_parts_are_left_out(void **state)
{
    static const struct {
        const char *vendor, *product, *interface, *serial;
        unsigned device, slot;
        const char *name;
    } rows[] = {
        {"ACME", "CCID 1", "", "", 0, 0, "ACME CCID 1 00 00\n"},
        {"ACME", "CCID", "Card", "42", 1, 2, "ACME CCID [Card] (42) 01 02\n"},
        {"", "CCID", "", "42", 10, 15, "CCID (42) 0a 0f\n"},
        {"", "", "", "", 0, 0, "USB 076b:3021 00 00\n"},
        {"A\nB", "\x1b/..", "", "", 0, 0, "A\\x0aB \\x1b/.. 00 00\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smc_device_identity identity = {.vid = 0x076B, .pid = 0x3021};
        char name[SCFS_TEXT_MAX];
        int len;

        strcpy(identity.vendor, rows[i].vendor);
        strcpy(identity.product, rows[i].product);
        strcpy(identity.interface_name, rows[i].interface);
        strcpy(identity.serial, rows[i].serial);
        len = scfs_text_name(name, sizeof name, &identity, rows[i].device, rows[i].slot);
        assert_string_equal(name, rows[i].name);
        assert_int_equal(len, strlen(name));
    }
}

static void test_name_of_longest_hostile_strings_stays_one_line(void **state)
{
    struct smc_device_identity identity = {0};
    char name[SCFS_TEXT_MAX];
    int len;

    (void)state;
    memset(identity.vendor, '\n', sizeof identity.vendor); /* not even terminated */
    memset(identity.product, 0xFF, sizeof identity.product);
    memset(identity.serial, 7, sizeof identity.serial);
    len = scfs_text_name(name, sizeof name, &identity, 0, 0);
    assert_true(len < (int)sizeof name);
    assert_ptr_equal(strchr(name, '\n'), name + len - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex_too_long_is_cut_to_whole_bytes),
        cmocka_unit_test(test_printable_hostile_bytes_are_escaped),
        cmocka_unit_test(test_state_out_of_range_is_unknown),
        cmocka_unit_test(test_name_empty_parts_are_left_out),
        cmocka_unit_test(test_name_of_longest_hostile_strings_stays_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
