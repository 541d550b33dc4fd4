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
 *   One lock guards the list of all devices (devobj.c), another the client; neither is
 *   held while a driver or the client is called. Whoever announces or takes back a
 * function changes `announced` under that lock, so that gone is called once for each
 * arrived.
 *
 *   The physical device is served by a bus driver of its own, which agrees to every PnP
 *   and power request: a function driver may pass those down as on Windows.
 */
#include "devobj.h"

static pthread_mutex_t client_lock = PTHREAD_MUTEX_INITIALIZER;
static struct smc_io_client client;

/* ---- the client ------------------------------------------------------------------ */

void smc_io_register(const struct smc_io_client *new_client)
{
    static const struct smc_io_client nobody;

    pthread_mutex_lock(&client_lock);
    client = new_client != NULL ? *new_client : nobody;
    pthread_mutex_unlock(&client_lock);
}

static struct smc_io_client client_now(void)
{
    struct smc_io_client now;

    pthread_mutex_lock(&client_lock);
    now = client;
    pthread_mutex_unlock(&client_lock);
    return now;
}

void smc_io_log(PDEVICE_OBJECT device, NTSTATUS status, const char *text)
{
    struct smc_io_client now = client_now();

    if (now.log != NULL)
        now.log(now.context, device, status, text);
}

void smc_io_link(const char *name, bool created)
{
    struct smc_io_client now = client_now();

    if (now.link != NULL)
        now.link(now.context, name, created);
}

VOID SmcRequestService(PDEVICE_OBJECT DeviceObject, ULONG DelayMs)
{
    struct smc_io_client now = client_now();

    if (now.service != NULL)
        now.service(now.context, DeviceObject, DelayMs);
}

void smc_io_trace(PDEVICE_OBJECT device, int on)
{
    __atomic_store_n(&device->Traced, on != 0, __ATOMIC_RELAXED);
}

VOID SmcTrace(PDEVICE_OBJECT DeviceObject, const struct smc_trace_packet *packet)
{
    struct smc_io_client now;

    if (!SmcTraceWanted(DeviceObject))
        return;
    now = client_now();
    if (now.trace != NULL)
        now.trace(now.context, DeviceObject, packet);
}

/* ---- announcing a function ------------------------------------------------------- */

/* Takes a function back from the client: true when the client had it. */
static bool take_back(struct smc_device *function)
{
    bool had;

    smc_devobj_lock();
    had = function->announced;
    function->announced = false;
    function->object.InterfaceEnabled = FALSE;
    smc_devobj_unlock();
    return had;
}

static NTSTATUS announce(struct smc_device *function)
{
    struct smc_io_client now = client_now();
    NTSTATUS status = STATUS_SUCCESS;

    if (now.arrived != NULL)
        status = now.arrived(now.context, &function->object);
    if (!NT_SUCCESS(status))
        return status;
    smc_devobj_lock();
    function->announced = now.arrived != NULL;
    function->object.InterfaceEnabled = TRUE;
    smc_devobj_unlock();
    return status;
}

static bool strings_equal(const UNICODE_STRING *a, const UNICODE_STRING *b)
{
    return a->Length > 0 && a->Length == b->Length &&
           memcmp(a->Buffer, b->Buffer, a->Length) == 0;
}

NTSTATUS IoSetDeviceInterfaceState(PUNICODE_STRING SymbolicLinkName, BOOLEAN Enable)
{
    struct smc_device *function = NULL;
    struct smc_device *d = NULL;
    struct smc_io_client now;

    if (SymbolicLinkName == NULL || SymbolicLinkName->Buffer == NULL)
        return STATUS_NO_SUCH_DEVICE;
    smc_devobj_lock();
    while ((d = smc_devobj_next_locked(d)) != NULL) {
        if (strings_equal(&d->object.InterfaceName, SymbolicLinkName))
            function = d;
    }
    smc_devobj_unlock();
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
static struct smc_device *next_departing(const DEVICE_OBJECT *physical)
{
    struct smc_device *next = NULL;
    struct smc_device *d = NULL;

    smc_devobj_lock();
    while ((d = smc_devobj_next_locked(d)) != NULL) {
        if (next == NULL && d->object.LowerDevice == physical && !d->departing)
            next = d;
    }
    if (next != NULL)
        next->departing = true;
    smc_devobj_unlock();
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
    struct smc_device *function;

    while ((function = next_departing(PhysicalDeviceObject)) != NULL) {
        struct smc_io_client now = client_now();

        if (take_back(function) && now.gone != NULL)
            now.gone(now.context, &function->object, surprise);
        else
            remove_function(&function->object, surprise);
    }
    do { /* a driver that does not delete what it made must not point to freed memory */
        smc_devobj_lock();
        left = smc_devobj_function_locked(PhysicalDeviceObject);
        if (left != NULL)
            smc_devobj_detach_locked(left);
        smc_devobj_unlock();
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
    struct smc_device *physical;
    NTSTATUS status;

    if (add_device == NULL)
        return STATUS_NOT_SUPPORTED;
    status = smc_devobj_create(&bus_driver, 0, &physical);
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
        struct smc_device *d = NULL;

        left = NULL;
        smc_devobj_lock();
        while ((d = smc_devobj_next_locked(d)) != NULL) {
            if (d->reporter == driver)
                left = &d->object;
        }
        smc_devobj_unlock();
        if (left != NULL)
            SmcReportDeviceDeparture(left, FALSE);
    } while (left != NULL);
}
