/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caps.c - CardCapabilities: from the ATR to values, times, parameters and state.
 *
 * All of it is guarded by the spin lock, because attributes are read at any time. The
 * second-chance parser RDF_ATR_PARSE is called without it.
 */
#include "internal.h"

#define TS_INVERSE_RAW 0x03 /* 3F as a reader sees it that does not decode */

#define ISO_DEFAULT_KHZ 3580
#define CHARACTER_ETU   12 /* ISO/IEC 7816-3 §7.2 */
#define BLOCK_GUARD_ETU 22 /* §11.4.2 */
#define NO_GUARD        255

static ULONG clamped(uint64_t value)
{
    return value < UINT32_MAX ? (ULONG)value : UINT32_MAX;
}

static uint64_t divide_up(uint64_t dividend, uint64_t divisor)
{
    return (dividend + divisor - 1) / divisor;
}

/* ---- times ----------------------------------------------------------------------- */

/*
 * ISO/IEC 7816-3 §8.3, §10.2, §11.4.2; clock in kHz, so 1000 cycles of it are 1 us.
 * The waiting times follow from the clock cycles, not from the rounded etu.
 */
static void times_locked(PSMARTCARD_EXTENSION ext, ULONG protocol)
{
    SCARD_CARD_CAPABILITIES *caps = &ext->CardCapabilities;
    bool t1 = protocol == SCARD_PROTOCOL_T1;
    uint64_t khz = caps->PtsData.CLKFrequency;
    uint64_t f = smc_clock_rates[caps->PtsData.Fl & 0xF].F;
    uint64_t d = smc_bit_rates[caps->PtsData.Dl & 0xF].DNumerator;
    uint64_t guard;

    if (khz == 0)
        khz = ISO_DEFAULT_KHZ;
    if (f == 0 || d == 0) { /* a driver's own parameters out of the tables */
        f = 372;
        d = 1;
    }
    caps->etu = clamped(divide_up(f * 1000, d * khz));
    ext->OsData->EtuNs = clamped(divide_up(f * 1000000, d * khz));

    guard = divide_up(CHARACTER_ETU * f * 1000, d * khz);
    if (caps->N == NO_GUARD && t1)
        guard = divide_up((CHARACTER_ETU - 1) * f * 1000, d * khz);
    else if (caps->N != NO_GUARD && caps->GlobalBytes)
        guard = divide_up(CHARACTER_ETU * f * 1000 / d +
                              (uint64_t)caps->N * smc_clock_rates[caps->Fl & 0xF].F *
                                  1000 / smc_bit_rates[caps->Dl & 0xF].DNumerator,
                          khz);
    else if (caps->N != NO_GUARD)
        guard = divide_up((uint64_t)(CHARACTER_ETU + caps->N) * f * 1000, d * khz);
    caps->GT = clamped(guard);

    caps->T0.WT = clamped(divide_up((uint64_t)caps->T0.WI * 960 * f * 1000, khz));
    caps->T1.CWT = clamped(
        divide_up((11 + (UINT64_C(1) << (caps->T1.CWI & 0xF))) * f * 1000, d * khz));
    /* 372, not F: §11.4.3 */
    caps->T1.BWT =
        clamped(divide_up(11 * f * 1000, d * khz) +
                divide_up((UINT64_C(1) << (caps->T1.BWI & 0xF)) * 960 * 372 * 1000, khz));
    caps->T1.BGT = clamped(divide_up(BLOCK_GUARD_ETU * f * 1000, d * khz));
}

static bool one_stop_bit(const SCARD_CARD_CAPABILITIES *caps, ULONG protocol)
{
    return caps->N == NO_GUARD && protocol == SCARD_PROTOCOL_T1;
}

void smc_caps_select(PSMARTCARD_EXTENSION ext, UCHAR pts_type, ULONG protocol)
{
    SCARD_CARD_CAPABILITIES *caps = &ext->CardCapabilities;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    if (caps->PtsData.Type != PTS_TYPE_USER)
        caps->PtsData.Type = pts_type;
    smc_pps_choose(&caps->PtsData, caps->Fl, caps->Dl, one_stop_bit(caps, protocol),
                   &ext->ReaderCapabilities);
    times_locked(ext, protocol);
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
}

/* ---- values ---------------------------------------------------------------------- */

static void fill_locked(PSMARTCARD_EXTENSION ext, const struct smc_atr *atr)
{
    SCARD_CARD_CAPABILITIES *caps = &ext->CardCapabilities;

    caps->InversConvention = atr->inverse || ext->OsData->RawInverse;
    caps->ClockRateConversion = smc_clock_rates;
    caps->BitRateAdjustment = smc_bit_rates;
    caps->Fl = atr->fl;
    caps->Dl = atr->dl;
    caps->II = atr->ii_ma;
    caps->P = atr->p;
    caps->N = atr->n;
    caps->Protocol.Supported = atr->protocols;
    caps->Protocol.Selected = SCARD_PROTOCOL_UNDEFINED;
    caps->T0.WI = atr->wi;
    caps->T1.IFSC = atr->ifsc;
    caps->T1.CWI = atr->cwi;
    caps->T1.BWI = atr->bwi;
    caps->T1.EDC = atr->edc;
    caps->SpecificMode = atr->specific;
    caps->ImplicitParameters = atr->implicit;
    caps->FirstProtocol = atr->specific ? atr->specific_protocol : atr->first_protocol;
    caps->ClassAndStop = atr->class_and_stop;
    caps->GlobalBytes = atr->global;
    caps->HistoricalChars.Length = atr->historical_len;
    memcpy(caps->HistoricalChars.Buffer, caps->ATR.Buffer + atr->historical_at,
           atr->historical_len);
}

/* The values of a card that has said nothing. */
static void fill_defaults_locked(PSMARTCARD_EXTENSION ext)
{
    struct smc_atr nothing;

    smc_atr_parse(NULL, 0, &nothing);
    fill_locked(ext, &nothing);
    if (ext->CardCapabilities.PtsData.Type != PTS_TYPE_USER)
        ext->CardCapabilities.PtsData.Type = PTS_TYPE_DEFAULT;
    smc_pps_choose(&ext->CardCapabilities.PtsData, 1, 1, false, &ext->ReaderCapabilities);
    times_locked(ext, SCARD_PROTOCOL_T0);
}

VOID SmartcardInitializeCardCapabilities(PSMARTCARD_EXTENSION SmartcardExtension)
{
    PSMARTCARD_EXTENSION ext = SmartcardExtension;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    ext->OsData->RawInverse = FALSE;
    ext->CardCapabilities.ATR.Length = 0;
    fill_defaults_locked(ext);
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    smc_t1_reset_extension(ext);
}

/* ---- reading the ATR ------------------------------------------------------------- */

/* Decodes the ATR in place where the reader has not. */
static void decode_locked(PSMARTCARD_EXTENSION ext)
{
    if (ext->CardCapabilities.ATR.Length == 0 ||
        ext->CardCapabilities.ATR.Length > SCARD_ATR_LENGTH ||
        ext->CardCapabilities.ATR.Buffer[0] != TS_INVERSE_RAW)
        return;
    SmartcardInvertData(ext->CardCapabilities.ATR.Buffer,
                        ext->CardCapabilities.ATR.Length);
    ext->OsData->RawInverse = TRUE;
}

/* Reads the ATR into the capabilities; true when nothing is wrong with it. */
static bool parse_locked(PSMARTCARD_EXTENSION ext)
{
    struct smc_atr atr;
    NTSTATUS status;

    decode_locked(ext);
    status = smc_atr_parse(ext->CardCapabilities.ATR.Buffer,
                           ext->CardCapabilities.ATR.Length, &atr);
    if (!NT_SUCCESS(status))
        smc_atr_parse(NULL, 0, &atr);
    fill_locked(ext, &atr);
    return NT_SUCCESS(status) && atr.faults == 0 && atr.protocols != 0;
}

/* What RDF_ATR_PARSE may have written is compared before it is used. */
static bool usable_locked(const SCARD_CARD_CAPABILITIES *caps)
{
    return caps->Fl < 16 && caps->Dl < 16 && smc_clock_rates[caps->Fl].F != 0 &&
           smc_bit_rates[caps->Dl].DNumerator != 0 &&
           (caps->Protocol.Supported & (SCARD_PROTOCOL_Tx | SCARD_PROTOCOL_RAW)) != 0;
}

/* Parameters, times and state; a card that is gone meanwhile stays gone. */
static void conclude_locked(PSMARTCARD_EXTENSION ext)
{
    SCARD_CARD_CAPABILITIES *caps = &ext->CardCapabilities;
    ULONG protocol = caps->FirstProtocol < 2 ? 1u << caps->FirstProtocol : 0;
    PTS_DATA *pts = &caps->PtsData;

    smc_pps_choose(pts, caps->Fl, caps->Dl, one_stop_bit(caps, protocol),
                   &ext->ReaderCapabilities);
    if (caps->SpecificMode && !caps->ImplicitParameters && pts->Type != PTS_TYPE_USER) {
        /* TA1 is in force without PPS (ISO/IEC 7816-3 §8.3, TA2 bit 5). */
        pts->Fl = caps->Fl;
        pts->Dl = caps->Dl;
        pts->DataRate =
            clamped((uint64_t)pts->CLKFrequency * 1000 *
                    smc_bit_rates[caps->Dl].DNumerator / smc_clock_rates[caps->Fl].F);
    }
    times_locked(ext, protocol);
    if (ext->ReaderCapabilities.CurrentState <= SCARD_ABSENT)
        return;
    ext->ReaderCapabilities.CurrentState =
        caps->SpecificMode ? SCARD_SPECIFIC : SCARD_NEGOTIABLE;
    if (caps->SpecificMode)
        caps->Protocol.Selected = protocol & ext->ReaderCapabilities.SupportedProtocols;
}

NTSTATUS SmartcardUpdateCardCapabilities(PSMARTCARD_EXTENSION SmartcardExtension)
{
    PSMARTCARD_EXTENSION ext = SmartcardExtension;
    NTSTATUS status = STATUS_UNRECOGNIZED_MEDIA;
    SCARD_CARD_CAPABILITIES caps; /* to be shown */
    ULONG state;
    bool good;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    good = parse_locked(ext);
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    if (!good && ext->ReaderFunction[RDF_ATR_PARSE] != NULL)
        good = NT_SUCCESS(ext->ReaderFunction[RDF_ATR_PARSE](ext));

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    if (good && usable_locked(&ext->CardCapabilities)) {
        conclude_locked(ext);
        status = STATUS_SUCCESS;
    } else {
        ext->CardCapabilities.Protocol.Supported = SCARD_PROTOCOL_UNDEFINED;
    }
    caps = ext->CardCapabilities;
    state = ext->ReaderCapabilities.CurrentState;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    SmartcardDebug(DEBUG_ATR,
                   ("unit %u: ATR of %u bytes%s, %s: protocols %#x, FI %u, DI %u, state "
                    "%u\n",
                    ext->VendorAttr.UnitNo, caps.ATR.Length,
                    good ? "" : " that cannot be read", smc_status_name(status),
                    caps.Protocol.Supported, caps.Fl, caps.Dl, state));
    smc_t1_reset_extension(ext);
    return status;
}

/* ---- inverse convention ---------------------------------------------------------- */

VOID SmartcardInvertData(PUCHAR Buffer, ULONG Length)
{
    for (ULONG i = 0; i < Length; i++) {
        unsigned in = Buffer[i];
        unsigned out = 0;

        for (unsigned bit = 0; bit < 8; bit++) {
            out = out << 1 | (~in & 1);
            in >>= 1;
        }
        Buffer[i] = (UCHAR)out;
    }
}
