/* SPDX-License-Identifier: BSD-2-Clause */
/* usb_device.h - a device on the bus that may be a reader, or several. */
#ifndef CCID_USB_DEVICE_H
#define CCID_USB_DEVICE_H

#include "ccid/usb.h"

struct usb_reader {
    struct ccid_usb *usb;
    struct ccid_device *device;
};

struct usb_device {
    struct usb_device *next;
    uint8_t bus, address;
    uint16_t vid, pid, bcd_device;
    uint8_t configuration; /* bConfigurationValue */
    bool configure;        /* it is not set */
    char path[USB_PATH_SIZE];
    void (*lost)(void *device); /* its node reports an error */

    /* usb_watch.c, under its lock */
    bool running; /* a thread is at work on it */
    bool arrived;
    bool leaving;
    bool surprise;

    /* its thread's */
    struct usb_reader readers[CCID_INTERFACES_MAX];
    size_t reader_count;
};

/* Opens its interfaces and announces them; what is not used is in the log. */
void usb_device_arrive(struct usb_device *device, PDRIVER_OBJECT driver);
/* Takes the readers back. */
void usb_device_depart(struct usb_device *device, bool surprise);

#endif
