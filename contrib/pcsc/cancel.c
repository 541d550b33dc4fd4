/* SPDX-License-Identifier: BSD-2-Clause */
/* cancel.c - the gate between SCardCancel and the waits of a context (library.h). */
#include "contrib/pcsc/library.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

void gate_init(struct gate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->left, NULL);
    atomic_store(&gate->cancelling, 0);
    atomic_store(&gate->fd, -1);
    gate->waits = 0;
}

static void drain(const struct gate *gate)
{
    uint64_t count;

    while (read(gate->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

bool gate_is_cancelled(struct gate *gate)
{
    return atomic_load(&gate->cancels) != gate->mark;
}

/* Nobody waits: what was cancelled is over. A cancel that comes between the two lines
 * leaves a readable descriptor behind, which gate_calm sees to. */
static void begin_locked(struct gate *gate)
{
    drain(gate);
    gate->mark = atomic_load(&gate->cancels);
}

int gate_enter(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    if (gate->fd < 0)
        atomic_store(&gate->fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (gate->fd < 0) {
        pthread_mutex_unlock(&gate->lock);
        return -1;
    }
    while (gate->waits > 0 && gate_is_cancelled(gate))
        pthread_cond_wait(&gate->left, &gate->lock);
    if (gate->waits++ == 0)
        begin_locked(gate);
    pthread_mutex_unlock(&gate->lock);
    return gate->fd;
}

void gate_calm(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    if (!gate_is_cancelled(gate)) {
        drain(gate);
        /* One that came in between has written to what was drained. */
        if (gate_is_cancelled(gate))
            eventfd_write(gate->fd, 1);
    }
    pthread_mutex_unlock(&gate->lock);
}

void gate_leave(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    if (--gate->waits == 0 && gate_is_cancelled(gate)) {
        begin_locked(gate);
        pthread_cond_broadcast(&gate->left);
    }
    pthread_mutex_unlock(&gate->lock);
}

void gate_cancel(struct gate *gate)
{
    const int error = errno;
    int fd;

    atomic_fetch_add(&gate->cancels, 1);
    atomic_fetch_add(&gate->cancelling, 1);
    fd = atomic_load(&gate->fd);
    if (fd >= 0)
        (void)eventfd_write(fd, 1);
    atomic_fetch_sub(&gate->cancelling, 1);
    errno = error;
}

/* The number must not become another file's while somebody is about to write to it. Who
 * does is not waiting for anything: not for this thread either. */
void gate_close(struct gate *gate)
{
    const int fd = atomic_exchange(&gate->fd, -1);

    while (atomic_load(&gate->cancelling) > 0)
        sched_yield();
    if (fd >= 0)
        close(fd);
}
