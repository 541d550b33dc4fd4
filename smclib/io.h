/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io.h - the I/O manager's side of smclib: what fs (or a test in its place) uses to learn
 * of readers and to send requests to them. Not installed; drivers use include/ only.
 */
#ifndef SMCLIB_IO_H
#define SMCLIB_IO_H

#include "smcnt.h"

/*
 * The one client of the I/O manager. No smclib lock is held when these are called.
 *
 * arrived: a function device has enabled its interface (from the thread that reports the
 *   device; may block). The client starts and opens it; what it returns is returned by
 *   IoSetDeviceInterfaceState. On failure the client has let go of the device.
 * gone: the device is going away. The client ends everything it has there, sends
 *   SURPRISE_REMOVAL (if surprise), CLEANUP, CLOSE and REMOVE, and never touches the
 *   device again once it has returned. Called once for each device that arrived well.
 * log: one line. device may be NULL, a function device or a physical device.
 * service: a driver wants an IRP_MJ_INTERNAL_DEVICE_CONTROL (SmcRequestService). The
 * client keeps one time per device, the earliest asked for. May be NULL: none is sent.
 * link: a driver has created or deleted a name for a reader (SmartcardCreateLink). May be
 *   NULL.
 * trace: a message on its way to or from a device that smc_io_trace was called for; the
 *   packet is valid during the call, which must not block. May be NULL.
 */
struct smc_io_client {
    NTSTATUS (*arrived)(void *context, PDEVICE_OBJECT device);
    void (*gone)(void *context, PDEVICE_OBJECT device, int surprise);
    void (*log)(void *context, PDEVICE_OBJECT device, NTSTATUS status, const char *text);
    void *context;
    void (*link)(void *context, const char *name, int created);
    void (*service)(void *context, PDEVICE_OBJECT device, ULONG delay_ms);
    void (*trace)(void *context, PDEVICE_OBJECT device,
                  const struct smc_trace_packet *packet);
};

/* NULL takes the client away. */
void smc_io_register(const struct smc_io_client *client);

/* Makes a driver object and calls its DriverEntry; NULL path. Unload calls DriverUnload,
 * after which no device of it is left. The object is the caller's memory. */
NTSTATUS smc_io_load(PDRIVER_OBJECT driver, DRIVER_INITIALIZE *driver_entry);
void smc_io_unload(PDRIVER_OBJECT driver);

/* Whether the function device's driver is to tell of its messages. */
void smc_io_trace(PDEVICE_OBJECT device, int on);

/* Identity of the physical device below a function device; never NULL. */
const struct smc_device_identity *smc_io_identity(PDEVICE_OBJECT device);

/*
 * Makes an IRP in the caller's memory. complete runs exactly once, in whatever thread
 * completes it, possibly inside IoCallDriver; afterwards the memory is the caller's
 * again.
 */
void smc_irp_init(PIRP irp, PDEVICE_OBJECT device, PFILE_OBJECT file, UCHAR major,
                  UCHAR minor, VOID (*complete)(PIRP irp, PVOID context), PVOID context);

/* The same for IRP_MJ_DEVICE_CONTROL; buffer serves for input and output. */
void smc_irp_init_ioctl(PIRP irp, PDEVICE_OBJECT device, PFILE_OBJECT file, ULONG code,
                        PVOID buffer, ULONG in_len, ULONG out_len,
                        VOID (*complete)(PIRP irp, PVOID context), PVOID context);

/* Sends an IRP of the given kind and waits for its completion. */
NTSTATUS smc_irp_send(PDEVICE_OBJECT device, PFILE_OBJECT file, UCHAR major, UCHAR minor);

/* Sends a device control and waits. Only for codes that the library answers alone
 * (state, attributes, last error), or from a thread that may block. */
NTSTATUS smc_irp_ioctl(PDEVICE_OBJECT device, PFILE_OBJECT file, ULONG code, PVOID buffer,
                       ULONG in_len, ULONG out_len, ULONG *information);

/* ---- status table (smclib/status.c; reference: scardfs(5)) ----------------------- */

/* The errno of a status, positive; 0 for success. Unknown failures: EIO. */
int smc_status_errno(NTSTATUS status);
/* "STATUS_NO_MEDIA"; "STATUS_UNKNOWN" for one that is not in the table. */
const char *smc_status_name(NTSTATUS status);

#endif
