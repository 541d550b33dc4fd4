/* SPDX-License-Identifier: BSD-2-Clause */
/* test-character.c - ccid/character.c, message by message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/slot.h"

#define ATR_T0_IN  "80 02000000 00 SS 00 00 00 3B 00"
#define SET_T0_OUT "61 05000000 00 SS 000000 11 00 00 0A 00"
#define SET_T0_IN  "82 05000000 00 SS 00 00 00 11 00 00 0A 00"
#define SET_T1_OUT "61 07000000 00 SS 010000 11 10 00 4D 00 20 00"
#define SET_T1_IN  "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00"
#define MUTE_IN    "80 00000000 00 SS 40 FE 00"

/* An XfrBlock that sends nothing and wants n characters (two hexadecimal digits). */
#define WANT(n)      "6F 00000000 00 SS 00 " n "00"
#define HEADER       "6F 05000000 00 SS 00 0100 "
#define COMES(n, of) "80 " n "000000 00 SS 00 00 00 " of

static void ready(struct bench *bench, ULONG protocol, uint32_t message_size)
{
    bool t0 = protocol == SCARD_PROTOCOL_T0;

    bench_begin(bench, BENCH_CHARACTER | CCID_FEATURE_AUTO_IFSD);
    bench->desc.message_size = message_size;
    bench->protocol = protocol;
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, t0 ? ATR_T0_IN : BENCH_ATR_IN);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench->usb, t0 ? SET_T0_OUT : SET_T1_OUT, t0 ? SET_T0_IN : SET_T1_IN);
    assert_int_equal(bench_set_protocol(bench, protocol), STATUS_SUCCESS);
    bench->log_lines = 0;
}

/* ---- T=0 ------------------------------------------------------------------------- */

static void test_t0_procedure_bytes_are_followed(void **state)
{
    static const struct {
        const char *command, *script[8], *reply;
    } rows[] = {
        /* case 1: five bytes of header all the same */
        {"00 44 00 00",
         {HEADER "00 44 00 00 00", COMES("01", "90"), WANT("01"), COMES("01", "00")},
         "90 00"},
        {"00 B0 00 00 02",
         {HEADER "00 B0 00 00 02", COMES("01", "B0"), WANT("04"),
          COMES("04", "01 02 90 00")},
         "01 02 90 00"},
        {BENCH_SELECT,
         {HEADER "00 A4 00 00 02", COMES("01", "A4"), "6F 02000000 00 SS 00 0200 3F 00",
          COMES("02", "90 00")},
         "90 00"},
        /* case 4: Le stays behind */
        {"80 E0 00 00 01 11 02",
         {HEADER "80 E0 00 00 01", COMES("01", "E0"), "6F 01000000 00 SS 00 0200 11",
          COMES("02", "61 01")},
         "61 01"},
        {"00 B0 00 00 02",
         {HEADER "00 B0 00 00 02", COMES("01", "60"), WANT("01"), COMES("01", "B0"),
          WANT("04"), COMES("04", "01 02 60 90"), WANT("01"), COMES("01", "00")},
         "01 02 90 00"},
        /* a reader that brings less than it was asked for is asked for the rest */
        {"00 B0 00 00 02",
         {HEADER "00 B0 00 00 02", COMES("01", "B0"), WANT("04"), COMES("01", "01"),
          WANT("03"), COMES("03", "02 90 00")},
         "01 02 90 00"},
    };
    struct bench bench;

    (void)state;
    ready(&bench, SCARD_PROTOCOL_T0, 271);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t s = 0; s < 8 && rows[i].script[s] != NULL; s += 2)
            script_command(&bench.usb, rows[i].script[s], rows[i].script[s + 1]);
        assert_int_equal(bench_transmit(&bench, rows[i].command), STATUS_SUCCESS);
        bench_reply_is(&bench, rows[i].reply);
    }
    assert_int_equal(bench.log_lines, 0);
    bench_end(&bench);
}

/* The messages had it further back in the buffer than the answer that was made of them.
 */
static void test_t0_answer_is_not_left_in_the_buffer(void **state)
{
    const struct ccid_slot *slot;
    struct bench bench;

    (void)state;
    ready(&bench, SCARD_PROTOCOL_T0, 271);
    slot = bench.slots[0]->DeviceExtension;
    script_command(&bench.usb, HEADER "00 B0 00 00 02", COMES("01", "B0"));
    script_command(&bench.usb, WANT("04"), COMES("04", "CA FE 90 00"));
    assert_int_equal(bench_transmit(&bench, "00 B0 00 00 02"), STATUS_SUCCESS);
    for (ULONG i = 0; i < slot->ext.SmartcardReply.BufferSize; i++)
        assert_int_not_equal(slot->ext.SmartcardReply.Buffer[i], 0xCA);
    bench_end(&bench);
}

/* Nobody knows what the card expects now: it is switched off. */
static void test_t0_command_that_does_not_end_well_costs_the_power(void **state)
{
    static const struct {
        const char *script[4];
        NTSTATUS status;
    } rows[] = {
        {{HEADER "00 B0 00 00 02", COMES("01", "55")}, STATUS_DEVICE_PROTOCOL_ERROR},
        {{HEADER "00 B0 00 00 02", COMES("00", "")}, STATUS_DEVICE_PROTOCOL_ERROR},
        {{HEADER "00 B0 00 00 02", COMES("01", "B0"), WANT("04"),
          COMES("05", "01 02 90 00 00")},
         STATUS_DEVICE_PROTOCOL_ERROR},
        {{HEADER "00 B0 00 00 02", COMES("03", "55 B0 01")},
         STATUS_DEVICE_PROTOCOL_ERROR},
        {{HEADER "00 B0 00 00 02", MUTE_IN}, STATUS_IO_TIMEOUT},
        {{HEADER "00 B0 00 00 02", COMES("01", "B0"), WANT("04"),
          "80 00000000 00 SS 40 FD 00"},
         STATUS_IO_DEVICE_ERROR},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ready(&bench, SCARD_PROTOCOL_T0, 271);
        for (size_t s = 0; s < 4 && rows[i].script[s] != NULL; s += 2)
            script_command(&bench.usb, rows[i].script[s], rows[i].script[s + 1]);
        script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
        assert_int_equal(bench_transmit(&bench, "00 B0 00 00 02"), rows[i].status);
        assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
        assert_int_equal(bench.log_lines, 1);
        bench_end(&bench);
    }
}

static void test_t0_card_that_goes_is_not_switched_off(void **state)
{
    struct bench bench;

    (void)state;
    ready(&bench, SCARD_PROTOCOL_T0, 271);
    script_command(&bench.usb, HEADER "00 B0 00 00 02", "80 00000000 00 SS 42 FE 00");
    assert_int_equal(bench_transmit(&bench, "00 B0 00 00 02"), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);
}

static void pass_a_millisecond(void *context)
{
    struct ccid_usb *usb = context;

    usb->now_ms++;
}

/* NULLs without end: the ten minutes of a command are the end. */
static void test_t0_nulls_are_bounded_by_time_alone(void **state)
{
    struct script_step *last;
    struct bench bench;

    (void)state;
    ready(&bench, SCARD_PROTOCOL_T0, 271);
    script_out(&bench.usb, HEADER "00 44 00 00 00");
    script_in(&bench.usb, COMES("01", "60"))->delay_ms = 200000;
    for (int i = 0; i < 500; i++)
        script_command(&bench.usb, WANT("02"), COMES("02", "60 60"));
    script_out(&bench.usb, WANT("02"));
    script_in(&bench.usb, COMES("02", "60 60"))->delay_ms = 200000;
    script_out(&bench.usb, WANT("02"));
    last = script_in(&bench.usb, COMES("02", "60 60"));
    last->delay_ms = 199999;
    last->action = pass_a_millisecond;
    last->context = &bench.usb;
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    assert_int_equal(bench_transmit(&bench, "00 44 00 00"), STATUS_IO_TIMEOUT);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

/* 60 bytes of data through messages of 64: the last one asks for the answer. */
static void test_t0_data_longer_than_a_message_goes_in_parts(void **state)
{
    char apdu[200], first[200], second[100];
    size_t a, f, s;
    struct bench bench;

    (void)state;
    a = (size_t)sprintf(apdu, "80E000003C");
    f = (size_t)sprintf(first, "6F 36000000 00 SS 00 0000 ");
    s = (size_t)sprintf(second, "6F 06000000 00 SS 00 0200 ");
    for (int i = 0; i < 60; i++) {
        a += (size_t)sprintf(apdu + a, "%02X", i);
        if (i < 54)
            f += (size_t)sprintf(first + f, "%02X", i);
        else
            s += (size_t)sprintf(second + s, "%02X", i);
    }
    ready(&bench, SCARD_PROTOCOL_T0, 64);
    script_command(&bench.usb, HEADER "80 E0 00 00 3C", COMES("01", "E0"));
    script_command(&bench.usb, first, COMES("00", ""));
    script_command(&bench.usb, second, COMES("02", "61 3C"));
    assert_int_equal(bench_transmit(&bench, apdu), STATUS_SUCCESS);
    bench_reply_is(&bench, "61 3C");
    bench_end(&bench);
}

static void test_t0_instruction_that_is_none_is_refused_before_sending(void **state)
{
    struct bench bench;

    (void)state;
    ready(&bench, SCARD_PROTOCOL_T0, 271);
    assert_int_equal(bench_transmit(&bench, "00 60 00 00 01"), STATUS_INVALID_PARAMETER);
    assert_int_equal(bench_transmit(&bench, "00 9F 00 00 01"), STATUS_INVALID_PARAMETER);
    bench_end(&bench);
}

/* ---- T=1 ------------------------------------------------------------------------- */

#define I_SELECT "6F 0B000000 00 SS 00 0300 00 00 07 00 A4 00 00 02 3F 00 9E"

static void test_t1_block_comes_back_by_its_prologue(void **state)
{
    struct bench bench;

    (void)state;
    ready(&bench, SCARD_PROTOCOL_T1, 271);
    script_command(&bench.usb, I_SELECT, COMES("03", "00 00 02"));
    script_command(&bench.usb, WANT("03"), COMES("03", "90 00 92"));
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    bench_end(&bench);

    /* in pieces, or all of it at once */
    ready(&bench, SCARD_PROTOCOL_T1, 271);
    script_command(&bench.usb, I_SELECT, COMES("02", "00 00"));
    script_command(&bench.usb, WANT("01"), COMES("01", "02"));
    script_command(&bench.usb, WANT("03"), COMES("01", "90"));
    script_command(&bench.usb, WANT("02"), COMES("02", "00 92"));
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    bench_end(&bench);

    ready(&bench, SCARD_PROTOCOL_T1, 271);
    script_command(&bench.usb, I_SELECT, COMES("06", "00 00 02 90 00 92"));
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    bench_end(&bench);
}

/* bBWI belongs to the wait for the first character. */
static void test_t1_waiting_time_extension_is_for_the_prologue(void **state)
{
    struct bench bench;

    (void)state;
    ready(&bench, SCARD_PROTOCOL_T1, 271);
    script_command(&bench.usb, I_SELECT, COMES("03", "00 C3 01"));
    script_command(&bench.usb, WANT("02"), COMES("02", "1E DC"));
    script_command(&bench.usb, "6F 05000000 00 SS 1E 0300 00 E3 01 1E FC",
                   COMES("03", "00 00 02"));
    script_command(&bench.usb, WANT("03"), COMES("03", "90 00 92"));
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_t1_block_that_is_none_is_asked_for_again(void **state)
{
    static const struct {
        const char *first, *second_out, *second_in, *again;
    } rows[] = {
        {MUTE_IN, NULL, NULL, "82 00 82"},
        {COMES("00", ""), NULL, NULL, "82 00 82"},
        {COMES("03", "00 00 FF"), NULL, NULL, "82 00 82"}, /* LEN FF */
        {COMES("03", "00 00 02"), WANT("03"), MUTE_IN, "82 00 82"},
        {COMES("03", "00 00 02"), WANT("03"), COMES("00", ""), "82 00 82"},
        {COMES("03", "00 00 02"), WANT("03"), COMES("03", "90 00 93"), "81 00 81"},
        {COMES("03", "00 00 02"), WANT("03"), "80 00000000 00 SS 40 FD 00", "82 00 82"},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char again[64];

        ready(&bench, SCARD_PROTOCOL_T1, 271);
        snprintf(again, sizeof(again), "6F 04000000 00 SS 00 0300 00 %s", rows[i].again);
        script_command(&bench.usb, I_SELECT, rows[i].first);
        if (rows[i].second_out != NULL)
            script_command(&bench.usb, rows[i].second_out, rows[i].second_in);
        script_command(&bench.usb, again, COMES("03", "00 00 02"));
        script_command(&bench.usb, WANT("03"), COMES("03", "90 00 92"));
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
        bench_reply_is(&bench, "90 00");
        bench_end(&bench);
    }
}

/* ---- PPS ------------------------------------------------------------------------- */

/* T=0 then T=1, TA1 = 18h. */
#define ATR_BOTH "80 06000000 00 SS 00 00 00 3B 90 18 80 01 09"

static void test_pps_answer_comes_back_by_its_pps0(void **state)
{
    static const struct {
        const char *script[3];
        const char *set;
    } rows[] = {
        {{COMES("02", "FF 11"), WANT("02"), COMES("02", "18 F6")}, "18"},
        {{COMES("02", "FF 01"), WANT("01"), COMES("01", "FE")}, "11"},
        {{COMES("04", "FF 11 18 F6"), NULL, NULL}, "18"},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char set[80];

        bench_begin(&bench, BENCH_CHARACTER);
        bench_add(&bench, true);
        script_command(&bench.usb, BENCH_ON_OUT, ATR_BOTH);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
        script_command(&bench.usb, "6F 04000000 00 SS 00 0200 FF 11 18 F6",
                       rows[i].script[0]);
        if (rows[i].script[1] != NULL)
            script_command(&bench.usb, rows[i].script[1], rows[i].script[2]);
        snprintf(set, sizeof(set), "61 07000000 00 SS 010000 %s 10 00 4D 00 20 00",
                 rows[i].set);
        script_command(&bench.usb, set, SET_T1_IN);
        assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
        bench_end(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t0_procedure_bytes_are_followed),
        cmocka_unit_test(test_t0_answer_is_not_left_in_the_buffer),
        cmocka_unit_test(test_t0_command_that_does_not_end_well_costs_the_power),
        cmocka_unit_test(test_t0_card_that_goes_is_not_switched_off),
        cmocka_unit_test(test_t0_nulls_are_bounded_by_time_alone),
        cmocka_unit_test(test_t0_data_longer_than_a_message_goes_in_parts),
        cmocka_unit_test(test_t0_instruction_that_is_none_is_refused_before_sending),
        cmocka_unit_test(test_t1_block_comes_back_by_its_prologue),
        cmocka_unit_test(test_t1_waiting_time_extension_is_for_the_prologue),
        cmocka_unit_test(test_t1_block_that_is_none_is_asked_for_again),
        cmocka_unit_test(test_pps_answer_comes_back_by_its_pps0),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
