/* SPDX-License-Identifier: BSD-2-Clause */
/* sync.c - the library's entry in the synchronous form of Windows CE. */
#include "internal.h"

#include <stdlib.h>

#define SMALL_BYTES 512 /* attributes, states and short APDUs need no allocation */

static VOID signal_done(PIRP irp, PVOID context)
{
    UNREFERENCED_PARAMETER(irp);
    KeSetEvent(context, IO_NO_INCREMENT, FALSE);
}

NTSTATUS SmartcardDeviceControlSync(PSMARTCARD_EXTENSION SmartcardExtension,
                                    ULONG IoControlCode, PVOID InBuffer,
                                    ULONG InBufferLength, PVOID OutBuffer,
                                    ULONG OutBufferLength, PULONG BytesReturned)
{
    ULONG size = InBufferLength > OutBufferLength ? InBufferLength : OutBufferLength;
    UCHAR small[SMALL_BYTES];
    PUCHAR buffer = small;
    NTSTATUS status;
    KEVENT done;
    IRP irp;

    if (BytesReturned != NULL)
        *BytesReturned = 0;
    if ((InBuffer == NULL && InBufferLength > 0) ||
        (OutBuffer == NULL && OutBufferLength > 0) || SmartcardExtension == NULL ||
        SmartcardExtension->OsData == NULL)
        return STATUS_INVALID_PARAMETER;
    if (size > sizeof small)
        buffer = malloc(size);
    if (buffer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (InBufferLength > 0)
        memcpy(buffer, InBuffer, InBufferLength);

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    smc_irp_init_ioctl(&irp, SmartcardExtension->OsData->DeviceObject, NULL,
                       IoControlCode, buffer, InBufferLength, OutBufferLength,
                       signal_done, &done);
    status = SmartcardDeviceControl(SmartcardExtension, &irp);
    if (status == STATUS_PENDING || irp.Completed) {
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
        status = irp.IoStatus.Status;
        if (NT_SUCCESS(status) && irp.IoStatus.Information > 0)
            memcpy(OutBuffer, buffer, irp.IoStatus.Information);
        if (NT_SUCCESS(status) && BytesReturned != NULL)
            *BytesReturned = (ULONG)irp.IoStatus.Information;
    }
    RtlSecureZeroMemory(buffer, size);
    if (buffer != small)
        free(buffer);
    return status;
}
