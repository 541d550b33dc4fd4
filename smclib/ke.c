/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ke.c - the kernel objects of wdm.h on pthreads: spin lock, event, mutant, pool.
 *
 * None of them is ever destroyed explicitly, because WDM has no calls for that; the
 * pthread objects beneath hold no resources of their own.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TICKS_PER_SECOND 10000000 /* of 100 ns */
#define NS_PER_TICK      100
#define NS_PER_SECOND    1000000000

/* Using a lock against its rules cannot be survived: it would hang here or later. */
static void lock_misused(const char *what)
{
    fprintf(stderr, "smclib: %s\n", what);
    abort();
}

/* ---- spin lock ------------------------------------------------------------------- */

VOID KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(SpinLock, &attr);
    pthread_mutexattr_destroy(&attr);
}

VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    if (pthread_mutex_lock(SpinLock) != 0)
        lock_misused("spin lock acquired twice by one thread");
}

VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    if (pthread_mutex_unlock(SpinLock) != 0)
        lock_misused("spin lock released by a thread that does not hold it");
}

VOID KeAcquireSpinLock(PKSPIN_LOCK SpinLock, PKIRQL OldIrql)
{
    KeAcquireSpinLockAtDpcLevel(SpinLock);
    *OldIrql = PASSIVE_LEVEL;
}

VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    UNREFERENCED_PARAMETER(NewIrql);
    KeReleaseSpinLockFromDpcLevel(SpinLock);
}

/* ---- event and mutant ------------------------------------------------------------ */

static void header_init(DISPATCHER_HEADER *header, SMC_OBJECT_TYPE type)
{
    pthread_condattr_t attr;

    header->Type = type;
    pthread_mutex_init(&header->Lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&header->Changed, &attr);
    pthread_condattr_destroy(&attr);
}

VOID KeInitializeEvent(PKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
    header_init(&Event->Header, SmcObjectEvent);
    Event->Kind = Type;
    Event->Signalled = State != FALSE;
}

static LONG event_exchange(PKEVENT event, LONG state)
{
    LONG old;

    pthread_mutex_lock(&event->Header.Lock);
    old = event->Signalled;
    event->Signalled = state;
    /* Under the lock: the waiter may free the event as soon as it can take the lock. */
    if (state != 0)
        pthread_cond_broadcast(&event->Header.Changed);
    pthread_mutex_unlock(&event->Header.Lock);
    return old;
}

LONG KeSetEvent(PKEVENT Event, LONG Increment, BOOLEAN Wait)
{
    UNREFERENCED_PARAMETER(Increment);
    UNREFERENCED_PARAMETER(Wait);
    return event_exchange(Event, 1);
}

VOID KeClearEvent(PKEVENT Event)
{
    event_exchange(Event, 0);
}

LONG KeResetEvent(PKEVENT Event)
{
    return event_exchange(Event, 0);
}

LONG KeReadStateEvent(PKEVENT Event)
{
    LONG state;

    pthread_mutex_lock(&Event->Header.Lock);
    state = Event->Signalled;
    pthread_mutex_unlock(&Event->Header.Lock);
    return state;
}

VOID KeInitializeMutex(PKMUTEX Mutex, ULONG Level)
{
    UNREFERENCED_PARAMETER(Level);
    header_init(&Mutex->Header, SmcObjectMutant);
    Mutex->Depth = 0;
}

LONG KeReleaseMutex(PKMUTEX Mutex, BOOLEAN Wait)
{
    LONG old;

    UNREFERENCED_PARAMETER(Wait);
    pthread_mutex_lock(&Mutex->Header.Lock);
    if (Mutex->Depth == 0 || !pthread_equal(Mutex->Owner, pthread_self()))
        lock_misused("mutex released by a thread that does not own it");
    old = Mutex->Depth--;
    if (Mutex->Depth == 0)
        pthread_cond_broadcast(&Mutex->Header.Changed);
    pthread_mutex_unlock(&Mutex->Header.Lock);
    return old;
}

bool smc_mutant_take_locked(PKMUTANT mutant)
{
    if (mutant->Depth != 0 && !pthread_equal(mutant->Owner, pthread_self()))
        return false;
    mutant->Owner = pthread_self();
    mutant->Depth++;
    return true;
}

/* Takes the object if that is possible now; its header is locked. */
static bool object_take_locked(DISPATCHER_HEADER *header)
{
    if (header->Type == SmcObjectEvent) {
        PKEVENT event = CONTAINING_RECORD(header, KEVENT, Header);

        if (event->Signalled == 0)
            return false;
        if (event->Kind == SynchronizationEvent)
            event->Signalled = 0;
        return true;
    }
    return smc_mutant_take_locked(CONTAINING_RECORD(header, KMUTANT, Header));
}

/* Relative, in ticks of 100 ns below zero; what is not relative counts as expired. */
static struct timespec deadline_after(const LARGE_INTEGER *interval)
{
    struct timespec at;
    LONGLONG ticks = interval->QuadPart < 0 ? -(interval->QuadPart + 1) + 1 : 0;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ticks / TICKS_PER_SECOND);
    at.tv_nsec += (long)(ticks % TICKS_PER_SECOND) * NS_PER_TICK;
    if (at.tv_nsec >= NS_PER_SECOND) {
        at.tv_sec++;
        at.tv_nsec -= NS_PER_SECOND;
    }
    return at;
}

NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason,
                               KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                               PLARGE_INTEGER Timeout)
{
    DISPATCHER_HEADER *header = Object;
    struct timespec deadline = {0, 0};
    int failed = 0;
    bool taken;

    UNREFERENCED_PARAMETER(WaitReason);
    UNREFERENCED_PARAMETER(WaitMode);
    UNREFERENCED_PARAMETER(Alertable);
    if (Timeout != NULL)
        deadline = deadline_after(Timeout);

    pthread_mutex_lock(&header->Lock);
    while (!(taken = object_take_locked(header)) && failed == 0) {
        if (Timeout == NULL)
            pthread_cond_wait(&header->Changed, &header->Lock);
        else
            failed = pthread_cond_timedwait(&header->Changed, &header->Lock, &deadline);
    }
    pthread_mutex_unlock(&header->Lock);
    return taken ? STATUS_SUCCESS : STATUS_TIMEOUT;
}

NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                PLARGE_INTEGER Interval)
{
    struct timespec deadline = deadline_after(Interval);

    UNREFERENCED_PARAMETER(WaitMode);
    UNREFERENCED_PARAMETER(Alertable);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR)
        continue;
    return STATUS_SUCCESS;
}

/* ---- memory ---------------------------------------------------------------------- */

VOID RtlSecureZeroMemory(PVOID Destination, SIZE_T Length)
{
    explicit_bzero(Destination, Length);
}

PVOID ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    UNREFERENCED_PARAMETER(PoolType);
    return calloc(1, NumberOfBytes);
}

VOID ExFreePool(PVOID Memory)
{
    free(Memory);
}

VOID RtlFreeUnicodeString(PUNICODE_STRING String)
{
    free(String->Buffer);
    String->Buffer = NULL;
    String->Length = String->MaximumLength = 0;
}
