/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vpicc_reader.c - a driver for a reader whose cards are programs, to begin your own
 * with.
 *
 * THEORY. A card is a program that connects to a socket and speaks the vpicc protocol:
 * messages of a two-byte length and that many bytes. What the reader sends is an APDU or,
 * one byte long, an order (vpicc_card.c). Connecting inserts the card, hanging up takes
 * it out; who connects while a card is in waits outside.
 *
 * Here are the routines that the I/O manager calls, and the making of the device. The
 * callbacks of the library are in vpicc_card.c, the hardware, a socket, in vpicc_link.c.
 *
 * States of the device: added - started (listens, monitor thread runs) - removed. It has
 * one slot and is there as long as the driver.
 *
 * VPICC_LISTEN in the environment: a port of 127.0.0.1 (35963 without it), or unix:PATH
 * with an absolute path. Whoever may connect there is the card.
 */
#include "vpicc_reader.h"

#include <errno.h>
#include <stdlib.h>

#define VENDOR    "vpicc"
#define PRODUCT   "Socket Reader"
#define CLOCK_KHZ 4000 /* of no importance here, but programs ask */
#define RATE_BPS  10752

/* ---- dispatch routines ----------------------------------------------------------- */

static NTSTATUS VpiccComplete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS VpiccDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PDEVICE_EXTENSION Device = DeviceObject->DeviceExtension;

    return SmartcardDeviceControl(&Device->SmartcardExtension, Irp); /* completes it */
}

static NTSTATUS VpiccCreate(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PDEVICE_EXTENSION Device = DeviceObject->DeviceExtension;
    BOOLEAN Busy = InterlockedExchange(&Device->Opened, 1) != 0; /* exclusive */

    return VpiccComplete(Irp, Busy ? STATUS_DEVICE_BUSY : STATUS_SUCCESS);
}

static NTSTATUS VpiccCleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PDEVICE_EXTENSION Device = DeviceObject->DeviceExtension;

    SmcCleanupFile(&Device->SmartcardExtension,
                   IoGetCurrentIrpStackLocation(Irp)->FileObject);
    return VpiccComplete(Irp, STATUS_SUCCESS);
}

static NTSTATUS VpiccClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PDEVICE_EXTENSION Device = DeviceObject->DeviceExtension;

    InterlockedExchange(&Device->Opened, 0);
    return VpiccComplete(Irp, STATUS_SUCCESS);
}

static NTSTATUS VpiccStart(PDEVICE_EXTENSION Device)
{
    struct _READER_EXTENSION *Reader = &Device->ReaderExtension;
    const char *Address = getenv("VPICC_LISTEN");
    NTSTATUS Status = VpiccLinkOpen(&Reader->Link, Address);

    Reader->LinkOpened = TRUE;
    if (Status != STATUS_SUCCESS) {
        SmcLog(Device->PhysicalDevice, Status, "cannot listen on VPICC_LISTEN=%s: %s",
               Address != NULL ? Address : "",
               Status == STATUS_INVALID_PARAMETER ? "not a port, not unix:/PATH"
                                                  : strerror(errno));
        return Status;
    }
    if (pthread_create(&Reader->Monitor, NULL, VpiccMonitor,
                       &Device->SmartcardExtension) != 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    Reader->MonitorRuns = TRUE;
    return STATUS_SUCCESS;
}

/* Undoes VpiccStart and VpiccAddDevice, as far as they got. */
static VOID VpiccRemove(PDEVICE_OBJECT DeviceObject)
{
    PDEVICE_EXTENSION Device = DeviceObject->DeviceExtension;
    struct _READER_EXTENSION *Reader = &Device->ReaderExtension;

    if (Reader->MonitorRuns) {
        VpiccLinkStop(&Reader->Link);
        pthread_join(Reader->Monitor, NULL);
    }
    /* Like every routine that must not be overtaken, this one has entered; then it waits
     * for all others to leave. */
    if (SmartcardAcquireRemoveLock(&Device->SmartcardExtension) == STATUS_SUCCESS)
        SmartcardReleaseRemoveLockAndWait(&Device->SmartcardExtension);
    if (Reader->LinkOpened)
        VpiccLinkClose(&Reader->Link);
    SmartcardExit(&Device->SmartcardExtension);
    RtlFreeUnicodeString(&Device->InterfaceName);
    IoDetachDevice(Device->PhysicalDevice);
    IoDeleteDevice(DeviceObject);
}

static NTSTATUS VpiccPnp(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PDEVICE_EXTENSION Device = DeviceObject->DeviceExtension;

    switch (IoGetCurrentIrpStackLocation(Irp)->MinorFunction) {
    case IRP_MN_START_DEVICE:
        return VpiccComplete(Irp, VpiccStart(Device));
    case IRP_MN_SURPRISE_REMOVAL:
        SmcEndCardTracking(&Device->SmartcardExtension, STATUS_DEVICE_REMOVED);
        return VpiccComplete(Irp, STATUS_SUCCESS);
    case IRP_MN_REMOVE_DEVICE:
        VpiccRemove(DeviceObject);
        return VpiccComplete(Irp, STATUS_SUCCESS);
    default:
        return VpiccComplete(Irp, STATUS_NOT_SUPPORTED);
    }
}

/* A program on a socket needs no help to sleep. */
static NTSTATUS VpiccPower(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    return VpiccComplete(Irp, STATUS_SUCCESS);
}

/* ---- the driver ------------------------------------------------------------------ */

DRIVER_INITIALIZE DriverEntry;

static VOID VpiccFillExtension(PDEVICE_EXTENSION Device)
{
    PSMARTCARD_EXTENSION SmartcardExtension = &Device->SmartcardExtension;
    PSCARD_READER_CAPABILITIES Reader = &SmartcardExtension->ReaderCapabilities;
    PVENDOR_ATTR Vendor = &SmartcardExtension->VendorAttr;

    SmartcardExtension->Version = SMCLIB_VERSION;
    SmartcardExtension->ReaderExtension = &Device->ReaderExtension;

    Vendor->VendorName.Length = sizeof VENDOR - 1;
    RtlCopyMemory(Vendor->VendorName.Buffer, VENDOR, sizeof VENDOR - 1);
    Vendor->IfdType.Length = sizeof PRODUCT - 1;
    RtlCopyMemory(Vendor->IfdType.Buffer, PRODUCT, sizeof PRODUCT - 1);
    Vendor->IfdVersion.VersionMajor = 1;

    Reader->SupportedProtocols = SCARD_PROTOCOL_Tx;
    Reader->ReaderType = SCARD_READER_TYPE_VENDOR;
    Reader->CurrentState = SCARD_ABSENT;
    Reader->CLKFrequency.Default = Reader->CLKFrequency.Max = CLOCK_KHZ;
    Reader->DataRate.Default = Reader->DataRate.Max = RATE_BPS;
    Reader->MaxIFSD = SCARD_T1_MAX_IFS;

    SmartcardExtension->SmartcardRequest.BufferSize =
        VPICC_HEADER_LENGTH + VPICC_MESSAGE_MAX;
    SmartcardExtension->SmartcardReply.BufferSize = VPICC_MESSAGE_MAX;

    SmartcardExtension->ReaderFunction[RDF_CARD_POWER] = VpiccCardPower;
    SmartcardExtension->ReaderFunction[RDF_SET_PROTOCOL] = VpiccSetProtocol;
    SmartcardExtension->ReaderFunction[RDF_TRANSMIT] = VpiccTransmit;
    SmartcardExtension->ReaderFunction[RDF_CARD_TRACKING] = VpiccCardTracking;
}

/* What it leaves behind when it fails after attaching, IRP_MN_REMOVE_DEVICE takes away.
 */
static NTSTATUS VpiccAddDevice(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDevice)
{
    PDEVICE_EXTENSION Device;
    PDEVICE_OBJECT DeviceObject;
    NTSTATUS Status = IoCreateDevice(DriverObject, sizeof *Device, NULL,
                                     FILE_DEVICE_SMARTCARD, 0, TRUE, &DeviceObject);

    if (Status != STATUS_SUCCESS)
        return Status;
    Device = DeviceObject->DeviceExtension;
    Device->PhysicalDevice = PhysicalDevice;
    VpiccFillExtension(Device);
    Status = SmartcardInitialize(&Device->SmartcardExtension);
    if (Status != STATUS_SUCCESS) {
        IoDeleteDevice(DeviceObject);
        return Status;
    }
    Device->SmartcardExtension.OsData->DeviceObject = DeviceObject;
    IoAttachDeviceToDeviceStack(DeviceObject, PhysicalDevice);
    Status = IoRegisterDeviceInterface(DeviceObject, &SmartCardReaderGuid, NULL,
                                       &Device->InterfaceName);
    if (Status == STATUS_SUCCESS)
        Status = IoSetDeviceInterfaceState(&Device->InterfaceName, TRUE); /* START */
    return Status;
}

/* The I/O manager has sent IRP_MN_REMOVE_DEVICE, or does so now. */
static VOID VpiccUnload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    static const struct smc_device_identity Identity = {.vendor = VENDOR,
                                                        .product = PRODUCT,
                                                        .path = "vpicc",
                                                        .slot_count = 1,
                                                        .busy_slot_count = 1};
    PDEVICE_OBJECT PhysicalDevice;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = VpiccUnload;
    DriverObject->DriverExtension->AddDevice = VpiccAddDevice;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = VpiccCreate;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = VpiccCleanup;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = VpiccClose;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = VpiccDeviceControl;
    DriverObject->MajorFunction[IRP_MJ_PNP] = VpiccPnp;
    DriverObject->MajorFunction[IRP_MJ_POWER] = VpiccPower;

    /* A bus driver would report devices as it finds them; this one is always there. */
    return SmcReportDeviceArrival(DriverObject, &Identity, NULL, &PhysicalDevice);
}
