/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-privileges.c - to become a user for good: every step must succeed, and then there
 * is no way back. The linker sends the steps' calls here (--wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "aside.h"
#include "fs/privileges.h"

int __real_prctl(int what, unsigned long a, unsigned long b, unsigned long c,
                 unsigned long d);
int __wrap_prctl(int what, unsigned long a, unsigned long b, unsigned long c,
                 unsigned long d);
int __real_initgroups(const char *name, gid_t gid);
int __wrap_initgroups(const char *name, gid_t gid);
int __real_setresgid(gid_t real, gid_t effective, gid_t saved);
int __wrap_setresgid(gid_t real, gid_t effective, gid_t saved);
int __real_setresuid(uid_t real, uid_t effective, uid_t saved);
int __wrap_setresuid(uid_t real, uid_t effective, uid_t saved);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b);
struct passwd *__real_getpwnam(const char *name);
struct passwd *__wrap_getpwnam(const char *name);

static bool played;         /* nothing is done, only noted */
static char fails;          /* the step that does */
static unsigned long bound; /* capabilities that the kernel knows */
static char steps[32];
static unsigned dropped;
static const char *long_name;

static int step(char letter)
{
    size_t len = strlen(steps);

    assert_true(len + 1 < sizeof steps);
    if (len == 0 || steps[len - 1] != letter)
        steps[len] = letter;
    errno = EPERM;
    return letter == fails ? -1 : 0;
}

int __wrap_prctl(int what, unsigned long a, unsigned long b, unsigned long c,
                 unsigned long d)
{
    if (!played)
        return __real_prctl(what, a, b, c, d);
    switch (what) {
    case PR_CAPBSET_DROP:
        assert_int_equal(a, dropped);
        if (step('b') != 0)
            return -1;
        errno = EINVAL;
        return dropped++ < bound ? 0 : -1;
    case PR_CAP_AMBIENT:
        assert_int_equal(a, PR_CAP_AMBIENT_CLEAR_ALL);
        return step('a');
    case PR_SET_NO_NEW_PRIVS:
        assert_int_equal(a, 1);
        return step('n');
    default:
        fail_msg("prctl %d", what);
        return -1;
    }
}

int __wrap_initgroups(const char *name, gid_t gid)
{
    return played ? step('i') : __real_initgroups(name, gid);
}

int __wrap_setresgid(gid_t real, gid_t effective, gid_t saved)
{
    return played ? step('g') : __real_setresgid(real, effective, saved);
}

int __wrap_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    return played ? step('u') : __real_setresuid(real, effective, saved);
}

long __wrap_syscall(long number, long a, long b)
{
    assert_int_equal(number, SYS_capset);
    return played ? step('c') : __real_syscall(number, a, b);
}

struct passwd *__wrap_getpwnam(const char *name)
{
    static struct passwd entry = {.pw_uid = 1, .pw_gid = 1};

    return name == long_name ? &entry : __real_getpwnam(name);
}

static struct scfs_user user;

static int setup(void **state)
{
    (void)state;
    user = (struct scfs_user){.name = "somebody", .uid = 77, .gid = 78};
    played = true;
    fails = '\0';
    bound = CAP_LAST_CAP + 1;
    dropped = 0;
    memset(steps, 0, sizeof steps);
    return 0;
}

static void test_groups_and_the_bounding_set_go_before_the_user(void **state)
{
    (void)state;
    assert_true(scfs_privileges_drop(&user));
    assert_string_equal(steps, "ibguacn");
    assert_int_equal(dropped, CAP_LAST_CAP + 2); /* the last is what it does not know */
}

static void test_kernel_with_more_capabilities_than_a_set_holds_loses_all(void **state)
{
    (void)state;
    bound = 100;
    assert_true(scfs_privileges_drop(&user));
    assert_int_equal(dropped, 64);
}

static void test_kernel_that_knows_too_few_is_no_kernel_to_trust(void **state)
{
    (void)state;
    bound = CAP_SETPCAP;
    assert_false(scfs_privileges_drop(&user));
    assert_string_equal(steps, "ib");
}

static void test_step_that_fails_is_the_last(void **state)
{
    static const char all[] = "ibguacn";

    (void)state;
    for (size_t i = 0; all[i] != '\0'; i++) {
        setup(NULL);
        fails = all[i];
        assert_false(scfs_privileges_drop(&user));
        assert_int_equal(errno, EPERM);
        assert_int_equal(strlen(steps), i + 1);
        assert_int_equal(steps[i], all[i]);
    }
}

static void test_find_takes_no_name_that_does_not_fit(void **state)
{
    char name[sizeof user.name + 1];

    (void)state;
    assert_true(scfs_privileges_find("root", &user));
    assert_string_equal(user.name, "root");
    assert_int_equal(user.uid, 0);
    assert_false(scfs_privileges_find("nobody-of-this-name", &user));
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    long_name = name;
    assert_false(scfs_privileges_find(name, &user));
    assert_string_equal(user.name, "root"); /* as it was */
    name[sizeof user.name - 1] = '\0';
    assert_true(scfs_privileges_find(name, &user));
    assert_int_equal(user.uid, 1);
    long_name = NULL;
}

/* ---- as a process finds it -------------------------------------------------------- */

enum { OTHER = 1, BACK = 2, SHADOW = 4, PRIVILEGES = 8, DUMPS = 16 };

static int becomes(void *unused)
{
    struct rlimit core;

    (void)unused;
    if (!scfs_privileges_drop(&user))
        return 127;
    scfs_privileges_no_dumps();
    getrlimit(RLIMIT_CORE, &core);
    return (getuid() != user.uid || getegid() != user.gid ? OTHER : 0) |
           (__real_setresuid(0, 0, 0) == 0 ? BACK : 0) |
           (open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0 ? SHADOW : 0) |
           (__real_prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
                    __real_prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0
                ? PRIVILEGES
                : 0) |
           (core.rlim_max != 0 || __real_prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ? DUMPS
                                                                                 : 0);
}

static void test_process_is_the_user_and_stays_it(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    played = false;
    assert_true(scfs_privileges_find("nobody", &user));
    assert_int_equal(aside(becomes, NULL), 0);
    assert_int_equal(geteuid(), 0); /* it has, not we */
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_groups_and_the_bounding_set_go_before_the_user),
        CASE(test_kernel_with_more_capabilities_than_a_set_holds_loses_all),
        CASE(test_kernel_that_knows_too_few_is_no_kernel_to_trust),
        CASE(test_step_that_fails_is_the_last),
        CASE(test_find_takes_no_name_that_does_not_fit),
        CASE(test_process_is_the_user_and_stays_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
