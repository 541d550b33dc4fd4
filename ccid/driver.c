/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * driver.c - the routines by which the I/O manager drives the CCID driver.
 *
 * THEORY. A bus (usb_watch.c, virtual_bus.c) claims a CCID interface and hands it to
 * ccid_device_add as a ccid_usb_port. The I/O manager calls AddDevice, which makes one
 * function device per slot (struct ccid_slot is its extension) and announces each. From
 * then on everything comes as an IRP: START, CREATE, device controls, CLEANUP, CLOSE,
 * SURPRISE_REMOVAL, REMOVE, and the turns that the driver asks for itself (service.c). A
 * device control goes to SmartcardDeviceControl at once and comes back as a callback
 * (card.c, protocol.c, tpdu.c, vendor.c), which speaks CCID (icc.c, pps.c, character.c,
 * secure.c, escape.c over cmd.c).
 *
 * What is known to be wrong with single devices is corrected in their descriptor before
 * anything else sees it (quirks.c); what is left are bits of it.
 *
 * States of a device: new - started (by the START of its first slot: interrupt endpoint
 * on, every slot sampled) - gone (surprise removal; ended only by being freed). States of
 * a slot: smclib's CurrentState, plus open, plus suspended (between power down and up:
 * callbacks answer STATUS_DEVICE_POWERED_OFF), plus out_of_step (a command failed
 * half-way; ended by resync.c, at once or before the slot's next command). Beside it a
 * device is healthy, failed (it is tried again from time to time) or quarantined (it
 * broke the rules too often: nothing is sent for a while, CurrentState is unknown), see
 * health.c and trouble.c.
 *
 * Threads. One thread at a time drives a device: the executor inside a callback, or the
 * thread that starts, suspends or resumes it or gives it a turn. Slots of one device
 * share that thread, unless the device executes commands of several slots at once: then
 * each slot has its own (mux.c). Removing a slot does not wait for the others. The bus's
 * event thread calls ccid_notify at any time, also during a callback; it touches nothing
 * but state.c, and asks for turns. Cancelling comes from any thread (cancel.c).
 *
 * Locks: device->lock for the look-up of a slot and the device's health, OsData->SpinLock
 * for a slot's state; both
 * are leaves and neither is held during USB or a completion. A slot is kept from being
 * freed by its remove lock: one entry per IRP and per interrupt message inside, one for
 * the time it is open.
 *
 * Deliberately not done: no polling of tokens, which cannot lose their card, no GET
 * RESPONSE by itself at T=0.
 */
#include "ccid/service.h"

static struct ccid_slot *slot_of(PDEVICE_OBJECT object)
{
    return object->DeviceExtension;
}

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

/* ---- create, cleanup, close ------------------------------------------------------ */

static NTSTATUS dispatch_create(PDEVICE_OBJECT object, PIRP irp)
{
    struct ccid_slot *slot = slot_of(object);

    if (ccid_device_is_gone(slot->device) ||
        SmartcardAcquireRemoveLock(&slot->ext) != STATUS_SUCCESS)
        return complete(irp, STATUS_DEVICE_REMOVED);
    /* Exclusive; the entry in the remove lock is given back by close. */
    if (__atomic_exchange_n(&slot->open, true, __ATOMIC_SEQ_CST)) {
        SmartcardReleaseRemoveLock(&slot->ext);
        return complete(irp, STATUS_DEVICE_BUSY);
    }
    return complete(irp, STATUS_SUCCESS);
}

static NTSTATUS dispatch_cleanup(PDEVICE_OBJECT object, PIRP irp)
{
    struct ccid_slot *slot = slot_of(object);

    SmcCleanupFile(&slot->ext, IoGetCurrentIrpStackLocation(irp)->FileObject);
    return complete(irp, STATUS_SUCCESS);
}

static NTSTATUS dispatch_close(PDEVICE_OBJECT object, PIRP irp)
{
    struct ccid_slot *slot = slot_of(object);

    if (__atomic_exchange_n(&slot->open, false, __ATOMIC_SEQ_CST))
        SmartcardReleaseRemoveLock(&slot->ext);
    return complete(irp, STATUS_SUCCESS);
}

/* ---- device control -------------------------------------------------------------- */

static NTSTATUS dispatch_device_control(PDEVICE_OBJECT object, PIRP irp)
{
    /* It completes the IRP, always: the one exception, wrong arguments of this call,
     * cannot come from a slot that was created. */
    return SmartcardDeviceControl(&slot_of(object)->ext, irp);
}

static NTSTATUS dispatch_service(PDEVICE_OBJECT object, PIRP irp)
{
    ccid_service(slot_of(object));
    return complete(irp, STATUS_SUCCESS);
}

/* ---- PnP ------------------------------------------------------------------------- */

static NTSTATUS remove_slot(struct ccid_slot *slot, PIRP irp)
{
    ccid_slot_delete(slot);
    return complete(irp, STATUS_SUCCESS);
}

static NTSTATUS surprise_removal(struct ccid_slot *slot, PIRP irp)
{
    ccid_cancel_for_ever(slot->device);
    SmcEndCardTracking(&slot->ext, STATUS_DEVICE_REMOVED); /* before it becomes absent */
    ccid_state_report(slot, false, false);
    return complete(irp, STATUS_SUCCESS);
}

static NTSTATUS dispatch_pnp(PDEVICE_OBJECT object, PIRP irp)
{
    struct ccid_slot *slot = slot_of(object);

    switch (IoGetCurrentIrpStackLocation(irp)->MinorFunction) {
    case IRP_MN_START_DEVICE:
        return complete(irp, ccid_device_start(slot->device));
    case IRP_MN_SURPRISE_REMOVAL:
        return surprise_removal(slot, irp);
    case IRP_MN_REMOVE_DEVICE:
        return remove_slot(slot, irp);
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_QUERY_STOP_DEVICE:
        return complete(irp, __atomic_load_n(&slot->open, __ATOMIC_SEQ_CST)
                                 ? STATUS_UNSUCCESSFUL
                                 : STATUS_SUCCESS);
    case IRP_MN_CANCEL_REMOVE_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
        return complete(irp, STATUS_SUCCESS);
    default:
        return complete(irp, STATUS_NOT_SUPPORTED);
    }
}

/* ---- power ----------------------------------------------------------------------- */

/* Card off; its presence is remembered and the tracker stays pending. */
static NTSTATUS suspend(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;
    NTSTATUS status = STATUS_SUCCESS;

    if (slot->suspended)
        return STATUS_SUCCESS;
    if (ccid_state_current(slot) > SCARD_SWALLOWED || slot->may_be_powered) {
        port->ops->enter(port->usb);
        status = ccid_icc_power_off(slot);
        port->ops->leave(port->usb);
        ccid_state_unpowered(slot);
    }
    slot->suspended = true;
    return status == STATUS_NO_MEDIA ? STATUS_SUCCESS : status;
}

/* Nothing is known of the time in between: a card that was or is there counts as a
 * change, as on Windows. */
static NTSTATUS resume(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;
    enum ccid_icc icc = CCID_ICC_ABSENT;
    NTSTATUS status;
    bool present;

    if (!slot->suspended)
        return STATUS_SUCCESS;
    slot->suspended = false;
    if (ccid_trouble_quarantined(slot->device)) {
        ccid_service_ask(slot, 0);
        return STATUS_SUCCESS;
    }
    port->ops->enter(port->usb);
    (void)port->ops->clear_halt(port->usb);
    status = ccid_icc_status(slot, 0, &icc);
    port->ops->leave(port->usb);
    present = status == STATUS_SUCCESS && icc != CCID_ICC_ABSENT;
    ccid_state_report(slot, present, true);
    ccid_device_rest(slot->device);
    ccid_service_ask(slot, 0); /* those that came meanwhile were none */
    return status;
}

static NTSTATUS dispatch_power(PDEVICE_OBJECT object, PIRP irp)
{
    struct ccid_slot *slot = slot_of(object);
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    bool on;

    if (stack->MinorFunction != IRP_MN_SET_POWER)
        return complete(irp, stack->MinorFunction == IRP_MN_QUERY_POWER
                                 ? STATUS_SUCCESS
                                 : STATUS_NOT_SUPPORTED);
    if (ccid_device_is_gone(slot->device))
        return complete(irp, STATUS_DEVICE_REMOVED);
    on = stack->Parameters.Power.Type == DevicePowerState
             ? stack->Parameters.Power.State.DeviceState == PowerDeviceD0
             : stack->Parameters.Power.State.SystemState == PowerSystemWorking;
    return complete(irp, on ? resume(slot) : suspend(slot));
}

/* ---- the driver ------------------------------------------------------------------ */

static NTSTATUS create_slot(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical,
                            struct ccid_device *device, uint8_t index)
{
    struct ccid_slot *slot;
    NTSTATUS status = ccid_slot_create(driver, device, index, &slot);

    if (status != STATUS_SUCCESS)
        return status;
    (void)IoAttachDeviceToDeviceStack(slot->object, physical);
    return IoRegisterDeviceInterface(slot->object, &SmartCardReaderGuid, NULL,
                                     &slot->interface_name);
}

static NTSTATUS add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    struct ccid_device *device = physical->DeviceExtension;
    NTSTATUS status = STATUS_SUCCESS;

    /* All slots first: the START of one looks at all of them. */
    for (uint8_t i = 0; i < device->desc.slot_count && status == STATUS_SUCCESS; i++)
        status = create_slot(driver, physical, device, i);
    for (uint8_t i = 0; i < device->desc.slot_count && status == STATUS_SUCCESS; i++) {
        status = IoSetDeviceInterfaceState(&device->slots[i]->interface_name, TRUE);
        if (status == STATUS_SUCCESS)
            ccid_service_arrived(device->slots[i]);
    }
    /* On failure the I/O manager removes what has been attached, slot by slot. */
    if (status != STATUS_SUCCESS)
        SmcLog(physical, status, "the reader could not be started");
    return status;
}

static VOID unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
    ccid_usb_unwatch();
    ccid_virtual_stop();
}

NTSTATUS ccid_driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING registry_path)
{
    UNREFERENCED_PARAMETER(registry_path);
    driver->DriverUnload = unload;
    driver->DriverExtension->AddDevice = add_device;
    driver->MajorFunction[IRP_MJ_CREATE] = dispatch_create;
    driver->MajorFunction[IRP_MJ_CLEANUP] = dispatch_cleanup;
    driver->MajorFunction[IRP_MJ_CLOSE] = dispatch_close;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = dispatch_device_control;
    driver->MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = dispatch_service;
    driver->MajorFunction[IRP_MJ_PNP] = dispatch_pnp;
    driver->MajorFunction[IRP_MJ_POWER] = dispatch_power;
    return STATUS_SUCCESS;
}
