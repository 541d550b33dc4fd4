/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount_case.c - what the cases of the mount tests share.
 *
 * Nothing here sleeps to be in time: events that come before a waiter are not lost, and
 * where something must be under way, the mount itself is asked until it says so.
 */
#include "mount_case.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_S 60 /* of the whole program: a hang is a failure */

struct mounted m;

static int begin(bool power_on)
{
    mounted_prepare(&m);
    return mounted_start(&m, 1, power_on);
}

int setup(void **state)
{
    (void)state;
    return begin(true) != 0 ||
           strcmp(mounted_read(&m, "reader0/atr"), FAKE_ATR "\n") != 0;
}

int setup_lazy(void **state)
{
    (void)state;
    return begin(false);
}

int teardown(void **state)
{
    (void)state;
    if (m.alive >= 0)
        mounted_kill(&m, SIGTERM);
    mounted_remove(&m);
    return 0;
}

pid_t reader_process(const char *name, const char *expected)
{
    pid_t child = fork();

    if (child == 0)
        _exit(strcmp(mounted_read(&m, name), expected) == 0 ? 0 : 1);
    return child;
}

int exit_of(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

const char *errno_text(int error)
{
    static char text[32];

    snprintf(text, sizeof text, "errno %d", error);
    return text;
}

static const uint8_t busy_apdu[] = {1, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xE4, 0x75, 0x30};
const uint8_t count_apdu[COUNT_APDU_SIZE] = {1, 0,    0,    0,    8,    0,   0,
                                             0, 0x80, 0xE8, 0x00, 0x00, 0x01};

int connected(void)
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

int transmit(int fd, const uint8_t *apdu, size_t apdu_len, uint32_t timeout_ms,
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

pid_t busy_with(int fd, const uint8_t *apdu, size_t apdu_len, int expected)
{
    pid_t child = fork();

    if (child == 0)
        _exit(transmit(fd, apdu, apdu_len, FOREVER, NULL, NULL) == expected ? 0 : 1);
    while (transmit(fd, count_apdu, sizeof count_apdu, 0, NULL, NULL) != ETIMEDOUT)
        continue;
    return child;
}

pid_t busy_child(int fd, int expected)
{
    return busy_with(fd, busy_apdu, sizeof busy_apdu, expected);
}

int mount_cases_unavailable(const char *program)
{
    const char *reason = mounted_unavailable();

    if (reason != NULL)
        printf("SKIP %s: %s\n", program, reason);
    return reason != NULL;
}

void mount_cases_deadline(void)
{
    alarm(DEADLINE_S);
}
