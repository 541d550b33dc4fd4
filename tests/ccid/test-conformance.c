/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-conformance.c - the cases that are known of the reader tests of Windows, parts A
 * (card monitor), B (reader interface), C (resource manager) and D (card protocol), on
 * virtual readers.
 */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "virtual_bench.h"

#define SELECT "00 A4 00 00 02 3F 00"
#define MUTE   "80 00 01 00 01 11"

static struct virtual_bench v;
static struct virtual_tracker tracker;

#define EXPECT(code, in, room, status, out)                                              \
    virtual_bench_expect(&v, IOCTL_SMARTCARD_##code, in, room, STATUS_##status, out)

static NTSTATUS track(ULONG code)
{
    return virtual_bench_track(&v, &tracker, code);
}

static void begin_empty(void)
{
    virtual_bench_begin(&v, "tpdu", NULL);
    virtual_bench_remove(&v);
}

/* ---- part A ------------------------------------------------------------------------ */

static void test_a_events_of_the_monitor_come(void **state)
{
    (void)state;
    begin_empty();
    assert_int_equal(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING); /* empty */
    virtual_bench_insert(&v, NULL);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_SUCCESS);
    assert_int_equal(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_SUCCESS);
    assert_int_equal(track(IOCTL_SMARTCARD_IS_ABSENT), STATUS_PENDING);
    virtual_bench_remove(&v);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_SUCCESS);
    assert_int_equal(track(IOCTL_SMARTCARD_IS_ABSENT), STATUS_SUCCESS);
    virtual_bench_end(&v);
}

/* Ten insertions and removals, some of them under a running command. */
static void toggle(void *context)
{
    (void)context;
    if (v.reader->slots[0].present)
        virtual_bench_remove(&v);
    else
        virtual_bench_insert(&v, NULL);
}

static void test_a_no_event_of_ten_cycles_is_lost(void **state)
{
    (void)state;
    begin_empty();
    for (unsigned cycle = 0; cycle < 10; cycle++) {
        assert_int_equal(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
        toggle(NULL);
        assert_int_equal(tracker.completed, 1);
        assert_int_equal(track(IOCTL_SMARTCARD_IS_ABSENT), STATUS_PENDING);
        if (cycle % 2 == 0) {
            toggle(NULL);
        } else {
            assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
            virtual_clock_at(&v.clock, v.clock.now_ms + 130 * cycle, toggle, NULL);
            assert_int_equal(bench_transmit(&v.bench, "80 E4 27 10"), STATUS_NO_MEDIA);
        }
        assert_int_equal(tracker.completed, 1);
        assert_int_equal(bench_state(&v.bench), SCARD_ABSENT);
    }
    virtual_bench_end(&v);
}

/* ---- part B ------------------------------------------------------------------------ */

static ULONG number(ULONG tag)
{
    ULONG value;

    assert_int_equal(
        bench_ioctl(&v.bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, sizeof(tag), 4),
        STATUS_SUCCESS);
    assert_int_equal(v.bench.reply_length, 4);
    memcpy(&value, v.bench.reply, sizeof(value));
    return value;
}

static void test_b_attributes_of_the_reader_are_there_without_a_card(void **state)
{
    (void)state;
    begin_empty();
    EXPECT(GET_ATTRIBUTE, "00010100", 32, SUCCESS, "41 43 4D 45");       /* ACME */
    EXPECT(GET_ATTRIBUTE, "01010100", 32, SUCCESS, "43 43 49 44 20 31"); /* CCID 1 */
    assert_int_equal(number(SCARD_ATTR_DEVICE_UNIT), 0);
    assert_int_equal(number(SCARD_ATTR_CHANNEL_ID) >> 16, SCARD_READER_TYPE_USB);
    assert_int_equal(number(SCARD_ATTR_PROTOCOL_TYPES), SCARD_PROTOCOL_Tx);
    assert_true(number(SCARD_ATTR_DEFAULT_CLK) >= 3579);
    assert_true(number(SCARD_ATTR_MAX_CLK) >= 3579);
    assert_true(number(SCARD_ATTR_DEFAULT_DATA_RATE) >= 9600);
    assert_true(number(SCARD_ATTR_MAX_DATA_RATE) >= 9600);
    assert_int_equal(number(SCARD_ATTR_MAX_IFSD), 254);
    assert_int_equal(number(SCARD_ATTR_CHARACTERISTICS), 0);
    virtual_bench_end(&v);
}

static void test_b_attribute_without_a_buffer_is_refused(void **state)
{
    (void)state;
    begin_empty();
    EXPECT(GET_ATTRIBUTE, "00010100", 0, BUFFER_TOO_SMALL, "");
    EXPECT(GET_ATTRIBUTE, "00010100", 3, BUFFER_TOO_SMALL, "");
    EXPECT(GET_ATTRIBUTE, "", 0, INVALID_PARAMETER, "");
    assert_int_equal(smc_irp_ioctl(v.bench.slots[0], NULL, IOCTL_SMARTCARD_GET_ATTRIBUTE,
                                   NULL, 4, 32, NULL),
                     STATUS_INVALID_PARAMETER);
    virtual_bench_end(&v);
}

/* ---- part C ------------------------------------------------------------------------ */

static void test_c_simulation_of_the_resource_manager(void **state)
{
    (void)state;
    begin_empty();
    EXPECT(GET_STATE, "", 4, SUCCESS, "01000000");
    assert_int_equal(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    virtual_bench_expect(&v, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, "", 0, STATUS_SUCCESS,
                         "");
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_CANCELLED);

    assert_int_equal(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    virtual_bench_insert(&v, NULL);
    assert_int_equal(tracker.status, STATUS_SUCCESS);
    assert_int_equal(track(IOCTL_SMARTCARD_IS_ABSENT), STATUS_PENDING);
    EXPECT(GET_STATE, "", 4, SUCCESS, "03000000");
    EXPECT(POWER, "01000000", 33, SUCCESS, "3B 95 18 40 FF 62 01 02 01 04");
    EXPECT(GET_STATE, "", 4, SUCCESS, "05000000");
    EXPECT(SET_PROTOCOL, "03000000", 4, SUCCESS, "01000000");
    EXPECT(GET_STATE, "", 4, SUCCESS, "06000000");
    EXPECT(POWER, "02000000", 33, SUCCESS, "3B 95 18 40 FF 62 01 02 01 04");
    EXPECT(GET_STATE, "", 4, SUCCESS, "05000000");
    EXPECT(POWER, "00000000", 0, SUCCESS, "");
    EXPECT(GET_STATE, "", 4, SUCCESS, "03000000");
    assert_int_equal(tracker.completed, 0);
    virtual_bench_remove(&v);
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, STATUS_SUCCESS);
    EXPECT(GET_STATE, "", 4, SUCCESS, "01000000");
    virtual_bench_end(&v);
}

/* ---- part D ------------------------------------------------------------------------ */

/* Cards 3 and 4 of the published set. */
#define ATR_T0_ONLY "3B 95 18 40 FF 62 01 02 01 04"
#define ATR_T1_ONLY                                                                      \
    "3B DF 18 00 81 31 FE 67 00 5C 49 43 4D D4 91 47 D2 76 00 00 38 33 00 58"
/* Inverse convention; and T=0 first with T=1 beside it. */
#define ATR_INVERSE "3F 00"
#define ATR_BOTH    "3B 88 80 01 54 45 53 54 42 45 44 01 5D"
/* Specific mode: T=0 at TA1 = 18, T=1 at TA1 = 11. */
#define ATR_SPECIFIC_T0 "3B 90 18 10 00"
#define ATR_SPECIFIC_T1 "3B 90 11 91 01 21 45 75"

/* The card in a reader that leaves everything to the host, powered. */
static void put_in(const char *atr)
{
    virtual_bench_begin(&v, "tpdu", atr);
    EXPECT(POWER, "01000000", 33, SUCCESS, atr);
    if (bench_state(&v.bench) == SCARD_NEGOTIABLE)
        assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
}

static void test_d_protocol_that_the_card_lacks_is_not_supported(void **state)
{
    static const struct {
        const char *atr, *lacks, *has;
    } rows[] = {
        {ATR_T0_ONLY, "02000000", "01000000"},
        {ATR_T1_ONLY, "01000000", "02000000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        virtual_bench_begin(&v, "tpdu", rows[i].atr);
        EXPECT(POWER, "01000000", 33, SUCCESS, rows[i].atr);
        EXPECT(SET_PROTOCOL, rows[i].lacks, 4, NOT_SUPPORTED, "");
        EXPECT(GET_STATE, "", 4, SUCCESS, "05000000");
        EXPECT(SET_PROTOCOL, "03000000", 4, SUCCESS, rows[i].has);
        virtual_bench_end(&v);
    }
}

static void test_d_cards_of_every_kind_take_commands(void **state)
{
    static const struct {
        const char *atr;
        ULONG protocol;
    } rows[] = {
        {ATR_T0_ONLY, SCARD_PROTOCOL_T0},     {ATR_T1_ONLY, SCARD_PROTOCOL_T1},
        {ATR_INVERSE, SCARD_PROTOCOL_T0},     {ATR_BOTH, SCARD_PROTOCOL_T1},
        {ATR_SPECIFIC_T0, SCARD_PROTOCOL_T0}, {ATR_SPECIFIC_T1, SCARD_PROTOCOL_T1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_in(rows[i].atr);
        assert_int_equal(bench_state(&v.bench), SCARD_SPECIFIC);
        v.bench.protocol = number(SCARD_ATTR_CURRENT_PROTOCOL_TYPE);
        assert_int_equal(v.bench.protocol, rows[i].protocol);
        assert_int_equal(bench_transmit(&v.bench, SELECT), STATUS_SUCCESS);
        bench_reply_is(&v.bench, "90 00");
        assert_int_equal(bench_transmit(&v.bench, "00 A4 04 00 02 11 22"),
                         STATUS_SUCCESS);
        bench_reply_is(&v.bench, "6A 82"); /* a file that is not there */
        virtual_bench_end(&v);
    }
}

/* For T=0 and T=1 alike. */
static void test_d_wrong_requests_and_a_mute_card(void **state)
{
    static const char *const atrs[] = {ATR_T0_ONLY, ATR_T1_ONLY};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        put_in(atrs[i]);
        assert_int_equal(bench_transmit_room(&v.bench, SELECT, 1),
                         STATUS_BUFFER_TOO_SMALL); /* 9 bytes for an answer of 10 */
        assert_int_equal(bench_transmit(&v.bench, "00 A4 00 00 08 00"),
                         STATUS_INVALID_PARAMETER);
        assert_int_equal(bench_transmit(&v.bench, SELECT), STATUS_SUCCESS);
        assert_int_equal(bench_transmit(&v.bench, MUTE), STATUS_IO_TIMEOUT);
        assert_int_equal(smc_status_errno(STATUS_IO_TIMEOUT), 110);
        EXPECT(POWER, "01000000", 33, SUCCESS, atrs[i]);
        assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
        assert_int_equal(bench_transmit(&v.bench, SELECT), STATUS_SUCCESS);
        bench_reply_is(&v.bench, "90 00");
        virtual_bench_end(&v);
    }
}

static void test_d_echo_with_waiting_time_extensions(void **state)
{
    static const uint8_t extensions[] = {1, 2, 5, 30};

    (void)state;
    put_in(ATR_T1_ONLY);
    assert_int_equal(bench_transmit(&v.bench, SELECT), STATUS_SUCCESS);
    for (size_t i = 0; i < sizeof(extensions); i++) {
        struct ccid_virtual_t1 *t1 = &virtual_bench_contact(&v)->t1;

        t1->fault = CCID_T1_FAULT_WTX;
        t1->fault_at = t1->blocks_sent;
        t1->fault_count = 1;
        t1->fault_value = extensions[i];
        assert_int_equal(bench_transmit(&v.bench, "80 E0 00 00 04 01 02 03 04"),
                         STATUS_SUCCESS);
        bench_reply_is(&v.bench, "01 02 03 04 90 00");
    }
    virtual_bench_end(&v);
}

/* Blocks of 1, 25, 75 and 128 bytes there and back. */
static void test_d_blocks_come_back_as_they_were_written(void **state)
{
    static const char *const atrs[] = {ATR_T0_ONLY, ATR_T1_ONLY};
    static const unsigned lengths[] = {1, 25, 75, 128};
    char hex[2 * 128 + 32];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        put_in(atrs[i]);
        for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
            size_t at = (size_t)sprintf(hex, "80E00000%02X", lengths[k]);

            for (unsigned n = 0; n < lengths[k]; n++)
                at += (size_t)sprintf(hex + at, "%02X", 0xFF - n);
            assert_int_equal(bench_transmit(&v.bench, hex), STATUS_SUCCESS);
            if (i == 0) {
                uint8_t waiting[2] = {0x61, (uint8_t)lengths[k]};

                assert_int_equal(v.bench.reply_length, 2);
                assert_memory_equal(v.bench.reply, waiting, 2);
                sprintf(hex, "00C00000%02X", lengths[k]);
                assert_int_equal(bench_transmit(&v.bench, hex), STATUS_SUCCESS);
            }
            assert_int_equal(v.bench.reply_length, lengths[k] + 2);
            for (unsigned n = 0; n < lengths[k]; n++)
                assert_int_equal(v.bench.reply[n], 0xFF - n);
        }
        virtual_bench_end(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_events_of_the_monitor_come),
        cmocka_unit_test(test_a_no_event_of_ten_cycles_is_lost),
        cmocka_unit_test(test_b_attributes_of_the_reader_are_there_without_a_card),
        cmocka_unit_test(test_b_attribute_without_a_buffer_is_refused),
        cmocka_unit_test(test_c_simulation_of_the_resource_manager),
        cmocka_unit_test(test_d_protocol_that_the_card_lacks_is_not_supported),
        cmocka_unit_test(test_d_cards_of_every_kind_take_commands),
        cmocka_unit_test(test_d_wrong_requests_and_a_mute_card),
        cmocka_unit_test(test_d_echo_with_waiting_time_extensions),
        cmocka_unit_test(test_d_blocks_come_back_as_they_were_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
