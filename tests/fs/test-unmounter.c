/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-unmounter.c - the process that unmounts: it does so once, when it is told to, and
 * ends with its parent without. The linker sends the calls of both here (--wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "fs/mount.h"

#define PATH "/nowhere"

pid_t __real_fork(void);
pid_t __wrap_fork(void);
int __real_socketpair(int family, int type, int protocol, int ends[2]);
int __wrap_socketpair(int family, int type, int protocol, int ends[2]);
ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __real_write(int fd, const void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size);
pid_t __real_waitpid(pid_t child, int *status, int flags);
pid_t __wrap_waitpid(pid_t child, int *status, int flags);
bool __wrap_scfs_mount_point_unmounted(const char *path);
bool __wrap_scfs_mount_point_detach(const char *path);

/* What parent and child both see. */
static struct shared {
    unsigned detached;
    unsigned asked;       /* whether it is unmounted */
    bool others_open;     /* another file than the socket and /dev/null in the child */
    bool ignores_signals; /* that the whole group gets */
} * shared;

static bool no_sockets, no_processes, unmounted, refused;
static bool interrupted; /* each of these calls is, the first time */
static int left_open;    /* in the parent, for the child to close */
static int ends[2];
static unsigned reads, writes, waits;

static bool is_interrupted(unsigned *calls)
{
    if (!interrupted || (*calls)++ > 0)
        return false;
    errno = EINTR;
    return true;
}

pid_t __wrap_fork(void)
{
    errno = EAGAIN;
    return no_processes ? -1 : __real_fork();
}

int __wrap_socketpair(int family, int type, int protocol, int both[2])
{
    errno = EMFILE;
    if (no_sockets || __real_socketpair(family, type, protocol, both) != 0)
        return -1;
    memcpy(ends, both, sizeof ends);
    return 0;
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    return is_interrupted(&reads) ? -1 : __real_read(fd, buffer, size);
}

ssize_t __wrap_write(int fd, const void *buffer, size_t size)
{
    return is_interrupted(&writes) ? -1 : __real_write(fd, buffer, size);
}

pid_t __wrap_waitpid(pid_t child, int *status, int flags)
{
    return is_interrupted(&waits) ? -1 : __real_waitpid(child, status, flags);
}

bool __wrap_scfs_mount_point_unmounted(const char *path)
{
    assert_string_equal(path, PATH);
    shared->asked++;
    return unmounted;
}

/* In the child. */
bool __wrap_scfs_mount_point_detach(const char *path)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE};

    assert_string_equal(path, PATH);
    shared->detached++;
    shared->others_open = fcntl(left_open, F_GETFD) >= 0 || fcntl(ends[0], F_GETFD) >= 0;
    shared->ignores_signals = true;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction now;

        sigaction(numbers[i], NULL, &now);
        shared->ignores_signals &= now.sa_handler == SIG_IGN;
    }
    return !refused;
}

static struct scfs_unmounter unmounter;

static int setup(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    no_sockets = no_processes = unmounted = refused = interrupted = false;
    reads = writes = waits = 0;
    left_open = open("/dev/null", O_RDONLY);
    return shared == MAP_FAILED || left_open < 0;
}

static int teardown(void **state)
{
    (void)state;
    close(left_open);
    return munmap(shared, sizeof *shared);
}

static void test_it_unmounts_once_and_ends(void **state)
{
    (void)state;
    assert_true(scfs_unmounter_start(&unmounter, PATH));
    assert_true(scfs_unmounter_do(&unmounter));
    assert_int_equal(shared->detached, 1);
    assert_int_equal(waitpid(unmounter.child, NULL, WNOHANG), -1); /* waited for */
    assert_int_equal(fcntl(ends[0], F_GETFD), -1);
    assert_int_equal(fcntl(ends[1], F_GETFD), -1);
    assert_true(scfs_unmounter_do(&unmounter));
    assert_true(scfs_unmounter_end(&unmounter));
    assert_int_equal(shared->detached, 1);
}

static void test_it_keeps_no_file_and_minds_no_signal(void **state)
{
    (void)state;
    assert_true(scfs_unmounter_start(&unmounter, PATH));
    scfs_unmounter_do(&unmounter);
    assert_false(shared->others_open);
    assert_true(shared->ignores_signals);
    assert_true(fcntl(left_open, F_GETFD) >= 0); /* ours */
}

static void test_what_is_unmounted_already_is_left_alone(void **state)
{
    (void)state;
    unmounted = true;
    assert_true(scfs_unmounter_start(&unmounter, PATH));
    assert_true(scfs_unmounter_do(&unmounter));
    assert_int_equal(shared->asked, 1);
    assert_int_equal(shared->detached, 0);
}

static void test_one_that_cannot_unmount_says_so(void **state)
{
    (void)state;
    refused = true;
    assert_true(scfs_unmounter_start(&unmounter, PATH));
    assert_false(scfs_unmounter_do(&unmounter));
    assert_int_equal(shared->detached, 1);
    assert_true(scfs_unmounter_do(&unmounter)); /* there is none any more */
}

static void test_one_that_was_killed_has_not_unmounted(void **state)
{
    siginfo_t end;

    (void)state;
    assert_true(scfs_unmounter_start(&unmounter, PATH));
    kill(unmounter.child, SIGKILL);
    waitid(P_PID, (id_t)unmounter.child, &end, WEXITED | WNOWAIT);
    signal(SIGPIPE, SIG_IGN); /* as in the daemon */
    assert_false(scfs_unmounter_do(&unmounter));
    assert_int_equal(shared->asked, 0);
}

static void test_end_of_the_parent_unmounts_nothing(void **state)
{
    (void)state;
    assert_true(scfs_unmounter_start(&unmounter, PATH));
    assert_true(scfs_unmounter_end(&unmounter));
    assert_int_equal(shared->asked, 0);
    assert_int_equal(shared->detached, 0);
}

static void test_interrupted_calls_are_made_again(void **state)
{
    (void)state;
    interrupted = true;
    assert_true(scfs_unmounter_start(&unmounter, PATH));
    scfs_unmounter_do(&unmounter);
    assert_int_equal(shared->detached, 1);
    assert_int_equal(writes, 2);
    assert_int_equal(waits, 2);
}

static void test_start_without_a_process_leaves_no_socket(void **state)
{
    (void)state;
    no_sockets = true;
    assert_false(scfs_unmounter_start(&unmounter, PATH));
    assert_int_equal(errno, EMFILE);
    assert_int_equal(unmounter.link, -1);
    no_sockets = false;
    no_processes = true;
    assert_false(scfs_unmounter_start(&unmounter, PATH));
    assert_int_equal(unmounter.link, -1);
    assert_int_equal(fcntl(ends[0], F_GETFD), -1);
    assert_int_equal(fcntl(ends[1], F_GETFD), -1);
    scfs_unmounter_do(&unmounter); /* nothing */
    assert_int_equal(shared->asked, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_it_unmounts_once_and_ends),
        CASE(test_it_keeps_no_file_and_minds_no_signal),
        CASE(test_what_is_unmounted_already_is_left_alone),
        CASE(test_one_that_cannot_unmount_says_so),
        CASE(test_one_that_was_killed_has_not_unmounted),
        CASE(test_end_of_the_parent_unmounts_nothing),
        CASE(test_interrupted_calls_are_made_again),
        CASE(test_start_without_a_process_leaves_no_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
