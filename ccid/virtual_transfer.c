/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_transfer.c - bulk transfers of the virtual reader: messages as packets. */
#include "ccid/virtual_internal.h"

#include <string.h>

enum ccid_usb_result virtual_obstacle_locked(const struct ccid_virtual_reader *reader)
{
    if (reader->gone)
        return CCID_USB_GONE;
    return reader->cancelled ? CCID_USB_CANCELLED : CCID_USB_OK;
}

static enum ccid_usb_result pipe_obstacle_locked(const struct ccid_virtual_reader *reader,
                                                 enum ccid_usb_pipe pipe)
{
    enum ccid_usb_result obstacle = virtual_obstacle_locked(reader);

    return obstacle == CCID_USB_OK && reader->held[pipe] ? CCID_USB_CANCELLED : obstacle;
}

static enum ccid_usb_result out_locked(struct ccid_virtual_reader *reader,
                                       const uint8_t *message, size_t len,
                                       uint64_t deadline_ms)
{
    for (;;) {
        enum ccid_usb_result obstacle = pipe_obstacle_locked(reader, CCID_USB_OUT);

        if (obstacle != CCID_USB_OK)
            return obstacle;
        if (reader->queue_count < VIRTUAL_QUEUE_FULL)
            break;
        if (virtual_now_ms(reader) >= deadline_ms)
            return CCID_USB_TIMEOUT;
        reader->clock->wait(reader->clock, &reader->changed, &reader->lock, deadline_ms);
    }
    reader->in_use = true;
    virtual_tick_locked(reader, virtual_now_ms(reader));
    virtual_command_locked(reader, message, len);
    pthread_cond_broadcast(&reader->changed); /* another thread may be in bulk_in */
    virtual_notify_locked(reader);            /* a card may have been captured */
    return CCID_USB_OK;
}

/* Up to size bytes of the first message; its header and data are one row of bytes. */
static size_t copy_head(const struct ccid_virtual_reader *reader, uint8_t *in,
                        size_t size)
{
    const struct virtual_message *head = &reader->queue[0];
    size_t at = reader->head_sent;
    size_t done = 0;

    if (at < CCID_HEADER_LENGTH) {
        done = CCID_HEADER_LENGTH - at < size ? CCID_HEADER_LENGTH - at : size;
        memcpy(in, head->header + at, done);
        at += done;
    }
    if (at >= CCID_HEADER_LENGTH && done < size) {
        size_t from = at - CCID_HEADER_LENGTH;
        size_t n =
            head->data_len - from < size - done ? head->data_len - from : size - done;

        if (n > 0)
            memcpy(in + done, head->data + from, n);
        done += n;
    }
    return done;
}

void virtual_pop_locked(struct ccid_virtual_reader *reader)
{
    struct virtual_message *head = &reader->queue[0];

    if (head->ends)
        reader->slots[head->slot].busy = false;
    virtual_forget_message(reader, head);
    if (reader->queue_count-- == VIRTUAL_QUEUE_FULL)
        pthread_cond_broadcast(&reader->changed);
    reader->head_sent = 0;
    memmove(head, head + 1, reader->queue_count * sizeof(*head));
}

/*
 * A message ends with a short packet. One that fills its last packet has none, and is
 * followed by no zero-length packet either, as on many readers: a read with room left
 * then goes on until its time is up. Returns true when the transfer is over.
 */
static bool fill_locked(struct ccid_virtual_reader *reader, uint8_t *in, size_t size,
                        size_t *got, enum ccid_usb_result *result)
{
    *result = CCID_USB_OK;
    while (reader->queue_count > 0 && *got < size) {
        size_t total = CCID_HEADER_LENGTH + reader->queue[0].data_len;
        size_t n = copy_head(reader, in + *got, size - *got);

        *got += n;
        reader->head_sent += n;
        if (reader->head_sent < total) {
            if (size % reader->shape.packet_size == 0)
                continue;
            *result = CCID_USB_OVERFLOW; /* the last packet did not fit */
            virtual_pop_locked(reader);
            return true;
        }
        virtual_pop_locked(reader);
        if (total % reader->shape.packet_size != 0)
            return true;
    }
    return *got == size;
}

static enum ccid_usb_result in_locked(struct ccid_virtual_reader *reader, uint8_t *in,
                                      size_t size, size_t *got, uint64_t deadline_ms)
{
    *got = 0;
    for (;;) {
        enum ccid_usb_result result = pipe_obstacle_locked(reader, CCID_USB_IN);
        uint64_t now, wake;

        if (result != CCID_USB_OK)
            return result;
        now = virtual_now_ms(reader);
        virtual_tick_locked(reader, now);
        if (fill_locked(reader, in, size, got, &result))
            return result;
        if (now >= deadline_ms)
            return CCID_USB_TIMEOUT;
        wake = virtual_next_tick_locked(reader);
        reader->clock->wait(reader->clock, &reader->changed, &reader->lock,
                            wake < deadline_ms ? wake : deadline_ms);
    }
}

enum ccid_usb_result virtual_exchange(struct ccid_usb *usb, const uint8_t *out,
                                      size_t out_len, uint8_t *in, size_t in_size,
                                      size_t *in_len, uint32_t timeout_ms)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);
    uint64_t deadline_ms = ccid_clock_deadline(virtual_now_ms(reader), timeout_ms);
    enum ccid_usb_result result;

    *in_len = 0;
    pthread_mutex_lock(&reader->lock);
    result = out_locked(reader, out, out_len, deadline_ms);
    if (result == CCID_USB_OK)
        result = in_locked(reader, in, in_size, in_len, deadline_ms);
    pthread_mutex_unlock(&reader->lock);
    return result;
}

enum ccid_usb_result virtual_bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                      size_t out_len, uint32_t timeout_ms)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);
    uint64_t deadline_ms = ccid_clock_deadline(virtual_now_ms(reader), timeout_ms);
    enum ccid_usb_result result;

    pthread_mutex_lock(&reader->lock);
    result = out_locked(reader, out, out_len, deadline_ms);
    pthread_mutex_unlock(&reader->lock);
    return result;
}

enum ccid_usb_result virtual_bulk_in(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                     size_t *in_len, uint32_t timeout_ms)
{
    struct ccid_virtual_reader *reader = virtual_from_usb(usb);
    uint64_t deadline_ms = ccid_clock_deadline(virtual_now_ms(reader), timeout_ms);
    enum ccid_usb_result result;

    pthread_mutex_lock(&reader->lock);
    result = in_locked(reader, in, in_size, in_len, deadline_ms);
    pthread_mutex_unlock(&reader->lock);
    return result;
}
