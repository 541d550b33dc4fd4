/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"
#include "smclib/internal.h"

static struct fake_reader reader;

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

static UCHAR buffer[300];
static ULONG information;

static void command(const char *hex, ULONG out_len)
{
    PSMARTCARD_EXTENSION ext = &reader.ext;

    ext->IoRequest.RequestBuffer = ext->IoRequest.ReplyBuffer = buffer;
    ext->IoRequest.RequestBufferLength = (ULONG)fake_hex(hex, buffer, sizeof buffer);
    ext->IoRequest.ReplyBufferLength = out_len;
    ext->IoRequest.Information = &information;
    ext->OsData->SuppressT1IfsRequest = TRUE;
    information = 0;
}

static void expect_block(const char *hex)
{
    UCHAR expected[64];
    size_t len = fake_hex(hex, expected, sizeof expected);

    reader.ext.SmartcardRequest.BufferLength = 0;
    assert_status(SmartcardT1Request(&reader.ext), STATUS_SUCCESS);
    assert_int_equal(reader.ext.SmartcardRequest.BufferLength, len);
    assert_memory_equal(reader.ext.SmartcardRequest.Buffer, expected, len);
}

static NTSTATUS answer(const char *hex)
{
    reader.ext.SmartcardReply.BufferLength =
        (ULONG)fake_hex(hex, reader.ext.SmartcardReply.Buffer, MIN_BUFFER_SIZE);
    return SmartcardT1Reply(&reader.ext);
}

static void test_t1_request_and_reply_carry_one_command(void **state)
{
    (void)state;
    command("02000000 08000000 00A40000", 10);
    expect_block("00 00 04 00A40000 A0");
    assert_status(answer("00 00 02 9000 92"), STATUS_SUCCESS);
    assert_int_equal(information, 10);
    assert_memory_equal(buffer, "\x02\0\0\0\x08\0\0\0\x90\0", 10);
}

static void test_t1_command_left_unfinished_makes_the_next_one_resynchronise(void **state)
{
    (void)state;
    command("02000000 08000000 00A40000", 10);
    expect_block("00 00 04 00A40000 A0");
    smc_t1_abandon(&reader.ext.T1); /* the driver has given up */
    command("02000000 08000000 00A40000", 10);
    expect_block("00 C0 00 C0");
    assert_status(answer("00 E0 00 E0"), STATUS_MORE_PROCESSING_REQUIRED);
    expect_block("00 00 04 00A40000 A0");
    assert_status(answer("00 00 02 9000 92"), STATUS_SUCCESS);
}

static void test_t1_reply_longer_than_its_buffer_is_invalid(void **state)
{
    (void)state;
    command("02000000 08000000 00A40000", 10);
    expect_block("00 00 04 00A40000 A0");
    reader.ext.SmartcardReply.BufferLength = MIN_BUFFER_SIZE + 1;
    assert_status(SmartcardT1Reply(&reader.ext), STATUS_INVALID_PARAMETER);
    reader.ext.SmartcardReply.BufferLength = 0;
}

static void test_t1_request_with_a_wrong_header_is_invalid(void **state)
{
    (void)state;
    command("02000000 07000000 00A40000", 10);
    assert_status(SmartcardT1Request(&reader.ext), STATUS_INVALID_PARAMETER);
    command("02000000 08000000 00A40000", 7);
    assert_status(SmartcardT1Request(&reader.ext), STATUS_BUFFER_TOO_SMALL);
}

static void test_t1_ifs_is_kept_within_what_blocks_can_be(void **state)
{
    static const struct {
        ULONG max_ifsd;
        UCHAR ifsc;
        const char *first;
    } rows[] = {
        {300, 32, "00 C1 01 FE 3E"},      {100, 32, "00 C1 01 64 A4"},
        {31, 32, "00 00 04 00A40000 A0"}, /* every card may send 32: no request */
        {32, 0, "00 00 04 00A40000 A0"},  {32, 255, "00 00 04 00A40000 A0"},
        {32, 2, "00 20 02 00A4 86"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reader.ext.ReaderCapabilities.MaxIFSD = rows[i].max_ifsd;
        reader.ext.CardCapabilities.T1.IFSC = rows[i].ifsc;
        smc_t1_reset_extension(&reader.ext);
        command("02000000 08000000 00A40000", 10);
        reader.ext.OsData->SuppressT1IfsRequest = FALSE;
        expect_block(rows[i].first);
    }
}

static void test_t1_request_without_room_for_a_block_has_no_resources(void **state)
{
    (void)state;
    command("02000000 08000000 00A40000", 10);
    reader.ext.SmartcardRequest.BufferLength = MIN_BUFFER_SIZE - 4;
    assert_status(SmartcardT1Request(&reader.ext), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(reader.ext.SmartcardRequest.BufferLength, MIN_BUFFER_SIZE - 4);
    reader.ext.SmartcardRequest.BufferLength = MIN_BUFFER_SIZE + 1;
    assert_status(SmartcardT1Request(&reader.ext), STATUS_INSUFFICIENT_RESOURCES);
    reader.ext.SmartcardRequest.BufferLength = 0;
}

static void test_t1_reply_with_a_wrong_header_is_invalid(void **state)
{
    (void)state;
    command("02000000 08000000 00A40000", 10);
    expect_block("00 00 04 00A40000 A0");
    reader.ext.IoRequest.ReplyBufferLength = 7;
    assert_status(answer("00 00 02 9000 92"), STATUS_INVALID_PARAMETER);
    reader.ext.IoRequest.ReplyBufferLength = 10;
    buffer[4] = 7;
    assert_status(answer("00 00 02 9000 92"), STATUS_INVALID_PARAMETER);
}

static void test_t1_reply_before_a_request_is_invalid(void **state)
{
    (void)state;
    command("02000000 08000000 00A40000", 10);
    assert_status(answer("00 00 02 9000 92"),
                  STATUS_INVALID_PARAMETER); /* after a reset */
    expect_block("00 00 04 00A40000 A0");
    assert_status(answer("00 00 02 9000 92"), STATUS_SUCCESS);
    assert_status(answer("00 40 02 9000 D2"),
                  STATUS_INVALID_PARAMETER); /* one too many */
}

static void test_t1_reply_to_a_buffer_of_its_own_has_the_header_too(void **state)
{
    UCHAR own[10];

    (void)state;
    command("02000000 08000000 00A40000", 10);
    reader.ext.IoRequest.ReplyBuffer = own;
    expect_block("00 00 04 00A40000 A0");
    assert_status(answer("00 00 02 9000 92"), STATUS_SUCCESS);
    assert_int_equal(information, 10);
    assert_memory_equal(own, "\x02\0\0\0\x08\0\0\0\x90\0", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_t1_request_and_reply_carry_one_command,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_t1_command_left_unfinished_makes_the_next_one_resynchronise, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_t1_reply_longer_than_its_buffer_is_invalid,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_t1_request_with_a_wrong_header_is_invalid,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_t1_ifs_is_kept_within_what_blocks_can_be,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_t1_request_without_room_for_a_block_has_no_resources, setup, teardown),
        cmocka_unit_test_setup_teardown(test_t1_reply_with_a_wrong_header_is_invalid,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_t1_reply_before_a_request_is_invalid, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_t1_reply_to_a_buffer_of_its_own_has_the_header_too, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
