/* SPDX-License-Identifier: BSD-2-Clause */
/* test-procedure.c - ccid/procedure.c: a T=0 command, character by character. */
#include "ccid/procedure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static size_t bytes_of(const char *hex, uint8_t *out)
{
    size_t len = 0;
    unsigned int byte;
    int used;

    for (; sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used)
        out[len++] = (uint8_t)byte;
    return len;
}

/* Plays steps, each "what is sent / how much is expected / what comes"; returns the last
 * result and leaves the answer. */
struct play {
    const char *send;
    size_t expect;
    const char *come;
};

static enum ccid_procedure_result play(struct ccid_procedure *p, const struct play *steps)
{
    enum ccid_procedure_result result = CCID_PROCEDURE_GOES_ON;

    for (; steps->come != NULL; steps++) {
        uint8_t send[300], come[300];
        size_t send_len = bytes_of(steps->send, send);
        size_t come_len = bytes_of(steps->come, come);
        struct ccid_procedure_step step;

        assert_int_equal(result, CCID_PROCEDURE_GOES_ON);
        ccid_procedure_next(p, &step);
        assert_int_equal(step.send_len, send_len);
        assert_memory_equal(step.send, send, send_len);
        assert_int_equal(step.expect, steps->expect);
        for (size_t i = 0; i < come_len; i++)
            result = ccid_procedure_take(p, come[i]);
    }
    return result;
}

static void test_procedure_of_every_case_ends_with_the_status_word(void **state)
{
    static const struct {
        const char *tpdu;
        size_t le;
        struct play steps[8];
        const char *answer;
    } rows[] = {
        {"00 44 00 00 00", 0, {{"00 44 00 00 00", 1, "90"}, {"", 1, "00"}}, "90 00"},
        {"00 B0 00 00 02",
         2,
         {{"00 B0 00 00 02", 1, "B0"}, {"", 4, "11 22 90 00"}},
         "11 22 90 00"},
        {"00 A4 00 00 02 3F 00",
         0,
         {{"00 A4 00 00 02", 1, "A4"}, {"3F 00", 2, "90 00"}},
         "90 00"},
        /* one byte at a time: INS complemented */
        {"00 B0 00 00 02",
         2,
         {{"00 B0 00 00 02", 1, "4F"}, {"", 2, "11 4F"}, {"", 3, "22 90 00"}},
         "11 22 90 00"},
        {"00 A4 00 00 02 3F 00",
         0,
         {{"00 A4 00 00 02", 1, "5B"}, {"3F", 1, "5B"}, {"00", 2, "61 10"}},
         "61 10"},
        /* and then all at once */
        {"00 B0 00 00 03",
         3,
         {{"00 B0 00 00 03", 1, "4F"}, {"", 2, "11 B0"}, {"", 4, "22 33 90 00"}},
         "11 22 33 90 00"},
        /* NULLs wherever a procedure byte may be */
        {"00 B0 00 00 01",
         1,
         {{"00 B0 00 00 01", 1, "60"},
          {"", 1, "60"},
          {"", 1, "B0"},
          {"", 3, "11 60 60"},
          {"", 2, "60 90"},
          {"", 1, "00"}},
         "11 90 00"},
        /* the card has an opinion before the data */
        {"00 A4 00 00 02 3F 00",
         0,
         {{"00 A4 00 00 02", 1, "67"}, {"", 1, "00"}},
         "67 00"},
        {"00 B0 00 00 02", 2, {{"00 B0 00 00 02", 1, "6C"}, {"", 1, "04"}}, "6C 04"},
        /* SW2 may be anything, 60h and INS included; data too */
        {"00 B0 00 00 02",
         2,
         {{"00 B0 00 00 02", 1, "B0"}, {"", 4, "60 B0 61 60"}},
         "60 B0 61 60"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t tpdu[300], answer[CCID_PROCEDURE_ANSWER_MAX], expected[300];
        size_t len = bytes_of(rows[i].tpdu, tpdu);
        struct ccid_procedure p;

        assert_true(ccid_procedure_begin(&p, tpdu, len, rows[i].le, answer));
        assert_int_equal(play(&p, rows[i].steps), CCID_PROCEDURE_ENDED);
        assert_int_equal(p.got, bytes_of(rows[i].answer, expected));
        assert_memory_equal(answer, expected, p.got);
    }
}

static void test_procedure_byte_out_of_order_breaks_it(void **state)
{
    static const struct {
        const char *tpdu;
        size_t le;
        struct play steps[4];
    } rows[] = {
        {"00 B0 00 00 02", 2, {{"00 B0 00 00 02", 1, "B1"}}},
        {"00 B0 00 00 02", 2, {{"00 B0 00 00 02", 1, "00"}}},
        {"00 B0 00 00 02", 2, {{"00 B0 00 00 02", 1, "A0"}}},
        /* it wants more than there is */
        {"00 44 00 00 00", 0, {{"00 44 00 00 00", 1, "44"}}},
        {"00 B0 00 00 01", 1, {{"00 B0 00 00 01", 1, "B0"}, {"", 3, "11 B0"}}},
        {"00 A4 00 00 01 3F", 0, {{"00 A4 00 00 01", 1, "A4"}, {"3F", 2, "5B"}}},
        /* it speaks while it is to listen */
        {"00 A4 00 00 01 3F", 0, {{"00 A4 00 00 01", 1, "A4 90"}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t tpdu[300], answer[CCID_PROCEDURE_ANSWER_MAX];
        size_t len = bytes_of(rows[i].tpdu, tpdu);
        struct ccid_procedure p;

        assert_true(ccid_procedure_begin(&p, tpdu, len, rows[i].le, answer));
        assert_int_equal(play(&p, rows[i].steps), CCID_PROCEDURE_BROKEN);
    }
}

/* 256 bytes of answer fill the buffer and no more. */
static void test_procedure_longest_answer_fits(void **state)
{
    static const uint8_t tpdu[] = {0x00, 0xB0, 0x00, 0x00, 0x00};
    uint8_t answer[CCID_PROCEDURE_ANSWER_MAX + 1];
    struct ccid_procedure_step step;
    struct ccid_procedure p;

    (void)state;
    answer[CCID_PROCEDURE_ANSWER_MAX] = 0xA5;
    assert_true(ccid_procedure_begin(&p, tpdu, sizeof(tpdu), 256, answer));
    ccid_procedure_next(&p, &step);
    assert_int_equal(ccid_procedure_take(&p, 0xB0), CCID_PROCEDURE_GOES_ON);
    ccid_procedure_next(&p, &step);
    assert_int_equal(step.expect, 258);
    for (int i = 0; i < 257; i++)
        assert_int_equal(ccid_procedure_take(&p, 0x90), CCID_PROCEDURE_GOES_ON);
    assert_int_equal(ccid_procedure_take(&p, 0x00), CCID_PROCEDURE_ENDED);
    assert_int_equal(p.got, 258);
    assert_int_equal(answer[CCID_PROCEDURE_ANSWER_MAX], 0xA5);
}

static void test_procedure_instruction_that_looks_like_sw1_is_refused(void **state)
{
    static const uint8_t refused[] = {0x60, 0x61, 0x6F, 0x90, 0x9F};
    uint8_t tpdu[] = {0x00, 0x00, 0x00, 0x00, 0x00};
    uint8_t answer[CCID_PROCEDURE_ANSWER_MAX];
    struct ccid_procedure p;

    (void)state;
    for (size_t i = 0; i < sizeof(refused); i++) {
        tpdu[1] = refused[i];
        assert_false(ccid_procedure_begin(&p, tpdu, sizeof(tpdu), 0, answer));
    }
    tpdu[1] = 0x70;
    assert_true(ccid_procedure_begin(&p, tpdu, sizeof(tpdu), 0, answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_procedure_of_every_case_ends_with_the_status_word),
        cmocka_unit_test(test_procedure_byte_out_of_order_breaks_it),
        cmocka_unit_test(test_procedure_longest_answer_fits),
        cmocka_unit_test(test_procedure_instruction_that_looks_like_sw1_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
