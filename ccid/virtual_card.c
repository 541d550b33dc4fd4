/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_card.c - the built-in card; its commands are listed in virtual_card.h. */
#include "ccid/virtual_card.h"

#include <string.h>

#define PIN_TRIES 3
#define PIN_MIN   4

static const uint8_t builtin_atr[] = {0x3b, 0x88, 0x80, 0x01, 0x54, 0x45, 0x53,
                                      0x54, 0x42, 0x45, 0x44, 0x01, 0x5d};
static const uint8_t application_id[] = {0xf0, 0x54, 0x45, 0x53, 0x54, 0x42, 0x45, 0x44};
static const uint8_t master_file[] = {0x3f, 0x00};
static const uint8_t first_pin[] = {0x31, 0x32, 0x33, 0x34, 0x35, 0x36};

/* An APDU taken apart (ISO 7816-4 §5.1). */
struct command {
    const uint8_t *data;
    uint32_t data_len; /* 0: no data field */
    uint32_t expected; /* Ne, 1 ... 65536; 0: no Le field */
};

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static bool parse(const uint8_t *apdu, size_t len, struct command *out)
{
    const uint8_t *body;
    size_t body_len;

    *out = (struct command){0};
    if (len < 4)
        return false;
    body = apdu + 4;
    body_len = len - 4;
    if (body_len == 0)
        return true;
    if (body_len == 1) {
        out->expected = body[0] == 0 ? 256 : body[0];
        return true;
    }
    if (body[0] != 0) { /* short Lc */
        out->data = body + 1;
        out->data_len = body[0];
        if (body_len == 1 + (size_t)out->data_len)
            return true;
        if (body_len != 2 + (size_t)out->data_len)
            return false;
        out->expected = body[body_len - 1] == 0 ? 256 : body[body_len - 1];
        return true;
    }
    if (body_len < 3)
        return false;
    if (body_len == 3) { /* extended Le alone */
        out->expected = get16(body + 1) == 0 ? 65536 : get16(body + 1);
        return true;
    }
    out->data = body + 3;
    out->data_len = get16(body + 1);
    if (out->data_len == 0)
        return false;
    if (body_len == 3 + (size_t)out->data_len)
        return true;
    if (body_len != 5 + (size_t)out->data_len)
        return false;
    out->expected = get16(body + body_len - 2) == 0 ? 65536 : get16(body + body_len - 2);
    return true;
}

/* What a command answers: bytes already in the response, and the status word. */
struct answer {
    uint32_t len;
    uint16_t status_word;
};

static struct answer only(uint16_t status_word)
{
    return (struct answer){.status_word = status_word};
}

static struct answer pattern(uint8_t *response, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        response[i] = (uint8_t)i;
    return (struct answer){.len = len, .status_word = 0x9000};
}

static struct answer challenge(struct ccid_virtual_card *card, uint8_t *response,
                               uint32_t len)
{
    /* Not secret, only never twice the same: a linear congruential generator. */
    for (uint32_t i = 0; i < len; i++) {
        card->random_seed = card->random_seed * 1664525u + 1013904223u;
        response[i] = (uint8_t)(card->random_seed >> 24);
    }
    return (struct answer){.len = len, .status_word = 0x9000};
}

static struct answer select_file(uint32_t parameters, const struct command *command)
{
    if (command->data_len == 0)
        return only(0x6700);
    if (parameters == 0x0400)
        return only(command->data_len <= sizeof(application_id) &&
                            memcmp(command->data, application_id, command->data_len) == 0
                        ? 0x9000
                        : 0x6a82);
    return only(command->data_len == sizeof(master_file) &&
                        memcmp(command->data, master_file, sizeof(master_file)) == 0
                    ? 0x9000
                    : 0x6a82);
}

/* Whether the data begins with the card's PIN; a wrong one costs a try. */
static bool knows_pin(struct ccid_virtual_card *card, const uint8_t *pin, size_t len)
{
    card->pin_verified = false;
    if (card->pin_tries == 0)
        return false;
    if (len >= card->pin_len && memcmp(pin, card->pin, card->pin_len) == 0) {
        card->pin_tries = PIN_TRIES;
        return true;
    }
    card->pin_tries--;
    return false;
}

static struct answer wrong_pin(const struct ccid_virtual_card *card, bool was_blocked)
{
    return only(was_blocked ? 0x6983 : (uint16_t)(0x63c0 | card->pin_tries));
}

static struct answer verify(struct ccid_virtual_card *card, const struct command *command)
{
    bool blocked = card->pin_tries == 0;

    if (command->data_len == 0)
        return only(0x6700);
    if (!knows_pin(card, command->data,
                   command->data_len == card->pin_len ? card->pin_len : 0))
        return wrong_pin(card, blocked);
    card->pin_verified = true;
    return only(0x9000);
}

static struct answer change_pin(struct ccid_virtual_card *card,
                                const struct command *command)
{
    bool blocked = card->pin_tries == 0;
    size_t new_len = command->data_len - card->pin_len;

    if (command->data_len < card->pin_len + PIN_MIN || new_len > sizeof(card->pin))
        return only(0x6700);
    if (!knows_pin(card, command->data, command->data_len))
        return wrong_pin(card, blocked);
    memcpy(card->pin, command->data + card->pin_len, new_len);
    card->pin_len = new_len;
    return only(0x9000);
}

static struct answer echo(const struct command *command, uint8_t *response)
{
    uint32_t len = command->data_len;

    if (len == 0)
        return only(0x6700);
    if (command->expected != 0 && command->expected < len)
        len = command->expected;
    memcpy(response, command->data, len);
    return (struct answer){.len = len, .status_word = 0x9000};
}

static struct answer counter(const struct ccid_virtual_card *card,
                             const struct command *command, uint8_t *response)
{
    if (command->expected != 4)
        return only(0x6700);
    for (uint32_t i = 0; i < 4; i++)
        response[i] = (uint8_t)(card->apdu_count >> (24 - 8 * i));
    return (struct answer){.len = 4, .status_word = 0x9000};
}

static struct answer interindustry(struct ccid_virtual_card *card, uint8_t instruction,
                                   uint32_t parameters, const struct command *command,
                                   uint8_t *response)
{
    bool reads = command->data_len == 0 && command->expected != 0;

    switch (instruction) {
    case 0xa4:
        if (parameters == 0x0400 || parameters == 0x0000)
            return select_file(parameters, command);
        break;
    case 0x84:
        if (parameters == 0)
            return reads ? challenge(card, response, command->expected) : only(0x6700);
        break;
    case 0xca:
    case 0xb0:
        return reads ? pattern(response, command->expected) : only(0x6700);
    case 0x20:
        if (parameters == 0x0080)
            return verify(card, command);
        break;
    case 0x24:
        if (parameters == 0x0080)
            return change_pin(card, command);
        break;
    default:
        break;
    }
    return only(0x6d00);
}

static struct answer proprietary(struct ccid_virtual_card *card, uint8_t instruction,
                                 uint32_t parameters, const struct command *command,
                                 uint8_t *response, uint32_t *delay_ms)
{
    bool takes_data = command->data_len != 0;
    uint32_t len = parameters;

    switch (instruction) {
    case 0x00:
        card->mute =
            parameters == 0x0100 && command->data_len == 1 && command->data[0] == 0x11;
        break;
    case 0xe0:
        if (parameters == 0)
            return echo(command, response);
        break;
    case 0xe2:
        if (takes_data)
            return only(0x6700);
        if (command->expected != 0 && command->expected < len)
            len = command->expected;
        return pattern(response, len);
    case 0xe4:
        if (takes_data)
            return only(0x6700);
        *delay_ms = parameters;
        return only(0x9000);
    case 0xe6:
        if (parameters == 0) {
            if (takes_data)
                return only(0x6700);
            return only(card->pin_verified ? 0x9000 : 0x6982);
        }
        break;
    case 0xe8:
        if (parameters == 0)
            return takes_data ? only(0x6700) : counter(card, command, response);
        break;
    default:
        break;
    }
    return only(0x6d00);
}

bool ccid_virtual_card_init(struct ccid_virtual_card *card, const uint8_t *atr,
                            size_t atr_len)
{
    if (atr_len == 0) {
        atr = builtin_atr;
        atr_len = sizeof(builtin_atr);
    }
    if (atr_len < 2 || atr_len > CCID_VIRTUAL_ATR_MAX)
        return false;
    *card = (struct ccid_virtual_card){
        .atr_len = atr_len,
        .pin_tries = PIN_TRIES,
        .pin_len = sizeof(first_pin),
    };
    memcpy(card->pin, first_pin, sizeof(first_pin));
    memcpy(card->atr, atr, atr_len);
    return true;
}

void ccid_virtual_card_reset(struct ccid_virtual_card *card)
{
    card->pin_verified = false;
    card->mute = false;
    card->apdu_count = 0;
}

/* Interface bytes of one group: TA, TB, TC by the bits of the indicator before them. */
static void read_group(const uint8_t *bytes, unsigned group, uint8_t indicator,
                       bool *seen_t1, struct ccid_virtual_offer *offer)
{
    bool t1 = group > 2 && (indicator & 0x0f) == 1 && !*seen_t1;

    if ((indicator & 0x10) != 0) {
        uint8_t ta = *bytes++;

        if (group == 1)
            offer->fidi = ta;
        else if (group == 2) {
            offer->specific = true;
            offer->first = ta & 0x0f;
        } else if (t1)
            offer->ifsc = ta;
    }
    bytes += indicator >> 5 & 1;
    if ((indicator & 0x40) != 0 && t1)
        offer->crc = (*bytes & 1) != 0;
    *seen_t1 = *seen_t1 || t1;
}

void ccid_virtual_card_offer(const struct ccid_virtual_card *card,
                             struct ccid_virtual_offer *offer)
{
    uint8_t indicator = card->atr[1]; /* T0, then TDi: bits 5-8 say what follows */
    bool seen_t1 = false;
    size_t at = 2;

    *offer = (struct ccid_virtual_offer){.fidi = 0x11, .ifsc = 32};
    for (unsigned group = 1;; group++) {
        size_t next = at + (size_t)((indicator >> 4 & 1) + (indicator >> 5 & 1) +
                                    (indicator >> 6 & 1));

        if (next > card->atr_len)
            break;
        read_group(card->atr + at, group, indicator, &seen_t1, offer);
        if ((indicator & 0x80) == 0 || next >= card->atr_len)
            break;
        indicator = card->atr[next];
        at = next + 1;
        if ((indicator & 0x0f) < 2)
            offer->protocols |= 1u << (indicator & 0x0f);
        if (group == 1)
            offer->first = indicator & 0x0f;
    }
    if (offer->protocols == 0)
        offer->protocols = 1; /* without TD1 the card speaks T=0 */
}

uint32_t ccid_virtual_card_protocols(const struct ccid_virtual_card *card)
{
    struct ccid_virtual_offer offer;

    ccid_virtual_card_offer(card, &offer);
    return offer.protocols;
}

size_t ccid_virtual_card_apdu(struct ccid_virtual_card *card, const uint8_t *apdu,
                              size_t len, uint8_t *response, uint32_t *delay_ms)
{
    struct command command;
    struct answer answer;

    *delay_ms = 0;
    if (card->mute)
        return 0;
    card->apdu_count++;
    if (!parse(apdu, len, &command))
        answer = only(0x6700);
    else if (apdu[0] == 0x00)
        answer = interindustry(card, apdu[1], get16(apdu + 2), &command, response);
    else if (apdu[0] == 0x80)
        answer =
            proprietary(card, apdu[1], get16(apdu + 2), &command, response, delay_ms);
    else
        answer = only(0x6e00);
    if (card->mute)
        return 0;
    response[answer.len] = (uint8_t)(answer.status_word >> 8);
    response[answer.len + 1] = (uint8_t)answer.status_word;
    return answer.len + 2;
}
