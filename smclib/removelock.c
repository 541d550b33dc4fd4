/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * removelock.c - counts who is inside a device, so that it is freed only when nobody is.
 * The count begins at 1, for the device itself; giving that up together with the entry of
 * the remove routine and refusing newcomers is what SmartcardReleaseRemoveLockAndWait
 * does.
 *
 * Entries made with a tag are remembered until they are released with the same tag: the
 * ones that are left when a device goes away are named in the log.
 */
#include "internal.h"

#include <stdlib.h>

struct tag {
    LIST_ENTRY entry;
    ULONG_PTR value;
};

static SMARTCARD_REMOVE_LOCK *remove_lock(PSMARTCARD_EXTENSION ext)
{
    return &ext->OsData->RemoveLock;
}

NTSTATUS SmartcardAcquireRemoveLock(PSMARTCARD_EXTENSION SmartcardExtension)
{
    SMARTCARD_REMOVE_LOCK *lock = remove_lock(SmartcardExtension);
    NTSTATUS status = STATUS_SUCCESS;
    KIRQL irql;

    KeAcquireSpinLock(&lock->Lock, &irql);
    if (lock->Removed)
        status = STATUS_DELETE_PENDING;
    else
        lock->RefCount++;
    KeReleaseSpinLock(&lock->Lock, irql);
    return status;
}

VOID SmartcardReleaseRemoveLock(PSMARTCARD_EXTENSION SmartcardExtension)
{
    SMARTCARD_REMOVE_LOCK *lock = remove_lock(SmartcardExtension);
    KIRQL irql;

    KeAcquireSpinLock(&lock->Lock, &irql);
    /* The event is set under the lock, and the waiter takes the lock once more before it
     * returns: so the lock is not freed under this thread. */
    lock->RefCount--;
    if (lock->Removed && lock->RefCount <= 0)
        KeSetEvent(&lock->RemoveEvent, IO_NO_INCREMENT, FALSE);
    KeReleaseSpinLock(&lock->Lock, irql);
}

NTSTATUS SmartcardAcquireRemoveLockWithTag(PSMARTCARD_EXTENSION SmartcardExtension,
                                           ULONG_PTR Tag)
{
    SMARTCARD_REMOVE_LOCK *lock = remove_lock(SmartcardExtension);
    struct tag *tag = malloc(sizeof *tag); /* without memory the entry goes untagged */
    NTSTATUS status = SmartcardAcquireRemoveLock(SmartcardExtension);
    KIRQL irql;

    if (tag == NULL || !NT_SUCCESS(status)) {
        free(tag);
        return status;
    }
    tag->value = Tag;
    KeAcquireSpinLock(&lock->Lock, &irql);
    InsertHeadList(&lock->TagList, &tag->entry);
    KeReleaseSpinLock(&lock->Lock, irql);
    return status;
}

static struct tag *tag_take(SMARTCARD_REMOVE_LOCK *lock, ULONG_PTR value)
{
    struct tag *found = NULL;
    KIRQL irql;

    KeAcquireSpinLock(&lock->Lock, &irql);
    for (LIST_ENTRY *e = lock->TagList.Flink; e != &lock->TagList; e = e->Flink) {
        struct tag *tag = CONTAINING_RECORD(e, struct tag, entry);

        if (tag->value == value) {
            found = tag;
            RemoveEntryList(e);
            break;
        }
    }
    KeReleaseSpinLock(&lock->Lock, irql);
    return found;
}

VOID SmartcardReleaseRemoveLockWithTag(PSMARTCARD_EXTENSION SmartcardExtension,
                                       ULONG_PTR Tag)
{
    free(tag_take(remove_lock(SmartcardExtension), Tag));
    SmartcardReleaseRemoveLock(SmartcardExtension);
}

VOID SmartcardReleaseRemoveLockAndWait(PSMARTCARD_EXTENSION SmartcardExtension)
{
    SMARTCARD_REMOVE_LOCK *lock = remove_lock(SmartcardExtension);
    LONG others;
    KIRQL irql;

    KeAcquireSpinLock(&lock->Lock, &irql);
    lock->Removed = TRUE;
    lock->RefCount--; /* the device's own */
    others = lock->RefCount - 1;
    KeReleaseSpinLock(&lock->Lock, irql);
    SmartcardDebug(DEBUG_DRIVER, ("remove lock: waiting for %d\n", (int)others));

    SmcEndCardTracking(SmartcardExtension, STATUS_CANCELLED);
    SmartcardReleaseRemoveLock(SmartcardExtension);
    KeWaitForSingleObject(&lock->RemoveEvent, Executive, KernelMode, FALSE, NULL);
    KeAcquireSpinLock(&lock->Lock, &irql);
    KeReleaseSpinLock(&lock->Lock, irql);
}

void smc_remove_lock_init(SMARTCARD_REMOVE_LOCK *lock)
{
    KeInitializeSpinLock(&lock->Lock);
    KeInitializeEvent(&lock->RemoveEvent, NotificationEvent, FALSE);
    InitializeListHead(&lock->TagList);
    lock->RefCount = 1;
}

void smc_remove_lock_free(SMARTCARD_REMOVE_LOCK *lock)
{
    while (!IsListEmpty(&lock->TagList)) {
        struct tag *tag =
            CONTAINING_RECORD(RemoveHeadList(&lock->TagList), struct tag, entry);

        SmcLog(NULL, STATUS_INTERNAL_ERROR, "remove lock entry %#jx was never released",
               (uintmax_t)tag->value);
        free(tag);
    }
}
