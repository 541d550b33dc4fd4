/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-mux.c - ccid/mux.c and its transfers: slots of one device at work at once. Time is
 * that of the hand-moved clock, except in the stress test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ccid/mux_internal.h"
#include "mux_bench.h"

static struct mux_bench b;

/* ---- side by side ------------------------------------------------------------------ */

static void test_long_command_of_one_slot_does_not_delay_another(void **state)
{
    struct mux_call call;
    uint64_t before;

    (void)state;
    mux_bench_begin(&b, 4, 4, false);
    mux_call_start(&call, &b, 0, 5000);
    before = b.clock.now_ms;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(mux_bench_echo(&b, 1, 1 + i * 10, i), STATUS_SUCCESS);
    assert_int_equal(b.clock.now_ms - before, 0);
    assert_false(mux_call_done(&call));
    hand_clock_advance(&b.clock, 5000);
    assert_int_equal(mux_call_end(&call), STATUS_SUCCESS);
    assert_int_equal(b.log_lines, 0);
    mux_bench_end(&b, false);
}

/* What everybody reads into is no place for what is one slot's. */
static void test_answer_is_not_left_where_packets_are_sorted(void **state)
{
    (void)state;
    mux_bench_begin(&b, 2, 2, false);
    assert_int_equal(mux_bench_echo(&b, 1, 20, 7), STATUS_SUCCESS);
    for (size_t i = 0; i < b.device->mux->packet; i++)
        assert_int_equal(b.device->mux->box[i], 0);
    mux_bench_end(&b, false);
}

static void test_answers_are_taken_in_any_order(void **state)
{
    struct mux_call calls[3];

    (void)state;
    mux_bench_begin(&b, 3, 3, false);
    for (unsigned i = 0; i < 3; i++)
        mux_call_start(&calls[i], &b, i, (uint16_t)(3000 - 1000 * i));
    for (unsigned i = 3; i-- > 0;) {
        assert_false(mux_call_done(&calls[i]));
        hand_clock_advance(&b.clock, 1000);
        assert_int_equal(mux_call_end(&calls[i]), STATUS_SUCCESS);
        if (i > 0)
            assert_false(mux_call_done(&calls[i - 1]));
    }
    assert_int_equal(b.log_lines, 0);
    mux_bench_end(&b, false);
}

/* ---- the limit --------------------------------------------------------------------- */

static bool reader_has_command(unsigned slot)
{
    bool busy;

    pthread_mutex_lock(&b.reader->lock);
    busy = b.reader->slots[slot].busy;
    pthread_mutex_unlock(&b.reader->lock);
    return busy;
}

static void test_third_slot_waits_where_two_may_be_busy(void **state)
{
    struct mux_call calls[3];

    (void)state;
    mux_bench_begin(&b, 3, 2, false);
    mux_call_start(&calls[0], &b, 0, 1000);
    mux_call_start(&calls[1], &b, 1, 2000);
    mux_call_start(&calls[2], &b, 2, 100);
    assert_true(reader_has_command(0) && reader_has_command(1));
    assert_false(reader_has_command(2));
    hand_clock_advance(&b.clock, 1000);
    assert_int_equal(mux_call_end(&calls[0]), STATUS_SUCCESS);
    assert_true(reader_has_command(2));
    hand_clock_advance(&b.clock, 100);
    assert_int_equal(mux_call_end(&calls[2]), STATUS_SUCCESS);
    hand_clock_advance(&b.clock, 1000);
    assert_int_equal(mux_call_end(&calls[1]), STATUS_SUCCESS);
    mux_bench_end(&b, false);
}

static void test_cancel_of_who_waits_for_a_place_sends_nothing(void **state)
{
    struct mux_call calls[3];

    (void)state;
    mux_bench_begin(&b, 3, 2, false);
    for (unsigned i = 0; i < 3; i++)
        mux_call_start(&calls[i], &b, i, 1000);
    assert_true(IoCancelIrp(&calls[2].irp));
    assert_int_equal(mux_call_end(&calls[2]), STATUS_CANCELLED);
    hand_clock_advance(&b.clock, 1000);
    assert_int_equal(mux_call_end(&calls[0]), STATUS_SUCCESS);
    assert_int_equal(mux_call_end(&calls[1]), STATUS_SUCCESS);
    assert_int_equal(mux_bench_count(&b, 2), 1); /* with this one */
    mux_bench_end(&b, false);
}

static void test_place_that_nobody_gives_back_is_not_waited_for_without_end(void **state)
{
    struct ccid_usb_port lanes[2];
    struct mux_call call;
    uint8_t seq;

    (void)state;
    mux_bench_begin(&b, 3, 2, false);
    for (uint8_t i = 0; i < 2; i++) {
        lanes[i] = ccid_mux_lane(b.device->mux, i);
        assert_int_equal(ccid_mux_begin(lanes[i].usb, &seq), CCID_USB_OK);
    }
    mux_call_start(&call, &b, 2, 0);
    hand_clock_advance(&b.clock, CCID_COMMAND_MAX_MS);
    assert_int_equal(mux_call_end(&call), STATUS_DEVICE_BUSY);
    for (int i = 0; i < 2; i++)
        ccid_mux_end(lanes[i].usb);
    assert_int_equal(mux_bench_echo(&b, 2, 10, 0), STATUS_SUCCESS); /* still in step */
    mux_bench_end(&b, false);
}

/* ---- what is not meant for anybody ------------------------------------------------- */

static void stray(uint8_t slot, uint8_t seq)
{
    static const uint8_t wrong[] = {'w', 'r', 'o', 'n', 'g', 0x90, 0x00};

    pthread_mutex_lock(&b.reader->lock);
    virtual_put(b.reader, slot, CCID_DATA_BLOCK, seq, CCID_DONE, 0, 0, wrong,
                sizeof(wrong));
    pthread_cond_broadcast(&b.reader->changed);
    pthread_mutex_unlock(&b.reader->lock);
}

static void test_answers_with_a_wrong_slot_or_number_are_discarded(void **state)
{
    struct mux_call calls[2];
    uint8_t seqs[2];

    (void)state;
    mux_bench_begin(&b, 4, 4, false);
    for (unsigned i = 0; i < 2; i++) {
        mux_call_start(&calls[i], &b, i, 1000);
        seqs[i] = b.reader->slots[i].busy_seq;
    }
    stray(0, (uint8_t)(seqs[0] + 77)); /* no number of anybody */
    stray(0, seqs[1]);                 /* that of the other slot */
    stray(1, seqs[0]);
    stray(3, seqs[0]); /* of a slot that waits for nothing */
    stray(200, seqs[0]);
    hand_clock_settle(&b.clock);
    assert_false(mux_call_done(&calls[0]) || mux_call_done(&calls[1]));
    hand_clock_advance(&b.clock, 1000);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(mux_call_end(&calls[i]), STATUS_SUCCESS);
    mux_bench_end(&b, false);
}

/* ---- cancel, faults, unplug -------------------------------------------------------- */

static void test_cancel_of_one_slot_leaves_the_command_of_another_alone(void **state)
{
    for (unsigned leader = 0; leader < 2; leader++) {
        struct mux_call calls[2];

        (void)state;
        mux_bench_begin(&b, 2, 2, false);
        /* The one that began is the one that reads. */
        mux_call_start(&calls[leader], &b, leader, 5000);
        mux_call_start(&calls[1 - leader], &b, 1 - leader, 5000);
        assert_true(IoCancelIrp(&calls[0].irp));
        hand_clock_advance(&b.clock, 100);
        assert_int_equal(mux_call_end(&calls[0]), STATUS_CANCELLED);
        assert_false(mux_call_done(&calls[1]));
        hand_clock_advance(&b.clock, 4900);
        assert_int_equal(mux_call_end(&calls[1]), STATUS_SUCCESS);
        assert_int_equal(mux_bench_count(&b, 1), 2); /* once, and this one */
        assert_int_equal(b.clear_halts, 0);
        assert_int_equal(mux_bench_connect(&b, 0), STATUS_SUCCESS);
        mux_bench_end(&b, false);
    }
}

static void test_failed_transfer_ends_the_command_of_who_reads_and_no_other(void **state)
{
    static const enum ccid_usb_result faults[] = {CCID_USB_STALL, CCID_USB_OVERFLOW,
                                                  CCID_USB_IO, CCID_USB_TIMEOUT};

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct mux_call calls[2];

        mux_bench_begin(&b, 2, 2, false);
        mux_call_start(&calls[0], &b, 0, 100);
        mux_call_start(&calls[1], &b, 1, 400);
        __atomic_store_n(&b.in_fault, (int)faults[i], __ATOMIC_SEQ_CST);
        hand_clock_advance(&b.clock, 100);
        assert_int_equal(b.in_fault, CCID_USB_OK); /* it has hit */
        hand_clock_advance(&b.clock, 50);
        assert_int_equal(mux_call_end(&calls[0]), faults[i] == CCID_USB_TIMEOUT
                                                      ? STATUS_IO_TIMEOUT
                                                      : STATUS_IO_DEVICE_ERROR);
        assert_int_equal(mux_bench_connect(&b, 0), STATUS_SUCCESS);
        hand_clock_advance(&b.clock, 250);
        assert_int_equal(mux_call_end(&calls[1]), STATUS_SUCCESS);
        assert_int_equal(mux_bench_count(&b, 1), 2);
        mux_bench_end(&b, false);
    }
}

static void test_clearing_halts_for_one_slot_leaves_the_command_of_another(void **state)
{
    struct ccid_usb_port lane;
    struct mux_call call;

    (void)state;
    mux_bench_begin(&b, 2, 2, false);
    lane = ccid_mux_lane(b.device->mux, 0);
    mux_call_start(&call, &b, 1, 1000);
    assert_int_equal(lane.ops->clear_halt(lane.usb), CCID_USB_OK);
    assert_int_equal(b.clear_halts, 1);
    hand_clock_advance(&b.clock, 1000);
    assert_int_equal(mux_call_end(&call), STATUS_SUCCESS);
    mux_bench_end(&b, false);
}

static void test_reset_of_the_device_ends_the_commands_of_all_slots(void **state)
{
    struct mux_call calls[3];
    struct ccid_usb_port lane;

    (void)state;
    mux_bench_begin(&b, 4, 4, false);
    lane = ccid_mux_lane(b.device->mux, 0);
    for (unsigned i = 0; i < 3; i++)
        mux_call_start(&calls[i], &b, i + 1, 5000);
    assert_int_equal(lane.ops->reset(lane.usb), CCID_USB_OK);
    hand_clock_advance(&b.clock, 500); /* they resynchronise, one after the other */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(mux_call_end(&calls[i]), STATUS_IO_DEVICE_ERROR);
    hand_clock_auto(&b.clock, true);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(mux_bench_connect(&b, i), STATUS_SUCCESS);
        assert_int_equal(mux_bench_echo(&b, i, 100, i), STATUS_SUCCESS);
    }
    mux_bench_end(&b, false);
}

static void test_unplug_ends_every_slot_at_once(void **state)
{
    (void)state;
    for (unsigned surprise = 0; surprise < 2; surprise++) {
        struct mux_call calls[4];
        uint64_t before;

        mux_bench_begin(&b, 4, 3, false); /* one waits for a place */
        for (unsigned i = 0; i < 4; i++)
            mux_call_start(&calls[i], &b, i, 5000);
        before = b.clock.now_ms;
        if (surprise) /* the bus says so, or a transfer */
            ccid_cancel_for_ever(b.device);
        else
            ccid_virtual_reader_unplug(b.reader);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(mux_call_end(&calls[i]), STATUS_DEVICE_REMOVED);
        assert_int_equal(b.clock.now_ms - before, 0);
        mux_bench_end(&b, true);
    }
}

/* ---- stress ------------------------------------------------------------------------ */

#define STRESS_APDUS 1000

struct stress {
    unsigned slot;
    unsigned wrong;
};

static void *stress_thread(void *context)
{
    struct stress *stress = context;

    for (unsigned i = 0; i < STRESS_APDUS; i++) {
        /* Some answers fill whole packets, some need several. */
        size_t length = i % 10 == 0 ? 500 + i : 1 + (i * 13 + stress->slot) % 250;

        if (mux_bench_echo(&b, stress->slot, length, i) != STATUS_SUCCESS)
            stress->wrong++;
    }
    return NULL;
}

static void stress(unsigned slots, unsigned busy)
{
    struct stress stress[CCID_VIRTUAL_SLOTS_MAX];
    pthread_t threads[CCID_VIRTUAL_SLOTS_MAX];

    mux_bench_begin(&b, slots, busy, true);
    for (unsigned i = 0; i < slots; i++) {
        stress[i] = (struct stress){.slot = i};
        assert_int_equal(pthread_create(&threads[i], NULL, stress_thread, &stress[i]), 0);
    }
    for (unsigned i = 0; i < slots; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < slots; i++) {
        assert_int_equal(stress[i].wrong, 0);
        assert_int_equal(mux_bench_count(&b, i), STRESS_APDUS + 1);
    }
    assert_int_equal(b.log_lines, 0);
    mux_bench_end(&b, false);
}

static void test_eight_slots_get_each_its_own_answers(void **state)
{
    (void)state;
    stress(8, 8);
}

static void test_more_slots_than_places_get_each_its_own_answers(void **state)
{
    (void)state;
    stress(3, 2);
}

#define RESTLESS_RESETS 300

static void *restless_thread(void *context)
{
    const int *over = context;

    while (__atomic_load_n(over, __ATOMIC_SEQ_CST) == 0) {
        (void)ccid_virtual_reader_remove(b.reader, 0);
        (void)ccid_virtual_reader_insert(b.reader, 0, NULL, 0);
    }
    return NULL;
}

/* The event thread takes the ATR and the protocol away while they are in use. */
static void test_card_that_comes_and_goes_gives_a_whole_atr_or_an_error(void **state)
{
    uint8_t bytes[64];
    ULONG length;
    pthread_t thread;
    int over = 0;

    (void)state;
    mux_bench_begin(&b, 2, 2, true);
    assert_int_equal(pthread_create(&thread, NULL, restless_thread, &over), 0);
    for (unsigned i = 0; i < RESTLESS_RESETS; i++) {
        const ULONG reset = SCARD_COLD_RESET;

        memcpy(bytes, &reset, sizeof(reset));
        if (smc_irp_ioctl(b.slots[0], NULL, IOCTL_SMARTCARD_POWER, bytes, sizeof(reset),
                          sizeof(bytes), &length) == STATUS_SUCCESS) {
            assert_in_range(length, 2, CCID_VIRTUAL_ATR_MAX);
            assert_int_equal(bytes[0], 0x3B);
        }
        (void)mux_bench_echo(&b, 0, 100, i);
    }
    __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    mux_bench_end(&b, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_command_of_one_slot_does_not_delay_another),
        cmocka_unit_test(test_answer_is_not_left_where_packets_are_sorted),
        cmocka_unit_test(test_answers_are_taken_in_any_order),
        cmocka_unit_test(test_third_slot_waits_where_two_may_be_busy),
        cmocka_unit_test(test_cancel_of_who_waits_for_a_place_sends_nothing),
        cmocka_unit_test(test_place_that_nobody_gives_back_is_not_waited_for_without_end),
        cmocka_unit_test(test_answers_with_a_wrong_slot_or_number_are_discarded),
        cmocka_unit_test(test_cancel_of_one_slot_leaves_the_command_of_another_alone),
        cmocka_unit_test(test_failed_transfer_ends_the_command_of_who_reads_and_no_other),
        cmocka_unit_test(test_clearing_halts_for_one_slot_leaves_the_command_of_another),
        cmocka_unit_test(test_reset_of_the_device_ends_the_commands_of_all_slots),
        cmocka_unit_test(test_unplug_ends_every_slot_at_once),
        cmocka_unit_test(test_eight_slots_get_each_its_own_answers),
        cmocka_unit_test(test_more_slots_than_places_get_each_its_own_answers),
        cmocka_unit_test(test_card_that_comes_and_goes_gives_a_whole_atr_or_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
