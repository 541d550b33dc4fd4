/* SPDX-License-Identifier: BSD-2-Clause */
/* bench.c - the CCID driver on a scripted device. */
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"

/* ---- the I/O manager's client ---------------------------------------------------- */

static NTSTATUS on_arrived(void *context, PDEVICE_OBJECT device)
{
    struct bench *bench = context;
    NTSTATUS status = smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_START_DEVICE);

    if (status != STATUS_SUCCESS)
        return status;
    if (bench->refuses != STATUS_SUCCESS)
        return bench->refuses;
    status = smc_irp_send(device, NULL, IRP_MJ_CREATE, 0);
    if (status != STATUS_SUCCESS)
        return status;
    assert_true(device->SlotNumber < BENCH_SLOTS_MAX);
    bench->slots[device->SlotNumber] = device;
    bench->arrived++;
    return STATUS_SUCCESS;
}

static void on_gone(void *context, PDEVICE_OBJECT device, int surprise)
{
    struct bench *bench = context;

    bench->gone++;
    bench->slots[device->SlotNumber] = NULL;
    if (surprise)
        smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL);
    smc_irp_send(device, NULL, IRP_MJ_CLEANUP, 0);
    smc_irp_send(device, NULL, IRP_MJ_CLOSE, 0);
    smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
}

static void on_log(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                   const char *text)
{
    struct bench *bench = context;

    (void)device;
    bench->log_lines++;
    snprintf(bench->log, sizeof(bench->log), "%s: %s", smc_status_name(status), text);
}

static void on_service(void *context, PDEVICE_OBJECT device, ULONG delay_ms)
{
    struct bench *bench = context;
    uint64_t *at_ms = &bench->service_ms[device->SlotNumber];
    uint64_t wanted_ms = bench->port.ops->now_ms(bench->port.usb) + delay_ms;

    /* Not before it has arrived, like everybody. */
    if (bench->slots[device->SlotNumber] == device && (*at_ms == 0 || wanted_ms < *at_ms))
        *at_ms = wanted_ms;
}

void bench_service(struct bench *bench, unsigned slot)
{
    bench->service_ms[slot] = 0;
    assert_int_equal(
        smc_irp_send(bench->slots[slot], NULL, IRP_MJ_INTERNAL_DEVICE_CONTROL, 0),
        STATUS_SUCCESS);
}

int64_t bench_service_wait(struct bench *bench, unsigned slot)
{
    uint64_t now_ms = bench->port.ops->now_ms(bench->port.usb);
    uint64_t at_ms = bench->service_ms[slot];

    if (at_ms == 0)
        return -1;
    return at_ms > now_ms ? (int64_t)(at_ms - now_ms) : 0;
}

/* ---- the reader ------------------------------------------------------------------ */

void bench_begin(struct bench *bench, uint32_t features)
{
    const struct smc_io_client client = {.arrived = on_arrived,
                                         .gone = on_gone,
                                         .log = on_log,
                                         .context = bench,
                                         .service = on_service};
    struct config config;

    memset(bench, 0, sizeof(*bench));
    bench->protocol = SCARD_PROTOCOL_T1;
    script_begin(&bench->usb);
    bench->port = (struct ccid_usb_port){&scripted_ops, &bench->usb};
    config_reader(&config, config_class_descriptor, 64);
    for (int i = 0; i < 4; i++)
        config.bytes[9 + 9 + 40 + i] = (uint8_t)(features >> (8 * i));
    assert_int_equal(ccid_desc_parse(config.bytes, config.length, 0, &bench->desc),
                     STATUS_SUCCESS);
    bench->desc.voltage_support = 0; /* tests of the voltages set it */
    smc_io_register(&client);
    assert_int_equal(smc_io_load(&bench->driver, ccid_driver_entry), STATUS_SUCCESS);
}

NTSTATUS bench_try_add(struct bench *bench)
{
    const struct smc_device_identity identity = {.vendor = "ACME",
                                                 .product = "CCID 1",
                                                 .serial = "7",
                                                 .path = "test-0",
                                                 .vid = bench->vid,
                                                 .pid = bench->pid,
                                                 .bcd_device = bench->bcd_device};

    return ccid_device_add(&bench->driver, &bench->port, &bench->desc, &identity,
                           &bench->device);
}

void bench_add(struct bench *bench, bool card)
{
    script_command(&bench->usb, BENCH_STATUS_OUT,
                   card ? "81 00000000 00 SS 01 00 00" : "81 00000000 00 SS 02 00 00");
    assert_int_equal(bench_try_add(bench), STATUS_SUCCESS);
}

void bench_end(struct bench *bench)
{
    if (bench->device != NULL)
        ccid_device_remove(bench->device, false);
    script_end(&bench->usb);
    assert_false(bench->usb.started);
    smc_io_register(NULL);
}

void bench_ready(struct bench *bench, uint32_t features)
{
    bench_begin(bench, features);
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench->usb, "6C 00000000 00 SS 000000",
                   "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
    assert_int_equal(bench_set_protocol(bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    assert_int_equal(bench_state(bench), SCARD_SPECIFIC);
    bench->log_lines = 0;
}

/* ---- requests -------------------------------------------------------------------- */

ULONG bench_state(struct bench *bench)
{
    ULONG state = 99, length;

    assert_int_equal(smc_irp_ioctl(bench->slots[0], NULL, IOCTL_SMARTCARD_GET_STATE,
                                   &state, 0, sizeof(state), &length),
                     STATUS_SUCCESS);
    return state;
}

NTSTATUS bench_ioctl(struct bench *bench, ULONG code, const void *in, ULONG in_length,
                     ULONG room)
{
    NTSTATUS status;

    assert_true(in_length <= sizeof(bench->reply) && room <= sizeof(bench->reply));
    memset(bench->reply, 0xA5, sizeof(bench->reply));
    if (in_length != 0)
        memcpy(bench->reply, in, in_length);
    status = smc_irp_ioctl(bench->slots[0], NULL, code, bench->reply, in_length, room,
                           &bench->reply_length);
    if (status != STATUS_SUCCESS)
        assert_int_equal(bench->reply_length, 0);
    return status;
}

NTSTATUS bench_power(struct bench *bench, ULONG minor)
{
    return bench_ioctl(bench, IOCTL_SMARTCARD_POWER, &minor, sizeof(minor), 33);
}

NTSTATUS bench_set_protocol(struct bench *bench, ULONG mask)
{
    return bench_ioctl(bench, IOCTL_SMARTCARD_SET_PROTOCOL, &mask, sizeof(mask), 4);
}

size_t bench_bytes(const char *hex, uint8_t *bytes, size_t size)
{
    size_t length = 0;

    while (*hex != 0) {
        char digits[3] = {hex[0], hex[1], 0};

        if (*hex == ' ') {
            hex++;
            continue;
        }
        assert_true(length < size);
        bytes[length++] = (uint8_t)strtoul(digits, NULL, 16);
        hex += 2;
    }
    return length;
}

NTSTATUS bench_transmit_room(struct bench *bench, const char *hex, ULONG room)
{
    static uint8_t in[70000];
    const SCARD_IO_REQUEST header = {bench->protocol, sizeof(header)};
    size_t length = bench_bytes(hex, in + sizeof(header), sizeof(in) - sizeof(header));
    NTSTATUS status;

    memcpy(in, &header, sizeof(header));
    status = bench_ioctl(bench, IOCTL_SMARTCARD_TRANSMIT, in,
                         (ULONG)(sizeof(header) + length), (ULONG)sizeof(header) + room);
    if (status == STATUS_SUCCESS) {
        assert_memory_equal(bench->reply, &header, sizeof(header));
        bench->reply_length -= (ULONG)sizeof(header);
        memmove(bench->reply, bench->reply + sizeof(header), bench->reply_length);
    }
    return status;
}

NTSTATUS bench_transmit(struct bench *bench, const char *hex)
{
    return bench_transmit_room(bench, hex, 300);
}

void bench_reply_is(const struct bench *bench, const char *hex)
{
    uint8_t expected[512];
    size_t length = bench_bytes(hex, expected, sizeof(expected));

    assert_int_equal(bench->reply_length, length);
    assert_memory_equal(bench->reply, expected, length);
}
