/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"

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

static struct fake_request tracker, other;

static NTSTATUS track(struct fake_request *request, ULONG code)
{
    return fake_send(&reader, request, code, "", 0);
}

static void test_track_of_what_is_true_completes_without_the_driver(void **state)
{
    (void)state;
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_ABSENT), STATUS_SUCCESS);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    for (ULONG s = SCARD_PRESENT; s <= SCARD_SPECIFIC; s++) {
        fake_reader_set_state(&reader, s);
        assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_SUCCESS);
        fake_assert_ended(&tracker, STATUS_SUCCESS);
    }
    assert_int_equal(reader.calls[RDF_CARD_TRACKING], 0);
}

static void test_track_pends_until_the_card_comes(void **state)
{
    (void)state;
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    assert_int_equal(tracker.completions, 0);
    assert_int_equal(reader.calls[RDF_CARD_TRACKING], 1);
    fake_reader_insert(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    assert_null(reader.ext.OsData->NotificationIrp);
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_ABSENT), STATUS_PENDING);
    fake_reader_remove(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    fake_reader_insert(&reader); /* nobody waits any more */
    assert_int_equal(tracker.completions, 1);
}

static void test_track_ignores_its_buffers(void **state)
{
    (void)state;
    assert_status(fake_send(&reader, &tracker, IOCTL_SMARTCARD_IS_ABSENT, "0102", 4),
                  STATUS_SUCCESS);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
}

static void test_track_second_is_busy_unless_it_is_true_already(void **state)
{
    (void)state;
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    assert_status(track(&other, IOCTL_SMARTCARD_IS_PRESENT), STATUS_DEVICE_BUSY);
    fake_assert_ended(&other, STATUS_DEVICE_BUSY);
    assert_status(track(&other, IOCTL_SMARTCARD_IS_ABSENT), STATUS_SUCCESS);
    assert_int_equal(tracker.completions, 0);
    fake_reader_insert(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
}

static void test_track_cancelled_frees_the_slot(void **state)
{
    (void)state;
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    assert_true(IoCancelIrp(&tracker.irp));
    fake_assert_ended(&tracker, STATUS_CANCELLED);
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    fake_reader_insert(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    assert_false(IoCancelIrp(&tracker.irp)); /* too late: nothing happens */
    assert_int_equal(tracker.completions, 1);
}

static void test_track_cancelled_before_it_was_sent_never_waits(void **state)
{
    (void)state;
    fake_prepare(&reader, &tracker, IOCTL_SMARTCARD_IS_PRESENT, "", 0);
    assert_false(IoCancelIrp(&tracker.irp));
    assert_status(SmartcardDeviceControl(&reader.ext, &tracker.irp), STATUS_CANCELLED);
    fake_assert_ended(&tracker, STATUS_CANCELLED);
    assert_null(reader.ext.OsData->NotificationIrp);
}

static void test_track_ends_with_cancel_blocking(void **state)
{
    (void)state;
    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, "", 0, STATUS_SUCCESS, "");
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_RESET_EVENTS, "", 0, STATUS_SUCCESS, "");
    assert_int_equal(tracker.completions, 0);
    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, "", 0, STATUS_SUCCESS, "");
    fake_assert_ended(&tracker, STATUS_CANCELLED);
}

static void test_track_ends_with_cleanup_of_its_own_file_only(void **state)
{
    FILE_OBJECT stranger = {&reader.device, NULL};

    (void)state;
    SmcCleanupFile(&reader.ext, &reader.file);
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    SmcCleanupFile(&reader.ext, &stranger);
    assert_int_equal(tracker.completions, 0);
    SmcCleanupFile(&reader.ext, &reader.file);
    fake_assert_ended(&tracker, STATUS_CANCELLED);
}

static void test_track_ends_with_the_reader(void **state)
{
    (void)state;
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    SmcEndCardTracking(&reader.ext, STATUS_DEVICE_REMOVED);
    fake_assert_ended(&tracker, STATUS_DEVICE_REMOVED);
}

static void test_track_refused_by_the_driver_ends_with_its_status(void **state)
{
    static const NTSTATUS statuses[] = {STATUS_SUCCESS, STATUS_INVALID_DEVICE_STATE,
                                        STATUS_DEVICE_BUSY};

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        reader.tracking_status = statuses[i];
        assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), statuses[i]);
        fake_assert_ended(&tracker, statuses[i]);
        assert_null(reader.ext.OsData->NotificationIrp);
    }
}

/* What happens while the driver sees a new tracker. */
static void (*meanwhile)(PSMARTCARD_EXTENSION ext);
static NTSTATUS callback_status;

static NTSTATUS tracking_with_events(PSMARTCARD_EXTENSION ext)
{
    meanwhile(ext);
    return callback_status;
}

static void card_comes(PSMARTCARD_EXTENSION ext)
{
    fake_reader_insert(&reader);
    assert_ptr_equal(ext->OsData->NotificationIrp, &tracker.irp);
    assert_status(track(&other, IOCTL_SMARTCARD_IS_ABSENT), STATUS_DEVICE_BUSY);
}

static void cancelled(PSMARTCARD_EXTENSION ext)
{
    assert_true(IoCancelIrp(ext->OsData->NotificationIrp));
    assert_ptr_equal(ext->OsData->NotificationIrp, &tracker.irp);
}

static void reader_goes(PSMARTCARD_EXTENSION ext)
{
    SmcEndCardTracking(ext, STATUS_DEVICE_REMOVED);
    SmartcardCompleteCardTracking(ext); /* the first end counts */
}

static void file_closes(PSMARTCARD_EXTENSION ext)
{
    SmcCleanupFile(ext, &reader.file);
}

static void test_track_ended_during_the_callback_ends_when_that_returns(void **state)
{
    static const struct {
        void (*meanwhile)(PSMARTCARD_EXTENSION ext);
        NTSTATUS callback_status;
        NTSTATUS expected;
    } rows[] = {
        {card_comes, STATUS_PENDING, STATUS_SUCCESS},
        {card_comes, STATUS_DEVICE_BUSY, STATUS_SUCCESS},
        {cancelled, STATUS_PENDING, STATUS_CANCELLED},
        {reader_goes, STATUS_PENDING, STATUS_DEVICE_REMOVED},
        {file_closes, STATUS_PENDING, STATUS_CANCELLED},
    };

    (void)state;
    reader.ext.ReaderFunction[RDF_CARD_TRACKING] = tracking_with_events;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake_reader_set_state(&reader, SCARD_ABSENT);
        meanwhile = rows[i].meanwhile;
        callback_status = rows[i].callback_status;
        assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), rows[i].expected);
        fake_assert_ended(&tracker, rows[i].expected);
        assert_null(reader.ext.OsData->NotificationIrp);
    }
}

/* As reader drivers for Windows do it. */
static VOID cancel_of_the_driver(PDEVICE_OBJECT device, PIRP irp)
{
    assert_ptr_equal(device, &reader.device);
    IoReleaseCancelSpinLock(irp->CancelIrql);
    SmartcardCompleteCardTracking(&reader.ext);
}

static void set_own_routine(PSMARTCARD_EXTENSION ext)
{
    KIRQL irql;

    IoAcquireCancelSpinLock(&irql);
    IoSetCancelRoutine(ext->OsData->NotificationIrp, cancel_of_the_driver);
    IoReleaseCancelSpinLock(irql);
}

static void set_own_routine_and_cancel(PSMARTCARD_EXTENSION ext)
{
    set_own_routine(ext);
    cancelled(ext);
}

static void test_track_with_the_cancel_routine_of_the_driver_ends_once(void **state)
{
    (void)state;
    reader.ext.ReaderFunction[RDF_CARD_TRACKING] = tracking_with_events;
    callback_status = STATUS_PENDING;
    meanwhile = set_own_routine;
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    assert_true(IoCancelIrp(&tracker.irp));
    fake_assert_ended(&tracker, STATUS_CANCELLED);

    meanwhile = set_own_routine_and_cancel;
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_CANCELLED);
    fake_assert_ended(&tracker, STATUS_CANCELLED);

    meanwhile = set_own_routine;
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    fake_reader_insert(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
}

static void take_and_complete(PSMARTCARD_EXTENSION ext)
{
    PIRP irp = ext->OsData->NotificationIrp;

    ext->OsData->NotificationIrp = NULL;
    irp->IoStatus.Status = STATUS_INVALID_DEVICE_STATE;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    assert_status(track(&other, IOCTL_SMARTCARD_IS_PRESENT), STATUS_DEVICE_BUSY);
}

static void test_track_completed_by_the_driver_itself_is_left_alone(void **state)
{
    (void)state;
    reader.ext.ReaderFunction[RDF_CARD_TRACKING] = tracking_with_events;
    callback_status = STATUS_PENDING;
    meanwhile = take_and_complete;
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    fake_assert_ended(&tracker, STATUS_INVALID_DEVICE_STATE);
    fake_reader_insert(&reader);
    assert_int_equal(tracker.completions, 1);
}

static void test_track_pending_disturbs_no_other_request(void **state)
{
    (void)state;
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    fake_expect(&reader, IOCTL_SMARTCARD_GET_STATE, "", 4, STATUS_SUCCESS, "01000000");
    fake_expect(&reader, IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_NO_MEDIA, "");
    fake_reader_insert(&reader);
    assert_status(track(&tracker, IOCTL_SMARTCARD_IS_ABSENT), STATUS_PENDING);
    fake_expect(&reader, IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_SUCCESS, ATR_T0);
    assert_int_equal(tracker.completions, 0);
    fake_reader_remove(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_track_of_what_is_true_completes_without_the_driver, setup, teardown),
        cmocka_unit_test_setup_teardown(test_track_pends_until_the_card_comes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_track_ignores_its_buffers, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_track_second_is_busy_unless_it_is_true_already, setup, teardown),
        cmocka_unit_test_setup_teardown(test_track_cancelled_frees_the_slot, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_track_cancelled_before_it_was_sent_never_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_track_ends_with_cancel_blocking, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_track_ends_with_cleanup_of_its_own_file_only,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_track_ends_with_the_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_track_refused_by_the_driver_ends_with_its_status, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_track_ended_during_the_callback_ends_when_that_returns, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_track_with_the_cancel_routine_of_the_driver_ends_once, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_track_completed_by_the_driver_itself_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_track_pending_disturbs_no_other_request,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
