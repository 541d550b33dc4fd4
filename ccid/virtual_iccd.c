/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_iccd.c - the virtual reader as a token without bulk endpoints (USB ICCD 1.0).
 *
 * Inside it is the reader that it is otherwise: a request becomes a message to it, and
 * its answer waits in the queue until DATA_BLOCK fetches it. Version B hands answers out
 * as they are. Version A takes a T=0 command in parts, header first, and hands out data
 * and SW1 SW2 one after the other; its status byte says what is next.
 *
 * A request that cannot be at this point is stalled: a second command before the answer
 * to the first has been fetched, data where none is due, a request of the other version.
 * Power on and power off end everything, whatever is going on.
 */
#include "ccid/virtual_internal.h"

#include <string.h>

#define TO_INTERFACE   0x21
#define FROM_INTERFACE 0xA1

#define ICC_POWER_ON   0x62
#define ICC_POWER_OFF  0x63
#define XFR_BLOCK      0x65
#define DATA_BLOCK     0x6F
#define SLOT_STATUS    0x81
#define GET_ICC_STATUS 0xA0

/* bResponseType of version B, beside the chaining. */
#define TYPE_FAILED 0x40
#define TYPE_POLL   0x80

/* The status byte of version A. */
#define STATUS_IDLE 0x00
#define STATUS_DATA 0x10
#define STATUS_SW   0x20
#define STATUS_BUSY 0x40
#define STATUS_MUTE 0x80

#define HEADER       5 /* CLA INS P1 P2 P3 */
#define STATUS_WORD  2
#define POLL_UNIT_MS 10 /* of wDelayTime */

struct control {
    struct ccid_virtual_reader *reader;
    struct virtual_slot *slot; /* the only one */
    struct virtual_iccd *iccd;
    uint16_t value;
    uint8_t *data;
    size_t len; /* what is sent, or the room for an answer */
    size_t *done;
};

void virtual_iccd_shape(struct ccid_virtual_shape *shape)
{
    if (shape->transport == CCID_TRANSPORT_BULK)
        return;
    /* Nobody sets its parameters. */
    shape->features |=
        CCID_FEATURE_AUTO_NEGOTIATE | CCID_FEATURE_AUTO_CLOCK | CCID_FEATURE_AUTO_BAUD;
    if (shape->transport == CCID_TRANSPORT_ICCD_A)
        shape->level = CCID_LEVEL_TPDU;
    else if (shape->level == CCID_LEVEL_SHORT_APDU)
        shape->level = CCID_LEVEL_EXTENDED_APDU;
    /* Its requests have no header, but one byte of bResponseType. */
    if (shape->max_message_length > CCID_CONTROL_MAX - 1)
        shape->max_message_length = CCID_CONTROL_MAX - 1;
    shape->max_message_length += CCID_HEADER_LENGTH;
}

/* ---- to the reader inside --------------------------------------------------------- */

static void send(const struct control *c, uint8_t type, uint8_t byte_7, uint8_t byte_8,
                 const uint8_t *data, size_t len)
{
    uint8_t message[CCID_HEADER_LENGTH + CCID_CONTROL_MAX];

    ccid_msg_header(message, type, (uint32_t)len, 0, 0, byte_7, byte_8, 0);
    if (len > 0)
        memcpy(message + CCID_HEADER_LENGTH, data, len);
    c->reader->in_use = true;
    virtual_command_locked(c->reader, message, CCID_HEADER_LENGTH + len);
    explicit_bzero(message, CCID_HEADER_LENGTH + len);
}

/* The answer to the command, when there is one. Time extensions say nothing here. */
static const struct virtual_message *answer(const struct control *c)
{
    struct ccid_virtual_reader *reader = c->reader;

    virtual_tick_locked(reader, reader->clock->now_ms(reader->clock));
    while (reader->queue_count > 0 && !reader->queue[0].ends)
        virtual_pop_locked(reader);
    return reader->queue_count > 0 ? &reader->queue[0] : NULL;
}

static enum ccid_outcome outcome_of(const struct virtual_message *message)
{
    return (enum ccid_outcome)(message->header[7] >> 6);
}

/* Fills the room of the host as far as it goes; returns how much that was. */
static size_t give(const struct control *c, const uint8_t *bytes, size_t len)
{
    size_t n = len < c->len - *c->done ? len : c->len - *c->done;

    if (n > 0)
        memcpy(c->data + *c->done, bytes, n);
    *c->done += n;
    return n;
}

static bool take(const struct control *c)
{
    *c->done = c->len;
    return true;
}

static void forget(const struct control *c)
{
    virtual_reset_locked(c->reader);
    *c->iccd = (struct virtual_iccd){0};
}

static bool power_off(const struct control *c)
{
    forget(c);
    return c->len == 0;
}

/* ---- version B -------------------------------------------------------------------- */

static bool b_power_on(const struct control *c)
{
    if (c->len != 0)
        return false;
    forget(c);
    send(c, CCID_ICC_POWER_ON, (uint8_t)c->value, 0, NULL, 0);
    return true;
}

static bool b_xfr_block(const struct control *c)
{
    if (c->slot->busy || (c->value & 0xFF) != 0 || c->len > CCID_CONTROL_MAX)
        return false;
    send(c, CCID_XFR_BLOCK, 0, (uint8_t)(c->value >> 8), c->data, c->len);
    return take(c);
}

static bool b_poll(const struct control *c)
{
    uint64_t now = c->reader->clock->now_ms(c->reader->clock);
    uint64_t left_ms = c->slot->finish_ms > now ? c->slot->finish_ms - now : 0;
    uint64_t units = (left_ms + POLL_UNIT_MS - 1) / POLL_UNIT_MS;
    const uint8_t poll[3] = {TYPE_POLL, (uint8_t)units, (uint8_t)(units >> 8)};

    give(c, poll, sizeof(poll));
    return true;
}

static bool b_data_block(const struct control *c)
{
    const struct virtual_message *message = answer(c);

    if (message == NULL)
        return c->slot->busy && b_poll(c);
    if (outcome_of(message) == CCID_FAILED) {
        const uint8_t failed[3] = {TYPE_FAILED, message->header[7], message->header[8]};

        give(c, failed, sizeof(failed));
    } else {
        give(c, &message->header[9], 1); /* bChainParameter */
        give(c, message->data, message->data_len);
    }
    virtual_pop_locked(c->reader);
    return true;
}

static bool b_slot_status(const struct control *c)
{
    const uint8_t status[3] = {0,
                               !c->slot->present ? CCID_ICC_ABSENT
                               : c->slot->active ? CCID_ICC_ACTIVE
                                                 : CCID_ICC_INACTIVE,
                               0};

    give(c, status, sizeof(status));
    return true;
}

/* ---- version A -------------------------------------------------------------------- */

static bool a_power_on(const struct control *c)
{
    const struct virtual_message *message;
    bool powered;

    forget(c);
    send(c, CCID_ICC_POWER_ON, 1, 0, NULL, 0);
    message = answer(c);
    powered = message != NULL && outcome_of(message) == CCID_DONE;
    if (powered)
        give(c, message->data, message->data_len);
    virtual_pop_locked(c->reader);
    return powered;
}

/* The commands of the built-in card that bring data (virtual_card.h). A T=0 card knows
 * its own by their INS. */
static bool brings_data(const uint8_t *header)
{
    switch (header[1]) {
    case 0xA4: /* SELECT */
    case 0x20: /* VERIFY */
    case 0xC2: /* ENVELOPE */
    case 0xE0: /* ECHO */
    case 0x00:
        return header[4] != 0;
    default:
        return false;
    }
}

static bool a_xfr_block(const struct control *c)
{
    struct virtual_iccd *iccd = c->iccd;

    if (!c->slot->active || c->slot->busy)
        return false;
    if (iccd->header_in) {
        if (c->len != iccd->tpdu[4])
            return false;
        memcpy(iccd->tpdu + HEADER, c->data, c->len);
        iccd->header_in = false;
        send(c, CCID_XFR_BLOCK, 0, 0, iccd->tpdu, HEADER + c->len);
        explicit_bzero(iccd->tpdu, HEADER + c->len);
        return take(c);
    }
    if (c->len != HEADER)
        return false;
    iccd->given = 0;
    if (brings_data(c->data)) {
        memcpy(iccd->tpdu, c->data, HEADER);
        iccd->header_in = true;
    } else {
        send(c, CCID_XFR_BLOCK, 0, 0, c->data, HEADER);
    }
    return take(c);
}

/* What the host has not fetched of the data before SW1 SW2. */
static size_t data_left(const struct control *c, const struct virtual_message *message)
{
    return message->data_len - STATUS_WORD - c->iccd->given;
}

static bool a_status(const struct control *c)
{
    const struct virtual_message *message = answer(c);
    uint8_t status = STATUS_IDLE;

    if (!c->slot->present)
        status = STATUS_MUTE;
    else if (message != NULL && outcome_of(message) == CCID_FAILED)
        status = STATUS_MUTE; /* until it is switched off */
    else if (message != NULL)
        status = data_left(c, message) > 0 ? STATUS_DATA : STATUS_SW;
    else if (c->slot->busy)
        status = STATUS_BUSY;
    else if (c->iccd->header_in)
        status = STATUS_DATA;
    give(c, &status, 1);
    return true;
}

static bool a_data_block(const struct control *c)
{
    const struct virtual_message *message = answer(c);

    if (message == NULL || outcome_of(message) != CCID_DONE)
        return false;
    if (data_left(c, message) > 0) {
        size_t n = data_left(c, message);

        c->iccd->given += give(c, message->data + c->iccd->given, n);
        return true;
    }
    give(c, message->data + message->data_len - STATUS_WORD, STATUS_WORD);
    virtual_pop_locked(c->reader);
    return true;
}

/* ---- requests --------------------------------------------------------------------- */

static const struct request {
    enum ccid_transport transport;
    uint8_t type, request;
    bool (*run)(const struct control *c); /* false: stalled */
} requests[] = {
    {CCID_TRANSPORT_ICCD_A, FROM_INTERFACE, ICC_POWER_ON, a_power_on},
    {CCID_TRANSPORT_ICCD_A, TO_INTERFACE, ICC_POWER_OFF, power_off},
    {CCID_TRANSPORT_ICCD_A, TO_INTERFACE, XFR_BLOCK, a_xfr_block},
    {CCID_TRANSPORT_ICCD_A, FROM_INTERFACE, DATA_BLOCK, a_data_block},
    {CCID_TRANSPORT_ICCD_A, FROM_INTERFACE, GET_ICC_STATUS, a_status},
    {CCID_TRANSPORT_ICCD_B, TO_INTERFACE, ICC_POWER_ON, b_power_on},
    {CCID_TRANSPORT_ICCD_B, TO_INTERFACE, ICC_POWER_OFF, power_off},
    {CCID_TRANSPORT_ICCD_B, TO_INTERFACE, XFR_BLOCK, b_xfr_block},
    {CCID_TRANSPORT_ICCD_B, FROM_INTERFACE, DATA_BLOCK, b_data_block},
    {CCID_TRANSPORT_ICCD_B, FROM_INTERFACE, SLOT_STATUS, b_slot_status},
};

bool virtual_iccd_locked(struct ccid_virtual_reader *reader, uint8_t request_type,
                         uint8_t request, uint16_t value, uint8_t *data,
                         uint16_t data_len, size_t *done)
{
    const struct control c = {.reader = reader,
                              .slot = &reader->slots[0],
                              .iccd = &reader->iccd,
                              .value = value,
                              .data = data,
                              .len = data_len,
                              .done = done};

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (requests[i].transport == reader->shape.transport &&
            requests[i].type == request_type && requests[i].request == request)
            return requests[i].run(&c);
    }
    return false;
}
