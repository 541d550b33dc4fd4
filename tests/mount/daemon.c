/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon.c - starts, asks and stops the daemon; see daemon.h. Failures end the test. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_LIMIT_MS 10000
#define OPTIONS_MAX    16
/* An unused card keeps its power for so long: between two steps on a busy machine, too.
 */
#define POWER_DOWN "power_down_timeout=300"

static void die(const char *what)
{
    perror(what);
    exit(1);
}

int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool daemon_possible(const char *program)
{
    if (!getenv("SCARDFS")) {
        printf("SKIP %s: SCARDFS does not name the daemon\n", program);
        return false;
    }
    if (access("/dev/fuse", R_OK | W_OK)) {
        printf("SKIP %s: /dev/fuse: %s\n", program, strerror(errno));
        return false;
    }
    return true;
}

static void run(const struct daemon *d, const char *const *options, pid_t parent)
{
    const char *argv[OPTIONS_MAX + 6] = {getenv("SCARDFS"), "-f", "-o", POWER_DOWN};
    size_t n = 4;

    /* a test that is killed takes its daemon with it */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    for (; *options && n < OPTIONS_MAX + 4; options++)
        argv[n++] = *options;
    argv[n] = d->mount;
    execv(argv[0], (char *const *)argv);
    perror(argv[0]);
    _exit(127);
}

void daemon_start(struct daemon *d, const char *const *options)
{
    strcpy(d->mount, "/tmp/scardfs-test.XXXXXX");
    if (!mkdtemp(d->mount))
        die(d->mount);
    daemon_start_again(d, options);
}

void daemon_start_again(struct daemon *d, const char *const *options)
{
    int64_t limit = now_ms() + START_LIMIT_MS;
    const struct timespec pause = {.tv_nsec = 10000000};
    pid_t parent = getpid();

    fflush(NULL);
    d->pid = fork();
    if (d->pid == 0)
        run(d, options, parent);
    while (access(daemon_path(d, "reader0/state"), R_OK)) {
        if (now_ms() > limit || waitpid(d->pid, NULL, WNOHANG) != 0) {
            fprintf(stderr, "the daemon did not come up\n");
            kill(d->pid, SIGKILL);
            umount2(d->mount, MNT_DETACH);
            rmdir(d->mount);
            exit(1);
        }
        nanosleep(&pause, NULL);
    }
}

int daemon_stop(struct daemon *d)
{
    int status;

    kill(d->pid, SIGTERM);
    while (waitpid(d->pid, &status, 0) < 0 && errno == EINTR)
        ;
    umount2(d->mount, MNT_DETACH); /* it should have done so */
    if (rmdir(d->mount))
        die(d->mount);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *daemon_path(const struct daemon *d, const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", d->mount, name);
    return path;
}

int daemon_command(const struct daemon *d, const char *line)
{
    int fd = open(daemon_path(d, "virtual"), O_WRONLY | O_CLOEXEC), error = 0;

    if (fd < 0)
        return errno;
    if (write(fd, line, strlen(line)) != (ssize_t)strlen(line))
        error = errno;
    close(fd);
    return error;
}

const char *daemon_text(const struct daemon *d, const char *name)
{
    static char text[4096];
    int fd = open(daemon_path(d, name), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (n < 0)
        snprintf(text, sizeof text, "errno %s", strerrorname_np(errno));
    else
        text[n > 0 && text[n - 1] == '\n' ? n - 1 : n] = 0;
    if (fd >= 0)
        close(fd);
    return text;
}

int daemon_threads(const struct daemon *d)
{
    char path[64], line[256];
    int threads = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)d->pid);
    file = fopen(path, "re");
    if (!file)
        die(path);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Threads: %d", &threads) == 1)
            break;
    fclose(file);
    return threads;
}

int daemon_call(int fd, uint32_t code, const void *in, size_t in_len, void *out,
                size_t *out_len, uint32_t timeout_ms, int32_t *status)
{
    union {
        struct scard_call call;
        uint8_t bytes[SCARD_CALL_SIZE_MAX];
    } u;
    struct scard_call *c = &u.call;
    size_t data = in_len > *out_len ? in_len : *out_len;
    int error = 0;

    if (data > SCARD_CALL_DATA_MAX)
        return EMSGSIZE;
    memset(c, 0, sizeof *c);
    c->size = SCARD_CALL_HEADER_SIZE + (uint32_t)data;
    c->version = SCARD_IOC_VERSION;
    c->code = code;
    c->in_len = (uint32_t)in_len;
    c->out_len = (uint32_t)*out_len;
    c->status = *status;
    c->timeout_ms = timeout_ms;
    if (in_len)
        memcpy(c->data, in, in_len);
    if (ioctl(fd, SCARD_IOC_CALL(c->size), c))
        error = errno;
    *status = c->status;
    if (!error) {
        *out_len = c->out_len;
        memcpy(out, c->data, c->out_len);
    }
    return error;
}
