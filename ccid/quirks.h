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

/* Corrects desc for that device and sets desc->quirks. Returns the reason of the row that
 * applied, for the log, or NULL. */
const char *ccid_quirks_apply(struct ccid_desc *desc, uint16_t vid, uint16_t pid,
                              uint16_t bcd_device);

#endif
