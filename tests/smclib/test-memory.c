/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation of the library, failing: the linker gives us calloc and malloc
 * (--wrap). What fails says so, and leaves nothing behind.
 */
#include "fake_reader.h"
#include "smclib/internal.h"

#include <stdlib.h>

void *__real_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);

static unsigned allocations; /* since start_counting */
static unsigned fails_at;    /* that one returns NULL; 0: none */

static void fail_allocation(unsigned number)
{
    allocations = 0;
    fails_at = number;
}

static bool fails(void)
{
    return ++allocations == fails_at;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

static DRIVER_OBJECT driver;
static PDEVICE_OBJECT device;

static int setup(void **state)
{
    (void)state;
    fail_allocation(0);
    memset(&driver, 0, sizeof driver);
    driver.DriverExtension = &driver.Extension;
    assert_status(IoCreateDevice(&driver, 0, NULL, 0, 0, FALSE, &device), STATUS_SUCCESS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fail_allocation(0);
    IoDeleteDevice(device);
    return driver.DeviceObject != NULL;
}

static NTSTATUS add_device(PDRIVER_OBJECT object, PDEVICE_OBJECT physical)
{
    (void)object;
    (void)physical;
    return STATUS_SUCCESS;
}

/* ---- what is called with little memory ------------------------------------------- */

static NTSTATUS initialize(void)
{
    static struct fake_reader reader;
    SMARTCARD_EXTENSION ext;
    unsigned at = fails_at;
    NTSTATUS status;

    fail_allocation(0);
    fake_reader_setup(&reader);
    ext = reader.ext;
    fake_reader_teardown(&reader);
    fail_allocation(at);
    ext.OsData = NULL;
    status = SmartcardInitialize(&ext);
    if (!NT_SUCCESS(status)) {
        assert_null(ext.OsData);
        assert_null(ext.SmartcardRequest.Buffer);
        assert_null(ext.SmartcardReply.Buffer);
    }
    SmartcardExit(&ext);
    return status;
}

static NTSTATUS create_device(void)
{
    PDEVICE_OBJECT second = NULL;
    NTSTATUS status = IoCreateDevice(&driver, 100, NULL, 0, 0, FALSE, &second);

    if (NT_SUCCESS(status))
        IoDeleteDevice(second);
    else
        assert_null(second);
    return status;
}

static NTSTATUS report_arrival(void)
{
    static const struct smc_device_identity identity = {.slot_count = 1};
    PDEVICE_OBJECT physical = NULL;
    NTSTATUS status;

    driver.Extension.AddDevice = add_device;
    status = SmcReportDeviceArrival(&driver, &identity, NULL, &physical);
    if (NT_SUCCESS(status))
        SmcReportDeviceDeparture(physical, FALSE);
    else
        assert_null(physical);
    return status;
}

static NTSTATUS register_interface(void)
{
    UNICODE_STRING name = {0, 0, NULL};
    NTSTATUS status =
        IoRegisterDeviceInterface(device, &SmartCardReaderGuid, NULL, &name);

    if (!NT_SUCCESS(status)) {
        assert_null(name.Buffer);
        assert_null(device->InterfaceName.Buffer);
    }
    RtlFreeUnicodeString(&name);
    RtlFreeUnicodeString(&device->InterfaceName);
    return status;
}

static NTSTATUS create_link(void)
{
    UNICODE_STRING name = {0, 0, NULL};
    UNICODE_STRING target = {0, 0, NULL};
    NTSTATUS status = SmartcardCreateLink(&name, &target);

    if (NT_SUCCESS(status))
        assert_status(SmartcardDeleteLink(&name), STATUS_SUCCESS);
    RtlFreeUnicodeString(&name);
    return status;
}

static NTSTATUS call_synchronously(void)
{
    static UCHAR value[1000];
    struct fake_reader *reader;
    ULONG tag = SCARD_ATTR_VENDOR_NAME;
    unsigned at = fails_at;
    NTSTATUS status;

    fail_allocation(0);
    reader = calloc(1, sizeof *reader);
    assert_non_null(reader);
    fake_reader_setup(reader);
    fail_allocation(at);
    status = SmartcardDeviceControlSync(&reader->ext, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag,
                                        sizeof tag, value, sizeof value, NULL);
    fake_reader_teardown(reader);
    free(reader);
    return status;
}

static void test_memory_that_is_missing_is_reported_and_nothing_is_left(void **state)
{
    static const struct {
        NTSTATUS (*call)(void);
        unsigned allocations;
    } rows[] = {
        {initialize, 3},         {create_device, 1}, {report_arrival, 1},
        {register_interface, 2}, {create_link, 1},   {call_synchronously, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned at = 1; at <= rows[i].allocations; at++) {
            fail_allocation(at);
            assert_status(rows[i].call(), STATUS_INSUFFICIENT_RESOURCES);
        }
        fail_allocation(rows[i].allocations + 1); /* and no further one is needed */
        assert_status(rows[i].call(), STATUS_SUCCESS);
        assert_int_equal(allocations, rows[i].allocations);
    }
}

/* A lock without a name holds as well as one with. */
static void test_memory_missing_for_a_tag_leaves_the_remove_lock_working(void **state)
{
    static struct fake_reader reader;

    (void)state;
    fake_reader_setup(&reader);
    fail_allocation(1);
    assert_status(SmartcardAcquireRemoveLockWithTag(&reader.ext, 1), STATUS_SUCCESS);
    assert_int_equal(reader.ext.OsData->RemoveLock.RefCount, 2);
    SmartcardReleaseRemoveLockWithTag(&reader.ext, 1);
    assert_int_equal(reader.ext.OsData->RemoveLock.RefCount, 1);
    fake_reader_teardown(&reader);
}

static void test_memory_of_the_pool_may_be_missing(void **state)
{
    (void)state;
    fail_allocation(1);
    assert_null(ExAllocatePool(NonPagedPool, 10));
    ExFreePool(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_memory_that_is_missing_is_reported_and_nothing_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_memory_missing_for_a_tag_leaves_the_remove_lock_working, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_memory_of_the_pool_may_be_missing, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
