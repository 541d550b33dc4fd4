/* SPDX-License-Identifier: BSD-2-Clause */
/* attempt.c - see attempt.h. */
#include "attempt.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void pause_ms(int ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000L};

    nanosleep(&t, NULL);
}

int attempt_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

bool attempt(int (*run)(void *), void *argument, int limit_ms, int *status, pid_t *child)
{
    pid_t parent = getpid();

    fflush(NULL);
    *child = fork();
    if (*child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        _exit(run(argument));
    }
    return attempt_more(*child, limit_ms, status);
}

bool attempt_more(pid_t child, int limit_ms, int *status)
{
    struct pollfd fd = {.fd = attempt_pidfd(child), .events = POLLIN};
    int wait_status = 0;
    bool ended;

    ended = poll(&fd, 1, limit_ms) == 1 && waitpid(child, &wait_status, 0) == child;
    close(fd.fd);
    *status =
        WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    return ended;
}

void attempt_give_up(pid_t child)
{
    int status;

    kill(child, SIGKILL);
    (void)attempt_more(child, ATTEMPT_MS, &status);
}
