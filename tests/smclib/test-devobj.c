/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"
#include "smclib/devobj.h"

static DRIVER_OBJECT driver;
static struct smc_device *physical;
static PDEVICE_OBJECT first, second;

static PDEVICE_OBJECT create(void)
{
    PDEVICE_OBJECT device = NULL;

    assert_status(
        IoCreateDevice(&driver, 16, NULL, FILE_DEVICE_SMARTCARD, 4, TRUE, &device),
        STATUS_SUCCESS);
    return device;
}

static int setup(void **state)
{
    (void)state;
    assert_status(smc_devobj_create(&driver, 0, &physical), STATUS_SUCCESS);
    physical->object.Identity = &physical->identity;
    first = create();
    second = create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    IoDeleteDevice(first);
    IoDeleteDevice(second);
    IoDeleteDevice(&physical->object);
    return driver.DeviceObject != NULL;
}

static void test_devobj_is_created_with_what_was_asked_for(void **state)
{
    static const UCHAR zero[16];
    PDEVICE_OBJECT none;

    (void)state;
    assert_ptr_equal(first->DriverObject, &driver);
    assert_int_equal(first->DeviceType, FILE_DEVICE_SMARTCARD);
    assert_int_equal(first->Characteristics, 4);
    assert_int_equal(first->Flags, DO_DEVICE_INITIALIZING);
    assert_memory_equal(first->DeviceExtension, zero, sizeof zero);
    assert_null(physical->object.DeviceExtension);
    assert_ptr_equal(driver.DeviceObject, second);
    assert_ptr_equal(second->NextDevice, first);
    assert_status(IoCreateDevice(NULL, 0, NULL, 0, 0, FALSE, &none),
                  STATUS_INVALID_PARAMETER);
    assert_status(IoCreateDevice(&driver, 0, NULL, 0, 0, FALSE, NULL),
                  STATUS_INVALID_PARAMETER);
}

static void test_devobj_is_attached_to_a_physical_device_only(void **state)
{
    (void)state;
    assert_null(IoAttachDeviceToDeviceStack(NULL, &physical->object));
    assert_null(IoAttachDeviceToDeviceStack(first, NULL));
    assert_null(IoAttachDeviceToDeviceStack(first, second));
    assert_ptr_equal(IoAttachDeviceToDeviceStack(first, &physical->object),
                     &physical->object);
    assert_ptr_equal(IoAttachDeviceToDeviceStack(second, &physical->object),
                     &physical->object);
    assert_ptr_equal(physical->object.AttachedDevice, first);
}

/* AddDevice that undoes itself takes the last one back, and so on. */
static void test_devobj_detach_takes_the_last_one_that_is_not_announced(void **state)
{
    (void)state;
    IoAttachDeviceToDeviceStack(first, &physical->object);
    IoAttachDeviceToDeviceStack(second, &physical->object);
    IoDetachDevice(&physical->object);
    assert_null(second->LowerDevice);
    assert_ptr_equal(first->LowerDevice, &physical->object);
    smc_device_of(first)->announced = true;
    IoDetachDevice(&physical->object);
    assert_ptr_equal(first->LowerDevice, &physical->object);
    smc_device_of(first)->announced = false;
    IoDetachDevice(&physical->object);
    assert_null(physical->object.AttachedDevice);
    IoDetachDevice(&physical->object); /* nobody left: nothing happens */
}

static void test_devobj_detach_takes_the_one_that_is_being_removed(void **state)
{
    (void)state;
    IoAttachDeviceToDeviceStack(first, &physical->object);
    IoAttachDeviceToDeviceStack(second, &physical->object);
    smc_device_of(first)->departing = true;
    IoDetachDevice(&physical->object);
    assert_null(first->LowerDevice);
    assert_ptr_equal(second->LowerDevice, &physical->object);
}

static void test_devobj_is_known_until_it_is_deleted(void **state)
{
    PDEVICE_OBJECT third = create();

    (void)state;
    assert_true(smc_io_is_device(first));
    assert_true(smc_io_is_device(third));
    IoDeleteDevice(third);
    assert_false(smc_io_is_device(third));
    assert_false(smc_io_is_device(&driver));
    assert_false(smc_io_is_device(NULL));
}

static void test_devobj_interface_needs_a_function_without_one(void **state)
{
    static const GUID other = {1, 2, 3, {4}};
    UNICODE_STRING name, again;

    (void)state;
    assert_status(IoRegisterDeviceInterface(NULL, &SmartCardReaderGuid, NULL, &name),
                  STATUS_INVALID_PARAMETER);
    assert_status(IoRegisterDeviceInterface(first, NULL, NULL, &name),
                  STATUS_INVALID_PARAMETER);
    assert_status(IoRegisterDeviceInterface(first, &SmartCardReaderGuid, NULL, NULL),
                  STATUS_INVALID_PARAMETER);
    assert_status(IoRegisterDeviceInterface(first, &other, NULL, &name),
                  STATUS_INVALID_PARAMETER);
    assert_status(
        IoRegisterDeviceInterface(&physical->object, &SmartCardReaderGuid, NULL, &name),
        STATUS_INVALID_PARAMETER); /* no function on it */
    assert_status(IoRegisterDeviceInterface(first, &SmartCardReaderGuid, NULL, &name),
                  STATUS_SUCCESS);
    assert_status(IoRegisterDeviceInterface(first, &SmartCardReaderGuid, NULL, &again),
                  STATUS_INVALID_PARAMETER);
    RtlFreeUnicodeString(&name);
}

#define RACERS 4
#define ROUNDS 500

static void *come_and_go(void *context)
{
    PDRIVER_OBJECT object = context;
    unsigned wrong = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        PDEVICE_OBJECT device;
        UNICODE_STRING name;

        wrong += IoCreateDevice(object, 0, NULL, 0x31, 0, TRUE, &device) != 0;
        wrong +=
            IoRegisterDeviceInterface(device, &SmartCardReaderGuid, NULL, &name) != 0;
        wrong += IoSetDeviceInterfaceState(&name, FALSE) != STATUS_SUCCESS;
        RtlFreeUnicodeString(&name);
        IoDeleteDevice(device);
    }
    return (void *)(uintptr_t)wrong;
}

/* The devices of a name are looked for while others get theirs. */
static void test_devobj_devices_get_their_names_in_several_threads(void **state)
{
    static DRIVER_OBJECT object;
    pthread_t threads[RACERS];

    UNREFERENCED_PARAMETER(state);
    for (unsigned i = 0; i < RACERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &object), 0);
    for (unsigned i = 0; i < RACERS; i++) {
        void *wrong;

        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_null(object.DeviceObject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_devobj_is_created_with_what_was_asked_for,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_devobj_is_attached_to_a_physical_device_only,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_devobj_detach_takes_the_last_one_that_is_not_announced, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_devobj_detach_takes_the_one_that_is_being_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_devobj_is_known_until_it_is_deleted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_devobj_interface_needs_a_function_without_one, setup, teardown),
        cmocka_unit_test(test_devobj_devices_get_their_names_in_several_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
