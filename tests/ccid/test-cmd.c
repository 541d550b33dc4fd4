/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-cmd.c - ccid/cmd.c: what may come between a command and its answer. Every case
 * ends with a correct command that works.
 */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

static struct ccid_slot *slot_of(const struct bench *bench)
{
    return bench->slots[0]->DeviceExtension;
}

static struct ccid_device *device_of(const struct bench *bench)
{
    return slot_of(bench)->device;
}

/* The fault is over: the next command, after power-up if the card lost it, succeeds. */
static void works_again(struct bench *bench)
{
    if (bench_state(bench) != SCARD_SPECIFIC) {
        script_command(&bench->usb, BENCH_ON_OUT, BENCH_ATR_IN);
        assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
        script_command(&bench->usb, "6C 00000000 00 SS 000000",
                       "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
        assert_int_equal(bench_set_protocol(bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    }
    script_command(&bench->usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit(bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(bench, "90 00");
    bench_end(bench);
}

static void test_command_and_answer_cost_one_exchange(void **state)
{
    struct bench bench;
    unsigned int exchanges, reads;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    exchanges = bench.usb.exchanges;
    reads = bench.usb.reads;
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    assert_int_equal(bench.usb.exchanges - exchanges, 1);
    assert_int_equal(bench.usb.reads - reads, 1);
    assert_int_equal(bench.log_lines, 0);
    works_again(&bench);
}

static void test_sequence_numbers_go_up_by_one_and_wrap(void **state)
{
    struct bench bench;
    uint8_t last;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    for (int i = 0; i < 300; i++) {
        last = bench.usb.last_seq;
        bench.usb.count = bench.usb.at = 0;
        script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
        assert_int_equal(bench.usb.last_seq, (uint8_t)(last + 1));
    }
    works_again(&bench);
}

/* Requirement 12: an empty transfer before the answer is skipped, but not for ever. */
static void test_empty_transfers_before_the_answer_are_skipped(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_in(&bench.usb, "");
    script_in(&bench.usb, "");
    script_in(&bench.usb, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    works_again(&bench);
}

static void test_three_empty_transfers_fail_the_command(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    for (int i = 0; i < 3; i++)
        script_in(&bench.usb, "");
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_DEVICE_ERROR);
    works_again(&bench);
}

/* One bad answer, the status of the command, then resynchronised. */
static const struct {
    const char *what;
    const char *answer;
} bad_answers[] = {
    {"requirement 13: 1 byte", "80"},
    {"requirement 13: 9 bytes", "80 02000000 00 SS 00 00"},
    {"requirement 14: dwLength says more than came", "80 03000000 00 SS 00 00 00 90 00"},
    {"requirement 15: dwLength FFFFFFFF", "80 FFFFFFFF 00 SS 00 00 00 90 00"},
    {"requirement 15: dwLength 2^31", "80 00000080 00 SS 00 00 00 90 00"},
    {"requirement 18: wrong type", "82 02000000 00 SS 00 00 00 90 00"},
    {"slot status that reports success", "81 00000000 00 SS 00 00 00"},
    {"type that is no answer", "50 02000000 00 SS 00 00 00 90 00"},
    {"bmCommandStatus 3", "80 00000000 00 SS C0 00 00"},
};

/* Requirements 13, 14, 15, 18: the command fails, nothing of the answer is delivered,
 * one line is logged, the slot is resynchronised. */
static void test_malformed_answers_fail_the_command_and_resynchronise(void **state)
{
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(bad_answers) / sizeof(bad_answers[0]); i++) {
        uint64_t started;

        bench_ready(&bench, BENCH_EXTENDED);
        started = bench.usb.now_ms;
        script_command(&bench.usb, BENCH_SELECT_OUT, bad_answers[i].answer);
        script_resync(&bench.usb);
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_DEVICE_ERROR);
        assert_int_equal(bench.log_lines, 1);
        assert_non_null(strstr(bench.log, "XfrBlock"));
        assert_true(bench.usb.now_ms - started <= 1000);
        assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
        works_again(&bench);
    }
}

/* Requirement 16: an answer for another slot is not ours. */
static void test_answer_with_the_wrong_slot_is_discarded(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 02000000 01 SS 00 00 00 6A 82");
    script_in(&bench.usb, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    assert_int_equal(bench.log_lines, 1);
    works_again(&bench);
}

/* Requirement 17: an answer with another number is not ours, for any command. */
static void test_answer_with_the_wrong_number_is_discarded_for_every_command(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 TT 02 00 00");
    script_in(&bench.usb, "81 00000000 00 SS 01 00 00");
    assert_int_equal(bench_try_add(&bench), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);

    script_command(&bench.usb, BENCH_ON_OUT,
                   "80 04000000 00 TT 00 00 00 3B 80 80 00"); /* another card's ATR */
    script_in(&bench.usb, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    bench_reply_is(&bench, BENCH_ATR);

    script_command(&bench.usb, "6C 00000000 00 SS 000000",
                   "82 05000000 00 TT 00 00 00 11 00 00 0A 00");
    script_in(&bench.usb, "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    bench_reply_is(&bench, "02 00 00 00");

    script_command(&bench.usb, BENCH_SELECT_OUT, "80 02000000 00 TT 00 00 00 6A 82");
    script_in(&bench.usb, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");

    script_command(&bench.usb, BENCH_OFF_OUT, "81 00000000 00 TT 02 00 00");
    script_in(&bench.usb, BENCH_OFF_IN);
    assert_int_equal(bench_power(&bench, SCARD_POWER_DOWN), STATUS_SUCCESS);
    works_again(&bench);
}

static void test_strange_answers_without_end_fail_the_command(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    for (int i = 0; i < 17; i++)
        script_in(&bench.usb, "80 02000000 00 TT 00 00 00 6A 82");
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_DEVICE_ERROR);
    assert_int_equal(bench.log_lines, 2); /* the first discard, and the failure */
    works_again(&bench);
}

/* Requirement 19: twenty time extensions, then the answer. */
static void test_twenty_time_extensions_end_in_success(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    for (int i = 0; i < 20; i++)
        script_in(&bench.usb, "80 00000000 00 SS 80 01 00")->delay_ms = 900;
    script_in(&bench.usb, BENCH_9000_IN)->delay_ms = 900;
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    works_again(&bench);
}

/* The multiplier counts from the base each time: 255, then 1, is the base again. */
static void test_time_extension_multiplies_the_base_only(void **state)
{
    struct bench bench;
    uint64_t started;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    started = bench.usb.now_ms;
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_in(&bench.usb, "80 00000000 00 SS 80 03 00");
    script_in(&bench.usb, "80 00000000 00 SS 80 01 00");
    /* then silence: one base, not three */
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    assert_true(bench.usb.now_ms - started < 2 * 300000);
    works_again(&bench);
}

static void test_time_extensions_without_end_fail_within_ten_minutes(void **state)
{
    static const char extension[] = "80 00000000 00 SS 80 FF 00";
    struct bench bench;
    uint64_t started;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    started = bench.usb.now_ms;
    script_out(&bench.usb, BENCH_SELECT_OUT);
    for (int i = 0; i < 9; i++)
        script_in(&bench.usb, extension)->delay_ms = 100000;
    /* The last ones come after ten minutes: they are what the drain finds. */
    script_abort_request(&bench.usb, 0);
    script_command(&bench.usb, "72 00000000 00 SS 000000", "81 00000000 00 SS 01 00 00");
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 01 00 00");
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    for (size_t i = 0; i < bench.usb.count; i++) {
        if (bench.usb.steps[i].hex == extension && i >= bench.usb.at + 7)
            bench.usb.steps[i].delay_ms = 1; /* queued by then */
    }
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    assert_true(bench.usb.now_ms - started <= 601000);
    works_again(&bench);
}

static void test_huge_time_extension_does_not_wait_beyond_ten_minutes(void **state)
{
    struct bench bench;
    uint64_t started;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    started = bench.usb.now_ms;
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_in(&bench.usb, "80 00000000 00 SS 80 FF 00"); /* hours, and then silence */
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    assert_true(bench.usb.now_ms - started >= 600000);
    assert_true(bench.usb.now_ms - started <= 601000);
    works_again(&bench);
}

/* What is no work of a card or a user is put off for twice its time at most. */
static void test_time_extensions_of_a_status_end_after_twice_its_time(void **state)
{
    struct bench bench;
    struct ccid_slot *slot;
    enum ccid_icc icc;
    uint64_t started;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    slot = bench.slots[0]->DeviceExtension;
    started = bench.usb.now_ms;
    script_out(&bench.usb, BENCH_STATUS_OUT);
    script_in(&bench.usb, "81 00000000 00 SS 80 FF 00")->delay_ms = 900;
    script_in(&bench.usb, "81 00000000 00 SS 80 FF 00")->delay_ms = 900;
    script_resync(&bench.usb);
    assert_int_equal(ccid_icc_status(slot, 1000, &icc), STATUS_IO_TIMEOUT);
    assert_true(bench.usb.now_ms - started >= 2000);
    assert_true(bench.usb.now_ms - started <= 2100);
    works_again(&bench);
}

struct moment {
    const struct ccid_usb *usb;
    uint64_t ms;
};

static void note_time(void *context)
{
    struct moment *moment = context;

    moment->ms = moment->usb->now_ms;
}

/* A reader that asks for time while it is brought back does not get more than there is.
 */
static void test_time_extensions_do_not_lengthen_the_repair(void **state)
{
    struct script_step *abort;
    struct bench bench;
    struct moment began = {.usb = &bench.usb};

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT);
    abort = script_abort_request(&bench.usb, 0);
    abort->action = note_time;
    abort->context = &began;
    script_command(&bench.usb, "72 00000000 00 SS 000000", "81 00000000 00 SS 01 00 00");
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 80 FF 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    assert_true(bench.usb.now_ms - began.ms <= CCID_RESYNC_NOW_MS);
    script_resync(&bench.usb);
    works_again(&bench);
}

/* Requirement 20: silence fails the command at its deadline; the abort sequence brings
 * the slot back. */
static void test_silence_fails_the_command_at_its_deadline(void **state)
{
    struct bench bench;
    uint64_t started;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    started = bench.usb.now_ms;
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    assert_int_equal(bench.log_lines, 1);
    assert_true(bench.usb.now_ms - started >= 3000);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    works_again(&bench);
}

static void test_late_answer_of_a_failed_command_is_not_taken_for_the_next(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_out(&bench.usb, BENCH_SELECT_OUT)->result = CCID_USB_IO;
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_DEVICE_ERROR);

    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, "6C 00000000 00 SS 000000",
                   "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 02000000 00 TT 00 00 00 63 C0");
    script_in(&bench.usb, "80 02000000 00 SS 00 00 00 6A 82");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "6A 82");
    works_again(&bench);
}

/* ---- framing --------------------------------------------------------------------- */

/* Answers around the packet size of 64: with and without an empty packet after them. */
static void test_answers_around_the_packet_size_are_whole(void **state)
{
    static const unsigned int payloads[] = {53, 54, 55, 117, 118, 119, 256};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        for (int zlp = 0; zlp < 2; zlp++) {
            char answer[1024];
            size_t at;

            bench_ready(&bench, BENCH_EXTENDED);
            at =
                (size_t)snprintf(answer, sizeof(answer), "80 %02X%02X0000 00 SS 00 00 00",
                                 payloads[i] & 0xFF, payloads[i] >> 8);
            for (unsigned int k = 0; k + 2 < payloads[i]; k++)
                at +=
                    (size_t)snprintf(answer + at, sizeof(answer) - at, "%02X", k & 0xFF);
            snprintf(answer + at, sizeof(answer) - at, "9000");
            script_command(&bench.usb, "6F 05000000 00 SS 000000 00 B0 00 00 FE", answer);
            assert_int_equal(bench_transmit(&bench, "00 B0 00 00 FE"), STATUS_SUCCESS);
            assert_int_equal(bench.reply_length, payloads[i]);
            assert_int_equal(bench.reply[payloads[i] - 2], 0x90);
            if (zlp) { /* it belongs to the past: the next command skips it */
                script_out(&bench.usb, BENCH_SELECT_OUT);
                script_in(&bench.usb, "");
                script_in(&bench.usb, BENCH_9000_IN);
                assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
                bench_reply_is(&bench, "90 00");
            }
            works_again(&bench);
        }
    }
}

static void test_bytes_behind_the_promised_length_are_ignored(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_SELECT_OUT,
                   "80 02000000 00 SS 00 00 00 90 00 00 00 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    works_again(&bench);
}

/* ---- the reader's own failures --------------------------------------------------- */

/* "Busy" says that nothing was executed: the command is repeated, with a new number. */
static void test_busy_reader_is_waited_for(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 00000000 00 SS 40 E0 00");
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 00000000 00 SS 40 F2 00");
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    assert_int_equal(bench.usb.slept_ms, 20 + 40);
    works_again(&bench);
}

static void test_reader_that_stays_busy_ends_in_device_busy(void **state)
{
    struct bench bench;
    uint64_t started;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    started = bench.usb.now_ms;
    for (int i = 0; i < 30; i++)
        script_command(&bench.usb, BENCH_SELECT_OUT, "80 00000000 00 SS 40 E0 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_DEVICE_BUSY);
    assert_true(bench.usb.now_ms - started >= 5000);
    assert_true(bench.usb.now_ms - started < 6000);
    bench.usb.count = bench.usb.at; /* what it would still have refused */
    works_again(&bench);
}

/* No command is sent twice because of an error: one XfrBlock, whatever happens. */
static void test_failed_command_is_never_repeated(void **state)
{
    static const enum ccid_usb_result results[] = {CCID_USB_TIMEOUT, CCID_USB_STALL,
                                                   CCID_USB_OVERFLOW, CCID_USB_IO,
                                                   CCID_USB_NO_MEMORY};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        bench_ready(&bench, BENCH_EXTENDED);
        script_out(&bench.usb, BENCH_SELECT_OUT);
        script_in(&bench.usb, BENCH_9000_IN)->result = results[i];
        script_resync(&bench.usb); /* a second XfrBlock would not fit in here */
        assert_int_not_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
        works_again(&bench);
    }
}

static void test_device_that_is_gone_ends_the_command_at_once(void **state)
{
    struct bench bench;
    uint64_t started;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    started = bench.usb.now_ms;
    script_out(&bench.usb, BENCH_SELECT_OUT)->result = CCID_USB_GONE;
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_DEVICE_REMOVED);
    assert_true(bench.usb.now_ms - started <= 100);
    bench_end(&bench);
}

static void test_reader_that_goes_while_it_is_busy_is_removed(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 00000000 00 SS 40 E0 00");
    bench.usb.sleep_result = CCID_USB_GONE; /* and the bus has not said so yet */
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_DEVICE_REMOVED);
    bench_end(&bench);
}

/* ---- a reader that loses messages of a multiple of 64 bytes ----------------------- */

static uint8_t piece[70000];
static size_t piece_length;

static enum ccid_usb_result take_piece(struct ccid_usb *usb, const uint8_t *out,
                                       size_t out_len, uint32_t timeout_ms)
{
    (void)timeout_ms;
    if (out_len < 63) /* of a resynchronisation */
        return scripted_ops.bulk_out(usb, out, out_len, timeout_ms);
    assert_int_not_equal(out_len % 64, 0);
    memcpy(piece, out, out_len);
    piece_length = out_len;
    if (out[10] == 0xEE) { /* it takes an hour, and is lost */
        usb->now_ms += 3600000;
        piece_length = 0;
    }
    return CCID_USB_OK;
}

static enum ccid_usb_result join_pieces(struct ccid_usb *usb, const uint8_t *out,
                                        size_t out_len, uint8_t *in, size_t in_size,
                                        size_t *in_len, uint32_t timeout_ms)
{
    assert_int_not_equal(out_len % 64, 0);
    memcpy(piece + piece_length, out, out_len);
    out_len += piece_length;
    piece_length = 0;
    return scripted_ops.exchange(usb, piece, out_len, in, in_size, in_len, timeout_ms);
}

static void loses_64(struct bench *bench, struct ccid_usb_ops *ops)
{
    *ops = scripted_ops;
    ops->bulk_out = take_piece;
    ops->exchange = join_pieces;
    piece_length = 0;
    bench_begin(bench, BENCH_EXTENDED);
    bench->port.ops = ops;
    bench->vid = 0x0B97;
    bench->pid = 0x7762;
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench->usb, "6C 00000000 00 SS 000000",
                   "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
    assert_int_equal(bench_set_protocol(bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
}

static void test_message_of_64_bytes_goes_in_two_transfers_where_it_must(void **state)
{
    struct ccid_usb_ops ops;
    struct bench bench;

    (void)state;
    loses_64(&bench, &ops);
    for (size_t data = 116; data <= 120; data++) { /* 126 ... 130 bytes of message */
        uint8_t apdu[120] = {0x00, 0xD6, 0x00, 0x00, (uint8_t)(data - 5)};
        char hex[241], out[280];

        for (size_t i = 0; i < data; i++)
            snprintf(hex + 2 * i, 3, "%02X", apdu[i]);
        snprintf(out, sizeof(out), "6F %02X000000 00 SS 00 0000 %s", (unsigned)data, hex);
        script_command(&bench.usb, out, BENCH_9000_IN);
        assert_int_equal(bench_transmit(&bench, hex), STATUS_SUCCESS);
        bench_reply_is(&bench, "90 00");
    }
    works_again(&bench);
}

/* The first part took all the time there was: the second is not sent. */
static void test_second_transfer_of_a_message_has_the_deadline_of_the_first(void **state)
{
    struct ccid_usb_ops ops;
    struct bench bench;
    char hex[109] = "EE";

    (void)state;
    loses_64(&bench, &ops);
    memset(hex + 2, '0', 106);
    memcpy(hex + 8, "31", 2); /* Lc */
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, hex), STATUS_IO_TIMEOUT);
    works_again(&bench);
}

static unsigned clock_reads;

static uint64_t stopped_twice(struct ccid_usb *usb)
{
    /* The command's time is set at the first of them. */
    if (clock_reads != 0 && --clock_reads == 0)
        usb->now_ms += 3600000;
    return scripted_ops.now_ms(usb);
}

/* Nothing is sent, least of all with the time that is left in an unsigned number. */
static void test_deadline_that_passes_before_the_message_is_a_timeout(void **state)
{
    struct ccid_usb_ops ops = scripted_ops;
    struct bench bench;

    (void)state;
    ops.now_ms = stopped_twice;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.port.ops = &ops;
    bench_add(&bench, true);
    clock_reads = 4; /* two of power-on, the command's, the message's */
    script_resync(&bench.usb);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_IO_TIMEOUT);
    assert_int_equal(clock_reads, 0);
    bench_end(&bench);
}

/* The first of two transfers fails: the second is not made. */
static enum ccid_usb_result refuse_piece(struct ccid_usb *usb, const uint8_t *out,
                                         size_t out_len, uint32_t timeout_ms)
{
    if (out_len == 63)
        return CCID_USB_IO;
    return scripted_ops.bulk_out(usb, out, out_len, timeout_ms);
}

static void test_message_whose_first_transfer_fails_has_no_second(void **state)
{
    struct ccid_usb_ops ops;
    struct bench bench;
    char hex[109] = "00D6000031";

    (void)state;
    loses_64(&bench, &ops);
    ops.bulk_out = refuse_piece;
    memset(hex + 10, '0', 98);
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, hex), STATUS_IO_DEVICE_ERROR);
    ops.bulk_out = take_piece;
    works_again(&bench);
}

/* The smallest packets carry eight bytes, and a header has ten. */
static void test_header_in_two_packets_wants_both(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    device_of(&bench)->desc.bulk_in.packet_size = 8;
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 02000000 00 SS 00");
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    works_again(&bench);
}

static bool takes_an_hour;

static enum ccid_usb_result exchange_late(struct ccid_usb *usb, const uint8_t *out,
                                          size_t out_len, uint8_t *in, size_t in_size,
                                          size_t *in_len, uint32_t timeout_ms)
{
    enum ccid_usb_result result =
        scripted_ops.exchange(usb, out, out_len, in, in_size, in_len, timeout_ms);

    if (takes_an_hour)
        usb->now_ms += 3600000;
    takes_an_hour = false;
    return result;
}

/* The first packet came in time, and with it the deadline. */
static void test_rest_of_an_answer_is_not_waited_for_beyond_the_deadline(void **state)
{
    struct ccid_usb_ops ops = scripted_ops;
    struct bench bench;
    char answer[256] = "80 64000000 00 SS 00 00 00 ";

    (void)state;
    memset(answer + strlen(answer), '0', 200);
    bench_ready(&bench, BENCH_EXTENDED);
    ops.exchange = exchange_late;
    slot_of(&bench)->port.ops = &ops;
    takes_an_hour = true;
    script_command(&bench.usb, BENCH_SELECT_OUT, answer);
    script_resync(&bench.usb);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    slot_of(&bench)->port.ops = &scripted_ops;
    works_again(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_and_answer_cost_one_exchange),
        cmocka_unit_test(test_sequence_numbers_go_up_by_one_and_wrap),
        cmocka_unit_test(test_empty_transfers_before_the_answer_are_skipped),
        cmocka_unit_test(test_three_empty_transfers_fail_the_command),
        cmocka_unit_test(test_malformed_answers_fail_the_command_and_resynchronise),
        cmocka_unit_test(test_answer_with_the_wrong_slot_is_discarded),
        cmocka_unit_test(
            test_answer_with_the_wrong_number_is_discarded_for_every_command),
        cmocka_unit_test(test_strange_answers_without_end_fail_the_command),
        cmocka_unit_test(test_twenty_time_extensions_end_in_success),
        cmocka_unit_test(test_time_extension_multiplies_the_base_only),
        cmocka_unit_test(test_time_extensions_without_end_fail_within_ten_minutes),
        cmocka_unit_test(test_huge_time_extension_does_not_wait_beyond_ten_minutes),
        cmocka_unit_test(test_time_extensions_of_a_status_end_after_twice_its_time),
        cmocka_unit_test(test_time_extensions_do_not_lengthen_the_repair),
        cmocka_unit_test(test_silence_fails_the_command_at_its_deadline),
        cmocka_unit_test(test_late_answer_of_a_failed_command_is_not_taken_for_the_next),
        cmocka_unit_test(test_answers_around_the_packet_size_are_whole),
        cmocka_unit_test(test_bytes_behind_the_promised_length_are_ignored),
        cmocka_unit_test(test_busy_reader_is_waited_for),
        cmocka_unit_test(test_reader_that_stays_busy_ends_in_device_busy),
        cmocka_unit_test(test_failed_command_is_never_repeated),
        cmocka_unit_test(test_device_that_is_gone_ends_the_command_at_once),
        cmocka_unit_test(test_reader_that_goes_while_it_is_busy_is_removed),
        cmocka_unit_test(test_message_of_64_bytes_goes_in_two_transfers_where_it_must),
        cmocka_unit_test(test_second_transfer_of_a_message_has_the_deadline_of_the_first),
        cmocka_unit_test(test_deadline_that_passes_before_the_message_is_a_timeout),
        cmocka_unit_test(test_message_whose_first_transfer_fails_has_no_second),
        cmocka_unit_test(test_header_in_two_packets_wants_both),
        cmocka_unit_test(test_rest_of_an_answer_is_not_waited_for_beyond_the_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
