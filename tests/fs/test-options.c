/* SPDX-License-Identifier: BSD-2-Clause */
/* test-options.c - the command line, also as mount(8) writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fs/confine.h"
#include "fs/options.h"

#define ARGUMENTS_MAX 12

/* A command line of words with single blanks between, which stand until the next one. */
static bool parse(const char *text, struct scfs_command_line *line)
{
    static char copy[256];
    char *argv[ARGUMENTS_MAX + 1], *rest = copy;
    int argc = 0;

    *line = (struct scfs_command_line){0};
    snprintf(copy, sizeof copy, "scardfs %s", text);
    while (rest != NULL && argc < ARGUMENTS_MAX)
        argv[argc++] = strsep(&rest, " ");
    argv[argc] = NULL;
    return scfs_options_parse(line, argc, argv);
}

static bool refused(const char *text, struct scfs_command_line *line)
{
    bool taken = parse(text, line);

    scfs_options_free(line);
    return !taken;
}

static void test_parse_mount_point_with_and_without_source_is_taken(void **state)
{
    static const struct {
        const char *text, *mount_point;
        bool passed;
    } table[] = {
        {"/mnt", "/mnt", false},
        {"none /mnt -o rw,dev,suid", "/mnt", false},
        {"-o mode=600 none /dev/fd/3", "/dev/fd/3", true},
        {"/dev/fd/17", "/dev/fd/17", true},
        {"/dev/fd/", "/dev/fd/", false},
        {"/dev/fd/3x", "/dev/fd/3x", false},
        {"/dev/fd", "/dev/fd", false},
    };
    static struct scfs_command_line line;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_true(parse(table[i].text, &line));
        assert_string_equal(line.options.mount_point, table[i].mount_point);
        assert_int_equal(scfs_options_passed(&line.options), table[i].passed);
        scfs_options_free(&line);
    }
}

static void test_parse_mistakes_are_refused(void **state)
{
    static const char *const wrong[] = {
        "a b c",
        "--nonsense /mnt",
        "-o mode=8 /mnt",
        "-o mode= /mnt",
        "-o uid=nobody-of-this-name /mnt",
        "-o gid= /mnt",
        "-o power=sideways /mnt",
        "-o config=/nonexistent /mnt",
        "--user",
        "--user nobody-of-this-name /mnt",
        "--virtual=0 /mnt",
        "--vpcd= /mnt",
        "--vpcds /mnt",
    };
    static struct scfs_command_line line;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_true(refused(wrong[i], &line));
}

static void test_parse_owner_and_mode_are_kept(void **state)
{
    static struct scfs_command_line line;

    (void)state;
    assert_true(parse("-o uid=12,gid=34 -o mode=0640 /mnt", &line));
    assert_int_equal(line.options.access.uid, 12);
    assert_int_equal(line.options.access.gid, 34);
    assert_int_equal(line.options.access.mode, 0640);
    scfs_options_free(&line);
}

static void test_parse_without_owner_it_is_who_mounts(void **state)
{
    static struct scfs_command_line line;

    (void)state;
    assert_true(parse("/mnt", &line));
    assert_int_equal(line.options.access.uid, geteuid());
    assert_int_equal(line.options.access.mode, 0660);
    scfs_options_free(&line);
    assert_true(parse("none /dev/fd/3", &line)); /* root has */
    assert_int_equal(line.options.access.uid, 0);
    scfs_options_free(&line);
}

static void test_parse_user_is_for_root_and_not_with_a_mount_that_is_there(void **state)
{
    static struct scfs_command_line line;
    bool root = geteuid() == 0;

    (void)state;
    assert_int_equal(parse("--user root /mnt", &line), root);
    scfs_options_free(&line);
    assert_int_equal(parse("--user=root /mnt", &line), root);
    if (root) {
        assert_ptr_equal(line.options.user, &line.user);
        assert_int_equal(line.user.uid, 0);
        assert_string_equal(line.user.name, "root");
    }
    scfs_options_free(&line);
    assert_true(refused("--user root /dev/fd/3", &line));
}

/* The file `virtual` is for the readers of --virtual. */
static void test_parse_vpcd_adds_a_reader_and_no_control_over_it(void **state)
{
    static struct scfs_command_line line;

    (void)state;
    assert_true(parse("--vpcd --vpcd=0 --vpcd=unix:/run/card /mnt", &line));
    assert_int_equal(line.options.shape_count, 3);
    assert_false(line.options.with_virtual);
    scfs_options_free(&line);
    assert_true(parse("--vpcd --virtual=2 /mnt", &line));
    assert_int_equal(line.options.shape_count, 3);
    assert_true(line.options.with_virtual);
    scfs_options_free(&line);
}

static void test_parse_confine_and_listen_are_kept(void **state)
{
    static struct scfs_command_line line;

    (void)state;
    assert_true(parse("-o confine=log /mnt", &line));
    assert_int_equal(line.options.confine, SCFS_CONFINE_LOG);
    assert_false(scfs_confine_listens(&line.options));
    scfs_options_free(&line);
    assert_true(parse("-o confine=on,listen=/run/a,listen=/run/b /mnt", &line));
    assert_int_equal(line.options.confine, SCFS_CONFINE_ON);
    assert_int_equal(line.options.listen_count, 2);
    assert_string_equal(line.options.listen[1], "/run/b");
    assert_true(scfs_confine_listens(&line.options));
    scfs_options_free(&line);
    assert_true(parse("--vpcd=0 --virtual /mnt", &line));
    assert_true(scfs_confine_listens(&line.options));
    scfs_options_free(&line);
    assert_true(refused("-o confine=maybe /mnt", &line));
    assert_true(refused("-o listen=here /mnt", &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_mount_point_with_and_without_source_is_taken),
        cmocka_unit_test(test_parse_mistakes_are_refused),
        cmocka_unit_test(test_parse_owner_and_mode_are_kept),
        cmocka_unit_test(test_parse_without_owner_it_is_who_mounts),
        cmocka_unit_test(test_parse_user_is_for_root_and_not_with_a_mount_that_is_there),
        cmocka_unit_test(test_parse_vpcd_adds_a_reader_and_no_control_over_it),
        cmocka_unit_test(test_parse_confine_and_listen_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
