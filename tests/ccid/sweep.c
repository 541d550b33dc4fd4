/* SPDX-License-Identifier: BSD-2-Clause */
/* sweep.c - see sweep.h. The scenarios themselves are in sweep_scenarios.c. */
#include "sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ccid/ccid.h"
#include "ccid/slot.h"

#define SOON_MS 500

/* After each transfer: a card counts from its last reset, we do for ever. No transfer
 * brings both a reset and a command. */
static void count(void *context)
{
    struct sweep *s = context;

    for (unsigned i = 0; i < SWEEP_SLOTS && i < s->v.reader->shape.slot_count; i++) {
        uint32_t now = s->v.reader->slots[i].card.apdu_count;

        s->executed[i] += now >= s->counted[i] ? now - s->counted[i] : now;
        s->counted[i] = now;
    }
}

static NTSTATUS ioctl_slot(struct sweep *s, unsigned slot, ULONG code, ULONG in_length,
                           ULONG room)
{
    struct bench *bench = &s->v.bench;

    return smc_irp_ioctl(bench->slots[slot], NULL, code, bench->reply, in_length, room,
                         &bench->reply_length);
}

NTSTATUS sweep_connect(struct sweep *s, unsigned slot)
{
    struct bench *bench = &s->v.bench;
    ULONG value = 0;
    NTSTATUS status = ioctl_slot(s, slot, IOCTL_SMARTCARD_GET_STATE, 0, sizeof(value));

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(&value, bench->reply, sizeof(value));
    if (value < SCARD_NEGOTIABLE) {
        value = SCARD_COLD_RESET;
        memcpy(bench->reply, &value, sizeof(value));
        status = ioctl_slot(s, slot, IOCTL_SMARTCARD_POWER, sizeof(value), 33);
        if (status != STATUS_SUCCESS)
            return status;
        status = ioctl_slot(s, slot, IOCTL_SMARTCARD_GET_STATE, 0, sizeof(value));
        if (status != STATUS_SUCCESS)
            return status;
        memcpy(&value, bench->reply, sizeof(value));
    }
    if (value == SCARD_NEGOTIABLE) {
        value = SCARD_PROTOCOL_Tx;
        memcpy(bench->reply, &value, sizeof(value));
        status = ioctl_slot(s, slot, IOCTL_SMARTCARD_SET_PROTOCOL, sizeof(value), 4);
        if (status == STATUS_SUCCESS)
            memcpy(&bench->protocol, bench->reply, sizeof(bench->protocol));
    }
    return status;
}

NTSTATUS sweep_transmit(struct sweep *s, unsigned slot, const char *command,
                        const char *answer)
{
    static uint8_t in[8192], out[8192];
    struct bench *bench = &s->v.bench;
    const SCARD_IO_REQUEST header = {bench->protocol, sizeof(header)};
    size_t in_len = bench_bytes(command, in, sizeof(in));
    size_t out_len = bench_bytes(answer, out, sizeof(out));
    NTSTATUS status;

    memset(bench->reply, 0xA5, sizeof(header) + sizeof(out));
    memcpy(bench->reply, &header, sizeof(header));
    memcpy(bench->reply + sizeof(header), in, in_len);
    status =
        ioctl_slot(s, slot, IOCTL_SMARTCARD_TRANSMIT, (ULONG)(sizeof(header) + in_len),
                   (ULONG)(sizeof(header) + sizeof(out)));
    if (status == STATUS_SUCCESS &&
        (bench->reply_length != sizeof(header) + out_len ||
         memcmp(bench->reply + sizeof(header), out, out_len) != 0))
        return STATUS_WRONG_ANSWER;
    return status;
}

void sweep_begin(struct sweep *s, const struct scenario *scenario)
{
    const struct ccid_virtual_shape *base = ccid_virtual_shape(scenario->base);
    struct ccid_virtual_shape shape;

    assert_non_null(base);
    shape = *base;
    if (scenario->change != NULL)
        scenario->change(&shape);
    ccid_set_escape(true);
    virtual_bench_begin_shape(&s->v, &shape, scenario->atr);
    s->scenario = scenario;
    memset(s->executed, 0, sizeof(s->executed));
    memset(s->counted, 0, sizeof(s->counted));
    s->v.faults.seen = count;
    s->v.faults.seen_context = s;
    for (unsigned i = 1; i < shape.slot_count; i++)
        assert_int_equal(ccid_virtual_reader_insert(s->v.reader, i, NULL, 0), 0);
    if (scenario->from == SWEEP_CONNECTED) {
        for (unsigned i = 0; i < shape.slot_count; i++)
            assert_int_equal(sweep_connect(s, i), STATUS_SUCCESS);
    } else if (scenario->from == SWEEP_UNPLUGGED) {
        ccid_device_remove(s->v.bench.device, false);
        s->v.bench.device = NULL;
    }
    s->v.faults.transfer_count = 0;
}

void sweep_end(struct sweep *s)
{
    virtual_bench_end(&s->v);
    ccid_set_escape(false);
}

/* Out and in again: what was true of the old device is not of the new one. */
static void plug_again(struct sweep *s)
{
    const struct ccid_usb_port inner = ccid_virtual_reader_port(s->v.reader);

    if (s->v.bench.device != NULL)
        ccid_device_remove(s->v.bench.device, true);
    s->v.bench.device = NULL;
    inner.ops->cancel(inner.usb, false);
    inner.ops->hold(inner.usb, CCID_USB_IN, false);
    inner.ops->hold(inner.usb, CCID_USB_OUT, false);
    assert_int_equal(inner.ops->reset(inner.usb), CCID_USB_OK);
    count(s);
    assert_int_equal(bench_try_add(&s->v.bench), STATUS_SUCCESS);
}

/* The turns that the driver has asked for and that come soon. */
static void take_turns(struct sweep *s)
{
    for (unsigned i = 0; i < s->v.reader->shape.slot_count; i++) {
        int64_t wait_ms = bench_service_wait(&s->v.bench, i);

        for (unsigned n = 0; n < 4 && wait_ms >= 0 && wait_ms <= SOON_MS; n++) {
            s->v.clock.now_ms += (uint64_t)wait_ms;
            bench_service(&s->v.bench, i);
            wait_ms = bench_service_wait(&s->v.bench, i);
        }
    }
}

void sweep_mend(struct sweep *s)
{
    fault_usb_disarm(&s->v.faults);
    if (s->v.bench.device == NULL || ccid_device_is_gone(s->v.bench.device))
        plug_again(s);
    take_turns(s);
}

uint64_t sweep_works_again(struct sweep *s, unsigned salt)
{
    uint64_t begin_ms = s->v.clock.now_ms;
    char command[32], answer[3 * 16 + 16] = "";
    unsigned n = 1 + salt % 15;

    sweep_mend(s);
    snprintf(command, sizeof(command), "00 B0 00 00 %02X", n);
    for (unsigned i = 0; i < n; i++)
        sprintf(answer + 3 * i, "%02X ", i);
    strcat(answer, "90 00");
    for (unsigned i = 0; i < s->v.reader->shape.slot_count; i++) {
        uint32_t executed;

        assert_int_equal(sweep_connect(s, i), STATUS_SUCCESS);
        executed = s->executed[i];
        assert_int_equal(sweep_transmit(s, i, command, answer), STATUS_SUCCESS);
        assert_int_equal(s->executed[i], executed + 1);
    }
    return s->v.clock.now_ms - begin_ms;
}
