/* SPDX-License-Identifier: BSD-2-Clause */
/* usb.h - what the usb*.c files share; usb.c says how they work together. */
#ifndef CCID_USB_H
#define CCID_USB_H

#include <libusb.h>
#include <pthread.h>

#include "ccid/internal.h"

#define USB_PATH_SIZE         64
#define USB_INTERRUPT_MAX     64
#define USB_STRING_BYTES      255 /* longest string descriptor */
#define USB_STRING_TIMEOUT_MS 1000

/* A bulk or control transfer, allocated once. */
struct usb_transfer {
    struct ccid_usb *usb;
    struct libusb_transfer *transfer;
    int pending;                  /* atomic: submitted and not called back */
    int held;                     /* atomic: to end at once, and not to begin */
    int wake;                     /* for libusb: something happened to look at */
    struct usb_transfer *partner; /* of an exchange, where only wake of IN is watched */
};

/* The one interrupt transfer (usb_interrupt.c). */
struct usb_interrupt {
    struct libusb_transfer *transfer; /* NULL: no such endpoint */
    uint8_t buffer[USB_INTERRUPT_MAX];
    int state;       /* atomic, enum usb_interrupt_state */
    int stopping;    /* atomic */
    int wake;        /* for libusb: the transfer has been called back */
    unsigned errors; /* in a row */
    bool stalled;    /* to be cleared before it is started again */
    ccid_usb_notify *notify;
    void *context;
};

/* Autosuspend (usb_power.c). */
struct usb_power {
    bool possible;        /* fixed */
    pthread_mutex_t lock; /* what follows */
    unsigned users;       /* executors that are in */
    bool wanted;          /* it may sleep when nobody uses it */
    bool allowed;         /* the kernel knows */
    bool lost;            /* the interrupt transfer: it ended with the device asleep */
    bool asking;          /* SET_FEATURE is on its way */
    bool ending;
    struct usb_sleeper *sleeper; /* NULL: none */
    struct libusb_transfer *transfer;
    uint8_t setup[LIBUSB_CONTROL_SETUP_SIZE];
    int wake; /* for libusb: the transfer has been called back */
};

/* The descriptors that libusb polls for a context beside the node: two, in every version
 * so far. */
#define USB_POLLED_MAX 8

struct usb_polled {
    int fds[USB_POLLED_MAX];
    unsigned count;
};

/* One claimed CCID interface: its own file, context, handle and transfers. */
struct ccid_usb {
    char path[USB_PATH_SIZE]; /* for the log */
    int fd;
    libusb_context *context;
    libusb_device_handle *handle;
    uint8_t interface_number;
    uint8_t out_address, in_address;
    bool claimed;
    bool detached; /* a kernel driver was bound and gets it back */

    struct usb_transfer out, in, control;
    uint8_t control_buffer[LIBUSB_CONTROL_SETUP_SIZE + CCID_CONTROL_MAX];
    int wake;      /* for libusb: ends sleep_ms */
    int cancelled; /* atomic */
    int gone;      /* atomic */
    struct usb_interrupt interrupt;
    struct usb_power power;

    /* usb_events.c */
    struct usb_polled polled;
    struct ccid_usb *next;
    uint64_t id;
    unsigned users;
    void (*lost)(void *context); /* the node reports an error: the device is gone */
    void *lost_context;
    pthread_mutex_t lock; /* over the rest */
    unsigned busy;        /* executors that are in, and handle the events themselves */
    bool armed;           /* the event thread hears of URBs */
    bool watched;         /* the node is in the epoll set */
    uint64_t left_ms;
};

/* ---- usb.c ----------------------------------------------------------------------- */

extern const struct ccid_usb_ops ccid_usb_libusb_ops;

uint64_t usb_now_ms(void);
/* The result of a failed libusb call. */
enum ccid_usb_result usb_result(int libusb_error);

/* Handles what is pending on the context, waiting up to wait_ms for *wake; then passes
 * interrupt messages on. Negative: a libusb error. */
int usb_handle_events(struct ccid_usb *usb, uint64_t wait_ms, int *wake);

/* ---- usb_transfer.c -------------------------------------------------------------- */

/* Why nothing can be transferred now, or CCID_USB_OK. */
enum ccid_usb_result usb_obstacle(const struct ccid_usb *usb);
/* As in ccid_usb_ops. */
enum ccid_usb_result usb_exchange(struct ccid_usb *usb, const uint8_t *out,
                                  size_t out_len, uint8_t *in, size_t in_size,
                                  size_t *in_len, uint32_t timeout_ms);
enum ccid_usb_result usb_bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                  size_t out_len, uint32_t timeout_ms);
enum ccid_usb_result usb_bulk_in(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                 size_t *in_len, uint32_t timeout_ms);
enum ccid_usb_result usb_control(struct ccid_usb *usb, uint8_t request_type,
                                 uint8_t request, uint16_t value, uint16_t index,
                                 uint8_t *data, uint16_t data_len, size_t *done,
                                 uint32_t timeout_ms);

/* ---- usb_open.c ------------------------------------------------------------------ */

/* What stands in the node of a device: its device descriptor and the configurations. */
struct usb_node {
    uint8_t *bytes; /* caller frees */
    size_t len;
};

/* False with errno set. */
bool usb_node_read(const char *node, struct usb_node *out);
/* The bytes of one configuration; false when it is not there. */
bool usb_node_configuration(const struct usb_node *node, uint8_t value,
                            const uint8_t **config, size_t *len);

/* Opens the node, claims the interface. Logs why not and returns NULL. configure: the
 * device has no configuration yet. */
struct ccid_usb *usb_open(const char *node, const char *path,
                          const struct ccid_desc *desc, bool configure,
                          bool remote_wakeup);
void usb_close(struct ccid_usb *usb);

/* ---- usb_interrupt.c ------------------------------------------------------------- */

bool usb_interrupt_init(struct ccid_usb *usb, const struct ccid_endpoint *endpoint);
enum ccid_usb_result usb_interrupt_start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                         void *context);
void usb_interrupt_stop(struct ccid_usb *usb);
/* Whether it was running; usb_interrupt_resume makes it run again. */
bool usb_interrupt_pause(struct ccid_usb *usb);
void usb_interrupt_resume(struct ccid_usb *usb);
/* Passes on a message that has come, if no other thread does. Without libusb's event
 * lock. */
void usb_interrupt_take(struct ccid_usb *usb);

/* ---- usb_power.c ----------------------------------------------------------------- */

/* After the interrupt transfer has been made. False: no memory. */
bool usb_power_init(struct ccid_usb *usb, bool remote_wakeup);
void usb_power_enter(struct ccid_usb *usb);
void usb_power_leave(struct ccid_usb *usb);
void usb_power_may_sleep(struct ccid_usb *usb, bool yes);
/* The interrupt transfer cannot be submitted. True: the device sleeps, which is why; it
 * will be, later. */
bool usb_power_lost(struct ccid_usb *usb);
/* No sleep from end to begin. */
void usb_power_begin(struct ccid_usb *usb);
void usb_power_end(struct ccid_usb *usb);

/* ---- usb_thread.c ---------------------------------------------------------------- */

/* Starts a thread that gets no signals; NULL: a detached one. 0 or errno. */
int usb_thread_start(pthread_t *thread, void *(*run)(void *context), void *context);

/* ---- usb_events.c ---------------------------------------------------------------- */

/* Starts the event thread, which also serves the context of the hot-plug. 0 or errno.
 * ticked is called by it some milliseconds after usb_events_tick, and at times without;
 * true: once more. */
int usb_events_start(libusb_context *hotplug, bool (*ticked)(void));
void usb_events_stop(void);
void usb_events_tick(void);
/* 0 or errno. lost is called once at most, by the event thread. */
int usb_events_add(struct ccid_usb *usb, void (*lost)(void *context), void *context);
/* Afterwards the event thread does not know it any more. */
void usb_events_remove(struct ccid_usb *usb);
void usb_events_enter(struct ccid_usb *usb);
void usb_events_leave(struct ccid_usb *usb);

/* ---- usb_strings.c --------------------------------------------------------------- */

/*
 * A string descriptor as printable ASCII: other characters as the \xNN of their UTF-8
 * bytes, halves of surrogate pairs as U+FFFD, at most size - 1 bytes, an escape never
 * cut, no blanks and zeros around it. Empty for what is no string descriptor, and for a
 * string in which nothing can be seen. Pure.
 */
void usb_string_decode(const uint8_t *descriptor, size_t len, char *out, size_t size);

/* Reads the names of a device (18 bytes of device descriptor) and its interface into an
 * identity that has VID and PID; they name a product without a name. */
void usb_identity_read(struct ccid_usb *usb, const uint8_t *device_descriptor,
                       const struct ccid_desc *desc, struct smc_device_identity *out);

#endif
