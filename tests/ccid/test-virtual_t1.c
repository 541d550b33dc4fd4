/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-virtual_t1.c - the card's side of T=1, block by block: what it answers to blocks
 * that no good reader sends, and what its faults look like.
 */
#include "ccid/virtual_t1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ccid_virtual_t1 card;
static uint8_t out[CCID_VIRTUAL_T1_BLOCK_MAX];
static size_t executed_len;

/* The answer is as long as the command says in its first byte, and 9000 behind it. */
static size_t execute(void *context, const uint8_t *apdu, size_t len, uint8_t *response)
{
    (void)context;
    executed_len = len;
    if (apdu[0] == 0xFF)
        return 0; /* and silence from now on */
    memset(response, 0xA5, apdu[0]);
    memcpy(response + apdu[0], "\x90\x00", 2);
    return apdu[0] + 2u;
}

static int begin(void **state)
{
    (void)state;
    memset(&card, 0, sizeof(card));
    card.ifsc = 32;
    card.execute = execute;
    ccid_virtual_t1_reset(&card);
    executed_len = 0;
    return 0;
}

/* A block with its check characters; its answer's length. */
static size_t send(uint8_t pcb, const char *inf, size_t len)
{
    uint8_t block[CCID_VIRTUAL_T1_BLOCK_MAX] = {0x00, pcb, (uint8_t)len};

    memcpy(block + 3, inf, len);
    len += 3;
    len += ccid_virtual_t1_edc(card.crc, block, len, block + len);
    return ccid_virtual_t1_block(&card, block, len, out);
}

/* The answer is that block, its check characters right. */
static void expect(size_t got, uint8_t pcb, const char *inf, size_t len)
{
    uint8_t edc[2];
    size_t tail = ccid_virtual_t1_edc(card.crc, out, 3 + len, edc);

    assert_int_equal(got, 3 + len + tail);
    assert_int_equal(out[1], pcb);
    assert_int_equal(out[2], len);
    if (len > 0)
        assert_memory_equal(out + 3, inf, len);
    assert_memory_equal(out + 3 + len, edc, tail);
}

static void test_t1_block_that_is_none_is_answered_by_other_error(void **state)
{
    static const struct {
        const char *block;
        size_t len;
    } rows[] = {
        {"", 0},                     /* nothing */
        {"\x00\x00\x00", 3},         /* no check character */
        {"\x00\x00\x02\x00\x02", 5}, /* a byte fewer than it says */
        {"\x00\x00\x00\x00\x00", 5}, /* one more */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect(ccid_virtual_t1_block(&card, (const uint8_t *)rows[i].block, rows[i].len,
                                     out),
               0x82, NULL, 0);
    expect(ccid_virtual_t1_block(&card, (const uint8_t *)"\x00\x00\x01\x05\x05", 5, out),
           0x81, NULL, 0); /* the check character is wrong */
    assert_int_equal(card.commands, 0);
}

static void test_t1_longer_block_than_there_is_is_answered_by_other_error(void **state)
{
    uint8_t block[CCID_VIRTUAL_T1_BLOCK_MAX + 1] = {0, 0, 255};

    (void)state;
    expect(ccid_virtual_t1_block(&card, block, sizeof(block), out), 0x82, NULL, 0);
}

static void test_t1_command_in_parts_is_executed_once(void **state)
{
    (void)state;
    expect(send(0x20, "\x00\x01\x02", 3), 0x90, NULL, 0);
    expect(send(0x60, "\x03", 1), 0x80, NULL, 0);
    expect(send(0x00, "\x04", 1), 0x00, "\x90\x00", 2);
    assert_int_equal(card.commands, 1);
    assert_int_equal(executed_len, 5);
}

static void test_t1_block_out_of_turn_or_too_long_is_refused(void **state)
{
    char inf[33] = {0};

    (void)state;
    expect(send(0x40, "\x00", 1), 0x82, NULL, 0); /* N(S) 1 comes later */
    expect(send(0x00, inf, sizeof(inf)), 0x82, NULL, 0);
    expect(send(0x00, inf, 32), 0x00, "\x90\x00", 2);
    assert_int_equal(card.commands, 1);
}

static void test_t1_command_without_end_is_refused(void **state)
{
    char inf[254] = {0};
    size_t taken = 0;
    uint8_t ns = 0;

    (void)state;
    card.ifsc = 254;
    while (taken + sizeof(inf) <= CCID_VIRTUAL_T1_COMMAND_MAX) {
        uint8_t next = (uint8_t)(0x80 | (ns ^ 1) << 4);

        expect(send((uint8_t)(0x20 | ns << 6), inf, sizeof(inf)), next, NULL, 0);
        taken += sizeof(inf);
        ns ^= 1;
    }
    expect(send((uint8_t)(0x20 | ns << 6), inf, sizeof(inf)), (uint8_t)(0x82 | ns << 4),
           NULL, 0);
    assert_int_equal(card.commands, 0);
}

static void test_t1_answer_in_parts_goes_on_when_it_is_asked_for(void **state)
{
    (void)state;
    assert_int_equal(send(0x00, "\x21", 1), 3 + 32 + 1); /* 33 bytes and 9000 */
    assert_int_equal(out[1], 0x20);
    assert_int_equal(send(0x80, "", 0), 3 + 32 + 1); /* N(R) 0: again */
    assert_int_equal(out[1], 0x20);
    expect(send(0x90, "", 0), 0x40, "\xA5\x90\x00", 3);
    expect(send(0x80, "", 0), 0x40, "\xA5\x90\x00", 3); /* there is no more: again */
}

static void test_t1_reader_that_asks_for_a_block_before_any_gets_other_error(void **state)
{
    (void)state;
    expect(send(0x80, "", 0), 0x82, NULL, 0);
}

static void test_t1_ifs_request_is_obeyed_within_its_bounds(void **state)
{
    static const struct {
        const char *inf;
        size_t len;
        bool obeyed;
    } rows[] = {{"\x01", 1, true},  {"\xFE", 1, true},      {"\x00", 1, false},
                {"\xFF", 1, false}, {"\x20\x20", 2, false}, {"", 0, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t before = card.ifsd;
        size_t got = send(0xC1, rows[i].inf, rows[i].len);

        if (rows[i].obeyed)
            expect(got, 0xE1, rows[i].inf, 1);
        else
            expect(got, 0x82, NULL, 0);
        assert_int_equal(card.ifsd, rows[i].obeyed ? (uint8_t)rows[i].inf[0] : before);
    }
}

static void test_t1_resynch_begins_anew_and_what_nobody_knows_is_refused(void **state)
{
    (void)state;
    expect(send(0xC1, "\xFE", 1), 0xE1, "\xFE", 1);
    expect(send(0x20, "\x00", 1), 0x90, NULL, 0);
    expect(send(0xC0, "", 0), 0xE0, NULL, 0);
    assert_int_equal(card.ifsd, 32);
    expect(send(0x00, "\x00", 1), 0x00, "\x90\x00", 2); /* of one part */
    assert_int_equal(executed_len, 1);
    expect(send(0xC2, "", 0), 0x92, NULL, 0); /* a reader aborts nothing here */
}

static void test_t1_answers_of_the_reader_bring_the_block_that_was_meant(void **state)
{
    static const uint8_t answers[] = {0xE1, 0xE2, 0xE3};

    (void)state;
    expect(send(0x00, "\x01", 1), 0x00, "\xA5\x90\x00", 3);
    for (size_t i = 0; i < sizeof(answers); i++)
        expect(send(answers[i], "\x01", 1), 0x00, "\xA5\x90\x00", 3);
    assert_int_equal(card.commands, 1);
}

static void test_t1_answer_to_what_was_never_asked_is_silence(void **state)
{
    (void)state;
    assert_int_equal(send(0xE3, "\x01", 1), 0);
}

static void test_t1_mute_command_silences_the_card_until_its_reset(void **state)
{
    (void)state;
    assert_int_equal(send(0x00, "\xFF", 1), 0);
    assert_int_equal(send(0xC0, "", 0), 0);
    ccid_virtual_t1_reset(&card);
    expect(send(0xC0, "", 0), 0xE0, NULL, 0);
}

static void test_t1_crc_is_of_two_characters(void **state)
{
    (void)state;
    card.crc = true;
    expect(send(0x00, "\x00", 1), 0x00, "\x90\x00", 2);
    /* Of one character only: too short to be a block, or of another length. */
    expect(ccid_virtual_t1_block(&card, (const uint8_t *)"\x00\xC0\x00\xC0", 4, out),
           0x92, NULL, 0);
}

static void test_t1_fault_hits_the_blocks_it_was_ordered_for(void **state)
{
    static const struct {
        enum ccid_virtual_t1_fault fault;
        uint8_t pcb; /* of the block that goes wrong */
        size_t len;
    } rows[] = {
        {CCID_T1_FAULT_BAD_EDC, 0x90, 4},   {CCID_T1_FAULT_LOST, 0, 0},
        {CCID_T1_FAULT_WRONG_SEQ, 0x80, 4}, {CCID_T1_FAULT_WTX, 0xC3, 5},
        {CCID_T1_FAULT_ABORT, 0xC2, 4},     {CCID_T1_FAULT_IFS_REFUSED, 0x90, 4},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t edc[2];

        begin(state);
        card.fault = rows[i].fault;
        card.fault_at = 1;
        card.fault_count = 1;
        card.fault_value = 7;
        expect(send(0x20, "\x00", 1), 0x90, NULL, 0); /* before */
        card.nr = 0;
        assert_int_equal(send(0x20, "\x00", 1), rows[i].len);
        if (rows[i].len > 0) {
            size_t at = rows[i].len - 1;

            assert_int_equal(out[1], rows[i].pcb);
            ccid_virtual_t1_edc(false, out, at, edc);
            assert_int_equal(out[at] == edc[0], rows[i].fault != CCID_T1_FAULT_BAD_EDC);
        }
        if (rows[i].fault == CCID_T1_FAULT_WTX)
            assert_int_equal(out[3], 7);
        expect(send(0x80, "", 0), 0x90, NULL, 0); /* afterwards, when asked again */
    }
}

static void test_t1_wrong_number_of_an_i_block_is_its_ns(void **state)
{
    (void)state;
    card.fault = CCID_T1_FAULT_WRONG_SEQ;
    card.fault_count = 1;
    expect(send(0x00, "\x00", 1), 0x40, "\x90\x00", 2);
}

static void test_t1_refused_ifs_is_refused_and_nothing_else(void **state)
{
    (void)state;
    card.fault = CCID_T1_FAULT_IFS_REFUSED;
    expect(send(0xC1, "\x40", 1), 0x82, NULL, 0);
    assert_int_equal(card.ifsd, 32);
    expect(send(0x00, "\x00", 1), 0x00, "\x90\x00", 2);
}

#define TEST(name) cmocka_unit_test_setup(test_t1_##name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(block_that_is_none_is_answered_by_other_error),
        TEST(longer_block_than_there_is_is_answered_by_other_error),
        TEST(command_in_parts_is_executed_once),
        TEST(block_out_of_turn_or_too_long_is_refused),
        TEST(command_without_end_is_refused),
        TEST(answer_in_parts_goes_on_when_it_is_asked_for),
        TEST(reader_that_asks_for_a_block_before_any_gets_other_error),
        TEST(ifs_request_is_obeyed_within_its_bounds),
        TEST(resynch_begins_anew_and_what_nobody_knows_is_refused),
        TEST(answers_of_the_reader_bring_the_block_that_was_meant),
        TEST(answer_to_what_was_never_asked_is_silence),
        TEST(mute_command_silences_the_card_until_its_reset),
        TEST(crc_is_of_two_characters),
        TEST(fault_hits_the_blocks_it_was_ordered_for),
        TEST(wrong_number_of_an_i_block_is_its_ns),
        TEST(refused_ifs_is_refused_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
