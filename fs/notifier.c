/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notifier.c - tells the kernel that a reader's directory is gone.
 *
 * The names of readers are never cached, so a removed reader is gone for every new look
 * without this. But who has its directory open, or works in it, still finds the names in
 * it that the kernel keeps (tree.c), and an open file keeps its name from being dropped.
 * So those go first, one by one; then the directory is empty and can go itself, which
 * ends a watch of inotify(7) on it with IN_DELETE_SELF.
 *
 * The kernel takes the lock of the parent directory for it, which a client may hold that
 * waits for our answer. So it is told by a thread of its own, made for the first removal,
 * that holds nothing anybody waits for and ends while the mount is still served. Without
 * that thread nobody is told. What is opened by a kept name meanwhile is ENODEV. A client
 * that stands still while it lists the directory keeps that thread, and nothing else of
 * us, from ending; nothing wakes it then, not even SIGKILL (daemon.c).
 */
#include "fs/internal.h"

#include <stdlib.h>
#include <string.h>

struct farewell {
    LIST_ENTRY link;
    uint64_t sequence;
    char name[SCFS_READER_NAME_SIZE];
};

void scfs_notifier_init(struct scfs *fs)
{
    pthread_mutex_init(&fs->notifier.lock, NULL);
    pthread_cond_init(&fs->notifier.changed, NULL);
    InitializeListHead(&fs->notifier.queue);
}

static void forget_names(struct fuse_session *session, fuse_ino_t directory)
{
    enum scfs_kind kind;

    for (size_t i = 0; (kind = scfs_node_nth(scfs_node_kind(directory), i)) != SCFS_NONE;
         i++)
        fuse_lowlevel_notify_inval_entry(session, directory, scfs_node_name(kind),
                                         strlen(scfs_node_name(kind)));
}

/* What the kernel has never looked at it does not know, which is fine. */
static void bid(struct fuse_session *session, const struct farewell *farewell)
{
    const fuse_ino_t reader = scfs_node_ino(farewell->sequence, SCFS_READER);

    forget_names(session, scfs_node_ino(farewell->sequence, SCFS_EVENTS));
    forget_names(session, reader);
    fuse_lowlevel_notify_delete(session, FUSE_ROOT_ID, reader, farewell->name,
                                strlen(farewell->name));
}

static void *tell(void *argument)
{
    struct scfs *fs = argument;
    struct scfs_notifier *notifier = &fs->notifier;

    pthread_mutex_lock(&notifier->lock);
    for (;;) {
        struct farewell *farewell;

        while (IsListEmpty(&notifier->queue) && !notifier->ended)
            pthread_cond_wait(&notifier->changed, &notifier->lock);
        if (notifier->ended)
            break;
        farewell =
            CONTAINING_RECORD(RemoveHeadList(&notifier->queue), struct farewell, link);
        pthread_mutex_unlock(&notifier->lock);
        bid(fs->session, farewell);
        free(farewell);
        pthread_mutex_lock(&notifier->lock);
    }
    pthread_mutex_unlock(&notifier->lock);
    return NULL;
}

void scfs_notifier_gone(struct scfs_reader *reader)
{
    struct scfs_notifier *notifier = &reader->fs->notifier;
    struct farewell *farewell;

    if (reader->fs->session == NULL)
        return;
    farewell = malloc(sizeof *farewell);
    if (farewell == NULL)
        return;
    farewell->sequence = reader->sequence;
    scfs_reader_name(farewell->name, reader->number);
    pthread_mutex_lock(&notifier->lock);
    if (!notifier->started && !notifier->ended)
        notifier->started =
            pthread_create(&notifier->thread, NULL, tell, reader->fs) == 0;
    if (notifier->started && !notifier->ended) {
        InsertTailList(&notifier->queue, &farewell->link);
        pthread_cond_signal(&notifier->changed);
        farewell = NULL;
    }
    pthread_mutex_unlock(&notifier->lock);
    free(farewell);
}

void scfs_notifier_silence(struct scfs *fs)
{
    struct scfs_notifier *notifier = &fs->notifier;

    pthread_mutex_lock(&notifier->lock);
    notifier->ended = true;
    pthread_cond_signal(&notifier->changed);
    pthread_mutex_unlock(&notifier->lock);
}

void scfs_notifier_end(struct scfs *fs)
{
    struct scfs_notifier *notifier = &fs->notifier;
    bool started;

    pthread_mutex_lock(&notifier->lock);
    started = notifier->started;
    pthread_mutex_unlock(&notifier->lock);
    if (started)
        pthread_join(notifier->thread, NULL);
}

void scfs_notifier_destroy(struct scfs *fs)
{
    struct scfs_notifier *notifier = &fs->notifier;

    while (!IsListEmpty(&notifier->queue))
        free(CONTAINING_RECORD(RemoveHeadList(&notifier->queue), struct farewell, link));
    pthread_cond_destroy(&notifier->changed);
    pthread_mutex_destroy(&notifier->lock);
}
