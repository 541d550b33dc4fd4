/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll.c - poll, select and epoll on the files of the tree.
 *
 * The kernel leaves a poll handle; when something may have changed we use it up, and the
 * kernel asks again. The handle is stored before the answer is worked out: a change in
 * between makes the kernel ask once more, and none is lost.
 */
#include "fs/session.h"

#include <poll.h>

static LIST_ENTRY *list_of(const struct scfs_handle *handle)
{
    return handle->reader != NULL ? &handle->reader->pollers : &handle->fs->pollers;
}

/* What write and read would do. `transmit` is at its end when nothing was asked: a read
 * does not wait. */
static unsigned exchange_events(struct scfs_handle *handle)
{
    enum scfs_reply_state state;
    unsigned events = 0;
    bool lost;

    pthread_mutex_lock(handle->lock);
    state = handle->reply.state;
    lost = scfs_session_lost_locked(handle);
    pthread_mutex_unlock(handle->lock);
    if (state == SCFS_REPLY_READY ||
        (handle->kind == SCFS_TRANSMIT && state == SCFS_REPLY_NONE) || lost)
        events |= POLLIN | POLLRDNORM;
    if (state == SCFS_REPLY_NONE && handle->may_touch)
        events |= POLLOUT | POLLWRNORM;
    return events | (lost ? POLLHUP : 0);
}

void scfs_poll_seen_locked(struct scfs_handle *handle, uint32_t state, bool shared)
{
    const struct scfs_reader *reader = handle->reader;

    handle->seen.state = state;
    handle->seen.counter = reader->counter;
    handle->seen.arriving = scfs_powerup_is_arriving_locked(reader);
    handle->seen.sharing = scfs_connection_sharing_locked(reader);
    handle->seen.shared = shared;
}

/* As against what was read last. That another card is in counts, and the end of a
 * power-up, whatever has come of it; who is connected, only for who was told of it. */
static bool has_changed_locked(const struct scfs_handle *handle, uint32_t state)
{
    const struct scfs_reader *reader = handle->reader;

    return state != handle->seen.state || reader->counter != handle->seen.counter ||
           (handle->seen.arriving && !scfs_powerup_is_arriving_locked(reader)) ||
           (handle->seen.shared &&
            scfs_connection_sharing_locked(reader) != handle->seen.sharing);
}

/* What there is to tell has to wait for the end of a power-up, which tells of it. */
static bool is_unsettled_locked(const struct scfs_handle *handle)
{
    return handle->reader != NULL && !handle->reader->gone && handle->seen.settled &&
           scfs_powerup_is_arriving_locked(handle->reader);
}

static unsigned events(struct scfs_handle *handle)
{
    struct scfs_reader *reader = handle->reader;
    bool changed = false, ready;

    if (reader != NULL) {
        uint32_t state;

        if (!scfs_reader_enter(reader))
            return POLLERR | POLLHUP;
        state = scfs_reader_state(reader);
        scfs_reader_leave(reader);
        pthread_mutex_lock(handle->lock);
        changed = has_changed_locked(handle, state) && !is_unsettled_locked(handle);
        pthread_mutex_unlock(handle->lock);
    }
    pthread_mutex_lock(handle->lock);
    ready = scfs_wait_ready_locked(handle);
    pthread_mutex_unlock(handle->lock);

    switch (handle->kind) {
    case SCFS_CONTROL:
        return exchange_events(handle) | (changed ? POLLPRI : 0);
    case SCFS_TRANSMIT:
        return exchange_events(handle);
    case SCFS_POWER:
        return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
    case SCFS_STATE:
        return POLLIN | POLLRDNORM | (changed ? POLLPRI | POLLERR : 0);
    case SCFS_EVENTS_PRESENT:
    case SCFS_EVENTS_ABSENT:
    case SCFS_EVENTS_CHANGES:
    case SCFS_CHANGES:
    case SCFS_TRACE:
        return ready ? POLLIN | POLLRDNORM : 0;
    case SCFS_VIRTUAL:
        return POLLOUT | POLLWRNORM;
    default:
        return POLLIN | POLLRDNORM;
    }
}

void scfs_poll(fuse_req_t req, struct scfs_handle *handle, struct fuse_pollhandle *poll)
{
    struct fuse_pollhandle *old = NULL;

    if (poll != NULL) {
        pthread_mutex_lock(handle->lock);
        old = handle->poll;
        handle->poll = poll;
        RemoveEntryList(&handle->poll_link);
        InsertTailList(list_of(handle), &handle->poll_link);
        pthread_mutex_unlock(handle->lock);
    }
    if (old != NULL)
        fuse_pollhandle_destroy(old);
    fuse_reply_poll(req, events(handle));
}

/* lock held. */
static struct fuse_pollhandle *take_locked(struct scfs_handle *handle)
{
    struct fuse_pollhandle *poll = handle->poll;

    handle->poll = NULL;
    RemoveEntryList(&handle->poll_link);
    InitializeListHead(&handle->poll_link);
    return poll;
}

void scfs_poll_wake(pthread_mutex_t *lock, LIST_ENTRY *pollers)
{
    LIST_ENTRY round;

    pthread_mutex_lock(lock);
    if (IsListEmpty(pollers)) {
        pthread_mutex_unlock(lock);
        return;
    }
    /* Those that come back while we are at it wait for the next change. */
    round = *pollers;
    round.Flink->Blink = &round;
    round.Blink->Flink = &round;
    InitializeListHead(pollers);
    while (!IsListEmpty(&round)) {
        struct scfs_handle *handle =
            CONTAINING_RECORD(round.Flink, struct scfs_handle, poll_link);
        struct fuse_pollhandle *poll;

        if (is_unsettled_locked(handle)) {
            RemoveEntryList(&handle->poll_link);
            InsertTailList(pollers, &handle->poll_link);
            continue;
        }
        poll = take_locked(handle);
        pthread_mutex_unlock(lock);
        fuse_lowlevel_notify_poll(poll);
        fuse_pollhandle_destroy(poll);
        pthread_mutex_lock(lock);
    }
    pthread_mutex_unlock(lock);
}

void scfs_poll_wake_handle(struct scfs_handle *handle)
{
    struct fuse_pollhandle *poll;

    pthread_mutex_lock(handle->lock);
    poll = take_locked(handle);
    pthread_mutex_unlock(handle->lock);
    if (poll != NULL) {
        fuse_lowlevel_notify_poll(poll);
        fuse_pollhandle_destroy(poll);
    }
}

void scfs_poll_forget(struct scfs_handle *handle)
{
    struct fuse_pollhandle *poll;

    pthread_mutex_lock(handle->lock);
    poll = take_locked(handle);
    pthread_mutex_unlock(handle->lock);
    if (poll != NULL)
        fuse_pollhandle_destroy(poll);
}
