/* SPDX-License-Identifier: BSD-2-Clause */
/* test-hexline.c - lines of hexadecimal, read and written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fs/hexline.h"
#include "scard_ioctl.h"

#define LINE(text) text, sizeof(text) - 1

static void test_read_takes_one_line_in_every_spelling(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *bytes;
        ssize_t count;
    } rows[] = {
        {LINE("00a40400"), "\x00\xa4\x04\x00", 4},
        {LINE("00a40400\n"), "\x00\xa4\x04\x00", 4},
        {LINE("00A4 04 00\r\n"), "\x00\xa4\x04\x00", 4},
        {LINE("  00\tAa 0404 \n"), "\x00\xaa\x04\x04", 4},
        {LINE("fF"), "\xff", 1},
        {LINE(""), "", 0},
        {LINE("\n"), "", 0},
        {LINE(" \t "), "", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[8];

        assert_int_equal(scfs_hexline_read(rows[i].text, rows[i].len, out, sizeof out),
                         rows[i].count);
        assert_memory_equal(out, rows[i].bytes, (size_t)rows[i].count);
    }
}

static void test_read_refuses_what_is_not_one_line_of_hex(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
        {LINE("0")},        {LINE("00a")},  {LINE("0 0")},    {LINE("00 a 40")},
        {LINE("0g")},       {LINE("g0")},   {LINE("0x00")},   {LINE("00:a4")},
        {LINE("00\0")},     {LINE("0\0")},  {LINE("00\n\n")}, {LINE("00\n00")},
        {LINE("00\n00\n")}, {LINE("\n00")}, {LINE("00\r00")}, {LINE("00\xc3\xa4")},
        {LINE("00\r\r\n")}, {LINE("00\v")}, {LINE("-1")},     {LINE("00 00 00 ;")},
        {LINE("\xff\xff")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[8];

        assert_int_equal(scfs_hexline_read(rows[i].text, rows[i].len, out, sizeof out),
                         -EINVAL);
    }
}

static void test_read_of_more_than_the_room_is_too_long_and_stays_within(void **state)
{
    uint8_t out[4] = {0, 0, 0, 0x55};

    (void)state;
    assert_int_equal(scfs_hexline_read(LINE("010203"), out, 3), 3);
    assert_int_equal(scfs_hexline_read(LINE("01020304"), out, 3), -EMSGSIZE);
    assert_int_equal(scfs_hexline_read(LINE("0102030x"), out, 3), -EINVAL);
    assert_memory_equal(out, "\x01\x02\x03\x55", 4);
}

static void test_read_of_the_longest_command_with_blanks_gives_all_of_it(void **state)
{
    size_t len = (size_t)3 * SCARD_APDU_MAX;
    char *text = malloc(len);
    uint8_t *out = malloc(SCARD_APDU_MAX);

    (void)state;
    assert_non_null(text);
    assert_non_null(out);
    for (size_t i = 0; i < len; i++)
        text[i] = "5A "[i % 3];
    assert_int_equal(scfs_hexline_read(text, len, out, SCARD_APDU_MAX), SCARD_APDU_MAX);
    assert_int_equal(scfs_hexline_read(text, len, out, SCARD_APDU_MAX - 1), -EMSGSIZE);
    for (size_t i = 0; i < SCARD_APDU_MAX; i++)
        assert_int_equal(out[i], 0x5a);
    free(out);
    free(text);
}

static void test_write_gives_the_line_whole_and_in_any_parts(void **state)
{
    static const uint8_t bytes[] = {0x00, 0xff, 0x90, 0x0a};
    static const char line[] = "00ff900a\n";

    (void)state;
    for (size_t part = 1; part <= sizeof line; part++) {
        char out[sizeof line + 1] = "";
        size_t off = 0, len;

        while ((len = scfs_hexline_write(out + off, part, off, bytes, sizeof bytes)) > 0)
            off += len;
        assert_int_equal(off, SCFS_HEXLINE_LEN(sizeof bytes));
        assert_string_equal(out, line);
    }
}

static void test_write_of_no_bytes_is_a_newline(void **state)
{
    char out[2];

    (void)state;
    assert_int_equal(scfs_hexline_write(out, sizeof out, 0, NULL, 0), 1);
    assert_int_equal(out[0], '\n');
    assert_int_equal(scfs_hexline_write(out, sizeof out, 1, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_takes_one_line_in_every_spelling),
        cmocka_unit_test(test_read_refuses_what_is_not_one_line_of_hex),
        cmocka_unit_test(test_read_of_more_than_the_room_is_too_long_and_stays_within),
        cmocka_unit_test(test_read_of_the_longest_command_with_blanks_gives_all_of_it),
        cmocka_unit_test(test_write_gives_the_line_whole_and_in_any_parts),
        cmocka_unit_test(test_write_of_no_bytes_is_a_newline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
