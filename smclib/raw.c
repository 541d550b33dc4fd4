/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raw.c - bytes between the caller and the reader without framing. Every command and
 * every answer of TRANSMIT begins with a SCARD_IO_REQUEST of cbPciLength bytes; the
 * caller's request and answer are the same memory, and that header stays where it is.
 */
#include "internal.h"

ULONG smc_pci_length(PSMARTCARD_EXTENSION ext)
{
    SCARD_IO_REQUEST header;

    if (ext->IoRequest.RequestBuffer == NULL ||
        ext->IoRequest.RequestBufferLength < sizeof header)
        return 0;
    memcpy(&header, ext->IoRequest.RequestBuffer, sizeof header);
    if (header.cbPciLength < sizeof header ||
        header.cbPciLength > ext->IoRequest.RequestBufferLength)
        return 0;
    return header.cbPciLength;
}

NTSTATUS smc_request_payload(PSMARTCARD_EXTENSION ext, const UCHAR **payload, ULONG *len)
{
    ULONG header = smc_pci_length(ext);

    if (header == 0)
        return STATUS_INVALID_PARAMETER;
    *payload = ext->IoRequest.RequestBuffer + header;
    *len = ext->IoRequest.RequestBufferLength - header;
    return STATUS_SUCCESS;
}

NTSTATUS smc_reply_payload(PSMARTCARD_EXTENSION ext, const UCHAR *data, ULONG len)
{
    ULONG header = smc_pci_length(ext);

    if (header == 0)
        return STATUS_INVALID_PARAMETER;
    if (ext->IoRequest.ReplyBufferLength < header ||
        len > ext->IoRequest.ReplyBufferLength - header)
        return STATUS_BUFFER_TOO_SMALL;
    if (ext->IoRequest.ReplyBuffer != ext->IoRequest.RequestBuffer)
        memmove(ext->IoRequest.ReplyBuffer, ext->IoRequest.RequestBuffer, header);
    if (len > 0)
        memcpy(ext->IoRequest.ReplyBuffer + header, data, len);
    *ext->IoRequest.Information = header + len;
    return STATUS_SUCCESS;
}

NTSTATUS SmartcardRawRequest(PSMARTCARD_EXTENSION SmartcardExtension)
{
    const UCHAR *payload;
    ULONG len;
    NTSTATUS status = smc_request_payload(SmartcardExtension, &payload, &len);

    if (!NT_SUCCESS(status))
        return status;
    return smc_request_append(SmartcardExtension, payload, len);
}

NTSTATUS SmartcardRawReply(PSMARTCARD_EXTENSION SmartcardExtension)
{
    SMARTCARD_REPLY *reply = &SmartcardExtension->SmartcardReply;

    if (reply->BufferLength > reply->BufferSize)
        return STATUS_DEVICE_PROTOCOL_ERROR;
    smc_device_mark(SmartcardExtension);
    return smc_reply_payload(SmartcardExtension, reply->Buffer, reply->BufferLength);
}
