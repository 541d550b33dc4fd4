/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cancel.c - IoCancelIrp for the request that a callback is working on.
 *
 * The cancel routine only wakes the transfer (ops->cancel); the thread inside the
 * callback then finds CCID_USB_CANCELLED, takes the cancel back and brings the reader
 * back in step. Taking it back waits for a routine that has been entered but not left,
 * so that a late ops->cancel never hits the next request.
 */
#include "ccid/slot.h"

static VOID cancel_routine(PDEVICE_OBJECT object, PIRP irp)
{
    struct ccid_slot *slot = object->DeviceExtension;
    const struct ccid_usb_port *port = &slot->port;

    IoReleaseCancelSpinLock(irp->CancelIrql);
    port->ops->cancel(port->usb, true);
    KeSetEvent(&slot->cancel_done, IO_NO_INCREMENT, FALSE);
}

NTSTATUS ccid_cancel_arm(struct ccid_slot *slot)
{
    PIRP irp = slot->ext.OsData->CurrentIrp;

    slot->running = NULL;
    if (irp == NULL)
        return STATUS_SUCCESS;
    IoSetCancelRoutine(irp, cancel_routine);
    /* Cancelled before the routine was there: nobody will call it. */
    if (__atomic_load_n(&irp->Cancel, __ATOMIC_SEQ_CST) &&
        IoSetCancelRoutine(irp, NULL) != NULL)
        return STATUS_CANCELLED;
    slot->running = irp;
    return STATUS_SUCCESS;
}

void ccid_cancel_disarm(struct ccid_slot *slot)
{
    const struct ccid_usb_port *port = &slot->port;
    PIRP irp = slot->running;

    slot->running = NULL;
    if (irp == NULL || IoSetCancelRoutine(irp, NULL) != NULL)
        return;
    (void)KeWaitForSingleObject(&slot->cancel_done, Executive, KernelMode, FALSE, NULL);
    port->ops->cancel(port->usb, false);
    /* ccid_cancel_for_ever sets gone first: whichever comes last, the cancel stays. */
    if (ccid_device_is_gone(slot->device))
        port->ops->cancel(port->usb, true);
}

void ccid_cancel_for_ever(struct ccid_device *device)
{
    __atomic_store_n(&device->gone, true, __ATOMIC_SEQ_CST);
    device->port.ops->cancel(device->port.usb, true);
    if (device->mux != NULL)
        ccid_mux_gone(device->mux);
}
