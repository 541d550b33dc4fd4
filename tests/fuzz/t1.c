/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * t1.c - T=1 with a card that sends what it likes: one byte of checksum, IFSC and IFSD
 * each, then commands. A command: its length and the room for the answer (two bytes
 * each), its bytes, then a block of the card for each of ours. A block: how it is made
 * (enum card_block), and what is in it.
 *
 * Every block that we send is well formed and no longer than the card takes; a command
 * ends soon after the card has fallen silent; and its answer is no longer than the room
 * for it and than what the card has sent. A command that succeeds was sent to its end.
 */
#include <stdlib.h>
#include <string.h>

#include "../smclib/fake_reader.h"
#include "fuzz.h"
#include "smclib/internal.h"

#define COMMANDS_MAX 8
#define COMMAND_MAX  2000
/* Blocks to a card that says nothing: retries of the block and of RESYNCH. */
#define SILENT_BLOCKS_MAX 64

enum card_block {
    CARD_SILENT,
    CARD_RAW,     /* length, bytes: whatever they are */
    CARD_MADE,    /* PCB, length, INF: with the right prologue and checksum */
    CARD_HONEST,  /* what a card would send: length and INF of an answer */
    CARD_FALSIFY, /* the same with one bit changed: which, length, INF */
    CARD_BLOCKS
};

static struct fake_reader reader;
static UCHAR card_ns; /* number of the card's next I-block */
static size_t card_bytes;

static void check_sent(const UCHAR *block, size_t len)
{
    const UCHAR kind = reader.ext.CardCapabilities.T1.EDC;
    const size_t tail = kind & T1_CRC_CHECK ? 2 : 1;
    UCHAR edc[2];

    FUZZ_CHECK(len >= SCARD_T1_PROLOGUE_LENGTH + tail && len <= SMC_T1_BLOCK_MAX);
    FUZZ_CHECK(block[2] == len - SCARD_T1_PROLOGUE_LENGTH - tail);
    FUZZ_CHECK(smc_t1_edc(kind, block, len - tail, edc) == tail);
    FUZZ_CHECK(memcmp(edc, block + len - tail, tail) == 0);
    if ((block[1] & 0x80) == 0)
        FUZZ_CHECK(block[2] <= reader.ext.T1.IFSC);
}

static size_t make(UCHAR *block, UCHAR pcb, struct fuzz_input *in, size_t inf_len)
{
    if (inf_len > SCARD_T1_MAX_IFS)
        inf_len = SCARD_T1_MAX_IFS;
    block[0] = 0;
    block[1] = pcb;
    block[2] = (UCHAR)inf_len;
    fuzz_read(in, block + SCARD_T1_PROLOGUE_LENGTH, inf_len);
    inf_len += SCARD_T1_PROLOGUE_LENGTH;
    return inf_len + smc_t1_edc(reader.ext.CardCapabilities.T1.EDC, block, inf_len,
                                block + inf_len);
}

/* To an S-request its response, to a link of a chain its acknowledgement, else data. */
static size_t honest(UCHAR *block, const UCHAR *sent, struct fuzz_input *in)
{
    struct fuzz_input echo = {sent + SCARD_T1_PROLOGUE_LENGTH, sent[2]};
    const uint8_t len = fuzz_u8(in);
    UCHAR pcb;

    if ((sent[1] & 0xE0) == 0xC0) {
        if (sent[1] == T1_RESYNCH_REQUEST)
            card_ns = 0;
        return make(block, sent[1] | 0x20, &echo, sent[2]);
    }
    if ((sent[1] & 0x80) == 0 && (sent[1] & T1_MORE_DATA) != 0)
        return make(block, sent[1] & 0x40 ? 0x80 : 0x90, &echo, 0);
    pcb = (UCHAR)(card_ns << 6 | (len & 1 ? T1_MORE_DATA : 0));
    card_ns ^= 1;
    return make(block, pcb, in, len);
}

/* The card's turn; returns how many bytes it says. */
static size_t card(UCHAR *block, size_t room, const UCHAR *sent, struct fuzz_input *in)
{
    uint8_t pcb, which;
    size_t len;

    switch (fuzz_u8(in) % CARD_BLOCKS) {
    case CARD_RAW:
        len = fuzz_u8(in);
        return fuzz_read(in, block, len < room ? len : room);
    case CARD_MADE:
        pcb = fuzz_u8(in);
        return make(block, pcb, in, fuzz_u8(in));
    case CARD_HONEST:
        return honest(block, sent, in);
    case CARD_FALSIFY:
        which = fuzz_u8(in);
        len = honest(block, sent, in);
        block[which / 8 % len] ^= (UCHAR)(1 << which % 8);
        return len;
    default:
        return 0;
    }
}

static void command(struct fuzz_input *in)
{
    const SCARD_IO_REQUEST header = {SCARD_PROTOCOL_T1, sizeof header};
    const size_t len = sizeof header + fuzz_u16(in) % COMMAND_MAX;
    const size_t room = fuzz_u16(in);
    const size_t whole = len > room ? len : room;
    PSMARTCARD_EXTENSION ext = &reader.ext;
    UCHAR *buffer = malloc(whole), sent[SMC_T1_BLOCK_MAX];
    ULONG information = 0;
    unsigned silent = 0;
    NTSTATUS status;

    FUZZ_CHECK(buffer != NULL);
    memcpy(buffer, &header, sizeof header);
    fuzz_read(in, buffer + sizeof header, len - sizeof header);
    ext->IoRequest.RequestBuffer = ext->IoRequest.ReplyBuffer = buffer;
    ext->IoRequest.RequestBufferLength = (ULONG)len;
    ext->IoRequest.ReplyBufferLength = (ULONG)room;
    ext->IoRequest.Information = &information;
    card_bytes = 0;
    do {
        ext->SmartcardRequest.BufferLength = 0;
        status = SmartcardT1Request(ext);
        if (status != STATUS_SUCCESS)
            break;
        FUZZ_CHECK(ext->SmartcardRequest.BufferLength <= sizeof sent);
        memcpy(sent, ext->SmartcardRequest.Buffer, ext->SmartcardRequest.BufferLength);
        check_sent(sent, ext->SmartcardRequest.BufferLength);
        silent = fuzz_left(in) == 0 ? silent + 1 : 0;
        FUZZ_CHECK(silent <= SILENT_BLOCKS_MAX);
        ext->SmartcardReply.BufferLength = (ULONG)card(
            ext->SmartcardReply.Buffer, ext->SmartcardReply.BufferSize, sent, in);
        card_bytes += ext->SmartcardReply.BufferLength;
        status = SmartcardT1Reply(ext);
    } while (status == STATUS_MORE_PROCESSING_REQUIRED);
    FUZZ_CHECK(strcmp(smc_status_name(status), "STATUS_UNKNOWN") != 0);
    if (status == STATUS_SUCCESS) {
        FUZZ_CHECK(information >= sizeof header && information <= room);
        FUZZ_CHECK(information - sizeof header <= card_bytes);
        FUZZ_CHECK(ext->T1.BytesSent + ext->T1.InfBytesSent == len - sizeof header);
    } else {
        FUZZ_CHECK(information == 0);
        smc_t1_abandon(&ext->T1);
    }
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    fake_reader_setup(&reader);
    reader.ext.CardCapabilities.T1.EDC = fuzz_u8(&in) & T1_CRC_CHECK;
    reader.ext.CardCapabilities.T1.IFSC = fuzz_u8(&in);
    reader.ext.ReaderCapabilities.MaxIFSD = fuzz_u8(&in);
    card_ns = 0;
    smc_t1_reset_extension(&reader.ext);
    for (int i = 0; i < COMMANDS_MAX && fuzz_left(&in) > 0; i++)
        command(&in);
    fake_reader_teardown(&reader);
    return 0;
}
