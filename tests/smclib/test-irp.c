/* SPDX-License-Identifier: BSD-2-Clause */
#include "wrap_abort.h"

static DEVICE_OBJECT device;
static DRIVER_OBJECT driver;
static IRP irp;
static unsigned completions;
static PIRP held;

static VOID count(PIRP completed, PVOID context)
{
    assert_ptr_equal(completed, &irp);
    assert_ptr_equal(context, &completions);
    completions++;
}

static NTSTATUS hold(PDEVICE_OBJECT object, PIRP request)
{
    assert_ptr_equal(object, &device);
    IoMarkIrpPending(request);
    held = request;
    return STATUS_PENDING;
}

static int setup(void **state)
{
    (void)state;
    device.DriverObject = &driver;
    driver.MajorFunction[IRP_MJ_POWER] = hold;
    completions = 0;
    smc_irp_init(&irp, &device, NULL, IRP_MJ_POWER, IRP_MN_SET_POWER, count,
                 &completions);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return 0;
}

static void test_irp_that_is_held_completes_when_its_driver_says_so(void **state)
{
    (void)state;
    assert_status(IoCallDriver(&device, &irp), STATUS_PENDING);
    assert_int_equal(completions, 0);
    held->IoStatus.Status = STATUS_SUCCESS;
    held->IoStatus.Information = 7;
    IoCompleteRequest(held, IO_NO_INCREMENT);
    assert_int_equal(completions, 1);
    assert_true(irp.PendingReturned);
    assert_int_equal(irp.IoStatus.Information, 7);
}

static void test_irp_that_the_driver_does_not_serve_is_invalid(void **state)
{
    (void)state;
    smc_irp_init(&irp, &device, NULL, IRP_MJ_CREATE, 0, count, &completions);
    assert_status(IoCallDriver(&device, &irp), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(completions, 1);
    smc_irp_init(&irp, &device, NULL, 0xFF, 0, count, &completions);
    assert_status(IoCallDriver(&device, &irp), STATUS_INVALID_DEVICE_REQUEST);
    assert_status(smc_irp_send(&device, NULL, IRP_MJ_CLOSE, 0),
                  STATUS_INVALID_DEVICE_REQUEST);
}

static void test_irp_completed_twice_ends_the_process(void **state)
{
    (void)state;
    IoCompleteRequest(&irp, 0);
    assert_aborts(IoCompleteRequest(&irp, 0));
    assert_int_equal(completions, 1);
}

static unsigned cancels;

static VOID cancel_it(PDEVICE_OBJECT object, PIRP request)
{
    assert_ptr_equal(object, &device);
    IoReleaseCancelSpinLock(request->CancelIrql);
    cancels++;
    request->IoStatus.Status = STATUS_CANCELLED;
    IoCompleteRequest(request, 0);
}

static void test_irp_cancel_calls_the_routine_once(void **state)
{
    (void)state;
    cancels = 0;
    IoCallDriver(&device, &irp);
    assert_false(IoCancelIrp(&irp)); /* no routine: only marked */
    assert_true(irp.Cancel);
    assert_null(IoSetCancelRoutine(&irp, cancel_it));
    assert_true(IoCancelIrp(&irp));
    assert_int_equal(cancels, 1);
    assert_int_equal(completions, 1);
    assert_false(IoCancelIrp(&irp));
    assert_int_equal(cancels, 1);
}

static void test_irp_cancel_finds_no_routine_after_it_was_taken_back(void **state)
{
    (void)state;
    IoCallDriver(&device, &irp);
    IoSetCancelRoutine(&irp, cancel_it);
    assert_ptr_equal(IoSetCancelRoutine(&irp, NULL), cancel_it);
    assert_false(IoCancelIrp(&irp));
    assert_int_equal(completions, 0);
}

static void test_irp_without_a_completion_function_just_ends(void **state)
{
    (void)state;
    smc_irp_init(&irp, &device, NULL, IRP_MJ_CREATE, 0, NULL, NULL);
    assert_status(IoCallDriver(&device, &irp), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(irp.Completed, 1);
}

static NTSTATUS answer_seven(PDEVICE_OBJECT object, PIRP request)
{
    (void)object;
    request->IoStatus.Status =
        request->Stack.Parameters.DeviceIoControl.IoControlCode == 1 ? STATUS_SUCCESS
                                                                     : STATUS_IO_TIMEOUT;
    request->IoStatus.Information = 7;
    IoCompleteRequest(request, 0);
    return request->IoStatus.Status;
}

static void test_irp_ioctl_tells_how_many_bytes_unless_it_failed(void **state)
{
    ULONG information = 99;
    UCHAR buffer[8];

    (void)state;
    driver.MajorFunction[IRP_MJ_DEVICE_CONTROL] = answer_seven;
    assert_status(smc_irp_ioctl(&device, NULL, 1, buffer, 0, 8, &information),
                  STATUS_SUCCESS);
    assert_int_equal(information, 7);
    assert_status(smc_irp_ioctl(&device, NULL, 2, buffer, 0, 8, &information),
                  STATUS_IO_TIMEOUT);
    assert_int_equal(information, 0);
    assert_status(smc_irp_ioctl(&device, NULL, 1, buffer, 0, 8, NULL), STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_irp_that_is_held_completes_when_its_driver_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_irp_that_the_driver_does_not_serve_is_invalid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_irp_completed_twice_ends_the_process, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_irp_cancel_calls_the_routine_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_irp_cancel_finds_no_routine_after_it_was_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_irp_without_a_completion_function_just_ends,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_irp_ioctl_tells_how_many_bytes_unless_it_failed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
