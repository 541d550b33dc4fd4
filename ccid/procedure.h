/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procedure.h - a T=0 command seen character by character: what to send next, and what
 * the card's procedure bytes mean (ISO/IEC 7816-3 §10.3.3). Pure.
 *
 *     ccid_procedure_begin(&p, tpdu, len, le, answer);
 *     do {
 *         ccid_procedure_next(&p, &step);
 *         send step.send, receive step.expect bytes
 *         for each byte: result = ccid_procedure_take(&p, byte);
 *     } while (result == CCID_PROCEDURE_GOES_ON);
 *
 * NULL (60h) says nothing but "wait": a card may send any number of them, and the bound
 * is the caller's time.
 */
#ifndef CCID_PROCEDURE_H
#define CCID_PROCEDURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CCID_PROCEDURE_TPDU_MAX   260 /* header 5, data 255 */
#define CCID_PROCEDURE_ANSWER_MAX 258 /* data 256, SW1 SW2 */

struct ccid_procedure {
    const uint8_t *tpdu; /* header and data */
    size_t tpdu_len;
    size_t sent;
    size_t to_send; /* of it, now */
    uint8_t *answer;
    size_t le;  /* most bytes of data that the card may send */
    size_t got; /* in answer */
    size_t due; /* bytes of data that come before the next procedure byte */
    uint8_t sw1;
    bool has_sw1;
};

struct ccid_procedure_step {
    const uint8_t *send;
    size_t send_len; /* 0: nothing */
    size_t expect;   /* bytes that are certain to come, at least 1 */
};

enum ccid_procedure_result {
    CCID_PROCEDURE_GOES_ON,
    CCID_PROCEDURE_ENDED, /* the answer is there, got bytes with SW1 SW2 */
    CCID_PROCEDURE_BROKEN,
};

/* tpdu: CLA INS P1 P2 P3 and, in a command that carries data, P3 bytes more; le: what it
 * asks for, up to 256; one of the two is 0. answer has room for le and 2. False: INS
 * cannot be told from a status byte (ISO/IEC 7816-3 §10.3.2). */
bool ccid_procedure_begin(struct ccid_procedure *procedure, const uint8_t *tpdu,
                          size_t len, size_t le, uint8_t *answer);
void ccid_procedure_next(struct ccid_procedure *procedure,
                         struct ccid_procedure_step *step);
enum ccid_procedure_result ccid_procedure_take(struct ccid_procedure *procedure,
                                               uint8_t byte);

#endif
