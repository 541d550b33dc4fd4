/* SPDX-License-Identifier: BSD-2-Clause */
/* quota.h - how much of the daemon one user may take: open files, waiting requests. */
#ifndef SCFS_QUOTA_H
#define SCFS_QUOTA_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "wdm.h" /* LIST_ENTRY */

enum scfs_quota_kind { SCFS_QUOTA_HANDLES, SCFS_QUOTA_WAITS, SCFS_QUOTA_KINDS };

struct scfs_quota {
    pthread_mutex_t lock; /* a leaf */
    LIST_ENTRY users;     /* that have something */
    unsigned max[SCFS_QUOTA_KINDS];
};

/* A limit of 0 is none. */
void scfs_quota_init(struct scfs_quota *quota, unsigned handles_max, unsigned waits_max);
void scfs_quota_destroy(struct scfs_quota *quota);

/* False: the user has as many as he may. Root may have any number. */
bool scfs_quota_take(struct scfs_quota *quota, uid_t uid, enum scfs_quota_kind kind);
void scfs_quota_give(struct scfs_quota *quota, uid_t uid, enum scfs_quota_kind kind);

#endif
