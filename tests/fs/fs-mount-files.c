/* SPDX-License-Identifier: BSD-2-Clause */
/* fs-mount-files.c - the tree, text files, events and poll through the kernel. */
#include "mount_case.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the tree -------------------------------------------------------------------- */

static void test_tree_every_file_says_what_it_should(void **state)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"version", "1\n"},
        {"reader0/atr", FAKE_ATR "\n"},
        {"reader0/state", "negotiable\n"},
        {"reader0/name", "Fake Reader (0) 00 00\n"},
        {"reader0/last_error", "none\n"},
        {"reader0/events/present", "0\n"},
        {"reader0/attributes/vendor_name", "fake\n"},
        {"reader0/attributes/vendor_ifd_type", "re\\x0aader\n"},
        {"reader0/attributes/atr_string", FAKE_ATR "\n"},
        {"reader0/attributes/max_ifsd", "254\n"},
        {"reader0/attributes/protocol_types", "0x00000003\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(mounted_read(&m, rows[i].name), rows[i].text);
    assert_string_equal(mounted_read(&m, "reader0/attributes/current_f"),
                        errno_text(ENODATA));
}

static void test_tree_names_that_are_not_there_are_normal_errors(void **state)
{
    char longest[300];
    static const struct {
        const char *name;
        int error;
    } rows[] = {
        {"reader1", ENOENT},
        {"reader00", ENOENT},
        {"reader0\n", ENOENT},
        {"reader0/attributes/user_to_card_auth_device", ENOENT},
        {"reader0/nothing", ENOENT},
        {"reader0/../reader0/../reader9", ENOENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(mounted_open(&m, rows[i].name, O_RDONLY), -1);
        assert_int_equal(errno, rows[i].error);
    }
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(mounted_open(&m, longest, O_RDONLY), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(open(mounted_path(&m, "new"), O_WRONLY | O_CREAT, 0600), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(mkdir(mounted_path(&m, "reader9"), 0700), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(unlink(mounted_path(&m, "version")), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(symlink("version", mounted_path(&m, "other")), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(link(mounted_path(&m, "version"), mounted_path(&m, "other")), -1);
    assert_int_equal(errno, EPERM);
}

/* Success would promise that others are kept out. */
static void test_locks_are_refused_where_they_mean_nothing(void **state)
{
    int fd = mounted_open(&m, "reader0/state", O_RDONLY);

    (void)state;
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(errno, EOPNOTSUPP);
    close(fd);
}

static void test_open_of_a_text_file_for_writing_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mounted_open(&m, "reader0/state", O_RDWR), -1);
    assert_int_equal(errno, EACCES);
}

static void test_control_refuses_one_byte_and_has_no_answer(void **state)
{
    int fd = mounted_open(&m, "reader0/control", O_RDWR);
    char byte = 0;

    (void)state;
    assert_int_equal(write(fd, &byte, 1), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, ENODATA);
    close(fd);
}

static void test_text_read_in_parts_is_one_snapshot(void **state)
{
    int fd = mounted_open(&m, "reader0/state", O_RDONLY);
    char text[32] = "";

    (void)state;
    assert_int_equal(read(fd, text, 3), 3);
    assert_int_equal(mounted_say(&m, "remove reader0\n"), 0);
    assert_int_equal(read(fd, text + 3, 28), 8);
    assert_string_equal(text, "negotiable\n");
    assert_int_equal(read(fd, text, 31), 0);
    assert_int_equal(pread(fd, text, 31, 0), 7);
    assert_memory_equal(text, "absent\n", 7);
    close(fd);
}

/* ---- power ----------------------------------------------------------------------- */

static void test_atr_waits_for_the_power_up_of_a_new_card(void **state)
{
    (void)state;
    assert_int_equal(mounted_say(&m, "remove reader0\n"), 0);
    assert_string_equal(mounted_read(&m, "reader0/atr"), errno_text(ENOMEDIUM));
    assert_int_equal(mounted_say(&m, "insert reader0 3f0231ab\n"), 0); /* a slow one */
    assert_string_equal(mounted_read(&m, "reader0/atr"), "3f0231ab\n");
}

static void test_atr_tells_why_the_power_up_failed(void **state)
{
    (void)state;
    assert_int_equal(mounted_say(&m, "remove reader0\ninsert reader0 00\n"), 0);
    assert_string_equal(mounted_read(&m, "reader0/atr"), errno_text(ETIMEDOUT));
    assert_string_equal(mounted_read(&m, "reader0/last_error"),
                        "STATUS_IO_TIMEOUT: no\n");
    assert_int_equal(mounted_say(&m, "remove reader0\ninsert reader0 ff\n"), 0);
    assert_string_equal(mounted_read(&m, "reader0/atr"), errno_text(EMEDIUMTYPE));
    assert_int_equal(mounted_say(&m, "remove reader0\ninsert reader0\n"), 0);
    assert_string_equal(mounted_read(&m, "reader0/atr"), FAKE_ATR "\n");
}

static void test_atr_of_a_card_never_powered_has_no_data(void **state)
{
    (void)state;
    assert_string_equal(mounted_read(&m, "reader0/state"), "swallowed\n");
    assert_string_equal(mounted_read(&m, "reader0/atr"), errno_text(ENODATA));
}

/* ---- events ---------------------------------------------------------------------- */

static void test_events_wake_every_waiter_with_the_counter(void **state)
{
    pid_t children[16];

    (void)state;
    assert_int_equal(mounted_say(&m, "remove reader0\n"), 0);
    for (int i = 0; i < 16; i++)
        children[i] = reader_process("reader0/events/present", "2\n");
    assert_int_equal(mounted_say(&m, "insert reader0\n"), 0);
    for (int i = 0; i < 16; i++)
        assert_int_equal(exit_of(children[i]), 0);
    assert_string_equal(mounted_read(&m, "reader0/events/present"), "2\n");
}

static void test_events_read_byte_by_byte_is_one_line_then_the_end(void **state)
{
    int fd = mounted_open(&m, "reader0/events/present", O_RDONLY);
    char text[4] = "";

    (void)state;
    assert_int_equal(read(fd, text, 1), 1);
    assert_int_equal(read(fd, text + 1, 1), 1);
    assert_string_equal(text, "0\n");
    assert_int_equal(read(fd, text, 1), 0);
    close(fd);
}

static void test_events_nonblocking_read_is_eagain(void **state)
{
    int fd = mounted_open(&m, "reader0/events/absent", O_RDONLY | O_NONBLOCK);
    char text[8];

    (void)state;
    assert_int_equal(read(fd, text, sizeof text), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
}

static void test_changes_starts_at_once_and_continues(void **state)
{
    int fd = mounted_open(&m, "changes", O_RDONLY);
    char text[8];
    pid_t plugger;

    (void)state;
    assert_int_equal(read(fd, text, sizeof text), 2);
    assert_memory_equal(text, "1\n", 2);
    plugger = fork();
    if (plugger == 0)
        _exit(mounted_say(&m, "plug\n"));
    assert_int_equal(read(fd, text, sizeof text), 2);
    assert_memory_equal(text, "2\n", 2);
    assert_int_equal(exit_of(plugger), 0);
    close(fd);
}

static void on_alarm(int number)
{
    (void)number;
}

static void test_blocked_read_ends_with_eintr_on_a_signal(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval often = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
    int fd = mounted_open(&m, "reader0/events/absent", O_RDONLY), control;
    char text[8];
    int32_t status;

    (void)state;
    control = mounted_open(&m, "reader0/control", O_RDONLY);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    assert_int_equal(read(fd, text, sizeof text), -1);
    assert_int_equal(errno, EINTR);
    assert_int_equal(mounted_call(control, IOCTL_SMARTCARD_IS_ABSENT, NULL, 0, NULL, NULL,
                                  FOREVER, &status),
                     EINTR);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_int_equal(status, 0x5A5A5A5A); /* as the caller left it */
    signal(SIGALRM, SIG_DFL);
    mount_cases_deadline();
    /* And the event still comes. */
    assert_int_equal(mounted_say(&m, "remove reader0\n"), 0);
    assert_int_equal(read(fd, text, sizeof text), 2);
    assert_memory_equal(text, "1\n", 2);
    close(fd);
    close(control);
}

static void test_killed_waiter_is_gone_at_once(void **state)
{
    pid_t child = reader_process("reader0/events/absent", "");

    (void)state;
    kill(child, SIGKILL);
    assert_int_equal(exit_of(child), 1000 + SIGKILL);
    assert_string_equal(mounted_read(&m, "reader0/state"), "negotiable\n");
}

/* ---- poll ------------------------------------------------------------------------ */

static short poll_now(int fd, int timeout_ms)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN | POLLPRI};

    return poll(&entry, 1, timeout_ms) < 0 ? -1 : entry.revents;
}

static void test_poll_follows_presence_state_and_removal(void **state)
{
    int present = mounted_open(&m, "reader0/events/present", O_RDONLY);
    int absent = mounted_open(&m, "reader0/events/absent", O_RDONLY);
    int state_fd = mounted_open(&m, "reader0/state", O_RDONLY);
    int control = mounted_open(&m, "reader0/control", O_RDWR);
    int changes = mounted_open(&m, "changes", O_RDONLY);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    uint32_t value = 0, len = sizeof value;
    char text[32];
    pid_t child;

    (void)state;
    /* The power-up is over, and seen. */
    assert_string_equal(mounted_read(&m, "reader0/atr"), FAKE_ATR "\n");
    assert_true(read(state_fd, text, sizeof text) > 0);
    assert_int_equal(
        mounted_call(control, IOCTL_SMARTCARD_GET_STATE, NULL, 0, &value, &len, 0, NULL),
        0);
    assert_int_equal(poll_now(present, 0), POLLIN);
    assert_int_equal(poll_now(absent, 0), 0);
    assert_int_equal(poll_now(state_fd, 0), POLLIN);
    assert_int_equal(poll_now(control, 0), 0);
    assert_int_equal(poll_now(changes, 0), POLLIN);
    assert_int_equal(read(changes, text, sizeof text), 2);
    assert_int_equal(poll_now(changes, 0), 0);

    assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, absent, &event), 0);
    child = fork();
    if (child == 0)
        _exit(mounted_say(&m, "remove reader0\n"));
    assert_int_equal(poll_now(absent, -1), POLLIN);
    assert_int_equal(epoll_wait(epoll, &event, 1, -1), 1);
    assert_int_equal(exit_of(child), 0);
    assert_int_equal(poll_now(present, 0), 0);
    assert_int_equal(poll_now(state_fd, 0), POLLIN | POLLPRI | POLLERR);
    assert_int_equal(poll_now(control, 0), POLLPRI);
    assert_int_equal(
        mounted_call(control, IOCTL_SMARTCARD_GET_STATE, NULL, 0, &value, &len, 0, NULL),
        0);
    assert_int_equal(value, SCARD_ABSENT);
    assert_int_equal(poll_now(control, 0), 0);

    child = fork();
    if (child == 0)
        _exit(mounted_say(&m, "unplug reader0\n"));
    assert_int_equal(poll_now(control, -1), POLLERR | POLLHUP);
    assert_int_equal(exit_of(child), 0);
    assert_int_equal(poll_now(changes, -1), POLLIN);
    close(present);
    close(absent);
    close(state_fd);
    close(control);
    close(changes);
    close(epoll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_tree_every_file_says_what_it_should),
        CASE(test_tree_names_that_are_not_there_are_normal_errors),
        CASE(test_open_of_a_text_file_for_writing_is_refused),
        CASE(test_locks_are_refused_where_they_mean_nothing),
        CASE(test_control_refuses_one_byte_and_has_no_answer),
        CASE(test_text_read_in_parts_is_one_snapshot),
        CASE(test_atr_waits_for_the_power_up_of_a_new_card),
        CASE(test_atr_tells_why_the_power_up_failed),
        cmocka_unit_test_setup_teardown(test_atr_of_a_card_never_powered_has_no_data,
                                        setup_lazy, teardown),
        CASE(test_events_wake_every_waiter_with_the_counter),
        CASE(test_events_read_byte_by_byte_is_one_line_then_the_end),
        CASE(test_events_nonblocking_read_is_eagain),
        CASE(test_changes_starts_at_once_and_continues),
        CASE(test_blocked_read_ends_with_eintr_on_a_signal),
        CASE(test_killed_waiter_is_gone_at_once),
        CASE(test_poll_follows_presence_state_and_removal),
    };

    if (mount_cases_unavailable("fs-mount-files"))
        return 77;
    mount_cases_deadline();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
