/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-service.c - ccid/service.c, trouble.c and notify.c: what the driver does by
 * itself, when, and when it does nothing. On the virtual reader and its clock.
 */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ccid/quirks.h"
#include "virtual_bench.h"

#define ECHO "80 E0 00 00 02 CA FE 00"

static struct virtual_bench v;
static struct virtual_tracker tracker;

static void begin(bool interrupt)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;

    shape.interrupt = interrupt;
    virtual_bench_begin_shape(&v, &shape, NULL);
}

static struct ccid_slot *slot(void)
{
    return v.bench.slots[0]->DeviceExtension;
}

static const struct ccid_health *health(void)
{
    return &slot()->device->health;
}

/* The turns that slot 0 wants, at their times, until so much later. Returns how many. */
static unsigned run_ms(uint64_t ms)
{
    uint64_t end_ms = v.clock.now_ms + ms;
    unsigned turns = 0;

    while (v.bench.service_ms[0] != 0 && v.bench.service_ms[0] <= end_ms) {
        if (v.clock.now_ms < v.bench.service_ms[0])
            v.clock.now_ms = v.bench.service_ms[0];
        bench_service(&v.bench, 0);
        turns++;
        assert_true(turns < 100000);
    }
    if (v.clock.now_ms < end_ms)
        v.clock.now_ms = end_ms;
    return turns;
}

/* Waits for the opposite of what is the case. */
static void track(void)
{
    ULONG code = bench_state(&v.bench) > SCARD_ABSENT ? IOCTL_SMARTCARD_IS_ABSENT
                                                      : IOCTL_SMARTCARD_IS_PRESENT;

    assert_int_equal(virtual_bench_track(&v, &tracker, code), STATUS_PENDING);
}

static void end(void)
{
    (void)smc_irp_ioctl(v.bench.slots[0], NULL, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING,
                        NULL, 0, 0, NULL);
    virtual_bench_end(&v);
}

static void works(void)
{
    uint64_t started_ms = v.clock.now_ms;

    assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
    assert_int_equal(bench_transmit(&v.bench, ECHO), STATUS_SUCCESS);
    bench_reply_is(&v.bench, "CA FE 90 00");
    assert_true(v.clock.now_ms - started_ms <= 3000);
}

/* ---- looking --------------------------------------------------------------------- */

static void test_reader_with_an_interrupt_endpoint_wants_no_turn(void **state)
{
    (void)state;
    begin(true);
    track();
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    virtual_bench_remove(&v);
    assert_int_equal(tracker.completed, 1);
    virtual_bench_insert(&v, NULL);
    works();
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    end();
}

static void test_reader_is_not_polled_while_nobody_cares(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    works();
    assert_int_equal(bench_power(&v.bench, SCARD_POWER_DOWN), STATUS_SUCCESS);
    run_ms(1000); /* the turn that was still on its way */
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    end();
}

static void test_token_is_never_polled(void **state)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;

    (void)state;
    shape.interrupt = false;
    shape.features |= CCID_FEATURE_BUILT_IN;
    virtual_bench_begin_shape(&v, &shape, NULL);
    track();
    works();
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    end();
}

static void test_waiter_makes_the_reader_be_polled_less_and_less(void **state)
{
    unsigned before;

    (void)state;
    begin(false);
    track();
    assert_int_equal(bench_service_wait(&v.bench, 0), 250);
    run_ms(4000);
    before = v.faults.transfer_count;
    run_ms(60000);
    assert_int_equal(v.faults.transfer_count - before, 2 * 30);
    assert_int_equal(tracker.completed, 0);
    end();
}

static void test_card_that_goes_and_comes_is_seen_by_polling(void **state)
{
    (void)state;
    begin(false);
    track();
    run_ms(60000);
    virtual_bench_remove(&v);
    run_ms(2000);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_SUCCESS);
    assert_int_equal(bench_state(&v.bench), SCARD_ABSENT);
    track();
    virtual_bench_insert(&v, NULL);
    run_ms(250); /* something has just happened */
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    works();
    end();
}

static void test_powered_card_that_was_exchanged_between_two_looks_is_noticed(
    void **state)
{
    (void)state;
    begin(false);
    works();
    track();
    virtual_bench_remove(&v);
    virtual_bench_insert(&v, NULL);
    run_ms(250);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    assert_int_equal(bench_transmit(&v.bench, ECHO), STATUS_INVALID_DEVICE_STATE);
    works();
    end();
}

static void test_commands_count_as_looks_and_have_none_around_them(void **state)
{
    unsigned before;

    (void)state;
    begin(false);
    works();
    track();
    for (int i = 0; i < 100; i++) {
        before = v.faults.transfer_count;
        assert_int_equal(bench_transmit(&v.bench, ECHO), STATUS_SUCCESS);
        assert_int_equal(v.faults.transfer_count - before, 2);
        assert_true(bench_service_wait(&v.bench, 0) <= 250);
        run_ms(100);
        assert_int_equal(v.faults.transfer_count - before, 2);
    }
    before = v.faults.transfer_count;
    run_ms(250);
    assert_int_equal(v.faults.transfer_count - before, 2);
    end();
}

static void test_each_slot_is_looked_at_in_turns_of_its_own(void **state)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;
    struct ccid_slot *second;
    unsigned before;

    (void)state;
    shape.interrupt = false;
    shape.slot_count = 2;
    virtual_bench_begin_shape(&v, &shape, NULL);
    second = v.bench.slots[1]->DeviceExtension;
    before = v.faults.transfer_count;
    assert_int_equal(ccid_virtual_reader_insert(v.reader, 1, NULL, 0), 0);
    bench_service(&v.bench, 1); /* nobody cares */
    assert_int_equal(v.faults.transfer_count, before);
    __atomic_store_n(&second->look, true, __ATOMIC_SEQ_CST);
    bench_service(&v.bench, 1);
    assert_int_equal(v.faults.transfer_count, before + 2);
    assert_int_equal(second->ext.ReaderCapabilities.CurrentState, SCARD_SWALLOWED);
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    end();
}

static void test_sleeping_or_removed_reader_is_not_polled(void **state)
{
    unsigned before;

    (void)state;
    begin(false);
    track();
    assert_int_equal(virtual_bench_sleep(&v), STATUS_SUCCESS);
    before = v.faults.transfer_count;
    bench_service(&v.bench, 0);
    assert_int_equal(v.faults.transfer_count, before);
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    assert_int_equal(virtual_bench_wake(&v), STATUS_SUCCESS);
    track();
    assert_int_equal(bench_service_wait(&v.bench, 0), 0);
    ccid_cancel_for_ever(slot()->device);
    before = v.faults.transfer_count;
    bench_service(&v.bench, 0);
    assert_int_equal(v.faults.transfer_count, before);
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    end();
}

static void test_reader_that_always_says_present_is_believed_by_its_resets(void **state)
{
    (void)state;
    begin(false);
    slot()->device->desc.quirks |= CCID_QUIRK_ALWAYS_PRESENT;
    track();
    virtual_bench_remove(&v);
    run_ms(10000);
    assert_int_equal(tracker.completed, 0); /* as the reader says */
    assert_int_not_equal(bench_power(&v.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(bench_state(&v.bench), SCARD_ABSENT);
    track();
    run_ms(10000);
    assert_int_equal(tracker.completed, 0);
    virtual_bench_insert(&v, NULL);
    run_ms(2000);
    assert_int_equal(tracker.completed, 1);
    works();
    end();
}

/* ---- the interrupt endpoint ------------------------------------------------------- */

static void test_halted_endpoint_is_started_again_in_a_turn(void **state)
{
    (void)state;
    begin(true);
    track();
    fault_usb_notify(&v.faults, NULL, 0);
    assert_int_equal(v.faults.starts, 1); /* not in the thread that tells */
    assert_int_equal(bench_service_wait(&v.bench, 0), 0);
    run_ms(0);
    assert_int_equal(v.faults.starts, 2);
    assert_int_equal(v.faults.stops, 1);
    virtual_bench_remove(&v);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    end();
}

static void halt_once(void *context)
{
    (void)context;
    if (v.faults.starts < 2)
        return; /* not listened to yet */
    v.faults.seen = NULL;
    fault_usb_notify(&v.faults, NULL, 0);
}

static void storm_once(void *context)
{
    static const uint8_t out[] = {CCID_NOTIFY_SLOT_CHANGE, 0x02};

    (void)context;
    if (v.faults.starts < 2)
        return;
    v.faults.seen = NULL;
    for (unsigned i = 0; i < 1100; i++)
        fault_usb_notify(&v.faults, out, sizeof(out));
}

/* Plugs the reader in once more; that happens after its first command, when nobody knows
 * of its slots yet. */
static void begin_with(void (*happens)(void *context))
{
    begin(true);
    ccid_device_remove(v.bench.device, false);
    v.bench.device = NULL;
    v.faults.seen = happens;
    assert_int_equal(bench_try_add(&v.bench), STATUS_SUCCESS);
    assert_null(v.faults.seen);
}

static void test_endpoint_that_halts_before_the_reader_has_arrived_is_started_again(
    void **state)
{
    (void)state;
    begin_with(halt_once);
    assert_int_equal(v.faults.starts, 2);
    assert_int_equal(bench_service_wait(&v.bench, 0), 0);
    bench_service(&v.bench, 0);
    assert_int_equal(v.faults.starts, 3);
    track();
    virtual_bench_remove(&v);
    assert_int_equal(tracker.completed, 1);
    end();
}

static void test_storm_before_the_reader_has_arrived_is_noticed(void **state)
{
    (void)state;
    begin_with(storm_once);
    run_ms(11000);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    assert_int_equal(v.faults.starts, 3);
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    end();
}

static void test_card_that_moved_while_the_endpoint_was_halted_is_seen(void **state)
{
    static const uint8_t gone[] = {0x50, 0x02};

    (void)state;
    begin(true);
    track();
    fault_usb_notify(&v.faults, NULL, 0);
    fault_usb_notify(&v.faults, gone, sizeof(gone)); /* too late */
    assert_int_equal(tracker.completed, 0);
    virtual_bench_remove(&v); /* its message is not listened to */
    assert_int_equal(tracker.completed, 0);
    run_ms(0);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(bench_state(&v.bench), SCARD_ABSENT);
    end();
}

static void test_endpoint_that_halts_four_times_in_ten_seconds_is_given_up(void **state)
{
    (void)state;
    begin(true);
    track();
    for (unsigned i = 1; i <= 3; i++) {
        fault_usb_notify(&v.faults, NULL, 0);
        run_ms(3000);
        assert_int_equal(v.faults.starts, 1 + i);
    }
    fault_usb_notify(&v.faults, NULL, 0);
    run_ms(0);
    assert_int_equal(v.faults.starts, 4);
    assert_int_equal(health()->notice_failures, 4);
    assert_int_equal(bench_service_wait(&v.bench, 0), 400);
    assert_int_equal(run_ms(4000), 10);
    virtual_bench_remove(&v);
    run_ms(400);
    assert_int_equal(tracker.completed, 1);
    end();
}

static void test_endpoint_that_halts_now_and_then_is_always_started_again(void **state)
{
    (void)state;
    begin(true);
    for (unsigned i = 1; i <= 50; i++) {
        fault_usb_notify(&v.faults, NULL, 0);
        run_ms(3400);
        assert_int_equal(v.faults.starts, 1 + i);
    }
    end();
}

static void test_endpoint_that_cannot_be_started_is_replaced_by_looking(void **state)
{
    (void)state;
    begin(true);
    track();
    v.faults.start_result = CCID_USB_IO;
    fault_usb_notify(&v.faults, NULL, 0);
    run_ms(0);
    assert_int_equal(bench_service_wait(&v.bench, 0), 400);
    end();
}

static void test_storm_is_not_listened_to_for_ten_seconds(void **state)
{
    static const uint8_t nothing[] = {0x50, 0x01};

    (void)state;
    begin(true);
    run_ms(5000);
    track();
    for (int i = 0; i < 1000; i++)
        fault_usb_notify(&v.faults, nothing, sizeof(nothing));
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    fault_usb_notify(&v.faults, nothing, sizeof(nothing));
    run_ms(0);
    assert_int_equal(v.faults.stops, 1);
    assert_int_equal(bench_service_wait(&v.bench, 0), 250);
    assert_int_equal(run_ms(9000), 36);
    assert_int_equal(v.faults.starts, 1);
    run_ms(1000);
    assert_int_equal(v.faults.starts, 2);
    assert_int_equal(health()->notice_storms, 1);
    run_ms(250);
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    virtual_bench_remove(&v);
    assert_int_equal(tracker.completed, 1);
    end();
}

static void test_storm_ends_also_when_nobody_cares(void **state)
{
    static const uint8_t nothing[] = {0x50, 0x01};

    (void)state;
    begin(true);
    for (int i = 0; i <= 1000; i++)
        fault_usb_notify(&v.faults, nothing, sizeof(nothing));
    run_ms(10000);
    assert_int_equal(v.faults.starts, 2);
    end();
}

/* 1 if the waiter was told of a change; then the next one waits. */
static unsigned told(void)
{
    if (tracker.completed == 0)
        return 0;
    track();
    return 1;
}

static void test_state_changes_are_limited_and_the_newest_is_not_lost(void **state)
{
    static const uint8_t in[] = {0x50, 0x03}, out[] = {0x50, 0x02};
    unsigned count = 0;

    (void)state;
    begin(true);
    run_ms(5000);
    works();
    track();
    for (int i = 0; i < 100; i++) {
        fault_usb_notify(&v.faults, out, sizeof(out));
        count += told();
        fault_usb_notify(&v.faults, in, sizeof(in));
        count += told();
        v.clock.now_ms += 5;
    }
    fault_usb_notify(&v.faults, out, sizeof(out));
    assert_int_equal(count, 20);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED); /* number 20 was `in` */
    run_ms(1000);
    assert_int_equal(count + told(), 21);
    assert_int_equal(bench_state(&v.bench), SCARD_ABSENT);
    end();
}

static void test_card_exchanged_while_news_are_held_back_is_another_card(void **state)
{
    static const uint8_t in[] = {0x50, 0x03}, out[] = {0x50, 0x02};
    uint32_t changes;

    (void)state;
    begin(true);
    run_ms(5000);
    for (int i = 0; i < 10; i++) {
        fault_usb_notify(&v.faults, out, sizeof(out));
        fault_usb_notify(&v.faults, in, sizeof(in));
    }
    works();
    track();
    changes = ccid_state_changes(slot());
    fault_usb_notify(&v.faults, out, sizeof(out)); /* out and in again, held back */
    fault_usb_notify(&v.faults, in, sizeof(in));
    /* Nobody uses the new one, and what is under way for the old one ends. */
    assert_int_not_equal(ccid_state_changes(slot()), changes);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    assert_int_equal(tracker.completed, 0);
    run_ms(1000);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    end();
}

static void test_hardware_error_is_logged_once_and_the_unknown_counted(void **state)
{
    static const uint8_t hardware[] = {0x51, 0x00, 0x00, 0x01}, unknown[] = {0x7F, 0xFF};

    (void)state;
    begin(true);
    v.bench.log_lines = 0;
    for (int i = 0; i < 5; i++) {
        fault_usb_notify(&v.faults, hardware, sizeof(hardware));
        fault_usb_notify(&v.faults, unknown, sizeof(unknown));
    }
    assert_int_equal(v.bench.log_lines, 1);
    assert_int_equal(health()->hardware_errors, 5);
    assert_int_equal(health()->unknown_notices, 5);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    end();
}

/* ---- trouble --------------------------------------------------------------------- */

static void break_bus(void)
{
    fault_usb_arm(&v.faults, (struct fault){.on = FAULT_ON_ANY,
                                            .kind = FAULT_RESULT,
                                            .at = 1,
                                            .sticky = true,
                                            .result = CCID_USB_TIMEOUT});
}

static void test_dead_reader_is_tried_again_less_and_less_often(void **state)
{
    static const int64_t waits_s[] = {5, 10, 20, 40, 80, 160, 300, 300};

    (void)state;
    begin(true);
    works();
    break_bus();
    assert_int_equal(bench_transmit(&v.bench, ECHO), STATUS_IO_TIMEOUT);
    for (size_t i = 0; i < sizeof(waits_s) / sizeof(waits_s[0]); i++) {
        assert_int_equal(bench_service_wait(&v.bench, 0), waits_s[i] * 1000);
        v.clock.now_ms = v.bench.service_ms[0];
        bench_service(&v.bench, 0);
    }
    fault_usb_disarm(&v.faults);
    end();
}

static void test_dead_reader_gives_its_waiters_an_error(void **state)
{
    (void)state;
    begin(true);
    works();
    track();
    break_bus();
    assert_int_equal(bench_transmit(&v.bench, ECHO), STATUS_IO_TIMEOUT);
    assert_int_equal(tracker.completed, 0); /* it may come back at the next command */
    run_ms(5000);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_IO_DEVICE_ERROR);
    fault_usb_disarm(&v.faults);
    end();
}

static void test_reader_that_comes_back_is_brought_back_by_itself(void **state)
{
    (void)state;
    begin(true);
    works();
    break_bus();
    assert_int_equal(bench_transmit(&v.bench, ECHO), STATUS_IO_TIMEOUT);
    run_ms(5000);
    fault_usb_disarm(&v.faults);
    run_ms(60000);
    assert_int_equal(health()->condition, CCID_HEALTHY);
    assert_false(slot()->out_of_step);
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    works();
    assert_int_equal(bench_transmit(&v.bench, "80 E8 00 00 04"), STATUS_SUCCESS);
    bench_reply_is(&v.bench, "00 00 00 02 90 00"); /* since the power-up of works() */
    end();
}

static void test_dead_reader_that_comes_back_serves_the_next_command_at_once(void **state)
{
    (void)state;
    begin(true);
    works();
    break_bus();
    assert_int_equal(bench_transmit(&v.bench, ECHO), STATUS_IO_TIMEOUT);
    run_ms(100000);
    fault_usb_disarm(&v.faults);
    works();
    assert_int_equal(health()->condition, CCID_HEALTHY);
    end();
}

static NTSTATUS reset_second(void)
{
    static const uint8_t cold[] = {SCARD_COLD_RESET, 0, 0, 0};
    uint8_t buffer[64];
    ULONG length;

    memcpy(buffer, cold, sizeof(cold));
    return smc_irp_ioctl(v.bench.slots[1], NULL, IOCTL_SMARTCARD_POWER, buffer,
                         sizeof(cold), sizeof(buffer), &length);
}

/* Both slots were in the middle of a command; the second one brings the device back. */
static void test_slot_follows_the_one_that_has_brought_the_reader_back(void **state)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;
    struct ccid_slot *second;

    (void)state;
    shape.slot_count = 2;
    virtual_bench_begin_shape(&v, &shape, NULL);
    second = v.bench.slots[1]->DeviceExtension;
    assert_int_equal(ccid_virtual_reader_insert(v.reader, 1, NULL, 0), 0);
    works();
    break_bus();
    assert_int_equal(bench_transmit(&v.bench, ECHO), STATUS_IO_TIMEOUT);
    assert_int_not_equal(reset_second(), STATUS_SUCCESS);
    assert_true(slot()->out_of_step);
    assert_true(second->out_of_step);
    fault_usb_disarm(&v.faults);

    assert_int_equal(reset_second(), STATUS_SUCCESS);
    assert_int_equal(health()->condition, CCID_HEALTHY);
    assert_true(slot()->out_of_step);
    assert_int_equal(bench_service_wait(&v.bench, 0), 0);
    bench_service(&v.bench, 0);
    assert_false(slot()->out_of_step);
    assert_int_equal(bench_service_wait(&v.bench, 0), -1);
    works();
    end();
}

/* Answers of the wrong type until nothing is sent any more. */
static void misbehave(void)
{
    fault_usb_arm(&v.faults, (struct fault){.on = FAULT_ON_IN,
                                            .kind = FAULT_MUTATE,
                                            .at = 1,
                                            .sticky = true,
                                            .offset = 0,
                                            .value = 0x99});
    for (int i = 0; i < 20 && health()->condition != CCID_QUARANTINED; i++)
        assert_int_not_equal(bench_power(&v.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(health()->condition, CCID_QUARANTINED);
}

static void test_reader_that_breaks_the_rules_is_quarantined(void **state)
{
    unsigned before;

    (void)state;
    begin(true);
    works();
    track();
    misbehave();
    assert_int_equal(health()->violations, 20);
    assert_int_equal(bench_state(&v.bench), SCARD_UNKNOWN);
    assert_int_equal(tracker.completed, 1); /* nothing is known of its card */
    assert_non_null(strstr(v.bench.log, "left alone"));
    before = v.faults.transfer_count;
    assert_int_not_equal(bench_power(&v.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_not_equal(bench_transmit(&v.bench, ECHO), STATUS_SUCCESS);
    virtual_bench_remove(&v);
    virtual_bench_insert(&v, NULL);
    assert_int_equal(bench_state(&v.bench), SCARD_UNKNOWN);
    run_ms(50000);
    assert_int_equal(v.faults.transfer_count, before);
    end();
}

static void test_quarantine_is_tried_after_a_minute_and_then_later(void **state)
{
    uint64_t began_ms;

    (void)state;
    begin(true);
    works();
    misbehave();
    began_ms = slot()->device->health.retry_ms - 60000;
    run_ms(began_ms + 60000 - v.clock.now_ms);
    assert_int_equal(health()->condition, CCID_QUARANTINED);
    assert_int_equal(health()->delay_ms, 120000);
    assert_in_range(bench_service_wait(&v.bench, 0), 110000, 120000);
    end();
}

static void test_quarantine_ends_when_the_reader_behaves(void **state)
{
    (void)state;
    begin(true);
    works();
    misbehave();
    track(); /* for a card: none is known */
    fault_usb_disarm(&v.faults);
    run_ms(60000);
    assert_int_equal(health()->condition, CCID_HEALTHY);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_SUCCESS);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    works();
    end();
}

static void test_quarantine_without_a_card_ends_without_one(void **state)
{
    (void)state;
    begin(true);
    works();
    misbehave();
    virtual_bench_remove(&v);
    track();
    fault_usb_disarm(&v.faults);
    run_ms(60000);
    assert_int_equal(health()->condition, CCID_HEALTHY);
    assert_int_equal(tracker.completed, 0);
    assert_int_equal(bench_state(&v.bench), SCARD_ABSENT);
    end();
}

static void test_quarantined_reader_sleeps_and_wakes_unasked(void **state)
{
    unsigned before;

    (void)state;
    begin(true);
    works();
    misbehave();
    before = v.faults.transfer_count;
    assert_int_equal(virtual_bench_sleep(&v), STATUS_SUCCESS);
    assert_int_equal(virtual_bench_wake(&v), STATUS_SUCCESS);
    assert_int_equal(v.faults.transfer_count, before);
    assert_int_equal(bench_state(&v.bench), SCARD_UNKNOWN);
    end();
}

static void test_answers_to_something_else_are_counted(void **state)
{
    (void)state;
    begin(true);
    works();
    fault_usb_arm(&v.faults,
                  (struct fault){.on = FAULT_ON_IN, .kind = FAULT_SEQ, .at = 1});
    (void)bench_transmit(&v.bench, ECHO);
    assert_int_equal(health()->discards, 1);
    fault_usb_disarm(&v.faults);
    works();
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_with_an_interrupt_endpoint_wants_no_turn),
        cmocka_unit_test(test_reader_is_not_polled_while_nobody_cares),
        cmocka_unit_test(test_token_is_never_polled),
        cmocka_unit_test(test_waiter_makes_the_reader_be_polled_less_and_less),
        cmocka_unit_test(test_card_that_goes_and_comes_is_seen_by_polling),
        cmocka_unit_test(
            test_powered_card_that_was_exchanged_between_two_looks_is_noticed),
        cmocka_unit_test(test_commands_count_as_looks_and_have_none_around_them),
        cmocka_unit_test(test_each_slot_is_looked_at_in_turns_of_its_own),
        cmocka_unit_test(test_sleeping_or_removed_reader_is_not_polled),
        cmocka_unit_test(test_reader_that_always_says_present_is_believed_by_its_resets),
        cmocka_unit_test(test_halted_endpoint_is_started_again_in_a_turn),
        cmocka_unit_test(
            test_endpoint_that_halts_before_the_reader_has_arrived_is_started_again),
        cmocka_unit_test(test_storm_before_the_reader_has_arrived_is_noticed),
        cmocka_unit_test(test_card_that_moved_while_the_endpoint_was_halted_is_seen),
        cmocka_unit_test(test_endpoint_that_halts_four_times_in_ten_seconds_is_given_up),
        cmocka_unit_test(test_endpoint_that_halts_now_and_then_is_always_started_again),
        cmocka_unit_test(test_endpoint_that_cannot_be_started_is_replaced_by_looking),
        cmocka_unit_test(test_storm_is_not_listened_to_for_ten_seconds),
        cmocka_unit_test(test_storm_ends_also_when_nobody_cares),
        cmocka_unit_test(test_state_changes_are_limited_and_the_newest_is_not_lost),
        cmocka_unit_test(test_card_exchanged_while_news_are_held_back_is_another_card),
        cmocka_unit_test(test_hardware_error_is_logged_once_and_the_unknown_counted),
        cmocka_unit_test(test_dead_reader_is_tried_again_less_and_less_often),
        cmocka_unit_test(test_dead_reader_gives_its_waiters_an_error),
        cmocka_unit_test(test_reader_that_comes_back_is_brought_back_by_itself),
        cmocka_unit_test(
            test_dead_reader_that_comes_back_serves_the_next_command_at_once),
        cmocka_unit_test(test_slot_follows_the_one_that_has_brought_the_reader_back),
        cmocka_unit_test(test_reader_that_breaks_the_rules_is_quarantined),
        cmocka_unit_test(test_quarantine_is_tried_after_a_minute_and_then_later),
        cmocka_unit_test(test_quarantine_ends_when_the_reader_behaves),
        cmocka_unit_test(test_quarantine_without_a_card_ends_without_one),
        cmocka_unit_test(test_quarantined_reader_sleeps_and_wakes_unasked),
        cmocka_unit_test(test_answers_to_something_else_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
