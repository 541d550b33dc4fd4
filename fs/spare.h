/* SPDX-License-Identifier: BSD-2-Clause */
/* spare.h - threads for work that must not be done where it comes up. */
#ifndef SCFS_SPARE_H
#define SCFS_SPARE_H

#include <pthread.h>
#include <stdbool.h>

#include "wdm.h" /* LIST_ENTRY */

struct scfs_work {
    LIST_ENTRY link;
    /* May free the work, or hand it in again. */
    void (*run)(struct scfs_work *work);
};

struct scfs_spare {
    pthread_mutex_t lock;
    pthread_cond_t brought; /* work, or the end */
    pthread_cond_t left;    /* the last thread */
    LIST_ENTRY queue;       /* work that a thread is on its way to */
    unsigned queued, waiting, threads;
    bool ending;
};

void scfs_spare_init(struct scfs_spare *spare);
/* Waits for the threads. */
void scfs_spare_end(struct scfs_spare *spare);

/* Returns at once: 0, or an errno when there is no thread for it and none can be made.
 * Takes the lock of the spare and no other. */
int scfs_spare_run(struct scfs_spare *spare, struct scfs_work *work);

#endif
