/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_rate.c - clock and data rate of the virtual reader: what it can, and what is in
 * force. Readers with automatic clock or baud rate change follow the parameters; others
 * stay at the default until SetDataRateAndClockFrequency (CCID 1.1 §6.1.14), and are not
 * understood by a card that has been told to speak faster.
 */
#include "ccid/virtual_internal.h"

#define FIDI_DEFAULT     0x11
#define CLOCK_STOP       0x00000100u /* dwFeatures */
#define TOLERANCE_BPS    2           /* lists are rounded up, down, and to nearest */
#define RATE_DATA_LENGTH 8

/* ISO/IEC 7816-3:2006 tables 7 and 8; 0: reserved. */
static const uint16_t fi[16] = {372, 372, 558, 744,  1116, 1488, 1860, 0,
                                0,   512, 768, 1024, 1536, 2048, 0,    0};
static const uint8_t di[16] = {0, 1, 2, 4, 8, 16, 32, 64, 12, 20};

/* 0 for reserved values. */
static uint32_t rate_of(uint32_t clock_khz, uint8_t fidi)
{
    uint16_t f = fi[fidi >> 4];

    return f == 0 ? 0 : (uint32_t)((uint64_t)clock_khz * 1000 * di[fidi & 15] / f);
}

static bool near(uint32_t a, uint32_t b)
{
    return (a > b ? a - b : b - a) <= TOLERANCE_BPS;
}

/* Nobody but the host sets the rate. */
static bool is_manual(const struct ccid_virtual_shape *shape)
{
    return (shape->features & (CCID_FEATURE_AUTO_CLOCK | CCID_FEATURE_AUTO_BAUD |
                               CCID_FEATURE_AUTO_NEGOTIATE)) == 0;
}

static bool has_rate_list(const struct ccid_virtual_shape *shape)
{
    return shape->data_rate_count > 0 && shape->rate_list_length > 0;
}

bool virtual_rate_offered(const struct ccid_virtual_shape *shape, uint8_t fidi)
{
    uint32_t rate = rate_of(shape->default_clock_khz, fidi);

    if (fidi == FIDI_DEFAULT)
        return true;
    if (rate == 0 || rate > shape->maximum_data_rate_bps + (uint64_t)TOLERANCE_BPS)
        return false;
    if (!has_rate_list(shape))
        return true;
    for (size_t i = 0; i < shape->rate_list_length; i++) {
        if (near(shape->rates_bps[i], rate))
            return true;
    }
    return false;
}

void virtual_rate_reset(const struct ccid_virtual_shape *shape, struct virtual_slot *slot)
{
    slot->clock_khz = shape->default_clock_khz;
    slot->rate_bps = rate_of(shape->default_clock_khz, FIDI_DEFAULT);
}

uint8_t virtual_rate_fidi(const struct ccid_virtual_shape *shape,
                          const struct virtual_slot *slot)
{
    uint8_t fidi = slot->parameters[0];

    if (!is_manual(shape))
        return fidi;
    return near(rate_of(slot->clock_khz, fidi), slot->rate_bps) ? fidi : 0;
}

/* ---- SetDataRateAndClockFrequency ---------------------------------------------------
 */

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

/* The clock that was asked for if the reader has it, else its default. */
static uint32_t usable_clock(const struct ccid_virtual_shape *shape, uint32_t khz)
{
    if (khz < shape->default_clock_khz || khz > shape->maximum_clock_khz)
        return shape->default_clock_khz;
    if (shape->clock_count == 0 || shape->clock_list_length == 0)
        return khz;
    for (size_t i = 0; i < shape->clock_list_length; i++) {
        if (shape->clocks_khz[i] == khz)
            return khz;
    }
    return shape->default_clock_khz;
}

/* The fastest rate that is not above the one asked for. */
static uint32_t usable_rate(const struct ccid_virtual_shape *shape, uint32_t bps)
{
    uint32_t best = 0;

    if (bps > shape->maximum_data_rate_bps)
        bps = shape->maximum_data_rate_bps;
    if (!has_rate_list(shape))
        return bps;
    for (size_t i = 0; i < shape->rate_list_length; i++) {
        uint32_t rate = shape->rates_bps[i];

        if (rate <= bps + (uint64_t)TOLERANCE_BPS && rate > best)
            best = rate;
    }
    return best != 0 ? best : shape->data_rate_bps;
}

void virtual_rate_set(struct virtual_request *request)
{
    const struct ccid_virtual_shape *shape = &request->reader->shape;
    struct virtual_slot *slot = request->slot;

    if (!is_manual(shape)) {
        virtual_failed(request, CCID_ERROR_NOT_SUPPORTED);
        return;
    }
    if (request->data_len != RATE_DATA_LENGTH) {
        virtual_failed(request, VIRTUAL_AT_LENGTH);
        return;
    }
    slot->clock_khz = usable_clock(shape, get32(request->data));
    slot->rate_bps = usable_rate(shape, get32(request->data + 4));
    put32(slot->response, slot->clock_khz);
    put32(slot->response + 4, slot->rate_bps);
    virtual_done(request, 0, RATE_DATA_LENGTH);
}

/* ---- IccClock ------------------------------------------------------------------------
 */

/* A card whose clock is stopped hears nothing until it runs again, or a reset. */
void virtual_rate_clock(struct virtual_request *request)
{
    uint8_t command = request->header[7]; /* 0: restart, 1: stop */

    if ((request->reader->shape.features & CLOCK_STOP) == 0)
        virtual_failed(request, CCID_ERROR_NOT_SUPPORTED);
    else if (command > 1)
        virtual_failed(request, VIRTUAL_AT_BYTE_7);
    else if (!request->slot->active)
        virtual_failed(request, CCID_ERROR_MUTE);
    else {
        request->slot->clock_stopped = command == 1;
        virtual_done(request, command, 0); /* bClockStatus: 1 is stopped low */
    }
}
