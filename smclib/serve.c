/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve.c - a request in the driver: it waits for its turn, becomes CurrentIrp, is handed
 * to its callback, and leaves with the callback's status, at once or later through
 * SmartcardCompleteRequest.
 */
#include "control.h"

/* Makes the request the current one. */
static NTSTATUS enter(PSMARTCARD_EXTENSION ext, PIRP irp)
{
    NTSTATUS status = STATUS_SUCCESS;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    /* The mutex is recursive: CurrentIrp also tells of a callback that calls back in. */
    if (ext->OsData->CallbackPending || ext->OsData->CurrentIrp != NULL)
        status = STATUS_DEVICE_BUSY;
    else
        ext->OsData->CurrentIrp = irp;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    return status;
}

/* Takes the request out again: false when SmartcardCompleteRequest was faster. */
static bool leave(PSMARTCARD_EXTENSION ext, PIRP irp)
{
    bool mine;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    mine = ext->OsData->CurrentIrp == irp;
    if (mine)
        ext->OsData->CurrentIrp = NULL;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    return mine;
}

/* What follows from a callback's status, while no other request can be in the driver.
 * Returns the status of the request. */
static NTSTATUS conclude(PSMARTCARD_EXTENSION ext, ULONG code, ULONG out_len,
                         NTSTATUS status, ULONG *information)
{
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    ext->LastError = (ULONG)status;
    if (code == IOCTL_SMARTCARD_SET_PROTOCOL && !NT_SUCCESS(status) &&
        ext->ReaderCapabilities.CurrentState != SCARD_SPECIFIC)
        ext->CardCapabilities.Protocol.Selected = SCARD_PROTOCOL_UNDEFINED;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);

    if (code == IOCTL_SMARTCARD_TRANSMIT)
        smc_device_wipe(ext);
    if (!NT_SUCCESS(status)) {
        *information = 0;
    } else if (*information > out_len) {
        SmcLog(ext->OsData->DeviceObject, STATUS_INTERNAL_ERROR,
               "driver returns %u bytes, the caller has room for %u",
               (unsigned)*information, (unsigned)out_len);
        *information = 0;
        status = STATUS_INTERNAL_ERROR;
    }
    return status;
}

/* Calls the callback for the current request. STATUS_PENDING: not to be completed here.
 */
static NTSTATUS call_driver(PSMARTCARD_EXTENSION ext, PIRP irp,
                            const struct smc_control_row *row,
                            const struct smc_buffers *buffers, ULONG *information)
{
    ULONG code = irp->Stack.Parameters.DeviceIoControl.IoControlCode;
    NTSTATUS status;
    KIRQL irql;

    smc_private(ext)->information = 0;
    ext->IoRequest.Information = &smc_private(ext)->information;
    ext->IoRequest.RequestBuffer = ext->IoRequest.ReplyBuffer = buffers->bytes;
    ext->IoRequest.RequestBufferLength = buffers->in_len;
    ext->IoRequest.ReplyBufferLength = buffers->out_len;
    ext->MajorIoControlCode = code;
    ext->MinorIoControlCode = 0;

    status = smc_state_suffices(smc_device_state(ext), row->min_state);
    if (NT_SUCCESS(status))
        status = row->prepare != NULL ? row->prepare(ext, buffers) : STATUS_PENDING;
    if (status != STATUS_PENDING) {
        *information = NT_SUCCESS(status) ? smc_private(ext)->information : 0;
        leave(ext, irp);
        return status;
    }

    status = ext->ReaderFunction[row->callback](ext);
    if (status == STATUS_PENDING) {
        KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
        if (ext->OsData->CurrentIrp == irp)
            ext->OsData->CallbackPending = TRUE;
        KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
        return STATUS_PENDING;
    }
    *information = smc_private(ext)->information;
    status = conclude(ext, code, buffers->out_len, status, information);
    if (!leave(ext, irp)) {
        SmcLog(ext->OsData->DeviceObject, STATUS_INTERNAL_ERROR,
               "driver completes a request and returns %s for it",
               smc_status_name(status));
        return STATUS_PENDING;
    }
    return status;
}

NTSTATUS smc_serve(PSMARTCARD_EXTENSION ext, PIRP irp, const struct smc_control_row *row,
                   const struct smc_buffers *buffers, ULONG *information)
{
    NTSTATUS status;

    if (ext->ReaderFunction[row->callback] == NULL)
        return STATUS_NOT_SUPPORTED;
    status = smc_irp_take_turn(&ext->OsData->Mutex, irp);
    if (!NT_SUCCESS(status))
        return status;
    status = enter(ext, irp);
    if (NT_SUCCESS(status))
        status = call_driver(ext, irp, row, buffers, information);
    KeReleaseMutex(&ext->OsData->Mutex, FALSE);
    return status;
}

VOID SmartcardCompleteRequest(PSMARTCARD_EXTENSION SmartcardExtension, NTSTATUS Status,
                              ULONG Information)
{
    PSMARTCARD_EXTENSION ext = SmartcardExtension;
    PIRP irp;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    irp = ext->OsData->CurrentIrp;
    ext->OsData->CurrentIrp = NULL;
    if (irp != NULL) /* perhaps before the callback has returned STATUS_PENDING */
        ext->OsData->CallbackPending = TRUE;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    if (irp == NULL) {
        SmcLog(ext->OsData->DeviceObject, STATUS_INTERNAL_ERROR,
               "driver completes a request that it does not have");
        return;
    }
    Status = conclude(ext, irp->Stack.Parameters.DeviceIoControl.IoControlCode,
                      irp->Stack.Parameters.DeviceIoControl.OutputBufferLength, Status,
                      &Information);
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    ext->OsData->CallbackPending = FALSE;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    smc_irp_complete(irp, Status, Information);
    SmartcardReleaseRemoveLock(ext);
}
