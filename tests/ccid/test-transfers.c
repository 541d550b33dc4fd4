/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-transfers.c - what connecting to a card and one command cost on the bus, by the
 * kind of reader: nothing that is not needed, and no look at the slot around a command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "virtual_bench.h"

#define ATR_T0_11 "3B 00"
#define ATR_T0_18 "3B 10 18"
#define ATR_T1_11 "3B 97 11 81 31 FE 45 73 63 61 72 64 54 31 8F"

#define AUTO_RATE (CCID_FEATURE_AUTO_CLOCK | CCID_FEATURE_AUTO_BAUD)

static struct virtual_bench v;

/* Each command is an OUT and an IN. */
static void test_connect_sends_nothing_that_is_not_needed(void **state)
{
    static const struct {
        enum ccid_level level;
        uint32_t features;
        const char *atr;
        unsigned commands; /* IccPowerOn, ... */
    } rows[] = {
        /* 40h: GetParameters */
        {CCID_LEVEL_EXTENDED_APDU, CCID_FEATURE_AUTO_NEGOTIATE | AUTO_RATE, ATR_T0_18, 2},
        /* 80h: SetParameters */
        {CCID_LEVEL_SHORT_APDU, CCID_FEATURE_AUTO_PPS | AUTO_RATE, ATR_T0_18, 2},
        {CCID_LEVEL_TPDU, CCID_FEATURE_AUTO_PPS | AUTO_RATE, ATR_T0_18, 2},
        /* the host's PPS, where one is needed, and SetParameters */
        {CCID_LEVEL_TPDU, AUTO_RATE, ATR_T0_18, 3},
        {CCID_LEVEL_TPDU, AUTO_RATE, ATR_T0_11, 2},
        {CCID_LEVEL_TPDU, AUTO_RATE, ATR_T1_11, 2},
        {CCID_LEVEL_SHORT_APDU, AUTO_RATE, ATR_T0_18, 3},
        {CCID_LEVEL_CHARACTER, AUTO_RATE, ATR_T0_18, 4}, /* an answer in two parts */
        {CCID_LEVEL_CHARACTER, AUTO_RATE, ATR_T0_11, 2},
        /* and SetDataRateAndClockFrequency */
        {CCID_LEVEL_TPDU, 0, ATR_T0_18, 4},
        {CCID_LEVEL_TPDU, 0, ATR_T0_11, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_shape shape = *ccid_virtual_shape("tpdu");

        shape.level = rows[i].level;
        shape.features = rows[i].features | CCID_FEATURE_AUTO_VOLTAGE;
        virtual_bench_begin_shape(&v, &shape, rows[i].atr);
        v.faults.transfer_count = 0;
        assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
        assert_int_equal(v.faults.transfer_count, 2 * rows[i].commands);
        /* reader and card have understood each other */
        assert_int_equal(bench_transmit(&v.bench, "00 B0 00 00 02"), STATUS_SUCCESS);
        bench_reply_is(&v.bench, "00 01 90 00");
        virtual_bench_end(&v);
    }
}

static void test_command_takes_the_transfers_of_its_level(void **state)
{
    static const struct {
        enum ccid_level level;
        const char *atr, *command;
        unsigned exchanges;
    } rows[] = {
        {CCID_LEVEL_EXTENDED_APDU, ATR_T0_11, "00 B0 00 00 02", 1},
        {CCID_LEVEL_SHORT_APDU, ATR_T0_11, "00 B0 00 00 02", 1},
        {CCID_LEVEL_TPDU, ATR_T0_11, "00 B0 00 00 02", 1},
        {CCID_LEVEL_TPDU, ATR_T1_11, "00 B0 00 00 02", 1},
        /* 256 bytes and SW1 SW2 in blocks of 254: ceil(5/254) + ceil(258/254) - 1 */
        {CCID_LEVEL_TPDU, ATR_T1_11, "00 B0 00 00 00", 2},
        {CCID_LEVEL_CHARACTER, ATR_T0_11, "80 E6 00 00", 2}, /* SW1; SW2 */
        {CCID_LEVEL_CHARACTER, ATR_T0_11, "00 B0 00 00 02", 2},
        {CCID_LEVEL_CHARACTER, ATR_T0_11, "00 A4 00 00 02 3F 00", 2},
        {CCID_LEVEL_CHARACTER, ATR_T1_11, "00 B0 00 00 02", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_shape shape = *ccid_virtual_shape("tpdu");

        shape.level = rows[i].level;
        shape.features = AUTO_RATE | CCID_FEATURE_AUTO_VOLTAGE;
        virtual_bench_begin_shape(&v, &shape, rows[i].atr);
        assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
        assert_int_equal(bench_transmit(&v.bench, "80 E6 00 00"), STATUS_SUCCESS);
        v.faults.transfer_count = 0; /* S(IFS request) went before */
        assert_int_equal(bench_transmit(&v.bench, rows[i].command), STATUS_SUCCESS);
        assert_int_equal(v.faults.transfer_count, 2 * rows[i].exchanges);
        virtual_bench_end(&v);
    }
}

/* Packets of 8 bytes are less than a header. Answers of 12 to 51 bytes. */
static void test_smallest_packets_carry_every_message(void **state)
{
    (void)state;
    for (uint8_t slots = 1; slots <= 2; slots++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;

        shape.packet_size = 8;
        shape.slot_count = shape.max_busy_slots = slots;
        virtual_bench_begin_shape(&v, &shape, ATR_T1_11);
        assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
        for (unsigned n = 1; n < 40; n++) {
            char command[32];

            snprintf(command, sizeof(command), "00 B0 00 00 %02X", n);
            assert_int_equal(bench_transmit(&v.bench, command), STATUS_SUCCESS);
            assert_int_equal(v.bench.reply_length, n + 2);
            assert_int_equal(v.bench.reply[n - 1], n - 1);
        }
        virtual_bench_end(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect_sends_nothing_that_is_not_needed),
        cmocka_unit_test(test_command_takes_the_transfers_of_its_level),
        cmocka_unit_test(test_smallest_packets_carry_every_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
