/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"

#include <errno.h>

static const struct {
    ULONG status;
    int error;
    ULONG winerror;
    const char *name;
} rows[] = {
    {0x00000000, 0, 0, "STATUS_SUCCESS"},
    {0x00000102, ETIMEDOUT, 258, "STATUS_TIMEOUT"},
    {0x00000103, EAGAIN, 997, "STATUS_PENDING"},
    {0x80000005, EMSGSIZE, 234, "STATUS_BUFFER_OVERFLOW"},
    {0x8000000F, EHOSTDOWN, 21, "STATUS_DEVICE_POWERED_OFF"},
    {0x80000011, EBUSY, 170, "STATUS_DEVICE_BUSY"},
    {0xC0000001, EIO, 31, "STATUS_UNSUCCESSFUL"},
    {0xC0000002, ENOSYS, 1, "STATUS_NOT_IMPLEMENTED"},
    {0xC000000D, EINVAL, 87, "STATUS_INVALID_PARAMETER"},
    {0xC000000E, ENODEV, 2, "STATUS_NO_SUCH_DEVICE"},
    {0xC0000010, ENOTTY, 1, "STATUS_INVALID_DEVICE_REQUEST"},
    {0xC0000014, EMEDIUMTYPE, 1785, "STATUS_UNRECOGNIZED_MEDIA"},
    {0xC0000016, EPROTO, 234, "STATUS_MORE_PROCESSING_REQUIRED"},
    {0xC0000022, EACCES, 5, "STATUS_ACCESS_DENIED"},
    {0xC0000023, ENOBUFS, 122, "STATUS_BUFFER_TOO_SMALL"},
    {0xC000003F, EBADMSG, 23, "STATUS_CRC_ERROR"},
    {0xC0000056, ESHUTDOWN, 303, "STATUS_DELETE_PENDING"},
    {0xC000009A, ENOMEM, 1450, "STATUS_INSUFFICIENT_RESOURCES"},
    {0xC000009D, ENXIO, 1167, "STATUS_DEVICE_NOT_CONNECTED"},
    {0xC00000A3, EAGAIN, 21, "STATUS_DEVICE_NOT_READY"},
    {0xC00000B5, ETIMEDOUT, 121, "STATUS_IO_TIMEOUT"},
    {0xC00000BB, EOPNOTSUPP, 50, "STATUS_NOT_SUPPORTED"},
    {0xC00000E5, EREMOTEIO, 1359, "STATUS_INTERNAL_ERROR"},
    {0xC00000EF, EINVAL, 87, "STATUS_INVALID_PARAMETER_1"},
    {0xC00000F0, EINVAL, 87, "STATUS_INVALID_PARAMETER_2"},
    {0xC0000120, ECANCELED, 995, "STATUS_CANCELLED"},
    {0xC0000178, ENOMEDIUM, 1112, "STATUS_NO_MEDIA"},
    {0xC0000184, EBADFD, 22, "STATUS_INVALID_DEVICE_STATE"},
    {0xC0000185, EIO, 1117, "STATUS_IO_DEVICE_ERROR"},
    {0xC0000186, EPROTO, 1117, "STATUS_DEVICE_PROTOCOL_ERROR"},
    {0xC00002B6, ENODEV, 1617, "STATUS_DEVICE_REMOVED"},
};

static void test_status_of_every_row_has_its_errno_name_and_win32_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        NTSTATUS status = (NTSTATUS)rows[i].status;

        assert_int_equal(smc_status_errno(status), rows[i].error);
        assert_string_equal(smc_status_name(status), rows[i].name);
        assert_int_equal(MapNtStatusToWinError(status), rows[i].winerror);
    }
}

static void test_status_without_row_is_eio_or_success_by_its_sign(void **state)
{
    (void)state;
    assert_int_equal(smc_status_errno((NTSTATUS)0xC0FFEE00), EIO);
    assert_int_equal(smc_status_errno((NTSTATUS)0x00000042), 0);
    assert_string_equal(smc_status_name((NTSTATUS)0xC0FFEE00), "STATUS_UNKNOWN");
    assert_int_equal(MapNtStatusToWinError((NTSTATUS)0xC0FFEE00), 317);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_of_every_row_has_its_errno_name_and_win32_code),
        cmocka_unit_test(test_status_without_row_is_eio_or_success_by_its_sign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
