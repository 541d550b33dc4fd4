/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_tpdu.c - XfrBlock of the virtual reader at TPDU level (CCID 1.1 §3.2.1): the
 * time that the card may take, and what it says within it.
 */
#include "ccid/virtual_internal.h"

#include <string.h>

#define CLOCK_KHZ 4000 /* dwDefaultClock */

static const uint16_t clock_rates[16] = {372, 372, 558, 744,  1116, 1488, 1860, 372,
                                         372, 512, 768, 1024, 1536, 2048, 372,  372};

/* The waiting time of the parameters in force, rounded up: WT at T=0, BWT at T=1
 * (ISO/IEC 7816-3 §10.2, §11.4.3). */
uint32_t virtual_waiting_ms(const struct virtual_slot *slot)
{
    const uint8_t *parameters = slot->parameters;

    if (slot->protocol == 0)
        return parameters[3] * 960u * clock_rates[parameters[0] >> 4] / CLOCK_KHZ + 1;
    return (1u << (parameters[3] >> 4)) * 960u * 372u / CLOCK_KHZ + 1;
}

void virtual_later(struct ccid_virtual_reader *reader, struct virtual_slot *slot,
                   uint64_t ms, uint8_t error)
{
    slot->running = true;
    slot->finish_ms = reader->clock->now_ms(reader->clock) + ms;
    slot->extension_ms = CCID_CLOCK_NEVER;
    slot->finish_error = error;
}

void virtual_mute(struct ccid_virtual_reader *reader, uint8_t slot_index, uint8_t factor)
{
    struct virtual_slot *slot = &reader->slots[slot_index];

    virtual_later(reader, slot,
                  (uint64_t)virtual_waiting_ms(slot) * (factor == 0 ? 1 : factor),
                  CCID_ERROR_MUTE);
}

bool virtual_reader_negotiates(const struct ccid_virtual_shape *shape)
{
    return (shape->features & (CCID_FEATURE_AUTO_NEGOTIATE | CCID_FEATURE_AUTO_PPS)) != 0;
}

bool virtual_contact_hears(const struct ccid_virtual_reader *reader,
                           const struct virtual_slot *slot)
{
    return virtual_reader_negotiates(&reader->shape) ||
           (slot->contact->protocol == slot->protocol &&
            slot->contact->fidi == virtual_rate_fidi(&reader->shape, slot));
}

void virtual_tpdu_block(struct ccid_virtual_reader *reader, uint8_t slot_index,
                        uint8_t bwi, const uint8_t *data, size_t len)
{
    struct virtual_slot *slot = &reader->slots[slot_index];
    struct ccid_virtual_line line = {
        .protocol = slot->protocol,
        .fidi = virtual_rate_fidi(&reader->shape, slot),
    };

    virtual_forget_response(slot);
    slot->response_len =
        ccid_virtual_contact_exchange(slot->contact, &line, data, len, slot->response);
    if (slot->response_len == 0 || line.waits > (bwi == 0 ? 1 : bwi))
        virtual_mute(reader, slot_index, bwi);
    else if (line.waits > 0)
        virtual_later(reader, slot, (uint64_t)(virtual_waiting_ms(slot) - 1) * line.waits,
                      0);
    else
        virtual_work(reader, slot_index, line.delay_ms);
}
