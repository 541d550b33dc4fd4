/* SPDX-License-Identifier: BSD-2-Clause */
/* park.h - a FUSE request that is answered later, exactly once. */
#ifndef SCFS_PARK_H
#define SCFS_PARK_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/timer.h"

enum scfs_park_state {
    SCFS_PARK_NEW,     /* not yet waiting */
    SCFS_PARK_WAITING, /* whoever takes it answers it */
    SCFS_PARK_TAKEN,
};

struct scfs_park {
    fuse_req_t req;
    pthread_mutex_t *lock; /* guards state and what withdraw undoes */
    enum scfs_park_state state;
    bool interrupted; /* while it was new */
    struct scfs_timer *timer;
    struct scfs_deadline deadline;
    uint32_t limit_ms;
    bool timed; /* the deadline has been armed */
    /* lock held: takes it off its lists, because of EINTR, ETIMEDOUT, ECANCELED or
     * ENODEV. False: not now (ETIMEDOUT only), and there will be no second time. */
    bool (*withdraw)(struct scfs_park *park, int error);
    /* No lock held: answers with the error and frees. */
    void (*give_up)(struct scfs_park *park, int error);
};

/* Before lock is taken. withdraw and give_up are set already. req may be NULL: then it is
 * something else that ends once, and nobody interrupts it. */
void scfs_park_prepare(struct scfs_park *park, fuse_req_t req, pthread_mutex_t *lock);

/* Limits the wait to come. */
void scfs_park_limit(struct scfs_park *park, struct scfs_timer *timer,
                     uint32_t timeout_ms);

/* From now on others may take it. False: the client has been interrupted already; it is
 * taken, and the caller settles and answers EINTR. */
bool scfs_park_wait_locked(struct scfs_park *park);

/* Starts the limit, once the wait turns out to be one. Before the lock is released. */
void scfs_park_start_limit_locked(struct scfs_park *park);

/* True: it is the caller's to settle and to answer. */
bool scfs_park_take_locked(struct scfs_park *park);

/* After taking it, no lock held: nobody else touches it any more. */
void scfs_park_settle(struct scfs_park *park);

/* Withdraws it for that reason and gives it up, if it is still waiting. Called with lock
 * held, releases it. */
void scfs_park_end_locked(struct scfs_park *park, int error);

#endif
