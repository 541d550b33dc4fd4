/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.h - the file `trace` of a reader: what goes over USB, live. */
#ifndef SCFS_TRACE_H
#define SCFS_TRACE_H

#include "fs/internal.h"

/* Of one open file: its queue, filled from the moment it is opened. 0 or errno. */
int scfs_trace_open(struct scfs_handle *handle);
void scfs_trace_close(struct scfs_handle *handle);

/* A driver's message (struct smc_io_client). Any thread; does not block. */
void scfs_trace_packet(struct scfs *fs, PDEVICE_OBJECT device,
                       const struct smc_trace_packet *packet);

/* Something to read. The handle's lock is held. */
bool scfs_trace_ready_locked(const struct scfs_handle *handle);
/* Answers with what there is; false: nothing. */
bool scfs_trace_answer(fuse_req_t req, struct scfs_handle *handle, size_t size);

#endif
