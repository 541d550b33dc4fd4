/* SPDX-License-Identifier: BSD-2-Clause */
/* test-notify.c - what a supervisor hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "fs/notify.h"

/* Listens at a name of NOTIFY_SOCKET. */
static int supervisor(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    assert_true(fd >= 0);
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
        0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void hears(int fd, const char *expected)
{
    char text[64] = "";
    ssize_t len = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

    assert_int_equal(len, strlen(expected));
    assert_string_equal(text, expected);
}

static void test_notify_reaches_a_socket_with_a_path(void **state)
{
    char dir[] = "/tmp/scardfs-notify-XXXXXX", name[64];
    int fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(name, sizeof name, "%s/socket", dir);
    fd = supervisor(name);
    scfs_notify("READY=1\nMAINPID=7");
    hears(fd, "READY=1\nMAINPID=7");
    close(fd);
    unlink(name);
    scfs_notify("STOPPING=1"); /* to nobody, and nothing happens */
    rmdir(dir);
}

static void test_notify_reaches_an_abstract_socket(void **state)
{
    char name[64];
    int fd;

    (void)state;
    snprintf(name, sizeof name, "@scardfs-notify-%d", (int)getpid());
    fd = supervisor(name);
    scfs_notify("STOPPING=1");
    hears(fd, "STOPPING=1");
    close(fd);
}

static void test_notify_without_a_useful_name_sends_nothing(void **state)
{
    char name[] = "@scardfs-notify-none", longer[300];
    int fd = supervisor(name);

    (void)state;
    memset(longer, 'x', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    scfs_notify("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    scfs_notify("READY=1");
    setenv("NOTIFY_SOCKET", "", 1);
    scfs_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
    scfs_notify("READY=1");
    assert_int_equal(recv(fd, longer, sizeof longer, MSG_DONTWAIT), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notify_reaches_a_socket_with_a_path),
        cmocka_unit_test(test_notify_reaches_an_abstract_socket),
        cmocka_unit_test(test_notify_without_a_useful_name_sends_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
