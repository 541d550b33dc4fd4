/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * write-read.c - commands by write and their outcomes by read and poll, through the
 * kernel: who waits, who does not, and a hundred thousand writes of garbage.
 */
#include "misuse_case.h"

#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define GARBAGE_WRITES 100000
#define ENDLESS_MS     60000 /* a command that has to be ended */
#define LIMIT_MS       10000

static const char endless_line[] = "80E4EA60\n";

/* What poll says of the file, of all that it can say. */
static int polled(int fd, int timeout_ms)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};
    int count = poll(&entry, 1, timeout_ms);

    assert_true(count >= 0);
    return count == 0 ? 0 : entry.revents;
}

static int write_line(const char *line)
{
    return failed(write(transmit, line, strlen(line)));
}

static void assert_reads(int fd, size_t size, const void *expected, size_t len)
{
    uint8_t bytes[64];

    assert_true(size <= sizeof bytes);
    assert_int_equal(read(fd, bytes, size), len);
    assert_memory_equal(bytes, expected, len);
}

/* Ends what runs on reader0, and waits until poll says that its outcome is there. */
static void end_endless(int fd)
{
    assert_int_equal(daemon_command(&scardfs, "remove reader0\n"), 0);
    while ((polled(fd, LIMIT_MS) & POLLIN) == 0)
        continue; /* the state has changed first */
}

static void insert_card(void)
{
    assert_int_equal(daemon_command(&scardfs, "insert reader0\n"), 0);
}

static void test_poll_of_control_follows_a_command(void **state)
{
    (void)state;
    assert_int_equal(polled(control, 0) & ~POLLPRI, POLLOUT);
    is("an endless command", 0, call_write(control, ENDLESS_MS));
    assert_int_equal(polled(control, 0) & ~POLLPRI, 0);
    end_endless(control);
    assert_int_equal(polled(control, 0) & ~POLLPRI, POLLIN);
    is("its outcome", ENOMEDIUM, failed(read(control, (char[8]){0}, 8)));
    assert_int_equal(polled(control, 0) & ~POLLPRI, POLLOUT);
    insert_card();
    is("a command", 0, call_write_and_wait(control));
    assert_int_equal(polled(control, 0) & ~POLLPRI, POLLIN);
    is("a small buffer", EMSGSIZE, failed(read(control, (char[1]){0}, 1)));
    assert_int_equal(polled(control, 0) & ~POLLPRI, POLLIN);
    assert_reads(control, 64, "\x90\x00", 2);
    assert_int_equal(polled(control, 0) & ~POLLPRI, POLLOUT);
}

static void test_poll_of_transmit_is_for_shells_that_ask_before_each_byte(void **state)
{
    (void)state;
    assert_int_equal(polled(transmit, 0), POLLIN | POLLOUT); /* the end of the file */
    assert_int_equal(write_line(endless_line), 0);
    assert_int_equal(polled(transmit, 0), 0);
    end_endless(transmit);
    assert_int_equal(polled(transmit, 0), POLLIN);
    is("its outcome", ENOMEDIUM, failed(read(transmit, (char[8]){0}, 8)));
    insert_card();
    assert_int_equal(write_line("80E40000\n"), 0);
    assert_int_equal(polled(transmit, LIMIT_MS), POLLIN);
    for (const char *c = "9000\n"; *c != '\0'; c++) {
        assert_int_equal(polled(transmit, 0), POLLIN);
        assert_reads(transmit, 1, c, 1);
    }
    assert_int_equal(polled(transmit, 0), POLLIN | POLLOUT);
    assert_reads(transmit, 1, "", 0);
}

static void test_edge_triggered_epoll_hears_of_every_answer(void **state)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    (void)state;
    assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, control, &event), 0);
    for (int i = 0; i < 50; i++) {
        is("a command", 0, call_write(control, 0));
        do
            assert_int_equal(epoll_wait(epoll, &event, 1, LIMIT_MS), 1);
        while ((event.events & EPOLLIN) == 0);
        assert_reads(control, 64, "\x90\x00", 2);
    }
    close(epoll);
}

static void test_poll_of_a_lost_connection_hangs_up(void **state)
{
    (void)state;
    is("a connection", 0, call_connect(control));
    assert_int_equal(polled(control, 0) & POLLHUP, 0);
    assert_int_equal(daemon_command(&scardfs, "remove reader0\n"), 0);
    while ((polled(control, LIMIT_MS) & POLLHUP) == 0)
        continue; /* the state has changed first */
    is("a write", ENXIO, failed(write(control, "\0\xa4\4\0", 4)));
    is("a read", ENXIO, failed(read(control, (char[8]){0}, 8)));
    assert_int_equal(daemon_command(&scardfs, "insert reader0\n"), 0);
    assert_int_equal(polled(control, 0) & POLLHUP, POLLHUP);
}

static void test_nonblocking_read_never_waits(void **state)
{
    (void)state;
    assert_int_equal(fcntl(control, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(transmit, F_SETFL, O_NONBLOCK), 0);
    is("nothing asked", ENODATA, failed(read(control, (char[8]){0}, 8)));
    is("an endless command", 0, call_write(control, ENDLESS_MS));
    is("too early", EAGAIN, failed(read(control, (char[8]){0}, 8)));
    assert_int_equal(write_line("80E80000\n"), 0); /* queued behind it */
    is("too early, too", EAGAIN, failed(read(transmit, (char[8]){0}, 8)));
    end_endless(control);
    is("it has ended", ENOMEDIUM, failed(read(control, (char[8]){0}, 8)));
    assert_int_equal(polled(transmit, LIMIT_MS), POLLIN);
    is("the other, too", ENOMEDIUM, failed(read(transmit, (char[8]){0}, 8)));
    assert_int_equal(daemon_command(&scardfs, "insert reader0\n"), 0);
}

static void *read_control(void *error)
{
    *(int *)error = failed(read(control, (char[8]){0}, 8));
    return NULL;
}

static void test_read_that_waits_does_not_hold_up_a_write(void **state)
{
    pthread_t reader;
    int error = -1;

    (void)state;
    is("an endless command", 0, call_write(control, ENDLESS_MS));
    assert_int_equal(pthread_create(&reader, NULL, read_control, &error), 0);
    is("another", EBUSY, call_write(control, 0));
    assert_int_equal(daemon_command(&scardfs, "remove reader0\n"), 0);
    pthread_join(reader, NULL);
    is("what was read", ENOMEDIUM, error);
    insert_card();
}

static void test_close_aborts_and_the_next_one_is_served(void **state)
{
    int other = open_reader("control", O_RDWR);

    (void)state;
    is("an endless command", 0, call_write(other, ENDLESS_MS));
    close(other);
    is("the next one", 0, call_write(control, 0));
    assert_reads(control, 64, "\x90\x00", 2);
}

static void test_garbage_is_refused_or_answered_a_hundred_thousand_times(void **state)
{
    uint64_t seed = 0x2545F4914F6CDD1D;
    unsigned answered = 0;

    (void)state;
    for (unsigned i = 0; i < GARBAGE_WRITES; i++) {
        const bool text = i % 2 != 0;
        const int fd = text ? transmit : control;
        uint8_t bytes[24], answer[4096];
        size_t len;
        int error;

        for (size_t j = 0; j < sizeof bytes; j++) {
            seed = seed * 6364136223846793005 + 1442695040888963407;
            bytes[j] = text ? (uint8_t) "0123456789abcdefABCDEF \n"[(seed >> 48) % 24]
                            : (uint8_t)(seed >> 56);
        }
        len = 1 + (size_t)(seed >> 40) % sizeof bytes;
        if (!text && bytes[0] == 0x80 && bytes[1] == 0xe4)
            continue; /* would take its time */
        error = failed(write(fd, bytes, len));
        if (error != 0) {
            is("garbage", EINVAL, error);
            continue;
        }
        assert_true(read(fd, answer, sizeof answer) >= 2);
        answered++;
        while (text && read(fd, answer, sizeof answer) > 0)
            continue;
    }
    assert_true(answered > GARBAGE_WRITES / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MISUSE(test_poll_of_control_follows_a_command),
        MISUSE(test_poll_of_transmit_is_for_shells_that_ask_before_each_byte),
        MISUSE(test_edge_triggered_epoll_hears_of_every_answer),
        MISUSE(test_poll_of_a_lost_connection_hangs_up),
        MISUSE(test_nonblocking_read_never_waits),
        MISUSE(test_read_that_waits_does_not_hold_up_a_write),
        MISUSE(test_close_aborts_and_the_next_one_is_served),
        MISUSE(test_garbage_is_refused_or_answered_a_hundred_thousand_times),
    };

    if (!daemon_possible("write-read"))
        return 77;
    return cmocka_run_group_tests(tests, misuse_begin, misuse_end);
}
