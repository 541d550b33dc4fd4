/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-mux_lane.c - ccid/mux_lane.c and mux_transfer.c: two lanes on a port that plays a
 * script. One thread: what another lane does, it does while a transfer or a wait of the
 * first is under way. Time is virtual.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ccid/mux_internal.h"
#include "virtual_clock.h"

#define STEPS_MAX 8
#define PACKET    64

/* One transfer of the port. */
struct step {
    enum ccid_usb_result result;
    const uint8_t *bytes;
    size_t len;
    void (*meanwhile)(void *);
};

static struct {
    struct virtual_clock clock;
    struct step in[STEPS_MAX], out[STEPS_MAX];
    unsigned in_count, in_at, out_count, out_at;
    unsigned controls, clear_halts, resets, entered, left;
    unsigned holds[2]; /* by enum ccid_usb_pipe */
    bool held[2];
    uint32_t timeout_ms; /* of the last transfer */
} port;

static struct ccid_mux *mux;
static struct ccid_usb *lane[2];
static const struct ccid_usb_ops *ops;
static uint8_t seq[2], in[256];
static size_t len;

/* ---- the port ---------------------------------------------------------------------- */

static enum ccid_usb_result bulk_out(struct ccid_usb *usb, const uint8_t *out,
                                     size_t out_len, uint32_t timeout_ms)
{
    const struct step *step = &port.out[port.out_at++];

    (void)usb;
    (void)out;
    (void)out_len;
    assert_true(port.out_at <= port.out_count);
    port.timeout_ms = timeout_ms;
    if (step->meanwhile != NULL)
        step->meanwhile(NULL);
    return step->result;
}

static enum ccid_usb_result bulk_in(struct ccid_usb *usb, uint8_t *to, size_t size,
                                    size_t *got, uint32_t timeout_ms)
{
    const struct step *step = &port.in[port.in_at++];

    (void)usb;
    assert_true(port.in_at <= port.in_count);
    assert_true(step->len <= size);
    port.timeout_ms = timeout_ms;
    if (step->meanwhile != NULL)
        step->meanwhile(NULL);
    if (step->len > 0)
        memcpy(to, step->bytes, step->len);
    *got = step->len;
    return step->result;
}

static enum ccid_usb_result control(struct ccid_usb *usb, uint8_t request_type,
                                    uint8_t request, uint16_t value, uint16_t index,
                                    uint8_t *data, uint16_t data_len, size_t *done,
                                    uint32_t timeout_ms)
{
    (void)usb;
    (void)request_type;
    (void)request;
    (void)value;
    (void)index;
    (void)data;
    (void)timeout_ms;
    port.controls++;
    *done = data_len;
    return CCID_USB_OK;
}

static enum ccid_usb_result clear_halt(struct ccid_usb *usb)
{
    (void)usb;
    port.clear_halts++;
    return CCID_USB_OK;
}

static enum ccid_usb_result reset(struct ccid_usb *usb)
{
    (void)usb;
    port.resets++;
    return CCID_USB_OK;
}

static void hold(struct ccid_usb *usb, enum ccid_usb_pipe pipe, bool on)
{
    (void)usb;
    port.holds[pipe] += on;
    port.held[pipe] = on;
}

static void wait_until(struct ccid_usb *usb, pthread_cond_t *condition,
                       pthread_mutex_t *lock, uint64_t deadline_ms)
{
    (void)usb;
    port.clock.clock.wait(&port.clock.clock, condition, lock, deadline_ms);
}

static void enter(struct ccid_usb *usb)
{
    (void)usb;
    port.entered++;
}

static void leave(struct ccid_usb *usb)
{
    (void)usb;
    port.left++;
}

static uint64_t now_ms(struct ccid_usb *usb)
{
    (void)usb;
    return port.clock.now_ms;
}

static const struct ccid_usb_ops port_ops = {
    .bulk_out = bulk_out,
    .bulk_in = bulk_in,
    .control = control,
    .clear_halt = clear_halt,
    .reset = reset,
    .hold = hold,
    .wait = wait_until,
    .enter = enter,
    .leave = leave,
    .now_ms = now_ms,
};

static void out_ends(enum ccid_usb_result result, void (*meanwhile)(void *))
{
    port.out[port.out_count++] = (struct step){.result = result, .meanwhile = meanwhile};
}

static void in_ends(enum ccid_usb_result result, const uint8_t *bytes, size_t count)
{
    port.in[port.in_count++] =
        (struct step){.result = result, .bytes = bytes, .len = count};
}

/* ---- the lanes --------------------------------------------------------------------- */

static int begin(void **state)
{
    static const struct ccid_desc desc = {
        .bulk_in = {0x81, 0, PACKET}, .slot_count = 2, .busy_slot_count = 2};
    const struct ccid_usb_port inner = {&port_ops, NULL};

    (void)state;
    memset(&port, 0, sizeof(port));
    memset(in, 0, sizeof(in));
    virtual_clock_init(&port.clock);
    mux = ccid_mux_new(&inner, &desc);
    assert_non_null(mux);
    for (uint8_t i = 0; i < 2; i++) {
        lane[i] = ccid_mux_lane(mux, i).usb;
        ops = ccid_mux_lane(mux, i).ops;
        assert_int_equal(ccid_mux_begin(lane[i], &seq[i]), CCID_USB_OK);
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(port.in_at, port.in_count);
    assert_int_equal(port.out_at, port.out_count);
    assert_false(port.held[CCID_USB_IN] || port.held[CCID_USB_OUT]);
    for (size_t i = 0; i < PACKET && !mux->box_full; i++)
        assert_int_equal(mux->box[i], 0); /* it may have been a PIN, or a key */
    ccid_mux_free(mux);
    return 0;
}

/* The answer of a slot with so many bytes of data. */
static const uint8_t *message(uint8_t slot, uint8_t data_len)
{
    static uint8_t messages[2][256];
    uint8_t *m = messages[slot];

    memset(m, 0x40 + slot, sizeof(messages[0]));
    memcpy(m, (const uint8_t[]){0x80, data_len, 0, 0, 0, slot, seq[slot], 0, 0, 0}, 10);
    return m;
}

static enum ccid_usb_result receive(unsigned i, size_t size, uint32_t timeout_ms)
{
    return ops->bulk_in(lane[i], in, size, &len, timeout_ms);
}

static enum ccid_usb_result transmit(unsigned i, uint32_t timeout_ms)
{
    return ops->bulk_out(lane[i], (const uint8_t *)"command", 7, timeout_ms);
}

static void is_message(uint8_t slot, size_t count)
{
    assert_int_equal(len, count);
    assert_memory_equal(in, message(slot, (uint8_t)(count - 10)), count);
}

static enum ccid_usb_result everything_of(unsigned i)
{
    enum ccid_usb_result result = transmit(i, 100);
    size_t done;
    uint8_t number;

    assert_int_equal(receive(i, PACKET, 100), result);
    assert_int_equal(
        ops->exchange(lane[i], (const uint8_t *)"x", 1, in, PACKET, &len, 100), result);
    assert_int_equal(ops->control(lane[i], 0xA1, 2, 0, 0, in, 4, &done, 100), result);
    assert_int_equal(done, 0);
    assert_int_equal(ops->clear_halt(lane[i]), result);
    assert_int_equal(ops->reset(lane[i]), result);
    assert_int_equal(ops->sleep_ms(lane[i], 100), result);
    assert_int_equal(ccid_mux_begin(lane[i], &number), result);
    return result;
}

/* ---- what passes through ----------------------------------------------------------- */

static void test_lane_passes_on_what_no_other_lane_minds(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    size_t done = 0;

    (void)state;
    ops->enter(lane[0]);
    ops->leave(lane[0]);
    assert_int_equal(port.entered, 1);
    assert_int_equal(port.left, 1);
    assert_int_equal(ops->control(lane[0], 0xA1, 2, 0, 0, in, 4, &done, 100),
                     CCID_USB_OK);
    assert_int_equal(done, 4);
    pthread_mutex_lock(&lock);
    ops->wait(lane[0], &condition, &lock, 1234);
    pthread_mutex_unlock(&lock);
    assert_int_equal(ops->now_ms(lane[0]), 1234);
    assert_int_equal(ops->sleep_ms(lane[0], 6), CCID_USB_OK);
    assert_int_equal(ops->now_ms(lane[0]), 1240);
}

static void test_transfer_without_a_deadline_has_none_of_the_port(void **state)
{
    (void)state;
    in_ends(CCID_USB_OK, message(0, 2), 12);
    assert_int_equal(receive(0, PACKET, UINT32_MAX), CCID_USB_OK);
    assert_int_equal(port.timeout_ms, UINT32_MAX);
    is_message(0, 12);
}

/* ---- what ends a lane -------------------------------------------------------------- */

static void test_cancelled_lane_does_nothing_and_the_other_all(void **state)
{
    (void)state;
    ops->cancel(lane[0], true);
    assert_int_equal(everything_of(0), CCID_USB_CANCELLED);
    assert_int_equal(port.controls + port.clear_halts + port.resets, 0);
    in_ends(CCID_USB_OK, message(1, 2), 12);
    assert_int_equal(receive(1, PACKET, 100), CCID_USB_OK);
    ops->cancel(lane[0], false);
    out_ends(CCID_USB_OK, NULL);
    assert_int_equal(transmit(0, 100), CCID_USB_OK);
}

static void test_device_that_is_gone_is_gone_for_all(void **state)
{
    (void)state;
    in_ends(CCID_USB_GONE, NULL, 0);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_GONE);
    assert_int_equal(everything_of(1), CCID_USB_GONE);
}

static void cancel_0(void *unused)
{
    (void)unused;
    ops->cancel(lane[0], true);
}

static void test_cancel_calls_the_lane_back_from_where_it_is(void **state)
{
    (void)state;
    out_ends(CCID_USB_CANCELLED, cancel_0);
    assert_int_equal(transmit(0, 100), CCID_USB_CANCELLED);
    assert_int_equal(port.holds[CCID_USB_OUT], 1);
    assert_int_equal(port.holds[CCID_USB_IN], 0);
    ops->cancel(lane[0], false);
    in_ends(CCID_USB_CANCELLED, NULL, 0);
    port.in[0].meanwhile = cancel_0;
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_CANCELLED);
    assert_int_equal(port.holds[CCID_USB_IN], 1);
}

/* ---- one at a time ----------------------------------------------------------------- */

static enum ccid_usb_result other; /* what lane 1 has got */

static void transmit_1(void *unused)
{
    (void)unused;
    other = transmit(1, 100);
}

static void test_pipe_in_use_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    out_ends(CCID_USB_OK, transmit_1);
    assert_int_equal(transmit(0, 500), CCID_USB_OK);
    assert_int_equal(other, CCID_USB_TIMEOUT);
    assert_int_equal(port.clock.now_ms, 1100);
}

static void test_read_without_time_is_not_begun(void **state)
{
    (void)state;
    assert_int_equal(receive(0, PACKET, 0), CCID_USB_TIMEOUT);
    assert_int_equal(len, 0);
}

static void clear_halt_1(void *unused)
{
    (void)unused;
    other = ops->clear_halt(lane[1]);
}

/* The one does not come back in time; and half a message cannot be completed. */
static void test_repair_calls_the_others_back_and_does_not_wait_for_ever(void **state)
{
    (void)state;
    out_ends(CCID_USB_CANCELLED, clear_halt_1);
    assert_int_equal(transmit(0, 10000), CCID_USB_IO);
    assert_int_equal(other, CCID_USB_TIMEOUT);
    assert_int_equal(port.holds[CCID_USB_OUT], 1);
    assert_int_equal(port.clear_halts, 0);
    assert_int_equal(port.clock.now_ms, 7000);
    clear_halt_1(NULL);
    assert_int_equal(other, CCID_USB_OK);
    assert_int_equal(port.clear_halts, 1);
}

static void test_read_that_a_repair_calls_back_is_made_again(void **state)
{
    (void)state;
    in_ends(CCID_USB_CANCELLED, NULL, 0);
    port.in[0].meanwhile = clear_halt_1;
    in_ends(CCID_USB_OK, message(0, 2), 12);
    assert_int_equal(receive(0, PACKET, 10000), CCID_USB_OK);
    is_message(0, 12);
}

/* ---- messages of others ------------------------------------------------------------ */

static void test_rest_of_a_message_that_nobody_wants_is_dropped(void **state)
{
    (void)state;
    in_ends(CCID_USB_OK, message(0, 140), PACKET); /* 150 bytes: 86 are left */
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_OK);
    ccid_mux_end(lane[0]);
    in_ends(CCID_USB_OK, message(0, 140) + PACKET, PACKET);
    in_ends(CCID_USB_OK, message(0, 140) + 2 * PACKET, 22);
    in_ends(CCID_USB_OK, message(1, 2), 12);
    assert_int_equal(receive(1, PACKET, 100), CCID_USB_OK);
    is_message(1, 12);
}

static void test_message_that_ends_early_is_dropped_to_its_end_only(void **state)
{
    (void)state;
    in_ends(CCID_USB_OK, message(0, 240), PACKET); /* 186 are promised */
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_OK);
    ccid_mux_end(lane[0]);
    in_ends(CCID_USB_OK, message(0, 240) + PACKET, 10); /* a short packet: the end */
    in_ends(CCID_USB_OK, message(1, 2), 12);
    assert_int_equal(receive(1, PACKET, 100), CCID_USB_OK);
    is_message(1, 12);
}

static void test_rest_that_comes_short_is_all_there_is(void **state)
{
    (void)state;
    in_ends(CCID_USB_OK, message(0, 140), PACKET);
    in_ends(CCID_USB_OK, message(0, 140) + PACKET, 30);
    assert_int_equal(receive(0, sizeof(in), 100), CCID_USB_OK);
    assert_int_equal(len, PACKET + 30);
    in_ends(CCID_USB_OK, message(1, 2), 12);
    assert_int_equal(receive(1, PACKET, 100), CCID_USB_OK);
    is_message(1, 12);
}

static void test_rest_is_read_into_the_room_there_is_and_later_on(void **state)
{
    (void)state;
    in_ends(CCID_USB_OK, message(0, 190), PACKET); /* 200 bytes */
    in_ends(CCID_USB_OK, message(0, 190) + PACKET, PACKET);
    assert_int_equal(receive(0, (size_t)2 * PACKET, 100), CCID_USB_OK);
    assert_int_equal(len, 2 * PACKET);
    in_ends(CCID_USB_OK, message(0, 190) + 2 * PACKET, 72 - 8);
    in_ends(CCID_USB_OK, message(0, 190) + 3 * PACKET, 8);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_OK);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_OK);
    assert_int_equal(len, 8);
    assert_null(mux->owner);
}

static void test_message_taken_by_nobody_is_wiped(void **state)
{
    (void)state;
    in_ends(CCID_USB_OK, message(1, 20), 30); /* read by lane 0, which gives up */
    in_ends(CCID_USB_TIMEOUT, NULL, 0);
    port.in[0].meanwhile = cancel_0;
    port.in_count = 1;
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_CANCELLED);
    assert_true(mux->box_full);
    assert_ptr_equal(mux->owner, lane[1]);
    ccid_mux_end(lane[1]);
    assert_false(mux->box_full);
    assert_null(mux->owner);
}

static void test_message_lost_in_a_reset_is_wiped(void **state)
{
    (void)state;
    in_ends(CCID_USB_OK, message(1, 20), 30); /* read by lane 0, which gives up */
    port.in[0].meanwhile = cancel_0;
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_CANCELLED);
    assert_true(mux->box_full);
    ops->cancel(lane[0], false);
    assert_int_equal(ops->reset(lane[0]), CCID_USB_OK);
    assert_false(mux->box_full);
}

static void test_part_of_a_message_that_fails_is_wiped(void **state)
{
    (void)state;
    in_ends(CCID_USB_IO, message(0, 20), 15);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_IO);
}

/* ---- faults and repairs ------------------------------------------------------------ */

/* A lane has found the pipes broken, and nobody else transfers. */
static void break_pipes(unsigned i)
{
    in_ends(CCID_USB_IO, NULL, 0);
    assert_int_equal(receive(i, PACKET, 100), CCID_USB_IO);
    assert_ptr_equal(mux->alone, lane[i]);
}

static void begin_1(void *unused)
{
    (void)unused;
    ccid_mux_end(lane[1]);
    assert_int_equal(ccid_mux_begin(lane[1], &seq[1]), CCID_USB_OK);
}

static void test_time_that_another_lane_repairs_in_is_given_back(void **state)
{
    (void)state;
    break_pipes(1);
    virtual_clock_at(&port.clock, 4000, begin_1, NULL);
    in_ends(CCID_USB_OK, message(0, 2), 12);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_OK);
    assert_int_equal(port.timeout_ms, 100);
    assert_int_equal(port.clock.now_ms, 4000);
}

static void test_read_without_a_deadline_waits_for_the_repairs_of_another(void **state)
{
    (void)state;
    break_pipes(1);
    virtual_clock_at(&port.clock, 4000, begin_1, NULL);
    in_ends(CCID_USB_OK, message(0, 2), 12);
    assert_int_equal(receive(0, PACKET, UINT32_MAX), CCID_USB_OK);
    assert_int_equal(port.timeout_ms, UINT32_MAX);
}

static void test_patience_with_the_repairs_of_another_has_an_end(void **state)
{
    (void)state;
    break_pipes(1);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_TIMEOUT);
    assert_int_equal(port.clock.now_ms, 1000 + 6000 + 100);
    assert_int_equal(ops->clear_halt(lane[0]), CCID_USB_TIMEOUT);
    assert_int_equal(port.clear_halts, 0);
    assert_ptr_equal(mux->alone, lane[1]);
}

static void test_no_memory_and_timeouts_break_nothing(void **state)
{
    (void)state;
    in_ends(CCID_USB_NO_MEMORY, NULL, 0);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_NO_MEMORY);
    in_ends(CCID_USB_TIMEOUT, NULL, 0);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_TIMEOUT);
    assert_null(mux->alone);
}

static void resume_0(void *unused)
{
    (void)unused;
    ccid_mux_resume(lane[0]);
}

static void test_one_lane_brings_itself_back_in_step_at_a_time(void **state)
{
    (void)state;
    assert_int_equal(ccid_mux_pause(lane[0], 100), CCID_USB_OK);
    assert_int_equal(ccid_mux_pause(lane[1], 500), CCID_USB_TIMEOUT);
    assert_int_equal(port.clock.now_ms, 1500);
    ops->cancel(lane[1], true);
    assert_int_equal(ccid_mux_pause(lane[1], 500), CCID_USB_CANCELLED);
    ops->cancel(lane[1], false);
    virtual_clock_at(&port.clock, 1600, resume_0, NULL);
    assert_int_equal(ccid_mux_pause(lane[1], 500), CCID_USB_OK);
    assert_int_equal(port.clock.now_ms, 1600);
    ccid_mux_resume(lane[1]);
}

static void test_who_begins_waits_for_who_resynchronises(void **state)
{
    (void)state;
    ccid_mux_end(lane[1]);
    assert_int_equal(ccid_mux_pause(lane[0], 100), CCID_USB_OK);
    ccid_mux_end(lane[0]);
    assert_int_equal(ccid_mux_begin(lane[0], &seq[0]), CCID_USB_OK); /* itself may */
    virtual_clock_at(&port.clock, 3000, resume_0, NULL);
    assert_int_equal(ccid_mux_begin(lane[1], &seq[1]), CCID_USB_OK);
    assert_int_equal(port.clock.now_ms, 3000);
}

static void test_who_resynchronises_repairs_for_the_others_too(void **state)
{
    (void)state;
    break_pipes(1);
    assert_int_equal(ccid_mux_pause(lane[0], 100), CCID_USB_OK);
    assert_ptr_equal(mux->alone, lane[0]);
    assert_int_equal(ops->clear_halt(lane[0]), CCID_USB_OK);
    assert_null(mux->alone);
    /* A fault of another lane meanwhile is its affair, too. */
    in_ends(CCID_USB_STALL, NULL, 0);
    assert_int_equal(receive(1, PACKET, 100), CCID_USB_STALL);
    assert_null(mux->alone);
    in_ends(CCID_USB_STALL, NULL, 0);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_STALL);
    assert_ptr_equal(mux->alone, lane[0]);
    ccid_mux_resume(lane[0]);
    assert_null(mux->alone);
}

static void test_lane_that_may_not_resynchronise_keeps_nobody_out(void **state)
{
    (void)state;
    assert_int_equal(ccid_mux_pause(lane[0], 100), CCID_USB_OK);
    mux->pausing = NULL;
    break_pipes(1);
    mux->pausing = mux_lane_of(lane[0]); /* it was quicker */
    assert_int_equal(ccid_mux_pause(lane[1], 100), CCID_USB_TIMEOUT);
    assert_null(mux->alone);
    ccid_mux_resume(lane[0]);
}

static void test_rest_of_a_lost_message_does_not_come_after_a_silence(void **state)
{
    (void)state;
    in_ends(CCID_USB_OK, message(0, 140), PACKET);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_OK);
    ccid_mux_end(lane[0]);
    assert_int_equal(ccid_mux_pause(lane[0], 100), CCID_USB_OK);
    in_ends(CCID_USB_TIMEOUT, NULL, 0);
    assert_int_equal(receive(0, PACKET, 100), CCID_USB_TIMEOUT);
    ccid_mux_resume(lane[0]);
    in_ends(CCID_USB_OK, message(1, 2), 12);
    assert_int_equal(receive(1, PACKET, 100), CCID_USB_OK);
    is_message(1, 12);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lane_passes_on_what_no_other_lane_minds),
        TEST(transfer_without_a_deadline_has_none_of_the_port),
        TEST(cancelled_lane_does_nothing_and_the_other_all),
        TEST(device_that_is_gone_is_gone_for_all),
        TEST(cancel_calls_the_lane_back_from_where_it_is),
        TEST(pipe_in_use_is_waited_for_until_the_deadline),
        TEST(read_without_time_is_not_begun),
        TEST(repair_calls_the_others_back_and_does_not_wait_for_ever),
        TEST(read_that_a_repair_calls_back_is_made_again),
        TEST(rest_of_a_message_that_nobody_wants_is_dropped),
        TEST(message_that_ends_early_is_dropped_to_its_end_only),
        TEST(rest_that_comes_short_is_all_there_is),
        TEST(rest_is_read_into_the_room_there_is_and_later_on),
        TEST(message_taken_by_nobody_is_wiped),
        TEST(message_lost_in_a_reset_is_wiped),
        TEST(part_of_a_message_that_fails_is_wiped),
        TEST(time_that_another_lane_repairs_in_is_given_back),
        TEST(read_without_a_deadline_waits_for_the_repairs_of_another),
        TEST(patience_with_the_repairs_of_another_has_an_end),
        TEST(no_memory_and_timeouts_break_nothing),
        TEST(one_lane_brings_itself_back_in_step_at_a_time),
        TEST(who_begins_waits_for_who_resynchronises),
        TEST(who_resynchronises_repairs_for_the_others_too),
        TEST(lane_that_may_not_resynchronise_keeps_nobody_out),
        TEST(rest_of_a_lost_message_does_not_come_after_a_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
