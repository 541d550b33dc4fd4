/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb.c - struct ccid_usb_ops by libusb.
 *
 * Each claimed interface has a libusb context of its own, so that whoever waits for one
 * reader handles the events of that reader only. Its transfers are allocated once and
 * have no timeout in libusb (that would cost two system calls each); the deadline is kept
 * here.
 *
 * Who handles events. The executor, between enter and leave, is its reader's event
 * handler: it submits IN and OUT together and stays in usb_handle_events until both have
 * been called back. Outside of that the one event thread (usb_events.c) listens. Both may
 * meet; libusb's event lock sorts that out, and both use the form with a `completed`
 * pointer, because an executor without one could sleep on a finished transfer.
 *
 * Where several slots are busy at once (mux.c) one thread waits for IN, one for OUT and
 * one for a control transfer, each with a `completed` flag of its own; whichever has
 * libusb's event lock handles the events of all.
 *
 * Callbacks run in either thread, with libusb's event lock held. They only note what has
 * happened. An interrupt message is taken after the events have been handled, by
 * whichever thread that was (usb_interrupt.c), since its receiver may complete requests.
 *
 * Cancel, hold, and the end of the device: a flag is set, then `wake` of who is to see
 * it, then the event handler is interrupted, which makes the others look, too. The
 * waiting thread alone cancels transfers, and never returns before each has been called
 * back: the memory is its caller's, and a transfer left behind would take the next answer
 * away.
 *
 * Life: usb_watch.c opens, adds and removes; every device in a short-lived thread.
 *   usb_watch.c > usb_open.c, usb_strings.c > usb.c > usb_interrupt.c, usb_events.c,
 *   usb_power.c
 */
#include "ccid/usb.h"

#include <time.h>

#include "ccid/clock.h"

#define REAP_WAIT_MS    1000
#define LONGEST_WAIT_MS 3600000u

uint64_t usb_now_ms(void)
{
    struct ccid_clock *clock = ccid_clock_real();

    return clock->now_ms(clock);
}

enum ccid_usb_result usb_result(int libusb_error)
{
    switch (libusb_error) {
    case 0:
        return CCID_USB_OK;
    case LIBUSB_ERROR_NO_DEVICE:
    case LIBUSB_ERROR_NOT_FOUND: /* of a reset: it has come back as another device */
        return CCID_USB_GONE;
    case LIBUSB_ERROR_PIPE:
        return CCID_USB_STALL;
    case LIBUSB_ERROR_TIMEOUT:
        return CCID_USB_TIMEOUT;
    case LIBUSB_ERROR_OVERFLOW:
        return CCID_USB_OVERFLOW;
    case LIBUSB_ERROR_NO_MEM:
        return CCID_USB_NO_MEMORY;
    default:
        return CCID_USB_IO;
    }
}

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

int usb_handle_events(struct ccid_usb *usb, uint64_t wait_ms, int *wake)
{
    struct timeval wait = {.tv_sec = (time_t)(wait_ms / 1000),
                           .tv_usec = (suseconds_t)(wait_ms % 1000) * 1000};
    int error = libusb_handle_events_timeout_completed(usb->context, &wait, wake);

    usb_interrupt_take(usb);
    return error == LIBUSB_ERROR_INTERRUPTED ? 0 : error;
}

/* ---- transfers ------------------------------------------------------------------- */

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

static enum ccid_usb_result obstacle(const struct ccid_usb *usb)
{
    if (__atomic_load_n(&usb->gone, __ATOMIC_SEQ_CST))
        return CCID_USB_GONE;
    if (__atomic_load_n(&usb->cancelled, __ATOMIC_SEQ_CST))
        return CCID_USB_CANCELLED;
    return CCID_USB_OK;
}

static enum ccid_usb_result transfer_obstacle(const struct usb_transfer *self)
{
    enum ccid_usb_result result = obstacle(self->usb);

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
    bool stopped = false;

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
        if (!stopped &&
            (stop != CCID_USB_OK || has_failed(first) || has_failed(second))) {
            stopped = true;
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

static enum ccid_usb_result op_exchange(struct ccid_usb *usb, const uint8_t *out,
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

static enum ccid_usb_result op_bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                        size_t out_len, uint32_t timeout_ms)
{
    size_t done;
    enum ccid_usb_result result =
        bulk(&usb->out, usb->out_address, out_bytes(out), out_len, &done, timeout_ms);

    return result == CCID_USB_OK && done != out_len ? CCID_USB_IO : result;
}

static enum ccid_usb_result op_bulk_in(struct ccid_usb *usb, uint8_t *in, size_t in_size,
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
    enum ccid_usb_result result = obstacle(usb);

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
    if (result != CCID_USB_OK)
        return result;
    result = outcome(self, finish(usb, self, NULL, deadline_ms, CCID_USB_OK));
    *done = (size_t)self->transfer->actual_length;
    if (in && *done > 0)
        memcpy(data, stage, *done);
    RtlSecureZeroMemory(stage, data_len); /* a token's commands come this way */
    return result;
}

/* ---- the rest -------------------------------------------------------------------- */

/* A stalled control request needs none: the next one ends it (USB 2.0 §8.5.3.4). */
static enum ccid_usb_result op_clear_halt(struct ccid_usb *usb)
{
    enum ccid_usb_result result, second;

    if (usb->out_address == 0 || usb->in_address == 0)
        return CCID_USB_OK;
    result = usb_result(libusb_clear_halt(usb->handle, usb->out_address));
    second = usb_result(libusb_clear_halt(usb->handle, usb->in_address));
    return result == CCID_USB_OK ? second : result;
}

/* The kernel takes every transfer of the device back at a reset. */
static enum ccid_usb_result op_reset(struct ccid_usb *usb)
{
    bool running = usb_interrupt_pause(usb);
    enum ccid_usb_result result = usb_result(libusb_reset_device(usb->handle));

    /* Also where there was no reset after all: nobody else would listen again. */
    if (running && result != CCID_USB_GONE)
        usb_interrupt_resume(usb);
    return result;
}

/* The order matters: finish clears wake first and looks at the flags afterwards. */
static void op_cancel(struct ccid_usb *usb, bool on)
{
    __atomic_store_n(&usb->cancelled, on ? 1 : 0, __ATOMIC_SEQ_CST);
    if (!on)
        return;
    __atomic_store_n(&usb->wake, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&usb->in.wake, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&usb->out.wake, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&usb->control.wake, 1, __ATOMIC_SEQ_CST);
    libusb_interrupt_event_handler(usb->context);
}

static void op_hold(struct ccid_usb *usb, enum ccid_usb_pipe pipe, bool on)
{
    struct usb_transfer *transfer = pipe == CCID_USB_IN ? &usb->in : &usb->out;

    __atomic_store_n(&transfer->held, on ? 1 : 0, __ATOMIC_SEQ_CST);
    if (!on)
        return;
    __atomic_store_n(&transfer->wake, 1, __ATOMIC_SEQ_CST);
    libusb_interrupt_event_handler(usb->context);
}

static void op_wait(struct ccid_usb *usb, pthread_cond_t *condition,
                    pthread_mutex_t *lock, uint64_t deadline_ms)
{
    struct ccid_clock *clock = ccid_clock_real();

    (void)usb;
    clock->wait(clock, condition, lock, deadline_ms);
}

static uint64_t op_now_ms(struct ccid_usb *usb)
{
    (void)usb;
    return usb_now_ms();
}

static enum ccid_usb_result op_sleep_ms(struct ccid_usb *usb, uint32_t ms)
{
    uint64_t deadline_ms = ccid_clock_deadline(usb_now_ms(), ms);

    for (;;) {
        enum ccid_usb_result result;
        uint64_t now;

        __atomic_store_n(&usb->wake, 0, __ATOMIC_SEQ_CST);
        result = obstacle(usb);
        now = usb_now_ms();
        if (result != CCID_USB_OK || now >= deadline_ms)
            return result;
        if (usb_handle_events(usb, deadline_ms - now, &usb->wake) != 0)
            return CCID_USB_IO;
    }
}

static void op_enter(struct ccid_usb *usb)
{
    usb_events_enter(usb);
    usb_power_enter(usb);
}

static void op_leave(struct ccid_usb *usb)
{
    usb_power_leave(usb);
    usb_events_leave(usb);
}

static enum ccid_usb_result op_start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                     void *context)
{
    usb_power_begin(usb);
    return usb_interrupt_start(usb, notify, context);
}

static void op_stop(struct ccid_usb *usb)
{
    usb_power_end(usb);
    usb_interrupt_stop(usb);
}

const struct ccid_usb_ops ccid_usb_libusb_ops = {
    .exchange = op_exchange,
    .bulk_out = op_bulk_out,
    .bulk_in = op_bulk_in,
    .control = usb_control,
    .clear_halt = op_clear_halt,
    .reset = op_reset,
    .cancel = op_cancel,
    .hold = op_hold,
    .wait = op_wait,
    .enter = op_enter,
    .leave = op_leave,
    .may_sleep = usb_power_may_sleep,
    .start = op_start,
    .stop = op_stop,
    .now_ms = op_now_ms,
    .sleep_ms = op_sleep_ms,
};
