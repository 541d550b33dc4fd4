/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-usb_transfer.c - ccid/usb_transfer.c and the rest of ccid/usb.c: however transfers
 * end, each has been called back before its caller goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scripted_libusb.h"

#define ENDS(name) LIBUSB_TRANSFER_##name

static const struct ccid_usb_ops *const ops = &ccid_usb_libusb_ops;
static uint8_t in[64];
static size_t len;

static int begin(void **state)
{
    (void)state;
    scripted_libusb_begin();
    memset(in, 0, sizeof(in));
    len = 99;
    return 0;
}

static int end(void **state)
{
    (void)state;
    scripted_libusb_end();
    return 0;
}

static enum ccid_usb_result exchange(void)
{
    return ops->exchange(&lib.usb, (const uint8_t *)"command", 7, in, sizeof(in), &len,
                         5000);
}

static enum ccid_usb_result read_control(uint16_t room)
{
    return ops->control(&lib.usb, 0xA1, 2, 0x1234, 1, in, room, &len, 1000);
}

static void cancel(void *usb)
{
    ops->cancel(usb, true);
}

static void hold_in(void *usb)
{
    ops->hold(usb, CCID_USB_IN, true);
}

static void hold_out(void *usb)
{
    ops->hold(usb, CCID_USB_OUT, true);
}

/* ---- one transfer ------------------------------------------------------------------ */

static const struct {
    enum libusb_transfer_status status;
    enum ccid_usb_result result;
} endings[] = {
    {ENDS(COMPLETED), CCID_USB_OK},        {ENDS(TIMED_OUT), CCID_USB_TIMEOUT},
    {ENDS(CANCELLED), CCID_USB_CANCELLED}, {ENDS(STALL), CCID_USB_STALL},
    {ENDS(OVERFLOW), CCID_USB_OVERFLOW},   {ENDS(ERROR), CCID_USB_IO},
    {ENDS(NO_DEVICE), CCID_USB_GONE},
};

#define ENDINGS (sizeof(endings) / sizeof(endings[0]))

static void test_each_way_to_end_has_its_result(void **state)
{
    for (size_t i = 0; i < ENDINGS; i++) {
        scripted_libusb_ends(LIBUSB_IN, endings[i].status, "abc", 3);
        assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, 1000),
                         endings[i].result);
        assert_int_equal(len, 3); /* what came before the end is told all the same */
        assert_memory_equal(in, "abc", 3);
        end(state);
        begin(state);
        scripted_libusb_ends(0, endings[i].status, "abc", 3);
        assert_int_equal(read_control(8), endings[i].result);
        assert_memory_equal(in, "abc", 3);
        end(state);
        begin(state);
    }
}

static void test_device_that_went_takes_no_further_transfer(void **state)
{
    (void)state;
    scripted_libusb_ends(LIBUSB_IN, ENDS(NO_DEVICE), NULL, 0);
    assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, 1000), CCID_USB_GONE);
    assert_int_equal(ops->bulk_out(&lib.usb, in, 1, 1000), CCID_USB_GONE);
    assert_int_equal(read_control(1), CCID_USB_GONE);
    assert_int_equal(exchange(), CCID_USB_GONE);
    assert_int_equal(ops->sleep_ms(&lib.usb, 100), CCID_USB_GONE);
    assert_int_equal(len, 0);
    assert_int_equal(lib.submits, 1);
}

static const struct {
    int error;
    enum ccid_usb_result result;
} refusals[] = {
    {LIBUSB_ERROR_NO_DEVICE, CCID_USB_GONE},    {LIBUSB_ERROR_NOT_FOUND, CCID_USB_GONE},
    {LIBUSB_ERROR_PIPE, CCID_USB_STALL},        {LIBUSB_ERROR_TIMEOUT, CCID_USB_TIMEOUT},
    {LIBUSB_ERROR_OVERFLOW, CCID_USB_OVERFLOW}, {LIBUSB_ERROR_NO_MEM, CCID_USB_NO_MEMORY},
    {LIBUSB_ERROR_BUSY, CCID_USB_IO},
};

#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static void test_refused_submission_is_waited_for_by_nobody(void **state)
{
    (void)state;
    for (size_t i = 0; i < REFUSALS; i++)
        for (size_t j = 0; j < 3; j++)
            lib.submit_results[3 * i + j] = refusals[i].error;
    for (size_t i = 0; i < REFUSALS; i++) {
        assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, 1000),
                         refusals[i].result);
        assert_int_equal(read_control(8), refusals[i].result);
        assert_int_equal(exchange(), refusals[i].result);
        assert_int_equal(len, 0);
    }
    assert_int_equal(lib.clock.now_ms, 1000);
}

static void test_deadline_cancels_and_waits_for_the_end(void **state)
{
    (void)state;
    assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, 700), CCID_USB_TIMEOUT);
    assert_int_equal(lib.clock.now_ms, 1700);
    assert_int_equal(lib.cancels, 1);
    assert_int_equal(ops->bulk_out(&lib.usb, in, 5, 300), CCID_USB_TIMEOUT);
    assert_int_equal(lib.clock.now_ms, 2000);
}

static void test_answer_that_overtakes_the_cancel_is_not_lost(void **state)
{
    (void)state;
    lib.cancels_lost = 1;
    scripted_libusb_ends(LIBUSB_IN, ENDS(COMPLETED), "late", 4);
    assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, 0), CCID_USB_OK);
    assert_int_equal(lib.cancels, 1);
    assert_int_equal(len, 4);
    assert_memory_equal(in, "late", 4);
}

static void test_cancel_that_fails_is_tried_again(void **state)
{
    (void)state;
    lib.cancels_lost = 2;
    assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, 700), CCID_USB_TIMEOUT);
    assert_int_equal(lib.cancels, 3);
}

static void test_wait_without_a_deadline_lasts_longer_than_any_timer(void **state)
{
    (void)state;
    scripted_libusb_action(cancel);
    assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, UINT32_MAX),
                     CCID_USB_CANCELLED);
    assert_int_equal(lib.interrupts, 1);
    ops->cancel(&lib.usb, false);
    scripted_libusb_action(hold_in);
    assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, UINT32_MAX),
                     CCID_USB_CANCELLED);
}

static void test_hold_ends_the_transfers_of_its_pipe_only(void **state)
{
    (void)state;
    hold_out(&lib.usb);
    assert_int_equal(ops->bulk_out(&lib.usb, in, 1, 1000), CCID_USB_CANCELLED);
    assert_int_equal(lib.submits, 0);
    scripted_libusb_ends(LIBUSB_IN, ENDS(COMPLETED), "x", 1);
    assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, 1000), CCID_USB_OK);
    ops->hold(&lib.usb, CCID_USB_OUT, false);
    scripted_libusb_ends(LIBUSB_OUT, ENDS(COMPLETED), NULL, 1);
    assert_int_equal(ops->bulk_out(&lib.usb, in, 1, 1000), CCID_USB_OK);
}

static void test_events_that_cannot_be_handled_end_the_transfer(void **state)
{
    (void)state;
    scripted_libusb_error(LIBUSB_ERROR_NO_MEM);
    assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, 1000),
                     CCID_USB_NO_MEMORY);
    assert_int_equal(lib.cancels, 1);
    /* The first reason counts. */
    scripted_libusb_error(LIBUSB_ERROR_IO);
    scripted_libusb_error(LIBUSB_ERROR_NO_MEM);
    assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, 1000), CCID_USB_IO);
    scripted_libusb_error(LIBUSB_ERROR_INTERRUPTED); /* is none */
    scripted_libusb_ends(LIBUSB_IN, ENDS(COMPLETED), "x", 1);
    assert_int_equal(ops->bulk_in(&lib.usb, in, sizeof(in), &len, 1000), CCID_USB_OK);
}

static void test_message_sent_in_part_is_not_sent(void **state)
{
    (void)state;
    scripted_libusb_ends(LIBUSB_OUT, ENDS(COMPLETED), NULL, 4);
    assert_int_equal(ops->bulk_out(&lib.usb, in, 5, 1000), CCID_USB_IO);
    scripted_libusb_ends(LIBUSB_OUT, ENDS(COMPLETED), NULL, 6);
    scripted_libusb_ends(LIBUSB_IN, ENDS(COMPLETED), "answer", 6);
    assert_int_equal(exchange(), CCID_USB_IO); /* whatever it answers */
}

/* ---- control requests -------------------------------------------------------------- */

static enum ccid_usb_result send_secret(void)
{
    uint8_t data[6] = "secret";
    enum ccid_usb_result result =
        ops->control(&lib.usb, 0x21, 0x65, 0x1234, 1, data, sizeof(data), &len, 1000);

    assert_memory_equal(data, "secret", 6);
    return result;
}

static void assert_stage_wiped(void)
{
    static const uint8_t setup[] = {0x21, 0x65, 0x34, 0x12, 1, 0, 6, 0};
    const uint8_t *stage = lib.usb.control_buffer + LIBUSB_CONTROL_SETUP_SIZE;

    assert_memory_equal(lib.usb.control_buffer, setup, sizeof(setup));
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(stage[i], 0);
}

static void test_control_request_is_staged_and_its_stage_wiped(void **state)
{
    (void)state;
    scripted_libusb_ends(0, ENDS(COMPLETED), NULL, 6);
    assert_int_equal(send_secret(), CCID_USB_OK);
    assert_int_equal(len, 6);
    assert_stage_wiped();
}

static void test_stage_of_a_request_that_is_refused_or_fails_is_wiped(void **state)
{
    (void)state;
    lib.submit_results[0] = LIBUSB_ERROR_NO_MEM;
    assert_int_equal(send_secret(), CCID_USB_NO_MEMORY);
    assert_int_equal(len, 0);
    assert_stage_wiped();
    scripted_libusb_ends(0, ENDS(STALL), NULL, 0);
    assert_int_equal(send_secret(), CCID_USB_STALL);
    assert_stage_wiped();
}

static void test_control_request_without_data_touches_none(void **state)
{
    (void)state;
    scripted_libusb_ends(0, ENDS(COMPLETED), NULL, 0);
    assert_int_equal(ops->control(&lib.usb, 0x21, 1, 7, 1, NULL, 0, &len, 1000),
                     CCID_USB_OK);
    assert_int_equal(len, 0);
    scripted_libusb_ends(0, ENDS(STALL), NULL, 0);
    assert_int_equal(read_control(8), CCID_USB_STALL);
    assert_int_equal(in[0], 0);
}

static void test_control_request_longer_than_the_stage_is_not_made(void **state)
{
    static uint8_t data[CCID_CONTROL_MAX + 1];

    (void)state;
    assert_int_equal(
        ops->control(&lib.usb, 0x21, 1, 0, 0, data, sizeof(data), &len, 1000),
        CCID_USB_NO_MEMORY);
    assert_int_equal(lib.submits, 0);
}

/* ---- exchanges --------------------------------------------------------------------- */

static void test_exchange_ends_when_both_have(void **state)
{
    (void)state;
    scripted_libusb_ends(LIBUSB_IN, ENDS(COMPLETED), "early", 5);
    scripted_libusb_ends(LIBUSB_OUT, ENDS(COMPLETED), NULL, 7);
    assert_int_equal(exchange(), CCID_USB_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(in, "early", 5);
    assert_int_equal(lib.cancels, 0);
}

static void test_exchange_whose_command_fails_waits_for_no_answer(void **state)
{
    (void)state;
    for (size_t i = 1; i < ENDINGS; i++) {
        /* OUT that was cancelled by nobody: what IN says, which is cancelled then. */
        scripted_libusb_ends(LIBUSB_OUT, endings[i].status, NULL, 0);
        assert_int_equal(exchange(), endings[i].result);
        assert_int_equal(lib.cancels, i);
        assert_int_equal(lib.clock.now_ms, 1000);
    }
}

static void test_exchange_whose_answer_fails_takes_the_command_back(void **state)
{
    (void)state;
    scripted_libusb_ends(LIBUSB_IN, ENDS(STALL), NULL, 0);
    assert_int_equal(exchange(), CCID_USB_STALL);
    assert_int_equal(lib.cancels, 1);
    assert_int_equal(lib.clock.now_ms, 1000);
}

static void test_exchange_whose_command_is_refused_takes_the_read_back(void **state)
{
    (void)state;
    lib.submit_results[1] = LIBUSB_ERROR_BUSY;
    assert_int_equal(exchange(), CCID_USB_IO);
    assert_int_equal(lib.cancels, 1);
    assert_int_equal(lib.clock.now_ms, 1000);
}

static void test_exchange_past_its_deadline_takes_both_back(void **state)
{
    (void)state;
    assert_int_equal(exchange(), CCID_USB_TIMEOUT);
    assert_int_equal(lib.cancels, 2);
    assert_int_equal(lib.clock.now_ms, 6000);
    scripted_libusb_ends(LIBUSB_OUT, ENDS(COMPLETED), NULL, 7);
    assert_int_equal(exchange(), CCID_USB_TIMEOUT); /* an answer that does not come */
    assert_int_equal(lib.cancels, 3);
}

static void test_exchange_that_is_cancelled_says_so(void **state)
{
    (void)state;
    scripted_libusb_ends(LIBUSB_OUT, ENDS(COMPLETED), NULL, 7);
    scripted_libusb_action(cancel);
    assert_int_equal(exchange(), CCID_USB_CANCELLED);
    assert_int_equal(exchange(), CCID_USB_CANCELLED); /* not even begun */
    assert_int_equal(lib.submits, 2);
}

/* ---- the rest of the port ---------------------------------------------------------- */

static void test_clear_halt_does_both_pipes_and_tells_the_first_failure(void **state)
{
    (void)state;
    lib.clear_halt_results[0] = LIBUSB_ERROR_PIPE;
    lib.clear_halt_results[3] = LIBUSB_ERROR_NO_DEVICE;
    assert_int_equal(ops->clear_halt(&lib.usb), CCID_USB_STALL);
    assert_int_equal(ops->clear_halt(&lib.usb), CCID_USB_GONE);
    assert_int_equal(lib.halt_count, 4);
    assert_int_equal(lib.halts[0], LIBUSB_OUT);
    assert_int_equal(lib.halts[1], LIBUSB_IN);
}

static void test_clear_halt_of_an_interface_without_pipes_is_nothing(void **state)
{
    (void)state;
    lib.usb.out_address = 0;
    assert_int_equal(ops->clear_halt(&lib.usb), CCID_USB_OK);
    lib.usb.out_address = LIBUSB_OUT;
    lib.usb.in_address = 0;
    assert_int_equal(ops->clear_halt(&lib.usb), CCID_USB_OK);
    assert_int_equal(lib.halt_count, 0);
}

static void test_sleep_ends_in_time_at_a_cancel_and_at_an_error(void **state)
{
    (void)state;
    assert_int_equal(ops->sleep_ms(&lib.usb, 250), CCID_USB_OK);
    assert_int_equal(lib.clock.now_ms, 1250);
    scripted_libusb_action(cancel);
    assert_int_equal(ops->sleep_ms(&lib.usb, 250), CCID_USB_CANCELLED);
    assert_int_equal(lib.clock.now_ms, 1250);
    ops->cancel(&lib.usb, false);
    scripted_libusb_error(LIBUSB_ERROR_IO);
    assert_int_equal(ops->sleep_ms(&lib.usb, 250), CCID_USB_IO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_way_to_end_has_its_result),
        TEST(device_that_went_takes_no_further_transfer),
        TEST(refused_submission_is_waited_for_by_nobody),
        TEST(deadline_cancels_and_waits_for_the_end),
        TEST(answer_that_overtakes_the_cancel_is_not_lost),
        TEST(cancel_that_fails_is_tried_again),
        TEST(wait_without_a_deadline_lasts_longer_than_any_timer),
        TEST(hold_ends_the_transfers_of_its_pipe_only),
        TEST(events_that_cannot_be_handled_end_the_transfer),
        TEST(message_sent_in_part_is_not_sent),
        TEST(control_request_is_staged_and_its_stage_wiped),
        TEST(stage_of_a_request_that_is_refused_or_fails_is_wiped),
        TEST(control_request_without_data_touches_none),
        TEST(control_request_longer_than_the_stage_is_not_made),
        TEST(exchange_ends_when_both_have),
        TEST(exchange_whose_command_fails_waits_for_no_answer),
        TEST(exchange_whose_answer_fails_takes_the_command_back),
        TEST(exchange_whose_command_is_refused_takes_the_read_back),
        TEST(exchange_past_its_deadline_takes_both_back),
        TEST(exchange_that_is_cancelled_says_so),
        TEST(clear_halt_does_both_pipes_and_tells_the_first_failure),
        TEST(clear_halt_of_an_interface_without_pipes_is_nothing),
        TEST(sleep_ends_in_time_at_a_cancel_and_at_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
