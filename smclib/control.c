/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - SmartcardDeviceControl: one row per control code, checked in the order
 * sizes and values -> callback there -> (one's turn) -> card present -> state -> the
 * code's own preparation -> callback.
 *
 * POWER is the exception in one place: the room for an ATR is looked at after presence.
 */
#include "internal.h"

#define NO_CALLBACK RDF_COUNT
#define ANY_STATE   SCARD_UNKNOWN
#define ANY_CARD    SCARD_PRESENT /* the lowest state with a card */

#define STATUS_WORD_LEN 2
#define PSEUDO_CLA      0xFF /* PC/SC part 3: for the reader, not an APDU of a card */

struct buffers {
    PUCHAR bytes; /* input and output */
    ULONG in_len;
    ULONG out_len;
};

/* Answers without the driver. */
typedef NTSTATUS answer_function(PSMARTCARD_EXTENSION ext, const struct buffers *buffers,
                                 ULONG *information);
/* Checks values before the request waits for its turn. */
typedef NTSTATUS check_function(PSMARTCARD_EXTENSION ext, const struct buffers *buffers);
/* With the turn: checks what depends on the card and prepares the callback. What it
 * returns other than STATUS_PENDING is the request's status, without the callback. */
typedef NTSTATUS prepare_function(PSMARTCARD_EXTENSION ext,
                                  const struct buffers *buffers);

struct control_row {
    ULONG code;
    ULONG min_in;
    ULONG min_out;
    ULONG min_state;
    unsigned callback;
    answer_function *answer;
    check_function *check;
    prepare_function *prepare;
};

static ULONG number_at(const UCHAR *bytes)
{
    ULONG number;

    memcpy(&number, bytes, sizeof number);
    return number;
}

static NTSTATUS answer_number(const struct buffers *buffers, ULONG *information,
                              ULONG number)
{
    memcpy(buffers->bytes, &number, sizeof number);
    *information = sizeof number;
    return STATUS_SUCCESS;
}

/* ---- answered here --------------------------------------------------------------- */

static NTSTATUS answer_state(PSMARTCARD_EXTENSION ext, const struct buffers *buffers,
                             ULONG *information)
{
    return answer_number(buffers, information, smc_device_state(ext));
}

static NTSTATUS answer_last_error(PSMARTCARD_EXTENSION ext, const struct buffers *buffers,
                                  ULONG *information)
{
    ULONG last;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    last = ext->LastError;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    return answer_number(buffers, information, last);
}

static NTSTATUS answer_get_attribute(PSMARTCARD_EXTENSION ext,
                                     const struct buffers *buffers, ULONG *information)
{
    return smc_attr_get(ext, number_at(buffers->bytes), buffers->bytes, buffers->out_len,
                        information);
}

static NTSTATUS answer_set_attribute(PSMARTCARD_EXTENSION ext,
                                     const struct buffers *buffers, ULONG *information)
{
    UNREFERENCED_PARAMETER(information);
    return smc_attr_set(ext, number_at(buffers->bytes), buffers->bytes + sizeof(ULONG),
                        buffers->in_len - (ULONG)sizeof(ULONG));
}

/* Performance counters are not compiled in. */
static NTSTATUS answer_perf(PSMARTCARD_EXTENSION ext, const struct buffers *buffers,
                            ULONG *information)
{
    UNREFERENCED_PARAMETER(ext);
    UNREFERENCED_PARAMETER(buffers);
    UNREFERENCED_PARAMETER(information);
    return STATUS_NOT_SUPPORTED;
}

static NTSTATUS answer_cancel_blocking(PSMARTCARD_EXTENSION ext,
                                       const struct buffers *buffers, ULONG *information)
{
    UNREFERENCED_PARAMETER(buffers);
    UNREFERENCED_PARAMETER(information);
    SmcEndCardTracking(ext, STATUS_CANCELLED);
    return STATUS_SUCCESS;
}

/* With one slot there are no stale events to clear. */
static NTSTATUS answer_reset_events(PSMARTCARD_EXTENSION ext,
                                    const struct buffers *buffers, ULONG *information)
{
    UNREFERENCED_PARAMETER(ext);
    UNREFERENCED_PARAMETER(buffers);
    UNREFERENCED_PARAMETER(information);
    return STATUS_SUCCESS;
}

/* ---- POWER ----------------------------------------------------------------------- */

static NTSTATUS check_power(PSMARTCARD_EXTENSION ext, const struct buffers *buffers)
{
    UNREFERENCED_PARAMETER(ext);
    return number_at(buffers->bytes) <= SCARD_WARM_RESET ? STATUS_SUCCESS
                                                         : STATUS_INVALID_PARAMETER;
}

static NTSTATUS prepare_power(PSMARTCARD_EXTENSION ext, const struct buffers *buffers)
{
    ULONG minor = number_at(buffers->bytes);
    KIRQL irql;

    if (minor == SCARD_POWER_DOWN) {
        /* The ATR stays readable until removal or the next reset. */
        KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
        ext->CardCapabilities.Protocol.Selected = SCARD_PROTOCOL_UNDEFINED;
        KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
        smc_t1_reset_extension(ext);
    } else {
        if (buffers->out_len < SCARD_ATR_LENGTH)
            return STATUS_BUFFER_TOO_SMALL;
        /* Without power there is nothing to keep warm. */
        if (minor == SCARD_WARM_RESET && smc_device_state(ext) <= SCARD_SWALLOWED)
            minor = SCARD_COLD_RESET;
        SmartcardInitializeCardCapabilities(ext);
    }
    ext->MinorIoControlCode = minor;
    return STATUS_PENDING;
}

/* ---- SET_PROTOCOL ---------------------------------------------------------------- */

static NTSTATUS prepare_protocol(PSMARTCARD_EXTENSION ext, const struct buffers *buffers)
{
    const ULONG known = SCARD_PROTOCOL_Tx | SCARD_PROTOCOL_RAW;
    ULONG mask = number_at(buffers->bytes);
    ULONG state, supported, selected, usable;
    KIRQL irql;

    if ((mask & known) == 0)
        return STATUS_INVALID_DEVICE_REQUEST;
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    state = ext->ReaderCapabilities.CurrentState;
    /* RAW is the reader's affair, whatever the card offers. */
    supported = (ext->CardCapabilities.Protocol.Supported | SCARD_PROTOCOL_RAW) &
                ext->ReaderCapabilities.SupportedProtocols;
    selected = ext->CardCapabilities.Protocol.Selected;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);

    if (state == SCARD_SPECIFIC) { /* no second negotiation */
        if ((mask & known & selected) == 0)
            return STATUS_NOT_SUPPORTED;
        return answer_number(buffers, ext->IoRequest.Information, selected);
    }
    usable = mask & known & supported;
    if (usable == 0)
        return STATUS_NOT_SUPPORTED;
    smc_caps_select(
        ext, (mask & SCARD_PROTOCOL_DEFAULT) != 0 ? PTS_TYPE_DEFAULT : PTS_TYPE_OPTIMAL,
        (usable & SCARD_PROTOCOL_T1) != 0 ? SCARD_PROTOCOL_T1 : SCARD_PROTOCOL_T0);
    smc_t1_reset_extension(ext);
    ext->MinorIoControlCode = usable;
    return STATUS_PENDING;
}

/* ---- TRANSMIT -------------------------------------------------------------------- */

static SCARD_IO_REQUEST io_request_at(const UCHAR *bytes)
{
    SCARD_IO_REQUEST header;

    memcpy(&header, bytes, sizeof header);
    return header;
}

static NTSTATUS check_transmit(PSMARTCARD_EXTENSION ext, const struct buffers *buffers)
{
    SCARD_IO_REQUEST header = io_request_at(buffers->bytes);
    ULONG room = header.dwProtocol == SCARD_PROTOCOL_RAW ? 0 : STATUS_WORD_LEN;

    UNREFERENCED_PARAMETER(ext);
    if (header.cbPciLength < sizeof header || header.cbPciLength >= buffers->in_len)
        return STATUS_INVALID_PARAMETER;
    /* What cannot even take the status word is refused before the card does anything. */
    if (buffers->out_len < header.cbPciLength ||
        buffers->out_len - header.cbPciLength < room)
        return STATUS_BUFFER_TOO_SMALL;
    return STATUS_SUCCESS;
}

static NTSTATUS prepare_transmit(PSMARTCARD_EXTENSION ext, const struct buffers *buffers)
{
    SCARD_IO_REQUEST header = io_request_at(buffers->bytes);
    const UCHAR *command = buffers->bytes + header.cbPciLength;
    ULONG len = buffers->in_len - header.cbPciLength;
    ULONG selected;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    selected = ext->CardCapabilities.Protocol.Selected;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    if (selected == SCARD_PROTOCOL_UNDEFINED || header.dwProtocol != selected)
        return STATUS_INVALID_DEVICE_STATE;
    if (selected != SCARD_PROTOCOL_RAW && command[0] != PSEUDO_CLA &&
        !smc_apdu_is_well_formed(command, len))
        return STATUS_INVALID_PARAMETER;
    smc_t1_abandon(&ext->T1);
    return STATUS_PENDING;
}

/* ---- attributes of the vendor class ---------------------------------------------- */

static NTSTATUS prepare_vendor_attribute(PSMARTCARD_EXTENSION ext,
                                         const struct buffers *buffers)
{
    ext->MinorIoControlCode = number_at(buffers->bytes);
    return STATUS_PENDING;
}

static bool is_vendor_attribute(const struct control_row *row,
                                const struct buffers *buffers)
{
    return (row->code == IOCTL_SMARTCARD_GET_ATTRIBUTE ||
            row->code == IOCTL_SMARTCARD_SET_ATTRIBUTE) &&
           number_at(buffers->bytes) >> 16 == SCARD_CLASS_VENDOR_DEFINED;
}

/* ---- the table ------------------------------------------------------------------- */

static const struct control_row rows[] = {
    {IOCTL_SMARTCARD_POWER, 4, 0, ANY_CARD, RDF_CARD_POWER, NULL, check_power,
     prepare_power},
    {IOCTL_SMARTCARD_GET_ATTRIBUTE, 4, 1, ANY_STATE, NO_CALLBACK, answer_get_attribute,
     NULL, NULL},
    {IOCTL_SMARTCARD_SET_ATTRIBUTE, 4, 0, ANY_STATE, NO_CALLBACK, answer_set_attribute,
     NULL, NULL},
    {IOCTL_SMARTCARD_CONFISCATE, 0, 0, ANY_CARD, RDF_CARD_CONFISCATE, NULL, NULL, NULL},
    {IOCTL_SMARTCARD_TRANSMIT, 8, 0, SCARD_SPECIFIC, RDF_TRANSMIT, NULL, check_transmit,
     prepare_transmit},
    {IOCTL_SMARTCARD_EJECT, 0, 0, ANY_CARD, RDF_CARD_EJECT, NULL, NULL, NULL},
    {IOCTL_SMARTCARD_SWALLOW, 0, 0, ANY_CARD, RDF_READER_SWALLOW, NULL, NULL, NULL},
    {IOCTL_SMARTCARD_SET_PROTOCOL, 4, 4, SCARD_NEGOTIABLE, RDF_SET_PROTOCOL, NULL, NULL,
     prepare_protocol},
    {IOCTL_SMARTCARD_GET_STATE, 0, 4, ANY_STATE, NO_CALLBACK, answer_state, NULL, NULL},
    {IOCTL_SMARTCARD_GET_LAST_ERROR, 0, 4, ANY_STATE, NO_CALLBACK, answer_last_error,
     NULL, NULL},
    {IOCTL_SMARTCARD_GET_PERF_CNTR, 0, 0, ANY_STATE, NO_CALLBACK, answer_perf, NULL,
     NULL},
    {SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, 0, 0, ANY_STATE, NO_CALLBACK,
     answer_cancel_blocking, NULL, NULL},
    {SCFS_IOCTL_SMARTCARD_RESET_EVENTS, 0, 0, ANY_STATE, NO_CALLBACK, answer_reset_events,
     NULL, NULL},
};

/* Codes that the library does not know are the vendor's, unchecked. */
static const struct control_row vendor_row = {
    0, 0, 0, ANY_STATE, RDF_IOCTL_VENDOR, NULL, NULL, NULL};
static const struct control_row vendor_attribute_row = {
    0, 0, 0, ANY_STATE, RDF_IOCTL_VENDOR, NULL, NULL, prepare_vendor_attribute};

static const struct control_row *find(ULONG code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == code)
            return &rows[i];
    }
    return &vendor_row;
}

static NTSTATUS check(PSMARTCARD_EXTENSION ext, const struct control_row *row,
                      const struct buffers *buffers)
{
    if (buffers->bytes == NULL && (buffers->in_len > 0 || buffers->out_len > 0))
        return STATUS_INVALID_PARAMETER;
    if (buffers->in_len < row->min_in)
        return STATUS_INVALID_PARAMETER;
    if (buffers->out_len < row->min_out)
        return STATUS_BUFFER_TOO_SMALL;
    return row->check != NULL ? row->check(ext, buffers) : STATUS_SUCCESS;
}

/* ---- in the driver --------------------------------------------------------------- */

static NTSTATUS check_state(PSMARTCARD_EXTENSION ext, ULONG min_state)
{
    ULONG state = smc_device_state(ext);

    if (min_state > SCARD_ABSENT && state <= SCARD_ABSENT)
        return STATUS_NO_MEDIA;
    return state >= min_state ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_STATE;
}

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
                            const struct control_row *row, const struct buffers *buffers,
                            ULONG *information)
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

    status = check_state(ext, row->min_state);
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

/* Waits for the turn of the request and serves it, up to but without completion. */
static NTSTATUS serve(PSMARTCARD_EXTENSION ext, PIRP irp, const struct control_row *row,
                      const struct buffers *buffers, ULONG *information)
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
    const struct control_row *row;
    struct buffers buffers;
    ULONG information = 0;
    NTSTATUS status;
    ULONG code;

    if (!call_is_valid(ext, Irp))
        return STATUS_INVALID_PARAMETER;
    status = SmartcardAcquireRemoveLock(ext);
    if (!NT_SUCCESS(status))
        return smc_irp_complete(Irp, status, 0);

    code = Irp->Stack.Parameters.DeviceIoControl.IoControlCode;
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
        else
            status = serve(ext, Irp, row, &buffers, &information);
    }
    if (status == STATUS_PENDING) /* SmartcardCompleteRequest does the rest */
        return STATUS_PENDING;
    if (row == &vendor_attribute_row && status == STATUS_INVALID_DEVICE_REQUEST)
        status = STATUS_NOT_SUPPORTED;
    status = smc_irp_complete(Irp, status, NT_SUCCESS(status) ? information : 0);
    SmartcardReleaseRemoveLock(ext);
    return status;
}
