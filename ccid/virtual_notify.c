/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_notify.c - cards that come and go in the virtual reader, and its interrupt
 * endpoint, which says so (CCID 1.1 §6.3.1). Changes that come while a notification is on
 * its way are put together in the next one, as a device does between two polls. A card
 * that was in before the host first spoke is no change.
 */
#include <errno.h>
#include <string.h>

#include "ccid/virtual_internal.h"

/* CCID 1.1 §6.3.1; returns the length, 0 when nothing has changed. */
static size_t slot_change_locked(struct ccid_virtual_reader *reader, uint8_t *message)
{
    size_t len = 1 + (reader->shape.slot_count + 3u) / 4;
    bool any = false;

    memset(message, 0, len);
    message[0] = CCID_NOTIFY_SLOT_CHANGE;
    for (unsigned i = 0; i < reader->shape.slot_count; i++) {
        struct virtual_slot *slot = &reader->slots[i];
        unsigned bits = (slot->present ? 1u : 0u) | (slot->changed ? 2u : 0u);

        message[1 + i / 4] |= (uint8_t)(bits << (i % 4 * 2));
        any = any || slot->changed;
        slot->changed = false;
    }
    return any ? len : 0;
}

void virtual_notify_locked(struct ccid_virtual_reader *reader)
{
    uint8_t message[1 + (CCID_VIRTUAL_SLOTS_MAX + 3) / 4];
    size_t len;

    if (reader->notifying)
        return;
    reader->notifying = true;
    while (reader->notify != NULL && !reader->gone &&
           (len = slot_change_locked(reader, message)) > 0) {
        ccid_usb_notify *notify = reader->notify;
        void *context = reader->notify_context;

        pthread_mutex_unlock(&reader->lock);
        notify(context, message, len);
        pthread_mutex_lock(&reader->lock);
    }
    reader->notifying = false;
    pthread_cond_broadcast(&reader->changed);
}

/* A change that came before is notified now. */
enum ccid_usb_result virtual_start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                   void *context)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);
    enum ccid_usb_result result;

    pthread_mutex_lock(&reader->lock);
    result = reader->gone ? CCID_USB_GONE : CCID_USB_OK;
    if (result == CCID_USB_OK && reader->shape.interrupt) {
        reader->notify = notify;
        reader->notify_context = context;
        virtual_notify_locked(reader);
    }
    pthread_mutex_unlock(&reader->lock);
    return result;
}

void virtual_stop(struct ccid_usb *usb)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);

    pthread_mutex_lock(&reader->lock);
    reader->notify = NULL;
    while (reader->notifying)
        pthread_cond_wait(&reader->changed, &reader->lock);
    pthread_mutex_unlock(&reader->lock);
}

int ccid_virtual_reader_insert(struct ccid_virtual_reader *reader, unsigned slot,
                               const uint8_t *atr, size_t atr_len)
{
    struct ccid_virtual_card card;
    int result = 0;

    if (atr_len == 0) {
        atr = reader->shape.atr;
        atr_len = reader->shape.atr_len;
    }
    if (slot >= reader->shape.slot_count || !ccid_virtual_card_init(&card, atr, atr_len))
        return -EINVAL;
    pthread_mutex_lock(&reader->lock);
    if (reader->slots[slot].present) {
        result = -EEXIST;
    } else {
        reader->slots[slot].card = card;
        virtual_card_in_locked(reader, slot);
        virtual_notify_locked(reader);
    }
    pthread_mutex_unlock(&reader->lock);
    return result;
}

int ccid_virtual_reader_remove(struct ccid_virtual_reader *reader, unsigned slot)
{
    int result = 0;

    if (slot >= reader->shape.slot_count)
        return -EINVAL;
    pthread_mutex_lock(&reader->lock);
    if (!reader->slots[slot].present) {
        result = -ENOENT;
    } else {
        virtual_card_out_locked(reader, slot);
        pthread_cond_broadcast(&reader->changed);
        virtual_notify_locked(reader);
    }
    pthread_mutex_unlock(&reader->lock);
    return result;
}

int ccid_virtual_reader_type(struct ccid_virtual_reader *reader, unsigned slot,
                             const char *keys)
{
    if (slot >= reader->shape.slot_count || !ccid_virtual_pad_keys(keys))
        return -EINVAL;
    pthread_mutex_lock(&reader->lock);
    memcpy(reader->slots[slot].pad.keys, keys, strlen(keys) + 1);
    pthread_mutex_unlock(&reader->lock);
    return 0;
}
