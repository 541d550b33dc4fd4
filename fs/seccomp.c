/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp.c - the system calls of the daemon, by libseccomp. Everything else is refused
 * with EPERM.
 *
 * Refused, and not the end of the process: another libusb, glibc or libsystemd may make a
 * call that these did not, and can do without; whole readers must not go with it. What is
 * refused has no effect either way. `-o confine=log` finds such calls: they are made, and
 * the kernel writes each to its log.
 *
 * One table, loaded twice: with the calls of the start, and on top of it, for all
 * threads, without (confine.h). An allowed call whose arguments do not matter costs
 * nothing with either: the kernel keeps them in a bitmap.
 */
#include "fs/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARGUMENTS_MAX 2

enum when {
    ALWAYS,
    STARTING,  /* the first step only */
    LISTENING, /* with cards or drivers that listen */
    LISTENING_STARTING,
};

struct rule {
    int call;
    enum when when;
    unsigned count;
    struct scmp_arg_cmp argument[ARGUMENTS_MAX]; /* all of them must hold */
};

#define EQUALS(n, value)                                                                 \
    {                                                                                    \
        .arg = (n), .op = SCMP_CMP_EQ, .datum_a = (value)                                \
    }
#define BITS(n, mask, value)                                                             \
    {                                                                                    \
        (n), SCMP_CMP_MASKED_EQ, (mask), (value)                                         \
    }
#define ANY(call, when)                                                                  \
    {                                                                                    \
        SCMP_SYS(call), when, 0,                                                         \
        {                                                                                \
            {                                                                            \
                0, 0, 0, 0                                                               \
            }                                                                            \
        }                                                                                \
    }
#define IF(call, when, ...)                                                              \
    {                                                                                    \
        SCMP_SYS(call), when, 1,                                                         \
        {                                                                                \
            __VA_ARGS__                                                                  \
        }                                                                                \
    }
#define IF2(call, when, ...)                                                             \
    {                                                                                    \
        SCMP_SYS(call), when, 2,                                                         \
        {                                                                                \
            __VA_ARGS__                                                                  \
        }                                                                                \
    }

/* A thread of this process, in its name spaces. */
#define THREAD_FLAGS (CLONE_VM | CLONE_THREAD)
#define NAME_SPACES                                                                      \
    (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |          \
     CLONE_NEWNET | CLONE_NEWCGROUP)
/* Nothing is made, emptied or added to; only devices are written. */
#define OPEN_WRITES (O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))
#define USBFS       0x5500u /* _IO*('U', ...): the type is the second byte */
#define TYPE_MASK   0xffu

static const struct rule table[] = {
    /* Memory that holds data. No code comes any more: libraries are loaded before. */
    ANY(brk, ALWAYS),
    ANY(madvise, ALWAYS),
    ANY(mremap, ALWAYS),
    ANY(munmap, ALWAYS),
    IF(mmap, ALWAYS, BITS(2, PROT_EXEC, 0)),
    IF(mprotect, ALWAYS, BITS(2, PROT_EXEC, 0)),

    /* Threads: made when requests come, ended when idle. clone3 hides its flags in
     * memory; glibc takes clone when there is none (see load). */
    IF(clone, ALWAYS, BITS(0, THREAD_FLAGS | NAME_SPACES, THREAD_FLAGS)),
    ANY(exit, ALWAYS),
    ANY(exit_group, ALWAYS),
    ANY(futex, ALWAYS),
    ANY(rseq, ALWAYS),
    ANY(sched_getaffinity, ALWAYS), /* how many arenas malloc makes */
    ANY(sched_yield, ALWAYS),
    ANY(set_robust_list, ALWAYS),
    IF(prctl, ALWAYS, EQUALS(0, PR_SET_NAME)),

    /* Signals: of this process to itself (tgkill: see load). */
    ANY(restart_syscall, ALWAYS),
    ANY(rt_sigaction, ALWAYS),
    ANY(rt_sigprocmask, ALWAYS),
    ANY(rt_sigreturn, ALWAYS),
    ANY(rt_sigtimedwait, ALWAYS),

    /* Time, where the vDSO does not do. */
    ANY(clock_getres, ALWAYS),
    ANY(clock_gettime, ALWAYS),
    ANY(clock_nanosleep, ALWAYS),
    ANY(gettimeofday, ALWAYS),
    ANY(nanosleep, ALWAYS),
    ANY(time, ALWAYS),
    ANY(timerfd_create, ALWAYS),
    ANY(timerfd_settime, ALWAYS),

    /* What is open: the mount, devices, events, timers, sockets. */
    ANY(close, ALWAYS),
    ANY(dup, ALWAYS),
    ANY(dup2, ALWAYS),
    ANY(dup3, ALWAYS),
    ANY(epoll_create1, ALWAYS),
    ANY(epoll_ctl, ALWAYS),
    ANY(epoll_pwait, ALWAYS),
    ANY(epoll_pwait2, ALWAYS),
    ANY(epoll_wait, ALWAYS),
    ANY(eventfd2, ALWAYS),
    ANY(lseek, ALWAYS),
    ANY(pipe2, ALWAYS),
    ANY(poll, ALWAYS),
    ANY(ppoll, ALWAYS),
    ANY(pread64, ALWAYS),
    ANY(read, ALWAYS),
    ANY(readv, ALWAYS),
    ANY(splice, ALWAYS), /* long answers of libfuse */
    ANY(vmsplice, ALWAYS),
    ANY(write, ALWAYS),
    ANY(writev, ALWAYS),
    IF(ioctl, ALWAYS, BITS(1, TYPE_MASK << 8, USBFS)),
    IF(fcntl, ALWAYS, EQUALS(1, F_DUPFD_CLOEXEC)),
    IF(fcntl, ALWAYS, EQUALS(1, F_GETFD)),
    IF(fcntl, ALWAYS, EQUALS(1, F_SETFD)),
    IF(fcntl, ALWAYS, EQUALS(1, F_GETFL)),
    IF(fcntl, ALWAYS, EQUALS(1, F_SETFL)),
    IF(fcntl, ALWAYS, EQUALS(1, F_SETPIPE_SZ)),
    IF(fcntl, ALWAYS, EQUALS(1, F_GETPIPE_SZ)),

    /* Files: sysfs and udev's data of a device that comes, and its node. */
    ANY(access, ALWAYS),
    ANY(faccessat, ALWAYS),
    ANY(faccessat2, ALWAYS),
    ANY(fstat, ALWAYS),
    ANY(fstatfs, ALWAYS),
    ANY(getdents64, ALWAYS),
    ANY(lstat, ALWAYS),
    ANY(newfstatat, ALWAYS),
    ANY(readlink, ALWAYS),
    ANY(readlinkat, ALWAYS),
    ANY(stat, ALWAYS),
    ANY(statfs, ALWAYS),
    ANY(statx, ALWAYS),
    IF(open, ALWAYS, BITS(1, OPEN_WRITES, 0)),
    IF(openat, ALWAYS, BITS(2, OPEN_WRITES, 0)),

    /* Who and where we are. */
    ANY(getcpu, ALWAYS),
    ANY(getegid, ALWAYS),
    ANY(geteuid, ALWAYS),
    ANY(getgid, ALWAYS),
    ANY(getpid, ALWAYS),
    ANY(getrandom, ALWAYS),
    ANY(gettid, ALWAYS),
    ANY(getuid, ALWAYS),
    ANY(sysinfo, ALWAYS),
    ANY(uname, ALWAYS),
    IF2(prlimit64, ALWAYS, EQUALS(0, 0), EQUALS(2, 0)), /* ours, and only to look */
    ANY(wait4, ALWAYS),                                 /* for who unmounts */

    /* syslog and sd_notify: datagrams, to sockets that may have to be found again. What
     * else is said was connected at the start: udev, the system bus. */
    IF2(socket, ALWAYS, EQUALS(0, AF_UNIX), BITS(1, 0xf, SOCK_DGRAM)),
    ANY(connect, ALWAYS),
    ANY(getsockopt, ALWAYS),
    ANY(recvfrom, ALWAYS),
    ANY(recvmsg, ALWAYS),
    ANY(sendmsg, ALWAYS),
    ANY(sendto, ALWAYS),
    ANY(shutdown, ALWAYS),

    /* The start: udev's messages, the system bus, and the second load of this table. */
    IF2(socket, STARTING, EQUALS(0, AF_NETLINK), EQUALS(2, NETLINK_KOBJECT_UEVENT)),
    IF2(socket, STARTING, EQUALS(0, AF_UNIX), BITS(1, 0xf, SOCK_STREAM)),
    ANY(bind, STARTING),
    ANY(getpeername, STARTING),
    ANY(getsockname, STARTING),
    ANY(setsockopt, STARTING),
    ANY(seccomp, STARTING),
    IF(prctl, STARTING, EQUALS(0, PR_SET_NO_NEW_PRIVS)),
    IF(prctl, STARTING, EQUALS(0, PR_GET_NAME)),
    IF(prctl, STARTING, EQUALS(0, PR_SET_SECCOMP)),

    /* Cards that connect. Where Landlock is, unlink reaches their folders only. */
    IF(socket, LISTENING_STARTING, EQUALS(0, AF_INET)),
    ANY(listen, LISTENING_STARTING),
    ANY(accept4, LISTENING),
    ANY(unlink, LISTENING),
    IF(setsockopt, LISTENING, EQUALS(1, IPPROTO_TCP)),
};

static bool wanted(enum when when, enum scfs_step step, bool listens)
{
    bool starting = when == STARTING || when == LISTENING_STARTING;
    bool listening = when == LISTENING || when == LISTENING_STARTING;

    return (!starting || step == SCFS_STEP_START) && (!listening || listens);
}

static int fill(scmp_filter_ctx filter, enum scfs_step step, bool listens)
{
    const struct scmp_arg_cmp us = EQUALS(0, (scmp_datum_t)getpid());
    int error = 0;

    for (size_t i = 0; i < sizeof table / sizeof *table && error == 0; i++) {
        const struct rule *rule = &table[i];

        if (wanted(rule->when, step, listens))
            error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call,
                                           rule->count, rule->argument);
    }
    if (error == 0)
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &us);
    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    /* Of what has its arguments looked at, this one is in every exchange with a reader.
     */
    if (error == 0)
        error = seccomp_syscall_priority(filter, SCMP_SYS(ioctl), UINT8_MAX);
    return error;
}

int scfs_seccomp_load(const struct scfs_options *options, enum scfs_step step)
{
    bool log = options->confine == SCFS_CONFINE_LOG;
    scmp_filter_ctx filter = seccomp_init(log ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(EPERM));
    int error;

    if (filter == NULL)
        return ENOMEM;
    /* Calls of another word size would go round the table. */
    error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
                             log ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (error == 0)
        error = fill(filter, step, scfs_confine_listens(options));
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return -error;
}
