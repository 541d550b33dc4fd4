/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_card.h"

struct fake_card fake_card;

#define MUTE 0

static size_t answer_word(uint8_t *answer, size_t len, unsigned word)
{
    answer[len] = (uint8_t)(word >> 8);
    answer[len + 1] = (uint8_t)word;
    return len + 2;
}

static size_t read_memory(const uint8_t *command, uint8_t *answer)
{
    size_t at = command[3];
    size_t len = command[4] != 0 ? command[4] : 256;

    if (command[2] != 0 || len > sizeof fake_card.memory - at)
        return answer_word(answer, 0, 0x6B00);
    memcpy(answer, fake_card.memory + at, len);
    return answer_word(answer, len, 0x9000);
}

static size_t write_memory(const uint8_t *command, uint8_t *answer)
{
    size_t at = command[3];
    size_t len = command[4];

    if (command[2] != 0 || len > sizeof fake_card.memory - at)
        return answer_word(answer, 0, 0x6B00);
    memcpy(fake_card.memory + at, command + 5, len);
    return answer_word(answer, 0, 0x9000);
}

static size_t execute(void *context, const uint8_t *command, size_t len, uint8_t *answer)
{
    static const uint8_t master_file[] = {0x3F, 0x00};

    (void)context;
    switch (command[0] << 8 | command[1]) {
    case 0x00A4:
        return answer_word(answer, 0,
                           len >= 7 && memcmp(command + 5, master_file, 2) == 0 ? 0x9000
                                                                                : 0x6A82);
    case 0x00B0:
        return read_memory(command, answer);
    case 0x00D6:
        return write_memory(command, answer);
    case 0x80E0:
        return answer_word(answer, 0, (unsigned)(command[2] << 8 | command[3]));
    case 0x80E2:
        len = (size_t)(command[2] << 8 | command[3]);
        memset(answer, 0x55, len);
        return answer_word(answer, len, 0x9000);
    case 0x8000:
        return MUTE;
    default:
        return answer_word(answer, 0, 0x6D00);
    }
}

void fake_card_reset(UCHAR ifsc)
{
    fake_card.t1.ifsc = ifsc;
    fake_card.t1.execute = execute;
    fake_card.t1.fault = CCID_T1_FAULT_NONE;
    fake_card.longest_request = fake_card.longest_reply = fake_card.longest_wait = 0;
    ccid_virtual_t1_reset(&fake_card.t1);
}

static void raise_to(ULONG *mark, ULONG len)
{
    *mark = *mark < len ? len : *mark;
}

/* What the line does to the bytes of a card that the reader does not decode. */
static void on_the_line(PUCHAR bytes, ULONG len)
{
    if (fake_card.inverse)
        SmartcardInvertData(bytes, len);
}

static NTSTATUS transmit_t0(PSMARTCARD_EXTENSION ext)
{
    SMARTCARD_REQUEST *request = &ext->SmartcardRequest;
    SMARTCARD_REPLY *reply = &ext->SmartcardReply;
    NTSTATUS status;

    request->BufferLength = 0;
    status = SmartcardT0Request(ext);
    if (!NT_SUCCESS(status))
        return status;
    if (ext->OsData->RawInverse)
        SmartcardInvertData(request->Buffer, request->BufferLength);
    raise_to(&fake_card.longest_request, request->BufferLength);
    on_the_line(request->Buffer, request->BufferLength);
    reply->BufferLength =
        (ULONG)execute(NULL, request->Buffer, request->BufferLength, reply->Buffer);
    on_the_line(reply->Buffer, reply->BufferLength);
    if (reply->BufferLength == MUTE)
        return STATUS_IO_TIMEOUT;
    raise_to(&fake_card.longest_reply, reply->BufferLength);
    if (ext->OsData->RawInverse)
        SmartcardInvertData(reply->Buffer, reply->BufferLength);
    return SmartcardT0Reply(ext);
}

static NTSTATUS transmit_t1(PSMARTCARD_EXTENSION ext)
{
    SMARTCARD_REQUEST *request = &ext->SmartcardRequest;
    SMARTCARD_REPLY *reply = &ext->SmartcardReply;
    NTSTATUS status;

    do {
        request->BufferLength = 0;
        status = SmartcardT1Request(ext);
        if (!NT_SUCCESS(status))
            return status;
        if (ext->T1.Wtx > fake_card.longest_wait)
            fake_card.longest_wait = ext->T1.Wtx;
        raise_to(&fake_card.longest_request, request->BufferLength);
        reply->BufferLength = (ULONG)ccid_virtual_t1_block(
            &fake_card.t1, request->Buffer, request->BufferLength, reply->Buffer);
        raise_to(&fake_card.longest_reply, reply->BufferLength);
        status = SmartcardT1Reply(ext);
    } while (status == STATUS_MORE_PROCESSING_REQUIRED);
    return status;
}

NTSTATUS fake_card_transmit(PSMARTCARD_EXTENSION ext)
{
    ULONG selected;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    selected = ext->CardCapabilities.Protocol.Selected;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    if (selected == SCARD_PROTOCOL_UNDEFINED) /* the card went meanwhile */
        return STATUS_NO_MEDIA;
    return selected == SCARD_PROTOCOL_T1 ? transmit_t1(ext) : transmit_t0(ext);
}
