/* SPDX-License-Identifier: BSD-2-Clause */
/* quirks_table.h - a row of the quirk table, for quirks.c and its test. */
#ifndef CCID_QUIRKS_TABLE_H
#define CCID_QUIRKS_TABLE_H

#include "ccid/quirks.h"

#define QUIRK_ANY_PID 0xFFFFu

enum quirk_condition { QUIRK_ALWAYS, QUIRK_SECOND_INTERFACE, QUIRK_WITH_PIN_PAD };

struct quirk_row {
    uint16_t vid, pid;    /* pid may be QUIRK_ANY_PID */
    uint16_t from, below; /* bcdDevice; below 0: no upper end */
    enum quirk_condition only;
    uint32_t bits; /* CCID_QUIRK_ */
    void (*correct)(struct ccid_desc *desc);
    const char *reason; /* one line of the log: who, what, and what follows from it */
};

extern const struct quirk_row quirk_rows[];
extern const size_t quirk_row_count;

/* Corrections of a descriptor (quirks.c). */
void quirk_no_pin_pad(struct ccid_desc *desc);
void quirk_chains(struct ccid_desc *desc);
void quirk_chains_without_pin_pad(struct ccid_desc *desc);
void quirk_never_extended(struct ccid_desc *desc);
void quirk_rubbish(struct ccid_desc *desc);
void quirk_boots_slowly(struct ccid_desc *desc);
void quirk_slow_card(struct ccid_desc *desc);
void quirk_rate_200000(struct ccid_desc *desc);

#endif
