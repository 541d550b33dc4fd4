/* SPDX-License-Identifier: BSD-2-Clause */
/* load_herd.c - see load_herd.h. */
#include "load_herd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES 65536

/* Shared by all processes; every field is atomic. */
struct score {
    int parked; /* threads that are about to read */
    int polled; /* descriptors that are in an epoll */
    int read_woken, poll_woken, failures;
};

static struct score *score;
static pid_t herds[HERDS];

static void count(int *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
}

static int counted(const int *counter)
{
    return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};

    nanosleep(&t, NULL);
}

/* ---- a herd ------------------------------------------------------------------------ */

/* Reads the line of an event: the counter and a newline. */
static void take_event(int fd, int *counter)
{
    char line[64];
    ssize_t n = read(fd, line, sizeof line);

    count(n >= 2 && line[n - 1] == '\n' ? counter : &score->failures);
}

static void *wait_in_read(void *argument)
{
    count(&score->parked);
    take_event((int)(intptr_t)argument, &score->read_woken);
    return NULL;
}

static int open_or_exit(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static void start_threads(const char *path, pthread_t *threads)
{
    pthread_attr_t small;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    for (int i = 0; i < HERD_SIZE; i++)
        if (pthread_create(&threads[i], &small, wait_in_read,
                           (void *)(intptr_t)open_or_exit(path)) != 0) {
            fprintf(stderr, "a herd got %d threads\n", i);
            exit(1);
        }
    pthread_attr_destroy(&small);
}

static int start_pollers(const char *path)
{
    int set = epoll_create1(EPOLL_CLOEXEC);

    for (int i = 0; i < HERD_SIZE; i++) {
        int fd = open_or_exit(path);
        struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};

        if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0) {
            perror("epoll_ctl");
            exit(1);
        }
        count(&score->polled);
    }
    return set;
}

static _Noreturn void be_a_herd(const char *path)
{
    static pthread_t threads[HERD_SIZE];
    struct epoll_event events[64];
    int set, left = HERD_SIZE;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    start_threads(path, threads);
    set = start_pollers(path);
    while (left > 0) {
        int n = epoll_wait(set, events, sizeof events / sizeof *events, -1);

        for (int i = 0; i < n; i++)
            take_event(events[i].data.fd, &score->poll_woken);
        left -= n > 0 ? n : 0;
    }
    for (int i = 0; i < HERD_SIZE; i++)
        pthread_join(threads[i], NULL);
    _exit(0);
}

/* ---- from outside ------------------------------------------------------------------ */

/* Calls look for every thread of the process; the number of those for which it is true.
 */
static int threads_that(pid_t pid, bool (*look)(const char *task))
{
    char path[64], task[PATH_MAX];
    int found = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    dir = opendir(path);
    if (dir == NULL)
        return 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(task, sizeof task, "%s/%s", path, entry->d_name);
        found += look(task);
    }
    closedir(dir);
    return found;
}

static FILE *open_of(const char *task, const char *name)
{
    char path[PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/%s", task, name);
    return fopen(path, "re");
}

static bool sleeps_in_read(const char *task)
{
    FILE *file = open_of(task, "syscall");
    long number = -1;

    if (file == NULL)
        return false;
    if (fscanf(file, "%ld", &number) != 1) /* "running" */
        number = -1;
    fclose(file);
    return number == SYS_read;
}

static bool is_in_state_d(const char *task)
{
    FILE *file = open_of(task, "stat");
    char state = 0;

    if (file == NULL)
        return false;
    if (fscanf(file, "%*d %*s %c", &state) != 1)
        state = 0;
    fclose(file);
    return state == 'D';
}

static int all_that(bool (*look)(const char *task))
{
    int found = 0;

    for (int i = 0; i < HERDS; i++)
        found += herds[i] != 0 ? threads_that(herds[i], look) : 0;
    return found;
}

int herds_in_state_d(void)
{
    return all_that(is_in_state_d);
}

bool herds_start(const struct daemon *d, unsigned within_ms)
{
    int64_t limit = now_ms() + within_ms;

    if (score == NULL)
        score = mmap(NULL, sizeof *score, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (score == MAP_FAILED)
        return false;
    memset(score, 0, sizeof *score);
    fflush(NULL);
    for (int i = 0; i < HERDS; i++) {
        char name[64];

        snprintf(name, sizeof name, HERD_READER, i);
        herds[i] = fork();
        if (herds[i] < 0)
            return false;
        if (herds[i] == 0)
            be_a_herd(daemon_path(d, name));
    }
    while (counted(&score->parked) < HERD_TOTAL || counted(&score->polled) < HERD_TOTAL ||
           all_that(sleeps_in_read) < HERD_TOTAL) {
        if (now_ms() > limit || counted(&score->failures) != 0)
            return false;
        pause_ms(20);
    }
    return true;
}

int herds_readers_woken(void)
{
    return counted(&score->read_woken);
}

int herds_pollers_woken(void)
{
    return counted(&score->poll_woken);
}

int herds_failures(void)
{
    return counted(&score->failures);
}

int herds_reap(unsigned within_ms)
{
    int64_t limit = now_ms() + within_ms;
    int left;

    do {
        left = 0;
        for (int i = 0; i < HERDS; i++) {
            if (herds[i] != 0 && waitpid(herds[i], NULL, WNOHANG) == herds[i])
                herds[i] = 0;
            left += herds[i] != 0;
        }
        if (left != 0)
            pause_ms(1);
    } while (left != 0 && now_ms() < limit);
    return left;
}

void herds_kill(void)
{
    for (int i = 0; i < HERDS; i++)
        if (herds[i] != 0)
            kill(herds[i], SIGKILL);
}
