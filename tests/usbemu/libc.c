/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libc.c - the C library calls that are interposed: opening, reading and closing usbfs
 * nodes and sysfs attributes, and ioctl. What is not ours goes on to the next object
 * that defines the call (a sanitizer's interceptor, then libc).
 */
/* open and open64 are two symbols here: no renaming of one to the other. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include "usbemu.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The fortified entry points have no public prototypes. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define NOT_OURS (-2)

static int (*next_open)(const char *, int, ...);
static int (*next_openat)(int, const char *, int, ...);
static int (*next_close)(int);
static int (*next_ioctl)(int, unsigned long, ...);
static int (*next_fcntl)(int, int, ...);
static int (*next_fcntl64)(int, int, ...);
static off_t (*next_lseek)(int, off_t, int);
static ssize_t (*next_read)(int, void *, size_t);
static ssize_t (*next_pread)(int, void *, size_t, off_t);

/* Calls may come before our constructor runs: each entry point looks for itself. */
static void *next(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);

    if (!f)
        abort();
    return f;
}

/* The assignment through void * is how POSIX says a function comes out of dlsym. */
#define NEXT(call) (next_##call ? (void)0 : (void)(*(void **)&next_##call = next(#call)))

/* ---- paths ----------------------------------------------------------------------- */

/* ".../1-1/busnum" or ".../1-1/1-1:1.0/bInterfaceClass" below one of our prefixes. */
static int open_attribute(const char *path)
{
    const char *last = strrchr(path, '/');
    const char *first = last;
    char name[64], *colon;
    struct emu_device *device;
    char *value = NULL;
    size_t len = 0;
    int fd, ends[2];

    while (first > path && first[-1] != '/')
        first--;
    if (snprintf(name, sizeof name, "%.*s", (int)(last - first), first) >=
        (int)sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    colon = strchr(name, ':');
    if (colon)
        *colon = 0;

    emu_start();
    pthread_mutex_lock(&emu_lock);
    device = emu_find(name);
    if (device)
        value = emu_attribute(device, colon != NULL, last + 1, &len);
    pthread_mutex_unlock(&emu_lock);
    if (!value) {
        errno = ENOENT;
        return -1;
    }
    if (strcmp(last + 1, "descriptors") != 0)
        value[len++] = '\n'; /* takes the terminator's place */
    /* A pipe, which every program may make; a confined one has few ways to a file. */
    fd = -1;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
        if (write(ends[1], value, len) == (ssize_t)len) {
            fd = ends[0];
        } else {
            close(ends[0]);
            errno = EIO;
        }
        close(ends[1]);
    }
    free(value);
    return fd;
}

static int open_ours(const char *path)
{
    static const char node[] = "/dev/bus/usb/", bus_devices[] = "/sys/bus/usb/devices/",
                      devices[] = "/sys/devices/platform/usbemu/";
    unsigned bus, address;
    int fd;

    if (!path || path[0] != '/')
        return NOT_OURS;
    if (!strncmp(path, node, sizeof node - 1) &&
        sscanf(path + sizeof node - 1, "%3u/%3u", &bus, &address) == 2) {
        emu_start();
        fd = emu_handle_open(bus, address);
        if (fd >= 0)
            return fd;
        errno = -fd;
        return -1;
    }
    if (!strncmp(path, bus_devices, sizeof bus_devices - 1) &&
        strchr(path + sizeof bus_devices - 1, '/'))
        return open_attribute(path);
    if (!strncmp(path, devices, sizeof devices - 1) &&
        strchr(path + sizeof devices - 1, '/'))
        return open_attribute(path);
    return NOT_OURS;
}

static mode_t mode_argument(int flags, va_list ap)
{
    /* O_TMPFILE contains O_DIRECTORY: all of its bits must be there */
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
        return va_arg(ap, mode_t);
    return 0;
}

static int open_any(const char *path, int flags, mode_t mode)
{
    int fd = open_ours(path);

    if (fd != NOT_OURS)
        return fd;
    NEXT(open);
    return next_open(path, flags, mode);
}

static int openat_any(int dir, const char *path, int flags, mode_t mode)
{
    int fd = open_ours(path);

    if (fd != NOT_OURS)
        return fd;
    NEXT(openat);
    return next_openat(dir, path, flags, mode);
}

#define MODE_ARGUMENT(flags, mode)                                                       \
    va_list ap;                                                                          \
    mode_t mode;                                                                         \
    va_start(ap, flags);                                                                 \
    mode = mode_argument(flags, ap);                                                     \
    va_end(ap)

EMU_EXPORT int open(const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags, mode);
    return open_any(path, flags, mode);
}

EMU_EXPORT int open64(const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags, mode);
    return open_any(path, flags | O_LARGEFILE, mode);
}

EMU_EXPORT int openat(int dir, const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags, mode);
    return openat_any(dir, path, flags, mode);
}

EMU_EXPORT int openat64(int dir, const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags, mode);
    return openat_any(dir, path, flags | O_LARGEFILE, mode);
}

EMU_EXPORT int __open_2(const char *path, int flags)
{
    return open_any(path, flags, 0);
}

EMU_EXPORT int __open64_2(const char *path, int flags)
{
    return open_any(path, flags | O_LARGEFILE, 0);
}

/* ---- descriptors ----------------------------------------------------------------- */

/* Our own files close by this name, too: ThreadSanitizer must see what number is free. */
EMU_EXPORT int close(int fd)
{
    if (emu_handle_is(fd))
        emu_handle_close(fd);
    NEXT(close);
    return next_close(fd);
}

static long result(int64_t value)
{
    if (value >= 0)
        return (long)value;
    errno = (int)-value;
    return -1;
}

EMU_EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    void *arg;

    va_start(ap, request);
    arg = va_arg(ap, void *);
    va_end(ap);
    if (emu_handle_is(fd))
        return (int)result(emu_handle_ioctl(fd, request, arg));
    NEXT(ioctl);
    return next_ioctl(fd, request, arg);
}

static int duplicated(int fd, int command, int other)
{
    if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && emu_handle_is(fd))
        emu_handle_duplicated(fd, other);
    return other;
}

EMU_EXPORT int fcntl(int fd, int command, ...)
{
    va_list ap;
    void *arg;

    va_start(ap, command);
    arg = va_arg(ap, void *);
    va_end(ap);
    NEXT(fcntl);
    return duplicated(fd, command, next_fcntl(fd, command, arg));
}

EMU_EXPORT int fcntl64(int fd, int command, ...)
{
    va_list ap;
    void *arg;

    va_start(ap, command);
    arg = va_arg(ap, void *);
    va_end(ap);
    NEXT(fcntl64);
    return duplicated(fd, command, next_fcntl64(fd, command, arg));
}

EMU_EXPORT off_t lseek(int fd, off_t offset, int whence)
{
    if (emu_handle_is(fd))
        return result(emu_handle_seek(fd, offset, whence));
    NEXT(lseek);
    return next_lseek(fd, offset, whence);
}

EMU_EXPORT off64_t lseek64(int fd, off64_t offset, int whence)
{
    return lseek(fd, offset, whence);
}

EMU_EXPORT ssize_t read(int fd, void *buffer, size_t len)
{
    if (emu_handle_is(fd))
        return result(emu_handle_read(fd, buffer, len, -1));
    NEXT(read);
    return next_read(fd, buffer, len);
}

EMU_EXPORT ssize_t pread(int fd, void *buffer, size_t len, off_t offset)
{
    if (emu_handle_is(fd))
        return offset < 0 ? result(-EINVAL)
                          : result(emu_handle_read(fd, buffer, len, offset));
    NEXT(pread);
    return next_pread(fd, buffer, len, offset);
}

EMU_EXPORT ssize_t pread64(int fd, void *buffer, size_t len, off64_t offset)
{
    return pread(fd, buffer, len, offset);
}

/* The same as they are called by what was compiled with _FORTIFY_SOURCE; room is what the
 * compiler knows of the buffer. */
EMU_EXPORT ssize_t __read_chk(int fd, void *buffer, size_t len, size_t room)
{
    if (len > room)
        abort();
    return read(fd, buffer, len);
}

EMU_EXPORT ssize_t __pread_chk(int fd, void *buffer, size_t len, off_t offset,
                               size_t room)
{
    if (len > room)
        abort();
    return pread(fd, buffer, len, offset);
}

EMU_EXPORT ssize_t __pread64_chk(int fd, void *buffer, size_t len, off64_t offset,
                                 size_t room)
{
    return __pread_chk(fd, buffer, len, offset, room);
}
