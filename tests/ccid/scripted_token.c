/* SPDX-License-Identifier: BSD-2-Clause */
/* scripted_token.c - plays a script of control requests. */
#include "scripted_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"

#define TO_TOKEN   0x21
#define FROM_TOKEN 0xA1

static struct scripted_token *from_usb(struct ccid_usb *usb)
{
    return (struct scripted_token *)(void *)usb;
}

/* ---- playing it ------------------------------------------------------------------ */

static enum ccid_usb_result control(struct ccid_usb *usb, uint8_t type, uint8_t request,
                                    uint16_t value, uint16_t index, uint8_t *data,
                                    uint16_t len, size_t *done, uint32_t timeout_ms)
{
    struct scripted_token *token = from_usb(usb);
    static uint8_t bytes[70000];
    struct token_step *step;
    size_t length;

    *done = 0;
    if (token->cancelled)
        return CCID_USB_CANCELLED;
    if (token->at == token->count)
        fail_msg("request %02x %02x after the end of the script", type, request);
    step = &token->steps[token->at++];
    if (type != step->type || request != step->request || value != step->value)
        fail_msg("step %zu: request %02x %02x %04x instead of %02x %02x %04x",
                 token->at - 1, type, request, value, step->type, step->request,
                 step->value);
    assert_int_equal(index, 0);
    token->room = len;
    length = bench_bytes(step->hex, bytes, sizeof(bytes));
    if (type == TO_TOKEN) {
        assert_int_equal(len, length);
        if (len > 0)
            assert_memory_equal(data, bytes, len);
    }
    if (step->action != NULL)
        step->action(step->context);
    if (token->cancelled)
        return CCID_USB_CANCELLED;
    if (step->delay_ms >= timeout_ms || step->result == CCID_USB_TIMEOUT) {
        token->now_ms += timeout_ms;
        return CCID_USB_TIMEOUT;
    }
    token->now_ms += step->delay_ms;
    if (step->result != CCID_USB_OK)
        return step->result;
    if (type == FROM_TOKEN) {
        assert_true(length <= len);
        if (length > 0)
            memcpy(data, bytes, length);
    }
    *done = step->claims != 0 ? step->claims : length;
    return CCID_USB_OK;
}

static enum ccid_usb_result exchange(struct ccid_usb *usb, const uint8_t *out,
                                     size_t out_len, uint8_t *in, size_t in_size,
                                     size_t *in_len, uint32_t timeout_ms)
{
    (void)usb, (void)out, (void)out_len, (void)in, (void)in_size, (void)in_len;
    (void)timeout_ms;
    fail_msg("a message to a token");
    return CCID_USB_IO;
}

static enum ccid_usb_result bulk_out(struct ccid_usb *usb, const uint8_t *out, size_t len,
                                     uint32_t timeout_ms)
{
    return exchange(usb, out, len, NULL, 0, NULL, timeout_ms);
}

static enum ccid_usb_result bulk_in(struct ccid_usb *usb, uint8_t *in, size_t size,
                                    size_t *len, uint32_t timeout_ms)
{
    return exchange(usb, NULL, 0, in, size, len, timeout_ms);
}

static enum ccid_usb_result clear_halt(struct ccid_usb *usb)
{
    (void)usb;
    return CCID_USB_OK;
}

static enum ccid_usb_result reset(struct ccid_usb *usb)
{
    from_usb(usb)->resets++;
    return CCID_USB_OK;
}

static void cancel(struct ccid_usb *usb, bool on)
{
    from_usb(usb)->cancelled = on;
}

static void nothing(struct ccid_usb *usb)
{
    (void)usb;
}

static enum ccid_usb_result start(struct ccid_usb *usb, ccid_usb_notify *notify,
                                  void *context)
{
    from_usb(usb)->notify = notify;
    from_usb(usb)->notify_context = context;
    return CCID_USB_OK;
}

static uint64_t now_ms(struct ccid_usb *usb)
{
    return from_usb(usb)->now_ms;
}

static enum ccid_usb_result sleep_ms(struct ccid_usb *usb, uint32_t ms)
{
    struct scripted_token *token = from_usb(usb);

    if (token->cancelled)
        return CCID_USB_CANCELLED;
    token->now_ms += ms;
    token->slept_ms += ms;
    if (ms > token->longest_sleep_ms)
        token->longest_sleep_ms = ms;
    return CCID_USB_OK;
}

static const struct ccid_usb_ops token_ops = {
    .exchange = exchange,
    .bulk_out = bulk_out,
    .bulk_in = bulk_in,
    .control = control,
    .clear_halt = clear_halt,
    .reset = reset,
    .cancel = cancel,
    .enter = nothing,
    .leave = nothing,
    .start = start,
    .stop = nothing,
    .now_ms = now_ms,
    .sleep_ms = sleep_ms,
};

/* ---- writing it ------------------------------------------------------------------ */

static struct token_step *append(struct scripted_token *token, uint8_t type,
                                 uint8_t request, uint16_t value, const char *hex)
{
    struct token_step *step;

    assert_true(token->count < TOKEN_STEPS_MAX);
    step = &token->steps[token->count++];
    *step =
        (struct token_step){.type = type, .request = request, .value = value, .hex = hex};
    return step;
}

struct token_step *token_out(struct scripted_token *token, uint8_t request,
                             uint16_t value, const char *hex)
{
    return append(token, TO_TOKEN, request, value, hex);
}

struct token_step *token_in(struct scripted_token *token, uint8_t request,
                            const char *hex)
{
    return append(token, FROM_TOKEN, request, 0, hex);
}

static bool is_a(const struct scripted_token *token)
{
    return token->bench.desc.transport == CCID_TRANSPORT_ICCD_A;
}

void token_off(struct scripted_token *token)
{
    token_out(token, 0x63, 0, "");
    if (is_a(token))
        token_in(token, 0xA0, "00");
    else
        token_in(token, 0x81, "00 01 00");
}

void token_begin(struct scripted_token *token, enum token_kind kind, uint32_t features)
{
    bool interrupt = kind == TOKEN_B;
    uint8_t descriptor[54];
    struct config config;

    memset(token, 0, sizeof(*token));
    token->now_ms = 1000000;
    bench_begin(&token->bench, BENCH_EXTENDED);
    memcpy(descriptor, config_class_descriptor, sizeof(descriptor));
    descriptor[5] = 1;                       /* 5 V */
    descriptor[6] = kind == TOKEN_A ? 1 : 2; /* dwProtocols */
    for (int i = 0; i < 4; i++)
        descriptor[40 + i] = (uint8_t)(features >> (8 * i));
    descriptor[44] = 0x05; /* 261 */
    descriptor[45] = 0x01;
    descriptor[46] = descriptor[47] = 0;
    config_begin(&config, 1);
    config_interface(&config, 0, 0x0B, kind == TOKEN_A ? 1 : 2, interrupt);
    config_append(&config, descriptor, sizeof(descriptor));
    if (interrupt)
        config_endpoint(&config, 0x83, 3, 8);
    assert_int_equal(ccid_desc_parse(config.bytes, config.length, 0, &token->bench.desc),
                     STATUS_SUCCESS);
    token->bench.port =
        (struct ccid_usb_port){&token_ops, (struct ccid_usb *)(void *)token};
    /* What it was left in is not known. */
    if (is_a(token)) {
        token_in(token, 0xA0, "00");
        token_off(token);
    } else {
        token_in(token, 0x81, "00 01 00");
    }
    assert_int_equal(bench_try_add(&token->bench), STATUS_SUCCESS);
    assert_int_equal(bench_state(&token->bench), SCARD_SWALLOWED);
}

void token_ready(struct scripted_token *token, enum token_kind kind, uint32_t features)
{
    token_begin(token, kind, features);
    if (is_a(token)) {
        token_off(token);
        token_in(token, 0x62, TOKEN_ATR_T0);
        token->bench.protocol = SCARD_PROTOCOL_T0;
    } else {
        token_out(token, 0x62, 1, "");
        token_in(token, 0x6F, "00 " TOKEN_ATR_T1);
    }
    assert_int_equal(bench_power(&token->bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(bench_set_protocol(&token->bench, SCARD_PROTOCOL_Tx),
                     STATUS_SUCCESS);
    assert_int_equal(bench_state(&token->bench), SCARD_SPECIFIC);
    assert_int_equal(token->at, token->count);
    token->slept_ms = token->longest_sleep_ms = 0;
    token->bench.log_lines = 0;
}

void token_end(struct scripted_token *token)
{
    if (token->at != token->count)
        fail_msg("step %zu of %zu was not played: request %02x", token->at, token->count,
                 token->steps[token->at].request);
    bench_end(&token->bench);
}
