/* SPDX-License-Identifier: BSD-2-Clause */
/* fs-mount-ioctl.c - the ioctls of `control` through the kernel. */
#include "mount_case.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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
        {36, 1, 0, 4, SCARD_CALL_KEEP, 36, 0},
        {36, 1, 0, 4, 2, 36, EINVAL},
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
    assert_int_equal(ioctl(text, SCARD_IOC_CONNECT, &connect), -1);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(ioctl(fd, _IOWR('S', 8, struct scard_connect), &connect), -1);
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

static int set_debug_level(int fd)
{
    uint32_t level = 0;

    return mounted_call(fd, SCFS_IOCTL_SMARTCARD_SET_DEBUG_LEVEL, &level, 4, NULL, NULL,
                        FOREVER, NULL);
}

static void test_ioctl_of_the_debug_level_is_for_what_root_has_opened(void **state)
{
    int fd = mounted_open(&m, "reader0/control", O_RDWR);
    struct stat file;
    pid_t child;

    (void)state;
    assert_int_equal(fstat(fd, &file), 0);
    assert_int_equal(set_debug_level(fd), geteuid() == 0 ? 0 : EPERM);
    child = fork();
    if (child == 0) {
        setfsgid(file.st_gid);
        setfsuid(geteuid() == 0 ? 65534 : geteuid());
        _exit(set_debug_level(mounted_open(&m, "reader0/control", O_RDWR)));
    }
    assert_int_equal(exit_of(child), EPERM);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_ioctl_envelope_out_of_rule_is_einval),
        CASE(test_ioctl_of_another_number_is_enotty),
        CASE(test_ioctl_of_the_largest_size_is_served),
        CASE(test_ioctl_on_a_read_only_handle_looks_and_does_not_touch),
        CASE(test_ioctl_of_the_debug_level_is_for_what_root_has_opened),
        CASE(test_ioctl_status_and_errno_travel_together),
        CASE(test_wait_with_timeout_ends_with_io_timeout),
        CASE(test_cancel_blocking_ends_the_waits_of_its_handle_only),
        CASE(test_busy_reader_answers_text_files_and_bounds_turns),
        CASE(test_killed_caller_cancels_its_apdu_and_the_next_one_runs),
    };

    if (mount_cases_unavailable("fs-mount-ioctl"))
        return 77;
    mount_cases_deadline();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
