/* SPDX-License-Identifier: BSD-2-Clause */
/* test-virtual_file.c - the lines of the file `virtual`. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fs/virtual_file.h"

static void test_parse_takes_the_four_commands(void **state)
{
    static const struct {
        const char *text;
        enum scfs_virtual_verb verb;
        unsigned number;
        const char *atr;
        size_t atr_len;
        const char *shape;
    } rows[] = {
        {"insert reader0", SCFS_VIRTUAL_INSERT, 0, "", 0, ""},
        {"insert reader12 3B00fF", SCFS_VIRTUAL_INSERT, 12, "\x3b\x00\xff", 3, ""},
        {"  remove\treader3 \r", SCFS_VIRTUAL_REMOVE, 3, "", 0, ""},
        {"plug", SCFS_VIRTUAL_PLUG, 0, "", 0, ""},
        {"plug 076B:3021", SCFS_VIRTUAL_PLUG, 0, "", 0, "076B:3021"},
        {"plug 08e6:34c0:1", SCFS_VIRTUAL_PLUG, 0, "", 0, "08e6:34c0:1"},
        {"plug 08E6:34C0:255", SCFS_VIRTUAL_PLUG, 0, "", 0, "08E6:34C0:255"},
        {"plug tpdu-t1", SCFS_VIRTUAL_PLUG, 0, "", 0, "tpdu-t1"},
        {"plug fifteen-letters", SCFS_VIRTUAL_PLUG, 0, "", 0, "fifteen-letters"},
        {"unplug reader1", SCFS_VIRTUAL_UNPLUG, 1, "", 0, ""},
        {"type reader2 1234/4321/4321", SCFS_VIRTUAL_TYPE, 2, "", 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scfs_virtual_line line;

        assert_int_equal(scfs_virtual_parse(rows[i].text, strlen(rows[i].text), &line),
                         0);
        assert_int_equal(line.verb, rows[i].verb);
        assert_int_equal(line.number, rows[i].number);
        assert_int_equal(line.atr_len, rows[i].atr_len);
        assert_memory_equal(line.atr, rows[i].atr, rows[i].atr_len);
        assert_string_equal(line.shape, rows[i].shape);
    }
}

#define HEX_33 "3b0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"

static void test_parse_refuses_everything_else(void **state)
{
    static const struct {
        const char *text;
        int error;
    } rows[] = {
        {"", -EINVAL},
        {"   ", -EINVAL},
        {"eject reader0", -EINVAL},
        {"insert", -EINVAL},
        {"type reader0", -EINVAL},
        {"type 1234", -EINVAL},
        {"type reader0 1234 4321", -EINVAL},
        {"type reader0 123456789012345678901234567890123456789012345678", -EINVAL},
        {"type lcd 1234", -ENODEV},
        {"insert reader0 3b 00", -EINVAL},
        {"insert reader0 3b0", -EINVAL},
        {"insert reader0 3g", -EINVAL},
        {"insert reader0 " HEX_33 "ff", -EINVAL},
        {"remove reader0 3b", -EINVAL},
        {"unplug", -EINVAL},
        {"plug 076b-3021", -EINVAL},
        {"plug 76b:3021", -EINVAL},
        {"plug 076b:302g", -EINVAL},
        {"plug 076b:30210", -EINVAL},
        {"plug 076b:3021:", -EINVAL},
        {"plug 076b:3021:x", -EINVAL},
        {"plug 076b:3021:1000", -EINVAL},
        {"plug 076b:3021:1:1", -EINVAL},
        {"plug Tpdu", -EINVAL},
        {"plug -tpdu", -EINVAL},
        {"plug tpdu/t1", -EINVAL},
        {"plug sixteen-letters-", -EINVAL},
        {"plug tpdu t1", -EINVAL},
        {"insert ..", -ENODEV},
        {"insert /etc/passwd", -ENODEV},
        {"insert reader00", -ENODEV},
        {"insert reader\x01", -EINVAL},
        {"remove "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaa",
         -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scfs_virtual_line line;

        assert_int_equal(scfs_virtual_parse(rows[i].text, strlen(rows[i].text), &line),
                         rows[i].error);
    }
}

static void test_parse_of_an_embedded_nul_is_invalid(void **state)
{
    struct scfs_virtual_line line;

    (void)state;
    assert_int_equal(scfs_virtual_parse("plug\0", 5, &line), -EINVAL);
}

static void test_parse_takes_the_longest_atr(void **state)
{
    struct scfs_virtual_line line;

    (void)state;
    assert_int_equal(scfs_virtual_parse("insert reader0 " HEX_33, 15 + 66, &line), 0);
    assert_int_equal(line.atr_len, 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_takes_the_four_commands),
        cmocka_unit_test(test_parse_refuses_everything_else),
        cmocka_unit_test(test_parse_of_an_embedded_nul_is_invalid),
        cmocka_unit_test(test_parse_takes_the_longest_atr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
