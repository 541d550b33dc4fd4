/* SPDX-License-Identifier: BSD-2-Clause */
/* control.h - a row of the table of control codes, and the stations of a request. */
#ifndef SMCLIB_CONTROL_H
#define SMCLIB_CONTROL_H

#include "internal.h"

struct smc_buffers {
    PUCHAR bytes; /* input and output */
    ULONG in_len;
    ULONG out_len;
};

/* Answers without the driver. */
typedef NTSTATUS smc_answer_function(PSMARTCARD_EXTENSION ext,
                                     const struct smc_buffers *buffers,
                                     ULONG *information);
/* Checks values before the request waits for its turn. */
typedef NTSTATUS smc_check_function(PSMARTCARD_EXTENSION ext,
                                    const struct smc_buffers *buffers);
/* With the turn: checks what depends on the card and prepares the callback. What it
 * returns other than STATUS_PENDING is the request's status, without the callback. */
typedef NTSTATUS smc_prepare_function(PSMARTCARD_EXTENSION ext,
                                      const struct smc_buffers *buffers);

struct smc_control_row {
    ULONG code;
    ULONG min_in;
    ULONG min_out;
    ULONG min_state;
    unsigned callback;
    smc_answer_function *answer;
    smc_check_function *check;
    smc_prepare_function *prepare;
};

/* A little-endian DWORD of the caller, at any alignment. */
static inline ULONG smc_number_at(const UCHAR *bytes)
{
    ULONG number;

    memcpy(&number, bytes, sizeof number);
    return number;
}

static inline NTSTATUS smc_answer_number(const struct smc_buffers *buffers,
                                         ULONG *information, ULONG number)
{
    memcpy(buffers->bytes, &number, sizeof number);
    *information = sizeof number;
    return STATUS_SUCCESS;
}

/* What a request that needs at least min_state gets in that state. */
static inline NTSTATUS smc_state_suffices(ULONG state, ULONG min_state)
{
    if (min_state > SCARD_ABSENT && state <= SCARD_ABSENT)
        return STATUS_NO_MEDIA;
    return state >= min_state ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_STATE;
}

/* prepare.c */
smc_check_function smc_check_power, smc_check_transmit;
smc_prepare_function smc_prepare_power, smc_prepare_protocol, smc_prepare_transmit;
smc_prepare_function smc_prepare_number;

/* serve.c: waits for the turn of the request and calls the driver, up to but without
 * completion. STATUS_PENDING: SmartcardCompleteRequest completes it. */
NTSTATUS smc_serve(PSMARTCARD_EXTENSION ext, PIRP irp, const struct smc_control_row *row,
                   const struct smc_buffers *buffers, ULONG *information);

#endif
