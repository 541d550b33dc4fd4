/* SPDX-License-Identifier: BSD-2-Clause */
/* test-mechanical.c - ccid/mechanical.c: readers that move the card. */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

#define ALL (CCID_MECHANICAL_ACCEPTS | CCID_MECHANICAL_EJECTS | CCID_MECHANICAL_CAPTURES)

#define ACCEPT_OUT  "71 00000000 00 SS 010000"
#define EJECT_OUT   "71 00000000 00 SS 020000"
#define CAPTURE_OUT "71 00000000 00 SS 030000"
#define MOVED_IN    "81 00000000 00 SS 01 00 00"

static void begin(struct bench *bench, uint32_t mechanical, bool card)
{
    bench_begin(bench, BENCH_SHORT);
    bench->desc.mechanical = mechanical;
    bench_add(bench, card);
}

static NTSTATUS call(struct bench *bench, ULONG code)
{
    return bench_ioctl(bench, code, NULL, 0, 0);
}

static uint8_t presence(struct bench *bench)
{
    ULONG tag = SCARD_ATTR_ICC_PRESENCE;

    assert_int_equal(bench_ioctl(bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, 4, 1),
                     STATUS_SUCCESS);
    return bench->reply[0];
}

static void test_reader_has_the_calls_that_its_descriptor_names(void **state)
{
    static const struct {
        uint32_t mechanical;
        ULONG code;
        const char *out;
    } rows[] = {
        {CCID_MECHANICAL_ACCEPTS, IOCTL_SMARTCARD_SWALLOW, ACCEPT_OUT},
        {CCID_MECHANICAL_EJECTS, IOCTL_SMARTCARD_EJECT, EJECT_OUT},
        {CCID_MECHANICAL_CAPTURES, IOCTL_SMARTCARD_CONFISCATE, CAPTURE_OUT},
    };
    ULONG tag = SCARD_ATTR_CHARACTERISTICS, value;
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(&bench, rows[i].mechanical, true);
        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
            if (k != i)
                assert_int_equal(call(&bench, rows[k].code), STATUS_NOT_SUPPORTED);
        }
        script_command(&bench.usb, rows[i].out, MOVED_IN);
        assert_int_equal(call(&bench, rows[i].code), STATUS_SUCCESS);
        assert_int_equal(bench_ioctl(&bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, 4, 4),
                         STATUS_SUCCESS);
        memcpy(&value, bench.reply, 4);
        assert_int_equal(value, i == 0   ? SCARD_READER_SWALLOWS
                                : i == 1 ? SCARD_READER_EJECTS
                                         : SCARD_READER_CONFISCATES);
        bench_end(&bench);
    }
}

static void test_without_a_card_nothing_is_moved(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, ALL, false);
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_SWALLOW), STATUS_NO_MEDIA);
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_EJECT), STATUS_NO_MEDIA);
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_CONFISCATE), STATUS_NO_MEDIA);
    bench_end(&bench);
}

static void test_card_is_present_until_it_is_swallowed(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, ALL, true);
    assert_int_equal(bench_state(&bench), SCARD_PRESENT);
    assert_int_equal(presence(&bench), 1);
    script_command(&bench.usb, ACCEPT_OUT, MOVED_IN);
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_SWALLOW), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    assert_int_equal(presence(&bench), 2);
    /* Again: nothing to do. */
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_SWALLOW), STATUS_SUCCESS);
    /* A new card begins at the mouth. */
    script_notify(&bench.usb, "50 02");
    script_notify(&bench.usb, "50 03");
    assert_int_equal(bench_state(&bench), SCARD_PRESENT);
    bench_end(&bench);
}

static void test_reset_swallows_first(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, ALL, true);
    script_command(&bench.usb, ACCEPT_OUT, MOVED_IN);
    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_NEGOTIABLE);
    /* Power down leaves it in position. */
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    assert_int_equal(bench_power(&bench, SCARD_POWER_DOWN), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

static void test_eject_powers_off_and_leaves_the_card_at_the_mouth(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, ALL, true);
    script_command(&bench.usb, ACCEPT_OUT, MOVED_IN);
    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    script_command(&bench.usb, EJECT_OUT, MOVED_IN);
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_EJECT), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_PRESENT);
    script_notify(&bench.usb, "50 02");
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);

    /* Taken before the reader had answered. */
    begin(&bench, ALL, true);
    script_command(&bench.usb, EJECT_OUT, "81 00000000 00 SS 02 00 00");
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_EJECT), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);
}

static void test_captured_card_is_absent_and_confiscated_until_the_next_one(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, ALL, true);
    script_command(&bench.usb, CAPTURE_OUT, MOVED_IN);
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_CONFISCATE), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    assert_int_equal(presence(&bench), 4);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_NO_MEDIA);
    script_notify(&bench.usb, "50 02"); /* the reader says so, too */
    assert_int_equal(presence(&bench), 4);
    script_notify(&bench.usb, "50 03");
    assert_int_equal(presence(&bench), 1);
    assert_int_equal(bench_state(&bench), SCARD_PRESENT);
    bench_end(&bench);
}

static void test_motor_that_fails_has_a_status_and_moves_nothing(void **state)
{
    static const struct {
        const char *in;
        NTSTATUS status;
        ULONG state;
    } rows[] = {
        {"81 00000000 00 SS 41 FE 00", STATUS_IO_TIMEOUT, SCARD_PRESENT},
        {"81 00000000 00 SS 41 FB 00", STATUS_IO_DEVICE_ERROR, SCARD_PRESENT},
        {"81 00000000 00 SS 41 00 00", STATUS_NOT_SUPPORTED, SCARD_PRESENT},
        {"81 00000000 00 SS 42 FE 00", STATUS_NO_MEDIA, SCARD_ABSENT},
    };
    static const struct {
        ULONG code;
        const char *out;
    } calls[] = {
        {IOCTL_SMARTCARD_SWALLOW, ACCEPT_OUT},
        {IOCTL_SMARTCARD_EJECT, EJECT_OUT},
        {IOCTL_SMARTCARD_CONFISCATE, CAPTURE_OUT},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++) {
            begin(&bench, ALL, true);
            script_command(&bench.usb, calls[k].out, rows[i].in);
            assert_int_equal(call(&bench, calls[k].code), rows[i].status);
            assert_int_equal(bench_state(&bench), rows[i].state);
            bench_end(&bench);
        }
    }
}

/* What has failed may have moved it all the same. */
static void test_card_is_put_in_position_again_after_a_movement_that_failed(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench, ALL, true);
    script_command(&bench.usb, ACCEPT_OUT, MOVED_IN);
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_SWALLOW), STATUS_SUCCESS);
    script_command(&bench.usb, EJECT_OUT, "81 00000000 00 SS 41 FB 00");
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_EJECT), STATUS_IO_DEVICE_ERROR);
    assert_int_equal(bench_state(&bench), SCARD_PRESENT);
    script_command(&bench.usb, ACCEPT_OUT, MOVED_IN);
    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_end(&bench);
    /* A reader that takes no cards in could not do it. */
    begin(&bench, CCID_MECHANICAL_EJECTS, true);
    script_command(&bench.usb, EJECT_OUT, "81 00000000 00 SS 41 FB 00");
    assert_int_equal(call(&bench, IOCTL_SMARTCARD_EJECT), STATUS_IO_DEVICE_ERROR);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_has_the_calls_that_its_descriptor_names),
        cmocka_unit_test(test_without_a_card_nothing_is_moved),
        cmocka_unit_test(test_card_is_present_until_it_is_swallowed),
        cmocka_unit_test(test_reset_swallows_first),
        cmocka_unit_test(test_eject_powers_off_and_leaves_the_card_at_the_mouth),
        cmocka_unit_test(test_captured_card_is_absent_and_confiscated_until_the_next_one),
        cmocka_unit_test(test_motor_that_fails_has_a_status_and_moves_nothing),
        cmocka_unit_test(test_card_is_put_in_position_again_after_a_movement_that_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
