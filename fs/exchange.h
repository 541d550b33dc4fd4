/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange.h - commands by write, their outcomes by read: `control` and `transmit`. */
#ifndef SCFS_EXCHANGE_H
#define SCFS_EXCHANGE_H

#include "fs/internal.h"

/* Both answer a write: a command as it is, a command as a line of hexadecimal. The text
 * is wiped. */
void scfs_exchange_write(fuse_req_t req, struct scfs_handle *handle, char *text,
                         size_t size);
void scfs_transmit_write(fuse_req_t req, struct scfs_handle *handle, char *text,
                         size_t size);

/*
 * Takes an area of SCFS_EXCHANGE_ROOM bytes with a command of len bytes in its place, and
 * brings it on its way; answers the write, which was of size bytes, before that.
 */
void scfs_exchange_start(fuse_req_t req, struct scfs_handle *handle, uint8_t *area,
                         size_t len, size_t size);

/* Answers a read of either file, now or later. */
void scfs_exchange_read(fuse_req_t req, struct scfs_handle *handle, size_t size,
                        bool nonblock);
/* The outcome is there, or there will be none: reads and pollers of the handle look
 * again. */
void scfs_exchange_wake(struct scfs_handle *handle);

/* Bytes that wait to be read. */
size_t scfs_exchange_reply_size(struct scfs_handle *handle);

/* Answers a write of `power`. */
void scfs_power_file_write(fuse_req_t req, struct scfs_handle *handle, const char *text,
                           size_t size, bool nonblock);

#endif
