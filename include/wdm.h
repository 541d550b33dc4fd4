/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wdm.h - the part of the Windows Driver Model that a smart card reader driver
 * touches, for user space.
 *
 * Names, constants and meanings are those of the Windows Driver Kit, so that driver
 * source written for it compiles here. Types have fixed widths. What is different:
 *
 *  - An IRP has one stack location. There is one driver per device.
 *  - IRQL does not exist: KIRQL values are carried around and mean nothing. A spin lock
 *    is a plain mutex; it must be held for a few instructions only and never across a
 *    callback, a completion or I/O.
 *  - An IRP is completed exactly once; a second IoCompleteRequest aborts the process.
 *
 * Implemented in smclib/ (io.c, irp.c, ke.c).
 */
#ifndef WDM_H
#define WDM_H

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- types ----------------------------------------------------------------------- */

typedef void VOID, *PVOID;
typedef const void *PCVOID;
typedef char CHAR, *PCHAR;
typedef const char *PCSTR;
typedef uint8_t UCHAR, *PUCHAR, BYTE, *PBYTE;
typedef uint8_t BOOLEAN, *PBOOLEAN;
typedef int16_t SHORT;
typedef uint16_t USHORT, *PUSHORT, WCHAR, *PWCHAR, *PWSTR;
typedef int32_t LONG, *PLONG;
typedef uint32_t ULONG, *PULONG, DWORD, *PDWORD;
typedef int64_t LONGLONG;
typedef uint64_t ULONGLONG;
typedef uintptr_t ULONG_PTR, *PULONG_PTR;
typedef size_t SIZE_T;
typedef UCHAR KIRQL, *PKIRQL;
typedef int32_t NTSTATUS, *PNTSTATUS;

#ifndef TRUE
#define TRUE  1
#define FALSE 0
#endif

#define IN
#define OUT
#define OPTIONAL

typedef union _LARGE_INTEGER {
    struct {
        ULONG LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

/* A counted UTF-16 string; Length and MaximumLength are in bytes. */
typedef struct _UNICODE_STRING {
    USHORT Length;
    USHORT MaximumLength;
    PWSTR Buffer;
} UNICODE_STRING, *PUNICODE_STRING;

typedef struct _GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID;

typedef struct _LIST_ENTRY {
    struct _LIST_ENTRY *Flink;
    struct _LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY;

#define CONTAINING_RECORD(address, type, field)                                          \
    ((type *)(void *)((char *)(address)-offsetof(type, field)))

static inline void InitializeListHead(PLIST_ENTRY head)
{
    head->Flink = head->Blink = head;
}

static inline BOOLEAN IsListEmpty(const LIST_ENTRY *head)
{
    return (BOOLEAN)(head->Flink == head);
}

static inline void InsertTailList(PLIST_ENTRY head, PLIST_ENTRY entry)
{
    entry->Flink = head;
    entry->Blink = head->Blink;
    head->Blink->Flink = entry;
    head->Blink = entry;
}

static inline void InsertHeadList(PLIST_ENTRY head, PLIST_ENTRY entry)
{
    entry->Blink = head;
    entry->Flink = head->Flink;
    head->Flink->Blink = entry;
    head->Flink = entry;
}

/* Returns TRUE when the list is empty afterwards. The entry is left linked to itself. */
static inline BOOLEAN RemoveEntryList(PLIST_ENTRY entry)
{
    PLIST_ENTRY next = entry->Flink;
    PLIST_ENTRY previous = entry->Blink;

    previous->Flink = next;
    next->Blink = previous;
    entry->Flink = entry->Blink = entry;
    return (BOOLEAN)(next == previous);
}

/* The list must not be empty. */
static inline PLIST_ENTRY RemoveHeadList(PLIST_ENTRY head)
{
    PLIST_ENTRY first = head->Flink;

    RemoveEntryList(first);
    return first;
}

/* ---- status values (MS-ERREF) ---------------------------------------------------- */

/* Success and information are >= 0; warnings (0x8...) and errors (0xC...) fail. */
#define NT_SUCCESS(status) ((NTSTATUS)(status) >= 0)

#define STATUS_SUCCESS                  ((NTSTATUS)0x00000000)
#define STATUS_TIMEOUT                  ((NTSTATUS)0x00000102)
#define STATUS_PENDING                  ((NTSTATUS)0x00000103)
#define STATUS_BUFFER_OVERFLOW          ((NTSTATUS)0x80000005)
#define STATUS_DEVICE_POWERED_OFF       ((NTSTATUS)0x8000000F)
#define STATUS_DEVICE_BUSY              ((NTSTATUS)0x80000011)
#define STATUS_UNSUCCESSFUL             ((NTSTATUS)0xC0000001)
#define STATUS_NOT_IMPLEMENTED          ((NTSTATUS)0xC0000002)
#define STATUS_INVALID_PARAMETER        ((NTSTATUS)0xC000000D)
#define STATUS_NO_SUCH_DEVICE           ((NTSTATUS)0xC000000E)
#define STATUS_INVALID_DEVICE_REQUEST   ((NTSTATUS)0xC0000010)
#define STATUS_UNRECOGNIZED_MEDIA       ((NTSTATUS)0xC0000014)
#define STATUS_MORE_PROCESSING_REQUIRED ((NTSTATUS)0xC0000016)
#define STATUS_ACCESS_DENIED            ((NTSTATUS)0xC0000022)
#define STATUS_BUFFER_TOO_SMALL         ((NTSTATUS)0xC0000023)
#define STATUS_CRC_ERROR                ((NTSTATUS)0xC000003F)
#define STATUS_DELETE_PENDING           ((NTSTATUS)0xC0000056)
#define STATUS_INSUFFICIENT_RESOURCES   ((NTSTATUS)0xC000009A)
#define STATUS_DEVICE_NOT_CONNECTED     ((NTSTATUS)0xC000009D)
#define STATUS_DEVICE_NOT_READY         ((NTSTATUS)0xC00000A3)
#define STATUS_IO_TIMEOUT               ((NTSTATUS)0xC00000B5)
#define STATUS_NOT_SUPPORTED            ((NTSTATUS)0xC00000BB)
#define STATUS_INTERNAL_ERROR           ((NTSTATUS)0xC00000E5)
#define STATUS_INVALID_PARAMETER_1      ((NTSTATUS)0xC00000EF)
#define STATUS_INVALID_PARAMETER_2      ((NTSTATUS)0xC00000F0)
#define STATUS_CANCELLED                ((NTSTATUS)0xC0000120)
#define STATUS_NO_MEDIA                 ((NTSTATUS)0xC0000178)
#define STATUS_INVALID_DEVICE_STATE     ((NTSTATUS)0xC0000184)
#define STATUS_IO_DEVICE_ERROR          ((NTSTATUS)0xC0000185)
#define STATUS_DEVICE_PROTOCOL_ERROR    ((NTSTATUS)0xC0000186)
#define STATUS_CONNECTION_RESET         ((NTSTATUS)0xC000020D)
#define STATUS_DEVICE_REMOVED           ((NTSTATUS)0xC00002B6)

/* ---- control codes --------------------------------------------------------------- */

#define FILE_DEVICE_SMARTCARD 0x00000031
#define METHOD_BUFFERED       0
#define FILE_ANY_ACCESS       0
#define CTL_CODE(type, function, method, access)                                         \
    (((ULONG)(type) << 16) | ((ULONG)(access) << 14) | ((ULONG)(function) << 2) |        \
     (method))

/* ---- kernel objects -------------------------------------------------------------- */

#define PASSIVE_LEVEL      0
#define DISPATCH_LEVEL     2
#define KeGetCurrentIrql() ((KIRQL)PASSIVE_LEVEL)

/* A leaf lock, held for a few instructions. */
typedef pthread_mutex_t KSPIN_LOCK, *PKSPIN_LOCK;

VOID KeInitializeSpinLock(PKSPIN_LOCK SpinLock);
VOID KeAcquireSpinLock(PKSPIN_LOCK SpinLock, PKIRQL OldIrql);
VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql);
VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock);
VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock);

typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;
typedef enum _KWAIT_REASON { Executive, UserRequest } KWAIT_REASON;
typedef enum _KPROCESSOR_MODE_ENUM { KernelMode, UserMode } KPROCESSOR_MODE;

/* What KeWaitForSingleObject can wait for. */
typedef enum _SMC_OBJECT_TYPE { SmcObjectEvent, SmcObjectMutant } SMC_OBJECT_TYPE;

typedef struct _DISPATCHER_HEADER {
    SMC_OBJECT_TYPE Type;
    pthread_mutex_t Lock;
    pthread_cond_t Changed;
} DISPATCHER_HEADER;

typedef struct _KEVENT {
    DISPATCHER_HEADER Header;
    EVENT_TYPE Kind;
    LONG Signalled;
} KEVENT, *PKEVENT;

/* A recursive mutex. */
typedef struct _KMUTANT {
    DISPATCHER_HEADER Header;
    pthread_t Owner;
    LONG Depth; /* 0: free */
} KMUTANT, *PKMUTANT, KMUTEX, *PKMUTEX;

VOID KeInitializeEvent(PKEVENT Event, EVENT_TYPE Type, BOOLEAN State);
LONG KeSetEvent(PKEVENT Event, LONG Increment, BOOLEAN Wait); /* returns the old state */
VOID KeClearEvent(PKEVENT Event);
LONG KeResetEvent(PKEVENT Event);
LONG KeReadStateEvent(PKEVENT Event);
VOID KeInitializeMutex(PKMUTEX Mutex, ULONG Level);
LONG KeReleaseMutex(PKMUTEX Mutex, BOOLEAN Wait);

/*
 * Waits for a KEVENT or KMUTEX. Timeout in units of 100 ns, negative = relative
 * (absolute times are not supported); NULL waits without limit.
 * Returns STATUS_SUCCESS or STATUS_TIMEOUT.
 */
NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason,
                               KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                               PLARGE_INTEGER Timeout);

/* Sleeps; Interval as in KeWaitForSingleObject. */
NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                PLARGE_INTEGER Interval);

#define InterlockedIncrement(p)          __atomic_add_fetch((p), 1, __ATOMIC_SEQ_CST)
#define InterlockedDecrement(p)          __atomic_sub_fetch((p), 1, __ATOMIC_SEQ_CST)
#define InterlockedExchange(p, v)        __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define InterlockedExchangePointer(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)

#define RtlCopyMemory(to, from, n)  memcpy((to), (from), (n))
#define RtlMoveMemory(to, from, n)  memmove((to), (from), (n))
#define RtlZeroMemory(to, n)        memset((to), 0, (n))
#define RtlFillMemory(to, n, value) memset((to), (value), (n))
#define RtlEqualMemory(a, b, n)     (memcmp((a), (b), (n)) == 0)
/* Clears memory that held a secret; never removed by the compiler. */
VOID RtlSecureZeroMemory(PVOID Destination, SIZE_T Length);

typedef enum _POOL_TYPE { NonPagedPool, PagedPool } POOL_TYPE;
/* Zeroed memory or NULL. */
PVOID ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes);
VOID ExFreePool(PVOID Memory);

/* The tag is not kept. */
#define ExAllocatePoolWithTag(type, bytes, tag) ExAllocatePool((type), (bytes))
#define ExFreePoolWithTag(memory, tag)          ExFreePool(memory)

/* As in a checked build; NDEBUG takes it out. */
#define ASSERT(expression) assert(expression)

#define PAGED_CODE()              ((void)0)
#define UNREFERENCED_PARAMETER(p) ((void)(p))

/* ---- objects of the I/O manager -------------------------------------------------- */

struct _DEVICE_OBJECT;
struct _DRIVER_OBJECT;
struct _IRP;
struct smc_device_identity; /* smcnt.h */

typedef struct _DEVICE_OBJECT *PDEVICE_OBJECT;
typedef struct _DRIVER_OBJECT *PDRIVER_OBJECT;
typedef struct _IRP *PIRP;

typedef NTSTATUS DRIVER_INITIALIZE(PDRIVER_OBJECT DriverObject,
                                   PUNICODE_STRING RegistryPath);
typedef NTSTATUS DRIVER_ADD_DEVICE(PDRIVER_OBJECT DriverObject,
                                   PDEVICE_OBJECT PhysicalDeviceObject);
typedef NTSTATUS DRIVER_DISPATCH(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef VOID DRIVER_UNLOAD(PDRIVER_OBJECT DriverObject);
typedef VOID DRIVER_CANCEL(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef DRIVER_CANCEL *PDRIVER_CANCEL;

#define IRP_MJ_CREATE                  0x00
#define IRP_MJ_CLOSE                   0x02
#define IRP_MJ_DEVICE_CONTROL          0x0e
#define IRP_MJ_INTERNAL_DEVICE_CONTROL 0x0f
#define IRP_MJ_CLEANUP                 0x12
#define IRP_MJ_POWER                   0x16
#define IRP_MJ_SYSTEM_CONTROL          0x17
#define IRP_MJ_PNP                     0x1b
#define IRP_MJ_MAXIMUM_FUNCTION        0x1b

#define IRP_MN_START_DEVICE         0x00
#define IRP_MN_QUERY_REMOVE_DEVICE  0x01
#define IRP_MN_REMOVE_DEVICE        0x02
#define IRP_MN_CANCEL_REMOVE_DEVICE 0x03
#define IRP_MN_STOP_DEVICE          0x04
#define IRP_MN_QUERY_STOP_DEVICE    0x05
#define IRP_MN_CANCEL_STOP_DEVICE   0x06
#define IRP_MN_SURPRISE_REMOVAL     0x17

#define IRP_MN_SET_POWER   0x02
#define IRP_MN_QUERY_POWER 0x03

typedef enum _SYSTEM_POWER_STATE {
    PowerSystemUnspecified = 0,
    PowerSystemWorking,
    PowerSystemSleeping1,
    PowerSystemSleeping2,
    PowerSystemSleeping3,
    PowerSystemHibernate,
    PowerSystemShutdown
} SYSTEM_POWER_STATE;

typedef enum _DEVICE_POWER_STATE {
    PowerDeviceUnspecified = 0,
    PowerDeviceD0,
    PowerDeviceD1,
    PowerDeviceD2,
    PowerDeviceD3
} DEVICE_POWER_STATE;

typedef enum _POWER_STATE_TYPE {
    SystemPowerState = 0,
    DevicePowerState
} POWER_STATE_TYPE;

typedef union _POWER_STATE {
    SYSTEM_POWER_STATE SystemState;
    DEVICE_POWER_STATE DeviceState;
} POWER_STATE;

/* One opener of a device. A tracker belongs to the file object that issued it. */
typedef struct _FILE_OBJECT {
    PDEVICE_OBJECT DeviceObject;
    PVOID FsContext;
} FILE_OBJECT, *PFILE_OBJECT;

typedef struct _IO_STATUS_BLOCK {
    NTSTATUS Status;
    ULONG_PTR Information; /* bytes returned */
} IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;

typedef struct _IO_STACK_LOCATION {
    UCHAR MajorFunction;
    UCHAR MinorFunction;
    UCHAR Flags;
    UCHAR Control; /* SL_PENDING_RETURNED */
    union {
        struct {
            ULONG OutputBufferLength;
            ULONG InputBufferLength;
            ULONG IoControlCode;
            PVOID Type3InputBuffer;
        } DeviceIoControl;
        struct {
            ULONG SystemContext;
            POWER_STATE_TYPE Type;
            POWER_STATE State;
            ULONG ShutdownType;
        } Power;
        struct {
            PVOID Argument1, Argument2, Argument3, Argument4;
        } Others;
    } Parameters;
    PDEVICE_OBJECT DeviceObject;
    PFILE_OBJECT FileObject;
} IO_STACK_LOCATION, *PIO_STACK_LOCATION;

#define SL_PENDING_RETURNED 0x01

/*
 * I/O request packet. Whoever builds it owns the memory until the completion function
 * has been called; a driver must not touch it after IoCompleteRequest.
 */
typedef struct _IRP {
    union {
        PVOID SystemBuffer; /* METHOD_BUFFERED: input and output, the same memory */
    } AssociatedIrp;
    IO_STATUS_BLOCK IoStatus;
    BOOLEAN PendingReturned;
    BOOLEAN Cancel; /* set by IoCancelIrp */
    KIRQL CancelIrql;
    PDRIVER_CANCEL CancelRoutine; /* through IoSetCancelRoutine only */
    union {
        struct {
            PVOID DriverContext[4]; /* free for the driver that holds the IRP */
            LIST_ENTRY ListEntry;   /* likewise */
        } Overlay;
    } Tail;
    IO_STACK_LOCATION Stack; /* through IoGetCurrentIrpStackLocation */
    /* The builder's part (smclib/io.h). */
    VOID (*Completion)(PIRP Irp, PVOID Context);
    PVOID CompletionContext;
    LONG Completed;
} IRP;

/* A number that a driver counts for its device; NULL behind the last one. Any thread, no
 * lock held; must not block. */
typedef const char *SMC_COUNTER(struct _DEVICE_OBJECT *DeviceObject, ULONG Index,
                                ULONG *Value);

typedef struct _DEVICE_OBJECT {
    PDRIVER_OBJECT DriverObject;
    PDEVICE_OBJECT NextDevice;     /* the driver's list */
    PDEVICE_OBJECT AttachedDevice; /* of a physical device: the first function device */
    PDEVICE_OBJECT LowerDevice;    /* of a function device: the physical device */
    PVOID DeviceExtension;
    ULONG DeviceType;
    ULONG Characteristics;
    ULONG Flags;
    ULONG SlotNumber; /* of a function device: slot of the reader, from 0 */
    struct smc_device_identity *Identity; /* of a physical device */
    UNICODE_STRING InterfaceName;
    BOOLEAN InterfaceEnabled;
    LONG Traced;          /* of a function device: somebody wants SmcTrace; atomic */
    SMC_COUNTER *Counter; /* of a function device; NULL: its driver counts nothing */
} DEVICE_OBJECT;

#define DO_BUFFERED_IO         0x00000004
#define DO_DEVICE_INITIALIZING 0x00000080
#define DO_POWER_PAGABLE       0x00002000

typedef struct _DRIVER_EXTENSION {
    PDRIVER_OBJECT DriverObject;
    DRIVER_ADD_DEVICE *AddDevice;
} DRIVER_EXTENSION, *PDRIVER_EXTENSION;

typedef struct _DRIVER_OBJECT {
    PDEVICE_OBJECT DeviceObject; /* list of the driver's devices */
    PDRIVER_EXTENSION DriverExtension;
    DRIVER_UNLOAD *DriverUnload;
    DRIVER_DISPATCH *MajorFunction[IRP_MJ_MAXIMUM_FUNCTION + 1];
    DRIVER_EXTENSION Extension; /* what DriverExtension points to */
} DRIVER_OBJECT;

/* ---- routines of the I/O manager ------------------------------------------------- */

/*
 * Creates a device with a zeroed DeviceExtension of the given size and puts it on the
 * driver's list. DeviceName and Exclusive are accepted and unused.
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER or STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize,
                        PUNICODE_STRING DeviceName, ULONG DeviceType,
                        ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                        PDEVICE_OBJECT *DeviceObject);

/* Takes the device off its lists and frees it with its extension. No IRP may be left. */
VOID IoDeleteDevice(PDEVICE_OBJECT DeviceObject);

/* Puts a function device on a physical device; returns TargetDevice. Several function
 * devices may sit on one physical device, one per slot. */
PDEVICE_OBJECT IoAttachDeviceToDeviceStack(PDEVICE_OBJECT SourceDevice,
                                           PDEVICE_OBJECT TargetDevice);
VOID IoDetachDevice(PDEVICE_OBJECT TargetDevice);

/*
 * Names the interface of a function device. SymbolicLinkName receives a buffer that
 * RtlFreeUnicodeString frees. ReferenceString may be NULL.
 * Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER or STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS IoRegisterDeviceInterface(PDEVICE_OBJECT DeviceObject,
                                   const GUID *InterfaceClassGuid,
                                   PUNICODE_STRING ReferenceString,
                                   PUNICODE_STRING SymbolicLinkName);

/*
 * Enable = TRUE announces the device to whoever registered with the I/O manager, which
 * starts it (IRP_MJ_PNP/IRP_MN_START_DEVICE) and opens it (IRP_MJ_CREATE) before the
 * call returns; FALSE announces its departure.
 * Returns STATUS_SUCCESS, the status with which the device could not be started, or
 * STATUS_NO_SUCH_DEVICE for an unknown name.
 */
NTSTATUS IoSetDeviceInterfaceState(PUNICODE_STRING SymbolicLinkName, BOOLEAN Enable);

VOID RtlFreeUnicodeString(PUNICODE_STRING String);

#define IoGetCurrentIrpStackLocation(Irp) (&(Irp)->Stack)
#define IoMarkIrpPending(Irp)             ((void)((Irp)->Stack.Control |= SL_PENDING_RETURNED))

/* An IRP has one location, which the next lower driver sees as it is. */
#define IoSkipCurrentIrpStackLocation(Irp)       ((void)(Irp))
#define IoCopyCurrentIrpStackLocationToNext(Irp) ((void)(Irp))
#define PoCallDriver(DeviceObject, Irp)          IoCallDriver((DeviceObject), (Irp))
/* Power requests are sent one at a time: there is no next one to let go. */
#define PoStartNextPowerIrp(Irp) ((void)(Irp))

#define IO_NO_INCREMENT        0
#define IO_SMARTCARD_INCREMENT 0

/* Hands the IRP to the driver's dispatch routine; returns what that returns. */
NTSTATUS IoCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp);

/* Completes the IRP: its builder's completion function runs. Never under a lock. */
VOID IoCompleteRequest(PIRP Irp, CHAR PriorityBoost);

/* Exchanges the cancel routine atomically; returns the old one. NULL from a call with
 * NULL means: IoCancelIrp has taken the routine and will run, or is running, it. */
PDRIVER_CANCEL IoSetCancelRoutine(PIRP Irp, PDRIVER_CANCEL CancelRoutine);

/* Sets Cancel and calls the cancel routine, if there is one, with the cancel spin lock
 * held (the routine releases it). Returns TRUE when a routine was called. */
BOOLEAN IoCancelIrp(PIRP Irp);
VOID IoAcquireCancelSpinLock(PKIRQL Irql);
VOID IoReleaseCancelSpinLock(KIRQL Irql);

#ifdef __cplusplus
}
#endif

#endif
