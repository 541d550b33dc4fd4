/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-virtual_character.c - ccid/virtual_character.c, and the driver on it: everything
 * that the card can do is there at character level, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "virtual_bench.h"
#include "virtual_clock.h"

#define ATR_T0 "3B 95 18 40 0A 62 01 02 01 04" /* TA1 18h, WI 10 */
#define ATR_T1 "3B 97 11 81 31 FE 45 73 63 61 72 64 54 31 8F"

static struct virtual_bench bench;

static void begin(const char *atr, uint32_t message_length)
{
    struct ccid_virtual_shape shape = *ccid_virtual_shape("tpdu");

    shape.level = CCID_LEVEL_CHARACTER;
    shape.max_message_length = message_length;
    virtual_bench_begin_shape(&bench, &shape, atr);
}

static struct virtual_character *line(void)
{
    return &bench.reader->slots[0].character;
}

static void expect(const char *command, const char *reply)
{
    assert_int_equal(bench_transmit(&bench.bench, command), STATUS_SUCCESS);
    bench_reply_is(&bench.bench, reply);
}

static void test_t0_card_answers_every_case_in_every_manner(void **state)
{
    static const struct {
        bool single;
        unsigned nulls;
        uint32_t message_length;
    } rows[] = {{false, 0, 271}, {true, 0, 271}, {false, 2, 271},
                {true, 1, 271},  {true, 1, 64},  {false, 0, 64}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(ATR_T0, rows[i].message_length);
        line()->single = rows[i].single;
        line()->nulls = rows[i].nulls;
        assert_int_equal(virtual_bench_connect(&bench), STATUS_SUCCESS);
        assert_int_equal(bench.bench.protocol, SCARD_PROTOCOL_T0);
        expect("80 E6 00 00", "69 82");
        expect("00 B0 00 00 03", "00 01 02 90 00");
        expect("00 20 00 80 06 31 32 33 34 35 36", "90 00");
        expect("80 E6 00 00", "90 00");
        expect("80 E0 00 00 03 11 22 33 00", "61 03");
        expect("00 C0 00 00 03", "11 22 33 90 00");
        assert_int_equal(bench_transmit(&bench.bench, "00 B0 00 00 00"), STATUS_SUCCESS);
        assert_int_equal(bench.bench.reply_length, 258);
        expect("80 E8 00 00 04", "00 00 00 07 90 00");
        virtual_bench_end(&bench);
    }
}

/* A card that works says NULL meanwhile; nothing gets impatient. */
static void test_t0_card_at_work_is_waited_for(void **state)
{
    uint64_t started;

    (void)state;
    begin(ATR_T0, 271);
    assert_int_equal(virtual_bench_connect(&bench), STATUS_SUCCESS);
    started = bench.clock.now_ms;
    expect("80 E4 13 88", "90 00"); /* 5 s */
    assert_int_equal(bench.clock.now_ms - started, 5000);
    virtual_bench_end(&bench);
}

static void test_t0_mute_card_is_switched_off(void **state)
{
    (void)state;
    begin(ATR_T0, 271);
    assert_int_equal(virtual_bench_connect(&bench), STATUS_SUCCESS);
    assert_int_equal(bench_transmit(&bench.bench, "80 00 01 00 01 11"),
                     STATUS_IO_TIMEOUT);
    assert_int_equal(bench_state(&bench.bench), SCARD_SWALLOWED);
    assert_int_equal(virtual_bench_connect(&bench), STATUS_SUCCESS);
    expect("80 E8 00 00 04", "00 00 00 01 90 00");
    virtual_bench_end(&bench);
}

static void test_t1_card_answers_blocks(void **state)
{
    static char apdu[2 * 300 + 1];
    size_t at;

    (void)state;
    begin(ATR_T1, 271);
    assert_int_equal(virtual_bench_connect(&bench), STATUS_SUCCESS);
    assert_int_equal(bench.bench.protocol, SCARD_PROTOCOL_T1);
    expect("00 A4 00 00 02 3F 00", "90 00");
    expect("00 B0 00 00 03", "00 01 02 90 00");
    at = (size_t)sprintf(apdu, "80E00000FF"); /* chained each way: 261 bytes, IFSC 254 */
    for (int i = 0; i < 255; i++)
        at += (size_t)sprintf(apdu + at, "%02X", i);
    sprintf(apdu + at, "00");
    assert_int_equal(bench_transmit(&bench.bench, apdu), STATUS_SUCCESS);
    assert_int_equal(bench.bench.reply_length, 257);
    expect("80 E8 00 00 04", "00 00 00 04 90 00");
    virtual_bench_end(&bench);
}

static void test_t1_block_that_was_lost_is_not_executed_twice(void **state)
{
    static const enum ccid_virtual_t1_fault faults[] = {
        CCID_T1_FAULT_BAD_EDC, CCID_T1_FAULT_LOST, CCID_T1_FAULT_WRONG_SEQ,
        CCID_T1_FAULT_WTX};

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct ccid_virtual_t1 *t1;

        begin(ATR_T1, 271);
        t1 = &virtual_bench_contact(&bench)->t1;
        t1->fault = faults[i];
        t1->fault_at = 1; /* behind S(IFS response) */
        t1->fault_count = 1;
        t1->fault_value = 3;
        assert_int_equal(virtual_bench_connect(&bench), STATUS_SUCCESS);
        expect("00 B0 00 00 02", "00 01 90 00");
        expect("80 E8 00 00 04", "00 00 00 02 90 00");
        virtual_bench_end(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t0_card_answers_every_case_in_every_manner),
        cmocka_unit_test(test_t0_card_at_work_is_waited_for),
        cmocka_unit_test(test_t0_mute_card_is_switched_off),
        cmocka_unit_test(test_t1_card_answers_blocks),
        cmocka_unit_test(test_t1_block_that_was_lost_is_not_executed_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
