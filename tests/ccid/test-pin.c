/* SPDX-License-Identifier: BSD-2-Clause */
/* test-pin.c - ccid/pin.c: every field of both structures, in and out. */
#include "ccid/pin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/quirks.h"

/* Fields that differ from each other, so that none stands for its neighbour. */
#define VERIFY_HEAD "1E 0F 82 08 00 08 04 02 01 09 04 05 0A 0B 0C"
#define VERIFY_APDU "00 20 00 80 08 FF FF FF FF FF FF FF FF"
#define VERIFY      VERIFY_HEAD " 0D 00 00 00 " VERIFY_APDU
#define MODIFY_HEAD "1E 0F 82 08 00 00 08 08 04 03 02 03 09 04 05 06 07 0A 0B 0C"
#define MODIFY_APDU "00 24 00 80 10 FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF"
#define MODIFY      MODIFY_HEAD " 15 00 00 00 " MODIFY_APDU

static void check(enum ccid_pin_operation operation, const uint8_t *in, size_t length,
                  uint32_t quirks, const char *expected)
{
    uint8_t bytes[CCID_PIN_DATA_MAX];
    size_t count = bench_bytes(expected, bytes, sizeof(bytes));
    struct ccid_pin pin;

    assert_null(ccid_pin_build(operation, in, length, quirks, &pin));
    assert_int_equal(pin.length, count);
    assert_memory_equal(pin.data, bytes, count);
    assert_int_equal(pin.length, pin.prologue + 3 + pin.apdu_length);
    assert_int_equal(pin.timeout_s, in[0]);
}

static void test_verify_becomes_the_data_of_secure(void **state)
{
    uint8_t in[64];
    size_t length = bench_bytes(VERIFY, in, sizeof(in));

    (void)state;
    /* bTimerOut2 and ulDataLength are gone, bTeoPrologue is not the caller's. */
    check(CCID_PIN_VERIFY, in, length, 0,
          "00 1E 82 08 00 08 04 02 01 09 04 05 00 00 00 " VERIFY_APDU);
}

static void test_modify_becomes_the_data_of_secure(void **state)
{
    uint8_t in[64];
    size_t length = bench_bytes(MODIFY, in, sizeof(in));

    (void)state;
    check(CCID_PIN_MODIFY, in, length, 0,
          "01 1E 82 08 00 00 08 08 04 03 02 03 09 04 05 06 07 00 00 00 " MODIFY_APDU);
}

/* CCID 1.1 §6.1.11.7. */
static void test_modify_indexes_follow_the_number_of_messages(void **state)
{
    static const struct {
        uint8_t messages;
        uint32_t quirks;
        const char *rest;
    } rows[] = {
        {0x00, 0, "00 09 04 05 00 00 00 "},
        {0x01, 0, "01 09 04 05 06 00 00 00 "},
        {0x02, 0, "02 09 04 05 06 00 00 00 "},
        {0x03, 0, "03 09 04 05 06 07 00 00 00 "},
        {0xFF, 0, "FF 09 04 05 06 00 00 00 "},
        {0x00, CCID_QUIRK_PIN_THREE_INDEXES, "00 09 04 05 06 07 00 00 00 "},
        {0xFF, CCID_QUIRK_PIN_THREE_INDEXES, "FF 09 04 05 06 07 00 00 00 "},
        {0x03, CCID_QUIRK_PIN_NO_MESSAGE, "00 09 04 05 00 00 00 "},
        {0x01, CCID_QUIRK_PIN_THREE_MESSAGES, "03 09 04 05 06 07 00 00 00 "},
        {0x00, CCID_QUIRK_PIN_TEXT, "FF 09 04 05 06 00 00 00 "},
        {0x02, CCID_QUIRK_PIN_TEXT, "02 09 04 05 06 00 00 00 "},
        {0x00, CCID_QUIRK_PIN_NO_MESSAGE | CCID_QUIRK_PIN_THREE_INDEXES,
         "00 09 04 05 06 07 00 00 00 "},
    };
    uint8_t in[64];
    size_t length = bench_bytes(MODIFY, in, sizeof(in));

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[256] = "01 1E 82 08 00 00 08 08 04 03 02 ";

        strcat(strcat(expected, rows[i].rest), MODIFY_APDU);
        in[11] = rows[i].messages;
        check(CCID_PIN_MODIFY, in, length, rows[i].quirks, expected);
    }
}

static void test_verify_fields_are_rewritten_for_readers_that_need_it(void **state)
{
    static const struct {
        uint8_t condition, messages;
        uint32_t quirks;
        const char *digits_to_messages;
    } rows[] = {
        {0x07, 0x00, 0, "08 04 07 00 "},
        {0x00, 0x00, 0, "08 04 02 00 "}, /* no condition: crashes some */
        {0x08, 0x00, 0, "08 04 02 00 "},
        {0xFF, 0x00, 0, "08 04 02 00 "},
        {0x07, 0xFF, CCID_QUIRK_PIN_ONE_MESSAGE, "08 04 02 01 "},
        {0x02, 0x01, CCID_QUIRK_PIN_NO_MESSAGE, "08 04 02 00 "},
        {0x02, 0x01, CCID_QUIRK_PIN_DIGITS_SWAPPED, "04 08 02 01 "},
        /* of modify alone */
        {0x02, 0x00, CCID_QUIRK_PIN_TEXT | CCID_QUIRK_PIN_THREE_MESSAGES, "08 04 02 00 "},
        {0x02, 0x00, CCID_QUIRK_PIN_THREE_INDEXES, "08 04 02 00 "},
    };
    uint8_t in[64];
    size_t length = bench_bytes(VERIFY, in, sizeof(in));

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[256] = "00 1E 82 08 00 ";

        strcat(strcat(expected, rows[i].digits_to_messages), "09 04 05 00 00 00 ");
        strcat(expected, VERIFY_APDU);
        in[7] = rows[i].condition;
        in[8] = rows[i].messages;
        check(CCID_PIN_VERIFY, in, length, rows[i].quirks, expected);
    }
}

/* Requirements 36 and 37. */
static void test_structure_of_the_wrong_length_is_refused(void **state)
{
    uint8_t verify[64], modify[64];
    size_t verify_length = bench_bytes(VERIFY, verify, sizeof(verify));
    size_t modify_length = bench_bytes(MODIFY, modify, sizeof(modify));
    struct ccid_pin pin;

    (void)state;
    for (size_t length = 0; length < verify_length; length++)
        assert_non_null(ccid_pin_build(CCID_PIN_VERIFY, verify, length, 0, &pin));
    assert_non_null(ccid_pin_build(CCID_PIN_VERIFY, verify, verify_length + 1, 0, &pin));
    for (size_t length = 0; length < modify_length; length++)
        assert_non_null(ccid_pin_build(CCID_PIN_MODIFY, modify, length, 0, &pin));
    assert_non_null(ccid_pin_build(CCID_PIN_MODIFY, modify, modify_length + 1, 0, &pin));
}

static void test_structure_in_the_other_byte_order_is_refused(void **state)
{
    uint8_t in[64];
    size_t length = bench_bytes(
        "1E 0F 82 08 00 04 08 02 01 04 09 05 00 00 00 00 00 00 0D " VERIFY_APDU, in,
        sizeof(in));
    struct ccid_pin pin;

    (void)state;
    assert_string_equal(ccid_pin_build(CCID_PIN_VERIFY, in, length, 0, &pin),
                        "ulDataLength is not the length of the data");
}

static void test_fields_that_no_pad_can_follow_are_refused(void **state)
{
    static const struct {
        enum ccid_pin_operation operation;
        size_t at;
        uint8_t value;
        const char *problem;
    } rows[] = {
        {CCID_PIN_VERIFY, 2, 0x83, "bmFormatString has no such type"},
        {CCID_PIN_VERIFY, 2, 0x8A, "the PIN is outside the command"}, /* one byte on */
        {CCID_PIN_VERIFY, 2, 0x0A, "the PIN is outside the command"}, /* one bit on */
        {CCID_PIN_VERIFY, 3, 0x09, "the PIN is outside the command"}, /* one byte more */
        {CCID_PIN_VERIFY, 3, 0x03, "the shortest PIN does not fit its block"},
        {CCID_PIN_VERIFY, 5, 0x03, "the shortest PIN is longer than the longest"},
        {CCID_PIN_VERIFY, 5, 0x11, "a PIN longer than the pad takes"},
        {CCID_PIN_VERIFY, 6, 0x09, "the shortest PIN is longer than the longest"},
        {CCID_PIN_VERIFY, 8, 0x02, "bNumberMessage has no such value"},
        {CCID_PIN_MODIFY, 6, 0x09, "the PIN is outside the command"},
        {CCID_PIN_MODIFY, 5, 0x09, "the present PIN is outside the command"},
        {CCID_PIN_MODIFY, 9, 0x04, "bConfirmPIN has no such bits"},
        {CCID_PIN_MODIFY, 11, 0x04, "bNumberMessage has no such value"},
        {CCID_PIN_MODIFY, 7, 0x03, "the shortest PIN is longer than the longest"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool modify = rows[i].operation == CCID_PIN_MODIFY;
        uint8_t in[64];
        size_t length = bench_bytes(modify ? MODIFY : VERIFY, in, sizeof(in));
        struct ccid_pin pin;

        in[rows[i].at] = rows[i].value;
        assert_string_equal(ccid_pin_build(rows[i].operation, in, length, 0, &pin),
                            rows[i].problem);
    }
}

/* The length of the PIN in its own field: 4 bits behind the first 4 (a PIN block of
 * format 2). */
static void test_length_field_is_inside_the_command(void **state)
{
    static const struct {
        uint8_t block, length_format;
        bool sound;
    } rows[] = {
        {0x47, 0x04, true},  {0x87, 0x0F, true}, /* bits 15 to 22 */
        {0x87, 0x17, true},                      /* the last byte */
        {0x87, 0x18, false},                     /* behind it */
        {0x97, 0x17, false},                     /* one bit too long */
        {0x07, 0x1F, true},                      /* there is none */
    };
    uint8_t in[64];
    size_t length = bench_bytes(VERIFY, in, sizeof(in));
    struct ccid_pin pin;

    (void)state;
    in[2] = 0x89; /* BCD, one byte behind Lc */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        in[3] = rows[i].block;
        in[4] = rows[i].length_format;
        assert_int_equal(ccid_pin_build(CCID_PIN_VERIFY, in, length, 0, &pin) == NULL,
                         rows[i].sound);
    }
}

/* Without a block size the reader makes the command as long as it has to be. */
static void test_command_without_a_place_for_the_pin_is_taken(void **state)
{
    static const struct {
        const char *tail;
        bool sound;
    } rows[] = {
        {"05 00 00 00 00 20 00 80 00", true},
        {"04 00 00 00 00 20 00 80", true},
        {"03 00 00 00 00 20 00", false},
        {"00 00 00 00", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char hex[128] = "1E 0F 82 00 00 08 04 02 01 09 04 05 0A 0B 0C ";
        uint8_t in[64];
        size_t length = bench_bytes(strcat(hex, rows[i].tail), in, sizeof(in));
        struct ccid_pin pin;

        assert_int_equal(ccid_pin_build(CCID_PIN_VERIFY, in, length, 0, &pin) == NULL,
                         rows[i].sound);
    }
}

static void test_command_of_260_bytes_is_the_longest(void **state)
{
    uint8_t in[24 + SCARD_PIN_APDU_MAX + 1] = {0};
    struct ccid_pin pin;

    (void)state;
    bench_bytes(VERIFY_HEAD " 04 01 00 00 00 20 00 80 FF", in, sizeof(in));
    assert_null(ccid_pin_build(CCID_PIN_VERIFY, in, 19 + 260, 0, &pin));
    assert_int_equal(pin.length, 15 + 260);
    in[15] = 0x05;
    assert_string_equal(ccid_pin_build(CCID_PIN_VERIFY, in, 19 + 261, 0, &pin),
                        "the command is too long");
    memset(in, 0, sizeof(in));
    bench_bytes(MODIFY_HEAD " 04 01 00 00 00 24 00 80 FF", in, sizeof(in));
    assert_null(ccid_pin_build(CCID_PIN_MODIFY, in, 24 + 260, 0, &pin));
    assert_int_equal(pin.length, CCID_PIN_DATA_MAX);
}

static void test_pads_take_as_many_digits_as_is_known_of_them(void **state)
{
    static const struct {
        uint32_t quirks;
        uint8_t min, max;
    } rows[] = {
        {0, 0, 16},
        {CCID_QUIRK_PIN_0_TO_25, 0, 25},
        {CCID_QUIRK_PIN_1_TO_31, 1, 31},
        {CCID_QUIRK_PIN_0_TO_32, 0, 32},
    };
    uint8_t in[64];
    size_t length = bench_bytes(VERIFY, in, sizeof(in));
    struct ccid_pin pin;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t min, max;

        ccid_pin_digits(rows[i].quirks, &min, &max);
        assert_int_equal(min, rows[i].min);
        assert_int_equal(max, rows[i].max);
        in[5] = max;
        assert_null(ccid_pin_build(CCID_PIN_VERIFY, in, length, rows[i].quirks, &pin));
        in[5]++;
        assert_non_null(
            ccid_pin_build(CCID_PIN_VERIFY, in, length, rows[i].quirks, &pin));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_becomes_the_data_of_secure),
        cmocka_unit_test(test_modify_becomes_the_data_of_secure),
        cmocka_unit_test(test_modify_indexes_follow_the_number_of_messages),
        cmocka_unit_test(test_verify_fields_are_rewritten_for_readers_that_need_it),
        cmocka_unit_test(test_structure_of_the_wrong_length_is_refused),
        cmocka_unit_test(test_structure_in_the_other_byte_order_is_refused),
        cmocka_unit_test(test_fields_that_no_pad_can_follow_are_refused),
        cmocka_unit_test(test_length_field_is_inside_the_command),
        cmocka_unit_test(test_command_without_a_place_for_the_pin_is_taken),
        cmocka_unit_test(test_command_of_260_bytes_is_the_longest),
        cmocka_unit_test(test_pads_take_as_many_digits_as_is_known_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
