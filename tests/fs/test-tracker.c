/* SPDX-License-Identifier: BSD-2-Clause */
/* test-tracker.c - what waiters hear of cards, and of a reader that is lost for now. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bare.h"
#include "fake_driver.h"
#include "fake_fuse.h"

static struct scfs_handle *handle;
static struct fuse_req req;

/* Waits for the code; the answer, if there is one already, is in req. */
static void begin_wait(uint32_t code)
{
    const struct scard_call header = {.size = SCARD_CALL_HEADER_SIZE,
                                      .version = SCARD_IOC_VERSION,
                                      .code = code,
                                      .timeout_ms = SCARD_TIMEOUT_INFINITE};

    fake_request_init(&req);
    scfs_wait_call(&req, handle, &header);
}

static void assert_waiting(void)
{
    assert_int_equal(req.answers, 0);
}

static void assert_ended(NTSTATUS status)
{
    struct scard_call header;

    assert_int_equal(req.answers, 1);
    assert_int_equal(req.error, 0);
    assert_true(req.len >= sizeof header);
    memcpy(&header, req.reply, sizeof header);
    assert_int_equal(header.status, status);
    fake_request_destroy(&req);
}

static int setup(void **state)
{
    (void)state;
    if (!bare_begin(false))
        return -1;
    handle = scfs_handle_new(&bare_fs, bare_reader, SCFS_CONTROL, O_RDWR);
    return handle != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    scfs_handle_release(handle);
    bare_end();
    return 0;
}

static void test_changes_are_seen_one_after_another(void **state)
{
    const uint32_t before = bare_reader->counter;

    (void)state;
    begin_wait(IOCTL_SMARTCARD_IS_ABSENT);
    assert_waiting();
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_ended(STATUS_SUCCESS);
    begin_wait(IOCTL_SMARTCARD_IS_PRESENT);
    assert_waiting();
    assert_int_equal(fake_driver.insert(bare_reader->device, NULL, 0), 0);
    assert_ended(STATUS_SUCCESS);
    assert_int_equal(bare_reader->counter, before + 2);
}

static void test_lost_reader_ends_waits_with_an_error_and_changes_nothing(void **state)
{
    const uint32_t before = bare_reader->counter;

    (void)state;
    begin_wait(IOCTL_SMARTCARD_IS_ABSENT);
    fake_driver_lose(bare_reader->device);
    assert_ended(STATUS_IO_DEVICE_ERROR);
    assert_int_equal(bare_reader->counter, before);
    assert_true(bare_reader->present);
}

static void test_reader_that_was_lost_is_listened_to_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        fake_driver_lose(bare_reader->device);
    begin_wait(IOCTL_SMARTCARD_IS_ABSENT);
    assert_waiting();
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_ended(STATUS_SUCCESS);
}

static void test_reader_that_tells_of_no_change_any_more_can_go(void **state)
{
    uint32_t before;

    (void)state;
    fake_driver_answer_tracking(STATUS_IO_DEVICE_ERROR);
    assert_int_equal(fake_driver.remove(bare_reader->device), 0); /* the last one */
    before = bare_reader->counter;
    assert_int_equal(fake_driver.insert(bare_reader->device, NULL, 0), 0);
    assert_int_equal(bare_reader->counter, before);
    fake_driver_answer_tracking(STATUS_PENDING);
    begin_wait(IOCTL_SMARTCARD_IS_PRESENT);
    assert_waiting(); /* nobody tells of it */
    assert_int_equal(scfs_reader_unplug(bare_reader, fake_driver.unplug), 0);
    assert_int_equal(req.answers, 1);
    assert_int_equal(-req.result, ENODEV);
    fake_request_destroy(&req);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_changes_are_seen_one_after_another),
        TEST(test_lost_reader_ends_waits_with_an_error_and_changes_nothing),
        TEST(test_reader_that_was_lost_is_listened_to_again),
        TEST(test_reader_that_tells_of_no_change_any_more_can_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
