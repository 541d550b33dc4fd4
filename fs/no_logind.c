/* SPDX-License-Identifier: BSD-2-Clause */
/* no_logind.c - in the place of logind.c in a build without libsystemd. */
#include "fs/power.h"

#include <stddef.h>

struct scfs_logind *scfs_logind_start(struct scfs *fs)
{
    (void)fs;
    return NULL;
}

void scfs_logind_stop(struct scfs_logind *logind)
{
    (void)logind;
}
