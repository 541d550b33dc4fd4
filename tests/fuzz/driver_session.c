/* SPDX-License-Identifier: BSD-2-Clause */
/* driver_session.c - see driver_session.h. */
#include "driver_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../ccid/bench.h"
#include "../ccid/config.h"
#include "ccid/ccid.h"
#include "ccid/slot.h"
#include "faults.h"
#include "hostile_device.h"
#include "scard_ioctl.h"

#define REQUESTS_MAX 64
#define PENDING_MAX  16
#define ROOM_MAX     66000
#define REQUEST_MS   (CCID_COMMAND_MAX_MS + 1000)
/* Once the device does as it should: turns until a card is reset. Some quarantines and
 * retries in vain may be before that. */
#define TURNS_MAX 20

/* One request, until it is completed. */
struct request {
    IRP irp;
    FILE_OBJECT file;
    uint8_t *buffer;
    size_t room;
    unsigned completions;
    NTSTATUS status;
    size_t information;
};

static struct bench bench;
static struct hostile_device device;
static struct request *pending[PENDING_MAX];
static unsigned pending_count;

static void completed(PIRP irp, PVOID context)
{
    struct request *request = context;

    request->completions++;
    request->status = irp->IoStatus.Status;
    request->information = irp->IoStatus.Information;
}

/* ---- requests ---------------------------------------------------------------------- */

static void check_ended(const struct request *request)
{
    FUZZ_CHECK(request->completions == 1);
    FUZZ_CHECK(strcmp(smc_status_name(request->status), "STATUS_UNKNOWN") != 0);
    FUZZ_CHECK((smc_status_errno(request->status) == 0) ==
               (request->status == STATUS_SUCCESS));
    if (request->status == STATUS_SUCCESS)
        FUZZ_CHECK(request->information <= request->room);
    else
        FUZZ_CHECK(request->information == 0);
}

static void forget(struct request *request)
{
    check_ended(request);
    free(request->buffer);
    free(request);
}

/* Frees the pending ones that have ended; with `all` cancels the others before. */
static void collect(bool all)
{
    unsigned left = 0;

    for (unsigned i = 0; i < pending_count; i++) {
        if (all && pending[i]->completions == 0)
            (void)IoCancelIrp(&pending[i]->irp);
        if (pending[i]->completions == 0)
            pending[left++] = pending[i];
        else
            forget(pending[i]);
    }
    pending_count = left;
    if (all)
        FUZZ_CHECK(pending_count == 0);
}

static struct request *new_request(size_t room)
{
    struct request *request;

    fuzz_faults_pause();
    request = calloc(1, sizeof *request);
    FUZZ_CHECK(request != NULL);
    request->buffer = malloc(room > 0 ? room : 1);
    FUZZ_CHECK(request->buffer != NULL);
    fuzz_faults_resume();
    return request;
}

/* A code with its input. Returns its status; the reply is in bench.reply. */
static NTSTATUS call(unsigned slot, ULONG code, const uint8_t *in, size_t in_len,
                     size_t room)
{
    PDEVICE_OBJECT object = bench.slots[slot];
    struct request *request;
    const uint64_t begin_ms = device.now_ms;
    NTSTATUS status;

    bench.reply_length = 0;
    if (object == NULL)
        return STATUS_DEVICE_REMOVED;
    request = new_request(in_len > room ? in_len : room);
    request->room = room;
    request->file.DeviceObject = object;
    if (in_len > 0)
        memcpy(request->buffer, in, in_len);
    smc_irp_init_ioctl(&request->irp, object, &request->file, code, request->buffer,
                       (ULONG)in_len, (ULONG)room, completed, request);
    device.running = &request->irp;
    device.received = 0;
    status = IoCallDriver(object, &request->irp);
    device.running = NULL;
    FUZZ_CHECK(device.now_ms - begin_ms <= REQUEST_MS);
    FUZZ_CHECK(device.entered == 0);
    if (request->completions == 0) {
        FUZZ_CHECK(status == STATUS_PENDING);
        FUZZ_CHECK(code == IOCTL_SMARTCARD_IS_PRESENT ||
                   code == IOCTL_SMARTCARD_IS_ABSENT);
        if (pending_count < PENDING_MAX) {
            pending[pending_count++] = request;
            return status;
        }
        (void)IoCancelIrp(&request->irp);
    }
    status = request->status;
    if (status == STATUS_SUCCESS) {
        bench.reply_length = (ULONG)request->information;
        memcpy(bench.reply, request->buffer, request->information);
    }
    forget(request);
    return status;
}

static void power(uint8_t minor)
{
    const ULONG value = minor & 0x07;

    (void)call(minor & 0x40 ? 1 : 0, IOCTL_SMARTCARD_POWER, (const uint8_t *)&value,
               sizeof value, minor & 0x80 ? minor & 0x3F : SCARD_ATR_LENGTH);
}

static void protocol(uint8_t mask)
{
    const ULONG value = mask & 0x80   ? SCARD_PROTOCOL_RAW
                        : mask & 0x40 ? (ULONG)SCARD_PROTOCOL_DEFAULT | (mask & 3)
                                      : (ULONG)mask & 3;

    if (call(mask & 0x20 ? 1 : 0, IOCTL_SMARTCARD_SET_PROTOCOL, (const uint8_t *)&value,
             sizeof value, sizeof value) == STATUS_SUCCESS)
        memcpy(&bench.protocol, bench.reply, sizeof bench.protocol);
}

static void transmit(struct fuzz_input *in)
{
    static uint8_t bytes[ROOM_MAX + sizeof(SCARD_IO_REQUEST)];
    const SCARD_IO_REQUEST header = {bench.protocol, sizeof header};
    const unsigned slot = fuzz_u8(in) % BENCH_SLOTS_MAX;
    const size_t len = fuzz_u16(in), room = fuzz_u16(in);

    memcpy(bytes, &header, sizeof header);
    fuzz_read(in, bytes + sizeof header, len);
    if (call(slot, IOCTL_SMARTCARD_TRANSMIT, bytes, sizeof header + len,
             sizeof header + room) == STATUS_SUCCESS) {
        FUZZ_CHECK(bench.reply_length >= sizeof header);
        FUZZ_CHECK(bench.reply_length - sizeof header <= device.received);
    }
}

static const ULONG codes[] = {
    IOCTL_SMARTCARD_GET_ATTRIBUTE,
    IOCTL_SMARTCARD_SET_ATTRIBUTE,
    IOCTL_SMARTCARD_CONFISCATE,
    IOCTL_SMARTCARD_EJECT,
    IOCTL_SMARTCARD_SWALLOW,
    IOCTL_SMARTCARD_IS_PRESENT,
    IOCTL_SMARTCARD_IS_ABSENT,
    IOCTL_SMARTCARD_GET_STATE,
    IOCTL_SMARTCARD_GET_LAST_ERROR,
    IOCTL_SMARTCARD_GET_PERF_CNTR,
    IOCTL_SMARTCARD_GET_FEATURE_REQUEST,
    IOCTL_CCID_ESCAPE,
    SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT,
    SCFS_IOCTL_CCID_MODIFY_PIN_DIRECT,
    SCFS_IOCTL_CCID_MCT_READER_DIRECT,
    SCFS_IOCTL_CCID_IFD_PIN_PROPERTIES,
    SCFS_IOCTL_CCID_GET_TLV_PROPERTIES,
    SCFS_IOCTL_CCID_ICC_CLOCK,
    SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING,
    SCFS_IOCTL_SMARTCARD_RESET_EVENTS,
    SCARD_CTL_CODE(99),
};

static void ioctl_of_input(struct fuzz_input *in)
{
    const unsigned slot = fuzz_u8(in) % BENCH_SLOTS_MAX;
    const ULONG code = codes[fuzz_u8(in) % (sizeof codes / sizeof codes[0])];
    const size_t len = fuzz_u8(in), room = fuzz_u8(in);
    uint8_t bytes[UINT8_MAX];

    fuzz_read(in, bytes, len);
    (void)call(slot, code, bytes, len, room);
}

/* The structure as the input has it, but for its length, without which nothing gets
 * beyond the first check. */
static void pin(struct fuzz_input *in)
{
    const bool modify = fuzz_u8(in) != 0;
    const size_t len = fuzz_u8(in);
    const size_t head =
        modify ? sizeof(struct scard_pin_modify) : sizeof(struct scard_pin_verify);
    uint8_t bytes[sizeof(struct scard_pin_modify) + UINT8_MAX];
    const uint32_t data_len = (uint32_t)len;

    fuzz_read(in, bytes, head + len);
    memcpy(bytes + head - sizeof data_len, &data_len, sizeof data_len);
    if (call(0,
             modify ? SCFS_IOCTL_CCID_MODIFY_PIN_DIRECT
                    : SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT,
             bytes, head + len, 300) == STATUS_SUCCESS)
        FUZZ_CHECK(bench.reply_length >= 2); /* the card's, or what the user did */
}

static void service(void)
{
    for (unsigned slot = 0; slot < BENCH_SLOTS_MAX; slot++) {
        const uint64_t begin_ms = device.now_ms;
        int64_t wait_ms;

        if (bench.slots[slot] == NULL)
            continue;
        wait_ms = bench_service_wait(&bench, slot);
        if (wait_ms < 0)
            continue;
        device.now_ms += (uint64_t)wait_ms;
        bench_service(&bench, slot);
        FUZZ_CHECK(device.now_ms - begin_ms - (uint64_t)wait_ms <= REQUEST_MS);
        FUZZ_CHECK(device.entered == 0);
    }
}

static void sleep_or_wake(bool sleeps)
{
    for (unsigned slot = 0; slot < BENCH_SLOTS_MAX; slot++) {
        struct request request = {0};
        IRP *irp = &request.irp;

        if (bench.slots[slot] == NULL)
            continue;
        smc_irp_init(irp, bench.slots[slot], NULL, IRP_MJ_POWER, IRP_MN_SET_POWER,
                     completed, &request);
        irp->Stack.Parameters.Power.Type = SystemPowerState;
        irp->Stack.Parameters.Power.State.SystemState =
            sleeps ? PowerSystemSleeping3 : PowerSystemWorking;
        (void)IoCallDriver(bench.slots[slot], irp);
        check_ended(&request);
    }
}

/* ---- the life of a reader ---------------------------------------------------------- */

static bool asleep;

/* The device does as it should from now on, and its user puts in another card. */
static void mended(void)
{
    static const uint8_t absent[] = {0x50, 0x02}, present[] = {0x50, 0x03};
    const ULONG minor = SCARD_COLD_RESET;
    NTSTATUS status = STATUS_UNSUCCESSFUL;

    fuzz_faults(0);
    device.again = 0;
    device.honest = true;
    if (asleep)
        sleep_or_wake(false);
    for (int turn = 0; turn < TURNS_MAX && status != STATUS_SUCCESS; turn++) {
        service();
        if (device.started) {
            device.notify(device.notify_context, absent, sizeof absent);
            device.now_ms += 1000;
            device.notify(device.notify_context, present, sizeof present);
            device.now_ms += 1000;
            service();
        }
        status = call(0, IOCTL_SMARTCARD_POWER, (const uint8_t *)&minor, sizeof minor,
                      SCARD_ATR_LENGTH);
    }
    FUZZ_CHECK(status == STATUS_SUCCESS);
}

static void run(struct fuzz_input *in)
{

    for (int i = 0; i < REQUESTS_MAX && fuzz_left(in) > 0; i++) {
        switch (fuzz_u8(in) % SESSION_REQUESTS) {
        case SESSION_POWER:
            power(fuzz_u8(in));
            break;
        case SESSION_PROTOCOL:
            protocol(fuzz_u8(in));
            break;
        case SESSION_TRANSMIT:
            transmit(in);
            break;
        case SESSION_IOCTL:
            ioctl_of_input(in);
            break;
        case SESSION_PIN:
            pin(in);
            break;
        case SESSION_SERVICE:
            service();
            break;
        case SESSION_NOTIFY:
            hostile_device_notify(&device);
            break;
        case SESSION_TIME:
            device.now_ms += fuzz_u16(in);
            break;
        default:
            asleep = !asleep;
            sleep_or_wake(asleep);
            break;
        }
        collect(false);
    }
}

void session_reader_read(struct session_reader *reader, struct fuzz_input *in)
{
    *reader = (struct session_reader){.seed = fuzz_u16(in), .quirks = fuzz_u32(in)};
    fuzz_read(in, reader->class_descriptor, sizeof reader->class_descriptor);
}

static void describe(const struct session_reader *reader)
{
    struct config config;
    uint8_t bytes[sizeof reader->class_descriptor];

    memcpy(bytes, reader->class_descriptor, sizeof bytes);
    bytes[0] = sizeof bytes;
    bytes[1] = 0x21;
    bytes[4] &= 1; /* one slot, or two */
    if (reader->protocol == 0) {
        config_reader(&config, bytes, 64);
    } else {
        config_begin(&config, 1);
        config_interface(&config, 0, 0x0B, reader->protocol, 0);
        config_append(&config, bytes, sizeof bytes);
    }
    FUZZ_CHECK(ccid_desc_parse(config.bytes, config.length, 0, &bench.desc) ==
               STATUS_SUCCESS);
    bench.desc.quirks = reader->quirks & ~(SESSION_TRACED | SESSION_NO_INTERRUPT);
    if ((reader->quirks & SESSION_NO_INTERRUPT) != 0)
        bench.desc.interrupt_in.address = 0;
}

void driver_session(const struct session_reader *reader, struct fuzz_input *in)
{
    NTSTATUS status;

    pending_count = 0;
    asleep = false;
    ccid_set_escape(true);
    bench_begin(&bench, BENCH_EXTENDED);
    describe(reader);
    hostile_device_init(&device, in);
    bench.port = hostile_device_port(&device);
    fuzz_faults(reader->seed);
    status = bench_try_add(&bench);
    FUZZ_CHECK(device.entered == 0);
    if (status == STATUS_SUCCESS) {
        smc_io_trace(bench.slots[0], (reader->quirks & SESSION_TRACED) != 0);
        run(in);
        if (!device.gone && fuzz_left(in) == 0 && reader->protocol == 0)
            mended();
        if (device.gone || (device.now_ms & 1)) {
            ccid_device_remove(bench.device, true);
            bench.device = NULL;
            for (unsigned i = 0; i < pending_count; i++)
                FUZZ_CHECK(pending[i]->completions == 1); /* all by itself */
        }
        collect(true);
    }
    bench_end(&bench);
    fuzz_faults(0);
    FUZZ_CHECK(!device.started);
    FUZZ_CHECK(bench.arrived == bench.gone);
}
