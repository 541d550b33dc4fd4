/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-confine.c - the steps of confinement, and which failures end the daemon. The
 * linker sends prctl, scfs_log and both halves here (--wrap).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <cmocka.h>

#include "fs/confine.h"
#include "fs/internal.h"

int __wrap_prctl(int what, unsigned long a, unsigned long b, unsigned long c,
                 unsigned long d);
int __wrap_scfs_seccomp_load(const struct scfs_options *options, enum scfs_step step);
int __wrap_scfs_landlock_restrict(const struct scfs_options *options);
void __wrap_scfs_log(int priority, const char *format, ...);

static struct scfs_options options;
static int privileges_error, landlock_error, seccomp_error;
static char order[8]; /* what was called: n, l, s for the first step, S for the second */
static int logged;    /* the last priority; -1: nothing */

static void note(char what)
{
    assert_true(strlen(order) + 1 < sizeof order);
    order[strlen(order)] = what;
}

int __wrap_prctl(int what, unsigned long a, unsigned long b, unsigned long c,
                 unsigned long d)
{
    assert_int_equal(what, PR_SET_NO_NEW_PRIVS);
    assert_int_equal(a, 1);
    assert_int_equal(b | c | d, 0);
    note('n');
    errno = privileges_error;
    return privileges_error != 0 ? -1 : 0;
}

int __wrap_scfs_seccomp_load(const struct scfs_options *given, enum scfs_step step)
{
    assert_ptr_equal(given, &options);
    note(step == SCFS_STEP_START ? 's' : 'S');
    return seccomp_error;
}

int __wrap_scfs_landlock_restrict(const struct scfs_options *given)
{
    assert_ptr_equal(given, &options);
    note('l');
    return landlock_error;
}

void __wrap_scfs_log(int priority, const char *format, ...)
{
    assert_non_null(strstr(format, "not confined by"));
    logged = priority;
}

static int setup(void **state)
{
    (void)state;
    options = (struct scfs_options){.confine = SCFS_CONFINE_USUAL};
    privileges_error = landlock_error = seccomp_error = 0;
    memset(order, 0, sizeof order);
    logged = -1;
    return 0;
}

static void test_start_takes_privileges_then_files_then_calls(void **state)
{
    (void)state;
    assert_true(scfs_confine_start(&options));
    assert_string_equal(order, "nls");
    assert_true(scfs_confine_serve(&options));
    assert_string_equal(order, "nlsS");
    assert_int_equal(logged, -1);
}

static void test_off_takes_nothing(void **state)
{
    (void)state;
    options.confine = SCFS_CONFINE_OFF;
    assert_true(scfs_confine_start(&options));
    assert_true(scfs_confine_serve(&options));
    assert_string_equal(order, "");
}

static void test_log_leaves_files_alone(void **state)
{
    (void)state;
    options.confine = SCFS_CONFINE_LOG;
    assert_true(scfs_confine_start(&options));
    assert_string_equal(order, "ns");
}

/* A kernel without is told of at level debug, and only to who debugs. */
static void test_usual_serves_without_what_the_kernel_has_not(void **state)
{
    static const int missing[] = {ENOSYS, EOPNOTSUPP};

    (void)state;
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        setup(NULL);
        landlock_error = seccomp_error = missing[i];
        assert_true(scfs_confine_start(&options));
        assert_true(scfs_confine_serve(&options));
        assert_string_equal(order, "nlsS");
        assert_int_equal(logged, -1);
        options.debug = true;
        assert_true(scfs_confine_serve(&options));
        assert_int_equal(logged, LOG_DEBUG);
    }
}

static void test_usual_serves_after_a_failure_and_warns(void **state)
{
    (void)state;
    seccomp_error = ENOMEM;
    assert_true(scfs_confine_start(&options));
    assert_int_equal(logged, LOG_WARNING);
    setup(NULL);
    privileges_error = EINVAL; /* the rest could not be had either */
    assert_true(scfs_confine_start(&options));
    assert_string_equal(order, "n");
    assert_int_equal(logged, LOG_WARNING);
}

static void test_on_ends_after_any_failure(void **state)
{
    static int *const errors[] = {&privileges_error, &landlock_error, &seccomp_error};
    static const char *const until[] = {"n", "nl", "nls"};

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        setup(NULL);
        options.confine = SCFS_CONFINE_ON;
        *errors[i] = ENOSYS;
        assert_false(scfs_confine_start(&options));
        assert_string_equal(order, until[i]);
        assert_int_equal(logged, -1); /* a sentence on stderr instead */
    }
    assert_false(scfs_confine_serve(&options));
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_start_takes_privileges_then_files_then_calls),
        CASE(test_off_takes_nothing),
        CASE(test_log_leaves_files_alone),
        CASE(test_usual_serves_without_what_the_kernel_has_not),
        CASE(test_usual_serves_after_a_failure_and_warns),
        CASE(test_on_ends_after_any_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
