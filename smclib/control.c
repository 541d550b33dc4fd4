/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - SmartcardDeviceControl: one row per control code, checked in the order
 * sizes and values -> callback there -> (one's turn) -> card present -> state -> the
 * code's own preparation -> callback.
 *
 * POWER is the exception in one place: the room for an ATR is looked at after presence.
 */
#include "control.h"

#define NO_CALLBACK RDF_COUNT
#define ANY_STATE   SCARD_UNKNOWN
#define ANY_CARD    SCARD_PRESENT /* the lowest state with a card */

/* ---- answered here --------------------------------------------------------------- */

static NTSTATUS answer_state(PSMARTCARD_EXTENSION ext, const struct smc_buffers *buffers,
                             ULONG *information)
{
    return smc_answer_number(buffers, information, smc_device_state(ext));
}

static NTSTATUS answer_last_error(PSMARTCARD_EXTENSION ext,
                                  const struct smc_buffers *buffers, ULONG *information)
{
    ULONG last;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    last = ext->LastError;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    return smc_answer_number(buffers, information, last);
}

static NTSTATUS answer_get_attribute(PSMARTCARD_EXTENSION ext,
                                     const struct smc_buffers *buffers,
                                     ULONG *information)
{
    return smc_attr_get(ext, smc_number_at(buffers->bytes), buffers->bytes,
                        buffers->out_len, information);
}

static NTSTATUS answer_set_attribute(PSMARTCARD_EXTENSION ext,
                                     const struct smc_buffers *buffers,
                                     ULONG *information)
{
    UNREFERENCED_PARAMETER(information);
    return smc_attr_set(ext, smc_number_at(buffers->bytes),
                        buffers->bytes + sizeof(ULONG),
                        buffers->in_len - (ULONG)sizeof(ULONG));
}

/* Performance counters are not compiled in. */
static NTSTATUS answer_perf(PSMARTCARD_EXTENSION ext, const struct smc_buffers *buffers,
                            ULONG *information)
{
    UNREFERENCED_PARAMETER(ext);
    UNREFERENCED_PARAMETER(buffers);
    UNREFERENCED_PARAMETER(information);
    return STATUS_NOT_SUPPORTED;
}

static NTSTATUS answer_cancel_blocking(PSMARTCARD_EXTENSION ext,
                                       const struct smc_buffers *buffers,
                                       ULONG *information)
{
    UNREFERENCED_PARAMETER(buffers);
    UNREFERENCED_PARAMETER(information);
    SmcEndCardTracking(ext, STATUS_CANCELLED);
    return STATUS_SUCCESS;
}

/* With one slot there are no stale events to clear. */
static NTSTATUS answer_reset_events(PSMARTCARD_EXTENSION ext,
                                    const struct smc_buffers *buffers, ULONG *information)
{
    UNREFERENCED_PARAMETER(ext);
    UNREFERENCED_PARAMETER(buffers);
    UNREFERENCED_PARAMETER(information);
    return STATUS_SUCCESS;
}

static NTSTATUS answer_debug_level(PSMARTCARD_EXTENSION ext,
                                   const struct smc_buffers *buffers, ULONG *information)
{
    UNREFERENCED_PARAMETER(ext);
    UNREFERENCED_PARAMETER(information);
    SmartcardSetDebugLevel(smc_number_at(buffers->bytes));
    return STATUS_SUCCESS;
}

static bool is_vendor_attribute(const struct smc_control_row *row,
                                const struct smc_buffers *buffers)
{
    return (row->code == IOCTL_SMARTCARD_GET_ATTRIBUTE ||
            row->code == IOCTL_SMARTCARD_SET_ATTRIBUTE) &&
           smc_number_at(buffers->bytes) >> 16 == SCARD_CLASS_VENDOR_DEFINED;
}

/* ---- the table ------------------------------------------------------------------- */

static const struct smc_control_row rows[] = {
    {IOCTL_SMARTCARD_POWER, 4, 0, ANY_CARD, RDF_CARD_POWER, NULL, smc_check_power,
     smc_prepare_power},
    {IOCTL_SMARTCARD_GET_ATTRIBUTE, 4, 1, ANY_STATE, NO_CALLBACK, answer_get_attribute,
     NULL, NULL},
    {IOCTL_SMARTCARD_SET_ATTRIBUTE, 4, 0, ANY_STATE, NO_CALLBACK, answer_set_attribute,
     NULL, NULL},
    {IOCTL_SMARTCARD_CONFISCATE, 0, 0, ANY_CARD, RDF_CARD_CONFISCATE, NULL, NULL, NULL},
    {IOCTL_SMARTCARD_TRANSMIT, 8, 0, SCARD_SPECIFIC, RDF_TRANSMIT, NULL,
     smc_check_transmit, smc_prepare_transmit},
    {IOCTL_SMARTCARD_EJECT, 0, 0, ANY_CARD, RDF_CARD_EJECT, NULL, NULL, NULL},
    {IOCTL_SMARTCARD_SWALLOW, 0, 0, ANY_CARD, RDF_READER_SWALLOW, NULL, NULL, NULL},
    {IOCTL_SMARTCARD_SET_PROTOCOL, 4, 4, SCARD_NEGOTIABLE, RDF_SET_PROTOCOL, NULL, NULL,
     smc_prepare_protocol},
    {IOCTL_SMARTCARD_GET_STATE, 0, 4, ANY_STATE, NO_CALLBACK, answer_state, NULL, NULL},
    {IOCTL_SMARTCARD_GET_LAST_ERROR, 0, 4, ANY_STATE, NO_CALLBACK, answer_last_error,
     NULL, NULL},
    {IOCTL_SMARTCARD_GET_PERF_CNTR, 0, 0, ANY_STATE, NO_CALLBACK, answer_perf, NULL,
     NULL},
    {SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, 0, 0, ANY_STATE, NO_CALLBACK,
     answer_cancel_blocking, NULL, NULL},
    {SCFS_IOCTL_SMARTCARD_RESET_EVENTS, 0, 0, ANY_STATE, NO_CALLBACK, answer_reset_events,
     NULL, NULL},
    {SCFS_IOCTL_SMARTCARD_SET_DEBUG_LEVEL, 4, 0, ANY_STATE, RDF_DEBUG_LEVEL,
     answer_debug_level, NULL, smc_prepare_number},
};

/* Codes that the library does not know are the vendor's, unchecked. */
static const struct smc_control_row vendor_row = {
    0, 0, 0, ANY_STATE, RDF_IOCTL_VENDOR, NULL, NULL, NULL};
static const struct smc_control_row vendor_attribute_row = {
    0, 0, 0, ANY_STATE, RDF_IOCTL_VENDOR, NULL, NULL, smc_prepare_number};

static const struct smc_control_row *find(ULONG code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == code)
            return &rows[i];
    }
    return &vendor_row;
}

static NTSTATUS check(PSMARTCARD_EXTENSION ext, const struct smc_control_row *row,
                      const struct smc_buffers *buffers)
{
    if (buffers->bytes == NULL && (buffers->in_len > 0 || buffers->out_len > 0))
        return STATUS_INVALID_PARAMETER;
    if (buffers->in_len < row->min_in)
        return STATUS_INVALID_PARAMETER;
    if (buffers->out_len < row->min_out)
        return STATUS_BUFFER_TOO_SMALL;
    return row->check != NULL ? row->check(ext, buffers) : STATUS_SUCCESS;
}

/* A row that the library has answered may have a callback too, where there is one. */
static bool is_the_drivers(PSMARTCARD_EXTENSION ext, const struct smc_control_row *row)
{
    return row->answer == NULL ||
           (row->callback != NO_CALLBACK && ext->ReaderFunction[row->callback] != NULL);
}

/* ---- the entry ------------------------------------------------------------------- */

static bool call_is_valid(const SMARTCARD_EXTENSION *ext, const IRP *irp)
{
    return ext != NULL && irp != NULL && ext->Version >= SMCLIB_VERSION_REQUIRED &&
           ext->Version <= SMCLIB_VERSION && ext->OsData != NULL &&
           ext->OsData->DeviceObject != NULL;
}

NTSTATUS SmartcardDeviceControl(PSMARTCARD_EXTENSION SmartcardExtension, PIRP Irp)
{
    PSMARTCARD_EXTENSION ext = SmartcardExtension;
    const struct smc_control_row *row;
    struct smc_buffers buffers;
    ULONG information = 0;
    NTSTATUS status;
    ULONG code;

    if (!call_is_valid(ext, Irp))
        return STATUS_INVALID_PARAMETER;
    status = SmartcardAcquireRemoveLock(ext);
    if (!NT_SUCCESS(status))
        return smc_irp_complete(Irp, status, 0);

    code = Irp->Stack.Parameters.DeviceIoControl.IoControlCode;
    SmartcardDebug(DEBUG_IOCTL,
                   ("unit %u: ioctl %#x, %u bytes in, room for %u\n",
                    ext->VendorAttr.UnitNo, code,
                    Irp->Stack.Parameters.DeviceIoControl.InputBufferLength,
                    Irp->Stack.Parameters.DeviceIoControl.OutputBufferLength));
    if (code == IOCTL_SMARTCARD_IS_PRESENT || code == IOCTL_SMARTCARD_IS_ABSENT) {
        status = smc_track_issue(ext, Irp, code == IOCTL_SMARTCARD_IS_PRESENT);
        SmartcardReleaseRemoveLock(ext);
        return status;
    }
    buffers.bytes = Irp->AssociatedIrp.SystemBuffer;
    buffers.in_len = Irp->Stack.Parameters.DeviceIoControl.InputBufferLength;
    buffers.out_len = Irp->Stack.Parameters.DeviceIoControl.OutputBufferLength;
    row = find(code);
    status = check(ext, row, &buffers);
    if (NT_SUCCESS(status)) {
        if (is_vendor_attribute(row, &buffers))
            row = &vendor_attribute_row;
        if (row->answer != NULL)
            status = row->answer(ext, &buffers, &information);
        if (NT_SUCCESS(status) && is_the_drivers(ext, row))
            status = smc_serve(ext, Irp, row, &buffers, &information);
    }
    if (status == STATUS_PENDING) /* SmartcardCompleteRequest does the rest */
        return STATUS_PENDING;
    if (row == &vendor_attribute_row && status == STATUS_INVALID_DEVICE_REQUEST)
        status = STATUS_NOT_SUPPORTED;
    SmartcardDebug(DEBUG_IOCTL,
                   ("unit %u: ioctl %#x ends, %s, %u bytes out\n", ext->VendorAttr.UnitNo,
                    code, smc_status_name(status), information));
    status = smc_irp_complete(Irp, status, NT_SUCCESS(status) ? information : 0);
    SmartcardReleaseRemoveLock(ext);
    return status;
}
