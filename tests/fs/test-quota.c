/* SPDX-License-Identifier: BSD-2-Clause */
/* test-quota.c - what one user may have of open files and waiting requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fs/quota.h"

#define HANDLES SCFS_QUOTA_HANDLES
#define WAITS   SCFS_QUOTA_WAITS

static void test_take_up_to_the_limit_is_granted_and_beyond_refused(void **state)
{
    struct scfs_quota quota;

    (void)state;
    scfs_quota_init(&quota, 2, 1);
    assert_true(scfs_quota_take(&quota, 1000, HANDLES));
    assert_true(scfs_quota_take(&quota, 1000, HANDLES));
    assert_false(scfs_quota_take(&quota, 1000, HANDLES));
    assert_true(scfs_quota_take(&quota, 1000, WAITS)); /* each kind by itself */
    assert_false(scfs_quota_take(&quota, 1000, WAITS));
    assert_true(scfs_quota_take(&quota, 1001, HANDLES)); /* each user by himself */
    scfs_quota_destroy(&quota);
}

static void test_take_after_a_give_is_granted_again(void **state)
{
    struct scfs_quota quota;

    (void)state;
    scfs_quota_init(&quota, 1, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(scfs_quota_take(&quota, 1000, HANDLES));
        assert_false(scfs_quota_take(&quota, 1000, HANDLES));
        scfs_quota_give(&quota, 1000, HANDLES);
    }
    assert_true(IsListEmpty(&quota.users)); /* nobody is remembered for nothing */
    scfs_quota_destroy(&quota);
}

static void test_take_of_root_or_without_a_limit_is_always_granted(void **state)
{
    struct scfs_quota quota;

    (void)state;
    scfs_quota_init(&quota, 1, 0);
    for (int i = 0; i < 10; i++) {
        assert_true(scfs_quota_take(&quota, 0, HANDLES));
        assert_true(scfs_quota_take(&quota, 1000, WAITS));
    }
    scfs_quota_destroy(&quota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_up_to_the_limit_is_granted_and_beyond_refused),
        cmocka_unit_test(test_take_after_a_give_is_granted_again),
        cmocka_unit_test(test_take_of_root_or_without_a_limit_is_always_granted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
