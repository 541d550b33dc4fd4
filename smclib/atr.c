/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * atr.c - reads an answer to reset (ISO/IEC 7816-3 §8.2). Pure: bytes in, values out.
 * The walk is bounded by the 33 characters that an ATR may have.
 */
#include "internal.h"

#define TS_DIRECT  0x3B
#define TS_INVERSE 0x3F

#define HAS_TA 0x10u /* bits of Y in T0 and TDi */
#define HAS_TB 0x20u
#define HAS_TC 0x40u
#define HAS_TD 0x80u

#define T_GLOBAL 15u

#define TA2_CANNOT_CHANGE 0x80u
#define TA2_IMPLICIT      0x10u

#define BWI_MAX 9

/* ISO/IEC 7816-3 §8.3 table 7; {0, 0} is reserved. */
const CLOCK_RATE_CONVERSION smc_clock_rates[16] = {
    {372, 4000000},   {372, 5000000},   {558, 6000000},   {744, 8000000},
    {1116, 12000000}, {1488, 16000000}, {1860, 20000000}, {0, 0},
    {0, 0},           {512, 5000000},   {768, 7500000},   {1024, 10000000},
    {1536, 15000000}, {2048, 20000000}, {0, 0},           {0, 0},
};

/* ISO/IEC 7816-3 §8.3 table 8; {0, 0} is reserved. */
const BIT_RATE_ADJUSTMENT smc_bit_rates[16] = {
    {0, 0},  {1, 1},  {2, 1}, {4, 1}, {8, 1}, {16, 1}, {32, 1}, {64, 1},
    {12, 1}, {20, 1}, {0, 0}, {0, 0}, {0, 0}, {0, 0},  {0, 0},  {0, 0},
};

/* One group of interface characters: those behind T0 (number 1) or a TD. */
struct group {
    unsigned number;
    unsigned protocol; /* T of the TD in front; 0 for group 1 */
    bool has_ta, has_tb, has_tc, has_td;
    UCHAR ta, tb, tc, td;
};

static bool take(const UCHAR *atr, size_t len, size_t *at, bool announced, UCHAR *byte)
{
    if (!announced)
        return true;
    if (*at >= len)
        return false;
    *byte = atr[(*at)++];
    return true;
}

static bool group_read(struct group *group, unsigned y, const UCHAR *atr, size_t len,
                       size_t *at)
{
    group->has_ta = (y & HAS_TA) != 0;
    group->has_tb = (y & HAS_TB) != 0;
    group->has_tc = (y & HAS_TC) != 0;
    group->has_td = (y & HAS_TD) != 0;
    return take(atr, len, at, group->has_ta, &group->ta) &&
           take(atr, len, at, group->has_tb, &group->tb) &&
           take(atr, len, at, group->has_tc, &group->tc) &&
           take(atr, len, at, group->has_td, &group->td);
}

/* TA1, TB1, TC1. */
static void group_first(const struct group *group, struct smc_atr *out)
{
    static const UCHAR current_ma[4] = {25, 50, 100, 0};

    if (group->has_ta) {
        out->fl = group->ta >> 4;
        out->dl = group->ta & 0xF;
    }
    if (group->has_tb) {
        out->ii_ma = current_ma[group->tb >> 5 & 3];
        out->p = (UCHAR)((group->tb & 0x1F) * 10); /* PI1 is in volts */
    }
    if (group->has_tc)
        out->n = group->tc;
}

/* TA2, TB2, TC2. */
static void group_second(const struct group *group, struct smc_atr *out)
{
    if (group->has_ta) {
        out->specific = true;
        out->specific_protocol = group->ta & 0xF;
        out->implicit = (group->ta & TA2_IMPLICIT) != 0;
        out->can_change = (group->ta & TA2_CANNOT_CHANGE) == 0;
    }
    if (group->has_tb)
        out->p = group->tb; /* PI2, in 0.1 V */
    if (group->has_tc && group->tc != 0)
        out->wi = group->tc;
}

/* The first of each for T=1, and the first TA for T=15 (§8.3, §11.4). */
static void group_specific(const struct group *group, struct smc_atr *out,
                           struct group *seen)
{
    if (group->protocol == T_GLOBAL && group->has_ta && out->class_and_stop == 0)
        out->class_and_stop = group->ta;
    if (group->protocol != 1)
        return;
    if (group->has_ta && !seen->has_ta) {
        seen->has_ta = true;
        if (group->ta != 0x00 && group->ta != 0xFF)
            out->ifsc = group->ta;
    }
    if (group->has_tb && !seen->has_tb) {
        seen->has_tb = true;
        out->cwi = group->tb & 0xF;
        if (group->tb >> 4 <= BWI_MAX)
            out->bwi = group->tb >> 4;
    }
    if (group->has_tc && !seen->has_tc) {
        seen->has_tc = true;
        out->edc = group->tc & T1_CRC_CHECK;
    }
}

/* Walks all groups; tck_required is set when anything but T=0 is announced. */
static bool groups_walk(const UCHAR *atr, size_t len, size_t *at, struct smc_atr *out,
                        bool *tck_required)
{
    struct group group = {.number = 1};
    struct group seen = {0};
    unsigned y = atr[1];

    for (;;) {
        unsigned protocol;

        if (!group_read(&group, y, atr, len, at))
            return false;
        if (group.number == 1)
            group_first(&group, out);
        else if (group.number == 2)
            group_second(&group, out);
        else
            group_specific(&group, out, &seen);
        if (!group.has_td)
            break;
        protocol = group.td & 0xFu;
        if (group.number == 1)
            out->first_protocol = (UCHAR)protocol;
        if (protocol == 0)
            out->protocols |= SCARD_PROTOCOL_T0;
        else if (protocol == 1)
            out->protocols |= SCARD_PROTOCOL_T1;
        else if (protocol == T_GLOBAL)
            out->global = true;
        *tck_required = *tck_required || protocol != 0;
        y = group.td;
        group.protocol = protocol;
        group.number++;
    }
    if (group.number == 1) /* no TD: T=0 alone (§8.2.3) */
        out->protocols = SCARD_PROTOCOL_T0;
    return true;
}

/* XOR of T0 up to and including the byte before end. */
static UCHAR checksum(const UCHAR *atr, size_t end)
{
    UCHAR sum = 0;

    for (size_t i = 1; i < end; i++)
        sum ^= atr[i];
    return sum;
}

static const struct smc_atr defaults = {
    .fl = 1,
    .dl = 1,
    .ii_ma = 50,
    .p = 50,
    .wi = 10,
    .ifsc = T1_IFSD_DEFAULT,
    .cwi = T1_CWI_DEFAULT,
    .bwi = T1_BWI_DEFAULT,
};

NTSTATUS smc_atr_parse(const UCHAR *atr, size_t len, struct smc_atr *out)
{
    bool tck_required = false;
    size_t at = 2;

    *out = defaults;
    if (len < 2 || len > SCARD_ATR_LENGTH)
        return STATUS_UNRECOGNIZED_MEDIA;
    if (atr[0] != TS_DIRECT && atr[0] != TS_INVERSE)
        return STATUS_UNRECOGNIZED_MEDIA;
    out->inverse = atr[0] == TS_INVERSE;
    if (!groups_walk(atr, len, &at, out, &tck_required))
        return STATUS_UNRECOGNIZED_MEDIA;

    out->historical_at = (UCHAR)at;
    out->historical_len = atr[1] & 0xF;
    if (out->historical_len > len - at)
        return STATUS_UNRECOGNIZED_MEDIA;
    at += out->historical_len;
    /* TCK is the last character; behind an ATR without it anything may follow. */
    if (!tck_required)
        out->surplus = (UCHAR)(len - at);
    else if (at + 1 != len || checksum(atr, len) != 0)
        out->faults |= SMC_ATR_FAULT_TCK;
    if (smc_clock_rates[out->fl].F == 0 || smc_bit_rates[out->dl].DNumerator == 0) {
        out->faults |= SMC_ATR_FAULT_TA1;
        out->fl = out->dl = 1;
    }
    return STATUS_SUCCESS;
}
