/* SPDX-License-Identifier: BSD-2-Clause */
/* test-fork.c - a child has none of its parent's contexts, cards and files, and may begin
 * with its own. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "contrib/pcsc/reader.h"
#include "fake_mount.h"

#define EXPECT(condition)                                                                \
    ((condition) ? (void)0                                                               \
                 : (fprintf(stderr, "child: not so: " #condition "\n"), _exit(1)))

static SCARDCONTEXT context;
static SCARDHANDLE card;
static struct reader *held; /* as a thread would that the child does not have */

static _Noreturn void be_the_child(void)
{
    SCARDCONTEXT own;

    EXPECT(fake_open_files() == 0);
    EXPECT(SCardIsValidContext(context) == SCARD_E_INVALID_HANDLE);
    EXPECT(SCardCancel(context) == SCARD_E_INVALID_HANDLE);
    EXPECT(SCardBeginTransaction(card) == SCARD_E_INVALID_HANDLE);
    EXPECT(SCardDisconnect(card, SCARD_RESET_CARD) == SCARD_E_INVALID_HANDLE);
    EXPECT(fake_ioctls == 0); /* nothing was done to the parent's card */
    own = fake_context();
    EXPECT(own != context);
    EXPECT(fake_card(own, SCARD_SHARE_SHARED) != card);
    EXPECT(SCardReleaseContext(own) == SCARD_S_SUCCESS);
    EXPECT(fake_open_files() == 0);
    exit(0); /* as programs do */
}

static void test_child_begins_with_nothing(void **state)
{
    int error = 0, status = -1;
    unsigned files;
    pid_t child;

    (void)state;
    context = fake_context();
    card = fake_card(context, SCARD_SHARE_SHARED);
    held = reader_find(FAKE_READER, &error);
    assert_non_null(held);
    files = fake_open_files();
    assert_int_equal(files, 2);
    fake_ioctls = 0;
    fflush(NULL);
    child = fork();
    if (child == 0)
        be_the_child();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(fake_open_files(), files);
    assert_int_equal(SCardBeginTransaction(card), SCARD_S_SUCCESS);
    reader_put(held);
    assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
}

/* The numbers of files that a program has closed are other files' then. */
static void test_files_that_the_program_closed_are_left_alone(void **state)
{
    int numbers[64];

    (void)state;
    context = fake_context();
    card = fake_card(context, SCARD_SHARE_SHARED);
    closefrom(3);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        /* On the mount's own file system, and not. */
        numbers[i] = open(i % 2 == 0 ? "/tmp" : "/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(numbers[i] >= 0);
    }
    assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_int_equal(close(numbers[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_child_begins_with_nothing, fake_mount_setup,
                                        fake_mount_teardown),
        cmocka_unit_test_setup_teardown(test_files_that_the_program_closed_are_left_alone,
                                        fake_mount_setup, fake_mount_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
