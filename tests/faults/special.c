/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * special.c - calls that fail in a way of their own: with arguments that may be missing,
 * answers to the kernel, and waits that give up a lock.
 */
/* open and open64 are two symbols here: no renaming of one to the other. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include "faults.h"

#include <errno.h>
#include <linux/fuse.h>
#include <linux/usbdevice_fs.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <libusb.h>

#define FUSE_DEVICE makedev(10, 229)
#define FUSE_INIT_ID                                                                     \
    2 /* the kernel's first request; without its answer there is no mount */

#define CALLER                   __builtin_return_address(0)
#define DUE(name)                faults_due(FAULT_##name, CALLER)
#define CALL(type, name, params) FAULTS_EXPORT type fault_##name params __asm__(#name)

static int refuse(int error)
{
    errno = error;
    return -1;
}

/* ---- files ----------------------------------------------------------------------- */

/* A mode that is not there is not looked at. */
CALL(int, open, (const char *path, int flags, unsigned mode));
int fault_open(const char *path, int flags, unsigned mode)
{
    static int (*next)(const char *, int, ...);

    if (DUE(open))
        return refuse(EMFILE);
    faults_next((void **)&next, "open");
    return next(path, flags, mode);
}

CALL(int, open64, (const char *path, int flags, unsigned mode));
int fault_open64(const char *path, int flags, unsigned mode)
{
    static int (*next)(const char *, int, ...);

    if (DUE(open64))
        return refuse(EMFILE);
    faults_next((void **)&next, "open64");
    return next(path, flags, mode);
}

CALL(int, __open_2, (const char *path, int flags));
int fault___open_2(const char *path, int flags)
{
    static int (*next)(const char *, int);

    if (DUE(__open_2))
        return refuse(EMFILE);
    faults_next((void **)&next, "__open_2");
    return next(path, flags);
}

CALL(int, openat64, (int directory, const char *path, int flags, unsigned mode));
int fault_openat64(int directory, const char *path, int flags, unsigned mode)
{
    static int (*next)(int, const char *, int, ...);

    if (DUE(openat64))
        return refuse(EMFILE);
    faults_next((void **)&next, "openat64");
    return next(directory, path, flags, mode);
}

/* Ends a transfer, or fetches one that has ended: without memory, too. */
static bool takes_back(unsigned long request)
{
    return request == (unsigned)USBDEVFS_DISCARDURB ||
           request == (unsigned)USBDEVFS_REAPURB ||
           request == (unsigned)USBDEVFS_REAPURBNDELAY;
}

CALL(int, ioctl, (int fd, unsigned long request, void *argument));
int fault_ioctl(int fd, unsigned long request, void *argument)
{
    static int (*next)(int, unsigned long, ...);

    if (!takes_back(request) && DUE(ioctl))
        return refuse(ENOMEM);
    faults_next((void **)&next, "ioctl");
    return next(fd, request, argument);
}

CALL(int, fcntl64, (int fd, int command, void *argument));
int fault_fcntl64(int fd, int command, void *argument)
{
    static int (*next)(int, int, ...);

    if (DUE(fcntl64))
        return refuse(ENOLCK);
    faults_next((void **)&next, "fcntl64");
    return next(fd, command, argument);
}

/* ---- the kernel's requests ------------------------------------------------------- */

static bool is_fuse(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == FUSE_DEVICE;
}

/* An eventfd: to add to it never fails. */
static bool is_counter(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

static bool is_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

CALL(ssize_t, read, (int fd, void *data, size_t len));
ssize_t fault_read(int fd, void *data, size_t len)
{
    static ssize_t (*next)(int, void *, size_t);

    if (DUE(read))
        return refuse(is_file(fd) ? EIO : EINTR);
    faults_next((void **)&next, "read");
    return next(fd, data, len);
}

CALL(ssize_t, write, (int fd, const void *data, size_t len));
ssize_t fault_write(int fd, const void *data, size_t len)
{
    static ssize_t (*next)(int, const void *, size_t);

    if (!is_counter(fd) && DUE(write))
        return refuse(is_file(fd) ? EIO : EINTR);
    faults_next((void **)&next, "write");
    return next(fd, data, len);
}

CALL(ssize_t, writev, (int fd, const struct iovec *parts, int count));
ssize_t fault_writev(int fd, const struct iovec *parts, int count)
{
    static ssize_t (*next)(int, const struct iovec *, int);
    struct fuse_out_header answer = {.len = sizeof answer, .error = -EIO};
    const struct iovec refusal = {.iov_base = &answer, .iov_len = sizeof answer};

    faults_next((void **)&next, "writev");
    if (!DUE(writev))
        return next(fd, parts, count);
    if (!is_fuse(fd))
        return refuse(EIO);
    answer.unique = ((const struct fuse_out_header *)parts[0].iov_base)->unique;
    if (answer.unique == FUSE_INIT_ID)
        return next(fd, parts, count);
    if (answer.unique != 0)
        (void)next(fd, &refusal, 1);
    else /* nobody has asked, but somebody may be waiting for it */
        (void)next(fd, parts, count);
    return refuse(ENOENT);
}

#define REPLY(name, params, args)                                                        \
    CALL(int, fuse_reply_##name, params);                                                \
    int fault_fuse_reply_##name params                                                   \
    {                                                                                    \
        static int(*next) params;                                                        \
                                                                                         \
        if (DUE(fuse_reply_##name))                                                      \
            return unheard(req);                                                         \
        faults_next((void **)&next, "fuse_reply_" #name);                                \
        return next args;                                                                \
    }

/* The request is answered, so that its client goes on, and is not ours any more. */
static int unheard(void *req)
{
    static int (*reply_err)(void *, int);

    faults_next((void **)&reply_err, "fuse_reply_err");
    (void)reply_err(req, EIO);
    return -ENOENT;
}

REPLY(err, (void *req, int error), (req, error))
REPLY(attr, (void *req, const void *attr, double timeout), (req, attr, timeout))
REPLY(entry, (void *req, const void *entry), (req, entry))
REPLY(open, (void *req, const void *file), (req, file))
REPLY(write, (void *req, size_t count), (req, count))
REPLY(buf, (void *req, const void *data, size_t len), (req, data, len))
REPLY(ioctl, (void *req, int result, const void *data, size_t len),
      (req, result, data, len))
REPLY(poll, (void *req, unsigned events), (req, events))
REPLY(readlink, (void *req, const char *text), (req, text))

/* Whoever polls is told; the daemon hears that nobody does. */
CALL(int, fuse_lowlevel_notify_poll, (void *handle));
int fault_fuse_lowlevel_notify_poll(void *handle)
{
    static int (*next)(void *);
    int error;

    faults_next((void **)&next, "fuse_lowlevel_notify_poll");
    error = next(handle);
    return DUE(fuse_lowlevel_notify_poll) ? -ENOENT : error;
}

/* ---- libusb, of whose first call it matters that it is that -------------------------
 */

CALL(int, libusb_init, (void *context));
int fault_libusb_init(void *context)
{
    static int (*next)(void *);
    int error;

    if (DUE(libusb_init))
        return LIBUSB_ERROR_NO_MEM;
    faults_next((void **)&next, "libusb_init");
    faults_in_libusb_init = true;
    error = next(context);
    faults_in_libusb_init = false;
    return error;
}

/* ---- libfuse, which says itself when it has no memory ----------------------------- */

static void say(void)
{
    static const char words[] = "fuse: memory allocation failed\n";

    if (write(STDERR_FILENO, words, sizeof words - 1) < 0)
        errno = ENOMEM;
}

CALL(int, fuse_opt_add_arg, (void *arguments, const char *text));
int fault_fuse_opt_add_arg(void *arguments, const char *text)
{
    static int (*next)(void *, const char *);

    if (DUE(fuse_opt_add_arg)) {
        say();
        return -1;
    }
    faults_next((void **)&next, "fuse_opt_add_arg");
    return next(arguments, text);
}

CALL(int, fuse_opt_parse, (void *arguments, void *data, const void *options, void *call));
int fault_fuse_opt_parse(void *arguments, void *data, const void *options, void *call)
{
    static int (*next)(void *, void *, const void *, void *);

    if (DUE(fuse_opt_parse)) {
        say();
        return -1;
    }
    faults_next((void **)&next, "fuse_opt_parse");
    return next(arguments, data, options, call);
}

CALL(void *, fuse_session_new,
     (void *arguments, const void *operations, size_t size, void *data));
void *fault_fuse_session_new(void *arguments, const void *operations, size_t size,
                             void *data)
{
    static void *(*next)(void *, const void *, size_t, void *);

    if (DUE(fuse_session_new)) {
        say();
        return NULL;
    }
    faults_next((void **)&next, "fuse_session_new");
    return next(arguments, operations, size, data);
}

/* ---- waiting --------------------------------------------------------------------- */

/* Only what is new wants memory. */
CALL(int, epoll_ctl, (int set, int operation, int fd, struct epoll_event *event));
int fault_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    static int (*next)(int, int, int, struct epoll_event *);

    if (operation == EPOLL_CTL_ADD && DUE(epoll_ctl))
        return refuse(ENOSPC);
    faults_next((void **)&next, "epoll_ctl");
    return next(set, operation, fd, event);
}

/* Too early; the lock has been given up nevertheless. */
CALL(int, pthread_cond_timedwait,
     (pthread_cond_t * condition, pthread_mutex_t *mutex, const struct timespec *until));
int fault_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                 const struct timespec *until)
{
    static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

    faults_next((void **)&next, "pthread_cond_timedwait");
    if (!DUE(pthread_cond_timedwait))
        return next(condition, mutex, until);
    pthread_mutex_unlock(mutex);
    sched_yield();
    pthread_mutex_lock(mutex);
    return ETIMEDOUT;
}
