/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn.c - a reader is plugged and unplugged over and over (CHURN_CYCLES) while eight
 * processes list, stat, open, follow links, change modes and hold its directory. From the
 * moment that `changes` tells of it, nobody sees anything but what is so; and nobody
 * stands still.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "churn_worker.h"
#include "daemon.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CYCLES 100

static struct daemon scardfs;
static struct churn *churn;
static int changes = -1;

static void enter(enum phase phase)
{
    uint32_t count = churn->phase / 4 + 1;

    __atomic_store_n(&churn->phase, 4 * count + phase, __ATOMIC_SEQ_CST);
}

static void *say(void *line)
{
    return (void *)(intptr_t)daemon_command(&scardfs, line);
}

/* Returns when the change has been announced; the write of the line may still be on its
 * way back. */
static pthread_t say_and_hear(char *line)
{
    struct pollfd fd = {.fd = changes, .events = POLLIN};
    pthread_t thread;
    char number[32];

    assert_int_equal(pthread_create(&thread, NULL, say, line), 0);
    assert_int_equal(poll(&fd, 1, STUCK_MS), 1);
    assert_true(read(changes, number, sizeof number) > 0);
    return thread;
}

static void has_succeeded(pthread_t thread)
{
    void *error;

    assert_int_equal(pthread_join(thread, &error), 0);
    assert_int_equal((intptr_t)error, 0);
}

/* The first name in the directory that begins so and is no other's. */
static void find(const char *directory, const char *begin, char *name, size_t size,
                 bool (*is_subject)(const char *path))
{
    DIR *dir = opendir(daemon_path(&scardfs, directory));
    bool found = false;

    assert_non_null(dir);
    for (struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, begin, strlen(begin)) != 0)
            continue;
        snprintf(name, size, "%s%s%s", directory, directory[0] != '\0' ? "/" : "",
                 entry->d_name);
        found = is_subject(name);
    }
    closedir(dir);
    assert_true(found);
}

static bool not_reader0(const char *name)
{
    return strcmp(name, "reader0") != 0;
}

static bool same_inode(const char *name)
{
    struct stat st;

    return stat(daemon_path(&scardfs, name), &st) == 0 && st.st_ino == churn->subject.ino;
}

static void plug(void)
{
    static const char *const directories[LINKS] = {"by-id", "by-path"};
    struct subject *subject = &churn->subject;
    ino_t former = subject->ino;
    char line[] = "plug\n";
    struct stat st;
    pthread_t thread;

    enter(MOVING);
    thread = say_and_hear(line);
    find("", "reader", subject->name, sizeof subject->name, not_reader0);
    assert_int_equal(stat(daemon_path(&scardfs, subject->name), &st), 0);
    subject->ino = st.st_ino;
    assert_true(subject->ino != former);
    for (int i = 0; i < LINKS; i++)
        find(directories[i], "usb-", subject->links[i], sizeof subject->links[i],
             same_inode);
    enter(PRESENT);
    has_succeeded(thread);
}

static void unplug(void)
{
    char line[NAME_MAX + 16];
    pthread_t thread;

    snprintf(line, sizeof line, "unplug %s\n", churn->subject.name);
    enter(MOVING);
    thread = say_and_hear(line);
    enter(ABSENT);
    has_succeeded(thread);
}

/* Until each of them has begun and ended a look. */
static void let_them_look(void)
{
    const int64_t since = now_ms();
    int before[WORKERS];

    for (int i = 0; i < WORKERS; i++)
        before[i] = __atomic_load_n(&churn->looks[i], __ATOMIC_SEQ_CST);
    for (int i = 0; i < WORKERS;) {
        if (__atomic_load_n(&churn->looks[i], __ATOMIC_SEQ_CST) - before[i] >= 2)
            i++;
        else if (now_ms() - since > STUCK_MS)
            fail_msg("process %d of %d stands still", i, WORKERS);
        else
            sched_yield();
    }
}

static void start_workers(pid_t *workers)
{
    const char *mount = daemon_path(&scardfs, ".");

    fflush(NULL);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = fork();
        assert_true(workers[i] >= 0);
        if (workers[i] == 0)
            churn_work(churn, i, mount);
    }
}

static void end_workers(const pid_t *workers)
{
    const int64_t since = now_ms();
    int status;

    __atomic_store_n(&churn->stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < WORKERS;) {
        pid_t ended = waitpid(workers[i], &status, WNOHANG);

        if (ended == workers[i]) {
            assert_int_equal(status, 0);
            i++;
        } else if (now_ms() - since > STUCK_MS) {
            fail_msg("process %d of %d does not end", i, WORKERS);
        } else {
            sched_yield();
        }
    }
}

static void test_churn_nobody_sees_what_is_not_so_any_more(void **state)
{
    const char *given = getenv("CHURN_CYCLES");
    const long cycles = given != NULL ? strtol(given, NULL, 10) : CYCLES;
    const int64_t begun_ms = now_ms();
    pid_t workers[WORKERS];

    (void)state;
    plug();
    start_workers(workers);
    for (long i = 0; i < cycles; i++) {
        let_them_look();
        unplug();
        let_them_look();
        plug();
    }
    end_workers(workers);
    print_message("%ld cycles in %.1f s; looks: %d when it was there, %d when it was "
                  "gone: %d stale\n",
                  cycles, (double)(now_ms() - begun_ms) / 1000, churn->told[PRESENT],
                  churn->told[ABSENT], churn->stale);
    assert_true(churn->told[PRESENT] > 0 && churn->told[ABSENT] > 0);
    if (churn->stale != 0)
        fail_msg("the first: %s", churn->first);
    /* nobody has anything open any more */
    unplug();
    plug();
    assert_string_equal(churn->subject.name, "reader1");
}

static int start(void **state)
{
    static const char *const options[] = {"--virtual", "-o", "power=lazy", NULL};
    char number[32];

    (void)state;
    churn = mmap(NULL, sizeof *churn, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    daemon_start(&scardfs, options);
    changes = open(daemon_path(&scardfs, "changes"), O_RDONLY | O_CLOEXEC);
    return churn == MAP_FAILED || changes < 0 || read(changes, number, sizeof number) < 1;
}

static int stop(void **state)
{
    (void)state;
    close(changes);
    return daemon_stop(&scardfs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_churn_nobody_sees_what_is_not_so_any_more),
    };

    if (!daemon_possible("mount-churn"))
        return 77;
    return cmocka_run_group_tests(tests, start, stop);
}
