/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * secure_t1.c - a PIN entry with T=1 at TPDU level, where the answer is a block.
 *
 * The library's engine makes the blocks of the command without the PIN; the one that
 * carries it is given to the reader as bTeoPrologue and template, and everything else -
 * S(IFS), S(WTX), R and the parts of a long answer - goes as it is. A block that the card
 * asks for again is sent by the reader (bPINOperation 05h), since nobody else has the
 * PIN. If the reader has sent no block the engine is put back: its numbers have not
 * advanced. What the engine would start again from the beginning ends here: nobody is
 * made to type twice.
 */
#include "ccid/secure.h"

#include <string.h>

#include "ccid/timing.h"

/* SCARD_IO_REQUEST, which the engine wants to see, and the longest answer. */
#define PCI_LENGTH sizeof(SCARD_IO_REQUEST)
#define ANSWER_MAX (PCI_LENGTH + 256 + 2)

/* The reader has not sent the block that the engine has made. */
static void put_back(T1_DATA *t1)
{
    t1->State = T1_START;
    t1->WaitForReply = FALSE;
    t1->MoreData = FALSE;
}

/* A command that was left unfinished is over: the next one resynchronises first. */
static void abandon(T1_DATA *t1)
{
    if (t1->State == T1_INIT || t1->State == T1_START)
        return;
    put_back(t1);
    t1->OutOfStep = TRUE;
    t1->Wtx = 0;
}

/* The engine's I-block is at ccid_slot_data. */
static NTSTATUS ask_for_block(struct ccid_pin_entry *entry)
{
    struct ccid_slot *slot = entry->slot;
    T1_DATA *t1 = &slot->ext.T1;
    uint8_t *data = ccid_slot_data(slot);
    uint32_t length = 1;
    NTSTATUS status;

    if (entry->typed && t1->Resynch != entry->resynch) {
        SmcLog(slot->object, STATUS_DEVICE_PROTOCOL_ERROR,
               "PIN entry: the card has lost the command");
        return STATUS_DEVICE_PROTOCOL_ERROR;
    }
    if (entry->typed) {
        data[0] = CCID_PIN_RESEND;
    } else {
        memcpy(entry->pin.data + entry->pin.prologue, data, SCARD_T1_PROLOGUE_LENGTH);
        memcpy(data, entry->pin.data, entry->pin.length);
        length = entry->pin.length;
    }
    entry->resynch = t1->Resynch;
    status = ccid_secure_ask(entry, length);
    /* An index of a byte that the reader objects to, or no such command. */
    if (entry->user[0] != 0 || (status != STATUS_SUCCESS && entry->command.answered &&
                                entry->command.answer.error <= 0x7F))
        put_back(t1);
    else
        entry->typed = true;
    return status;
}

/* One block out, one in, or none (BufferLength 0). */
static NTSTATUS exchange_block(struct ccid_pin_entry *entry)
{
    SMARTCARD_EXTENSION *ext = &entry->slot->ext;
    const SCARD_CARD_CAPABILITIES card = ccid_state_card(entry->slot);
    const struct ccid_xfr xfr = {
        .bwi = ext->T1.Wtx,
        .length = ext->SmartcardRequest.BufferLength - CCID_HEADER_LENGTH,
        .timeout_ms =
            ccid_timeout_block_ms(&entry->slot->device->desc, &card, ext->T1.Wtx),
    };
    NTSTATUS status;

    if ((ccid_slot_data(entry->slot)[1] & 0x80) == 0) /* PCB of an I-block */
        status = ask_for_block(entry);
    else
        status = ccid_transmission_xfr(&entry->transmission, &xfr, &entry->command);
    if (status == STATUS_SUCCESS && entry->user[0] == 0) {
        ccid_card_take_answer(entry->slot, &entry->command.answer);
    } else if (status != STATUS_SUCCESS && ccid_tpdu_block_is_lost(&entry->command)) {
        ext->SmartcardReply.BufferLength = 0;
        status = STATUS_SUCCESS;
    }
    return status;
}

static NTSTATUS run_engine(struct ccid_pin_entry *entry)
{
    SMARTCARD_EXTENSION *ext = &entry->slot->ext;
    NTSTATUS status;

    do {
        ext->SmartcardRequest.BufferLength = CCID_HEADER_LENGTH;
        status = SmartcardT1Request(ext);
        if (status == STATUS_SUCCESS)
            status = exchange_block(entry);
        if (status != STATUS_SUCCESS || entry->user[0] != 0)
            return status;
        status = SmartcardT1Reply(ext);
    } while (status == STATUS_MORE_PROCESSING_REQUIRED);

    if (status != STATUS_SUCCESS)
        SmcLog(entry->slot->object, status, "PIN entry: no answer of the card by T=1");
    return status;
}

/* The engine reads the command and writes the answer where the library's request says;
 * for the time being that is here. */
NTSTATUS ccid_secure_t1(struct ccid_pin_entry *entry, uint8_t *out, uint32_t room,
                        uint32_t *got)
{
    SMARTCARD_EXTENSION *ext = &entry->slot->ext;
    const SCARD_IO_REQUEST header = {SCARD_PROTOCOL_T1, PCI_LENGTH};
    UCHAR request[PCI_LENGTH + SCARD_PIN_APDU_MAX], reply[ANSWER_MAX];
    __typeof__(ext->IoRequest) callers = ext->IoRequest;
    ULONG information = 0;
    NTSTATUS status;

    abandon(&ext->T1);
    if (entry->pin.apdu_length > ext->T1.IFSC)
        return STATUS_NOT_SUPPORTED; /* it would need a second block */
    memcpy(request, &header, PCI_LENGTH);
    memcpy(request + PCI_LENGTH,
           entry->pin.data + entry->pin.prologue + SCARD_T1_PROLOGUE_LENGTH,
           entry->pin.apdu_length);
    ext->IoRequest.RequestBuffer = request;
    ext->IoRequest.RequestBufferLength = PCI_LENGTH + entry->pin.apdu_length;
    ext->IoRequest.ReplyBuffer = reply;
    ext->IoRequest.ReplyBufferLength = sizeof(reply);
    ext->IoRequest.Information = &information;
    status = run_engine(entry);
    ext->IoRequest = callers;
    ext->T1.ReplyData = NULL;
    abandon(&ext->T1);

    if (status == STATUS_SUCCESS && entry->user[0] == 0) {
        *got = (uint32_t)(information - PCI_LENGTH);
        memcpy(out, reply + PCI_LENGTH, *got < room ? *got : room);
    }
    RtlSecureZeroMemory(request, sizeof(request));
    RtlSecureZeroMemory(reply, sizeof(reply));
    return status;
}
