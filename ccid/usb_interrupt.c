/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb_interrupt.c - the interrupt endpoint: one transfer, always submitted.
 *
 *   idle -start-> submitted -callback-> ready -take-> taken -resubmit-> submitted
 *                                                        \-stopping, failed-> idle
 *
 * Whoever turns `ready` into `taken` passes the message on and submits again afterwards:
 * so no two threads are in notify, and no message is overwritten. Meanwhile the device
 * keeps its next message. An endpoint that the device stalls, or that fails again and
 * again, is idle, and notify is told so; start clears the stall first.
 */
#include "ccid/usb.h"

#include <time.h>

#define ERRORS_IN_A_ROW_MAX 10
#define STOP_WAIT_MS        100

enum usb_interrupt_state {
    INTERRUPT_IDLE,
    INTERRUPT_SUBMITTED,
    INTERRUPT_READY,
    INTERRUPT_TAKEN,
};

static int state_of(const struct usb_interrupt *self)
{
    return __atomic_load_n(&self->state, __ATOMIC_SEQ_CST);
}

static void set_state(struct usb_interrupt *self, enum usb_interrupt_state state)
{
    __atomic_store_n(&self->state, (int)state, __ATOMIC_SEQ_CST);
}

static bool is_stopping(const struct usb_interrupt *self)
{
    return __atomic_load_n(&self->stopping, __ATOMIC_SEQ_CST) != 0;
}

static void LIBUSB_CALL called_back(struct libusb_transfer *transfer)
{
    struct ccid_usb *usb = transfer->user_data;

    set_state(&usb->interrupt, INTERRUPT_READY);
    __atomic_store_n(&usb->interrupt.wake, 1, __ATOMIC_SEQ_CST);
}

static enum ccid_usb_result submit(struct ccid_usb *usb)
{
    struct usb_interrupt *self = &usb->interrupt;
    int error;

    set_state(self, INTERRUPT_SUBMITTED);
    error = libusb_submit_transfer(self->transfer);
    if (error != 0)
        set_state(self, INTERRUPT_IDLE);
    else if (is_stopping(self)) /* stop came between: its cancel found nothing */
        libusb_cancel_transfer(self->transfer);
    return usb_result(error);
}

/* Whether to listen on after what the transfer brought. */
static bool goes_on(struct ccid_usb *usb)
{
    struct usb_interrupt *self = &usb->interrupt;
    const char *problem = "fails";

    switch (self->transfer->status) {
    case LIBUSB_TRANSFER_COMPLETED:
        self->errors = 0;
        return true;
    case LIBUSB_TRANSFER_CANCELLED:
        return false;
    case LIBUSB_TRANSFER_STALL:
        problem = "is stalled";
        self->stalled = true;
        break;
    case LIBUSB_TRANSFER_NO_DEVICE: /* or one that fell asleep: its submission tells */
    case LIBUSB_TRANSFER_ERROR:
    case LIBUSB_TRANSFER_TIMED_OUT:
    case LIBUSB_TRANSFER_OVERFLOW:
        if (++self->errors < ERRORS_IN_A_ROW_MAX)
            return true;
        break;
    }
    SmcLog(NULL, STATUS_IO_DEVICE_ERROR, "usb %s: the interrupt endpoint %s", usb->path,
           problem);
    return false;
}

/* The device sleeps, and wakes up later; or else it is as good as halted. */
static void not_submitted(struct ccid_usb *usb)
{
    if (!usb_power_lost(usb))
        usb->interrupt.notify(usb->interrupt.context, NULL, 0);
}

void usb_interrupt_take(struct ccid_usb *usb)
{
    struct usb_interrupt *self = &usb->interrupt;
    int expected = INTERRUPT_READY;
    enum ccid_usb_result result;
    bool on;

    if (state_of(self) != INTERRUPT_READY ||
        !__atomic_compare_exchange_n(&self->state, &expected, INTERRUPT_TAKEN, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    on = is_stopping(self) ? false : goes_on(usb);
    if (!on && !is_stopping(self) && self->transfer->status != LIBUSB_TRANSFER_CANCELLED)
        self->notify(self->context, NULL, 0);
    if (on && self->transfer->status == LIBUSB_TRANSFER_COMPLETED &&
        self->transfer->actual_length > 0)
        self->notify(self->context, self->buffer, (size_t)self->transfer->actual_length);
    if (!on || is_stopping(self)) {
        set_state(self, INTERRUPT_IDLE);
        return;
    }
    result = submit(usb);
    if (result == CCID_USB_GONE)
        __atomic_store_n(&usb->gone, 1, __ATOMIC_SEQ_CST);
    else if (result != CCID_USB_OK)
        not_submitted(usb);
}

bool usb_interrupt_init(struct ccid_usb *usb, const struct ccid_endpoint *endpoint)
{
    struct usb_interrupt *self = &usb->interrupt;
    int size = endpoint->packet_size;

    if (endpoint->address == 0)
        return true;
    if (size < 8)
        size = 8;
    if (size > USB_INTERRUPT_MAX)
        size = USB_INTERRUPT_MAX;
    self->transfer = libusb_alloc_transfer(0);
    if (self->transfer == NULL)
        return false;
    libusb_fill_interrupt_transfer(self->transfer, usb->handle, endpoint->address,
                                   self->buffer, size, called_back, usb, 0);
    return true;
}

enum ccid_usb_result usb_interrupt_start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                         void *context)
{
    struct usb_interrupt *self = &usb->interrupt;

    if (self->transfer == NULL)
        return CCID_USB_OK;
    self->notify = notify;
    self->context = context;
    self->errors = 0;
    __atomic_store_n(&self->stopping, 0, __ATOMIC_SEQ_CST);
    if (self->stalled)
        (void)libusb_clear_halt(usb->handle, self->transfer->endpoint);
    self->stalled = false;
    return submit(usb);
}

bool usb_interrupt_pause(struct ccid_usb *usb)
{
    struct usb_interrupt *self = &usb->interrupt;
    bool running = self->transfer != NULL && state_of(self) != INTERRUPT_IDLE;

    __atomic_store_n(&self->stopping, 1, __ATOMIC_SEQ_CST);
    while (self->transfer != NULL) {
        __atomic_store_n(&self->wake, 0, __ATOMIC_SEQ_CST);
        usb_interrupt_take(usb);
        if (state_of(self) == INTERRUPT_IDLE)
            break;
        libusb_cancel_transfer(self->transfer);
        if (usb_handle_events(usb, STOP_WAIT_MS, &self->wake) != 0) {
            struct timespec pause = {.tv_nsec = 1000000};

            nanosleep(&pause, NULL);
        }
    }
    return running;
}

void usb_interrupt_stop(struct ccid_usb *usb)
{
    usb_interrupt_pause(usb);
}

void usb_interrupt_resume(struct ccid_usb *usb)
{
    enum ccid_usb_result result;

    __atomic_store_n(&usb->interrupt.stopping, 0, __ATOMIC_SEQ_CST);
    result = submit(usb);
    if (result != CCID_USB_OK && result != CCID_USB_GONE)
        not_submitted(usb);
}
