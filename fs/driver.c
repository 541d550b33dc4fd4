/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * driver.c - drivers beside the built-in one, from files.
 *
 * The files are found before the process goes to the background, where relative names
 * would mean something else; the entries are called in the process that stays, because
 * they may start threads. A file is never closed: the process ends soon after its driver
 * was unloaded, and a thread that a bad driver has left running keeps its code.
 *
 * A driver links against the shared libsmclib, as the daemon does, so that both have the
 * same I/O manager. RTLD_LOCAL keeps drivers out of each other's names.
 */
#include "fs/driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/mount.h"

static DRIVER_INITIALIZE *find_entry(const char *file)
{
    char *path = realpath(file, NULL); /* a bare name is a file, not one of ld.so's */
    DRIVER_INITIALIZE *entry = NULL;
    void *object;

    if (path == NULL) {
        scfs_complain("driver %s: %s", file, strerror(errno));
        return NULL;
    }
    object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        scfs_complain("driver %s cannot be loaded: %s", file, dlerror());
    else if ((entry = (DRIVER_INITIALIZE *)dlsym(object, "DriverEntry")) == NULL)
        scfs_complain("driver %s has no DriverEntry", file);
    free(path);
    return entry;
}

bool scfs_drivers_find(struct scfs_drivers *drivers, const struct scfs_options *options)
{
    while (drivers->found < options->driver_count) {
        const char *file = options->drivers[drivers->found];
        DRIVER_INITIALIZE *entry = find_entry(file);

        if (entry == NULL)
            return false;
        drivers->driver[drivers->found].file = file;
        drivers->driver[drivers->found].entry = entry;
        drivers->found++;
    }
    return true;
}

bool scfs_drivers_load(struct scfs_drivers *drivers)
{
    while (drivers->loaded < drivers->found) {
        PDRIVER_OBJECT object = &drivers->driver[drivers->loaded].object;
        NTSTATUS status = smc_io_load(object, drivers->driver[drivers->loaded].entry);

        if (!NT_SUCCESS(status)) {
            /* Its DriverUnload is not for a driver that was never loaded; devices that
             * it has left must go. */
            object->DriverUnload = NULL;
            smc_io_unload(object);
            scfs_complain("driver %s failed to start: %s",
                          drivers->driver[drivers->loaded].file, smc_status_name(status));
            return false;
        }
        drivers->loaded++;
    }
    return true;
}

void scfs_drivers_unload(struct scfs_drivers *drivers)
{
    while (drivers->loaded > 0)
        smc_io_unload(&drivers->driver[--drivers->loaded].object);
}
