/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scripted_libusb.h - a claimed interface whose libusb plays a script: the calls that
 * move transfers are wrapped by the linker (see meson.build). Time is virtual: a wait
 * for events that brings none moves the clock by its limit.
 *
 * A cancelled transfer is called back by the next wait that has nothing in the script.
 */
#ifndef TEST_SCRIPTED_LIBUSB_H
#define TEST_SCRIPTED_LIBUSB_H

#include "ccid/usb.h"
#include "virtual_clock.h"

#define LIBUSB_SCRIPT_MAX 32
#define LIBUSB_IN         0x81
#define LIBUSB_OUT        0x02
#define LIBUSB_INTERRUPT  0x83

struct libusb_step {
    uint8_t endpoint; /* whose transfer ends; 0: the control transfer */
    enum libusb_transfer_status status;
    const char *bytes; /* what an IN transfer brings; NULL: zeros */
    int len;
    int error;              /* no transfer ends: the wait fails with it */
    void (*action)(void *); /* no transfer ends: something happens meanwhile */
};

struct scripted_libusb {
    struct virtual_clock clock;
    struct ccid_usb usb;
    struct libusb_step steps[LIBUSB_SCRIPT_MAX];
    unsigned count, at;
    int submit_results[LIBUSB_SCRIPT_MAX]; /* of the submissions, in their order */
    unsigned submits;
    unsigned cancels, cancels_lost; /* the next so many cancels do nothing */
    unsigned interrupts;            /* of the event handler */
    uint8_t halts[8];               /* endpoints whose halt was cleared */
    unsigned halt_count;
    int clear_halt_results[8];
    int reset_result;
    unsigned resets;
    struct {
        struct libusb_transfer *transfer; /* NULL: free */
        bool cancelled;
    } pending[4];
};

/* The one that the wrapped calls work on. */
extern struct scripted_libusb lib;

/* With three transfers, and one of the interrupt endpoint. */
void scripted_libusb_begin(void);
/* Checks that the script was played, and that nothing was left behind. */
void scripted_libusb_end(void);

void scripted_libusb_ends(uint8_t endpoint, enum libusb_transfer_status status,
                          const char *bytes, int len);
void scripted_libusb_error(int error);
void scripted_libusb_action(void (*action)(void *));

#endif
