/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * standstill.c - programs that come to a standstill within a system call, which the
 * kernel makes others wait for: nobody else is held up, and they can be killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "calls.h"
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/aio_abi.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS      5000
#define STOP_LIMIT_MS 20000 /* the daemon's own is 10 s */
#define PAGE          4096
#define ASYNC_COUNT   14 /* the kernel has 12 requests "in the background" at most */

static struct daemon scardfs;

static int open_file(const char *name, int flags)
{
    int fd = open(daemon_path(&scardfs, name), flags | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};

    nanosleep(&t, NULL);
}

/* Whether the child ends within the limit; its status. */
static bool ends(pid_t child, int *status)
{
    int64_t deadline = now_ms() + LIMIT_MS;
    pid_t pid;

    while ((pid = waitpid(child, status, WNOHANG)) == 0 && now_ms() < deadline)
        pause_ms(5);
    return pid == child;
}

/* ---- memory that does not come ------------------------------------------------------
 */

/* A page that whoever touches it waits for, in the kernel, too: userfaultfd here, but a
 * file of a server that does not answer does the same for everybody. */
struct hole {
    int fd; /* readable once somebody waits; -1: not for us */
    void *page;
};

static void hole_dig(struct hole *hole)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register area = {.range.len = PAGE,
                                   .mode = UFFDIO_REGISTER_MODE_MISSING};

    hole->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (hole->fd < 0)
        return;
    hole->page =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(hole->page != MAP_FAILED);
    area.range.start = (uintptr_t)hole->page;
    assert_int_equal(ioctl(hole->fd, UFFDIO_API, &api), 0);
    assert_int_equal(ioctl(hole->fd, UFFDIO_REGISTER, &area), 0);
}

static void hole_fill(struct hole *hole)
{
    struct uffdio_zeropage zeros = {.range = {(uintptr_t)hole->page, PAGE}};

    assert_int_equal(ioctl(hole->fd, UFFDIO_ZEROPAGE, &zeros), 0);
}

struct writer {
    pthread_t thread;
    struct hole hole;
    int fd;
};

static void *write_from_hole(void *argument)
{
    struct writer *writer = argument;

    (void)!write(writer->fd, writer->hole.page, 4);
    return NULL;
}

/* What another program does with the same file: 0 when it comes to its end. */
static int use_file(const char *name, const char *text, size_t len)
{
    int fd = open(daemon_path(&scardfs, name), O_RDWR | O_TRUNC | O_CLOEXEC);
    char answer[64];

    if (fd < 0 || write(fd, text, len) != (ssize_t)len)
        return 1;
    (void)lseek(fd, 0, SEEK_SET);
    return read(fd, answer, sizeof answer) > 0 ? 0 : 1;
}

static void assert_free_while_a_writer_stands(const char *name, const char *text,
                                              size_t len)
{
    struct writer writer = {0};
    struct pollfd fault = {.events = POLLIN};
    int status = 0;
    bool ended;
    pid_t child;

    hole_dig(&writer.hole);
    if (writer.hole.fd < 0) {
        print_message("SKIP %s: userfaultfd: %s\n", name, strerror(errno));
        skip();
    }
    writer.fd = open_file(name, O_WRONLY);
    fault.fd = writer.hole.fd;
    assert_int_equal(pthread_create(&writer.thread, NULL, write_from_hole, &writer), 0);
    assert_int_equal(poll(&fault, 1, LIMIT_MS), 1);

    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(use_file(name, text, len));
    ended = ends(child, &status);
    hole_fill(&writer.hole); /* before anything is asserted: nobody else could end it */
    pthread_join(writer.thread, NULL);
    if (!ended)
        waitpid(child, &status, 0);
    close(writer.fd);
    close(writer.hole.fd);
    munmap(writer.hole.page, PAGE);
    assert_true(ended);
    assert_int_equal(status, 0);
}

static void test_writer_whose_memory_does_not_come_holds_up_no_other(void **state)
{
    (void)state;
    assert_free_while_a_writer_stands("reader0/control", "\x80\xe8\0\0\4", 5);
    assert_free_while_a_writer_stands("reader0/transmit", "80e8000004\n", 11);
    assert_free_while_a_writer_stands("reader0/power", "cold\n", 5);
}

/* ---- a directory that is being listed ------------------------------------------------
 */

static void *list_into_hole(void *argument)
{
    struct writer *lister = argument;

    syscall(SYS_getdents64, lister->fd, lister->hole.page, PAGE);
    return NULL;
}

static char state_of(const char *stat)
{
    char state = '?';
    FILE *file = fopen(stat, "re");

    if (file != NULL) {
        (void)!fscanf(file, "%*d (%*[^)]) %c", &state);
        fclose(file);
    }
    return state;
}

/* One of its threads comes to wait where no signal reaches it. */
static bool is_stuck(const struct daemon *d)
{
    int64_t deadline = now_ms() + LIMIT_MS;
    char pattern[64];
    bool stuck = false;

    snprintf(pattern, sizeof pattern, "/proc/%ld/task/*/stat", (long)d->pid);
    while (!stuck && now_ms() < deadline) {
        glob_t threads;

        if (glob(pattern, 0, NULL, &threads) == 0) {
            for (size_t i = 0; i < threads.gl_pathc; i++)
                stuck |= state_of(threads.gl_pathv[i]) == 'D';
            globfree(&threads);
        }
        pause_ms(20);
    }
    return stuck;
}

/* Of a reader that may not have come yet. */
static int open_soon(const char *path)
{
    int64_t deadline = now_ms() + LIMIT_MS;
    int fd;

    while ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0 && now_ms() < deadline)
        pause_ms(5);
    return fd;
}

/* Reads of an open file come to say that its reader is gone. */
static bool goes(int fd)
{
    int64_t deadline = now_ms() + LIMIT_MS;
    char text[64];

    while (pread(fd, text, sizeof text, 0) >= 0 || errno != ENODEV) {
        if (now_ms() > deadline)
            return false;
        pause_ms(5);
    }
    return true;
}

static bool becomes_zombie(const struct daemon *d)
{
    int64_t deadline = now_ms() + STOP_LIMIT_MS;
    char stat[64];

    snprintf(stat, sizeof stat, "/proc/%ld/stat", (long)d->pid);
    while (state_of(stat) != 'Z') {
        if (now_ms() > deadline)
            return false;
        pause_ms(20);
    }
    return true;
}

static void test_lister_who_stands_keeps_no_card_powered_and_no_daemon_from_coming(
    void **state)
{
    static const char *const options[] = {"--virtual=2", NULL};
    struct daemon first, second;
    struct writer lister = {0};
    struct pollfd fault = {.events = POLLIN};
    bool stuck, gone, ended;
    int reader1, status = 0;

    (void)state;
    hole_dig(&lister.hole);
    if (lister.hole.fd < 0) {
        print_message("SKIP listing: userfaultfd: %s\n", strerror(errno));
        skip();
    }
    daemon_start(&first, options);
    second = first;
    lister.fd = open(first.mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(lister.fd >= 0);
    reader1 = open_soon(daemon_path(&first, "reader1/state"));
    assert_true(reader1 >= 0);
    fault.fd = lister.hole.fd;
    assert_int_equal(pthread_create(&lister.thread, NULL, list_into_hole, &lister), 0);
    assert_int_equal(poll(&fault, 1, LIMIT_MS), 1);
    assert_int_equal(daemon_command(&first, "unplug reader0\n"), 0);
    stuck = is_stuck(&first); /* it has to tell the kernel */

    kill(first.pid, SIGTERM);
    gone = goes(reader1);
    ended = becomes_zombie(&first); /* but for that thread */
    if (ended)
        daemon_start_again(&second, options);
    hole_fill(&lister.hole);
    pthread_join(lister.thread, NULL);
    close(reader1);
    close(lister.fd);
    close(lister.hole.fd);
    munmap(lister.hole.page, PAGE);
    assert_int_equal(waitpid(first.pid, &status, 0), first.pid);
    assert_true(stuck);
    assert_true(gone);
    assert_true(ended);
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_int_equal(daemon_stop(&second), 0);
}

/* ---- io_submit -----------------------------------------------------------------------
 */

/* The child's part: a write that waits for its turn. */
static void submit_and_wait(void)
{
    static char text[] = "cold\n";
    int fd = open(daemon_path(&scardfs, "reader1/power"), O_WRONLY | O_DIRECT);
    struct iocb block = {.aio_fildes = (uint32_t)fd,
                         .aio_lio_opcode = IOCB_CMD_PWRITE,
                         .aio_buf = (uintptr_t)text,
                         .aio_nbytes = sizeof text - 1};
    struct iocb *blocks[] = {&block};
    struct io_event event;
    aio_context_t context = 0;

    if (fd < 0 || syscall(SYS_io_setup, 1, &context) != 0 ||
        syscall(SYS_io_submit, context, 1, blocks) != 1)
        _exit(1);
    syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
    _exit(0);
}

/* The `owner` line of a reader comes to say that nobody has it. */
static bool becomes_free(const char *owner)
{
    int64_t deadline = now_ms() + LIMIT_MS;

    while (strcmp(daemon_text(&scardfs, owner), "none") != 0) {
        if (now_ms() > deadline)
            return false;
        pause_ms(5);
    }
    return true;
}

/* So many stand in line for reader1; in `owner` the fourth word counts them. */
static bool are_waiting(unsigned wanted)
{
    int64_t deadline = now_ms() + LIMIT_MS;
    unsigned count = 0;

    while (count < wanted && now_ms() < deadline) {
        const char *line = daemon_text(&scardfs, "reader1/owner");
        const char *last = strrchr(line, ' ');

        count = last != NULL ? (unsigned)strtoul(last + 1, NULL, 10) : 0;
        pause_ms(5);
    }
    return count >= wanted;
}

static void test_asynchronous_writes_hold_up_no_close_and_can_be_killed(void **state)
{
    int holder = open_file("reader1/control", O_RDWR);
    int other = open_file("reader0/control", O_RDWR);
    bool waiting, heard, freed;
    unsigned killed = 0;
    pid_t children[ASYNC_COUNT];

    (void)state;
    assert_int_equal(call_lock(holder), 0);
    assert_int_equal(call_lock(other), 0);
    for (int i = 0; i < ASYNC_COUNT; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            close(holder);
            close(other);
            submit_and_wait();
        }
    }
    waiting = are_waiting(ASYNC_COUNT);
    close(other);
    heard = becomes_free("reader0/owner");
    for (int i = 0; i < ASYNC_COUNT; i++) {
        int status = 0;

        kill(children[i], SIGKILL);
        killed += ends(children[i], &status) && WIFSIGNALED(status);
    }
    close(holder);
    freed = becomes_free("reader1/owner");
    assert_true(waiting);
    assert_true(heard);
    assert_int_equal(killed, ASYNC_COUNT);
    assert_true(freed);
}

static int start(void **state)
{
    static const char *const options[] = {"--virtual=2", NULL};

    (void)state;
    daemon_start(&scardfs, options);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    return daemon_stop(&scardfs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer_whose_memory_does_not_come_holds_up_no_other),
        cmocka_unit_test(test_asynchronous_writes_hold_up_no_close_and_can_be_killed),
        cmocka_unit_test(
            test_lister_who_stands_keeps_no_card_powered_and_no_daemon_from_coming),
    };

    if (!daemon_possible("standstill"))
        return 77;
    return cmocka_run_group_tests(tests, start, stop);
}
