/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount.c - mounting and unmounting. There are three ways:
 *
 * libfuse mounts: by itself for root, by fusermount3 for everybody else. The mount is
 * ours, and a process that we leave behind for that takes it away (unmounter.c).
 *
 * Who started us has mounted and passes the connection as /dev/fd/N (mount.fuse3 with
 * drop_privileges; handover.c).
 *
 * With --user, root mounts by mount(2) and becomes that user before anything is served,
 * so that no privilege is left when the first byte from a device or a client comes in.
 *
 * In the last two the mount outlives us: to take it away needs what we do not have any
 * more. Who starts us does so (ExecStopPost= in the unit), or else the next start.
 */
#include "fs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <syslog.h>
#include <unistd.h>

#include "fs/options.h"
#include "fs/privileges.h"

void scfs_complain(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "scardfs: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

/* ---- mounting -------------------------------------------------------------------- */

static bool asked_for_allow_other(const struct scfs_options *options)
{
    for (unsigned i = 0; i < options->fuse_option_count; i++) {
        if (strcmp(options->fuse_options[i], "allow_other") == 0)
            return true;
    }
    return false;
}

struct fuse_session *scfs_session_new(struct scfs *fs, bool allow_other)
{
    const struct scfs_options *options = fs->options;
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct fuse_session *session = NULL;
    int failed = fuse_opt_add_arg(&args, "scardfs");

    /* allow_other alone checks no permissions at all: never without the other. mount(8)
     * asks for suid and dev unless told otherwise; the last word counts. */
    failed |=
        fuse_opt_add_arg(&args, "-ofsname=scardfs,subtype=scardfs,default_permissions");
    if (allow_other && !asked_for_allow_other(options))
        failed |= fuse_opt_add_arg(&args, "-oallow_other");
    for (unsigned i = 0; i < options->fuse_option_count; i++) {
        failed |= fuse_opt_add_arg(&args, "-o");
        failed |= fuse_opt_add_arg(&args, options->fuse_options[i]);
    }
    failed |= fuse_opt_add_arg(&args, "-onosuid,nodev,noexec");
    if (failed != 0)
        scfs_complain("out of memory");
    else /* says itself which option it does not know, but not that it has no memory */
        session = fuse_session_new(&args, &scfs_ops, sizeof scfs_ops, fs);
    if (failed == 0 && session == NULL)
        scfs_complain("no FUSE session");
    fuse_opt_free_args(&args);
    return session;
}

bool scfs_mount_take(struct scfs_mount *mount, const struct scfs_options *options)
{
    mount->path = NULL;
    mount->lock = -1;
    mount->unmounter.link = -1;
    mount->passed = scfs_options_passed(options);
    mount->left = mount->passed || options->user != NULL;
    if (!mount->passed)
        return scfs_mount_point_take(mount, options->mount_point);
    mount->path = strdup(options->mount_point);
    if (mount->path == NULL)
        scfs_complain("out of memory");
    return mount->path != NULL;
}

int scfs_mount_connect(const struct scfs_mount *point, const struct scfs_user *user)
{
    int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    char directory[32], options[160];

    if (fuse < 0) {
        scfs_complain("/dev/fuse: %s", strerror(errno));
        return -1;
    }
    snprintf(directory, sizeof directory, "/proc/self/fd/%d", point->lock);
    snprintf(options, sizeof options,
             "fd=%d,rootmode=40555,user_id=%u,group_id=%u,allow_other,"
             "default_permissions",
             fuse, user->uid, user->gid);
    if (mount("scardfs", directory, "fuse.scardfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              options) != 0) {
        scfs_complain("%s: cannot mount: %s", point->path, strerror(errno));
        close(fuse);
        return -1;
    }
    return fuse;
}

static bool enter_as(const struct scfs_mount *point, struct fuse_session *session,
                     const struct scfs_user *user)
{
    int fuse = scfs_mount_connect(point, user);
    char connection[32];

    if (fuse < 0)
        return false;
    if (!scfs_privileges_drop(user)) {
        scfs_complain("cannot become %s: %s", user->name, strerror(errno));
        scfs_mount_point_detach(point->path); /* as far as we still can */
        close(fuse);
        return false;
    }
    snprintf(connection, sizeof connection, "/dev/fd/%d", fuse);
    return fuse_session_mount(session, connection) == 0; /* which owns it now */
}

bool scfs_mount_enter(struct scfs_mount *mount, struct scfs *fs)
{
    if (fs->options->user != NULL)
        return enter_as(mount, fs->session, fs->options->user);
    if (!mount->left && !scfs_unmounter_start(&mount->unmounter, mount->path)) {
        scfs_complain("cannot start a process: %s", strerror(errno));
        return false;
    }
    if (fuse_session_mount(fs->session, mount->path) == 0)
        return true;
    if (!mount->passed && !asked_for_allow_other(fs->options)) {
        fuse_session_destroy(fs->session);
        fs->session = scfs_session_new(fs, false);
        if (fs->session != NULL && fuse_session_mount(fs->session, mount->path) == 0) {
            scfs_complain(
                "%s: allow_other is refused here: only this user can see the mount",
                mount->path);
            return true;
        }
    }
    scfs_complain("%s: cannot mount", mount->path);
    return false;
}

/* As long as the lock is ours, what is mounted there is, too. */
static bool unmount(struct scfs_mount *mount)
{
    if (scfs_unmounter_do(&mount->unmounter) || scfs_mount_point_unmounted(mount->path))
        return true;
    scfs_log(LOG_ERR, "%s: cannot be unmounted; root can, or the next start does",
             mount->path);
    return false;
}

void scfs_mount_abandon(struct scfs_mount *mount)
{
    unmount(mount);
    if (mount->lock >= 0) /* the end may be long in coming: a thread may not end */
        close(mount->lock);
    mount->lock = -1;
}

/*
 * After a lazy unmount with files still open nothing is mounted any more, but the kernel
 * keeps the connection. libfuse would try to unmount, which it cannot (unmounter.c), and
 * complain; it does not when it sees the connection broken, so it gets one that is: a
 * pipe without a reader.
 */
static void break_connection(struct fuse_session *session)
{
    int ends[2];

    if (fuse_session_fd(session) < 0 || pipe2(ends, O_CLOEXEC) != 0)
        return;
    close(ends[0]);
    dup2(ends[1], fuse_session_fd(session));
    close(ends[1]);
}

bool scfs_mount_leave(struct scfs_mount *mount, struct scfs *fs)
{
    bool gone = true;

    if (fs->session != NULL) {
        if (mount->path == NULL) {
            ; /* it was never taken */
        } else if (mount->left) {
            if (scfs_mount_point_mounted(mount->path))
                scfs_log(LOG_NOTICE, "%s: stays mounted until root unmounts it",
                         mount->path);
        } else {
            gone = unmount(mount);
            break_connection(fs->session);
        }
        fuse_session_unmount(fs->session);
        fuse_session_destroy(fs->session);
        fs->session = NULL;
    }
    if (mount->lock >= 0)
        close(mount->lock);
    free(mount->path);
    return gone;
}
