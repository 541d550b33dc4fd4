/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * park.c - a FUSE request that is answered later, exactly once: by the event it waits
 * for, by an interrupt (FUSE_INTERRUPT: a signal or the death of the client), by its
 * limit, or because its reader goes away. Who gets it from WAITING to TAKEN answers it.
 *
 * What libfuse does and this has to respect:
 *  - The interrupt callback runs in another thread with the request's own lock held, or
 *    inside fuse_req_interrupt_func when the interrupt was there first. In the second
 * case answering inside the callback would free the request under libfuse's feet, so
 * while the park is NEW the callback only leaves a note.
 *  - libfuse may have fetched our pointer just before the answer. Clearing the callback
 *    waits for one that runs; only then may the park be freed. The callback itself must
 *    not do that (the lock is not recursive), and need not.
 *  - So neither is called with a lock of ours held.
 */
#include "fs/park.h"

#include <errno.h>

static void interrupted(fuse_req_t req, void *data)
{
    struct scfs_park *park = data;

    (void)req;
    pthread_mutex_lock(park->lock);
    if (park->state == SCFS_PARK_NEW) {
        park->interrupted = true;
        pthread_mutex_unlock(park->lock);
        return;
    }
    if (park->state != SCFS_PARK_WAITING || !park->withdraw(park, EINTR)) {
        pthread_mutex_unlock(park->lock);
        return;
    }
    park->state = SCFS_PARK_TAKEN;
    pthread_mutex_unlock(park->lock);
    if (park->timed)
        scfs_timer_cancel(park->timer, &park->deadline);
    park->give_up(park, EINTR);
}

static void expired(struct scfs_deadline *deadline)
{
    struct scfs_park *park = CONTAINING_RECORD(deadline, struct scfs_park, deadline);

    pthread_mutex_lock(park->lock);
    scfs_park_end_locked(park, ETIMEDOUT);
}

void scfs_park_prepare(struct scfs_park *park, fuse_req_t req, pthread_mutex_t *lock)
{
    park->req = req;
    park->lock = lock;
    park->state = SCFS_PARK_NEW;
    park->interrupted = false;
    park->timer = NULL;
    park->timed = false;
    park->deadline = (struct scfs_deadline){.expired = expired};
    if (req != NULL)
        fuse_req_interrupt_func(req, interrupted, park);
}

void scfs_park_limit(struct scfs_park *park, struct scfs_timer *timer,
                     uint32_t timeout_ms)
{
    park->timer = timer;
    park->limit_ms = timeout_ms;
}

bool scfs_park_wait_locked(struct scfs_park *park)
{
    park->state = park->interrupted ? SCFS_PARK_TAKEN : SCFS_PARK_WAITING;
    return !park->interrupted;
}

void scfs_park_start_limit_locked(struct scfs_park *park)
{
    if (park->timer == NULL || park->state != SCFS_PARK_WAITING)
        return;
    park->timed = true;
    scfs_timer_arm(park->timer, &park->deadline, park->limit_ms);
}

bool scfs_park_take_locked(struct scfs_park *park)
{
    if (park->state != SCFS_PARK_WAITING)
        return false;
    park->state = SCFS_PARK_TAKEN;
    return true;
}

void scfs_park_settle(struct scfs_park *park)
{
    if (park->req != NULL)
        fuse_req_interrupt_func(park->req, NULL, NULL);
    if (park->timed)
        scfs_timer_cancel(park->timer, &park->deadline);
}

void scfs_park_end_locked(struct scfs_park *park, int error)
{
    if (park->state != SCFS_PARK_WAITING || !park->withdraw(park, error)) {
        pthread_mutex_unlock(park->lock);
        return;
    }
    park->state = SCFS_PARK_TAKEN;
    pthread_mutex_unlock(park->lock);
    scfs_park_settle(park);
    park->give_up(park, error);
}
