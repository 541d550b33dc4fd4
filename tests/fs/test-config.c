/* SPDX-License-Identifier: BSD-2-Clause */
/* test-config.c - rules for single readers: what a line means, and which rule is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "fs/config.h"

#define OF_NO_USER "uid=nobody-of-this-name"

static const struct smc_device_identity a_reader = {
    .vid = 0x08E6, .pid = 0x3437, .serial = "A 1", .path = "1-2.3"};

static const char *parse(const char *line, struct scfs_rule *rule, bool *empty,
                         char word[64])
{
    char copy[512];
    const char *at, *wrong;

    snprintf(copy, sizeof copy, "%s", line);
    wrong = scfs_config_line(copy, rule, empty, &at);
    snprintf(word, 64, "%s", at);
    return wrong;
}

static void test_line_with_everything_is_a_rule(void **state)
{
    struct scfs_rule rule;
    bool empty;
    char word[64];

    (void)state;
    assert_null(
        parse("  id=08E6:3437\tserial=A\\x201 path=1-2.3 uid=1 gid=2 mode=640 # x", &rule,
              &empty, word));
    assert_false(empty);
    assert_true(rule.by_id && rule.by_serial && rule.by_path);
    assert_int_equal(rule.vid, 0x08E6);
    assert_int_equal(rule.pid, 0x3437);
    assert_string_equal(rule.serial, "A 1");
    assert_string_equal(rule.path, "1-2.3");
    assert_true(rule.sets_uid && rule.sets_gid && rule.sets_mode);
    assert_int_equal(rule.access.uid, 1);
    assert_int_equal(rule.access.gid, 2);
    assert_int_equal(rule.access.mode, 0640);
}

static void test_line_without_words_is_empty(void **state)
{
    static const char *const lines[] = {"", "   ", "#", " \t# id=1 mode=", "\r"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct scfs_rule rule;
        bool empty = false;
        char word[64];

        assert_null(parse(lines[i], &rule, &empty, word));
        assert_true(empty);
    }
}

static void test_line_with_a_mistake_names_its_word(void **state)
{
    static const struct {
        const char *line, *word, *wrong;
    } table[] = {
        {"id", "id", "KEY=VALUE"},
        {"=1", "=1", "the keys are"},
        {"idd=08e6:3437 mode=600", "idd=08e6:3437", "the keys are"},
        {"ie=08e6:3437 mode=600", "ie=08e6:3437", "the keys are"},
        {"series=1 mode=600", "series=1", "the keys are"},
        {"park=1 mode=600", "park=1", "the keys are"},
        {"pid=1 mode=600", "pid=1", "the keys are"},
        {"i=08e6:3437 mode=600", "i=08e6:3437", "the keys are"},
        {"id=08e6 mode=600", "id=08e6", "not a value"},
        {"id=8e6:3437 mode=600", "id=8e6:3437", "not a value"},
        {"id=08e6:34378 mode=600", "id=08e6:34378", "not a value"},
        {"id=08e6:343g mode=600", "id=08e6:343g", "not a value"},
        {"id= mode=600", "id=", "not a value"},
        {"serial= mode=600", "serial=", "not a value"},
        {"serial=a\\ mode=600", "serial=a\\", "not a value"},
        {"serial=a\\x2 mode=600", "serial=a\\x2", "not a value"},
        {"serial=a\\x00b mode=600", "serial=a\\x00b", "not a value"},
        {"path=1 mode=800", "mode=800", "not a value"},
        {"path=1 mode=1777", "mode=1777", "not a value"},
        {"path=1 mode=-1", "mode=-1", "not a value"},
        {"path=1 " OF_NO_USER, OF_NO_USER, "not a value"},
        {"path=1 uid=4294967295", "uid=4294967295", "not a value"},
        {"path=1 gid=-1", "gid=-1", "not a value"},
        {"path=1 path=2 mode=600", "path=2", "comes once"},
        {"path=1 mode=600 mode=600", "mode=600", "comes once"},
        {"mode=600", "", "names readers"},
        {"path=1", "", "says uid="},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct scfs_rule rule;
        bool empty;
        char word[64];
        const char *wrong = parse(table[i].line, &rule, &empty, word);

        assert_non_null(wrong);
        assert_non_null(strstr(wrong, table[i].wrong));
        assert_string_equal(word, table[i].word);
    }
}

static void test_serial_too_long_is_refused(void **state)
{
    char line[256] = "mode=600 serial=";
    struct scfs_rule rule;
    bool empty;
    char word[64];

    (void)state;
    memset(line + strlen(line), 'a', sizeof rule.serial - 1);
    assert_null(parse(line, &rule, &empty, word));
    line[strlen(line)] = 'a';
    assert_non_null(parse(line, &rule, &empty, word));
}

static void test_apply_first_rule_for_the_reader_decides(void **state)
{
    static const struct scfs_access before = {.uid = 7, .gid = 8, .mode = 0660};
    static const struct {
        const char *lines[3];
        struct scfs_access after;
    } table[] = {
        {{"id=08e6:3437 gid=2"}, {7, 2, 0660}},
        {{"id=08e6:3438 gid=2"}, {7, 8, 0660}},
        {{"id=08e7:3437 gid=2"}, {7, 8, 0660}},
        {{"serial=A\\x201 uid=1 mode=600"}, {1, 8, 0600}},
        {{"serial=A uid=1"}, {7, 8, 0660}},
        {{"path=1-2.3 mode=666"}, {7, 8, 0666}},
        {{"path=1-2 mode=666"}, {7, 8, 0660}},
        {{"path=1-2.3 serial=B mode=666"}, {7, 8, 0660}},
        {{"path=1-2.3 serial=A\\x201 id=08e6:3437 mode=666"}, {7, 8, 0666}},
        {{"path=9 uid=1", "path=1-2.3 uid=2", "id=08e6:3437 uid=3 gid=3"}, {2, 8, 0660}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        static struct scfs_config config;
        struct scfs_access access = before;
        bool empty;
        char word[64];

        config.count = 0;
        for (size_t line = 0; line < 3 && table[i].lines[line] != NULL; line++)
            assert_null(
                parse(table[i].lines[line], &config.rules[config.count++], &empty, word));
        scfs_config_apply(&config, &a_reader, &access);
        assert_int_equal(access.uid, table[i].after.uid);
        assert_int_equal(access.gid, table[i].after.gid);
        assert_int_equal(access.mode, table[i].after.mode);
    }
}

static void test_apply_without_rules_changes_nothing(void **state)
{
    struct scfs_access access = {.uid = 7, .gid = 8, .mode = 0660};

    (void)state;
    scfs_config_apply(NULL, &a_reader, &access);
    assert_int_equal(access.uid, 7);
    assert_int_equal(access.gid, 8);
    assert_int_equal(access.mode, 0660);
}

/* ---- files ------------------------------------------------------------------------ */

/* Whether a file with that in it is taken; *rules is how many it has. */
static bool taken(const char *text, size_t len, mode_t mode, size_t *rules)
{
    static struct scfs_config config;
    char name[] = "/tmp/scardfs-config-XXXXXX";
    int fd = mkstemp(name);
    bool good;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    good = scfs_config_read(&config, name);
    *rules = config.count;
    unlink(name);
    return good;
}

static void test_file_of_rules_and_comments_is_taken(void **state)
{
    static const char text[] = "# readers\n\npath=1 mode=600\npath=2 mode=666";
    size_t rules;

    (void)state;
    assert_true(taken(text, strlen(text), 0644, &rules));
    assert_int_equal(rules, 2);
}

static void test_file_with_one_mistake_is_refused_whole(void **state)
{
    static const char wrong[] = "path=1 mode=600\npath=2 mode=9\n";
    static const char zero[] = "path=1 mode=600\0\npath=2 mode=600\n";
    static const char last[] = "path=1 mode=600\0 gid=1";
    char longer[2048];
    size_t rules;

    (void)state;
    assert_false(taken(wrong, strlen(wrong), 0644, &rules));
    assert_false(taken(zero, sizeof zero - 1, 0644, &rules));
    assert_false(taken(last, sizeof last - 1, 0644, &rules));
    memset(longer, ' ', sizeof longer);
    longer[sizeof longer - 1] = '\n';
    assert_false(taken(longer, sizeof longer, 0644, &rules));
}

static void test_file_with_too_many_rules_is_refused(void **state)
{
    static char text[(SCFS_RULES_MAX + 1) * 16];
    size_t rules;

    (void)state;
    for (size_t i = 0; i < sizeof text; i += 16)
        memcpy(text + i, "path=1 mode=600\n", 16);
    assert_true(taken(text, sizeof text - 16, 0644, &rules));
    assert_int_equal(rules, SCFS_RULES_MAX);
    assert_false(taken(text, sizeof text, 0644, &rules));
}

static void test_file_that_others_may_write_is_refused(void **state)
{
    size_t rules;

    (void)state;
    assert_true(taken("", 0, 0640, &rules));
    assert_false(taken("", 0, 0646, &rules));
}

static void test_file_that_is_none_is_refused(void **state)
{
    static struct scfs_config config;

    (void)state;
    assert_false(scfs_config_read(&config, "/nonexistent"));
    assert_false(scfs_config_read(&config, "/"));
    assert_false(scfs_config_read(&config, "/dev/null"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_with_everything_is_a_rule),
        cmocka_unit_test(test_line_without_words_is_empty),
        cmocka_unit_test(test_line_with_a_mistake_names_its_word),
        cmocka_unit_test(test_serial_too_long_is_refused),
        cmocka_unit_test(test_apply_first_rule_for_the_reader_decides),
        cmocka_unit_test(test_apply_without_rules_changes_nothing),
        cmocka_unit_test(test_file_of_rules_and_comments_is_taken),
        cmocka_unit_test(test_file_with_one_mistake_is_refused_whole),
        cmocka_unit_test(test_file_with_too_many_rules_is_refused),
        cmocka_unit_test(test_file_that_others_may_write_is_refused),
        cmocka_unit_test(test_file_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
