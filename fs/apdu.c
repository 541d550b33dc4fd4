/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apdu.c - a command APDU over T=0 (ISO/IEC 7816-3 §12.2): T=0 moves data one way per
 * exchange and at most 256 bytes, so an APDU may take several.
 *
 * COMMAND sends it as it is, without Le behind data. ENVELOPE (7816-4 §7.6.2) carries
 * what is longer than 255 bytes, header included. GET RESPONSE (§7.6.1) fetches what 61xx
 * promises, or what a command with data and Le leaves behind 9000 or a warning.
 *
 * Bounds: 512 GET RESPONSEs, two of them without data, one correction of P3 by 6Cxx for
 * each TPDU, and never more data than Le.
 *
 * Only the card's transparent exchanges are repeated (6Cxx, which says that nothing was
 * done): a command is never sent twice.
 */
#include "fs/apdu.h"

#include <errno.h>
#include <string.h>

#define HEADER_LEN       4
#define SHORT_LC_MAX     255
#define SHORT_LE_MAX     256
#define INS_GET_RESPONSE 0xc0
#define INS_ENVELOPE     0xc2
#define EMPTY_MAX        2

static uint32_t two_bytes(const uint8_t *bytes)
{
    return (uint32_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t or_max(uint32_t le, uint32_t max)
{
    return le == 0 ? max : le;
}

static int split_extended(const uint8_t *c, size_t len, struct scfs_apdu_parts *parts)
{
    if (len == 7) {
        parts->le = or_max(two_bytes(c + 5), 65536);
        return 0;
    }
    parts->lc = two_bytes(c + 5);
    parts->data = c + 7;
    if (parts->lc == 0)
        return -EINVAL;
    if (len == 7 + (size_t)parts->lc)
        return 0;
    if (len != 9 + (size_t)parts->lc)
        return -EINVAL;
    parts->le = or_max(two_bytes(c + len - 2), 65536);
    return 0;
}

int scfs_apdu_split(const uint8_t *command, size_t len, struct scfs_apdu_parts *parts)
{
    *parts = (struct scfs_apdu_parts){0};
    if (len < HEADER_LEN)
        return -EINVAL;
    if (len == HEADER_LEN)
        return 0;
    if (len == 5) {
        parts->le = or_max(command[4], SHORT_LE_MAX);
        return 0;
    }
    if (command[4] == 0)
        return len >= 7 ? split_extended(command, len, parts) : -EINVAL;
    parts->lc = command[4];
    parts->data = command + 5;
    if (len == 5 + (size_t)parts->lc)
        return 0;
    if (len != 6 + (size_t)parts->lc)
        return -EINVAL;
    parts->le = or_max(command[len - 1], SHORT_LE_MAX);
    return 0;
}

int scfs_apdu_begin(struct scfs_apdu *apdu, const uint8_t *command, size_t len,
                    uint8_t *answer)
{
    struct scfs_apdu_parts parts;
    int error = scfs_apdu_split(command, len, &parts);

    if (error != 0)
        return error;
    *apdu = (struct scfs_apdu){
        .command = command,
        .len = len,
        .parts = parts,
        .answer = answer,
        .state = parts.lc > SHORT_LC_MAX ? SCFS_APDU_ENVELOPE : SCFS_APDU_COMMAND,
        .p3 = (uint8_t)(parts.lc != 0              ? parts.lc
                        : parts.le <= SHORT_LE_MAX ? parts.le
                                                   : 0),
    };
    return 0;
}

/* Data that may still be returned. */
static uint32_t wanted(const struct scfs_apdu *apdu)
{
    return apdu->parts.le - (uint32_t)apdu->answer_len;
}

/* §5.4.1: the chaining bit of an interindustry class is the command's own; secure
 * messaging and channel are kept. */
static uint8_t transport_class(const struct scfs_apdu *apdu)
{
    uint8_t cla = apdu->command[0];

    return cla & 0x80 ? cla : (uint8_t)(cla & ~0x10);
}

size_t scfs_apdu_next(struct scfs_apdu *apdu, uint8_t tpdu[SCFS_TPDU_MAX])
{
    size_t left = apdu->len - apdu->sent;

    switch (apdu->state) {
    case SCFS_APDU_GET_RESPONSE:
        tpdu[0] = transport_class(apdu);
        tpdu[1] = INS_GET_RESPONSE;
        tpdu[2] = tpdu[3] = 0;
        tpdu[4] = apdu->p3;
        return 5;
    case SCFS_APDU_ENVELOPE:
        apdu->sending = left < SHORT_LC_MAX ? left : SHORT_LC_MAX;
        tpdu[0] = transport_class(apdu);
        tpdu[1] = INS_ENVELOPE;
        tpdu[2] = tpdu[3] = 0;
        tpdu[4] = (uint8_t)apdu->sending;
        memcpy(tpdu + 5, apdu->command + apdu->sent, apdu->sending);
        return 5 + apdu->sending;
    case SCFS_APDU_COMMAND:
        break;
    }
    memcpy(tpdu, apdu->command, HEADER_LEN);
    tpdu[4] = apdu->p3;
    if (apdu->parts.lc != 0)
        memcpy(tpdu + 5, apdu->parts.data, apdu->parts.lc);
    return 5 + apdu->parts.lc;
}

static int finish(struct scfs_apdu *apdu, uint8_t sw1, uint8_t sw2)
{
    apdu->answer[apdu->answer_len++] = sw1;
    apdu->answer[apdu->answer_len++] = sw2;
    return 0;
}

/* available: what the card says it has, 1 ... 256. */
static int get_response(struct scfs_apdu *apdu, uint32_t available)
{
    uint32_t part = available < wanted(apdu) ? available : wanted(apdu);

    apdu->state = SCFS_APDU_GET_RESPONSE;
    apdu->get_responses++;
    apdu->corrected = false;
    apdu->p3 = (uint8_t)part; /* 256 is 00 */
    return 1;
}

static bool is_warning(uint8_t sw1)
{
    return sw1 == 0x62 || sw1 == 0x63;
}

/* P3 was wrong and nothing was done: once more with the card's own, if it is sensible. */
static bool may_correct(const struct scfs_apdu *apdu, uint8_t sw1)
{
    return sw1 == 0x6c && !apdu->corrected &&
           (apdu->state == SCFS_APDU_GET_RESPONSE || apdu->parts.lc == 0) &&
           apdu->parts.le != 0;
}

static int command_done(struct scfs_apdu *apdu, uint8_t sw1, uint8_t sw2)
{
    if (sw1 == 0x61 && wanted(apdu) != 0)
        return get_response(apdu, or_max(sw2, SHORT_LE_MAX));
    /* With data both ways, the answer waits in the card. */
    if (apdu->parts.lc != 0 && wanted(apdu) != 0 &&
        ((sw1 == 0x90 && sw2 == 0x00) || is_warning(sw1))) {
        apdu->sw1 = sw1;
        apdu->sw2 = sw2;
        apdu->keep_sw = is_warning(sw1);
        apdu->asked_blindly = true;
        return get_response(apdu, SHORT_LE_MAX);
    }
    return finish(apdu, sw1, sw2);
}

static int response_done(struct scfs_apdu *apdu, uint8_t sw1, uint8_t sw2, size_t got)
{
    bool first = apdu->asked_blindly;

    apdu->asked_blindly = false;
    if (first && got == 0 && (sw1 & 0xf0) == 0x60 && sw1 != 0x61 && !is_warning(sw1))
        return finish(apdu, apdu->sw1, apdu->sw2); /* there was nothing to fetch */
    if (sw1 == 0x61 && wanted(apdu) != 0 &&
        apdu->get_responses < SCFS_GET_RESPONSES_MAX) {
        apdu->empty += got == 0;
        if (apdu->empty < EMPTY_MAX)
            return get_response(apdu, or_max(sw2, SHORT_LE_MAX));
    }
    if (apdu->keep_sw && sw1 == 0x90)
        return finish(apdu, apdu->sw1, apdu->sw2);
    return finish(apdu, sw1, sw2);
}

int scfs_apdu_take(struct scfs_apdu *apdu, const uint8_t *answer, size_t len)
{
    size_t data_len, take;
    uint8_t sw1, sw2;

    if (len < 2 || len - 2 > SHORT_LE_MAX)
        return -EPROTO;
    data_len = len - 2;
    sw1 = answer[len - 2];
    sw2 = answer[len - 1];

    if (apdu->state == SCFS_APDU_ENVELOPE) {
        apdu->sent += apdu->sending;
        if (apdu->sent < apdu->len)
            return sw1 == 0x90 && sw2 == 0x00 ? 1 : finish(apdu, sw1, sw2);
        return command_done(apdu, sw1, sw2);
    }
    if (data_len == 0 && may_correct(apdu, sw1)) {
        apdu->corrected = true;
        apdu->p3 = sw2;
        return 1;
    }
    take = data_len < wanted(apdu) ? data_len : wanted(apdu);
    memcpy(apdu->answer + apdu->answer_len, answer, take);
    apdu->answer_len += take;
    if (apdu->state == SCFS_APDU_GET_RESPONSE)
        return response_done(apdu, sw1, sw2, data_len);
    return command_done(apdu, sw1, sw2);
}
