/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * track.c - the one tracker: a pending IS_PRESENT or IS_ABSENT in
 * OsData->NotificationIrp.
 *
 * A tracker is pending only while the opposite of what it asks for is true, so any change
 * of presence ends it. It is completed once, by whoever takes it out of the slot under
 * the spin lock and gets its cancel routine; if IoCancelIrp has got the routine first,
 * the routine completes it with STATUS_CANCELLED and the taker leaves it alone.
 */
#include "internal.h"

/* Empties the slot. NULL when there was nothing, or a cancel routine is at it. */
static PIRP take_locked(POS_DEP_DATA os)
{
    PIRP irp = os->NotificationIrp;

    if (irp == NULL)
        return NULL;
    os->NotificationIrp = NULL;
    return IoSetCancelRoutine(irp, NULL) != NULL ? irp : NULL;
}

static VOID track_cancel(PDEVICE_OBJECT device, PIRP irp)
{
    PSMARTCARD_EXTENSION ext = irp->Tail.Overlay.DriverContext[0];
    KIRQL irql;

    UNREFERENCED_PARAMETER(device);
    IoReleaseCancelSpinLock(irp->CancelIrql);
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    if (ext->OsData->NotificationIrp == irp)
        ext->OsData->NotificationIrp = NULL;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    smc_irp_complete(irp, STATUS_CANCELLED, 0);
}

/* Puts the request into the slot: STATUS_PENDING, or the status it ends with. */
static NTSTATUS publish_locked(PSMARTCARD_EXTENSION ext, PIRP irp, bool want_present)
{
    POS_DEP_DATA os = ext->OsData;

    /* The truth is tested before the slot: what is true already needs no slot. */
    if ((ext->ReaderCapabilities.CurrentState > SCARD_ABSENT) == want_present)
        return STATUS_SUCCESS;
    if (os->NotificationIrp != NULL)
        return STATUS_DEVICE_BUSY;
    irp->Tail.Overlay.DriverContext[0] = ext;
    IoSetCancelRoutine(irp, track_cancel);
    /* A cancel that came before the routine was there has called nothing. */
    if (smc_irp_cancelled(irp) && IoSetCancelRoutine(irp, NULL) != NULL)
        return STATUS_CANCELLED;
    IoMarkIrpPending(irp);
    os->NotificationIrp = irp;
    smc_private(ext)->tracker_serial++;
    return STATUS_PENDING;
}

NTSTATUS smc_track_issue(PSMARTCARD_EXTENSION ext, PIRP irp, bool want_present)
{
    POS_DEP_DATA os = ext->OsData;
    NTSTATUS status;
    ULONG serial;
    KIRQL irql;

    KeAcquireSpinLock(&os->SpinLock, &irql);
    status = publish_locked(ext, irp, want_present);
    serial = smc_private(ext)->tracker_serial;
    KeReleaseSpinLock(&os->SpinLock, irql);
    if (status != STATUS_PENDING)
        return smc_irp_complete(irp, status, 0);

    status = ext->ReaderFunction[RDF_CARD_TRACKING](ext);
    if (status == STATUS_PENDING)
        return STATUS_PENDING;

    /* The driver does not want it to wait. It may be gone meanwhile, and its memory be in
     * the slot again as the next tracker: only the serial number tells. */
    KeAcquireSpinLock(&os->SpinLock, &irql);
    irp = smc_private(ext)->tracker_serial == serial ? take_locked(os) : NULL;
    KeReleaseSpinLock(&os->SpinLock, irql);
    return irp != NULL ? smc_irp_complete(irp, status, 0) : STATUS_PENDING;
}

VOID SmcEndCardTracking(PSMARTCARD_EXTENSION SmartcardExtension, NTSTATUS Status)
{
    POS_DEP_DATA os = SmartcardExtension->OsData;
    PIRP irp;
    KIRQL irql;

    KeAcquireSpinLock(&os->SpinLock, &irql);
    irp = take_locked(os);
    KeReleaseSpinLock(&os->SpinLock, irql);
    if (irp != NULL)
        smc_irp_complete(irp, Status, 0);
}

VOID SmartcardCompleteCardTracking(PSMARTCARD_EXTENSION SmartcardExtension)
{
    SmcEndCardTracking(SmartcardExtension, STATUS_SUCCESS);
}

VOID SmcCleanupFile(PSMARTCARD_EXTENSION SmartcardExtension, PFILE_OBJECT FileObject)
{
    POS_DEP_DATA os = SmartcardExtension->OsData;
    PIRP irp = NULL;
    KIRQL irql;

    KeAcquireSpinLock(&os->SpinLock, &irql);
    if (os->NotificationIrp != NULL &&
        os->NotificationIrp->Stack.FileObject == FileObject)
        irp = take_locked(os);
    KeReleaseSpinLock(&os->SpinLock, irql);
    if (irp != NULL)
        smc_irp_complete(irp, STATUS_CANCELLED, 0);
}
