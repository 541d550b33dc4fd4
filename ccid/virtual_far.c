/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_far.c - a card of the virtual reader that is somewhere else, at APDU level.
 *
 * The reader asks for its ATR at each power-up, and hands it APDUs; while it waits for
 * the answer it asks the host for time, as with any card that is at work. After
 * FAR_LIMIT_MS the card is mute. An answer that nobody waits for any more is dropped.
 */
#include <errno.h>
#include <string.h>

#include "ccid/virtual_internal.h"

#define FAR_LIMIT_MS    60000
#define FAR_MESSAGE_MAX 65535 /* its length has two bytes */

enum { FAR_OFF = 0, FAR_ON = 1, FAR_RESET = 2, FAR_GET_ATR = 4 };

static void tell(const struct virtual_slot *slot, uint8_t what)
{
    slot->far.send(slot->far.context, &what, sizeof what, false);
}

static void ask(struct virtual_slot *slot, const uint8_t *message, size_t len)
{
    slot->far_asked++;
    slot->far.send(slot->far.context, message, len, true);
}

static void await(struct ccid_virtual_reader *reader, struct virtual_slot *slot,
                  enum virtual_far_wants wants)
{
    const uint64_t now = virtual_now_ms(reader);

    slot->far_wants = wants;
    slot->running = true;
    slot->finish_ms = now + FAR_LIMIT_MS;
    slot->finish_error = CCID_ERROR_MUTE;
    slot->extension_ms = now + CCID_VIRTUAL_EXTENSION_MS;
}

void virtual_far_power_on(struct virtual_request *request)
{
    static const uint8_t get_atr = FAR_GET_ATR;
    struct virtual_slot *slot = request->slot;

    tell(slot, slot->active ? FAR_RESET : FAR_ON);
    ask(slot, &get_atr, sizeof get_atr);
    slot->active = true; /* has its supply, whatever it will say */
    await(request->reader, slot, VIRTUAL_FAR_ATR);
}

void virtual_far_power_off(struct virtual_slot *slot)
{
    slot->far_wants = VIRTUAL_FAR_NOTHING;
    if (slot->active)
        tell(slot, FAR_OFF);
}

void virtual_far_run(const struct virtual_request *request, const uint8_t *apdu,
                     size_t len)
{
    struct virtual_slot *slot = request->slot;

    /* A message of one byte is no APDU for the card. */
    if (len < 2 || len > FAR_MESSAGE_MAX) {
        virtual_failed(request, VIRTUAL_AT_LENGTH);
        return;
    }
    ask(slot, apdu, len);
    await(request->reader, slot, VIRTUAL_FAR_ANSWER);
}

void virtual_far_thrown_out(struct virtual_slot *slot)
{
    struct ccid_virtual_far far = slot->far;

    slot->far.send = NULL;
    if (far.send != NULL)
        far.send(far.context, NULL, 0, false);
}

static void answer_atr(struct ccid_virtual_reader *reader, uint8_t slot_index,
                       const uint8_t *atr, size_t len)
{
    struct virtual_slot *slot = &reader->slots[slot_index];

    if (len == 0 || !ccid_virtual_card_init(&slot->card, atr, len)) {
        virtual_end(reader, slot_index, CCID_FAILED, CCID_ERROR_MUTE, 0, 0);
        return;
    }
    virtual_slot_activate(reader, slot);
    memcpy(slot->response, atr, len);
    virtual_end(reader, slot_index, CCID_DONE, 0, 0, len);
}

static void answer_locked(struct ccid_virtual_reader *reader, uint8_t slot_index,
                          unsigned number, const uint8_t *bytes, size_t len)
{
    struct virtual_slot *slot = &reader->slots[slot_index];
    const enum virtual_far_wants wants = slot->far_wants;

    if (!slot->running || slot->far.send == NULL || wants == VIRTUAL_FAR_NOTHING ||
        number != slot->far_asked)
        return;
    slot->far_wants = VIRTUAL_FAR_NOTHING;
    slot->running = false;
    if (wants == VIRTUAL_FAR_ATR) {
        answer_atr(reader, slot_index, bytes, len);
    } else if (len < 2 || len > CCID_VIRTUAL_RESPONSE_MAX) {
        virtual_end(reader, slot_index, CCID_FAILED, CCID_ERROR_MUTE, 0, 0);
    } else {
        memcpy(slot->response, bytes, len);
        slot->response_len = len;
        slot->response_sent = 0;
        virtual_respond(reader, slot_index);
    }
    pthread_cond_broadcast(&reader->changed);
}

void ccid_virtual_reader_answer_far(struct ccid_virtual_reader *reader, unsigned slot,
                                    unsigned number, const uint8_t *bytes, size_t len)
{
    if (slot >= reader->shape.slot_count)
        return;
    pthread_mutex_lock(&reader->lock);
    answer_locked(reader, (uint8_t)slot, number, bytes, len);
    pthread_mutex_unlock(&reader->lock);
}

int ccid_virtual_reader_insert_far(struct ccid_virtual_reader *reader, unsigned slot,
                                   const struct ccid_virtual_far *far)
{
    struct ccid_virtual_card card;
    int result = 0;

    if (slot >= reader->shape.slot_count || !ccid_virtual_card_init(&card, NULL, 0))
        return -EINVAL;
    pthread_mutex_lock(&reader->lock);
    if (reader->slots[slot].present) {
        result = -EEXIST;
    } else {
        reader->slots[slot].card = card; /* until it has said its ATR */
        virtual_card_in_locked(reader, slot);
        reader->slots[slot].far = *far;
        reader->slots[slot].far_asked = 0;
        virtual_notify_locked(reader);
    }
    pthread_mutex_unlock(&reader->lock);
    return result;
}
