/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb_watch.c - arrival and departure of USB devices.
 *
 * A device with an interface that may be CCID gets a struct usb_device when hot-plug (or
 * the one enumeration, where hot-plug does not work) shows it:
 *
 *   arriving -> here -> leaving -> gone (freed)
 *
 * Opening, starting and giving up a reader can take seconds. Each is done by a thread of
 * its own, at most one per device, so that a slow reader delays nobody: the thread that
 * brings a device in looks afterwards whether it is to leave, and does that too. So the
 * two are ordered for each device. The hot-plug callback runs in the event thread, inside
 * libusb: it looks at cached descriptors only, and starts such threads.
 *
 * watch.lock guards the list and the flags; it is a leaf (under it nothing is done but to
 * start a thread).
 *
 * Contexts: the hot-plug's is made first; libusb is then told not to discover devices in
 * the contexts that follow, one for each claimed interface, which wrap a file that is
 * opened here.
 */
#include "ccid/usb_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORTS_MAX 7 /* USB 2.0 §4.1.1 */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    PDRIVER_OBJECT driver; /* NULL: not watching */
    bool stopping;
    unsigned threads;
    struct usb_device *list;
    libusb_context *context;
    libusb_hotplug_callback_handle callback;
    bool hotplug;
    bool unserved; /* somebody is to leave, and there was no thread for him */
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *device_thread(void *context);

/* ---- threads --------------------------------------------------------------------- */

/* Starts the thread of a device that has none. False: the system refuses. */
static bool start_thread_locked(struct usb_device *device)
{
    if (usb_thread_start(NULL, device_thread, device) != 0)
        return false;
    device->running = true;
    watch.threads++;
    return true;
}

static void unlink_locked(struct usb_device *device)
{
    struct usb_device **link = &watch.list;

    while (*link != device)
        link = &(*link)->next;
    *link = device->next;
}

static void leave_locked(struct usb_device *device, bool surprise)
{
    if (device->leaving)
        return;
    device->leaving = true;
    device->surprise = surprise;
    if (!device->running && !start_thread_locked(device)) {
        watch.unserved = true;
        usb_events_tick();
    }
}

/* In the event thread. True: once more, a little later. */
static bool try_again(void)
{
    bool again = false;

    pthread_mutex_lock(&watch.lock);
    if (watch.unserved && !watch.stopping) {
        for (struct usb_device *i = watch.list; i != NULL; i = i->next)
            again |= i->leaving && !i->running && !start_thread_locked(i);
        watch.unserved = again;
    }
    pthread_mutex_unlock(&watch.lock);
    return again;
}

/* The event thread has seen an error on a node. */
static void node_lost(void *context)
{
    struct usb_device *device = context;

    pthread_mutex_lock(&watch.lock);
    leave_locked(device, true);
    pthread_mutex_unlock(&watch.lock);
}

/* ---- in the thread of a device --------------------------------------------------- */

/* Brings the device in, if it is not, and out, if it is to leave. Frees one that has left
 * or has no reader in it. */
static void serve(struct usb_device *device)
{
    bool leaving, surprise;

    pthread_mutex_lock(&watch.lock);
    leaving = device->leaving;
    pthread_mutex_unlock(&watch.lock);
    if (!leaving && !device->arrived) {
        usb_device_arrive(device, watch.driver);
        device->arrived = true;
    }
    pthread_mutex_lock(&watch.lock);
    if (!device->leaving && device->reader_count > 0) {
        device->running = false;
        pthread_mutex_unlock(&watch.lock);
        return;
    }
    device->leaving = true;
    surprise = device->surprise;
    pthread_mutex_unlock(&watch.lock);
    usb_device_depart(device, surprise);
    pthread_mutex_lock(&watch.lock);
    unlink_locked(device);
    pthread_mutex_unlock(&watch.lock);
    free(device);
}

static void *device_thread(void *context)
{
    serve(context);
    pthread_mutex_lock(&watch.lock);
    watch.threads--;
    pthread_cond_broadcast(&watch.changed);
    pthread_mutex_unlock(&watch.lock);
    return NULL;
}

/* ---- hot-plug, in the event thread and inside libusb ------------------------------ */

/* Class 0Bh, or a vendor class with room for the class descriptor behind it (readers
 * older than the standard); ccid_desc_interfaces judges. */
static bool may_be_ccid(const struct libusb_interface_descriptor *interface)
{
    bool described = interface->extra_length >= CCID_DESC_LENGTH;

    if (interface->bInterfaceClass == LIBUSB_CLASS_SMART_CARD)
        return true;
    for (int i = 0; i < interface->bNumEndpoints; i++)
        described = described || interface->endpoint[i].extra_length >= CCID_DESC_LENGTH;
    return interface->bInterfaceClass == LIBUSB_CLASS_VENDOR_SPEC && described;
}

static bool has_candidate(const struct libusb_config_descriptor *config)
{
    for (int i = 0; i < config->bNumInterfaces; i++) {
        for (int j = 0; j < config->interface[i].num_altsetting; j++) {
            if (may_be_ccid(&config->interface[i].altsetting[j]))
                return true;
        }
    }
    return false;
}

/* "bus-port.port", as the kernel names devices. */
static void make_path(libusb_device *usb, char *out, size_t size)
{
    uint8_t ports[PORTS_MAX];
    int count = libusb_get_port_numbers(usb, ports, PORTS_MAX);
    int len = snprintf(out, size, "%u", libusb_get_bus_number(usb));

    for (int i = 0; i < count && len > 0 && (size_t)len < size; i++)
        len +=
            snprintf(out + len, size - (size_t)len, "%c%u", i == 0 ? '-' : '.', ports[i]);
}

static void device_seen(libusb_device *usb)
{
    struct libusb_device_descriptor descriptor;
    struct libusb_config_descriptor *config = NULL;
    struct usb_device *device = NULL;
    char path[sizeof(device->path)];
    int error = libusb_get_active_config_descriptor(usb, &config);
    /* Only a device that nobody has configured is configured here: that resets it. */
    bool configured = error != LIBUSB_ERROR_NOT_FOUND;

    if (!configured)
        error = libusb_get_config_descriptor(usb, 0, &config);
    if (error == 0 && !has_candidate(config)) {
        libusb_free_config_descriptor(config);
        return;
    }
    if (error == 0)
        error = libusb_get_device_descriptor(usb, &descriptor);
    if (error == 0 && (device = calloc(1, sizeof(*device))) == NULL)
        error = LIBUSB_ERROR_NO_MEM;
    if (error != 0) { /* it may be a reader */
        make_path(usb, path, sizeof(path));
        SmcLog(NULL, STATUS_UNSUCCESSFUL, "usb %s is not used: %s", path,
               libusb_strerror(error));
        if (config != NULL)
            libusb_free_config_descriptor(config);
        return;
    }
    device->lost = node_lost;
    device->bus = libusb_get_bus_number(usb);
    device->address = libusb_get_device_address(usb);
    device->vid = descriptor.idVendor;
    device->pid = descriptor.idProduct;
    device->bcd_device = descriptor.bcdDevice;
    device->configuration = config->bConfigurationValue;
    device->configure = !configured;
    make_path(usb, device->path, sizeof(device->path));
    libusb_free_config_descriptor(config);

    pthread_mutex_lock(&watch.lock);
    if (!watch.stopping) {
        device->next = watch.list;
        watch.list = device;
        if (start_thread_locked(device)) {
            pthread_mutex_unlock(&watch.lock);
            return;
        }
        unlink_locked(device);
    }
    pthread_mutex_unlock(&watch.lock);
    SmcLog(NULL, STATUS_INSUFFICIENT_RESOURCES,
           "usb %s (%04x:%04x) is not used: no thread", device->path, device->vid,
           device->pid);
    free(device);
}

static void device_left(uint8_t bus, uint8_t address)
{
    pthread_mutex_lock(&watch.lock);
    for (struct usb_device *device = watch.list; device != NULL; device = device->next) {
        if (device->bus == bus && device->address == address && !device->leaving) {
            leave_locked(device, true);
            break;
        }
    }
    pthread_mutex_unlock(&watch.lock);
}

static int LIBUSB_CALL hotplug_event(libusb_context *context, libusb_device *usb,
                                     libusb_hotplug_event event, void *unused)
{
    (void)context;
    (void)unused;
    if (event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED)
        device_seen(usb);
    else
        device_left(libusb_get_bus_number(usb), libusb_get_device_address(usb));
    return 0; /* stay registered */
}

static void enumerate_once(void)
{
    libusb_device **list;
    ssize_t count = libusb_get_device_list(watch.context, &list);

    SmcLog(NULL, STATUS_NOT_SUPPORTED,
           "usb: no hot-plug here; only readers plugged in now are used");
    for (ssize_t i = 0; i < count; i++)
        device_seen(list[i]);
    if (count >= 0)
        libusb_free_device_list(list, 1);
}

/* ---- from outside ---------------------------------------------------------------- */

NTSTATUS ccid_usb_watch(PDRIVER_OBJECT driver)
{
    int error = libusb_init(&watch.context);

    if (error != 0) {
        SmcLog(NULL, STATUS_UNSUCCESSFUL, "usb: libusb does not start: %s",
               libusb_strerror(error));
        return STATUS_UNSUCCESSFUL;
    }
#if LIBUSB_API_VERSION >= 0x01000109
    /* For the contexts to come. An older libusb looks at all devices for each. */
    libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
#endif
    watch.stopping = false;
    watch.driver = driver;
    error = usb_events_start(watch.context, try_again);
    if (error != 0) {
        SmcLog(NULL, STATUS_UNSUCCESSFUL, "usb: no event thread: %s", strerror(error));
        libusb_exit(watch.context);
        watch.driver = NULL;
        return STATUS_UNSUCCESSFUL;
    }
    watch.hotplug =
        libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG) &&
        libusb_hotplug_register_callback(
            watch.context,
            LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT,
            LIBUSB_HOTPLUG_ENUMERATE, LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
            LIBUSB_HOTPLUG_MATCH_ANY, hotplug_event, NULL,
            &watch.callback) == LIBUSB_SUCCESS;
    if (!watch.hotplug)
        enumerate_once();
    return STATUS_SUCCESS;
}

void ccid_usb_unwatch(void)
{
    if (watch.driver == NULL)
        return;
    if (watch.hotplug)
        libusb_hotplug_deregister_callback(watch.context, watch.callback);
    pthread_mutex_lock(&watch.lock);
    watch.stopping = true;
    for (struct usb_device *device = watch.list; device != NULL; device = device->next)
        leave_locked(device, false);
    while (watch.threads > 0)
        pthread_cond_wait(&watch.changed, &watch.lock);
    while (watch.list != NULL) { /* the system still refuses a thread */
        struct usb_device *device = watch.list;

        pthread_mutex_unlock(&watch.lock);
        serve(device);
        pthread_mutex_lock(&watch.lock);
    }
    pthread_mutex_unlock(&watch.lock);
    usb_events_stop();
    libusb_exit(watch.context);
    watch.driver = NULL;
}
