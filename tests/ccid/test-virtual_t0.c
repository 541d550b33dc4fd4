/* SPDX-License-Identifier: BSD-2-Clause */
/* test-virtual_t0.c - the card's side of T=0, with commands that only say their answer.
 */
#include "ccid/virtual_t0.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* P1P2 bytes of pattern and 9000; INS 44 is mute, INS 46 ends with a warning. */
static size_t execute(void *context, const uint8_t *command, size_t len, uint8_t *answer)
{
    size_t bytes = (size_t)command[2] << 8 | command[3];

    (void)len;
    ++*(unsigned *)context;
    if (command[1] == 0x44)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        answer[i] = (uint8_t)i;
    answer[bytes] = command[1] == 0x46 ? 0x62 : 0x90;
    answer[bytes + 1] = command[1] == 0x46 ? 0x82 : 0x00;
    return bytes + 2;
}

static struct ccid_virtual_t0 card;
static unsigned executed;
static uint8_t out[CCID_VIRTUAL_T0_ANSWER_MAX];

static int setup(void **state)
{
    (void)state;
    memset(&card, 0, sizeof(card));
    card.execute = execute;
    card.context = &executed;
    executed = 0;
    ccid_virtual_t0_reset(&card);
    return 0;
}

/* The answer is so many bytes of pattern from a number on, and a status word. */
static void expect(const char *tpdu, size_t len, uint8_t from, size_t bytes,
                   unsigned status_word)
{
    assert_int_equal(ccid_virtual_t0_tpdu(&card, (const uint8_t *)tpdu, len, out),
                     bytes + 2);
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(out[i], (uint8_t)(from + i));
    assert_int_equal(out[bytes] << 8 | out[bytes + 1], status_word);
}

static void test_t0_command_without_an_answer_gives_its_status_word(void **state)
{
    (void)state;
    expect("\x80\x10\x00\x00\x00", 5, 0, 0, 0x9000);
    expect("\x80\x10\x00\x00\x02\x11\x22", 7, 0, 0, 0x9000);
    assert_int_equal(executed, 2);
}

static void test_t0_answer_of_the_expected_length_comes_at_once(void **state)
{
    (void)state;
    expect("\x80\x10\x00\x04\x04", 5, 0, 4, 0x9000);
    expect("\x80\x10\x01\x00\x00", 5, 0, 256, 0x9000);
    expect("\x80\x46\x00\x04\x04", 5, 0, 4, 0x6282);
}

static void test_t0_wrong_length_is_answered_with_the_right_one(void **state)
{
    (void)state;
    expect("\x80\x10\x00\x04\x05", 5, 0, 0, 0x6c04);
    expect("\x80\x10\x00\x04\x00", 5, 0, 0, 0x6c04);
    expect("\x80\x10\x01\x00\x10", 5, 0, 0, 0x6c00);
    expect("\x80\x10\x00\x04\x04", 5, 0, 4, 0x9000);
}

static void test_t0_answer_to_a_command_with_data_waits_for_get_response(void **state)
{
    (void)state;
    expect("\x80\x46\x00\x06\x01\xaa", 6, 0, 0, 0x6106);
    expect("\x00\xc0\x00\x00\x07", 5, 0, 0, 0x6c06);
    expect("\x00\xc0\x00\x00\x04", 5, 0, 4, 0x6102);
    expect("\x00\xc0\x00\x00\x02", 5, 4, 2, 0x6282); /* the command's own status word */
    expect("\x00\xc0\x00\x00\x02", 5, 0, 0, 0x6985);
    assert_int_equal(executed, 1);
}

static void test_t0_long_answer_comes_in_parts_of_256_bytes(void **state)
{
    (void)state;
    expect("\x80\x10\x02\x10\x01\xaa", 6, 0, 0, 0x6100);
    expect("\x00\xc0\x00\x00\x00", 5, 0, 256, 0x6100);
    expect("\x00\xc0\x00\x00\x00", 5, 0, 256, 0x6110);
    expect("\x00\xc0\x00\x00\x10", 5, 0, 16, 0x9000);
    /* the same where no data was sent: 6Cxx cannot say it */
    expect("\x80\x10\x01\x01\x00", 5, 0, 0, 0x6100);
    expect("\x00\xc0\x00\x00\x00", 5, 0, 256, 0x6101);
}

static void test_t0_what_waits_is_lost_with_the_next_command_and_with_a_reset(
    void **state)
{
    (void)state;
    expect("\x80\x10\x00\x06\x01\xaa", 6, 0, 0, 0x6106);
    expect("\x80\x10\x00\x00\x00", 5, 0, 0, 0x9000);
    expect("\x00\xc0\x00\x00\x06", 5, 0, 0, 0x6985);
    expect("\x80\x10\x00\x06\x01\xaa", 6, 0, 0, 0x6106);
    ccid_virtual_t0_reset(&card);
    expect("\x00\xc0\x00\x00\x06", 5, 0, 0, 0x6985);
}

static void test_t0_data_that_is_not_p3_long_is_not_executed(void **state)
{
    (void)state;
    expect("\x80\x10\x00\x00\x02\x11", 6, 0, 0, 0x6700);
    expect("\x80\x10\x00\x00\x00\x11", 6, 0, 0, 0x6700);
    assert_int_equal(executed, 0);
}

static void test_t0_mute_card_gives_nothing(void **state)
{
    (void)state;
    assert_int_equal(
        ccid_virtual_t0_tpdu(&card, (const uint8_t *)"\x80\x44\x00\x04\x04", 5, out), 0);
}

/* ---- ENVELOPE -------------------------------------------------------------------- */

static uint8_t apdu[CCID_VIRTUAL_T0_APDU_MAX + 300];

/* CLA 80, INS, P1P2, Lc bytes 00 01 02 ..., Le if it is not 0; returns the length. */
static size_t extended(uint8_t instruction, unsigned parameters, size_t lc, unsigned le)
{
    size_t len = 7 + lc;

    apdu[0] = 0x80;
    apdu[1] = instruction;
    apdu[2] = (uint8_t)(parameters >> 8);
    apdu[3] = (uint8_t)parameters;
    apdu[4] = 0;
    apdu[5] = (uint8_t)(lc >> 8);
    apdu[6] = (uint8_t)lc;
    for (size_t i = 0; i < lc; i++)
        apdu[7 + i] = (uint8_t)i;
    if (le != 0) {
        apdu[len++] = (uint8_t)(le >> 8);
        apdu[len++] = (uint8_t)le;
    }
    return len;
}

/* One ENVELOPE with that part of the APDU; the status word of its answer, 0 for none. */
static unsigned envelope(size_t at, size_t len)
{
    uint8_t tpdu[CCID_VIRTUAL_T0_COMMAND_MAX] = {0x80, 0xc2, 0, 0, (uint8_t)len};
    size_t answer;

    memcpy(tpdu + 5, apdu + at, len);
    answer = ccid_virtual_t0_tpdu(&card, tpdu, 5 + len, out);
    if (answer == 0)
        return 0;
    assert_int_equal(answer, 2);
    return (unsigned)(out[0] << 8 | out[1]);
}

/* All of them; the status word of the last. Those before say 9000. */
static unsigned envelopes(size_t len)
{
    size_t at = 0;

    for (; len - at > 255; at += 255)
        assert_int_equal(envelope(at, 255), 0x9000);
    return envelope(at, len - at);
}

static void test_t0_envelopes_bring_an_extended_command(void **state)
{
    static const struct {
        uint8_t instruction;
        unsigned parameters;
        size_t lc;
        unsigned le;
        unsigned status_word;
    } rows[] = {
        {0x10, 0, 256, 0, 0x9000},
        {0x10, 0, 300, 4, 0x9000},
        {0x10, 6, 300, 6, 0x6106},
        {0x10, 600, 300, 600, 0x6100},
        {0x10, 0, 65535, 1, 0x9000},
        {0x10, 0, 1, 0, 0x9000},
        {0x10, 0, 247, 1, 0x9000},         /* Le torn apart: 254 bytes and 2 */
        {0x10, 3, 255 * 2 - 8, 3, 0x6103}, /* Le torn apart: one byte each */
        {0x44, 0, 300, 0, 0},              /* mute */
        {0x44, 0, 255 * 2 - 7, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ccid_virtual_t0_reset(&card);
        assert_int_equal(envelopes(extended(rows[i].instruction, rows[i].parameters,
                                            rows[i].lc, rows[i].le)),
                         rows[i].status_word);
        assert_int_equal(executed, i + 1);
    }
}

static void test_t0_le_in_an_envelope_of_its_own_does_not_execute_again(void **state)
{
    size_t len = extended(0x10, 6, 255 * 2 - 7, 6);

    (void)state;
    assert_int_equal(envelopes(len), 0x6106);
    assert_int_equal(executed, 1);
    expect("\x80\xc0\x00\x00\x06", 5, 0, 6, 0x9000);
    /* Without Le nothing is asked for, but it may be fetched. */
    assert_int_equal(envelopes(len - 2), 0x9000);
    assert_int_equal(executed, 2);
    expect("\x80\xc0\x00\x00\x06", 5, 0, 6, 0x9000);
    /* Another command is not mistaken for the Le. */
    assert_int_equal(envelopes(len - 2), 0x9000);
    expect("\x80\x10\x00\x00\x00", 5, 0, 0, 0x9000);
    assert_int_equal(envelope(0, 2), 0x9000);
    assert_int_equal(executed, 4);
}

static void test_t0_envelope_that_is_no_part_of_a_command_is_refused(void **state)
{
    size_t len = extended(0x10, 0, 300, 4);

    (void)state;
    expect("\x80\xc2\x00\x00\x00", 5, 0, 0, 0x6700); /* empty */
    expect("\x80\xc2\x00\x00\x02\x80", 6, 0, 0, 0x6700);
    assert_int_equal(envelope(0, 255), 0x9000);
    assert_int_equal(envelope(255, len - 255 + 1), 0x6700); /* too long */
    apdu[4] = 1;                                            /* a short APDU */
    assert_int_equal(envelope(0, 255), 0x6700);
    apdu[4] = apdu[5] = apdu[6] = 0; /* Lc 0 */
    assert_int_equal(envelope(0, 255), 0x6700);
    assert_int_equal(executed, 0);
    assert_int_equal(envelopes(extended(0x10, 0, 300, 4)), 0x9000);
}

static void test_t0_command_between_envelopes_drops_them(void **state)
{
    size_t len = extended(0x10, 0, 400, 0);

    (void)state;
    assert_int_equal(envelope(0, 255), 0x9000);
    expect("\x80\x10\x00\x00\x00", 5, 0, 0, 0x9000);
    assert_int_equal(envelope(255, len - 255), 0x6700);
    assert_int_equal(executed, 1);
}

static size_t execute_builtin(void *context, const uint8_t *command, size_t len,
                              uint8_t *answer)
{
    uint32_t delay_ms;

    return ccid_virtual_card_apdu(context, command, len, answer, &delay_ms);
}

/* ECHO of the built-in card, there by ENVELOPEs and back by GET RESPONSEs. */
static void test_t0_echo_of_60000_bytes_comes_back_whole(void **state)
{
    static uint8_t echo[60000];
    struct ccid_virtual_card builtin;
    size_t got;
    unsigned status_word;

    (void)state;
    assert_true(ccid_virtual_card_init(&builtin, NULL, 0));
    card.execute = execute_builtin;
    card.context = &builtin;
    for (unsigned le = 0; le <= 60000; le += 60000) {
        ccid_virtual_t0_reset(&card);
        status_word = envelopes(extended(0xe0, 0, sizeof(echo), le));
        for (got = 0; status_word >> 8 == 0x61;) {
            uint8_t p3 = (uint8_t)status_word;
            uint8_t tpdu[5] = {0x80, 0xc0, 0, 0, p3};
            size_t len = ccid_virtual_t0_tpdu(&card, tpdu, sizeof(tpdu), out);

            assert_int_equal(len, (p3 == 0 ? 256 : p3) + 2u);
            assert_true(got + len - 2 <= sizeof(echo));
            memcpy(echo + got, out, len - 2);
            got += len - 2;
            status_word = (unsigned)(out[len - 2] << 8 | out[len - 1]);
        }
        assert_int_equal(status_word, 0x9000);
        assert_int_equal(got, sizeof(echo));
        assert_memory_equal(echo, apdu + 7, sizeof(echo));
    }
    assert_int_equal(builtin.apdu_count, 2);
}

#define T0(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T0(test_t0_command_without_an_answer_gives_its_status_word),
        T0(test_t0_answer_of_the_expected_length_comes_at_once),
        T0(test_t0_wrong_length_is_answered_with_the_right_one),
        T0(test_t0_answer_to_a_command_with_data_waits_for_get_response),
        T0(test_t0_long_answer_comes_in_parts_of_256_bytes),
        T0(test_t0_what_waits_is_lost_with_the_next_command_and_with_a_reset),
        T0(test_t0_data_that_is_not_p3_long_is_not_executed),
        T0(test_t0_mute_card_gives_nothing),
        T0(test_t0_envelopes_bring_an_extended_command),
        T0(test_t0_le_in_an_envelope_of_its_own_does_not_execute_again),
        T0(test_t0_envelope_that_is_no_part_of_a_command_is_refused),
        T0(test_t0_command_between_envelopes_drops_them),
        T0(test_t0_echo_of_60000_bytes_comes_back_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
