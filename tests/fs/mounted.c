/* SPDX-License-Identifier: BSD-2-Clause */
/* mounted.c - a real mount of fs over the fake driver. */
#include "mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_driver.h"
#include "scard_ioctl.h"

static int pid_pipe = -1;

const char *mounted_unavailable(void)
{
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return "/dev/fuse cannot be opened";
    close(fd);
    return NULL;
}

void mounted_prepare(struct mounted *mounted)
{
    snprintf(mounted->dir, sizeof mounted->dir, "%s/scardfs-test-XXXXXX",
             getenv("TMPDIR") != NULL && strlen(getenv("TMPDIR")) < 30 ? getenv("TMPDIR")
                                                                       : "/tmp");
    if (mkdtemp(mounted->dir) == NULL) {
        perror(mounted->dir);
        abort();
    }
}

/* Called in the daemon: tells who it is, and holds the pipe open as long as it lives. */
static NTSTATUS tell_pid(PDRIVER_OBJECT driver)
{
    pid_t pid = getpid();

    if (write(pid_pipe, &pid, sizeof pid) != (ssize_t)sizeof pid)
        return STATUS_UNSUCCESSFUL;
    return fake_driver.virtual_start(driver);
}

int mounted_start(struct mounted *mounted, unsigned readers, bool power_on)
{
    int ends[2], status;
    pid_t child;

    if (pipe(ends) != 0)
        abort();
    child = fork();
    if (child == 0) {
        struct scfs_driver driver = fake_driver;
        struct scfs_options options;

        close(ends[0]);
        pid_pipe = ends[1];
        driver.virtual_start = tell_pid;
        scfs_options_init(&options);
        options.mount_point = mounted->dir;
        options.with_virtual = true;
        options.shape_count = readers; /* all NULL: the usual shape */
        options.power_on = power_on;
        if (mounted->stop_limit_ms != 0)
            options.stop_limit_ms = mounted->stop_limit_ms;
        _exit(scfs_run(&options, &driver));
    }
    close(ends[1]);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        abort();
    if (WEXITSTATUS(status) != 0) {
        close(ends[0]);
        return WEXITSTATUS(status);
    }
    if (read(ends[0], &mounted->daemon, sizeof mounted->daemon) !=
        (ssize_t)sizeof mounted->daemon)
        abort();
    mounted->alive = ends[0];
    return 0;
}

void mounted_kill(struct mounted *mounted, int signal_number)
{
    char byte;

    kill(mounted->daemon, signal_number);
    while (read(mounted->alive, &byte, 1) > 0)
        continue;
    close(mounted->alive);
    mounted->alive = -1;
}

void mounted_remove(struct mounted *mounted)
{
    umount2(mounted->dir, MNT_DETACH);
    rmdir(mounted->dir);
}

const char *mounted_path(const struct mounted *mounted, const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", mounted->dir, name);
    return path;
}

int mounted_open(const struct mounted *mounted, const char *name, int flags)
{
    return open(mounted_path(mounted, name), flags | O_CLOEXEC);
}

int mounted_say(const struct mounted *mounted, const char *line)
{
    int fd = mounted_open(mounted, "virtual", O_WRONLY), error = 0;

    if (fd < 0)
        return errno;
    if (write(fd, line, strlen(line)) != (ssize_t)strlen(line))
        error = errno;
    close(fd);
    return error;
}

const char *mounted_read(const struct mounted *mounted, const char *name)
{
    static char text[1024];
    size_t used = 0;
    ssize_t got = 0;
    int fd = mounted_open(mounted, name, O_RDONLY);

    while (fd >= 0 && used < sizeof text - 1 &&
           (got = read(fd, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    if (fd < 0 || got < 0)
        snprintf(text, sizeof text, "errno %d", errno);
    if (fd >= 0)
        close(fd);
    return text;
}

int mounted_call(int fd, uint32_t code, const void *in, uint32_t in_len, void *out,
                 uint32_t *out_len, uint32_t timeout_ms, int32_t *status)
{
    union {
        struct scard_call call;
        uint8_t bytes[SCARD_CALL_HEADER_SIZE + 512];
    } u = {0};
    uint32_t room = out_len != NULL ? *out_len : 0;
    uint32_t total = SCARD_CALL_HEADER_SIZE + (in_len > room ? in_len : room);
    int error = 0;

    u.call = (struct scard_call){.size = total,
                                 .version = SCARD_IOC_VERSION,
                                 .code = code,
                                 .in_len = in_len,
                                 .out_len = room,
                                 .status = 0x5A5A5A5A,
                                 .timeout_ms = timeout_ms};
    if (in_len > 0)
        memcpy(u.call.data, in, in_len);
    if (ioctl(fd, SCARD_IOC_CALL(total), &u) != 0)
        error = errno;
    if (out_len != NULL) {
        *out_len = u.call.out_len;
        if (error == 0 && out != NULL)
            memcpy(out, u.call.data, u.call.out_len);
    }
    if (status != NULL)
        *status = u.call.status;
    return error;
}
