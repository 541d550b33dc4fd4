/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs-mount.c - fs through the kernel, over the fake driver: what clients of the mount
 * see.
 *
 * Nothing here sleeps to be in time: events that come before a waiter are not lost, and
 * where something must be under way, the mount itself is asked until it says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "scard_ioctl.h"
#include "wdm.h"
#include "winsmcrd.h"

#include "fake_driver.h"
#include "mounted.h"

#define FOREVER    SCARD_TIMEOUT_INFINITE
#define DEADLINE_S 60 /* of the whole program: a hang is a failure */

static struct mounted m;

static int begin(bool power_on)
{
    mounted_prepare(&m);
    return mounted_start(&m, 1, power_on);
}

/* With the power-up of the card behind us. */
static int setup(void **state)
{
    (void)state;
    return begin(true) != 0 ||
           strcmp(mounted_read(&m, "reader0/atr"), FAKE_ATR "\n") != 0;
}

static int setup_lazy(void **state)
{
    (void)state;
    return begin(false);
}

static int teardown(void **state)
{
    (void)state;
    if (m.alive >= 0)
        mounted_kill(&m, SIGTERM);
    mounted_remove(&m);
    return 0;
}

/* A child that reads the file and exits with 0 when it got what was expected. */
static pid_t reader_process(const char *name, const char *expected)
{
    pid_t child = fork();

    if (child == 0)
        _exit(strcmp(mounted_read(&m, name), expected) == 0 ? 0 : 1);
    return child;
}

static int exit_of(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static const char *errno_text(int error)
{
    static char text[32];

    snprintf(text, sizeof text, "errno %d", error);
    return text;
}

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
}

static void test_open_of_a_text_file_for_writing_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mounted_open(&m, "reader0/state", O_RDWR), -1);
    assert_int_equal(errno, EACCES);
}

static void test_control_write_and_read_are_not_served(void **state)
{
    int fd = mounted_open(&m, "reader0/control", O_RDWR);
    char byte = 0;

    (void)state;
    assert_int_equal(write(fd, &byte, 1), -1);
    assert_int_equal(errno, EOPNOTSUPP);
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
    alarm(DEADLINE_S);
    signal(SIGALRM, SIG_DFL);
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

/* ---- ioctl ----------------------------------------------------------------------- */

static void test_ioctl_envelope_out_of_rule_is_einval(void **state)
{
    int fd = mounted_open(&m, "reader0/control", O_RDWR);
    const struct scard_call good = {.size = 36,
                                    .version = 1,
                                    .code = IOCTL_SMARTCARD_GET_STATE,
                                    .out_len = 4,
                                    .status = 77};
    union {
        struct scard_call call;
        uint8_t bytes[64];
    } u;
    static const struct {
        uint32_t size, version, in_len, out_len, flags, total;
        int error;
    } rows[] = {
        {36, 1, 0, 4, 0, 36, 0},
        {35, 1, 0, 3, 0, 36, EINVAL},
        {37, 1, 0, 4, 0, 36, EINVAL},
        {36, 0, 0, 4, 0, 36, EINVAL},
        {36, 2, 0, 4, 0, 36, EINVAL},
        {36, 1, 5, 4, 0, 36, EINVAL},
        {36, 1, 0, 5, 0, 36, EINVAL},
        {36, 1, UINT32_MAX, 4, 0, 36, EINVAL},
        {36, 1, 0, UINT32_MAX, 0, 36, EINVAL},
        {36, 1, 0, 4, 1, 36, EINVAL},
        {31, 1, 0, 0, 0, 31, EINVAL},
        {0, 1, 0, 0, 0, 0, EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int result;

        u.call = good;
        u.call.size = rows[i].size;
        u.call.version = rows[i].version;
        u.call.in_len = rows[i].in_len;
        u.call.out_len = rows[i].out_len;
        u.call.flags = rows[i].flags;
        result = ioctl(fd, SCARD_IOC_CALL(rows[i].total), &u);
        assert_int_equal(result == 0 ? 0 : errno, rows[i].error);
        assert_int_equal(u.call.status, rows[i].error == 0 ? 0 : 77);
    }
    close(fd);
}

static void test_ioctl_of_another_number_is_enotty(void **state)
{
    int fd = mounted_open(&m, "reader0/control", O_RDWR);
    int text = mounted_open(&m, "reader0/state", O_RDONLY);
    struct scard_connect connect = {.size = sizeof connect, .version = 1};
    struct scard_call call = {.size = sizeof call, .version = 1};

    (void)state;
    assert_int_equal(isatty(fd), 0);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(ioctl(fd, SCARD_IOC_CONNECT, &connect), -1);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(ioctl(fd, _IOC(_IOC_READ, 'S', 1, 32), &call), -1);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(ioctl(text, SCARD_IOC_CALL(32), &call), -1);
    assert_int_equal(errno, ENOTTY);
    close(fd);
    close(text);
}

static void test_ioctl_of_the_largest_size_is_served(void **state)
{
    static uint8_t bytes[SCARD_CALL_SIZE_MAX];
    struct scard_call *call = (void *)bytes;
    int fd = mounted_open(&m, "reader0/control", O_RDWR);

    (void)state;
    *call = (struct scard_call){.size = sizeof bytes,
                                .version = 1,
                                .code = IOCTL_SMARTCARD_GET_STATE,
                                .in_len = SCARD_CALL_DATA_MAX,
                                .out_len = SCARD_CALL_DATA_MAX};
    assert_int_equal(ioctl(fd, SCARD_IOC_CALL(sizeof bytes), call), 0);
    assert_int_equal(call->out_len, 4);
    close(fd);
}

static void test_ioctl_on_a_read_only_handle_looks_and_does_not_touch(void **state)
{
    int fd = mounted_open(&m, "reader0/control", O_RDONLY);
    uint32_t value = SCARD_ATTR_VENDOR_NAME, len = 4, cold = SCARD_COLD_RESET;
    int32_t status;

    (void)state;
    assert_int_equal(
        mounted_call(fd, IOCTL_SMARTCARD_GET_ATTRIBUTE, &value, 4, &value, &len, 0, NULL),
        0);
    assert_memory_equal(&value, "fake", 4);
    assert_int_equal(
        mounted_call(fd, IOCTL_SMARTCARD_IS_PRESENT, NULL, 0, NULL, NULL, 0, NULL), 0);
    assert_int_equal(
        mounted_call(fd, IOCTL_SMARTCARD_POWER, &cold, 4, NULL, NULL, 0, &status), EBADF);
    assert_int_equal(status, 0x5A5A5A5A);
    close(fd);
}

static void test_ioctl_status_and_errno_travel_together(void **state)
{
    int fd = mounted_open(&m, "reader0/control", O_RDWR);
    uint32_t protocol = SCARD_PROTOCOL_T1, value = 0, len = 4, room = 33;
    uint32_t cold = SCARD_COLD_RESET, small = 32;
    uint8_t atr[64];
    int32_t status;

    (void)state;
    assert_int_equal(
        mounted_call(fd, IOCTL_SMARTCARD_POWER, &cold, 4, atr, &small, FOREVER, &status),
        ENOBUFS);
    assert_int_equal(status, STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(small, 0);
    assert_int_equal(
        mounted_call(fd, IOCTL_SMARTCARD_POWER, &cold, 4, atr, &room, FOREVER, &status),
        0);
    assert_int_equal(status, STATUS_SUCCESS);
    assert_int_equal(room, 4);
    assert_memory_equal(atr, "\x3b\x02\x31\xab", 4);
    assert_int_equal(mounted_call(fd, IOCTL_SMARTCARD_SET_PROTOCOL, &protocol, 4, &value,
                                  &len, FOREVER, &status),
                     EOPNOTSUPP); /* the card knows T=0 only */
    assert_int_equal(status, STATUS_NOT_SUPPORTED);
    len = 4;
    assert_int_equal(
        mounted_call(fd, SCARD_CTL_CODE(3000), NULL, 0, &value, &len, FOREVER, &status),
        EOPNOTSUPP);
    assert_int_equal(status, STATUS_NOT_SUPPORTED);
    close(fd);
}

static void test_wait_with_timeout_ends_with_io_timeout(void **state)
{
    int fd = mounted_open(&m, "reader0/control", O_RDONLY);
    static const uint32_t timeouts_ms[] = {0, 1, 50};
    int32_t status;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(mounted_call(fd, IOCTL_SMARTCARD_IS_ABSENT, NULL, 0, NULL, NULL,
                                      timeouts_ms[i], &status),
                         ETIMEDOUT);
        assert_int_equal(status, STATUS_IO_TIMEOUT);
    }
    close(fd);
}

static void test_cancel_blocking_ends_the_waits_of_its_handle_only(void **state)
{
    int fd = mounted_open(&m, "reader0/control", O_RDONLY);
    siginfo_t info;
    pid_t same, other;

    (void)state;
    other = fork();
    if (other == 0) {
        int own = mounted_open(&m, "reader0/control", O_RDONLY);

        _exit(mounted_call(own, IOCTL_SMARTCARD_IS_ABSENT, NULL, 0, NULL, NULL, FOREVER,
                           NULL));
    }
    same = fork(); /* the descriptor is shared: the same open file */
    if (same == 0) {
        int32_t status;
        int error = mounted_call(fd, IOCTL_SMARTCARD_IS_ABSENT, NULL, 0, NULL, NULL,
                                 FOREVER, &status);

        _exit(error == ECANCELED && status == STATUS_CANCELLED ? 0 : 1);
    }
    /* Until the child has begun to wait there is nothing to cancel. */
    for (info.si_pid = 0; info.si_pid == 0;) {
        assert_int_equal(mounted_call(fd, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, NULL, 0,
                                      NULL, NULL, 0, NULL),
                         0);
        assert_int_equal(waitid(P_PID, (id_t)same, &info, WEXITED | WNOHANG | WNOWAIT),
                         0);
    }
    assert_int_equal(exit_of(same), 0);
    assert_int_equal(mounted_say(&m, "remove reader0\n"), 0);
    assert_int_equal(exit_of(other), 0); /* by its event */
    close(fd);
}

/* ---- a busy reader --------------------------------------------------------------- */

static const uint8_t busy_apdu[] = {1, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xE4, 0x75, 0x30};
static const uint8_t count_apdu[] = {1, 0,    0,    0,    8,    0,   0,
                                     0, 0x80, 0xE8, 0x00, 0x00, 0x01};

static int connected(void)
{
    int fd = mounted_open(&m, "reader0/control", O_RDWR);
    uint32_t cold = SCARD_COLD_RESET, protocol = SCARD_PROTOCOL_Tx, value, len = 4,
             room = 33;

    assert_int_equal(
        mounted_call(fd, IOCTL_SMARTCARD_POWER, &cold, 4, NULL, &room, FOREVER, NULL), 0);
    assert_int_equal(mounted_call(fd, IOCTL_SMARTCARD_SET_PROTOCOL, &protocol, 4, &value,
                                  &len, FOREVER, NULL),
                     0);
    return fd;
}

static int transmit(int fd, const uint8_t *apdu, size_t apdu_len, uint32_t timeout_ms,
                    int32_t *status, uint8_t *answer)
{
    uint8_t out[64];
    uint32_t len = sizeof out;
    int error = mounted_call(fd, IOCTL_SMARTCARD_TRANSMIT, apdu, (uint32_t)apdu_len, out,
                             &len, timeout_ms, status);

    if (error == 0 && answer != NULL)
        *answer = out[8];
    return error;
}

/* A child with a 30 s APDU that is under way when this returns. */
static pid_t busy_child(int fd, int expected)
{
    pid_t child = fork();

    if (child == 0)
        _exit(transmit(fd, busy_apdu, sizeof busy_apdu, FOREVER, NULL, NULL) == expected
                  ? 0
                  : 1);
    while (transmit(fd, count_apdu, sizeof count_apdu, 0, NULL, NULL) != ETIMEDOUT)
        continue;
    return child;
}

static void test_busy_reader_answers_text_files_and_bounds_turns(void **state)
{
    int fd = connected();
    uint32_t value, len = 4;
    int32_t status;
    pid_t child;

    (void)state;
    child = busy_child(fd, EINTR);
    assert_string_equal(mounted_read(&m, "reader0/state"), "specific\n");
    assert_string_equal(mounted_read(&m, "reader0/atr"), FAKE_ATR "\n");
    assert_int_equal(
        mounted_call(fd, IOCTL_SMARTCARD_GET_STATE, NULL, 0, &value, &len, 0, NULL), 0);
    assert_int_equal(transmit(fd, count_apdu, sizeof count_apdu, 20, &status, NULL),
                     ETIMEDOUT);
    assert_int_equal(status, STATUS_IO_TIMEOUT);
    kill(child, SIGKILL);
    assert_int_equal(exit_of(child), 1000 + SIGKILL);
    close(fd);
}

static void test_killed_caller_cancels_its_apdu_and_the_next_one_runs(void **state)
{
    int fd = connected();
    uint8_t before = 0, after = 0;
    int32_t status;
    pid_t child;

    (void)state;
    child = busy_child(fd, EINTR);
    kill(child, SIGKILL);
    assert_int_equal(exit_of(child), 1000 + SIGKILL);
    /* 5 s are far less than the 30 s of the cancelled one. */
    assert_int_equal(transmit(fd, count_apdu, sizeof count_apdu, 5000, &status, &before),
                     0);
    assert_int_equal(transmit(fd, count_apdu, sizeof count_apdu, 5000, &status, &after),
                     0);
    assert_int_equal(after, before + 1); /* nothing runs twice */
    close(fd);
}

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
    assert_string_equal(mounted_read(&m, "reader1/name"), "Fake Reader (1) 01 00\n");
    assert_string_equal(mounted_read(&m, "reader2/name"), "Fake Reader (1) 01 01\n");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(test_tree_every_file_says_what_it_should),
        CASE(test_tree_names_that_are_not_there_are_normal_errors),
        CASE(test_open_of_a_text_file_for_writing_is_refused),
        CASE(test_control_write_and_read_are_not_served),
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
        CASE(test_ioctl_envelope_out_of_rule_is_einval),
        CASE(test_ioctl_of_another_number_is_enotty),
        CASE(test_ioctl_of_the_largest_size_is_served),
        CASE(test_ioctl_on_a_read_only_handle_looks_and_does_not_touch),
        CASE(test_ioctl_status_and_errno_travel_together),
        CASE(test_wait_with_timeout_ends_with_io_timeout),
        CASE(test_cancel_blocking_ends_the_waits_of_its_handle_only),
        CASE(test_busy_reader_answers_text_files_and_bounds_turns),
        CASE(test_killed_caller_cancels_its_apdu_and_the_next_one_runs),
        CASE(test_unplug_ends_everything_with_enodev),
        CASE(test_number_is_free_again_when_the_last_handle_is_closed),
        CASE(test_slots_of_one_reader_are_two_directories),
        CASE(test_virtual_lines_that_fail_are_errors),
        CASE(test_second_instance_is_refused),
        CASE(test_stale_mount_of_a_killed_daemon_is_cleaned),
        CASE(test_sigterm_answers_waiters_and_unmounts),
    };
    const char *reason = mounted_unavailable();

    if (reason != NULL) {
        printf("SKIP fs-mount: %s\n", reason);
        return 77;
    }
    alarm(DEADLINE_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
