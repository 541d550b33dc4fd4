/* SPDX-License-Identifier: BSD-2-Clause */
/* privileges.h - to become an ordinary user for good. */
#ifndef SCFS_PRIVILEGES_H
#define SCFS_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

struct scfs_user {
    char name[256];
    uid_t uid;
    gid_t gid; /* his first group */
};

/* False: there is no user of that name. */
bool scfs_privileges_find(const char *name, struct scfs_user *user);

/*
 * Becomes that user with his groups, without any capability now or ever, and without new
 * privileges from what is executed. Only before the first thread is started: a thread has
 * these of its own. False, with errno: the process is to end.
 */
bool scfs_privileges_drop(const struct scfs_user *user);

/* What is in this memory (PINs, keys on their way) goes into no core and to no process of
 * the same user. */
void scfs_privileges_no_dumps(void);

#endif
