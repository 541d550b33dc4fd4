/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_bench.c - the bench with the virtual reader on it. */
#include "virtual_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void virtual_bench_begin(struct virtual_bench *v, const char *shape, const char *atr)
{
    virtual_bench_begin_shape(v, ccid_virtual_shape(shape), atr);
}

void virtual_bench_begin_shape(struct virtual_bench *v,
                               const struct ccid_virtual_shape *shape, const char *atr)
{
    uint8_t config[CCID_VIRTUAL_CONFIG_MAX], bytes[CCID_VIRTUAL_ATR_MAX];
    size_t length = 0;

    memset(v, 0, sizeof(*v));
    assert_non_null(shape);
    virtual_clock_init(&v->clock);
    v->reader = ccid_virtual_reader_new(&v->clock.clock, shape);
    assert_non_null(v->reader);
    if (atr != NULL)
        length = bench_bytes(atr, bytes, sizeof(bytes));
    assert_int_equal(ccid_virtual_reader_insert(v->reader, 0, bytes, length), 0);
    fault_usb_init(&v->faults, ccid_virtual_reader_port(v->reader), &v->clock);
    bench_begin(&v->bench, BENCH_EXTENDED);
    v->bench.port = fault_usb_port(&v->faults);
    length = ccid_virtual_reader_config(shape, config);
    assert_int_equal(
        ccid_desc_parse(config, length, shape->interface_number, &v->bench.desc),
        STATUS_SUCCESS);
    assert_int_equal(bench_try_add(&v->bench), STATUS_SUCCESS);
}

void virtual_bench_end(struct virtual_bench *v)
{
    bench_end(&v->bench);
    ccid_virtual_reader_free(v->reader);
}

NTSTATUS virtual_bench_connect(struct virtual_bench *v)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (bench_state(&v->bench) < SCARD_NEGOTIABLE)
        status = bench_power(&v->bench, SCARD_COLD_RESET);
    if (status == STATUS_SUCCESS && bench_state(&v->bench) == SCARD_NEGOTIABLE) {
        status = bench_set_protocol(&v->bench, SCARD_PROTOCOL_Tx);
        if (status == STATUS_SUCCESS)
            memcpy(&v->bench.protocol, v->bench.reply, sizeof(v->bench.protocol));
    }
    return status;
}

struct ccid_virtual_contact *virtual_bench_contact(struct virtual_bench *v)
{
    return v->reader->slots[0].contact;
}

void virtual_bench_remove(struct virtual_bench *v)
{
    assert_int_equal(ccid_virtual_reader_remove(v->reader, 0), 0);
}

void virtual_bench_insert(struct virtual_bench *v, const char *atr)
{
    uint8_t bytes[CCID_VIRTUAL_ATR_MAX];
    size_t length = atr == NULL ? 0 : bench_bytes(atr, bytes, sizeof(bytes));

    assert_int_equal(ccid_virtual_reader_insert(v->reader, 0, bytes, length), 0);
}

void virtual_bench_expect(struct virtual_bench *v, ULONG code, const char *in, ULONG room,
                          NTSTATUS status, const char *out)
{
    uint8_t bytes[600];
    ULONG length = (ULONG)bench_bytes(in, bytes, sizeof(bytes));

    assert_int_equal(bench_ioctl(&v->bench, code, bytes, length, room), status);
    bench_reply_is(&v->bench, out);
}

/* ---- power ----------------------------------------------------------------------- */

static void note_status(PIRP irp, PVOID context)
{
    *(NTSTATUS *)context = irp->IoStatus.Status;
}

static NTSTATUS set_power(struct virtual_bench *v, SYSTEM_POWER_STATE state)
{
    NTSTATUS status = STATUS_PENDING;
    IRP irp;

    smc_irp_init(&irp, v->bench.slots[0], NULL, IRP_MJ_POWER, IRP_MN_SET_POWER,
                 note_status, &status);
    irp.Stack.Parameters.Power.Type = SystemPowerState;
    irp.Stack.Parameters.Power.State.SystemState = state;
    (void)IoCallDriver(v->bench.slots[0], &irp);
    return status;
}

NTSTATUS virtual_bench_sleep(struct virtual_bench *v)
{
    return set_power(v, PowerSystemSleeping3);
}

NTSTATUS virtual_bench_wake(struct virtual_bench *v)
{
    return set_power(v, PowerSystemWorking);
}

/* ---- trackers -------------------------------------------------------------------- */

static void tracker_done(PIRP irp, PVOID context)
{
    struct virtual_tracker *tracker = context;

    tracker->completed++;
    tracker->status = irp->IoStatus.Status;
    tracker->information = irp->IoStatus.Information;
}

NTSTATUS virtual_bench_track(struct virtual_bench *v, struct virtual_tracker *tracker,
                             ULONG code)
{
    memset(tracker, 0, sizeof(*tracker));
    tracker->file.DeviceObject = v->bench.slots[0];
    smc_irp_init_ioctl(&tracker->irp, v->bench.slots[0], &tracker->file, code, NULL, 0, 0,
                       tracker_done, tracker);
    return IoCallDriver(v->bench.slots[0], &tracker->irp);
}
