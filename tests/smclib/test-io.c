/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"
#include "smclib/internal.h"

struct function_device {
    UNICODE_STRING name;
};

static DRIVER_OBJECT driver;
static NTSTATUS add_status, arrive_status;
static unsigned slots, interfaces;
static bool keep_on_remove;
static char events[400];
static PDEVICE_OBJECT last_arrived;

static void event(const char *name, ULONG slot)
{
    size_t len = strlen(events);

    snprintf(events + len, sizeof events - len, "%s%u ", name, (unsigned)slot);
}

static NTSTATUS add_device(PDRIVER_OBJECT object, PDEVICE_OBJECT physical)
{
    NTSTATUS status = STATUS_SUCCESS;

    assert_ptr_equal(object, &driver);
    assert_ptr_equal(physical->DeviceExtension, &driver);
    for (unsigned i = 0; i < slots && NT_SUCCESS(status); i++) {
        struct function_device *function;
        PDEVICE_OBJECT device;

        assert_status(
            IoCreateDevice(object, sizeof *function, NULL, 0x31, 0, TRUE, &device),
            STATUS_SUCCESS);
        device->SlotNumber = i;
        function = device->DeviceExtension;
        assert_ptr_equal(IoAttachDeviceToDeviceStack(device, physical), physical);
        if (i >= interfaces)
            continue;
        assert_status(IoRegisterDeviceInterface(device, &SmartCardReaderGuid, NULL,
                                                &function->name),
                      STATUS_SUCCESS);
        status = IoSetDeviceInterfaceState(&function->name, TRUE);
    }
    return NT_SUCCESS(status) ? add_status : status;
}

static NTSTATUS pnp(PDEVICE_OBJECT device, PIRP irp)
{
    struct function_device *function = device->DeviceExtension;
    UCHAR minor = irp->Stack.MinorFunction;
    PDEVICE_OBJECT physical = device->LowerDevice;

    if (minor == IRP_MN_SURPRISE_REMOVAL)
        event("surprise", device->SlotNumber);
    if (minor != IRP_MN_REMOVE_DEVICE)
        return smc_irp_complete(irp, STATUS_SUCCESS, 0);
    event("remove", device->SlotNumber);
    assert_status(IoCallDriver(physical, irp), STATUS_SUCCESS);
    if (function->name.Buffer != NULL) {
        IoSetDeviceInterfaceState(&function->name, FALSE);
        RtlFreeUnicodeString(&function->name);
    }
    if (keep_on_remove)
        return STATUS_SUCCESS;
    IoDetachDevice(physical);
    IoDeleteDevice(device);
    return STATUS_SUCCESS;
}

static NTSTATUS entry(PDRIVER_OBJECT object, PUNICODE_STRING path)
{
    assert_null(path);
    object->DriverExtension->AddDevice = add_device;
    object->MajorFunction[IRP_MJ_PNP] = pnp;
    return STATUS_SUCCESS;
}

static NTSTATUS arrived(void *context, PDEVICE_OBJECT device)
{
    assert_ptr_equal(context, events);
    event("arrived", device->SlotNumber);
    last_arrived = device;
    return arrive_status;
}

static void gone(void *context, PDEVICE_OBJECT device, int surprise)
{
    assert_ptr_equal(context, events);
    event(surprise ? "lost" : "gone", device->SlotNumber);
    smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
}

static void take_line(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                      const char *text)
{
    (void)context;
    (void)device;
    (void)status;
    (void)text;
    event("log", 0);
}

static void note_service(void *context, PDEVICE_OBJECT device, ULONG delay_ms)
{
    assert_ptr_equal(context, events);
    event("service", device->SlotNumber);
    event("in", delay_ms);
}

static void note_trace(void *context, PDEVICE_OBJECT device,
                       const struct smc_trace_packet *packet)
{
    assert_ptr_equal(context, events);
    assert_int_equal(packet->event, SMC_TRACE_COMPLETED);
    event("trace", device->SlotNumber);
    event("C", packet->length);
}

static const struct smc_device_identity identity = {
    .vendor = "ACME", .product = "CCID 1", .slot_count = 2, .busy_slot_count = 1};

static int setup(void **state)
{
    static const struct smc_io_client client = {.arrived = arrived,
                                                .gone = gone,
                                                .log = take_line,
                                                .context = events,
                                                .service = note_service,
                                                .trace = note_trace};

    (void)state;
    add_status = arrive_status = STATUS_SUCCESS;
    slots = interfaces = 2;
    keep_on_remove = false;
    events[0] = '\0';
    smc_io_register(&client);
    return smc_io_load(&driver, entry) != STATUS_SUCCESS;
}

static int teardown(void **state)
{
    (void)state;
    smc_io_unload(&driver);
    smc_io_register(NULL);
    return driver.DeviceObject != NULL;
}

static void test_io_arrival_announces_each_function_with_its_identity(void **state)
{
    PDEVICE_OBJECT physical = NULL;

    (void)state;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    assert_string_equal(events, "arrived0 arrived1 ");
    assert_string_equal(smc_io_identity(last_arrived)->product, "CCID 1");
    assert_string_equal(smc_io_identity(physical)->vendor, "ACME");
    assert_int_equal(smc_io_identity(NULL)->slot_count, 1);
    assert_ptr_not_equal(smc_io_identity(physical), &identity);
    SmcReportDeviceDeparture(physical, TRUE);
    assert_string_equal(events, "arrived0 arrived1 lost0 remove0 lost1 remove1 ");
    assert_null(driver.DeviceObject);
}

static void test_io_function_without_interface_is_removed_without_the_client(void **state)
{
    PDEVICE_OBJECT physical;

    (void)state;
    interfaces = 1;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    SmcReportDeviceDeparture(physical, TRUE);
    assert_string_equal(events, "arrived0 lost0 remove0 surprise1 remove1 ");
}

static void test_io_orderly_departure_is_no_surprise(void **state)
{
    PDEVICE_OBJECT physical;

    (void)state;
    interfaces = 1;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    SmcReportDeviceDeparture(physical, FALSE);
    assert_string_equal(events, "arrived0 gone0 remove0 remove1 ");
}

static void test_io_function_that_the_client_refuses_is_removed(void **state)
{
    PDEVICE_OBJECT physical = NULL;

    (void)state;
    arrive_status = STATUS_IO_TIMEOUT;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_IO_TIMEOUT);
    assert_null(physical);
    assert_string_equal(events, "arrived0 remove0 ");
}

static void test_io_add_device_that_fails_late_takes_back_what_was_announced(void **state)
{
    PDEVICE_OBJECT physical = NULL;

    (void)state;
    add_status = STATUS_UNSUCCESSFUL;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_UNSUCCESSFUL);
    assert_null(physical);
    assert_string_equal(events, "arrived0 arrived1 gone0 remove0 gone1 remove1 ");
}

static void test_io_unload_removes_what_the_driver_left(void **state)
{
    PDEVICE_OBJECT physical;

    (void)state;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    smc_io_unload(&driver);
    assert_string_equal(events, "arrived0 arrived1 gone0 remove0 gone1 remove1 ");
    assert_null(driver.DeviceObject);
}

static void test_io_driver_that_keeps_its_device_points_to_nothing(void **state)
{
    PDEVICE_OBJECT physical, kept;

    (void)state;
    slots = interfaces = 1;
    keep_on_remove = true;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    kept = last_arrived;
    SmcReportDeviceDeparture(physical, TRUE);
    assert_string_equal(events, "arrived0 lost0 remove0 log0 ");
    assert_null(kept->LowerDevice);
    assert_int_equal(smc_io_identity(kept)->slot_count, 1);
    IoDeleteDevice(kept);
}

static void test_io_interface_state_of_an_unknown_name_is_no_such_device(void **state)
{
    UNICODE_STRING name;

    (void)state;
    assert_true(smc_string_make(&name, "\\nothing"));
    assert_status(IoSetDeviceInterfaceState(&name, TRUE), STATUS_NO_SUCH_DEVICE);
    RtlFreeUnicodeString(&name);
    assert_status(IoSetDeviceInterfaceState(&name, TRUE), STATUS_NO_SUCH_DEVICE);
    assert_status(IoSetDeviceInterfaceState(NULL, TRUE), STATUS_NO_SUCH_DEVICE);
}

static void test_io_interface_may_be_named_through_the_physical_device(void **state)
{
    PDEVICE_OBJECT physical;
    UNICODE_STRING name;

    (void)state;
    interfaces = 0;
    slots = 1;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    assert_status(IoRegisterDeviceInterface(physical, &SmartCardReaderGuid, NULL, &name),
                  STATUS_SUCCESS);
    assert_status(IoSetDeviceInterfaceState(&name, TRUE), STATUS_SUCCESS);
    assert_status(IoSetDeviceInterfaceState(&name, TRUE), STATUS_SUCCESS);
    assert_string_equal(events, "arrived0 ");
    assert_status(IoSetDeviceInterfaceState(&name, FALSE), STATUS_SUCCESS);
    assert_string_equal(events, "arrived0 gone0 remove0 ");
    RtlFreeUnicodeString(&name);
    SmcReportDeviceDeparture(physical, TRUE);
}

static void test_io_service_is_asked_of_the_client_and_of_nobody_without_one(void **state)
{
    PDEVICE_OBJECT physical;

    (void)state;
    slots = interfaces = 1;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    SmcRequestService(last_arrived, 250);
    assert_string_equal(events, "arrived0 service0 in250 ");
    smc_io_register(NULL);
    SmcRequestService(last_arrived, 250);
    assert_string_equal(events, "arrived0 service0 in250 ");
    SmcReportDeviceDeparture(physical, FALSE);
}

static void test_io_trace_is_shown_only_while_it_is_wanted(void **state)
{
    const struct smc_trace_packet packet = {.event = SMC_TRACE_COMPLETED, .length = 10};
    PDEVICE_OBJECT physical;

    (void)state;
    slots = interfaces = 1;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    assert_false(SmcTraceWanted(last_arrived));
    SmcTrace(last_arrived, &packet);
    assert_string_equal(events, "arrived0 ");
    smc_io_trace(last_arrived, 1);
    assert_true(SmcTraceWanted(last_arrived));
    SmcTrace(last_arrived, &packet);
    assert_string_equal(events, "arrived0 trace0 C10 ");
    smc_io_trace(last_arrived, 0);
    SmcTrace(last_arrived, &packet);
    assert_string_equal(events, "arrived0 trace0 C10 ");
    SmcReportDeviceDeparture(physical, FALSE);
}

static void test_io_without_a_client_devices_come_and_go_quietly(void **state)
{
    PDEVICE_OBJECT physical;

    (void)state;
    smc_io_register(NULL);
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    SmcReportDeviceDeparture(physical, TRUE);
    assert_string_equal(events, "surprise0 remove0 surprise1 remove1 ");
}

static void test_io_client_that_left_is_not_told_of_the_departure(void **state)
{
    PDEVICE_OBJECT physical;
    UNICODE_STRING name;

    (void)state;
    slots = 1;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    smc_io_register(NULL);
    assert_true(smc_string_make(&name, "\\??\\SmartCardReader#0"));
    assert_status(IoSetDeviceInterfaceState(&name, FALSE), STATUS_NO_SUCH_DEVICE);
    RtlFreeUnicodeString(&name);
    name = last_arrived->InterfaceName;
    assert_status(IoSetDeviceInterfaceState(&name, FALSE), STATUS_SUCCESS);
    assert_status(IoSetDeviceInterfaceState(&name, FALSE), STATUS_SUCCESS);
    assert_status(IoSetDeviceInterfaceState(&name, TRUE), STATUS_SUCCESS);
    assert_string_equal(events, "arrived0 ");
    SmcReportDeviceDeparture(physical, FALSE);
    assert_string_equal(events, "arrived0 remove0 ");
}

static void test_io_client_that_left_with_the_reader_announced_is_not_called(void **state)
{
    PDEVICE_OBJECT physical;

    (void)state;
    slots = 1;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    smc_io_register(NULL);
    SmcReportDeviceDeparture(physical, FALSE);
    assert_string_equal(events, "arrived0 remove0 ");
}

static void test_io_driver_without_add_device_gets_none(void **state)
{
    PDEVICE_OBJECT physical = NULL;

    (void)state;
    driver.DriverExtension->AddDevice = NULL;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_NOT_SUPPORTED);
    assert_null(physical);
}

static void test_io_functions_without_interface_leave_one_by_one(void **state)
{
    PDEVICE_OBJECT physical;

    (void)state;
    interfaces = 0;
    assert_status(SmcReportDeviceArrival(&driver, &identity, &driver, &physical),
                  STATUS_SUCCESS);
    SmcReportDeviceDeparture(physical, FALSE);
    assert_string_equal(events, "remove0 remove1 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_io_arrival_announces_each_function_with_its_identity, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_io_function_without_interface_is_removed_without_the_client, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_io_orderly_departure_is_no_surprise, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_io_function_that_the_client_refuses_is_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_io_add_device_that_fails_late_takes_back_what_was_announced, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_io_unload_removes_what_the_driver_left,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_io_interface_state_of_an_unknown_name_is_no_such_device, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_io_interface_may_be_named_through_the_physical_device, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_io_driver_that_keeps_its_device_points_to_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_io_service_is_asked_of_the_client_and_of_nobody_without_one, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_io_trace_is_shown_only_while_it_is_wanted,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_io_without_a_client_devices_come_and_go_quietly, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_io_client_that_left_is_not_told_of_the_departure, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_io_client_that_left_with_the_reader_announced_is_not_called, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_io_driver_without_add_device_gets_none,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_io_functions_without_interface_leave_one_by_one, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
