/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault_usb.h - a bus that loses, cuts, delays and falsifies: it wraps a port and makes
 * chosen transfers go wrong.
 *
 * Transfers are counted from 1 as they are made: an exchange is an OUT and an IN. A fault
 * hits the at-th transfer, counted from the moment it is armed among those of its kind,
 * and with `sticky` also all that follow. FAULT_ON_ANY is every transfer of messages;
 * FAULT_ON_ALL adds the bus's own means of repair and the interrupt endpoint, which halts
 * at any fault, and its message is lost.
 */
#ifndef TESTS_CCID_FAULT_USB_H
#define TESTS_CCID_FAULT_USB_H

#include "ccid/usb_ops.h"
#include "virtual_clock.h"

enum fault_on {
    FAULT_ON_OUT = 1,
    FAULT_ON_IN = 2,
    FAULT_ON_CONTROL = 4,
    FAULT_ON_ANY = 7,
    FAULT_ON_REPAIR = 8,     /* clear_halt and reset; not in transfer_count */
    FAULT_ON_INTERRUPT = 16, /* likewise */
    FAULT_ON_ALL = 31
};

enum fault_kind {
    FAULT_RESULT, /* not made: ends with `result`; a TIMEOUT takes its time. What the
                     device has to say is said later. IN with CCID_USB_OK: zero-length
                     transfer */
    FAULT_LOSE,   /* made, but the data is lost on the way; the transfer times out */
    FAULT_FAIL,   /* made, and yet it ends with `result`: an answer is lost, a message
                     has arrived; a TIMEOUT takes its time */
    FAULT_SHORT,  /* IN, CONTROL: cut to `len` bytes. OUT: no more than that goes out, and
                     it ends with CCID_USB_IO */
    FAULT_LONG,   /* IN, likewise of a control request: made `len` bytes long, as far as
                     there is room, with A5h; without room for all: CCID_USB_OVERFLOW */
    FAULT_MUTATE, /* IN, likewise: byte `offset` becomes `value` */
    FAULT_FLIP,   /* IN, likewise: the bits of `value` in byte `offset` change */
    FAULT_SEQ,    /* IN only: bSeq of another command */
    FAULT_DELAY,  /* takes `delay_ms` longer; past the deadline it is a TIMEOUT, not made
                   */
};

struct fault {
    enum fault_on on;
    enum fault_kind kind;
    unsigned at;
    bool sticky;
    enum ccid_usb_result result;
    size_t len;
    size_t offset;
    uint8_t value;
    uint32_t delay_ms;
};

#define FAULTS_MAX 8

struct fault_usb {
    struct ccid_usb_port inner;
    struct virtual_clock *clock;
    struct {
        struct fault fault;
        unsigned seen;
    } armed[FAULTS_MAX];
    unsigned armed_count;
    unsigned transfer_count; /* made or not */
    unsigned hit_count;      /* transfers that went wrong */
    struct {
        size_t len;
        bool control;
    } truth; /* the last answer that was falsified, before it was */
    /* Called after each transfer that the device has seen. May be NULL. */
    void (*seen)(void *context);
    void *seen_context;
    unsigned starts, stops; /* of the interrupt endpoint */
    enum ccid_usb_result start_result;
    ccid_usb_notify *notify;
    void *notify_context;
    bool halted; /* until it is started again */
};

void fault_usb_init(struct fault_usb *self, struct ccid_usb_port inner,
                    struct virtual_clock *clock);
struct ccid_usb_port fault_usb_port(struct fault_usb *self);
void fault_usb_arm(struct fault_usb *self, struct fault fault);
/* The interrupt endpoint delivers something that the device has not sent; NULL: it
 * fails. */
void fault_usb_notify(struct fault_usb *self, const uint8_t *message, size_t len);
/* The bus is good again. */
void fault_usb_disarm(struct fault_usb *self);

#endif
