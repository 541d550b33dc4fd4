/* SPDX-License-Identifier: BSD-2-Clause */
/* test-cancel.c - ccid/cancel.c: IoCancelIrp before, during and after a command. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/slot.h"

struct request {
    IRP irp;
    uint8_t buffer[64];
    int completed;
    NTSTATUS status;
};

static VOID request_done(PIRP irp, PVOID context)
{
    struct request *request = context;

    request->completed++;
    request->status = irp->IoStatus.Status;
}

/* SELECT, as an IRP that can be cancelled. */
static void prepare(struct bench *bench, struct request *request)
{
    static const uint8_t in[15] = {2, 0, 0, 0, 8, 0, 0, 0, 0x00, 0xA4, 0, 0, 2, 0x3F, 0};

    memset(request, 0, sizeof(*request));
    memcpy(request->buffer, in, sizeof(in));
    smc_irp_init_ioctl(&request->irp, bench->slots[0], NULL, IOCTL_SMARTCARD_TRANSMIT,
                       request->buffer, sizeof(in), sizeof(request->buffer), request_done,
                       request);
}

static void cancel_irp(void *context)
{
    struct request *request = context;

    assert_true(IoCancelIrp(&request->irp));
}

static void cancel_early(void *context)
{
    struct request *request = context;

    assert_false(IoCancelIrp(&request->irp)); /* nobody to call yet */
}

static void works_again(struct bench *bench)
{
    assert_false(bench->usb.cancelled);
    script_command(&bench->usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_end(bench);
}

static void test_cancel_during_the_answer_ends_the_command_and_resynchronises(
    void **state)
{
    struct request request;
    struct bench bench;
    struct script_step *step;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    prepare(&bench, &request);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    step = script_in(&bench.usb, BENCH_9000_IN);
    step->action = cancel_irp;
    step->context = &request;
    script_resync(&bench.usb);
    (void)IoCallDriver(bench.slots[0], &request.irp);
    assert_int_equal(request.completed, 1);
    assert_int_equal(request.status, STATUS_CANCELLED);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    assert_int_equal(bench.log_lines, 0);
    works_again(&bench);
}

static void test_cancel_during_a_time_extension_is_seen_at_once(void **state)
{
    struct request request;
    struct bench bench;
    struct script_step *step;
    uint64_t started;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    prepare(&bench, &request);
    started = bench.usb.now_ms;
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_in(&bench.usb, "80 00000000 00 SS 80 FF 00")->delay_ms = 10;
    step = script_in(&bench.usb, "80 00000000 00 SS 80 FF 00");
    step->action = cancel_irp;
    step->context = &request;
    script_resync(&bench.usb);
    (void)IoCallDriver(bench.slots[0], &request.irp);
    assert_int_equal(request.status, STATUS_CANCELLED);
    assert_true(bench.usb.now_ms - started <= 100);
    works_again(&bench);
}

static void test_cancel_that_comes_first_sends_nothing(void **state)
{
    struct request request;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    prepare(&bench, &request);
    assert_false(IoCancelIrp(&request.irp)); /* nobody to call yet */
    (void)IoCallDriver(bench.slots[0], &request.irp);
    assert_int_equal(request.completed, 1);
    assert_int_equal(request.status, STATUS_CANCELLED);
    assert_int_equal(bench_state(&bench), SCARD_SPECIFIC);
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_end(&bench);
}

/* The library has forgotten the card's protocols by then; a card that it cannot choose
 * one for must not stay in power. */
static void test_cancel_before_power_leaves_a_card_without(void **state)
{
    static const uint8_t minors[] = {SCARD_POWER_DOWN, SCARD_COLD_RESET,
                                     SCARD_WARM_RESET};
    struct request request;
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof minors; i++) {
        bench_ready(&bench, BENCH_EXTENDED);
        memset(&request, 0, sizeof(request));
        request.buffer[0] = minors[i];
        smc_irp_init_ioctl(&request.irp, bench.slots[0], NULL, IOCTL_SMARTCARD_POWER,
                           request.buffer, sizeof(ULONG), sizeof(request.buffer),
                           request_done, &request);
        bench.usb.entering = cancel_early;
        bench.usb.entering_context = &request;
        script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
        (void)IoCallDriver(bench.slots[0], &request.irp);
        assert_int_equal(request.completed, 1);
        assert_int_equal(request.status, STATUS_CANCELLED);
        assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
        assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx),
                         STATUS_INVALID_DEVICE_STATE);
        works_again(&bench);
    }
}

static void test_cancel_after_the_end_does_not_hit_the_next_command(void **state)
{
    struct request request;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    prepare(&bench, &request);
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    (void)IoCallDriver(bench.slots[0], &request.irp);
    assert_int_equal(request.status, STATUS_SUCCESS);
    assert_false(IoCancelIrp(&request.irp));
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_cancel_while_the_reader_is_busy_ends_the_waiting(void **state)
{
    struct request request;
    struct bench bench;
    struct script_step *step;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    prepare(&bench, &request);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 00000000 00 SS 40 E0 00");
    step = script_out(&bench.usb, BENCH_SELECT_OUT);
    step->action = cancel_irp;
    step->context = &request;
    script_resync(&bench.usb);
    (void)IoCallDriver(bench.slots[0], &request.irp);
    assert_int_equal(request.status, STATUS_CANCELLED);
    works_again(&bench);
}

/* ---- races ----------------------------------------------------------------------- */

static void *cancel_in_a_thread(void *context)
{
    (void)IoCancelIrp(context);
    return NULL;
}

/* Whatever the order, the request ends once, with one of the two statuses, and no cancel
 * is left in force. */
static void test_cancel_that_races_with_the_command_ends_it_once(void **state)
{
    struct bench bench;

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct request request;
        pthread_t thread;

        bench_ready(&bench, BENCH_EXTENDED);
        prepare(&bench, &request);
        script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
        /* If the cancel comes before the message is out, the abort comes first. */
        assert_int_equal(pthread_create(&thread, NULL, cancel_in_a_thread, &request.irp),
                         0);
        if (i % 2 == 0)
            pthread_join(thread, NULL);
        if (i % 2 == 0) {
            bench.usb.count = bench.usb.at; /* it was first: nothing is sent */
            (void)IoCallDriver(bench.slots[0], &request.irp);
            assert_int_equal(request.status, STATUS_CANCELLED);
        } else {
            bench.usb.lenient = true;
            (void)IoCallDriver(bench.slots[0], &request.irp);
            pthread_join(thread, NULL);
            assert_true(request.status == STATUS_CANCELLED ||
                        request.status == STATUS_SUCCESS);
            bench.usb.count = bench.usb.at;
        }
        assert_int_equal(request.completed, 1);
        assert_false(bench.usb.cancelled);
        bench_end(&bench);
    }
}

/* ---- for ever -------------------------------------------------------------------- */

static void remove_device(void *context)
{
    struct bench *bench = context;

    smc_irp_send(bench->slots[0], NULL, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL);
}

static void test_surprise_removal_ends_the_running_command_with_device_removed(
    void **state)
{
    struct request request;
    struct bench bench;
    struct script_step *step;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    prepare(&bench, &request);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    step = script_in(&bench.usb, BENCH_9000_IN);
    step->action = remove_device;
    step->context = &bench;
    (void)IoCallDriver(bench.slots[0], &request.irp);
    assert_int_equal(request.status, STATUS_DEVICE_REMOVED);
    assert_true(bench.usb.cancelled); /* and it stays so */
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_NO_MEDIA);
    bench_end(&bench);
}

/* From there to the end of the device somebody may still ask for a protocol. */
static void test_power_of_a_device_that_is_going_leaves_a_card_without(void **state)
{
    struct ccid_slot *slot;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    slot = bench.slots[0]->DeviceExtension;
    ccid_cancel_for_ever(slot->device);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_DEVICE_REMOVED);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_cancel_during_the_answer_ends_the_command_and_resynchronises),
        cmocka_unit_test(test_cancel_during_a_time_extension_is_seen_at_once),
        cmocka_unit_test(test_cancel_that_comes_first_sends_nothing),
        cmocka_unit_test(test_cancel_before_power_leaves_a_card_without),
        cmocka_unit_test(test_cancel_after_the_end_does_not_hit_the_next_command),
        cmocka_unit_test(test_cancel_while_the_reader_is_busy_ends_the_waiting),
        cmocka_unit_test(test_cancel_that_races_with_the_command_ends_it_once),
        cmocka_unit_test(
            test_surprise_removal_ends_the_running_command_with_device_removed),
        cmocka_unit_test(test_power_of_a_device_that_is_going_leaves_a_card_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
