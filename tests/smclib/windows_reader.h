/* SPDX-License-Identifier: BSD-2-Clause */
/* windows_reader.h - a reader driver for Windows: its types, and the hardware below. */
#ifndef WINDOWS_READER_H
#define WINDOWS_READER_H

#include <smclib.h>

/* What the bus hands to AddDevice as the DeviceExtension of the physical device. */
typedef struct _READER_HARDWARE {
    /* Does a power minor; the answer to reset of length *AtrLength (in: room). */
    NTSTATUS (*Power)(PVOID Context, ULONG Minor, PUCHAR Atr, PULONG AtrLength);
    /* One exchange with the card; *ReplyLength in: room, out: bytes. */
    NTSTATUS(*Exchange)
    (PVOID Context, const UCHAR *Request, ULONG RequestLength, PUCHAR Reply,
     PULONG ReplyLength);
    BOOLEAN CardPresent;
    PVOID Context;
} READER_HARDWARE, *PREADER_HARDWARE;

#define DRIVER_NAME "WINREADER"

typedef struct _READER_EXTENSION {
    PREADER_HARDWARE Hardware;
    PUCHAR AtrBuffer;
    /* Events that the interrupt has reported, oldest first. */
    LIST_ENTRY EventList;
    KSPIN_LOCK EventLock;
} READER_EXTENSION, *PREADER_EXTENSION;

typedef struct _DEVICE_EXTENSION {
    SMARTCARD_EXTENSION SmartcardExtension;
    READER_EXTENSION ReaderExtension;
    UNICODE_STRING DosDeviceName;
    UNICODE_STRING PnPDeviceName;
    PDEVICE_OBJECT AttachedPDO;
    LONG IsOpen;
    BOOLEAN CardPresentBeforeSleep;
} DEVICE_EXTENSION, *PDEVICE_EXTENSION;

/* windows_callbacks.c */
NTSTATUS ReaderPower(IN PSMARTCARD_EXTENSION SmartcardExtension);
NTSTATUS ReaderSetProtocol(IN PSMARTCARD_EXTENSION SmartcardExtension);
NTSTATUS ReaderTransmit(IN PSMARTCARD_EXTENSION SmartcardExtension);
NTSTATUS ReaderCardTracking(IN PSMARTCARD_EXTENSION SmartcardExtension);
NTSTATUS ReaderIoctl(IN PSMARTCARD_EXTENSION SmartcardExtension);

DRIVER_INITIALIZE DriverEntry;

/* The interrupt: CardPresent has changed. */
VOID ReaderInterrupt(PDEVICE_OBJECT DeviceObject);

#endif
