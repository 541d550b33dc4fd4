/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * windows_reader.c - a reader driver as one writes it for Windows, compiled with include/
 * and nothing else: what it uses must be there, and must do here what it does there.
 *
 * The one change to a driver for Windows: the interface is enabled in AddDevice, because
 * that is what makes the I/O manager start the device (wdm.h).
 */
#include <wdm.h>
#include <smclib.h>

#include "windows_reader.h"

#define READER_BUFFER_SIZE 300

static NTSTATUS ReaderComplete(IN PIRP Irp, IN NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* ---- dispatch routines ----------------------------------------------------------- */

static NTSTATUS ReaderCreateClose(IN PDEVICE_OBJECT DeviceObject, IN PIRP Irp)
{
    PDEVICE_EXTENSION deviceExtension = DeviceObject->DeviceExtension;
    PSMARTCARD_EXTENSION smartcardExtension = &deviceExtension->SmartcardExtension;
    NTSTATUS status;

    switch (IoGetCurrentIrpStackLocation(Irp)->MajorFunction) {
    case IRP_MJ_CREATE:
        status = SmartcardAcquireRemoveLockWithTag(smartcardExtension, 'lCrC');
        if (status != STATUS_SUCCESS)
            return ReaderComplete(Irp, STATUS_DEVICE_REMOVED);
        if (InterlockedExchange(&deviceExtension->IsOpen, 1) != 0) {
            SmartcardReleaseRemoveLockWithTag(smartcardExtension, 'lCrC');
            return ReaderComplete(Irp, STATUS_DEVICE_BUSY);
        }
        return ReaderComplete(Irp, STATUS_SUCCESS);
    default: /* IRP_MJ_CLOSE */
        if (InterlockedExchange(&deviceExtension->IsOpen, 0) != 0)
            SmartcardReleaseRemoveLockWithTag(smartcardExtension, 'lCrC');
        return ReaderComplete(Irp, STATUS_SUCCESS);
    }
}

static NTSTATUS ReaderCleanup(IN PDEVICE_OBJECT DeviceObject, IN PIRP Irp)
{
    PDEVICE_EXTENSION deviceExtension = DeviceObject->DeviceExtension;
    PSMARTCARD_EXTENSION SmartcardExtension = &deviceExtension->SmartcardExtension;
    PIRP tracker;
    KIRQL irql;

    AccessUnsafeData(&irql);
    tracker = SmartcardExtension->OsData->NotificationIrp;
    EndAccessUnsafeData(irql);
    if (tracker != NULL)
        IoCancelIrp(tracker);
    return ReaderComplete(Irp, STATUS_SUCCESS);
}

static NTSTATUS ReaderDeviceControl(IN PDEVICE_OBJECT DeviceObject, IN PIRP Irp)
{
    PDEVICE_EXTENSION deviceExtension = DeviceObject->DeviceExtension;
    PSMARTCARD_EXTENSION smartcardExtension = &deviceExtension->SmartcardExtension;
    NTSTATUS status;

    status = SmartcardAcquireRemoveLockWithTag(smartcardExtension, 'tcoI');
    if (status != STATUS_SUCCESS)
        return ReaderComplete(Irp, STATUS_DEVICE_REMOVED);
    ASSERT(KeGetCurrentIrql() == PASSIVE_LEVEL);
    status = SmartcardDeviceControl(smartcardExtension, Irp);
    SmartcardReleaseRemoveLockWithTag(smartcardExtension, 'tcoI');
    return status;
}

static NTSTATUS ReaderSystemControl(IN PDEVICE_OBJECT DeviceObject, IN PIRP Irp)
{
    PDEVICE_EXTENSION deviceExtension = DeviceObject->DeviceExtension;

    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(deviceExtension->AttachedPDO, Irp);
}

/* A card that was in before or is in now counts as changed: nobody watched it. */
static NTSTATUS ReaderDispatchPower(IN PDEVICE_OBJECT DeviceObject, IN PIRP Irp)
{
    PDEVICE_EXTENSION deviceExtension = DeviceObject->DeviceExtension;
    PSMARTCARD_EXTENSION SmartcardExtension = &deviceExtension->SmartcardExtension;
    PIO_STACK_LOCATION irpStack = IoGetCurrentIrpStackLocation(Irp);
    KIRQL irql;

    if (irpStack->MinorFunction == IRP_MN_SET_POWER &&
        irpStack->Parameters.Power.Type == DevicePowerState) {
        AccessUnsafeData(&irql);
        if (irpStack->Parameters.Power.State.DeviceState != PowerDeviceD0) {
            deviceExtension->CardPresentBeforeSleep =
                SmartcardExtension->ReaderCapabilities.CurrentState > SCARD_ABSENT;
        }
        EndAccessUnsafeData(irql);
        if (irpStack->Parameters.Power.State.DeviceState == PowerDeviceD0 &&
            (deviceExtension->CardPresentBeforeSleep ||
             deviceExtension->ReaderExtension.Hardware->CardPresent))
            ReaderInterrupt(DeviceObject);
    }
    PoStartNextPowerIrp(Irp);
    IoSkipCurrentIrpStackLocation(Irp);
    return PoCallDriver(deviceExtension->AttachedPDO, Irp);
}

static VOID ReaderUnloadDevice(IN PDEVICE_OBJECT DeviceObject)
{
    PDEVICE_EXTENSION deviceExtension = DeviceObject->DeviceExtension;

    IoSetDeviceInterfaceState(&deviceExtension->PnPDeviceName, FALSE);
    RtlFreeUnicodeString(&deviceExtension->PnPDeviceName);
    SmartcardDeleteLink(&deviceExtension->DosDeviceName);
    RtlFreeUnicodeString(&deviceExtension->DosDeviceName);
    ExFreePool(deviceExtension->ReaderExtension.AtrBuffer);
    SmartcardExit(&deviceExtension->SmartcardExtension);
    IoDetachDevice(deviceExtension->AttachedPDO);
    IoDeleteDevice(DeviceObject);
}

static NTSTATUS ReaderPnP(IN PDEVICE_OBJECT DeviceObject, IN PIRP Irp)
{
    PDEVICE_EXTENSION deviceExtension = DeviceObject->DeviceExtension;
    PSMARTCARD_EXTENSION smartcardExtension = &deviceExtension->SmartcardExtension;
    PDEVICE_OBJECT AttachedPDO = deviceExtension->AttachedPDO;
    NTSTATUS status;

    PAGED_CODE();
    status = SmartcardAcquireRemoveLock(smartcardExtension);
    if (status != STATUS_SUCCESS)
        return ReaderComplete(Irp, status);

    switch (IoGetCurrentIrpStackLocation(Irp)->MinorFunction) {
    case IRP_MN_START_DEVICE:
        if (deviceExtension->ReaderExtension.Hardware->CardPresent)
            ReaderInterrupt(DeviceObject);
        break;

    case IRP_MN_SURPRISE_REMOVAL:
        SmcEndCardTracking(smartcardExtension, STATUS_DEVICE_REMOVED);
        break;

    case IRP_MN_REMOVE_DEVICE:
        SmartcardReleaseRemoveLockAndWait(smartcardExtension);
        IoCopyCurrentIrpStackLocationToNext(Irp);
        status = IoCallDriver(AttachedPDO, Irp);
        ReaderUnloadDevice(DeviceObject);
        return status;

    default:
        break;
    }
    IoSkipCurrentIrpStackLocation(Irp);
    status = IoCallDriver(AttachedPDO, Irp);
    SmartcardReleaseRemoveLock(smartcardExtension);
    return status;
}

/* ---- arrival --------------------------------------------------------------------- */

static VOID ReaderDescribe(IN PSMARTCARD_EXTENSION SmartcardExtension)
{
    static const char vendorName[] = "Example";
    static const char ifdType[] = "WDM Reader";
    static ULONG dataRatesSupported[] = {9600, 38400};

    SmartcardExtension->Version = SMCLIB_VERSION;
    SmartcardExtension->SmartcardRequest.BufferSize = READER_BUFFER_SIZE;
    SmartcardExtension->SmartcardReply.BufferSize = READER_BUFFER_SIZE;

    RtlCopyMemory(SmartcardExtension->VendorAttr.VendorName.Buffer, vendorName,
                  sizeof(vendorName) - 1);
    SmartcardExtension->VendorAttr.VendorName.Length = sizeof(vendorName) - 1;
    RtlCopyMemory(SmartcardExtension->VendorAttr.IfdType.Buffer, ifdType,
                  sizeof(ifdType) - 1);
    SmartcardExtension->VendorAttr.IfdType.Length = sizeof(ifdType) - 1;
    SmartcardExtension->VendorAttr.IfdVersion.VersionMajor = 1;

    SmartcardExtension->ReaderFunction[RDF_CARD_POWER] = ReaderPower;
    SmartcardExtension->ReaderFunction[RDF_TRANSMIT] = ReaderTransmit;
    SmartcardExtension->ReaderFunction[RDF_CARD_TRACKING] = ReaderCardTracking;
    SmartcardExtension->ReaderFunction[RDF_SET_PROTOCOL] = ReaderSetProtocol;
    SmartcardExtension->ReaderFunction[RDF_IOCTL_VENDOR] = ReaderIoctl;

    SmartcardExtension->ReaderCapabilities.SupportedProtocols =
        SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1;
    SmartcardExtension->ReaderCapabilities.MechProperties = 0;
    SmartcardExtension->ReaderCapabilities.ReaderType = SCARD_READER_TYPE_SERIAL;
    SmartcardExtension->ReaderCapabilities.CurrentState = (ULONG)SCARD_ABSENT;
    SmartcardExtension->ReaderCapabilities.CLKFrequency.Default = 3571;
    SmartcardExtension->ReaderCapabilities.CLKFrequency.Max = 3571;
    SmartcardExtension->ReaderCapabilities.DataRate.Default = dataRatesSupported[0];
    SmartcardExtension->ReaderCapabilities.DataRate.Max = dataRatesSupported[1];
    SmartcardExtension->ReaderCapabilities.DataRatesSupported.List = dataRatesSupported;
    SmartcardExtension->ReaderCapabilities.DataRatesSupported.Entries =
        sizeof(dataRatesSupported) / sizeof(dataRatesSupported[0]);
    SmartcardExtension->ReaderCapabilities.MaxIFSD = 254;
}

static NTSTATUS ReaderCreateDevice(IN PDRIVER_OBJECT DriverObject,
                                   IN PDEVICE_OBJECT PhysicalDeviceObject,
                                   OUT PDEVICE_OBJECT *DeviceObject)
{
    static LONG deviceInstance = -1;
    UNICODE_STRING deviceName = {0, 0, NULL};
    PSMARTCARD_EXTENSION smartcardExtension;
    PDEVICE_EXTENSION deviceExtension;
    NTSTATUS status;

    status = IoCreateDevice(DriverObject, sizeof(DEVICE_EXTENSION), &deviceName,
                            FILE_DEVICE_SMARTCARD, 0, TRUE, DeviceObject);
    if (status != STATUS_SUCCESS)
        return status;
    deviceExtension = (*DeviceObject)->DeviceExtension;
    smartcardExtension = &deviceExtension->SmartcardExtension;
    smartcardExtension->ReaderExtension = &deviceExtension->ReaderExtension;
    smartcardExtension->ReaderExtension->Hardware = PhysicalDeviceObject->DeviceExtension;
    KeInitializeSpinLock(&deviceExtension->ReaderExtension.EventLock);
    InitializeListHead(&deviceExtension->ReaderExtension.EventList);

    ReaderDescribe(smartcardExtension);
    smartcardExtension->VendorAttr.UnitNo = (ULONG)InterlockedIncrement(&deviceInstance);
    status = SmartcardInitialize(smartcardExtension);
    if (status != STATUS_SUCCESS) {
        SmartcardLogError(DriverObject, status, NULL, 1);
        IoDeleteDevice(*DeviceObject);
        return status;
    }
    smartcardExtension->OsData->DeviceObject = *DeviceObject;
    deviceExtension->ReaderExtension.AtrBuffer =
        ExAllocatePool(NonPagedPool, MAXIMUM_ATR_LENGTH);
    status = SmartcardCreateLink(&deviceExtension->DosDeviceName, &deviceName);
    if (status != STATUS_SUCCESS || deviceExtension->ReaderExtension.AtrBuffer == NULL) {
        SmartcardLogError(DriverObject, status, NULL, 2);
        ExFreePool(deviceExtension->ReaderExtension.AtrBuffer);
        SmartcardExit(smartcardExtension);
        IoDeleteDevice(*DeviceObject);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS ReaderAddDevice(IN PDRIVER_OBJECT DriverObject,
                                IN PDEVICE_OBJECT PhysicalDeviceObject)
{
    PDEVICE_OBJECT DeviceObject = NULL;
    PDEVICE_EXTENSION deviceExtension;
    NTSTATUS status;

    PAGED_CODE();
    status = ReaderCreateDevice(DriverObject, PhysicalDeviceObject, &DeviceObject);
    if (status != STATUS_SUCCESS)
        return status;
    deviceExtension = DeviceObject->DeviceExtension;
    deviceExtension->AttachedPDO =
        IoAttachDeviceToDeviceStack(DeviceObject, PhysicalDeviceObject);
    status = IoRegisterDeviceInterface(PhysicalDeviceObject, &SmartCardReaderGuid, NULL,
                                       &deviceExtension->PnPDeviceName);
    if (status != STATUS_SUCCESS) {
        ReaderUnloadDevice(DeviceObject);
        return status;
    }
    DeviceObject->Flags |= DO_BUFFERED_IO | DO_POWER_PAGABLE;
    DeviceObject->Flags &= (ULONG)~DO_DEVICE_INITIALIZING;
    return IoSetDeviceInterfaceState(&deviceExtension->PnPDeviceName, TRUE);
}

static VOID ReaderUnload(IN PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    SmartcardDebug(DEBUG_INFO, ("%s!ReaderUnload\n", DRIVER_NAME));
}

NTSTATUS DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    SmartcardDebug(DEBUG_INFO, ("%s!DriverEntry\n", DRIVER_NAME));

    DriverObject->MajorFunction[IRP_MJ_CREATE] = ReaderCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = ReaderCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = ReaderCleanup;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = ReaderDeviceControl;
    DriverObject->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = ReaderSystemControl;
    DriverObject->MajorFunction[IRP_MJ_PNP] = ReaderPnP;
    DriverObject->MajorFunction[IRP_MJ_POWER] = ReaderDispatchPower;
    DriverObject->DriverUnload = ReaderUnload;
    DriverObject->DriverExtension->AddDevice = ReaderAddDevice;
    return STATUS_SUCCESS;
}
