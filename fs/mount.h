/* SPDX-License-Identifier: BSD-2-Clause */
/* mount.h - the mount point: ours alone, mounted, unmounted. */
#ifndef SCFS_MOUNT_H
#define SCFS_MOUNT_H

#include "fs/internal.h"

struct scfs_mount {
    char *path; /* absolute, without links */
    int lock;   /* the directory below the mount, locked */
};

/* Says why on stderr. */
void scfs_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Takes the mount point: refuses one that another instance serves, cleans one that a dead
 * instance has left. False after a sentence. */
bool scfs_mount_take(struct scfs_mount *mount, const char *mount_point);

/* The session, not yet mounted; NULL after a sentence. */
struct fuse_session *scfs_session_new(struct scfs *fs, bool allow_other);

/* Mounts; when the system refuses allow_other, without it. False after a sentence. */
bool scfs_mount_enter(struct scfs_mount *mount, struct scfs *fs);

/* Unmounts, in a thread that does not serve, without waiting for those who do. */
void scfs_mount_abandon(const struct scfs_mount *mount);

void scfs_mount_leave(struct scfs_mount *mount, struct scfs *fs);

#endif
