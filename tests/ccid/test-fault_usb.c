/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-fault_usb.c - the wrapper that the other tests rely on does to the bus what it
 * says, and nothing when it is not armed.
 */
#include "fault_usb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "ccid/virtual_reader.h"

static const uint8_t get_slot_status[10] = {0x65, 0, 0, 0, 0, 0, 7};
static const uint8_t slot_status[10] = {0x81, 0, 0, 0, 0, 0, 7, 0x01};

static struct virtual_clock test_clock;
static struct ccid_virtual_reader *reader;
static struct fault_usb fault_usb;
static struct ccid_usb_port port;
static uint8_t in[512];
static size_t in_len;

static int setup(void **state)
{
    (void)state;
    virtual_clock_init(&test_clock);
    reader = ccid_virtual_reader_new(&test_clock.clock, &ccid_virtual_default_shape);
    assert_non_null(reader);
    assert_int_equal(ccid_virtual_reader_insert(reader, 0, NULL, 0), 0);
    fault_usb_init(&fault_usb, ccid_virtual_reader_port(reader), &test_clock);
    port = fault_usb_port(&fault_usb);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ccid_virtual_reader_free(reader);
    return 0;
}

static enum ccid_usb_result exchange(void)
{
    return port.ops->exchange(port.usb, get_slot_status, sizeof(get_slot_status), in,
                              sizeof(in), &in_len, 1000);
}

static void expect_good(void)
{
    assert_int_equal(exchange(), CCID_USB_OK);
    assert_int_equal(in_len, sizeof(slot_status));
    assert_memory_equal(in, slot_status, sizeof(slot_status));
}

static void test_fault_unarmed_wrapper_changes_nothing(void **state)
{
    (void)state;
    expect_good();
    assert_int_equal(fault_usb.transfer_count, 2);
    assert_int_equal(fault_usb.hit_count, 0);
}

static void test_fault_once_hits_the_counted_transfer_only(void **state)
{
    (void)state;
    fault_usb_arm(&fault_usb, (struct fault){.on = FAULT_ON_OUT,
                                             .kind = FAULT_RESULT,
                                             .at = 2,
                                             .result = CCID_USB_STALL});
    expect_good();
    assert_int_equal(exchange(), CCID_USB_STALL);
    assert_int_equal(in_len, 0);
    expect_good();
    assert_int_equal(fault_usb.hit_count, 1);
}

static void test_fault_sticky_hits_until_disarmed(void **state)
{
    (void)state;
    fault_usb_arm(&fault_usb, (struct fault){.on = FAULT_ON_ANY,
                                             .kind = FAULT_RESULT,
                                             .at = 1,
                                             .sticky = true,
                                             .result = CCID_USB_GONE});
    for (int i = 0; i < 3; i++)
        assert_int_equal(exchange(), CCID_USB_GONE);
    fault_usb_disarm(&fault_usb);
    expect_good();
}

static void test_fault_timeout_takes_its_time_and_the_answer_comes_late(void **state)
{
    uint64_t begin_ms = test_clock.now_ms;

    (void)state;
    fault_usb_arm(&fault_usb, (struct fault){.on = FAULT_ON_IN,
                                             .kind = FAULT_RESULT,
                                             .at = 1,
                                             .result = CCID_USB_TIMEOUT});
    assert_int_equal(exchange(), CCID_USB_TIMEOUT);
    assert_int_equal(test_clock.now_ms - begin_ms, 1000);
    assert_int_equal(port.ops->bulk_in(port.usb, in, sizeof(in), &in_len, 10),
                     CCID_USB_OK);
    assert_memory_equal(in, slot_status, sizeof(slot_status));
}

static void test_fault_result_ok_on_in_is_a_zero_length_transfer(void **state)
{
    (void)state;
    fault_usb_arm(&fault_usb, (struct fault){.on = FAULT_ON_IN,
                                             .kind = FAULT_RESULT,
                                             .at = 1,
                                             .result = CCID_USB_OK});
    assert_int_equal(exchange(), CCID_USB_OK);
    assert_int_equal(in_len, 0);
    assert_int_equal(port.ops->bulk_in(port.usb, in, sizeof(in), &in_len, 10),
                     CCID_USB_OK);
    assert_int_equal(in_len, sizeof(slot_status));
}

static void test_fault_lost_answer_never_comes(void **state)
{
    (void)state;
    fault_usb_arm(&fault_usb,
                  (struct fault){.on = FAULT_ON_IN, .kind = FAULT_LOSE, .at = 1});
    assert_int_equal(exchange(), CCID_USB_TIMEOUT);
    assert_int_equal(in_len, 0);
    assert_int_equal(port.ops->bulk_in(port.usb, in, sizeof(in), &in_len, 10),
                     CCID_USB_TIMEOUT);
    expect_good();
}

static void test_fault_lost_message_is_never_answered(void **state)
{
    (void)state;
    fault_usb_arm(&fault_usb,
                  (struct fault){.on = FAULT_ON_OUT, .kind = FAULT_LOSE, .at = 1});
    assert_int_equal(exchange(), CCID_USB_TIMEOUT);
    expect_good();
}

static void test_fault_short_mutate_and_seq_falsify_the_answer(void **state)
{
    (void)state;
    fault_usb_arm(
        &fault_usb,
        (struct fault){.on = FAULT_ON_IN, .kind = FAULT_SHORT, .at = 1, .len = 9});
    fault_usb_arm(
        &fault_usb,
        (struct fault){
            .on = FAULT_ON_IN, .kind = FAULT_MUTATE, .at = 2, .offset = 5, .value = 1});
    fault_usb_arm(&fault_usb,
                  (struct fault){.on = FAULT_ON_IN, .kind = FAULT_SEQ, .at = 3});
    assert_int_equal(exchange(), CCID_USB_OK);
    assert_int_equal(in_len, 9);
    assert_int_equal(exchange(), CCID_USB_OK);
    assert_int_equal(in_len, 10);
    assert_int_equal(in[5], 1);
    assert_int_equal(exchange(), CCID_USB_OK);
    assert_int_not_equal(in[6], 7);
    expect_good();
}

static void test_fault_delay_moves_the_clock_up_to_the_deadline(void **state)
{
    uint64_t begin_ms = test_clock.now_ms;

    (void)state;
    fault_usb_arm(
        &fault_usb,
        (struct fault){.on = FAULT_ON_IN, .kind = FAULT_DELAY, .at = 1, .delay_ms = 999});
    expect_good();
    assert_int_equal(test_clock.now_ms - begin_ms, 999);
    fault_usb_disarm(&fault_usb);
    fault_usb_arm(&fault_usb,
                  (struct fault){
                      .on = FAULT_ON_IN, .kind = FAULT_DELAY, .at = 1, .delay_ms = 1000});
    assert_int_equal(exchange(), CCID_USB_TIMEOUT);
    assert_int_equal(test_clock.now_ms - begin_ms, 1999);
}

static void test_fault_control_is_counted_apart(void **state)
{
    size_t done;

    (void)state;
    fault_usb_arm(&fault_usb, (struct fault){.on = FAULT_ON_CONTROL,
                                             .kind = FAULT_RESULT,
                                             .at = 1,
                                             .result = CCID_USB_STALL});
    expect_good();
    assert_int_equal(
        port.ops->control(port.usb, 0x21, 1, 0x0300, 0, NULL, 0, &done, 1000),
        CCID_USB_STALL);
    assert_int_equal(
        port.ops->control(port.usb, 0x21, 1, 0x0300, 0, NULL, 0, &done, 1000),
        CCID_USB_OK);
}

static unsigned seen_count;

static void seen(void *context)
{
    (void)context;
    seen_count++;
}

static void test_fault_fail_is_a_transfer_that_the_device_has_seen(void **state)
{
    uint64_t begin_ms = test_clock.now_ms;

    (void)state;
    fault_usb.seen = seen;
    seen_count = 0;
    fault_usb_arm(&fault_usb, (struct fault){.on = FAULT_ON_OUT,
                                             .kind = FAULT_FAIL,
                                             .at = 1,
                                             .result = CCID_USB_TIMEOUT});
    assert_int_equal(exchange(), CCID_USB_TIMEOUT);
    assert_int_equal(seen_count, 1);
    assert_int_equal(test_clock.now_ms - begin_ms, 1000);
    fault_usb_disarm(&fault_usb);
    /* It has arrived: there is an answer. */
    assert_int_equal(port.ops->bulk_in(port.usb, in, sizeof(in), &in_len, 10),
                     CCID_USB_OK);
    fault_usb_arm(&fault_usb, (struct fault){.on = FAULT_ON_IN,
                                             .kind = FAULT_FAIL,
                                             .at = 1,
                                             .result = CCID_USB_IO});
    assert_int_equal(exchange(), CCID_USB_IO);
    assert_int_equal(in_len, 0);
    assert_int_equal(seen_count, 4);
    /* It is lost: there is none. */
    assert_int_equal(port.ops->bulk_in(port.usb, in, sizeof(in), &in_len, 10),
                     CCID_USB_TIMEOUT);
}

static void test_fault_short_message_is_cut_and_the_host_knows(void **state)
{
    (void)state;
    fault_usb_arm(
        &fault_usb,
        (struct fault){.on = FAULT_ON_OUT, .kind = FAULT_SHORT, .at = 1, .len = 5});
    assert_int_equal(exchange(), CCID_USB_IO);
    assert_int_equal(port.ops->bulk_in(port.usb, in, sizeof(in), &in_len, 10),
                     CCID_USB_TIMEOUT); /* five bytes are no message */
    expect_good();
}

static void test_fault_long_and_flip_falsify_and_keep_the_truth(void **state)
{
    (void)state;
    fault_usb_arm(
        &fault_usb,
        (struct fault){.on = FAULT_ON_IN, .kind = FAULT_LONG, .at = 1, .len = 12});
    fault_usb_arm(
        &fault_usb,
        (struct fault){.on = FAULT_ON_IN, .kind = FAULT_LONG, .at = 2, .len = 513});
    fault_usb_arm(
        &fault_usb,
        (struct fault){
            .on = FAULT_ON_IN, .kind = FAULT_FLIP, .at = 3, .offset = 7, .value = 0x41});
    assert_int_equal(exchange(), CCID_USB_OK);
    assert_int_equal(in_len, 12);
    assert_memory_equal(in, slot_status, sizeof(slot_status));
    assert_int_equal(in[11], 0xA5);
    assert_int_equal(fault_usb.truth.len, 10);
    assert_int_equal(exchange(), CCID_USB_OVERFLOW);
    assert_int_equal(in_len, sizeof(in));
    assert_int_equal(exchange(), CCID_USB_OK);
    assert_int_equal(in[7], slot_status[7] ^ 0x41);
    assert_false(fault_usb.truth.control);
    expect_good();
}

static void test_fault_on_repair_fails_clear_halt_and_reset(void **state)
{
    (void)state;
    fault_usb_arm(&fault_usb, (struct fault){.on = FAULT_ON_ALL,
                                             .kind = FAULT_RESULT,
                                             .at = 2,
                                             .result = CCID_USB_IO});
    assert_int_equal(port.ops->clear_halt(port.usb), CCID_USB_OK);
    assert_int_equal(port.ops->reset(port.usb), CCID_USB_IO);
    assert_int_equal(port.ops->reset(port.usb), CCID_USB_OK);
    assert_int_equal(fault_usb.transfer_count, 0);
    assert_int_equal(fault_usb.hit_count, 1);
}

#define FAULT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT(test_fault_unarmed_wrapper_changes_nothing),
        FAULT(test_fault_once_hits_the_counted_transfer_only),
        FAULT(test_fault_sticky_hits_until_disarmed),
        FAULT(test_fault_timeout_takes_its_time_and_the_answer_comes_late),
        FAULT(test_fault_result_ok_on_in_is_a_zero_length_transfer),
        FAULT(test_fault_lost_answer_never_comes),
        FAULT(test_fault_lost_message_is_never_answered),
        FAULT(test_fault_short_mutate_and_seq_falsify_the_answer),
        FAULT(test_fault_delay_moves_the_clock_up_to_the_deadline),
        FAULT(test_fault_control_is_counted_apart),
        FAULT(test_fault_fail_is_a_transfer_that_the_device_has_seen),
        FAULT(test_fault_short_message_is_cut_and_the_host_knows),
        FAULT(test_fault_long_and_flip_falsify_and_keep_the_truth),
        FAULT(test_fault_on_repair_fails_clear_halt_and_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
