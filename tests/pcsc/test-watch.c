/* SPDX-License-Identifier: BSD-2-Clause */
/* test-watch.c - waits on a mount that fails, goes away, or says what none should. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contrib/pcsc/reader.h"
#include "fake_mount.h"

#define NOTIFICATION "\\\\?PnP?\\Notification"
#define KNOWN        (SCARD_STATE_PRESENT | SCARD_STATE_INUSE)

static SCARDCONTEXT context;
static SCARD_READERSTATE states[2];
static unsigned polls_made;

static int setup(void **state)
{
    if (fake_mount_setup(state) != 0)
        return -1;
    context = fake_context();
    states[0] = (SCARD_READERSTATE){.szReader = FAKE_READER, .dwCurrentState = KNOWN};
    polls_made = 0;
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
    return fake_mount_teardown(state);
}

static void second_reader(void)
{
    fake_file("reader1/name", "Second\n");
    fake_file("reader1/control", "");
    states[1] = (SCARD_READERSTATE){.szReader = "Second", .dwCurrentState = KNOWN};
}

static void for_arrivals(void)
{
    states[0] = (SCARD_READERSTATE){.szReader = NOTIFICATION};
}

static LONG wait_for(DWORD timeout_ms, DWORD count)
{
    return SCardGetStatusChange(context, timeout_ms, states, count);
}

/* ---- what the mount says ----------------------------------------------------------- */

/* EALREADY above all, which once meant in here that there was nothing to look at. */
static void test_errno_of_the_mount_is_not_taken_for_no_change(void **state)
{
    static const int errors[] = {EALREADY, EIO, EACCES, EAGAIN};

    (void)state;
    fake_no_control();
    states[0].dwCurrentState = SCARD_STATE_PRESENT;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        assert_int_equal(wait_for(0, 1), SCARD_E_TIMEOUT);
        /* Remembered: to be watched it is opened once more. */
        fake_fails(FAKE_OPEN, "state", 0, 1, errors[i]);
        assert_int_equal(wait_for(10, 1), errors[i] == EACCES ? SCARD_W_SECURITY_VIOLATION
                                                              : SCARD_F_COMM_ERROR);
        assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
        context = fake_context();
    }
}

static void test_reader_that_went_before_it_is_watched_is_looked_for_again(void **state)
{
    static const int errors[] = {ENOENT, ENODEV, ENOTCONN};

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        assert_int_equal(wait_for(0, 1), SCARD_E_TIMEOUT);
        fake_fails(FAKE_OPEN, "control", 0, 1, errors[i]);
        assert_int_equal(wait_for(1, 1), SCARD_E_TIMEOUT);
        assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
        context = fake_context();
    }
}

static void test_stream_of_arrivals_that_fails_ends_the_wait(void **state)
{
    (void)state;
    for_arrivals();
    fake_fails(FAKE_READ, "changes", 0, 1, EIO);
    assert_int_equal(wait_for(1000, 1), SCARD_F_COMM_ERROR);
    fake_fails(FAKE_OPEN, "changes", 0, 1, EMFILE);
    assert_int_equal(wait_for(1000, 1), SCARD_E_SERVER_TOO_BUSY);
    /* A file that ends is no stream. */
    assert_int_equal(wait_for(1000, 1), SCARD_E_NO_SERVICE);
    fake_file("changes", "");
    assert_int_equal(wait_for(1000, 1), SCARD_E_NO_SERVICE);
}

/* Which could be read for as long as the wait is. */
static void test_stream_of_arrivals_that_says_no_numbers_ends_the_wait(void **state)
{
    (void)state;
    for_arrivals();
    fake_file("changes", "no number\n");
    assert_int_equal(wait_for(1000, 1), SCARD_E_NO_SERVICE);
}

/* What is left of a mount whose daemon has ended: an empty directory. */
static void test_wait_for_arrivals_without_a_mount_says_that_there_is_no_service(
    void **state)
{
    (void)state;
    for_arrivals();
    fake_file("changes", NULL);
    assert_int_equal(wait_for(0, 1), SCARD_E_NO_SERVICE);
    assert_int_equal(wait_for(1000, 1), SCARD_E_NO_SERVICE);
}

static int mount_goes(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    fake_file("changes", NULL);
    fake_file("reader0/name", NULL);
    fake_fails(FAKE_IOCTL, "info", 0, 1, ENODEV);
    for (nfds_t i = 0; i < count; i++)
        polls[i].revents = i == 0 ? 0 : POLLERR;
    (void)timeout_ms;
    return 1;
}

static void test_mount_that_goes_during_a_wait_is_no_service(void **state)
{
    (void)state;
    fake_poll = mount_goes;
    assert_int_equal(wait_for(60000, 1), SCARD_E_NO_SERVICE);
}

static int over(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    (void)count;
    polls_made++;
    fake_now_ms += (uint64_t)timeout_ms;
    for (nfds_t i = 0; i < count; i++)
        polls[i].revents = 0;
    return 0;
}

/* Signals, and a stream that had been read by the time it was to be drained. */
static void test_stream_with_nothing_to_say_is_waited_for(void **state)
{
    (void)state;
    for_arrivals();
    fake_now_ms = 1000;
    fake_poll = over;
    fake_fails(FAKE_READ, "changes", 0, 1, EINTR);
    fake_fails(FAKE_READ, "changes", 0, 1, EAGAIN);
    fake_fails(FAKE_POLL, NULL, 0, 2, EINTR);
    assert_int_equal(wait_for(1000, 1), SCARD_E_TIMEOUT);
    assert_int_equal(polls_made, 1);
    fake_fails(FAKE_POLL, NULL, 0, 1, ENOMEM);
    assert_int_equal(wait_for(1000, 1), SCARD_E_NO_MEMORY);
}

/* ---- time -------------------------------------------------------------------------- */

static int over_in_pieces(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    assert_int_equal(timeout_ms, polls_made == 0 ? INT_MAX : INT_MAX - 1);
    return over(polls, count, timeout_ms);
}

static void test_wait_longer_than_poll_can_count(void **state)
{
    (void)state;
    fake_now_ms = 1000;
    fake_poll = over_in_pieces;
    assert_int_equal(wait_for(2u * INT_MAX - 1, 1), SCARD_E_TIMEOUT);
    assert_int_equal(polls_made, 2);
}

static int too_late(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    polls_made++;
    assert_int_equal(count, 2);
    polls[0].revents = 0;
    polls[1].revents = POLLPRI; /* and then there is no news */
    fake_now_ms += (uint64_t)timeout_ms;
    return 1;
}

static void test_file_that_is_always_ready_does_not_make_a_wait_longer(void **state)
{
    (void)state;
    fake_now_ms = 1000;
    fake_poll = too_late;
    assert_int_equal(wait_for(500, 1), SCARD_E_TIMEOUT);
    assert_int_equal(polls_made, 1);
}

/* ---- what changes ------------------------------------------------------------------ */

static int first_changes(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    if (polls_made > 0)
        return over(polls, count, timeout_ms);
    polls_made++;
    assert_int_equal(count, 3);
    fake_ioctls = 0;
    polls[0].revents = polls[2].revents = 0;
    polls[1].revents = POLLPRI;
    return 1;
}

static void test_only_what_has_changed_is_looked_at_again(void **state)
{
    (void)state;
    second_reader();
    fake_now_ms = 1000;
    fake_poll = first_changes;
    assert_int_equal(wait_for(500, 2), SCARD_E_TIMEOUT);
    assert_int_equal(polls_made, 2);
    assert_int_equal(fake_ioctls, 1);
}

static int woken_for_nothing(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    if (polls_made > 0)
        return over(polls, count, timeout_ms);
    polls_made++;
    polls[0].revents = POLLIN; /* of a cancel that came before the wait */
    for (nfds_t i = 1; i < count; i++)
        polls[i].revents = 0;
    return 1;
}

static void test_cancel_of_an_earlier_wait_does_not_end_this_one(void **state)
{
    (void)state;
    fake_now_ms = 1000;
    fake_poll = woken_for_nothing;
    assert_int_equal(wait_for(500, 1), SCARD_E_TIMEOUT);
    assert_int_equal(polls_made, 2);
}

static int reader_goes(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    (void)timeout_ms;
    polls_made++;
    assert_int_equal(count, 2);
    polls[0].revents = 0;
    polls[1].revents = POLLPRI | POLLERR;
    fake_fails(FAKE_IOCTL, "info", 0, 3, ENODEV);
    return 1;
}

static void test_reader_that_goes_during_a_wait_is_news(void **state)
{
    (void)state;
    fake_poll = reader_goes;
    assert_int_equal(wait_for(60000, 1), SCARD_S_SUCCESS);
    assert_int_equal(polls_made, 1);
    assert_int_equal(states[0].dwEventState,
                     SCARD_STATE_CHANGED | SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE);
    assert_int_equal(states[0].cbAtr, 0);
}

static int lost_by_another(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    struct reader *reader;
    int error;

    assert_int_equal(count, 3); /* the lost one's file is not polled any more */
    if (polls_made > 0)
        return over(polls, count, timeout_ms);
    polls_made++;
    reader = reader_find(FAKE_READER, &error);
    assert_non_null(reader);
    reader_lost(reader);
    reader_put(reader);
    for (nfds_t i = 0; i < count; i++)
        polls[i].revents = 0;
    polls[2].revents = POLLPRI;
    return 1;
}

static void test_reader_that_another_thread_lost_is_watched_anew(void **state)
{
    (void)state;
    second_reader();
    fake_now_ms = 1000;
    fake_poll = lost_by_another;
    assert_int_equal(wait_for(500, 2), SCARD_E_TIMEOUT);
    assert_int_equal(polls_made, 2);
    assert_int_equal(states[0].dwEventState & 0xFFFF, KNOWN);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROW(test_errno_of_the_mount_is_not_taken_for_no_change),
        ROW(test_reader_that_went_before_it_is_watched_is_looked_for_again),
        ROW(test_stream_of_arrivals_that_fails_ends_the_wait),
        ROW(test_stream_of_arrivals_that_says_no_numbers_ends_the_wait),
        ROW(test_wait_for_arrivals_without_a_mount_says_that_there_is_no_service),
        ROW(test_mount_that_goes_during_a_wait_is_no_service),
        ROW(test_stream_with_nothing_to_say_is_waited_for),
        ROW(test_wait_longer_than_poll_can_count),
        ROW(test_file_that_is_always_ready_does_not_make_a_wait_longer),
        ROW(test_only_what_has_changed_is_looked_at_again),
        ROW(test_cancel_of_an_earlier_wait_does_not_end_this_one),
        ROW(test_reader_that_goes_during_a_wait_is_news),
        ROW(test_reader_that_another_thread_lost_is_watched_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
