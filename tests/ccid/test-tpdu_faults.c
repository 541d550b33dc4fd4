/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-tpdu_faults.c - ccid/tpdu.c on the virtual reader at TPDU level: whole commands,
 * the transfers that they take, and cards that break the block protocol.
 */
#include "ccid/slot.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "virtual_bench.h"

#define SELECT "00 A4 00 00 02 3F 00"
#define ECHO   "80 E0 00 00 03 01 02 03 00"
#define MUTE   "80 00 01 00 01 11"
#define COUNT  "80 E8 00 00 04"

/* BWI 4 at 4 MHz, as the virtual reader rounds it. */
#define BWT_MS    1428
#define WHOLE_MS  (10 * 60 * 1000)
#define FOR_EVER  UINT_MAX
#define ATR_CRC   "3B 80 81 71 FE 45 01 CA"
#define BLOCK_LEN (CCID_HEADER_LENGTH + 2) /* where LEN stands in a message */

static struct virtual_bench v;

static void begin(const char *shape, const char *atr)
{
    virtual_bench_begin(&v, shape, atr);
    assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
    v.bench.log_lines = 0;
}

static NTSTATUS transmit(const char *hex)
{
    return bench_transmit(&v.bench, hex);
}

/* What failed is over: the next command has its own answer within three seconds. */
static void works_again(void)
{
    uint64_t started = v.clock.now_ms;

    fault_usb_disarm(&v.faults);
    virtual_bench_contact(&v)->t1.fault = CCID_T1_FAULT_NONE;
    assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
    assert_int_equal(transmit("80 E0 00 00 02 CA FE 00"), STATUS_SUCCESS);
    bench_reply_is(&v.bench, "CA FE 90 00");
    assert_true(v.clock.now_ms - started <= 3000);
}

/* ---- how many transfers ---------------------------------------------------------- */

static void test_t0_command_takes_one_transfer_each_way(void **state)
{
    (void)state;
    begin("tpdu", NULL);
    assert_int_equal(v.bench.protocol, SCARD_PROTOCOL_T0);
    v.faults.transfer_count = 0;
    assert_int_equal(transmit(SELECT), STATUS_SUCCESS);
    bench_reply_is(&v.bench, "90 00");
    assert_int_equal(v.faults.transfer_count, 2);
    /* 258 bytes in one exchange */
    assert_int_equal(transmit("00 B0 00 00 00"), STATUS_SUCCESS);
    assert_int_equal(v.bench.reply_length, 258);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(v.bench.reply[i], i);
    assert_int_equal(v.faults.transfer_count, 4);
    virtual_bench_end(&v);
}

static unsigned blocks(size_t bytes, unsigned size)
{
    return (unsigned)((bytes + size - 1) / size);
}

/* ECHO of so many bytes, as an extended command. */
static void echo(char *hex, unsigned bytes)
{
    size_t at = (size_t)sprintf(hex, "80E0000000%04X", bytes);

    for (unsigned i = 0; i < bytes; i++)
        at += (size_t)sprintf(hex + at, "%02X", i & 0xFF);
}

static void test_t1_command_takes_a_pair_of_transfers_a_block(void **state)
{
    static const unsigned lengths[] = {1, 247, 248, 252, 253, 600, 5000};
    static char hex[2 * 5000 + 32];

    (void)state;
    begin("tpdu-t1", NULL);
    assert_int_equal(v.bench.protocol, SCARD_PROTOCOL_T1);
    v.faults.transfer_count = 0;
    assert_int_equal(transmit(SELECT), STATUS_SUCCESS);
    assert_int_equal(v.faults.transfer_count, 2 + 2); /* S(IFS) goes before */
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        unsigned n = lengths[i] + 7, m = lengths[i] + 2;

        echo(hex, lengths[i]);
        v.faults.transfer_count = 0;
        assert_int_equal(bench_transmit_room(&v.bench, hex, m), STATUS_SUCCESS);
        assert_int_equal(v.bench.reply_length, m);
        for (unsigned k = 0; k < lengths[i]; k++)
            assert_int_equal(v.bench.reply[k], k & 0xFF);
        assert_int_equal(v.faults.transfer_count,
                         2 * (blocks(n, 254) + blocks(m, 254) - 1));
    }
    assert_int_equal(v.bench.log_lines, 0);
    virtual_bench_end(&v);
}

/* 3 bytes, 254 of INF, 2 of CRC, both ways. */
static void test_t1_frames_of_259_bytes_are_carried(void **state)
{
    char hex[2 * 252 + 32];

    (void)state;
    begin("tpdu-t1", ATR_CRC);
    assert_true(virtual_bench_contact(&v)->t1.crc);
    assert_int_equal(transmit(SELECT), STATUS_SUCCESS);
    echo(hex, 252);
    v.faults.transfer_count = 0;
    assert_int_equal(transmit(hex), STATUS_SUCCESS);
    assert_int_equal(v.bench.reply_length, 254);
    assert_int_equal(v.faults.transfer_count, 2 * (2 + 1 - 1));
    assert_int_equal(transmit("00 B0 00 00 FC"), STATUS_SUCCESS);
    assert_int_equal(v.bench.reply_length, 254);
    virtual_bench_end(&v);
}

/* ---- faults of the card ---------------------------------------------------------- */

static void test_t1_faults_that_the_protocol_can_cure_are_cured(void **state)
{
    static const struct {
        enum ccid_virtual_t1_fault fault;
        unsigned at, count;
        uint8_t value;
        uint32_t least_ms;
    } rows[] = {
        {CCID_T1_FAULT_BAD_EDC, 0, 1, 0, 0}, /* of the answer to S(IFS) */
        {CCID_T1_FAULT_BAD_EDC, 1, 1, 0, 0}, /* of the answer (requirement 31) */
        {CCID_T1_FAULT_BAD_EDC, 1, 2, 0, 0},
        {CCID_T1_FAULT_LOST, 0, 1, 0, BWT_MS},
        {CCID_T1_FAULT_LOST, 1, 2, 0, 2 * BWT_MS},
        {CCID_T1_FAULT_WRONG_SEQ, 1, 1, 0, 0},
        {CCID_T1_FAULT_WTX, 1, 1, 1, BWT_MS},
        {CCID_T1_FAULT_WTX, 1, 1, 2, 2 * BWT_MS},
        {CCID_T1_FAULT_WTX, 1, 1, 5, 5 * BWT_MS},
        {CCID_T1_FAULT_WTX, 1, 1, 30, 30 * BWT_MS},
        {CCID_T1_FAULT_WTX, 1, 3, 30, 3 * 30 * BWT_MS},
        {CCID_T1_FAULT_IFS_REFUSED, 0, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_t1 *t1;
        uint64_t started;

        begin("tpdu-t1", NULL);
        t1 = &virtual_bench_contact(&v)->t1;
        t1->fault = rows[i].fault;
        t1->fault_at = rows[i].at;
        t1->fault_count = rows[i].count;
        t1->fault_value = rows[i].value;
        started = v.clock.now_ms;
        assert_int_equal(transmit(ECHO), STATUS_SUCCESS);
        bench_reply_is(&v.bench, "01 02 03 90 00");
        assert_int_equal(t1->commands, 1);
        assert_true(v.clock.now_ms - started >= rows[i].least_ms);
        assert_true(v.clock.now_ms - started <= rows[i].least_ms + 100);
        assert_int_equal(v.bench.log_lines, 0);
        t1->fault = CCID_T1_FAULT_NONE;
        assert_int_equal(transmit(COUNT), STATUS_SUCCESS);
        bench_reply_is(&v.bench, "00 00 00 02 90 00");
        virtual_bench_end(&v);
    }
}

/* IFS refused: 32 stays, so 100 bytes come in four blocks. */
static void test_t1_card_without_ifs_keeps_32(void **state)
{
    (void)state;
    begin("tpdu-t1", NULL);
    virtual_bench_contact(&v)->t1.fault = CCID_T1_FAULT_IFS_REFUSED;
    assert_int_equal(transmit(SELECT), STATUS_SUCCESS);
    v.faults.transfer_count = 0;
    assert_int_equal(transmit("00 B0 00 00 64"), STATUS_SUCCESS);
    assert_int_equal(v.bench.reply_length, 102);
    assert_int_equal(v.faults.transfer_count, 2 * 4);
    virtual_bench_end(&v);
}

/* A chained command whose acknowledgements get lost goes through RESYNCH and starts
 * again: the card had not got its end. */
static void test_t1_command_that_was_not_complete_restarts_after_resynch(void **state)
{
    struct ccid_virtual_t1 *t1;
    char hex[2 * 300 + 32];

    (void)state;
    begin("tpdu-t1", NULL);
    t1 = &virtual_bench_contact(&v)->t1;
    t1->fault = CCID_T1_FAULT_BAD_EDC;
    t1->fault_at = 1;
    t1->fault_count = 3;
    echo(hex, 300);
    assert_int_equal(bench_transmit_room(&v.bench, hex, 302), STATUS_SUCCESS);
    assert_int_equal(v.bench.reply_length, 302);
    assert_int_equal(t1->commands, 1);
    virtual_bench_end(&v);
}

/* The same at its end: it may have been executed, and is not sent again. */
static void test_t1_command_that_may_be_executed_is_not_repeated(void **state)
{
    static const struct {
        enum ccid_virtual_t1_fault fault;
        NTSTATUS status;
    } rows[] = {
        {CCID_T1_FAULT_BAD_EDC, STATUS_DEVICE_PROTOCOL_ERROR},
        {CCID_T1_FAULT_LOST, STATUS_IO_TIMEOUT},
        {CCID_T1_FAULT_ABORT, STATUS_DEVICE_PROTOCOL_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_t1 *t1;

        begin("tpdu-t1", NULL);
        t1 = &virtual_bench_contact(&v)->t1;
        t1->fault = rows[i].fault;
        t1->fault_at = 1;
        t1->fault_count = FOR_EVER;
        assert_int_equal(transmit(ECHO), rows[i].status);
        assert_int_equal(t1->commands, 1);
        assert_int_equal(v.bench.log_lines, 1);
        assert_int_equal(bench_state(&v.bench), SCARD_SPECIFIC);
        works_again();
        assert_int_equal(t1->commands, 2);
        virtual_bench_end(&v);
    }
}

/* Requirement 29: a slow card meets the ten minutes, a fast one the number of blocks. */
static void test_t1_waiting_time_extensions_without_end_are_an_error(void **state)
{
    static const struct {
        uint8_t value;
        NTSTATUS status;
        uint32_t least_ms;
    } rows[] = {
        {1, STATUS_IO_TIMEOUT, WHOLE_MS},
        {255, STATUS_IO_TIMEOUT, WHOLE_MS},
        {0, STATUS_DEVICE_PROTOCOL_ERROR, 0}, /* read as 1, but answered at once */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_t1 *t1;
        uint64_t started;

        begin("tpdu-t1", NULL);
        t1 = &virtual_bench_contact(&v)->t1;
        t1->fault = CCID_T1_FAULT_WTX;
        t1->fault_at = 1;
        t1->fault_count = FOR_EVER;
        t1->fault_value = rows[i].value;
        started = v.clock.now_ms;
        assert_int_equal(transmit(ECHO), rows[i].status);
        assert_true(v.clock.now_ms - started >= rows[i].least_ms);
        assert_true(v.clock.now_ms - started <= rows[i].least_ms + 5000);
        assert_int_equal(t1->commands, 1);
        works_again();
        virtual_bench_end(&v);
    }
}

/* Requirement 30, for ever: LEN says more than there is, or FF. */
static void test_t1_block_with_a_wrong_length_fails_after_the_limits(void **state)
{
    static const uint8_t lengths[] = {0xFE, 0xFF, 0x40};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths); i++) {
        begin("tpdu-t1", NULL);
        assert_int_equal(transmit(SELECT), STATUS_SUCCESS);
        fault_usb_arm(&v.faults, (struct fault){.on = FAULT_ON_IN,
                                                .kind = FAULT_MUTATE,
                                                .at = 1,
                                                .sticky = true,
                                                .offset = BLOCK_LEN,
                                                .value = lengths[i]});
        v.faults.transfer_count = 0;
        assert_int_equal(transmit(ECHO), STATUS_DEVICE_PROTOCOL_ERROR);
        /* the block, two repetitions; twice RESYNCH with two repetitions each */
        assert_int_equal(v.faults.transfer_count, 2 * 9);
        works_again();
        virtual_bench_end(&v);
    }
}

static void test_mute_card_is_a_timeout_and_a_reset_brings_it_back(void **state)
{
    static const char *const shapes[] = {"tpdu", "tpdu-t1"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (int first = 0; first <= 1; first++) {
            begin(shapes[i], NULL);
            if (!first)
                assert_int_equal(transmit(SELECT), STATUS_SUCCESS);
            assert_int_equal(transmit(MUTE), STATUS_IO_TIMEOUT);
            assert_int_equal(v.bench.log_lines, 1);
            assert_int_equal(transmit(SELECT), STATUS_IO_TIMEOUT);
            assert_int_equal(bench_power(&v.bench, SCARD_WARM_RESET), STATUS_SUCCESS);
            assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
            assert_int_equal(transmit(SELECT), STATUS_SUCCESS);
            bench_reply_is(&v.bench, "90 00");
            virtual_bench_end(&v);
        }
    }
}

/* ---- in the middle of it --------------------------------------------------------- */

static void cancel_request(void *context)
{
    PSMARTCARD_EXTENSION ext = context;

    assert_true(IoCancelIrp(ext->OsData->CurrentIrp));
}

static void remove_card(void *context)
{
    assert_int_equal(ccid_virtual_reader_remove(context, 0), 0);
}

static void insert_card(void *context)
{
    assert_int_equal(ccid_virtual_reader_insert(context, 0, NULL, 0), 0);
}

static void extend_for_ever(void)
{
    struct ccid_virtual_t1 *t1 = &virtual_bench_contact(&v)->t1;

    t1->fault = CCID_T1_FAULT_WTX;
    t1->fault_at = 1;
    t1->fault_count = FOR_EVER;
    t1->fault_value = 10;
}

static void test_t1_command_is_cancelled_while_the_card_extends_its_time(void **state)
{
    struct ccid_slot *slot;

    (void)state;
    begin("tpdu-t1", NULL);
    slot = v.bench.slots[0]->DeviceExtension;
    extend_for_ever();
    virtual_clock_at(&v.clock, v.clock.now_ms + 50000, cancel_request, &slot->ext);
    assert_int_equal(transmit(ECHO), STATUS_CANCELLED);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    works_again();
    virtual_bench_end(&v);
}

static void test_t1_card_pulled_while_it_extends_its_time_is_no_media(void **state)
{
    (void)state;
    begin("tpdu-t1", NULL);
    extend_for_ever();
    virtual_clock_at(&v.clock, v.clock.now_ms + 50000, remove_card, v.reader);
    assert_int_equal(transmit(ECHO), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&v.bench), SCARD_ABSENT);
    insert_card(v.reader);
    works_again();
    virtual_bench_end(&v);
}

/* A reader that falls silent is no card that does: nothing is sent to it again. */
static void test_t1_reader_that_does_not_answer_ends_the_command(void **state)
{
    (void)state;
    begin("tpdu-t1", NULL);
    assert_int_equal(transmit(SELECT), STATUS_SUCCESS);
    fault_usb_arm(&v.faults,
                  (struct fault){.on = FAULT_ON_IN, .kind = FAULT_LOSE, .at = 1});
    assert_int_equal(transmit(ECHO), STATUS_IO_TIMEOUT);
    assert_int_equal(virtual_bench_contact(&v)->t1.commands, 2);
    assert_int_equal(bench_state(&v.bench), SCARD_SWALLOWED);
    works_again();
    virtual_bench_end(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t0_command_takes_one_transfer_each_way),
        cmocka_unit_test(test_t1_command_takes_a_pair_of_transfers_a_block),
        cmocka_unit_test(test_t1_frames_of_259_bytes_are_carried),
        cmocka_unit_test(test_t1_faults_that_the_protocol_can_cure_are_cured),
        cmocka_unit_test(test_t1_card_without_ifs_keeps_32),
        cmocka_unit_test(test_t1_command_that_was_not_complete_restarts_after_resynch),
        cmocka_unit_test(test_t1_command_that_may_be_executed_is_not_repeated),
        cmocka_unit_test(test_t1_waiting_time_extensions_without_end_are_an_error),
        cmocka_unit_test(test_t1_block_with_a_wrong_length_fails_after_the_limits),
        cmocka_unit_test(test_mute_card_is_a_timeout_and_a_reset_brings_it_back),
        cmocka_unit_test(test_t1_command_is_cancelled_while_the_card_extends_its_time),
        cmocka_unit_test(test_t1_card_pulled_while_it_extends_its_time_is_no_media),
        cmocka_unit_test(test_t1_reader_that_does_not_answer_ends_the_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
