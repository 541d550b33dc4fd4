/* SPDX-License-Identifier: BSD-2-Clause */
/* udev.h - what libudev.c and udev_monitor.c share. */
#ifndef USBEMU_UDEV_H
#define USBEMU_UDEV_H

#include "usbemu.h"

struct cached {
    struct cached *next;
    char *name, *value;
};

struct udev_device {
    int references;
    bool interface;
    struct emu_device *device;
    const char *action; /* "add", "remove" or NULL */
    char syspath[128], sysname[48], node[32];
    struct udev_device *parent;
    struct cached *cache; /* values belong to the object */
};

/* With the lock held; udev_device_unref without it. */
struct udev_device *emu_udev_device(struct emu_device *device, bool interface,
                                    const char *action);
void emu_udev_device_free(struct udev_device *d);
const char *emu_devtype(bool interface);
struct udev_device *udev_device_unref(struct udev_device *d);

#endif
