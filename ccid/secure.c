/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * secure.c - PC_to_RDR_Secure: the user types a PIN at the reader, the reader puts it
 * into a command and gives the card's answer (CCID 1.1 §6.1.11).
 *
 * States: checked (pin.c; nothing is sent before) - asking (the Secure command runs; time
 * extensions while the user types) - answered, cancelled by the user (SW 6401), left
 * alone (SW 6400), or failed. Whoever cancels the request aborts the entry like any
 * command, and the card is then unpowered. One entry at a time per device: there is one
 * pad.
 *
 * At APDU level and with T=0 the answer is the card's, and in extended APDU level it may
 * come in parts. With T=1 at TPDU level it is a block. Then the library's engine makes
 * the blocks of the command without the PIN; the one that carries it is given to the
 * reader as bTeoPrologue and template, and everything else - S(IFS), S(WTX), R and the
 * parts of a long answer - goes as it is. A block that the card asks for again is sent by
 * the reader (bPINOperation 05h), since nobody else has the PIN. If the reader has sent
 * no block the engine is put back: its numbers have not advanced. What the engine would
 * start again from the beginning ends here: nobody is made to type twice.
 *
 * Deliberately not done: commands that need a second block (bPINOperation 06h) and pads
 * at character level; no reader is known to have them.
 */
#include "ccid/vendor.h"

#include <string.h>

#include "ccid/quirks.h"
#include "ccid/timing.h"
#include "ccid/tpdu.h"

#define TYPING_MS      90000 /* the least; no reader waits longer by itself */
#define TYPING_MORE_MS 10000 /* for the reader, to end it first */
#define KEY_MS         250   /* until the key that started this is up again */

/* SCARD_IO_REQUEST, which the engine wants to see, and the longest answer. */
#define PCI_LENGTH sizeof(SCARD_IO_REQUEST)
#define ANSWER_MAX (PCI_LENGTH + 256 + 2)

struct entry {
    struct ccid_slot *slot;
    struct ccid_pin pin;
    struct ccid_transmission transmission;
    bool typed;      /* T=1: the reader has made the block */
    uint8_t resynch; /* T=1: how often the engine had started again by then */
    uint8_t user[2]; /* SW1 SW2 when the user ended it; SW1 0: he did not */
    struct ccid_command command;
};

/* ---- the question ---------------------------------------------------------------- */

/* Sends what is at ccid_slot_data. STATUS_SUCCESS with entry->user[0] set: the user ended
 * it. */
static NTSTATUS ask(struct entry *entry, uint32_t length)
{
    struct ccid_slot *slot = entry->slot;
    uint32_t timeout_ms = entry->pin.timeout_s * 1000u + TYPING_MORE_MS;
    const struct ccid_answer *answer = &entry->command.answer;
    NTSTATUS status;

    entry->command = (struct ccid_command){
        .type = CCID_SECURE,
        .answer_type = CCID_DATA_BLOCK,
        .length = length,
        .timeout_ms = timeout_ms < TYPING_MS ? TYPING_MS : timeout_ms,
    };
    if (ccid_state_changes(slot) != entry->transmission.changes)
        return STATUS_NO_MEDIA; /* another card, or none */
    status = ccid_cmd(slot, &entry->command);
    if (status == STATUS_SUCCESS || !entry->command.answered ||
        answer->icc == CCID_ICC_ABSENT ||
        (answer->error != CCID_ERROR_PIN_TIMEOUT &&
         answer->error != CCID_ERROR_PIN_CANCELLED))
        return status;
    if (answer->icc == CCID_ICC_INACTIVE)
        ccid_state_unpowered(slot);
    entry->user[0] = 0x64;
    entry->user[1] = answer->error == CCID_ERROR_PIN_CANCELLED ? 0x01 : 0x00;
    return STATUS_SUCCESS;
}

/* ---- what some readers want first -------------------------------------------------- */

/* A reader without texts of its own has ten, of 16 characters. */
static void load_texts(struct ccid_slot *slot)
{
    static const uint8_t head[5] = {0xB2, 0xA0, 0x00, 0x4D, 0x4C};
    static const char texts[10][17] = {
        "Enter PIN       ", "New PIN         ", "Confirm PIN     ", "PIN correct     ",
        "Wrong PIN       ", "PIN blocked     ", "Please wait     ", "Insert card     ",
        "Remove card     ", "Cancelled       ",
    };
    uint8_t bytes[sizeof(head) + 10 * 16];
    struct ccid_command command;

    memcpy(bytes, head, sizeof(head));
    for (size_t i = 0; i < 10; i++)
        memcpy(bytes + sizeof(head) + 16 * i, texts[i], 16);
    (void)ccid_escape_send(slot, bytes, sizeof(bytes), &command); /* logged */
}

static NTSTATUS prepare(const struct entry *entry)
{
    static const uint8_t case_1[3] = {0x80, 0x02, 0x00};
    struct ccid_slot *slot = entry->slot;
    uint32_t quirks = slot->device->desc.quirks;
    struct ccid_command command;

    if ((quirks & CCID_QUIRK_PIN_LOAD_TEXTS) != 0)
        load_texts(slot);
    if ((quirks & CCID_QUIRK_PIN_ESCAPE_CASE_1) != 0 && entry->pin.apdu_length == 4)
        (void)ccid_escape_send(slot, case_1, sizeof(case_1), &command);
    if ((quirks & CCID_QUIRK_PIN_WAIT) != 0 &&
        slot->port.ops->sleep_ms(slot->port.usb, KEY_MS) != CCID_USB_OK)
        return ccid_device_is_gone(slot->device) ? STATUS_DEVICE_REMOVED
                                                 : STATUS_CANCELLED;
    return STATUS_SUCCESS;
}

/* ---- T=1 at TPDU level --------------------------------------------------------------
 */

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
static NTSTATUS ask_for_block(struct entry *entry)
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
    status = ask(entry, length);
    /* An index of a byte that the reader objects to, or no such command. */
    if (entry->user[0] != 0 || (status != STATUS_SUCCESS && entry->command.answered &&
                                entry->command.answer.error <= 0x7F))
        put_back(t1);
    else
        entry->typed = true;
    return status;
}

/* One block out, one in, or none (BufferLength 0). */
static NTSTATUS exchange_block(struct entry *entry)
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

static NTSTATUS run_engine(struct entry *entry)
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
static NTSTATUS enter_by_t1(struct entry *entry, uint8_t *out, uint32_t room,
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

/* ---- everything else ----------------------------------------------------------------
 */

static NTSTATUS enter_by_apdu(struct entry *entry, uint8_t *out, uint32_t room,
                              uint32_t *got)
{
    NTSTATUS status;

    memcpy(ccid_slot_data(entry->slot), entry->pin.data, entry->pin.length);
    status = ask(entry, entry->pin.length);
    if (status != STATUS_SUCCESS || entry->user[0] != 0)
        return status;
    return ccid_apdu_receive(entry->slot, &entry->command, out, room, got);
}

static NTSTATUS enter(struct entry *entry, uint8_t *out, uint32_t room, uint32_t *got)
{
    struct ccid_slot *slot = entry->slot;
    NTSTATUS status = prepare(entry);

    if (status != STATUS_SUCCESS)
        return status;
    if (slot->device->desc.level == CCID_LEVEL_TPDU &&
        ccid_state_card(slot).Protocol.Selected == SCARD_PROTOCOL_T1)
        status = enter_by_t1(entry, out, room, got);
    else
        status = enter_by_apdu(entry, out, room, got);
    if (status != STATUS_SUCCESS)
        return ccid_card_failed(slot, &entry->command, status);
    if (entry->user[0] != 0) {
        memcpy(out, entry->user, sizeof(entry->user));
        *got = sizeof(entry->user);
    }
    if (*got < 2) {
        ccid_cmd_log(slot, &entry->command, STATUS_DEVICE_PROTOCOL_ERROR,
                     "the answer has no status word");
        return STATUS_DEVICE_PROTOCOL_ERROR;
    }
    return *got > room ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}

/* What cannot be done now, before anything is sent. */
static NTSTATUS check(struct ccid_vendor_call *call, enum ccid_pin_operation operation,
                      struct ccid_pin *pin)
{
    struct ccid_slot *slot = call->slot;
    const struct ccid_desc *desc = &slot->device->desc;
    ULONG state = ccid_state_current(slot);
    const char *problem;

    if ((desc->pin_support >> operation & 1) == 0 || desc->level == CCID_LEVEL_CHARACTER)
        return STATUS_NOT_SUPPORTED;
    problem = ccid_pin_build(operation, call->bytes, call->length, desc->quirks, pin);
    if (problem != NULL) {
        SmcLog(slot->object, STATUS_INVALID_PARAMETER, "PIN entry: %s", problem);
        return STATUS_INVALID_PARAMETER;
    }
    if (call->room < 2)
        return STATUS_BUFFER_TOO_SMALL;
    if (state < SCARD_PRESENT)
        return STATUS_NO_MEDIA;
    if (state != SCARD_SPECIFIC)
        return STATUS_INVALID_DEVICE_STATE;
    if (pin->length > desc->message_size - CCID_HEADER_LENGTH)
        return STATUS_NOT_SUPPORTED;
    return STATUS_SUCCESS;
}

/* What the messages had in them, the longest ones included. */
static void wipe(struct ccid_slot *slot)
{
    SMARTCARD_REQUEST *request = &slot->ext.SmartcardRequest;
    SMARTCARD_REPLY *reply = &slot->ext.SmartcardReply;
    const ULONG most = CCID_HEADER_LENGTH + CCID_PIN_DATA_MAX;

    RtlSecureZeroMemory(request->Buffer,
                        most < request->BufferSize ? most : request->BufferSize);
    RtlSecureZeroMemory(reply->Buffer,
                        most < reply->BufferSize ? most : reply->BufferSize);
    request->BufferLength = reply->BufferLength = 0;
}

NTSTATUS ccid_secure(struct ccid_vendor_call *call, enum ccid_pin_operation operation)
{
    struct ccid_slot *slot = call->slot;
    struct entry entry = {.slot = slot, .transmission = ccid_transmission_begin(slot)};
    NTSTATUS status = check(call, operation, &entry.pin);
    uint32_t got = 0;

    if (status != STATUS_SUCCESS)
        return status;
    if (__atomic_exchange_n(&slot->device->pin_entry, true, __ATOMIC_ACQUIRE))
        return STATUS_DEVICE_BUSY;
    status = ccid_card_enter(slot);
    if (status == STATUS_SUCCESS) {
        status = enter(&entry, call->bytes, call->room, &got);
        ccid_card_leave(slot);
        wipe(slot);
    }
    __atomic_store_n(&slot->device->pin_entry, false, __ATOMIC_RELEASE);
    RtlSecureZeroMemory(&entry.pin, sizeof(entry.pin));
    if (status == STATUS_SUCCESS)
        call->got = got;
    return status;
}
