/* SPDX-License-Identifier: BSD-2-Clause */
/* test-state.c - ccid/state.c: news of the card in the middle of a command to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ccid/slot.h"

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

/* ---- news in two threads --------------------------------------------------------- */

/* Counts changes as fs/tracker.c does: one tracker always pends, for the opposite of what
 * is believed. */
struct listener {
    IRP irp;
    bool present, arming, completed, ending;
    unsigned changes;
    void (*next)(void); /* happens within the next completion, before the next tracker */
};

static struct listener listener;
static void (*meanwhile)(void); /* happens before the next completion */

static void listen_on(void);

static void heard(PIRP irp, PVOID context)
{
    void (*next)(void) = listener.next;

    (void)context;
    if (listener.ending)
        return;
    assert_int_equal(irp->IoStatus.Status, STATUS_SUCCESS);
    if (listener.arming) {
        listener.completed = true;
        return;
    }
    listener.next = NULL;
    if (next != NULL)
        next();
    listener.present = !listener.present;
    listener.changes++;
    listen_on();
}

static void listen_on(void)
{
    do {
        listener.arming = true;
        listener.completed = false;
        smc_irp_init_ioctl(&listener.irp, bench.slots[0], NULL,
                           listener.present ? IOCTL_SMARTCARD_IS_ABSENT
                                            : IOCTL_SMARTCARD_IS_PRESENT,
                           NULL, 0, 0, heard, NULL);
        IoCallDriver(bench.slots[0], &listener.irp);
        listener.arming = false;
        if (listener.completed) {
            listener.present = !listener.present;
            listener.changes++;
        }
    } while (listener.completed);
}

static void begin_listening(void)
{
    begin();
    listener = (struct listener){.present = true};
    listen_on();
    assert_int_equal(listener.changes, 0);
}

static void end_listening(void)
{
    listener.ending = true;
    bench_end(&bench);
}

VOID __wrap_SmartcardCompleteCardTracking(PSMARTCARD_EXTENSION ext);
VOID __real_SmartcardCompleteCardTracking(PSMARTCARD_EXTENSION ext);

/* The place where a thread may lose the processor to one with newer news. */
VOID __wrap_SmartcardCompleteCardTracking(PSMARTCARD_EXTENSION ext)
{
    void (*other)(void) = meanwhile;

    meanwhile = NULL;
    if (other != NULL)
        other();
    __real_SmartcardCompleteCardTracking(ext);
}

static void insert(void)
{
    script_notify(&bench.usb, "50 03");
}

static void take_out_and_insert(void)
{
    removed_and_back(NULL);
}

static void sample_absent(void)
{
    struct ccid_slot *slot = bench.slots[0]->DeviceExtension;

    ccid_state_sampled(slot, false, ccid_state_changes(slot));
}

static void lose_device(void)
{
    ccid_state_unknown(bench.slots[0]->DeviceExtension);
}

static void find_device(void)
{
    lose_device();
    ccid_state_known(bench.slots[0]->DeviceExtension);
    ccid_state_report(bench.slots[0]->DeviceExtension, true, true);
}

/* One completion must not stand for both changes: the other would end a tracker that
 * nothing has happened to, and be counted twice more. */
static void test_insertion_while_a_removal_is_told_is_one_change_more(void **state)
{
    (void)state;
    begin_listening();
    meanwhile = insert;
    script_notify(&bench.usb, "50 02");
    assert_int_equal(listener.changes, 2);
    assert_true(listener.present);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    end_listening();
}

/* Between two trackers nobody would see it. */
static void test_exchange_between_two_trackers_is_two_changes(void **state)
{
    (void)state;
    begin_listening();
    script_notify(&bench.usb, "50 02");
    listener.next = take_out_and_insert;
    script_notify(&bench.usb, "50 03");
    assert_int_equal(listener.changes, 4);
    assert_true(listener.present);
    end_listening();
}

static void test_answer_that_says_absent_while_an_insertion_is_told_is_believed(
    void **state)
{
    (void)state;
    begin_listening();
    script_notify(&bench.usb, "50 02");
    meanwhile = sample_absent;
    insert();
    assert_int_equal(listener.changes, 3);
    assert_false(listener.present);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    end_listening();
}

static void test_device_that_is_lost_while_news_are_told_is_unknown(void **state)
{
    (void)state;
    begin_listening();
    meanwhile = lose_device;
    insert();
    assert_int_equal(listener.changes, 3); /* exchanged, and not there any more */
    assert_false(listener.present);
    assert_int_equal(bench_state(&bench), SCARD_UNKNOWN);
    end_listening();

    begin_listening();
    meanwhile = lose_device;
    script_notify(&bench.usb, "50 02");
    assert_int_equal(listener.changes, 1);
    assert_int_equal(bench_state(&bench), SCARD_UNKNOWN);
    end_listening();
}

static void test_device_that_is_found_again_while_news_are_told_has_its_card(void **state)
{
    (void)state;
    begin_listening();
    meanwhile = find_device;
    script_notify(&bench.usb, "50 02");
    assert_int_equal(listener.changes, 2);
    assert_true(listener.present);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    end_listening();
}

/* What is held for another thread comes at once, however fast the endpoint has been. */
static void test_news_of_a_thread_that_tells_do_not_wait_for_a_turn(void **state)
{
    (void)state;
    begin_listening();
    tire();
    assert_int_equal(listener.changes, 20);
    assert_int_equal(bench_service_wait(&bench, 0), -1);
    script_notify(&bench.usb, "50 02");
    assert_int_equal(listener.changes, 20);
    assert_int_equal(bench_service_wait(&bench, 0), 1000);
    ccid_state_report(bench.slots[0]->DeviceExtension, false, false);
    assert_int_equal(listener.changes, 21);
    meanwhile = sample_absent;
    ccid_state_report(bench.slots[0]->DeviceExtension, true, false);
    assert_int_equal(listener.changes, 23);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    end_listening();
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
        cmocka_unit_test(test_insertion_while_a_removal_is_told_is_one_change_more),
        cmocka_unit_test(test_exchange_between_two_trackers_is_two_changes),
        cmocka_unit_test(
            test_answer_that_says_absent_while_an_insertion_is_told_is_believed),
        cmocka_unit_test(test_device_that_is_lost_while_news_are_told_is_unknown),
        cmocka_unit_test(
            test_device_that_is_found_again_while_news_are_told_has_its_card),
        cmocka_unit_test(test_news_of_a_thread_that_tells_do_not_wait_for_a_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
