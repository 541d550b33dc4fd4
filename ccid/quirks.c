/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quirks.c - corrects the descriptor of a reader that is known to say something wrong.
 *
 * THEORY. The rows (quirks_table.c) are for what cannot be seen from the descriptor. What
 * can be seen, or costs honest readers nothing, has no row, because the next reader with
 * that fault is on no list. For every device:
 *   - impossible numbers of the descriptor are bounded, a message length of 263 is taken
 *     for 271, undefined bits count for nothing (desc.c);
 *   - of the flags 40h and 80h, 40h wins, and 80h's absence at APDU level means a PPS by
 *     the host (protocol.c);
 *   - three seconds for the first slot status, whatever a reader needs (device.c);
 *   - stale bytes are drained before the first command, an empty transfer before an
 *     answer is skipped, bytes behind an answer are dropped, type, slot and sequence
 *     number are compared (cmd.c, resync.c);
 *   - lists of clocks and rates may be refused, short, too long or rubbish (rates.c).
 * All rows that fit a device apply, in the order of the table.
 *
 * Deliberately not done: no reader is refused. Defective firmware and readers that nobody
 * got to work are named in the log; some cards work with them.
 */
#include "ccid/quirks_table.h"

#define MS_PER_MINUTE 60000u

void quirk_no_pin_pad(struct ccid_desc *desc)
{
    desc->pin_support = 0;
}

void quirk_chains(struct ccid_desc *desc)
{
    if (desc->level == CCID_LEVEL_SHORT_APDU)
        desc->level = CCID_LEVEL_EXTENDED_APDU;
}

void quirk_chains_without_pin_pad(struct ccid_desc *desc)
{
    quirk_chains(desc);
    quirk_no_pin_pad(desc);
}

void quirk_never_extended(struct ccid_desc *desc)
{
    if (desc->level == CCID_LEVEL_EXTENDED_APDU)
        desc->level = CCID_LEVEL_SHORT_APDU;
}

/* Its numbers are shifted by a byte. Its T=1 blocks are as long as a message allows. */
void quirk_rubbish(struct ccid_desc *desc)
{
    desc->level = CCID_LEVEL_TPDU;
    desc->protocols = 3;
    desc->voltage_support = 0;
    desc->default_clock_khz = 4000;
    desc->maximum_clock_khz = 4000;
    desc->clock_count = 0;
    desc->data_rate_bps = 9600;
    desc->maximum_data_rate_bps = 9600;
    desc->data_rate_count = 0;
    desc->mechanical = 0;
    desc->ifsd = desc->message_size < 254 + 14 ? desc->message_size - 14 : 254;
}

void quirk_boots_slowly(struct ccid_desc *desc)
{
    desc->boot_ms = 1000;
    desc->first_status_ms = MS_PER_MINUTE;
}

void quirk_slow_card(struct ccid_desc *desc)
{
    desc->extra_card_ms = 5 * MS_PER_MINUTE;
}

void quirk_rate_200000(struct ccid_desc *desc)
{
    desc->usable_data_rate_bps = 200000;
}

static bool fits(const struct quirk_row *row, const struct ccid_desc *desc, uint16_t vid,
                 uint16_t pid, uint16_t bcd_device)
{
    return row->vid == vid && (row->pid == pid || row->pid == QUIRK_ANY_PID) &&
           bcd_device >= row->from && (row->below == 0 || bcd_device < row->below) &&
           (row->only != QUIRK_SECOND_INTERFACE || desc->interface_number == 1) &&
           (row->only != QUIRK_WITH_PIN_PAD || desc->pin_support != 0);
}

size_t ccid_quirks_apply(struct ccid_desc *desc, uint16_t vid, uint16_t pid,
                         uint16_t bcd_device, const char *reasons[CCID_QUIRK_REASONS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < quirk_row_count && count < CCID_QUIRK_REASONS_MAX; i++) {
        const struct quirk_row *row = &quirk_rows[i];

        if (!fits(row, desc, vid, pid, bcd_device))
            continue;
        desc->quirks |= row->bits;
        if (row->correct != NULL)
            row->correct(desc);
        reasons[count++] = row->reason;
    }
    return count;
}
