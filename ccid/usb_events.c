/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb_events.c - the one event thread of USB: one epoll set over the node and the inner
 * descriptors of every context, and over the context of the hot-plug.
 *
 * Lazy re-arming. The event thread hears of a reader's node only while that is `armed`
 * (EPOLLONESHOT). An executor that enters takes the arming away, once; leaving does not
 * give it back but starts a one-shot timer, and the timer re-arms the readers that have
 * been idle for REARM_MS. So a burst of APDUs costs no epoll_ctl, and nothing ticks when
 * nothing happens. Re-arming looks at the level: what came meanwhile is not lost. The
 * timer is marked stopped before the readers are looked at, and an executor leaves before
 * it looks at the timer: one of the two always sees the other.
 *
 * The event thread handles events with no waiting time, and makes no other USB call: it
 * never becomes an executor and waits for no device. A node that reports an error belongs
 * to a device that is gone; it leaves the set at once, since epoll reports errors whether
 * asked to or not.
 *
 * The set holds numbers, not pointers, so that an event that was fetched before its
 * reader was removed finds nothing. events.lock: the list, users; usb->lock: busy, armed,
 * watched, left_ms. events.lock before usb->lock; both are leaves otherwise.
 */
#include "ccid/usb.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define REARM_MS     5
#define EVENTS_BATCH 16

/* What an event is about: the kind in the low bits, the reader's number above. */
enum event_kind { EVENT_NODE, EVENT_CONTEXT, EVENT_HOTPLUG, EVENT_TIMER, EVENT_QUIT };
#define EVENT_KIND_BITS 3

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    libusb_context *hotplug;
    int epoll, timer, quit;
    int timer_on; /* atomic */
    uint64_t last_id;
    bool (*ticked)(void);
    struct ccid_usb *list;
} events = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .changed = PTHREAD_COND_INITIALIZER,
            .epoll = -1,
            .timer = -1,
            .quit = -1};

static int control(int operation, int fd, uint32_t mask, enum event_kind kind,
                   uint64_t id)
{
    struct epoll_event event = {.events = mask,
                                .data.u64 = id << EVENT_KIND_BITS | (uint64_t)kind};

    return epoll_ctl(events.epoll, operation, fd, &event) == 0 ? 0 : errno;
}

/* ---- arming ---------------------------------------------------------------------- */

static void arm_locked(struct ccid_usb *usb)
{
    if (usb->watched && control(EPOLL_CTL_MOD, usb->fd, EPOLLOUT | EPOLLONESHOT,
                                EVENT_NODE, usb->id) == 0)
        usb->armed = true;
}

static void start_timer(void)
{
    struct itimerspec once = {.it_value.tv_nsec = REARM_MS * 1000000L};

    if (!__atomic_exchange_n(&events.timer_on, 1, __ATOMIC_SEQ_CST))
        timerfd_settime(events.timer, 0, &once, NULL);
}

void usb_events_enter(struct ccid_usb *usb)
{
    pthread_mutex_lock(&usb->lock);
    usb->busy++;
    if (usb->armed) {
        usb->armed = false;
        control(EPOLL_CTL_MOD, usb->fd, 0, EVENT_NODE, usb->id);
    }
    pthread_mutex_unlock(&usb->lock);
}

void usb_events_leave(struct ccid_usb *usb)
{
    pthread_mutex_lock(&usb->lock);
    usb->busy--;
    usb->left_ms = usb_now_ms();
    pthread_mutex_unlock(&usb->lock);
    if (!__atomic_load_n(&events.timer_on, __ATOMIC_SEQ_CST))
        start_timer();
}

/* Re-arms who has been idle long enough. Who is busy starts the timer when he leaves. */
static void timer_ticked(void)
{
    uint64_t now = usb_now_ms();
    uint64_t ticks;
    bool again = false;

    if (read(events.timer, &ticks, sizeof(ticks)) < 0)
        return; /* taken back meanwhile */
    __atomic_store_n(&events.timer_on, 0, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&events.lock);
    for (struct ccid_usb *usb = events.list; usb != NULL; usb = usb->next) {
        pthread_mutex_lock(&usb->lock);
        if (usb->watched && !usb->armed && usb->busy == 0) {
            if (now >= usb->left_ms + REARM_MS)
                arm_locked(usb);
            else
                again = true;
        }
        pthread_mutex_unlock(&usb->lock);
    }
    pthread_mutex_unlock(&events.lock);
    if (events.ticked())
        again = true;
    if (again)
        start_timer();
}

void usb_events_tick(void)
{
    start_timer();
}

/* ---- the event thread ------------------------------------------------------------ */

static struct ccid_usb *hold(uint64_t id)
{
    struct ccid_usb *usb;

    pthread_mutex_lock(&events.lock);
    for (usb = events.list; usb != NULL && usb->id != id;)
        usb = usb->next;
    if (usb != NULL)
        usb->users++;
    pthread_mutex_unlock(&events.lock);
    return usb;
}

static void let_go(struct ccid_usb *usb)
{
    pthread_mutex_lock(&events.lock);
    usb->users--;
    pthread_cond_broadcast(&events.changed);
    pthread_mutex_unlock(&events.lock);
}

/* Handles what is there. A libusb error shows again at the next transfer. */
static void handle_now(struct ccid_usb *usb)
{
    usb_handle_events(usb, 0, NULL);
}

static void node_event(struct ccid_usb *usb, uint32_t mask)
{
    bool lost = false;
    bool busy;

    pthread_mutex_lock(&usb->lock);
    usb->armed = false;
    busy = usb->busy > 0;
    if ((mask & (EPOLLERR | EPOLLHUP)) != 0 && usb->watched) {
        epoll_ctl(events.epoll, EPOLL_CTL_DEL, usb->fd, NULL);
        usb->watched = false;
        lost = true;
    }
    pthread_mutex_unlock(&usb->lock);
    if (!busy) {
        handle_now(usb);
        pthread_mutex_lock(&usb->lock);
        if (usb->busy == 0)
            arm_locked(usb);
        pthread_mutex_unlock(&usb->lock);
    }
    if (lost)
        usb->lost(usb->lost_context);
}

static void handle(const struct epoll_event *event)
{
    static const struct timeval no_time;
    struct timeval wait = no_time;
    struct ccid_usb *usb;

    switch ((enum event_kind)(event->data.u64 & ((1u << EVENT_KIND_BITS) - 1))) {
    case EVENT_HOTPLUG:
        libusb_handle_events_timeout_completed(events.hotplug, &wait, NULL);
        break;
    case EVENT_TIMER:
        timer_ticked();
        break;
    case EVENT_NODE:
        usb = hold(event->data.u64 >> EVENT_KIND_BITS);
        if (usb != NULL) {
            node_event(usb, event->events);
            let_go(usb);
        }
        break;
    case EVENT_CONTEXT:
        usb = hold(event->data.u64 >> EVENT_KIND_BITS);
        if (usb != NULL) {
            handle_now(usb);
            let_go(usb);
        }
        break;
    case EVENT_QUIT:
        break;
    }
}

static void *event_thread(void *unused)
{
    struct epoll_event batch[EVENTS_BATCH];

    (void)unused;
    for (;;) {
        int count = epoll_wait(events.epoll, batch, EVENTS_BATCH, -1);

        for (int i = 0; i < count; i++) {
            if (batch[i].data.u64 == EVENT_QUIT)
                return NULL;
            handle(&batch[i]);
        }
    }
}

/* ---- from outside ---------------------------------------------------------------- */

static void remove_context(struct usb_polled *polled)
{
    while (polled->count > 0)
        epoll_ctl(events.epoll, EPOLL_CTL_DEL, polled->fds[--polled->count], NULL);
}

/* Every descriptor that libusb polls for a context, except the node. They are remembered:
 * libusb's list must not be read while another thread handles the loss of the node. */
static int add_context(libusb_context *context, int node, enum event_kind kind,
                       uint64_t id, struct usb_polled *polled)
{
    const struct libusb_pollfd **fds = libusb_get_pollfds(context);
    int error = 0;

    if (fds == NULL)
        return ENOMEM;
    for (size_t i = 0; fds[i] != NULL && error == 0; i++) {
        if (fds[i]->fd == node)
            continue;
        error =
            polled->count == USB_POLLED_MAX
                ? ENOSPC
                : control(EPOLL_CTL_ADD, fds[i]->fd,
                          (fds[i]->events & POLLOUT) != 0 ? EPOLLOUT : EPOLLIN, kind, id);
        if (error == 0)
            polled->fds[polled->count++] = fds[i]->fd;
    }
    libusb_free_pollfds(fds);
    return error;
}

int usb_events_add(struct ccid_usb *usb, void (*lost)(void *context), void *context)
{
    int error;

    usb->lost = lost;
    usb->lost_context = context;
    pthread_mutex_lock(&events.lock);
    usb->id = ++events.last_id;
    usb->next = events.list;
    events.list = usb;
    pthread_mutex_unlock(&events.lock);

    error = add_context(usb->context, usb->fd, EVENT_CONTEXT, usb->id, &usb->polled);
    pthread_mutex_lock(&usb->lock);
    if (error == 0)
        error =
            control(EPOLL_CTL_ADD, usb->fd, EPOLLOUT | EPOLLONESHOT, EVENT_NODE, usb->id);
    if (error == 0)
        usb->watched = usb->armed = true;
    pthread_mutex_unlock(&usb->lock);
    if (error != 0)
        usb_events_remove(usb);
    return error;
}

void usb_events_remove(struct ccid_usb *usb)
{
    struct ccid_usb **link = &events.list;

    pthread_mutex_lock(&usb->lock);
    if (usb->watched)
        epoll_ctl(events.epoll, EPOLL_CTL_DEL, usb->fd, NULL);
    usb->watched = usb->armed = false;
    pthread_mutex_unlock(&usb->lock);
    remove_context(&usb->polled);

    pthread_mutex_lock(&events.lock);
    while (*link != usb)
        link = &(*link)->next;
    *link = usb->next;
    while (usb->users > 0)
        pthread_cond_wait(&events.changed, &events.lock);
    pthread_mutex_unlock(&events.lock);
}

static void close_all(void)
{
    int *fds[] = {&events.epoll, &events.timer, &events.quit};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

int usb_events_start(libusb_context *hotplug, bool (*ticked)(void))
{
    struct usb_polled polled = {.count = 0}; /* until close_all */
    int error;

    events.hotplug = hotplug;
    events.ticked = ticked;
    events.timer_on = 0;
    events.epoll = epoll_create1(EPOLL_CLOEXEC);
    events.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    events.quit = eventfd(0, EFD_CLOEXEC);
    if (events.epoll < 0 || events.timer < 0 || events.quit < 0) {
        error = errno;
        close_all();
        return error;
    }
    error = control(EPOLL_CTL_ADD, events.timer, EPOLLIN, EVENT_TIMER, 0);
    if (error == 0)
        error = control(EPOLL_CTL_ADD, events.quit, EPOLLIN, EVENT_QUIT, 0);
    if (error == 0)
        error = add_context(hotplug, -1, EVENT_HOTPLUG, 0, &polled);
    if (error == 0)
        error = usb_thread_start(&events.thread, event_thread, NULL);
    if (error != 0)
        close_all();
    return error;
}

void usb_events_stop(void)
{
    uint64_t one = 1;

    while (write(events.quit, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    pthread_join(events.thread, NULL);
    close_all();
}
