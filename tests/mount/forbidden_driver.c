/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forbidden_driver.c - a driver that has been taken over: it is loaded like any other
 * (-o driver=), and tries from inside the daemon what the daemon must not be able to do.
 *
 * A thread of it waits for a byte on file FORBIDDEN_GO, by which time the daemon serves,
 * and writes a line "NAME: ERROR" for each attempt to file FORBIDDEN_SAID. What could do
 * harm where nothing is refused has arguments that the kernel does not take: it then says
 * EINVAL, ENOENT or the like, which counts as not refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "smclib.h"

DRIVER_INITIALIZE DriverEntry;

#define A(value) (long)(value)

static int said;

static int file_of(const char *variable)
{
    const char *text = getenv(variable);

    return text != NULL ? atoi(text) : -1;
}

static void tell(const char *name, long result)
{
    const char *error = result >= 0 ? "done" : strerrorname_np(errno);

    dprintf(said, "%s: %s\n", name, error);
}

static const char *in_folder(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", getenv("FORBIDDEN_DIR"), name);
    return path;
}

/* ---- by file names --------------------------------------------------------------- */

static void try_files(int victim)
{
    char memory[64];

    snprintf(memory, sizeof memory, "/proc/%d/mem", victim);
    tell("open another's memory", open(memory, O_RDWR));
    tell("read /etc/shadow", open("/etc/shadow", O_RDONLY));
    tell("read /etc/passwd", open("/etc/passwd", O_RDONLY));
    tell("write to a file", open(in_folder("file"), O_RDWR));
    tell("append to a file", open(in_folder("file"), O_WRONLY | O_APPEND));
    tell("make a file", open(in_folder("new"), O_RDWR | O_CREAT, 0600));
    tell("make a file without a name", open(in_folder("."), O_TMPFILE | O_RDWR, 0600));
    tell("empty a file", open(in_folder("file"), O_RDWR | O_TRUNC));
    tell("truncate", truncate(in_folder("file"), 0));
    tell("chmod", chmod(in_folder("file"), 04777));
    tell("chown", chown(in_folder("file"), 1, 1));
    tell("unlink", unlink(in_folder("file")));
    tell("mkdir", mkdir(in_folder("new"), 0700));
    tell("rmdir", rmdir(in_folder("none")));
    tell("symlink", symlink("/", in_folder("new")));
    tell("mknod", mknod(in_folder("new"), S_IFCHR | 0600, 0));
    tell("setxattr", (long)syscall(SYS_setxattr, in_folder("file"), "user.a", "", 0, 0));
}

/* ---- sockets --------------------------------------------------------------------- */

static void try_sockets(void)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    int datagrams = socket(AF_UNIX, SOCK_DGRAM, 0);

    tell("socket of TCP", socket(AF_INET, SOCK_STREAM, 0));
    tell("socket of UDP", socket(AF_INET6, SOCK_DGRAM, 0));
    tell("socket of packets", socket(AF_PACKET, SOCK_RAW, 0));
    tell("socket of routes", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    tell("socket of udev", socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
    tell("socket of VSOCK", socket(AF_VSOCK, SOCK_STREAM, 0));
    tell("socket of a local stream", socket(AF_UNIX, SOCK_STREAM, 0));
    tell("bind", bind(datagrams, (struct sockaddr *)&any, sizeof any.sun_family));
    tell("listen", listen(datagrams, 1));
    tell("accept", accept4(datagrams, NULL, NULL, 0));
    close(datagrams);
}

/* ---- code and processes ---------------------------------------------------------- */

static void try_code(void)
{
    static char page_[8192];
    char *page = (char *)(((uintptr_t)page_ + 4095) & ~(uintptr_t)4095);
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    tell("memory to write and run", code == MAP_FAILED ? -1 : 0);
    code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    tell("memory to run", code == MAP_FAILED ? -1 : 0);
    tell("data becomes code", mprotect(page, 4096, PROT_READ | PROT_EXEC));
    tell("the same with a key",
         (long)syscall(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_EXEC, -1));
    tell("memfd_create", memfd_create("new", 0));
}

static void try_processes(int victim)
{
    const struct rlimit cores = {RLIM_INFINITY, RLIM_INFINITY};
    char program[] = "true", *argv[] = {program, NULL}, byte;
    struct iovec here = {&byte, 1}, there = {&try_files, 1};
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (child == 0)
        _exit(0);
    tell("fork", child);
    child = syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    tell("fork into a name space", child);
    tell("exec", execv(getenv("FORBIDDEN_PROGRAM"), argv));
    tell("execveat", (long)syscall(SYS_execveat, -1, "", argv, NULL, 0));
    tell("ptrace", ptrace(PTRACE_ATTACH, victim, NULL, NULL));
    tell("read another's memory", process_vm_readv(victim, &here, 1, &there, 1, 0));
    tell("write another's memory", process_vm_writev(victim, &here, 1, &there, 1, 0));
    tell("kill another", kill(victim, SIGKILL));
    tell("kill a thread of another", (long)syscall(SYS_tgkill, victim, victim, SIGKILL));
    tell("queue a signal", sigqueue(victim, 0, (union sigval){0}));
    tell("let cores be", setrlimit(RLIMIT_CORE, &cores));
    tell("let others attach", prctl(PR_SET_DUMPABLE, 1));
}

/* ---- the system: refused by their numbers ----------------------------------------- */

struct call {
    const char *name;
    long number;
    long argument[5];
};

static const struct call calls[] = {
    {"setuid", SYS_setuid, {0}},
    {"setresuid", SYS_setresuid, {-1, -1, -1}},
    {"setgroups", SYS_setgroups, {0, 0}},
    {"unshare", SYS_unshare, {0}},
    {"setns", SYS_setns, {-1, 0}},
    {"mount", SYS_mount, {A("none"), A("/none"), A("tmpfs"), 0, 0}},
    {"umount", SYS_umount2, {A("/none"), 0}},
    {"move_mount", SYS_move_mount, {-1, A(""), -1, A(""), 0}},
    {"pivot_root", SYS_pivot_root, {A(""), A("")}},
    {"chroot", SYS_chroot, {A("/none")}},
    {"keyctl", SYS_keyctl, {KEYCTL_GET_KEYRING_ID, -3, 0}},
    {"add_key", SYS_add_key, {A("user"), A("a"), A("a"), 1, -3}},
    {"bpf", SYS_bpf, {-1, 0, 0}},
    {"perf_event_open", SYS_perf_event_open, {0, 0, -1, -1, 0}},
    {"init_module", SYS_init_module, {0, 0, A("")}},
    {"finit_module", SYS_finit_module, {-1, A(""), 0}},
    {"delete_module", SYS_delete_module, {A("none"), 0}},
    {"kexec_load", SYS_kexec_load, {0, 0, 0, -1}},
    {"reboot", SYS_reboot, {0, 0, 0, 0}},
    {"swapoff", SYS_swapoff, {A("/none")}},
    {"sethostname", SYS_sethostname, {A(""), -1}},
    {"clock_settime", SYS_clock_settime, {9999, 0}},
    {"userfaultfd", SYS_userfaultfd, {0}},
    {"io_uring_setup", SYS_io_uring_setup, {0, 0}},
    {"io_setup", SYS_io_setup, {0, 0}},
    {"pidfd_open", SYS_pidfd_open, {1, 0}},
    {"pidfd_getfd", SYS_pidfd_getfd, {-1, 0, 0}},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, 0, 0}},
    {"inotify_init", SYS_inotify_init1, {0}},
    {"fanotify_init", SYS_fanotify_init, {-1, 0}},
    {"personality", SYS_personality, {0xFFFFFFFF}},
    {"seccomp", SYS_seccomp, {SECCOMP_GET_ACTION_AVAIL, 0, A("")}},
    {"sched_setscheduler", SYS_sched_setscheduler, {0, -1, 0}},
    {"capset", SYS_capset, {0, 0}},
    {"a letter for a terminal", SYS_ioctl, {0, TIOCSTI, A("a")}},
    {"shmget", SYS_shmget, {0, 4096, 0}},
};

static void try_calls(void)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const long *a = calls[i].argument;

        tell(calls[i].name, syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4]));
    }
}

/* ---- the driver ------------------------------------------------------------------ */

static void *attempt(void *unused)
{
    int victim = file_of("FORBIDDEN_VICTIM");
    char byte;

    if (read(file_of("FORBIDDEN_GO"), &byte, 1) != 1)
        return unused;
    said = file_of("FORBIDDEN_SAID");
    try_files(victim);
    try_sockets();
    try_code();
    try_calls();
    try_processes(victim);
    dprintf(said, "end\n");
    return unused;
}

static VOID Unload(PDRIVER_OBJECT driver)
{
    (void)driver;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING unused)
{
    pthread_t thread;

    (void)unused;
    driver->DriverUnload = Unload;
    if (pthread_create(&thread, NULL, attempt, NULL) != 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    pthread_detach(thread);
    return STATUS_SUCCESS;
}
