/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-call.c - card-touching calls over the fake driver, without a kernel: each is
 * answered exactly once, whatever comes between.
 *
 * A running call is one of 80 E4 FF FF, which takes a minute unless it is cancelled; the
 * fake driver ends a cancelled one at once. It is under way when begin_long returns.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bare.h"
#include "fake_driver.h"
#include "fake_fuse.h"
#include "fs/exchange.h"
#include "fs/internal.h"

static struct scfs_handle *handle;
static struct fuse_req first, second;

/* ---- calls ----------------------------------------------------------------------- */

#define T0_HEADER 1, 0, 0, 0, 8, 0, 0, 0

static const uint8_t cold_reset[] = {SCARD_COLD_RESET, 0, 0, 0};
static const uint8_t either[] = {3, 0, 0, 0};
static const uint8_t long_apdu[] = {T0_HEADER, 0x80, 0xE4, 0xFF, 0xFF};
static const uint8_t count_apdu[] = {T0_HEADER, 0x80, 0xE8, 0x00, 0x00, 0x01};

static void call_with(struct fuse_req *req, uint32_t code, const uint8_t *input,
                      size_t len, uint32_t timeout_ms, uint32_t flags)
{
    const struct scard_call header = {.size = SCARD_CALL_HEADER_SIZE + 64,
                                      .version = SCARD_IOC_VERSION,
                                      .code = code,
                                      .in_len = (uint32_t)len,
                                      .out_len = 64,
                                      .timeout_ms = timeout_ms,
                                      .flags = flags};
    uint8_t bytes[64];

    assert_true(len <= sizeof bytes);
    memcpy(bytes, input, len);
    scfs_call_start(req, handle, &header, bytes);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(bytes[i], 0); /* nothing of it is left in the buffer */
}

static void call(struct fuse_req *req, uint32_t code, const uint8_t *input, size_t len,
                 uint32_t timeout_ms)
{
    call_with(req, code, input, len, timeout_ms, 0);
}

static void transmit(struct fuse_req *req, const uint8_t *apdu, size_t len,
                     uint32_t timeout_ms)
{
    call(req, IOCTL_SMARTCARD_TRANSMIT, apdu, len, timeout_ms);
}

#define FOREVER              SCARD_TIMEOUT_INFINITE
#define COUNT(req, limit_ms) transmit(req, count_apdu, sizeof count_apdu, limit_ms)

static void assert_answer(const struct fuse_req *req, int error, NTSTATUS status)
{
    struct scard_call header;

    assert_int_equal(req->answers, 1);
    assert_int_equal(req->error, error);
    assert_int_equal(req->broken, 0);
    if (error != 0)
        return;
    assert_true(req->len >= sizeof header);
    memcpy(&header, req->reply, sizeof header);
    assert_int_equal(header.status, status);
    assert_int_equal(req->result, -smc_status_errno(status));
    assert_int_equal(req->len, sizeof header + header.out_len);
}

/* How many commands the card has had, this one included. */
static unsigned count(void)
{
    struct fuse_req req;
    unsigned result;

    fake_request_init(&req);
    COUNT(&req, FOREVER);
    assert_answer(&req, 0, STATUS_SUCCESS);
    result = req.reply[SCARD_CALL_HEADER_SIZE + 8];
    fake_request_destroy(&req);
    return result;
}

/* ---- a call that runs in a thread of its own ------------------------------------- */

static pthread_t runner;

static void *run_long(void *argument)
{
    transmit(argument, long_apdu, sizeof long_apdu, FOREVER);
    return NULL;
}

static void begin_long(struct fuse_req *req)
{
    const unsigned before = fake_driver_sleeps();

    assert_int_equal(pthread_create(&runner, NULL, run_long, req), 0);
    fake_driver_wait_sleeps(before + 1);
}

static void end_long(struct fuse_req *req)
{
    fake_interrupt(req);
    pthread_join(runner, NULL);
}

/* A call that is to be kept; and one that ends by itself, when it is time. */
static const uint8_t slow_apdu[] = {T0_HEADER, 0x80, 0xE4, 0x00, 0x64};

static void keep(struct fuse_req *req, const uint8_t *apdu, size_t len)
{
    call_with(req, IOCTL_SMARTCARD_TRANSMIT, apdu, len, FOREVER, SCARD_CALL_KEEP);
}

static void *keep_slow(void *argument)
{
    keep(argument, slow_apdu, sizeof slow_apdu);
    return NULL;
}

static void *keep_long(void *argument)
{
    keep(argument, long_apdu, sizeof long_apdu);
    return NULL;
}

/* Runs, and its client is gone. */
static void keep_and_interrupt(void *(*kept)(void *), struct fuse_req *req)
{
    const unsigned before = fake_driver_sleeps();

    assert_int_equal(pthread_create(&runner, NULL, kept, req), 0);
    fake_driver_wait_sleeps(before + 1);
    fake_interrupt(req);
    assert_answer(req, EINTR, 0);
}

static int outcome(struct fuse_req *req)
{
    fake_request_destroy(req);
    fake_request_init(req);
    scfs_exchange_read(req, handle, sizeof req->reply, true);
    assert_int_equal(req->answers, 1);
    return req->error;
}

/* ---- group ----------------------------------------------------------------------- */

static int setup(void **state)
{
    struct fuse_req req;

    (void)state;
    fake_request_init(&first);
    fake_request_init(&second);
    if (!bare_begin(false))
        return -1;
    handle = scfs_handle_new(&bare_fs, bare_reader, SCFS_CONTROL, O_RDWR);
    if (handle == NULL)
        return -1;
    for (int i = 0; i < 2; i++) {
        fake_request_init(&req);
        if (i == 0)
            call(&req, IOCTL_SMARTCARD_POWER, cold_reset, sizeof cold_reset, FOREVER);
        else
            call(&req, IOCTL_SMARTCARD_SET_PROTOCOL, either, sizeof either, FOREVER);
        if (req.result != 0)
            return -1;
        fake_request_destroy(&req);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scfs_handle_release(handle);
    bare_end();
    fake_request_destroy(&first);
    fake_request_destroy(&second);
    return 0;
}

/* ---- cases ----------------------------------------------------------------------- */

static void test_call_on_an_idle_reader_is_answered_in_this_thread(void **state)
{
    static const uint8_t expected[] = {T0_HEADER, 1, 0x90, 0x00};

    (void)state;
    COUNT(&first, 0);
    assert_answer(&first, 0, STATUS_SUCCESS);
    assert_int_equal(first.len, SCARD_CALL_HEADER_SIZE + sizeof expected);
    assert_memory_equal(first.reply + SCARD_CALL_HEADER_SIZE, expected, sizeof expected);
    fake_interrupt(&first); /* too late */
    assert_answer(&first, 0, STATUS_SUCCESS);
}

static void test_call_that_fails_returns_status_and_no_bytes(void **state)
{
    static const uint8_t other_protocol[] = {2, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xE8, 0, 0};

    (void)state;
    transmit(&first, other_protocol, sizeof other_protocol, FOREVER);
    assert_answer(&first, 0, STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(first.len, SCARD_CALL_HEADER_SIZE);
}

static void test_call_interrupted_before_it_begins_never_reaches_the_card(void **state)
{
    (void)state;
    fake_interrupt(&first);
    COUNT(&first, FOREVER);
    assert_answer(&first, EINTR, 0);
    assert_int_equal(count(), 1);
}

static void test_call_on_a_busy_reader_without_time_is_refused(void **state)
{
    (void)state;
    begin_long(&first);
    COUNT(&second, 0);
    assert_answer(&second, 0, STATUS_IO_TIMEOUT);
    end_long(&first);
    assert_answer(&first, EINTR, 0);
    assert_int_equal(count(), 2); /* the long one and this */
}

static void test_call_that_waits_is_withdrawn_by_an_interrupt(void **state)
{
    (void)state;
    begin_long(&first);
    COUNT(&second, FOREVER);
    assert_int_equal(second.answers, 0);
    fake_interrupt(&second);
    assert_answer(&second, EINTR, 0);
    assert_int_equal(first.answers, 0);
    end_long(&first);
    assert_int_equal(count(), 2);
}

static void test_call_that_waits_for_a_busy_reader_counts_among_its_users_waits(
    void **state)
{
    struct fuse_req third;

    (void)state;
    fake_request_init(&third);
    begin_long(&first);
    handle->uid = 1000;
    bare_fs.quota.max[SCFS_QUOTA_WAITS] = 1;
    COUNT(&second, FOREVER);
    COUNT(&third, FOREVER);
    assert_answer(&third, EDQUOT, 0);
    fake_interrupt(&second);
    assert_answer(&second, EINTR, 0);

    fake_request_destroy(&third); /* the place is free again */
    fake_request_init(&third);
    COUNT(&third, FOREVER);
    assert_int_equal(third.answers, 0);
    fake_interrupt(&third);
    assert_answer(&third, EINTR, 0);
    handle->uid = 0;
    end_long(&first);
    assert_int_equal(count(), 2);
    fake_request_destroy(&third);
}

static void test_call_that_waits_is_withdrawn_by_its_limit(void **state)
{
    (void)state;
    begin_long(&first);
    COUNT(&second, 50);
    bare_now_ms += 49;
    scfs_timer_expire(&bare_fs.timer);
    assert_int_equal(second.answers, 0);
    bare_now_ms++;
    scfs_timer_expire(&bare_fs.timer);
    assert_answer(&second, 0, STATUS_IO_TIMEOUT);
    end_long(&first);
    assert_int_equal(count(), 2);
}

static void test_call_whose_turn_has_come_is_not_ended_by_its_limit(void **state)
{
    const unsigned before = fake_driver_sleeps();

    (void)state;
    begin_long(&first);
    transmit(&second, long_apdu, sizeof long_apdu, 50);
    fake_interrupt(&first);
    assert_answer(&first, EINTR, 0);
    fake_driver_wait_sleeps(before + 2); /* its turn comes in the other thread */
    bare_now_ms += 100;
    scfs_timer_expire(&bare_fs.timer);
    assert_int_equal(second.answers, 0);
    end_long(&second);
    assert_answer(&second, EINTR, 0);
}

static void test_running_call_that_is_interrupted_is_answered_at_once(void **state)
{
    (void)state;
    begin_long(&first);
    fake_interrupt(&first);
    assert_answer(&first, EINTR, 0); /* whether or not the driver has ended by now */
    pthread_join(runner, NULL);
    assert_answer(&first, EINTR, 0);
    assert_int_equal(count(), 2);
}

static void test_removal_ends_running_and_waiting_calls(void **state)
{
    (void)state;
    begin_long(&first);
    COUNT(&second, FOREVER);
    assert_int_equal(fake_driver.unplug(bare_reader->device), 0);
    assert_answer(&first, 0, STATUS_DEVICE_REMOVED);
    assert_answer(&second, 0, STATUS_DEVICE_REMOVED);
    pthread_join(runner, NULL);
    fake_request_destroy(&second);
    fake_request_init(&second);
    COUNT(&second, FOREVER);
    assert_answer(&second, 0, STATUS_DEVICE_REMOVED);
}

static void test_kept_call_goes_on_and_is_read(void **state)
{
    (void)state;
    keep_and_interrupt(keep_slow, &first);
    pthread_join(runner, NULL);
    assert_answer(&first, EINTR, 0);
    assert_int_equal(outcome(&second), 0);
    assert_int_equal(second.len, 2);
    assert_memory_equal(second.reply, "\x90\x00", 2);
    assert_int_equal(outcome(&second), ENODATA); /* once */
    assert_int_equal(count(), 2);                /* and it was sent once */
}

static void test_read_waits_for_a_kept_call(void **state)
{
    (void)state;
    keep_and_interrupt(keep_slow, &first);
    scfs_exchange_read(&second, handle, sizeof second.reply, false);
    pthread_join(runner, NULL);
    fake_wait_answer(&second);
    assert_int_equal(second.error, 0);
    assert_memory_equal(second.reply, "\x90\x00", 2);
}

static void test_call_that_waits_is_not_kept(void **state)
{
    (void)state;
    begin_long(&first);
    keep(&second, count_apdu, sizeof count_apdu);
    fake_interrupt(&second);
    assert_answer(&second, EINTR, 0);
    assert_int_equal(outcome(&second), ENODATA); /* it may be made again */
    end_long(&first);
    assert_int_equal(count(), 2);
}

static void test_second_call_is_not_kept_beside_an_unread_outcome(void **state)
{
    (void)state;
    keep_and_interrupt(keep_slow, &first);
    pthread_join(runner, NULL);
    keep_and_interrupt(keep_long, &second); /* would run for a minute */
    pthread_join(runner, NULL);
    assert_int_equal(outcome(&second), 0); /* of the first */
}

static void test_kept_call_ends_with_its_file(void **state)
{
    (void)state;
    keep_and_interrupt(keep_long, &first);
    scfs_handle_release(handle);
    pthread_join(runner, NULL);
    handle = scfs_handle_new(&bare_fs, bare_reader, SCFS_CONTROL, O_RDWR);
    assert_non_null(handle);
    assert_int_equal(count(), 2); /* the reader is free */
}

static void test_kept_call_ends_with_its_reader(void **state)
{
    (void)state;
    keep_and_interrupt(keep_long, &first);
    assert_int_equal(fake_driver.unplug(bare_reader->device), 0);
    pthread_join(runner, NULL);
    assert_int_equal(outcome(&second), ENODEV);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_call_on_an_idle_reader_is_answered_in_this_thread),
        CASE(test_call_that_fails_returns_status_and_no_bytes),
        CASE(test_call_interrupted_before_it_begins_never_reaches_the_card),
        CASE(test_call_on_a_busy_reader_without_time_is_refused),
        CASE(test_call_that_waits_is_withdrawn_by_an_interrupt),
        CASE(test_call_that_waits_for_a_busy_reader_counts_among_its_users_waits),
        CASE(test_call_that_waits_is_withdrawn_by_its_limit),
        CASE(test_call_whose_turn_has_come_is_not_ended_by_its_limit),
        CASE(test_running_call_that_is_interrupted_is_answered_at_once),
        CASE(test_removal_ends_running_and_waiting_calls),
        CASE(test_kept_call_goes_on_and_is_read),
        CASE(test_read_waits_for_a_kept_call),
        CASE(test_call_that_waits_is_not_kept),
        CASE(test_second_call_is_not_kept_beside_an_unread_outcome),
        CASE(test_kept_call_ends_with_its_file),
        CASE(test_kept_call_ends_with_its_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
