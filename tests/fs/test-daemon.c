/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-daemon.c - a start that fails, at every step: the status says so, the driver is
 * unloaded, the mount is left. Without a mount; the linker sends here what mounts and
 * what serves (--wrap).
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_driver.h"
#include "fs/confine.h"
#include "fs/mount.h"
#include "fs/notify.h"
#include "fs/power.h"
#include "fs/privileges.h"

struct fuse_session *__wrap_scfs_session_new(struct scfs *fs, bool for_all);
bool __wrap_scfs_mount_take(struct scfs_mount *mount, const struct scfs_options *options);
bool __wrap_scfs_mount_enter(struct scfs_mount *mount, struct scfs *fs);
bool __wrap_scfs_mount_leave(struct scfs_mount *mount, struct scfs *fs);
bool __wrap_scfs_mount_point_detach(const char *path);
bool __wrap_scfs_confine_start(const struct scfs_options *options);
bool __wrap_scfs_confine_serve(const struct scfs_options *options);
struct scfs_logind *__wrap_scfs_logind_start(struct scfs *fs);
void __wrap_scfs_notify(const char *message);
struct fuse_loop_config *__real_fuse_loop_cfg_create(void);
struct fuse_loop_config *__wrap_fuse_loop_cfg_create(void);
int __wrap_fuse_session_loop_mt(struct fuse_session *session,
                                struct fuse_loop_config *config);
void __wrap_fuse_session_exit(struct fuse_session *session);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
pid_t __real_fork(void);
pid_t __wrap_fork(void);
int __real_pipe2(int ends[2], int flags);
int __wrap_pipe2(int ends[2], int flags);
ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __real_write(int fd, const void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size);
int __wrap_chdir(const char *path);

#define SESSION ((struct fuse_session *)(uintptr_t)8) /* any; it is only passed on */

static bool no_session, taken, no_mount, stays, no_confinement, no_second_step;
static bool no_loop_config, loop_fails, no_memory, no_process, no_pipe, no_chdir;
static bool interrupted; /* the report of the child, once on either side */
static unsigned threads, failing_thread;
static unsigned entered, left, ready, stopping, detached, reads, writes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool exited;

struct fuse_session *__wrap_scfs_session_new(struct scfs *fs, bool for_all)
{
    assert_true(fs->options != NULL && for_all);
    return no_session ? NULL : SESSION;
}

bool __wrap_scfs_mount_take(struct scfs_mount *mount, const struct scfs_options *options)
{
    static char path[] = "/mnt";

    (void)options;
    mount->path = path;
    return !taken;
}

bool __wrap_scfs_mount_enter(struct scfs_mount *mount, struct scfs *fs)
{
    (void)mount, (void)fs;
    entered += !no_mount;
    return !no_mount;
}

bool __wrap_scfs_mount_leave(struct scfs_mount *mount, struct scfs *fs)
{
    (void)mount, (void)fs;
    left++;
    return !stays;
}

bool __wrap_scfs_mount_point_detach(const char *path)
{
    (void)path;
    detached++;
    return true;
}

bool __wrap_scfs_confine_start(const struct scfs_options *options)
{
    (void)options;
    return !no_confinement;
}

bool __wrap_scfs_confine_serve(const struct scfs_options *options)
{
    (void)options;
    return !no_second_step;
}

struct scfs_logind *__wrap_scfs_logind_start(struct scfs *fs)
{
    (void)fs;
    return NULL;
}

void __wrap_scfs_notify(const char *message)
{
    ready += strncmp(message, "READY=1\n", 8) == 0;
    stopping += strcmp(message, "STOPPING=1") == 0;
    if (ready > stopping) /* ends what has begun */
        kill(getpid(), SIGTERM);
}

struct fuse_loop_config *__wrap_fuse_loop_cfg_create(void)
{
    return no_loop_config ? NULL : __real_fuse_loop_cfg_create();
}

/* Until it is told to exit, as libfuse's. */
int __wrap_fuse_session_loop_mt(struct fuse_session *session,
                                struct fuse_loop_config *config)
{
    assert_ptr_equal(session, SESSION);
    assert_non_null(config);
    if (loop_fails)
        return -EIO;
    pthread_mutex_lock(&lock);
    while (!exited)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return 0;
}

void __wrap_fuse_session_exit(struct fuse_session *session)
{
    assert_ptr_equal(session, SESSION);
    pthread_mutex_lock(&lock);
    exited = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument)
{
    return ++threads == failing_thread
               ? EAGAIN
               : __real_pthread_create(thread, attributes, run, argument);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory ? NULL : __real_calloc(count, size);
}

pid_t __wrap_fork(void)
{
    errno = EAGAIN;
    return no_process ? -1 : __real_fork();
}

int __wrap_pipe2(int ends[2], int flags)
{
    errno = EMFILE;
    return no_pipe ? -1 : __real_pipe2(ends, flags);
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    errno = EINTR;
    return interrupted && reads++ == 0 ? -1 : __real_read(fd, buffer, size);
}

ssize_t __wrap_write(int fd, const void *buffer, size_t size)
{
    errno = EINTR;
    return interrupted && writes++ == 0 ? -1 : __real_write(fd, buffer, size);
}

int __wrap_chdir(const char *path)
{
    assert_string_equal(path, "/");
    errno = EACCES;
    return no_chdir ? -1 : 0;
}

/* ---- drivers ---------------------------------------------------------------------- */

static NTSTATUS no_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)driver, (void)path;
    return STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS no_watch(PDRIVER_OBJECT driver)
{
    (void)driver;
    return STATUS_NO_SUCH_DEVICE;
}

static NTSTATUS no_plug(const char *shape)
{
    return shape != NULL ? STATUS_NOT_SUPPORTED : fake_driver.plug(NULL);
}

static struct scfs_driver driver;
static struct scfs_options options;

static int setup(void **state)
{
    (void)state;
    no_session = taken = no_mount = no_confinement = no_second_step = stays = false;
    no_loop_config = loop_fails = no_memory = no_process = no_pipe = no_chdir = false;
    interrupted = exited = false;
    threads = failing_thread = 0;
    entered = left = ready = stopping = detached = reads = writes = 0;
    driver = fake_driver;
    scfs_options_init(&options);
    options.mount_point = "/mnt";
    options.foreground = true;
    options.shape_count = 1;
    return 0;
}

static int run(void)
{
    return scfs_run(&options, &driver);
}

static void test_daemon_serves_until_a_signal(void **state)
{
    (void)state;
    assert_int_equal(run(), 0);
    assert_int_equal(entered, 1);
    assert_int_equal(left, 1);
    assert_int_equal(ready, 1);
    assert_int_equal(stopping, 1);
}

static void test_daemon_whose_mount_stays_fails(void **state)
{
    (void)state;
    stays = true;
    assert_int_equal(run(), 1);
    assert_int_equal(ready, 1);
    assert_int_equal(stopping, 1);
}

static void test_start_that_fails_is_never_ready(void **state)
{
    static const struct {
        bool *fault;
        int status;
        unsigned entered, left;
    } table[] = {
        {&no_memory, 1, 0, 0}, {&no_session, 2, 0, 1},     {&taken, 1, 0, 1},
        {&no_mount, 1, 0, 1},  {&no_confinement, 1, 1, 1}, {&no_second_step, 1, 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        setup(NULL);
        *table[i].fault = true;
        assert_int_equal(run(), table[i].status);
        *table[i].fault = false;
        assert_int_equal(entered, table[i].entered);
        assert_int_equal(left, table[i].left);
        assert_int_equal(ready, 0);
    }
}

static void test_start_without_a_thread_fails(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 2; n++) { /* the timer's, the supervisor's */
        setup(NULL);
        failing_thread = n;
        assert_int_equal(run(), 1);
        assert_int_equal(left, 1);
        assert_int_equal(ready, 0);
    }
}

static void test_mount_that_cannot_be_served_ends_it(void **state)
{
    (void)state;
    loop_fails = true;
    assert_int_equal(run(), 1);
    assert_int_equal(left, 1);
    setup(NULL);
    no_loop_config = true;
    assert_int_equal(run(), 1);
    assert_int_equal(left, 1);
}

static void test_driver_that_does_not_load_ends_it(void **state)
{
    (void)state;
    driver.entry = no_entry;
    assert_int_equal(run(), 1);
    assert_int_equal(ready, 0);
    setup(NULL); /* and the next one starts */
    assert_int_equal(run(), 0);
}

static void test_reader_that_cannot_be_made_ends_it(void **state)
{
    (void)state;
    driver.plug = no_plug;
    options.shape_count = 3;
    options.shapes[1] = "cube";
    assert_int_equal(run(), 1);
    assert_int_equal(ready, 0);
    options.shapes[1] = NULL;
}

static void test_without_usb_it_serves_what_else_there_is(void **state)
{
    (void)state;
    driver.watch = no_watch;
    assert_int_equal(run(), 0);
    assert_int_equal(ready, 1);
    setup(NULL);
    driver.watch = no_watch;
    options.shape_count = 0;
    assert_int_equal(run(), 1);
    assert_int_equal(ready, 0);
}

static void test_debug_level_is_the_drivers(void **state)
{
    (void)state;
    options.debug = true;
    options.debug_level = DEBUG_DRIVER;
    assert_int_equal(run(), 0);
    assert_int_equal(SmartcardGetDebugLevel() & DEBUG_DRIVER, DEBUG_DRIVER);
    SmartcardSetDebugLevel(0);
}

/* ---- in the background ------------------------------------------------------------ */

/* The status of the first process; what the second one does with it is its own. */
static int start(void)
{
    const pid_t us = getpid();
    int status;

    options.foreground = false;
    status = run();
    if (getpid() != us)
        _exit(status);
    while (wait(NULL) < 0 && errno == EINTR)
        continue;
    return status;
}

static void test_first_process_says_how_the_start_went(void **state)
{
    (void)state;
    assert_int_equal(start(), 0);
    assert_int_equal(entered, 0); /* here */
    setup(NULL);
    no_mount = true;
    assert_int_equal(start(), 1);
    setup(NULL);
    loop_fails = no_second_step = true;
    assert_int_equal(start(), 1);
}

static void test_report_is_heard_through_interruptions(void **state)
{
    (void)state;
    interrupted = true;
    no_chdir = true; /* is no reason not to start */
    assert_int_equal(start(), 0);
    assert_int_equal(reads, 2);
}

static void test_start_without_a_second_process_fails(void **state)
{
    (void)state;
    no_process = true;
    assert_int_equal(start(), 1);
    setup(NULL);
    no_pipe = true;
    assert_int_equal(start(), 1);
    assert_int_equal(left, 1);
}

/* It has no privilege to do that itself any more. */
static void test_first_process_takes_the_mount_of_a_user_away(void **state)
{
    static const struct scfs_user user = {.name = "somebody"};

    (void)state;
    options.user = &user;
    assert_int_equal(start(), 0);
    assert_int_equal(detached, 0);
    setup(NULL);
    options.user = &user;
    no_second_step = true;
    assert_int_equal(start(), 1);
    assert_int_equal(detached, 1);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_daemon_serves_until_a_signal),
        CASE(test_daemon_whose_mount_stays_fails),
        CASE(test_start_that_fails_is_never_ready),
        CASE(test_start_without_a_thread_fails),
        CASE(test_mount_that_cannot_be_served_ends_it),
        CASE(test_driver_that_does_not_load_ends_it),
        CASE(test_reader_that_cannot_be_made_ends_it),
        CASE(test_without_usb_it_serves_what_else_there_is),
        CASE(test_debug_level_is_the_drivers),
        CASE(test_first_process_says_how_the_start_went),
        CASE(test_report_is_heard_through_interruptions),
        CASE(test_start_without_a_second_process_fails),
        CASE(test_first_process_takes_the_mount_of_a_user_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
