/* SPDX-License-Identifier: BSD-2-Clause */
/* fs_work.c - see fs_work.h. */
#include "fs_work.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "faults.h"
#include "fs/spare.h"

#define WORK_MAX 64

static struct scfs_work *works[WORK_MAX];
static unsigned count;
static bool threads;
static struct scfs_spare *used; /* it has been given real work */

int __wrap_scfs_spare_run(struct scfs_spare *spare, struct scfs_work *work);
int __real_scfs_spare_run(struct scfs_spare *spare, struct scfs_work *work);

int __wrap_scfs_spare_run(struct scfs_spare *spare, struct scfs_work *work)
{
    if (threads) {
        used = spare;
        return __real_scfs_spare_run(spare, work);
    }
    if (count == WORK_MAX || fuzz_fault())
        return EAGAIN;
    works[count++] = work;
    return 0;
}

void fs_work_begin(void)
{
    count = 0;
    threads = false;
    used = NULL;
}

void fs_work_do(void)
{
    struct scfs_work *work;

    if (count == 0)
        return;
    work = works[0];
    memmove(works, works + 1, --count * sizeof works[0]);
    work->run(work);
}

void fs_work_do_all(void)
{
    while (count > 0)
        fs_work_do();
}

void fs_work_threads(void)
{
    fs_work_do_all();
    threads = true;
}

void fs_work_no_threads(void)
{
    bool busy = used != NULL;

    while (busy) {
        sched_yield();
        pthread_mutex_lock(&used->lock);
        busy = used->queued > 0 || used->threads > used->waiting;
        pthread_mutex_unlock(&used->lock);
    }
    used = NULL;
    threads = false;
}

bool fs_work_has_threads(void)
{
    return threads;
}
