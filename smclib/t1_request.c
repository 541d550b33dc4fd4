/* SPDX-License-Identifier: BSD-2-Clause */
/* t1_request.c - SmartcardT1Request and SmartcardT1Reply: the T=1 engine (t1.c) between
 * the caller's buffer and the driver's. */
#include "internal.h"

static struct smc_t1_link link_of(PSMARTCARD_EXTENSION ext)
{
    ULONG ifsd = ext->ReaderCapabilities.MaxIFSD;
    struct smc_t1_link link = {
        .t1 = &ext->T1,
        .edc = ext->CardCapabilities.T1.EDC,
        .ifsc_initial = ext->CardCapabilities.T1.IFSC,
        .ifsd_wanted = (UCHAR)(ifsd > T1_IFSD ? T1_IFSD : ifsd),
    };
    BOOLEAN suppressed;
    KIRQL irql;

    if (link.ifsc_initial < 1 || link.ifsc_initial > SCARD_T1_MAX_IFS)
        link.ifsc_initial = T1_IFSD_DEFAULT;
    /* No request: suppressed, or a reader that claims less than every card may send. */
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    suppressed = ext->OsData->SuppressT1IfsRequest;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    if (suppressed || link.ifsd_wanted < T1_IFSD_DEFAULT)
        link.ifsd_wanted = T1_IFSD_DEFAULT;
    return link;
}

/* For readers of attributes, who come from any thread. */
static void publish(PSMARTCARD_EXTENSION ext)
{
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    smc_private(ext)->t1_ifsd = ext->T1.IFSD;
    smc_private(ext)->t1_wtx = ext->T1.Wtx;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
}

void smc_t1_reset_extension(PSMARTCARD_EXTENSION ext)
{
    struct smc_t1_link link = link_of(ext);

    smc_t1_reset(&link);
    publish(ext);
}

NTSTATUS SmartcardT1Request(PSMARTCARD_EXTENSION SmartcardExtension)
{
    PSMARTCARD_EXTENSION ext = SmartcardExtension;
    PSMARTCARD_REQUEST request = &ext->SmartcardRequest;
    struct smc_t1_link link = link_of(ext);
    ULONG header = smc_pci_length(ext);
    size_t len;
    NTSTATUS status;

    if (header == 0)
        return STATUS_INVALID_PARAMETER;
    if (ext->IoRequest.ReplyBufferLength < header)
        return STATUS_BUFFER_TOO_SMALL;
    if (request->BufferLength > request->BufferSize)
        return STATUS_INSUFFICIENT_RESOURCES;
    smc_t1_begin(&link, ext->IoRequest.RequestBufferLength - header);
    /* The answer goes where the command was: by the time the first part of it comes,
     * the command is never needed again (t1.c). */
    ext->T1.ReplyData = ext->IoRequest.ReplyBuffer + header;
    status = smc_t1_next(&link, ext->IoRequest.RequestBuffer + header,
                         request->Buffer + request->BufferLength,
                         request->BufferSize - request->BufferLength, &len);
    if (NT_SUCCESS(status)) {
        request->BufferLength += (ULONG)len;
        SmartcardDebug(DEBUG_PROTOCOL,
                       ("unit %u: T=1 block %02x out, %u bytes\n", ext->VendorAttr.UnitNo,
                        ext->T1.LastPcb, (unsigned)len));
    }
    smc_device_mark(ext);
    return status;
}

NTSTATUS SmartcardT1Reply(PSMARTCARD_EXTENSION SmartcardExtension)
{
    PSMARTCARD_EXTENSION ext = SmartcardExtension;
    struct smc_t1_link link = link_of(ext);
    ULONG header = smc_pci_length(ext);
    NTSTATUS status;

    if (header == 0 || ext->IoRequest.ReplyBufferLength < header)
        return STATUS_INVALID_PARAMETER;
    if (ext->T1.State == T1_INIT || ext->T1.State == T1_START)
        return STATUS_INVALID_PARAMETER; /* no block of this command is out */
    if (ext->SmartcardReply.BufferLength > ext->SmartcardReply.BufferSize)
        return STATUS_INVALID_PARAMETER;
    smc_device_mark(ext);
    status = smc_t1_take(
        &link, ext->SmartcardReply.Buffer, ext->SmartcardReply.BufferLength,
        ext->IoRequest.ReplyBuffer + header, ext->IoRequest.ReplyBufferLength - header);
    publish(ext);
    SmartcardDebug(DEBUG_PROTOCOL,
                   ("unit %u: T=1 block in, %u bytes, %s\n", ext->VendorAttr.UnitNo,
                    ext->SmartcardReply.BufferLength, smc_status_name(status)));
    if (status == STATUS_SUCCESS) {
        if (ext->IoRequest.ReplyBuffer != ext->IoRequest.RequestBuffer)
            memmove(ext->IoRequest.ReplyBuffer, ext->IoRequest.RequestBuffer, header);
        *ext->IoRequest.Information = header + ext->T1.BytesReceived;
    }
    return status;
}
