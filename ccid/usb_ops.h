/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb_ops.h - the seam between the CCID driver and whatever carries its messages: libusb
 * (usb.c), the virtual reader (virtual_reader.c), or a test that wraps one of them to
 * inject faults.
 *
 * Threads: exchange, bulk_out, bulk_in, control, clear_halt, reset and sleep_ms are
 * called by one thread at a time (the executor, or the thread that starts the device).
 * On a device whose slots are busy at once (mux.c) one thread may be in bulk_in, one in
 * bulk_out and one in control; clear_halt and reset only when nobody is in the first two.
 * cancel, hold, wait, enter, leave and now_ms are called by any thread. No lock of the
 * caller is held, except the one that wait is given.
 */
#ifndef CCID_USB_OPS_H
#define CCID_USB_OPS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ccid_usb; /* one claimed CCID interface; each carrier has its own */

enum ccid_usb_result {
    CCID_USB_OK,
    CCID_USB_TIMEOUT,   /* some bytes may have moved: see the length */
    CCID_USB_STALL,     /* endpoint halted, or control request refused */
    CCID_USB_OVERFLOW,  /* the device sent more than was asked for */
    CCID_USB_IO,        /* any other transfer error */
    CCID_USB_GONE,      /* no device any more */
    CCID_USB_CANCELLED, /* cancel(true) or hold(true) is in force */
    CCID_USB_NO_MEMORY,
};

#define CCID_CONTROL_MAX 4096 /* more than that the kernel refuses */

enum ccid_usb_pipe { CCID_USB_IN, CCID_USB_OUT };

/*
 * A message of the interrupt endpoint (CCID 1.1 §6.3), as received; NULL: the endpoint
 * has failed and says nothing until stop and start have been called. Called with no lock
 * held, in any thread, also while a transfer runs, never twice at once for one device;
 * must not block and must not call exchange ... sleep_ms.
 */
typedef void ccid_usb_notify(void *context, const uint8_t *message, size_t len);

struct ccid_usb_ops {
    /*
     * One message out and the first transfer in, with one deadline for both. in_size is
     * a multiple of the bulk-IN packet size. On any result *in_len says how many bytes
     * came in. When the message did not go out whole, no transfer is left pending.
     */
    enum ccid_usb_result (*exchange)(struct ccid_usb *usb, const uint8_t *out,
                                     size_t out_len, uint8_t *in, size_t in_size,
                                     size_t *in_len, uint32_t timeout_ms);
    enum ccid_usb_result (*bulk_out)(struct ccid_usb *usb, const uint8_t *out,
                                     size_t out_len, uint32_t timeout_ms);
    enum ccid_usb_result (*bulk_in)(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                    size_t *in_len, uint32_t timeout_ms);
    /* data_len is wLength, at most CCID_CONTROL_MAX; *done the bytes of the data stage.
     */
    enum ccid_usb_result (*control)(struct ccid_usb *usb, uint8_t request_type,
                                    uint8_t request, uint16_t value, uint16_t index,
                                    uint8_t *data, uint16_t data_len, size_t *done,
                                    uint32_t timeout_ms);
    enum ccid_usb_result (*clear_halt)(struct ccid_usb *usb); /* both bulk endpoints */
    enum ccid_usb_result (*reset)(struct ccid_usb *usb);
    /* While on, transfers and sleeps end, and new ones fail, with CCID_USB_CANCELLED. */
    void (*cancel)(struct ccid_usb *usb, bool on);
    /* The same for bulk_in or bulk_out alone; what has come in until then is delivered.
     */
    void (*hold)(struct ccid_usb *usb, enum ccid_usb_pipe pipe, bool on);
    /* As ccid_clock.wait, in the time of now_ms. */
    void (*wait)(struct ccid_usb *usb, pthread_cond_t *condition, pthread_mutex_t *lock,
                 uint64_t deadline_ms);
    /* The executor is about to use the device / has finished (a hint for the watcher). */
    void (*enter)(struct ccid_usb *usb);
    void (*leave)(struct ccid_usb *usb);
    /* Whether the device may be suspended while nobody is in; not before the first call.
     * Any thread, does not block. May be NULL: it never is. */
    void (*may_sleep)(struct ccid_usb *usb, bool yes);
    /* Starts the interrupt endpoint; without one: CCID_USB_OK and no calls of notify. */
    enum ccid_usb_result (*start)(struct ccid_usb *usb, ccid_usb_notify *notify,
                                  void *context);
    /* Ends it; after the return notify is not running and not called again. */
    void (*stop)(struct ccid_usb *usb);
    uint64_t (*now_ms)(struct ccid_usb *usb); /* monotonic */
    enum ccid_usb_result (*sleep_ms)(struct ccid_usb *usb, uint32_t ms);
};

/* A claimed interface, ready to be driven. */
struct ccid_usb_port {
    const struct ccid_usb_ops *ops;
    struct ccid_usb *usb;
};

#endif
