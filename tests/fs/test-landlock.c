/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-landlock.c - which files are left to the daemon: as the kernel is told, for every
 * version of it and when it refuses, and as a process finds them. The linker sends
 * syscall, open and strdup here (--wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "aside.h"
#include "fs/confine.h"

#define RULES_MAX  16
#define EVERYTHING ((UINT64_C(1) << 16) - 1)
#define READ       (1u << 2 | 1u << 3) /* files and folders */
#define SOCKETS    (1u << 9 | 1u << 5) /* made and removed */
#define DEVICES    (READ | 1u << 1 | 1u << 15)

long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c, long d);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

/* The kernel that is played; without it the real one answers. */
static bool played;
static long version;     /* of its Landlock; below 0: -errno */
static int create_error; /* of the ruleset */
static int add_error;    /* of each rule */
static int restrict_error;
static int open_error;
static bool no_memory;

static uint64_t handled;
static struct {
    char path[128];
    uint64_t accesses;
} rules[RULES_MAX];
static unsigned rule_count, restricted;
static int ruleset;

static long answer(int error)
{
    errno = error;
    return error != 0 ? -1 : 0;
}

static long add_rule(const char *attributes)
{
    char link[32];
    int32_t directory;
    ssize_t len;

    assert_true(rule_count < RULES_MAX);
    memcpy(&rules[rule_count].accesses, attributes, 8);
    memcpy(&directory, attributes + 8, 4); /* packed */
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    len = readlink(link, rules[rule_count].path, sizeof rules->path - 1);
    assert_true(len > 0);
    rules[rule_count++].path[len] = '\0';
    return answer(add_error);
}

long __wrap_syscall(long number, long a, long b, long c, long d)
{
    if (!played)
        return __real_syscall(number, a, b, c, d);
    switch (number) {
    case SYS_landlock_create_ruleset:
        if (a == 0) {
            assert_int_equal(c, 1);
            return version < 0 ? answer((int)-version) : version;
        }
        if (create_error != 0)
            return answer(create_error);
        memcpy(&handled, (const void *)a, sizeof handled); /* NOLINT: the kernel's way */
        ruleset = __real_open64("/dev/null", O_RDONLY | O_CLOEXEC);
        return ruleset;
    case SYS_landlock_add_rule:
        assert_int_equal(a, ruleset);
        assert_int_equal(b, 1);
        return add_rule((const char *)c);
    case SYS_landlock_restrict_self:
        assert_int_equal(a, ruleset);
        restricted++;
        return answer(restrict_error);
    default:
        fail_msg("system call %ld", number);
        return -1;
    }
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list more;
    mode_t mode;

    va_start(more, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (open_error != 0)
        return (int)answer(open_error);
    return __real_open64(path, flags, mode);
}

char *__wrap_strdup(const char *text)
{
    return no_memory ? NULL : __real_strdup(text);
}

static struct scfs_options options;
static char folder[] = "/tmp/scardfs-landlock-XXXXXX";

static int setup(void **state)
{
    (void)state;
    options = (struct scfs_options){.confine = SCFS_CONFINE_ON};
    played = true;
    version = 5;
    create_error = add_error = restrict_error = open_error = 0;
    no_memory = false;
    handled = 0;
    rule_count = restricted = 0;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
    (void)state;
    played = no_memory = false;
    open_error = 0;
    return rmdir(folder);
}

/* Closed, whatever came of it. */
static void assert_no_ruleset_left(void)
{
    assert_int_equal(fcntl(ruleset, F_GETFD), -1);
}

/* What is allowed there: 0 for nothing. */
static uint64_t allowed(const char *path)
{
    for (unsigned i = 0; i < rule_count; i++) {
        if (strcmp(rules[i].path, path) == 0)
            return rules[i].accesses;
    }
    return 0;
}

/* ---- what the kernel is told ------------------------------------------------------ */

static void test_every_version_is_asked_for_all_that_it_knows(void **state)
{
    static const struct {
        long version;
        unsigned bits;
    } table[] = {{1, 13}, {2, 14}, {3, 15}, {4, 15}, {5, 16}, {7, 16}};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint64_t all = (UINT64_C(1) << table[i].bits) - 1;

        version = table[i].version;
        rule_count = restricted = 0;
        assert_int_equal(scfs_landlock_restrict(&options), 0);
        assert_int_equal(handled, all);
        assert_int_equal(restricted, 1);
        assert_no_ruleset_left();
        assert_int_equal(allowed("/sys"), READ & all);
        assert_int_equal(allowed("/dev/null"), (1u << 1 | 1u << 2) & all);
        for (unsigned k = 0; k < rule_count; k++)
            assert_int_equal(rules[k].accesses & ~all, 0);
    }
}

static void test_only_devices_of_usb_may_be_written(void **state)
{
    (void)state;
    assert_int_equal(scfs_landlock_restrict(&options), 0);
    assert_int_equal(allowed("/dev"), 1u << 3);
    if (access("/dev/bus/usb", F_OK) == 0)
        assert_int_equal(allowed("/dev/bus/usb"), DEVICES);
    for (unsigned i = 0; i < rule_count; i++) {
        if (strncmp(rules[i].path, "/dev/", 5) != 0)
            assert_int_equal(rules[i].accesses & ~(uint64_t)READ, 0);
    }
}

static void test_folders_of_sockets_are_for_sockets_and_nothing_else(void **state)
{
    char socket_name[64];

    (void)state;
    snprintf(socket_name, sizeof socket_name, "vpcd=unix:%s/card", folder);
    options.shapes[0] = NULL;
    options.shapes[1] = "tpdu";
    options.shapes[2] = "vpcd=0";
    options.shapes[3] = "vpcd=unix:here"; /* the folder is not known */
    options.shapes[4] = "vpcd=unix:/card";
    options.shapes[5] = socket_name;
    options.shape_count = 6;
    options.listen[0] = "/tmp";
    options.listen[1] = "/nonexistent";
    options.listen_count = 2;
    options.virtual_folder = "/usr";
    assert_int_equal(scfs_landlock_restrict(&options), 0);
    assert_int_equal(allowed(folder), SOCKETS);
    assert_int_equal(allowed("/"), SOCKETS);
    assert_int_equal(allowed("/tmp"), SOCKETS);
    assert_int_equal(allowed("/usr"), READ);
    assert_int_equal(allowed(""), 0);
}

/* ---- when it does not go ---------------------------------------------------------- */

static void test_kernel_that_refuses_is_told_of_by_its_errno(void **state)
{
    (void)state;
    version = -ENOSYS;
    assert_int_equal(scfs_landlock_restrict(&options), ENOSYS);
    version = 5;
    create_error = EOPNOTSUPP;
    assert_int_equal(scfs_landlock_restrict(&options), EOPNOTSUPP);
    create_error = 0;
    restrict_error = E2BIG;
    assert_int_equal(scfs_landlock_restrict(&options), E2BIG);
    assert_no_ruleset_left();
    assert_int_equal(restricted, 1);
}

static void test_first_rule_that_fails_ends_it_unrestricted(void **state)
{
    (void)state;
    add_error = EINVAL;
    assert_int_equal(scfs_landlock_restrict(&options), EINVAL);
    assert_int_equal(rule_count, 1);
    assert_int_equal(restricted, 0);
    assert_no_ruleset_left();
}

static void test_place_that_is_not_for_us_needs_no_rule(void **state)
{
    static const struct {
        int error, result;
    } table[] = {{ENOENT, 0}, {ENOTDIR, 0}, {EACCES, 0}, {EMFILE, EMFILE}};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        open_error = table[i].error;
        assert_int_equal(scfs_landlock_restrict(&options), table[i].result);
        assert_int_equal(rule_count, 0);
        assert_no_ruleset_left();
    }
    open_error = 0;
}

static void test_without_memory_for_a_name_it_is_unrestricted(void **state)
{
    (void)state;
    options.shapes[0] = "vpcd=unix:/run/card";
    options.shape_count = 1;
    options.listen[0] = "/tmp";
    options.listen_count = 1;
    options.virtual_folder = "/usr";
    no_memory = true;
    assert_int_equal(scfs_landlock_restrict(&options), ENOMEM);
    no_memory = false;
    assert_int_equal(restricted, 0);
    assert_int_equal(allowed("/tmp") | allowed("/usr"), 0);
}

/* ---- as a process finds it -------------------------------------------------------- */

enum {
    LISTENS = 1,
    LOOKS = 2,
    WRITES_NULL = 4,
    READS = 8,
    MAKES = 16,
    LISTENS_OUTSIDE = 32
};

static bool opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool listens(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound;

    strncpy(address.sun_path, name, sizeof address.sun_path - 1);
    bound = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return bound && unlink(name) == 0;
}

static char inside[64], outside[64], made[64];

static int tries(void *unused)
{
    (void)unused;
    if (scfs_landlock_restrict(&options) != 0)
        return 127;
    return (listens(inside) ? LISTENS : 0) |
           (opens("/sys", O_RDONLY | O_DIRECTORY) ? LOOKS : 0) |
           (opens("/dev/null", O_RDWR) ? WRITES_NULL : 0) |
           (opens("/etc/passwd", O_RDONLY) ? READS : 0) |
           (opens(made, O_WRONLY | O_CREAT) ? MAKES : 0) |
           (listens(outside) ? LISTENS_OUTSIDE : 0);
}

static void test_process_finds_what_it_was_left_and_nothing_else(void **state)
{
    struct stat st;

    (void)state;
    played = false;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0)
        skip();
    options.listen[0] = folder;
    options.listen_count = 1;
    snprintf(inside, sizeof inside, "%s/socket", folder);
    snprintf(outside, sizeof outside, "%s-socket", folder);
    snprintf(made, sizeof made, "%s/file", folder);
    assert_int_equal(aside(tries, NULL), LISTENS | LOOKS | WRITES_NULL);
    assert_int_equal(stat(made, &st), -1);
    assert_true(opens("/etc/passwd", O_RDONLY)); /* it was confined, not we */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_every_version_is_asked_for_all_that_it_knows),
        CASE(test_only_devices_of_usb_may_be_written),
        CASE(test_folders_of_sockets_are_for_sockets_and_nothing_else),
        CASE(test_kernel_that_refuses_is_told_of_by_its_errno),
        CASE(test_first_rule_that_fails_ends_it_unrestricted),
        CASE(test_place_that_is_not_for_us_needs_no_rule),
        CASE(test_without_memory_for_a_name_it_is_unrestricted),
        CASE(test_process_finds_what_it_was_left_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
