/* SPDX-License-Identifier: BSD-2-Clause */
/* test-usb_strings.c - strings of hostile devices come out as printable ASCII. */
#include "ccid/usb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ROW(bytes, text)                                                                 \
    {                                                                                    \
        (const uint8_t *)(bytes), sizeof(bytes) - 1, text                                \
    }

static void test_string_descriptor_becomes_printable_ascii(void **state)
{
    static const struct {
        const uint8_t *bytes;
        size_t len;
        const char *text;
    } rows[] = {
        ROW("\x08\x03"
            "A\0B\0C\0",
            "ABC"),
        ROW("\x02\x03", ""),
        ROW("\x08", ""),
        ROW("", ""),
        ROW("\x08\x02"
            "A\0B\0C\0",
            ""), /* another type of descriptor */
        ROW("\x04\x03"
            "A\0B\0C\0",
            "A"), /* bLength is shorter than what came */
        ROW("\xff\x03"
            "A\0B\0",
            "AB"), /* and longer */
        ROW("\x07\x03"
            "A\0B\0C",
            "AB"), /* half a character */
        ROW("\x00\x03"
            "A\0",
            ""),
        ROW("\x0c\x03"
            "a\0\n\0\x1b\0\0\0z\0",
            "a\\x0a\\x1b\\x00z"),
        ROW("\x0e\x03"
            " \0\0\0a\0 \0b\0 \0",
            "a b"), /* blanks around it */
        ROW("\x08\x03"
            "a\0\0\0\0\0",
            "a"), /* padded with zeros */
        ROW("\x06\x03"
            " \0 \0",
            ""),                                /* blank */
        ROW("\x08\x03\x02\0\x1f\0\x7f\0", ""),  /* nothing to be seen */
        ROW("\x06\x03\xff\xff\xff\xff", ""),    /* no characters at all */
        ROW("\x08\x03\x02\0<\0F\0", "\\x02<F"), /* rubbish that can be seen */
        ROW("\x06\x03"
            "/\0.\0",
            "/."),
        ROW("\x04\x03\xe9\0", "\\xc3\\xa9"),                     /* e acute */
        ROW("\x04\x03\xac\x20", "\\xe2\\x82\\xac"),              /* euro */
        ROW("\x06\x03\x3d\xd8\x00\xde", "\\xf0\\x9f\\x98\\x80"), /* a surrogate pair */
        ROW("\x04\x03\x3d\xd8", "\\xef\\xbf\\xbd"),              /* its first half */
        ROW("\x04\x03\x00\xde", "\\xef\\xbf\\xbd"),              /* its second */
        ROW("\x06\x03\x3d\xd8"
            "A\0",
            "\\xef\\xbf\\xbd"
            "A"),
        ROW("\x06\x03"
            "a\0\x7f\0",
            "a\\x7f"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[104];

        usb_string_decode(rows[i].bytes, rows[i].len, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
    }
}

static void test_string_that_is_too_long_is_cut_between_characters(void **state)
{
    uint8_t descriptor[254] = {254, 3};
    char text[11];

    (void)state;
    for (size_t i = 2; i < sizeof(descriptor); i += 2)
        descriptor[i] = 'x';
    usb_string_decode(descriptor, sizeof(descriptor), text, sizeof(text));
    assert_string_equal(text, "xxxxxxxxxx");
    descriptor[4] = 0xe9; /* eight bytes of text: "x" and they fit, the next is cut */
    descriptor[8] = 0xe9;
    usb_string_decode(descriptor, sizeof(descriptor), text, sizeof(text));
    assert_string_equal(text, "x\\xc3\\xa9x");
    usb_string_decode(descriptor, sizeof(descriptor), text, 1);
    assert_string_equal(text, "");
}

/* Two configurations behind a device descriptor, the second cut short. */
static void test_node_configuration_is_found_within_its_bounds(void **state)
{
    uint8_t bytes[18 + 9 + 9] = {18, 1};
    struct usb_node node = {bytes, sizeof(bytes)};
    const uint8_t *config = NULL;
    size_t len = 0;

    (void)state;
    memcpy(bytes + 18, (const uint8_t[]){9, 2, 9, 0, 1, 1}, 6);
    memcpy(bytes + 27, (const uint8_t[]){9, 2, 0xff, 0xff, 1, 7}, 6);
    assert_true(usb_node_configuration(&node, 1, &config, &len));
    assert_ptr_equal(config, bytes + 18);
    assert_int_equal(len, 9);
    assert_true(usb_node_configuration(&node, 7, &config, &len));
    assert_ptr_equal(config, bytes + 27);
    assert_int_equal(len, 9);
    assert_false(usb_node_configuration(&node, 2, &config, &len));
    bytes[20] = 0; /* wTotalLength 0 must not go round for ever */
    assert_false(usb_node_configuration(&node, 7, &config, &len));
    node.len = 18;
    assert_false(usb_node_configuration(&node, 1, &config, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_string_descriptor_becomes_printable_ascii),
        cmocka_unit_test(test_string_that_is_too_long_is_cut_between_characters),
        cmocka_unit_test(test_node_configuration_is_found_within_its_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
