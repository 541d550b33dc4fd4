/* SPDX-License-Identifier: BSD-2-Clause */
/* test-owner.c - users, groups and modes as people write them, and whom to trust. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "fs/owner.h"

static void test_user_name_or_number_is_a_uid(void **state)
{
    uid_t uid = 77;
    gid_t gid = 77;

    (void)state;
    assert_true(scfs_owner_user("root", &uid));
    assert_int_equal(uid, 0);
    assert_true(scfs_owner_user("12345", &uid));
    assert_int_equal(uid, 12345);
    assert_true(scfs_owner_group("root", &gid));
    assert_int_equal(gid, 0);
    assert_true(scfs_owner_group("4294967294", &gid));
    assert_int_equal(gid, 4294967294);
}

static void test_user_of_no_sense_is_refused(void **state)
{
    static const char *const wrong[] = {
        "", " 1", "+1", "-1", "1x", "0x1", "4294967295", "18446744073709551617"};
    uid_t uid = 77;
    gid_t gid = 77;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(scfs_owner_user(wrong[i], &uid));
        assert_false(scfs_owner_group(wrong[i], &gid));
    }
    assert_int_equal(uid, 77);
    assert_int_equal(gid, 77);
}

static void test_mode_is_octal_up_to_777(void **state)
{
    mode_t mode = 7;

    (void)state;
    assert_true(scfs_owner_mode("0640", &mode));
    assert_int_equal(mode, 0640);
    assert_true(scfs_owner_mode("777", &mode));
    assert_false(scfs_owner_mode("1000", &mode));
    assert_false(scfs_owner_mode("8", &mode));
    assert_false(scfs_owner_mode("", &mode));
    assert_int_equal(mode, 0777);
}

static void test_trusted_is_what_only_root_and_the_user_may_write(void **state)
{
    uid_t me = geteuid(), other = me + 1234;
    gid_t mine = getegid(), group = mine + 1234;
    const struct {
        struct stat st;
        bool trusted;
    } table[] = {
        {{.st_mode = S_IFDIR | 0755, .st_uid = 0, .st_gid = 0}, true},
        {{.st_mode = S_IFDIR | 0755, .st_uid = me, .st_gid = group}, true},
        {{.st_mode = S_IFDIR | 0755, .st_uid = other, .st_gid = mine}, false},
        {{.st_mode = S_IFDIR | 0775, .st_uid = me, .st_gid = mine}, true},
        {{.st_mode = S_IFDIR | 0775, .st_uid = me, .st_gid = group}, false},
        {{.st_mode = S_IFDIR | 0777, .st_uid = me, .st_gid = mine}, false},
        {{.st_mode = S_IFDIR | 01777, .st_uid = 0, .st_gid = 0}, true},
        {{.st_mode = S_IFDIR | 01777, .st_uid = other, .st_gid = 0}, false},
        {{.st_mode = S_IFREG | 0644, .st_uid = me, .st_gid = group}, true},
        {{.st_mode = S_IFREG | 0664, .st_uid = me, .st_gid = group}, false},
        {{.st_mode = S_IFREG | 01666, .st_uid = me, .st_gid = mine}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(scfs_owner_trusted(&table[i].st), table[i].trusted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_name_or_number_is_a_uid),
        cmocka_unit_test(test_user_of_no_sense_is_refused),
        cmocka_unit_test(test_mode_is_octal_up_to_777),
        cmocka_unit_test(test_trusted_is_what_only_root_and_the_user_may_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
