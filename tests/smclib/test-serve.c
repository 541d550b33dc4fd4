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

static struct fake_request first, second;

static void ready(void)
{
    fake_reader_insert(&reader);
    fake_expect(&reader, IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_SUCCESS, ATR_T0);
    fake_expect(&reader, IOCTL_SMARTCARD_SET_PROTOCOL, "01000000", 4, STATUS_SUCCESS,
                "01000000");
}

static NTSTATUS transmit_first(void)
{
    return fake_send(&reader, &first, IOCTL_SMARTCARD_TRANSMIT,
                     "0100000008000000 00A40000", 10);
}

static void test_serve_pending_callback_makes_everybody_else_busy(void **state)
{
    (void)state;
    ready();
    reader.transmit_status = STATUS_PENDING;
    assert_status(transmit_first(), STATUS_PENDING);
    assert_int_equal(first.completions, 0);
    fake_expect(&reader, IOCTL_SMARTCARD_POWER, "00000000", 0, STATUS_DEVICE_BUSY, "");
    fake_expect(&reader, IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A40000", 10,
                STATUS_DEVICE_BUSY, "");
    /* What needs no callback is answered. */
    fake_expect(&reader, IOCTL_SMARTCARD_GET_STATE, "", 4, STATUS_SUCCESS, "06000000");
    fake_expect(&reader, IOCTL_SMARTCARD_GET_ATTRIBUTE, "01020800", 4, STATUS_SUCCESS,
                "01000000");
    fake_expect(&reader, IOCTL_SMARTCARD_SET_ATTRIBUTE, "0200FF7F01000000", 0,
                STATUS_SUCCESS, "");
    fake_expect(&reader, IOCTL_SMARTCARD_GET_LAST_ERROR, "", 4, STATUS_SUCCESS,
                "00000000");
    assert_status(fake_send(&reader, &second, IOCTL_SMARTCARD_IS_ABSENT, "", 0),
                  STATUS_PENDING);

    SmartcardCompleteRequest(&reader.ext, STATUS_SUCCESS, 10);
    assert_int_equal(first.completions, 1);
    assert_status(first.status, STATUS_SUCCESS);
    assert_int_equal(first.information, 10);
    reader.transmit_status = STATUS_SUCCESS;
    fake_expect(&reader, IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A40000", 10,
                STATUS_SUCCESS, "0100000008000000 9000");
    fake_reader_remove(&reader);
    fake_assert_ended(&second, STATUS_SUCCESS);
}

static void complete_now(struct fake_reader *r)
{
    r->in_callback = NULL;
    SmartcardCompleteRequest(&r->ext, STATUS_IO_TIMEOUT, 0);
}

static void test_serve_completion_before_the_callback_returns_is_the_only_one(
    void **state)
{
    (void)state;
    ready();
    reader.in_callback = complete_now;
    reader.transmit_status = STATUS_PENDING;
    assert_status(transmit_first(), STATUS_PENDING);
    fake_assert_ended(&first, STATUS_IO_TIMEOUT);
    assert_null(reader.ext.OsData->CurrentIrp);
    assert_false(reader.ext.OsData->CallbackPending);
    SmartcardCompleteRequest(&reader.ext, STATUS_SUCCESS, 0); /* nothing to complete */
    assert_int_equal(first.completions, 1);
}

static void test_serve_completion_with_too_much_is_an_internal_error(void **state)
{
    (void)state;
    ready();
    reader.transmit_status = STATUS_PENDING;
    assert_status(transmit_first(), STATUS_PENDING);
    SmartcardCompleteRequest(&reader.ext, STATUS_SUCCESS, 11);
    fake_assert_ended(&first, STATUS_INTERNAL_ERROR);
}

static void call_back_in(struct fake_reader *r)
{
    r->in_callback = NULL;
    assert_ptr_equal(r->ext.OsData->CurrentIrp, &first.irp);
    assert_status(fake_send(r, &second, IOCTL_SMARTCARD_POWER, "00000000", 0),
                  STATUS_DEVICE_BUSY);
}

static void test_serve_request_from_inside_a_callback_is_busy(void **state)
{
    (void)state;
    ready();
    reader.in_callback = call_back_in;
    assert_status(transmit_first(), STATUS_SUCCESS);
    fake_assert_ended(&second, STATUS_DEVICE_BUSY);
    assert_int_equal(first.information, 10);
    assert_null(reader.ext.OsData->CurrentIrp);
}

static void test_serve_request_cancelled_before_it_was_sent_reaches_no_driver(
    void **state)
{
    (void)state;
    ready();
    fake_prepare(&reader, &first, IOCTL_SMARTCARD_POWER, "00000000", 0);
    IoCancelIrp(&first.irp);
    assert_status(SmartcardDeviceControl(&reader.ext, &first.irp), STATUS_CANCELLED);
    fake_assert_ended(&first, STATUS_CANCELLED);
    assert_int_equal(reader.calls[RDF_CARD_POWER], 1);
}

static void *send_second(void *argument)
{
    (void)argument;
    SmartcardDeviceControl(&reader.ext, &second.irp);
    return NULL;
}

static pthread_t waiting;

/* In the callback of the first: a second one waits for its turn and is cancelled. */
static void start_and_cancel_second(struct fake_reader *r)
{
    r->in_callback = NULL;
    assert_int_equal(pthread_create(&waiting, NULL, send_second, NULL), 0);
    /* It waits when it has its cancel routine. */
    while (__atomic_load_n(&second.irp.CancelRoutine, __ATOMIC_SEQ_CST) == NULL)
        sched_yield();
    assert_true(IoCancelIrp(&second.irp));
    pthread_join(waiting, NULL);
    fake_assert_ended(&second, STATUS_CANCELLED);
}

static void test_serve_request_waiting_for_its_turn_can_be_cancelled(void **state)
{
    (void)state;
    ready();
    fake_prepare(&reader, &second, IOCTL_SMARTCARD_POWER, "00000000", 0);
    reader.in_callback = start_and_cancel_second;
    assert_status(transmit_first(), STATUS_SUCCESS);
    assert_int_equal(reader.calls[RDF_CARD_POWER], 1);
}

static void start_second(struct fake_reader *r)
{
    r->in_callback = NULL;
    assert_int_equal(pthread_create(&waiting, NULL, send_second, NULL), 0);
    /* It waits when it has its cancel routine. */
    while (__atomic_load_n(&second.irp.CancelRoutine, __ATOMIC_SEQ_CST) == NULL)
        sched_yield();
    assert_int_equal(second.completions, 0);
}

static void test_serve_second_request_waits_for_the_first(void **state)
{
    (void)state;
    ready();
    fake_prepare(&reader, &second, IOCTL_SMARTCARD_POWER, "00000000", 0);
    reader.in_callback = start_second;
    assert_status(transmit_first(), STATUS_SUCCESS);
    assert_int_equal(first.information, 10);
    pthread_join(waiting, NULL);
    fake_assert_ended(&second, STATUS_SUCCESS);
    assert_int_equal(reader.calls[RDF_CARD_POWER], 2);
}

static void pull_card(struct fake_reader *r)
{
    fake_reader_remove(r);
    r->transmit_status = STATUS_NO_MEDIA;
}

static void test_serve_card_pulled_in_a_callback_ends_tracker_and_request(void **state)
{
    (void)state;
    ready();
    assert_status(fake_send(&reader, &second, IOCTL_SMARTCARD_IS_ABSENT, "", 0),
                  STATUS_PENDING);
    reader.in_callback = pull_card;
    assert_status(transmit_first(), STATUS_NO_MEDIA);
    fake_assert_ended(&second, STATUS_SUCCESS);
    fake_assert_ended(&first, STATUS_NO_MEDIA);
}

static void test_serve_last_error_is_that_of_the_last_callback(void **state)
{
    (void)state;
    ready();
    reader.transmit_status = STATUS_DEVICE_PROTOCOL_ERROR;
    assert_status(transmit_first(), STATUS_DEVICE_PROTOCOL_ERROR);
    fake_expect(&reader, IOCTL_SMARTCARD_GET_LAST_ERROR, "", 4, STATUS_SUCCESS,
                "860100C0");
    fake_expect(&reader, IOCTL_SMARTCARD_EJECT, "", 0, STATUS_NOT_SUPPORTED, "");
    fake_expect(&reader, IOCTL_SMARTCARD_GET_LAST_ERROR, "", 4, STATUS_SUCCESS,
                "860100C0");
    reader.transmit_status = STATUS_SUCCESS;
    assert_status(transmit_first(), STATUS_SUCCESS);
    fake_expect(&reader, IOCTL_SMARTCARD_GET_LAST_ERROR, "", 4, STATUS_SUCCESS,
                "00000000");
}

static void test_serve_request_completed_and_answered_by_the_driver_ends_once(
    void **state)
{
    (void)state;
    ready();
    reader.in_callback = complete_now;
    assert_status(transmit_first(), STATUS_PENDING); /* though it returned success */
    fake_assert_ended(&first, STATUS_IO_TIMEOUT);
    fake_expect(&reader, IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A40000", 10,
                STATUS_SUCCESS, "0100000008000000 9000");
}

static NTSTATUS select_and_fail(PSMARTCARD_EXTENSION ext)
{
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    ext->CardCapabilities.Protocol.Selected = SCARD_PROTOCOL_T0;
    ext->ReaderCapabilities.CurrentState = SCARD_SPECIFIC;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    return STATUS_IO_TIMEOUT;
}

static void test_serve_protocol_that_the_driver_has_set_stays_though_it_failed(
    void **state)
{
    (void)state;
    fake_reader_insert(&reader);
    fake_expect(&reader, IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_SUCCESS, ATR_T0);
    reader.ext.ReaderFunction[RDF_SET_PROTOCOL] = select_and_fail;
    fake_expect(&reader, IOCTL_SMARTCARD_SET_PROTOCOL, "01000000", 4, STATUS_IO_TIMEOUT,
                "");
    fake_expect(&reader, IOCTL_SMARTCARD_GET_ATTRIBUTE, "01020800", 4, STATUS_SUCCESS,
                "01000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_serve_pending_callback_makes_everybody_else_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_serve_completion_before_the_callback_returns_is_the_only_one, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_serve_completion_with_too_much_is_an_internal_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_serve_request_from_inside_a_callback_is_busy,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_serve_request_cancelled_before_it_was_sent_reaches_no_driver, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_serve_request_waiting_for_its_turn_can_be_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_serve_second_request_waits_for_the_first,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_serve_card_pulled_in_a_callback_ends_tracker_and_request, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_serve_last_error_is_that_of_the_last_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_serve_request_completed_and_answered_by_the_driver_ends_once, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_serve_protocol_that_the_driver_has_set_stays_though_it_failed, setup,
            teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
