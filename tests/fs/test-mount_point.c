/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-mount_point.c - who is mounted on a directory, what a dead one leaves, and a lock
 * that another start holds. The linker sends the calls that look and act there here
 * (--wrap).
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "fs/mount.h"

#define FOREVER 1000u

FILE *__real_fopen64(const char *name, const char *mode);
FILE *__wrap_fopen64(const char *name, const char *mode);
int __real_stat64(const char *path, struct stat *st);
int __wrap_stat64(const char *path, struct stat *st);
int __wrap_umount2(const char *path, int flags);
int __wrap_posix_spawnp(pid_t *child, const char *file,
                        const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[],
                        char *const environment[]);
pid_t __wrap_waitpid(pid_t child, int *status, int flags);
int __wrap_flock(int fd, int operation);
int __wrap_nanosleep(const struct timespec *time, struct timespec *rest);
char *__real_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
int __real_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st);
DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
int __real_openat64(int directory, const char *path, int flags, ...);
int __wrap_openat64(int directory, const char *path, int flags, ...);

static const char *mounts; /* what the kernel says of mounts; NULL: it cannot be read */
static bool breaks_off;    /* it can be read to its end, and there not further */
static unsigned dead;      /* mounts on each other whose server has died */
static int dead_error;
static const char *dead_path;
static int umount_error, spawn_error;
static unsigned umounts, spawns, waits;
static unsigned locked; /* attempts to lock it that fail */
static unsigned slept, mounted_after;
static int fusermount_status;
static unsigned no_memory; /* the strdup that fails, counted from 1 */
static bool no_fstat, no_directory, no_listing;
static char folder[] = "/tmp/scardfs-point-XXXXXX";

static ssize_t break_off(void *cookie, char *buffer, size_t size)
{
    const char **rest = cookie;
    size_t len = strlen(*rest) < size ? strlen(*rest) : size;

    if (len == 0) {
        errno = ENOMEM;
        return -1;
    }
    memcpy(buffer, *rest, len);
    *rest += len;
    return (ssize_t)len;
}

FILE *__wrap_fopen64(const char *name, const char *mode)
{
    static const char *rest;

    if (strcmp(name, "/proc/self/mountinfo") != 0)
        return __real_fopen64(name, mode);
    if (mounts == NULL)
        return NULL;
    rest = mounts;
    if (breaks_off)
        return fopencookie(&rest, "r", (cookie_io_functions_t){.read = break_off});
    return fmemopen((char *)(uintptr_t)mounts, strlen(mounts), "r");
}

int __wrap_stat64(const char *path, struct stat *st)
{
    if (dead == 0 || strcmp(path, dead_path) != 0)
        return __real_stat64(path, st);
    errno = dead_error;
    return -1;
}

int __wrap_umount2(const char *path, int flags)
{
    assert_string_equal(path, dead_path);
    assert_int_equal(flags, MNT_DETACH);
    umounts++;
    errno = umount_error;
    if (umount_error == 0 && dead != FOREVER)
        dead--;
    return umount_error != 0 ? -1 : 0;
}

int __wrap_posix_spawnp(pid_t *child, const char *file,
                        const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[],
                        char *const environment[])
{
    (void)environment;
    assert_string_equal(file, "fusermount3");
    assert_true(actions == NULL && attributes == NULL);
    assert_string_equal(argv[1], "-u");
    assert_string_equal(argv[2], "-z");
    assert_string_equal(argv[3], "--");
    assert_string_equal(argv[4], dead_path);
    assert_null(argv[5]);
    spawns++;
    *child = 77;
    if (spawn_error == 0)
        dead--;
    return spawn_error;
}

pid_t __wrap_waitpid(pid_t child, int *status, int flags)
{
    assert_int_equal(child, 77);
    assert_int_equal(flags, 0);
    *status = fusermount_status;
    waits++;
    return child;
}

int __wrap_flock(int fd, int operation)
{
    assert_true(fd >= 0);
    assert_int_equal(operation, LOCK_EX | LOCK_NB);
    if (locked == 0)
        return 0;
    locked -= locked != FOREVER;
    errno = EWOULDBLOCK;
    return -1;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *rest)
{
    static char line[128];

    (void)rest;
    assert_true(time->tv_sec == 0 && time->tv_nsec > 0);
    if (++slept == mounted_after) {
        snprintf(line, sizeof line, "1 2 0:3 / %s rw - fuse.scardfs scardfs rw\n",
                 folder);
        mounts = line;
    }
    return 0;
}

char *__wrap_realpath(const char *path, char *resolved)
{
    if (dead > 0 && strcmp(path, dead_path) == 0) {
        errno = dead_error;
        return NULL;
    }
    return __real_realpath(path, resolved);
}

char *__wrap_strdup(const char *text)
{
    if (no_memory > 0 && --no_memory == 0) {
        errno = ENOMEM;
        return NULL;
    }
    return __real_strdup(text);
}

int __wrap_fstat64(int fd, struct stat *st)
{
    errno = EIO;
    return no_fstat ? -1 : __real_fstat64(fd, st);
}

DIR *__wrap_fdopendir(int fd)
{
    return no_listing ? NULL : __real_fdopendir(fd);
}

int __wrap_openat64(int directory, const char *path, int flags, ...)
{
    return no_directory ? -1 : __real_openat64(directory, path, flags);
}

static int setup(void **state)
{
    (void)state;
    mounts = "1 2 0:3 / / rw - ext4 /dev/sda rw\n";
    breaks_off = false;
    dead = 0;
    dead_error = ENOTCONN;
    dead_path = folder;
    umount_error = spawn_error = 0;
    umounts = spawns = waits = 0;
    locked = slept = mounted_after = no_memory = 0;
    no_fstat = no_directory = no_listing = false;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
    (void)state;
    dead = no_memory = 0;
    return rmdir(folder);
}

/* ---- who is there ----------------------------------------------------------------- */

static void test_mounted_is_what_the_last_line_of_that_place_says(void **state)
{
    static const struct {
        const char *lines, *path;
        bool mounted;
    } table[] = {
        {"7 1 0:5 / /a rw - fuse.scardfs scardfs rw\n", "/a", true},
        {"7 1 0:5 / /a rw shared:1 master:2 - fuse.scardfs scardfs rw\n", "/a", true},
        {"7 1 0:5 / /a rw - fuse.scardfs scardfs rw\n", "/b", false},
        {"7 1 0:5 / /a rw - fuse.sshfs scardfs rw\n", "/a", false},
        {"7 1 0:5 / /a rw - fuse.scardfsx scardfs rw\n", "/a", false},
        {"7 1 0:5 / /a rw - fuse.scardfs s rw\n8 7 0:6 / /a rw - tmpfs t rw\n", "/a",
         false},
        {"8 7 0:6 / /a rw - tmpfs t rw\n7 1 0:5 / /a rw - fuse.scardfs s rw\n", "/a",
         true},
        {"7 1 0:5 / /a\\040b\\134 rw - fuse.scardfs s rw\n", "/a b\\", true},
        {"7 1 0:5 / /a\\04 rw - fuse.scardfs s rw\n", "/a\\04", true},
        {"7 1 0:5 / /a\\x rw - fuse.scardfs s rw\n", "/a\\x", true},
        {"7 1 0:5 / /a\\7x rw - fuse.scardfs s rw\n", "/a\\7x", true},
        {"7 1 0:5 / /a rw fuse.scardfs s rw\n", "/a", false}, /* no mark */
        {"7 1 0:5 /a\n", "/a", false},
        {"7\n7 1 0:5 / /a rw - fuse.scardfs s rw\n", "/a", true},
        {"7 1 0:5 / /a", "/a", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        mounts = table[i].lines;
        if (scfs_mount_point_mounted(table[i].path) != table[i].mounted ||
            scfs_mount_point_unmounted(table[i].path) == table[i].mounted)
            fail_msg("line %zu", i);
    }
}

static void test_what_cannot_be_found_out_is_neither_mounted_nor_unmounted(void **state)
{
    (void)state;
    mounts = NULL;
    assert_false(scfs_mount_point_mounted("/a"));
    assert_false(scfs_mount_point_unmounted("/a"));
    mounts = "7 1 0:5 / /a rw - fuse.scardfs s rw\n";
    breaks_off = true; /* another mount may be on top of it */
    assert_false(scfs_mount_point_mounted("/a"));
    assert_false(scfs_mount_point_unmounted("/a"));
}

static void test_detach_asks_fusermount_where_it_may_not(void **state)
{
    (void)state;
    assert_true(scfs_mount_point_detach(folder));
    assert_int_equal(umounts, 1);
    assert_int_equal(spawns, 0);
    umount_error = EPERM;
    assert_true(scfs_mount_point_detach(folder));
    assert_int_equal(spawns, 1);
    assert_int_equal(waits, 1);
    fusermount_status = 1 << 8; /* as wait(2) tells of an exit status */
    assert_false(scfs_mount_point_detach(folder));
    assert_int_equal(waits, 2);
    spawn_error = ENOENT;
    assert_false(scfs_mount_point_detach(folder));
    assert_int_equal(spawns, 3);
    assert_int_equal(waits, 2); /* there is nobody */
}

/* ---- to take it ------------------------------------------------------------------- */

/* Gives back what it was taken by. */
static bool take(const char *mount_point)
{
    struct scfs_mount mount = {.lock = -1};
    bool taken = scfs_mount_point_take(&mount, mount_point);

    if (taken)
        assert_string_equal(mount.path, folder);
    if (mount.lock >= 0)
        close(mount.lock);
    free(mount.path);
    return taken;
}

static void test_dead_mounts_on_each_other_are_taken_away(void **state)
{
    static const int errors[] = {ENOTCONN, ECONNABORTED};

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        umounts = 0;
        dead = 3;
        dead_error = errors[i];
        assert_true(take(folder));
        assert_int_equal(umounts, 3);
    }
    dead = 1;
    umount_error = EPERM;
    assert_true(take(folder));
    assert_int_equal(spawns, 1);
}

static void test_dead_mounts_that_stay_are_told_of(void **state)
{
    (void)state;
    dead = FOREVER;
    assert_false(take(folder));
    assert_int_equal(umounts, 8);
    umount_error = EPERM;
    spawn_error = ENOENT;
    assert_false(take(folder));
    assert_int_equal(spawns, 8);
}

static void test_other_errors_are_no_dead_mount(void **state)
{
    (void)state;
    dead = 1;
    dead_error = EACCES;
    assert_false(take(folder));
    assert_int_equal(umounts, 0);
}

/* realpath would ask the dead mount. */
static void test_dead_mount_has_an_absolute_name_all_the_same(void **state)
{
    char here[256], *last = strrchr(folder, '/') + 1;
    struct scfs_mount mount;

    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir("/tmp"), 0);
    dead = FOREVER;
    dead_path = last;
    mount = (struct scfs_mount){.lock = -1};
    assert_true(scfs_mount_point_take(&mount, last)); /* whose absolute name is live */
    assert_string_equal(mount.path, folder);
    close(mount.lock);
    free(mount.path);
    assert_int_equal(chdir(here), 0);

    dead_path = "/scardfs-nowhere";
    mount = (struct scfs_mount){.lock = -1};
    assert_false(scfs_mount_point_take(&mount, dead_path));
    assert_string_equal(mount.path, "/scardfs-nowhere");
    free(mount.path);

    dead_path = "/nonexistent/folder";
    mount = (struct scfs_mount){.lock = -1};
    assert_false(scfs_mount_point_take(&mount, dead_path));
    assert_null(mount.path);
}

static void test_name_without_memory_is_refused(void **state)
{
    (void)state;
    dead = FOREVER;
    no_memory = 2; /* the first is of is_link, which takes it for none */
    assert_false(take(folder));
    assert_int_equal(umounts, 0);
    dead = 0;
    no_memory = 1;
    assert_true(take(folder));
}

static void test_lock_of_one_that_goes_is_waited_for(void **state)
{
    (void)state;
    locked = 3;
    assert_true(take(folder));
    assert_int_equal(slept, 3);
}

static void test_lock_of_one_that_starts_is_not_waited_for_longer_than_2_s(void **state)
{
    (void)state;
    locked = FOREVER;
    assert_false(take(folder));
    assert_int_equal(slept, 100);
    slept = 0;
    mounted_after = 5; /* and now it has started */
    assert_false(take(folder));
    assert_int_equal(slept, 5);
}

static void test_directory_that_cannot_be_looked_at(void **state)
{
    (void)state;
    no_fstat = true;
    assert_false(take(folder)); /* it may be anybody's */
    no_fstat = false;
    no_directory = true;
    assert_true(take(folder)); /* it shows when we mount */
    no_directory = false;
    no_listing = true;
    assert_true(take(folder));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_mounted_is_what_the_last_line_of_that_place_says),
        CASE(test_what_cannot_be_found_out_is_neither_mounted_nor_unmounted),
        CASE(test_detach_asks_fusermount_where_it_may_not),
        CASE(test_dead_mounts_on_each_other_are_taken_away),
        CASE(test_dead_mounts_that_stay_are_told_of),
        CASE(test_other_errors_are_no_dead_mount),
        CASE(test_dead_mount_has_an_absolute_name_all_the_same),
        CASE(test_name_without_memory_is_refused),
        CASE(test_lock_of_one_that_goes_is_waited_for),
        CASE(test_lock_of_one_that_starts_is_not_waited_for_longer_than_2_s),
        CASE(test_directory_that_cannot_be_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
