/* SPDX-License-Identifier: BSD-2-Clause */
/* test-mount.c - paths, text files and calls of a mount, which may be anybody's. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "contrib/pcsc/mount.h"
#include "fake_mount.h"

static void test_mount_is_where_it_is_said_to_be(void **state)
{
    static const char *const elsewhere[] = {"", NULL};
    char *const before = strdup(getenv("SCARDFS_MOUNT"));

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        if (elsewhere[i] != NULL)
            setenv("SCARDFS_MOUNT", elsewhere[i], 1);
        else
            unsetenv("SCARDFS_MOUNT");
        fake_fails(FAKE_OPEN, "version", 0, 1, EMFILE);
        assert_int_equal(mount_check(), EMFILE);
        assert_string_equal(fake_path, "/run/scard/version");
    }
    setenv("SCARDFS_MOUNT", before, 1);
    free(before);
    assert_int_equal(mount_check(), 0);
}

static void test_mount_whose_path_is_too_long(void **state)
{
    char *const before = strdup(getenv("SCARDFS_MOUNT"));
    static char path[4096];

    (void)state;
    memset(path, '/', sizeof path - 10);
    setenv("SCARDFS_MOUNT", path, 1);
    assert_int_equal(mount_open(-1, "0123456789", O_RDONLY), -ENAMETOOLONG);
    assert_int_equal(mount_open(0, "control", O_RDONLY), -ENAMETOOLONG);
    setenv("SCARDFS_MOUNT", before, 1);
    free(before);
}

static void test_another_version_is_no_mount(void **state)
{
    static const char *const versions[] = {"2\n", "", "\n1\n", "11\n", "1 \n"};

    (void)state;
    for (unsigned i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        fake_file("version", versions[i]);
        assert_int_equal(mount_check(), ENOTCONN);
    }
    fake_file("version", NULL);
    assert_int_equal(mount_check(), ENOTCONN);
}

static void test_signal_ends_neither_open_nor_read(void **state)
{
    char text[16];

    (void)state;
    fake_fails(FAKE_OPEN, "name", 0, 3, EINTR);
    fake_fails(FAKE_READ, "name", 0, 3, EINTR);
    assert_int_equal(mount_text(0, "name", text, sizeof text), 0);
    assert_string_equal(text, FAKE_READER);
    fake_fails(FAKE_READ, "name", 0, 1, EIO);
    assert_int_equal(mount_text(0, "name", text, sizeof text), EIO);
    assert_int_equal(mount_text(0, "name", text, 4), 0);
    assert_string_equal(text, "Rea");
}

/* Where a sandbox forbids statx(2): it would not be closed later. */
static void test_file_that_cannot_be_recognised_is_not_kept(void **state)
{
    char text[16];
    int fd;

    (void)state;
    fake_fails(FAKE_STATX, "name", 0, 1, EPERM);
    assert_int_equal(mount_text(0, "name", text, sizeof text), EPERM);
    assert_int_equal(fake_open_files(), 0);
    /* Whose number it is now is not known: it may be another's. */
    fd = mount_open(0, "name", O_RDONLY);
    assert_true(fd >= 0);
    fake_fails(FAKE_STATX, "name", 0, 1, EPERM);
    mount_close(fd);
    assert_int_equal(fake_open_files(), 1);
    assert_int_equal(close(fd), 0);
}

static void test_count_of_arrivals(void **state)
{
    uint32_t count = 99;

    (void)state;
    fake_fails(FAKE_READ, "changes", 0, 1, EIO);
    assert_int_equal(mount_arrivals(&count), EIO);
    assert_int_equal(count, 99);
    fake_file("changes", "17\n18\n");
    assert_int_equal(mount_arrivals(&count), 0);
    assert_int_equal(count, 17);
    fake_file("changes", NULL);
    assert_int_equal(mount_arrivals(&count), ENOTCONN);
}

static void test_directories_that_are_no_readers(void **state)
{
    static const char *const others[] = {
        "reader/x",   "readerx/x",  "reader-1/x",     "reader+1/x",
        "reader1x/x", "reader 1/x", "reader100000/x", "reader99999999999999999999/x",
        "Reader1/x",  "areader1/x", "reader:/x"};
    unsigned numbers[MOUNT_READERS_MAX];

    (void)state;
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
        fake_file(others[i], "");
    fake_file("reader99999/x", "");
    fake_file("reader12/x", "");
    assert_int_equal(mount_readers(numbers), 3);
    assert_int_equal(numbers[0], 0);
    assert_int_equal(numbers[1], 12);
    assert_int_equal(numbers[2], 99999);
}

static void test_more_readers_than_there_can_be(void **state)
{
    unsigned numbers[MOUNT_READERS_MAX];
    char path[32];

    (void)state;
    for (unsigned i = 1; i < MOUNT_READERS_MAX + 20; i++) {
        snprintf(path, sizeof path, "reader%u/name", i);
        fake_file(path, "");
    }
    assert_int_equal(mount_readers(numbers), MOUNT_READERS_MAX);
    for (unsigned i = 1; i < MOUNT_READERS_MAX; i++)
        assert_true(numbers[i - 1] < numbers[i]);
}

static void test_directory_without_end(void **state)
{
    unsigned numbers[MOUNT_READERS_MAX];

    (void)state;
    fake_endless = true;
    assert_int_equal(mount_readers(numbers), 0);
}

/* ---- calls ------------------------------------------------------------------------- */

static void test_what_no_call_can_carry(void **state)
{
    static uint8_t bytes[MOUNT_CALL_MAX + 1];
    const int fd = mount_open(0, "control", O_RDWR);
    size_t len = 0;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(mount_control(fd, 1, bytes, sizeof bytes, bytes, &len), EMSGSIZE);
    len = sizeof bytes;
    assert_int_equal(mount_control(fd, 1, bytes, 0, bytes, &len), EMSGSIZE);
    assert_int_equal(mount_set_attribute(fd, 1, bytes, MOUNT_ENVELOPE - 3), EMSGSIZE);
    assert_int_equal(fake_ioctls, 0);
    assert_int_equal(mount_set_attribute(fd, 1, bytes, MOUNT_ENVELOPE - 4), 0);
    assert_int_equal(mount_set_attribute(fd, 1, NULL, 0), 0);
    len = sizeof bytes - 1;
    assert_int_equal(mount_control(fd, 1, bytes, sizeof bytes - 1, bytes, &len), 0);
    assert_int_equal(len, sizeof bytes - 1);
    assert_int_equal(fake_ioctls, 3);
    mount_close(fd);
}

static void test_calls_that_were_done_before_are_done(void **state)
{
    const int fd = mount_open(0, "control", O_RDWR);

    (void)state;
    assert_true(fd >= 0);
    fake_fails(FAKE_IOCTL, "disconnect", 0, 1, EPERM);
    assert_int_equal(mount_disconnect(fd, SCARD_DISPOSITION_LEAVE), 0);
    fake_fails(FAKE_IOCTL, "disconnect", 0, 1, EBUSY);
    assert_int_equal(mount_disconnect(fd, SCARD_DISPOSITION_LEAVE), EBUSY);
    fake_fails(FAKE_IOCTL, "end", 0, 1, EPERM);
    assert_int_equal(mount_end(fd, SCARD_DISPOSITION_LEAVE), 0);
    fake_fails(FAKE_IOCTL, "end", 0, 1, ECANCELED);
    assert_int_equal(mount_end(fd, SCARD_DISPOSITION_LEAVE), ECANCELED);
    fake_fails(FAKE_IOCTL, "begin", 0, 1, EALREADY);
    assert_int_equal(mount_begin(fd), 0);
    fake_fails(FAKE_IOCTL, "begin", 0, 1, EDEADLK);
    assert_int_equal(mount_begin(fd), EDEADLK);
    mount_close(fd);
}

int main(void)
{
#define ROW(name)                                                                        \
    cmocka_unit_test_setup_teardown(name, fake_mount_setup, fake_mount_teardown)
    const struct CMUnitTest tests[] = {
        ROW(test_mount_is_where_it_is_said_to_be),
        ROW(test_mount_whose_path_is_too_long),
        ROW(test_another_version_is_no_mount),
        ROW(test_signal_ends_neither_open_nor_read),
        ROW(test_file_that_cannot_be_recognised_is_not_kept),
        ROW(test_count_of_arrivals),
        ROW(test_directories_that_are_no_readers),
        ROW(test_more_readers_than_there_can_be),
        ROW(test_directory_without_end),
        ROW(test_what_no_call_can_carry),
        ROW(test_calls_that_were_done_before_are_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
