/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status.c - one table from NTSTATUS to errno, name and Windows error number. scardfs(5)
 * shows it to users: adding a cause means adding a row here and there.
 */
#include "internal.h"

#include <errno.h>

#define WIN_MR_MID_NOT_FOUND 317

struct status_row {
    NTSTATUS status;
    int error;      /* errno */
    ULONG winerror; /* ERROR_* */
    const char *name;
};

#define ROW(status, error, winerror)                                                     \
    {                                                                                    \
        status, error, winerror, #status                                                 \
    }

static const struct status_row rows[] = {
    ROW(STATUS_SUCCESS, 0, 0),
    ROW(STATUS_TIMEOUT, ETIMEDOUT, 258),
    ROW(STATUS_PENDING, EAGAIN, 997),
    ROW(STATUS_BUFFER_OVERFLOW, EMSGSIZE, 234),
    ROW(STATUS_DEVICE_POWERED_OFF, EHOSTDOWN, 21),
    ROW(STATUS_DEVICE_BUSY, EBUSY, 170),
    ROW(STATUS_UNSUCCESSFUL, EIO, 31),
    ROW(STATUS_NOT_IMPLEMENTED, ENOSYS, 1),
    ROW(STATUS_INVALID_PARAMETER, EINVAL, 87),
    ROW(STATUS_NO_SUCH_DEVICE, ENODEV, 2),
    ROW(STATUS_INVALID_DEVICE_REQUEST, ENOTTY, 1),
    ROW(STATUS_UNRECOGNIZED_MEDIA, EMEDIUMTYPE, 1785),
    ROW(STATUS_MORE_PROCESSING_REQUIRED, EPROTO, 234),
    ROW(STATUS_ACCESS_DENIED, EACCES, 5),
    ROW(STATUS_BUFFER_TOO_SMALL, ENOBUFS, 122),
    ROW(STATUS_CRC_ERROR, EBADMSG, 23),
    ROW(STATUS_DELETE_PENDING, ESHUTDOWN, 303),
    ROW(STATUS_INSUFFICIENT_RESOURCES, ENOMEM, 1450),
    ROW(STATUS_DEVICE_NOT_CONNECTED, ENXIO, 1167),
    ROW(STATUS_DEVICE_NOT_READY, EAGAIN, 21),
    ROW(STATUS_IO_TIMEOUT, ETIMEDOUT, 121),
    ROW(STATUS_NOT_SUPPORTED, EOPNOTSUPP, 50),
    ROW(STATUS_INTERNAL_ERROR, EREMOTEIO, 1359),
    ROW(STATUS_INVALID_PARAMETER_1, EINVAL, 87),
    ROW(STATUS_INVALID_PARAMETER_2, EINVAL, 87),
    ROW(STATUS_CANCELLED, ECANCELED, 995),
    ROW(STATUS_NO_MEDIA, ENOMEDIUM, 1112),
    ROW(STATUS_INVALID_DEVICE_STATE, EBADFD, 22),
    ROW(STATUS_IO_DEVICE_ERROR, EIO, 1117),
    ROW(STATUS_DEVICE_PROTOCOL_ERROR, EPROTO, 1117),
    ROW(STATUS_CONNECTION_RESET, ECONNRESET, 64),
    ROW(STATUS_DEVICE_REMOVED, ENODEV, 1617),
};

static const struct status_row *find(NTSTATUS status)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].status == status)
            return &rows[i];
    }
    return NULL;
}

int smc_status_errno(NTSTATUS status)
{
    const struct status_row *row = find(status);

    if (row != NULL)
        return row->error;
    return NT_SUCCESS(status) ? 0 : EIO;
}

const char *smc_status_name(NTSTATUS status)
{
    const struct status_row *row = find(status);

    return row != NULL ? row->name : "STATUS_UNKNOWN";
}

ULONG MapNtStatusToWinError(NTSTATUS Status)
{
    const struct status_row *row = find(Status);

    return row != NULL ? row->winerror : WIN_MR_MID_NOT_FOUND;
}
