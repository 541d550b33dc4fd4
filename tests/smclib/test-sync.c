/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"

static struct fake_reader reader;

/* What is in a block of a call when it is freed. */
static UCHAR freed[8];
static size_t freed_at;

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    if (block != NULL && freed_at > 0)
        memcpy(freed, (const UCHAR *)block + freed_at, sizeof freed);
    freed_at = 0;
    __real_free(block);
}

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

static void test_sync_call_returns_status_and_bytes(void **state)
{
    ULONG tag = SCARD_ATTR_VENDOR_NAME;
    UCHAR value[32];
    ULONG returned = 99;

    (void)state;
    assert_status(SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_GET_ATTRIBUTE,
                                             &tag, sizeof tag, value, sizeof value,
                                             &returned),
                  STATUS_SUCCESS);
    assert_int_equal(returned, 4);
    assert_memory_equal(value, "ACME", 4);
    assert_status(SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_GET_ATTRIBUTE,
                                             &tag, sizeof tag, value, 3, &returned),
                  STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(returned, 0);
    assert_status(SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_IS_ABSENT, NULL,
                                             0, NULL, 0, NULL),
                  STATUS_SUCCESS);
}

static void test_sync_call_with_large_buffers_works(void **state)
{
    static UCHAR value[60000];
    ULONG tag = SCARD_ATTR_VENDOR_NAME;
    ULONG returned;

    (void)state;
    assert_status(SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_GET_ATTRIBUTE,
                                             &tag, sizeof tag, value, sizeof value,
                                             &returned),
                  STATUS_SUCCESS);
    assert_int_equal(returned, 4);
}

static void test_sync_call_with_wrong_arguments_is_invalid(void **state)
{
    (void)state;
    assert_status(SmartcardDeviceControlSync(NULL, 0, NULL, 0, NULL, 0, NULL),
                  STATUS_INVALID_PARAMETER);
    assert_status(SmartcardDeviceControlSync(&reader.ext, 0, NULL, 1, NULL, 0, NULL),
                  STATUS_INVALID_PARAMETER);
    assert_status(SmartcardDeviceControlSync(&reader.ext, 0, NULL, 0, NULL, 1, NULL),
                  STATUS_INVALID_PARAMETER);
    POS_DEP_DATA os = reader.ext.OsData;
    reader.ext.OsData = NULL;
    assert_status(SmartcardDeviceControlSync(&reader.ext, 0, NULL, 0, NULL, 0, NULL),
                  STATUS_INVALID_PARAMETER);
    reader.ext.OsData = os;
    reader.ext.Version = 0;
    assert_status(SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_GET_STATE, NULL,
                                             0, NULL, 0, NULL),
                  STATUS_INVALID_PARAMETER);
}

static NTSTATUS insert_meanwhile(PSMARTCARD_EXTENSION ext)
{
    (void)ext;
    fake_reader_insert(&reader);
    return STATUS_PENDING;
}

static void test_sync_call_waits_for_a_tracker(void **state)
{
    (void)state;
    reader.ext.ReaderFunction[RDF_CARD_TRACKING] = insert_meanwhile;
    assert_status(SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_IS_PRESENT,
                                             NULL, 0, NULL, 0, NULL),
                  STATUS_SUCCESS);
}

static NTSTATUS complete_later(PSMARTCARD_EXTENSION ext)
{
    ext->IoRequest.ReplyBuffer[0] = 0x5A;
    SmartcardCompleteRequest(ext, STATUS_SUCCESS, 1);
    return STATUS_PENDING;
}

static void test_sync_call_waits_for_a_request_that_pends(void **state)
{
    UCHAR value = 0;
    ULONG returned = 0;

    (void)state;
    reader.ext.ReaderFunction[RDF_IOCTL_VENDOR] = complete_later;
    assert_status(SmartcardDeviceControlSync(&reader.ext, SCARD_CTL_CODE(2048), NULL, 0,
                                             &value, 1, &returned),
                  STATUS_SUCCESS);
    assert_int_equal(returned, 1);
    assert_int_equal(value, 0x5A);
}

/* It may have been a PIN. */
static void test_sync_call_leaves_nothing_in_its_buffer(void **state)
{
    static const UCHAR nothing[sizeof freed] = {0};
    UCHAR input[1000];

    (void)state;
    memset(input, '7', sizeof input);
    memset(freed, 'x', sizeof freed);
    freed_at = sizeof input - sizeof freed;
    assert_status(SmartcardDeviceControlSync(&reader.ext, SCARD_CTL_CODE(2049), input,
                                             sizeof input, NULL, 0, NULL),
                  STATUS_NOT_SUPPORTED);
    assert_memory_equal(freed, nothing, sizeof nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sync_call_returns_status_and_bytes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_sync_call_with_large_buffers_works, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_sync_call_with_wrong_arguments_is_invalid,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync_call_waits_for_a_tracker, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_sync_call_waits_for_a_request_that_pends,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync_call_leaves_nothing_in_its_buffer,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
