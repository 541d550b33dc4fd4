/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unmounter.c - to unmount needs root, or fusermount3 that is setuid: both things that a
 * confined process must not have. So a child that is not confined keeps them, and knows
 * nothing but the mount point. It takes one byte from its parent, which says "now", and
 * ends with it in any case, with status 0 if that is unmounted; it touches neither the
 * mount nor a device, and has no file open but the socket.
 */
#include "fs/unmounter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/mount.h"

/* Whatever ends the parent ends us by the end of the socket; signals to the whole group
 * (Ctrl-C, systemd) come before we are asked. */
static void ignore_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_IGN);
}

/* The connection of the mount above all: it would live on with us. */
static void close_others(int link)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    if (link > 3)
        close_range(3, (unsigned)link - 1, 0);
    close_range((unsigned)link + 1, ~0u, 0);
}

static void serve(int link, const char *path)
{
    char byte;
    ssize_t got;

    ignore_signals();
    close_others(link);
    prctl(PR_SET_NAME, "scardfs-umount");
    do
        got = read(link, &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1)
        _exit(EXIT_SUCCESS);
    _exit(scfs_mount_point_unmounted(path) || scfs_mount_point_detach(path)
              ? EXIT_SUCCESS
              : EXIT_FAILURE);
}

bool scfs_unmounter_start(struct scfs_unmounter *unmounter, const char *path)
{
    int ends[2];

    unmounter->link = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    unmounter->child = fork();
    if (unmounter->child == 0) {
        close(ends[0]);
        serve(ends[1], path);
    }
    close(ends[1]);
    if (unmounter->child < 0) {
        close(ends[0]);
        return false;
    }
    unmounter->link = ends[0];
    return true;
}

bool scfs_unmounter_end(struct scfs_unmounter *unmounter)
{
    int status = EXIT_FAILURE;

    if (unmounter->link < 0)
        return true;
    close(unmounter->link);
    unmounter->link = -1;
    while (waitpid(unmounter->child, &status, 0) < 0 && errno == EINTR)
        continue;
    return status == EXIT_SUCCESS; /* by itself, and not by a signal */
}

bool scfs_unmounter_do(struct scfs_unmounter *unmounter)
{
    while (unmounter->link >= 0 && write(unmounter->link, "u", 1) < 0 && errno == EINTR)
        continue;
    return scfs_unmounter_end(unmounter);
}
