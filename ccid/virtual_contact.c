/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_contact.c - the built-in card behind the contacts; see virtual_contact.h. */
#include "ccid/virtual_contact.h"

#include <string.h>

#define FIDI_DEFAULT     0x11
#define PPSS             0xFF
#define PPS_MAX          6
#define PCB              1
#define PCB_WTX_REQUEST  0xC3
#define PCB_WTX_RESPONSE 0xE3

static size_t execute(void *context, const uint8_t *command, size_t len, uint8_t *answer)
{
    struct ccid_virtual_contact *contact = context;

    return ccid_virtual_card_apdu(contact->card, command, len, answer,
                                  &contact->delay_ms);
}

void ccid_virtual_contact_reset(struct ccid_virtual_contact *contact,
                                struct ccid_virtual_card *card)
{
    contact->card = card;
    ccid_virtual_card_offer(card, &contact->offer);
    contact->protocol = contact->offer.first;
    contact->fidi = contact->offer.specific ? contact->offer.fidi : FIDI_DEFAULT;
    contact->fresh = true;
    contact->wtx_asked = 0;
    contact->t0.execute = contact->t1.execute = execute;
    contact->t0.context = contact->t1.context = contact;
    contact->t1.crc = contact->offer.crc;
    contact->t1.ifsc = contact->offer.ifsc;
    ccid_virtual_t0_reset(&contact->t0);
    ccid_virtual_t1_reset(&contact->t1);
}

/* ---- PPS (ISO/IEC 7816-3 §9) ------------------------------------------------------ */

bool ccid_virtual_contact_awaits_pps(const struct ccid_virtual_contact *contact,
                                     const uint8_t *in, size_t len)
{
    return contact->fresh && !contact->offer.specific && len > 0 && in[0] == PPSS;
}

static size_t pps(struct ccid_virtual_contact *contact, const uint8_t *in, size_t len,
                  uint8_t *out)
{
    uint8_t protocol, check = 0;
    size_t due = 3, at = 2;

    if (len < due || len > PPS_MAX)
        return 0;
    for (unsigned bit = 0x10; bit <= 0x40; bit <<= 1)
        due += (in[1] & bit) != 0;
    for (size_t i = 0; i < len; i++)
        check ^= in[i];
    protocol = in[1] & 0x0F;
    if (len != due || check != 0 || protocol > 1 ||
        (contact->offer.protocols >> protocol & 1) == 0)
        return 0;
    contact->protocol = protocol;
    out[0] = PPSS;
    out[1] = protocol;
    /* Any D at the F of its TA1; what else is asked for is left out of the answer. */
    if ((in[1] & 0x10) != 0 && in[2] >> 4 == contact->offer.fidi >> 4) {
        contact->fidi = in[2];
        out[1] |= 0x10;
        out[at++] = in[2];
    }
    out[at] = 0;
    for (size_t i = 0; i < at; i++)
        out[at] ^= out[i];
    return at + 1;
}

/* ---- commands -------------------------------------------------------------------- */

/* A block after a granted extension comes at its very end: a reader that has not passed
 * it on does not hear it. */
static size_t t1(struct ccid_virtual_contact *contact, struct ccid_virtual_line *line,
                 const uint8_t *in, size_t len, uint8_t *out)
{
    bool granted = contact->wtx_asked != 0 && len > PCB && in[PCB] == PCB_WTX_RESPONSE;
    size_t out_len;

    if (len > CCID_VIRTUAL_T1_BLOCK_MAX)
        return 0;
    out_len = ccid_virtual_t1_block(&contact->t1, in, len, out);
    if (granted)
        line->waits = contact->wtx_asked;
    contact->wtx_asked = 0;
    if (out_len > PCB + 2 && out[PCB] == PCB_WTX_REQUEST)
        contact->wtx_asked = out[PCB + 2];
    return out_len;
}

size_t ccid_virtual_contact_exchange(struct ccid_virtual_contact *contact,
                                     struct ccid_virtual_line *line, const uint8_t *in,
                                     size_t len, uint8_t out[CCID_VIRTUAL_CONTACT_MAX])
{
    size_t out_len = 0;

    line->delay_ms = 0;
    line->waits = 0;
    contact->delay_ms = 0;
    if (line->fidi != contact->fidi)
        return 0;
    if (ccid_virtual_contact_awaits_pps(contact, in, len))
        out_len = pps(contact, in, len, out);
    else if (line->protocol != contact->protocol)
        out_len = 0;
    else if (contact->protocol == 1)
        out_len = t1(contact, line, in, len, out);
    else if (len >= 5 && len <= CCID_VIRTUAL_T0_COMMAND_MAX)
        out_len = ccid_virtual_t0_tpdu(&contact->t0, in, len, out);
    contact->fresh = false;
    line->delay_ms = contact->delay_ms;
    return out_len;
}
