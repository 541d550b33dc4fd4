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
#define CCID_QUIRK_PIN_DIGITS_SWAPPED                                                    \
    0x00200000u                                  /* wPINMaxExtraDigit: max << 8 | min    \
                                                  */
#define CCID_QUIRK_PIN_WAIT          0x00400000u /* a key may still be down: 250 ms */
#define CCID_QUIRK_PIN_LOAD_TEXTS    0x00800000u /* the texts come from the host */
#define CCID_QUIRK_PIN_ESCAPE_CASE_1 0x01000000u /* escape 80 02 00 before a case 1 */
#define CCID_QUIRK_PIN_0_TO_25       0x02000000u /* digits that it takes */
#define CCID_QUIRK_PIN_1_TO_31       0x04000000u
#define CCID_QUIRK_PIN_0_TO_32       0x08000000u
#define CCID_QUIRK_SECODER           0x10000000u /* takes 20 70 ... 20 74 as escape */

/* Activation (icc.c, protocol.c). */
#define CCID_QUIRK_POWER_OFF_FIRST  0x00000001u /* before every IccPowerOn */
#define CCID_QUIRK_EMV_ESCAPE       0x00000002u /* BBh at power on: escape 1Fh 01h */
#define CCID_QUIRK_NO_PPS           0x00000004u /* first protocol, 9600 bit/s */
#define CCID_QUIRK_RATE_POWER_TWICE 0x00000008u /* SetParameters failed: power twice */

/* Exchange (apdu.c, cmd.c). */
#define CCID_QUIRK_CHAINED_ANSWERS 0x00000010u /* at short level, too */
#define CCID_QUIRK_NOT_64          0x00000020u /* loses messages of n * 64 bytes */
#define CCID_QUIRK_NO_IFSD         0x00000040u /* its card takes no IFS request */

/* Presence (service.c, state.c) and power. */
#define CCID_QUIRK_ALWAYS_PRESENT 0x00000100u /* a failed power on says "no card" */
#define CCID_QUIRK_NO_DETECTOR    0x00000200u /* presence: see the first interface */
#define CCID_QUIRK_NO_AUTOSUSPEND 0x00000400u /* does not survive it */

/* Slots. */
#define CCID_QUIRK_ONE_AT_A_TIME   0x00001000u /* not two of its interfaces at once */
#define CCID_QUIRK_SECONDARY_RATES 0x00002000u /* slots > 0 have a list of their own */

#define CCID_QUIRK_REASONS_MAX 4 /* rows that apply to one interface */

/*
 * Corrects desc for that device and sets desc->quirks and the values beside it. Returns
 * the number of rows that applied, with their reasons, for the log. To be called once,
 * after ccid_desc_parse.
 */
size_t ccid_quirks_apply(struct ccid_desc *desc, uint16_t vid, uint16_t pid,
                         uint16_t bcd_device,
                         const char *reasons[CCID_QUIRK_REASONS_MAX]);

#endif
