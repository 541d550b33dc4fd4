/* SPDX-License-Identifier: BSD-2-Clause */
/* test-state.c - ccid/state.c: news of the card in the middle of a command to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

static struct bench bench;

static void removed(void *context)
{
    (void)context;
    script_notify(&bench.usb, "50 02");
}

static void exchanged(void *context)
{
    (void)context;
    script_notify(&bench.usb, "50 03");
}

static void removed_and_back(void *context)
{
    (void)context;
    script_notify(&bench.usb, "50 02");
    script_notify(&bench.usb, "50 03");
}

static void begin(void)
{
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, true);
    script_notify(&bench.usb, "50 01");
}

static void test_card_that_goes_during_power_on_is_absent_and_has_no_atr(void **state)
{
    ULONG tag = SCARD_ATTR_ATR_STRING;

    (void)state;
    begin();
    script_out(&bench.usb, BENCH_ON_OUT);
    script_in(&bench.usb, BENCH_ATR_IN)->action = removed;
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    assert_int_equal(bench_ioctl(&bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, 4, 33),
                     STATUS_INVALID_DEVICE_STATE);
    bench_end(&bench);
}

/* The ATR may be the old card's: it is not taken for the new one's. */
static void test_card_that_is_exchanged_during_power_on_is_swallowed(void **state)
{
    (void)state;
    begin();
    script_out(&bench.usb, BENCH_ON_OUT);
    script_in(&bench.usb, BENCH_ATR_IN)->action = exchanged;
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_card_that_goes_during_set_protocol_leaves_no_protocol(void **state)
{
    (void)state;
    begin();
    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_out(&bench.usb, "6C 00000000 00 SS 000000");
    script_in(&bench.usb, "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00")->action =
        removed_and_back;
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_INVALID_DEVICE_STATE);
    bench_end(&bench);
}

/* An answer that says "absent" was sent before the interrupt message that says that a
 * card is back: the newer news win. */
static void test_news_from_the_interrupt_endpoint_outrank_an_older_answer(void **state)
{
    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_notify(&bench.usb, "50 01");
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_in(&bench.usb, "80 00000000 00 SS 42 FE 00")->action = removed_and_back;
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

static void test_answer_that_says_absent_is_believed_without_an_interrupt(void **state)
{
    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 00000000 00 SS 42 FE 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    script_notify(&bench.usb, "50 02"); /* late: no second change */
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    script_notify(&bench.usb, "50 03");
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

/* Twenty changes in a second; what follows is held back. */
static void tire(void)
{
    for (int i = 0; i < 10; i++) {
        script_notify(&bench.usb, "50 02");
        script_notify(&bench.usb, "50 03");
    }
}

/* The exchange is not published yet; the ATR is the old card's all the same. */
static void test_exchange_that_is_held_back_ends_the_power_on_that_it_met(void **state)
{
    (void)state;
    begin();
    tire();
    script_out(&bench.usb, BENCH_ON_OUT);
    script_in(&bench.usb, BENCH_ATR_IN)->action = exchanged;
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_news_that_are_held_back_outrank_an_older_answer(void **state)
{
    (void)state;
    begin();
    tire();
    script_out(&bench.usb, BENCH_ON_OUT);
    script_in(&bench.usb, "80 00000000 00 SS 42 FE 00")->action = exchanged;
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_NO_MEDIA);
    bench.usb.now_ms += 1000;
    bench_service(&bench, 0);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_card_that_goes_during_power_on_is_absent_and_has_no_atr),
        cmocka_unit_test(test_card_that_is_exchanged_during_power_on_is_swallowed),
        cmocka_unit_test(test_card_that_goes_during_set_protocol_leaves_no_protocol),
        cmocka_unit_test(test_news_from_the_interrupt_endpoint_outrank_an_older_answer),
        cmocka_unit_test(test_answer_that_says_absent_is_believed_without_an_interrupt),
        cmocka_unit_test(test_exchange_that_is_held_back_ends_the_power_on_that_it_met),
        cmocka_unit_test(test_news_that_are_held_back_outrank_an_older_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
