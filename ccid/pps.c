/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pps.c - the PPS exchange of ISO/IEC 7816-3 §9, for readers that leave it to the
 * host: a request and an answer as one XfrBlock, at character level as several. Which
 * rate to ask for is the library's choice (PtsData), what to do when it fails is
 * protocol.c's.
 */
#include "ccid/tpdu.h"

#include <string.h>

#define PPSS        0xFF
#define PPS0_RATE   0x10 /* PPS1 is present */
#define PPS0_OTHERS 0xE0 /* PPS2, PPS3, reserved: never asked for */
#define PPS0_T      0x0F
#define PPS_LEAST   3    /* PPSS, PPS0, PCK */
#define PPS_MS      5000 /* the card has 9600 etu, 0.9 s at 4 MHz */
#define PPS_ALL_MS  (2 * PPS_MS)

static uint8_t sum(const uint8_t *bytes, size_t len)
{
    uint8_t x = 0;

    for (size_t i = 0; i < len; i++)
        x ^= bytes[i];
    return x;
}

size_t ccid_pps_request(uint8_t out[CCID_PPS_MAX], uint8_t protocol, bool with_rate,
                        uint8_t fidi)
{
    size_t len = 0;

    out[len++] = PPSS;
    out[len++] = (uint8_t)(protocol | (with_rate ? PPS0_RATE : 0));
    if (with_rate)
        out[len++] = fidi;
    out[len] = sum(out, len);
    return len + 1;
}

const char *ccid_pps_check(const uint8_t *request, const uint8_t *answer, size_t len,
                           bool *rate)
{
    size_t expected;

    if (len < PPS_LEAST || answer[0] != PPSS)
        return "the answer is no PPS";
    expected = (answer[1] & PPS0_RATE) != 0 ? PPS_LEAST + 1 : PPS_LEAST;
    if ((answer[1] & PPS0_OTHERS) != 0 || len != expected)
        return "the answer has other parameters than were asked for";
    if (sum(answer, len) != 0)
        return "the answer has a wrong check character";
    if ((answer[1] & PPS0_T) != (request[1] & PPS0_T))
        return "the answer is about another protocol";
    *rate = (answer[1] & PPS0_RATE) != 0;
    /* Left out means the default; put in, it must be what was asked for. */
    if (*rate && ((request[1] & PPS0_RATE) == 0 || answer[2] != request[2]))
        return "the answer has another rate than was asked for";
    return NULL;
}

static NTSTATUS exchange(struct ccid_slot *slot, uint32_t length,
                         struct ccid_command *command,
                         uint8_t answer[CCID_CHARACTER_PPS_MAX], size_t *answer_len)
{
    NTSTATUS status;

    if (slot->device->desc.level == CCID_LEVEL_CHARACTER)
        return ccid_character_pps(slot, length, PPS_MS, answer, answer_len, command);
    command->type = CCID_XFR_BLOCK;
    command->answer_type = CCID_DATA_BLOCK;
    command->length = length;
    command->timeout_ms = PPS_MS;
    command->total_ms = PPS_ALL_MS;
    status = ccid_cmd(slot, command);
    *answer_len = 0; /* one that is too long is none */
    if (status == STATUS_SUCCESS && command->answer.length <= CCID_CHARACTER_PPS_MAX) {
        *answer_len = command->answer.length;
        memcpy(answer, command->answer.data, *answer_len);
    }
    return status;
}

NTSTATUS ccid_pps(struct ccid_slot *slot, uint8_t protocol, bool with_rate, uint8_t fidi,
                  struct ccid_pps_result *result)
{
    struct ccid_command command = {0};
    uint8_t request[CCID_PPS_MAX], answer[CCID_CHARACTER_PPS_MAX];
    size_t length, answer_len = 0;
    const char *problem;
    NTSTATUS status;

    *result = (struct ccid_pps_result){0};
    length = ccid_pps_request(request, protocol, with_rate, fidi);
    memcpy(ccid_slot_data(slot), request, length);
    status = exchange(slot, (uint32_t)length, &command, answer, &answer_len);
    result->card_failed = command.answered && command.answer.icc == CCID_ICC_ACTIVE;
    if (status != STATUS_SUCCESS)
        return ccid_card_failed(slot, &command, status);
    problem = ccid_pps_check(request, answer, answer_len, &result->rate_accepted);
    if (problem != NULL) {
        SmcLog(slot->object, STATUS_DEVICE_PROTOCOL_ERROR, "PPS: %s", problem);
        return STATUS_DEVICE_PROTOCOL_ERROR;
    }
    return STATUS_SUCCESS;
}
