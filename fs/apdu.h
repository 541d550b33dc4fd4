/* SPDX-License-Identifier: BSD-2-Clause */
/* apdu.h - a command APDU over T=0: which TPDUs carry it, pure. */
#ifndef SCARDFS_APDU_H
#define SCARDFS_APDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCFS_TPDU_MAX          (5 + 255)
#define SCFS_ANSWER_MAX        (65536 + 2)
#define SCFS_GET_RESPONSES_MAX 512

/* The parts of a command (ISO/IEC 7816-4 §5.1). */
struct scfs_apdu_parts {
    const uint8_t *data;
    uint32_t lc; /* 0 ... 65535 */
    uint32_t le; /* 0: none expected, 1 ... 65536 */
};

/* 0, or -EINVAL for what is no APDU. parts->data points into command. */
int scfs_apdu_split(const uint8_t *command, size_t len, struct scfs_apdu_parts *parts);

enum scfs_apdu_state {
    SCFS_APDU_COMMAND,
    SCFS_APDU_ENVELOPE,
    SCFS_APDU_GET_RESPONSE,
};

struct scfs_apdu {
    const uint8_t *command;
    size_t len;
    struct scfs_apdu_parts parts;
    uint8_t *answer; /* SCFS_ANSWER_MAX bytes of room, the caller's */
    size_t answer_len;
    enum scfs_apdu_state state;
    size_t sent;        /* bytes of the command that ENVELOPEs have carried */
    size_t sending;     /* in the one under way */
    uint8_t p3;         /* of the TPDU under way */
    bool corrected;     /* 6Cxx was answered once */
    uint8_t sw1, sw2;   /* to be returned when GET RESPONSE brings none */
    bool keep_sw;       /* ... also when it succeeds: a warning */
    bool asked_blindly; /* GET RESPONSE after 9000 */
    unsigned get_responses, empty;
};

/* Begins. 0 or -EINVAL; nothing is to be sent then. Keeps both pointers. */
int scfs_apdu_begin(struct scfs_apdu *apdu, const uint8_t *command, size_t len,
                    uint8_t *answer);

/* The next TPDU; returns its length. */
size_t scfs_apdu_next(struct scfs_apdu *apdu, uint8_t tpdu[SCFS_TPDU_MAX]);

/*
 * Takes the card's answer to it ([data] SW1 SW2). 1: there is another TPDU to send; 0:
 * answer[answer_len] is complete; -EPROTO: no status word, or more data than T=0 allows.
 */
int scfs_apdu_take(struct scfs_apdu *apdu, const uint8_t *answer, size_t len);

#endif
