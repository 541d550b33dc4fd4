/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * atr.c - RDF_ATR_PARSE: a second chance for an ATR that the library refuses.
 *
 * Genuine cards are in the field with a wrong or missing check character, and with a
 * reserved Fi or Di in TA1. Both are used, the latter at the default rate, with a line
 * in the log; everything else that is wrong with an ATR stays wrong. ISO/IEC 7816-3
 * §8.2.
 */
#include "ccid/slot.h"

#include <string.h>

#define TA 0x10
#define TB 0x20
#define TC 0x40
#define TD 0x80

#define GROUPS_MAX 8 /* no card has more */

static bool strict_atr;

void ccid_set_strict_atr(bool strict)
{
    strict_atr = strict;
}

/* The characters, and where reading them has come to. */
struct reading {
    const uint8_t *bytes;
    size_t len;
    size_t at;
    bool short_of_bytes;
};

static uint8_t take(struct reading *r)
{
    if (r->at >= r->len) {
        r->short_of_bytes = true;
        return 0;
    }
    return r->bytes[r->at++];
}

/* Interface bytes of group 1: global. */
static void first_group(struct reading *r, uint8_t y, SCARD_CARD_CAPABILITIES *card,
                        bool *reserved_rate)
{
    if ((y & TA) != 0) {
        uint8_t ta1 = take(r);

        card->Fl = ta1 >> 4;
        card->Dl = ta1 & 0x0F;
        if (card->ClockRateConversion[card->Fl].F == 0 ||
            card->BitRateAdjustment[card->Dl].DNumerator == 0) {
            *reserved_rate = true;
            card->Fl = card->Dl = 1;
        }
    }
    if ((y & TB) != 0)
        (void)take(r); /* programming voltage: no card of today has one */
    if ((y & TC) != 0)
        card->N = take(r);
}

/* Group 2: TA2 is the specific mode, TC2 belongs to T=0. */
static void second_group(struct reading *r, uint8_t y, SCARD_CARD_CAPABILITIES *card)
{
    if ((y & TA) != 0) {
        uint8_t ta2 = take(r);

        card->SpecificMode = TRUE;
        card->ImplicitParameters = (ta2 & 0x10) != 0;
        card->FirstProtocol = ta2 & 0x0F;
    }
    if ((y & TB) != 0)
        (void)take(r);
    if ((y & TC) != 0)
        card->T0.WI = take(r);
}

/* Later groups: the first of each kind after T=1 or T=15 counts. */
static void later_group(struct reading *r, uint8_t y, uint8_t protocol,
                        unsigned int *seen, SCARD_CARD_CAPABILITIES *card)
{
    uint8_t fresh = (uint8_t)(y & ~*seen);

    if ((y & TA) != 0) {
        uint8_t ta = take(r);

        if (protocol == 1 && (fresh & TA) != 0 && ta != 0 && ta != 0xFF)
            card->T1.IFSC = ta;
        if (protocol == 15 && card->ClassAndStop == 0)
            card->ClassAndStop = ta;
    }
    if ((y & TB) != 0) {
        uint8_t tb = take(r);

        if (protocol == 1 && (fresh & TB) != 0) {
            card->T1.CWI = tb & 0x0F;
            card->T1.BWI = tb >> 4;
        }
    }
    if ((y & TC) != 0) {
        uint8_t tc = take(r);

        if (protocol == 1 && (fresh & TC) != 0)
            card->T1.EDC = tc & T1_CRC_CHECK;
    }
    if (protocol == 1)
        *seen |= y;
}

static ULONG protocol_mask(uint8_t protocol)
{
    return protocol == 0   ? SCARD_PROTOCOL_T0
           : protocol == 1 ? SCARD_PROTOCOL_T1
                           : SCARD_PROTOCOL_UNDEFINED;
}

/* NULL: readable. Otherwise the reason why it is not. *check: a TCK is due. */
static const char *read_atr(struct reading *r, SCARD_CARD_CAPABILITIES *card, bool *check,
                            bool *reserved_rate)
{
    uint8_t t0, y, protocol = 0;
    unsigned int seen = 0;
    int group;

    card->InversConvention = take(r) == 0x3F;
    t0 = take(r);
    y = t0;
    card->Protocol.Supported = 0;
    for (group = 1; group <= GROUPS_MAX; group++) {
        if (group == 1)
            first_group(r, y, card, reserved_rate);
        else if (group == 2)
            second_group(r, y, card);
        else
            later_group(r, y, protocol, &seen, card);
        if ((y & TD) == 0)
            break;
        y = take(r);
        protocol = y & 0x0F;
        if (group == 1 && !card->SpecificMode)
            card->FirstProtocol = protocol;
        card->Protocol.Supported |= protocol_mask(protocol);
        if (protocol != 0)
            *check = true;
    }
    if (group > GROUPS_MAX)
        return "too many interface bytes";
    if (group == 1)
        card->Protocol.Supported = SCARD_PROTOCOL_T0; /* no TD1 */
    card->HistoricalChars.Length = t0 & 0x0F;
    for (uint8_t i = 0; i < card->HistoricalChars.Length; i++)
        card->HistoricalChars.Buffer[i] = take(r);
    if (r->short_of_bytes)
        return "it ends too early";
    if (card->Protocol.Supported == 0)
        return "it offers neither T=0 nor T=1";
    return NULL;
}

static bool checksum_is_right(const struct reading *r)
{
    uint8_t sum = 0;

    if (r->at >= r->len)
        return false;
    for (size_t i = 1; i <= r->at; i++)
        sum ^= r->bytes[i];
    return sum == 0;
}

NTSTATUS ccid_card_parse_atr(PSMARTCARD_EXTENSION ext)
{
    SCARD_CARD_CAPABILITIES *card = &ext->CardCapabilities;
    struct ccid_slot *slot = ccid_slot_of(ext);
    uint8_t bytes[SCARD_ATR_LENGTH];
    struct reading r = {.bytes = bytes, .len = card->ATR.Length};
    bool check = false, reserved_rate = false;
    const char *problem;

    if (strict_atr || r.len < 2 || r.len > sizeof(bytes))
        return STATUS_UNRECOGNIZED_MEDIA;
    memcpy(bytes, card->ATR.Buffer, r.len); /* decoded, whatever the convention */
    if (bytes[0] != 0x3B && bytes[0] != 0x3F)
        return STATUS_UNRECOGNIZED_MEDIA;

    problem = read_atr(&r, card, &check, &reserved_rate);
    if (problem != NULL) {
        SmcLog(slot->object, STATUS_UNRECOGNIZED_MEDIA, "ATR: %s", problem);
        return STATUS_UNRECOGNIZED_MEDIA;
    }
    if (reserved_rate)
        SmcLog(slot->object, STATUS_SUCCESS, "ATR: reserved TA1, used as 11h");
    if (check && !checksum_is_right(&r))
        SmcLog(slot->object, STATUS_SUCCESS, "ATR: %s check character, ignored",
               r.at < r.len ? "wrong" : "missing");
    return STATUS_SUCCESS;
}
