/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_parameters.c - the protocol parameters of a slot of the virtual reader
 * (CCID 1.1 §6.1.5, §6.1.7 and §6.2.3), and what the reader does with them by itself:
 *
 *   02h  after a reset they are the card's
 *   40h  after a reset it has also agreed with the card on the best that both can, and
 *        nobody changes protocol and rate any more
 *   80h  SetParameters makes it agree with the card on what they say
 *   none the host has to agree with the card (PPS), then to say so
 */
#include "ccid/virtual_internal.h"

#include <string.h>

#define FIDI_DEFAULT 0x11
#define T0_LENGTH    5
#define T1_LENGTH    7
#define IFSD_MAX     254
#define T1_OVERHEAD  5 /* NAD, PCB, LEN, CRC */

static size_t length_of(uint8_t protocol)
{
    return protocol == 0 ? T0_LENGTH : T1_LENGTH;
}

static bool has(const struct ccid_virtual_reader *reader, uint32_t feature)
{
    return (reader->shape.features & feature) != 0;
}

/* Rows of dwProtocols that say neither are of readers that do both. */
static bool reader_speaks(const struct ccid_virtual_shape *shape, uint8_t protocol)
{
    return (shape->protocols & 3) == 0 || (shape->protocols >> protocol & 1) != 0;
}

static bool card_speaks(const struct virtual_slot *slot, uint8_t protocol)
{
    return (ccid_virtual_card_protocols(&slot->card) >> protocol & 1) != 0;
}

static void fill(struct virtual_slot *slot, uint8_t protocol, uint8_t fidi, bool of_card)
{
    const struct ccid_virtual_offer *offer = &slot->contact->offer;
    const uint8_t t0[T0_LENGTH] = {fidi, 0x00, 0x00, 0x0a, 0x00};
    const uint8_t t1[T1_LENGTH] = {
        fidi, (uint8_t)(of_card && offer->crc ? 0x11 : 0x10), 0x00, 0x4d,
        0x00, (uint8_t)(of_card ? offer->ifsc : 32),          0x00};

    slot->protocol = protocol;
    memcpy(slot->parameters, protocol == 0 ? t0 : t1, length_of(protocol));
}

/* The reader and the card agree on what the parameters say. */
static void agree(struct virtual_slot *slot)
{
    struct ccid_virtual_contact *contact = slot->contact;

    if (contact->fresh && !contact->offer.specific) {
        contact->protocol = slot->protocol;
        contact->fidi = slot->parameters[0];
    }
}

/* The best that reader and card can; the card's own choice counts first. */
static void negotiate(struct ccid_virtual_reader *reader, struct virtual_slot *slot)
{
    const struct ccid_virtual_offer *offer = &slot->contact->offer;
    uint8_t protocol = slot->contact->protocol;
    uint8_t other = protocol ^ 1;

    if (!offer->specific && !reader_speaks(&reader->shape, protocol) &&
        card_speaks(slot, other))
        protocol = other;
    fill(slot, protocol,
         virtual_rate_offered(&reader->shape, offer->fidi) ? offer->fidi : FIDI_DEFAULT,
         true);
    agree(slot);
    slot->contact->fresh = false;
}

void virtual_parameters_reset(struct ccid_virtual_reader *reader,
                              struct virtual_slot *slot)
{
    const struct ccid_virtual_contact *contact = slot->contact;
    bool of_card = has(reader, CCID_FEATURE_AUTO_PARAMETERS);

    virtual_rate_reset(&reader->shape, slot);
    if (has(reader, CCID_FEATURE_AUTO_NEGOTIATE))
        negotiate(reader, slot);
    else
        fill(slot, contact->protocol & 1, of_card ? contact->fidi : FIDI_DEFAULT,
             of_card);
}

static void answer(struct virtual_request *request)
{
    struct virtual_slot *slot = request->slot;
    size_t len = length_of(slot->protocol);

    memcpy(slot->response, slot->parameters, len);
    virtual_done(request, slot->protocol, len);
}

void virtual_parameters_get(struct virtual_request *request)
{
    if (!request->slot->present)
        virtual_failed(request, CCID_ERROR_MUTE);
    else
        answer(request);
}

void virtual_parameters_to_default(struct virtual_request *request)
{
    struct virtual_slot *slot = request->slot;

    if (!slot->present) {
        virtual_failed(request, CCID_ERROR_MUTE);
        return;
    }
    if (!has(request->reader, CCID_FEATURE_AUTO_NEGOTIATE))
        fill(slot, slot->contact->offer.first & 1, FIDI_DEFAULT, false);
    answer(request);
}

/* What SetParameters is refused with; 0: nothing. */
static uint8_t objection(const struct virtual_request *request)
{
    const struct ccid_virtual_shape *shape = &request->reader->shape;
    const struct virtual_slot *slot = request->slot;
    bool fixed = has(request->reader, CCID_FEATURE_AUTO_NEGOTIATE);
    uint8_t protocol = request->header[7];
    const uint8_t *data = request->data;

    if (protocol > 1 || !card_speaks(slot, protocol) || !reader_speaks(shape, protocol) ||
        (fixed && protocol != slot->protocol))
        return VIRTUAL_AT_BYTE_7;
    if (request->data_len != length_of(protocol))
        return VIRTUAL_AT_LENGTH;
    if (fixed ? data[0] != slot->parameters[0] : !virtual_rate_offered(shape, data[0]))
        return VIRTUAL_AT_PARAMETER_0;
    if (protocol == 0 ? (data[1] & 0xfd) != 0x00 : (data[1] & 0xfc) != 0x10)
        return VIRTUAL_AT_PARAMETER_1;
    return 0;
}

/* What it asks the card for in S(IFS request): no more than a message can bring. */
static uint8_t own_ifsd(const struct ccid_virtual_shape *shape)
{
    uint32_t room = virtual_message_limit(shape) - CCID_HEADER_LENGTH - T1_OVERHEAD;
    uint32_t ifsd =
        shape->max_ifsd == 0 || shape->max_ifsd > IFSD_MAX ? IFSD_MAX : shape->max_ifsd;

    return (uint8_t)(ifsd < room ? ifsd : room);
}

void virtual_parameters_set(struct virtual_request *request)
{
    struct virtual_slot *slot = request->slot;
    uint8_t error = slot->present ? objection(request) : CCID_ERROR_MUTE;

    if (error != 0) {
        virtual_failed(request, error);
        return;
    }
    slot->protocol = request->header[7];
    memcpy(slot->parameters, request->data, request->data_len);
    if (has(request->reader, CCID_FEATURE_AUTO_PPS))
        agree(slot);
    if (has(request->reader, CCID_FEATURE_AUTO_IFSD))
        slot->contact->t1.ifsd = own_ifsd(&request->reader->shape);
    answer(request);
}
