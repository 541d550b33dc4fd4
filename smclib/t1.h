/* SPDX-License-Identifier: BSD-2-Clause */
/* t1.h - the T=1 block protocol, interface device side (ISO/IEC 7816-3 §11), pure. */
#ifndef SMCLIB_T1_H
#define SMCLIB_T1_H

#include "smclib.h"

/* Longest block: prologue, 254 bytes, CRC. */
#define SMC_T1_BLOCK_MAX (SCARD_T1_PROLOGUE_LENGTH + SCARD_T1_MAX_IFS + 2)
/* S-blocks that a card may send within one command; it could go on for ever. */
#define SMC_T1_S_BLOCKS_MAX 4096

/* What the engine needs to know besides T1_DATA. */
struct smc_t1_link {
    T1_DATA *t1;
    UCHAR edc;          /* T1_CRC_CHECK: CRC, else LRC */
    UCHAR ifsc_initial; /* from the ATR */
    UCHAR ifsd_wanted;  /* 32: do not ask */
};

/* After a reset or a new protocol selection. */
void smc_t1_reset(const struct smc_t1_link *link);

/* The same for an extension: after every reset of its card. */
void smc_t1_reset_extension(PSMARTCARD_EXTENSION ext);

/* A command that its driver left unfinished is over: the next one resynchronises first.
 */
void smc_t1_abandon(T1_DATA *t1);

/* Begins a command of len bytes (or goes on, when one is under way): no effect unless
 * the engine is idle. */
void smc_t1_begin(const struct smc_t1_link *link, size_t len);

/*
 * The next block to send, at most SMC_T1_BLOCK_MAX bytes into block[room]. command is the
 * whole command. STATUS_SUCCESS, or STATUS_INSUFFICIENT_RESOURCES when room is too small.
 */
NTSTATUS smc_t1_next(const struct smc_t1_link *link, const UCHAR *command, UCHAR *block,
                     size_t room, size_t *len);

/*
 * Takes what came back (len 0: nothing) and appends INF to reply[room], t1->BytesReceived
 * counting. STATUS_MORE_PROCESSING_REQUIRED: send the next block; STATUS_SUCCESS: the
 * answer is complete; STATUS_BUFFER_TOO_SMALL; STATUS_DEVICE_PROTOCOL_ERROR;
 * STATUS_IO_TIMEOUT when nothing ever came. Every end but success leaves the link to be
 * resynchronised before the next command.
 */
NTSTATUS smc_t1_take(const struct smc_t1_link *link, const UCHAR *block, size_t len,
                     UCHAR *reply, size_t room);

/* EDC over data: LRC 1 byte or CRC 2 bytes (high byte first) to edc; returns its size. */
size_t smc_t1_edc(UCHAR kind, const UCHAR *data, size_t len, UCHAR edc[2]);

#endif
