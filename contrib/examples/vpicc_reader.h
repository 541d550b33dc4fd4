/* SPDX-License-Identifier: BSD-2-Clause */
/* vpicc_reader.h - the example reader: its device, and what its files share. */
#ifndef VPICC_READER_H
#define VPICC_READER_H

#include "smclib.h"
#include "vpicc_link.h"

/* SmartcardExtension->ReaderExtension */
struct _READER_EXTENSION {
    VPICC_LINK Link;
    BOOLEAN LinkOpened;
    BOOLEAN MonitorRuns;
    pthread_t Monitor;
};

/* DeviceObject->DeviceExtension of the function device. */
typedef struct _DEVICE_EXTENSION {
    SMARTCARD_EXTENSION SmartcardExtension;
    struct _READER_EXTENSION ReaderExtension;
    PDEVICE_OBJECT PhysicalDevice;
    UNICODE_STRING InterfaceName;
    LONG Opened;
} DEVICE_EXTENSION, *PDEVICE_EXTENSION;

/* Thread: notices cards until VpiccLinkStop. Context: the SMARTCARD_EXTENSION. */
PVOID VpiccMonitor(PVOID Context);

/* For ReaderFunction[]. */
NTSTATUS VpiccCardPower(PSMARTCARD_EXTENSION SmartcardExtension);
NTSTATUS VpiccSetProtocol(PSMARTCARD_EXTENSION SmartcardExtension);
NTSTATUS VpiccTransmit(PSMARTCARD_EXTENSION SmartcardExtension);
NTSTATUS VpiccCardTracking(PSMARTCARD_EXTENSION SmartcardExtension);

#endif
