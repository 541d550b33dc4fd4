/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-seccomp.c - which calls each step leaves to a process, and what comes of a failure
 * of libseccomp. The linker sends libseccomp's functions here (--wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "aside.h"
#include "fs/confine.h"

scmp_filter_ctx __real_seccomp_init(uint32_t action);
scmp_filter_ctx __wrap_seccomp_init(uint32_t action);
int __real_seccomp_attr_set(scmp_filter_ctx filter, enum scmp_filter_attr attribute,
                            uint32_t value);
int __wrap_seccomp_attr_set(scmp_filter_ctx filter, enum scmp_filter_attr attribute,
                            uint32_t value);
int __real_seccomp_rule_add_array(scmp_filter_ctx filter, uint32_t action, int call,
                                  unsigned count, const struct scmp_arg_cmp *arguments);
int __wrap_seccomp_rule_add_array(scmp_filter_ctx filter, uint32_t action, int call,
                                  unsigned count, const struct scmp_arg_cmp *arguments);
int __wrap_seccomp_rule_add(scmp_filter_ctx filter, uint32_t action, int call,
                            unsigned count, ...);
int __real_seccomp_syscall_priority(scmp_filter_ctx filter, int call, uint8_t priority);
int __wrap_seccomp_syscall_priority(scmp_filter_ctx filter, int call, uint8_t priority);
int __real_seccomp_load(const scmp_filter_ctx filter);
int __wrap_seccomp_load(const scmp_filter_ctx filter);
void __real_seccomp_release(scmp_filter_ctx filter);
void __wrap_seccomp_release(scmp_filter_ctx filter);

static unsigned calls, failing; /* the failing-th call fails; 0: none */
static bool no_load;            /* the last one only says yes */
static unsigned loads;
static int filters; /* not yet released */

static bool fails(void)
{
    return ++calls == failing;
}

scmp_filter_ctx __wrap_seccomp_init(uint32_t action)
{
    scmp_filter_ctx filter = fails() ? NULL : __real_seccomp_init(action);

    filters += filter != NULL;
    return filter;
}

int __wrap_seccomp_attr_set(scmp_filter_ctx filter, enum scmp_filter_attr attribute,
                            uint32_t value)
{
    return fails() ? -EACCES : __real_seccomp_attr_set(filter, attribute, value);
}

int __wrap_seccomp_rule_add_array(scmp_filter_ctx filter, uint32_t action, int call,
                                  unsigned count, const struct scmp_arg_cmp *arguments)
{
    return fails()
               ? -EACCES
               : __real_seccomp_rule_add_array(filter, action, call, count, arguments);
}

int __wrap_seccomp_rule_add(scmp_filter_ctx filter, uint32_t action, int call,
                            unsigned count, ...)
{
    assert_int_equal(count, 0);
    return fails() ? -EACCES
                   : __real_seccomp_rule_add_array(filter, action, call, 0, NULL);
}

int __wrap_seccomp_syscall_priority(scmp_filter_ctx filter, int call, uint8_t priority)
{
    return fails() ? -EACCES : __real_seccomp_syscall_priority(filter, call, priority);
}

int __wrap_seccomp_load(const scmp_filter_ctx filter)
{
    if (fails())
        return -EACCES;
    loads++;
    return no_load ? 0 : __real_seccomp_load(filter);
}

void __wrap_seccomp_release(scmp_filter_ctx filter)
{
    filters--;
    __real_seccomp_release(filter);
}

static struct scfs_options options;

static int setup(void **state)
{
    (void)state;
    options = (struct scfs_options){.confine = SCFS_CONFINE_ON};
    calls = failing = loads = 0;
    filters = 0;
    no_load = false;
    return 0;
}

static void test_any_failure_is_told_and_nothing_is_loaded(void **state)
{
    unsigned last;

    (void)state;
    no_load = true;
    assert_int_equal(scfs_seccomp_load(&options, SCFS_STEP_START), 0);
    assert_int_equal(loads, 1);
    assert_int_equal(filters, 0);
    last = calls;
    assert_true(last > 100); /* a call of libseccomp for each of ours */
    for (unsigned n = 1; n <= last; n++) {
        calls = loads = 0;
        failing = n;
        assert_int_equal(scfs_seccomp_load(&options, SCFS_STEP_START),
                         n == 1 ? ENOMEM : EACCES);
        assert_int_equal(calls, n);
        assert_int_equal(loads, 0);
        assert_int_equal(filters, 0);
    }
}

/* ---- as a process finds it -------------------------------------------------------- */

enum {
    READS = 1,
    WRITES = 2, /* a file */
    MAKES = 4,
    CONNECTS = 8, /* gets a socket of the network */
    LISTENS = 16,
    TELLS = 32, /* a datagram socket, for syslog */
};

struct attempt {
    enum scfs_step steps;
    int socket; /* bound to a port before */
};

static bool opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool gets_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int tries(void *argument)
{
    const struct attempt *attempt = argument;

    if (scfs_seccomp_load(&options, SCFS_STEP_START) != 0)
        return 127;
    if (attempt->steps == SCFS_STEP_SERVE &&
        scfs_seccomp_load(&options, SCFS_STEP_SERVE) != 0)
        return 127;
    return (opens("/etc/passwd", O_RDONLY) ? READS : 0) |
           (opens("/tmp", O_RDWR | O_TMPFILE) ? WRITES : 0) |
           (mkdir("/tmp", 0700) == 0 || errno != EPERM ? MAKES : 0) |
           (gets_socket(AF_INET, SOCK_STREAM) ? CONNECTS : 0) |
           (listen(attempt->socket, 1) == 0 ? LISTENS : 0) |
           (gets_socket(AF_UNIX, SOCK_DGRAM) ? TELLS : 0);
}

/* By a process that is loaded with the steps up to this one. prctl may be refused here.
 */
static int found(enum scfs_step steps)
{
    struct attempt attempt = {steps, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int result;

    assert_true(attempt.socket >= 0);
    result = aside(tries, &attempt);
    close(attempt.socket);
    return result;
}

static void test_process_may_look_and_tell_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(found(SCFS_STEP_START), READS | TELLS);
    assert_int_equal(loads, 1);
    assert_int_equal(found(SCFS_STEP_SERVE), READS | TELLS);
    assert_int_equal(loads, 3);
    assert_int_equal(filters, 0);
    assert_true(opens("/tmp", O_RDWR | O_TMPFILE)); /* it was confined, not we */
}

static void test_where_something_listens_it_may_until_it_serves(void **state)
{
    (void)state;
    options.listen[0] = "/tmp";
    options.listen_count = 1;
    assert_int_equal(found(SCFS_STEP_START), READS | TELLS | CONNECTS | LISTENS);
    assert_int_equal(found(SCFS_STEP_SERVE), READS | TELLS);
}

static void test_log_refuses_nothing(void **state)
{
    (void)state;
    options.confine = SCFS_CONFINE_LOG;
    assert_int_equal(found(SCFS_STEP_SERVE),
                     READS | WRITES | MAKES | CONNECTS | LISTENS | TELLS);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_any_failure_is_told_and_nothing_is_loaded),
        CASE(test_process_may_look_and_tell_and_nothing_else),
        CASE(test_where_something_listens_it_may_until_it_serves),
        CASE(test_log_refuses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
