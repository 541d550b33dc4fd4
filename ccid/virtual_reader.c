/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_reader.c - an honest CCID device behind struct ccid_usb_ops.
 *
 * It is a product feature (a reader for somebody without one) and the one device model of
 * the tests, so it behaves as a good reader on a real bus would: it is handed the bytes
 * of Bulk-OUT messages and hands out bytes of Bulk-IN messages, a transfer at a time. It
 * checks what the host sends, also what this project's driver never sends.
 *
 * Time: the device acts only while somebody calls it. An answer that the card is still
 * working on has a time at which it is due; a read that waits for it sleeps on the clock
 * until then, or until the next time extension. Nobody waiting means no thread and no
 * wake-up.
 *
 * Slots: absent -> present, inactive (inserted) -> active (IccPowerOn) -> inactive
 * (IccPowerOff, reset of the device) -> absent (removed). A slot is busy from the arrival
 * of a command until its answer has been read, or an abort has been completed.
 * With mechanics a card that is inserted, or ejected, is at the mouth: present, without
 * contact, until it is accepted; one that is captured is absent. The device works for as
 * many slots at once as bMaxCCIDBusySlots says.
 *
 * What it takes, refuses and does by itself is its shape's affair (virtual_shape.h). Its
 * card hears only a reader that has agreed with it on protocol and rate, whoever did it.
 *
 * Locks: reader->lock is a leaf; notify is called without it. One thread at a time is in
 * notify: who finds another one there leaves its change to it.
 *
 * Deliberately not done: PIN entry at character level, and a bus that loses or repeats
 * something - that is what the tests' wrapper of these ops is for.
 */
#include "ccid/virtual_reader.h"

#include <stdlib.h>
#include <string.h>

#include "ccid/virtual_internal.h"

static enum ccid_usb_result op_control(struct ccid_usb *usb, uint8_t request_type,
                                       uint8_t request, uint16_t value, uint16_t index,
                                       uint8_t *data, uint16_t data_len, size_t *done,
                                       uint32_t timeout_ms)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);
    enum ccid_usb_result result;

    (void)timeout_ms;
    *done = 0;
    pthread_mutex_lock(&reader->lock);
    result = virtual_obstacle_locked(reader);
    if (result == CCID_USB_OK) {
        bool taken = virtual_control_locked(reader, request_type, request, value, index,
                                            data, data_len, done);

        result = taken ? CCID_USB_OK : CCID_USB_STALL;
        pthread_cond_broadcast(&reader->changed);
    }
    pthread_mutex_unlock(&reader->lock);
    return result;
}

static enum ccid_usb_result op_clear_halt(struct ccid_usb *usb)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);
    enum ccid_usb_result result;

    pthread_mutex_lock(&reader->lock);
    result = reader->gone ? CCID_USB_GONE : CCID_USB_OK;
    pthread_mutex_unlock(&reader->lock);
    return result;
}

static enum ccid_usb_result op_reset(struct ccid_usb *usb)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);
    enum ccid_usb_result result;

    pthread_mutex_lock(&reader->lock);
    result = reader->gone ? CCID_USB_GONE : CCID_USB_OK;
    if (result == CCID_USB_OK)
        virtual_reset_locked(reader);
    pthread_mutex_unlock(&reader->lock);
    return result;
}

static void op_cancel(struct ccid_usb *usb, bool on)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);

    pthread_mutex_lock(&reader->lock);
    reader->cancelled = on;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
}

static void op_hold(struct ccid_usb *usb, enum ccid_usb_pipe pipe, bool on)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);

    pthread_mutex_lock(&reader->lock);
    reader->held[pipe] = on;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
}

static void op_wait(struct ccid_usb *usb, pthread_cond_t *condition,
                    pthread_mutex_t *lock, uint64_t deadline_ms)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);

    reader->clock->wait(reader->clock, condition, lock, deadline_ms);
}

static void op_nothing(struct ccid_usb *usb)
{
    (void)usb;
}

static uint64_t op_now_ms(struct ccid_usb *usb)
{
    return virtual_now_ms(virtual_from_usb(usb));
}

static enum ccid_usb_result op_sleep_ms(struct ccid_usb *usb, uint32_t ms)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);
    uint64_t deadline_ms = ccid_clock_deadline(virtual_now_ms(reader), ms);
    enum ccid_usb_result result;

    pthread_mutex_lock(&reader->lock);
    while ((result = virtual_obstacle_locked(reader)) == CCID_USB_OK &&
           virtual_now_ms(reader) < deadline_ms)
        reader->clock->wait(reader->clock, &reader->changed, &reader->lock, deadline_ms);
    pthread_mutex_unlock(&reader->lock);
    return result;
}

static const struct ccid_usb_ops virtual_ops = {
    .exchange = virtual_exchange,
    .bulk_out = virtual_bulk_out,
    .bulk_in = virtual_bulk_in,
    .control = op_control,
    .clear_halt = op_clear_halt,
    .reset = op_reset,
    .cancel = op_cancel,
    .hold = op_hold,
    .wait = op_wait,
    .enter = op_nothing,
    .leave = op_nothing,
    .start = virtual_start,
    .stop = virtual_stop,
    .now_ms = op_now_ms,
    .sleep_ms = op_sleep_ms,
};

/* ---- from outside ---------------------------------------------------------------- */

struct ccid_virtual_reader *ccid_virtual_reader_new(
    struct ccid_clock *clock, const struct ccid_virtual_shape *shape)
{
    struct ccid_virtual_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL)
        return NULL;
    reader->clock = clock;
    reader->shape = *shape;
    virtual_iccd_shape(&reader->shape);
    if (pthread_mutex_init(&reader->lock, NULL) != 0)
        goto free_reader;
    if (ccid_clock_condition_init(&reader->changed) != 0)
        goto destroy_lock;
    for (unsigned i = 0; i < shape->slot_count; i++) {
        reader->slots[i].command = malloc(VIRTUAL_APDU_MAX);
        reader->slots[i].response = malloc(CCID_VIRTUAL_RESPONSE_MAX);
        reader->slots[i].contact = calloc(1, sizeof(*reader->slots[i].contact));
        if (reader->slots[i].command == NULL || reader->slots[i].response == NULL ||
            reader->slots[i].contact == NULL) {
            ccid_virtual_reader_free(reader);
            return NULL;
        }
    }
    return reader;

destroy_lock:
    pthread_mutex_destroy(&reader->lock);
free_reader:
    free(reader);
    return NULL;
}

void ccid_virtual_reader_free(struct ccid_virtual_reader *reader)
{
    for (unsigned i = 0; i < reader->shape.slot_count; i++) {
        free(reader->slots[i].command);
        free(reader->slots[i].response);
        free(reader->slots[i].contact);
    }
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}

struct ccid_usb_port ccid_virtual_reader_port(struct ccid_virtual_reader *reader)
{
    return (struct ccid_usb_port){&virtual_ops, (struct ccid_usb *)(void *)reader};
}

void ccid_virtual_reader_unplug(struct ccid_virtual_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    reader->gone = true;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
}
