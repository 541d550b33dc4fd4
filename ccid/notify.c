/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.c - messages of the interrupt endpoint (CCID 1.1 §6.3).
 *
 * Present and changed bits are believed as they stand: "changed" on a card that was in
 * already means that it was taken out and one was put in. The exception is the first
 * message after the endpoint was started: readers use it to say what they found when
 * they were configured, and mark a card that never moved as changed.
 */
#include "ccid/slot.h"

#define FIRST_MESSAGE_MS 1000

bool ccid_notify_bits(const uint8_t *message, size_t len, uint8_t slot, bool *present,
                      bool *changed)
{
    size_t byte = 1u + slot / 4u;
    unsigned int shift = (slot % 4u) * 2u;

    if (len <= byte || message[0] != CCID_NOTIFY_SLOT_CHANGE)
        return false;
    *present = (message[byte] >> shift & 1) != 0;
    *changed = (message[byte] >> shift & 2) != 0;
    return true;
}

struct ccid_slot *ccid_slot_hold(struct ccid_device *device, uint8_t index)
{
    struct ccid_slot *slot;

    pthread_mutex_lock(&device->lock);
    slot = device->slots[index];
    if (slot != NULL && SmartcardAcquireRemoveLock(&slot->ext) != STATUS_SUCCESS)
        slot = NULL;
    pthread_mutex_unlock(&device->lock);
    return slot;
}

static void hardware_error(struct ccid_device *device, const uint8_t *message, size_t len)
{
    struct ccid_slot *slot;

    if (len < 4 || message[1] >= device->desc.slot_count)
        return;
    slot = ccid_slot_hold(device, message[1]);
    if (slot == NULL)
        return;
    SmcLog(slot->object, STATUS_IO_DEVICE_ERROR, "the reader reports hardware error %02x",
           message[3]);
    SmartcardReleaseRemoveLock(&slot->ext);
}

void ccid_notify(void *context, const uint8_t *message, size_t len)
{
    struct ccid_device *device = context;
    const struct ccid_usb_port *port = &device->port;
    bool first;

    if (len == 0)
        return;
    if (message[0] == CCID_HARDWARE_ERROR) {
        hardware_error(device, message, len);
        return;
    }
    if (message[0] != CCID_NOTIFY_SLOT_CHANGE || len < 2)
        return;
    first = !device->notified &&
            port->ops->now_ms(port->usb) - device->started_ms < FIRST_MESSAGE_MS;
    device->notified = true;

    /* Bits of slots that do not exist are never looked at. */
    for (uint8_t i = 0; i < device->desc.slot_count; i++) {
        struct ccid_slot *slot;
        bool present, changed;

        if (!ccid_notify_bits(message, len, i, &present, &changed))
            break;
        slot = ccid_slot_hold(device, i);
        if (slot == NULL)
            continue;
        ccid_state_report(slot, present, changed && !first);
        SmartcardReleaseRemoveLock(&slot->ext);
    }
    ccid_device_rest(device);
}
