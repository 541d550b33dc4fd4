/* SPDX-License-Identifier: BSD-2-Clause */
/* trial.c - see trial.h. */
#include "trial.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "station.h"

#include "ccid/quirks.h"

/* A T=0 command of ENVELOPE at its longest: header, 5 bytes, 255 of data. */
#define LONGEST_T0_MESSAGE (CCID_HEADER_LENGTH + 5 + 255)

struct trial {
    struct station station;
    const struct row *row;
    struct trial_result *result;
    unsigned slot;
    ULONG protocol;
    uint32_t commands; /* that the card has had since its reset */
};

static bool fail(struct trial *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(struct trial *t, const char *format, ...)
{
    char text[ROW_PROBLEM_MAX - 32];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    t->result->outcome = TRIAL_FAILED;
    snprintf(t->result->problem, sizeof(t->result->problem), "slot %u, T=%d: %s", t->slot,
             t->protocol == SCARD_PROTOCOL_T1 ? 1 : 0, text);
    return false;
}

/* ---- what a descriptor allows to refuse ----------------------------------------------
 */

/* The status that an APDU of extended length ends with, and why. */
static NTSTATUS expected_of_echo(const struct ccid_desc *desc, ULONG protocol,
                                 const char **reason)
{
    if (desc->level == CCID_LEVEL_SHORT_APDU) {
        *reason = (desc->features & CCID_FEATURE_EXTENDED_APDU) != 0
                      ? "extended APDU level, known not to take extended APDUs"
                      : "short APDU level: no extended APDU";
        return STATUS_NOT_SUPPORTED;
    }
    if (desc->level == CCID_LEVEL_TPDU && protocol == SCARD_PROTOCOL_T0 &&
        desc->message_size < LONGEST_T0_MESSAGE) {
        *reason = "TPDU level, T=0: messages too short for ENVELOPE";
        return STATUS_BUFFER_OVERFLOW;
    }
    *reason = NULL;
    return STATUS_SUCCESS;
}

/* Whether the host has a choice of protocols. */
static bool host_chooses(const struct ccid_desc *desc)
{
    return (desc->features & CCID_FEATURE_AUTO_NEGOTIATE) == 0 &&
           desc->transport == CCID_TRANSPORT_BULK &&
           (desc->quirks & CCID_QUIRK_NO_PPS) == 0;
}

/* ---- commands ------------------------------------------------------------------------
 */

static bool answers(struct trial *t, const char *what, const uint8_t *apdu, size_t len,
                    const uint8_t *expected, size_t expected_len)
{
    struct station *s = &t->station;
    NTSTATUS status = station_apdu(s, t->slot, t->protocol, apdu, len);

    if (status != STATUS_SUCCESS)
        return fail(t, "%s: %s (%.60s)", what, smc_status_name(status), s->log);
    t->commands++;
    if (s->reply_len != expected_len || memcmp(s->reply, expected, expected_len) != 0)
        return fail(t, "%s: another answer, of %u bytes", what, s->reply_len);
    return true;
}

/* The commands that the card has had are those that it was sent, once each. */
static bool counted_right(struct trial *t)
{
    static const uint8_t count[] = {0x80, 0xE8, 0x00, 0x00, 0x04};
    uint32_t n = t->commands + 1;
    const uint8_t expected[] = {
        (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 0x90, 0x00,
    };

    return answers(t, "count of commands", count, sizeof(count), expected,
                   sizeof(expected));
}

static bool short_commands(struct trial *t)
{
    static const struct {
        const char *what;
        uint8_t len, apdu[16];
        uint8_t expected_len, expected[16];
    } cases[] = {
        {"case 1", 4, {0x80, 0xE6, 0x00, 0x00}, 2, {0x69, 0x82}},
        {"case 2",
         5,
         {0x00, 0xB0, 0x00, 0x00, 0x08},
         10,
         {0, 1, 2, 3, 4, 5, 6, 7, 0x90, 0x00}},
        {"case 3", 7, {0x00, 0xA4, 0x00, 0x00, 0x02, 0x3F, 0x00}, 2, {0x90, 0x00}},
        {"case 3, an error",
         7,
         {0x00, 0xA4, 0x04, 0x00, 0x02, 0x11, 0x22},
         2,
         {0x6A, 0x82}},
        {"case 4",
         10,
         {0x80, 0xE0, 0x00, 0x00, 0x04, 0xDE, 0xAD, 0xBE, 0xEF, 0x00},
         6,
         {0xDE, 0xAD, 0xBE, 0xEF, 0x90, 0x00}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!answers(t, cases[i].what, cases[i].apdu, cases[i].len, cases[i].expected,
                     cases[i].expected_len))
            return false;
    }
    return counted_right(t);
}

static bool long_echo(struct trial *t)
{
    static uint8_t apdu[7 + TRIAL_ECHO_LEN + 2], expected[TRIAL_ECHO_LEN + 2];
    static const uint8_t header[7] = {
        0x80, 0xE0, 0x00, 0x00, 0x00, TRIAL_ECHO_LEN >> 8, TRIAL_ECHO_LEN & 0xFF,
    };
    struct station *s = &t->station;
    const char *reason;
    NTSTATUS status,
        expected_status = expected_of_echo(&s->device->desc, t->protocol, &reason);

    memcpy(apdu, header, sizeof(header));
    for (size_t i = 0; i < TRIAL_ECHO_LEN; i++)
        apdu[sizeof(header) + i] = expected[i] = (uint8_t)(i * 7 + i / 251 + t->slot);
    expected[TRIAL_ECHO_LEN] = 0x90;
    expected[TRIAL_ECHO_LEN + 1] = 0x00;
    if (expected_status == STATUS_SUCCESS)
        return answers(t, "ECHO", apdu, sizeof(apdu), expected, sizeof(expected)) &&
               counted_right(t);
    status = station_apdu(s, t->slot, t->protocol, apdu, sizeof(apdu));
    if (status != expected_status)
        return fail(t, "ECHO: %s in place of %s", smc_status_name(status),
                    smc_status_name(expected_status));
    t->result->outcome = TRIAL_REFUSED;
    t->result->status = status;
    t->result->reason = reason;
    return counted_right(t); /* the card has seen nothing of it */
}

/* ---- cards ---------------------------------------------------------------------------
 */

static bool connect(struct trial *t, ULONG mask)
{
    struct station *s = &t->station;
    const struct ccid_virtual_card *card = &s->reader->slots[t->slot].card;
    NTSTATUS status = station_power(s, t->slot, SCARD_COLD_RESET);

    t->protocol = mask;
    t->commands = 0;
    if (status != STATUS_SUCCESS)
        return fail(t, "power: %s (%.60s)", smc_status_name(status), s->log);
    if (s->reply_len != card->atr_len || memcmp(s->reply, card->atr, card->atr_len) != 0)
        return fail(t, "power: another ATR, of %u bytes", s->reply_len);
    status = station_set_protocol(s, t->slot, mask, &t->protocol);
    if (status != STATUS_SUCCESS)
        return fail(t, "protocol: %s (%.60s)", smc_status_name(status), s->log);
    if ((t->protocol & mask) == 0 || station_state(s, t->slot) != SCARD_SPECIFIC)
        return fail(t, "protocol: none is selected");
    return true;
}

/* All slots get their card ready before the first of them gets a command. */
static bool run_slots(struct trial *t, ULONG mask)
{
    ULONG protocols[CCID_VIRTUAL_SLOTS_MAX];

    for (t->slot = 0; t->slot < t->result->slots; t->slot++) {
        if (!connect(t, mask))
            return false;
        protocols[t->slot] = t->protocol;
    }
    for (t->slot = 0; t->slot < t->result->slots; t->slot++) {
        t->protocol = protocols[t->slot];
        t->commands = 0;
        if (!short_commands(t) || !long_echo(t))
            return false;
    }
    return true;
}

static bool run_protocols(struct trial *t)
{
    const struct ccid_desc *desc = &t->station.device->desc;
    ULONG both = SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1;
    ULONG offered = desc->protocols & both;

    if (!host_chooses(desc))
        return run_slots(t, both);
    if (offered == 0)
        offered = both; /* the reader says nothing: what the card offers */
    return ((offered & SCARD_PROTOCOL_T1) == 0 || run_slots(t, SCARD_PROTOCOL_T1)) &&
           ((offered & SCARD_PROTOCOL_T0) == 0 || run_slots(t, SCARD_PROTOCOL_T0));
}

void trial_run(const struct row *row, struct trial_result *result)
{
    static struct trial t;
    NTSTATUS status;

    *result = (struct trial_result){.outcome = TRIAL_PASSED};
    t.row = row;
    t.result = result;
    status = station_begin(&t.station, &row->model.shape);
    if (status != STATUS_SUCCESS) {
        result->outcome = TRIAL_FAILED;
        snprintf(result->problem, sizeof(result->problem),
                 "it does not start: %s (%.60s)", smc_status_name(status), t.station.log);
        return;
    }
    result->slots = t.station.device->desc.slot_count;
    (void)run_protocols(&t);
    result->exchanges = t.station.tap.outs + t.station.tap.controls;
    station_end(&t.station);
}
