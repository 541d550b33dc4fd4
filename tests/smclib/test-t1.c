/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The T=1 engine against the card's side in ccid/virtual_t1.c. Time is counted in blocks:
 * silence is a block of length 0, so no test waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ccid/virtual_t1.h"
#include "smclib/t1.h"

#define EXCHANGES_MAX 20000

struct pair {
    T1_DATA t1;
    struct smc_t1_link link;
    struct ccid_virtual_t1 card;
    UCHAR reply[70000];
    size_t room;
    unsigned exchanges;
    UCHAR wtx_max;
    /* Damage to one block on its way from the card. */
    unsigned damage_at; /* exchange, from 1; 0: none */
    int damage_byte;    /* index to change, or -1 */
    UCHAR damage_xor;
    size_t damage_len; /* or the length that is left */
};

/* Echoes the command's data reversed, and a status word. */
static size_t execute(void *context, const uint8_t *command, size_t len, uint8_t *answer)
{
    (void)context;
    for (size_t i = 0; i < len; i++)
        answer[i] = command[len - 1 - i];
    answer[len] = 0x90;
    answer[len + 1] = 0x00;
    return len + 2;
}

static struct pair *new_pair(UCHAR edc, UCHAR ifsc)
{
    struct pair *p = calloc(1, sizeof *p);

    assert_non_null(p);
    p->link.t1 = &p->t1;
    p->link.edc = edc;
    p->link.ifsc_initial = ifsc;
    p->link.ifsd_wanted = T1_IFSD;
    p->card.crc = edc != 0;
    p->card.ifsc = ifsc;
    p->card.execute = execute;
    p->room = sizeof p->reply;
    smc_t1_reset(&p->link);
    ccid_virtual_t1_reset(&p->card);
    return p;
}

static NTSTATUS run(struct pair *p, const UCHAR *command, size_t len)
{
    UCHAR out[SMC_T1_BLOCK_MAX], in[CCID_VIRTUAL_T1_BLOCK_MAX];
    size_t out_len, in_len;
    NTSTATUS status;

    smc_t1_begin(&p->link, len);
    for (;;) {
        assert_true(p->exchanges < EXCHANGES_MAX);
        p->exchanges++;
        assert_int_equal(smc_t1_next(&p->link, command, out, sizeof out, &out_len),
                         STATUS_SUCCESS);
        assert_true(out_len <= sizeof out);
        if (p->t1.Wtx > p->wtx_max)
            p->wtx_max = p->t1.Wtx;
        in_len = ccid_virtual_t1_block(&p->card, out, out_len, in);
        if (p->exchanges == p->damage_at) {
            if (p->damage_byte >= 0 && (size_t)p->damage_byte < in_len)
                in[p->damage_byte] ^= p->damage_xor;
            else if (p->damage_byte < 0 && p->damage_len < in_len)
                in_len = p->damage_len;
        }
        status = smc_t1_take(&p->link, in, in_len, p->reply, p->room);
        if (status != STATUS_MORE_PROCESSING_REQUIRED)
            return status;
    }
}

static void fill(UCHAR *command, size_t len)
{
    for (size_t i = 0; i < len; i++)
        command[i] = (UCHAR)(i * 7 + 3);
}

static void assert_answer(const struct pair *p, const UCHAR *command, size_t len)
{
    assert_int_equal(p->t1.BytesReceived, len + 2);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(p->reply[i], command[len - 1 - i]);
    assert_int_equal(p->reply[len], 0x90);
    assert_int_equal(p->reply[len + 1], 0x00);
}

static void test_t1_edc_of_known_data_is_the_published_value(void **state)
{
    UCHAR edc[2];

    (void)state;
    assert_int_equal(smc_t1_edc(0, (const UCHAR *)"\x00\xc1\x01\xfe", 4, edc), 1);
    assert_int_equal(edc[0], 0x3e);
    assert_int_equal(smc_t1_edc(T1_CRC_CHECK, (const UCHAR *)"123456789", 9, edc), 2);
    assert_int_equal(edc[0] << 8 | edc[1], 0x6f91);
}

static void test_t1_first_block_after_reset_is_the_ifs_request(void **state)
{
    static const UCHAR expected[] = {0x00, 0xc1, 0x01, 0xfe, 0x3e};
    struct pair *p = new_pair(0, 32);
    UCHAR block[SMC_T1_BLOCK_MAX];
    size_t len;

    (void)state;
    smc_t1_begin(&p->link, 5);
    smc_t1_next(&p->link, (const UCHAR *)"abcde", block, sizeof block, &len);
    assert_int_equal(len, sizeof expected);
    assert_memory_equal(block, expected, len);
    free(p);
}

static void test_t1_commands_of_all_lengths_come_back(void **state)
{
    static const size_t lengths[] = {1, 4, 5, 31, 32, 33, 64, 254, 255, 1000, 65544};
    static UCHAR command[65544];

    (void)state;
    fill(command, sizeof command);
    for (int edc = 0; edc <= 1; edc++) {
        struct pair *p = new_pair((UCHAR)edc, edc ? 254 : 32);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            /* The card's answer is two bytes longer and bounded by its own limit. */
            size_t len = lengths[i] < 65536 ? lengths[i] : 65536;
            p->exchanges = 0;
            assert_int_equal(run(p, command, len), STATUS_SUCCESS);
            assert_answer(p, command, len);
        }
        assert_int_equal(p->t1.IFSD, 254);
        assert_int_equal(p->card.commands, sizeof lengths / sizeof *lengths);
        free(p);
    }
}

static void test_t1_pairs_of_blocks_are_the_least_possible(void **state)
{
    static UCHAR command[300];
    struct pair *p = new_pair(0, 254);

    (void)state;
    fill(command, sizeof command);
    assert_int_equal(run(p, command, 5), STATUS_SUCCESS);
    assert_int_equal(p->exchanges, 2); /* IFS, then the command */
    p->exchanges = 0;
    assert_int_equal(run(p, command, 300), STATUS_SUCCESS);
    assert_int_equal(p->exchanges, 2 + 2 - 1); /* ceil(300/254) + ceil(302/254) - 1 */
    free(p);
}

static void test_t1_nad_of_the_driver_is_sent_and_its_mirror_expected(void **state)
{
    struct pair *p = new_pair(0, 32);
    UCHAR command[40];

    (void)state;
    fill(command, sizeof command);
    p->t1.NAD = 0x21;
    assert_int_equal(run(p, command, sizeof command), STATUS_SUCCESS);
    assert_int_equal(p->t1.NAD, 0x21);
    assert_answer(p, command, sizeof command);
    free(p);
}

static void test_t1_fault_is_recovered_from_without_notice(void **state)
{
    static const struct {
        enum ccid_virtual_t1_fault fault;
        unsigned count;
        UCHAR value;
    } faults[] = {
        {CCID_T1_FAULT_BAD_EDC, 1, 0},   {CCID_T1_FAULT_LOST, 1, 0},
        {CCID_T1_FAULT_WRONG_SEQ, 1, 0}, {CCID_T1_FAULT_BAD_EDC, 2, 0},
        {CCID_T1_FAULT_LOST, 2, 0},      {CCID_T1_FAULT_WTX, 1, 1},
        {CCID_T1_FAULT_WTX, 2, 2},       {CCID_T1_FAULT_WTX, 5, 5},
        {CCID_T1_FAULT_WTX, 30, 30},     {CCID_T1_FAULT_IFS_REFUSED, 0, 0},
    };
    UCHAR command[100];

    (void)state;
    fill(command, sizeof command);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        for (unsigned at = 0; at <= 4; at++) { /* IFS, three R, the answer */
            struct pair *p = new_pair(0, 32);
            p->card.fault = faults[i].fault;
            p->card.fault_at = at;
            p->card.fault_count = faults[i].count;
            p->card.fault_value = faults[i].value;
            assert_int_equal(run(p, command, sizeof command), STATUS_SUCCESS);
            assert_answer(p, command, sizeof command);
            assert_int_equal(p->card.commands, 1);
            if (faults[i].fault == CCID_T1_FAULT_WTX)
                assert_int_equal(p->wtx_max, faults[i].value);
            assert_int_equal(p->t1.IFSD,
                             faults[i].fault == CCID_T1_FAULT_IFS_REFUSED ? 32 : 254);
            free(p);
        }
    }
}

static void test_t1_mute_card_is_a_timeout(void **state)
{
    struct pair *p = new_pair(0, 32);

    (void)state;
    p->card.fault = CCID_T1_FAULT_LOST;
    p->card.fault_count = 100000;
    assert_int_equal(run(p, (const UCHAR *)"abcde", 5), STATUS_IO_TIMEOUT);
    assert_true(p->exchanges < 20);
    /* Afterwards the card is well again: the next command works. */
    p->card.fault = CCID_T1_FAULT_NONE;
    assert_int_equal(run(p, (const UCHAR *)"abcde", 5), STATUS_SUCCESS);
    free(p);
}

static void test_t1_endless_wtx_ends_at_the_limit(void **state)
{
    struct pair *p = new_pair(0, 32);

    (void)state;
    p->card.fault = CCID_T1_FAULT_WTX;
    p->card.fault_at = 1;
    p->card.fault_value = 1;
    p->card.fault_count = 1000000;
    assert_int_equal(run(p, (const UCHAR *)"abcde", 5), STATUS_DEVICE_PROTOCOL_ERROR);
    assert_in_range(p->exchanges, SMC_T1_S_BLOCKS_MAX, SMC_T1_S_BLOCKS_MAX + 10);
    free(p);
}

static void test_t1_abort_of_the_card_ends_the_command_and_not_the_link(void **state)
{
    struct pair *p = new_pair(0, 32);
    UCHAR command[100];

    (void)state;
    fill(command, sizeof command);
    p->card.fault = CCID_T1_FAULT_ABORT;
    p->card.fault_at = 2;
    p->card.fault_count = 1;
    assert_int_equal(run(p, command, sizeof command), STATUS_DEVICE_PROTOCOL_ERROR);
    assert_int_equal(run(p, command, sizeof command), STATUS_SUCCESS);
    assert_answer(p, command, sizeof command);
    free(p);
}

static void test_t1_answer_larger_than_the_buffer_is_too_small(void **state)
{
    struct pair *p = new_pair(0, 32);
    UCHAR command[600];

    (void)state;
    fill(command, sizeof command);
    p->room = 300;
    assert_int_equal(run(p, command, sizeof command), STATUS_BUFFER_TOO_SMALL);
    p->room = sizeof p->reply;
    assert_int_equal(run(p, command, 20), STATUS_SUCCESS);
    assert_answer(p, command, 20);
    free(p);
}

static void test_t1_failed_after_execution_is_not_executed_again(void **state)
{
    UCHAR command[20];

    (void)state;
    fill(command, sizeof command);
    /* Everything from the answer on is lost: the card has executed the command. */
    struct pair *p = new_pair(0, 254);
    p->card.fault = CCID_T1_FAULT_LOST;
    p->card.fault_at = 1;
    p->card.fault_count = 3; /* answer and two repetitions; RESYNCH is answered */
    assert_int_equal(run(p, command, sizeof command), STATUS_DEVICE_PROTOCOL_ERROR);
    assert_int_equal(p->card.commands, 1);
    free(p);
}

static void test_t1_resynch_before_the_last_block_starts_again(void **state)
{
    UCHAR command[100];

    (void)state;
    fill(command, sizeof command);
    struct pair *p = new_pair(0, 32);
    p->card.fault = CCID_T1_FAULT_LOST;
    p->card.fault_at = 2;    /* the acknowledgement of the second of four blocks */
    p->card.fault_count = 3; /* and its repetitions */
    assert_int_equal(run(p, command, sizeof command), STATUS_SUCCESS);
    assert_answer(p, command, sizeof command);
    assert_int_equal(p->card.commands, 1);
    assert_int_equal(p->t1.Resynch, 1);
    free(p);
}

static void test_t1_errors_between_good_blocks_do_not_add_up(void **state)
{
    static const UCHAR bad[] = {0x00, 0x00, 0x02, 0x90, 0x00, 0x00};
    static const UCHAR wtx[] = {0x00, 0xc3, 0x01, 0x01, 0xc3};
    static const UCHAR answer[] = {0x00, 0x00, 0x02, 0x90, 0x00, 0x92};
    struct pair *p = new_pair(0, 32);
    UCHAR out[SMC_T1_BLOCK_MAX];
    size_t len;

    (void)state;
    p->link.ifsd_wanted = T1_IFSD_DEFAULT;
    smc_t1_begin(&p->link, 5);
    smc_t1_next(&p->link, (const UCHAR *)"abcde", out, sizeof out, &len);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(
            smc_t1_take(&p->link, bad, sizeof bad, p->reply, sizeof p->reply),
            STATUS_MORE_PROCESSING_REQUIRED);
        smc_t1_next(&p->link, (const UCHAR *)"abcde", out, sizeof out, &len);
        assert_int_equal(out[1], 0x81); /* R(0), checksum */
        assert_int_equal(
            smc_t1_take(&p->link, wtx, sizeof wtx, p->reply, sizeof p->reply),
            STATUS_MORE_PROCESSING_REQUIRED);
        smc_t1_next(&p->link, (const UCHAR *)"abcde", out, sizeof out, &len);
        assert_int_equal(out[1], T1_WTX_RESPONSE);
    }
    assert_int_equal(
        smc_t1_take(&p->link, answer, sizeof answer, p->reply, sizeof p->reply),
        STATUS_SUCCESS);
    assert_int_equal(p->t1.Resynch, 0);
    free(p);
}

#define DAMAGED_LEN 620 /* 20 blocks out, 20 back at 32 bytes each */
#define BLOCKS      39  /* from the card: 19 acknowledgements, 20 parts of the answer */

static struct pair *pair;
static UCHAR damaged_command[DAMAGED_LEN], damaged_answer[DAMAGED_LEN + 2];
static size_t block_len[BLOCKS + 1]; /* of the card's blocks, from 1 */

/* The undamaged exchange: what is right, and how long its blocks are. */
static void prepare_damage(UCHAR edc)
{
    UCHAR out[SMC_T1_BLOCK_MAX], in[CCID_VIRTUAL_T1_BLOCK_MAX];
    NTSTATUS status = STATUS_MORE_PROCESSING_REQUIRED;
    size_t len;

    pair = new_pair(edc, 32);
    pair->link.ifsd_wanted = T1_IFSD_DEFAULT;
    smc_t1_reset(&pair->link);
    fill(damaged_command, DAMAGED_LEN);
    smc_t1_begin(&pair->link, DAMAGED_LEN);
    for (unsigned at = 1; status == STATUS_MORE_PROCESSING_REQUIRED; at++) {
        assert_true(at <= BLOCKS);
        smc_t1_next(&pair->link, damaged_command, out, sizeof out, &len);
        block_len[at] = ccid_virtual_t1_block(&pair->card, out, len, in);
        status =
            smc_t1_take(&pair->link, in, block_len[at], pair->reply, sizeof pair->reply);
    }
    assert_int_equal(status, STATUS_SUCCESS);
    assert_answer(pair, damaged_command, DAMAGED_LEN);
    memcpy(damaged_answer, pair->reply, sizeof damaged_answer);
}

/* Right data or an error, within the bounds, and the card executes at most once. */
static void check_damaged(unsigned at, int byte, UCHAR xor_, size_t len)
{
    NTSTATUS status;

    smc_t1_reset(&pair->link);
    ccid_virtual_t1_reset(&pair->card);
    memset(pair->reply, 0, sizeof damaged_answer);
    pair->exchanges = 0;
    pair->damage_at = at;
    pair->damage_byte = byte;
    pair->damage_xor = xor_;
    pair->damage_len = len;
    status = run(pair, damaged_command, DAMAGED_LEN);
    assert_true(pair->exchanges < 120);
    assert_true(pair->card.commands <= 1);
    if (status == STATUS_SUCCESS) {
        assert_int_equal(pair->t1.BytesReceived, sizeof damaged_answer);
        assert_memory_equal(pair->reply, damaged_answer, sizeof damaged_answer);
    } else {
        assert_true(status == STATUS_DEVICE_PROTOCOL_ERROR ||
                    status == STATUS_IO_TIMEOUT);
    }
    /* The next command gets its own answer. */
    pair->damage_at = 0;
    assert_int_equal(run(pair, damaged_command + 1, 9), STATUS_SUCCESS);
    assert_answer(pair, damaged_command + 1, 9);
}

static void test_t1_any_corruption_or_truncation_gives_right_data_or_an_error(
    void **state)
{
    static const unsigned all = 1, some = 37; /* of the 255 changes of a byte */
    unsigned runs = 0;

    (void)state;
    for (int edc = 0; edc <= T1_CRC_CHECK; edc++) {
        prepare_damage((UCHAR)edc);
        for (unsigned at = 1; at <= BLOCKS; at++) {
            for (size_t byte = 0; byte < block_len[at]; byte++)
                for (unsigned flip = 1; flip < 256; flip += edc ? some : all, runs++)
                    check_damaged(at, (int)byte, (UCHAR)flip, 0);
            for (size_t len = 0; len < block_len[at]; len++, runs++)
                check_damaged(at, -1, 0, len);
        }
        free(pair);
    }
    print_message("%u damaged exchanges of %d blocks, LRC and CRC\n", runs, BLOCKS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t1_errors_between_good_blocks_do_not_add_up),
        cmocka_unit_test(test_t1_edc_of_known_data_is_the_published_value),
        cmocka_unit_test(test_t1_first_block_after_reset_is_the_ifs_request),
        cmocka_unit_test(test_t1_commands_of_all_lengths_come_back),
        cmocka_unit_test(test_t1_pairs_of_blocks_are_the_least_possible),
        cmocka_unit_test(test_t1_nad_of_the_driver_is_sent_and_its_mirror_expected),
        cmocka_unit_test(test_t1_fault_is_recovered_from_without_notice),
        cmocka_unit_test(test_t1_mute_card_is_a_timeout),
        cmocka_unit_test(test_t1_endless_wtx_ends_at_the_limit),
        cmocka_unit_test(test_t1_abort_of_the_card_ends_the_command_and_not_the_link),
        cmocka_unit_test(test_t1_answer_larger_than_the_buffer_is_too_small),
        cmocka_unit_test(test_t1_failed_after_execution_is_not_executed_again),
        cmocka_unit_test(test_t1_resynch_before_the_last_block_starts_again),
        cmocka_unit_test(
            test_t1_any_corruption_or_truncation_gives_right_data_or_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
