/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb.c - struct ccid_usb_ops by libusb.
 *
 * Each claimed interface has a libusb context of its own, so that whoever waits for one
 * reader handles the events of that reader only. Its transfers are allocated once and
 * have no timeout in libusb (that would cost two system calls each); usb_transfer.c keeps
 * the deadline.
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
 *   usb_watch.c > usb_device.c > usb_open.c, usb_strings.c > usb.c > usb_transfer.c,
 *   usb_interrupt.c, usb_events.c, usb_power.c
 */
#include "ccid/usb.h"

#include "ccid/clock.h"

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

int usb_handle_events(struct ccid_usb *usb, uint64_t wait_ms, int *wake)
{
    struct timeval wait = {.tv_sec = (time_t)(wait_ms / 1000),
                           .tv_usec = (suseconds_t)(wait_ms % 1000) * 1000};
    int error = libusb_handle_events_timeout_completed(usb->context, &wait, wake);

    usb_interrupt_take(usb);
    return error == LIBUSB_ERROR_INTERRUPTED ? 0 : error;
}

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
        result = usb_obstacle(usb);
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
    .exchange = usb_exchange,
    .bulk_out = usb_bulk_out,
    .bulk_in = usb_bulk_in,
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
