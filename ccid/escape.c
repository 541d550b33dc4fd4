/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * escape.c - PC_to_RDR_Escape: commands that only the reader's vendor knows (CCID 1.1
 * §6.1.8).
 *
 * Off unless the administrator allows it: on many readers it reaches the firmware and
 * keys. No card is needed.
 */
#include "ccid/vendor.h"

#include <string.h>

#define ESCAPE_MS 30000 /* some load firmware */

static bool allowed; /* atomic */

void ccid_set_escape(bool on)
{
    __atomic_store_n(&allowed, on, __ATOMIC_RELAXED);
}

bool ccid_escape_is_allowed(void)
{
    return __atomic_load_n(&allowed, __ATOMIC_RELAXED);
}

NTSTATUS ccid_escape_send(struct ccid_slot *slot, const uint8_t *bytes, uint32_t length,
                          uint32_t total_ms, struct ccid_command *command)
{
    NTSTATUS status;

    *command = (struct ccid_command){
        .type = CCID_ESCAPE_OUT,
        .answer_type = CCID_ESCAPE_IN,
        .length = length,
        .timeout_ms = ESCAPE_MS,
        .total_ms = total_ms,
    };
    if (length > slot->device->desc.message_size - CCID_HEADER_LENGTH) {
        ccid_cmd_log(slot, command, STATUS_NOT_SUPPORTED,
                     "longer than the reader's messages");
        return STATUS_NOT_SUPPORTED;
    }
    if (length != 0)
        memcpy(ccid_slot_data(slot), bytes, length);
    status = ccid_cmd(slot, command);
    if (status != STATUS_SUCCESS)
        return ccid_card_failed(slot, command, status);
    return STATUS_SUCCESS;
}

/* Commands to firmware may carry keys, Secoder commands what the user typed. */
static void wipe(struct ccid_slot *slot, uint32_t sent, uint32_t got)
{
    const SMARTCARD_REQUEST *request = &slot->ext.SmartcardRequest;

    if (sent <= request->BufferSize - CCID_HEADER_LENGTH)
        RtlSecureZeroMemory(ccid_slot_data(slot), sent);
    RtlSecureZeroMemory(slot->ext.SmartcardReply.Buffer, CCID_HEADER_LENGTH + got);
}

NTSTATUS ccid_escape(struct ccid_vendor_call *call)
{
    struct ccid_command command;
    NTSTATUS status = ccid_card_enter(call->slot);

    if (status != STATUS_SUCCESS)
        return status;
    status = ccid_escape_send(call->slot, call->bytes, call->length, 0, &command);
    if (status == STATUS_SUCCESS && command.answer.length > call->room)
        status = STATUS_BUFFER_TOO_SMALL;
    if (status == STATUS_SUCCESS && command.answer.length != 0)
        memcpy(call->bytes, command.answer.data, command.answer.length);
    if (status == STATUS_SUCCESS)
        call->got = command.answer.length;
    ccid_card_leave(call->slot);
    wipe(call->slot, call->length, command.answered ? command.answer.length : 0);
    return status;
}
