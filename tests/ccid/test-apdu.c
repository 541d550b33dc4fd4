/* SPDX-License-Identifier: BSD-2-Clause */
/* test-apdu.c - ccid/apdu.c: APDUs in one message and in many, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ccid/quirks.h"
#include "virtual_bench.h"

/* The reader of these takes messages of 64 bytes: 54 of an APDU. */
static void ready_small(struct bench *bench)
{
    bench_begin(bench, BENCH_EXTENDED);
    bench->desc.message_size = 64;
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench->usb, "6C 00000000 00 SS 000000",
                   "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
    assert_int_equal(bench_set_protocol(bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
}

/* "AA" so many times. */
static const char *repeated(char *out, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        memcpy(out + 2 * i, "AA", 2);
    out[2 * count] = 0;
    return out;
}

#define FIRST_OUT  "6F 36000000 00 SS 000100 80E0000078 " /* and 49 bytes of 120 */
#define MIDDLE_OUT "6F 36000000 00 SS 000300 "            /* 54 */
#define LAST_OUT   "6F 11000000 00 SS 000200 "            /* 17 */
#define MORE_IN    "80 00000000 00 SS 00 00 10"
#define NEXT_OUT   "6F 00000000 00 SS 001000"

static char command[512], first[512], middle[512], last[512], data[400];

static void make_parts(void)
{
    snprintf(command, sizeof(command), "80E0000078%s", repeated(data, 120));
    snprintf(first, sizeof(first), FIRST_OUT "%s", repeated(data, 49));
    snprintf(middle, sizeof(middle), MIDDLE_OUT "%s", repeated(data, 54));
    snprintf(last, sizeof(last), LAST_OUT "%s", repeated(data, 17));
}

static void test_long_command_goes_out_in_parts(void **state)
{
    struct bench bench;

    (void)state;
    make_parts();
    ready_small(&bench);
    script_command(&bench.usb, first, MORE_IN);
    script_command(&bench.usb, middle, MORE_IN);
    script_command(&bench.usb, last, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, command), STATUS_SUCCESS);
    bench_reply_is(&bench, "9000");
    bench_end(&bench);
}

static void test_answer_in_parts_is_put_together(void **state)
{
    struct bench bench;

    (void)state;
    ready_small(&bench);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 02000000 00 SS 00 00 01 11 22");
    script_command(&bench.usb, NEXT_OUT, "80 01000000 00 SS 00 00 03 33");
    script_command(&bench.usb, NEXT_OUT, "80 02000000 00 SS 00 00 02 90 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "11 22 33 90 00");
    bench_end(&bench);
}

/* The reader has broken the order: the command fails, the slot is resynchronised. */
static void test_part_of_an_answer_out_of_turn_is_a_protocol_error(void **state)
{
    static const struct {
        const char *begins, *goes_on;
    } rows[] = {
        /* Requirement 34: a first part that is none. */
        {"80 02000000 00 SS 00 00 02 11 22", NULL},
        {"80 02000000 00 SS 00 00 03 11 22", NULL},
        {"80 00000000 00 SS 00 00 10", NULL},
        {"80 00000000 00 SS 00 00 01", NULL}, /* nothing in it, and more to come */
        {"80 02000000 00 SS 00 00 04 11 22", NULL},
        {"80 02000000 00 SS 00 00 01 11 22", "80 02000000 00 SS 00 00 01 11 22"},
        {"80 02000000 00 SS 00 00 01 11 22", "80 02000000 00 SS 00 00 00 11 22"},
        {"80 02000000 00 SS 00 00 01 11 22", "80 00000000 00 SS 00 00 03"},
        {"80 02000000 00 SS 00 00 01 11 22", "80 00000000 00 SS 00 00 10"},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ready_small(&bench);
        script_command(&bench.usb, BENCH_SELECT_OUT, rows[i].begins);
        if (rows[i].goes_on != NULL)
            script_command(&bench.usb, NEXT_OUT, rows[i].goes_on);
        script_resync(&bench.usb);
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT),
                         STATUS_DEVICE_PROTOCOL_ERROR);
        assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
        bench_end(&bench);
    }
}

static void test_reader_that_does_not_ask_for_the_next_part_is_an_error(void **state)
{
    static const char *const answers[] = {
        "80 00000000 00 SS 00 00 00",       /* as some firmware answers */
        "80 02000000 00 SS 00 00 00 90 00", /* an answer to half a command */
        "80 02000000 00 SS 00 00 10 90 00",
    };
    struct bench bench;

    (void)state;
    make_parts();
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        ready_small(&bench);
        script_command(&bench.usb, first, answers[i]);
        script_resync(&bench.usb);
        assert_int_equal(bench_transmit(&bench, command), STATUS_DEVICE_PROTOCOL_ERROR);
        bench_end(&bench);
    }
}

static void test_refusal_of_a_part_is_the_commands_status(void **state)
{
    struct bench bench;

    (void)state;
    make_parts();
    ready_small(&bench);
    script_command(&bench.usb, first, MORE_IN);
    script_command(&bench.usb, middle, "80 00000000 00 SS 40 FB 00");
    assert_int_equal(bench_transmit(&bench, command), STATUS_IO_DEVICE_ERROR);
    bench_end(&bench);
}

/* Requirement 35: the rest is read, so that the next command gets its own answer. */
static void test_answer_in_parts_too_large_for_the_caller_is_read_to_its_end(void **state)
{
    struct bench bench;

    (void)state;
    ready_small(&bench);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 02000000 00 SS 00 00 01 11 22");
    script_command(&bench.usb, NEXT_OUT, "80 03000000 00 SS 00 00 02 33 90 00");
    assert_int_equal(bench_transmit_room(&bench, BENCH_SELECT, 4),
                     STATUS_BUFFER_TOO_SMALL);
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit_room(&bench, BENCH_SELECT, 4), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    bench_end(&bench);
}

static void test_answer_without_end_is_a_protocol_error(void **state)
{
    struct bench bench;

    (void)state;
    ready_small(&bench);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 01000000 00 SS 00 00 01 11");
    for (int parts = 1; parts < 1280; parts++)
        script_command(&bench.usb, NEXT_OUT, "80 01000000 00 SS 00 00 03 11");
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_DEVICE_PROTOCOL_ERROR);
    bench_end(&bench);
}

/* ECHO of so many bytes through the virtual reader's messages of so many. */
static void echo(uint32_t message_length, size_t length)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;
    struct virtual_bench *v = calloc(1, sizeof(*v));
    char *hex = malloc(2 * (length + 9) + 1);
    size_t at;

    assert_non_null(v);
    assert_non_null(hex);
    shape.max_message_length = message_length;
    virtual_bench_begin_shape(v, &shape, NULL);
    assert_int_equal(virtual_bench_connect(v), STATUS_SUCCESS);
    at = (size_t)sprintf(hex, "80E0000000%04zX", length);
    for (size_t i = 0; i < length; i++)
        at += (size_t)sprintf(hex + at, "%02X", (unsigned)(i * 31 & 0xff));
    sprintf(hex + at, "0000");
    assert_int_equal(bench_transmit_room(&v->bench, hex, (ULONG)length + 2),
                     STATUS_SUCCESS);
    assert_int_equal(v->bench.reply_length, length + 2);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(v->bench.reply[i], (uint8_t)(i * 31));
    assert_memory_equal(v->bench.reply + length, "\x90\x00", 2);
    virtual_bench_end(v);
    free(hex);
    free(v);
}

/* ---- short level ----------------------------------------------------------------- */

static void ready_short(struct bench *bench, uint32_t message_size, uint32_t quirks)
{
    bench_begin(bench, BENCH_SHORT);
    bench->desc.message_size = message_size;
    bench->desc.quirks = quirks;
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench->usb, "6C 00000000 00 SS 000000",
                   "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
    assert_int_equal(bench_set_protocol(bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    bench->log_lines = 0;
}

/* Nothing is sent, one line says why, and the next command goes out. */
static void test_command_that_the_reader_cannot_take_is_refused_before_sending(
    void **state)
{
    static const struct {
        const char *command;
        NTSTATUS status;
    } rows[] = {
        /* 65 bytes through messages of 64 */
        {"80E0000032 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         STATUS_BUFFER_OVERFLOW},
        {"80E2000000 0100", STATUS_NOT_SUPPORTED}, /* extended Le */
        {"80E0000000 0001 AA", STATUS_NOT_SUPPORTED},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ready_short(&bench, 64, 0);
        assert_int_equal(bench_transmit(&bench, rows[i].command), rows[i].status);
        assert_int_equal(bench.log_lines, 1);
        script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
        bench_end(&bench);
    }
}

/* bChainParameter counts at short level only where the reader is known to mean it. */
static void test_chained_answer_at_short_level_is_read_by_quirk_alone(void **state)
{
    static const char begins[] = "80 02000000 00 SS 00 00 01 11 22";
    struct bench bench;

    (void)state;
    ready_short(&bench, 271, CCID_QUIRK_CHAINED_ANSWERS);
    script_command(&bench.usb, BENCH_SELECT_OUT, begins);
    script_command(&bench.usb, NEXT_OUT, "80 02000000 00 SS 00 00 02 90 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "11 22 90 00");
    bench_end(&bench);

    ready_short(&bench, 271, 0);
    script_command(&bench.usb, BENCH_SELECT_OUT, begins);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "11 22");
    bench_end(&bench);
}

static void test_echo_comes_back_whole_whatever_the_message_length(void **state)
{
    static const uint32_t messages[] = {64, 138, 271, 512, 1024, 65554};
    static const size_t lengths[] = {128, 129, 260, 261, 262, 1000, 60000};

    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++)
            echo(messages[i], lengths[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_command_goes_out_in_parts),
        cmocka_unit_test(test_answer_in_parts_is_put_together),
        cmocka_unit_test(test_part_of_an_answer_out_of_turn_is_a_protocol_error),
        cmocka_unit_test(test_reader_that_does_not_ask_for_the_next_part_is_an_error),
        cmocka_unit_test(test_refusal_of_a_part_is_the_commands_status),
        cmocka_unit_test(
            test_answer_in_parts_too_large_for_the_caller_is_read_to_its_end),
        cmocka_unit_test(test_answer_without_end_is_a_protocol_error),
        cmocka_unit_test(
            test_command_that_the_reader_cannot_take_is_refused_before_sending),
        cmocka_unit_test(test_chained_answer_at_short_level_is_read_by_quirk_alone),
        cmocka_unit_test(test_echo_comes_back_whole_whatever_the_message_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
