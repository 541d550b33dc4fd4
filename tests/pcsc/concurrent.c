/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * concurrent.c - calls of several threads and processes on the mount that SCARDFS_MOUNT
 * names, with a virtual reader.
 *
 * usage: concurrent changes | signals | transactions | forks
 *        transactions: with -o idle_limit=1
 */
#include "concurrent.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 60
#define NUMBERS 16

char reader[MAX_READERNAME];

void check(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "concurrent: not so: %s\n", what);
    _exit(1);
}

void need(LONG code, LONG wanted, const char *what)
{
    if (code == wanted)
        return;
    fprintf(stderr, "concurrent: %s: %08lx, not %08lx\n", what,
            (unsigned long)code & 0xFFFFFFFFul, (unsigned long)wanted & 0xFFFFFFFFul);
    _exit(1);
}

SCARDCONTEXT new_context(void)
{
    SCARDCONTEXT context;

    need(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context), SCARD_S_SUCCESS,
         "a context");
    return context;
}

SCARDHANDLE new_card(SCARDCONTEXT context)
{
    SCARDHANDLE card;
    DWORD protocol;

    need(SCardConnect(context, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1, &card,
                      &protocol),
         SCARD_S_SUCCESS, "a connection");
    return card;
}

LONG select_file(SCARDHANDLE card)
{
    static const unsigned char command[] = {0x00, 0xA4, 0x00, 0x00, 0x02, 0x3F, 0x00};
    unsigned char answer[MAX_BUFFER_SIZE];
    DWORD len = sizeof answer;

    return SCardTransmit(card, SCARD_PCI_T1, command, sizeof command, NULL, answer, &len);
}

/* ---- the mount ------------------------------------------------------------------- */

static int open_mount(const char *file, int flags)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", getenv("SCARDFS_MOUNT"), file);
    return open(path, flags);
}

static bool first_line(const char *file, char *line, size_t room)
{
    int fd = open_mount(file, O_RDONLY);
    ssize_t len = fd >= 0 ? read(fd, line, room - 1) : -1;

    if (fd >= 0)
        close(fd);
    line[len > 0 ? len : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return len >= 0;
}

/* The number changes with a replug, when somebody still looks at the old one. */
static int number_of_reader(void)
{
    for (int number = 0; number < NUMBERS; number++) {
        char file[64], name[MAX_READERNAME];

        snprintf(file, sizeof file, "reader%d/name", number);
        if (first_line(file, name, sizeof name) && strcmp(name, reader) == 0)
            return number;
    }
    check(false, "the first reader is there");
    return -1;
}

void read_file(const char *file, char *line, size_t room)
{
    char path[64];

    snprintf(path, sizeof path, "reader%d/%s", number_of_reader(), file);
    check(first_line(path, line, room), path);
}

static void ask_virtual(const char *line)
{
    int fd = open_mount("virtual", O_WRONLY);

    check(write(fd, line, strlen(line)) == (ssize_t)strlen(line), line);
    close(fd);
}

void plug_reader(void)
{
    ask_virtual("plug\n");
}

void ask_reader(const char *verb)
{
    char line[64];

    snprintf(line, sizeof line, "%s reader%d\n", verb, number_of_reader());
    ask_virtual(line);
}

unsigned files_of_mount(void)
{
    const char *mount = getenv("SCARDFS_MOUNT");
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    unsigned count = 0;

    check(dir != NULL, "/proc/self/fd");
    while ((entry = readdir(dir)) != NULL) {
        char path[300], target[300] = "";

        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        if (readlink(path, target, sizeof target - 1) > 0 &&
            strncmp(target, mount, strlen(mount)) == 0)
            count++;
    }
    closedir(dir);
    return count;
}

/* ---- threads --------------------------------------------------------------------- */

static void *run_thread(void *argument)
{
    struct thread *thread = argument;

    thread->id = gettid();
    thread->work(thread);
    thread->over = true;
    return NULL;
}

void begin_thread(struct thread *thread)
{
    thread->id = 0;
    thread->over = false;
    check(pthread_create(&thread->thread, NULL, run_thread, thread) == 0, "a thread");
}

void wait_until_it_polls(const struct thread *thread)
{
    char path[64], text[16];
    int number = -1;

    while (number != 7) { /* poll(2); proc_pid_syscall(5) */
        FILE *file;

        if (thread->over) /* it has not waited */
            need(thread->code, SCARD_E_TIMEOUT, "the wait");
        snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)thread->id);
        file = thread->id != 0 ? fopen(path, "r") : NULL;
        if (file != NULL && fgets(text, sizeof text, file) != NULL)
            number = strncmp(text, "running", 7) == 0 ? -1 : atoi(text);
        if (file != NULL)
            fclose(file);
    }
}

void end_thread(struct thread *thread)
{
    pthread_join(thread->thread, NULL);
}

void wait_for_change(struct thread *self)
{
    SCARD_READERSTATE state = {.szReader = self->name, .dwCurrentState = self->known};

    self->code = SCardGetStatusChange(self->context, INFINITE, &state, 1);
    self->event = state.dwEventState;
}

/* ---- main ------------------------------------------------------------------------ */

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"changes", run_changes},
                 {"signals", run_signals},
                 {"transactions", run_transactions},
                 {"forks", run_forks}};
    static char names[16 * MAX_READERNAME];
    SCARDCONTEXT context;
    DWORD len = sizeof names;

    alarm(LIMIT_S); /* what does not get on */
    context = new_context();
    need(SCardListReaders(context, NULL, names, &len), SCARD_S_SUCCESS, "a reader");
    need(SCardReleaseContext(context), SCARD_S_SUCCESS, "the end of the context");
    snprintf(reader, sizeof reader, "%.*s", MAX_READERNAME - 1, names);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            return 0;
        }
    }
    fprintf(stderr, "usage: concurrent changes | signals | transactions | forks\n");
    return 2;
}
