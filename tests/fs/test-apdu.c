/* SPDX-License-Identifier: BSD-2-Clause */
/* A command over T=0: what goes to the card and what comes back to the caller. Each row
 * is a dialogue; `>` is sent, `<` is the card's answer, `=` the caller's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fs/apdu.h"

#define LINES_MAX 10

static size_t unhex(const char *text, uint8_t *out)
{
    size_t len = 0;
    unsigned value;
    int used;

    while (sscanf(text, " %2x%n", &value, &used) == 1) {
        out[len++] = (uint8_t)value;
        text += used;
    }
    return len;
}

static const struct dialogue {
    const char *name;
    const char *command;
    const char *lines[LINES_MAX];
} dialogues[] = {
    {"case 1 gets P3 = 0", "00a40000", {">00a4000000", "<9000", "=9000"}},
    {"case 1 has no data to fetch", "00a40000", {">00a4000000", "<6105", "=6105"}},
    {"case 2 as it is", "00b0000003", {">00b0000003", "<0102039000", "=0102039000"}},
    {"case 2 with Le 256", "00b0000000", {">00b0000000", "<019000", "=019000"}},
    {"case 2 with a warning", "00b0000002", {">00b0000002", "<01026282", "=01026282"}},
    {"6Cxx is corrected once",
     "00b0000003",
     {">00b0000003", "<6c02", ">00b0000002", "<01029000", "=01029000"}},
    {"6Cxx larger than Le is cut",
     "00b0000002",
     {">00b0000002", "<6c03", ">00b0000003", "<0102039000", "=01029000"}},
    {"6Cxx twice goes back",
     "00b0000003",
     {">00b0000003", "<6c02", ">00b0000002", "<6c01", "=6c01"}},
    {"case 2 with 61xx",
     "00b0000005",
     {">00b0000005", "<01026103", ">00c0000003", "<0304059000", "=01020304059000"}},
    {"case 1 with a length goes back", "00a40000", {">00a4000000", "<6c05", "=6c05"}},
    {"61xx after all that was wanted",
     "00a40000023f0002",
     {">00a40000023f00", "<6102", ">00c0000002", "<01026105", "=01026105"}},
    {"case 2 wrong length goes back", "00b0000003", {">00b0000003", "<6700", "=6700"}},
    {"case 3 as it is", "00d60000020102", {">00d60000020102", "<9000", "=9000"}},
    {"case 3 returns 61xx", "00a40000023f00", {">00a40000023f00", "<6110", "=6110"}},
    {"case 3 never corrects", "00a40000023f00", {">00a40000023f00", "<6c10", "=6c10"}},
    {"case 4 fetches what 61xx promises",
     "00a40000023f0000",
     {">00a40000023f00", "<6102", ">00c0000002", "<aabb9000", "=aabb9000"}},
    {"case 4 fetches no more than Le",
     "00a40000023f0001",
     {">00a40000023f00", "<6102", ">00c0000001", "<aa9000", "=aa9000"}},
    {"case 4, 9000, and data",
     "00a40000023f0004",
     {">00a40000023f00", "<9000", ">00c0000004", "<010203049000", "=010203049000"}},
    {"case 4, 9000, and nothing there",
     "00a40000023f0004",
     {">00a40000023f00", "<9000", ">00c0000004", "<6985", "=9000"}},
    {"case 4, 9000, and another length",
     "00a40000023f0004",
     {">00a40000023f00", "<9000", ">00c0000004", "<6c02", ">00c0000002", "<01029000",
      "=01029000"}},
    {"case 4 with a warning keeps it",
     "00a40000023f0004",
     {">00a40000023f00", "<6283", ">00c0000004", "<010203049000", "=010203046283"}},
    {"case 4 with a warning of the other kind",
     "00a40000023f0002",
     {">00a40000023f00", "<6300", ">00c0000002", "<01029000", "=01026300"}},
    {"case 4 with a warning, and then an error",
     "00a40000023f0004",
     {">00a40000023f00", "<6283", ">00c0000004", "<016f00", "=016f00"}},
    {"case 4, no error and no success",
     "00a40000023f0004",
     {">00a40000023f00", "<9001", "=9001"}},
    {"case 4, 9000, and then 61xx",
     "00a40000023f0002",
     {">00a40000023f00", "<9000", ">00c0000002", "<6102", ">00c0000002", "<01029000",
      "=01029000"}},
    {"case 4, 9000, and then a warning",
     "00a40000023f0002",
     {">00a40000023f00", "<9000", ">00c0000002", "<6282", "=6282"}},
    {"case 4 with an error", "00a40000023f0004", {">00a40000023f00", "<6a82", "=6a82"}},
    {"61xx to GET RESPONSE goes on",
     "00a40000023f0005",
     {">00a40000023f00", "<6102", ">00c0000002", "<01026103", ">00c0000003",
      "<0304059000", "=01020304059000"}},
    {"61xx without data ends",
     "00a40000023f0005",
     {">00a40000023f00", "<6102", ">00c0000002", "<6102", ">00c0000002", "<6102",
      "=6102"}},
    {"chaining bit is not passed on",
     "10a40000023f0002",
     {">10a40000023f00", "<6102", ">00c0000002", "<01029000", "=01029000"}},
    {"proprietary class is kept",
     "90a40000023f0002",
     {">90a40000023f00", "<6102", ">90c0000002", "<01029000", "=01029000"}},
    {"extended Le within 256", "00b00000000010", {">00b0000010", "<019000", "=019000"}},
    {"extended Le above 256",
     "00b00000000102",
     {">00b0000000", "<01026101", ">00c0000001", "<039000", "=0102039000"}},
    {"extended Lc within 255",
     "00d6000000000201 02",
     {">00d60000020102", "<9000", "=9000"}},
    {"extended with both",
     "00a4000000000201020004",
     {">00a40000020102", "<6102", ">00c0000002", "<01029000", "=01029000"}},
};

static void play(const struct dialogue *d)
{
    uint8_t *answer = malloc(SCFS_ANSWER_MAX);
    uint8_t command[64], tpdu[SCFS_TPDU_MAX], bytes[SCFS_TPDU_MAX];
    struct scfs_apdu apdu;
    size_t len, expected;
    int more = 1, i = 0;

    assert_non_null(answer);
    assert_int_equal(scfs_apdu_begin(&apdu, command, unhex(d->command, command), answer),
                     0);
    while (more == 1) {
        assert_int_equal(d->lines[i][0], '>');
        len = scfs_apdu_next(&apdu, tpdu);
        expected = unhex(d->lines[i++] + 1, bytes);
        assert_int_equal(len, expected);
        assert_memory_equal(tpdu, bytes, len);
        len = unhex(d->lines[i++] + 1, bytes);
        more = scfs_apdu_take(&apdu, bytes, len);
    }
    assert_int_equal(more, 0);
    expected = unhex(d->lines[i] + 1, bytes);
    assert_int_equal(apdu.answer_len, expected);
    assert_memory_equal(answer, bytes, expected);
    free(answer);
}

static void test_apdu_dialogue_is_as_iso_7816_has_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++) {
        print_message("%s\n", dialogues[i].name);
        play(&dialogues[i]);
    }
}

static void test_apdu_malformed_is_refused(void **state)
{
    static const char *const malformed[] = {
        "",
        "00a400",
        "00a400000102030405",    /* Lc 1, four bytes too many */
        "00a40000083f00",        /* Lc 8, two bytes */
        "00a400000000",          /* neither short nor extended */
        "00a40000000000 01",     /* extended Lc 0 with data */
        "00a400000000020102 03", /* Le of one byte */
    };
    uint8_t command[64], answer[2];
    struct scfs_apdu apdu;

    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        size_t len = unhex(malformed[i], command);
        assert_int_equal(scfs_apdu_begin(&apdu, command, len, answer), -EINVAL);
    }
}

static void test_apdu_long_command_goes_in_envelopes(void **state)
{
    enum { LC = 1000, LEN = 7 + LC + 2 };
    static uint8_t command[LEN], collected[LEN], answer[SCFS_ANSWER_MAX];
    uint8_t tpdu[SCFS_TPDU_MAX];
    struct scfs_apdu apdu;
    size_t len, sum = 0;
    int envelopes = 0;

    (void)state;
    memset(command, 0x5a, sizeof command);
    memcpy(command, "\x00\xd6\x00\x00\x00\x03\xe8", 7);
    command[LEN - 2] = 0;
    command[LEN - 1] = 2;
    assert_int_equal(scfs_apdu_begin(&apdu, command, LEN, answer), 0);
    while (sum < LEN) {
        len = scfs_apdu_next(&apdu, tpdu);
        assert_int_equal(tpdu[1], 0xc2);
        assert_int_equal(tpdu[4], len - 5);
        memcpy(collected + sum, tpdu + 5, len - 5);
        sum += len - 5;
        envelopes++;
        assert_int_equal(
            scfs_apdu_take(&apdu, (const uint8_t *)(sum < LEN ? "\x90\x00" : "\x61\x02"),
                           2),
            1);
    }
    assert_int_equal(envelopes, 4);
    assert_memory_equal(collected, command, LEN);
    assert_int_equal(scfs_apdu_next(&apdu, tpdu), 5);
    assert_memory_equal(tpdu, "\x00\xc0\x00\x00\x02", 5);
    assert_int_equal(scfs_apdu_take(&apdu, (const uint8_t *)"\x01\x02\x90\x00", 4), 0);
    assert_int_equal(apdu.answer_len, 4);
}

static void test_apdu_card_without_envelope_says_so(void **state)
{
    static uint8_t command[7 + 300], answer[SCFS_ANSWER_MAX];
    uint8_t tpdu[SCFS_TPDU_MAX];
    struct scfs_apdu apdu;

    (void)state;
    memcpy(command, "\x00\xd6\x00\x00\x00\x01\x2c", 7);
    assert_int_equal(scfs_apdu_begin(&apdu, command, sizeof command, answer), 0);
    scfs_apdu_next(&apdu, tpdu);
    assert_int_equal(scfs_apdu_take(&apdu, (const uint8_t *)"\x6d\x00", 2), 0);
    assert_memory_equal(answer, "\x6d\x00", 2);
}

static void test_apdu_61_without_end_is_bounded(void **state)
{
    static uint8_t answer[SCFS_ANSWER_MAX];
    static const uint8_t command[] = {0x00, 0xa4, 0, 0, 0, 0, 1, 0xaa, 0, 0};
    uint8_t tpdu[SCFS_TPDU_MAX];
    struct scfs_apdu apdu;
    int more;

    (void)state;
    assert_int_equal(scfs_apdu_begin(&apdu, command, sizeof command, answer), 0);
    scfs_apdu_next(&apdu, tpdu);
    more = scfs_apdu_take(&apdu, (const uint8_t *)"\x61\x00", 2);
    while (more == 1) {
        scfs_apdu_next(&apdu, tpdu);
        more = scfs_apdu_take(&apdu, (const uint8_t *)"\x01\x61\x00", 3);
    }
    assert_int_equal(more, 0);
    assert_int_equal(apdu.get_responses, SCFS_GET_RESPONSES_MAX);
    assert_int_equal(apdu.answer_len, SCFS_GET_RESPONSES_MAX + 2);
}

static void test_apdu_answer_that_t0_cannot_give_is_a_protocol_error(void **state)
{
    static uint8_t answer[SCFS_ANSWER_MAX], large[300];
    static const uint8_t command[] = {0x00, 0xb0, 0, 0, 0};
    struct scfs_apdu apdu;

    (void)state;
    assert_int_equal(scfs_apdu_begin(&apdu, command, sizeof command, answer), 0);
    assert_int_equal(scfs_apdu_take(&apdu, large, 0), -EPROTO);
    assert_int_equal(scfs_apdu_take(&apdu, large, 1), -EPROTO);
    assert_int_equal(scfs_apdu_take(&apdu, large, 259), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apdu_dialogue_is_as_iso_7816_has_it),
        cmocka_unit_test(test_apdu_malformed_is_refused),
        cmocka_unit_test(test_apdu_long_command_goes_in_envelopes),
        cmocka_unit_test(test_apdu_card_without_envelope_says_so),
        cmocka_unit_test(test_apdu_61_without_end_is_bounded),
        cmocka_unit_test(test_apdu_answer_that_t0_cannot_give_is_a_protocol_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
