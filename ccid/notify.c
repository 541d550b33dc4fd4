/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.c - messages of the interrupt endpoint (CCID 1.1 §6.3), and the endpoint itself.
 *
 * Present and changed bits are believed as they stand: "changed" on a card that was in
 * already means that it was taken out and one was put in. The exception is the first
 * message after the endpoint was started: readers use it to say what they found when
 * they were configured, and mark a card that never moved as changed.
 *
 * States of the endpoint: it hears - halted, which the next service turn ends by starting
 * it again, three times in ten seconds - hard of hearing after that, until the device is
 * replaced - swamped by more than a thousand messages in a second, which ends after ten.
 * Unless it hears, messages are dropped and the slots are looked at instead (service.c);
 * whenever it hears again, every slot is looked at once, for what was missed.
 */
#include "ccid/service.h"

#include "ccid/trace.h"

#define FIRST_MESSAGE_MS 1000
#define RESTARTS_MAX     3
#define RESTARTS_SPAN_MS 10000
#define MESSAGES_MAX     1000 /* in a second */
#define SWAMPED_MS       10000
#define BUSY_MS          100

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

static uint64_t now_ms(const struct ccid_device *device)
{
    return device->port.ops->now_ms(device->port.usb);
}

/* ---- the endpoint ---------------------------------------------------------------- */

/* Under the lock. */
static void become(struct ccid_device *device, enum ccid_hearing state)
{
    __atomic_store_n(&device->listening.state, state, __ATOMIC_SEQ_CST);
}

static enum ccid_hearing state_of(const struct ccid_device *device)
{
    return __atomic_load_n(&device->listening.state, __ATOMIC_SEQ_CST);
}

bool ccid_notify_hears(const struct ccid_device *device)
{
    return state_of(device) == CCID_HEARS;
}

bool ccid_notify_deaf(const struct ccid_device *device, uint32_t *fixed_ms)
{
    enum ccid_hearing state = state_of(device);

    *fixed_ms = state == CCID_SWAMPED ? CCID_POLL_STORM_MS : CCID_POLL_DEAF_MS;
    return state == CCID_SWAMPED || state == CCID_HARD_OF_HEARING;
}

static void halted(struct ccid_device *device)
{
    bool news;

    pthread_mutex_lock(&device->lock);
    news = device->listening.state == CCID_HEARS;
    if (news) {
        device->health.notice_failures++;
        become(device, CCID_HALTED);
    }
    pthread_mutex_unlock(&device->lock);
    if (news)
        ccid_service_ask_all(device, 0);
}

/* Whether to listen to one message more. */
static bool admit(struct ccid_device *device, uint64_t now)
{
    struct ccid_listening *listening = &device->listening;
    bool swamped = false, hears;

    pthread_mutex_lock(&device->lock);
    hears = listening->state == CCID_HEARS;
    if (hears) {
        if (now - listening->second_ms >= 1000) {
            listening->second_ms = now;
            listening->messages = 0;
        }
        swamped = ++listening->messages > MESSAGES_MAX;
    }
    if (swamped) {
        device->health.notice_storms++;
        become(device, CCID_SWAMPED);
        listening->stopped = false;
        listening->swamped_until_ms = now + SWAMPED_MS;
    }
    pthread_mutex_unlock(&device->lock);
    if (swamped) {
        SmcLog(device->physical, STATUS_IO_DEVICE_ERROR,
               "a storm of interrupt messages; the reader is asked for a while instead");
        ccid_service_look(device);
    }
    return hears && !swamped;
}

static void start_again(struct ccid_device *device)
{
    const struct ccid_usb_port *port = &device->port;
    enum ccid_usb_result result;

    /* Whatever is heard from the start on counts. */
    pthread_mutex_lock(&device->lock);
    device->listening.stopped = false;
    device->listening.messages = 0;
    device->listening.restarting = true;
    become(device, CCID_HEARS);
    pthread_mutex_unlock(&device->lock);

    port->ops->stop(port->usb);
    result = port->ops->start(port->usb, ccid_notify, device);

    pthread_mutex_lock(&device->lock);
    device->listening.restarting = false;
    if (result != CCID_USB_OK)
        become(device, CCID_HARD_OF_HEARING);
    pthread_mutex_unlock(&device->lock);
    ccid_service_look(device);
}

uint32_t ccid_notify_turn(struct ccid_slot *slot)
{
    struct ccid_device *device = slot->device;
    struct ccid_listening *listening = &device->listening;
    const struct ccid_usb_port *port = &device->port;
    enum { NOTHING, START, STOP, GIVE_UP } action = NOTHING;
    uint32_t next_ms = CCID_NO_RETRY;
    uint64_t now;

    if (state_of(device) == CCID_HEARS || state_of(device) == CCID_HARD_OF_HEARING)
        return CCID_NO_RETRY;
    now = now_ms(device);
    pthread_mutex_lock(&device->lock);
    if (listening->restarting) {
        next_ms = BUSY_MS;
    } else if (listening->state == CCID_HALTED) {
        action = START;
        if (ccid_history_wait(&listening->restarts, now, RESTARTS_SPAN_MS, RESTARTS_MAX) >
            0) {
            action = GIVE_UP;
            become(device, CCID_HARD_OF_HEARING);
        }
        ccid_history_note(&listening->restarts, now);
    } else if (listening->state == CCID_SWAMPED) {
        if (now >= listening->swamped_until_ms) {
            action = START;
        } else {
            action = listening->stopped ? NOTHING : STOP;
            listening->stopped = true;
            next_ms = (uint32_t)(listening->swamped_until_ms - now);
        }
    }
    listening->restarting = action == START || action == STOP || listening->restarting;
    pthread_mutex_unlock(&device->lock);

    if (action == START)
        start_again(device);
    if (action == STOP) {
        port->ops->stop(port->usb);
        pthread_mutex_lock(&device->lock);
        listening->restarting = false;
        pthread_mutex_unlock(&device->lock);
    }
    if (action == GIVE_UP) {
        SmcLog(slot->object, STATUS_IO_DEVICE_ERROR,
               "the interrupt endpoint halts again and again; the reader is asked for "
               "card changes instead");
        ccid_service_look(device);
    }
    return next_ms;
}

/* ---- messages -------------------------------------------------------------------- */

static void hardware_error(struct ccid_device *device, const uint8_t *message, size_t len)
{
    struct ccid_slot *slot;
    bool first;

    if (len < 4 || message[1] >= device->desc.slot_count)
        return;
    pthread_mutex_lock(&device->lock);
    first = device->health.hardware_errors++ == 0;
    pthread_mutex_unlock(&device->lock);
    slot = first ? ccid_slot_hold(device, message[1]) : NULL;
    if (slot == NULL)
        return;
    SmcLog(slot->object, STATUS_IO_DEVICE_ERROR, "the reader reports hardware error %02x",
           message[3]);
    SmartcardReleaseRemoveLock(&slot->ext);
}

static void slot_change(struct ccid_device *device, const uint8_t *message, size_t len,
                        uint64_t now)
{
    bool first = !device->notified && now - device->started_ms < FIRST_MESSAGE_MS;

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
        ccid_state_heard(slot, present, changed && !first);
        SmartcardReleaseRemoveLock(&slot->ext);
    }
    ccid_device_rest(device);
}

void ccid_notify(void *context, const uint8_t *message, size_t len)
{
    struct ccid_device *device = context;
    uint64_t now = now_ms(device);

    if (message == NULL) {
        halted(device);
    } else if (len > 0 && admit(device, now)) {
        ccid_trace_notice(device, message, len);
        if (message[0] == CCID_HARDWARE_ERROR) {
            hardware_error(device, message, len);
        } else if (message[0] == CCID_NOTIFY_SLOT_CHANGE) {
            if (len >= 2)
                slot_change(device, message, len, now);
        } else {
            pthread_mutex_lock(&device->lock);
            device->health.unknown_notices++;
            pthread_mutex_unlock(&device->lock);
        }
    }
}
