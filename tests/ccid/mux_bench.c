/* SPDX-License-Identifier: BSD-2-Clause */
/* mux_bench.c - see mux_bench.h. */
#include "mux_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- the bus ----------------------------------------------------------------------- */

static struct mux_bench *from_usb(struct ccid_usb *usb)
{
    return (struct mux_bench *)(void *)usb;
}

static enum ccid_usb_result bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                     size_t out_len, uint32_t timeout_ms)
{
    const struct ccid_usb_port *inner = &from_usb(usb)->inner;

    return inner->ops->bulk_out(inner->usb, out, out_len, timeout_ms);
}

static enum ccid_usb_result bulk_in(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                    size_t *in_len, uint32_t timeout_ms)
{
    struct mux_bench *b = from_usb(usb);
    enum ccid_usb_result result =
        b->inner.ops->bulk_in(b->inner.usb, in, in_size, in_len, timeout_ms);
    int fault;

    if (result != CCID_USB_OK)
        return result;
    fault = __atomic_exchange_n(&b->in_fault, CCID_USB_OK, __ATOMIC_SEQ_CST);
    if (fault != CCID_USB_OK)
        *in_len = 0;
    return (enum ccid_usb_result)fault;
}

static enum ccid_usb_result control(struct ccid_usb *usb, uint8_t request_type,
                                    uint8_t request, uint16_t value, uint16_t index,
                                    uint8_t *data, uint16_t data_len, size_t *done,
                                    uint32_t timeout_ms)
{
    const struct ccid_usb_port *inner = &from_usb(usb)->inner;

    return inner->ops->control(inner->usb, request_type, request, value, index, data,
                               data_len, done, timeout_ms);
}

static enum ccid_usb_result clear_halt(struct ccid_usb *usb)
{
    struct mux_bench *b = from_usb(usb);

    __atomic_add_fetch(&b->clear_halts, 1, __ATOMIC_SEQ_CST);
    return b->inner.ops->clear_halt(b->inner.usb);
}

static enum ccid_usb_result reset(struct ccid_usb *usb)
{
    struct mux_bench *b = from_usb(usb);

    __atomic_add_fetch(&b->resets, 1, __ATOMIC_SEQ_CST);
    return b->inner.ops->reset(b->inner.usb);
}

static void cancel(struct ccid_usb *usb, bool on)
{
    const struct ccid_usb_port *inner = &from_usb(usb)->inner;

    inner->ops->cancel(inner->usb, on);
}

static void hold(struct ccid_usb *usb, enum ccid_usb_pipe pipe, bool on)
{
    const struct ccid_usb_port *inner = &from_usb(usb)->inner;

    inner->ops->hold(inner->usb, pipe, on);
}

static void wait_until(struct ccid_usb *usb, pthread_cond_t *condition,
                       pthread_mutex_t *lock, uint64_t deadline_ms)
{
    const struct ccid_usb_port *inner = &from_usb(usb)->inner;

    inner->ops->wait(inner->usb, condition, lock, deadline_ms);
}

static void nothing(struct ccid_usb *usb)
{
    (void)usb;
}

static enum ccid_usb_result start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                  void *context)
{
    const struct ccid_usb_port *inner = &from_usb(usb)->inner;

    return inner->ops->start(inner->usb, notify, context);
}

static void stop(struct ccid_usb *usb)
{
    const struct ccid_usb_port *inner = &from_usb(usb)->inner;

    inner->ops->stop(inner->usb);
}

static uint64_t now_ms(struct ccid_usb *usb)
{
    const struct ccid_usb_port *inner = &from_usb(usb)->inner;

    return inner->ops->now_ms(inner->usb);
}

/* No exchange and no sleep_ms: the mux has no use for those of the device. */
static const struct ccid_usb_ops bus_ops = {
    .bulk_out = bulk_out,
    .bulk_in = bulk_in,
    .control = control,
    .clear_halt = clear_halt,
    .reset = reset,
    .cancel = cancel,
    .hold = hold,
    .wait = wait_until,
    .enter = nothing,
    .leave = nothing,
    .start = start,
    .stop = stop,
    .now_ms = now_ms,
};

/* ---- the I/O manager's client ------------------------------------------------------ */

static NTSTATUS on_arrived(void *context, PDEVICE_OBJECT device)
{
    struct mux_bench *b = context;
    NTSTATUS status = smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_START_DEVICE);

    if (status == STATUS_SUCCESS)
        status = smc_irp_send(device, NULL, IRP_MJ_CREATE, 0);
    b->slots[device->SlotNumber] = device;
    return status;
}

static void on_gone(void *context, PDEVICE_OBJECT device, int surprise)
{
    (void)context;
    if (surprise)
        smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL);
    smc_irp_send(device, NULL, IRP_MJ_CLEANUP, 0);
    smc_irp_send(device, NULL, IRP_MJ_CLOSE, 0);
    smc_irp_send(device, NULL, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE);
}

static void on_log(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                   const char *text)
{
    struct mux_bench *b = context;

    (void)device;
    (void)status;
    (void)text;
    __atomic_add_fetch(&b->log_lines, 1, __ATOMIC_SEQ_CST);
}

/* ---- begin and end ----------------------------------------------------------------- */

void mux_bench_begin(struct mux_bench *b, unsigned slots, unsigned busy, bool real)
{
    static const struct smc_device_identity identity = {.product = "Slots"};
    const struct smc_io_client client = {
        .arrived = on_arrived, .gone = on_gone, .log = on_log, .context = b};
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;
    const struct ccid_usb_port port = {&bus_ops, (struct ccid_usb *)(void *)b};
    uint8_t config[CCID_VIRTUAL_CONFIG_MAX];
    size_t length;

    memset(b, 0, sizeof(*b));
    hand_clock_init(&b->clock);
    shape.slot_count = (uint8_t)slots;
    shape.max_busy_slots = (uint8_t)busy;
    b->reader =
        ccid_virtual_reader_new(real ? ccid_clock_real() : &b->clock.clock, &shape);
    assert_non_null(b->reader);
    for (unsigned i = 0; i < slots; i++)
        assert_int_equal(ccid_virtual_reader_insert(b->reader, i, NULL, 0), 0);
    b->inner = ccid_virtual_reader_port(b->reader);
    length = ccid_virtual_reader_config(&shape, config);
    assert_int_equal(ccid_desc_parse(config, length, shape.interface_number, &b->desc),
                     STATUS_SUCCESS);
    assert_int_equal(b->desc.busy_slot_count, busy);
    smc_io_register(&client);
    assert_int_equal(smc_io_load(&b->driver, ccid_driver_entry), STATUS_SUCCESS);
    /* The start drains what is queued, which takes its time. */
    if (!real)
        hand_clock_auto(&b->clock, true);
    assert_int_equal(ccid_device_add(&b->driver, &port, &b->desc, &identity, &b->device),
                     STATUS_SUCCESS);
    for (unsigned i = 0; i < slots; i++)
        assert_int_equal(mux_bench_connect(b, i), STATUS_SUCCESS);
    hand_clock_auto(&b->clock, false);
    b->log_lines = 0;
}

void mux_bench_end(struct mux_bench *b, bool surprise)
{
    hand_clock_auto(&b->clock, true);
    ccid_device_remove(b->device, surprise);
    smc_io_register(NULL);
    ccid_virtual_reader_free(b->reader);
    hand_clock_destroy(&b->clock);
}

/* ---- requests ---------------------------------------------------------------------- */

NTSTATUS mux_bench_connect(struct mux_bench *b, unsigned slot)
{
    uint8_t buffer[64];
    ULONG in = SCARD_COLD_RESET, information;
    NTSTATUS status;

    memcpy(buffer, &in, sizeof(in));
    status = smc_irp_ioctl(b->slots[slot], NULL, IOCTL_SMARTCARD_POWER, buffer,
                           sizeof(in), sizeof(buffer), &information);
    if (status != STATUS_SUCCESS)
        return status;
    in = SCARD_PROTOCOL_T1;
    memcpy(buffer, &in, sizeof(in));
    return smc_irp_ioctl(b->slots[slot], NULL, IOCTL_SMARTCARD_SET_PROTOCOL, buffer,
                         sizeof(in), sizeof(buffer), &information);
}

static const SCARD_IO_REQUEST header = {SCARD_PROTOCOL_T1, sizeof(SCARD_IO_REQUEST)};

NTSTATUS mux_bench_echo(struct mux_bench *b, unsigned slot, size_t len, unsigned salt)
{
    uint8_t buffer[MUX_REPLY_MAX], *apdu = buffer + sizeof(header);
    uint8_t sent[MUX_REPLY_MAX];
    ULONG information;
    NTSTATUS status;

    memcpy(buffer, &header, sizeof(header));
    memcpy(apdu, (const uint8_t[]){0x80, 0xE0, 0, 0, 0, 0, 0}, 7);
    apdu[5] = (uint8_t)(len >> 8);
    apdu[6] = (uint8_t)len;
    for (size_t i = 0; i < len; i++)
        apdu[7 + i] = sent[i] = (uint8_t)(slot * 31 + salt * 7 + i);
    apdu[7 + len] = apdu[8 + len] = 0;
    status =
        smc_irp_ioctl(b->slots[slot], NULL, IOCTL_SMARTCARD_TRANSMIT, buffer,
                      (ULONG)(sizeof(header) + 9 + len), sizeof(buffer), &information);
    if (status != STATUS_SUCCESS)
        return status;
    if (information != sizeof(header) + len + 2 || memcmp(apdu, sent, len) != 0 ||
        apdu[len] != 0x90 || apdu[len + 1] != 0)
        return STATUS_DEVICE_PROTOCOL_ERROR;
    return STATUS_SUCCESS;
}

unsigned mux_bench_count(struct mux_bench *b, unsigned slot)
{
    uint8_t buffer[64], *apdu = buffer + sizeof(header);
    ULONG information;

    memcpy(buffer, &header, sizeof(header));
    memcpy(apdu, (const uint8_t[]){0x80, 0xE8, 0, 0, 4}, 5);
    assert_int_equal(smc_irp_ioctl(b->slots[slot], NULL, IOCTL_SMARTCARD_TRANSMIT, buffer,
                                   sizeof(header) + 5, sizeof(buffer), &information),
                     STATUS_SUCCESS);
    assert_int_equal(information, sizeof(header) + 6);
    return (unsigned)apdu[2] << 8 | apdu[3];
}

static VOID completed(PIRP irp, PVOID context)
{
    struct mux_call *call = context;

    call->status = irp->IoStatus.Status;
    call->information = (ULONG)irp->IoStatus.Information;
}

static void *call_thread(void *context)
{
    struct mux_call *call = context;

    (void)IoCallDriver(call->bench->slots[call->slot], &call->irp);
    __atomic_store_n(&call->done, 1, __ATOMIC_SEQ_CST);
    hand_clock_leave(&call->bench->clock);
    return NULL;
}

void mux_call_start(struct mux_call *call, struct mux_bench *b, unsigned slot,
                    uint16_t ms)
{
    uint8_t *apdu = call->buffer + sizeof(header);

    memset(call, 0, sizeof(*call));
    call->bench = b;
    call->slot = slot;
    memcpy(call->buffer, &header, sizeof(header));
    memcpy(apdu, (const uint8_t[]){0x80, 0xE4, (uint8_t)(ms >> 8), (uint8_t)ms}, 4);
    smc_irp_init_ioctl(&call->irp, b->slots[slot], NULL, IOCTL_SMARTCARD_TRANSMIT,
                       call->buffer, sizeof(header) + 4, sizeof(call->buffer), completed,
                       call);
    hand_clock_enter(&b->clock);
    assert_int_equal(pthread_create(&call->thread, NULL, call_thread, call), 0);
    hand_clock_settle(&b->clock);
}

bool mux_call_done(struct mux_call *call)
{
    return __atomic_load_n(&call->done, __ATOMIC_SEQ_CST) != 0;
}

NTSTATUS mux_call_end(struct mux_call *call)
{
    static const uint8_t ok[] = {0x90, 0x00};

    pthread_join(call->thread, NULL);
    if (call->status == STATUS_SUCCESS) {
        assert_int_equal(call->information, sizeof(header) + sizeof(ok));
        assert_memory_equal(call->buffer + sizeof(header), ok, sizeof(ok));
    }
    return call->status;
}
