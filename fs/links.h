/* SPDX-License-Identifier: BSD-2-Clause */
/* links.h - the names of by-id and by-path: which reader it is, wherever it is plugged
 * in, and where it is plugged in, whichever it is. */
#ifndef SCFS_LINKS_H
#define SCFS_LINKS_H

#include <stdbool.h>
#include <stddef.h>

#include "fs/node.h"

struct scfs;
struct scfs_reader;
struct smc_device_identity;

#define SCFS_LINK_NAME_SIZE 160

/*
 * Pure: the name for SCFS_LINK_ID or SCFS_LINK_PATH. "" where the reader has none:
 * without a serial number there is no identity.
 */
void scfs_link_name(char name[SCFS_LINK_NAME_SIZE], enum scfs_kind kind,
                    const struct smc_device_identity *identity, unsigned slot);

/* Pure: the two say of two different places that they are the same. */
bool scfs_link_conflict(enum scfs_kind kind, const struct smc_device_identity *a,
                        const struct smc_device_identity *b);

/* The reader that the name in by-id or by-path means now, with a reference; or NULL. */
struct scfs_reader *scfs_link_find(struct scfs *fs, enum scfs_kind kind,
                                   const char *name);

/* Its name, if it has one that is nobody else's. */
bool scfs_link_of(struct scfs_reader *reader, enum scfs_kind kind,
                  char name[SCFS_LINK_NAME_SIZE]);

#endif
