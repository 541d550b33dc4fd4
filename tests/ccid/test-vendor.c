/* SPDX-License-Identifier: BSD-2-Clause */
/* test-vendor.c - ccid/vendor.c: which code is what, and what is refused unsent. */
#include "ccid/vendor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/quirks.h"

static void test_lists_are_given_without_the_reader(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.desc.pin_support = 1;
    bench.desc.lcd_layout = 0x0210;
    bench_add(&bench, false);
    assert_int_equal(bench_ioctl(&bench, CM_IOCTL_GET_FEATURE_REQUEST, NULL, 0, 64),
                     STATUS_SUCCESS);
    bench_reply_is(&bench, "06 04 00 31 35 38 0A 04 00 31 35 48 12 04 00 31 35 68");
    assert_int_equal(bench_ioctl(&bench, CM_IOCTL_GET_FEATURE_REQUEST, NULL, 0, 17),
                     STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_IFD_PIN_PROPERTIES, NULL, 0, 4),
                     STATUS_SUCCESS);
    bench_reply_is(&bench, "10 02 07 00");
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_IFD_PIN_PROPERTIES, NULL, 0, 3),
                     STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_GET_TLV_PROPERTIES, NULL, 0, 64),
                     STATUS_SUCCESS);
    assert_true(bench.reply_length > 20);
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_GET_TLV_PROPERTIES, NULL, 0, 20),
                     STATUS_BUFFER_TOO_SMALL);
    bench_end(&bench);
}

static void test_codes_that_the_reader_does_not_have_are_refused(void **state)
{
    static const struct {
        ULONG code;
        NTSTATUS status;
    } rows[] = {
        {SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT, STATUS_NOT_SUPPORTED},
        {SCFS_IOCTL_CCID_MODIFY_PIN_DIRECT, STATUS_NOT_SUPPORTED},
        {SCFS_IOCTL_CCID_IFD_PIN_PROPERTIES, STATUS_NOT_SUPPORTED},
        {SCFS_IOCTL_CCID_MCT_READER_DIRECT, STATUS_NOT_SUPPORTED},
        {SCFS_IOCTL_CCID_ICC_CLOCK, STATUS_NOT_SUPPORTED},
        {IOCTL_CCID_ESCAPE, STATUS_ACCESS_DENIED},
        {SCARD_CTL_CODE(2999), STATUS_INVALID_DEVICE_REQUEST},
    };
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(bench_ioctl(&bench, rows[i].code, "\x01\0\0\0", 4, 64),
                         rows[i].status);
    bench_end(&bench);
}

static void test_clock_of_the_card_is_stopped_and_started(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED | CCID_FEATURE_CLOCK_STOP);
    script_command(&bench.usb, "6E 00000000 00 SS 010000", "81 00000000 00 SS 00 00 01");
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_ICC_CLOCK, "\x01\0\0\0", 4, 0),
                     STATUS_SUCCESS);
    script_command(&bench.usb, "6E 00000000 00 SS 000000", "81 00000000 00 SS 00 00 00");
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_ICC_CLOCK, "\0\0\0\0", 4, 0),
                     STATUS_SUCCESS);
    script_command(&bench.usb, "6E 00000000 00 SS 010000", "81 00000000 00 SS 40 07 00");
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_ICC_CLOCK, "\x01\0\0\0", 4, 0),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_ICC_CLOCK, "\x02\0\0\0", 4, 0),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_ICC_CLOCK, "\x01\0", 2, 0),
                     STATUS_INVALID_PARAMETER);
    bench_end(&bench);
}

static void test_clock_needs_a_powered_card(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED | CCID_FEATURE_CLOCK_STOP);
    bench_add(&bench, true);
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_ICC_CLOCK, "\x01\0\0\0", 4, 0),
                     STATUS_INVALID_DEVICE_STATE);
    bench_end(&bench);
    bench_begin(&bench, BENCH_EXTENDED | CCID_FEATURE_CLOCK_STOP);
    bench_add(&bench, false);
    assert_int_equal(bench_ioctl(&bench, SCFS_IOCTL_CCID_ICC_CLOCK, "\x01\0\0\0", 4, 0),
                     STATUS_NO_MEDIA);
    bench_end(&bench);
}

static void test_secoder_commands_are_escapes_that_are_always_allowed(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.desc.quirks = CCID_QUIRK_SECODER;
    bench_add(&bench, false);
    script_command(&bench.usb, "6B 05000000 00 SS 000000 20 70 00 00 00",
                   "83 02000000 00 SS 02 00 00 90 00");
    assert_int_equal(
        bench_ioctl(&bench, SCFS_IOCTL_CCID_MCT_READER_DIRECT, "\x20\x70\0\0\0", 5, 64),
        STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    assert_int_equal(
        bench_ioctl(&bench, SCFS_IOCTL_CCID_MCT_READER_DIRECT, "\x20\x75\0\0\0", 5, 64),
        STATUS_INVALID_PARAMETER);
    assert_int_equal(
        bench_ioctl(&bench, SCFS_IOCTL_CCID_MCT_READER_DIRECT, "\x20\x6F\0\0\0", 5, 64),
        STATUS_INVALID_PARAMETER);
    assert_int_equal(
        bench_ioctl(&bench, SCFS_IOCTL_CCID_MCT_READER_DIRECT, "\x20", 1, 64),
        STATUS_INVALID_PARAMETER);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_are_given_without_the_reader),
        cmocka_unit_test(test_codes_that_the_reader_does_not_have_are_refused),
        cmocka_unit_test(test_clock_of_the_card_is_stopped_and_started),
        cmocka_unit_test(test_clock_needs_a_powered_card),
        cmocka_unit_test(test_secoder_commands_are_escapes_that_are_always_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
