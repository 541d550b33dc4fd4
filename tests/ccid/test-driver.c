/* SPDX-License-Identifier: BSD-2-Clause */
/* test-driver.c - ccid/driver.c: create, cleanup, close, PnP and power. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/slot.h"

struct tracker {
    IRP irp;
    FILE_OBJECT file;
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
    tracker->file.DeviceObject = bench->slots[0];
    smc_irp_init_ioctl(&tracker->irp, bench->slots[0], &tracker->file, code, NULL, 0, 0,
                       tracker_done, tracker);
    (void)IoCallDriver(bench->slots[0], &tracker->irp);
}

static NTSTATUS pnp(struct bench *bench, UCHAR minor)
{
    return smc_irp_send(bench->slots[0], NULL, IRP_MJ_PNP, minor);
}

static void note_status(PIRP irp, PVOID context)
{
    *(NTSTATUS *)context = irp->IoStatus.Status;
}

static NTSTATUS set_power(struct bench *bench, bool on)
{
    NTSTATUS status = STATUS_PENDING;
    IRP irp;

    smc_irp_init(&irp, bench->slots[0], NULL, IRP_MJ_POWER, IRP_MN_SET_POWER, note_status,
                 &status);
    irp.Stack.Parameters.Power.Type = DevicePowerState;
    irp.Stack.Parameters.Power.State.DeviceState = on ? PowerDeviceD0 : PowerDeviceD3;
    (void)IoCallDriver(bench->slots[0], &irp);
    return status;
}

/* ---- create, close --------------------------------------------------------------- */

static void test_create_is_exclusive_until_close(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, false); /* the client has opened it */
    assert_int_equal(smc_irp_send(bench.slots[0], NULL, IRP_MJ_CREATE, 0),
                     STATUS_DEVICE_BUSY);
    assert_int_equal(smc_irp_send(bench.slots[0], NULL, IRP_MJ_CLEANUP, 0),
                     STATUS_SUCCESS);
    assert_int_equal(smc_irp_send(bench.slots[0], NULL, IRP_MJ_CLOSE, 0), STATUS_SUCCESS);
    assert_int_equal(smc_irp_send(bench.slots[0], NULL, IRP_MJ_CREATE, 0),
                     STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_cleanup_ends_the_tracker_of_that_file_only(void **state)
{
    struct tracker tracker;
    FILE_OBJECT other = {0};
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, false);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_PRESENT);
    assert_int_equal(smc_irp_send(bench.slots[0], &other, IRP_MJ_CLEANUP, 0),
                     STATUS_SUCCESS);
    assert_int_equal(tracker.completed, 0);
    assert_int_equal(smc_irp_send(bench.slots[0], &tracker.file, IRP_MJ_CLEANUP, 0),
                     STATUS_SUCCESS);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_CANCELLED);
    bench_end(&bench);
}

static void test_second_tracker_is_busy(void **state)
{
    struct tracker first, second;
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, false);
    track(&bench, &first, IOCTL_SMARTCARD_IS_PRESENT);
    track(&bench, &second, IOCTL_SMARTCARD_IS_PRESENT);
    assert_int_equal(second.completed, 1);
    assert_int_equal(second.status, STATUS_DEVICE_BUSY);
    assert_true(IoCancelIrp(&first.irp));
    assert_int_equal(first.completed, 1);
    assert_int_equal(first.status, STATUS_CANCELLED);
    track(&bench, &second, IOCTL_SMARTCARD_IS_PRESENT);
    assert_int_equal(second.completed, 0);
    assert_true(IoCancelIrp(&second.irp));
    bench_end(&bench);
}

/* ---- PnP ------------------------------------------------------------------------- */

static void test_start_samples_the_slot(void **state)
{
    static const struct {
        const char *answer;
        ULONG state;
    } rows[] = {{"81 00000000 00 SS 02 00 00", SCARD_ABSENT},
                {"81 00000000 00 SS 01 00 00", SCARD_SWALLOWED},
                {"81 00000000 00 SS 42 FE 00", SCARD_ABSENT}};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bench_begin(&bench, BENCH_EXTENDED);
        script_command(&bench.usb, BENCH_STATUS_OUT, rows[i].answer);
        assert_int_equal(bench_try_add(&bench), STATUS_SUCCESS);
        assert_int_equal(bench_state(&bench), rows[i].state);
        assert_true(bench.usb.started);
        bench_end(&bench);
    }
}

/* What a predecessor left under power is switched off: nobody inherits its state. */
static void test_start_powers_down_a_card_that_is_active(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    script_in(&bench.usb, "80 02000000 00 TT 00 00 00 90 00"); /* and its last answer */
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 00 00 00");
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    assert_int_equal(bench_try_add(&bench), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

static void test_reader_that_does_not_start_is_not_there(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.usb.start_result = CCID_USB_IO;
    assert_int_equal(bench_try_add(&bench), STATUS_IO_DEVICE_ERROR);
    assert_null(bench.device);
    assert_int_equal(bench.arrived, 0);
    assert_int_equal(bench.log_lines, 1);
    bench_end(&bench);
}

static void test_client_that_refuses_a_reader_gets_it_taken_away(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.refuses = STATUS_INSUFFICIENT_RESOURCES;
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 02 00 00");
    assert_int_equal(bench_try_add(&bench), STATUS_INSUFFICIENT_RESOURCES);
    assert_null(bench.device);
    assert_false(bench.usb.started);
    bench_end(&bench);
}

static void test_surprise_removal_ends_the_tracker_with_device_removed(void **state)
{
    struct tracker tracker;
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, true);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_ABSENT);
    ccid_device_remove(bench.device, true);
    bench.device = NULL;
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_DEVICE_REMOVED);
    assert_int_equal(bench.gone, 1);
    assert_true(bench.usb.cancelled);
    bench_end(&bench);
}

static void test_orderly_removal_ends_the_tracker_with_cancelled(void **state)
{
    struct tracker tracker;
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, true);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_ABSENT);
    ccid_device_remove(bench.device, false);
    bench.device = NULL;
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_CANCELLED);
    assert_false(bench.usb.cancelled);
    bench_end(&bench);
}

static void test_after_surprise_removal_nothing_is_sent(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    assert_int_equal(pnp(&bench, IRP_MN_SURPRISE_REMOVAL), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_NO_MEDIA);
    assert_int_equal(smc_irp_send(bench.slots[0], NULL, IRP_MJ_CLOSE, 0), STATUS_SUCCESS);
    assert_int_equal(smc_irp_send(bench.slots[0], NULL, IRP_MJ_CREATE, 0),
                     STATUS_DEVICE_REMOVED);
    assert_int_equal(set_power(&bench, false), STATUS_DEVICE_REMOVED);
    bench_end(&bench);
}

static void test_minor_functions_of_pnp_have_their_answers(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, false);
    assert_int_equal(pnp(&bench, IRP_MN_START_DEVICE), STATUS_SUCCESS); /* again */
    assert_int_equal(pnp(&bench, IRP_MN_QUERY_REMOVE_DEVICE), STATUS_UNSUCCESSFUL);
    assert_int_equal(smc_irp_send(bench.slots[0], NULL, IRP_MJ_CLOSE, 0), STATUS_SUCCESS);
    assert_int_equal(pnp(&bench, IRP_MN_QUERY_REMOVE_DEVICE), STATUS_SUCCESS);
    assert_int_equal(pnp(&bench, IRP_MN_CANCEL_REMOVE_DEVICE), STATUS_SUCCESS);
    assert_int_equal(pnp(&bench, 0x42), STATUS_NOT_SUPPORTED);
    bench_end(&bench);
}

/* ---- power ----------------------------------------------------------------------- */

static void test_suspend_powers_the_card_down_and_keeps_the_tracker(void **state)
{
    struct tracker tracker;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_ABSENT);
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    assert_int_equal(set_power(&bench, false), STATUS_SUCCESS);
    assert_int_equal(tracker.completed, 0);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_DEVICE_POWERED_OFF);
    assert_int_equal(set_power(&bench, false), STATUS_SUCCESS); /* twice is once */

    /* The card is still there, and it counts as a change all the same. */
    script_clear_halt(&bench.usb);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 01 00 00");
    assert_int_equal(set_power(&bench, true), STATUS_SUCCESS);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_resume_of_an_empty_slot_that_was_empty_changes_nothing(void **state)
{
    struct tracker tracker;
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, false);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_PRESENT);
    assert_int_equal(set_power(&bench, false), STATUS_SUCCESS);
    script_clear_halt(&bench.usb);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 02 00 00");
    assert_int_equal(set_power(&bench, true), STATUS_SUCCESS);
    assert_int_equal(tracker.completed, 0);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);
}

static void test_resume_notices_a_card_that_was_taken_out(void **state)
{
    struct tracker tracker;
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, true);
    track(&bench, &tracker, IOCTL_SMARTCARD_IS_ABSENT);
    assert_int_equal(set_power(&bench, false), STATUS_SUCCESS);
    script_clear_halt(&bench.usb);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 02 00 00");
    assert_int_equal(set_power(&bench, true), STATUS_SUCCESS);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);
}

static void test_suspend_of_a_slot_whose_card_has_gone_succeeds(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_OFF_OUT, "81 00000000 00 SS 02 00 00");
    assert_int_equal(set_power(&bench, false), STATUS_SUCCESS);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_NO_MEDIA);
    script_clear_halt(&bench.usb);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 02 00 00");
    assert_int_equal(set_power(&bench, true), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);
}

static void test_resume_without_a_suspend_sends_nothing(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    assert_int_equal(set_power(&bench, true), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_SPECIFIC);
    bench_end(&bench);
}

/* Awake again, it says nothing: then no card can be promised. */
static void test_resume_of_a_silent_reader_is_without_a_card(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, true);
    assert_int_equal(set_power(&bench, false), STATUS_SUCCESS);
    script_clear_halt(&bench.usb);
    script_out(&bench.usb, BENCH_STATUS_OUT);
    script_resync(&bench.usb);
    assert_int_equal(set_power(&bench, true), STATUS_IO_TIMEOUT);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);
}

static void test_power_requests_have_their_answers(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    assert_int_equal(smc_irp_send(bench.slots[0], NULL, IRP_MJ_POWER, IRP_MN_QUERY_POWER),
                     STATUS_SUCCESS);
    assert_int_equal(smc_irp_send(bench.slots[0], NULL, IRP_MJ_POWER, 0x42),
                     STATUS_NOT_SUPPORTED);
    ccid_cancel_for_ever(((struct ccid_slot *)bench.slots[0]->DeviceExtension)->device);
    assert_int_equal(set_power(&bench, false), STATUS_DEVICE_REMOVED);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_is_exclusive_until_close),
        cmocka_unit_test(test_cleanup_ends_the_tracker_of_that_file_only),
        cmocka_unit_test(test_second_tracker_is_busy),
        cmocka_unit_test(test_start_samples_the_slot),
        cmocka_unit_test(test_start_powers_down_a_card_that_is_active),
        cmocka_unit_test(test_reader_that_does_not_start_is_not_there),
        cmocka_unit_test(test_client_that_refuses_a_reader_gets_it_taken_away),
        cmocka_unit_test(test_surprise_removal_ends_the_tracker_with_device_removed),
        cmocka_unit_test(test_orderly_removal_ends_the_tracker_with_cancelled),
        cmocka_unit_test(test_after_surprise_removal_nothing_is_sent),
        cmocka_unit_test(test_minor_functions_of_pnp_have_their_answers),
        cmocka_unit_test(test_suspend_powers_the_card_down_and_keeps_the_tracker),
        cmocka_unit_test(test_resume_of_an_empty_slot_that_was_empty_changes_nothing),
        cmocka_unit_test(test_resume_notices_a_card_that_was_taken_out),
        cmocka_unit_test(test_suspend_of_a_slot_whose_card_has_gone_succeeds),
        cmocka_unit_test(test_resume_without_a_suspend_sends_nothing),
        cmocka_unit_test(test_resume_of_a_silent_reader_is_without_a_card),
        cmocka_unit_test(test_power_requests_have_their_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
