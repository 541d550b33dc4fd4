/* SPDX-License-Identifier: BSD-2-Clause */
/* driver.h - the drivers of -o driver=FILE: shared objects with a DriverEntry. */
#ifndef SCFS_DRIVER_H
#define SCFS_DRIVER_H

#include "fs/scardfs.h"

struct scfs_drivers {
    struct {
        const char *file;
        DRIVER_INITIALIZE *entry;
        DRIVER_OBJECT object;
    } driver[SCFS_DRIVERS_MAX];
    unsigned found, loaded;
};

/* Opens the files and looks for their entries; runs nothing of theirs but constructors.
 * False after a sentence. */
bool scfs_drivers_find(struct scfs_drivers *drivers, const struct scfs_options *options);
/* Calls the entries, in order. False after a sentence. */
bool scfs_drivers_load(struct scfs_drivers *drivers);
/* Unloads in reverse order; each driver's readers go. */
void scfs_drivers_unload(struct scfs_drivers *drivers);

#endif
