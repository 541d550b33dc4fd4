/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb_device.c - what the thread of a device does: its readers come and go. usb_watch.c
 * says when.
 */
#include "ccid/usb_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* bmAttributes of the configuration, USB 2.0 table 9-10 */
#define CONFIG_ATTRIBUTES    7
#define CONFIG_REMOTE_WAKEUP 0x20

static void add_interface(struct usb_device *device, PDRIVER_OBJECT driver,
                          const char *node, const struct usb_node *bytes,
                          const struct ccid_desc *desc, bool remote_wakeup)
{
    struct usb_reader *reader = &device->readers[device->reader_count];
    struct smc_device_identity identity = {
        .vid = device->vid,
        .pid = device->pid,
        .bcd_device = device->bcd_device,
        .interface_number = desc->interface_number,
    };
    struct ccid_usb_port port = {.ops = &ccid_usb_libusb_ops};
    int error;

    port.usb = usb_open(node, device->path, desc, device->configure, remote_wakeup);
    if (port.usb == NULL)
        return;
    device->configure = false;
    error = usb_events_add(port.usb, device->lost, device);
    if (error != 0) {
        SmcLog(NULL, STATUS_INSUFFICIENT_RESOURCES, "usb %s: epoll: %s", device->path,
               strerror(error));
        usb_close(port.usb);
        return;
    }
    snprintf(identity.path, sizeof(identity.path), "%s", device->path);
    usb_events_enter(port.usb);
    usb_identity_read(port.usb, bytes->bytes, desc, &identity);
    usb_events_leave(port.usb);
    /* A failed start has been logged by who knows its cause. */
    if (!NT_SUCCESS(ccid_device_add(driver, &port, desc, &identity, &reader->device))) {
        usb_events_remove(port.usb);
        usb_close(port.usb);
        return;
    }
    reader->usb = port.usb;
    device->reader_count++;
}

void usb_device_arrive(struct usb_device *device, PDRIVER_OBJECT driver)
{
    uint8_t numbers[CCID_INTERFACES_MAX];
    struct usb_node bytes;
    const uint8_t *config;
    size_t len;
    char node[32];

    snprintf(node, sizeof(node), "/dev/bus/usb/%03u/%03u", device->bus, device->address);
    if (!usb_node_read(node, &bytes)) {
        SmcLog(NULL, STATUS_UNSUCCESSFUL, "usb %s (%04x:%04x): %s: %s", device->path,
               device->vid, device->pid, node, strerror(errno));
        return;
    }
    if (usb_node_configuration(&bytes, device->configuration, &config, &len)) {
        /* In the order of their numbers, in which the descriptor need not have them: the
         * first reader is the same one at every boot. */
        size_t count =
            ccid_desc_interfaces(config, len, device->vid, device->pid, numbers);

        for (size_t i = 0; i < count; i++) {
            struct ccid_desc desc;
            NTSTATUS status = ccid_desc_parse(config, len, numbers[i], &desc);

            if (NT_SUCCESS(status))
                add_interface(device, driver, node, &bytes, &desc,
                              (config[CONFIG_ATTRIBUTES] & CONFIG_REMOTE_WAKEUP) != 0);
            else
                SmcLog(NULL, status, "usb %s (%04x:%04x): interface %u is not used: %s",
                       device->path, device->vid, device->pid, numbers[i], desc.problem);
        }
    }
    free(bytes.bytes);
}

void usb_device_depart(struct usb_device *device, bool surprise)
{
    while (device->reader_count > 0) {
        struct usb_reader *reader = &device->readers[--device->reader_count];

        ccid_device_remove(reader->device, surprise);
        usb_events_remove(reader->usb);
        usb_close(reader->usb);
    }
}
