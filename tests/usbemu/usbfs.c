/* SPDX-License-Identifier: BSD-2-Clause */
/* usbfs.c - open nodes of /dev/bus/usb and their ioctls (linux/usbdevice_fs.h). */
#include "usbemu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FD_MAX 65536

/* Written under the lock; read without it to tell quickly that a descriptor is not ours.
 */
static struct emu_handle *_Atomic handles[FD_MAX];

bool emu_handle_is(int fd)
{
    return fd >= 0 && fd < FD_MAX &&
           atomic_load_explicit(&handles[fd], memory_order_relaxed);
}

/* The lock is held. */
struct emu_handle *emu_handle_of(int fd)
{
    return atomic_load(&handles[fd]);
}

int emu_handle_open(unsigned bus, unsigned address)
{
    struct emu_device *device;
    struct emu_handle *handle;
    int ends[2], fd = -ENODEV;
    const char full = 0;

    pthread_mutex_lock(&emu_lock);
    device = emu_find_address(bus, address);
    if (device && pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
        if (ends[1] < FD_MAX && fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0) {
            handle = emu_alloc(sizeof *handle);
            handle->device = device;
            emu_device_hold(device);
            handle->fd = fd = ends[1];
            handle->read_fd = ends[0];
            handle->done_tail = &handle->done;
            /* one byte fills it: a pipe of one page has a single buffer */
            handle->full = write(fd, &full, 1) == 1;
            atomic_store(&handles[fd], handle);
        } else {
            close(ends[0]);
            close(ends[1]);
            fd = -EMFILE;
        }
    } else if (device) {
        fd = -errno;
    }
    pthread_mutex_unlock(&emu_lock);
    return fd;
}

void emu_handle_duplicated(int fd, int other)
{
    pthread_mutex_lock(&emu_lock);
    if (other >= 0 && other < FD_MAX)
        atomic_store(&handles[other], emu_handle_of(fd));
    pthread_mutex_unlock(&emu_lock);
}

void emu_handle_close(int fd)
{
    struct emu_handle *handle;

    pthread_mutex_lock(&emu_lock);
    handle = emu_handle_of(fd);
    if (handle && handle->fd != fd) {
        atomic_store(&handles[fd], NULL);
    } else if (handle) {
        for (int i = 0; i < FD_MAX; i++)
            if (emu_handle_of(i) == handle)
                atomic_store(&handles[i], NULL);
        emu_drop_urbs(handle);
        if (handle->read_fd >= 0)
            close(handle->read_fd);
        for (struct emu_device *d = handle->device; d; d = d->next_interface)
            if (d->claimed_by == handle)
                d->claimed_by = NULL;
        emu_power_forget(handle);
        emu_device_let_go(handle->device);
        free(handle);
        pthread_cond_broadcast(&emu_reapable); /* a REAPURB on it ends */
    }
    pthread_mutex_unlock(&emu_lock);
}

void emu_handles_each(struct emu_device *device, void (*visit)(struct emu_handle *))
{
    for (int fd = 0; fd < FD_MAX; fd++) {
        struct emu_handle *handle = emu_handle_of(fd);

        if (handle && handle->fd == fd && handle->device == device)
            visit(handle);
    }
}

static void hang_up(struct emu_handle *handle)
{
    if (handle->read_fd >= 0)
        close(handle->read_fd);
    handle->read_fd = -1;
    handle->not_yet_resumed = false;
}

void emu_handles_hang_up(struct emu_device *device)
{
    emu_handles_each(device, hang_up);
}

/* ---- descriptors by read --------------------------------------------------------- */

/* offset -1: at the handle's own position, which moves. */
ptrdiff_t emu_handle_read(int fd, void *buffer, size_t len, int64_t offset)
{
    struct emu_handle *handle;
    size_t at, n = 0;

    pthread_mutex_lock(&emu_lock);
    handle = emu_handle_of(fd);
    if (!handle) {
        pthread_mutex_unlock(&emu_lock);
        return -EBADF;
    }
    at = offset < 0 ? handle->position : (size_t)offset;
    if (at < handle->device->descriptors_len) {
        n = handle->device->descriptors_len - at;
        if (n > len)
            n = len;
        memcpy(buffer, handle->device->descriptors + at, n);
    }
    if (offset < 0)
        handle->position += n;
    pthread_mutex_unlock(&emu_lock);
    return (ptrdiff_t)n;
}

int64_t emu_handle_seek(int fd, int64_t offset, int whence)
{
    struct emu_handle *handle;
    int64_t result = -EINVAL;

    pthread_mutex_lock(&emu_lock);
    handle = emu_handle_of(fd);
    if (!handle)
        result = -EBADF;
    else if (whence == SEEK_CUR)
        offset += (int64_t)handle->position;
    if (handle && whence != SEEK_END && offset >= 0) {
        handle->position = (size_t)offset;
        result = offset;
    }
    pthread_mutex_unlock(&emu_lock);
    return result;
}

/* ---- ioctls ---------------------------------------------------------------------- */

static int reap(int fd, bool wait, void **out)
{
    struct emu_handle *handle;
    struct usbdevfs_urb *urb;

    while ((handle = emu_handle_of(fd))) {
        urb = emu_reap(handle);
        if (urb) {
            *out = urb;
            return 0;
        }
        if (handle->device->gone)
            return -ENODEV;
        if (!wait)
            return -EAGAIN;
        pthread_cond_wait(&emu_reapable, &emu_lock);
    }
    return -EBADF;
}

static int claim(struct emu_handle *handle, unsigned interface)
{
    struct emu_device *device = emu_interface(handle->device, interface);

    if (!device)
        return -ENOENT;
    if (device->claimed_by && device->claimed_by != handle)
        return -EBUSY;
    device->claimed_by = handle;
    return 0;
}

static int release(struct emu_handle *handle, unsigned interface)
{
    struct emu_device *device = emu_interface(handle->device, interface);

    if (!device || device->claimed_by != handle)
        return -EINVAL;
    device->claimed_by = NULL;
    return 0;
}

static int clear_halt(struct emu_device *device, unsigned endpoint)
{
    device = emu_interface_of(device, endpoint);
    if (!device)
        return -ENOENT;
    switch (endpoint - device->interface_number * EMU_EP_STEP) {
    case EMU_EP_IN:
        device->halted_in = false;
        return 0;
    case EMU_EP_OUT:
        device->halted_out = false;
        return 0;
    case EMU_EP_INTERRUPT:
        device->halted_interrupt = false;
        return 0;
    default:
        return -ENOENT;
    }
}

static int control(struct emu_device *device, const struct usbdevfs_ctrltransfer *c)
{
    const uint8_t setup[8] = {c->bRequestType,     c->bRequest,
                              (uint8_t)c->wValue,  (uint8_t)(c->wValue >> 8),
                              (uint8_t)c->wIndex,  (uint8_t)(c->wIndex >> 8),
                              (uint8_t)c->wLength, (uint8_t)(c->wLength >> 8)};

    return emu_control(device, setup, c->data, c->wLength);
}

static int connect_info(const struct emu_device *device,
                        struct usbdevfs_connectinfo *info)
{
    info->devnum = device->address;
    info->slow = 0;
    return 0;
}

/* On a device that is there. */
static int serve(struct emu_handle *handle, unsigned long request, void *arg)
{
    struct emu_device *device = handle->device;

    switch (request) {
    case USBDEVFS_GET_CAPABILITIES:
        *(uint32_t *)arg = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
                           USBDEVFS_CAP_REAP_AFTER_DISCONNECT | USBDEVFS_CAP_SUSPEND;
        return 0;
    case USBDEVFS_CLAIMINTERFACE:
    case USBDEVFS_DISCONNECT_CLAIM: /* the interface number is its first member */
        return claim(handle, *(unsigned *)arg);
    case USBDEVFS_RELEASEINTERFACE:
        return release(handle, *(unsigned *)arg);
    case USBDEVFS_GETDRIVER:
    case USBDEVFS_IOCTL: /* no kernel driver is bound */
        return -ENODATA;
    case USBDEVFS_SETINTERFACE:
    case USBDEVFS_SETCONFIGURATION:
        return 0;
    case USBDEVFS_RESETEP:
    case USBDEVFS_CLEAR_HALT:
        return clear_halt(device, *(unsigned *)arg);
    case USBDEVFS_RESET:
        for (struct emu_device *d = device; d; d = d->next_interface)
            emu_reset(d);
        return 0;
    case USBDEVFS_ALLOW_SUSPEND:
        return emu_allow_suspend(handle);
    case USBDEVFS_FORBID_SUSPEND:
        return emu_forbid_suspend(handle);
    case USBDEVFS_GET_SPEED:
        return device->high_speed ? 3 : 2;
    case USBDEVFS_CONNECTINFO:
        return connect_info(device, arg);
    case USBDEVFS_CONTROL:
        return control(device, arg);
    case USBDEVFS_SUBMITURB:
        return emu_submit(handle, arg);
    default:
        return -ENOTTY;
    }
}

unsigned long emu_ioctl_count;

int emu_handle_ioctl(int fd, unsigned long request, void *arg)
{
    struct emu_handle *handle;
    int result;

    pthread_mutex_lock(&emu_lock);
    emu_ioctl_count++;
    handle = emu_handle_of(fd);
    if (!handle)
        result = -EBADF;
    else if (request == USBDEVFS_REAPURB || request == USBDEVFS_REAPURBNDELAY)
        result = reap(fd, request == USBDEVFS_REAPURB, arg);
    else if (request == USBDEVFS_WAIT_FOR_RESUME)
        result = emu_wait_for_resume(fd);
    else if (request == USBDEVFS_DISCARDURB)
        result = emu_discard(handle, arg);
    else
        result = handle->device->gone ? -ENODEV : serve(handle, request, arg);
    if (request == USBDEVFS_SUBMITURB || request == USBDEVFS_RESET)
        emu_keep();
    pthread_mutex_unlock(&emu_lock);
    return result;
}
