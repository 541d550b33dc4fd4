/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"

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

static void io_request(const char *hex, ULONG out_len)
{
    reader.ext.IoRequest.RequestBuffer = reader.ext.IoRequest.ReplyBuffer = buffer;
    reader.ext.IoRequest.RequestBufferLength =
        (ULONG)fake_hex(hex, buffer, sizeof buffer);
    reader.ext.IoRequest.ReplyBufferLength = out_len;
    reader.ext.IoRequest.Information = &information;
    reader.ext.SmartcardRequest.BufferLength = 0;
    information = 0;
}

static void test_raw_request_takes_the_header_off_and_keeps_the_drivers(void **state)
{
    (void)state;
    io_request("00000100 08000000 DEADBEEF", 8);
    reader.ext.SmartcardRequest.BufferLength = 10;
    assert_status(SmartcardRawRequest(&reader.ext), STATUS_SUCCESS);
    assert_int_equal(reader.ext.SmartcardRequest.BufferLength, 14);
    assert_memory_equal(reader.ext.SmartcardRequest.Buffer + 10, "\xDE\xAD\xBE\xEF", 4);
}

static void test_raw_request_of_nothing_adds_nothing(void **state)
{
    (void)state;
    io_request("00000100 08000000", 8);
    assert_status(SmartcardRawRequest(&reader.ext), STATUS_SUCCESS);
    assert_int_equal(reader.ext.SmartcardRequest.BufferLength, 0);
}

static void test_raw_request_beyond_the_drivers_buffer_overflows(void **state)
{
    (void)state;
    io_request("00000100 08000000 DEADBEEF", 8);
    reader.ext.SmartcardRequest.BufferLength = MIN_BUFFER_SIZE - 3;
    assert_status(SmartcardRawRequest(&reader.ext), STATUS_BUFFER_OVERFLOW);
    reader.ext.SmartcardRequest.BufferLength = MIN_BUFFER_SIZE - 4;
    assert_status(SmartcardRawRequest(&reader.ext), STATUS_SUCCESS);
    reader.ext.SmartcardRequest.BufferLength = 0xFFFFFFFF;
    assert_status(SmartcardRawRequest(&reader.ext), STATUS_BUFFER_OVERFLOW);
    reader.ext.SmartcardRequest.BufferLength = 0;
}

static void test_raw_reply_puts_the_header_of_the_request_in_front(void **state)
{
    (void)state;
    io_request("00000100 0A000000 1122 DEADBEEF", 14);
    memcpy(reader.ext.SmartcardReply.Buffer, "\x01\x02\x90\x00", 4);
    reader.ext.SmartcardReply.BufferLength = 4;
    assert_status(SmartcardRawReply(&reader.ext), STATUS_SUCCESS);
    assert_int_equal(information, 14);
    assert_memory_equal(buffer, "\x00\x00\x01\x00\x0A\x00\x00\x00\x11\x22\x01\x02\x90",
                        13);
}

static void test_raw_reply_larger_than_the_callers_room_is_too_small(void **state)
{
    (void)state;
    io_request("00000100 08000000 DEADBEEF", 11);
    reader.ext.SmartcardReply.BufferLength = 4;
    assert_status(SmartcardRawReply(&reader.ext), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(information, 0);
    io_request("00000100 08000000 DEADBEEF", 7);
    reader.ext.SmartcardReply.BufferLength = 0;
    assert_status(SmartcardRawReply(&reader.ext), STATUS_BUFFER_TOO_SMALL);
}

static void test_raw_reply_longer_than_its_buffer_is_a_protocol_error(void **state)
{
    (void)state;
    io_request("00000100 08000000 DEADBEEF", 600);
    reader.ext.SmartcardReply.BufferLength = MIN_BUFFER_SIZE + 1;
    assert_status(SmartcardRawReply(&reader.ext), STATUS_DEVICE_PROTOCOL_ERROR);
    reader.ext.SmartcardReply.BufferLength = 0;
}

static void test_raw_without_a_good_header_is_invalid(void **state)
{
    static const char *const requests[] = {"00000100 080000", "00000100 07000000 00",
                                           "00000100 0A000000 00"};

    (void)state;
    reader.ext.SmartcardReply.BufferLength = 0;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        io_request(requests[i], 20);
        assert_status(SmartcardRawRequest(&reader.ext), STATUS_INVALID_PARAMETER);
        assert_status(SmartcardRawReply(&reader.ext), STATUS_INVALID_PARAMETER);
    }
    io_request("00000100 08000000 00", 20);
    reader.ext.IoRequest.RequestBuffer = NULL;
    assert_status(SmartcardRawRequest(&reader.ext), STATUS_INVALID_PARAMETER);
}

static void test_raw_reply_of_nothing_to_another_buffer_is_the_header(void **state)
{
    UCHAR elsewhere[8] = {0};

    (void)state;
    io_request("00000100 08000000 DEADBEEF", 8);
    reader.ext.IoRequest.ReplyBuffer = elsewhere;
    reader.ext.SmartcardReply.BufferLength = 0;
    assert_status(SmartcardRawReply(&reader.ext), STATUS_SUCCESS);
    assert_int_equal(information, 8);
    assert_memory_equal(elsewhere, buffer, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw_request_takes_the_header_off_and_keeps_the_drivers),
        cmocka_unit_test(test_raw_request_of_nothing_adds_nothing),
        cmocka_unit_test(test_raw_request_beyond_the_drivers_buffer_overflows),
        cmocka_unit_test(test_raw_reply_puts_the_header_of_the_request_in_front),
        cmocka_unit_test(test_raw_reply_larger_than_the_callers_room_is_too_small),
        cmocka_unit_test(test_raw_reply_longer_than_its_buffer_is_a_protocol_error),
        cmocka_unit_test(test_raw_without_a_good_header_is_invalid),
        cmocka_unit_test(test_raw_reply_of_nothing_to_another_buffer_is_the_header),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
