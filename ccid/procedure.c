/* SPDX-License-Identifier: BSD-2-Clause */
/* procedure.c - the procedure bytes of T=0; see procedure.h. */
#include "ccid/procedure.h"

#define HEADER_LENGTH 5
#define INS           1
#define NULL_BYTE     0x60

static bool is_sw1(uint8_t byte)
{
    return (byte & 0xF0) == 0x60 || (byte & 0xF0) == 0x90;
}

bool ccid_procedure_begin(struct ccid_procedure *procedure, const uint8_t *tpdu,
                          size_t len, size_t le, uint8_t *answer)
{
    *procedure = (struct ccid_procedure){
        .tpdu = tpdu,
        .tpdu_len = len,
        .to_send = HEADER_LENGTH,
        .answer = answer,
        .le = le,
    };
    return !is_sw1(tpdu[INS]);
}

void ccid_procedure_next(struct ccid_procedure *procedure,
                         struct ccid_procedure_step *step)
{
    bool header = procedure->sent == 0;

    step->send = procedure->tpdu + procedure->sent;
    step->send_len = procedure->to_send;
    procedure->sent += procedure->to_send;
    procedure->to_send = 0;
    if (procedure->has_sw1 || header) {
        step->expect = 1;
        return;
    }
    step->expect = procedure->due + 1;
    /* Behind the last of the data are two bytes of status, or NULL and they. */
    if (procedure->sent == procedure->tpdu_len &&
        procedure->got + procedure->due == procedure->le)
        step->expect++;
}

/* The card wants `most` more bytes of data, in the direction that the command has. */
static enum ccid_procedure_result acknowledge(struct ccid_procedure *procedure,
                                              size_t most)
{
    size_t out = procedure->tpdu_len - procedure->sent;
    size_t in = procedure->le - procedure->got;

    if (out != 0)
        procedure->to_send = out < most ? out : most;
    else if (in != 0)
        procedure->due = in < most ? in : most;
    else
        return CCID_PROCEDURE_BROKEN; /* there is no more */
    return CCID_PROCEDURE_GOES_ON;
}

enum ccid_procedure_result ccid_procedure_take(struct ccid_procedure *procedure,
                                               uint8_t byte)
{
    uint8_t ins = procedure->tpdu[INS];

    if (procedure->due != 0) {
        procedure->due--;
        procedure->answer[procedure->got++] = byte;
        return CCID_PROCEDURE_GOES_ON;
    }
    if (procedure->has_sw1) {
        procedure->answer[procedure->got++] = procedure->sw1;
        procedure->answer[procedure->got++] = byte;
        return CCID_PROCEDURE_ENDED;
    }
    if (procedure->to_send != 0)
        return CCID_PROCEDURE_BROKEN; /* it speaks out of turn */
    if (byte == NULL_BYTE)
        return CCID_PROCEDURE_GOES_ON;
    if (is_sw1(byte)) {
        procedure->sw1 = byte;
        procedure->has_sw1 = true;
        return CCID_PROCEDURE_GOES_ON;
    }
    if (byte == ins)
        return acknowledge(procedure, CCID_PROCEDURE_ANSWER_MAX);
    if (byte + ins == 0xFF)
        return acknowledge(procedure, 1);
    return CCID_PROCEDURE_BROKEN;
}
