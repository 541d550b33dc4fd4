/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devobj.c - device objects: made, attached, named, deleted. One lock guards the list of
 * all of them; io.c uses it for the marks of arrival and departure.
 */
#include "devobj.h"

#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t devices_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_ENTRY devices = {&devices, &devices};
static ULONG interface_count;

void smc_devobj_lock(void)
{
    pthread_mutex_lock(&devices_lock);
}

void smc_devobj_unlock(void)
{
    pthread_mutex_unlock(&devices_lock);
}

struct smc_device *smc_devobj_next_locked(const struct smc_device *device)
{
    const LIST_ENTRY *entry = device != NULL ? &device->all : &devices;

    return entry->Flink == &devices
               ? NULL
               : CONTAINING_RECORD(entry->Flink, struct smc_device, all);
}

NTSTATUS smc_devobj_create(PDRIVER_OBJECT driver, ULONG extension_size,
                           struct smc_device **created)
{
    struct smc_device *device = calloc(1, sizeof *device + extension_size);

    if (device == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    device->object.DriverObject = driver;
    device->object.DeviceExtension = extension_size > 0 ? device->extension : NULL;
    smc_devobj_lock();
    InsertTailList(&devices, &device->all);
    device->object.NextDevice = driver->DeviceObject;
    driver->DeviceObject = &device->object;
    smc_devobj_unlock();
    *created = device;
    return STATUS_SUCCESS;
}

NTSTATUS IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize,
                        PUNICODE_STRING DeviceName, ULONG DeviceType,
                        ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                        PDEVICE_OBJECT *DeviceObject)
{
    struct smc_device *device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(DeviceName);
    UNREFERENCED_PARAMETER(Exclusive);
    if (DriverObject == NULL || DeviceObject == NULL)
        return STATUS_INVALID_PARAMETER;
    status = smc_devobj_create(DriverObject, DeviceExtensionSize, &device);
    if (!NT_SUCCESS(status))
        return status;
    device->object.DeviceType = DeviceType;
    device->object.Characteristics = DeviceCharacteristics;
    device->object.Flags = DO_DEVICE_INITIALIZING;
    *DeviceObject = &device->object;
    return STATUS_SUCCESS;
}

/* Finds the first function that is still attached; io_lock is held. */
PDEVICE_OBJECT smc_devobj_function_locked(const DEVICE_OBJECT *physical)
{
    struct smc_device *d = NULL;

    while ((d = smc_devobj_next_locked(d)) != NULL) {
        if (d->object.LowerDevice == physical)
            return &d->object;
    }
    return NULL;
}

void smc_devobj_detach_locked(PDEVICE_OBJECT function)
{
    PDEVICE_OBJECT physical = function->LowerDevice;

    if (physical == NULL)
        return;
    function->LowerDevice = NULL;
    physical->AttachedDevice = smc_devobj_function_locked(physical);
}

VOID IoDeleteDevice(PDEVICE_OBJECT DeviceObject)
{
    struct smc_device *device = smc_device_of(DeviceObject);
    PDEVICE_OBJECT *link = &DeviceObject->DriverObject->DeviceObject;

    smc_devobj_lock();
    smc_devobj_detach_locked(DeviceObject);
    while (*link != DeviceObject)
        link = &(*link)->NextDevice;
    *link = DeviceObject->NextDevice;
    RemoveEntryList(&device->all);
    smc_devobj_unlock();
    RtlFreeUnicodeString(&DeviceObject->InterfaceName);
    free(device);
}

PDEVICE_OBJECT IoAttachDeviceToDeviceStack(PDEVICE_OBJECT SourceDevice,
                                           PDEVICE_OBJECT TargetDevice)
{
    if (SourceDevice == NULL || TargetDevice == NULL || TargetDevice->Identity == NULL)
        return NULL;
    smc_devobj_lock();
    SourceDevice->LowerDevice = TargetDevice;
    TargetDevice->AttachedDevice = smc_devobj_function_locked(TargetDevice);
    smc_devobj_unlock();
    return TargetDevice;
}

/* Windows has one function on a device, here there is one per slot: the one that is being
 * removed leaves, else (AddDevice undoing itself) the one that was attached last. */
VOID IoDetachDevice(PDEVICE_OBJECT TargetDevice)
{
    struct smc_device *leaving = NULL;
    struct smc_device *d = NULL;

    smc_devobj_lock();
    while ((d = smc_devobj_next_locked(d)) != NULL) {
        if (d->object.LowerDevice == TargetDevice && !d->announced &&
            (leaving == NULL || !leaving->departing))
            leaving = d;
    }
    if (leaving != NULL)
        smc_devobj_detach_locked(&leaving->object);
    smc_devobj_unlock();
}

bool smc_io_is_device(const void *object)
{
    struct smc_device *d = NULL;
    bool found = false;

    smc_devobj_lock();
    while ((d = smc_devobj_next_locked(d)) != NULL)
        found = found || &d->object == object;
    smc_devobj_unlock();
    return found;
}

const struct smc_device_identity *smc_io_identity(PDEVICE_OBJECT device)
{
    static const struct smc_device_identity unknown = {.slot_count = 1,
                                                       .busy_slot_count = 1};
    const struct smc_device_identity *identity = NULL;

    if (device != NULL) {
        smc_devobj_lock();
        identity = device->LowerDevice != NULL ? device->LowerDevice->Identity
                                               : device->Identity;
        smc_devobj_unlock();
    }
    return identity != NULL ? identity : &unknown;
}

/* ---- interfaces ------------------------------------------------------------------ */

NTSTATUS IoRegisterDeviceInterface(PDEVICE_OBJECT DeviceObject,
                                   const GUID *InterfaceClassGuid,
                                   PUNICODE_STRING ReferenceString,
                                   PUNICODE_STRING SymbolicLinkName)
{
    PDEVICE_OBJECT function = DeviceObject;
    UNICODE_STRING own;
    char name[64];
    ULONG number;

    UNREFERENCED_PARAMETER(ReferenceString);
    if (DeviceObject == NULL || InterfaceClassGuid == NULL || SymbolicLinkName == NULL ||
        memcmp(InterfaceClassGuid, &SmartCardReaderGuid, sizeof(GUID)) != 0)
        return STATUS_INVALID_PARAMETER;
    if (function->Identity != NULL) /* Windows names the physical device here */
        function = function->AttachedDevice;
    if (function == NULL || function->InterfaceName.Buffer != NULL)
        return STATUS_INVALID_PARAMETER;

    number = (ULONG)InterlockedIncrement(&interface_count);
    snprintf(name, sizeof name, "\\??\\SmartCardReader#%u", (unsigned)number);
    if (!smc_string_make(SymbolicLinkName, name))
        return STATUS_INSUFFICIENT_RESOURCES;
    if (!smc_string_make(&own, name)) {
        RtlFreeUnicodeString(SymbolicLinkName);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    smc_devobj_lock(); /* others look for the device of a name */
    function->InterfaceName = own;
    smc_devobj_unlock();
    return STATUS_SUCCESS;
}
