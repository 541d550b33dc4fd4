/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quirks.h - readers that do not do what they say, by VID:PID and firmware version. Pure.
 *
 * Most of what is wrong is wrong in the descriptor, and is put right there once
 * (ccid_quirks_apply); what is left are the bits of ccid_desc.quirks, each looked at in
 * one place.
 */
#ifndef CCID_QUIRKS_H
#define CCID_QUIRKS_H

#include "ccid/internal.h"

/* PIN pads (pin.c, secure.c). A pad that is not there, or that types into the computer,
 * has no bit: its bPINSupport is corrected to 0. */
#define CCID_QUIRK_PIN_ONE_MESSAGE    0x00010000u /* bNumberMessage 1, condition 2 */
#define CCID_QUIRK_PIN_NO_MESSAGE     0x00020000u /* bNumberMessage 0 */
#define CCID_QUIRK_PIN_THREE_INDEXES  0x00040000u /* all of bMsgIndex1 ... 3, always */
#define CCID_QUIRK_PIN_THREE_MESSAGES 0x00080000u /* modify: bNumberMessage 3 */
#define CCID_QUIRK_PIN_TEXT           0x00100000u /* modify: never bNumberMessage 0 */
#define CCID_QUIRK_PIN_DIGITS_SWAPPED 0x00200000u /* wPINMaxExtraDigit: max << 8 | min   \
                                                   */
#define CCID_QUIRK_PIN_WAIT          0x00400000u  /* a key may still be down: 250 ms */
#define CCID_QUIRK_PIN_LOAD_TEXTS    0x00800000u  /* the texts come from the host */
#define CCID_QUIRK_PIN_ESCAPE_CASE_1 0x01000000u  /* escape 80 02 00 before a case 1 */
#define CCID_QUIRK_PIN_0_TO_25       0x02000000u  /* digits that it takes */
#define CCID_QUIRK_PIN_1_TO_31       0x04000000u
#define CCID_QUIRK_PIN_0_TO_32       0x08000000u
#define CCID_QUIRK_SECODER           0x10000000u /* takes 20 70 ... 20 74 as escape */

/* Corrects desc for that device and sets desc->quirks. Returns the reason of the row that
 * applied, for the log, or NULL. */
const char *ccid_quirks_apply(struct ccid_desc *desc, uint16_t vid, uint16_t pid,
                              uint16_t bcd_device);

#endif
