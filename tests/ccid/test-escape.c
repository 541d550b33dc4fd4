/* SPDX-License-Identifier: BSD-2-Clause */
/* test-escape.c - ccid/escape.c: commands of the vendor, as they come and go. */
#include "ccid/vendor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

static int allow(void **state)
{
    (void)state;
    ccid_set_escape(true);
    return 0;
}

static int forbid(void **state)
{
    (void)state;
    ccid_set_escape(false);
    return 0;
}

static NTSTATUS escape(struct bench *bench, const char *hex, ULONG room)
{
    uint8_t bytes[600];
    ULONG length = (ULONG)bench_bytes(hex, bytes, sizeof(bytes));

    return bench_ioctl(bench, IOCTL_CCID_ESCAPE, bytes, length, room);
}

static void test_escape_is_forbidden_unless_it_is_allowed(void **state)
{
    struct bench bench;

    (void)state;
    ccid_set_escape(false);
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, false);
    assert_int_equal(escape(&bench, "01 02", 64), STATUS_ACCESS_DENIED);
    assert_int_equal(bench.reply_length, 0);
    bench_end(&bench);
}

static void test_escape_goes_out_and_its_answer_comes_back_without_a_card(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, false);
    script_command(&bench.usb, "6B 02000000 00 SS 000000 01 02",
                   "83 03000000 00 SS 02 00 00 0A 0B 0C");
    assert_int_equal(escape(&bench, "01 02", 64), STATUS_SUCCESS);
    bench_reply_is(&bench, "0A 0B 0C");
    script_command(&bench.usb, "6B 00000000 00 SS 000000", "83 00000000 00 SS 02 00 00");
    assert_int_equal(escape(&bench, "", 0), STATUS_SUCCESS);
    assert_int_equal(bench.reply_length, 0);
    bench_end(&bench);
}

static void test_escape_failures_have_the_readers_reason(void **state)
{
    static const struct {
        const char *in;
        ULONG room;
        NTSTATUS status;
    } rows[] = {
        {"83 00000000 00 SS 40 00 00", 64, STATUS_NOT_SUPPORTED},
        {"81 00000000 00 SS 40 00 00", 64, STATUS_NOT_SUPPORTED},
        {"83 00000000 00 SS 40 0A 00", 64, STATUS_INVALID_PARAMETER},
        {"83 00000000 00 SS 40 C0 00", 64, STATUS_IO_DEVICE_ERROR},
        {"83 03000000 00 SS 00 00 00 0A 0B 0C", 2, STATUS_BUFFER_TOO_SMALL},
    };
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_command(&bench.usb, "6B 01000000 00 SS 000000 01", rows[i].in);
        assert_int_equal(escape(&bench, "01", rows[i].room), rows[i].status);
        assert_int_equal(bench.reply_length, 0);
    }
    /* Nothing of it concerns the card. */
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_escape_longer_than_the_readers_messages_is_not_sent(void **state)
{
    uint8_t bytes[300] = {0};
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_SHORT);
    bench.desc.message_size = 271;
    bench_add(&bench, false);
    bench.log_lines = 0;
    assert_int_equal(bench_ioctl(&bench, IOCTL_CCID_ESCAPE, bytes, 262, 64),
                     STATUS_NOT_SUPPORTED);
    assert_int_equal(bench.log_lines, 1);
    assert_non_null(strstr(bench.log, "Escape: longer than the reader's messages"));
    bench_end(&bench);
}

static bool holds(const uint8_t *buffer, ULONG size, const char *bytes)
{
    for (ULONG i = 0; i + 4 <= size; i++) {
        if (memcmp(buffer + i, bytes, 4) == 0)
            return true;
    }
    return false;
}

/* It may be a key, or a PIN. */
static void test_escape_leaves_nothing_in_the_buffers(void **state)
{
    static const ULONG rooms[] = {64, 2};
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, false);
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        const struct ccid_slot *slot = bench.slots[0]->DeviceExtension;
        const SMARTCARD_EXTENSION *ext = &slot->ext;

        script_command(&bench.usb, "6B 04000000 00 SS 000000 6B 65 79 31",
                       "83 04000000 00 SS 02 00 00 6B 65 79 32");
        assert_int_equal(escape(&bench, "6B 65 79 31", rooms[i]),
                         i == 0 ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL);
        assert_false(holds(ext->SmartcardRequest.Buffer, ext->SmartcardRequest.BufferSize,
                           "key1"));
        assert_false(
            holds(ext->SmartcardReply.Buffer, ext->SmartcardReply.BufferSize, "key2"));
    }
    bench_end(&bench);
}

#define SECRET "33 31 34 31 35 39 32 36 35 33"

static void assert_no_secret(const struct bench *bench)
{
    const SMARTCARD_REPLY *reply = &bench->device->slots[0]->ext.SmartcardReply;

    assert_null(memmem(reply->Buffer, reply->BufferSize, "92653", 5));
}

static void test_answer_that_is_not_taken_is_not_kept(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, false);
    script_command(&bench.usb, "6B 01000000 00 SS 000000 01",
                   "83 0A000000 00 TT 02 00 00 " SECRET); /* another command's */
    script_in(&bench.usb, "83 01000000 00 SS 02 00 00 0A");
    assert_int_equal(escape(&bench, "01", 64), STATUS_SUCCESS);
    bench_reply_is(&bench, "0A");
    assert_no_secret(&bench);

    script_command(&bench.usb, "6B 01000000 00 SS 000000 01",
                   "80 0A000000 00 SS 02 00 00 " SECRET); /* of the wrong type */
    script_abort_request(&bench.usb, 0);
    script_out(&bench.usb, "72 00000000 00 SS 000000");
    script_in(&bench.usb, "81 00000000 00 SS 02 00 00");
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 02 00 00");
    script_command(&bench.usb, BENCH_OFF_OUT, "81 00000000 00 SS 02 00 00");
    assert_int_equal(escape(&bench, "01", 64), STATUS_IO_DEVICE_ERROR);
    assert_no_secret(&bench);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_escape_is_forbidden_unless_it_is_allowed,
                                        allow, forbid),
        cmocka_unit_test_setup_teardown(
            test_escape_goes_out_and_its_answer_comes_back_without_a_card, allow, forbid),
        cmocka_unit_test_setup_teardown(test_escape_failures_have_the_readers_reason,
                                        allow, forbid),
        cmocka_unit_test_setup_teardown(
            test_escape_longer_than_the_readers_messages_is_not_sent, allow, forbid),
        cmocka_unit_test_setup_teardown(test_escape_leaves_nothing_in_the_buffers, allow,
                                        forbid),
        cmocka_unit_test_setup_teardown(test_answer_that_is_not_taken_is_not_kept, allow,
                                        forbid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
