/* SPDX-License-Identifier: BSD-2-Clause */
/* test-usb_strings.c - strings of hostile devices come out as printable ASCII. */
#include "ccid/usb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "scripted_libusb.h"

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
        ROW("\x06\x03\x3d\xd8\x00\xe0",
            "\\xef\\xbf\\xbd\\xee\\x80\\x80"), /* no second half, beyond them */
        ROW("\x06\x03\xfe\xff\xfe\xff", ""),
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

/* ---- what a device is asked -------------------------------------------------------- */

/* wValue and wIndex of the last request. */
static void last_request_is(uint16_t value, uint16_t index)
{
    const uint8_t *setup = lib.usb.control_buffer;

    assert_int_equal(setup[0], 0x80);
    assert_int_equal(setup[1], 6);
    assert_int_equal(setup[2] | setup[3] << 8, value);
    assert_int_equal(setup[4] | setup[5] << 8, index);
}

/* A device without, or with an odd, list of languages is asked in that of the USA. */
static void test_strings_are_asked_for_in_the_first_language_of_the_device(void **state)
{
    static const struct {
        const char *bytes;
        int len;
        enum libusb_transfer_status status;
        uint16_t language;
    } rows[] = {
        {"\x06\x03\x07\x04\x09\x04", 6, LIBUSB_TRANSFER_COMPLETED, 0x0407},
        {"\x03\x03\x07", 3, LIBUSB_TRANSFER_COMPLETED, 0x0409},
        {"\x04\x02\x07\x04", 4, LIBUSB_TRANSFER_COMPLETED, 0x0409},
        {NULL, 0, LIBUSB_TRANSFER_STALL, 0x0409},
    };
    uint8_t device[18] = {18, 1};
    const struct ccid_desc desc = {.interface_number = 0};

    (void)state;
    device[15] = 2; /* iProduct, and no other string */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smc_device_identity identity = {.vid = 0x1234, .pid = 0x5678};

        scripted_libusb_begin();
        scripted_libusb_ends(0, rows[i].status, rows[i].bytes, rows[i].len);
        scripted_libusb_ends(0, LIBUSB_TRANSFER_COMPLETED, "\x06\x03H\0i\0", 6);
        usb_identity_read(&lib.usb, device, &desc, &identity);
        last_request_is(0x0302, rows[i].language);
        assert_string_equal(identity.product, "Hi");
        assert_string_equal(identity.serial, "");
        scripted_libusb_end();
    }
}

static void test_string_that_a_device_does_not_give_is_empty(void **state)
{
    uint8_t device[18] = {18, 1};
    const struct ccid_desc desc = {.interface_number = 0};
    struct smc_device_identity identity = {.vid = 0x1234, .pid = 0x5678};

    (void)state;
    device[14] = 1; /* iManufacturer */
    scripted_libusb_begin();
    scripted_libusb_ends(0, LIBUSB_TRANSFER_STALL, NULL, 0);
    scripted_libusb_ends(0, LIBUSB_TRANSFER_STALL, NULL, 0);
    usb_identity_read(&lib.usb, device, &desc, &identity);
    assert_string_equal(identity.vendor, "");
    scripted_libusb_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_string_descriptor_becomes_printable_ascii),
        cmocka_unit_test(test_string_that_is_too_long_is_cut_between_characters),
        cmocka_unit_test(test_node_configuration_is_found_within_its_bounds),
        cmocka_unit_test(test_strings_are_asked_for_in_the_first_language_of_the_device),
        cmocka_unit_test(test_string_that_a_device_does_not_give_is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
