/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vpicc_card.c - what the Smart Card Driver Library asks of the card, and the thread that
 * notices cards.
 *
 * Callbacks come one at a time: the library holds OsData->Mutex around each. VpiccMonitor
 * changes CurrentState at any time, under the spin lock, but exchanges the connection
 * only with the mutex; a callback that is inside ends by itself then, because its
 * connection is dead. What a callback learns from a card it stores only while there still
 * is one.
 */
#include "vpicc_reader.h"

#define POWER_OFF 0x00
#define POWER_ON  0x01
#define RESET     0x02
#define GET_ATR   0x04

#define APDU_MIN           4 /* ISO/IEC 7816-4 §5.1; one byte would be an order */
#define STATUS_WORD_LENGTH 2

#define ATR_TIMEOUT_MS  3000
#define APDU_TIMEOUT_MS 60000 /* the protocol has no time extension */

/* ---- cards that come and go ------------------------------------------------------ */

static VOID VpiccCardChanged(PSMARTCARD_EXTENSION SmartcardExtension, ULONG State)
{
    KIRQL Irql;

    AccessUnsafeData(&Irql);
    SmartcardExtension->ReaderCapabilities.CurrentState = State;
    SmartcardExtension->CardCapabilities.ATR.Length = 0;
    EndAccessUnsafeData(Irql);
    SmartcardCompleteCardTracking(SmartcardExtension);
}

static VOID VpiccSetCard(PSMARTCARD_EXTENSION SmartcardExtension, int Connection)
{
    PKMUTEX Mutex = &SmartcardExtension->OsData->Mutex;

    KeWaitForSingleObject(Mutex, Executive, KernelMode, FALSE, NULL);
    VpiccLinkSetCard(&SmartcardExtension->ReaderExtension->Link, Connection);
    KeReleaseMutex(Mutex, FALSE);
}

PVOID VpiccMonitor(PVOID Context)
{
    PSMARTCARD_EXTENSION SmartcardExtension = Context;
    PVPICC_LINK Link = &SmartcardExtension->ReaderExtension->Link;
    int Connection;

    while ((Connection = VpiccLinkAccept(Link)) >= 0) {
        VpiccSetCard(SmartcardExtension, Connection);
        VpiccCardChanged(SmartcardExtension, SCARD_SWALLOWED);
        if (!VpiccLinkWatch(Link, Connection))
            break; /* stopped with the card in: VpiccLinkClose hangs up */
        VpiccCardChanged(SmartcardExtension, SCARD_ABSENT);
        VpiccSetCard(SmartcardExtension, -1);
    }
    return NULL;
}

/* Only of a card that is still there. */
static VOID VpiccSetState(PSMARTCARD_EXTENSION SmartcardExtension, ULONG State)
{
    KIRQL Irql;

    AccessUnsafeData(&Irql);
    if (SmartcardExtension->ReaderCapabilities.CurrentState > SCARD_ABSENT)
        SmartcardExtension->ReaderCapabilities.CurrentState = State;
    EndAccessUnsafeData(Irql);
}

static NTSTATUS VpiccSetAtr(PSMARTCARD_EXTENSION SmartcardExtension, const UCHAR *Atr,
                            ULONG Length)
{
    NTSTATUS Status = STATUS_NO_MEDIA;
    KIRQL Irql;

    AccessUnsafeData(&Irql);
    if (SmartcardExtension->ReaderCapabilities.CurrentState > SCARD_ABSENT) {
        RtlCopyMemory(SmartcardExtension->CardCapabilities.ATR.Buffer, Atr, Length);
        SmartcardExtension->CardCapabilities.ATR.Length = (UCHAR)Length;
        Status = STATUS_SUCCESS;
    }
    EndAccessUnsafeData(Irql);
    return Status;
}

/* ---- callbacks ------------------------------------------------------------------- */

/* The cancel spin lock is held: see VpiccExchange. */
static VOID VpiccCancel(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PDEVICE_EXTENSION Device = DeviceObject->DeviceExtension;

    VpiccLinkCancel(&Device->ReaderExtension.Link);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
}

/* An exchange with the card, which ends early when the request is cancelled. */
static NTSTATUS VpiccExchange(PSMARTCARD_EXTENSION SmartcardExtension, const UCHAR *Bytes,
                              ULONG Length, ULONG TimeoutMs)
{
    PVPICC_LINK Link = &SmartcardExtension->ReaderExtension->Link;
    PIRP Irp = SmartcardExtension->OsData->CurrentIrp;
    NTSTATUS Status = STATUS_CANCELLED;
    KIRQL Irql;

    IoSetCancelRoutine(Irp, VpiccCancel);
    if (!__atomic_load_n(&Irp->Cancel, __ATOMIC_SEQ_CST)) /* before the routine was set */
        Status = VpiccLinkExchange(Link, Bytes, Length, TimeoutMs,
                                   &SmartcardExtension->SmartcardReply);
    if (IoSetCancelRoutine(Irp, NULL) == NULL) {
        IoAcquireCancelSpinLock(&Irql); /* when it is ours, the routine has ended */
        IoReleaseCancelSpinLock(Irql);
        VpiccLinkUncancel(Link);
    }
    if (Status == STATUS_IO_TIMEOUT)
        SmcLog(SmartcardExtension->OsData->DeviceObject, Status, "the card is silent");
    else if (Status == STATUS_DEVICE_PROTOCOL_ERROR)
        SmcLog(SmartcardExtension->OsData->DeviceObject, Status,
               "the card spoke unasked and was thrown out");
    return Status;
}

static NTSTATUS VpiccReset(PSMARTCARD_EXTENSION SmartcardExtension, const UCHAR *Orders,
                           ULONG Length)
{
    PSMARTCARD_REPLY Reply = &SmartcardExtension->SmartcardReply;
    NTSTATUS Status = VpiccExchange(SmartcardExtension, Orders, Length, ATR_TIMEOUT_MS);

    if (Status == STATUS_SUCCESS && Reply->BufferLength > MAXIMUM_ATR_LENGTH)
        Status = STATUS_UNRECOGNIZED_MEDIA;
    if (Status == STATUS_SUCCESS)
        Status = VpiccSetAtr(SmartcardExtension, Reply->Buffer, Reply->BufferLength);
    if (Status == STATUS_SUCCESS)
        Status = SmartcardUpdateCardCapabilities(SmartcardExtension);
    if (Status != STATUS_SUCCESS) {
        VpiccSetState(SmartcardExtension, SCARD_SWALLOWED);
        return Status;
    }
    /* The library has made sure of room for the longest ATR. */
    RtlCopyMemory(SmartcardExtension->IoRequest.ReplyBuffer, Reply->Buffer,
                  Reply->BufferLength);
    *SmartcardExtension->IoRequest.Information = Reply->BufferLength;
    return STATUS_SUCCESS;
}

NTSTATUS VpiccCardPower(PSMARTCARD_EXTENSION SmartcardExtension)
{
    static const UCHAR Down[] = {0, 1, POWER_OFF};
    static const UCHAR Cold[] = {0, 1, POWER_OFF, 0, 1, POWER_ON, 0, 1, GET_ATR};
    static const UCHAR Warm[] = {0, 1, RESET, 0, 1, GET_ATR};
    NTSTATUS Status;

    switch (SmartcardExtension->MinorIoControlCode) {
    case SCARD_POWER_DOWN:
        Status = VpiccExchange(SmartcardExtension, Down, sizeof Down, 0);
        VpiccSetState(SmartcardExtension, SCARD_SWALLOWED);
        return Status;
    case SCARD_COLD_RESET:
        return VpiccReset(SmartcardExtension, Cold, sizeof Cold);
    case SCARD_WARM_RESET:
        return VpiccReset(SmartcardExtension, Warm, sizeof Warm);
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

/* The card takes whole APDUs: there is nothing to negotiate. */
NTSTATUS VpiccSetProtocol(PSMARTCARD_EXTENSION SmartcardExtension)
{
    ULONG Selected = SmartcardExtension->MinorIoControlCode & SCARD_PROTOCOL_T1;
    KIRQL Irql;

    if (Selected == 0)
        Selected = SmartcardExtension->MinorIoControlCode & SCARD_PROTOCOL_T0;
    if (Selected == 0)
        return STATUS_NOT_SUPPORTED;
    AccessUnsafeData(&Irql);
    SmartcardExtension->CardCapabilities.Protocol.Selected = Selected;
    EndAccessUnsafeData(Irql);
    VpiccSetState(SmartcardExtension, SCARD_SPECIFIC);
    RtlCopyMemory(SmartcardExtension->IoRequest.ReplyBuffer, &Selected, sizeof Selected);
    *SmartcardExtension->IoRequest.Information = sizeof Selected;
    return STATUS_SUCCESS;
}

NTSTATUS VpiccTransmit(PSMARTCARD_EXTENSION SmartcardExtension)
{
    PSMARTCARD_REQUEST Request = &SmartcardExtension->SmartcardRequest;
    NTSTATUS Status;
    ULONG Length;

    Request->BufferLength = VPICC_HEADER_LENGTH; /* ours; RawRequest appends */
    Status = SmartcardRawRequest(SmartcardExtension);
    if (Status != STATUS_SUCCESS)
        return Status;
    Length = Request->BufferLength - VPICC_HEADER_LENGTH;
    if (Length < APDU_MIN)
        return STATUS_INVALID_PARAMETER;
    Request->Buffer[0] = (UCHAR)(Length >> 8);
    Request->Buffer[1] = (UCHAR)Length;
    Status = VpiccExchange(SmartcardExtension, Request->Buffer, Request->BufferLength,
                           APDU_TIMEOUT_MS);
    if (Status != STATUS_SUCCESS)
        return Status;
    if (SmartcardExtension->SmartcardReply.BufferLength < STATUS_WORD_LENGTH) {
        SmcLog(SmartcardExtension->OsData->DeviceObject, STATUS_DEVICE_PROTOCOL_ERROR,
               "the card answers without a status word");
        return STATUS_DEVICE_PROTOCOL_ERROR;
    }
    return SmartcardRawReply(SmartcardExtension);
}

/* VpiccMonitor ends the tracker. */
NTSTATUS VpiccCardTracking(PSMARTCARD_EXTENSION SmartcardExtension)
{
    UNREFERENCED_PARAMETER(SmartcardExtension);
    return STATUS_PENDING;
}
