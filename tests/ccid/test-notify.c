/* SPDX-License-Identifier: BSD-2-Clause */
/* test-notify.c - ccid/notify.c: messages of the interrupt endpoint. */
#include "ccid/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

/* ---- the bits -------------------------------------------------------------------- */

static void test_bits_of_each_slot_are_where_the_standard_puts_them(void **state)
{
    /* slot 0: removed; 3: inserted; 4: inserted; 5: present since before */
    static const uint8_t message[] = {0x50, 0x02 | 0xC0, 0x03 | 0x04};
    static const struct {
        bool present, changed;
    } rows[8] = {{false, true}, {false, false}, {false, false}, {true, true},
                 {true, true},  {true, false},  {false, false}, {false, false}};

    (void)state;
    for (uint8_t slot = 0; slot < 8; slot++) {
        bool present, changed;

        assert_true(ccid_notify_bits(message, sizeof(message), slot, &present, &changed));
        assert_int_equal(present, rows[slot].present);
        assert_int_equal(changed, rows[slot].changed);
    }
}

static void test_short_message_says_nothing_about_the_slots_behind_it(void **state)
{
    static const uint8_t message[] = {0x50, 0xFF, 0xFF};
    bool present, changed;

    (void)state;
    assert_false(ccid_notify_bits(message, 0, 0, &present, &changed));
    assert_false(ccid_notify_bits(message, 1, 0, &present, &changed));
    assert_true(ccid_notify_bits(message, 2, 3, &present, &changed));
    assert_false(ccid_notify_bits(message, 2, 4, &present, &changed));
    assert_true(ccid_notify_bits(message, 3, 7, &present, &changed));
    assert_false(ccid_notify_bits(message, 3, 8, &present, &changed));
}

/* ---- what becomes of them -------------------------------------------------------- */

struct tracker {
    IRP irp;
    int completed;
    NTSTATUS status;
};

static VOID tracker_done(PIRP irp, PVOID context)
{
    struct tracker *tracker = context;

    tracker->completed++;
    tracker->status = irp->IoStatus.Status;
}

static void track(struct bench *bench, struct tracker *tracker, ULONG code)
{
    memset(tracker, 0, sizeof(*tracker));
    smc_irp_init_ioctl(&tracker->irp, bench->slots[0], NULL, code, NULL, 0, 0,
                       tracker_done, tracker);
    (void)IoCallDriver(bench->slots[0], &tracker->irp);
}

/* A reader whose first message, which only says what it found, is behind it. */
static void begin(struct bench *bench, bool card)
{
    bench_begin(bench, BENCH_EXTENDED);
    bench_add(bench, card);
    script_notify(&bench->usb, card ? "50 01" : "50 00");
}

static void test_insertion_completes_the_tracker_and_sets_swallowed(void **state)
{
    struct tracker tracker;
    struct bench bench;

    (void)state;
    begin(&bench, false);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_PRESENT);
    assert_int_equal(tracker.completed, 0);
    script_notify(&bench.usb, "50 03");
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

static void test_removal_completes_the_tracker_and_forgets_the_atr(void **state)
{
    ULONG tag = SCARD_ATTR_ATR_STRING;
    struct tracker tracker;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_notify(&bench.usb, "50 01");
    assert_int_equal(bench_ioctl(&bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, 4, 33),
                     STATUS_SUCCESS);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_ABSENT);
    script_notify(&bench.usb, "50 02");
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    assert_int_equal(bench_ioctl(&bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, 4, 33),
                     STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_NO_MEDIA);
    bench_end(&bench);
}

/* Out and in again between two messages: two changes, and nothing of the old card. */
static void test_exchange_between_two_messages_is_a_removal_and_an_insertion(void **state)
{
    struct tracker absent, present;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_notify(&bench.usb, "50 01");
    track(&bench, &absent, IOCTL_SMARTCARD_IS_ABSENT);
    script_notify(&bench.usb, "50 03");
    assert_int_equal(absent.completed, 1);
    assert_int_equal(absent.status, STATUS_SUCCESS);
    track(&bench, &present, IOCTL_SMARTCARD_IS_PRESENT);
    assert_int_equal(present.completed, 1);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_INVALID_DEVICE_STATE);
    bench_end(&bench);
}

static void test_first_message_after_the_start_is_no_exchange(void **state)
{
    struct tracker tracker;
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, true);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_ABSENT);
    script_notify(&bench.usb, "50 03"); /* "I found a card when I was configured" */
    assert_int_equal(tracker.completed, 0);
    script_notify(&bench.usb, "50 03"); /* now it was really exchanged */
    assert_int_equal(tracker.completed, 1);
    bench_end(&bench);
}

static void test_late_first_message_is_believed(void **state)
{
    struct tracker tracker;
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, true);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_ABSENT);
    bench.usb.now_ms += 1000;
    script_notify(&bench.usb, "50 03");
    assert_int_equal(tracker.completed, 1);
    bench_end(&bench);
}

/* Requirements 21 and 22, and other messages that mean nothing. */
static void test_meaningless_messages_change_nothing(void **state)
{
    static const char *const messages[] = {
        "50",          /* requirement 21: one byte */
        "50 FC",       /* requirement 22: slots 1, 2, 3 do not exist */
        "50 00 FF FF", /* requirement 22: slots 4 to 11 neither */
        "",
        "51",
        "51 00 09 01",
        "51 FF 09 01",
        "00 03",
        "FF FF FF FF",
    };
    struct tracker tracker;
    struct bench bench;

    (void)state;
    begin(&bench, false);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_PRESENT);
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        script_notify(&bench.usb, messages[i]);
        assert_int_equal(tracker.completed, 0);
        assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    }
    assert_int_equal(bench.log_lines, 1); /* the one complete hardware error */
    script_notify(&bench.usb, "50 03");
    assert_int_equal(tracker.completed, 1);
    bench_end(&bench);
}

static void test_repeated_message_is_one_change(void **state)
{
    struct tracker tracker;
    struct bench bench;

    (void)state;
    begin(&bench, true);
    script_notify(&bench.usb, "50 02");
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_PRESENT);
    script_notify(&bench.usb, "50 02");
    script_notify(&bench.usb, "50 00");
    assert_int_equal(tracker.completed, 0);
    script_notify(&bench.usb, "50 01"); /* present without the changed bit */
    assert_int_equal(tracker.completed, 1);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_of_each_slot_are_where_the_standard_puts_them),
        cmocka_unit_test(test_short_message_says_nothing_about_the_slots_behind_it),
        cmocka_unit_test(test_insertion_completes_the_tracker_and_sets_swallowed),
        cmocka_unit_test(test_removal_completes_the_tracker_and_forgets_the_atr),
        cmocka_unit_test(
            test_exchange_between_two_messages_is_a_removal_and_an_insertion),
        cmocka_unit_test(test_first_message_after_the_start_is_no_exchange),
        cmocka_unit_test(test_late_first_message_is_believed),
        cmocka_unit_test(test_meaningless_messages_change_nothing),
        cmocka_unit_test(test_repeated_message_is_one_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
