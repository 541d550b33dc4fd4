/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-options.c - the command line, also as mount(8) writes it, as an ordinary user, and
 * without memory. The linker sends what asks for these here (--wrap).
 */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fs/confine.h"
#include "fs/options.h"

#define ARGUMENTS_MAX 20

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
gid_t __real_getegid(void);
gid_t __wrap_getegid(void);
struct group *__wrap_getgrnam(const char *name);
int __real_faccessat(int folder, const char *name, int mode, int flags);
int __wrap_faccessat(int folder, const char *name, int mode, int flags);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
bool __real_scfs_config_read(struct scfs_config *config, const char *file);
bool __wrap_scfs_config_read(struct scfs_config *config, const char *file);

static uid_t played_uid;   /* 0: who we are */
static gid_t scard_group;  /* 0: there is none */
static bool usual_config;  /* /etc/scardfs.conf is there */
static bool config_wrong;  /* and not taken */
static unsigned configs;   /* how often it was read */
static unsigned allocated; /* strings and lists */
static unsigned failing;   /* the one of them that fails, from 1 */

uid_t __wrap_geteuid(void)
{
    return played_uid != 0 ? played_uid : __real_geteuid();
}

gid_t __wrap_getegid(void)
{
    return played_uid != 0 ? played_uid + 1 : __real_getegid();
}

struct group *__wrap_getgrnam(const char *name)
{
    static struct group group;

    if (strcmp(name, "scard") != 0 || scard_group == 0)
        return NULL;
    group.gr_gid = scard_group;
    return &group;
}

int __wrap_faccessat(int folder, const char *name, int mode, int flags)
{
    if (strcmp(name, "/etc/scardfs.conf") != 0)
        return __real_faccessat(folder, name, mode, flags);
    return usual_config ? 0 : -1;
}

char *__wrap_strdup(const char *text)
{
    return ++allocated == failing ? NULL : __real_strdup(text);
}

void *__wrap_realloc(void *old, size_t size)
{
    return ++allocated == failing ? NULL : __real_realloc(old, size);
}

bool __wrap_scfs_config_read(struct scfs_config *config, const char *file)
{
    if (strcmp(file, "/etc/scardfs.conf") != 0)
        return __real_scfs_config_read(config, file);
    configs++;
    config->count = 0;
    return !config_wrong;
}

static int setup(void **state)
{
    (void)state;
    played_uid = scard_group = 0;
    usual_config = config_wrong = false;
    configs = allocated = failing = 0;
    return 0;
}

/* A command line of words with single blanks between, which stand until the next one. */
static bool parse(const char *text, struct scfs_command_line *line)
{
    static char copy[8192];
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
        "--virtual=128 /mnt",
        "--virtual7 /mnt",
        "--virtual=127 --virtual /mnt",
        "--virtual=100 --virtual=28 /mnt",
        "--virtual=127 --vpcd /mnt",
        "-dx /mnt",
        "-d-1 /mnt",
        "-d4294967296 /mnt",
        "-d99999999999999999999999 /mnt",
        "-o power_down_timeout=86401 /mnt",
        "-o power_down_timeout= /mnt",
        "-o idle_limit=-1 /mnt",
        "-o idle_limit=5s /mnt",
        "-o user_handles=2147483648 /mnt",
        "-o user_waits=many /mnt",
        "-o driver= /mnt",
        "-o mode=1000 /mnt",
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
    assert_true(parse("-o confine=on,listen=/run,listen=/tmp /mnt", &line));
    assert_int_equal(line.options.confine, SCFS_CONFINE_ON);
    assert_int_equal(line.options.listen_count, 2);
    assert_string_equal(line.options.listen[1], "/tmp");
    assert_true(scfs_confine_listens(&line.options));
    scfs_options_free(&line);
    assert_true(parse("--vpcd=0 --virtual /mnt", &line));
    assert_true(scfs_confine_listens(&line.options));
    scfs_options_free(&line);
    assert_true(refused("-o confine=maybe /mnt", &line));
    assert_true(refused("-o listen=here /mnt", &line));
    assert_true(refused("-o listen=/dev/null /mnt", &line));
    assert_true(refused("-o listen=/nonexistent /mnt", &line));
}

static void test_parse_numbers_are_kept(void **state)
{
    static struct scfs_command_line line;

    (void)state;
    assert_true(parse("/mnt", &line));
    assert_int_equal(line.options.power_down_s, 5);
    assert_int_equal(line.options.idle_limit_s, 0);
    assert_int_equal(line.options.handles_max, 256);
    assert_int_equal(line.options.waits_max, 4096);
    assert_false(line.options.share_state || line.options.debug || line.options.escape ||
                 line.options.strict_atr || line.options.foreground);
    scfs_options_free(&line);
    assert_true(parse("-f -o share_state,power_down_timeout=0,idle_limit=86400 -d0x12 "
                      "-o user_handles=0,user_waits=2147483647,escape,strict_atr /mnt",
                      &line));
    assert_int_equal(line.options.power_down_s, 0);
    assert_int_equal(line.options.idle_limit_s, 86400);
    assert_int_equal(line.options.handles_max, 0);
    assert_int_equal(line.options.waits_max, 2147483647);
    assert_true(line.options.share_state && line.options.debug && line.options.escape &&
                line.options.strict_atr && line.options.foreground);
    assert_int_equal(line.options.debug_level, 0x12);
    scfs_options_free(&line);
    assert_true(parse("-d /mnt", &line));
    assert_int_equal(line.options.debug_level, (uint32_t)DEBUG_ALL);
    scfs_options_free(&line);
}

static void test_parse_power_has_three_words(void **state)
{
    static const struct {
        const char *text;
        bool on, demand;
    } table[] = {{"/mnt", true, false},
                 {"-o power=on /mnt", true, false},
                 {"-o power=demand /mnt", false, true},
                 {"-o power=lazy /mnt", false, false}};
    static struct scfs_command_line line;

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_true(parse(table[i].text, &line));
        assert_int_equal(line.options.power_on, table[i].on);
        assert_int_equal(line.options.power_demand, table[i].demand);
        scfs_options_free(&line);
    }
}

static void test_parse_who_only_asks_needs_no_mount_point(void **state)
{
    static const char *const words[] = {"-h", "--help", "-V", "--version"};
    static struct scfs_command_line line;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_true(parse(words[i], &line));
        assert_int_equal(line.help, i < 2);
        assert_int_equal(line.version, i >= 2);
        assert_null(line.options.mount_point);
        scfs_options_free(&line);
    }
}

/* count times the option, then /mnt */
static bool parse_many(const char *option, int count, struct scfs_command_line *line)
{
    char text[1024] = "-o ";

    for (int i = 0; i < count; i++) {
        strcat(text, i > 0 ? "," : "");
        strcat(text, option);
    }
    strcat(text, " /mnt");
    return parse(text, line);
}

static void test_parse_drivers_and_folders_are_counted(void **state)
{
    static struct scfs_command_line line;

    (void)state;
    assert_true(parse_many("driver=/a.so", SCFS_DRIVERS_MAX, &line));
    assert_int_equal(line.options.driver_count, SCFS_DRIVERS_MAX);
    assert_string_equal(line.options.drivers[SCFS_DRIVERS_MAX - 1], "/a.so");
    scfs_options_free(&line);
    assert_false(parse_many("driver=/a.so", SCFS_DRIVERS_MAX + 1, &line));
    scfs_options_free(&line);
    assert_true(parse_many("listen=/", SCFS_LISTEN_MAX, &line));
    assert_int_equal(line.options.listen_count, SCFS_LISTEN_MAX);
    scfs_options_free(&line);
    assert_false(parse_many("listen=/", SCFS_LISTEN_MAX + 1, &line));
    scfs_options_free(&line);
}

static void test_parse_by_an_ordinary_user_it_is_his(void **state)
{
    static struct scfs_command_line line;

    (void)state;
    played_uid = 1000;
    scard_group = 55;
    usual_config = true; /* would lock him out of his own mount */
    assert_true(parse("/mnt", &line));
    assert_int_equal(line.options.access.uid, 1000);
    assert_int_equal(line.options.access.gid, 1001);
    assert_null(line.options.config);
    assert_int_equal(configs, 0);
    scfs_options_free(&line);
    assert_true(refused("--user root /mnt", &line));
    assert_true(refused("--mount-for root /mnt", &line));
    assert_true(parse("none /dev/fd/3", &line)); /* root has mounted */
    assert_int_equal(line.options.access.uid, 0);
    assert_int_equal(line.options.access.gid, 55);
    assert_ptr_equal(line.options.config, &line.config);
    scfs_options_free(&line);
}

static void test_parse_rules_of_the_machine_are_read_unless_others_are_named(void **state)
{
    static struct scfs_command_line line;

    (void)state;
    if (geteuid() != 0)
        skip();
    usual_config = true;
    assert_true(parse("/mnt", &line));
    assert_ptr_equal(line.options.config, &line.config);
    assert_int_equal(configs, 1);
    scfs_options_free(&line);
    assert_true(refused("-o config=/nonexistent /mnt", &line));
    assert_int_equal(configs, 1);
    config_wrong = true;
    assert_true(refused("/mnt", &line));
    assert_int_equal(configs, 2);
}

static void test_parse_mount_for_takes_a_user_and_mounts(void **state)
{
    static struct scfs_command_line line;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_true(parse("--mount-for root /mnt", &line));
    assert_ptr_equal(line.options.mount_for, &line.user);
    assert_null(line.options.user);
    scfs_options_free(&line);
    assert_true(refused("--mount-for root /dev/fd/3", &line));
}

static void test_parse_without_memory_is_refused(void **state)
{
    static const char text[] =
        "-o driver=/a.so,listen=/,config=/c,config=/dev/null,rw,ro "
        "none /mnt";
    static struct scfs_command_line line;
    unsigned last;

    (void)state;
    assert_true(refused(text, &line)); /* for /dev/null is no file of rules */
    last = allocated;
    assert_true(last >= 10);
    for (unsigned n = 1; n <= last; n++) {
        allocated = 0;
        failing = n;
        assert_true(refused(text, &line));
        assert_int_equal(allocated, n); /* and no further */
    }
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_parse_mount_point_with_and_without_source_is_taken),
        CASE(test_parse_mistakes_are_refused),
        CASE(test_parse_owner_and_mode_are_kept),
        CASE(test_parse_without_owner_it_is_who_mounts),
        CASE(test_parse_user_is_for_root_and_not_with_a_mount_that_is_there),
        CASE(test_parse_vpcd_adds_a_reader_and_no_control_over_it),
        CASE(test_parse_confine_and_listen_are_kept),
        CASE(test_parse_numbers_are_kept),
        CASE(test_parse_power_has_three_words),
        CASE(test_parse_who_only_asks_needs_no_mount_point),
        CASE(test_parse_drivers_and_folders_are_counted),
        CASE(test_parse_by_an_ordinary_user_it_is_his),
        CASE(test_parse_rules_of_the_machine_are_read_unless_others_are_named),
        CASE(test_parse_mount_for_takes_a_user_and_mounts),
        CASE(test_parse_without_memory_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
