/* SPDX-License-Identifier: BSD-2-Clause */
/* usb_transfer.c - bulk and control transfers, each until it has been called back or
 * cancelled; usb.c has the theory. */
#include "ccid/usb.h"

#include <string.h>
#include <time.h>

#include "ccid/clock.h"

#define REAP_WAIT_MS    1000
#define LONGEST_WAIT_MS 3600000u

static enum ccid_usb_result transfer_result(enum libusb_transfer_status status)
{
    switch (status) {
    case LIBUSB_TRANSFER_COMPLETED:
        return CCID_USB_OK;
    case LIBUSB_TRANSFER_TIMED_OUT:
        return CCID_USB_TIMEOUT;
    case LIBUSB_TRANSFER_CANCELLED:
        return CCID_USB_CANCELLED;
    case LIBUSB_TRANSFER_STALL:
        return CCID_USB_STALL;
    case LIBUSB_TRANSFER_NO_DEVICE:
        return CCID_USB_GONE;
    case LIBUSB_TRANSFER_OVERFLOW:
        return CCID_USB_OVERFLOW;
    case LIBUSB_TRANSFER_ERROR:
        break;
    }
    return CCID_USB_IO;
}

static bool is_pending(const struct usb_transfer *self)
{
    return __atomic_load_n(&self->pending, __ATOMIC_SEQ_CST) != 0;
}

/* Wakes the waiting thread when there is something for it to do. Of the two transfers of
 * an exchange the first that is done is nothing. */
static void LIBUSB_CALL called_back(struct libusb_transfer *transfer)
{
    struct usb_transfer *self = transfer->user_data;
    struct ccid_usb *usb = self->usb;
    /* Before its thread can know that it is done. */
    struct usb_transfer *partner = self->partner;
    int *wake = partner == NULL ? &self->wake : &usb->in.wake;

    if (transfer->status == LIBUSB_TRANSFER_NO_DEVICE)
        __atomic_store_n(&usb->gone, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&self->pending, 0, __ATOMIC_SEQ_CST);
    if (transfer->status != LIBUSB_TRANSFER_COMPLETED || partner == NULL ||
        !is_pending(partner))
        __atomic_store_n(wake, 1, __ATOMIC_SEQ_CST);
}

enum ccid_usb_result usb_obstacle(const struct ccid_usb *usb)
{
    if (__atomic_load_n(&usb->gone, __ATOMIC_SEQ_CST))
        return CCID_USB_GONE;
    if (__atomic_load_n(&usb->cancelled, __ATOMIC_SEQ_CST))
        return CCID_USB_CANCELLED;
    return CCID_USB_OK;
}

static enum ccid_usb_result transfer_obstacle(const struct usb_transfer *self)
{
    enum ccid_usb_result result = usb_obstacle(self->usb);

    return result == CCID_USB_OK && __atomic_load_n(&self->held, __ATOMIC_SEQ_CST)
               ? CCID_USB_CANCELLED
               : result;
}

static enum ccid_usb_result submit(struct usb_transfer *self,
                                   struct usb_transfer *partner)
{
    int error;

    self->partner = partner;
    __atomic_store_n(&self->pending, 1, __ATOMIC_SEQ_CST);
    error = libusb_submit_transfer(self->transfer);
    if (error != 0)
        __atomic_store_n(&self->pending, 0, __ATOMIC_SEQ_CST);
    return usb_result(error);
}

/* A transfer that ended by itself in a bad way; the other one then has no use. */
static bool has_failed(const struct usb_transfer *self)
{
    return self != NULL && !is_pending(self) &&
           self->transfer->status != LIBUSB_TRANSFER_COMPLETED;
}

/*
 * Waits until both transfers (second may be NULL) have been called back; cancels them at
 * the deadline, on a cancel, when the device goes, or when one of them fails. stop: they
 * are to be cancelled at once, for that reason. Returns why it cancelled, or CCID_USB_OK.
 */
static enum ccid_usb_result finish(struct ccid_usb *usb, struct usb_transfer *first,
                                   struct usb_transfer *second, uint64_t deadline_ms,
                                   enum ccid_usb_result stop)
{
    for (;;) {
        uint64_t wait_ms = REAP_WAIT_MS;
        int error;

        __atomic_store_n(&first->wake, 0, __ATOMIC_SEQ_CST);
        if (!is_pending(first) && (second == NULL || !is_pending(second)))
            return stop;
        if (stop == CCID_USB_OK)
            stop = transfer_obstacle(first);
        if (stop == CCID_USB_OK && !has_failed(first) && !has_failed(second)) {
            uint64_t now = usb_now_ms();

            wait_ms = now < deadline_ms ? deadline_ms - now : 0;
            if (wait_ms > LONGEST_WAIT_MS)
                wait_ms = LONGEST_WAIT_MS;
            if (wait_ms == 0)
                stop = CCID_USB_TIMEOUT;
        }
        /* Again in each round: a cancel may fail. */
        if (stop != CCID_USB_OK || has_failed(first) || has_failed(second)) {
            wait_ms = REAP_WAIT_MS;
            if (is_pending(first))
                libusb_cancel_transfer(first->transfer);
            if (second != NULL && is_pending(second))
                libusb_cancel_transfer(second->transfer);
        }
        error = usb_handle_events(usb, wait_ms, &first->wake);
        if (error != 0) {
            /* The kernel gives every transfer back in the end; meanwhile do not spin. */
            struct timespec pause = {.tv_nsec = 1000000};

            stop = stop == CCID_USB_OK ? usb_result(error) : stop;
            nanosleep(&pause, NULL);
        }
    }
}

/* What came of one transfer, when finish said why it may have been cancelled. */
static enum ccid_usb_result outcome(const struct usb_transfer *self,
                                    enum ccid_usb_result stop)
{
    enum ccid_usb_result result = transfer_result(self->transfer->status);

    return result == CCID_USB_CANCELLED && stop != CCID_USB_OK ? stop : result;
}

static void fill_bulk(struct usb_transfer *self, uint8_t endpoint, uint8_t *bytes,
                      size_t len)
{
    libusb_fill_bulk_transfer(self->transfer, self->usb->handle, endpoint, bytes,
                              (int)len, called_back, self, 0);
}

/* libusb has one pointer type for both directions; it does not write to an OUT buffer. */
static uint8_t *out_bytes(const uint8_t *bytes)
{
    return (uint8_t *)(uintptr_t)bytes;
}

enum ccid_usb_result usb_exchange(struct ccid_usb *usb, const uint8_t *out,
                                  size_t out_len, uint8_t *in, size_t in_size,
                                  size_t *in_len, uint32_t timeout_ms)
{
    uint64_t deadline_ms = ccid_clock_deadline(usb_now_ms(), timeout_ms);
    enum ccid_usb_result result = transfer_obstacle(&usb->in);
    enum ccid_usb_result stop = CCID_USB_OK;

    *in_len = 0;
    if (result != CCID_USB_OK)
        return result;
    fill_bulk(&usb->in, usb->in_address, in, in_size);
    fill_bulk(&usb->out, usb->out_address, out_bytes(out), out_len);
    /* IN first: the answer of a fast reader then needs no second turn. */
    result = submit(&usb->in, &usb->out);
    if (result != CCID_USB_OK)
        return result;
    result = submit(&usb->out, &usb->in);
    if (result != CCID_USB_OK)
        stop = result;
    stop = finish(usb, &usb->in, &usb->out, deadline_ms, stop);
    *in_len = (size_t)usb->in.transfer->actual_length;
    if (result != CCID_USB_OK)
        return result;
    result = outcome(&usb->out, stop);
    if (result == CCID_USB_OK && (size_t)usb->out.transfer->actual_length != out_len)
        return CCID_USB_IO;
    if (result == CCID_USB_OK || (result == CCID_USB_CANCELLED && stop == CCID_USB_OK))
        return outcome(&usb->in, stop); /* also if OUT ended because IN had failed */
    return result;
}

static enum ccid_usb_result bulk(struct usb_transfer *self, uint8_t endpoint,
                                 uint8_t *bytes, size_t len, size_t *done,
                                 uint32_t timeout_ms)
{
    struct ccid_usb *usb = self->usb;
    uint64_t deadline_ms = ccid_clock_deadline(usb_now_ms(), timeout_ms);
    enum ccid_usb_result result = transfer_obstacle(self);

    *done = 0;
    if (result != CCID_USB_OK)
        return result;
    fill_bulk(self, endpoint, bytes, len);
    result = submit(self, NULL);
    if (result != CCID_USB_OK)
        return result;
    result = finish(usb, self, NULL, deadline_ms, CCID_USB_OK);
    *done = (size_t)self->transfer->actual_length;
    return outcome(self, result);
}

enum ccid_usb_result usb_bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                  size_t out_len, uint32_t timeout_ms)
{
    size_t done;
    enum ccid_usb_result result =
        bulk(&usb->out, usb->out_address, out_bytes(out), out_len, &done, timeout_ms);

    return result == CCID_USB_OK && done != out_len ? CCID_USB_IO : result;
}

enum ccid_usb_result usb_bulk_in(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                 size_t *in_len, uint32_t timeout_ms)
{
    return bulk(&usb->in, usb->in_address, in, in_size, in_len, timeout_ms);
}

enum ccid_usb_result usb_control(struct ccid_usb *usb, uint8_t request_type,
                                 uint8_t request, uint16_t value, uint16_t index,
                                 uint8_t *data, uint16_t data_len, size_t *done,
                                 uint32_t timeout_ms)
{
    uint64_t deadline_ms = ccid_clock_deadline(usb_now_ms(), timeout_ms);
    struct usb_transfer *self = &usb->control;
    bool in = (request_type & LIBUSB_ENDPOINT_IN) != 0;
    uint8_t *stage = usb->control_buffer + LIBUSB_CONTROL_SETUP_SIZE;
    enum ccid_usb_result result = usb_obstacle(usb);

    *done = 0;
    if (result != CCID_USB_OK)
        return result;
    if (data_len > CCID_CONTROL_MAX)
        return CCID_USB_NO_MEMORY;
    libusb_fill_control_setup(usb->control_buffer, request_type, request, value, index,
                              data_len);
    if (!in && data_len > 0)
        memcpy(stage, data, data_len);
    libusb_fill_control_transfer(self->transfer, usb->handle, usb->control_buffer,
                                 called_back, self, 0);
    result = submit(self, NULL);
    if (result == CCID_USB_OK) {
        result = outcome(self, finish(usb, self, NULL, deadline_ms, CCID_USB_OK));
        *done = (size_t)self->transfer->actual_length;
        if (in && *done > 0)
            memcpy(data, stage, *done);
    }
    RtlSecureZeroMemory(stage, data_len); /* a token's commands come this way */
    return result;
}
