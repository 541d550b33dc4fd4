/* SPDX-License-Identifier: BSD-2-Clause */
/* urb.c - URBs and answers: queues, completion, and the clock of delayed answers. */
#include "usbemu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

pthread_cond_t emu_reapable = PTHREAD_COND_INITIALIZER;
int64_t emu_last_interrupt_ns;
unsigned long emu_pipe_count;

static pthread_cond_t due_changed; /* CLOCK_MONOTONIC */
static bool clock_runs;

int64_t emu_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The pipe holds its byte while nothing can be reaped. */
static void set_reapable(struct emu_handle *handle, bool reapable)
{
    char byte = 0;

    if (handle->read_fd < 0)
        return;
    if (reapable == handle->full)
        emu_pipe_count++;
    if (reapable && handle->full && read(handle->read_fd, &byte, 1) == 1)
        handle->full = false;
    else if (!reapable && !handle->full && write(handle->fd, &byte, 1) == 1)
        handle->full = true;
}

static void complete(struct emu_urb *u, int status, size_t len)
{
    struct emu_handle *handle = u->handle;
    bool first = handle->done == NULL;

    u->urb->status = status;
    u->urb->actual_length = (int)len;
    u->next = NULL;
    *handle->done_tail = u;
    handle->done_tail = &u->next;
    if (first) {
        set_reapable(handle, true);
        pthread_cond_broadcast(&emu_reapable);
    }
}

static struct emu_urb *take(struct emu_urb_list *list)
{
    struct emu_urb *u = list->first;

    if (u)
        list->first = u->next;
    return u;
}

static void append(struct emu_urb_list *list, struct emu_urb *u)
{
    struct emu_urb **p = &list->first;

    while (*p)
        p = &(*p)->next;
    *p = u;
}

/* Brings waiting URBs and what is due together. */
static void pump(struct emu_device *device)
{
    int64_t now = device->answers && device->answers->due_ns ? emu_now_ns() : 0;

    while (device->in.first && device->answers && device->answers->due_ns <= now) {
        struct emu_answer *a = device->answers;
        struct emu_urb *u = take(&device->in);
        size_t n = a->len - a->pos, room = (size_t)u->urb->buffer_length;

        if (n > room)
            n = room;
        if (n)
            memcpy(u->urb->buffer, a->bytes + a->pos, n);
        a->pos += n;
        if (a->pos == a->len) {
            device->answers = a->next;
            free(a);
        }
        complete(u, 0, n);
    }
    while (device->interrupt.first && device->interrupt_pending) {
        struct emu_urb *u = take(&device->interrupt);
        uint8_t message[1 + EMU_SLOTS_MAX / 4];
        size_t n = emu_slot_change(device, message);

        if (n > (size_t)u->urb->buffer_length)
            n = (size_t)u->urb->buffer_length;
        memcpy(u->urb->buffer, message, n);
        device->interrupt_pending = false;
        for (unsigned i = 0; i < device->slot_count; i++)
            device->slots[i].changed = false;
        emu_last_interrupt_ns = emu_now_ns();
        complete(u, 0, n);
    }
}

/* Delivers what is due; returns when the next answer will be, INT64_MAX for none. Only
 * answers that a URB waits for count: the others are delivered by its submission. */
static int64_t deliver_due(void)
{
    int64_t next = INT64_MAX;
    struct emu_device *device;

    for (unsigned i = 0; (device = emu_device(&i));) {
        for (struct emu_device *d = device; d; d = d->next_interface) {
            pump(d);
            if (d->in.first && d->answers && d->answers->due_ns < next)
                next = d->answers->due_ns;
        }
    }
    return next;
}

static void *clock_thread(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&emu_lock);
    for (;;) {
        int64_t next = deliver_due();

        emu_keep();
        if (next == INT64_MAX) {
            pthread_cond_wait(&due_changed, &emu_lock);
        } else {
            struct timespec t = {.tv_sec = next / 1000000000,
                                 .tv_nsec = next % 1000000000};
            pthread_cond_timedwait(&due_changed, &emu_lock, &t);
        }
    }
    return NULL;
}

static void wake_clock(void)
{
    pthread_condattr_t attr;
    pthread_t thread;

    if (clock_runs) {
        pthread_cond_signal(&due_changed);
        return;
    }
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&due_changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&thread, NULL, clock_thread, NULL))
        abort();
    pthread_detach(thread);
    clock_runs = true;
}

void emu_queue(struct emu_device *device, unsigned slot, const uint8_t *bytes, size_t len,
               int64_t delay_us)
{
    struct emu_answer *a = emu_alloc(sizeof *a + len);
    struct emu_answer **p = &device->answers;

    a->due_ns = delay_us > 0 ? emu_now_ns() + delay_us * 1000 : 0;
    a->slot = slot;
    a->len = len;
    memcpy(a->bytes, bytes, len);
    while (*p && (*p)->due_ns <= a->due_ns)
        p = &(*p)->next;
    a->next = *p;
    *p = a;
    if (a->due_ns)
        wake_clock();
    else
        pump(device);
}

void emu_forget(struct emu_device *device, unsigned slot)
{
    for (struct emu_answer **p = &device->answers, *a; (a = *p);) {
        if (slot != EMU_SLOTS_MAX && a->slot != slot) {
            p = &a->next;
            continue;
        }
        *p = a->next;
        free(a);
    }
}

void emu_notify(struct emu_device *device)
{
    if (!device->interrupt_endpoint)
        return;
    device->interrupt_pending = true;
    if (emu_find(device->name)->wakeup_enabled)
        emu_resume(emu_find(device->name));
    pump(device);
}

/* ---- what usbfs.c asks for ------------------------------------------------------- */

static int submit_control(struct emu_urb *u)
{
    struct usbdevfs_urb *urb = u->urb;
    uint8_t *buffer = urb->buffer;
    int n;

    if (urb->buffer_length < 8) {
        free(u);
        return -EINVAL;
    }
    n = emu_control(u->handle->device, buffer, buffer + 8,
                    (size_t)urb->buffer_length - 8);
    complete(u, n < 0 ? n : 0, n < 0 ? 0 : (size_t)n);
    return 0;
}

/* true: the transfer ends with a stall. */
static bool stalls(struct emu_device *device, bool *halted, bool bulk)
{
    if (bulk && device->faults.stall) {
        device->faults.stall--;
        *halted = true;
    }
    return *halted;
}

int emu_submit(struct emu_handle *handle, struct usbdevfs_urb *urb)
{
    const unsigned endpoint = urb->endpoint;
    struct emu_device *device = handle->device;
    bool *halted, interrupt = false, in = false, out = false;
    struct emu_urb *u;

    if (urb->buffer_length < 0 || (urb->buffer_length > 0 && !urb->buffer))
        return -EINVAL;
    if (urb->type == USBDEVFS_URB_TYPE_ISO)
        return -ENOENT;
    if (device->asleep)
        return -EHOSTUNREACH;
    if (urb->type != USBDEVFS_URB_TYPE_CONTROL) {
        unsigned first;

        device = emu_interface_of(device, endpoint);
        if (!device)
            return -ENOENT;
        first = endpoint - device->interface_number * EMU_EP_STEP;
        out = first == EMU_EP_OUT;
        in = first == EMU_EP_IN;
        interrupt = first == EMU_EP_INTERRUPT && device->interrupt_endpoint;
        if (!out && !in && !interrupt)
            return -ENOENT;
        if (device->claimed_by && device->claimed_by != handle)
            return -EBUSY;
    }
    u = emu_alloc(sizeof *u);
    u->urb = urb;
    u->handle = handle;
    if (urb->type == USBDEVFS_URB_TYPE_CONTROL)
        return submit_control(u);

    halted = interrupt ? &device->halted_interrupt
             : in      ? &device->halted_in
                       : &device->halted_out;
    if (stalls(device, halted, !interrupt)) {
        complete(u, -EPIPE, 0);
    } else if (out) {
        complete(u, 0, (size_t)urb->buffer_length);
        emu_bulk_out(device, urb->buffer, (size_t)urb->buffer_length);
    } else {
        append(interrupt ? &device->interrupt : &device->in, u);
        pump(device);
        if (device->in.first && device->answers)
            wake_clock();
    }
    return 0;
}

/* Takes the URBs of a list that match; urb NULL: all of that handle, handle NULL: all. */
static bool end_matching(struct emu_urb_list *list, const struct emu_handle *handle,
                         const struct usbdevfs_urb *urb, int status)
{
    bool found = false;

    for (struct emu_urb **p = &list->first, *u; (u = *p);) {
        if ((handle && u->handle != handle) || (urb && u->urb != urb)) {
            p = &u->next;
            continue;
        }
        *p = u->next;
        complete(u, status, 0);
        found = true;
    }
    return found;
}

void emu_halt_interrupt(struct emu_device *device)
{
    device->halted_interrupt = true;
    (void)end_matching(&device->interrupt, NULL, NULL, -EPIPE);
}

int emu_discard(struct emu_handle *handle, struct usbdevfs_urb *urb)
{
    for (struct emu_device *d = handle->device; d; d = d->next_interface)
        if (end_matching(&d->in, handle, urb, -ENOENT) ||
            end_matching(&d->interrupt, handle, urb, -ENOENT))
            return 0;
    return -EINVAL;
}

struct usbdevfs_urb *emu_reap(struct emu_handle *handle)
{
    struct emu_urb *u = handle->done;
    struct usbdevfs_urb *urb;

    if (!u)
        return NULL;
    handle->done = u->next;
    if (!handle->done) {
        handle->done_tail = &handle->done;
        set_reapable(handle, false);
    }
    urb = u->urb;
    free(u);
    return urb;
}

void emu_end_urbs(struct emu_device *device, int status)
{
    end_matching(&device->in, NULL, NULL, status);
    end_matching(&device->interrupt, NULL, NULL, status);
    pthread_cond_broadcast(&emu_reapable);
}

void emu_drop_urbs(struct emu_handle *handle)
{
    for (struct emu_device *d = handle->device; d; d = d->next_interface) {
        end_matching(&d->in, handle, NULL, -ENOENT);
        end_matching(&d->interrupt, handle, NULL, -ENOENT);
    }
    while (emu_reap(handle))
        ;
}
