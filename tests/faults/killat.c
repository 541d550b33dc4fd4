/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * killat.c - killat PROGRAM ARGUMENT...: runs it, and kills it by SIGKILL at the n-th
 * system call that it makes, counted over all of its threads from the moment at which
 * that was asked for. strace counts for each thread and each call alone.
 *
 * KILLAT_AREA names the file by which it is asked (killat.h), KILLAT_PRELOAD is the
 * program's LD_PRELOAD. Status: the program's, or 128 and its signal.
 */
#include "killat.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCALL_STOP (SIGTRAP | 0x80)
#define OPTIONS                                                                          \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

static struct killat_area *area;
static pid_t program;

static void die(const char *what)
{
    perror(what);
    _exit(125);
}

static void run(char **argv)
{
    const char *preload = getenv("KILLAT_PRELOAD");

    if (preload)
        setenv("LD_PRELOAD", preload, 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
        die("ptrace");
    raise(SIGSTOP);
    execv(argv[0], argv);
    die(argv[0]);
}

static void count(pid_t thread)
{
    struct __ptrace_syscall_info info;

    if (!atomic_load(&area->armed) ||
        ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return;
    if (atomic_fetch_add(&area->count, 1) + 1 != atomic_load(&area->at))
        return;
    atomic_store(&area->number, (long)info.entry.nr);
    kill(program, SIGKILL);
    atomic_store(&area->killed, true);
}

/* The signal to deliver: none of those that are the tracing's. */
static int signal_of(int status)
{
    int number = WSTOPSIG(status);

    return number == SYSCALL_STOP || number == SIGTRAP || number == SIGSTOP ? 0 : number;
}

static int trace(void)
{
    int status;

    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);

        if (thread < 0 && errno != EINTR)
            die("waitpid");
        if (thread < 0)
            continue;
        if (!WIFSTOPPED(status)) {
            if (thread == program)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        if (WSTOPSIG(status) == SYSCALL_STOP)
            count(thread);
        /* one that is killed may be gone */
        (void)ptrace(PTRACE_SYSCALL, thread, 0, signal_of(status));
    }
}

static void ask_to_end(int number)
{
    (void)number;
    kill(program, SIGTERM);
}

int main(int argc, char **argv)
{
    const struct sigaction end = {.sa_handler = ask_to_end, .sa_flags = SA_RESTART};
    const char *path = getenv("KILLAT_AREA");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1, status;

    if (argc < 2 || fd < 0)
        die("usage: KILLAT_AREA=FILE killat PROGRAM ARGUMENT...");
    area = mmap(NULL, sizeof *area, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (area == MAP_FAILED)
        die(path);
    program = fork();
    if (program == 0)
        run(argv + 1);
    if (waitpid(program, &status, 0) != program || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, program, 0, OPTIONS) != 0)
        die("ptrace");
    sigaction(SIGTERM, &end, NULL);
    atomic_store(&area->pid, program);
    ptrace(PTRACE_SYSCALL, program, 0, 0);
    return trace();
}
