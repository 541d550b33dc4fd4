/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logind.c - what logind says of the machine's sleep (org.freedesktop.login1.Manager).
 *
 * One thread owns the connection to the system bus. It holds a delay lock, without which
 * the machine would sleep before the cards are off: PrepareForSleep(true) - readers told
 * - lock released - machine sleeps - PrepareForSleep(false) - readers told - lock taken
 * again. A bus without logind gives no lock; each wake-up tries again. When the bus
 * closes the connection the thread ends after one line in the log: the readers work on,
 * and a sleep shows at the next command as a card without power.
 *
 * Nothing here polls: the thread wakes up for a message, or to end.
 */
#include "fs/power.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define LOGIND    "org.freedesktop.login1"
#define PATH      "/org/freedesktop/login1"
#define INTERFACE "org.freedesktop.login1.Manager"

struct scfs_logind {
    struct scfs *fs;
    pthread_t thread;
    int stop; /* eventfd */
    /* the thread's */
    sd_bus *bus;
    int lock; /* file that logind waits for; -1: none */
};

/* ---- the delay lock --------------------------------------------------------------- */

static void release(struct scfs_logind *logind)
{
    if (logind->lock >= 0)
        close(logind->lock);
    logind->lock = -1;
}

static int inhibited(sd_bus_message *reply, void *context, sd_bus_error *unused)
{
    struct scfs_logind *logind = context;
    int fd;

    (void)unused;
    if (sd_bus_message_is_method_error(reply, NULL)) {
        scfs_log(LOG_NOTICE, "logind gives no time to switch cards off: %s",
                 sd_bus_message_get_error(reply)->name);
        return 0;
    }
    if (sd_bus_message_read(reply, "h", &fd) < 0)
        return 0;
    release(logind);
    logind->lock = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* the message owns fd */
    return 0;
}

/* The answer is waited for in the loop, not here. */
static void inhibit(struct scfs_logind *logind)
{
    if (logind->lock < 0)
        sd_bus_call_method_async(logind->bus, NULL, LOGIND, PATH, INTERFACE, "Inhibit",
                                 inhibited, logind, "ssss", "sleep", "scardfs",
                                 "Cards lose their power", "delay");
}

static int prepare_for_sleep(sd_bus_message *signal, void *context, sd_bus_error *unused)
{
    struct scfs_logind *logind = context;
    int asleep;

    (void)unused;
    if (sd_bus_message_read(signal, "b", &asleep) < 0)
        return 0;
    if (asleep) {
        if (!scfs_power_sleep(logind->fs))
            scfs_log(LOG_WARNING, "the machine sleeps while a reader is busy");
        release(logind);
    } else {
        scfs_power_wake(logind->fs);
        inhibit(logind);
    }
    return 0;
}

/* ---- the thread ------------------------------------------------------------------- */

/* Handles what is there; false: the connection is lost. */
static bool process(sd_bus *bus)
{
    int more;

    do
        more = sd_bus_process(bus, NULL);
    while (more > 0);
    return more == 0;
}

/* Until there is something on the bus; false: the end. */
static bool wait_for_message(const struct scfs_logind *logind)
{
    struct pollfd fds[] = {
        {.fd = sd_bus_get_fd(logind->bus),
         .events = (short)sd_bus_get_events(logind->bus)},
        {.fd = logind->stop, .events = POLLIN},
    };
    uint64_t until_us = UINT64_MAX; /* CLOCK_MONOTONIC: of a call without an answer */
    struct timespec now, wait, *limit = NULL;

    if (sd_bus_get_timeout(logind->bus, &until_us) >= 0 && until_us != UINT64_MAX) {
        uint64_t now_us;

        clock_gettime(CLOCK_MONOTONIC, &now);
        now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
        until_us = until_us > now_us ? until_us - now_us : 0;
        wait = (struct timespec){.tv_sec = (time_t)(until_us / 1000000),
                                 .tv_nsec = (long)(until_us % 1000000) * 1000};
        limit = &wait;
    }
    while (ppoll(fds, 2, limit, NULL) < 0 && errno == EINTR)
        continue;
    return fds[1].revents == 0;
}

static void *listen_to_bus(void *argument)
{
    struct scfs_logind *logind = argument;
    bool connected = true;

    inhibit(logind);
    do
        connected = process(logind->bus);
    while (connected && wait_for_message(logind));
    if (!connected)
        scfs_log(LOG_WARNING, "the system bus is gone; a sleep is not noticed any more");
    release(logind);
    sd_bus_close_unref(logind->bus);
    return NULL;
}

/* ---- from outside ----------------------------------------------------------------- */

static bool start_thread(struct scfs_logind *logind)
{
    sigset_t all, before;
    int error;

    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&logind->thread, NULL, listen_to_bus, logind);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0;
}

struct scfs_logind *scfs_logind_start(struct scfs *fs)
{
    struct scfs_logind *logind = calloc(1, sizeof *logind);
    int error;

    if (logind == NULL)
        return NULL;
    logind->fs = fs;
    logind->lock = -1;
    logind->stop = eventfd(0, EFD_CLOEXEC);
    error = logind->stop < 0 ? -errno : sd_bus_open_system(&logind->bus);
    if (error >= 0)
        error =
            sd_bus_match_signal_async(logind->bus, NULL, LOGIND, PATH, INTERFACE,
                                      "PrepareForSleep", prepare_for_sleep, NULL, logind);
    if (error >= 0 && start_thread(logind))
        return logind;
    if ((SmartcardGetDebugLevel() & DEBUG_DRIVER) != 0)
        scfs_log(LOG_DEBUG, "no system bus: %s", strerror(-error));
    sd_bus_unref(logind->bus);
    if (logind->stop >= 0)
        close(logind->stop);
    free(logind);
    return NULL;
}

void scfs_logind_stop(struct scfs_logind *logind)
{
    const uint64_t one = 1;

    if (logind == NULL)
        return;
    while (write(logind->stop, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    pthread_join(logind->thread, NULL);
    close(logind->stop);
    free(logind);
}
