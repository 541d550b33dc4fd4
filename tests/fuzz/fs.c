/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs.c - the mount over the fake driver: the seed of failures (two bytes), options (one),
 * then what happens: a request (fs_requests.c), or one of enum event. What would take the
 * card some time takes none; the requests of other clients meanwhile come from the input,
 * too. Work that is left to other threads is done when the input says so. So one thread
 * does everything, in an order that a file repeats.
 *
 * Afterwards nothing is left of any request.
 */
#include <string.h>
#include <syslog.h>

#include "../fs/bare.h"
#include "../fs/fake_driver.h"
#include "faults.h"
#include "fs/trace.h"
#include "fs_requests.h"
#include "fs_work.h"

#define EVENTS_MAX 200
#define DEPTH_MAX  3

enum event {
    EVENT_REQUEST = 0x00, /* and up to here: what fs_requests.c takes */
    EVENT_TIME = 0xC0,    /* ms (two bytes) */
    EVENT_WORK,           /* one piece of work of other threads */
    EVENT_INSERT,         /* reader, first byte of the ATR */
    EVENT_REMOVE,         /* reader */
    EVENT_PLUG,           /* slots */
    EVENT_UNPLUG,         /* reader */
    EVENT_LOSE,           /* reader */
    EVENT_TRACE,          /* reader, length, bytes */
    EVENT_SERVICE,        /* reader, ms */
    EVENT_LOG,            /* reader, length, a line of its driver */
};

static struct fuzz_input *input;
static unsigned depth;

/* Lines of the log are made and go nowhere, in fortified objects, too. */
void __wrap_syslog(int priority, const char *format, ...);
void __wrap___syslog_chk(int priority, int flag, const char *format, ...);

void __wrap___syslog_chk(int priority, int flag, const char *format, ...)
{
    (void)priority, (void)flag, (void)format;
}

void __wrap_syslog(int priority, const char *format, ...)
{
    (void)priority, (void)format;
}

/* ---- events ------------------------------------------------------------------------ */

static struct scfs_reader *reader_of_input(void)
{
    return scfs_registry_by_number(&bare_fs, fuzz_u8(input) % 4u);
}

static void trace(PDEVICE_OBJECT device)
{
    uint8_t bytes[UINT8_MAX];
    struct smc_trace_packet packet = {.event = fuzz_u8(input) & 1 ? SMC_TRACE_SUBMITTED
                                                                  : SMC_TRACE_COMPLETED,
                                      .transfer = SMC_TRACE_BULK,
                                      .endpoint = 0x81,
                                      .data = bytes};

    packet.length = fuzz_u8(input);
    packet.shown = packet.length / 2;
    fuzz_read(input, bytes, packet.length);
    scfs_trace_packet(&bare_fs, device, &packet);
}

static void log_line(PDEVICE_OBJECT device)
{
    char text[UINT8_MAX + 1] = {0};

    fuzz_read(input, text, fuzz_u8(input));
    scfs_log_driver(&bare_fs, device, STATUS_IO_TIMEOUT, text);
}

static void at_reader(uint8_t event)
{
    struct scfs_reader *reader = reader_of_input();
    PDEVICE_OBJECT device;
    uint8_t atr[4] = {0x3B, 0x02, 0x31, 0xAB};

    if (reader == NULL)
        return;
    if (event == EVENT_UNPLUG) {
        if (depth == 0) { /* who unplugs waits for what runs */
            fs_work_threads();
            (void)scfs_reader_unplug(reader, fake_driver.unplug);
            fs_work_no_threads();
        }
    } else if (scfs_reader_enter(reader)) {
        device = reader->device;
        if (event == EVENT_INSERT) {
            atr[0] = fuzz_u8(input);
            (void)fake_driver.insert(device, atr, atr[0] == 1 ? 0 : sizeof atr);
        } else if (event == EVENT_REMOVE) {
            (void)fake_driver.remove(device);
        } else if (event == EVENT_LOSE) {
            fake_driver_lose(device);
        } else if (event == EVENT_SERVICE) {
            scfs_service_request(&bare_fs, device, fuzz_u8(input));
        } else if (event == EVENT_LOG) {
            log_line(device);
        } else {
            trace(device);
        }
        scfs_reader_leave(reader);
    }
    scfs_reader_put(reader);
}

static void happen(void)
{
    const uint8_t event = input->at[0];

    if (event < EVENT_TIME) {
        fs_request(input, depth > 0);
        return;
    }
    (void)fuzz_u8(input);
    switch (event) {
    case EVENT_TIME:
        bare_now_ms += fuzz_u16(input);
        (void)scfs_timer_expire(&bare_fs.timer);
        break;
    case EVENT_WORK:
        fs_work_do();
        break;
    case EVENT_PLUG:
        if (depth > 0 || scfs_registry_count(&bare_fs, NULL) >= 4)
            break;
        fs_work_threads(); /* its second slot waits for the first */
        (void)fake_driver.plug(fuzz_u8(input) & 1 ? "2" : NULL);
        fs_work_no_threads();
        break;
    default:
        if (event <= EVENT_LOG)
            at_reader(event);
        break;
    }
}

/* Other clients, while the card is busy: until the input has an FFh, which nothing else
 * begins with. */
static void meanwhile(void)
{
    if (depth >= DEPTH_MAX || fs_work_has_threads())
        return;
    depth++;
    while (fuzz_left(input) > 0 && input->at[0] != 0xFF)
        happen();
    (void)fuzz_u8(input);
    depth--;
}

/* Nothing is left of anybody. */
static void check_nothing_left(struct scfs_reader *reader)
{
    FUZZ_CHECK(IsListEmpty(&reader->waits) && IsListEmpty(&reader->pollers));
    FUZZ_CHECK(IsListEmpty(&reader->tasks) && IsListEmpty(&reader->turn.line));
    FUZZ_CHECK(reader->turn.holder == NULL && reader->turn.admitted == 0 &&
               reader->turn.waiting == 0);
    FUZZ_CHECK(reader->users == 0 && reader->handles == 0);
    FUZZ_CHECK(reader->connections.count == 0 && reader->connections.exclusive == NULL);
    FUZZ_CHECK(reader->card.users == 0);
    FUZZ_CHECK(!reader->executor->busy && IsListEmpty(&reader->executor->queue));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const uint16_t seed = fuzz_u16(&in);
    const uint8_t flags = fuzz_u8(&in);
    struct scfs_options *options;

    input = &in;
    depth = 0;
    fs_work_begin();
    scfs_log_open(false);
    FUZZ_CHECK(bare_begin(flags & 1));
    options = (struct scfs_options *)(uintptr_t)bare_fs.options;
    options->power_demand = flags & 2;
    options->power_down_s = flags & 4 ? 1 : 0;
    options->idle_limit_s = flags & 8 ? 1 : 0;
    options->share_state = flags & 16;
    if (flags & 32)
        scfs_quota_init(&bare_fs.quota, 4, 3);
    fake_driver_at_once(meanwhile);
    fs_requests_begin();
    fuzz_faults(seed);
    for (unsigned i = 0; i < EVENTS_MAX && fuzz_left(&in) > 0; i++)
        happen();
    fuzz_faults(0);
    in.left = 0; /* nobody else comes */
    fs_work_do_all();
    fs_requests_end();
    fs_work_threads(); /* what closing has left to others, too */
    fs_work_no_threads();
    for (uint64_t at = 0;;) {
        struct scfs_reader *reader = scfs_registry_after(&bare_fs, at);

        if (reader == NULL)
            break;
        at = reader->sequence;
        check_nothing_left(reader);
        scfs_reader_put(reader);
    }
    fs_work_threads();
    bare_end();
    return 0;
}
