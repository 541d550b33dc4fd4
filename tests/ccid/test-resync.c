/* SPDX-License-Identifier: BSD-2-Clause */
/* test-resync.c - ccid/resync.c: each way back into step, and what is left of the card.
 */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

static void power_on(struct bench *bench)
{
    script_command(&bench->usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
}

static void test_abort_sequence_uses_one_number_and_powers_the_card_off(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_INVALID_DEVICE_STATE);
    power_on(&bench);
    bench_end(&bench);
}

static void test_answers_that_come_before_the_abort_status_are_dropped(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_abort_request(&bench.usb, 0);
    script_out(&bench.usb, "72 00000000 00 SS 000000");
    script_in(&bench.usb, "80 00000000 00 TT 40 FF 00"); /* the aborted command's */
    script_in(&bench.usb, "81 00000000 00 TT 01 00 00");
    script_in(&bench.usb, "81 00000000 01 SS 01 00 00"); /* another slot's */
    script_in(&bench.usb, "");
    script_in(&bench.usb, "81 00000000 00 SS 01 00 00");
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 01 00 00");
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    power_on(&bench);
    bench_end(&bench);
}

/* A stalled ABORT means that the reader has none: asked for once in its life. */
static void test_reader_without_abort_is_brought_back_by_clearing_halts(void **state)
{
    struct bench bench;

    (void)state;
    for (int round = 0; round < 2; round++) {
        if (round == 0) {
            bench_ready(&bench, BENCH_EXTENDED);
        } else {
            power_on(&bench);
            script_command(&bench.usb, "6C 00000000 00 SS 000000",
                           "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
            assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx),
                             STATUS_SUCCESS);
        }
        script_out(&bench.usb, BENCH_SELECT_OUT);
        if (round == 0)
            script_abort_request(&bench.usb, 0)->result = CCID_USB_STALL;
        script_clear_halt(&bench.usb);
        script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 00 00 00");
        script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    }
    power_on(&bench);
    bench_end(&bench);
}

/* A reader that got one half of the abort fails everything until it has the other. */
static void test_half_an_abort_that_arrived_is_completed(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_abort_request(&bench.usb, 0);
    script_out(&bench.usb, "72 00000000 00 SS 000000")->result = CCID_USB_IO;
    script_clear_halt(&bench.usb);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 40 FF 00");
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    power_on(&bench);
    bench_end(&bench);
}

/* The request was stalled once, and yet another one has arrived. */
static void test_reader_that_says_aborted_does_not_refuse_aborts(void **state)
{
    struct ccid_slot *slot;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    slot = bench.slots[0]->DeviceExtension;
    slot->device->refuses_abort = true;
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_clear_halt(&bench.usb);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 40 FF 00");
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    power_on(&bench);
    bench_end(&bench);
}

/* The request did not even get into the system, but the reader answers: what it is still
 * at would keep the slot busy for as long as the card likes. */
static void test_abort_that_did_not_arrive_is_tried_again_at_a_busy_slot(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_abort_request(&bench.usb, 0)->result = CCID_USB_NO_MEMORY;
    script_clear_halt(&bench.usb);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 00 00 00");
    script_command(&bench.usb, BENCH_OFF_OUT, "81 00000000 00 SS 40 E0 00");
    script_abort_request(&bench.usb, 0);
    script_command(&bench.usb, "72 00000000 00 SS 000000", "81 00000000 00 SS 00 00 00");
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    power_on(&bench);
    bench_end(&bench);
}

/* Without an abort nothing more can be done: the next command waits for its turn. */
static void test_slot_that_stays_busy_is_left_to_the_next_command(void **state)
{
    struct ccid_slot *slot;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    slot = bench.slots[0]->DeviceExtension;
    slot->device->refuses_abort = true;
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_clear_halt(&bench.usb);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 40 E0 00");
    script_command(&bench.usb, BENCH_OFF_OUT, "81 00000000 00 SS 40 E0 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    assert_true(slot->may_be_powered);
    script_command(&bench.usb, BENCH_OFF_OUT, "81 00000000 00 SS 40 E0 00");
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    power_on(&bench);
    bench_end(&bench);
}

/* The failing call ends within its deadline plus a second, even if the reader is dead;
 * the next one goes on where it stopped, and does not reach the card. */
static void test_dead_reader_costs_a_second_now_and_the_rest_later(void **state)
{
    struct bench bench;
    uint64_t started;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT)->result = CCID_USB_IO;
    script_abort_request(&bench.usb, 0)->result = CCID_USB_TIMEOUT;
    started = bench.usb.now_ms;
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_DEVICE_ERROR);
    assert_true(bench.usb.now_ms - started <= 1000);
    assert_int_equal(bench.log_lines, 2);

    /* Later: everything, up to the port reset; the reader stays dead. */
    script_abort_request(&bench.usb, 0)->result = CCID_USB_TIMEOUT;
    script_clear_halt(&bench.usb);
    script_out(&bench.usb, BENCH_STATUS_OUT);
    script_out(&bench.usb, BENCH_STATUS_OUT);
    script_reset(&bench.usb);
    script_out(&bench.usb, BENCH_STATUS_OUT);
    started = bench.usb.now_ms;
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_IO_TIMEOUT);
    assert_true(bench.usb.now_ms - started <= 5000);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);

    /* It lives again: without a second reset. */
    script_abort_request(&bench.usb, 0);
    script_command(&bench.usb, "72 00000000 00 SS 000000", "81 00000000 00 SS 01 00 00");
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 01 00 00");
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    power_on(&bench);
    bench_end(&bench);
}

static void spend_a_second(void *context)
{
    struct ccid_usb *usb = context;

    usb->now_ms += 1000;
}

/* The reader is back in step just as the time is over: nobody has switched the card off,
 * and its next reset begins with that, once. */
static void test_card_that_was_not_switched_off_in_time_is_before_its_reset(void **state)
{
    struct script_step *step;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT)->result = CCID_USB_IO;
    script_abort_request(&bench.usb, 0);
    script_command(&bench.usb, "72 00000000 00 SS 000000", "81 00000000 00 SS 00 00 00");
    script_out(&bench.usb, BENCH_STATUS_OUT);
    step = script_in(&bench.usb, "81 00000000 00 SS 00 00 00");
    step->action = spend_a_second;
    step->context = &bench.usb;
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_DEVICE_ERROR);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);

    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    power_on(&bench);
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    assert_int_equal(bench_power(&bench, SCARD_POWER_DOWN), STATUS_SUCCESS);
    power_on(&bench);
    bench_end(&bench);
}

static void test_port_of_a_shared_device_is_never_reset(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.desc.only_interface = false;
    bench_add(&bench, true);
    script_out(&bench.usb, BENCH_ON_OUT)->result = CCID_USB_IO;
    script_abort_request(&bench.usb, 0)->result = CCID_USB_IO;
    script_clear_halt(&bench.usb);
    script_out(&bench.usb, BENCH_STATUS_OUT)->result = CCID_USB_IO;
    script_out(&bench.usb, BENCH_STATUS_OUT)->result = CCID_USB_IO;
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_IO_DEVICE_ERROR);
    bench_end(&bench);
}

static void test_stalled_bulk_in_is_cleared_while_draining(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_in(&bench.usb, "")->result = CCID_USB_STALL;
    script_in(&bench.usb, "")->result = CCID_USB_STALL;
    script_clear_halt(&bench.usb);
    script_in(&bench.usb, "80 02000000 00 SS 00 00 00 90 00"); /* too late: dropped */
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_DEVICE_ERROR);
    power_on(&bench);
    bench_end(&bench);
}

/* A reader that sends without end does not keep the driver. */
static void test_drain_is_bounded(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT)->result = CCID_USB_IO;
    for (int i = 0; i < 16; i++)
        script_in(&bench.usb, "80 02000000 00 TT 00 00 00 90 00");
    script_abort_request(&bench.usb, 0);
    script_out(&bench.usb, "72 00000000 00 SS 000000");
    for (int i = 0; i < 16; i++)
        script_in(&bench.usb, "80 02000000 00 TT 00 00 00 90 00");
    script_clear_halt(&bench.usb);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 01 00 00");
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_DEVICE_ERROR);
    power_on(&bench);
    bench_end(&bench);
}

static bool reply_has(const struct bench *bench, const char *text)
{
    const SMARTCARD_REPLY *reply = &bench->device->slots[0]->ext.SmartcardReply;

    return memmem(reply->Buffer, reply->BufferSize, text, strlen(text)) != NULL;
}

static void test_answer_that_is_drained_is_not_kept(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_in(&bench.usb,
              "80 0E000000 00 TT 00 00 00 66 66 33 31 34 31 35 39 32 36 35 33 90 00");
    script_in(&bench.usb, "80 02000000 00 TT 00 00 00 90 00");
    ccid_drain(bench.device->slots[0]);
    assert_false(reply_has(&bench, "3141592653"));
    bench_end(&bench);
}

/* By a power-up, which is the first to ask the reader again. */
static void test_answer_that_comes_before_the_abort_status_is_not_kept(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    bench.device->slots[0]->out_of_step = true;
    script_abort_request(&bench.usb, 0);
    script_out(&bench.usb, "72 00000000 00 SS 000000");
    script_in(&bench.usb,
              "80 0E000000 00 TT 00 00 00 66 66 33 31 34 31 35 39 32 36 35 33 90 00");
    script_in(&bench.usb, "81 00000000 00 SS 01 00 00");
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 01 00 00");
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN); /* a cold reset */
    power_on(&bench);
    assert_true(reply_has(&bench, "\x3B\x80")); /* who looks, sees */
    assert_false(reply_has(&bench, "592653"));
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abort_sequence_uses_one_number_and_powers_the_card_off),
        cmocka_unit_test(test_answers_that_come_before_the_abort_status_are_dropped),
        cmocka_unit_test(test_reader_without_abort_is_brought_back_by_clearing_halts),
        cmocka_unit_test(test_half_an_abort_that_arrived_is_completed),
        cmocka_unit_test(test_reader_that_says_aborted_does_not_refuse_aborts),
        cmocka_unit_test(test_abort_that_did_not_arrive_is_tried_again_at_a_busy_slot),
        cmocka_unit_test(test_slot_that_stays_busy_is_left_to_the_next_command),
        cmocka_unit_test(test_dead_reader_costs_a_second_now_and_the_rest_later),
        cmocka_unit_test(test_card_that_was_not_switched_off_in_time_is_before_its_reset),
        cmocka_unit_test(test_port_of_a_shared_device_is_never_reset),
        cmocka_unit_test(test_stalled_bulk_in_is_cleared_while_draining),
        cmocka_unit_test(test_drain_is_bounded),
        cmocka_unit_test(test_answer_that_is_drained_is_not_kept),
        cmocka_unit_test(test_answer_that_comes_before_the_abort_status_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
