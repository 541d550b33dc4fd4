/* SPDX-License-Identifier: BSD-2-Clause */
/* no_seccomp.c - in a build without libseccomp, in the place of seccomp.c. */
#include <errno.h>

#include "fs/confine.h"

int scfs_seccomp_load(const struct scfs_options *options, enum scfs_step step)
{
    (void)options;
    (void)step;
    return ENOSYS;
}
