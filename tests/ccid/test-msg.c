/* SPDX-License-Identifier: BSD-2-Clause */
/* test-msg.c - ccid/msg.c: messages as bytes and as values. */
#include "ccid/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_header_of_power_on_3v_is_that_of_the_standard(void **state)
{
    static const uint8_t expected[10] = {0x62, 0, 0, 0, 0, 1, 8, 2, 0, 0};
    uint8_t out[10];

    (void)state;
    ccid_msg_header(out, CCID_ICC_POWER_ON, 0, 1, 8, 2, 0, 0);
    assert_memory_equal(out, expected, 10);
}

static void test_header_length_is_little_endian(void **state)
{
    uint8_t out[10];

    (void)state;
    ccid_msg_header(out, CCID_XFR_BLOCK, 0x01020304, 0, 255, 0x11, 0x22, 0x33);
    assert_memory_equal(out, "\x6F\x04\x03\x02\x01\x00\xFF\x11\x22\x33", 10);
    assert_int_equal(ccid_msg_length(out), 0x01020304);
}

static void test_decode_of_sound_answers_gives_every_field(void **state)
{
    static const struct {
        uint8_t bytes[14];
        size_t length;
        struct ccid_answer answer;
    } rows[] = {
        /* present and inactive */
        {{0x81, 0, 0, 0, 0, 0, 7, 0x01, 0, 0},
         10,
         {0x81, 0, 7, 0, 0, CCID_ICC_INACTIVE, CCID_DONE, 0, NULL}},
        /* failed: no card */
        {{0x80, 0, 0, 0, 0, 1, 8, 0x42, 0xFE, 0},
         10,
         {0x80, 1, 8, 0xFE, 0, CCID_ICC_ABSENT, CCID_FAILED, 0, NULL}},
        /* two bytes of answer */
        {{0x80, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0x90, 0x00},
         12,
         {0x80, 0, 9, 0, 0, CCID_ICC_ACTIVE, CCID_DONE, 2, NULL}},
        /* time extension, times four */
        {{0x80, 0, 0, 0, 0, 0, 9, 0x80, 4, 0},
         10,
         {0x80, 0, 9, 4, 0, CCID_ICC_ACTIVE, CCID_TIME_EXTENSION, 0, NULL}},
        /* reserved bmICCStatus 3 is absent; reserved bits 2 to 5 mean nothing */
        {{0x81, 0, 0, 0, 0, 0, 9, 0x3F, 0, 2},
         10,
         {0x81, 0, 9, 0, 2, CCID_ICC_ABSENT, CCID_DONE, 0, NULL}},
        /* more bytes than promised */
        {{0x80, 2, 0, 0, 0, 0, 9, 0, 0, 1, 0x90, 0x00, 1, 2},
         14,
         {0x80, 0, 9, 0, 1, CCID_ICC_ACTIVE, CCID_DONE, 2, NULL}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct ccid_answer *expected = &rows[i].answer;
        struct ccid_answer answer;

        assert_null(ccid_msg_decode(rows[i].bytes, rows[i].length, &answer));
        assert_int_equal(answer.type, expected->type);
        assert_int_equal(answer.slot, expected->slot);
        assert_int_equal(answer.seq, expected->seq);
        assert_int_equal(answer.error, expected->error);
        assert_int_equal(answer.extra, expected->extra);
        assert_int_equal(answer.icc, expected->icc);
        assert_int_equal(answer.outcome, expected->outcome);
        assert_int_equal(answer.length, expected->length);
        assert_ptr_equal(answer.data, rows[i].bytes + 10);
    }
}

/* Requirements 13, 14, 15: lengths that do not agree with what came. */
static void test_decode_of_unsound_answers_names_the_fault(void **state)
{
    static const struct {
        uint8_t bytes[12];
        size_t length;
    } rows[] = {
        {{0x80}, 0},
        {{0x80}, 1},
        {{0x80, 2, 0, 0, 0, 0, 9, 0, 0}, 9},
        {{0x80, 3, 0, 0, 0, 0, 9, 0, 0, 0, 0x90, 0}, 12},
        {{0x80, 0xFF, 0xFF, 0xFF, 0xFF, 0, 9, 0, 0, 0, 0x90, 0}, 12},
        {{0x80, 0xF6, 0xFF, 0xFF, 0xFF, 0, 9, 0, 0, 0, 0x90, 0}, 12}, /* + 10 is 0 */
        {{0x81, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0}, 11},
        {{0x7F, 0, 0, 0, 0, 0, 9, 0, 0, 0}, 10},
        {{0x85, 0, 0, 0, 0, 0, 9, 0, 0, 0}, 10},
        {{0x80, 0, 0, 0, 0, 0, 9, 0xC0, 0, 0}, 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t *copy = malloc(rows[i].length + 1);
        struct ccid_answer answer;

        assert_non_null(copy);
        memcpy(copy, rows[i].bytes, rows[i].length);
        assert_non_null(ccid_msg_decode(copy, rows[i].length, &answer));
        free(copy);
    }
}

static void test_decode_limits_the_length_by_type(void **state)
{
    static const struct {
        uint8_t type;
        uint32_t most;
    } rows[] = {{0x80, 65546}, {0x81, 0}, {0x82, 16}, {0x83, 65536}, {0x84, 8}};
    static uint8_t message[70000];
    struct ccid_answer answer;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(message, 0, 10);
        ccid_msg_header(message, rows[i].type, rows[i].most, 0, 0, 0, 0, 0);
        assert_null(ccid_msg_decode(message, sizeof(message), &answer));
        ccid_msg_header(message, rows[i].type, rows[i].most + 1, 0, 0, 0, 0, 0);
        assert_non_null(ccid_msg_decode(message, sizeof(message), &answer));
    }
}

static void test_slot_status_fits_any_command_only_as_a_failure(void **state)
{
    struct ccid_answer answer = {.type = CCID_SLOT_STATUS, .outcome = CCID_FAILED};

    (void)state;
    assert_true(ccid_msg_type_fits(&answer, CCID_DATA_BLOCK));
    answer.outcome = CCID_DONE;
    assert_false(ccid_msg_type_fits(&answer, CCID_DATA_BLOCK));
    assert_true(ccid_msg_type_fits(&answer, CCID_SLOT_STATUS));
    answer.outcome = CCID_TIME_EXTENSION;
    assert_false(ccid_msg_type_fits(&answer, CCID_DATA_BLOCK));
    answer.type = CCID_PARAMETERS;
    assert_false(ccid_msg_type_fits(&answer, CCID_DATA_BLOCK));
}

static void test_status_of_every_error_code(void **state)
{
    static const struct {
        uint8_t first, last;
        NTSTATUS status;
    } rows[] = {
        {0x00, 0x00, STATUS_NOT_SUPPORTED},
        {0x01, 0x7F, STATUS_INVALID_PARAMETER},
        {0x80, 0xDF, STATUS_IO_DEVICE_ERROR},
        {0xE0, 0xE0, STATUS_DEVICE_BUSY},
        {0xE1, 0xEE, STATUS_IO_DEVICE_ERROR},
        {0xEF, 0xEF, STATUS_CANCELLED},
        {0xF0, 0xF0, STATUS_IO_TIMEOUT},
        {0xF1, 0xF1, STATUS_IO_DEVICE_ERROR},
        {0xF2, 0xF2, STATUS_DEVICE_BUSY},
        {0xF3, 0xF4, STATUS_DEVICE_PROTOCOL_ERROR},
        {0xF5, 0xF8, STATUS_UNRECOGNIZED_MEDIA},
        {0xF9, 0xFB, STATUS_IO_DEVICE_ERROR},
        {0xFC, 0xFC, STATUS_DEVICE_PROTOCOL_ERROR},
        {0xFD, 0xFD, STATUS_IO_DEVICE_ERROR},
        {0xFE, 0xFE, STATUS_IO_TIMEOUT},
        {0xFF, 0xFF, STATUS_CANCELLED},
    };
    unsigned int code = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(rows[i].first, code); /* the table has no gap */
        for (; code <= rows[i].last; code++) {
            assert_int_equal(ccid_msg_status((uint8_t)code, CCID_ICC_ACTIVE),
                             rows[i].status);
            assert_int_equal(ccid_msg_status((uint8_t)code, CCID_ICC_ABSENT),
                             STATUS_NO_MEDIA);
        }
    }
    assert_int_equal(code, 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_of_power_on_3v_is_that_of_the_standard),
        cmocka_unit_test(test_header_length_is_little_endian),
        cmocka_unit_test(test_decode_of_sound_answers_gives_every_field),
        cmocka_unit_test(test_decode_of_unsound_answers_names_the_fault),
        cmocka_unit_test(test_decode_limits_the_length_by_type),
        cmocka_unit_test(test_slot_status_fits_any_command_only_as_a_failure),
        cmocka_unit_test(test_status_of_every_error_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
