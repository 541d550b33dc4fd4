/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - writes the seeds of session, secure and iccd: what programs do with readers
 * of every kind (../ccid/session.c), and what the virtual reader says meanwhile, in the
 * form of driver_session.h and hostile_device.h.
 *
 *   fuzz-record DIRECTORY
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../ccid/session.h"
#include "ccid/msg.h"
#include "driver_session.h"
#include "hostile_device.h"

#define RECORD_MAX (1 << 16)
/* In the record of a reader with bulk endpoints: seed (two bytes), quirks. */
#define HIGHEST_QUIRKS_AT 5

static struct sweep s;
static struct ccid_usb_port inner;
static uint8_t record[RECORD_MAX];
static size_t record_len;
static uint8_t last_out[CCID_HEADER_LENGTH];
static size_t owed; /* of a message, in the next transfers */

static void put(const void *bytes, size_t len)
{
    assert_true(record_len + len <= sizeof record);
    memcpy(record + record_len, bytes, len);
    record_len += len;
}

static void put_u8(unsigned value)
{
    const uint8_t byte = (uint8_t)value;

    put(&byte, 1);
}

static void put_u16(size_t value)
{
    put_u8(value & 0xFF);
    put_u8((unsigned)(value >> 8));
}

/* ---- what the device says ---------------------------------------------------------- */

static void put_result(enum ccid_usb_result result)
{
    switch (result) {
    case CCID_USB_TIMEOUT:
        put_u8(DEVICE_SILENT);
        break;
    case CCID_USB_CANCELLED:
        put_u8(DEVICE_CANCEL);
        break;
    default:
        put_u8(DEVICE_RESULT);
        put_u8(result); /* the first of them in the same order */
        put_u8(0);
        break;
    }
}

static void put_later(uint64_t ms)
{
    for (; ms > 0; ms -= ms > UINT16_MAX ? UINT16_MAX : ms) {
        put_u8(DEVICE_LATER);
        put_u16(ms > UINT16_MAX ? UINT16_MAX : ms);
    }
}

static void put_message(const uint8_t *in, size_t len)
{
    if (owed > 0) {
        put(in, len);
        owed -= len < owed ? len : owed;
        return;
    }
    if (len >= CCID_HEADER_LENGTH && in[5] == last_out[5] && in[6] == last_out[6]) {
        put_u8(DEVICE_ANSWER);
        put(in + 7, 3);
        put_u16(ccid_msg_length(in));
        put(in + CCID_HEADER_LENGTH, len - CCID_HEADER_LENGTH);
        owed = CCID_HEADER_LENGTH + ccid_msg_length(in) - len;
    } else {
        put_u8(DEVICE_RAW);
        put_u16(len);
        put(in, len);
    }
}

static enum ccid_usb_result record_in(struct ccid_usb *usb, uint8_t *in, size_t in_size,
                                      size_t *in_len, uint32_t timeout_ms)
{
    const uint64_t begin_ms = s.v.clock.now_ms;
    enum ccid_usb_result result =
        inner.ops->bulk_in(inner.usb, in, in_size, in_len, timeout_ms);

    (void)usb;
    if (result == CCID_USB_OK) {
        put_later(s.v.clock.now_ms - begin_ms);
        put_message(in, *in_len);
    } else {
        put_result(result);
    }
    return result;
}

static enum ccid_usb_result record_out(struct ccid_usb *usb, const uint8_t *out,
                                       size_t len, uint32_t timeout_ms)
{
    (void)usb;
    memcpy(last_out, out, sizeof last_out);
    owed = 0;
    return inner.ops->bulk_out(inner.usb, out, len, timeout_ms);
}

static enum ccid_usb_result record_exchange(struct ccid_usb *usb, const uint8_t *out,
                                            size_t out_len, uint8_t *in, size_t in_size,
                                            size_t *in_len, uint32_t timeout_ms)
{
    enum ccid_usb_result result = record_out(usb, out, out_len, timeout_ms);

    *in_len = 0;
    return result == CCID_USB_OK ? record_in(usb, in, in_size, in_len, timeout_ms)
                                 : result;
}

static enum ccid_usb_result record_control(struct ccid_usb *usb, uint8_t request_type,
                                           uint8_t request, uint16_t value,
                                           uint16_t index, uint8_t *data,
                                           uint16_t data_len, size_t *done,
                                           uint32_t timeout_ms)
{
    enum ccid_usb_result result = inner.ops->control(
        inner.usb, request_type, request, value, index, data, data_len, done, timeout_ms);

    (void)usb;
    if (result != CCID_USB_OK) {
        put_result(result);
        return result;
    }
    put_u8(DEVICE_RAW);
    if (request_type & 0x80) {
        put_u16(*done);
        put(data, *done);
    }
    return result;
}

static enum ccid_usb_result record_start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                         void *context)
{
    (void)usb;
    return inner.ops->start(inner.usb, notify, context);
}

/* The rest goes to the reader, whose struct ccid_usb the port has. */
static struct ccid_usb_ops recording;

/* ---- what programs ask ------------------------------------------------------------- */

static void put_step(const struct session_step *step)
{
    uint8_t bytes[SESSION_REPLY_MAX];
    const size_t len = bench_bytes(step->in != NULL ? step->in : "", bytes, sizeof bytes);

    switch (step->kind) {
    case STEP_POWER:
        put_u8(SESSION_POWER);
        put_u8(bytes[0]);
        break;
    case STEP_PROTOCOL:
        put_u8(SESSION_PROTOCOL);
        put_u8(bytes[0]);
        break;
    case STEP_CONNECT_1:
        put_u8(SESSION_POWER);
        put_u8(0x41);
        put_u8(SESSION_PROTOCOL);
        put_u8(0x23);
        break;
    case STEP_IOCTL:
        put_u8(step->code == SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT ? SESSION_PIN
                                                               : SESSION_IOCTL);
        if (step->code == SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT) {
            put_u8(0);
            put_u8((unsigned)len - 19);
        } else {
            put_u8(0);
            put_u8(step->code == IOCTL_CCID_ESCAPE       ? 11
                   : step->code == IOCTL_SMARTCARD_EJECT ? 3
                                                         : 17);
            put_u8((unsigned)len);
            put_u8(64);
        }
        put(bytes, len);
        break;
    default:
        put_u8(SESSION_TRANSMIT);
        put_u8(step->kind == STEP_SLOT_1);
        put_u16(len);
        put_u16(600);
        put(bytes, len);
        break;
    }
}

/* As virtual_bench_begin_shape, with the recorder between. */
static void begin(const struct session *session)
{
    uint8_t config[CCID_VIRTUAL_CONFIG_MAX], bytes[CCID_VIRTUAL_ATR_MAX];
    struct ccid_virtual_shape shape = *ccid_virtual_shape(session->scenario.base);
    size_t len = 0;

    memset(&s, 0, sizeof s);
    if (session->scenario.change != NULL)
        session->scenario.change(&shape);
    virtual_clock_init(&s.v.clock);
    s.v.reader = ccid_virtual_reader_new(&s.v.clock.clock, &shape);
    assert_non_null(s.v.reader);
    if (session->scenario.atr != NULL)
        len = bench_bytes(session->scenario.atr, bytes, sizeof bytes);
    for (unsigned i = 0; i < shape.slot_count; i++)
        assert_int_equal(
            ccid_virtual_reader_insert(s.v.reader, i, bytes, i == 0 ? len : 0), 0);
    bench_begin(&s.v.bench, BENCH_EXTENDED);
    len = ccid_virtual_reader_config(&shape, config);
    assert_int_equal(
        ccid_desc_parse(config, len, shape.interface_number, &s.v.bench.desc),
        STATUS_SUCCESS);
    inner = ccid_virtual_reader_port(s.v.reader);
    recording = *inner.ops;
    recording.exchange = record_exchange;
    recording.bulk_out = record_out;
    recording.bulk_in = record_in;
    recording.control = record_control;
    recording.start = record_start;
    s.v.bench.port = (struct ccid_usb_port){&recording, inner.usb};

    record_len = 0;
    if (s.v.bench.desc.transport != CCID_TRANSPORT_BULK)
        put_u8(s.v.bench.desc.transport == CCID_TRANSPORT_ICCD_B);
    put_u16(0); /* nothing fails */
    put_u16(0); /* no quirks */
    put_u16(0);
    for (size_t at = 9 + 9; at + 54 <= len; at++) {
        if (config[at] == 54 && config[at + 1] == 0x21) {
            put(config + at, 54);
            break;
        }
    }
    assert_true(record_len >= 60);
    assert_int_equal(bench_try_add(&s.v.bench), STATUS_SUCCESS);
}

static void save(const char *directory, const char *target, const char *name)
{
    char path[4096], *c;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, target);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", directory, target, name);
    for (c = path + strlen(directory) + strlen(target) + 2; *c != '\0'; c++) {
        if (*c == ' ' || *c == ',' || *c == '=')
            *c = '-';
    }
    file = fopen(path, "wb");
    if (file == NULL || fwrite(record, 1, record_len, file) != record_len ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

/* The same reader, whose messages are traced, or without an interrupt endpoint. */
static void save_variants(const char *directory, const char *name)
{
    char variant[256];

    snprintf(variant, sizeof variant, "%s traced", name);
    record[HIGHEST_QUIRKS_AT] = SESSION_TRACED >> 24;
    save(directory, "session", variant);
    snprintf(variant, sizeof variant, "%s polled", name);
    record[HIGHEST_QUIRKS_AT] = SESSION_NO_INTERRUPT >> 24;
    save(directory, "session", variant);
}

/* Whatever it is asked from its first reset on, the answer is three bytes: it is left
 * alone after twenty of them. */
static void save_quarantine(const char *directory)
{
    static const uint8_t short_answers[] = {DEVICE_AGAIN, 255, DEVICE_RAW, 3, 0, 1, 2, 3};
    static const uint8_t power[] = {SESSION_POWER, 1};
    begin(&sessions[0]);
    put(power, sizeof power);
    put(short_answers, sizeof short_answers);
    for (int i = 0; i < 100; i++)
        put_u8(18); /* a reset, its kind; no answer to ABORT; a repair that succeeds */
    virtual_bench_end(&s.v);
    save(directory, "session", "quarantine");
}

int main(int argc, char **argv)
{
    struct session_reply reply;

    if (argc != 2) {
        fprintf(stderr, "usage: fuzz-record DIRECTORY\n");
        return 2;
    }
    ccid_set_escape(true);
    for (size_t i = 0; i < session_count; i++) {
        const struct session *session = &sessions[i];
        const struct ccid_desc *desc = &s.v.bench.desc;

        begin(session);
        for (size_t step = 0; session->steps[step].kind != STEP_END; step++) {
            put_step(&session->steps[step]);
            session_step(&s, &session->steps[step], &reply);
        }
        virtual_bench_end(&s.v);
        if (desc->transport != CCID_TRANSPORT_BULK)
            save(argv[1], "iccd", session->scenario.name);
        else
            save(argv[1], "session", session->scenario.name);
        if (desc->pin_support != 0 || (i == 0 && desc->transport == CCID_TRANSPORT_BULK))
            save(argv[1], "secure", session->scenario.name);
        if (i < 4)
            save_variants(argv[1], session->scenario.name);
    }
    save_quarantine(argv[1]);
    return 0;
}
