/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepare.c - what the library does for POWER, SET_PROTOCOL and TRANSMIT before their
 * callbacks: values that need no turn are checked first, the card with the turn.
 */
#include "control.h"

#define STATUS_WORD_LEN 2
#define PSEUDO_CLA      0xFF /* PC/SC part 3: for the reader, not an APDU of a card */

/* ---- POWER ----------------------------------------------------------------------- */

NTSTATUS smc_check_power(PSMARTCARD_EXTENSION ext, const struct smc_buffers *buffers)
{
    UNREFERENCED_PARAMETER(ext);
    return smc_number_at(buffers->bytes) <= SCARD_WARM_RESET ? STATUS_SUCCESS
                                                             : STATUS_INVALID_PARAMETER;
}

NTSTATUS smc_prepare_power(PSMARTCARD_EXTENSION ext, const struct smc_buffers *buffers)
{
    ULONG minor = smc_number_at(buffers->bytes);
    KIRQL irql;

    if (minor == SCARD_POWER_DOWN) {
        /* The ATR stays readable until removal or the next reset. */
        KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
        ext->CardCapabilities.Protocol.Selected = SCARD_PROTOCOL_UNDEFINED;
        KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
        smc_t1_reset_extension(ext);
    } else {
        if (buffers->out_len < SCARD_ATR_LENGTH)
            return STATUS_BUFFER_TOO_SMALL;
        /* Without power there is nothing to keep warm. */
        if (minor == SCARD_WARM_RESET && smc_device_state(ext) <= SCARD_SWALLOWED)
            minor = SCARD_COLD_RESET;
        SmartcardInitializeCardCapabilities(ext);
    }
    ext->MinorIoControlCode = minor;
    return STATUS_PENDING;
}

/* ---- SET_PROTOCOL ---------------------------------------------------------------- */

NTSTATUS smc_prepare_protocol(PSMARTCARD_EXTENSION ext, const struct smc_buffers *buffers)
{
    const ULONG known = SCARD_PROTOCOL_Tx | SCARD_PROTOCOL_RAW;
    ULONG mask = smc_number_at(buffers->bytes);
    ULONG state, supported, selected, usable;
    NTSTATUS status;
    KIRQL irql;

    if ((mask & known) == 0)
        return STATUS_INVALID_DEVICE_REQUEST;
    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    state = ext->ReaderCapabilities.CurrentState;
    /* RAW is the reader's affair, whatever the card offers. */
    supported = (ext->CardCapabilities.Protocol.Supported | SCARD_PROTOCOL_RAW) &
                ext->ReaderCapabilities.SupportedProtocols;
    selected = ext->CardCapabilities.Protocol.Selected;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);

    /* Another card may be in since the request was admitted. */
    status = smc_state_suffices(state, SCARD_NEGOTIABLE);
    if (!NT_SUCCESS(status))
        return status;
    if (state == SCARD_SPECIFIC) { /* no second negotiation */
        if ((mask & known & selected) == 0)
            return STATUS_NOT_SUPPORTED;
        return smc_answer_number(buffers, ext->IoRequest.Information, selected);
    }
    usable = mask & known & supported;
    if (usable == 0)
        return STATUS_NOT_SUPPORTED;
    smc_caps_select(
        ext, (mask & SCARD_PROTOCOL_DEFAULT) != 0 ? PTS_TYPE_DEFAULT : PTS_TYPE_OPTIMAL,
        (usable & SCARD_PROTOCOL_T1) != 0 ? SCARD_PROTOCOL_T1 : SCARD_PROTOCOL_T0);
    smc_t1_reset_extension(ext);
    ext->MinorIoControlCode = usable;
    SmartcardDebug(DEBUG_PROTOCOL,
                   ("unit %u: protocols %#x of %#x, F %u, D %u, %u kHz, %u bit/s\n",
                    ext->VendorAttr.UnitNo, usable, mask,
                    smc_clock_rates[ext->CardCapabilities.PtsData.Fl & 0xF].F,
                    smc_bit_rates[ext->CardCapabilities.PtsData.Dl & 0xF].DNumerator,
                    ext->CardCapabilities.PtsData.CLKFrequency,
                    ext->CardCapabilities.PtsData.DataRate));
    return STATUS_PENDING;
}

/* ---- TRANSMIT -------------------------------------------------------------------- */

static SCARD_IO_REQUEST io_request_at(const UCHAR *bytes)
{
    SCARD_IO_REQUEST header;

    memcpy(&header, bytes, sizeof header);
    return header;
}

NTSTATUS smc_check_transmit(PSMARTCARD_EXTENSION ext, const struct smc_buffers *buffers)
{
    SCARD_IO_REQUEST header = io_request_at(buffers->bytes);
    ULONG room = header.dwProtocol == SCARD_PROTOCOL_RAW ? 0 : STATUS_WORD_LEN;

    UNREFERENCED_PARAMETER(ext);
    if (header.cbPciLength < sizeof header || header.cbPciLength >= buffers->in_len)
        return STATUS_INVALID_PARAMETER;
    /* What cannot even take the status word is refused before the card does anything. */
    if (buffers->out_len < header.cbPciLength ||
        buffers->out_len - header.cbPciLength < room)
        return STATUS_BUFFER_TOO_SMALL;
    return STATUS_SUCCESS;
}

NTSTATUS smc_prepare_transmit(PSMARTCARD_EXTENSION ext, const struct smc_buffers *buffers)
{
    SCARD_IO_REQUEST header = io_request_at(buffers->bytes);
    const UCHAR *command = buffers->bytes + header.cbPciLength;
    ULONG len = buffers->in_len - header.cbPciLength;
    ULONG selected;
    KIRQL irql;

    KeAcquireSpinLock(&ext->OsData->SpinLock, &irql);
    selected = ext->CardCapabilities.Protocol.Selected;
    KeReleaseSpinLock(&ext->OsData->SpinLock, irql);
    if (selected == SCARD_PROTOCOL_UNDEFINED || header.dwProtocol != selected)
        return STATUS_INVALID_DEVICE_STATE;
    if (selected != SCARD_PROTOCOL_RAW && command[0] != PSEUDO_CLA &&
        !smc_apdu_is_well_formed(command, len))
        return STATUS_INVALID_PARAMETER;
    smc_t1_abandon(&ext->T1);
    return STATUS_PENDING;
}

/* ---- vendor attributes, debug level ---------------------------------------------- */

NTSTATUS smc_prepare_number(PSMARTCARD_EXTENSION ext, const struct smc_buffers *buffers)
{
    ext->MinorIoControlCode = smc_number_at(buffers->bytes);
    return STATUS_PENDING;
}
