/* SPDX-License-Identifier: BSD-2-Clause */
/* ccid.h - what fs/main.c names of the CCID driver. Everything else is ccid/internal.h.
 */
#ifndef CCID_H
#define CCID_H

#include <stdbool.h>

#include "wdm.h"

DRIVER_INITIALIZE ccid_driver_entry;

/*
 * Watches USB for CCID interfaces and reports each (SmcReportDeviceArrival), those that
 * are plugged in already included. It waits for none: every device is started by a thread
 * of its own, which may outlast this call. Once per process, after the last fork.
 * STATUS_SUCCESS, or STATUS_UNSUCCESSFUL where libusb does not start. Ended by
 * DriverUnload.
 */
NTSTATUS ccid_usb_watch(PDRIVER_OBJECT driver);

/*
 * Strict: cards whose ATR has a wrong or missing TCK or a reserved TA1 are refused
 * (STATUS_UNRECOGNIZED_MEDIA). Otherwise they are used, with a line in the log. To be
 * called before the first reader is added.
 */
void ccid_set_strict_atr(bool strict);

/*
 * Lets programs send commands of the reader's vendor (IOCTL_CCID_ESCAPE); otherwise they
 * are refused (STATUS_ACCESS_DENIED). To be called before the first reader is added.
 */
void ccid_set_escape(bool on);

/* The virtual bus. Ended by DriverUnload. */
NTSTATUS ccid_virtual_start(PDRIVER_OBJECT driver);

/*
 * Plugs a virtual reader with a card in every slot. shape is NULL (short and extended
 * APDUs), "tpdu" (TPDU level, a T=0 card), "tpdu-t1" (the same with a T=1 card),
 * "mechanical" (swallows, ejects and confiscates), "pinpad" (keys and a display), or
 * VID:PID or VID:PID:INTERFACE of a real reader (virtual_corpus.h); STATUS_NOT_SUPPORTED
 * for anything else. "vpcd" or "vpcd=ADDRESS": its card connects (vpcd.h).
 */
NTSTATUS ccid_virtual_plug(const char *shape);

/* Where the descriptors of real readers are looked for. */
const char *ccid_virtual_folder(void);

/* What a line of the file `virtual` asks for, on the reader of that function device.
 * atr_len 0: that of the reader's shape. 0, -EINVAL (ATR), -ENODEV (not a virtual reader)
 * or -EEXIST/-ENOENT. */
int ccid_virtual_insert(PDEVICE_OBJECT device, const uint8_t *atr, size_t atr_len);
int ccid_virtual_remove(PDEVICE_OBJECT device);
int ccid_virtual_unplug(PDEVICE_OBJECT device);
/* What its user does when the PIN pad asks next (ccid_virtual_reader_type). */
int ccid_virtual_type(PDEVICE_OBJECT device, const char *keys);

#endif
