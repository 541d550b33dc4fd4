/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * power.c - autosuspend, as usbfs does it: each handle allows it or does not, and one
 * that has allowed it may wait for the resume, which forbids it again.
 */
#include "usbemu.h"

#include <errno.h>

int emu_allow_suspend(struct emu_handle *handle)
{
    handle->not_yet_resumed = true;
    if (!handle->may_sleep) {
        handle->may_sleep = true;
        handle->device->sleep_allowed++;
        handle->device->allows++;
    }
    return 0;
}

static void resumed(struct emu_handle *handle)
{
    handle->not_yet_resumed = false;
}

void emu_resume(struct emu_device *device)
{
    if (!device->asleep)
        return;
    device->asleep = device->wakeup_enabled = false;
    emu_handles_each(device, resumed);
    pthread_cond_broadcast(&emu_reapable);
}

int emu_forbid_suspend(struct emu_handle *handle)
{
    if (!handle->may_sleep)
        return 0;
    emu_resume(handle->device);
    handle->may_sleep = false;
    handle->device->sleep_allowed--;
    handle->device->forbids++;
    return 0;
}

int emu_wait_for_resume(int fd)
{
    struct emu_handle *handle;

    while ((handle = emu_handle_of(fd)) && handle->not_yet_resumed &&
           !handle->device->gone)
        pthread_cond_wait(&emu_reapable, &emu_lock);
    if (!handle)
        return -EBADF;
    handle->device->waits++;
    return handle->device->gone ? -ENODEV : emu_forbid_suspend(handle);
}

void emu_power_forget(struct emu_handle *handle)
{
    if (handle->may_sleep)
        emu_forbid_suspend(handle);
}

static struct emu_device *refused_by;

static void look(struct emu_handle *handle)
{
    if (!handle->may_sleep)
        refused_by = handle->device;
}

bool emu_suspend(struct emu_device *device)
{
    refused_by = NULL;
    emu_handles_each(device, look);
    if (refused_by)
        return false;
    device->asleep = true;
    for (struct emu_device *d = device; d; d = d->next_interface)
        emu_end_urbs(d, -ESHUTDOWN);
    return true;
}
