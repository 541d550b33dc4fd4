/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.c - what the cards have executed. A client that numbers its commands in rising
 * order sends them as an ECHO whose data begin with
 *
 *   4E 6F CC CC NN NN NN NN       "No", the client, the number of the command
 *
 * A number that is not above the client's last one is a command executed twice, or after
 * a later one: after its client was told what came of it.
 */
#include "usbemu.h"

#include <stdio.h>
#include <string.h>

#define CLIENTS    256
#define HEADER     8
#define DATA_SHORT 5 /* where the data of a command of short length begin */

static const uint8_t echo[] = {0x80, 0xe0, 0x00, 0x00};

static uint32_t last[CLIENTS];
static unsigned long executed, repeated;
static unsigned first_client, first_number; /* that was repeated */

static void note(const uint8_t *apdu, size_t len)
{
    size_t at = DATA_SHORT;
    const uint8_t *d;
    unsigned client;
    uint32_t number;

    if (len > 7 && apdu[4] == 0)
        at += 2;
    if (len < at + HEADER || memcmp(apdu, echo, sizeof echo) != 0)
        return;
    d = apdu + at;
    client = (unsigned)d[2] << 8 | d[3];
    number = (uint32_t)d[4] << 24 | (uint32_t)d[5] << 16 | (uint32_t)d[6] << 8 | d[7];
    if (d[0] != 0x4e || d[1] != 0x6f || client >= CLIENTS)
        return;
    executed++;
    if (number > last[client]) {
        last[client] = number;
    } else if (repeated++ == 0) {
        first_client = client;
        first_number = number;
    }
}

size_t emu_card_apdu(struct ccid_virtual_card *card, const uint8_t *apdu, size_t len,
                     uint8_t *reply, uint32_t *delay_ms)
{
    if (!card->mute)
        note(apdu, len);
    return ccid_virtual_card_apdu(card, apdu, len, reply, delay_ms);
}

void emu_ledger_tell(char *out, size_t room)
{
    snprintf(out, room, "ok %lu %lu %u %u\n", executed, repeated, first_client,
             first_number);
}
