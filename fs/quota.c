/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quota.c - how much of the daemon one user may take. A user is remembered as long as he
 * has something, so the list is as long as there are users with open files.
 */
#include "fs/quota.h"

#include <stdlib.h>

struct user {
    LIST_ENTRY link;
    uid_t uid;
    unsigned has[SCFS_QUOTA_KINDS];
};

void scfs_quota_init(struct scfs_quota *quota, unsigned handles_max, unsigned waits_max)
{
    pthread_mutex_init(&quota->lock, NULL);
    InitializeListHead(&quota->users);
    quota->max[SCFS_QUOTA_HANDLES] = handles_max;
    quota->max[SCFS_QUOTA_WAITS] = waits_max;
}

void scfs_quota_destroy(struct scfs_quota *quota)
{
    while (!IsListEmpty(&quota->users))
        free(CONTAINING_RECORD(RemoveHeadList(&quota->users), struct user, link));
    pthread_mutex_destroy(&quota->lock);
}

static struct user *find_locked(struct scfs_quota *quota, uid_t uid)
{
    for (LIST_ENTRY *i = quota->users.Flink; i != &quota->users; i = i->Flink) {
        struct user *user = CONTAINING_RECORD(i, struct user, link);

        if (user->uid == uid)
            return user;
    }
    return NULL;
}

static struct user *add_locked(struct scfs_quota *quota, uid_t uid)
{
    struct user *user = calloc(1, sizeof *user);

    if (user != NULL) {
        user->uid = uid;
        InsertHeadList(&quota->users, &user->link);
    }
    return user;
}

static bool is_limited(const struct scfs_quota *quota, uid_t uid,
                       enum scfs_quota_kind kind)
{
    return uid != 0 && quota->max[kind] != 0;
}

bool scfs_quota_take(struct scfs_quota *quota, uid_t uid, enum scfs_quota_kind kind)
{
    struct user *user;
    bool taken;

    if (!is_limited(quota, uid, kind))
        return true;
    pthread_mutex_lock(&quota->lock);
    user = find_locked(quota, uid);
    if (user == NULL)
        user = add_locked(quota, uid);
    taken = user != NULL && user->has[kind] < quota->max[kind];
    if (taken)
        user->has[kind]++;
    pthread_mutex_unlock(&quota->lock);
    return taken;
}

void scfs_quota_give(struct scfs_quota *quota, uid_t uid, enum scfs_quota_kind kind)
{
    struct user *user;
    unsigned left = 0;

    if (!is_limited(quota, uid, kind))
        return;
    pthread_mutex_lock(&quota->lock);
    user = find_locked(quota, uid);
    if (user != NULL) {
        user->has[kind]--;
        for (int i = 0; i < SCFS_QUOTA_KINDS; i++)
            left += user->has[i];
        if (left == 0) {
            RemoveEntryList(&user->link);
            free(user);
        }
    }
    pthread_mutex_unlock(&quota->lock);
}
