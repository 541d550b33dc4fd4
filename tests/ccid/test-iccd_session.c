/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-iccd_session.c - the driver on virtual tokens of version A and B: whole sessions,
 * and the same with every request going wrong in every way. A command that the card has
 * executed twice would show in its counter.
 */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "virtual_bench.h"

#define COUNT      "80 E8 00 00 04"
#define SELECT     "00 A4 04 00 08 F0 54 45 53 54 42 45 44"
#define GET_DATA_4 "00 CA 00 00 04"

static struct virtual_bench v;

static const struct ccid_virtual_shape *token(enum ccid_transport transport)
{
    static struct ccid_virtual_shape shape;
    bool a = transport == CCID_TRANSPORT_ICCD_A;

    shape = ccid_virtual_default_shape;
    shape.transport = transport;
    shape.interrupt = !a;
    shape.interface_protocol = a ? 1 : 2;
    shape.voltage_support = 1;
    shape.protocols = a ? 1 : 2;
    shape.level = a ? CCID_LEVEL_CHARACTER : CCID_LEVEL_SHORT_APDU;
    shape.features = 0x0840;
    shape.max_message_length = 261;
    return &shape;
}

static void begin(enum ccid_transport transport)
{
    virtual_bench_begin_shape(&v, token(transport), NULL);
    v.bench.protocol =
        transport == CCID_TRANSPORT_ICCD_A ? SCARD_PROTOCOL_T0 : SCARD_PROTOCOL_T1;
}

static void begin_connected(enum ccid_transport transport)
{
    begin(transport);
    assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
}

static void says(const char *apdu, const char *answer)
{
    assert_int_equal(bench_transmit(&v.bench, apdu), STATUS_SUCCESS);
    bench_reply_is(&v.bench, answer);
}

/* ---- sessions --------------------------------------------------------------------- */

static void test_a_token_answers_commands_of_every_case(void **state)
{
    (void)state;
    begin_connected(CCID_TRANSPORT_ICCD_A);
    assert_int_equal(v.bench.protocol, SCARD_PROTOCOL_T0);
    says("80 E6 00 00", "69 82");
    says(GET_DATA_4, "00 01 02 03 90 00");
    says(SELECT, "90 00");
    says("80 E0 00 00 02 CA FE 00", "61 02");
    says("00 C0 00 00 02", "CA FE 90 00");
    says("80 E2 00 10 00", "6C 10");
    says(COUNT, "00 00 00 06 90 00");
    virtual_bench_end(&v);
}

static void test_b_token_answers_commands_of_every_case(void **state)
{
    (void)state;
    begin_connected(CCID_TRANSPORT_ICCD_B);
    assert_int_equal(v.bench.protocol, SCARD_PROTOCOL_T1);
    says("80 E6 00 00", "69 82");
    says(GET_DATA_4, "00 01 02 03 90 00");
    says(SELECT, "90 00");
    says("80 E0 00 00 02 CA FE 00", "CA FE 90 00");
    says(COUNT, "00 00 00 05 90 00");
    virtual_bench_end(&v);
}

/* Two requests for a command, no status around it. */
static void test_requests_for_a_command_are_no_more_than_it_takes(void **state)
{
    unsigned before;

    (void)state;
    begin_connected(CCID_TRANSPORT_ICCD_B);
    before = v.faults.transfer_count;
    says(GET_DATA_4, "00 01 02 03 90 00");
    assert_int_equal(v.faults.transfer_count - before, 2);
    virtual_bench_end(&v);
    begin_connected(CCID_TRANSPORT_ICCD_A);
    before = v.faults.transfer_count;
    says(GET_DATA_4, "00 01 02 03 90 00");
    assert_int_equal(v.faults.transfer_count - before, 5);
    virtual_bench_end(&v);
}

static void test_b_token_echoes_60000_bytes_in_parts(void **state)
{
    enum { DATA = 60000, APDU = 7 + DATA + 2 };
    static char hex[2 * APDU + 1];
    unsigned before;

    (void)state;
    begin_connected(CCID_TRANSPORT_ICCD_B);
    strcpy(hex, "80E0000000EA60");
    for (unsigned i = 0; i < DATA; i++)
        sprintf(hex + 14 + 2 * i, "%02X", (i * 7 + i / 256) & 0xFF);
    strcpy(hex + 14 + 2 * DATA, "0000");
    before = v.faults.transfer_count;
    assert_int_equal(bench_transmit_room(&v.bench, hex, DATA + 2), STATUS_SUCCESS);
    assert_int_equal(v.bench.reply_length, DATA + 2);
    for (unsigned i = 0; i < DATA; i++)
        assert_int_equal(v.bench.reply[i], (i * 7 + i / 256) & 0xFF);
    assert_int_equal(v.bench.reply[DATA], 0x90);
    /* 230 parts each way, two requests each; the last of one is the first of the other.
     */
    assert_int_equal(v.faults.transfer_count - before, 2 * (230 + 230 - 1));
    virtual_bench_end(&v);
}

static void test_command_that_takes_long_is_waited_for(void **state)
{
    static const enum ccid_transport transports[] = {CCID_TRANSPORT_ICCD_A,
                                                     CCID_TRANSPORT_ICCD_B};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint64_t started;

        begin_connected(transports[i]);
        started = v.clock.now_ms;
        says("80 E4 EA 60", "90 00"); /* a minute */
        assert_in_range(v.clock.now_ms - started, 60000, 61500);
        assert_int_equal(v.bench.log_lines, 0);
        virtual_bench_end(&v);
    }
}

static void test_mute_card_times_out_and_comes_back_with_a_reset(void **state)
{
    static const enum ccid_transport transports[] = {CCID_TRANSPORT_ICCD_A,
                                                     CCID_TRANSPORT_ICCD_B};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_connected(transports[i]);
        assert_int_equal(bench_transmit(&v.bench, "80 00 01 00 01 11"),
                         STATUS_IO_TIMEOUT);
        assert_int_equal(bench_power(&v.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
        assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
        says(GET_DATA_4, "00 01 02 03 90 00");
        virtual_bench_end(&v);
    }
}

static void remove_card(void *context)
{
    virtual_bench_remove(context);
}

static void test_b_card_that_goes_in_mid_command_is_no_media(void **state)
{
    (void)state;
    begin_connected(CCID_TRANSPORT_ICCD_B);
    virtual_clock_at(&v.clock, v.clock.now_ms + 700, remove_card, &v);
    assert_int_equal(bench_transmit(&v.bench, "80 E4 EA 60"), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&v.bench), SCARD_ABSENT);
    virtual_bench_insert(&v, NULL);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
    says(COUNT, "00 00 00 01 90 00");
    virtual_bench_end(&v);
}

static void test_a_card_that_goes_in_mid_command_is_mute(void **state)
{
    (void)state;
    begin_connected(CCID_TRANSPORT_ICCD_A);
    virtual_clock_at(&v.clock, v.clock.now_ms + 700, remove_card, &v);
    assert_int_equal(bench_transmit(&v.bench, "80 E4 EA 60"), STATUS_IO_TIMEOUT);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    virtual_bench_insert(&v, NULL);
    assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
    says(COUNT, "00 00 00 01 90 00");
    virtual_bench_end(&v);
}

static void unplug(void *context)
{
    ccid_virtual_reader_unplug(((struct virtual_bench *)context)->reader);
}

static void test_token_that_is_pulled_in_mid_command_is_removed(void **state)
{
    static const enum ccid_transport transports[] = {CCID_TRANSPORT_ICCD_A,
                                                     CCID_TRANSPORT_ICCD_B};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint64_t started;

        begin_connected(transports[i]);
        started = v.clock.now_ms;
        virtual_clock_at(&v.clock, started + 700, unplug, &v);
        assert_int_equal(bench_transmit(&v.bench, "80 E4 EA 60"), STATUS_DEVICE_REMOVED);
        assert_in_range(v.clock.now_ms - started, 700, 800);
        virtual_bench_end(&v);
    }
}

static void test_token_sleeps_and_wakes_without_its_state(void **state)
{
    (void)state;
    begin_connected(CCID_TRANSPORT_ICCD_B);
    assert_int_equal(virtual_bench_sleep(&v), STATUS_SUCCESS);
    assert_int_equal(bench_power(&v.bench, SCARD_COLD_RESET), STATUS_DEVICE_POWERED_OFF);
    assert_int_equal(virtual_bench_wake(&v), STATUS_SUCCESS);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
    says(GET_DATA_4, "00 01 02 03 90 00");
    virtual_bench_end(&v);
}

/* ---- faults ----------------------------------------------------------------------- */

static const struct fault faults[] = {
    {.kind = FAULT_RESULT, .result = CCID_USB_TIMEOUT},
    {.kind = FAULT_RESULT, .result = CCID_USB_STALL},
    {.kind = FAULT_RESULT, .result = CCID_USB_OVERFLOW},
    {.kind = FAULT_RESULT, .result = CCID_USB_IO},
    {.kind = FAULT_RESULT, .result = CCID_USB_NO_MEMORY},
    {.kind = FAULT_RESULT, .result = CCID_USB_CANCELLED},
    {.kind = FAULT_LOSE},
    {.kind = FAULT_SHORT, .len = 0},
    {.kind = FAULT_SHORT, .len = 1},
    {.kind = FAULT_SHORT, .len = 2},
    {.kind = FAULT_MUTATE, .offset = 0, .value = 0x00},
    {.kind = FAULT_MUTATE, .offset = 0, .value = 0x01},
    {.kind = FAULT_MUTATE, .offset = 0, .value = 0x02},
    {.kind = FAULT_MUTATE, .offset = 0, .value = 0x10},
    {.kind = FAULT_MUTATE, .offset = 0, .value = 0x20},
    {.kind = FAULT_MUTATE, .offset = 0, .value = 0x40},
    {.kind = FAULT_MUTATE, .offset = 0, .value = 0x80},
    {.kind = FAULT_MUTATE, .offset = 0, .value = 0xFF},
    {.kind = FAULT_MUTATE, .offset = 1, .value = 0x42},
};

#define SESSION_APDUS 5

/* The last answer is the longest that there is at T=0, and one in two parts. */
static const char *const session_apdus[][SESSION_APDUS] = {
    [CCID_TRANSPORT_ICCD_A] = {"80 E6 00 00", GET_DATA_4, SELECT, "80 E4 00 64",
                               "80 E2 01 00 00"},
    [CCID_TRANSPORT_ICCD_B] = {"80 E6 00 00", GET_DATA_4, SELECT, "80 E4 00 64",
                               "80 E2 01 F4"},
};

static void works_again(void)
{
    uint64_t started = v.clock.now_ms;

    fault_usb_disarm(&v.faults);
    if (bench_state(&v.bench) == SCARD_ABSENT) { /* it was said to be: until it comes */
        virtual_bench_remove(&v);
        virtual_bench_insert(&v, NULL);
    }
    assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
    says(GET_DATA_4, "00 01 02 03 90 00");
    assert_true(v.clock.now_ms - started <= 3000);
}

/* Up to the first failure; without one the card has executed each command once. */
static void run_session(bool *failed)
{
    *failed = virtual_bench_connect(&v) != STATUS_SUCCESS;
    for (size_t i = 0; i < SESSION_APDUS && !*failed; i++) {
        const char *apdu = session_apdus[v.bench.desc.transport][i];

        *failed = bench_transmit_room(&v.bench, apdu, 600) != STATUS_SUCCESS;
    }
    fault_usb_disarm(&v.faults);
    if (!*failed)
        *failed = bench_transmit(&v.bench, COUNT) != STATUS_SUCCESS;
    if (!*failed) {
        assert_int_equal(v.bench.reply_length, 6);
        assert_int_equal(v.bench.reply[3], SESSION_APDUS + 1);
    }
}

/* Requests of a session, faults that hit, sessions that failed. */
struct sweep {
    unsigned requests, pairs, failures;
};

static void sweep(enum ccid_transport transport, bool sticky, struct sweep *result)
{
    bool failed;

    begin(transport);
    run_session(&failed);
    assert_false(failed);
    *result = (struct sweep){.requests = v.faults.transfer_count};
    virtual_bench_end(&v);
    for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
        for (unsigned at = 1; at <= result->requests; at++) {
            struct fault fault = faults[f];
            uint64_t started;

            begin(transport); /* its start is not part of it */
            fault.on = FAULT_ON_CONTROL;
            fault.at = at;
            fault.sticky = sticky;
            fault_usb_arm(&v.faults, fault);
            started = v.clock.now_ms;
            run_session(&failed);
            assert_true(v.clock.now_ms - started <= 11 * 60 * 1000);
            result->pairs += v.faults.hit_count > 0;
            result->failures += failed;
            works_again();
            virtual_bench_end(&v);
        }
    }
}

static void test_every_request_that_goes_wrong_once_is_survived(void **state)
{
    static const enum ccid_transport transports[] = {CCID_TRANSPORT_ICCD_A,
                                                     CCID_TRANSPORT_ICCD_B};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (int sticky = 0; sticky < 2; sticky++) {
            struct sweep result;

            sweep(transports[i], sticky, &result);
            printf("version %c, %s: %u requests, %u faults, %u sessions failed\n",
                   i == 0 ? 'A' : 'B', sticky ? "from then on" : "once", result.requests,
                   result.pairs, result.failures);
            assert_true(result.failures > 0 && result.failures <= result.pairs);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_answers_commands_of_every_case),
        cmocka_unit_test(test_b_token_answers_commands_of_every_case),
        cmocka_unit_test(test_requests_for_a_command_are_no_more_than_it_takes),
        cmocka_unit_test(test_b_token_echoes_60000_bytes_in_parts),
        cmocka_unit_test(test_command_that_takes_long_is_waited_for),
        cmocka_unit_test(test_mute_card_times_out_and_comes_back_with_a_reset),
        cmocka_unit_test(test_b_card_that_goes_in_mid_command_is_no_media),
        cmocka_unit_test(test_a_card_that_goes_in_mid_command_is_mute),
        cmocka_unit_test(test_token_that_is_pulled_in_mid_command_is_removed),
        cmocka_unit_test(test_token_sleeps_and_wakes_without_its_state),
        cmocka_unit_test(test_every_request_that_goes_wrong_once_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
