/* SPDX-License-Identifier: BSD-2-Clause */
/* scripted_usb.c - plays a script instead of a device. */
#include "scripted_usb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NO_SEQ_OF_OURS 0xEE

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Bytes of a message; *any is the index of SS, or -1. */
static size_t parse(const char *hex, uint8_t *bytes, size_t size, uint8_t seq, int *any)
{
    size_t length = 0;

    *any = -1;
    for (; *hex != 0; hex++) {
        if (*hex == ' ')
            continue;
        assert_true(length < size);
        if (hex[0] == 'S' && hex[1] == 'S') {
            *any = (int)length;
            bytes[length++] = seq;
        } else if (hex[0] == 'T' && hex[1] == 'T') {
            bytes[length++] = NO_SEQ_OF_OURS;
        } else {
            assert_true(digit(hex[0]) >= 0 && digit(hex[1]) >= 0);
            bytes[length++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
        }
        hex++;
    }
    return length;
}

/* ---- writing the script ---------------------------------------------------------- */

void script_begin(struct ccid_usb *usb)
{
    memset(usb, 0, sizeof(*usb));
    usb->now_ms = 1000000;
}

static struct script_step *append(struct ccid_usb *usb, enum script_kind kind)
{
    struct script_step *step;

    assert_true(usb->count < SCRIPT_STEPS_MAX);
    step = &usb->steps[usb->count++];
    memset(step, 0, sizeof(*step));
    step->kind = kind;
    step->hex = "";
    return step;
}

struct script_step *script_out(struct ccid_usb *usb, const char *hex)
{
    struct script_step *step = append(usb, SCRIPT_OUT);

    step->hex = hex;
    return step;
}

struct script_step *script_in(struct ccid_usb *usb, const char *hex)
{
    struct script_step *step = append(usb, SCRIPT_IN);

    step->hex = hex;
    return step;
}

void script_command(struct ccid_usb *usb, const char *out, const char *in)
{
    (void)script_out(usb, out);
    (void)script_in(usb, in);
}

struct script_step *script_abort_request(struct ccid_usb *usb, uint8_t slot)
{
    struct script_step *step = append(usb, SCRIPT_CONTROL);

    step->request_type = 0x21;
    step->request = 0x01;
    step->value = slot;
    return step;
}

struct script_step *script_control_in(struct ccid_usb *usb, uint8_t request,
                                      const char *hex)
{
    struct script_step *step = append(usb, SCRIPT_CONTROL);

    step->request_type = 0xA1;
    step->request = request;
    step->hex = hex;
    return step;
}

void script_clear_halt(struct ccid_usb *usb)
{
    (void)append(usb, SCRIPT_CLEAR_HALT);
}

void script_reset(struct ccid_usb *usb)
{
    (void)append(usb, SCRIPT_RESET);
}

void script_resync(struct ccid_usb *usb)
{
    (void)script_abort_request(usb, 0);
    script_command(usb, "72 00000000 00 SS 000000", "81 00000000 00 SS 01 00 00");
    script_command(usb, "65 00000000 00 SS 000000", "81 00000000 00 SS 01 00 00");
    script_command(usb, "63 00000000 00 SS 000000", "81 00000000 00 SS 01 00 00");
}

void script_end(struct ccid_usb *usb)
{
    if (usb->at != usb->count)
        fail_msg("step %zu of %zu was not played: %s", usb->at, usb->count,
                 usb->steps[usb->at].hex);
    assert_int_equal(usb->entered, 0);
}

void script_notify(struct ccid_usb *usb, const char *hex)
{
    uint8_t bytes[64];
    int any;
    size_t length = parse(hex, bytes, sizeof(bytes), 0, &any);

    assert_true(usb->started);
    usb->notify(usb->notify_context, bytes, length);
}

/* ---- playing it ------------------------------------------------------------------ */

static struct script_step *next(struct ccid_usb *usb, enum script_kind kind)
{
    if (usb->at >= usb->count || usb->steps[usb->at].kind != kind)
        return NULL;
    return &usb->steps[usb->at];
}

static bool is_cancelled(const struct ccid_usb *usb)
{
    return __atomic_load_n(&usb->cancelled, __ATOMIC_SEQ_CST);
}

static void act(const struct script_step *step)
{
    if (step->action != NULL)
        step->action(step->context);
}

static enum ccid_usb_result send(struct ccid_usb *usb, const uint8_t *out, size_t length)
{
    struct script_step *step = next(usb, SCRIPT_OUT);
    static uint8_t expected[70000];
    size_t expected_length;
    int any;

    if (is_cancelled(usb))
        return CCID_USB_CANCELLED;
    if (step == NULL && usb->lenient)
        return CCID_USB_IO;
    if (step == NULL)
        fail_msg("message %02x was sent at step %zu", out[0], usb->at);
    assert_true(length >= 10);
    expected_length = parse(step->hex, expected, sizeof(expected), out[6], &any);
    if (usb->lenient && (length != expected_length || memcmp(out, expected, length) != 0))
        return CCID_USB_IO;
    assert_int_equal(length, expected_length);
    assert_memory_equal(out, expected, length);
    /* A number is used once, and for an Abort it is that of the control request. */
    if (usb->sent != 0)
        assert_int_not_equal(out[6], usb->last_seq);
    if (out[0] == 0x72)
        assert_int_equal(out[6], usb->abort_seq);
    usb->last_seq = out[6];
    usb->sent++;
    usb->at++;
    usb->in_message = false;
    act(step);
    return step->result;
}

static enum ccid_usb_result receive(struct ccid_usb *usb, uint8_t *in, size_t size,
                                    size_t *length, uint32_t timeout_ms)
{
    struct script_step *step = next(usb, SCRIPT_IN);
    size_t part;
    int any;

    *length = 0;
    usb->reads++;
    if (is_cancelled(usb))
        return CCID_USB_CANCELLED;
    if (step == NULL || step->delay_ms >= timeout_ms) {
        if (step != NULL)
            step->delay_ms -= timeout_ms;
        usb->now_ms += timeout_ms;
        return CCID_USB_TIMEOUT;
    }
    usb->now_ms += step->delay_ms;
    step->delay_ms = 0;
    if (!usb->in_message) {
        act(step);
        if (is_cancelled(usb)) {
            usb->at++;
            return CCID_USB_CANCELLED;
        }
        usb->message_length =
            parse(step->hex, usb->message, sizeof(usb->message), usb->last_seq, &any);
        usb->message_at = 0;
        usb->in_message = true;
    }
    part = usb->message_length - usb->message_at;
    if (part > size)
        part = size;
    if (part != 0)
        memcpy(in, usb->message + usb->message_at, part);
    usb->message_at += part;
    *length = part;
    if (usb->message_at == usb->message_length) {
        usb->at++;
        usb->in_message = false;
        return step->result;
    }
    return CCID_USB_OK;
}

static enum ccid_usb_result scripted_exchange(struct ccid_usb *usb, const uint8_t *out,
                                              size_t out_len, uint8_t *in, size_t in_size,
                                              size_t *in_len, uint32_t timeout_ms)
{
    enum ccid_usb_result result = send(usb, out, out_len);

    usb->exchanges++;
    *in_len = 0;
    if (result != CCID_USB_OK)
        return result;
    return receive(usb, in, in_size, in_len, timeout_ms);
}

static enum ccid_usb_result scripted_bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                              size_t out_len, uint32_t timeout_ms)
{
    (void)timeout_ms;
    return send(usb, out, out_len);
}

static enum ccid_usb_result scripted_control(struct ccid_usb *usb, uint8_t request_type,
                                             uint8_t request, uint16_t value,
                                             uint16_t index, uint8_t *data,
                                             uint16_t data_len, size_t *done,
                                             uint32_t timeout_ms)
{
    struct script_step *step = next(usb, SCRIPT_CONTROL);
    uint8_t bytes[1024];
    int any;

    *done = 0;
    if (is_cancelled(usb))
        return CCID_USB_CANCELLED;
    if (step == NULL && usb->lenient)
        return CCID_USB_IO;
    if (step == NULL)
        fail_msg("control request %02x at step %zu", request, usb->at);
    assert_int_equal(request_type, step->request_type);
    assert_int_equal(request, step->request);
    assert_int_equal(value & 0xFF, step->value & 0xFF); /* slot; bSeq is in the rest */
    assert_int_equal(index, 0);
    usb->abort_seq = (uint8_t)(value >> 8);
    usb->at++;
    act(step);
    if (step->result == CCID_USB_TIMEOUT)
        usb->now_ms += timeout_ms;
    if (step->result == CCID_USB_OK && data_len != 0) {
        *done = parse(step->hex, bytes, sizeof(bytes), 0, &any);
        if (*done > data_len)
            *done = data_len;
        if (*done != 0)
            memcpy(data, bytes, *done);
    }
    return step->result;
}

static enum ccid_usb_result play(struct ccid_usb *usb, enum script_kind kind)
{
    struct script_step *step = next(usb, kind);

    if (step == NULL && usb->lenient)
        return CCID_USB_IO;
    if (step == NULL)
        fail_msg("clear-halt or reset at step %zu", usb->at);
    usb->at++;
    return step->result;
}

static enum ccid_usb_result scripted_clear_halt(struct ccid_usb *usb)
{
    return play(usb, SCRIPT_CLEAR_HALT);
}

static enum ccid_usb_result scripted_reset(struct ccid_usb *usb)
{
    return play(usb, SCRIPT_RESET);
}

static void scripted_cancel(struct ccid_usb *usb, bool on)
{
    __atomic_store_n(&usb->cancelled, on, __ATOMIC_SEQ_CST);
}

/* The script is for one thread: nobody is there to be held up, or to end a wait. */
static void scripted_hold(struct ccid_usb *usb, enum ccid_usb_pipe pipe, bool on)
{
    (void)usb;
    (void)pipe;
    (void)on;
}

static void scripted_wait(struct ccid_usb *usb, pthread_cond_t *condition,
                          pthread_mutex_t *lock, uint64_t deadline_ms)
{
    (void)condition;
    (void)lock;
    assert_true(deadline_ms != UINT64_MAX);
    if (usb->now_ms < deadline_ms)
        usb->now_ms = deadline_ms;
}

static void scripted_enter(struct ccid_usb *usb)
{
    void (*entering)(void *context) = usb->entering;

    usb->entered++;
    usb->entering = NULL;
    if (entering != NULL)
        entering(usb->entering_context);
}

static void scripted_leave(struct ccid_usb *usb)
{
    usb->entered--;
}

static enum ccid_usb_result scripted_start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                           void *context)
{
    usb->notify = notify;
    usb->notify_context = context;
    usb->started = usb->start_result == CCID_USB_OK;
    return usb->start_result;
}

static void scripted_stop(struct ccid_usb *usb)
{
    usb->started = false;
}

static uint64_t scripted_now_ms(struct ccid_usb *usb)
{
    return usb->now_ms;
}

static enum ccid_usb_result scripted_sleep_ms(struct ccid_usb *usb, uint32_t ms)
{
    if (is_cancelled(usb))
        return CCID_USB_CANCELLED;
    if (usb->sleep_result != CCID_USB_OK)
        return usb->sleep_result;
    usb->now_ms += ms;
    usb->slept_ms += ms;
    return CCID_USB_OK;
}

const struct ccid_usb_ops scripted_ops = {
    .exchange = scripted_exchange,
    .bulk_out = scripted_bulk_out,
    .bulk_in = receive,
    .control = scripted_control,
    .clear_halt = scripted_clear_halt,
    .reset = scripted_reset,
    .cancel = scripted_cancel,
    .hold = scripted_hold,
    .wait = scripted_wait,
    .enter = scripted_enter,
    .leave = scripted_leave,
    .start = scripted_start,
    .stop = scripted_stop,
    .now_ms = scripted_now_ms,
    .sleep_ms = scripted_sleep_ms,
};
