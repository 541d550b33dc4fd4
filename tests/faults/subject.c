/* SPDX-License-Identifier: BSD-2-Clause */
/* subject.c - starts, asks and ends the daemon; see subject.h. */
#include "subject.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 32

/* ---- its place ------------------------------------------------------------------- */

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(address.sun_path, path);
    return address;
}

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    bool written = fd >= 0 && dprintf(fd, "%s", text) > 0;

    if (fd >= 0)
        close(fd);
    return written;
}

/* For -o config=, and for LeakSanitizer, which shall say nothing of what libusb and
 * libfuse themselves forget when they have no memory. */
static bool write_files(const struct subject *s)
{
    bool written = write_file(s->rules, "path=virtual-1 gid=daemon mode=0640\n") &&
                   write_file(s->leaks, "leak:libusb-1.0.so\nleak:libfuse3.so\n");
    char cards[80];

    snprintf(cards, sizeof cards, "%s/cards", s->dir);
    return written && mkdir(cards, 0700) == 0;
}

bool subject_new(struct subject *s)
{
    struct sockaddr_un address;

    *s = (struct subject){.pidfd = -1, .emulation_fd = -1};
    strcpy(s->dir, "/tmp/scardfs-faults.XXXXXX");
    if (!mkdtemp(s->dir) || chmod(s->dir, 0755)) {
        perror(s->dir);
        return false;
    }
    snprintf(s->mount, sizeof s->mount, "%s/mnt", s->dir);
    snprintf(s->log, sizeof s->log, "%s/log", s->dir);
    snprintf(s->area, sizeof s->area, "%s/area", s->dir);
    snprintf(s->emulation, sizeof s->emulation, "%s/usb", s->dir);
    snprintf(s->ready, sizeof s->ready, "%s/ready", s->dir);
    snprintf(s->card, sizeof s->card, "%s/cards/card", s->dir);
    snprintf(s->rules, sizeof s->rules, "%s/rules", s->dir);
    snprintf(s->leaks, sizeof s->leaks, "%s/leaks", s->dir);
    snprintf(s->state, sizeof s->state, "%s/state", s->dir);
    s->ready_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    address = address_of(s->ready);
    if (mkdir(s->mount, 0755) ||
        bind(s->ready_fd, (struct sockaddr *)&address, sizeof address) ||
        chmod(s->ready, 0666)) {
        perror(s->ready);
        return false;
    }
    return write_files(s);
}

static void remove_one(const struct subject *s, const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    if (unlink(path) && errno != ENOENT && rmdir(path))
        perror(path);
}

void subject_free(struct subject *s)
{
    static const char *const names[] = {"mnt",        "log",   "area",  "usb",  "ready",
                                        "cards/card", "state", "rules", "leaks"};

    subject_kill(s);
    subject_unmount(s);
    close(s->ready_fd);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove_one(s, names[i]);
    remove_one(s, "cards");
    rmdir(s->dir);
}

/* ---- its life -------------------------------------------------------------------- */

static void set(const char *name, const char *value)
{
    if (value && *value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/* "unix:" and "config=" want a path of ours. */
static const char *complete(const struct subject *s, const char *option)
{
    char *text = NULL, last = option[strlen(option) - 1];

    if (last != ':' && last != '=')
        return option;
    if (asprintf(&text, "%s%s", option, last == ':' ? s->card : s->rules) < 0)
        _exit(127);
    return text;
}

static void become(const struct subject *s, const struct launch *launch,
                   const char *preload)
{
    const char *argv[ARGUMENTS_MAX], *asan = getenv("ASAN_OPTIONS");
    char listen[sizeof s->dir + 8];
    char modules[1024], sanitizer[512];
    size_t n = 0;
    int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    snprintf(listen, sizeof listen, "listen=%s", s->dir);
    dup2(null, 0);
    dup2(null, 1);
    dup2(log, 2);
    close(log);
    snprintf(modules, sizeof modules, "%s%s%s", preload ? preload : "",
             preload ? ":" : "", getenv("USBEMU"));
    snprintf(sanitizer, sizeof sanitizer, "%s%sverify_asan_link_order=0",
             asan ? asan : "", asan ? ":" : "");
    set("USBEMU_DEVICES", launch->devices);
    set("USBEMU_CTL", s->emulation);
    set("NOTIFY_SOCKET", s->ready);
    set("FAULTS_AREA", preload ? s->area : NULL);
    set("ASAN_OPTIONS", sanitizer);
    snprintf(sanitizer, sizeof sanitizer, "print_suppressions=0:suppressions=%s",
             s->leaks);
    set("LSAN_OPTIONS", sanitizer);
    for (const char *const *word = s->before; word && *word; word++)
        argv[n++] = *word;
    if (n == 0)
        set("LD_PRELOAD", modules);
    else
        set("KILLAT_PRELOAD", modules); /* for the daemon alone */
    argv[n++] = getenv("SCARDFS");
    if (!launch->background)
        argv[n++] = "-f";
    argv[n++] = "-o"; /* the emulation does */
    argv[n++] = listen;
    for (const char *const *o = launch->options; *o && n < ARGUMENTS_MAX - 2; o++)
        argv[n++] = complete(s, *o);
    argv[n++] = s->mount;
    argv[n] = NULL;
    execv(argv[0], (char *const *)argv);
    perror(argv[0]);
    _exit(127);
}

void subject_start(struct subject *s, const struct launch *launch, const char *preload)
{
    struct stat st;
    char text[256];
    pid_t parent = getpid();

    s->log_begin = stat(s->log, &st) == 0 ? st.st_size : 0;
    while (recv(s->ready_fd, text, sizeof text, MSG_DONTWAIT) > 0)
        ; /* of the one before */
    if (unlink(s->emulation) && errno != ENOENT)
        perror(s->emulation);
    fflush(NULL);
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        become(s, launch, preload);
    }
    s->pidfd = attempt_pidfd(s->pid);
}

enum subject_state subject_wait(struct subject *s, int limit_ms)
{
    struct pollfd fds[] = {{.fd = s->ready_fd, .events = POLLIN},
                           {.fd = s->pidfd, .events = POLLIN}};
    char text[256];
    ssize_t n;

    if (poll(fds, 2, limit_ms) <= 0)
        return SUBJECT_SILENT;
    if (!fds[0].revents)
        return SUBJECT_ENDED;
    n = recv(s->ready_fd, text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = 0;
    return strstr(text, "READY=1") ? SUBJECT_READY : SUBJECT_ENDED;
}

/* The only child of ours; who went to the background has left it to us. */
bool subject_adopt(struct subject *s)
{
    FILE *file = fopen("/proc/thread-self/children", "re");
    int pid = 0;

    if (file && fscanf(file, "%d", &pid) == 1) {
        s->pid = pid;
        s->pidfd = attempt_pidfd(s->pid);
    }
    if (file)
        fclose(file);
    return pid != 0;
}

static void forget(struct subject *s)
{
    close(s->pidfd);
    if (s->emulation_fd >= 0)
        close(s->emulation_fd);
    s->pid = 0;
    s->pidfd = s->emulation_fd = -1;
}

bool subject_ended(struct subject *s, int limit_ms, int *status)
{
    struct pollfd fd = {.fd = s->pidfd, .events = POLLIN};

    if (poll(&fd, 1, limit_ms) != 1 || waitpid(s->pid, status, WNOHANG) != s->pid)
        return false;
    forget(s);
    return true;
}

void subject_kill(struct subject *s)
{
    if (s->pid == 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    forget(s);
}

bool subject_mounted(const struct subject *s)
{
    FILE *file = fopen("/proc/self/mounts", "re");
    char line[1024], wanted[128];
    bool found = false;

    snprintf(wanted, sizeof wanted, " %s fuse", s->mount);
    while (file && fgets(line, sizeof line, file))
        found |= strstr(line, wanted) != NULL;
    if (file)
        fclose(file);
    return found;
}

void subject_unmount(const struct subject *s)
{
    while (subject_mounted(s) && umount2(s->mount, MNT_DETACH) == 0)
        ;
}

/* ---- what is done with it -------------------------------------------------------- */

const char *subject_path(const struct subject *s, const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", s->mount, name);
    return path;
}

const char *subject_emulate(struct subject *s, const char *line)
{
    static char answer[16384];
    const struct timeval limit = {.tv_sec = ATTEMPT_MS / 1000};
    const struct sockaddr_un address = address_of(s->emulation);
    size_t len = 0;

    if (s->emulation_fd < 0) {
        s->emulation_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(s->emulation_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (connect(s->emulation_fd, (const struct sockaddr *)&address, sizeof address)) {
            close(s->emulation_fd);
            s->emulation_fd = -1;
            return NULL;
        }
    }
    if (dprintf(s->emulation_fd, "%s\n", line) < 0)
        return NULL;
    do {
        ssize_t n = recv(s->emulation_fd, answer + len, sizeof answer - 1 - len, 0);

        if (n <= 0)
            return NULL;
        len += (size_t)n;
        answer[len] = 0;
        if (strncmp(answer, "err", 3) == 0)
            return NULL;
    } while (strncmp(answer, "ok", 2) != 0 && strstr(answer, "\nok") == NULL);
    return answer;
}
