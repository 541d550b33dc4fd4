/* SPDX-License-Identifier: BSD-2-Clause */
/* mount.h - the mount point: ours alone, mounted, unmounted. */
#ifndef SCFS_MOUNT_H
#define SCFS_MOUNT_H

#include "fs/internal.h"
#include "fs/unmounter.h"

struct scfs_mount {
    char *path;                      /* absolute, without links; or /dev/fd/N */
    int lock;                        /* the directory below the mount, locked; -1: none */
    bool passed;                     /* path is /dev/fd/N: who started us has mounted */
    bool left;                       /* its unmounting is left to whoever may do that */
    struct scfs_unmounter unmounter; /* who does it, otherwise */
};

/* Says why on stderr. */
void scfs_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Takes the mount point of the options; false after a sentence. */
bool scfs_mount_take(struct scfs_mount *mount, const struct scfs_options *options);

/* The session, not yet mounted; NULL after a sentence. */
struct fuse_session *scfs_session_new(struct scfs *fs, bool allow_other);

struct scfs_user;

/* Mounts by mount(2), on the very directory that was taken; the user owns the mount, so
 * that he can take it away by fusermount3. The connection; -1 after a sentence. */
int scfs_mount_connect(const struct scfs_mount *mount, const struct scfs_user *user);

/* Mounts; when the system refuses allow_other, without it. With options->user it becomes
 * that user. False after a sentence. */
bool scfs_mount_enter(struct scfs_mount *mount, struct scfs *fs);

/* Unmounts, in a thread that does not serve, without waiting for those who do, and lets
 * the next instance have the mount point. */
void scfs_mount_abandon(struct scfs_mount *mount);

/* The end; false when a mount stays that is ours to take away. */
bool scfs_mount_leave(struct scfs_mount *mount, struct scfs *fs);

/* ---- the directory (mount_point.c) ----------------------------------------------- */

/* Refuses one that another instance serves or that is not safe, cleans one that a dead
 * instance has left. False after a sentence. */
bool scfs_mount_point_take(struct scfs_mount *mount, const char *mount_point);

/* Whether a scardfs is mounted there, alive or dead. */
bool scfs_mount_point_mounted(const char *path);
/* The contrary; both are false when it cannot be found out. */
bool scfs_mount_point_unmounted(const char *path);

/* Whether it did. */
bool scfs_mount_point_detach(const char *path);

#endif
