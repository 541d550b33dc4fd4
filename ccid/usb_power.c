/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb_power.c - autosuspend: an idle reader without a card may sleep, where its remote
 * wake-up tells of one that comes.
 *
 *   awake -may_sleep-> asking -> allowed -the kernel, in its own time-> asleep
 *     ^-- enter ---------'---------'          a card, or enter -> awake again
 *
 * Asking: the kernel does not switch the remote wake-up of a device on that usbfs holds,
 * and switches it off at every resume; so it is asked for each time (SET_FEATURE), and
 * only a device that has agreed may sleep.
 *
 * Allowed is not asleep: unless power/control is "auto" the kernel never does it. So the
 * interrupt transfer stays submitted. When the device falls asleep - by itself or with
 * the machine - the kernel ends the transfer as if the device were gone. Whether it is,
 * its next submission says: it is refused in another way while the device sleeps, and
 * `lost` until the device is awake. Then it is submitted by the executor that enters, or,
 * after autosuspend, by a thread that does nothing but wait for the resume (usbfs has no
 * other way to hear of it) and exists only while the device sleeps. The device keeps its
 * NotifySlotChange until then.
 *
 * self->lock is a leaf below libusb's event lock. ALLOW_SUSPEND is called under it, so
 * that no executor comes between the decision and the deed; it only drops a count and
 * does not wait.
 *
 * A waiting thread cannot be ended from here when the kernel does not: usb_power_end
 * wakes the device up and disowns the thread.
 */
#include "ccid/usb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/usbdevice_fs.h>

#define FEATURE_REMOTE_WAKEUP 1 /* USB 2.0 table 9-6 */
#define END_WAIT_MS           100

/* The thread that waits, and what it waits for. */
struct usb_sleeper {
    int refs; /* atomic: its thread, its reader */
    int fd;   /* a duplicate, its own */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct ccid_usb *usb; /* NULL: disowned */
    bool working;         /* with usb */
};

static bool can_suspend(int fd)
{
#if defined(USBDEVFS_CAP_SUSPEND) && defined(USBDEVFS_WAIT_FOR_RESUME)
    uint32_t capabilities = 0;

    return ioctl(fd, USBDEVFS_GET_CAPABILITIES, &capabilities) == 0 &&
           (capabilities & USBDEVFS_CAP_SUSPEND) != 0;
#else
    (void)fd;
    return false;
#endif
}

/* The device has agreed, or not. Nobody may have come in since. */
static void LIBUSB_CALL called_back(struct libusb_transfer *transfer)
{
    struct ccid_usb *usb = transfer->user_data;
    struct usb_power *self = &usb->power;

    pthread_mutex_lock(&self->lock);
    self->asking = false;
    if (transfer->status == LIBUSB_TRANSFER_STALL)
        self->possible = false;
    else if (transfer->status == LIBUSB_TRANSFER_COMPLETED && self->wanted &&
             self->users == 0 && !self->ending)
        self->allowed = ioctl(usb->fd, USBDEVFS_ALLOW_SUSPEND) == 0;
    pthread_mutex_unlock(&self->lock);
    __atomic_store_n(&self->wake, 1, __ATOMIC_SEQ_CST);
}

static void ask(struct ccid_usb *usb)
{
    struct usb_power *self = &usb->power;
    bool go;

    pthread_mutex_lock(&self->lock);
    go = self->possible && self->wanted && self->users == 0 && !self->allowed &&
         !self->asking && !self->ending;
    if (go)
        self->asking = true;
    pthread_mutex_unlock(&self->lock);
    if (!go || libusb_submit_transfer(self->transfer) == 0)
        return;
    pthread_mutex_lock(&self->lock);
    self->asking = false; /* at the next occasion */
    pthread_mutex_unlock(&self->lock);
}

bool usb_power_init(struct ccid_usb *usb, bool remote_wakeup)
{
    struct usb_power *self = &usb->power;

    if (!remote_wakeup || usb->interrupt.transfer == NULL || !can_suspend(usb->fd))
        return true;
    self->transfer = libusb_alloc_transfer(0);
    if (self->transfer == NULL)
        return false;
    libusb_fill_control_setup(self->setup, LIBUSB_RECIPIENT_DEVICE,
                              LIBUSB_REQUEST_SET_FEATURE, FEATURE_REMOTE_WAKEUP, 0, 0);
    libusb_fill_control_transfer(self->transfer, usb->handle, self->setup, called_back,
                                 usb, 0);
    self->possible = true;
    return true;
}

/* Submits the interrupt transfer again, if it was lost and nobody else does. */
static void listen_again(struct ccid_usb *usb)
{
    bool lost;

    pthread_mutex_lock(&usb->power.lock);
    lost = usb->power.lost;
    usb->power.lost = false;
    pthread_mutex_unlock(&usb->power.lock);
    if (lost)
        usb_interrupt_resume(usb);
}

/* ---- the thread of a sleeping device ----------------------------------------------- */

static void sleeper_put(struct usb_sleeper *sleeper)
{
    if (__atomic_sub_fetch(&sleeper->refs, 1, __ATOMIC_SEQ_CST) > 0)
        return;
    if (sleeper->fd >= 0)
        close(sleeper->fd);
    pthread_cond_destroy(&sleeper->changed);
    pthread_mutex_destroy(&sleeper->lock);
    free(sleeper);
}

/* It has been woken up, by its card or by somebody else on the bus. */
static void woken(struct ccid_usb *usb)
{
    struct usb_power *self = &usb->power;
    struct usb_sleeper *sleeper;

    pthread_mutex_lock(&self->lock);
    self->allowed = false; /* having waited forbids it */
    pthread_mutex_unlock(&self->lock);
    listen_again(usb);
    ask(usb);
    pthread_mutex_lock(&self->lock);
    sleeper = self->sleeper;
    self->sleeper = NULL;
    pthread_mutex_unlock(&self->lock);
    if (sleeper != NULL)
        sleeper_put(sleeper);
}

static void *sleep_thread(void *context)
{
    struct usb_sleeper *sleeper = context;
    struct ccid_usb *usb;
    int error;

    do
        error = ioctl(sleeper->fd, USBDEVFS_WAIT_FOR_RESUME);
    while (error < 0 && errno == EINTR);
    pthread_mutex_lock(&sleeper->lock);
    usb = sleeper->usb;
    sleeper->working = usb != NULL;
    pthread_mutex_unlock(&sleeper->lock);
    if (usb != NULL)
        woken(usb);
    pthread_mutex_lock(&sleeper->lock);
    sleeper->working = false;
    pthread_cond_broadcast(&sleeper->changed);
    pthread_mutex_unlock(&sleeper->lock);
    sleeper_put(sleeper);
    return NULL;
}

/* NULL: no memory, file or thread. */
static struct usb_sleeper *sleeper_new(struct ccid_usb *usb)
{
    struct usb_sleeper *sleeper = calloc(1, sizeof(*sleeper));

    if (sleeper == NULL)
        return NULL;
    pthread_mutex_init(&sleeper->lock, NULL);
    pthread_cond_init(&sleeper->changed, NULL);
    sleeper->refs = 2;
    sleeper->usb = usb;
    sleeper->fd = fcntl(usb->fd, F_DUPFD_CLOEXEC, 0);
    if (sleeper->fd < 0 || usb_thread_start(NULL, sleep_thread, sleeper) != 0) {
        sleeper->refs = 1;
        sleeper_put(sleeper);
        return NULL;
    }
    return sleeper;
}

/* ---- from outside ----------------------------------------------------------------- */

bool usb_power_lost(struct ccid_usb *usb)
{
    struct usb_power *self = &usb->power;
    bool sleeps;

    pthread_mutex_lock(&self->lock);
    sleeps = self->allowed;
    self->lost = sleeps;
    if (sleeps && self->sleeper == NULL && !self->ending)
        self->sleeper = sleeper_new(usb);
    pthread_mutex_unlock(&self->lock);
    return sleeps;
}

void usb_power_enter(struct ccid_usb *usb)
{
    struct usb_power *self = &usb->power;
    bool allowed, lost;

    pthread_mutex_lock(&self->lock);
    self->users++;
    allowed = self->allowed;
    lost = self->lost;
    pthread_mutex_unlock(&self->lock);
    if (allowed) {
        ioctl(usb->fd, USBDEVFS_FORBID_SUSPEND); /* wakes it up, and waits for that */
        pthread_mutex_lock(&self->lock);
        self->allowed = false;
        lost = self->lost;
        pthread_mutex_unlock(&self->lock);
    }
    if (lost)
        listen_again(usb);
}

void usb_power_leave(struct ccid_usb *usb)
{
    pthread_mutex_lock(&usb->power.lock);
    usb->power.users--;
    pthread_mutex_unlock(&usb->power.lock);
}

void usb_power_may_sleep(struct ccid_usb *usb, bool yes)
{
    if (usb->power.transfer == NULL)
        return;
    pthread_mutex_lock(&usb->power.lock);
    usb->power.wanted = yes;
    pthread_mutex_unlock(&usb->power.lock);
    ask(usb);
}

static void stop_asking(struct ccid_usb *usb)
{
    struct usb_power *self = &usb->power;
    bool asking;

    for (;;) {
        __atomic_store_n(&self->wake, 0, __ATOMIC_SEQ_CST);
        pthread_mutex_lock(&self->lock);
        asking = self->asking;
        pthread_mutex_unlock(&self->lock);
        if (!asking)
            return;
        libusb_cancel_transfer(self->transfer);
        if (usb_handle_events(usb, END_WAIT_MS, &self->wake) != 0) {
            struct timespec pause = {.tv_nsec = 1000000};

            nanosleep(&pause, NULL);
        }
    }
}

void usb_power_begin(struct ccid_usb *usb)
{
    pthread_mutex_lock(&usb->power.lock);
    usb->power.ending = false;
    pthread_mutex_unlock(&usb->power.lock);
}

void usb_power_end(struct ccid_usb *usb)
{
    struct usb_power *self = &usb->power;
    struct usb_sleeper *sleeper;
    bool allowed;

    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_mutex_unlock(&self->lock);
    stop_asking(usb);
    pthread_mutex_lock(&self->lock);
    allowed = self->allowed;
    pthread_mutex_unlock(&self->lock);
    if (allowed)
        ioctl(usb->fd, USBDEVFS_FORBID_SUSPEND);
    pthread_mutex_lock(&self->lock);
    self->allowed = false;
    sleeper = self->sleeper;
    self->sleeper = NULL;
    pthread_mutex_unlock(&self->lock);
    if (sleeper == NULL)
        return;
    pthread_mutex_lock(&sleeper->lock);
    sleeper->usb = NULL;
    while (sleeper->working)
        pthread_cond_wait(&sleeper->changed, &sleeper->lock);
    pthread_mutex_unlock(&sleeper->lock);
    sleeper_put(sleeper);
}
