/* SPDX-License-Identifier: BSD-2-Clause */
/* misuse_case.c - see misuse_case.h. */
#include "misuse_case.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct daemon scardfs;
int control, transmit;

void is(const char *what, int expected, int error)
{
    if (error != expected)
        fail_msg("%s: %s, not %s", what, strerrorname_np(error),
                 strerrorname_np(expected));
}

/* 0 or the errno of a system call that has returned this. */
int failed(long result)
{
    return result < 0 ? errno : 0;
}

int open_reader(const char *name, int flags)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "reader0/%s", name);
    fd = open(daemon_path(&scardfs, path), flags | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* The card has had so many commands since its reset, this one included. */
void assert_card_has_counted(int expected)
{
    static const uint8_t command[] = {0x80, 0xe8, 0, 0, 4};
    uint8_t answer[64];

    assert_int_equal(write(control, command, sizeof command), sizeof command);
    assert_int_equal(read(control, answer, sizeof answer), 6);
    assert_int_equal(answer[3], expected);
}

int misuse_setup(void **state)
{
    int power = open_reader("power", O_WRONLY);
    ssize_t n = write(power, "cold\n", 5);

    (void)state;
    close(power);
    control = open_reader("control", O_RDWR);
    transmit = open_reader("transmit", O_RDWR);
    return n != 5;
}

int misuse_teardown(void **state)
{
    (void)state;
    close(control);
    close(transmit);
    return 0;
}

int misuse_begin(void **state)
{
    static const char *const options[] = {"--virtual", "-o", "power=demand", NULL};

    (void)state;
    daemon_start(&scardfs, options);
    return 0;
}

int misuse_end(void **state)
{
    (void)state;
    return daemon_stop(&scardfs);
}
