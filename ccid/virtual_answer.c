/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_answer.c - the Bulk-IN messages of the virtual reader (CCID 1.1 §6.2): answers,
 * the parts of a long one, time extensions, and what an abort does to them.
 */
#include "ccid/virtual_internal.h"

#define ERROR_OVERRUN 0xFC

void virtual_put(struct ccid_virtual_reader *reader, uint8_t slot_index, uint8_t type,
                 uint8_t seq, enum ccid_outcome outcome, uint8_t error, uint8_t extra,
                 const uint8_t *data, size_t data_len)
{
    enum ccid_icc icc = CCID_ICC_ABSENT;
    struct virtual_message *message = &reader->queue[reader->queue_count++];

    if (slot_index < reader->shape.slot_count && reader->slots[slot_index].present)
        icc = reader->slots[slot_index].active ? CCID_ICC_ACTIVE : CCID_ICC_INACTIVE;
    *message = (struct virtual_message){
        .header = {type, (uint8_t)data_len, (uint8_t)(data_len >> 8),
                   (uint8_t)(data_len >> 16), (uint8_t)(data_len >> 24), slot_index, seq,
                   (uint8_t)((unsigned)icc | (unsigned)outcome << 6), error, extra},
        .data = data,
        .data_len = data_len,
        .slot = slot_index,
    };
}

void virtual_forget_message(struct ccid_virtual_reader *reader,
                            const struct virtual_message *message)
{
    uint8_t *response;

    if (!message->ends || message->data_len == 0)
        return; /* nor need its slot be one of the reader's */
    response = reader->slots[message->slot].response;
    explicit_bzero(response + (message->data - response), message->data_len);
}

void virtual_forget_command(struct virtual_slot *slot)
{
    explicit_bzero(slot->command, slot->command_len);
    slot->command_len = 0;
}

void virtual_forget_response(struct virtual_slot *slot)
{
    explicit_bzero(slot->response + slot->response_sent,
                   slot->response_len - slot->response_sent);
    slot->response_len = slot->response_sent = 0;
}

void virtual_end(struct ccid_virtual_reader *reader, uint8_t slot_index,
                 enum ccid_outcome outcome, uint8_t error, uint8_t extra, size_t data_len)
{
    struct virtual_slot *slot = &reader->slots[slot_index];

    slot->running = false;
    slot->pad.asking = false;
    virtual_put(reader, slot_index, slot->busy_answer, slot->busy_seq, outcome, error,
                extra, slot->response, data_len);
    reader->queue[reader->queue_count - 1].ends = true;
}

void virtual_respond(struct ccid_virtual_reader *reader, uint8_t slot_index)
{
    struct virtual_slot *slot = &reader->slots[slot_index];
    size_t room = virtual_message_limit(&reader->shape) - CCID_HEADER_LENGTH;
    size_t left = slot->response_len - slot->response_sent;
    bool first = slot->response_sent == 0;
    size_t part = left < room ? left : room;
    bool last = part == left;

    if (virtual_level(&reader->shape) != CCID_LEVEL_EXTENDED_APDU && !last) {
        virtual_forget_response(slot);
        virtual_end(reader, slot_index, CCID_FAILED, ERROR_OVERRUN, 0, 0);
        return;
    }
    virtual_end(reader, slot_index, CCID_DONE, 0,
                (uint8_t)(first ? (last ? 0 : 1) : (last ? 2 : 3)), part);
    reader->queue[reader->queue_count - 1].data = slot->response + slot->response_sent;
    slot->response_sent += part;
}

void virtual_work(struct ccid_virtual_reader *reader, uint8_t slot_index,
                  uint32_t delay_ms)
{
    struct virtual_slot *slot = &reader->slots[slot_index];
    uint64_t now = reader->clock->now_ms(reader->clock);

    if (delay_ms == 0) {
        virtual_respond(reader, slot_index);
        return;
    }
    slot->running = true;
    slot->finish_ms = now + delay_ms;
    slot->finish_error = 0;
    slot->extension_ms = now + CCID_VIRTUAL_EXTENSION_MS;
}

/* ---- abort ----------------------------------------------------------------------- */

/* Takes back what waits for the host, except a message it has the beginning of. */
static void drop_answers(struct ccid_virtual_reader *reader, uint8_t slot_index)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < reader->queue_count; i++) {
        if (reader->queue[i].slot != slot_index || (i == 0 && reader->head_sent > 0))
            reader->queue[kept++] = reader->queue[i];
        else
            virtual_forget_message(reader, &reader->queue[i]);
    }
    reader->queue_count = kept;
}

/* Both halves are there: the command ends with CMD_ABORTED, the abort with SlotStatus. */
void virtual_finish_abort(struct ccid_virtual_reader *reader, uint8_t slot_index)
{
    struct virtual_slot *slot = &reader->slots[slot_index];

    if (!slot->abort_control || !slot->abort_message ||
        slot->abort_control_seq != slot->abort_message_seq)
        return;
    slot->abort_control = slot->abort_message = false;
    slot->collecting = false;
    virtual_forget_response(slot);
    drop_answers(reader, slot_index);
    if (slot->busy)
        virtual_end(reader, slot_index, CCID_FAILED, CCID_ERROR_ABORTED, 0, 0);
    virtual_put(reader, slot_index, CCID_SLOT_STATUS, slot->abort_message_seq, CCID_DONE,
                0, 0, NULL, 0);
}

bool virtual_abort_locked(struct ccid_virtual_reader *reader, uint8_t slot_index,
                          uint8_t seq)
{
    struct virtual_slot *slot;

    if (slot_index >= reader->shape.slot_count)
        return false;
    slot = &reader->slots[slot_index];
    slot->abort_control = true;
    slot->abort_control_seq = seq;
    virtual_finish_abort(reader, slot_index);
    return true;
}

/* ---- time ------------------------------------------------------------------------- */

void virtual_tick_locked(struct ccid_virtual_reader *reader, uint64_t now_ms)
{
    for (uint8_t i = 0; i < reader->shape.slot_count; i++) {
        struct virtual_slot *slot = &reader->slots[i];

        if (!slot->running)
            continue;
        if (now_ms >= slot->finish_ms) {
            slot->running = false;
            if (slot->pad.asking)
                virtual_pinpad_typed(reader, i);
            else if (slot->finish_error != 0)
                virtual_end(reader, i, CCID_FAILED, slot->finish_error, 0, 0);
            else
                virtual_respond(reader, i);
        } else if (now_ms >= slot->extension_ms && reader->queue_count == 0) {
            slot->extension_ms = now_ms + CCID_VIRTUAL_EXTENSION_MS;
            virtual_put(reader, i, slot->busy_answer, slot->busy_seq, CCID_TIME_EXTENSION,
                        1, 0, NULL, 0);
        }
    }
}

uint64_t virtual_next_tick_locked(const struct ccid_virtual_reader *reader)
{
    uint64_t next = CCID_CLOCK_NEVER;

    for (unsigned i = 0; i < reader->shape.slot_count; i++) {
        const struct virtual_slot *slot = &reader->slots[i];

        if (!slot->running)
            continue;
        if (slot->finish_ms < next)
            next = slot->finish_ms;
        if (reader->queue_count == 0 && slot->extension_ms < next)
            next = slot->extension_ms;
    }
    return next;
}
