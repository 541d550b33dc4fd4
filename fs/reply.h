/* SPDX-License-Identifier: BSD-2-Clause */
/* reply.h - what the last command written to an open file has come to. Pure. */
#ifndef SCFS_REPLY_H
#define SCFS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scfs_reply_state {
    SCFS_REPLY_NONE,    /* nothing was asked, or all of it has been read */
    SCFS_REPLY_RUNNING, /* a read waits */
    SCFS_REPLY_READY,   /* an answer or an error is there, unread or half read */
};

/* All zero at first. The caller has a lock around it. */
struct scfs_reply {
    enum scfs_reply_state state;
    unsigned serial; /* of the command */
    int error;       /* positive; 0: bytes are the answer */
    uint8_t *bytes;  /* malloc */
    size_t skip;     /* the answer begins there in bytes */
    size_t len, pos; /* pos: what has been read, in bytes of the file */
};

/* A command begins: its serial number in *serial; -EBUSY while another one runs or its
 * outcome is unread. */
int scfs_reply_ask(struct scfs_reply *reply, unsigned *serial);
/* It never ran, and nobody is told: as if it had not been asked. */
void scfs_reply_withdraw(struct scfs_reply *reply, unsigned serial);
/* Its outcome, unless it has been forgotten: an error, or len bytes behind the first skip
 * ones. True: the memory is the reply's from now on; otherwise it stays the caller's. */
bool scfs_reply_end(struct scfs_reply *reply, unsigned serial, int error, uint8_t *bytes,
                    size_t skip, size_t len);

/*
 * Reading. Only when READY: an error is taken at once; of an answer that is all bytes
 * long in the file, so many are. When everything is taken the state is NONE.
 */
int scfs_reply_take_error(struct scfs_reply *reply);
void scfs_reply_take(struct scfs_reply *reply, size_t bytes, size_t all);
/* What was taken did not arrive: it is unread again, unless a new command has begun. */
void scfs_reply_put_back(struct scfs_reply *reply, unsigned serial, int error,
                         size_t bytes);
/* It did: an answer that has been read to its end is forgotten. */
void scfs_reply_delivered(struct scfs_reply *reply, unsigned serial);

/* An unread answer as a whole, len bytes behind skip: its memory is the caller's. */
uint8_t *scfs_reply_hand_out(struct scfs_reply *reply);
/* It did not arrive: true if it is unread again, unless a new command has begun. */
bool scfs_reply_hand_back(struct scfs_reply *reply, unsigned serial, uint8_t *bytes);

/* Forgets everything; the memory of the answer is wiped. */
void scfs_reply_clear(struct scfs_reply *reply);

#endif
