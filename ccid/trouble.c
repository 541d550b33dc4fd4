/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trouble.c - what goes wrong with a device, and what follows: it is counted; a device
 * that does not come back into step is tried again from time to time, by itself; one that
 * keeps breaking the rules is left alone for a while (health.c). Health is the device's,
 * step is each slot's: once one of them has brought the device back the others follow, in
 * turns of their own. Any thread.
 */
#include "ccid/service.h"

#define OTHERS_MS 1000 /* another slot is being brought back */

static uint64_t now_ms(const struct ccid_device *device)
{
    return device->port.ops->now_ms(device->port.usb);
}

const char *ccid_trouble_counter(PDEVICE_OBJECT object, ULONG index, ULONG *value)
{
    struct ccid_slot *slot = object->DeviceExtension;
    const char *name;

    pthread_mutex_lock(&slot->device->lock);
    name = ccid_health_counter(&slot->device->health, index, value);
    pthread_mutex_unlock(&slot->device->lock);
    return name;
}

void ccid_trouble_discard(struct ccid_device *device)
{
    pthread_mutex_lock(&device->lock);
    device->health.discards++;
    pthread_mutex_unlock(&device->lock);
}

/* Nothing is known of its cards any more. */
static void forget_cards(struct ccid_device *device)
{
    for (uint8_t i = 0; i < device->desc.slot_count; i++) {
        struct ccid_slot *slot = ccid_slot_hold(device, i);

        if (slot == NULL)
            continue;
        ccid_state_unknown(slot);
        SmartcardReleaseRemoveLock(&slot->ext);
    }
}

void ccid_trouble_violation(struct ccid_slot *slot)
{
    struct ccid_device *device = slot->device;
    uint64_t now = now_ms(device);
    uint32_t wait_ms = CCID_NO_RETRY;

    pthread_mutex_lock(&device->lock);
    if (ccid_health_violation(&device->health, now))
        wait_ms = ccid_health_wait(&device->health, now);
    pthread_mutex_unlock(&device->lock);
    if (wait_ms == CCID_NO_RETRY)
        return;
    __atomic_store_n(&device->quarantine_untold, true, __ATOMIC_SEQ_CST);
    forget_cards(device);
    ccid_service_ask_all(device, wait_ms);
}

bool ccid_trouble_quarantined(const struct ccid_device *device)
{
    return __atomic_load_n(&device->health.condition, __ATOMIC_SEQ_CST) ==
           CCID_QUARANTINED;
}

void ccid_trouble_failed(struct ccid_slot *slot)
{
    struct ccid_device *device = slot->device;
    uint64_t now = now_ms(device);
    uint32_t wait_ms;

    pthread_mutex_lock(&device->lock);
    ccid_health_failed(&device->health, now);
    wait_ms = ccid_health_wait(&device->health, now);
    pthread_mutex_unlock(&device->lock);
    ccid_service_ask(slot, wait_ms);
}

void ccid_trouble_tell(struct ccid_slot *slot)
{
    struct ccid_device *device = slot->device;

    /* After the line about the last violation: this is the error that stays. */
    if (__atomic_load_n(&device->quarantine_untold, __ATOMIC_SEQ_CST) &&
        __atomic_exchange_n(&device->quarantine_untold, false, __ATOMIC_SEQ_CST))
        SmcLog(
            slot->object, STATUS_IO_DEVICE_ERROR,
            "too many answers against the rules; the reader is left alone for a while");
}

void ccid_trouble_over(struct ccid_device *device)
{
    bool failed;

    pthread_mutex_lock(&device->lock);
    failed = device->health.condition == CCID_OUT_OF_ORDER;
    if (device->health.condition != CCID_QUARANTINED)
        ccid_health_recovered(&device->health);
    pthread_mutex_unlock(&device->lock);
    if (failed)
        ccid_service_ask_all(device, 0); /* the others may be out of step, too */
}

/* ---- the way back ---------------------------------------------------------------- */

static void release_cards(struct ccid_device *device)
{
    for (uint8_t i = 0; i < device->desc.slot_count; i++) {
        struct ccid_slot *slot = ccid_slot_hold(device, i);

        if (slot == NULL)
            continue;
        ccid_state_known(slot);
        SmartcardReleaseRemoveLock(&slot->ext);
    }
}

static void end_quarantine(struct ccid_slot *slot)
{
    struct ccid_device *device = slot->device;

    pthread_mutex_lock(&device->lock);
    ccid_health_recovered(&device->health);
    pthread_mutex_unlock(&device->lock);
    SmcLog(slot->object, STATUS_SUCCESS, "the reader behaves again");
    release_cards(device);
    ccid_service_look(device);
}

uint32_t ccid_trouble_turn(struct ccid_slot *slot)
{
    struct ccid_device *device = slot->device;
    bool quarantined = ccid_trouble_quarantined(device);
    uint64_t now = now_ms(device);
    NTSTATUS status;
    uint32_t wait_ms;

    pthread_mutex_lock(&device->lock);
    wait_ms = ccid_health_wait(&device->health, now);
    pthread_mutex_unlock(&device->lock);
    if (!quarantined && !slot->out_of_step)
        return CCID_NO_RETRY;
    /* CCID_NO_RETRY: another slot has brought the device back. */
    if (wait_ms > 0 && wait_ms != CCID_NO_RETRY)
        return wait_ms;
    slot->trying = true;
    status = ccid_resync(slot, CCID_RESYNC_LATER_MS);
    slot->trying = false;
    if (status == STATUS_DEVICE_REMOVED)
        return CCID_NO_RETRY;
    if (slot->out_of_step) { /* it has asked for the next try */
        pthread_mutex_lock(&device->lock);
        wait_ms = ccid_health_wait(&device->health, now_ms(device));
        pthread_mutex_unlock(&device->lock);
        return wait_ms > 0 ? wait_ms : OTHERS_MS;
    }
    if (quarantined)
        end_quarantine(slot);
    __atomic_store_n(&slot->look, true, __ATOMIC_SEQ_CST);
    return CCID_NO_RETRY;
}
