/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c - the life of one CCID interface and of its slots: from the bus that found
 * it to its function devices and back.
 */
#include "ccid/quirks.h"
#include "ccid/service.h"
#include "ccid/trace.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_STATUS_MS 3000 /* the reader may still be booting */

/* ---- slots ----------------------------------------------------------------------- */

static void set_string(USHORT *length, UCHAR buffer[MAXIMUM_ATTR_STRING_LENGTH],
                       const char *text)
{
    size_t n = strnlen(text, MAXIMUM_ATTR_STRING_LENGTH);

    memcpy(buffer, text, n);
    *length = (USHORT)n;
}

static ULONG greater(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void fill_attributes(struct ccid_slot *slot)
{
    const struct smc_device_identity *identity = &slot->device->identity;
    VENDOR_ATTR *vendor = &slot->ext.VendorAttr;

    set_string(&vendor->VendorName.Length, vendor->VendorName.Buffer, identity->vendor);
    set_string(&vendor->IfdType.Length, vendor->IfdType.Buffer, identity->product);
    set_string(&vendor->IfdSerialNo.Length, vendor->IfdSerialNo.Buffer, identity->serial);
    vendor->IfdVersion.VersionMajor = (UCHAR)(identity->bcd_device >> 8);
    vendor->IfdVersion.VersionMinor = (UCHAR)(identity->bcd_device & 0xFF);
}

static void fill_capabilities(struct ccid_slot *slot)
{
    const struct ccid_desc *desc = &slot->device->desc;
    SCARD_READER_CAPABILITIES *reader = &slot->ext.ReaderCapabilities;

    /* Only bits 0 and 1 count; a reader that sets neither takes what the card offers. */
    reader->SupportedProtocols = desc->protocols & SCARD_PROTOCOL_Tx;
    if (reader->SupportedProtocols == 0)
        reader->SupportedProtocols = SCARD_PROTOCOL_Tx;
    reader->ReaderType = SCARD_READER_TYPE_USB;
    reader->CurrentState = SCARD_UNKNOWN;
    reader->CLKFrequency.Default = desc->default_clock_khz;
    reader->CLKFrequency.Max = greater(desc->default_clock_khz, desc->maximum_clock_khz);
    reader->DataRate.Default = desc->data_rate_bps;
    reader->DataRate.Max = greater(desc->data_rate_bps, desc->maximum_data_rate_bps);
    if (desc->usable_data_rate_bps != 0 &&
        desc->usable_data_rate_bps < reader->DataRate.Max)
        reader->DataRate.Max = desc->usable_data_rate_bps;
    reader->MaxIFSD = desc->ifsd;
    reader->PowerMgmtSupport = 1; /* IccPowerOff is there on every reader */
}

/* Room for the longest message each way, whole packets for what is received. */
static void size_buffers(struct ccid_slot *slot)
{
    const struct ccid_desc *desc = &slot->device->desc;
    ULONG packet = desc->bulk_in.packet_size;
    ULONG size =
        desc->message_size < MIN_BUFFER_SIZE ? MIN_BUFFER_SIZE : desc->message_size;

    slot->ext.SmartcardRequest.BufferSize = size;
    if (desc->transport != CCID_TRANSPORT_BULK)
        slot->ext.SmartcardReply.BufferSize = CCID_HEADER_LENGTH + CCID_CONTROL_MAX;
    else
        slot->ext.SmartcardReply.BufferSize = (size + packet - 1) / packet * packet;
}

NTSTATUS ccid_slot_create(PDRIVER_OBJECT driver, struct ccid_device *device,
                          uint8_t index, struct ccid_slot **out)
{
    PDEVICE_OBJECT object;
    struct ccid_slot *slot;
    NTSTATUS status = IoCreateDevice(driver, sizeof(struct ccid_slot), NULL,
                                     FILE_DEVICE_SMARTCARD, 0, TRUE, &object);

    if (status != STATUS_SUCCESS)
        return status;
    object->SlotNumber = index;
    object->Counter = ccid_trouble_counter;
    slot = object->DeviceExtension;
    slot->device = device;
    slot->port = device->mux != NULL ? ccid_mux_lane(device->mux, index) : device->port;
    slot->object = object;
    slot->index = index;
    KeInitializeEvent(&slot->cancel_done, SynchronizationEvent, FALSE);
    fill_attributes(slot);
    fill_capabilities(slot);
    size_buffers(slot);

    slot->ext.Version = SMCLIB_VERSION;
    slot->ext.ReaderFunction[RDF_CARD_POWER] = ccid_card_power;
    slot->ext.ReaderFunction[RDF_TRANSMIT] = ccid_card_transmit;
    slot->ext.ReaderFunction[RDF_CARD_TRACKING] = ccid_card_tracking;
    slot->ext.ReaderFunction[RDF_SET_PROTOCOL] = ccid_card_set_protocol;
    slot->ext.ReaderFunction[RDF_IOCTL_VENDOR] = ccid_card_vendor;
    slot->ext.ReaderFunction[RDF_ATR_PARSE] = ccid_card_parse_atr;
    ccid_mechanical_init(slot);
    status = SmartcardInitialize(&slot->ext);
    if (status != STATUS_SUCCESS) {
        SmartcardLogError(driver, status, NULL, index);
        IoDeleteDevice(object);
        return status;
    }
    slot->ext.OsData->DeviceObject = object;
    /* The library makes blocks that fill the buffer: no longer than the reader's. */
    slot->ext.SmartcardRequest.BufferSize = device->desc.message_size;
    slot->ext.OsData->SuppressT1IfsRequest =
        (device->desc.features & CCID_FEATURE_AUTO_IFSD) != 0 ||
        (device->desc.quirks & CCID_QUIRK_NO_IFSD) != 0;
    ccid_unit_take(slot);

    pthread_mutex_lock(&device->lock);
    device->slots[index] = slot;
    pthread_mutex_unlock(&device->lock);
    *out = slot;
    return STATUS_SUCCESS;
}

void ccid_slot_delete(struct ccid_slot *slot)
{
    struct ccid_device *device = slot->device;
    PDEVICE_OBJECT object = slot->object;

    /* An opener that went without closing holds nothing up. */
    if (__atomic_exchange_n(&slot->open, false, __ATOMIC_SEQ_CST))
        SmartcardReleaseRemoveLock(&slot->ext);
    /* First out of the reach of the interrupt messages, then wait for those inside. */
    pthread_mutex_lock(&device->lock);
    device->slots[slot->index] = NULL;
    pthread_mutex_unlock(&device->lock);
    if (SmartcardAcquireRemoveLock(&slot->ext) == STATUS_SUCCESS)
        SmartcardReleaseRemoveLockAndWait(&slot->ext);
    ccid_unit_give_back(slot);
    SmartcardExit(&slot->ext);
    RtlFreeUnicodeString(&slot->interface_name);
    IoDeleteDevice(object);
}

/* ---- start ----------------------------------------------------------------------- */

/* What the slot holds. A card that somebody left under power is switched off, so that
 * nobody inherits its state. */
static NTSTATUS sample_slot(struct ccid_slot *slot)
{
    const struct ccid_desc *desc = &slot->device->desc;
    uint32_t wait_ms =
        desc->first_status_ms != 0 ? desc->first_status_ms : FIRST_STATUS_MS;
    uint32_t changes = ccid_state_changes(slot);
    enum ccid_icc icc = CCID_ICC_ABSENT;
    NTSTATUS status = ccid_icc_status(slot, wait_ms, &icc);

    if (status != STATUS_SUCCESS && !ccid_device_is_gone(slot->device))
        status = ccid_icc_status(slot, wait_ms, &icc);
    if (status != STATUS_SUCCESS)
        return status;
    ccid_state_sampled(slot, icc != CCID_ICC_ABSENT, changes);
    return icc == CCID_ICC_ACTIVE ? ccid_icc_power_off(slot) : STATUS_SUCCESS;
}

static bool has_card(struct ccid_device *device)
{
    bool card = false;

    for (uint8_t i = 0; i < device->desc.slot_count && !card; i++) {
        struct ccid_slot *slot = ccid_slot_hold(device, i);

        if (slot == NULL)
            continue;
        card = ccid_state_current(slot) > SCARD_ABSENT;
        SmartcardReleaseRemoveLock(&slot->ext);
    }
    return card;
}

/* One thread at a time looks and tells the carrier; another one that comes meanwhile
 * makes it do both again. So what was told last is what was seen last. */
void ccid_device_rest(struct ccid_device *device)
{
    const struct ccid_usb_port *port = &device->port;
    bool never = (device->desc.quirks & CCID_QUIRK_NO_AUTOSUSPEND) != 0;
    unsigned seen;

    if (port->ops->may_sleep == NULL ||
        __atomic_fetch_add(&device->rests, 1, __ATOMIC_SEQ_CST) != 0)
        return;
    do {
        seen = __atomic_load_n(&device->rests, __ATOMIC_SEQ_CST);
        port->ops->may_sleep(port->usb, !never && !has_card(device));
    } while (!__atomic_compare_exchange_n(&device->rests, &seen, 0, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

NTSTATUS ccid_device_start(struct ccid_device *device)
{
    const struct ccid_usb_port *port = &device->port;
    NTSTATUS status = STATUS_SUCCESS;

    if (device->started)
        return STATUS_SUCCESS; /* by the first of its slots */
    port->ops->enter(port->usb);
    if (device->desc.boot_ms != 0 &&
        port->ops->sleep_ms(port->usb, device->desc.boot_ms) != CCID_USB_OK) {
        port->ops->leave(port->usb);
        return STATUS_IO_DEVICE_ERROR;
    }
    ccid_drain(device->slots[0]);
    /* Before the slots are looked at: what happens afterwards is then heard of. */
    device->started_ms = port->ops->now_ms(port->usb);
    device->notified = false;
    if (port->ops->start(port->usb, ccid_notify, device) != CCID_USB_OK) {
        port->ops->leave(port->usb);
        return STATUS_IO_DEVICE_ERROR;
    }
    device->started = true;
    for (uint8_t i = 0; i < device->desc.slot_count && status == STATUS_SUCCESS; i++) {
        status = sample_slot(device->slots[i]);
        if (status == STATUS_NO_MEDIA)
            status = STATUS_SUCCESS;
    }
    if (status == STATUS_SUCCESS)
        ccid_rates_read(device);
    port->ops->leave(port->usb);
    ccid_device_rest(device);
    return status;
}

/* ---- the bus's side -------------------------------------------------------------- */

static void device_free(struct ccid_device *device)
{
    if (device->started)
        device->port.ops->stop(device->port.usb);
    ccid_mux_free(device->mux);
    pthread_mutex_destroy(&device->lock);
    free(device);
}

/* What the device is known to do wrong, corrected and logged once. */
static void apply_quirks(struct ccid_device *device)
{
    const struct smc_device_identity *identity = &device->identity;
    const char *reasons[CCID_QUIRK_REASONS_MAX];
    size_t count = ccid_quirks_apply(&device->desc, identity->vid, identity->pid,
                                     identity->bcd_device, reasons);

    for (size_t i = 0; i < count; i++)
        SmcLog(NULL, STATUS_SUCCESS, "%s (%04x:%04x, firmware %x.%02x): %s",
               identity->path, identity->vid, identity->pid, identity->bcd_device >> 8,
               identity->bcd_device & 0xFF, reasons[i]);
}

NTSTATUS ccid_device_add(PDRIVER_OBJECT driver, const struct ccid_usb_port *port,
                         const struct ccid_desc *desc,
                         const struct smc_device_identity *identity,
                         struct ccid_device **out)
{
    struct ccid_device *device = calloc(1, sizeof(*device));
    NTSTATUS status;

    *out = NULL;
    if (device == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    device->port = *port;
    device->desc = *desc;
    device->identity = *identity;
    apply_quirks(device);
    device->identity.interface_number = desc->interface_number;
    device->identity.slot_count = desc->slot_count;
    device->identity.busy_slot_count = desc->busy_slot_count;
    device->identity.one_at_a_time =
        (device->desc.quirks & CCID_QUIRK_ONE_AT_A_TIME) != 0;
    device->identity.descriptor_length =
        (uint8_t)ccid_trace_descriptor(device->identity.descriptor, desc);
    pthread_mutex_init(&device->lock, NULL);
    if (desc->busy_slot_count > 1 && desc->transport == CCID_TRANSPORT_BULK) {
        device->mux = ccid_mux_new(port, desc);
        if (device->mux == NULL) {
            device_free(device);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }

    status = SmcReportDeviceArrival(driver, &device->identity, device, &device->physical);
    if (status != STATUS_SUCCESS) {
        device_free(device);
        return status;
    }
    *out = device;
    return STATUS_SUCCESS;
}

void ccid_device_remove(struct ccid_device *device, bool surprise)
{
    /* What runs ends now; its thread is what the departure waits for. */
    if (surprise)
        ccid_cancel_for_ever(device);
    SmcReportDeviceDeparture(device->physical, surprise);
    device_free(device);
}

const struct ccid_usb_port *ccid_device_port(PDEVICE_OBJECT object)
{
    const struct ccid_slot *slot = object->DeviceExtension;

    return &slot->device->port;
}
