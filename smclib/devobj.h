/* SPDX-License-Identifier: BSD-2-Clause */
/* devobj.h - device objects as the I/O manager keeps them. */
#ifndef SMCLIB_DEVOBJ_H
#define SMCLIB_DEVOBJ_H

#include "internal.h"

struct smc_device {
    LIST_ENTRY all;
    PDRIVER_OBJECT reporter; /* of a physical device: who reported it */
    bool announced;          /* of a function: the client has it */
    bool departing;
    struct smc_device_identity identity; /* of a physical device */
    DEVICE_OBJECT object;
    max_align_t extension[]; /* DeviceExtension of a function */
};

static inline struct smc_device *smc_device_of(PDEVICE_OBJECT object)
{
    return CONTAINING_RECORD(object, struct smc_device, object);
}

/* Guards all devices, their links and marks. Held across no call of driver or client. */
void smc_devobj_lock(void);
void smc_devobj_unlock(void);

/* All devices, under the lock. NULL: the first; returns NULL behind the last. */
struct smc_device *smc_devobj_next_locked(const struct smc_device *device);

/* Makes a device of the driver; STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS smc_devobj_create(PDRIVER_OBJECT driver, ULONG extension_size,
                           struct smc_device **created);
/* The first function that is attached to a physical device. */
PDEVICE_OBJECT smc_devobj_function_locked(const DEVICE_OBJECT *physical);
void smc_devobj_detach_locked(PDEVICE_OBJECT function);

#endif
