/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_bus.c - the bus that virtual readers are plugged into: what usb_watch.c is for
 * USB, only that a program and not a hand does the plugging.
 *
 * A reader is on the list from plug to unplug. `added` says that the driver has it;
 * `leaving` that somebody is taking it away, and nobody else finds it any more. Who uses
 * a reader that he found holds it by `users`, so that it is not freed under him. The bus
 * lock is held across none of the driver's or the reader's functions.
 */
#include "ccid/ccid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ccid/internal.h"
#include "ccid/virtual_corpus.h"
#include "ccid/virtual_reader.h"
#include "ccid/vpcd.h"

struct plugged {
    struct plugged *next;
    unsigned number;
    struct ccid_virtual_model *model; /* of a real reader; else NULL */
    struct ccid_virtual_reader *reader;
    struct ccid_vpcd *vpcd; /* where its card comes from; else NULL */
    struct ccid_usb_port port;
    struct ccid_device *device;
    bool added;
    bool leaving;
    unsigned users;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    PDRIVER_OBJECT driver;
    struct plugged *list;
} bus = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static unsigned free_number_locked(void)
{
    for (unsigned number = 0;; number++) {
        struct plugged *p = bus.list;

        while (p != NULL && p->number != number)
            p = p->next;
        if (p == NULL)
            return number;
    }
}

static void unlink_locked(struct plugged *plugged)
{
    struct plugged **link = &bus.list;

    while (*link != plugged)
        link = &(*link)->next;
    *link = plugged->next;
    pthread_cond_broadcast(&bus.changed);
}

static void name(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text == NULL ? "" : text);
}

static NTSTATUS report(PDRIVER_OBJECT driver, const struct ccid_virtual_shape *shape,
                       struct plugged *plugged)
{
    uint8_t config[CCID_VIRTUAL_CONFIG_MAX];
    size_t len = ccid_virtual_reader_config(shape, config);
    struct smc_device_identity identity = {
        .vid = shape->vid,
        .pid = shape->pid,
        .bcd_device = shape->bcd_device,
        .interface_number = shape->interface_number,
    };
    struct ccid_desc desc;
    NTSTATUS status = ccid_desc_parse(config, len, shape->interface_number, &desc);

    if (!NT_SUCCESS(status)) {
        SmcLog(NULL, status, "virtual reader: %s", desc.problem);
        return status;
    }
    name(identity.vendor, sizeof(identity.vendor), shape->vendor);
    name(identity.product, sizeof(identity.product), shape->product);
    name(identity.interface_name, sizeof(identity.interface_name), shape->interface_name);
    snprintf(identity.serial, sizeof(identity.serial), "%04u", plugged->number);
    snprintf(identity.path, sizeof(identity.path), "virtual-%u", plugged->number);
    return ccid_device_add(driver, &plugged->port, &desc, &identity, &plugged->device);
}

static void free_plugged(struct plugged *plugged)
{
    ccid_vpcd_stop(plugged->vpcd);
    if (plugged->reader != NULL)
        ccid_virtual_reader_free(plugged->reader);
    free(plugged->model);
    free(plugged);
}

/* Takes a reader off that nobody else finds any more. */
static void take_away(struct plugged *plugged, bool surprise)
{
    if (surprise)
        ccid_virtual_reader_unplug(plugged->reader);
    ccid_device_remove(plugged->device, surprise);
    pthread_mutex_lock(&bus.lock);
    while (plugged->users > 0)
        pthread_cond_wait(&bus.changed, &bus.lock);
    unlink_locked(plugged);
    pthread_mutex_unlock(&bus.lock);
    free_plugged(plugged);
}

NTSTATUS ccid_virtual_start(PDRIVER_OBJECT driver)
{
    pthread_mutex_lock(&bus.lock);
    bus.driver = driver;
    pthread_mutex_unlock(&bus.lock);
    return STATUS_SUCCESS;
}

void ccid_virtual_stop(void)
{
    pthread_mutex_lock(&bus.lock);
    bus.driver = NULL; /* nothing is plugged in any more */
    while (bus.list != NULL) {
        struct plugged *plugged = bus.list;

        while (plugged != NULL && (!plugged->added || plugged->leaving))
            plugged = plugged->next;
        if (plugged == NULL) {
            pthread_cond_wait(&bus.changed, &bus.lock); /* others are at work on them */
            continue;
        }
        plugged->leaving = true;
        pthread_mutex_unlock(&bus.lock);
        take_away(plugged, false);
        pthread_mutex_lock(&bus.lock);
    }
    pthread_mutex_unlock(&bus.lock);
}

/* A shape of virtual_shape.c, or that of a real reader, VID:PID. */
static NTSTATUS find_shape(const char *name, struct ccid_virtual_model **model,
                           const struct ccid_virtual_shape **shape)
{
    NTSTATUS status = STATUS_NOT_SUPPORTED;

    *shape = ccid_virtual_shape(name);
    if (*shape != NULL)
        return STATUS_SUCCESS;
    if (strchr(name, ':') == NULL) {
        SmcLog(NULL, status,
               "virtual reader: no shape \"%s\"; there are tpdu, tpdu-t1, mechanical, "
               "pinpad and VID:PID",
               name);
        return status;
    }
    status = ccid_virtual_corpus_find(name, model);
    if (NT_SUCCESS(status))
        *shape = &(*model)->shape;
    return status;
}

/* With a card in every slot, or with the one that connects. */
static NTSTATUS make(const char *name, const struct ccid_virtual_shape **shape,
                     struct plugged **out)
{
    struct plugged *plugged = calloc(1, sizeof(*plugged));
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    const char *address = NULL;
    const bool far = ccid_vpcd_parse(name, &address);

    if (plugged == NULL)
        return status;
    status = find_shape(far ? "vpcd" : name, &plugged->model, shape);
    if (NT_SUCCESS(status)) {
        plugged->reader = ccid_virtual_reader_new(ccid_clock_real(), *shape);
        if (plugged->reader == NULL)
            status = STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!NT_SUCCESS(status)) {
        free_plugged(plugged);
        return status;
    }
    plugged->port = ccid_virtual_reader_port(plugged->reader);
    if (far) {
        status = ccid_vpcd_start(address, plugged->reader, &plugged->vpcd);
        if (NT_SUCCESS(status))
            *out = plugged;
        else
            free_plugged(plugged);
        return status;
    }
    for (unsigned slot = 0; slot < (*shape)->slot_count; slot++)
        ccid_virtual_reader_insert(plugged->reader, slot, NULL, 0);
    *out = plugged;
    return STATUS_SUCCESS;
}

NTSTATUS ccid_virtual_plug(const char *name)
{
    const struct ccid_virtual_shape *shape;
    struct plugged *plugged;
    PDRIVER_OBJECT driver;
    NTSTATUS status = make(name, &shape, &plugged);

    if (!NT_SUCCESS(status))
        return status;
    pthread_mutex_lock(&bus.lock);
    driver = bus.driver;
    if (driver != NULL) {
        plugged->number = free_number_locked();
        plugged->next = bus.list;
        bus.list = plugged;
    }
    pthread_mutex_unlock(&bus.lock);
    status = driver == NULL ? STATUS_NO_SUCH_DEVICE : report(driver, shape, plugged);

    pthread_mutex_lock(&bus.lock);
    plugged->added = NT_SUCCESS(status);
    if (driver != NULL && !plugged->added)
        unlink_locked(plugged);
    pthread_cond_broadcast(&bus.changed);
    pthread_mutex_unlock(&bus.lock);
    if (!NT_SUCCESS(status))
        free_plugged(plugged);
    return status;
}

/* The reader with that carrier, or NULL. It may be found while it is being added. */
static struct plugged *find_locked(const struct ccid_usb *usb)
{
    struct plugged *plugged = bus.list;

    while (plugged != NULL && plugged->port.usb != usb)
        plugged = plugged->next;
    return plugged == NULL || plugged->leaving ? NULL : plugged;
}

static struct plugged *hold(PDEVICE_OBJECT device)
{
    const struct ccid_usb *usb = ccid_device_port(device)->usb;
    struct plugged *plugged;

    pthread_mutex_lock(&bus.lock);
    plugged = find_locked(usb);
    if (plugged != NULL)
        plugged->users++;
    pthread_mutex_unlock(&bus.lock);
    return plugged;
}

static void let_go(struct plugged *plugged)
{
    pthread_mutex_lock(&bus.lock);
    plugged->users--;
    pthread_cond_broadcast(&bus.changed);
    pthread_mutex_unlock(&bus.lock);
}

int ccid_virtual_insert(PDEVICE_OBJECT device, const uint8_t *atr, size_t atr_len)
{
    struct plugged *plugged = hold(device);
    int result;

    if (plugged == NULL)
        return -ENODEV;
    result =
        ccid_virtual_reader_insert(plugged->reader, device->SlotNumber, atr, atr_len);
    let_go(plugged);
    return result;
}

int ccid_virtual_remove(PDEVICE_OBJECT device)
{
    struct plugged *plugged = hold(device);
    int result;

    if (plugged == NULL)
        return -ENODEV;
    result = ccid_virtual_reader_remove(plugged->reader, device->SlotNumber);
    let_go(plugged);
    return result;
}

int ccid_virtual_type(PDEVICE_OBJECT device, const char *keys)
{
    struct plugged *plugged = hold(device);
    int result;

    if (plugged == NULL)
        return -ENODEV;
    result = ccid_virtual_reader_type(plugged->reader, device->SlotNumber, keys);
    let_go(plugged);
    return result;
}

int ccid_virtual_unplug(PDEVICE_OBJECT device)
{
    const struct ccid_usb *usb = ccid_device_port(device)->usb;
    struct plugged *plugged;

    pthread_mutex_lock(&bus.lock);
    plugged = find_locked(usb);
    if (plugged == NULL || !plugged->added) {
        pthread_mutex_unlock(&bus.lock);
        return -ENODEV;
    }
    plugged->leaving = true;
    pthread_mutex_unlock(&bus.lock);
    take_away(plugged, true);
    return 0;
}
