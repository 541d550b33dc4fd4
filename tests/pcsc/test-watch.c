/* SPDX-License-Identifier: BSD-2-Clause */
/* test-watch.c - waits on a mount that says what none should: a directory in its place,
 * of which a file cannot be opened twice. */
#include <errno.h>
#include <fcntl.h>
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

#include "contrib/pcsc/winscard.h"

static char mount[] = "/tmp/scardfs-test-watch.XXXXXX";
static const char *const texts[][2] = {
    {"version", "1\n"},           {"changes", "1\n"},
    {"reader0/name", "Reader\n"}, {"reader0/state", "absent\n"},
    {"reader0/atr", "\n"},        {"reader0/events/absent", "1\n"}};

static int second_open; /* errno */
static unsigned opened;

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

int __wrap___open64_2(const char *path, int flags); /* where it is fortified */

int __wrap_open64(const char *path, int flags, ...)
{
    const char *file = strrchr(path, '/');

    if (file != NULL && strcmp(file, "/state") == 0 && opened++ > 0 && second_open != 0) {
        errno = second_open;
        return -1;
    }
    return __real_open64(path, flags);
}

int __wrap___open64_2(const char *path, int flags)
{
    return __wrap_open64(path, flags);
}

static void path_of(char path[4096], const char *file)
{
    snprintf(path, 4096, "%s/%s", mount, file);
}

static int setup(void **state)
{
    static const char *const folders[] = {"reader0", "reader0/events"};
    char path[4096];

    (void)state;
    if (mkdtemp(mount) == NULL || setenv("SCARDFS_MOUNT", mount, 1) != 0)
        return -1;
    for (size_t i = 0; i < 2; i++) {
        path_of(path, folders[i]);
        if (mkdir(path, 0700) != 0)
            return -1;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        FILE *file;

        path_of(path, texts[i][0]);
        file = fopen(path, "w");
        if (file == NULL || fputs(texts[i][1], file) < 0 || fclose(file) != 0)
            return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    static const char *const folders[] = {"reader0/events", "reader0", ""};
    char path[4096];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        path_of(path, texts[i][0]);
        unlink(path);
    }
    for (size_t i = 0; i < 3; i++) {
        path_of(path, folders[i]);
        rmdir(path);
    }
    return 0;
}

/* EALREADY above all, which once meant in here that there was nothing to look at. */
static void test_errno_of_the_mount_is_not_taken_for_no_change(void **state)
{
    static const int errors[] = {EALREADY, EIO, EACCES, EAGAIN};
    SCARD_READERSTATE reader = {.szReader = "Reader",
                                .dwCurrentState = SCARD_STATE_EMPTY};
    SCARDCONTEXT context;

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        assert_int_equal(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context),
                         SCARD_S_SUCCESS);
        opened = 1; /* remembered: to be watched it is opened once more */
        second_open = 0;
        assert_int_equal(SCardGetStatusChange(context, 0, &reader, 1), SCARD_E_TIMEOUT);
        second_open = errors[i];
        assert_int_equal(SCardGetStatusChange(context, 10, &reader, 1),
                         errors[i] == EACCES ? SCARD_W_SECURITY_VIOLATION
                                             : SCARD_F_COMM_ERROR);
        assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_errno_of_the_mount_is_not_taken_for_no_change, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
