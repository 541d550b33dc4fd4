/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * t1.c - the T=1 block protocol, interface device side (ISO/IEC 7816-3 §11).
 *
 * A command is a series of smc_t1_next (the block to send) and smc_t1_take (what came
 * back). t1->State says what the next block is:
 *
 *   T1_INIT             S(IFS request), once after a reset
 *   T1_START            idle: the first I-block of the next command
 *   T1_RESTART          the first I-block of the command under way, after S(IFS) or
 *                       S(RESYNCH)
 *   T1_I_BLOCK          an I-block: the next one, or the last one again
 *   T1_R_BLOCK          R(RSN), acknowledging a part of the answer or asking again
 *   T1_..._REQUEST      the S-block of that name: IFS or RESYNCH
 *   T1_..._RESPONSE     the answer to an S-block of the card: WTX, IFS or ABORT
 *
 * An invalid block or silence is answered as §11.6.3 has it: after an I-block or an
 * S-response by R with the error, after an R by the same R, after an S-request by the
 * same request. After T1_MAX_RETRIES of these in a row comes S(RESYNCH request), at most
 * T1_MAX_RETRIES times in a command. When that is answered, the command starts again from
 * its first block, but only if the card cannot have executed it: its last I-block was
 * not sent, or the card has asked for that block again. Otherwise the command fails: no
 * command is ever executed twice.
 *
 * Bounds: repetitions as above; SMC_T1_S_BLOCKS_MAX S-blocks of the card; every chained
 * block of the answer must carry a byte, and the answer ends at the caller's buffer.
 */
#include "smclib/t1.h"

#define PCB_NOT_I    0x80
#define PCB_S        0x40 /* with PCB_NOT_I */
#define PCB_I_N      0x40
#define PCB_R_N      0x10
#define PCB_R_ERRORS 0x0f
#define PCB_S_REPLY  0x20

static const UCHAR r_error_none = 0;

size_t smc_t1_edc(UCHAR kind, const UCHAR *data, size_t len, UCHAR edc[2])
{
    if (!(kind & T1_CRC_CHECK)) {
        edc[0] = 0;
        for (size_t i = 0; i < len; i++)
            edc[0] ^= data[i];
        return 1;
    }
    unsigned crc = 0xffff; /* ISO/IEC 13239, reflected, not inverted at the end */
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x8408 : crc >> 1;
    }
    edc[0] = (UCHAR)(crc >> 8);
    edc[1] = (UCHAR)crc;
    return 2;
}

static size_t edc_len(const struct smc_t1_link *link)
{
    return link->edc & T1_CRC_CHECK ? 2 : 1;
}

/* ISO/IEC 7816-3 §11.3.2.1: source and destination change places. */
static UCHAR mirrored_nad(UCHAR nad)
{
    return (UCHAR)((nad & 0x07) << 4 | (nad & 0x70) >> 4);
}

static void initial_values(const struct smc_t1_link *link)
{
    T1_DATA *t1 = link->t1;

    t1->SSN = 0;
    t1->RSN = 0;
    t1->IFSC = link->ifsc_initial;
    t1->IFSD = T1_IFSD_DEFAULT;
}

void smc_t1_reset(const struct smc_t1_link *link)
{
    UCHAR nad = link->t1->NAD;

    memset(link->t1, 0, sizeof *link->t1);
    link->t1->NAD = nad;
    link->t1->State = T1_INIT;
    initial_values(link);
}

static void begin_transmission(T1_DATA *t1)
{
    t1->BytesSent = 0;
    t1->BytesReceived = 0;
    t1->InfBytesSent = 0;
    t1->MoreData = FALSE;
    t1->WaitForReply = FALSE;
    t1->Executable = FALSE;
    t1->Aborted = FALSE;
    t1->Resend = 0;
    t1->LastError = 0;
    t1->Wtx = 0;
}

void smc_t1_begin(const struct smc_t1_link *link, size_t len)
{
    T1_DATA *t1 = link->t1;

    if (t1->State != T1_INIT && t1->State != T1_START)
        return;
    begin_transmission(t1);
    t1->BytesToSend = (ULONG)len;
    t1->Resynch = 0;
    t1->Heard = FALSE;
    t1->SBlockCount = 0;
    t1->Restart = FALSE;
    if (t1->OutOfStep) {
        t1->State = T1_RESYNCH_REQUEST;
        t1->Restart = TRUE; /* nothing of this command is out yet */
        t1->OutOfStep = FALSE;
    } else if (t1->State == T1_INIT && link->ifsd_wanted == T1_IFSD_DEFAULT) {
        t1->State = T1_START;
    }
}

/* ---- sending --------------------------------------------------------------------- */

static NTSTATUS put_block(const struct smc_t1_link *link, UCHAR pcb, const UCHAR *inf,
                          size_t inf_len, UCHAR *block, size_t room, size_t *len)
{
    if (room < SCARD_T1_PROLOGUE_LENGTH + inf_len + edc_len(link))
        return STATUS_INSUFFICIENT_RESOURCES;
    block[0] = link->t1->NAD;
    block[1] = pcb;
    block[2] = (UCHAR)inf_len;
    if (inf_len)
        memcpy(block + SCARD_T1_PROLOGUE_LENGTH, inf, inf_len);
    *len = SCARD_T1_PROLOGUE_LENGTH + inf_len;
    *len += smc_t1_edc(link->edc, block, *len, block + *len);
    link->t1->LastPcb = pcb;
    return STATUS_SUCCESS;
}

static NTSTATUS put_i_block(const struct smc_t1_link *link, const UCHAR *command,
                            UCHAR *block, size_t room, size_t *len)
{
    T1_DATA *t1 = link->t1;
    size_t overhead = SCARD_T1_PROLOGUE_LENGTH + edc_len(link);
    size_t left = t1->BytesToSend - t1->BytesSent;
    size_t part = left < t1->IFSC ? left : t1->IFSC;

    if (room <= overhead)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (part > room - overhead) /* a reader with short messages */
        part = room - overhead;
    /* The same block again carries the same bytes, unless the card, which has not taken
     * it, takes less by now. */
    if (t1->MoreData || t1->WaitForReply)
        part = t1->InfBytesSent < t1->IFSC ? t1->InfBytesSent : t1->IFSC;
    t1->State = T1_I_BLOCK;
    t1->InfBytesSent = (UCHAR)part;
    t1->MoreData = (BOOLEAN)(part < left);
    t1->WaitForReply = (BOOLEAN)!t1->MoreData;
    t1->Executable = t1->WaitForReply;
    return put_block(link,
                     (UCHAR)((t1->SSN ? PCB_I_N : 0) | (t1->MoreData ? T1_MORE_DATA : 0)),
                     command + t1->BytesSent, part, block, room, len);
}

NTSTATUS smc_t1_next(const struct smc_t1_link *link, const UCHAR *command, UCHAR *block,
                     size_t room, size_t *len)
{
    T1_DATA *t1 = link->t1;
    UCHAR inf;

    switch (t1->State) {
    case T1_INIT:
        t1->State = T1_IFS_REQUEST;
        t1->IfsdAsked = link->ifsd_wanted;
        __attribute__((fallthrough));
    case T1_IFS_REQUEST:
        inf = t1->IfsdAsked;
        return put_block(link, T1_IFS_REQUEST, &inf, 1, block, room, len);
    case T1_RESYNCH_REQUEST:
        return put_block(link, T1_RESYNCH_REQUEST, NULL, 0, block, room, len);
    case T1_WTX_RESPONSE:
    case T1_IFS_RESPONSE:
        inf = t1->LastInf;
        return put_block(link, (UCHAR)t1->State, &inf, 1, block, room, len);
    case T1_ABORT_RESPONSE:
        return put_block(link, T1_ABORT_RESPONSE, NULL, 0, block, room, len);
    case T1_R_BLOCK:
        return put_block(link,
                         (UCHAR)(PCB_NOT_I | (t1->RSN ? PCB_R_N : 0) | t1->LastError),
                         NULL, 0, block, room, len);
    default: /* T1_START, T1_RESTART, T1_I_BLOCK */
        return put_i_block(link, command, block, room, len);
    }
}

/* ---- receiving ------------------------------------------------------------------- */

static NTSTATUS end_failed(T1_DATA *t1, NTSTATUS status)
{
    t1->State = T1_START;
    t1->OutOfStep = TRUE;
    t1->Wtx = 0;
    return status;
}

void smc_t1_abandon(T1_DATA *t1)
{
    if (t1->State != T1_INIT && t1->State != T1_START)
        end_failed(t1, STATUS_CANCELLED);
}

static NTSTATUS give_up(T1_DATA *t1)
{
    return end_failed(t1, t1->Heard ? STATUS_DEVICE_PROTOCOL_ERROR : STATUS_IO_TIMEOUT);
}

/* What an answer is awaited to: the state, seen through an S-block of the card. */
static ULONG awaited(const T1_DATA *t1)
{
    switch (t1->State) {
    case T1_WTX_RESPONSE:
    case T1_IFS_RESPONSE:
    case T1_ABORT_RESPONSE:
        return t1->OriginalState;
    default:
        return t1->State;
    }
}

static NTSTATUS resynchronise(T1_DATA *t1)
{
    if (t1->Resynch >= T1_MAX_RETRIES)
        return give_up(t1);
    t1->Resynch++;
    t1->Resend = 0;
    if (t1->State != T1_RESYNCH_REQUEST)
        t1->Restart = (BOOLEAN)!t1->Executable;
    t1->State = T1_RESYNCH_REQUEST;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* The command's own blocks begin; whether the card is mute is a question to it anew. */
static NTSTATUS end_ifs(T1_DATA *t1)
{
    t1->Resend = 0;
    t1->Heard = FALSE;
    t1->State = T1_RESTART;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Silence, or a block that cannot be used. */
static NTSTATUS take_error(T1_DATA *t1, UCHAR error)
{
    t1->LastError = error;
    if (t1->Resend >= T1_MAX_RETRIES) {
        if (awaited(t1) != T1_IFS_REQUEST)
            return resynchronise(t1);
        return end_ifs(t1); /* a card that does not know S(IFS): IFSD stays 32 */
    }
    t1->Resend++;
    t1->State = awaited(t1);
    if (t1->State != T1_IFS_REQUEST && t1->State != T1_RESYNCH_REQUEST)
        t1->State = T1_R_BLOCK;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS take_i_block(T1_DATA *t1, UCHAR pcb, const UCHAR *inf, size_t len,
                             UCHAR *reply, size_t room)
{
    BOOLEAN more = (pcb & T1_MORE_DATA) != 0;

    /* Out of turn: we are still sending, or waiting for an S-response; or it is not the
     * block that comes next; or a link of a chain with nothing on it. */
    if (t1->MoreData || awaited(t1) == T1_IFS_REQUEST ||
        awaited(t1) == T1_RESYNCH_REQUEST || !!(pcb & PCB_I_N) != t1->RSN ||
        (more && len == 0))
        return take_error(t1, T1_ERROR_OTHER);
    if (t1->WaitForReply) { /* the answer acknowledges the command */
        t1->WaitForReply = FALSE;
        t1->SSN ^= 1;
    }
    if (t1->BytesReceived > room || len > room - t1->BytesReceived)
        return end_failed(t1, STATUS_BUFFER_TOO_SMALL);
    memcpy(reply + t1->BytesReceived, inf, len);
    t1->BytesReceived += (ULONG)len;
    t1->RSN ^= 1;
    t1->Resend = 0;
    t1->LastError = r_error_none;
    if (!more) {
        t1->State = T1_START;
        return STATUS_SUCCESS;
    }
    t1->State = T1_R_BLOCK;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS take_r_block(T1_DATA *t1, UCHAR pcb)
{
    UCHAR number = (pcb & PCB_R_N) != 0;

    if (awaited(t1) == T1_IFS_REQUEST && (pcb & PCB_R_ERRORS) == T1_ERROR_OTHER)
        return end_ifs(t1); /* the card does not know S(IFS) */
    if (awaited(t1) == T1_IFS_REQUEST || awaited(t1) == T1_RESYNCH_REQUEST)
        return take_error(t1, T1_ERROR_OTHER);
    /* N(R) alone decides: a card that got our block twice acknowledges it with an
     * error, because the second one was out of sequence. */
    if (t1->MoreData && number != t1->SSN) {
        t1->SSN ^= 1;
        t1->BytesSent += t1->InfBytesSent;
        t1->MoreData = FALSE;
        t1->Resend = 0;
        t1->LastError = r_error_none;
        t1->State = T1_I_BLOCK;
        return STATUS_MORE_PROCESSING_REQUIRED;
    }
    if ((t1->MoreData || t1->WaitForReply) && number == t1->SSN) {
        /* The card asks for our I-block: it has not got it. */
        t1->Executable = FALSE;
        if (t1->Resend >= T1_MAX_RETRIES)
            return resynchronise(t1);
        t1->Resend++;
        t1->State = T1_I_BLOCK;
        return STATUS_MORE_PROCESSING_REQUIRED;
    }
    return take_error(t1, t1->LastError ? t1->LastError : T1_ERROR_OTHER);
}

static NTSTATUS take_s_request(T1_DATA *t1, UCHAR pcb, const UCHAR *inf, size_t len)
{
    if (++t1->SBlockCount > SMC_T1_S_BLOCKS_MAX)
        return end_failed(t1, STATUS_DEVICE_PROTOCOL_ERROR);
    if (t1->State == T1_RESYNCH_REQUEST) /* nothing else is an answer to that */
        return take_error(t1, T1_ERROR_OTHER);
    if (pcb == T1_WTX_REQUEST && len == 1) {
        t1->LastInf = inf[0];
        t1->Wtx = inf[0] ? inf[0] : 1;
    } else if (pcb == T1_IFS_REQUEST && len == 1 && inf[0] >= 1 &&
               inf[0] <= SCARD_T1_MAX_IFS) {
        t1->LastInf = inf[0];
        t1->IFSC = inf[0];
    } else if (pcb == T1_ABORT_REQUEST && len == 0) {
        t1->Aborted = TRUE;
    } else { /* RESYNCH is the interface device's alone (§11.6.3.3); bad lengths */
        return take_error(t1, T1_ERROR_OTHER);
    }
    t1->Resend = 0; /* a good block: what went wrong before it is over */
    t1->OriginalState = awaited(t1);
    t1->State = pcb | PCB_S_REPLY;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS take_s_response(const struct smc_t1_link *link, UCHAR pcb,
                                const UCHAR *inf, size_t len)
{
    T1_DATA *t1 = link->t1;

    if (awaited(t1) == T1_IFS_REQUEST && pcb == T1_IFS_RESPONSE && len == 1 &&
        inf[0] == t1->IfsdAsked) {
        t1->IFSD = inf[0];
        return end_ifs(t1);
    }
    if (t1->State != T1_RESYNCH_REQUEST || pcb != T1_RESYNCH_RESPONSE || len != 0)
        return take_error(t1, T1_ERROR_OTHER);
    initial_values(link);
    t1->State = T1_START;
    if (!t1->Restart) /* the link is in step again, the command is lost */
        return STATUS_DEVICE_PROTOCOL_ERROR;
    begin_transmission(t1);
    t1->State = T1_RESTART; /* not idle: the count of RESYNCHs goes on */
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* 0, or the error that a received block has in itself. */
static UCHAR block_error(const struct smc_t1_link *link, const UCHAR *block, size_t len)
{
    UCHAR edc[2];
    size_t tail = edc_len(link);

    if (len < SCARD_T1_PROLOGUE_LENGTH + tail || len > SMC_T1_BLOCK_MAX)
        return T1_ERROR_OTHER;
    smc_t1_edc(link->edc, block, len - tail, edc);
    if (memcmp(edc, block + len - tail, tail) != 0)
        return T1_ERROR_CHKSUM;
    if (block[2] > SCARD_T1_MAX_IFS ||
        block[2] != len - SCARD_T1_PROLOGUE_LENGTH - tail ||
        block[0] != mirrored_nad(link->t1->NAD))
        return T1_ERROR_OTHER;
    return 0;
}

NTSTATUS smc_t1_take(const struct smc_t1_link *link, const UCHAR *block, size_t len,
                     UCHAR *reply, size_t room)
{
    T1_DATA *t1 = link->t1;
    const UCHAR *inf = block + SCARD_T1_PROLOGUE_LENGTH;
    UCHAR error, pcb;
    size_t inf_len;

    t1->Wtx = 0;
    if (len)
        t1->Heard = TRUE;
    if (t1->Aborted) /* our response is out, that is all */
        return end_failed(t1, STATUS_DEVICE_PROTOCOL_ERROR);
    error = block_error(link, block, len);
    if (error)
        return take_error(t1, error);
    pcb = block[1];
    inf_len = block[2];
    if (!(pcb & PCB_NOT_I))
        return pcb & 0x1f ? take_error(t1, T1_ERROR_OTHER)
                          : take_i_block(t1, pcb, inf, inf_len, reply, room);
    if (!(pcb & PCB_S))
        return (pcb & 0x20) || (pcb & PCB_R_ERRORS) > T1_ERROR_OTHER || inf_len
                   ? take_error(t1, T1_ERROR_OTHER)
                   : take_r_block(t1, pcb);
    if (pcb == T1_VPP_ERROR)
        return end_failed(t1, STATUS_DEVICE_PROTOCOL_ERROR);
    if (pcb & PCB_S_REPLY)
        return take_s_response(link, pcb, inf, inf_len);
    return take_s_request(t1, pcb, inf, inf_len);
}
