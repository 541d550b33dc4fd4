/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * t0.c - T=0: from what the caller sends to one TPDU and back. Procedure bytes are the
 * reader's work; 61xx and 6Cxx go back to the caller, who sends GET RESPONSE himself.
 */
#include "internal.h"

#define TPDU_HEADER_LEN 5 /* CLA INS P1 P2 P3 */
#define STATUS_WORD_LEN 2

/* Lc and Le of a command of the given length; false if they do not fit together. */
static bool lengths_read(const UCHAR *command, ULONG len, T0_DATA *t0)
{
    ULONG p3;

    t0->Lc = t0->Le = 0;
    if (len < TPDU_HEADER_LEN)
        return len == TPDU_HEADER_LEN - 1;
    p3 = command[TPDU_HEADER_LEN - 1];
    if (len == TPDU_HEADER_LEN) {
        t0->Le = p3 != 0 ? p3 : 256;
        return true;
    }
    t0->Lc = p3;
    return p3 != 0 && (len == TPDU_HEADER_LEN + p3 || len == TPDU_HEADER_LEN + p3 + 1);
}

NTSTATUS SmartcardT0Request(PSMARTCARD_EXTENSION SmartcardExtension)
{
    static const UCHAR no_p3 = 0;
    PSMARTCARD_EXTENSION ext = SmartcardExtension;
    const UCHAR *command;
    ULONG len, room;
    NTSTATUS status = smc_request_payload(ext, &command, &len);

    if (!NT_SUCCESS(status))
        return status;
    if (!lengths_read(command, len, &ext->T0))
        return STATUS_INVALID_PARAMETER;
    /* What the card will answer must have room, before the card does anything. */
    room = (ULONG)(command - ext->IoRequest.RequestBuffer) + ext->T0.Le + STATUS_WORD_LEN;
    if (ext->IoRequest.ReplyBufferLength < room)
        return STATUS_BUFFER_TOO_SMALL;

    /* T=0 has no Le beside Lc: it stays behind (the card answers 61xx). */
    if (len > TPDU_HEADER_LEN)
        len = TPDU_HEADER_LEN + ext->T0.Lc;
    status = smc_request_append(ext, command, len);
    if (NT_SUCCESS(status) && len < TPDU_HEADER_LEN)
        status = smc_request_append(ext, &no_p3, sizeof no_p3);
    return status;
}

NTSTATUS SmartcardT0Reply(PSMARTCARD_EXTENSION SmartcardExtension)
{
    PSMARTCARD_EXTENSION ext = SmartcardExtension;
    ULONG len = ext->SmartcardReply.BufferLength;

    if (len > ext->SmartcardReply.BufferSize || len < STATUS_WORD_LEN ||
        len > ext->T0.Le + STATUS_WORD_LEN)
        return STATUS_DEVICE_PROTOCOL_ERROR;
    smc_device_mark(ext);
    return smc_reply_payload(ext, ext->SmartcardReply.Buffer, len);
}
