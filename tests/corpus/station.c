/* SPDX-License-Identifier: BSD-2-Clause */
/* station.c - see station.h. */
#include "station.h"

#include <stdio.h>
#include <string.h>

#include "fs/apdu.h"

#define SLOT_EXISTS(index) ((index) < CCID_VIRTUAL_SLOTS_MAX)

/* ---- the I/O manager's client -------------------------------------------------------
 */

static NTSTATUS on_arrived(void *context, PDEVICE_OBJECT object)
{
    struct station *station = context;
    NTSTATUS status = STATUS_INVALID_PARAMETER;

    if (SLOT_EXISTS(object->SlotNumber))
        status = smc_irp_send(object, NULL, IRP_MJ_PNP, IRP_MN_START_DEVICE);
    if (status == STATUS_SUCCESS)
        status = smc_irp_send(object, NULL, IRP_MJ_CREATE, 0);
    if (status == STATUS_SUCCESS)
        station->slots[object->SlotNumber] = object;
    return status;
}

static void on_gone(void *context, PDEVICE_OBJECT object, int surprise)
{
    struct station *station = context;

    (void)surprise;
    station->slots[object->SlotNumber] = NULL;
    smc_irp_send(object, NULL, IRP_MJ_CLEANUP, 0);
    smc_irp_send(object, NULL, IRP_MJ_CLOSE, 0);
    smc_irp_send(object, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
}

static void on_log(void *context, PDEVICE_OBJECT object, NTSTATUS status,
                   const char *text)
{
    struct station *station = context;

    (void)object;
    snprintf(station->log, sizeof(station->log), "%s: %s", smc_status_name(status), text);
}

/* ---- the reader ---------------------------------------------------------------------
 */

static NTSTATUS add(struct station *station, const struct ccid_virtual_shape *shape)
{
    const struct smc_device_identity identity = {.vendor = "ACME",
                                                 .product = "Reader",
                                                 .path = "test-0",
                                                 .vid = shape->vid,
                                                 .pid = shape->pid,
                                                 .bcd_device = shape->bcd_device};
    struct ccid_usb_port port =
        tap_port(&station->tap, ccid_virtual_reader_port(station->reader));
    uint8_t config[CCID_VIRTUAL_CONFIG_MAX];
    struct ccid_desc desc;
    NTSTATUS status = ccid_desc_parse(config, ccid_virtual_reader_config(shape, config),
                                      shape->interface_number, &desc);

    for (unsigned i = 0; i < shape->slot_count && status == STATUS_SUCCESS; i++) {
        if (ccid_virtual_reader_insert(station->reader, i, NULL, 0) != 0)
            status = STATUS_INVALID_PARAMETER;
    }
    return status == STATUS_SUCCESS ? ccid_device_add(&station->driver, &port, &desc,
                                                      &identity, &station->device)
                                    : status;
}

NTSTATUS station_begin(struct station *station, const struct ccid_virtual_shape *shape)
{
    const struct smc_io_client client = {
        .arrived = on_arrived, .gone = on_gone, .log = on_log, .context = station};
    NTSTATUS status;

    memset(station, 0, sizeof(*station));
    virtual_clock_init(&station->clock);
    station->reader = ccid_virtual_reader_new(&station->clock.clock, shape);
    if (station->reader == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    smc_io_register(&client);
    status = smc_io_load(&station->driver, ccid_driver_entry);
    if (status == STATUS_SUCCESS)
        status = add(station, shape);
    if (status != STATUS_SUCCESS) {
        smc_io_register(NULL);
        ccid_virtual_reader_free(station->reader);
    }
    return status;
}

void station_end(struct station *station)
{
    ccid_device_remove(station->device, false);
    smc_io_register(NULL);
    ccid_virtual_reader_free(station->reader);
}

/* ---- requests -----------------------------------------------------------------------
 */

static NTSTATUS ioctl(struct station *station, unsigned slot, ULONG code, ULONG in_len,
                      ULONG room)
{
    return smc_irp_ioctl(station->slots[slot], NULL, code, station->reply, in_len, room,
                         &station->reply_len);
}

NTSTATUS station_power(struct station *station, unsigned slot, ULONG minor)
{
    memcpy(station->reply, &minor, sizeof(minor));
    return ioctl(station, slot, IOCTL_SMARTCARD_POWER, sizeof(minor), SCARD_ATR_LENGTH);
}

NTSTATUS station_set_protocol(struct station *station, unsigned slot, ULONG mask,
                              ULONG *chosen)
{
    NTSTATUS status;

    *chosen = SCARD_PROTOCOL_UNDEFINED;
    memcpy(station->reply, &mask, sizeof(mask));
    status = ioctl(station, slot, IOCTL_SMARTCARD_SET_PROTOCOL, sizeof(mask), 4);
    if (status == STATUS_SUCCESS && station->reply_len == sizeof(*chosen))
        memcpy(chosen, station->reply, sizeof(*chosen));
    return status;
}

ULONG station_state(struct station *station, unsigned slot)
{
    ULONG state = SCARD_UNKNOWN;

    if (ioctl(station, slot, IOCTL_SMARTCARD_GET_STATE, 0, 4) == STATUS_SUCCESS)
        memcpy(&state, station->reply, sizeof(state));
    return state;
}

NTSTATUS station_transmit(struct station *station, unsigned slot, ULONG protocol,
                          const uint8_t *bytes, size_t len)
{
    const SCARD_IO_REQUEST header = {protocol, sizeof(header)};
    NTSTATUS status;

    memcpy(station->reply, &header, sizeof(header));
    memcpy(station->reply + sizeof(header), bytes, len);
    status = ioctl(station, slot, IOCTL_SMARTCARD_TRANSMIT, (ULONG)(sizeof(header) + len),
                   sizeof(station->reply));
    if (status != STATUS_SUCCESS)
        return status;
    if (station->reply_len < sizeof(header) ||
        memcmp(station->reply, &header, sizeof(header)) != 0)
        return STATUS_UNSUCCESSFUL;
    station->reply_len -= (ULONG)sizeof(header);
    memmove(station->reply, station->reply + sizeof(header), station->reply_len);
    return STATUS_SUCCESS;
}

static NTSTATUS by_tpdus(struct station *station, unsigned slot, const uint8_t *apdu,
                         size_t len)
{
    static uint8_t answer[SCFS_ANSWER_MAX];
    uint8_t tpdu[SCFS_TPDU_MAX];
    struct scfs_apdu mapping;
    NTSTATUS status;
    int more = 1;

    if (scfs_apdu_begin(&mapping, apdu, len, answer) != 0)
        return STATUS_INVALID_PARAMETER;
    while (more == 1) {
        status = station_transmit(station, slot, SCARD_PROTOCOL_T0, tpdu,
                                  scfs_apdu_next(&mapping, tpdu));
        if (status != STATUS_SUCCESS)
            return status;
        more = scfs_apdu_take(&mapping, station->reply, station->reply_len);
    }
    if (more != 0)
        return STATUS_DEVICE_PROTOCOL_ERROR;
    memcpy(station->reply, answer, mapping.answer_len);
    station->reply_len = (ULONG)mapping.answer_len;
    return STATUS_SUCCESS;
}

NTSTATUS station_apdu(struct station *station, unsigned slot, ULONG protocol,
                      const uint8_t *apdu, size_t len)
{
    if (protocol == SCARD_PROTOCOL_T0 && station->device->desc.level <= CCID_LEVEL_TPDU)
        return by_tpdus(station, slot, apdu, len);
    return station_transmit(station, slot, protocol, apdu, len);
}
