/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"

#define HEADER "01000000 08000000 "

static struct fake_reader reader;
static UCHAR buffer[700];
static ULONG information;

static int setup(void **state)
{
    (void)state;
    fake_reader_setup(&reader);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_reader_teardown(&reader);
    return 0;
}

static NTSTATUS request(const char *hex, ULONG out_len)
{
    reader.ext.IoRequest.RequestBuffer = reader.ext.IoRequest.ReplyBuffer = buffer;
    reader.ext.IoRequest.RequestBufferLength =
        (ULONG)fake_hex(hex, buffer, sizeof buffer);
    reader.ext.IoRequest.ReplyBufferLength = out_len;
    reader.ext.IoRequest.Information = &information;
    reader.ext.SmartcardRequest.BufferLength = 0;
    information = 0;
    return SmartcardT0Request(&reader.ext);
}

static void test_t0_request_of_each_case_becomes_one_tpdu(void **state)
{
    static const struct {
        const char *in;
        NTSTATUS status;
        const char *tpdu;
        ULONG lc, le;
    } rows[] = {
        {HEADER "00A40000", STATUS_SUCCESS, "00A4000000", 0, 0},
        {HEADER "00B0000010", STATUS_SUCCESS, "00B0000010", 0, 16},
        {HEADER "00B0000000", STATUS_SUCCESS, "00B0000000", 0, 256},
        {HEADER "00A40000023F00", STATUS_SUCCESS, "00A40000023F00", 2, 0},
        {HEADER "00A40000023F0000", STATUS_SUCCESS, "00A40000023F00", 2, 0},
        {HEADER "00A400", STATUS_INVALID_PARAMETER, "", 0, 0},
        {HEADER "00A400000800", STATUS_INVALID_PARAMETER, "", 0, 0},
        {HEADER "00A40000023F000000", STATUS_INVALID_PARAMETER, "", 0, 0},
        {HEADER "00B00000000100", STATUS_INVALID_PARAMETER, "", 0, 0},
        {"01000000 0C000000 AABBCCDD 00B0000001", STATUS_SUCCESS, "00B0000001", 0, 1},
        {"01000000 07000000 00B0000001", STATUS_INVALID_PARAMETER, "", 0, 0},
        {"01000000 0E000000 00B0000001", STATUS_INVALID_PARAMETER, "", 0, 0},
        {"01000000 080000", STATUS_INVALID_PARAMETER, "", 0, 0},
    };
    UCHAR expected[16];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = fake_hex(rows[i].tpdu, expected, sizeof expected);

        assert_status(request(rows[i].in, 600), rows[i].status);
        if (rows[i].status != STATUS_SUCCESS)
            continue;
        assert_int_equal(reader.ext.SmartcardRequest.BufferLength, len);
        assert_memory_equal(reader.ext.SmartcardRequest.Buffer, expected, len);
        assert_int_equal(reader.ext.T0.Lc, rows[i].lc);
        assert_int_equal(reader.ext.T0.Le, rows[i].le);
    }
}

static void test_t0_request_is_appended_to_the_drivers_header(void **state)
{
    (void)state;
    assert_status(request(HEADER "00A40000", 10), STATUS_SUCCESS);
    reader.ext.SmartcardRequest.BufferLength = 3;
    assert_status(SmartcardT0Request(&reader.ext), STATUS_SUCCESS);
    assert_int_equal(reader.ext.SmartcardRequest.BufferLength, 8);
}

static void test_t0_request_without_room_for_the_answer_is_too_small(void **state)
{
    (void)state;
    assert_status(request(HEADER "00B0000010", 25), STATUS_BUFFER_TOO_SMALL);
    assert_status(request(HEADER "00B0000010", 26), STATUS_SUCCESS);
    assert_status(request(HEADER "00A40000", 9), STATUS_BUFFER_TOO_SMALL);
    assert_status(request(HEADER "00A40000", 10), STATUS_SUCCESS);
}

static void test_t0_request_beyond_the_drivers_buffer_overflows(void **state)
{
    (void)state;
    assert_status(request(HEADER "00A40000023F00", 10), STATUS_SUCCESS);
    reader.ext.SmartcardRequest.BufferLength = MIN_BUFFER_SIZE - 6;
    assert_status(SmartcardT0Request(&reader.ext), STATUS_BUFFER_OVERFLOW);
    reader.ext.SmartcardRequest.BufferLength = MIN_BUFFER_SIZE - 7;
    assert_status(SmartcardT0Request(&reader.ext), STATUS_SUCCESS);
}

static void test_t0_reply_needs_a_status_word_and_not_more_than_le(void **state)
{
    static const struct {
        ULONG len;
        NTSTATUS status;
    } rows[] = {
        {0, STATUS_DEVICE_PROTOCOL_ERROR},
        {1, STATUS_DEVICE_PROTOCOL_ERROR},
        {2, STATUS_SUCCESS},
        {18, STATUS_SUCCESS},
        {19, STATUS_DEVICE_PROTOCOL_ERROR},
        {0xFFFFFFFF, STATUS_DEVICE_PROTOCOL_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_status(request(HEADER "00B0000010", 600), STATUS_SUCCESS);
        memset(reader.ext.SmartcardReply.Buffer, 0x5A, 18);
        reader.ext.SmartcardReply.BufferLength = rows[i].len;
        assert_status(SmartcardT0Reply(&reader.ext), rows[i].status);
        assert_int_equal(information,
                         rows[i].status == STATUS_SUCCESS ? rows[i].len + 8 : 0);
        if (rows[i].status == STATUS_SUCCESS)
            assert_int_equal(buffer[8], 0x5A);
        reader.ext.SmartcardReply.BufferLength = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t0_request_of_each_case_becomes_one_tpdu),
        cmocka_unit_test(test_t0_request_is_appended_to_the_drivers_header),
        cmocka_unit_test(test_t0_request_without_room_for_the_answer_is_too_small),
        cmocka_unit_test(test_t0_request_beyond_the_drivers_buffer_overflows),
        cmocka_unit_test(test_t0_reply_needs_a_status_word_and_not_more_than_le),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
