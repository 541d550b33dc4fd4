/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * track.c - the one tracker: a pending IS_PRESENT or IS_ABSENT in
 * OsData->NotificationIrp.
 *
 * A tracker is pending only while the opposite of what it asks for is true, so any change
 * of presence ends it. States: published (RDF_CARD_TRACKING is being called) -> pending
 * -> out of the slot. Whoever takes it out, under the spin lock, completes it.
 *
 * While it is only published it stays where it is, so that the driver may use
 * NotificationIrp in its callback: who wants to end it then leaves the status behind, and
 * smc_track_issue completes it when the callback has returned.
 *
 * A driver may exchange the cancel routine for its own, which calls
 * SmartcardCompleteCardTracking after it has released the cancel lock. So that nobody
 * completes an IRP which a cancel routine still looks at, a cancelled one is completed
 * only after the cancel lock was free once. Locks: cancel lock -> spin lock.
 */
#include "internal.h"

/* Takes the tracker out of the slot to end it with that status; NULL when there is none,
 * or when smc_track_issue will end it. */
static PIRP take_locked(PSMARTCARD_EXTENSION ext, NTSTATUS status)
{
    struct smc_private *own = smc_private(ext);
    PIRP irp = own->os.NotificationIrp;

    if (irp == NULL)
        return NULL;
    if (own->tracker_published) {
        if (own->tracker_end == STATUS_PENDING)
            own->tracker_end = status;
        return NULL;
    }
    own->os.NotificationIrp = NULL;
    return irp;
}

/* Completes what was taken; NULL: nothing to do. */
static NTSTATUS end(PIRP irp, NTSTATUS status)
{
    KIRQL irql;

    if (irp == NULL)
        return STATUS_PENDING;
    IoSetCancelRoutine(irp, NULL);
    if (smc_irp_cancelled(irp)) { /* its routine may run: let it finish with the IRP */
        IoAcquireCancelSpinLock(&irql);
        IoReleaseCancelSpinLock(irql);
        status = STATUS_CANCELLED;
    }
    SmartcardDebug(DEBUG_IOCTL, ("tracker ends, %s\n", smc_status_name(status)));
    return smc_irp_complete(irp, status, 0);
}

static VOID track_cancel(PDEVICE_OBJECT device, PIRP irp)
{
    PSMARTCARD_EXTENSION ext = irp->Tail.Overlay.DriverContext[0];
    KIRQL cancel_irql = irp->CancelIrql;
    PIRP mine = NULL;
    KIRQL irql;

    UNREFERENCED_PARAMETER(device);
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    if (ext->OsData->NotificationIrp == irp)
        mine = take_locked(ext, STATUS_CANCELLED);
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    IoReleaseCancelSpinLock(cancel_irql);
    end(mine, STATUS_CANCELLED);
}

/* Puts the request into the slot: STATUS_PENDING, or the status it ends with. */
static NTSTATUS publish_locked(PSMARTCARD_EXTENSION ext, PIRP irp, bool want_present)
{
    struct smc_private *own = smc_private(ext);

    /* The truth is tested before the slot: what is true already needs no slot. */
    if ((ext->ReaderCapabilities.CurrentState > SCARD_ABSENT) == want_present)
        return STATUS_SUCCESS;
    if (own->os.NotificationIrp != NULL || own->tracker_published)
        return STATUS_DEVICE_BUSY;
    own->os.NotificationIrp = irp;
    own->tracker_published = true;
    own->tracker_end = STATUS_PENDING;
    irp->Tail.Overlay.DriverContext[0] = ext;
    IoSetCancelRoutine(irp, track_cancel);
    /* A cancel that came before the routine was there has called nothing. */
    if (smc_irp_cancelled(irp))
        own->tracker_end = STATUS_CANCELLED;
    return STATUS_PENDING;
}

/* The driver has seen the tracker: it pends, or is taken out to end with *status. */
static PIRP settle_locked(PSMARTCARD_EXTENSION ext, NTSTATUS *status)
{
    struct smc_private *own = smc_private(ext);

    own->tracker_published = false;
    if (own->os.NotificationIrp == NULL) /* taken and completed by the driver itself */
        return NULL;
    if (own->tracker_end != STATUS_PENDING)
        *status = own->tracker_end;
    if (*status != STATUS_PENDING)
        return take_locked(ext, *status);
    IoMarkIrpPending(own->os.NotificationIrp);
    return NULL;
}

NTSTATUS smc_track_issue(PSMARTCARD_EXTENSION ext, PIRP irp, bool want_present)
{
    POS_DEP_DATA os = ext->OsData;
    NTSTATUS status;
    KIRQL irql;

    KeAcquireSpinLock(&os->SpinLock, &irql);
    status = publish_locked(ext, irp, want_present);
    KeReleaseSpinLock(&os->SpinLock, irql);
    if (status != STATUS_PENDING)
        return smc_irp_complete(irp, status, 0);

    if (!smc_irp_cancelled(irp))
        status = ext->ReaderFunction[RDF_CARD_TRACKING](ext);

    KeAcquireSpinLock(&os->SpinLock, &irql);
    irp = settle_locked(ext, &status);
    KeReleaseSpinLock(&os->SpinLock, irql);
    return end(irp, status);
}

VOID SmcEndCardTracking(PSMARTCARD_EXTENSION SmartcardExtension, NTSTATUS Status)
{
    POS_DEP_DATA os = SmartcardExtension->OsData;
    PIRP irp;
    KIRQL irql;

    KeAcquireSpinLock(&os->SpinLock, &irql);
    irp = take_locked(SmartcardExtension, Status);
    KeReleaseSpinLock(&os->SpinLock, irql);
    end(irp, Status);
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
        irp = take_locked(SmartcardExtension, STATUS_CANCELLED);
    KeReleaseSpinLock(&os->SpinLock, irql);
    end(irp, STATUS_CANCELLED);
}
