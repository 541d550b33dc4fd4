/* SPDX-License-Identifier: BSD-2-Clause */
/* windows_callbacks.c - what the library calls, and the interrupt (windows_reader.c). */
#include <wdm.h>
#include <smclib.h>

#include "windows_reader.h"

#define SMARTCARD_POOL_TAG   'RniW'
#define READER_HEADER_LENGTH 3 /* what this reader wants in front of a request */

typedef struct _CARD_EVENT {
    LIST_ENTRY ListEntry;
    BOOLEAN CardPresent;
} CARD_EVENT, *PCARD_EVENT;

/* ---- card events ----------------------------------------------------------------- */

/* What an interrupt's deferred procedure does with the events it finds. */
static VOID ReaderProcessEvents(IN PDEVICE_EXTENSION DeviceExtension)
{
    PSMARTCARD_EXTENSION SmartcardExtension = &DeviceExtension->SmartcardExtension;
    PREADER_EXTENSION readerExtension = SmartcardExtension->ReaderExtension;
    BOOLEAN changed = FALSE;
    KIRQL irql;

    KeAcquireSpinLock(&readerExtension->EventLock, &irql);
    while (!IsListEmpty(&readerExtension->EventList)) {
        PCARD_EVENT event = CONTAINING_RECORD(RemoveHeadList(&readerExtension->EventList),
                                              CARD_EVENT, ListEntry);
        KIRQL unused;

        AccessUnsafeData(&unused);
        if (event->CardPresent) {
            SmartcardExtension->ReaderCapabilities.CurrentState = SCARD_SWALLOWED;
        } else {
            SmartcardExtension->ReaderCapabilities.CurrentState = SCARD_ABSENT;
            SmartcardExtension->CardCapabilities.Protocol.Selected =
                SCARD_PROTOCOL_UNDEFINED;
            SmartcardExtension->CardCapabilities.ATR.Length = 0;
        }
        EndAccessUnsafeData(unused);
        ExFreePoolWithTag(event, SMARTCARD_POOL_TAG);
        changed = TRUE;
    }
    KeReleaseSpinLock(&readerExtension->EventLock, irql);
    if (changed)
        SmartcardCompleteCardTracking(SmartcardExtension);
}

VOID ReaderInterrupt(IN PDEVICE_OBJECT DeviceObject)
{
    PDEVICE_EXTENSION deviceExtension = DeviceObject->DeviceExtension;
    PREADER_EXTENSION readerExtension = &deviceExtension->ReaderExtension;
    PCARD_EVENT event =
        ExAllocatePoolWithTag(NonPagedPool, sizeof(CARD_EVENT), SMARTCARD_POOL_TAG);
    KIRQL irql;

    ASSERT(event != NULL);
    event->CardPresent = readerExtension->Hardware->CardPresent;
    KeAcquireSpinLock(&readerExtension->EventLock, &irql);
    InsertTailList(&readerExtension->EventList, &event->ListEntry);
    KeReleaseSpinLock(&readerExtension->EventLock, irql);
    ReaderProcessEvents(deviceExtension);
}

/* ---- callbacks ------------------------------------------------------------------- */

NTSTATUS ReaderPower(IN PSMARTCARD_EXTENSION SmartcardExtension)
{
    PREADER_EXTENSION readerExtension = SmartcardExtension->ReaderExtension;
    PREADER_HARDWARE hardware = readerExtension->Hardware;
    ULONG atrLength = MAXIMUM_ATR_LENGTH;
    NTSTATUS status;
    KIRQL irql;

    PAGED_CODE();
    SmartcardDebug(DEBUG_TRACE, ("%s!ReaderPower: Enter\n", DRIVER_NAME));

    status = hardware->Power(hardware->Context, SmartcardExtension->MinorIoControlCode,
                             readerExtension->AtrBuffer, &atrLength);
    if (!NT_SUCCESS(status))
        return status;

    switch (SmartcardExtension->MinorIoControlCode) {
    case SCARD_POWER_DOWN:
        AccessUnsafeData(&irql);
        SmartcardExtension->ReaderCapabilities.CurrentState = SCARD_SWALLOWED;
        EndAccessUnsafeData(irql);
        break;

    case SCARD_COLD_RESET:
    case SCARD_WARM_RESET:
        if (SmartcardExtension->IoRequest.ReplyBufferLength < atrLength)
            return STATUS_BUFFER_TOO_SMALL;
        AccessUnsafeData(&irql);
        RtlCopyMemory(SmartcardExtension->CardCapabilities.ATR.Buffer,
                      readerExtension->AtrBuffer, atrLength);
        SmartcardExtension->CardCapabilities.ATR.Length = (UCHAR)atrLength;
        SmartcardExtension->CardCapabilities.PtsData.Type = PTS_TYPE_OPTIMAL;
        EndAccessUnsafeData(irql);

        status = SmartcardUpdateCardCapabilities(SmartcardExtension);
        if (!NT_SUCCESS(status))
            return status;
        RtlCopyMemory(SmartcardExtension->IoRequest.ReplyBuffer,
                      SmartcardExtension->CardCapabilities.ATR.Buffer,
                      SmartcardExtension->CardCapabilities.ATR.Length);
        *SmartcardExtension->IoRequest.Information =
            SmartcardExtension->CardCapabilities.ATR.Length;
        break;

    default:
        return STATUS_INVALID_PARAMETER;
    }

    SmartcardDebug(DEBUG_TRACE, ("%s!ReaderPower: Exit %x\n", DRIVER_NAME, status));
    return status;
}

NTSTATUS ReaderSetProtocol(IN PSMARTCARD_EXTENSION SmartcardExtension)
{
    ULONG mask = SmartcardExtension->MinorIoControlCode;
    ULONG selected;
    KIRQL irql;

    PAGED_CODE();
    if (mask & SCARD_PROTOCOL_T1)
        selected = SCARD_PROTOCOL_T1;
    else if (mask & SCARD_PROTOCOL_T0)
        selected = SCARD_PROTOCOL_T0;
    else
        return STATUS_INVALID_DEVICE_REQUEST;

    AccessUnsafeData(&irql);
    SmartcardExtension->CardCapabilities.Protocol.Selected = selected;
    SmartcardExtension->ReaderCapabilities.CurrentState = SCARD_SPECIFIC;
    EndAccessUnsafeData(irql);

    *(PULONG)(PVOID)SmartcardExtension->IoRequest.ReplyBuffer = selected;
    *SmartcardExtension->IoRequest.Information =
        sizeof(SmartcardExtension->CardCapabilities.Protocol.Selected);
    return STATUS_SUCCESS;
}

/* Puts the reader's own header in front of what the library has appended. */
static NTSTATUS ReaderExchange(IN PSMARTCARD_EXTENSION SmartcardExtension)
{
    PREADER_HARDWARE hardware = SmartcardExtension->ReaderExtension->Hardware;
    PUCHAR requestBuffer = SmartcardExtension->SmartcardRequest.Buffer;
    ULONG length = SmartcardExtension->SmartcardRequest.BufferLength;
    ULONG payload = length - READER_HEADER_LENGTH;
    NTSTATUS status;

    requestBuffer[0] = 0x57;
    requestBuffer[1] = (UCHAR)(payload >> 8);
    requestBuffer[2] = (UCHAR)payload;
    SmartcardExtension->SmartcardReply.BufferLength =
        SmartcardExtension->SmartcardReply.BufferSize;
    status = hardware->Exchange(hardware->Context, requestBuffer, length,
                                SmartcardExtension->SmartcardReply.Buffer,
                                &SmartcardExtension->SmartcardReply.BufferLength);
    if (!NT_SUCCESS(status))
        SmartcardExtension->SmartcardReply.BufferLength = 0;
    return status;
}

static NTSTATUS ReaderTransmitT0(IN PSMARTCARD_EXTENSION SmartcardExtension)
{
    NTSTATUS status;

    SmartcardExtension->SmartcardRequest.BufferLength = READER_HEADER_LENGTH;
    status = SmartcardT0Request(SmartcardExtension);
    if (status != STATUS_SUCCESS)
        return status;
    status = ReaderExchange(SmartcardExtension);
    if (status != STATUS_SUCCESS)
        return status;
    return SmartcardT0Reply(SmartcardExtension);
}

/* A failed exchange is the library's to recover from: the loop goes on. */
static NTSTATUS ReaderTransmitT1(IN PSMARTCARD_EXTENSION SmartcardExtension)
{
    NTSTATUS status;

    do {
        SmartcardExtension->SmartcardRequest.BufferLength = READER_HEADER_LENGTH;
        status = SmartcardT1Request(SmartcardExtension);
        if (status != STATUS_SUCCESS)
            return status;
        if (SmartcardExtension->T1.Wtx != 0)
            SmartcardDebug(DEBUG_PROTOCOL,
                           ("%s!ReaderTransmitT1: waits %u us\n", DRIVER_NAME,
                            SmartcardExtension->T1.Wtx *
                                SmartcardExtension->CardCapabilities.T1.BWT));
        status = ReaderExchange(SmartcardExtension);
        if (status != STATUS_SUCCESS)
            SmartcardDebug(DEBUG_ERROR, ("%s!ReaderTransmitT1: read failed %x\n",
                                         DRIVER_NAME, (unsigned)status));
        status = SmartcardT1Reply(SmartcardExtension);
    } while (status == STATUS_MORE_PROCESSING_REQUIRED);

    return status;
}

NTSTATUS ReaderTransmit(IN PSMARTCARD_EXTENSION SmartcardExtension)
{
    PAGED_CODE();
    switch (SmartcardExtension->CardCapabilities.Protocol.Selected) {
    case SCARD_PROTOCOL_T0:
        return ReaderTransmitT0(SmartcardExtension);
    case SCARD_PROTOCOL_T1:
        return ReaderTransmitT1(SmartcardExtension);
    default:
        return STATUS_INVALID_DEVICE_REQUEST;
    }
}

static VOID ReaderCancel(IN PDEVICE_OBJECT DeviceObject, IN PIRP Irp)
{
    PDEVICE_EXTENSION deviceExtension = DeviceObject->DeviceExtension;
    PSMARTCARD_EXTENSION smartcardExtension = &deviceExtension->SmartcardExtension;

    SmartcardDebug(DEBUG_TRACE, ("%s!ReaderCancel: Enter\n", DRIVER_NAME));
    ASSERT(Irp == smartcardExtension->OsData->NotificationIrp);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    SmartcardCompleteCardTracking(smartcardExtension);
}

NTSTATUS ReaderCardTracking(IN PSMARTCARD_EXTENSION SmartcardExtension)
{
    KIRQL oldIrql;

    IoAcquireCancelSpinLock(&oldIrql);
    IoSetCancelRoutine(SmartcardExtension->OsData->NotificationIrp, ReaderCancel);
    IoReleaseCancelSpinLock(oldIrql);
    return STATUS_PENDING;
}

NTSTATUS ReaderIoctl(IN PSMARTCARD_EXTENSION SmartcardExtension)
{
    static const UCHAR firmware[] = {1, 7};

    if (SmartcardExtension->MajorIoControlCode != SCARD_CTL_CODE(2048))
        return STATUS_NOT_SUPPORTED;
    if (SmartcardExtension->IoRequest.ReplyBufferLength < sizeof(firmware))
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyMemory(SmartcardExtension->IoRequest.ReplyBuffer, firmware, sizeof(firmware));
    *SmartcardExtension->IoRequest.Information = sizeof(firmware);
    return STATUS_SUCCESS;
}
