/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apdu.c - a command APDU over T=0: its length (two bytes), its bytes, then the card's
 * answers, each with a byte of length in front (255: 256 bytes of data), SW1 SW2 last.
 *
 * Both readers of APDUs agree on what is one. Every TPDU is one that the library takes;
 * their number is bounded, and the answer is no longer than Le and what the card sent.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../smclib/fake_reader.h"
#include "fs/apdu.h"
#include "fuzz.h"
#include "smclib/internal.h"

#define COMMAND_MAX 65600
#define TPDU_HEADER 5

static struct fake_reader reader;

/* What the library makes of a TPDU, and of the card's answer to it. */
static void check_tpdu(const uint8_t *tpdu, size_t len, const uint8_t *answer,
                       size_t answer_len)
{
    const SCARD_IO_REQUEST header = {SCARD_PROTOCOL_T0, sizeof header};
    PSMARTCARD_EXTENSION ext = &reader.ext;
    UCHAR buffer[sizeof header + SCFS_TPDU_MAX + 2];
    ULONG information = 0;

    FUZZ_CHECK(len == TPDU_HEADER || len == TPDU_HEADER + (size_t)tpdu[4]);
    memcpy(buffer, &header, sizeof header);
    memcpy(buffer + sizeof header, tpdu, len);
    ext->IoRequest.RequestBuffer = ext->IoRequest.ReplyBuffer = buffer;
    ext->IoRequest.RequestBufferLength = (ULONG)(sizeof header + len);
    ext->IoRequest.ReplyBufferLength = sizeof header + 256 + 2;
    ext->IoRequest.Information = &information;
    ext->SmartcardRequest.BufferLength = 0;
    FUZZ_CHECK(SmartcardT0Request(ext) == STATUS_SUCCESS);
    FUZZ_CHECK(ext->SmartcardRequest.BufferLength == len);
    FUZZ_CHECK(memcmp(ext->SmartcardRequest.Buffer, tpdu, len) == 0);
    if (answer_len > 0)
        memcpy(ext->SmartcardReply.Buffer, answer, answer_len);
    ext->SmartcardReply.BufferLength = (ULONG)answer_len;
    if (SmartcardT0Reply(ext) == STATUS_SUCCESS) {
        FUZZ_CHECK(information == sizeof header + answer_len);
        FUZZ_CHECK(answer_len >= 2 && answer_len - 2 <= ext->T0.Le);
    } else {
        FUZZ_CHECK(information == 0);
    }
}

static void run(struct fuzz_input *in, const uint8_t *command, size_t len)
{
    static uint8_t answer[SCFS_ANSWER_MAX];
    struct scfs_apdu apdu;
    struct scfs_apdu_parts parts;
    uint8_t tpdu[SCFS_TPDU_MAX], piece[258];
    size_t given = 0, steps = 0;
    const size_t steps_max = 2 * (len / 255 + 2 + SCFS_GET_RESPONSES_MAX);
    int error = scfs_apdu_begin(&apdu, command, len, answer);

    FUZZ_CHECK((error == 0) == smc_apdu_is_well_formed(command, len));
    if (error != 0) {
        FUZZ_CHECK(error == -EINVAL);
        return;
    }
    FUZZ_CHECK(scfs_apdu_split(command, len, &parts) == 0);
    FUZZ_CHECK(parts.lc <= 65535 && parts.le <= 65536);
    do {
        const size_t tpdu_len = scfs_apdu_next(&apdu, tpdu);
        uint8_t *exact;
        size_t wanted = fuzz_u8(in), got;

        FUZZ_CHECK(++steps <= steps_max);
        wanted = wanted == 255 ? sizeof piece : wanted;
        exact = fuzz_piece(in, wanted, &got);
        check_tpdu(tpdu, tpdu_len, exact, got);
        given += got;
        error = scfs_apdu_take(&apdu, exact, got);
        free(exact);
        FUZZ_CHECK(apdu.answer_len <= parts.le + 2u && apdu.answer_len <= given + 2);
    } while (error == 1);
    FUZZ_CHECK(error == 0 || error == -EPROTO);
    if (error == 0)
        FUZZ_CHECK(apdu.answer_len >= 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const size_t wanted = fuzz_u16(&in);
    size_t len;
    uint8_t *command = fuzz_piece(&in, wanted < COMMAND_MAX ? wanted : COMMAND_MAX, &len);

    fake_reader_setup(&reader);
    run(&in, command, len);
    fake_reader_teardown(&reader);
    free(command);
    return 0;
}
