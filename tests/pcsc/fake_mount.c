/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_mount.c - see fake_mount.h. */
#include "fake_mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define FAILURES_MAX 8
#define PATH_ROOM    512

struct scard_info fake_info;
uint32_t fake_protocol, fake_code;
int64_t fake_out_len;
unsigned fake_ioctls;
int (*fake_poll)(struct pollfd *polls, nfds_t count, int timeout_ms);
uint64_t fake_now_ms;
void (*fake_before)(enum fake_call call, const char *name);
char fake_path[4200];
bool fake_endless;

static char mount[64];
static struct failure {
    enum fake_call call;
    char name[32];
    unsigned after, times;
    int error;
} failures[FAILURES_MAX];

/* ---- the directory ----------------------------------------------------------------- */

static void path_of(char path[PATH_ROOM], const char *file)
{
    assert_in_range(snprintf(path, PATH_ROOM, "%s/%s", mount, file), 1, PATH_ROOM - 1);
}

void fake_file(const char *file, const char *text)
{
    char path[PATH_ROOM];
    FILE *stream;

    path_of(path, file);
    if (text == NULL) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    for (char *at = path + strlen(mount) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *at = '/';
    }
    stream = fopen(path, "w");
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

void fake_no_control(void)
{
    fake_file("reader0/control", NULL);
}

int fake_mount_setup(void **state)
{
    static const char *const texts[][2] = {{"version", "1\n"},
                                           {"changes", "1\n"},
                                           {"reader0/control", ""},
                                           {"reader0/name", FAKE_READER "\n"},
                                           {"reader0/state", "specific\n"},
                                           {"reader0/atr", "3b80\n"},
                                           {"reader0/events/present", "1\n"}};

    (void)state;
    snprintf(mount, sizeof mount, "/tmp/scardfs-test-pcsc.XXXXXX");
    if (mkdtemp(mount) == NULL || setenv("SCARDFS_MOUNT", mount, 1) != 0)
        return -1;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        fake_file(texts[i][0], texts[i][1]);
    memset(failures, 0, sizeof failures);
    fake_info = (struct scard_info){.state = 6, /* specific */
                                    .counter = 1,
                                    .protocol = SCARD_PROTOCOL_T1,
                                    .atr_len = 2,
                                    .atr = {0x3B, 0x80},
                                    .connections = 1,
                                    .flags = SCARD_INFO_PRESENT};
    fake_protocol = SCARD_PROTOCOL_T1;
    fake_out_len = -1;
    fake_code = 0;
    fake_ioctls = 0;
    fake_poll = NULL;
    fake_now_ms = 0;
    fake_before = NULL;
    fake_endless = false;
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int flag,
                        struct FTW *at)
{
    (void)status, (void)flag, (void)at;
    return remove(path);
}

int fake_mount_teardown(void **state)
{
    int left = 0;

    (void)state;
    fake_endless = false;
    for (unsigned i = 0; i < FAILURES_MAX; i++) {
        if (failures[i].times > 0)
            print_error("failure %u has not happened\n", i);
        left += failures[i].times > 0;
    }
    if (fake_open_files() != 0)
        print_error("%u files are open\n", fake_open_files());
    left += fake_open_files() != 0;
    left += nftw(mount, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0;
    return -left;
}

/* ---- what fails -------------------------------------------------------------------- */

void fake_fails(enum fake_call call, const char *name, unsigned after, unsigned times,
                int error)
{
    struct failure *failure = failures;

    while (failure->times > 0)
        failure++;
    assert_true(failure < &failures[FAILURES_MAX - 1]); /* the last one stays free */
    *failure =
        (struct failure){.call = call, .after = after, .times = times, .error = error};
    snprintf(failure->name, sizeof failure->name, "%s", name != NULL ? name : "");
}

/* Whether this one fails; errno says how. */
static bool fails(enum fake_call call, const char *name)
{
    for (unsigned i = 0; i < FAILURES_MAX; i++) {
        struct failure *failure = &failures[i];

        if (failure->call != call || failure->times == 0 ||
            (failure->name[0] != '\0' && strcmp(failure->name, name) != 0))
            continue;
        if (failure->after > 0) {
            failure->after--;
            continue;
        }
        failure->times--;
        errno = failure->error;
        return true;
    }
    return false;
}

/* The last part of the path of a file of the mount, or NULL; "eventfd". */
static const char *name_of(int fd)
{
    static _Thread_local char target[PATH_ROOM];
    char link[64];
    ssize_t len;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, target, sizeof target - 1);
    if (len < 0)
        return NULL;
    target[len] = '\0';
    if (strcmp(target, "anon_inode:[eventfd]") == 0)
        return "eventfd";
    return mount[0] != '\0' && strncmp(target, mount, strlen(mount)) == 0
               ? strrchr(target, '/') + 1
               : NULL;
}

static const char *file_of(int fd)
{
    const char *name = name_of(fd);

    return name == NULL || strcmp(name, "eventfd") == 0 ? NULL : name;
}

unsigned fake_open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    unsigned count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        count += file_of(atoi(entry->d_name)) != NULL;
    closedir(dir);
    return count;
}

/* ---- in the place of the C library's ----------------------------------------------- */

int __real_open64(const char *path, int flags, ...);
ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t __real_pread64(int fd, void *bytes, size_t len, off_t offset);
ssize_t __real_write(int fd, const void *bytes, size_t len);
int __real_statx(int fd, const char *path, int flags, unsigned mask,
                 struct statx *status);
int __real_ioctl(int fd, unsigned long request, void *argument);
int __real_poll(struct pollfd *polls, nfds_t count, int timeout_ms);
int __real_eventfd(unsigned count, int flags);
struct dirent *__real_readdir64(DIR *stream);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);

int __wrap_open64(const char *path, int flags, ...);
int __wrap___open64_2(const char *path, int flags); /* where it is fortified */
ssize_t __wrap_read(int fd, void *bytes, size_t len);
ssize_t __wrap_pread64(int fd, void *bytes, size_t len, off_t offset);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask,
                 struct statx *status);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_poll(struct pollfd *polls, nfds_t count, int timeout_ms);
int __wrap_eventfd(unsigned count, int flags);
struct dirent *__wrap_readdir64(DIR *stream);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

static void before(enum fake_call call, const char *name)
{
    if (fake_before != NULL)
        fake_before(call, name);
}

/* The library makes no files. */
int __wrap_open64(const char *path, int flags, ...)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;

    snprintf(fake_path, sizeof fake_path, "%s", path);
    before(FAKE_OPEN, name);
    return fails(FAKE_OPEN, name) ? -1 : __real_open64(path, flags);
}

int __wrap___open64_2(const char *path, int flags)
{
    return __wrap_open64(path, flags);
}

static bool fails_for(enum fake_call call, int fd)
{
    const char *name = name_of(fd);

    return name != NULL && fails(call, name);
}

ssize_t __wrap_read(int fd, void *bytes, size_t len)
{
    const char *name = name_of(fd);

    before(FAKE_READ, name != NULL ? name : "");
    return fails_for(FAKE_READ, fd) ? -1 : __real_read(fd, bytes, len);
}

ssize_t __wrap_pread64(int fd, void *bytes, size_t len, off_t offset)
{
    return fails_for(FAKE_READ, fd) ? -1 : __real_pread64(fd, bytes, len, offset);
}

/* What a test lets be read stays. */
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (file_of(fd) == NULL)
        return __real_write(fd, bytes, len);
    return fails_for(FAKE_WRITE, fd) ? -1 : (ssize_t)len;
}

int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *status)
{
    return fails_for(FAKE_STATX, fd) ? -1 : __real_statx(fd, path, flags, mask, status);
}

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    static const char *const names[] = {"",      "call", "connect", "disconnect",
                                        "begin", "end",  "",        "info"};
    const unsigned number = _IOC_NR(request);
    struct scard_call *call = argument;
    struct scard_info *info = argument;

    if (file_of(fd) == NULL) {
        errno = EBADF;
        return -1;
    }
    assert_int_equal(_IOC_TYPE(request), SCARD_IOC_MAGIC);
    assert_true(number < sizeof names / sizeof names[0] && names[number][0] != '\0');
    if (fails(FAKE_IOCTL, names[number]))
        return -1;
    fake_ioctls++;
    if (number == 1) {
        fake_code = call->code;
        if (fake_out_len >= 0)
            call->out_len = (uint32_t)fake_out_len;
        else if (call->in_len < call->out_len)
            call->out_len = call->in_len;
    } else if (number == 2) {
        ((struct scard_connect *)argument)->protocol = fake_protocol;
    } else if (number == 7) {
        const uint32_t size = info->size, version = info->version;

        *info = fake_info;
        info->size = size;
        info->version = version;
    }
    return 0;
}

struct dirent *__wrap_readdir64(DIR *stream)
{
    static struct dirent entry = {.d_name = "another"};

    return fake_endless ? &entry : __real_readdir64(stream);
}

int __wrap_poll(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    if (fails(FAKE_POLL, ""))
        return -1;
    return fake_poll != NULL ? fake_poll(polls, count, timeout_ms)
                             : __real_poll(polls, count, timeout_ms);
}

int __wrap_eventfd(unsigned count, int flags)
{
    return fails(FAKE_EVENTFD, "") ? -1 : __real_eventfd(count, flags);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (fake_now_ms == 0 || clock != CLOCK_MONOTONIC)
        return __real_clock_gettime(clock, now);
    *now = (struct timespec){.tv_sec = (time_t)(fake_now_ms / 1000),
                             .tv_nsec = (long)(fake_now_ms % 1000) * 1000000};
    return 0;
}

void *__wrap_malloc(size_t size)
{
    return fails(FAKE_MEMORY, "") ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(FAKE_MEMORY, "") ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails(FAKE_MEMORY, "") ? NULL : __real_reallocarray(old, count, size);
}

/* ---- what most tests begin with ---------------------------------------------------- */

SCARDCONTEXT fake_context(void)
{
    SCARDCONTEXT context = 0;

    assert_int_equal(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context),
                     SCARD_S_SUCCESS);
    return context;
}

SCARDHANDLE fake_card(SCARDCONTEXT context, DWORD share)
{
    SCARDHANDLE card = 0;
    DWORD protocol = 0;

    assert_int_equal(SCardConnect(context, FAKE_READER, share,
                                  SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card,
                                  &protocol),
                     SCARD_S_SUCCESS);
    return card;
}
