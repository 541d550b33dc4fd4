/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smcnt.h - the part of the Smart Card Driver Library that depends on the operating
 * system: OS_DEP_DATA, the remove lock, debug output, and how a driver reports the
 * devices that it finds on its bus.
 *
 * Include smclib.h; it includes this file.
 */
#ifndef SMCNT_H
#define SMCNT_H

#include "wdm.h"
#include "winsmcrd.h"

#ifdef __cplusplus
extern "C" {
#endif

struct _SMARTCARD_EXTENSION;

/* Keeps a device from going away under its users. */
typedef struct _SMARTCARD_REMOVE_LOCK {
    KSPIN_LOCK Lock;
    BOOLEAN Removed; /* no new entries */
    LONG RefCount;   /* entries; 1 for the device itself */
    KEVENT RemoveEvent;
    LIST_ENTRY TagList; /* entries made with a tag, to find leaks */
} SMARTCARD_REMOVE_LOCK, *PSMARTCARD_REMOVE_LOCK;

typedef struct _OS_DEP_DATA {
    /* Set by the driver after SmartcardInitialize; without it SmartcardDeviceControl
     * fails. */
    PDEVICE_OBJECT DeviceObject;
    /* The request in progress, trackers excepted. Under SpinLock. */
    PIRP CurrentIrp;
    /* The one pending tracker (IS_PRESENT or IS_ABSENT). Whoever takes it out completes
     * it. Under SpinLock. */
    PIRP NotificationIrp;
    /* Serialises access to the driver. */
    KMUTANT Mutex;
    /* Guards CurrentState, ATR, CurrentIrp, NotificationIrp. A leaf lock. */
    KSPIN_LOCK SpinLock;
    SMARTCARD_REMOVE_LOCK RemoveLock;
    PDEVICE_OBJECT DebugDeviceObject;
    /* A callback other than tracking has returned STATUS_PENDING. Under SpinLock. */
    BOOLEAN CallbackPending;
    /* The card sends inverse convention undecoded: the driver inverts all traffic. */
    BOOLEAN RawInverse;
    /* SCARD_ATTR_SUPRESS_T1_IFS_REQUEST was set. */
    BOOLEAN SuppressT1IfsRequest;
    /* etu of the current parameters, nanoseconds, rounded up. */
    ULONG EtuNs;
} OS_DEP_DATA, *POS_DEP_DATA;

#define AccessUnsafeData(irql)                                                           \
    KeAcquireSpinLock(&SmartcardExtension->OsData->SpinLock, (irql))
#define EndAccessUnsafeData(irql)                                                        \
    KeReleaseSpinLock(&SmartcardExtension->OsData->SpinLock, (irql))

/* GUID_DEVINTERFACE_SMARTCARD_READER {50DD5230-BA8A-11D1-BF5D-0000F805F530} */
extern const GUID SmartCardReaderGuid;

/* ---- remove lock ----------------------------------------------------------------- */

/* To be called at each entry into the driver. STATUS_SUCCESS, or STATUS_DELETE_PENDING
 * when the device is going away. */
NTSTATUS SmartcardAcquireRemoveLock(struct _SMARTCARD_EXTENSION *SmartcardExtension);
NTSTATUS SmartcardAcquireRemoveLockWithTag(
    struct _SMARTCARD_EXTENSION *SmartcardExtension, ULONG_PTR Tag);
VOID SmartcardReleaseRemoveLock(struct _SMARTCARD_EXTENSION *SmartcardExtension);
VOID SmartcardReleaseRemoveLockWithTag(struct _SMARTCARD_EXTENSION *SmartcardExtension,
                                       ULONG_PTR Tag);
/* Refuses new entries, gives up the caller's own entry (the remove routine has acquired
 * the lock like every other) and waits for the others. Ends a tracker that was left with
 * STATUS_CANCELLED. Once, from the driver's remove routine. */
VOID SmartcardReleaseRemoveLockAndWait(struct _SMARTCARD_EXTENSION *SmartcardExtension);

/* ---- ends of a tracker (this port) ----------------------------------------------- */

/*
 * A pending tracker holds no entry of the remove lock; its driver ends it before the
 * device goes away. Neither call does anything without a tracker. No lock held.
 */

/* Completes the pending tracker with Status: STATUS_DEVICE_REMOVED at
 * IRP_MN_SURPRISE_REMOVAL. (SmartcardCompleteCardTracking is for a card that came or
 * went.) */
VOID SmcEndCardTracking(struct _SMARTCARD_EXTENSION *SmartcardExtension, NTSTATUS Status);

/* For IRP_MJ_CLEANUP: completes the pending tracker of that file with STATUS_CANCELLED.
 */
VOID SmcCleanupFile(struct _SMARTCARD_EXTENSION *SmartcardExtension,
                    PFILE_OBJECT FileObject);

/* ---- names and log --------------------------------------------------------------- */

/* LinkName receives "\DosDevices\SCReaderN" with the first free N; free it with
 * RtlFreeUnicodeString. STATUS_INVALID_PARAMETER_1/_2 for a missing argument,
 * STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS SmartcardCreateLink(PUNICODE_STRING LinkName, PUNICODE_STRING DeviceName);
NTSTATUS SmartcardDeleteLink(PUNICODE_STRING LinkName);

/*
 * Writes to the daemon's log. Object is a DEVICE_OBJECT, a DRIVER_OBJECT or NULL;
 * ErrorCode an NTSTATUS; Insertion a text or NULL; DumpWord a number that helps to find
 * the place. Never give it card data.
 */
VOID SmartcardLogError(PVOID Object, NTSTATUS ErrorCode, PUNICODE_STRING Insertion,
                       ULONG DumpWord);

/* ---- debug output ---------------------------------------------------------------- */

#define DEBUG_IOCTL    ((ULONG)0x00000001)
#define DEBUG_ATR      ((ULONG)0x00000002)
#define DEBUG_PROTOCOL ((ULONG)0x00000004)
#define DEBUG_DRIVER   ((ULONG)0x00000008)
#define DEBUG_TRACE    ((ULONG)0x00000010)
#define DEBUG_ERROR    ((ULONG)0x00000020)
#define DEBUG_INFO     DEBUG_ERROR
#define DEBUG_PERF     ((ULONG)0x10000000)
#define DEBUG_T1_TEST  ((ULONG)0x40000000)
#define DEBUG_BREAK    ((ULONG)0x80000000)
#define DEBUG_ALL      ((ULONG)0x0000FFFF)

ULONG SmartcardGetDebugLevel(VOID);
VOID SmartcardSetDebugLevel(ULONG Level);
/* Writes to the daemon's log; what SmartcardDebug calls. */
VOID SmartcardDebugPrint(const char *Format, ...) __attribute__((format(printf, 1, 2)));

/* SmartcardDebug(DEBUG_DRIVER, ("%s: start\n", name)); errors are always written. */
#define SmartcardDebug(Level, Arguments)                                                 \
    do {                                                                                 \
        if (((Level) & (DEBUG_ERROR | SmartcardGetDebugLevel())) != 0)                   \
            SmartcardDebugPrint Arguments;                                               \
    } while (0)

/* ---- devices found on a bus (this port) ------------------------------------------ */

#define SMC_DESCRIPTOR_MAX 96

/*
 * What is known about a physical reader. Strings are printable ASCII (other characters
 * as \xNN), NUL-terminated, empty when unknown.
 */
struct smc_device_identity {
    char vendor[104];
    char product[104];
    char interface_name[104];
    char serial[104];
    char path[64]; /* bus and ports, such as "1-2.3"; "virtual-0" */
    uint16_t vid;
    uint16_t pid;
    uint16_t bcd_device; /* firmware version, USB 2.0 table 9-8 */
    uint8_t interface_number;
    uint8_t slot_count;      /* at least 1 */
    uint8_t busy_slot_count; /* slots that may be busy at once, 1 ... slot_count */
    uint8_t one_at_a_time;   /* not two devices that have this path in common */
    /* For traces: configuration, interface, class and endpoint descriptors. */
    uint8_t descriptor_length; /* 0: none */
    uint8_t descriptor[SMC_DESCRIPTOR_MAX];
};

/*
 * Reports a device: creates its physical device object (DeviceExtension = context) with
 * a copy of identity and calls the driver's AddDevice. May block as long as the device
 * takes to start. Returns what AddDevice returns, or STATUS_INSUFFICIENT_RESOURCES; on
 * failure the physical device object is gone.
 */
NTSTATUS SmcReportDeviceArrival(PDRIVER_OBJECT DriverObject,
                                const struct smc_device_identity *identity, PVOID context,
                                PDEVICE_OBJECT *PhysicalDeviceObject);

/*
 * Reports that the device is gone (surprise != 0) or is to be given up. Returns after
 * the last IRP_MN_REMOVE_DEVICE of its function devices; the physical device object is
 * freed, the context stays the caller's.
 */
VOID SmcReportDeviceDeparture(PDEVICE_OBJECT PhysicalDeviceObject, BOOLEAN surprise);

/*
 * Asks for one IRP_MJ_INTERNAL_DEVICE_CONTROL to the function device, DelayMs from now,
 * in the turn of its other requests: for what a driver has to do by itself, such as
 * looking for a card where no interrupt endpoint tells. At most one is outstanding for a
 * device; a call with an earlier time moves it forward, one with a later time changes
 * nothing. Nothing comes before the device has been opened or after it is gone. Any
 * thread; no lock held.
 */
VOID SmcRequestService(PDEVICE_OBJECT DeviceObject, ULONG DelayMs);

/* ---- traces ---------------------------------------------------------------------- */

#define SMC_TRACE_SUBMITTED 'S'
#define SMC_TRACE_COMPLETED 'C'

#define SMC_TRACE_INTERRUPT 1
#define SMC_TRACE_CONTROL   2
#define SMC_TRACE_BULK      3

/* A message on its way: one packet, however many transfers it takes. */
struct smc_trace_packet {
    UCHAR event; /* SMC_TRACE_SUBMITTED to the device, or SMC_TRACE_COMPLETED from it */
    UCHAR transfer;     /* SMC_TRACE_INTERRUPT ... */
    UCHAR endpoint;     /* with the direction bit */
    LONG status;        /* of a completion: 0 or a negative errno */
    const UCHAR *setup; /* the 8 bytes of a control request that is submitted, or NULL */
    const UCHAR *data;
    ULONG length;
    ULONG shown; /* bytes that may be seen; what follows may be a PIN and reads as 00 */
};

/* Whether anybody wants SmcTrace: ask before making a packet. */
static inline BOOLEAN SmcTraceWanted(PDEVICE_OBJECT DeviceObject)
{
    return __atomic_load_n(&DeviceObject->Traced, __ATOMIC_RELAXED) != 0;
}

/* Shows a packet to who traces the function device; copies it. Any thread, no lock held;
 * does not block. */
VOID SmcTrace(PDEVICE_OBJECT DeviceObject, const struct smc_trace_packet *packet);

/* One log line about a device (or NULL). Never give it card data. */
VOID SmcLog(PDEVICE_OBJECT DeviceObject, NTSTATUS Status, const char *Format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#endif
