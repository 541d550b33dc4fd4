/* SPDX-License-Identifier: BSD-2-Clause */
/* owner.h - who may use a file: user, group and mode as people write them. */
#ifndef SCFS_OWNER_H
#define SCFS_OWNER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct scfs_access {
    uid_t uid;
    gid_t gid;
    mode_t mode; /* of the files that touch the card */
};

/* A name, or else a number; false: neither. */
bool scfs_owner_user(const char *text, uid_t *uid);
bool scfs_owner_group(const char *text, gid_t *gid);

/* An octal number up to 777. */
bool scfs_owner_mode(const char *text, mode_t *mode);

/* Whether nobody but root and this user, or his group, may write it. A directory in which
 * everybody may only remove what is his own is as good. */
bool scfs_owner_trusted(const struct stat *st);

#endif
