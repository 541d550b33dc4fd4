/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_bus.h - a USB without devices: the calls of usb_watch.c, usb_open.c and
 * usb_events.c to libusb and to the system are wrapped by the linker (see meson.build).
 * Any of them can be refused (refuse.h), and what was taken is counted until it is given
 * back. No transfer is ever submitted: the device stalls.
 *
 * The threads of devices wait until fake_bus_run; the event thread is real.
 */
#ifndef TEST_FAKE_BUS_H
#define TEST_FAKE_BUS_H

#include "ccid/usb.h"
#include "config.h"

struct fake_device {
    uint8_t bus, address;
    uint8_t ports[8];
    int port_count;
    uint16_t vid, pid;
    bool unconfigured;
    /* As libusb shows it: one interface. */
    uint8_t class_code;
    int extra, endpoint_extra;
    /* As the node shows it, behind the device descriptor. */
    struct config config;
    size_t node_len; /* of both; 0: all there is */
    bool kernel_driver;
};

/* A device of the class at 3-1.2; its configuration is still to be made. */
extern const struct fake_device fake_reader;

/* Nothing is refused, there is hot-plug, and no device. */
void fake_bus_begin(void);
/* Fails the test if anything has not been given back. */
void fake_bus_end(void);

/* No hot-plug: what is in the list is all there is. */
void fake_bus_no_hotplug(struct fake_device *device);
void fake_bus_plug(struct fake_device *device);
void fake_bus_unplug(struct fake_device *device);
/* The node of the last opened device reports an error. */
void fake_bus_hang_up(void);

/* The thread of a device does what it has to, if there is one. */
bool fake_bus_run(void);
/* The same; waits until there is one. */
void fake_bus_wait_and_run(void);
/* From now on threads run by themselves. */
void fake_bus_let_run(void);

/* What the driver did to the last device. */
struct fake_done {
    int configuration; /* -1: not set */
    bool detached, attached;
};
struct fake_done fake_bus_done(void);

#endif
