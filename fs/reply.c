/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reply.c - what the last command written to an open file has come to.
 *
 * NONE -> ask -> RUNNING -> end -> READY -> taken -> NONE. An answer may be taken in
 * several parts. What has been taken is kept until it has been delivered or the next
 * command begins, because a read may end without its client.
 *
 * The serial number ties a late end, and a delivery that failed, to their command.
 */
#include "fs/reply.h"

#include <errno.h>
#include <stdlib.h>

#include "wdm.h" /* RtlSecureZeroMemory */

static void forget(struct scfs_reply *reply)
{
    if (reply->bytes != NULL)
        RtlSecureZeroMemory(reply->bytes + reply->skip, reply->len);
    free(reply->bytes);
    reply->bytes = NULL;
    reply->skip = reply->len = reply->pos = 0;
    reply->error = 0;
}

int scfs_reply_ask(struct scfs_reply *reply, unsigned *serial)
{
    if (reply->state != SCFS_REPLY_NONE)
        return -EBUSY;
    forget(reply);
    reply->state = SCFS_REPLY_RUNNING;
    *serial = ++reply->serial;
    return 0;
}

void scfs_reply_withdraw(struct scfs_reply *reply, unsigned serial)
{
    if (reply->state == SCFS_REPLY_RUNNING && reply->serial == serial)
        reply->state = SCFS_REPLY_NONE;
}

bool scfs_reply_end(struct scfs_reply *reply, unsigned serial, int error, uint8_t *bytes,
                    size_t skip, size_t len)
{
    if (reply->state != SCFS_REPLY_RUNNING || reply->serial != serial)
        return false;
    reply->state = SCFS_REPLY_READY;
    reply->error = error;
    if (error == 0) {
        reply->bytes = bytes;
        reply->skip = skip;
        reply->len = len;
    }
    return error == 0;
}

int scfs_reply_take_error(struct scfs_reply *reply)
{
    int error = reply->error;

    if (error != 0) {
        reply->error = 0;
        reply->state = SCFS_REPLY_NONE;
    }
    return error;
}

void scfs_reply_take(struct scfs_reply *reply, size_t bytes, size_t all)
{
    reply->pos += bytes;
    if (reply->pos >= all)
        reply->state = SCFS_REPLY_NONE;
}

void scfs_reply_put_back(struct scfs_reply *reply, unsigned serial, int error,
                         size_t bytes)
{
    if (reply->serial != serial || reply->state == SCFS_REPLY_RUNNING)
        return;
    if (error != 0)
        reply->error = error;
    else if (reply->bytes == NULL || bytes > reply->pos)
        return;
    else
        reply->pos -= bytes;
    reply->state = SCFS_REPLY_READY;
}

void scfs_reply_delivered(struct scfs_reply *reply, unsigned serial)
{
    if (reply->serial == serial && reply->state == SCFS_REPLY_NONE)
        forget(reply);
}

uint8_t *scfs_reply_hand_out(struct scfs_reply *reply)
{
    uint8_t *bytes = reply->bytes;

    reply->bytes = NULL;
    reply->state = SCFS_REPLY_NONE;
    return bytes;
}

bool scfs_reply_hand_back(struct scfs_reply *reply, unsigned serial, uint8_t *bytes)
{
    if (reply->serial != serial || reply->state != SCFS_REPLY_NONE)
        return false;
    reply->bytes = bytes;
    reply->state = SCFS_REPLY_READY;
    return true;
}

void scfs_reply_clear(struct scfs_reply *reply)
{
    forget(reply);
    reply->state = SCFS_REPLY_NONE;
    reply->serial++;
}
