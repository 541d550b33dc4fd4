/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_driver.c - a reader driver with a scripted card. */
#include "fake_driver.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "smclib.h"

#define SLOTS_MAX  2
#define BUSY_CODE  0xE4
#define STUCK_CODE 0xE6
#define COUNT_CODE 0xE8
#define ECHO_CODE  0xE0
#define ECHO_MAX   32

/* The extension of a function device. */
struct _READER_EXTENSION {
    SMARTCARD_EXTENSION ext;
    PDEVICE_OBJECT object, physical;
    UNICODE_STRING interface_name;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open, cancelled;
    UCHAR atr[MAXIMUM_ATR_LENGTH];
    ULONG atr_len;
    UCHAR commands;
    UCHAR echo[ECHO_MAX], echo_len;
};

typedef struct _READER_EXTENSION slot_t;

static PDRIVER_OBJECT this_driver;
static unsigned plugged;

static slot_t *slot_of(PDEVICE_OBJECT device)
{
    return device->DeviceExtension;
}

static void (*instead)(void);

void fake_driver_at_once(void (*meanwhile)(void))
{
    instead = meanwhile;
}

/* Sleeps, or ends at once when the request is cancelled: false. */
static bool pause_ms(slot_t *slot, unsigned ms)
{
    struct timespec until;
    bool cancelled;

    if (instead != NULL) {
        instead();
        pthread_mutex_lock(&slot->lock);
        cancelled = slot->cancelled;
        pthread_mutex_unlock(&slot->lock);
        return !cancelled;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&slot->lock);
    while (!slot->cancelled &&
           pthread_cond_timedwait(&slot->changed, &slot->lock, &until) == 0)
        continue;
    cancelled = slot->cancelled;
    pthread_mutex_unlock(&slot->lock);
    return !cancelled;
}

static VOID cancel(PDEVICE_OBJECT device, PIRP irp)
{
    slot_t *slot = slot_of(device);

    pthread_mutex_lock(&slot->lock);
    slot->cancelled = true;
    pthread_cond_broadcast(&slot->changed);
    pthread_mutex_unlock(&slot->lock);
    IoReleaseCancelSpinLock(irp->CancelIrql);
}

static pthread_mutex_t sleeps_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t sleeps_changed = PTHREAD_COND_INITIALIZER;
static unsigned sleeps;

unsigned fake_driver_sleeps(void)
{
    unsigned now;

    pthread_mutex_lock(&sleeps_lock);
    now = sleeps;
    pthread_mutex_unlock(&sleeps_lock);
    return now;
}

void fake_driver_wait_sleeps(unsigned count)
{
    pthread_mutex_lock(&sleeps_lock);
    while (sleeps < count)
        pthread_cond_wait(&sleeps_changed, &sleeps_lock);
    pthread_mutex_unlock(&sleeps_lock);
}

static void count_sleep(void)
{
    pthread_mutex_lock(&sleeps_lock);
    sleeps++;
    pthread_cond_broadcast(&sleeps_changed);
    pthread_mutex_unlock(&sleeps_lock);
}

/* Sleeps in the current request. */
static NTSTATUS take_time(slot_t *slot, unsigned ms)
{
    PIRP irp = slot->ext.OsData->CurrentIrp;
    bool whole;

    slot->cancelled = false;
    IoSetCancelRoutine(irp, cancel);
    count_sleep();
    whole = !__atomic_load_n(&irp->Cancel, __ATOMIC_SEQ_CST) && pause_ms(slot, ms);
    if (IoSetCancelRoutine(irp, NULL) == NULL) {
        pthread_mutex_lock(&slot->lock); /* the routine has been called: let it end */
        while (!slot->cancelled)
            pthread_cond_wait(&slot->changed, &slot->lock);
        pthread_mutex_unlock(&slot->lock);
        return STATUS_CANCELLED;
    }
    return whole ? STATUS_SUCCESS : STATUS_CANCELLED;
}

/* ---- callbacks ------------------------------------------------------------------- */

static void set_state(slot_t *slot, ULONG state)
{
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    slot->ext.ReaderCapabilities.CurrentState = state;
    if (state <= SCARD_ABSENT)
        slot->ext.CardCapabilities.ATR.Length = 0;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
}

static NTSTATUS card_power(PSMARTCARD_EXTENSION ext)
{
    slot_t *slot = ext->ReaderExtension;
    UCHAR atr[MAXIMUM_ATR_LENGTH];
    ULONG atr_len;
    NTSTATUS status;
    KIRQL irql;

    if (ext->MinorIoControlCode == SCARD_POWER_DOWN) {
        set_state(slot, SCARD_SWALLOWED);
        return STATUS_SUCCESS;
    }
    pthread_mutex_lock(&slot->lock); /* the card may be exchanged meanwhile */
    memcpy(atr, slot->atr, sizeof atr);
    atr_len = slot->atr_len;
    pthread_mutex_unlock(&slot->lock);
    if (atr[0] == 0x00) {
        SmcLog(slot->object, STATUS_IO_TIMEOUT, "no\nATR");
        return STATUS_IO_TIMEOUT;
    }
    if (atr[0] == 0xFF)
        return STATUS_UNRECOGNIZED_MEDIA;
    status = atr[0] == 0x3F ? take_time(slot, FAKE_SLOW_MS) : STATUS_SUCCESS;
    if (status != STATUS_SUCCESS)
        return status;
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    memcpy(ext->CardCapabilities.ATR.Buffer, atr, atr_len);
    ext->CardCapabilities.ATR.Length = (UCHAR)atr_len;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    status = SmartcardUpdateCardCapabilities(ext);
    if (status != STATUS_SUCCESS)
        return status;
    memcpy(ext->IoRequest.ReplyBuffer, atr, atr_len);
    *ext->IoRequest.Information = atr_len;
    return STATUS_SUCCESS;
}

/* At T=0: 61 xx, and the data at GET RESPONSE. It is forgotten then. */
static ULONG echo(slot_t *slot, const UCHAR *apdu, ULONG apdu_len, UCHAR *answer)
{
    if (apdu[1] == ECHO_CODE) {
        slot->echo_len = apdu_len > 5 && apdu[4] <= ECHO_MAX ? apdu[4] : 0;
        memcpy(slot->echo, apdu + 5, slot->echo_len);
        memcpy(answer, (const UCHAR[]){0x61, slot->echo_len}, 2);
        return 2;
    }
    memcpy(answer, slot->echo, slot->echo_len);
    memcpy(answer + slot->echo_len, (const UCHAR[]){0x90, 0x00}, 2);
    RtlSecureZeroMemory(slot->echo, sizeof slot->echo);
    return slot->echo_len + 2u;
}

static NTSTATUS transmit(PSMARTCARD_EXTENSION ext)
{
    slot_t *slot = ext->ReaderExtension;
    const UCHAR *apdu = ext->IoRequest.RequestBuffer + sizeof(SCARD_IO_REQUEST);
    const ULONG apdu_len =
        ext->IoRequest.RequestBufferLength - (ULONG)sizeof(SCARD_IO_REQUEST);
    UCHAR answer[ECHO_MAX + 2] = {0x90, 0x00};
    ULONG len = 2;
    NTSTATUS status = STATUS_SUCCESS;

    slot->commands++;
    if (apdu[0] == 0x80 && apdu[1] == BUSY_CODE) {
        status = take_time(slot, (unsigned)apdu[2] << 8 | apdu[3]);
    } else if (apdu[0] == 0x80 && apdu[1] == STUCK_CODE) {
        SmcLog(slot->object, STATUS_DEVICE_BUSY, "stuck");
        while (instead == NULL)
            pause();
        status = take_time(slot, 0);
    } else if (apdu[0] == 0x80 && apdu[1] == COUNT_CODE) {
        answer[0] = slot->commands;
        answer[1] = 0x90;
        answer[2] = 0x00;
        len = 3;
    } else if (apdu[1] == ECHO_CODE || apdu[1] == 0xC0) {
        len = echo(slot, apdu, apdu_len, answer);
    }
    if (status != STATUS_SUCCESS)
        return status;
    if (ext->IoRequest.ReplyBufferLength < sizeof(SCARD_IO_REQUEST) + len)
        return STATUS_BUFFER_TOO_SMALL;
    memcpy(ext->IoRequest.ReplyBuffer + sizeof(SCARD_IO_REQUEST), answer, len);
    RtlSecureZeroMemory(answer, sizeof answer);
    *ext->IoRequest.Information = (ULONG)sizeof(SCARD_IO_REQUEST) + len;
    return STATUS_SUCCESS;
}

static NTSTATUS set_protocol(PSMARTCARD_EXTENSION ext)
{
    ULONG chosen = ext->MinorIoControlCode & SCARD_PROTOCOL_T1 ? SCARD_PROTOCOL_T1
                                                               : SCARD_PROTOCOL_T0;

    ext->CardCapabilities.Protocol.Selected = chosen;
    set_state(ext->ReaderExtension, SCARD_SPECIFIC);
    memcpy(ext->IoRequest.ReplyBuffer, &chosen, sizeof chosen);
    *ext->IoRequest.Information = sizeof chosen;
    return STATUS_SUCCESS;
}

static NTSTATUS tracking = STATUS_PENDING;

void fake_driver_answer_tracking(NTSTATUS status)
{
    tracking = status;
}

static NTSTATUS track(PSMARTCARD_EXTENSION ext)
{
    (void)ext;
    return tracking;
}

/* ---- dispatch routines ----------------------------------------------------------- */

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS create(PDEVICE_OBJECT device, PIRP irp)
{
    slot_t *slot = slot_of(device);
    bool busy = slot->open;

    slot->open = true;
    return complete(irp, busy ? STATUS_DEVICE_BUSY : STATUS_SUCCESS);
}

static NTSTATUS cleanup(PDEVICE_OBJECT device, PIRP irp)
{
    SmcCleanupFile(&slot_of(device)->ext, IoGetCurrentIrpStackLocation(irp)->FileObject);
    return complete(irp, STATUS_SUCCESS);
}

static NTSTATUS close_device(PDEVICE_OBJECT device, PIRP irp)
{
    slot_of(device)->open = false;
    return complete(irp, STATUS_SUCCESS);
}

static NTSTATUS control(PDEVICE_OBJECT device, PIRP irp)
{
    return SmartcardDeviceControl(&slot_of(device)->ext, irp);
}

static NTSTATUS pnp(PDEVICE_OBJECT device, PIRP irp)
{
    slot_t *slot = slot_of(device);

    switch (IoGetCurrentIrpStackLocation(irp)->MinorFunction) {
    case IRP_MN_SURPRISE_REMOVAL:
        SmcEndCardTracking(&slot->ext, STATUS_DEVICE_REMOVED);
        break;
    case IRP_MN_REMOVE_DEVICE:
        IoDetachDevice(slot->physical);
        SmartcardExit(&slot->ext);
        RtlFreeUnicodeString(&slot->interface_name);
        pthread_cond_destroy(&slot->changed);
        pthread_mutex_destroy(&slot->lock);
        IoDeleteDevice(device);
        break;
    default:
        break;
    }
    return complete(irp, STATUS_SUCCESS);
}

static char power_said[32];
static NTSTATUS power_answer = STATUS_SUCCESS;
static pthread_mutex_t power_lock = PTHREAD_MUTEX_INITIALIZER;

void fake_driver_answer_power(NTSTATUS status)
{
    pthread_mutex_lock(&power_lock);
    power_answer = status;
    pthread_mutex_unlock(&power_lock);
}

static NTSTATUS power(PDEVICE_OBJECT device, PIRP irp)
{
    const bool works =
        IoGetCurrentIrpStackLocation(irp)->Parameters.Power.State.SystemState ==
        PowerSystemWorking;
    NTSTATUS status;
    size_t len;

    (void)device;
    pthread_mutex_lock(&power_lock);
    status = power_answer;
    len = strlen(power_said);
    if (len + 1 < sizeof power_said)
        power_said[len] = works ? 'w' : 's';
    pthread_mutex_unlock(&power_lock);
    return complete(irp, status);
}

void fake_driver_power(char said[32])
{
    pthread_mutex_lock(&power_lock);
    memcpy(said, power_said, sizeof power_said);
    memset(power_said, 0, sizeof power_said);
    pthread_mutex_unlock(&power_lock);
}

static unsigned services;

static NTSTATUS service(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    __atomic_add_fetch(&services, 1, __ATOMIC_SEQ_CST);
    return complete(irp, STATUS_SUCCESS);
}

unsigned fake_driver_services(void)
{
    return __atomic_exchange_n(&services, 0, __ATOMIC_SEQ_CST);
}

static void set_string(USHORT *length, UCHAR *buffer, const char *text)
{
    *length = (USHORT)strlen(text);
    memcpy(buffer, text, *length);
}

static NTSTATUS add_slot(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical, ULONG number)
{
    static const UCHAR atr[] = {0x3B, 0x02, 0x31, 0xAB};
    PDEVICE_OBJECT device;
    PSMARTCARD_EXTENSION ext;
    slot_t *slot;
    NTSTATUS status = IoCreateDevice(driver, sizeof *slot, NULL, FILE_DEVICE_SMARTCARD, 0,
                                     FALSE, &device);

    if (status != STATUS_SUCCESS)
        return status;
    slot = slot_of(device);
    slot->object = device;
    slot->physical = physical;
    device->SlotNumber = number;
    pthread_mutex_init(&slot->lock, NULL);
    pthread_cond_init(&slot->changed, NULL);
    memcpy(slot->atr, atr, sizeof atr);
    slot->atr_len = sizeof atr;

    ext = &slot->ext;
    ext->Version = SMCLIB_VERSION;
    ext->ReaderExtension = slot;
    set_string(&ext->VendorAttr.VendorName.Length, ext->VendorAttr.VendorName.Buffer,
               "fake");
    set_string(&ext->VendorAttr.IfdType.Length, ext->VendorAttr.IfdType.Buffer,
               "re\nader");
    ext->ReaderCapabilities.SupportedProtocols = SCARD_PROTOCOL_Tx;
    ext->ReaderCapabilities.ReaderType = SCARD_READER_TYPE_VENDOR;
    ext->ReaderCapabilities.MaxIFSD = 254;
    ext->ReaderCapabilities.CLKFrequency.Default = 4000;
    ext->ReaderCapabilities.CLKFrequency.Max = 4000;
    ext->ReaderCapabilities.DataRate.Default = 10752;
    ext->ReaderCapabilities.DataRate.Max = 10752;
    ext->ReaderCapabilities.CurrentState = SCARD_SWALLOWED;
    ext->ReaderFunction[RDF_CARD_POWER] = card_power;
    ext->ReaderFunction[RDF_TRANSMIT] = transmit;
    ext->ReaderFunction[RDF_SET_PROTOCOL] = set_protocol;
    ext->ReaderFunction[RDF_CARD_TRACKING] = track;
    status = SmartcardInitialize(ext);
    if (status != STATUS_SUCCESS) {
        IoDeleteDevice(device);
        return status;
    }
    ext->OsData->DeviceObject = device;
    IoAttachDeviceToDeviceStack(device, physical);
    status = IoRegisterDeviceInterface(device, &SmartCardReaderGuid, NULL,
                                       &slot->interface_name);
    if (status == STATUS_SUCCESS)
        status = IoSetDeviceInterfaceState(&slot->interface_name, TRUE);
    return status;
}

static NTSTATUS add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    const ULONG slots = physical->Identity->slot_count;
    NTSTATUS status = STATUS_SUCCESS;

    for (ULONG i = 0; i < slots && status == STATUS_SUCCESS; i++)
        status = add_slot(driver, physical, i);
    return status;
}

static NTSTATUS entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    this_driver = driver;
    driver->DriverExtension->AddDevice = add_device;
    driver->MajorFunction[IRP_MJ_CREATE] = create;
    driver->MajorFunction[IRP_MJ_CLEANUP] = cleanup;
    driver->MajorFunction[IRP_MJ_CLOSE] = close_device;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = control;
    driver->MajorFunction[IRP_MJ_PNP] = pnp;
    driver->MajorFunction[IRP_MJ_POWER] = power;
    driver->MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = service;
    return STATUS_SUCCESS;
}

/* ---- what the file `virtual` asks for -------------------------------------------- */

static NTSTATUS start(PDRIVER_OBJECT driver)
{
    (void)driver;
    return STATUS_SUCCESS;
}

static NTSTATUS plug(const char *shape)
{
    struct smc_device_identity identity = {
        .vendor = "Fake", .product = "Reader", .slot_count = 1, .busy_slot_count = 1};
    PDEVICE_OBJECT physical;

    if (shape != NULL)
        identity.slot_count = SLOTS_MAX;
    snprintf(identity.serial, sizeof identity.serial, "%u", plugged);
    snprintf(identity.path, sizeof identity.path, "fake-%u", plugged++);
    return SmcReportDeviceArrival(this_driver, &identity, NULL, &physical);
}

/* A reset may be changing the state. */
static bool has_card(slot_t *slot)
{
    ULONG state;
    KIRQL irql;

    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    state = slot->ext.ReaderCapabilities.CurrentState;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    return state > SCARD_ABSENT;
}

static int insert(PDEVICE_OBJECT device, const uint8_t *atr, size_t len)
{
    static const UCHAR usual[] = {0x3B, 0x02, 0x31, 0xAB};
    slot_t *slot = slot_of(device);

    if (has_card(slot))
        return -EEXIST;
    pthread_mutex_lock(&slot->lock);
    slot->atr_len = (ULONG)(len > 0 ? len : sizeof usual);
    memcpy(slot->atr, len > 0 ? atr : usual, slot->atr_len);
    pthread_mutex_unlock(&slot->lock);
    slot->commands = 0;
    set_state(slot, SCARD_SWALLOWED);
    SmartcardCompleteCardTracking(&slot->ext);
    return 0;
}

static int take_out(PDEVICE_OBJECT device)
{
    slot_t *slot = slot_of(device);

    if (!has_card(slot))
        return -ENOENT;
    set_state(slot, SCARD_ABSENT);
    SmartcardCompleteCardTracking(&slot->ext);
    return 0;
}

void fake_driver_set_state(PDEVICE_OBJECT device, ULONG state)
{
    set_state(slot_of(device), state);
}

void fake_driver_lose(PDEVICE_OBJECT device)
{
    SmcEndCardTracking(&slot_of(device)->ext, STATUS_IO_DEVICE_ERROR);
}

static int unplug(PDEVICE_OBJECT device)
{
    SmcReportDeviceDeparture(slot_of(device)->physical, TRUE);
    return 0;
}

const struct scfs_driver fake_driver = {
    .entry = entry,
    .virtual_start = start,
    .plug = plug,
    .insert = insert,
    .remove = take_out,
    .unplug = unplug,
};
