/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb_open.c - from the node of a device (/dev/bus/usb/BBB/DDD) to a claimed interface
 * and back.
 */
#include "ccid/usb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>

#define DEVICE_DESCRIPTOR_LENGTH 18
#define CONFIGURATION_LENGTH     9
#define CONFIGURATION_TYPE       2
/* The device descriptor and one configuration at its longest; whatever a device claims.
 */
#define NODE_BYTES_MAX (DEVICE_DESCRIPTOR_LENGTH + 65535)

bool usb_node_read(const char *node, struct usb_node *out)
{
    int fd = open(node, O_RDONLY | O_CLOEXEC);
    uint8_t *bytes;
    size_t len = 0;
    ssize_t n;

    if (fd < 0)
        return false;
    bytes = malloc(NODE_BYTES_MAX);
    if (bytes == NULL) {
        close(fd);
        errno = ENOMEM;
        return false;
    }
    do {
        n = read(fd, bytes + len, NODE_BYTES_MAX - len);
        if (n > 0)
            len += (size_t)n;
    } while ((n > 0 && len < NODE_BYTES_MAX) || (n < 0 && errno == EINTR));
    close(fd);
    if (len < DEVICE_DESCRIPTOR_LENGTH) {
        free(bytes);
        errno = n < 0 ? errno : ENODATA;
        return false;
    }
    *out = (struct usb_node){bytes, len};
    return true;
}

/* The kernel has checked the outer lengths when it read them (they are cut to what was
 * sent), but a device can still claim a wTotalLength that is not there. */
bool usb_node_configuration(const struct usb_node *node, uint8_t value,
                            const uint8_t **config, size_t *len)
{
    size_t at = DEVICE_DESCRIPTOR_LENGTH;

    while (at <= node->len && node->len - at >= CONFIGURATION_LENGTH) {
        const uint8_t *p = node->bytes + at;
        size_t total = p[2] | (size_t)p[3] << 8;

        if (p[1] != CONFIGURATION_TYPE || total < CONFIGURATION_LENGTH)
            return false;
        if (total > node->len - at)
            total = node->len - at;
        if (p[5] == value) {
            *config = p;
            *len = total;
            return true;
        }
        at += total;
    }
    return false;
}

static bool transfer_init(struct usb_transfer *self, struct ccid_usb *usb)
{
    self->usb = usb;
    self->transfer = libusb_alloc_transfer(0);
    return self->transfer != NULL;
}

/* Takes the interface from a kernel driver, if one has it, and for us. */
static int claim(struct ccid_usb *usb, const struct ccid_desc *desc, bool configure)
{
    int number = usb->interface_number;
    int error;

    if (configure) {
        error = libusb_set_configuration(usb->handle, desc->configuration);
        if (error != 0)
            return error;
    }
    if (libusb_kernel_driver_active(usb->handle, number) == 1) {
        error = libusb_detach_kernel_driver(usb->handle, number);
        if (error != 0)
            return error;
        usb->detached = true;
    }
    error = libusb_claim_interface(usb->handle, number);
    if (error != 0)
        return error;
    usb->claimed = true;
    return 0;
}

struct ccid_usb *usb_open(const char *node, const char *path,
                          const struct ccid_desc *desc, bool configure,
                          bool remote_wakeup)
{
    struct ccid_usb *usb = calloc(1, sizeof(*usb));
    const char *step = "open";
    int error;

    if (usb == NULL)
        return NULL;
    snprintf(usb->path, sizeof(usb->path), "%s", path);
    usb->interface_number = desc->interface_number;
    usb->out_address = desc->bulk_out.address;
    usb->in_address = desc->bulk_in.address;
    pthread_mutex_init(&usb->lock, NULL);
    pthread_mutex_init(&usb->power.lock, NULL);
    usb->fd = open(node, O_RDWR | O_CLOEXEC);
    if (usb->fd < 0) {
        SmcLog(NULL, STATUS_UNSUCCESSFUL, "usb %s: open %s: %s", path, node,
               strerror(errno));
        usb_close(usb);
        return NULL;
    }
    error = libusb_init(&usb->context);
    if (error == 0) {
        step = "wrap";
        error = libusb_wrap_sys_device(usb->context, (intptr_t)usb->fd, &usb->handle);
    }
    if (error == 0) {
        step = "claim (does another program use the reader?)";
        error = claim(usb, desc, configure);
    }
    if (error == 0 && (!transfer_init(&usb->in, usb) || !transfer_init(&usb->out, usb) ||
                       !transfer_init(&usb->control, usb) ||
                       !usb_interrupt_init(usb, &desc->interrupt_in) ||
                       !usb_power_init(usb, remote_wakeup))) {
        step = "allocate";
        error = LIBUSB_ERROR_NO_MEM;
    }
    if (error != 0) {
        SmcLog(NULL, STATUS_UNSUCCESSFUL, "usb %s: %s: %s", path, step,
               libusb_strerror(error));
        usb_close(usb);
        return NULL;
    }
    return usb;
}

/* What usb_open has done, as far as it got, is undone. */
void usb_close(struct ccid_usb *usb)
{
    libusb_free_transfer(usb->in.transfer);
    libusb_free_transfer(usb->out.transfer);
    libusb_free_transfer(usb->control.transfer);
    libusb_free_transfer(usb->interrupt.transfer);
    libusb_free_transfer(usb->power.transfer);
    if (usb->claimed)
        libusb_release_interface(usb->handle, usb->interface_number);
    if (usb->detached)
        libusb_attach_kernel_driver(usb->handle, usb->interface_number);
    if (usb->handle != NULL)
        libusb_close(usb->handle);
    if (usb->context != NULL)
        libusb_exit(usb->context);
    if (usb->fd >= 0)
        close(usb->fd); /* libusb leaves a wrapped one open */
    pthread_mutex_destroy(&usb->power.lock);
    pthread_mutex_destroy(&usb->lock);
    free(usb);
}
