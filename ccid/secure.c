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
 * come in parts. T=1 at TPDU level is secure_t1.c's.
 *
 * Bounds: an entry has ten minutes, all its messages together.
 *
 * Deliberately not done: commands that need a second block (bPINOperation 06h) and pads
 * at character level; no reader is known to have them.
 */
#include "ccid/vendor.h"

#include <string.h>

#include "ccid/quirks.h"
#include "ccid/secure.h"

#define TYPING_MS      90000 /* the least; no reader waits longer by itself */
#define TYPING_MORE_MS 10000 /* for the reader, to end it first */
#define KEY_MS         250   /* until the key that started this is up again */

/* ---- the question ---------------------------------------------------------------- */

/* Of the entry's time; 0: it is over. */
static uint32_t left_ms(const struct ccid_pin_entry *entry)
{
    const struct ccid_usb_port *port = &entry->slot->port;
    uint64_t now = port->ops->now_ms(port->usb);

    return now < entry->transmission.end_ms ? (uint32_t)(entry->transmission.end_ms - now)
                                            : 0;
}

NTSTATUS ccid_secure_ask(struct ccid_pin_entry *entry, uint32_t length)
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
        .total_ms = left_ms(entry),
    };
    if (entry->command.total_ms == 0) {
        ccid_cmd_log(slot, &entry->command, STATUS_IO_TIMEOUT,
                     "the PIN entry comes to no end");
        return STATUS_IO_TIMEOUT;
    }
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

/* It is logged if it fails, and the reader is asked all the same. */
static void tell(const struct ccid_pin_entry *entry, const uint8_t *bytes,
                 uint32_t length)
{
    uint32_t total_ms = left_ms(entry);
    struct ccid_command command;

    if (total_ms != 0)
        (void)ccid_escape_send(entry->slot, bytes, length, total_ms, &command);
}

/* A reader without texts of its own has ten, of 16 characters. */
static void load_texts(const struct ccid_pin_entry *entry)
{
    static const uint8_t head[5] = {0xB2, 0xA0, 0x00, 0x4D, 0x4C};
    static const char texts[10][17] = {
        "Enter PIN       ", "New PIN         ", "Confirm PIN     ", "PIN correct     ",
        "Wrong PIN       ", "PIN blocked     ", "Please wait     ", "Insert card     ",
        "Remove card     ", "Cancelled       ",
    };
    uint8_t bytes[sizeof(head) + 10 * 16];

    memcpy(bytes, head, sizeof(head));
    for (size_t i = 0; i < 10; i++)
        memcpy(bytes + sizeof(head) + 16 * i, texts[i], 16);
    tell(entry, bytes, sizeof(bytes));
}

static NTSTATUS prepare(const struct ccid_pin_entry *entry)
{
    static const uint8_t case_1[3] = {0x80, 0x02, 0x00};
    struct ccid_slot *slot = entry->slot;
    uint32_t quirks = slot->device->desc.quirks;

    if ((quirks & CCID_QUIRK_PIN_LOAD_TEXTS) != 0)
        load_texts(entry);
    if ((quirks & CCID_QUIRK_PIN_ESCAPE_CASE_1) != 0 && entry->pin.apdu_length == 4)
        tell(entry, case_1, sizeof(case_1));
    return (quirks & CCID_QUIRK_PIN_WAIT) != 0 ? ccid_cmd_sleep(slot, KEY_MS)
                                               : STATUS_SUCCESS;
}

/* ---- the entry ------------------------------------------------------------------- */

static NTSTATUS enter_by_apdu(struct ccid_pin_entry *entry, uint8_t *out, uint32_t room,
                              uint32_t *got)
{
    NTSTATUS status;

    memcpy(ccid_slot_data(entry->slot), entry->pin.data, entry->pin.length);
    status = ccid_secure_ask(entry, entry->pin.length);
    if (status != STATUS_SUCCESS || entry->user[0] != 0)
        return status;
    return ccid_apdu_receive(entry->slot, &entry->command, entry->transmission.end_ms,
                             out, room, got);
}

static NTSTATUS enter(struct ccid_pin_entry *entry, uint8_t *out, uint32_t room,
                      uint32_t *got)
{
    struct ccid_slot *slot = entry->slot;
    NTSTATUS status = prepare(entry);

    if (status != STATUS_SUCCESS)
        return status;
    if (slot->device->desc.level == CCID_LEVEL_TPDU &&
        ccid_state_card(slot).Protocol.Selected == SCARD_PROTOCOL_T1)
        status = ccid_secure_t1(entry, out, room, got);
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

/* What the messages had in them, however long the reader made them. */
static void wipe(struct ccid_slot *slot)
{
    SMARTCARD_REQUEST *request = &slot->ext.SmartcardRequest;
    SMARTCARD_REPLY *reply = &slot->ext.SmartcardReply;

    RtlSecureZeroMemory(request->Buffer, request->BufferSize);
    RtlSecureZeroMemory(reply->Buffer, reply->BufferSize);
    request->BufferLength = reply->BufferLength = 0;
}

NTSTATUS ccid_secure(struct ccid_vendor_call *call, enum ccid_pin_operation operation)
{
    struct ccid_slot *slot = call->slot;
    struct ccid_pin_entry entry = {.slot = slot,
                                   .transmission = ccid_transmission_begin(slot)};
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
