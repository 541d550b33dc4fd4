/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io.c - the I/O manager: drivers, physical devices and the functions that a driver puts
 * on them, from arrival to departure.
 *
 * THEORY
 *   A driver finds a device and reports it. Reporting makes a physical device object and
 *   calls AddDevice, where the driver makes a function device per slot, attaches it and
 *   enables its interface. Enabling announces the function to the client (fs), which
 *   starts and opens it. Departure takes each function of the physical device through
 *   the client (or, where it was never announced, straight to IRP_MN_REMOVE_DEVICE); the
 *   driver deletes its function in the remove routine, and then the physical device is
 *   freed. A driver reports the departure of a device after its arrival has returned.
 *
 *   One lock guards the list of all devices and the client; it is never held while a
 *   driver or the client is called. Whoever announces or takes back a function changes
 *   `announced` under that lock, so that gone is called once for each arrived.
 *
 *   The physical device is served by a bus driver of its own, which agrees to every PnP
 *   and power request: a function driver may pass those down as on Windows.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

struct device {
    LIST_ENTRY all;
    PDRIVER_OBJECT reporter; /* of a physical device: who reported it */
    bool announced;          /* of a function: the client has it */
    bool departing;
    struct smc_device_identity identity; /* of a physical device */
    DEVICE_OBJECT object;
    max_align_t extension[]; /* DeviceExtension of a function */
};

static pthread_mutex_t io_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_ENTRY devices = {&devices, &devices};
static struct smc_io_client client;
static ULONG interface_count;

static struct device *device_of(PDEVICE_OBJECT object)
{
    return CONTAINING_RECORD(object, struct device, object);
}

static struct device *next_device(const LIST_ENTRY *entry)
{
    return entry->Flink == &devices ? NULL
                                    : CONTAINING_RECORD(entry->Flink, struct device, all);
}

#define for_each_device(d)                                                               \
    for (struct device *d = next_device(&devices); d != NULL; d = next_device(&d->all))

/* ---- the client ------------------------------------------------------------------ */

void smc_io_register(const struct smc_io_client *new_client)
{
    static const struct smc_io_client nobody;

    pthread_mutex_lock(&io_lock);
    client = new_client != NULL ? *new_client : nobody;
    pthread_mutex_unlock(&io_lock);
}

static struct smc_io_client client_now(void)
{
    struct smc_io_client now;

    pthread_mutex_lock(&io_lock);
    now = client;
    pthread_mutex_unlock(&io_lock);
    return now;
}

void smc_io_log(PDEVICE_OBJECT device, NTSTATUS status, const char *text)
{
    struct smc_io_client now = client_now();

    if (now.log != NULL)
        now.log(now.context, device, status, text);
}

bool smc_io_is_device(const void *object)
{
    bool found = false;

    pthread_mutex_lock(&io_lock);
    for_each_device(d) found = found || &d->object == object;
    pthread_mutex_unlock(&io_lock);
    return found;
}

/* ---- device objects -------------------------------------------------------------- */

static NTSTATUS device_create(PDRIVER_OBJECT driver, ULONG extension_size,
                              struct device **created)
{
    struct device *device = calloc(1, sizeof *device + extension_size);

    if (device == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    device->object.DriverObject = driver;
    device->object.DeviceExtension = extension_size > 0 ? device->extension : NULL;
    pthread_mutex_lock(&io_lock);
    InsertTailList(&devices, &device->all);
    device->object.NextDevice = driver->DeviceObject;
    driver->DeviceObject = &device->object;
    pthread_mutex_unlock(&io_lock);
    *created = device;
    return STATUS_SUCCESS;
}

NTSTATUS IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize,
                        PUNICODE_STRING DeviceName, ULONG DeviceType,
                        ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                        PDEVICE_OBJECT *DeviceObject)
{
    struct device *device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(DeviceName);
    UNREFERENCED_PARAMETER(Exclusive);
    if (DriverObject == NULL || DeviceObject == NULL)
        return STATUS_INVALID_PARAMETER;
    status = device_create(DriverObject, DeviceExtensionSize, &device);
    if (!NT_SUCCESS(status))
        return status;
    device->object.DeviceType = DeviceType;
    device->object.Characteristics = DeviceCharacteristics;
    device->object.Flags = DO_DEVICE_INITIALIZING;
    *DeviceObject = &device->object;
    return STATUS_SUCCESS;
}

/* Finds the first function that is still attached; io_lock is held. */
static PDEVICE_OBJECT first_function_locked(const DEVICE_OBJECT *physical)
{
    for_each_device(d)
    {
        if (d->object.LowerDevice == physical)
            return &d->object;
    }
    return NULL;
}

static void detach_locked(PDEVICE_OBJECT function)
{
    PDEVICE_OBJECT physical = function->LowerDevice;

    if (physical == NULL)
        return;
    function->LowerDevice = NULL;
    physical->AttachedDevice = first_function_locked(physical);
}

VOID IoDeleteDevice(PDEVICE_OBJECT DeviceObject)
{
    struct device *device = device_of(DeviceObject);
    PDEVICE_OBJECT *link = &DeviceObject->DriverObject->DeviceObject;

    pthread_mutex_lock(&io_lock);
    detach_locked(DeviceObject);
    while (*link != NULL && *link != DeviceObject)
        link = &(*link)->NextDevice;
    if (*link != NULL)
        *link = DeviceObject->NextDevice;
    RemoveEntryList(&device->all);
    pthread_mutex_unlock(&io_lock);
    RtlFreeUnicodeString(&DeviceObject->InterfaceName);
    free(device);
}

PDEVICE_OBJECT IoAttachDeviceToDeviceStack(PDEVICE_OBJECT SourceDevice,
                                           PDEVICE_OBJECT TargetDevice)
{
    if (SourceDevice == NULL || TargetDevice == NULL || TargetDevice->Identity == NULL)
        return NULL;
    pthread_mutex_lock(&io_lock);
    SourceDevice->LowerDevice = TargetDevice;
    TargetDevice->AttachedDevice = first_function_locked(TargetDevice);
    pthread_mutex_unlock(&io_lock);
    return TargetDevice;
}

/* Windows has one function on a device, here there is one per slot: the one that is being
 * removed leaves, else (AddDevice undoing itself) the one that was attached last. */
VOID IoDetachDevice(PDEVICE_OBJECT TargetDevice)
{
    struct device *leaving = NULL;

    pthread_mutex_lock(&io_lock);
    for_each_device(d)
    {
        if (d->object.LowerDevice == TargetDevice && !d->announced &&
            (leaving == NULL || !leaving->departing))
            leaving = d;
    }
    if (leaving != NULL)
        detach_locked(&leaving->object);
    pthread_mutex_unlock(&io_lock);
}

const struct smc_device_identity *smc_io_identity(PDEVICE_OBJECT device)
{
    static const struct smc_device_identity unknown = {.slot_count = 1,
                                                       .busy_slot_count = 1};
    const struct smc_device_identity *identity = NULL;

    if (device != NULL) {
        pthread_mutex_lock(&io_lock);
        identity = device->LowerDevice != NULL ? device->LowerDevice->Identity
                                               : device->Identity;
        pthread_mutex_unlock(&io_lock);
    }
    return identity != NULL ? identity : &unknown;
}

/* ---- interfaces ------------------------------------------------------------------ */

static bool strings_equal(const UNICODE_STRING *a, const UNICODE_STRING *b)
{
    return a->Length > 0 && a->Length == b->Length &&
           memcmp(a->Buffer, b->Buffer, a->Length) == 0;
}

NTSTATUS IoRegisterDeviceInterface(PDEVICE_OBJECT DeviceObject,
                                   const GUID *InterfaceClassGuid,
                                   PUNICODE_STRING ReferenceString,
                                   PUNICODE_STRING SymbolicLinkName)
{
    PDEVICE_OBJECT function = DeviceObject;
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
    if (!smc_string_make(&function->InterfaceName, name)) {
        RtlFreeUnicodeString(SymbolicLinkName);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_SUCCESS;
}

/* Takes a function back from the client: true when the client had it. */
static bool take_back(struct device *function)
{
    bool had;

    pthread_mutex_lock(&io_lock);
    had = function->announced;
    function->announced = false;
    function->object.InterfaceEnabled = FALSE;
    pthread_mutex_unlock(&io_lock);
    return had;
}

static NTSTATUS announce(struct device *function)
{
    struct smc_io_client now = client_now();
    NTSTATUS status = STATUS_SUCCESS;

    if (now.arrived != NULL)
        status = now.arrived(now.context, &function->object);
    if (!NT_SUCCESS(status))
        return status;
    pthread_mutex_lock(&io_lock);
    function->announced = now.arrived != NULL;
    function->object.InterfaceEnabled = TRUE;
    pthread_mutex_unlock(&io_lock);
    return status;
}

NTSTATUS IoSetDeviceInterfaceState(PUNICODE_STRING SymbolicLinkName, BOOLEAN Enable)
{
    struct device *function = NULL;
    struct smc_io_client now;

    if (SymbolicLinkName == NULL || SymbolicLinkName->Buffer == NULL)
        return STATUS_NO_SUCH_DEVICE;
    pthread_mutex_lock(&io_lock);
    for_each_device(d)
    {
        if (strings_equal(&d->object.InterfaceName, SymbolicLinkName))
            function = d;
    }
    pthread_mutex_unlock(&io_lock);
    if (function == NULL)
        return STATUS_NO_SUCH_DEVICE;
    if (Enable)
        return function->object.InterfaceEnabled ? STATUS_SUCCESS : announce(function);
    now = client_now();
    if (take_back(function) && now.gone != NULL)
        now.gone(now.context, &function->object, 0);
    return STATUS_SUCCESS;
}

/* ---- arrival and departure ------------------------------------------------------- */

static NTSTATUS bus_agree(PDEVICE_OBJECT device, PIRP irp)
{
    UNREFERENCED_PARAMETER(device);
    return smc_irp_complete(irp, STATUS_SUCCESS, 0);
}

static DRIVER_OBJECT bus_driver = {
    .MajorFunction = {[IRP_MJ_PNP] = bus_agree, [IRP_MJ_POWER] = bus_agree}};

/* The next function of the device that has not been sent away yet. */
static struct device *next_departing(const DEVICE_OBJECT *physical)
{
    struct device *next = NULL;

    pthread_mutex_lock(&io_lock);
    for_each_device(d)
    {
        if (next == NULL && d->object.LowerDevice == physical && !d->departing)
            next = d;
    }
    if (next != NULL)
        next->departing = true;
    pthread_mutex_unlock(&io_lock);
    return next;
}

static void remove_function(PDEVICE_OBJECT function, BOOLEAN surprise)
{
    if (surprise)
        smc_irp_send(function, NULL, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL);
    smc_irp_send(function, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
}

VOID SmcReportDeviceDeparture(PDEVICE_OBJECT PhysicalDeviceObject, BOOLEAN surprise)
{
    PDEVICE_OBJECT left;
    struct device *function;

    while ((function = next_departing(PhysicalDeviceObject)) != NULL) {
        struct smc_io_client now = client_now();

        if (take_back(function) && now.gone != NULL)
            now.gone(now.context, &function->object, surprise);
        else
            remove_function(&function->object, surprise);
    }
    do { /* a driver that does not delete what it made must not point to freed memory */
        pthread_mutex_lock(&io_lock);
        left = first_function_locked(PhysicalDeviceObject);
        if (left != NULL)
            detach_locked(left);
        pthread_mutex_unlock(&io_lock);
        if (left != NULL)
            SmcLog(left, STATUS_UNSUCCESSFUL, "driver kept its device after removal");
    } while (left != NULL);
    IoDeleteDevice(PhysicalDeviceObject);
}

NTSTATUS SmcReportDeviceArrival(PDRIVER_OBJECT DriverObject,
                                const struct smc_device_identity *identity, PVOID context,
                                PDEVICE_OBJECT *PhysicalDeviceObject)
{
    DRIVER_ADD_DEVICE *add_device = DriverObject->DriverExtension->AddDevice;
    struct device *physical;
    NTSTATUS status;

    if (add_device == NULL)
        return STATUS_NOT_SUPPORTED;
    status = device_create(&bus_driver, 0, &physical);
    if (!NT_SUCCESS(status))
        return status;
    physical->identity = *identity;
    physical->object.Identity = &physical->identity;
    physical->object.DeviceExtension = context;
    physical->reporter = DriverObject;

    status = add_device(DriverObject, &physical->object);
    if (!NT_SUCCESS(status)) {
        SmcReportDeviceDeparture(&physical->object, FALSE);
        return status;
    }
    *PhysicalDeviceObject = &physical->object;
    return status;
}

/* ---- drivers --------------------------------------------------------------------- */

NTSTATUS smc_io_load(PDRIVER_OBJECT driver, DRIVER_INITIALIZE *driver_entry)
{
    memset(driver, 0, sizeof *driver);
    driver->DriverExtension = &driver->Extension;
    driver->Extension.DriverObject = driver;
    return driver_entry(driver, NULL);
}

void smc_io_unload(PDRIVER_OBJECT driver)
{
    PDEVICE_OBJECT left;

    if (driver->DriverUnload != NULL)
        driver->DriverUnload(driver);
    do { /* devices that DriverUnload has not reported as departed */
        left = NULL;
        pthread_mutex_lock(&io_lock);
        for_each_device(d)
        {
            if (d->reporter == driver)
                left = &d->object;
        }
        pthread_mutex_unlock(&io_lock);
        if (left != NULL)
            SmcReportDeviceDeparture(left, FALSE);
    } while (left != NULL);
}
