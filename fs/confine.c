/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confine.c - the steps of confinement, and what happens where the kernel cannot.
 *
 * As a rule a kernel (or a container) without one of the two halves is no reason not to
 * serve: a line says so. Who gives -o confine=on wants it or nothing.
 */
#include "fs/confine.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <time.h>

#include "fs/mount.h"

bool scfs_confine_listens(const struct scfs_options *options)
{
    for (unsigned i = 0; i < options->shape_count; i++) {
        if (options->shapes[i] != NULL && strncmp(options->shapes[i], "vpcd", 4) == 0)
            return true;
    }
    return options->listen_count > 0;
}

/* One half is there, or need not be. */
static bool settle(const struct scfs_options *options, const char *what, int error)
{
    bool missing = error == ENOSYS || error == EOPNOTSUPP;

    if (error == 0)
        return true;
    if (options->confine == SCFS_CONFINE_ON) {
        scfs_complain("-o confine=on: %s: %s", what, strerror(error));
        return false;
    }
    if (!missing || options->debug)
        scfs_log(missing ? LOG_DEBUG : LOG_WARNING, "not confined by %s: %s", what,
                 strerror(error));
    return true;
}

bool scfs_confine_start(const struct scfs_options *options)
{
    if (options->confine == SCFS_CONFINE_OFF)
        return true;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return settle(options, "no_new_privs", errno);
    tzset(); /* for the times of syslog; later there is no /etc/localtime */
    if (options->confine != SCFS_CONFINE_LOG &&
        !settle(options, "landlock", scfs_landlock_restrict(options)))
        return false;
    return settle(options, "seccomp", scfs_seccomp_load(options, SCFS_STEP_START));
}

bool scfs_confine_serve(const struct scfs_options *options)
{
    return options->confine == SCFS_CONFINE_OFF ||
           settle(options, "seccomp", scfs_seccomp_load(options, SCFS_STEP_SERVE));
}
