/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scripted_token.h - a token without bulk endpoints that plays a script of control
 * requests, and the driver on it. Time is virtual. A request that is not the next one of
 * the script fails the test, and so does a bulk transfer.
 */
#ifndef TEST_SCRIPTED_TOKEN_H
#define TEST_SCRIPTED_TOKEN_H

#include "bench.h"

#define TOKEN_STEPS_MAX 10000

enum token_kind {
    TOKEN_A,
    TOKEN_B, /* with an interrupt endpoint */
    TOKEN_B_WITHOUT_INTERRUPT,
};

struct token_step {
    uint8_t type, request;
    uint16_t value;
    const char *hex; /* the data that must come, or that is answered */
    enum ccid_usb_result result;
    size_t claims;     /* *done, where it is not the length of the data */
    uint32_t delay_ms; /* past the deadline: CCID_USB_TIMEOUT */
    void (*action)(void *context);
    void *context;
};

struct scripted_token {
    struct bench bench;
    uint64_t now_ms;
    uint32_t slept_ms, longest_sleep_ms;
    struct token_step steps[TOKEN_STEPS_MAX];
    size_t count, at;
    uint16_t room; /* wLength of the last request */
    unsigned resets;
    bool cancelled;
    ccid_usb_notify *notify;
    void *notify_context;
};

/* A token of that kind with these dwFeatures, added, its card off. */
void token_begin(struct scripted_token *token, enum token_kind kind, uint32_t features);
/* The same with a card that has been reset and speaks its protocol. */
void token_ready(struct scripted_token *token, enum token_kind kind, uint32_t features);
/* Fails the test unless every step was played; removes it. */
void token_end(struct scripted_token *token);

/* Each returns the step, to be changed where the test needs it. */
struct token_step *token_out(struct scripted_token *token, uint8_t request,
                             uint16_t value, const char *hex);
struct token_step *token_in(struct scripted_token *token, uint8_t request,
                            const char *hex);
/* What the driver sends to switch the card off: at a resynchronisation, for one. */
void token_off(struct scripted_token *token);

/* dwFeatures of the real ones: at character level, at short and extended APDU level. */
#define TOKEN_CHARACTER 0x00000840u
#define TOKEN_SHORT     0x00020840u

#define TOKEN_ATR_T0 "3B 00"
#define TOKEN_ATR_T1 "3B 80 01 81"

#endif
