/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libudev.c - the part of libudev that libusb and pcscd call, over our readers: devices
 * and their attributes, and enumeration. Hot-plug is udev_monitor.c.
 *
 * Reference counts are those of libudev: not for two threads at once on one object.
 */
#include "udev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The public prototypes are libudev.h's, which this module does not need to build. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

struct udev {
    int references;
};

struct udev_list_entry {
    struct udev_list_entry *next;
    char name[128];
};

struct udev_enumerate {
    int references;
    bool other_subsystem;
    char devtype[24];
    struct udev_list_entry *first;
};

const char *emu_devtype(bool interface)
{
    return interface ? "usb_interface" : "usb_device";
}

struct udev_device *emu_udev_device(struct emu_device *device, bool interface,
                                    const char *action)
{
    struct udev_device *d = emu_alloc(sizeof *d);

    d->references = 1;
    d->device = device;
    emu_device_hold(device);
    d->interface = interface;
    d->action = action;
    snprintf(d->sysname, sizeof d->sysname, "%s%s", device->name,
             interface ? ":1.0" : "");
    snprintf(d->syspath, sizeof d->syspath, "/sys/devices/platform/usbemu/usb%u/%s%s%s",
             device->bus, device->name, interface ? "/" : "",
             interface ? d->sysname : "");
    if (!interface)
        snprintf(d->node, sizeof d->node, "/dev/bus/usb/%03u/%03u", device->bus,
                 device->address);
    return d;
}

void emu_udev_device_free(struct udev_device *d)
{
    for (struct cached *c; (c = d->cache);) {
        d->cache = c->next;
        free(c->name);
        free(c->value);
        free(c);
    }
    emu_device_let_go(d->device);
    free(d);
}

/* ---- udev ------------------------------------------------------------------------ */

EMU_EXPORT struct udev *udev_new(void)
{
    struct udev *udev = emu_alloc(sizeof *udev);

    emu_start();
    udev->references = 1;
    return udev;
}

EMU_EXPORT struct udev *udev_ref(struct udev *udev)
{
    udev->references++;
    return udev;
}

EMU_EXPORT struct udev *udev_unref(struct udev *udev)
{
    if (udev && --udev->references == 0)
        free(udev);
    return NULL;
}

/* ---- udev_device ----------------------------------------------------------------- */

EMU_EXPORT struct udev_device *udev_device_ref(struct udev_device *d)
{
    d->references++;
    return d;
}

EMU_EXPORT struct udev_device *udev_device_unref(struct udev_device *d)
{
    struct udev_device *parent;

    while (d && --d->references == 0) {
        parent = d->parent;
        pthread_mutex_lock(&emu_lock);
        emu_udev_device_free(d);
        pthread_mutex_unlock(&emu_lock);
        d = parent;
    }
    return NULL;
}

EMU_EXPORT struct udev_device *udev_device_new_from_syspath(struct udev *udev,
                                                            const char *path)
{
    struct udev_device *found = NULL;
    struct emu_device *device;

    (void)udev;
    pthread_mutex_lock(&emu_lock);
    for (unsigned i = 0; !found && (device = emu_device(&i));) {
        for (int interface = 0; !found && interface < 2; interface++) {
            struct udev_device *d = emu_udev_device(device, interface, NULL);

            if (strcmp(d->syspath, path) == 0)
                found = d;
            else
                emu_udev_device_free(d);
        }
    }
    pthread_mutex_unlock(&emu_lock);
    if (!found)
        errno = ENODEV;
    return found;
}

EMU_EXPORT struct udev_device *udev_device_get_parent_with_subsystem_devtype(
    struct udev_device *d, const char *subsystem, const char *devtype)
{
    if (!d->interface || (subsystem && strcmp(subsystem, "usb") != 0) ||
        (devtype && strcmp(devtype, "usb_device") != 0))
        return NULL;
    if (!d->parent) {
        pthread_mutex_lock(&emu_lock);
        d->parent = emu_udev_device(d->device, false, NULL);
        pthread_mutex_unlock(&emu_lock);
    }
    return d->parent; /* belongs to the child */
}

EMU_EXPORT struct udev_device *udev_device_get_parent(struct udev_device *d)
{
    return udev_device_get_parent_with_subsystem_devtype(d, NULL, NULL);
}

EMU_EXPORT const char *udev_device_get_action(struct udev_device *d)
{
    return d->action;
}

EMU_EXPORT const char *udev_device_get_devnode(struct udev_device *d)
{
    return *d->node ? d->node : NULL;
}

EMU_EXPORT const char *udev_device_get_sysname(struct udev_device *d)
{
    return d->sysname;
}

EMU_EXPORT const char *udev_device_get_syspath(struct udev_device *d)
{
    return d->syspath;
}

EMU_EXPORT const char *udev_device_get_devpath(struct udev_device *d)
{
    return d->syspath + strlen("/sys");
}

EMU_EXPORT const char *udev_device_get_subsystem(struct udev_device *d)
{
    (void)d;
    return "usb";
}

EMU_EXPORT const char *udev_device_get_devtype(struct udev_device *d)
{
    return emu_devtype(d->interface);
}

EMU_EXPORT int udev_device_get_is_initialized(struct udev_device *d)
{
    (void)d;
    return 1;
}

EMU_EXPORT const char *udev_device_get_sysattr_value(struct udev_device *d,
                                                     const char *name)
{
    struct cached *c;
    char *value = NULL;
    size_t len;

    for (c = d->cache; c; c = c->next)
        if (!strcmp(c->name, name))
            return c->value;
    pthread_mutex_lock(&emu_lock);
    if (!d->device->gone)
        value = emu_attribute(d->device, d->interface, name, &len);
    pthread_mutex_unlock(&emu_lock);
    if (!value)
        return NULL;
    c = emu_alloc(sizeof *c);
    c->name = emu_alloc(strlen(name) + 1);
    strcpy(c->name, name);
    c->value = value;
    c->next = d->cache;
    d->cache = c;
    return value;
}

EMU_EXPORT const char *udev_device_get_property_value(struct udev_device *d,
                                                      const char *key)
{
    if (!strcmp(key, "DEVTYPE"))
        return udev_device_get_devtype(d);
    if (!strcmp(key, "DEVNAME"))
        return udev_device_get_devnode(d);
    if (!strcmp(key, "SUBSYSTEM"))
        return "usb";
    if (!strcmp(key, "BUSNUM"))
        return udev_device_get_sysattr_value(d, "busnum");
    if (!strcmp(key, "DEVNUM"))
        return udev_device_get_sysattr_value(d, "devnum");
    return NULL;
}

/* ---- udev_enumerate -------------------------------------------------------------- */

EMU_EXPORT struct udev_enumerate *udev_enumerate_new(struct udev *udev)
{
    struct udev_enumerate *e = emu_alloc(sizeof *e);

    (void)udev;
    emu_start();
    e->references = 1;
    return e;
}

EMU_EXPORT struct udev_enumerate *udev_enumerate_unref(struct udev_enumerate *e)
{
    if (!e || --e->references > 0)
        return NULL;
    for (struct udev_list_entry *l; (l = e->first);) {
        e->first = l->next;
        free(l);
    }
    free(e);
    return NULL;
}

EMU_EXPORT int udev_enumerate_add_match_subsystem(struct udev_enumerate *e,
                                                  const char *name)
{
    if (strcmp(name, "usb") != 0)
        e->other_subsystem = true;
    return 0;
}

EMU_EXPORT int udev_enumerate_add_match_property(struct udev_enumerate *e,
                                                 const char *key, const char *value)
{
    if (!strcmp(key, "DEVTYPE"))
        snprintf(e->devtype, sizeof e->devtype, "%s", value);
    return 0;
}

EMU_EXPORT int udev_enumerate_scan_devices(struct udev_enumerate *e)
{
    struct udev_list_entry **end = &e->first;
    struct emu_device *device;

    if (e->other_subsystem)
        return 0;
    while (*end)
        end = &(*end)->next;
    pthread_mutex_lock(&emu_lock);
    for (unsigned i = 0; (device = emu_device(&i));) {
        for (int interface = 0; interface < 2; interface++) {
            struct udev_device *d;

            if (*e->devtype && strcmp(e->devtype, emu_devtype(interface)) != 0)
                continue;
            d = emu_udev_device(device, interface, NULL);
            *end = emu_alloc(sizeof **end);
            memcpy((*end)->name, d->syspath, sizeof d->syspath);
            end = &(*end)->next;
            emu_udev_device_free(d);
        }
    }
    pthread_mutex_unlock(&emu_lock);
    return 0;
}

EMU_EXPORT struct udev_list_entry *udev_enumerate_get_list_entry(struct udev_enumerate *e)
{
    return e->first;
}

EMU_EXPORT struct udev_list_entry *udev_list_entry_get_next(struct udev_list_entry *l)
{
    return l ? l->next : NULL;
}

EMU_EXPORT const char *udev_list_entry_get_name(struct udev_list_entry *l)
{
    return l ? l->name : NULL;
}

EMU_EXPORT const char *udev_list_entry_get_value(struct udev_list_entry *l)
{
    (void)l;
    return NULL;
}
