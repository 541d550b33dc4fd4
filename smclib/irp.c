/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irp.c - the life of an IRP: it is built in its sender's memory, handed to a driver,
 * perhaps cancelled, and completed exactly once. After completion the memory is the
 * sender's again, so nothing here touches an IRP once its completion function was called.
 *
 * Who may complete a cancellable IRP: whoever gets the cancel routine out of it. A holder
 * that calls IoSetCancelRoutine(irp, NULL) and gets a routine back owns the IRP; getting
 * NULL means that IoCancelIrp has taken the routine, and then the routine owns it.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t cancel_lock = PTHREAD_MUTEX_INITIALIZER;

void smc_irp_init(PIRP irp, PDEVICE_OBJECT device, PFILE_OBJECT file, UCHAR major,
                  UCHAR minor, VOID (*complete)(PIRP irp, PVOID context), PVOID context)
{
    memset(irp, 0, sizeof *irp);
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED; /* what an unserved PnP minor keeps */
    irp->Stack.MajorFunction = major;
    irp->Stack.MinorFunction = minor;
    irp->Stack.DeviceObject = device;
    irp->Stack.FileObject = file;
    irp->Completion = complete;
    irp->CompletionContext = context;
}

void smc_irp_init_ioctl(PIRP irp, PDEVICE_OBJECT device, PFILE_OBJECT file, ULONG code,
                        PVOID buffer, ULONG in_len, ULONG out_len,
                        VOID (*complete)(PIRP irp, PVOID context), PVOID context)
{
    smc_irp_init(irp, device, file, IRP_MJ_DEVICE_CONTROL, 0, complete, context);
    irp->AssociatedIrp.SystemBuffer = buffer;
    irp->Stack.Parameters.DeviceIoControl.IoControlCode = code;
    irp->Stack.Parameters.DeviceIoControl.InputBufferLength = in_len;
    irp->Stack.Parameters.DeviceIoControl.OutputBufferLength = out_len;
}

NTSTATUS IoCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UCHAR major = Irp->Stack.MajorFunction;
    DRIVER_DISPATCH *dispatch = NULL;

    if (major <= IRP_MJ_MAXIMUM_FUNCTION)
        dispatch = DeviceObject->DriverObject->MajorFunction[major];
    Irp->Stack.DeviceObject = DeviceObject;
    if (dispatch == NULL)
        return smc_irp_complete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    return dispatch(DeviceObject, Irp);
}

VOID IoCompleteRequest(PIRP Irp, CHAR PriorityBoost)
{
    UNREFERENCED_PARAMETER(PriorityBoost);
    if (InterlockedExchange(&Irp->Completed, 1) != 0) {
        fprintf(stderr, "smclib: IRP completed twice (major function %#x, status %#x)\n",
                (unsigned)Irp->Stack.MajorFunction, (unsigned)Irp->IoStatus.Status);
        abort();
    }
    IoSetCancelRoutine(Irp, NULL);
    Irp->PendingReturned = (Irp->Stack.Control & SL_PENDING_RETURNED) != 0;
    if (Irp->Completion != NULL)
        Irp->Completion(Irp, Irp->CompletionContext);
}

NTSTATUS smc_irp_complete(PIRP irp, NTSTATUS status, ULONG information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_SMARTCARD_INCREMENT);
    return status;
}

/* ---- cancelling ------------------------------------------------------------------ */

VOID IoAcquireCancelSpinLock(PKIRQL Irql)
{
    pthread_mutex_lock(&cancel_lock);
    *Irql = PASSIVE_LEVEL;
}

VOID IoReleaseCancelSpinLock(KIRQL Irql)
{
    UNREFERENCED_PARAMETER(Irql);
    pthread_mutex_unlock(&cancel_lock);
}

PDRIVER_CANCEL IoSetCancelRoutine(PIRP Irp, PDRIVER_CANCEL CancelRoutine)
{
    return InterlockedExchangePointer(&Irp->CancelRoutine, CancelRoutine);
}

BOOLEAN IoCancelIrp(PIRP Irp)
{
    PDRIVER_CANCEL routine;
    KIRQL irql;

    IoAcquireCancelSpinLock(&irql);
    __atomic_store_n(&Irp->Cancel, (BOOLEAN)TRUE, __ATOMIC_SEQ_CST);
    routine = IoSetCancelRoutine(Irp, NULL);
    if (routine == NULL) {
        IoReleaseCancelSpinLock(irql);
        return FALSE;
    }
    Irp->CancelIrql = irql;
    routine(Irp->Stack.DeviceObject, Irp);
    return TRUE;
}

bool smc_irp_cancelled(PIRP irp)
{
    return __atomic_load_n(&irp->Cancel, __ATOMIC_SEQ_CST) != FALSE;
}

/* ---- waiting for one's turn, interruptibly --------------------------------------- */

/* Wakes the waiter. The cancel lock stays held until the end: as long as it is, the
 * waiter does not leave smc_irp_take_turn and the mutant is there. */
static VOID turn_cancel(PDEVICE_OBJECT device, PIRP irp)
{
    PKMUTANT mutant = irp->Tail.Overlay.DriverContext[0];

    UNREFERENCED_PARAMETER(device);
    pthread_mutex_lock(&mutant->Header.Lock);
    pthread_cond_broadcast(&mutant->Header.Changed);
    pthread_mutex_unlock(&mutant->Header.Lock);
    IoReleaseCancelSpinLock(irp->CancelIrql);
}

NTSTATUS smc_irp_take_turn(PKMUTANT mutant, PIRP irp)
{
    bool taken;
    KIRQL irql;

    pthread_mutex_lock(&mutant->Header.Lock);
    taken = smc_mutant_take_locked(mutant);
    pthread_mutex_unlock(&mutant->Header.Lock);
    if (!taken) {
        irp->Tail.Overlay.DriverContext[0] = mutant;
        IoSetCancelRoutine(irp, turn_cancel);
        pthread_mutex_lock(&mutant->Header.Lock);
        while (!(taken = smc_mutant_take_locked(mutant)) && !smc_irp_cancelled(irp))
            pthread_cond_wait(&mutant->Header.Changed, &mutant->Header.Lock);
        pthread_mutex_unlock(&mutant->Header.Lock);
        if (IoSetCancelRoutine(irp, NULL) == NULL) {
            /* The routine runs or is about to: let it finish with the mutant. */
            IoAcquireCancelSpinLock(&irql);
            IoReleaseCancelSpinLock(irql);
        }
    }
    if (!smc_irp_cancelled(irp))
        return STATUS_SUCCESS;
    if (taken)
        KeReleaseMutex(mutant, FALSE);
    return STATUS_CANCELLED;
}

/* ---- sending and waiting --------------------------------------------------------- */

static VOID signal_done(PIRP irp, PVOID context)
{
    UNREFERENCED_PARAMETER(irp);
    KeSetEvent(context, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS call_and_wait(PDEVICE_OBJECT device, PIRP irp, PKEVENT done)
{
    IoCallDriver(device, irp);
    KeWaitForSingleObject(done, Executive, KernelMode, FALSE, NULL);
    return irp->IoStatus.Status;
}

NTSTATUS smc_irp_send(PDEVICE_OBJECT device, PFILE_OBJECT file, UCHAR major, UCHAR minor)
{
    KEVENT done;
    IRP irp;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    smc_irp_init(&irp, device, file, major, minor, signal_done, &done);
    return call_and_wait(device, &irp, &done);
}

NTSTATUS smc_irp_ioctl(PDEVICE_OBJECT device, PFILE_OBJECT file, ULONG code, PVOID buffer,
                       ULONG in_len, ULONG out_len, ULONG *information)
{
    NTSTATUS status;
    KEVENT done;
    IRP irp;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    smc_irp_init_ioctl(&irp, device, file, code, buffer, in_len, out_len, signal_done,
                       &done);
    status = call_and_wait(device, &irp, &done);
    if (information != NULL)
        *information = NT_SUCCESS(status) ? (ULONG)irp.IoStatus.Information : 0;
    return status;
}
