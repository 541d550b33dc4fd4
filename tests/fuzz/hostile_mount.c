/* SPDX-License-Identifier: BSD-2-Clause */
/* hostile_mount.c - see hostile_mount.h. One thread uses it. */
#include "hostile_mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#include "faults.h"
#include "scard_ioctl.h"

#define FIRST_FD  4096 /* beyond those of this process */
#define FILES_MAX 600
#define NAMES_MAX 400
#define NAME_ROOM 128

static struct fuzz_input *input;
static struct file {
    bool open;
    char name[16]; /* of the last part of its path */
} files[FILES_MAX];
static unsigned open_files;
static char names[NAMES_MAX][NAME_ROOM];
static unsigned name_count;
static uint64_t now_ms;
static struct dirent entry;
static int directory; /* its address is the open directory */

static bool is_alive(void)
{
    return input != NULL && fuzz_left(input) > 0;
}

static enum mount_says says(void)
{
    return is_alive() ? (enum mount_says)(fuzz_u8(input) % MOUNT_SAYS) : MOUNT_ERROR;
}

/* Any errno that FUSE lets a server say; a dead mount says ENOTCONN. */
static int fails(void)
{
    const int error = is_alive() ? fuzz_u8(input) : 0;

    errno = error > 0 && error < 134 ? error : ENOTCONN;
    return -1;
}

static struct file *file_of(int fd)
{
    if (fd < FIRST_FD || fd >= FIRST_FD + FILES_MAX)
        return NULL;
    FUZZ_CHECK(files[fd - FIRST_FD].open); /* closed before, and used or closed again */
    return &files[fd - FIRST_FD];
}

void hostile_mount(struct fuzz_input *in)
{
    input = in;
    if (in != NULL) {
        name_count = 0;
        now_ms = 1000;
    }
}

unsigned hostile_mount_open_files(void)
{
    return open_files;
}

const char *hostile_mount_name(unsigned index)
{
    return index < name_count ? names[index] : NULL;
}

/* ---- files ------------------------------------------------------------------------- */

int __real_open64(const char *path, int flags, ...);
int __real_close(int fd);
ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __real_pread64(int fd, void *bytes, size_t len, off_t offset);

int __wrap_open64(const char *path, int flags, ...);
int __wrap_close(int fd);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask,
                 struct statx *status);
ssize_t __wrap_read(int fd, void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_pread64(int fd, void *bytes, size_t len, off_t offset);

int __wrap_open64(const char *path, int flags, ...)
{
    int fd = 0;

    if (strncmp(path, HOSTILE_MOUNT, sizeof HOSTILE_MOUNT - 1) != 0) {
        va_list arguments;
        int mode;

        va_start(arguments, flags);
        mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
        va_end(arguments);
        return __real_open64(path, flags, mode);
    }
    if (says() == MOUNT_ERROR)
        return fails();
    while (fd < FILES_MAX && files[fd].open)
        fd++;
    if (fd == FILES_MAX || fuzz_fault()) {
        errno = EMFILE;
        return -1;
    }
    files[fd].open = true;
    snprintf(files[fd].name, sizeof files[fd].name, "%s", strrchr(path, '/') + 1);
    open_files++;
    return FIRST_FD + fd;
}

/* Each is a file of its own. */
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *status)
{
    const struct file *file = file_of(fd);

    (void)path, (void)flags, (void)mask;
    if (file == NULL) {
        errno = EBADF;
        return -1;
    }
    memset(status, 0, sizeof *status);
    status->stx_ino = (__u64)(unsigned)fd;
    return 0;
}

int __wrap_close(int fd)
{
    struct file *file = file_of(fd);

    if (file == NULL)
        return __real_close(fd);
    file->open = false;
    open_files--;
    return 0;
}

/* Somebody may look for the reader by it. */
static void remember(const char *text, size_t len)
{
    if (name_count == NAMES_MAX || len == 0)
        return;
    if (len > NAME_ROOM - 1)
        len = NAME_ROOM - 1;
    memcpy(names[name_count], text, len);
    names[name_count][len] = '\0';
    names[name_count][strcspn(names[name_count], "\n")] = '\0';
    name_count++;
}

static size_t honest_text(const struct file *file, char *text, size_t room)
{
    const unsigned number = fuzz_u8(input);
    int len;

    if (strcmp(file->name, "version") == 0)
        len = snprintf(text, room, "1\n");
    else if (strcmp(file->name, "name") == 0)
        len = snprintf(text, room, "Reader %u\n", number % 4);
    else if (strcmp(file->name, "state") == 0)
        len = snprintf(text, room, "specific\n");
    else if (strcmp(file->name, "atr") == 0)
        len = snprintf(text, room, "3b88800154455354424544015d\n");
    else
        len = snprintf(text, room, "%u\n", number);
    return (size_t)len < room ? (size_t)len : room;
}

static ssize_t read_file(const struct file *file, void *bytes, size_t len)
{
    char text[UINT8_MAX];
    size_t got = 0;

    switch (says()) {
    case MOUNT_HONEST:
        got = honest_text(file, text, sizeof text);
        break;
    case MOUNT_BYTES:
        got = fuzz_u8(input);
        fuzz_read(input, text, got);
        break;
    case MOUNT_EMPTY:
        break;
    default:
        return fails();
    }
    if (got > len)
        got = len;
    if (got > 0)
        memcpy(bytes, text, got);
    if (strcmp(file->name, "name") == 0)
        remember(text, got);
    return (ssize_t)got;
}

ssize_t __wrap_read(int fd, void *bytes, size_t len)
{
    const struct file *file = file_of(fd);

    return file != NULL ? read_file(file, bytes, len) : __real_read(fd, bytes, len);
}

ssize_t __wrap_pread64(int fd, void *bytes, size_t len, off_t offset)
{
    const struct file *file = file_of(fd);

    return file != NULL ? read_file(file, bytes, len)
                        : __real_pread64(fd, bytes, len, offset);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (file_of(fd) == NULL)
        return __real_write(fd, bytes, len);
    switch (says()) {
    case MOUNT_ERROR:
        return fails();
    case MOUNT_BYTES:
        return (ssize_t)(fuzz_u8(input) % (len + 1));
    default:
        return (ssize_t)len;
    }
}

/* ---- ioctl ------------------------------------------------------------------------- */

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);

/* The kernel takes no more from the server than the number of the call says. */
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    const size_t size = _IOC_SIZE(request);
    struct scard_call *call = argument;
    size_t len, at;

    if (file_of(fd) == NULL)
        return __real_ioctl(fd, request, argument);
    FUZZ_CHECK(_IOC_TYPE(request) == SCARD_IOC_MAGIC && size >= 2 * sizeof(uint32_t));
    switch (says()) {
    case MOUNT_HONEST:
        if (_IOC_NR(request) == 1)
            call->out_len = call->in_len < call->out_len ? call->in_len : call->out_len;
        return 0;
    case MOUNT_BYTES:
        len = fuzz_u8(input);
        at = fuzz_u8(input) % size;
        if (len > size - at)
            len = size - at;
        fuzz_read(input, (uint8_t *)argument + at, len);
        return 0;
    case MOUNT_EMPTY:
        return 0;
    default:
        return fails();
    }
}

/* ---- directories ------------------------------------------------------------------- */

DIR *__real_opendir(const char *path);
struct dirent *__real_readdir64(DIR *stream);
int __real_closedir(DIR *stream);
DIR *__wrap_opendir(const char *path);
struct dirent *__wrap_readdir64(DIR *stream);
int __wrap_closedir(DIR *stream);

DIR *__wrap_opendir(const char *path)
{
    if (strncmp(path, HOSTILE_MOUNT, sizeof HOSTILE_MOUNT - 1) != 0)
        return __real_opendir(path);
    if (says() == MOUNT_ERROR) {
        (void)fails();
        return NULL;
    }
    FUZZ_CHECK(directory == 0);
    directory = 1;
    return (DIR *)(void *)&directory;
}

struct dirent *__wrap_readdir64(DIR *stream)
{
    if (stream != (DIR *)(void *)&directory)
        return __real_readdir64(stream);
    switch (says()) {
    case MOUNT_HONEST:
        snprintf(entry.d_name, sizeof entry.d_name, "reader%u", fuzz_u8(input));
        return &entry;
    case MOUNT_BYTES:
        memset(entry.d_name, 0, sizeof entry.d_name);
        fuzz_read(input, entry.d_name, fuzz_u8(input));
        return &entry;
    default:
        return NULL;
    }
}

int __wrap_closedir(DIR *stream)
{
    if (stream != (DIR *)(void *)&directory)
        return __real_closedir(stream);
    directory = 0;
    return 0;
}

/* ---- waiting ----------------------------------------------------------------------- */

int __real_poll(struct pollfd *polls, nfds_t count, int timeout_ms);
int __real_eventfd(unsigned count, int flags);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
char *__real_secure_getenv(const char *name);
int __wrap_poll(struct pollfd *polls, nfds_t count, int timeout_ms);
int __wrap_eventfd(unsigned count, int flags);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
char *__wrap_secure_getenv(const char *name);

/* The first is the context's own descriptor. Time without end is over with the input. */
int __wrap_poll(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    int ready = 0;
    enum mount_says what;

    if (input == NULL)
        return __real_poll(polls, count, timeout_ms);
    if (__real_poll(polls, 1, 0) > 0)
        ready = 1;
    what = says();
    if (what == MOUNT_ERROR && ready == 0)
        return fails();
    now_ms += what == MOUNT_EMPTY ? fuzz_u8(input) * 100u : 1;
    for (nfds_t i = 1; i < count; i++) {
        (void)file_of(polls[i].fd);
        polls[i].revents = what == MOUNT_HONEST  ? polls[i].events
                           : what == MOUNT_BYTES ? (short)fuzz_u8(input)
                                                 : 0;
        ready += polls[i].revents != 0;
    }
    return ready;
}

int __wrap_eventfd(unsigned count, int flags)
{
    if (fuzz_fault()) {
        errno = EMFILE;
        return -1;
    }
    return __real_eventfd(count, flags);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (input == NULL || clock != CLOCK_MONOTONIC)
        return __real_clock_gettime(clock, now);
    *now = (struct timespec){.tv_sec = (time_t)(now_ms / 1000),
                             .tv_nsec = (long)(now_ms % 1000) * 1000000};
    return 0;
}

char *__wrap_secure_getenv(const char *name)
{
    static char path[] = HOSTILE_MOUNT;

    return strcmp(name, "SCARDFS_MOUNT") == 0 ? path : __real_secure_getenv(name);
}
