/* SPDX-License-Identifier: BSD-2-Clause */
/* internal.h - what the files of smclib share with each other, grouped by file. */
#ifndef SMCLIB_INTERNAL_H
#define SMCLIB_INTERNAL_H

#include "smclib.h"
#include "smclib/io.h"
#include "smclib/t1.h"

#include <stdbool.h>

/* ---- device.c -------------------------------------------------------------------- */

/* What SmartcardInitialize allocates: OsData is its first member. */
struct smc_private {
    OS_DEP_DATA os;
    ULONG information; /* IoRequest.Information points here */
    /* Under os.SpinLock, see track.c. */
    bool tracker_published;
    NTSTATUS tracker_end; /* how it is to end when its callback has returned */
    /* High-water marks of SmartcardRequest and SmartcardReply since the last wipe. */
    ULONG request_used;
    ULONG reply_used;
    /* What attributes show of T1_DATA, which belongs to the executor; under os.SpinLock.
     */
    UCHAR t1_ifsd;
    UCHAR t1_wtx;
};

struct smc_private *smc_private(PSMARTCARD_EXTENSION ext);
/* CurrentState, read under the spin lock. */
ULONG smc_device_state(PSMARTCARD_EXTENSION ext);
/* Remembers how far the request and reply buffers are filled now. */
void smc_device_mark(PSMARTCARD_EXTENSION ext);
/* Clears what a command has left in the request and reply buffers. */
void smc_device_wipe(PSMARTCARD_EXTENSION ext);
/* Appends to SmartcardRequest. STATUS_BUFFER_OVERFLOW when it does not fit. */
NTSTATUS smc_request_append(PSMARTCARD_EXTENSION ext, const UCHAR *bytes, ULONG len);

/* ---- removelock.c ---------------------------------------------------------------- */

void smc_remove_lock_init(SMARTCARD_REMOVE_LOCK *lock);
/* Names and frees the tags that are left. */
void smc_remove_lock_free(SMARTCARD_REMOVE_LOCK *lock);

/* ---- raw.c ----------------------------------------------------------------------- */

/* Length of the caller's SCARD_IO_REQUEST; 0 when it is wrong. */
ULONG smc_pci_length(PSMARTCARD_EXTENSION ext);
/* The command behind the SCARD_IO_REQUEST of the caller. STATUS_INVALID_PARAMETER. */
NTSTATUS smc_request_payload(PSMARTCARD_EXTENSION ext, const UCHAR **payload, ULONG *len);
/* Answers with the SCARD_IO_REQUEST of the request and data. STATUS_BUFFER_TOO_SMALL. */
NTSTATUS smc_reply_payload(PSMARTCARD_EXTENSION ext, const UCHAR *data, ULONG len);

/* ---- irp.c ----------------------------------------------------------------------- */

bool smc_irp_cancelled(PIRP irp);
/* Sets the result and completes. */
NTSTATUS smc_irp_complete(PIRP irp, NTSTATUS status, ULONG information);
/* Acquires the mutant for a request. STATUS_CANCELLED when IoCancelIrp came first. */
NTSTATUS smc_irp_take_turn(PKMUTANT mutant, PIRP irp);

/* ---- ke.c ------------------------------------------------------------------------ */

/* Takes the mutant if it is free or the caller's; its header is locked. */
bool smc_mutant_take_locked(PKMUTANT mutant);

/* ---- io.c ------------------------------------------------------------------------ */

void smc_io_log(PDEVICE_OBJECT device, NTSTATUS status, const char *text);
void smc_io_link(const char *name, bool created);

/* ---- devobj.c -------------------------------------------------------------------- */

bool smc_io_is_device(const void *object);

/* ---- link.c ---------------------------------------------------------------------- */

/* A string of its own from ASCII; free it with RtlFreeUnicodeString. False: no memory. */
bool smc_string_make(PUNICODE_STRING string, const char *text);

/* ---- track.c --------------------------------------------------------------------- */

/* IS_PRESENT or IS_ABSENT: completes the IRP now or leaves it in the slot. */
NTSTATUS smc_track_issue(PSMARTCARD_EXTENSION ext, PIRP irp, bool want_present);

/* ---- attr.c ---------------------------------------------------------------------- */

NTSTATUS smc_attr_get(PSMARTCARD_EXTENSION ext, ULONG tag, PUCHAR value, ULONG room,
                      ULONG *len);
NTSTATUS smc_attr_set(PSMARTCARD_EXTENSION ext, ULONG tag, const UCHAR *value, ULONG len);

/* ---- atr.c: pure ----------------------------------------------------------------- */

/* Faults that leave an ATR readable. */
#define SMC_ATR_FAULT_TA1 0x1u /* reserved Fi or Di; read as 11h */
#define SMC_ATR_FAULT_TCK 0x2u /* check character wrong, missing or not the last */

struct smc_atr {
    bool inverse;
    unsigned faults;
    ULONG protocols;      /* SCARD_PROTOCOL_T0, _T1 */
    UCHAR first_protocol; /* T of the first TD, 0 without */
    bool global;          /* T=15 bytes present */
    UCHAR class_and_stop; /* TA of T=15 */
    UCHAR fl, dl;
    UCHAR ii_ma; /* TB1: maximum programming current */
    UCHAR p;     /* TB1, TB2: programming voltage, 0.1 V */
    UCHAR n;     /* TC1 */
    bool specific;
    bool implicit;
    bool can_change;
    UCHAR specific_protocol;
    UCHAR wi;
    UCHAR ifsc, cwi, bwi, edc;
    UCHAR historical_at, historical_len;
    UCHAR surplus; /* bytes behind the end of an ATR without TCK */
};

/* Fi of each FI and Di of each DI (ISO/IEC 7816-3 tables 7 and 8); 16 entries each. */
extern const CLOCK_RATE_CONVERSION smc_clock_rates[16];
extern const BIT_RATE_ADJUSTMENT smc_bit_rates[16];

/*
 * Reads an ATR of decoded characters. STATUS_UNRECOGNIZED_MEDIA with out undefined where
 * the structure is broken; STATUS_SUCCESS otherwise, and faults must be looked at.
 */
NTSTATUS smc_atr_parse(const UCHAR *atr, size_t len, struct smc_atr *out);

/* ---- pps.c: pure ----------------------------------------------------------------- */

/* Fills PtsData for its Type (PTS_TYPE_USER: leaves it) from the card's TA1 and what the
 * reader can do. */
void smc_pps_choose(PTS_DATA *pts, UCHAR fl, UCHAR dl, bool one_stop_bit,
                    const SCARD_READER_CAPABILITIES *reader);

/* ---- caps.c ---------------------------------------------------------------------- */

/* PtsData of the given type, and the times that follow from it. Takes the spin lock. */
void smc_caps_select(PSMARTCARD_EXTENSION ext, UCHAR pts_type, ULONG protocol);

/* ---- apdu.c: pure ---------------------------------------------------------------- */

/* Whether the bytes have one of the forms of ISO/IEC 7816-4 §5.1. */
bool smc_apdu_is_well_formed(const UCHAR *apdu, size_t len);

#endif
