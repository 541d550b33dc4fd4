/* SPDX-License-Identifier: BSD-2-Clause */
/* test-attributes.c - the files of `attributes/`. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "winsmcrd.h"

#include "fs/attributes.h"

static const struct scfs_attribute *find(const char *name)
{
    for (size_t i = 0; i < scfs_attribute_count; i++) {
        if (strcmp(scfs_attributes[i].name, name) == 0)
            return &scfs_attributes[i];
    }
    fail_msg("no attribute %s", name);
    return NULL;
}

static void test_text_follows_the_type_of_the_attribute(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        size_t len;
        const char *text;
    } rows[] = {
        {"vendor_name", "ACME", 4, "ACME\n"},
        {"vendor_name", "", 0, "\n"},
        {"vendor_ifd_type", "a\nb\0", 4, "a\\x0ab\\x00\n"},
        {"vendor_ifd_version", "\x03\x00\x02\x01", 4, "0x01020003\n"},
        {"default_clk", "\xa0\x0f\0\0", 4, "4000\n"},
        {"protocol_types", "\x03\0\0\0", 4, "0x00000003\n"},
        {"icc_presence", "\x02", 1, "2\n"},
        {"atr_string", "\x3b\x00\xff", 3, "3b00ff\n"},
        {"max_data_rate", "\xff\xff\xff\xff", 4, "4294967295\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[300];
        int len = scfs_attribute_text(text, sizeof text, find(rows[i].name),
                                      (const uint8_t *)rows[i].value, rows[i].len);

        assert_string_equal(text, rows[i].text);
        assert_int_equal(len, strlen(rows[i].text));
    }
}

static void test_text_of_wrong_length_is_an_error(void **state)
{
    uint8_t value[SCFS_ATTRIBUTE_MAX + 1] = {0};
    char text[300];

    (void)state;
    assert_int_equal(
        scfs_attribute_text(text, sizeof text, find("default_clk"), value, 3), -EIO);
    assert_int_equal(
        scfs_attribute_text(text, sizeof text, find("default_clk"), value, 0), -EIO);
    assert_int_equal(
        scfs_attribute_text(text, sizeof text, find("atr_string"), value, sizeof value),
        -EIO);
}

static void test_table_has_no_name_and_no_tag_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < scfs_attribute_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(scfs_attributes[i].name, scfs_attributes[j].name);
            assert_int_not_equal(scfs_attributes[i].tag, scfs_attributes[j].tag);
        }
    }
    assert_int_equal(find("atr_string")->tag, SCARD_ATTR_ATR_STRING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_follows_the_type_of_the_attribute),
        cmocka_unit_test(test_text_of_wrong_length_is_an_error),
        cmocka_unit_test(test_table_has_no_name_and_no_tag_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
