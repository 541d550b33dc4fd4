/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transmit.c - the file `transmit`: commands and answers as lines of hexadecimal. One
 * write is one line, whole; behind the line it is what a write to `control` is.
 */
#include <errno.h>
#include <stdlib.h>

#include "fs/exchange.h"
#include "fs/hexline.h"
#include "fs/sequence.h"

#define LINE_SIZE_MAX (3 * SCARD_APDU_MAX + 1) /* a blank after each byte, a newline */

void scfs_transmit_write(fuse_req_t req, struct scfs_handle *handle, char *text,
                         size_t size)
{
    uint8_t *area = malloc(SCFS_EXCHANGE_ROOM);
    ssize_t len = -ENOMEM;

    /* One that is too long for the kernel comes in parts, of which this may be the first:
     * how long those are depends on where the client has it. */
    if (area != NULL)
        len = size <= LINE_SIZE_MAX
                  ? scfs_hexline_read(text, size, area + SCFS_EXCHANGE_OFFSET,
                                      SCARD_APDU_MAX)
                  : -EMSGSIZE;
    RtlSecureZeroMemory(text, size);
    if (len >= 0) {
        scfs_exchange_start(req, handle, area, (size_t)len, size);
        return;
    }
    if (area != NULL)
        RtlSecureZeroMemory(area, SCFS_EXCHANGE_ROOM);
    free(area);
    fuse_reply_err(req, (int)-len);
}
