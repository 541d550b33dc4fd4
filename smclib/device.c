/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c - the life of a SMARTCARD_EXTENSION.
 *
 * THEORY of smclib
 *   The library stands between the sender of requests (fs) and a reader driver. A request
 *   is an IRP; it is checked here, answered here where the library knows the answer
 *   (state, attributes, last error), and otherwise handed to one of the driver's
 *   callbacks, whose status becomes the request's.
 *
 *   States of a request: new -> (waiting for its turn) -> in the driver (CurrentIrp) ->
 *   completed. It waits on OsData->Mutex and can be cancelled there. In the driver it
 *   belongs to the driver, which sets a cancel routine if it can stop. A callback that
 *   returns STATUS_PENDING leaves the turn but keeps the driver: until
 *   SmartcardCompleteRequest everybody else gets STATUS_DEVICE_BUSY.
 *   Trackers live beside all that, in one slot (track.c).
 *
 *   States of the card (CurrentState) are the driver's to set when a card comes, goes or
 *   loses power; SmartcardUpdateCardCapabilities sets what follows from an ATR.
 *
 *   Locks, outermost first: remove lock entry -> OsData->Mutex -> OsData->SpinLock. The
 *   mutex is held across a callback, as drivers expect, but not across a completion; the
 *   spin lock guards CurrentState, CardCapabilities, CurrentIrp and NotificationIrp and
 *   is held across nothing.
 *
 *   Deliberately not done: threads, timers, printing, queues. Who comes first is decided
 *   above, how long a card may take is decided below.
 */
#include "internal.h"

#include <stdlib.h>

const GUID SmartCardReaderGuid = {
    0x50DD5230, 0xBA8A, 0x11D1, {0xBF, 0x5D, 0x00, 0x00, 0xF8, 0x05, 0xF5, 0x30}};

struct smc_private *smc_private(PSMARTCARD_EXTENSION ext)
{
    return CONTAINING_RECORD(ext->OsData, struct smc_private, os);
}

static bool mandatory_callbacks_present(const SMARTCARD_EXTENSION *ext)
{
    return ext->ReaderFunction[RDF_CARD_POWER] != NULL &&
           ext->ReaderFunction[RDF_TRANSMIT] != NULL &&
           ext->ReaderFunction[RDF_CARD_TRACKING] != NULL &&
           ext->ReaderFunction[RDF_SET_PROTOCOL] != NULL;
}

static ULONG at_least_minimum(ULONG size)
{
    return size > MIN_BUFFER_SIZE ? size : MIN_BUFFER_SIZE;
}

NTSTATUS SmartcardInitialize(PSMARTCARD_EXTENSION SmartcardExtension)
{
    PSMARTCARD_EXTENSION ext = SmartcardExtension;
    struct smc_private *own;

    if (ext == NULL || ext->Version < SMCLIB_VERSION_REQUIRED ||
        ext->Version > SMCLIB_VERSION || !mandatory_callbacks_present(ext))
        return STATUS_INVALID_PARAMETER;

    ext->SmartcardRequest.BufferSize = at_least_minimum(ext->SmartcardRequest.BufferSize);
    ext->SmartcardReply.BufferSize = at_least_minimum(ext->SmartcardReply.BufferSize);
    own = calloc(1, sizeof *own);
    ext->SmartcardRequest.Buffer = calloc(1, ext->SmartcardRequest.BufferSize);
    ext->SmartcardReply.Buffer = calloc(1, ext->SmartcardReply.BufferSize);
    if (own == NULL || ext->SmartcardRequest.Buffer == NULL ||
        ext->SmartcardReply.Buffer == NULL) {
        free(own);
        free(ext->SmartcardRequest.Buffer);
        free(ext->SmartcardReply.Buffer);
        ext->SmartcardRequest.Buffer = ext->SmartcardReply.Buffer = NULL;
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ext->SmartcardRequest.BufferLength = ext->SmartcardReply.BufferLength = 0;
    KeInitializeSpinLock(&own->os.SpinLock);
    KeInitializeMutex(&own->os.Mutex, 0);
    smc_remove_lock_init(&own->os.RemoveLock);
    ext->OsData = &own->os;
    ext->LastError = (ULONG)STATUS_SUCCESS;
    SmartcardInitializeCardCapabilities(ext);
    return STATUS_SUCCESS;
}

VOID SmartcardExit(PSMARTCARD_EXTENSION SmartcardExtension)
{
    PSMARTCARD_EXTENSION ext = SmartcardExtension;

    if (ext == NULL || ext->OsData == NULL)
        return;
    /* All of it, since a driver's last words to its device are no request's. */
    RtlSecureZeroMemory(ext->SmartcardRequest.Buffer, ext->SmartcardRequest.BufferSize);
    RtlSecureZeroMemory(ext->SmartcardReply.Buffer, ext->SmartcardReply.BufferSize);
    smc_remove_lock_free(&ext->OsData->RemoveLock);
    free(ext->SmartcardRequest.Buffer);
    free(ext->SmartcardReply.Buffer);
    ext->SmartcardRequest.Buffer = ext->SmartcardReply.Buffer = NULL;
    free(smc_private(ext));
    ext->OsData = NULL;
}

ULONG smc_device_state(PSMARTCARD_EXTENSION ext)
{
    ULONG state;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    state = ext->ReaderCapabilities.CurrentState;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    return state;
}

/* ---- the request and reply buffers ----------------------------------------------- */

static void raise_to(ULONG *mark, ULONG used)
{
    if (*mark < used)
        *mark = used;
}

static void wipe(PUCHAR buffer, ULONG size, ULONG used)
{
    RtlSecureZeroMemory(buffer, used < size ? used : size);
}

void smc_device_wipe(PSMARTCARD_EXTENSION ext)
{
    struct smc_private *own = smc_private(ext);

    smc_device_mark(ext);
    wipe(ext->SmartcardRequest.Buffer, ext->SmartcardRequest.BufferSize,
         own->request_used);
    wipe(ext->SmartcardReply.Buffer, ext->SmartcardReply.BufferSize, own->reply_used);
    own->request_used = own->reply_used = 0;
}

void smc_device_mark(PSMARTCARD_EXTENSION ext)
{
    raise_to(&smc_private(ext)->request_used, ext->SmartcardRequest.BufferLength);
    raise_to(&smc_private(ext)->reply_used, ext->SmartcardReply.BufferLength);
}

NTSTATUS smc_request_append(PSMARTCARD_EXTENSION ext, const UCHAR *bytes, ULONG len)
{
    SMARTCARD_REQUEST *request = &ext->SmartcardRequest;

    if (request->BufferLength > request->BufferSize ||
        len > request->BufferSize - request->BufferLength)
        return STATUS_BUFFER_OVERFLOW;
    if (len > 0)
        memcpy(request->Buffer + request->BufferLength, bytes, len);
    request->BufferLength += len;
    smc_device_mark(ext);
    return STATUS_SUCCESS;
}
