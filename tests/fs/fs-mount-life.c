/* SPDX-License-Identifier: BSD-2-Clause */
/* fs-mount-life.c - readers that go, and the life of the daemon, through the kernel. */
#include "mount_case.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- removal --------------------------------------------------------------------- */

static void test_unplug_ends_everything_with_enodev(void **state)
{
    int fd = connected(), text = mounted_open(&m, "reader0/state", O_RDONLY);
    pid_t event, wait, busy, queued;
    int32_t status;
    char line[32];

    (void)state;
    busy = busy_child(fd, ENODEV);
    event = reader_process("reader0/events/absent", errno_text(ENODEV));
    wait = fork();
    if (wait == 0)
        _exit(mounted_call(fd, IOCTL_SMARTCARD_IS_ABSENT, NULL, 0, NULL, NULL, FOREVER,
                           NULL) == ENODEV
                  ? 0
                  : 1);
    queued = fork();
    if (queued == 0)
        _exit(transmit(fd, count_apdu, sizeof count_apdu, FOREVER, NULL, NULL) == ENODEV
                  ? 0
                  : 1);
    assert_int_equal(mounted_say(&m, "unplug reader0\n"), 0);
    assert_int_equal(exit_of(busy), 0);
    assert_int_equal(exit_of(wait), 0);
    assert_int_equal(exit_of(queued), 0);
    /* It may have come too late to find the file. */
    event = exit_of(event);
    if (event != 0)
        assert_string_equal(mounted_read(&m, "reader0/events/absent"),
                            errno_text(ENOENT));
    assert_int_equal(transmit(fd, count_apdu, sizeof count_apdu, 0, &status, NULL),
                     ENODEV);
    assert_int_equal(status, STATUS_DEVICE_REMOVED);
    assert_int_equal(read(text, line, sizeof line), -1);
    assert_int_equal(errno, ENODEV);
    close(fd);
    close(text);
}

static void test_number_is_free_again_when_the_last_handle_is_closed(void **state)
{
    int fd = mounted_open(&m, "reader0/control", O_RDWR);
    struct stat before, after;

    (void)state;
    assert_int_equal(stat(mounted_path(&m, "reader0"), &before), 0);
    assert_int_equal(mounted_say(&m, "unplug reader0\nplug\n"), 0);
    assert_int_equal(access(mounted_path(&m, "reader0"), F_OK), -1);
    assert_int_equal(access(mounted_path(&m, "reader1"), F_OK), 0);
    close(fd);
    /* The release comes to the daemon some time after close. */
    do {
        assert_int_equal(mounted_say(&m, "plug\n"), 0);
        if (access(mounted_path(&m, "reader0"), F_OK) == 0)
            break;
        assert_int_equal(mounted_say(&m, "unplug reader2\n"), 0);
    } while (1);
    assert_int_equal(stat(mounted_path(&m, "reader0"), &after), 0);
    assert_true(after.st_ino != before.st_ino);
}

static void test_slots_of_one_reader_are_two_directories(void **state)
{
    (void)state;
    assert_int_equal(mounted_say(&m, "plug 0000:0002\n"), 0);
    assert_string_equal(mounted_read(&m, "reader1/name"), "Fake Reader (1) 00 00\n");
    assert_string_equal(mounted_read(&m, "reader2/name"), "Fake Reader (1) 00 01\n");
    assert_string_equal(mounted_read(&m, "reader2/atr"), FAKE_ATR "\n");
    assert_int_equal(mounted_say(&m, "unplug reader1\n"), 0);
    assert_int_equal(access(mounted_path(&m, "reader2"), F_OK), -1);
}

static void test_virtual_lines_that_fail_are_errors(void **state)
{
    (void)state;
    assert_int_equal(mounted_say(&m, "insert reader0\n"), EEXIST);
    assert_int_equal(mounted_say(&m, "insert reader7\n"), ENODEV);
    assert_int_equal(mounted_say(&m, "nonsense\n"), EINVAL);
    assert_string_equal(mounted_read(&m, "reader0/state"), "negotiable\n");
}

static void test_virtual_readers_are_limited_in_number(void **state)
{
    (void)state;
    for (int i = 1; i < SCFS_SHAPES_MAX; i++)
        assert_int_equal(mounted_say(&m, "plug\n"), 0);
    assert_int_equal(mounted_say(&m, "plug\n"), ENOSPC);
    assert_int_equal(mounted_say(&m, "unplug reader63\nplug\n"), 0);
    assert_int_equal(access(mounted_path(&m, "reader63"), F_OK), 0);
}

static void test_virtual_line_at_the_end_of_a_long_write_waits_for_its_rest(void **state)
{
    static const char line[] = "remove reader0\ninsert reader0\n";
    const size_t whole = sizeof line - 1, lines = 5000 / whole;
    int fd = mounted_open(&m, "virtual", O_WRONLY);
    char text[5200];

    (void)state;
    for (size_t i = 0; i < lines; i++)
        memcpy(text + i * whole, line, whole);
    memcpy(text + lines * whole, "remo", 4);
    assert_int_equal(write(fd, text, lines * whole + 4), (ssize_t)(lines * whole));
    assert_int_equal(write(fd, "remove reader0", 14), 14);
    assert_string_equal(mounted_read(&m, "reader0/state"), "absent\n");
    close(fd);
}

/* ---- life of the daemon ---------------------------------------------------------- */

static void test_second_instance_is_refused(void **state)
{
    struct mounted second = m;

    (void)state;
    assert_int_equal(mounted_start(&second, 1, true), 1);
    assert_string_equal(mounted_read(&m, "version"), "1\n");
}

static void test_stale_mount_of_a_killed_daemon_is_cleaned(void **state)
{
    (void)state;
    mounted_kill(&m, SIGKILL);
    assert_int_equal(access(mounted_path(&m, "version"), F_OK), -1);
    assert_int_equal(errno, ENOTCONN);
    assert_int_equal(mounted_start(&m, 1, true), 0);
    assert_string_equal(mounted_read(&m, "version"), "1\n");
}

static void test_sigterm_answers_waiters_and_unmounts(void **state)
{
    int fd = connected();
    pid_t busy = busy_child(fd, ENODEV), waiter = fork();
    struct stat inside, outside;

    (void)state;
    if (waiter == 0)
        _exit(mounted_call(fd, IOCTL_SMARTCARD_IS_ABSENT, NULL, 0, NULL, NULL, FOREVER,
                           NULL) == ENODEV
                  ? 0
                  : 1);
    assert_int_equal(stat(m.dir, &inside), 0);
    mounted_kill(&m, SIGTERM);
    assert_int_equal(exit_of(busy), 0);
    (void)exit_of(waiter); /* if it came after the end: ENOTCONN */
    assert_int_equal(stat(m.dir, &outside), 0);
    assert_true(inside.st_dev != outside.st_dev);
    close(fd);
}

/* The daemon becomes a child of the test once the process that started it has ended. */
static int setup_impatient(void **state)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return -1;
    m.stop_limit_ms = 200;
    return setup(state);
}

static int teardown_impatient(void **state)
{
    m.stop_limit_ms = 0;
    return teardown(state);
}

static void test_sigterm_does_not_wait_for_a_driver_that_never_ends(void **state)
{
    static const uint8_t stuck_apdu[] = {1, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xE6, 0, 0};
    int fd = connected();
    pid_t stuck = busy_with(fd, stuck_apdu, sizeof stuck_apdu, ENODEV);
    struct stat inside, outside;

    (void)state;
    while (strcmp(mounted_read(&m, "reader0/last_error"),
                  "STATUS_DEVICE_BUSY: stuck\n") != 0)
        continue;
    assert_int_equal(stat(m.dir, &inside), 0);
    mounted_kill(&m, SIGTERM);
    assert_int_equal(exit_of(m.daemon), 1);
    assert_int_equal(exit_of(stuck), 0);
    assert_int_equal(stat(m.dir, &outside), 0); /* unmounted, not left behind */
    assert_true(inside.st_dev != outside.st_dev);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_unplug_ends_everything_with_enodev),
        CASE(test_number_is_free_again_when_the_last_handle_is_closed),
        CASE(test_slots_of_one_reader_are_two_directories),
        CASE(test_virtual_lines_that_fail_are_errors),
        CASE(test_virtual_readers_are_limited_in_number),
        CASE(test_virtual_line_at_the_end_of_a_long_write_waits_for_its_rest),
        CASE(test_second_instance_is_refused),
        CASE(test_stale_mount_of_a_killed_daemon_is_cleaned),
        CASE(test_sigterm_answers_waiters_and_unmounts),
        cmocka_unit_test_setup_teardown(
            test_sigterm_does_not_wait_for_a_driver_that_never_ends, setup_impatient,
            teardown_impatient),
    };

    if (mount_cases_unavailable("fs-mount-life"))
        return 77;
    mount_cases_deadline();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
