/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-recovery.c - the driver on the virtual reader behind a bus that goes wrong: every
 * single transfer of a session fails in every way once, and afterwards everything works.
 */
#include "ccid/slot.h"
#include "ccid/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/virtual_reader.h"
#include "fault_usb.h"

#define ECHO      "80 E0 00 00 04 DE AD BE EF 00"
#define ECHO_SAYS "DE AD BE EF 90 00"
#define COUNT     "80 E8 00 00 04"

struct session {
    struct bench bench;
    struct virtual_clock clock;
    struct fault_usb faults;
    struct ccid_virtual_reader *reader;
};

static struct session s;

static void begin(void)
{
    uint8_t config[CCID_VIRTUAL_CONFIG_MAX];
    size_t length;

    memset(&s, 0, sizeof(s));
    virtual_clock_init(&s.clock);
    s.reader = ccid_virtual_reader_new(&s.clock.clock, &ccid_virtual_default_shape);
    assert_non_null(s.reader);
    assert_int_equal(ccid_virtual_reader_insert(s.reader, 0, NULL, 0), 0);
    fault_usb_init(&s.faults, ccid_virtual_reader_port(s.reader), &s.clock);
    bench_begin(&s.bench, BENCH_EXTENDED);
    s.bench.port = fault_usb_port(&s.faults);
    length = ccid_virtual_reader_config(&ccid_virtual_default_shape, config);
    assert_int_equal(ccid_desc_parse(config, length, 0, &s.bench.desc), STATUS_SUCCESS);
}

static void end(void)
{
    bench_end(&s.bench);
    ccid_virtual_reader_free(s.reader);
}

/* What a resource manager does until a card is ready. */
static NTSTATUS connect(void)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (bench_state(&s.bench) < SCARD_NEGOTIABLE)
        status = bench_power(&s.bench, SCARD_COLD_RESET);
    if (status == STATUS_SUCCESS && bench_state(&s.bench) == SCARD_NEGOTIABLE)
        status = bench_set_protocol(&s.bench, SCARD_PROTOCOL_T1);
    return status;
}

/* The fault is over: the next session has its own answers, within three seconds. */
static void works_again(void)
{
    uint64_t started = s.clock.now_ms;

    fault_usb_disarm(&s.faults);
    assert_int_equal(connect(), STATUS_SUCCESS);
    assert_int_equal(bench_transmit(&s.bench, "80 E0 00 00 02 CA FE 00"), STATUS_SUCCESS);
    bench_reply_is(&s.bench, "CA FE 90 00");
    assert_true(s.clock.now_ms - started <= 3000);
}

/* The ways of one transfer to go wrong. */
static const struct fault faults[] = {
    {.kind = FAULT_RESULT, .result = CCID_USB_TIMEOUT},
    {.kind = FAULT_RESULT, .result = CCID_USB_STALL},
    {.kind = FAULT_RESULT, .result = CCID_USB_OVERFLOW},
    {.kind = FAULT_RESULT, .result = CCID_USB_IO},
    {.kind = FAULT_RESULT, .result = CCID_USB_NO_MEMORY},
    {.kind = FAULT_LOSE},
    {.kind = FAULT_SEQ},
    {.kind = FAULT_SHORT, .len = 1},
    {.kind = FAULT_SHORT, .len = 9},
    {.kind = FAULT_SHORT, .len = 10},
    {.kind = FAULT_MUTATE, .offset = 0, .value = 0x82},
    {.kind = FAULT_MUTATE, .offset = 1, .value = 0xFF},
    {.kind = FAULT_MUTATE, .offset = 4, .value = 0xFF},
    {.kind = FAULT_MUTATE, .offset = 5, .value = 0x01},
    {.kind = FAULT_MUTATE, .offset = 7, .value = 0xC0},
};

#define FAULTS (sizeof(faults) / sizeof(faults[0]))

static struct fault fault_at(size_t kind, unsigned int at)
{
    struct fault fault = faults[kind];

    fault.at = at;
    fault.on = fault.kind == FAULT_RESULT || fault.kind == FAULT_LOSE ? FAULT_ON_ANY
                                                                      : FAULT_ON_IN;
    return fault;
}

static void test_command_with_any_transfer_failing_ends_and_the_next_works(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < FAULTS; kind++) {
        for (unsigned int at = 1; at <= 2; at++) {
            const struct ccid_slot *slot;
            uint64_t started, limit;
            NTSTATUS status;

            begin();
            assert_int_equal(bench_try_add(&s.bench), STATUS_SUCCESS);
            assert_int_equal(connect(), STATUS_SUCCESS);
            slot = s.bench.slots[0]->DeviceExtension;
            limit = ccid_timeout_transmit_ms(&slot->device->desc,
                                             &slot->ext.CardCapabilities) +
                    1000;
            started = s.clock.now_ms;
            fault_usb_arm(&s.faults, fault_at(kind, at));
            status = bench_transmit(&s.bench, ECHO);
            if (status == STATUS_SUCCESS)
                bench_reply_is(&s.bench, ECHO_SAYS);
            assert_true(s.clock.now_ms - started <= limit);
            works_again();
            end();
        }
    }
}

/* Power-up, parameters, the start of the reader: the same. */
static void test_session_with_any_transfer_failing_ends_and_the_next_works(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < FAULTS; kind++) {
        for (unsigned int at = 1; at <= 10; at++) {
            NTSTATUS status;

            begin();
            fault_usb_arm(&s.faults, fault_at(kind, at));
            status = bench_try_add(&s.bench);
            if (status != STATUS_SUCCESS) { /* the bus would try again */
                fault_usb_disarm(&s.faults);
                assert_int_equal(bench_try_add(&s.bench), STATUS_SUCCESS);
            }
            status = connect();
            if (status == STATUS_SUCCESS)
                status = bench_transmit(&s.bench, ECHO);
            if (status == STATUS_SUCCESS)
                bench_reply_is(&s.bench, ECHO_SAYS);
            works_again();
            end();
        }
    }
}

/* An APDU is never sent twice by itself: the card counts those it gets. */
static void test_card_gets_each_command_once_whatever_fails(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < FAULTS; kind++) {
        for (unsigned int at = 1; at <= 2; at++) {
            begin();
            assert_int_equal(bench_try_add(&s.bench), STATUS_SUCCESS);
            assert_int_equal(connect(), STATUS_SUCCESS);
            fault_usb_arm(&s.faults, fault_at(kind, at));
            (void)bench_transmit(&s.bench, ECHO);
            fault_usb_disarm(&s.faults);
            if (bench_state(&s.bench) == SCARD_SPECIFIC) {
                /* It went through: this is the second command. */
                assert_int_equal(bench_transmit(&s.bench, COUNT), STATUS_SUCCESS);
                bench_reply_is(&s.bench, "00 00 00 02 90 00");
            } else {
                /* It did not, and the card has lost its state over it. */
                assert_int_equal(connect(), STATUS_SUCCESS);
                assert_int_equal(bench_transmit(&s.bench, COUNT), STATUS_SUCCESS);
                bench_reply_is(&s.bench, "00 00 00 01 90 00");
            }
            end();
        }
    }
}

/* A bus that stays dead: every call ends, none takes more than a few seconds. */
static void test_dead_bus_ends_every_call_and_its_return_is_noticed(void **state)
{
    static const enum ccid_usb_result results[] = {CCID_USB_TIMEOUT, CCID_USB_IO,
                                                   CCID_USB_STALL};

    (void)state;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        begin();
        assert_int_equal(bench_try_add(&s.bench), STATUS_SUCCESS);
        assert_int_equal(connect(), STATUS_SUCCESS);
        fault_usb_arm(&s.faults, (struct fault){.on = FAULT_ON_ANY,
                                                .kind = FAULT_RESULT,
                                                .at = 1,
                                                .sticky = true,
                                                .result = results[i]});
        assert_int_not_equal(bench_transmit(&s.bench, ECHO), STATUS_SUCCESS);
        for (int call = 0; call < 3; call++) {
            uint64_t started = s.clock.now_ms;

            assert_int_not_equal(connect(), STATUS_SUCCESS);
            assert_true(s.clock.now_ms - started <= 6000);
        }
        works_again();
        end();
    }
}

/* Requirement 19 on a card that takes its time, by a reader that says so. */
static void test_slow_card_is_waited_for_through_time_extensions(void **state)
{
    uint64_t started;

    (void)state;
    begin();
    assert_int_equal(bench_try_add(&s.bench), STATUS_SUCCESS);
    assert_int_equal(connect(), STATUS_SUCCESS);
    started = s.clock.now_ms;
    assert_int_equal(bench_transmit(&s.bench, "80 E4 27 10"), STATUS_SUCCESS); /* 10 s */
    bench_reply_is(&s.bench, "90 00");
    assert_int_equal(s.clock.now_ms - started, 10000);
    end();
}

static void test_card_pulled_during_a_command_is_no_media(void **state)
{
    (void)state;
    begin();
    assert_int_equal(bench_try_add(&s.bench), STATUS_SUCCESS);
    assert_int_equal(connect(), STATUS_SUCCESS);
    assert_int_equal(ccid_virtual_reader_remove(s.reader, 0), 0);
    assert_int_equal(bench_state(&s.bench), SCARD_ABSENT);
    assert_int_equal(bench_transmit(&s.bench, ECHO), STATUS_NO_MEDIA);
    assert_int_equal(ccid_virtual_reader_insert(s.reader, 0, NULL, 0), 0);
    assert_int_equal(bench_state(&s.bench), SCARD_SWALLOWED);
    works_again();
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_with_any_transfer_failing_ends_and_the_next_works),
        cmocka_unit_test(test_session_with_any_transfer_failing_ends_and_the_next_works),
        cmocka_unit_test(test_card_gets_each_command_once_whatever_fails),
        cmocka_unit_test(test_dead_bus_ends_every_call_and_its_return_is_noticed),
        cmocka_unit_test(test_slow_card_is_waited_for_through_time_extensions),
        cmocka_unit_test(test_card_pulled_during_a_command_is_no_media),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
