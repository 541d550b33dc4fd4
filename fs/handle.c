/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handle.c - an open file. Everything a client knows of the past is kept here: the text
 * it is reading, which event it has had, the state it saw last.
 */
#include "fs/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fs/task.h"
#include "fs/trace.h"

struct scfs_handle *scfs_handle_new(struct scfs *fs, struct scfs_reader *reader,
                                    enum scfs_kind kind, int flags)
{
    struct scfs_handle *handle = calloc(1, sizeof *handle);

    if (handle == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    handle->refs = 1;
    handle->fs = fs;
    handle->kind = kind;
    handle->may_touch = (flags & O_ACCMODE) != O_RDONLY;
    handle->lock = reader != NULL ? &reader->lock : &fs->lock;
    InitializeListHead(&handle->poll_link);
    InitializeListHead(&handle->reads);
    if (reader != NULL && !scfs_registry_opened(reader)) {
        free(handle);
        errno = ENODEV;
        return NULL;
    }
    pthread_mutex_lock(&fs->lock);
    InsertTailList(&fs->handles, &handle->link);
    pthread_mutex_unlock(&fs->lock);
    if (reader == NULL)
        return handle;
    handle->reader = scfs_reader_get(reader);
    if (kind == SCFS_TRACE && (errno = scfs_trace_open(handle)) != 0) {
        int error = errno;

        scfs_handle_release(handle);
        errno = error;
        return NULL;
    }
    if ((kind == SCFS_CONTROL || kind == SCFS_STATE) && scfs_reader_enter(reader)) {
        uint32_t state = scfs_reader_state(reader);

        scfs_reader_leave(reader);
        pthread_mutex_lock(handle->lock);
        scfs_poll_seen_locked(handle, state, false);
        pthread_mutex_unlock(handle->lock);
    }
    return handle;
}

struct scfs_handle *scfs_handle_get(struct scfs_handle *handle)
{
    InterlockedIncrement(&handle->refs);
    return handle;
}

void scfs_handle_put(struct scfs_handle *handle)
{
    if (InterlockedDecrement(&handle->refs) > 0)
        return;
    if (handle->reader != NULL)
        scfs_reader_put(handle->reader);
    scfs_reply_clear(&handle->reply);
    free(handle->snapshot);
    free(handle);
}

void scfs_handle_release(struct scfs_handle *handle)
{
    scfs_poll_forget(handle);
    scfs_trace_close(handle);
    if (handle->reader != NULL)
        scfs_task_end_all(handle->reader, handle); /* a command nobody can ask for */
    if (handle->reader != NULL && handle->may_touch)
        scfs_session_release(handle);
    pthread_mutex_lock(&handle->fs->lock);
    RemoveEntryList(&handle->link);
    pthread_mutex_unlock(&handle->fs->lock);
    if (handle->reader != NULL)
        scfs_registry_closed(handle->reader);
    if (handle->counted)
        scfs_quota_give(&handle->fs->quota, handle->uid, SCFS_QUOTA_HANDLES);
    scfs_handle_put(handle);
}
