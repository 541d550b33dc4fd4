/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-mount.c - the three ways to mount, and that one that fails leaves no mount and no
 * connection. The linker sends here what mounts, what becomes a user and what tells the
 * service manager (--wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <cmocka.h>

#include "fs/handover.h"
#include "fs/mount.h"
#include "fs/notify.h"
#include "fs/options.h"

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_mount(const char *source, const char *target, const char *type,
                 unsigned long flags, const void *data);
bool __wrap_scfs_privileges_drop(const struct scfs_user *user);
bool __wrap_scfs_mount_point_detach(const char *path);
bool __wrap_scfs_mount_point_unmounted(const char *path);
bool __wrap_scfs_mount_point_take(struct scfs_mount *mount, const char *mount_point);
bool __wrap_scfs_unmounter_start(struct scfs_unmounter *unmounter, const char *path);
bool __wrap_scfs_unmounter_do(struct scfs_unmounter *unmounter);
int __real_fuse_opt_add_arg(struct fuse_args *args, const char *arg);
int __wrap_fuse_opt_add_arg(struct fuse_args *args, const char *arg);
struct fuse_session *__wrap_fuse_session_new(struct fuse_args *args,
                                             const struct fuse_lowlevel_ops *ops,
                                             size_t size, void *userdata);
int __wrap_fuse_session_mount(struct fuse_session *session, const char *path);
int __wrap_fuse_session_fd(struct fuse_session *session);
void __wrap_fuse_session_unmount(struct fuse_session *session);
void __wrap_fuse_session_destroy(struct fuse_session *session);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
bool __wrap_scfs_notify_file(const char *message, int file);
int __real_pipe2(int ends[2], int flags);
int __wrap_pipe2(int ends[2], int flags);
int __real_poll(struct pollfd *fds, nfds_t count, int limit_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int limit_ms);

#define SESSION ((struct fuse_session *)(uintptr_t)8) /* any; it is only passed on */

static bool no_device, mount_fails, drop_fails, point_taken, no_process, no_memory;
static unsigned refusing; /* mounts of libfuse that fail, the first ones */
static bool no_session, unmounter_fails, unmounted;
static unsigned arguments, failing_argument;
static unsigned mounts, detached, sessions, destroyed, starts;
static int fuse; /* the connection */
static char fuse_options[256], connected[64];
static bool manager_deaf, barrier_deaf, no_pipe;
static int manager_polled; /* what poll says of the barrier */
static char told[128];
static struct scfs_mount point;
static int broken; /* what stands for the connection that libfuse has */

int __wrap_open64(const char *path, int flags, ...)
{
    if (strcmp(path, "/dev/fuse") != 0)
        return __real_open64(path, flags);
    errno = ENODEV;
    fuse = no_device ? -1 : __real_open64("/dev/null", flags);
    return fuse;
}

int __wrap_mount(const char *source, const char *target, const char *type,
                 unsigned long flags, const void *data)
{
    char fd[16];

    assert_string_equal(source, "scardfs");
    assert_string_equal(target, "/proc/self/fd/77");
    assert_string_equal(type, "fuse.scardfs");
    assert_int_equal(flags, MS_NOSUID | MS_NODEV | MS_NOEXEC);
    snprintf(fd, sizeof fd, "fd=%d,", fuse);
    assert_ptr_equal(strstr(data, fd), data);
    assert_non_null(strstr(data, "user_id=12,group_id=34"));
    assert_non_null(strstr(data, "default_permissions"));
    mounts++;
    errno = EPERM;
    return mount_fails ? -1 : 0;
}

bool __wrap_scfs_privileges_drop(const struct scfs_user *user)
{
    assert_int_equal(user->uid, 12);
    assert_int_equal(mounts, 1); /* before, it could not mount any more */
    errno = EAGAIN;
    return !drop_fails;
}

bool __wrap_scfs_mount_point_detach(const char *path)
{
    assert_string_equal(path, "/mnt");
    detached++;
    return true;
}

bool __wrap_scfs_mount_point_unmounted(const char *path)
{
    assert_string_equal(path, "/mnt");
    return unmounted;
}

bool __wrap_scfs_mount_point_take(struct scfs_mount *mount, const char *mount_point)
{
    if (point_taken)
        return false;
    mount->path = __real_strdup(mount_point);
    mount->lock = 77;
    return true;
}

bool __wrap_scfs_unmounter_start(struct scfs_unmounter *unmounter, const char *path)
{
    assert_string_equal(path, "/mnt");
    starts++;
    unmounter->link = -1;
    errno = EAGAIN;
    return !no_process;
}

bool __wrap_scfs_unmounter_do(struct scfs_unmounter *unmounter)
{
    assert_ptr_equal(unmounter, &point.unmounter);
    return !unmounter_fails;
}

int __wrap_fuse_opt_add_arg(struct fuse_args *args, const char *arg)
{
    return ++arguments == failing_argument ? -1 : __real_fuse_opt_add_arg(args, arg);
}

struct fuse_session *__wrap_fuse_session_new(struct fuse_args *args,
                                             const struct fuse_lowlevel_ops *ops,
                                             size_t size, void *userdata)
{
    assert_ptr_equal(ops, &scfs_ops);
    assert_int_equal(size, sizeof *ops);
    assert_non_null(userdata);
    fuse_options[0] = '\0';
    for (int i = 1; i < args->argc; i++) {
        strcat(fuse_options, args->argv[i]);
        strcat(fuse_options, " ");
    }
    sessions++;
    return no_session ? NULL : SESSION;
}

int __wrap_fuse_session_mount(struct fuse_session *session, const char *path)
{
    assert_ptr_equal(session, SESSION);
    snprintf(connected, sizeof connected, "%s", path);
    if (refusing == 0)
        return 0;
    refusing--;
    return -1;
}

int __wrap_fuse_session_fd(struct fuse_session *session)
{
    assert_ptr_equal(session, SESSION);
    return broken;
}

/* libfuse unmounts what it can still speak with. */
void __wrap_fuse_session_unmount(struct fuse_session *session)
{
    struct pollfd end = {.fd = broken};

    assert_ptr_equal(session, SESSION);
    __real_poll(&end, 1, 0);
    assert_true((end.revents & POLLERR) != 0);
}

void __wrap_fuse_session_destroy(struct fuse_session *session)
{
    assert_ptr_equal(session, SESSION);
    destroyed++;
}

char *__wrap_strdup(const char *text)
{
    return no_memory ? NULL : __real_strdup(text);
}

bool __wrap_scfs_notify_file(const char *message, int file)
{
    assert_true(file >= 0);
    strcat(told, message);
    strcat(told, " ");
    return strcmp(message, "BARRIER=1") == 0 ? !barrier_deaf : !manager_deaf;
}

int __wrap_pipe2(int ends[2], int flags)
{
    return no_pipe ? -1 : __real_pipe2(ends, flags);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int limit_ms)
{
    assert_int_equal(count, 1);
    assert_true(limit_ms > 0);
    assert_true(fds->fd >= 0);
    return manager_polled;
}

static const struct scfs_user user = {.name = "somebody", .uid = 12, .gid = 34};
static char allow_other_text[] = "allow_other", *allow_other[] = {allow_other_text};
static char path[] = "/mnt";
static struct scfs_options options;
static struct scfs fs;

static int setup(void **state)
{
    (void)state;
    no_device = mount_fails = drop_fails = point_taken = no_process = no_memory = false;
    manager_deaf = barrier_deaf = no_pipe = no_session = false;
    unmounter_fails = unmounted = false;
    refusing = arguments = failing_argument = 0;
    mounts = detached = sessions = destroyed = starts = 0;
    manager_polled = 1;
    told[0] = connected[0] = '\0';
    options = (struct scfs_options){.mount_point = "/mnt"};
    fs = (struct scfs){.options = &options, .session = SESSION};
    point = (struct scfs_mount){.path = path, .lock = 77};
    point.unmounter.link = -1;
    return 0;
}

static void assert_no_connection(void)
{
    if (fuse >= 0)
        assert_int_equal(fcntl(fuse, F_GETFD), -1);
}

/* ---- by libfuse ------------------------------------------------------------------- */

static void test_session_is_for_all_and_checks_permissions(void **state)
{
    char max_read[] = "max_read=4096", *more[] = {max_read};

    (void)state;
    options.fuse_options = more;
    options.fuse_option_count = 1;
    assert_ptr_equal(scfs_session_new(&fs, true), SESSION);
    assert_non_null(strstr(fuse_options, "default_permissions"));
    assert_non_null(strstr(fuse_options, "-oallow_other -o max_read=4096 "));
    assert_non_null(strstr(fuse_options, "-onosuid,nodev,noexec "));
    assert_ptr_equal(scfs_session_new(&fs, false), SESSION);
    assert_null(strstr(fuse_options, "allow_other"));
    options.fuse_options = allow_other;
    assert_ptr_equal(scfs_session_new(&fs, true), SESSION);
    assert_null(strstr(fuse_options, "-oallow_other")); /* it comes once */
    assert_non_null(strstr(fuse_options, "-o allow_other"));
}

static void test_session_without_memory_is_none(void **state)
{
    unsigned last;

    (void)state;
    options.fuse_options = allow_other;
    options.fuse_option_count = 1;
    assert_ptr_equal(scfs_session_new(&fs, true), SESSION);
    last = arguments;
    sessions = 0;
    for (failing_argument = 1; failing_argument <= last; failing_argument++) {
        arguments = 0;
        assert_null(scfs_session_new(&fs, true));
    }
    assert_int_equal(sessions, 0);
}

static void test_mount_that_refuses_allow_other_is_made_without(void **state)
{
    (void)state;
    assert_true(scfs_mount_enter(&point, &fs));
    assert_string_equal(connected, "/mnt");
    assert_int_equal(starts, 1);
    assert_int_equal(sessions, 0);
    refusing = 1;
    assert_true(scfs_mount_enter(&point, &fs));
    assert_int_equal(destroyed, 1);
    assert_int_equal(sessions, 1);
    assert_null(strstr(fuse_options, "allow_other"));
}

static void test_mount_that_is_refused_twice_fails(void **state)
{
    (void)state;
    refusing = 2;
    assert_false(scfs_mount_enter(&point, &fs));
    assert_int_equal(sessions, 1);
    refusing = 1;
    no_session = true;
    assert_false(scfs_mount_enter(&point, &fs));
    assert_null(fs.session);
}

static void test_mount_is_as_it_was_asked_for_or_not_at_all(void **state)
{
    (void)state;
    options.fuse_options = allow_other;
    options.fuse_option_count = 1;
    refusing = 1;
    assert_false(scfs_mount_enter(&point, &fs));
    assert_int_equal(sessions, 0);
    setup(NULL);
    point.passed = point.left = true; /* who started us has mounted */
    refusing = 1;
    assert_false(scfs_mount_enter(&point, &fs));
    assert_int_equal(starts, 0);
    assert_int_equal(sessions, 0);
}

static void test_mount_that_nobody_could_take_away_is_not_made(void **state)
{
    (void)state;
    no_process = true;
    assert_false(scfs_mount_enter(&point, &fs));
    assert_string_equal(connected, "");
}

/* What libfuse holds is no connection any more, so that it does not unmount, too. */
static bool leave(void)
{
    bool gone;

    fs.session = SESSION;
    point.path = __real_strdup("/mnt");
    broken = __real_open64("/dev/null", O_RDWR | O_CLOEXEC);
    gone = scfs_mount_leave(&point, &fs);
    assert_null(fs.session);
    close(broken);
    return gone;
}

static void test_end_tells_of_a_mount_that_stays(void **state)
{
    (void)state;
    assert_true(leave());
    unmounter_fails = true;
    assert_false(leave());
    unmounted = true; /* by somebody else */
    assert_true(leave());
    assert_int_equal(destroyed, 3);
}

/* ---- by root, for a user ---------------------------------------------------------- */

static void test_user_gets_the_connection_of_a_mount_by_root(void **state)
{
    char expected[32];

    (void)state;
    options.user = &user;
    assert_true(scfs_mount_enter(&point, &fs));
    snprintf(expected, sizeof expected, "/dev/fd/%d", fuse);
    assert_string_equal(connected, expected);
    assert_int_equal(detached, 0);
    assert_int_equal(starts, 0);
    close(fuse); /* libfuse's */
}

static void test_mount_for_a_user_that_fails_leaves_nothing(void **state)
{
    (void)state;
    options.user = &user;
    no_device = true;
    assert_false(scfs_mount_enter(&point, &fs));
    assert_int_equal(mounts, 0);
    no_device = false;
    mount_fails = true;
    assert_false(scfs_mount_enter(&point, &fs));
    assert_no_connection();
    assert_int_equal(detached, 0);
    mount_fails = false;
    mounts = 0;
    drop_fails = true;
    assert_false(scfs_mount_enter(&point, &fs));
    assert_no_connection();
    assert_int_equal(detached, 1);
    assert_string_equal(connected, "");
}

static void test_take_of_a_passed_connection_needs_no_directory(void **state)
{
    (void)state;
    options.mount_point = "/dev/fd/3";
    assert_true(scfs_mount_take(&point, &options));
    assert_true(point.passed && point.left);
    assert_int_equal(point.lock, -1);
    assert_string_equal(point.path, "/dev/fd/3");
    free(point.path);
    no_memory = true;
    assert_false(scfs_mount_take(&point, &options));
    no_memory = false;
    options.mount_point = "/mnt";
    options.user = &user;
    assert_true(scfs_mount_take(&point, &options));
    assert_true(!point.passed && point.left);
    free(point.path);
}

/* Who hands a mount over frees what take has left. */
static void test_take_that_is_refused_leaves_no_path(void **state)
{
    (void)state;
    point_taken = true;
    assert_false(scfs_mount_take(&point, &options));
    assert_null(point.path);
    assert_int_equal(point.lock, -1);
}

/* ---- for a service manager -------------------------------------------------------- */

static int hand_over(void)
{
    /* 77 is closed, and is nobody's. */
    options.mount_for = &user;
    return scfs_hand_over(&options);
}

static void test_manager_that_has_taken_the_mount_keeps_it(void **state)
{
    (void)state;
    assert_int_equal(hand_over(), 0);
    assert_string_equal(told, "FDSTORE=1\nFDNAME=scardfs BARRIER=1 ");
    assert_int_equal(detached, 0);
    assert_no_connection();
}

static void test_mount_that_no_manager_takes_is_taken_away(void **state)
{
    static bool *const faults[] = {&manager_deaf, &barrier_deaf, &no_pipe};

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        setup(NULL);
        *faults[i] = true;
        assert_int_equal(hand_over(), 1);
        assert_int_equal(detached, 1);
        assert_no_connection();
    }
    setup(NULL);
    manager_polled = 0; /* it does not read */
    assert_int_equal(hand_over(), 1);
    assert_int_equal(detached, 1);
}

static void test_hand_over_of_what_cannot_be_mounted_tells_nobody(void **state)
{
    (void)state;
    point_taken = true;
    assert_int_equal(hand_over(), 1);
    point_taken = false;
    no_device = true;
    assert_int_equal(hand_over(), 1);
    assert_string_equal(told, "");
    assert_int_equal(mounts + detached, 0);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_session_is_for_all_and_checks_permissions),
        CASE(test_session_without_memory_is_none),
        CASE(test_mount_that_refuses_allow_other_is_made_without),
        CASE(test_mount_that_is_refused_twice_fails),
        CASE(test_mount_is_as_it_was_asked_for_or_not_at_all),
        CASE(test_mount_that_nobody_could_take_away_is_not_made),
        CASE(test_end_tells_of_a_mount_that_stays),
        CASE(test_user_gets_the_connection_of_a_mount_by_root),
        CASE(test_mount_for_a_user_that_fails_leaves_nothing),
        CASE(test_take_of_a_passed_connection_needs_no_directory),
        CASE(test_take_that_is_refused_leaves_no_path),
        CASE(test_manager_that_has_taken_the_mount_keeps_it),
        CASE(test_mount_that_no_manager_takes_is_taken_away),
        CASE(test_hand_over_of_what_cannot_be_mounted_tells_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
