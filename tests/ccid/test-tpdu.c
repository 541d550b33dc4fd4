/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-tpdu.c - ccid/tpdu.c, message by message: what a reader at TPDU level is sent for
 * a command, and what its answers become.
 */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

#define ATR_T0_IN  "80 02000000 00 SS 00 00 00 3B 00"
#define SET_T0_OUT "61 05000000 00 SS 000000 11 00 00 0A 00"
#define SET_T0_IN  "82 05000000 00 SS 00 00 00 11 00 00 0A 00"
#define SET_T1_OUT "61 07000000 00 SS 010000 11 10 00 4D 00 20 00"
#define SET_T1_IN  "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00"

/* S(IFS request 254) and its answer; the bench's reader has IFSD 254. */
#define IFS_OUT "6F 05000000 00 SS 000000 00 C1 01 FE 3E"
#define IFS_IN  "80 05000000 00 SS 00 00 00 00 E1 01 FE 1E"
/* SELECT of the master file as I(0,0), and 9000 as the card's I(0,0). */
#define I_SELECT_OUT "6F 0B000000 00 SS 000000 00 00 07 00 A4 00 00 02 3F 00 9E"
#define I_9000_IN    "80 06000000 00 SS 00 00 00 00 00 02 90 00 92"
#define R_EDC_OUT    "6F 04000000 00 SS 000000 00 81 00 81"
#define R_OTHER_OUT  "6F 04000000 00 SS 000000 00 82 00 82"

static void ready(struct bench *bench, uint32_t features, ULONG protocol)
{
    bool t0 = protocol == SCARD_PROTOCOL_T0;

    bench_begin(bench, features);
    bench->protocol = protocol;
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, t0 ? ATR_T0_IN : BENCH_ATR_IN);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench->usb, t0 ? SET_T0_OUT : SET_T1_OUT, t0 ? SET_T0_IN : SET_T1_IN);
    assert_int_equal(bench_set_protocol(bench, protocol), STATUS_SUCCESS);
    bench->log_lines = 0;
}

/* ---- T=0 ------------------------------------------------------------------------- */

static void test_t0_command_is_one_block_and_its_answer_goes_back(void **state)
{
    static const struct {
        const char *command, *out, *in, *reply;
    } rows[] = {
        /* case 1: P3 = 0 */
        {"00 44 00 00", "6F 05000000 00 SS 000000 00 44 00 00 00", BENCH_9000_IN,
         "90 00"},
        /* case 2 */
        {"00 B0 00 00 02", "6F 05000000 00 SS 000000 00 B0 00 00 02",
         "80 04000000 00 SS 00 00 00 01 02 90 00", "01 02 90 00"},
        /* case 3 */
        {BENCH_SELECT, BENCH_SELECT_OUT, BENCH_9000_IN, "90 00"},
        /* case 4: Le stays behind; what the card says goes back as it is */
        {"80 E0 00 00 02 11 22 02", "6F 07000000 00 SS 000000 80 E0 00 00 02 11 22",
         "80 02000000 00 SS 00 00 00 61 02", "61 02"},
        {"00 B0 00 00 02", "6F 05000000 00 SS 000000 00 B0 00 00 02",
         "80 02000000 00 SS 00 00 00 6C 04", "6C 04"},
        /* fewer bytes than were expected are the card's affair */
        {"00 B0 00 00 02", "6F 05000000 00 SS 000000 00 B0 00 00 02",
         "80 03000000 00 SS 00 00 00 01 62 82", "01 62 82"},
    };
    struct bench bench;

    (void)state;
    ready(&bench, BENCH_TPDU, SCARD_PROTOCOL_T0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_command(&bench.usb, rows[i].out, rows[i].in);
        assert_int_equal(bench_transmit(&bench, rows[i].command), STATUS_SUCCESS);
        bench_reply_is(&bench, rows[i].reply);
    }
    assert_int_equal(bench.log_lines, 0);
    bench_end(&bench);
}

/* Requirements 32 and 33: 61xx and 6Cxx without end are one answer each time; nothing
 * follows by itself. */
static void test_t0_61_and_6c_are_answers_like_others(void **state)
{
    struct bench bench;

    (void)state;
    ready(&bench, BENCH_TPDU, SCARD_PROTOCOL_T0);
    for (int i = 0; i < 5; i++) {
        script_command(&bench.usb, "6F 05000000 00 SS 000000 00 C0 00 00 00",
                       "80 02000000 00 SS 00 00 00 61 00");
        assert_int_equal(bench_transmit(&bench, "00 C0 00 00 00"), STATUS_SUCCESS);
        bench_reply_is(&bench, "61 00");
    }
    bench_end(&bench);
}

static void test_t0_what_is_wrong_with_a_request_is_said_before_sending(void **state)
{
    static const struct {
        const char *command;
        ULONG room;
        NTSTATUS status;
    } rows[] = {
        {"00 A4 00 00 08 00", 300, STATUS_INVALID_PARAMETER},    /* Lc and data differ */
        {"00 A4 00", 300, STATUS_INVALID_PARAMETER},             /* no header */
        {"00 B0 00 00 00 01 00", 300, STATUS_INVALID_PARAMETER}, /* extended */
        {"00 B0 00 00 08", 9, STATUS_BUFFER_TOO_SMALL},
        {"00 B0 00 00 00", 257, STATUS_BUFFER_TOO_SMALL},
    };
    struct bench bench;

    (void)state;
    ready(&bench, BENCH_TPDU, SCARD_PROTOCOL_T0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(bench_transmit_room(&bench, rows[i].command, rows[i].room),
                         rows[i].status);
    bench_end(&bench);
}

static void test_t0_failures_have_their_status(void **state)
{
    static const struct {
        const char *in;
        NTSTATUS status;
        ULONG state;
    } rows[] = {
        {"80 00000000 00 SS 40 FE 00", STATUS_IO_TIMEOUT, SCARD_SPECIFIC},
        {"80 00000000 00 SS 41 FE 00", STATUS_IO_TIMEOUT, SCARD_SWALLOWED},
        {"80 00000000 00 SS 42 FE 00", STATUS_NO_MEDIA, SCARD_ABSENT},
        {"80 00000000 00 SS 40 FD 00", STATUS_IO_DEVICE_ERROR, SCARD_SPECIFIC},
        {"80 00000000 00 SS 40 F4 00", STATUS_DEVICE_PROTOCOL_ERROR, SCARD_SPECIFIC},
        /* successful, and no T=0 answer: no status word, or too much */
        {"80 00000000 00 SS 00 00 00", STATUS_DEVICE_PROTOCOL_ERROR, SCARD_SPECIFIC},
        {"80 01000000 00 SS 00 00 00 90", STATUS_DEVICE_PROTOCOL_ERROR, SCARD_SPECIFIC},
        {"80 03000000 00 SS 00 00 00 01 90 00", STATUS_DEVICE_PROTOCOL_ERROR,
         SCARD_SPECIFIC},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ready(&bench, BENCH_TPDU, SCARD_PROTOCOL_T0);
        script_command(&bench.usb, BENCH_SELECT_OUT, rows[i].in);
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), rows[i].status);
        assert_int_equal(bench_state(&bench), rows[i].state);
        assert_int_equal(bench.log_lines, rows[i].status == STATUS_NO_MEDIA ? 0 : 1);
        if (rows[i].state == SCARD_SPECIFIC) {
            script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
            assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
        }
        bench_end(&bench);
    }
}

static void test_t0_command_longer_than_a_message_is_refused_before_sending(void **state)
{
    char hex[3 * 64 + 16];
    size_t at = (size_t)sprintf(hex, "80E0000040");
    struct bench bench;

    (void)state;
    for (int i = 0; i < 64; i++)
        at += (size_t)sprintf(hex + at, "5A");
    bench_begin(&bench, BENCH_TPDU);
    bench.desc.message_size = 64;
    bench.protocol = SCARD_PROTOCOL_T0;
    bench_add(&bench, true);
    script_command(&bench.usb, BENCH_ON_OUT, ATR_T0_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, SET_T0_OUT, SET_T0_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T0), STATUS_SUCCESS);
    assert_int_equal(bench_transmit(&bench, hex), STATUS_BUFFER_OVERFLOW);
    bench_end(&bench);
}

/* ---- T=1 ------------------------------------------------------------------------- */

static void test_t1_first_command_after_a_reset_begins_with_the_ifs_request(void **state)
{
    struct bench bench;

    (void)state;
    ready(&bench, BENCH_TPDU, SCARD_PROTOCOL_T1);
    script_command(&bench.usb, IFS_OUT, IFS_IN);
    script_command(&bench.usb, I_SELECT_OUT, I_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    /* I(1,0) and no further request */
    script_command(&bench.usb,
                   "6F 0B000000 00 SS 000000 00 40 07 00 A4 00 00 02 3F 00 DE",
                   "80 06000000 00 SS 00 00 00 00 40 02 90 00 D2");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_end(&bench);
}

/* dwFeatures 400h: the reader has done it. */
static void test_t1_reader_with_automatic_ifsd_gets_no_ifs_request(void **state)
{
    ULONG tag = SCARD_ATTR_CURRENT_IFSD, ifsd;
    struct bench bench;

    (void)state;
    ready(&bench, BENCH_TPDU | CCID_FEATURE_AUTO_IFSD, SCARD_PROTOCOL_T1);
    script_command(&bench.usb, I_SELECT_OUT, I_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    assert_int_equal(bench_ioctl(&bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, 4, 4),
                     STATUS_SUCCESS);
    memcpy(&ifsd, bench.reply, sizeof(ifsd));
    assert_int_equal(ifsd, 254);
    bench_end(&bench);
}

/* bBWI is the card's multiplier, for the one block after it. */
static void test_t1_waiting_time_extension_is_passed_on_for_one_block(void **state)
{
    struct bench bench;

    (void)state;
    ready(&bench, BENCH_TPDU | CCID_FEATURE_AUTO_IFSD, SCARD_PROTOCOL_T1);
    script_command(&bench.usb, I_SELECT_OUT, "80 05000000 00 SS 00 00 00 00 C3 01 1E DC");
    script_command(&bench.usb, "6F 05000000 00 SS 1E0000 00 E3 01 1E FC",
                   "80 07000000 00 SS 00 00 00 00 20 03 6F 6E 65 47"); /* "one" */
    script_command(&bench.usb, "6F 04000000 00 SS 000000 00 90 00 90",
                   "80 06000000 00 SS 00 00 00 00 40 02 90 00 D2");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "6F 6E 65 90 00");
    bench_end(&bench);
}

static void test_t1_lost_and_bad_blocks_are_asked_for_again(void **state)
{
    static const struct {
        const char *in, *again;
    } rows[] = {
        {"80 00000000 00 SS 40 FE 00", R_OTHER_OUT},                   /* mute */
        {"80 00000000 00 SS 40 FD 00", R_OTHER_OUT},                   /* parity */
        {"80 00000000 00 SS 40 FC 00", R_OTHER_OUT},                   /* overrun */
        {"80 00000000 00 SS 00 00 00", R_OTHER_OUT},                   /* empty */
        {"80 03000000 00 SS 00 00 00 00 00 02", R_OTHER_OUT},          /* cut */
        {"80 06000000 00 SS 00 00 00 00 00 02 90 00 93", R_EDC_OUT},   /* checksum */
        {"80 06000000 00 SS 00 00 00 00 00 FF 90 00 6F", R_OTHER_OUT}, /* LEN FF */
        {"80 06000000 00 SS 00 00 00 00 00 09 90 00 99", R_OTHER_OUT}, /* LEN 9 */
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ready(&bench, BENCH_TPDU | CCID_FEATURE_AUTO_IFSD, SCARD_PROTOCOL_T1);
        script_command(&bench.usb, I_SELECT_OUT, rows[i].in);
        script_command(&bench.usb, rows[i].again, I_9000_IN);
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
        bench_reply_is(&bench, "90 00");
        assert_int_equal(bench.log_lines, 0);
        bench_end(&bench);
    }
}

/* What is not a block that got lost ends the command; the card gets nothing more. */
static void test_t1_failures_of_the_reader_end_the_command(void **state)
{
    static const struct {
        const char *in;
        NTSTATUS status;
        ULONG state;
    } rows[] = {
        {"80 00000000 00 SS 42 FE 00", STATUS_NO_MEDIA, SCARD_ABSENT},
        {"80 00000000 00 SS 41 FE 00", STATUS_IO_TIMEOUT, SCARD_SWALLOWED},
        {"80 00000000 00 SS 40 FB 00", STATUS_IO_DEVICE_ERROR, SCARD_SPECIFIC},
        {"80 00000000 00 SS 40 01 00", STATUS_INVALID_PARAMETER, SCARD_SPECIFIC},
        {"81 00000000 00 SS 40 00 00", STATUS_NOT_SUPPORTED, SCARD_SPECIFIC},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ready(&bench, BENCH_TPDU | CCID_FEATURE_AUTO_IFSD, SCARD_PROTOCOL_T1);
        script_command(&bench.usb, I_SELECT_OUT, rows[i].in);
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), rows[i].status);
        assert_int_equal(bench_state(&bench), rows[i].state);
        if (rows[i].state == SCARD_SPECIFIC) { /* the next command gets in step first */
            script_command(&bench.usb, "6F 04000000 00 SS 000000 00 C0 00 C0",
                           "80 04000000 00 SS 00 00 00 00 E0 00 E0");
            script_command(&bench.usb, I_SELECT_OUT, I_9000_IN);
            assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
        }
        bench_end(&bench);
    }
}

/* Taken out and put back between two blocks, by a reader that gives it power at once:
 * the rest of the command is not for that card. */
static void exchange_card(void *context)
{
    struct bench *bench = context;

    script_notify(&bench->usb, "50 02");
    script_notify(&bench->usb, "50 03");
}

/* Its checksum is that of a whole block. */
static void test_t1_answer_without_a_status_word_is_a_protocol_error(void **state)
{
    struct bench bench;

    (void)state;
    ready(&bench, BENCH_TPDU | CCID_FEATURE_AUTO_IFSD, SCARD_PROTOCOL_T1);
    script_command(&bench.usb, I_SELECT_OUT, "80 04000000 00 SS 00 00 00 00 00 00 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_DEVICE_PROTOCOL_ERROR);
    assert_non_null(strstr(bench.log, "no status word"));
    bench_end(&bench);
}

static void test_t1_command_does_not_go_on_with_another_card(void **state)
{
    struct script_step *step;
    struct bench bench;

    (void)state;
    ready(&bench, BENCH_TPDU | CCID_FEATURE_AUTO_IFSD, SCARD_PROTOCOL_T1);
    script_out(&bench.usb, I_SELECT_OUT);
    step = script_in(&bench.usb, "80 05000000 00 SS 00 00 00 00 C3 01 01 C3");
    step->action = exchange_card;
    step->context = &bench;
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    bench_end(&bench);
}

/* Blocks are no longer than the reader's messages, whatever the card could take. */
static void test_t1_block_fits_the_message_of_the_reader(void **state)
{
    /* IFSC 254; 60 bytes of command; 64 - 10 - 4 = 50 fit into a message */
    static const char atr[] = "80 06000000 00 SS 00 00 00 3B 80 81 11 FE 6E";
    char apdu[256], out[256];
    uint8_t lrc = 0x00 ^ 0x20 ^ 50;
    size_t at = (size_t)sprintf(apdu, "80E0000037");
    struct bench bench;

    (void)state;
    for (int i = 0; i < 55; i++)
        at += (size_t)sprintf(apdu + at, "%02X", i + 1);
    lrc ^= 0x80 ^ 0xE0 ^ 0x37;
    at = (size_t)sprintf(out, "6F 36000000 00 SS 000000 00 20 32 80E0000037");
    for (int i = 0; i < 45; i++) {
        at += (size_t)sprintf(out + at, "%02X", i + 1);
        lrc ^= (uint8_t)(i + 1);
    }
    sprintf(out + at, "%02X", lrc);

    bench_begin(&bench, BENCH_TPDU | CCID_FEATURE_AUTO_IFSD);
    bench.desc.message_size = 64;
    bench_add(&bench, true);
    script_command(&bench.usb, BENCH_ON_OUT, atr);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, "61 07000000 00 SS 010000 11 10 00 4D 00 FE 00",
                   SET_T1_IN);
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
    script_command(&bench.usb, out, "80 04000000 00 SS 00 00 00 00 90 00 90");
    script_command(&bench.usb,
                   "6F 0E000000 00 SS 000000 00 40 0A 2E2F30313233343536 37 4B",
                   I_9000_IN);
    assert_int_equal(bench_transmit(&bench, apdu), STATUS_SUCCESS);
    bench_end(&bench);
}

/* With a CRC a block is a byte longer: what is asked for with S(IFS request) as well. */
static void test_t1_ifsd_leaves_room_for_the_crc(void **state)
{
    static const struct {
        const char *atr_in, *set_out, *ifs_out;
    } rows[] = {
        {BENCH_ATR_IN, "61 07000000 00 SS 010000 11 10 00 4D 00 20 00",
         "6F 05000000 00 SS 000000 00 C1 01 32 F2"},
        /* TD1 81, TD2 41 with TC3 = 01 */
        {"80 06000000 00 SS 00 00 00 3B 80 81 41 01 41",
         "61 07000000 00 SS 010000 11 11 00 4D 00 20 00",
         "6F 06000000 00 SS 000000 00 C1 01 31 6AB5"},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bench_begin(&bench, BENCH_TPDU);
        bench.desc.message_size = 64;
        bench.desc.ifsd = 50; /* 64 - 10 - 4 */
        bench_add(&bench, true);
        script_command(&bench.usb, BENCH_ON_OUT, rows[i].atr_in);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
        script_command(&bench.usb, rows[i].set_out, SET_T1_IN);
        assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
        script_command(&bench.usb, rows[i].ifs_out, "80 00000000 00 SS 42 FE 00");
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_NO_MEDIA);
        bench_end(&bench);
    }
}

/* The ten minutes of a command are over exactly with an answer: no block follows. */
static void pass_a_millisecond(void *context)
{
    struct ccid_usb *usb = context;

    usb->now_ms++;
}

static void test_t1_command_ends_after_ten_minutes_between_two_blocks(void **state)
{
    struct script_step *step;
    struct bench bench;

    (void)state;
    ready(&bench, BENCH_TPDU | CCID_FEATURE_AUTO_IFSD, SCARD_PROTOCOL_T1);
    script_command(&bench.usb, I_SELECT_OUT, "80 05000000 00 SS 00 00 00 00 C3 01 FF 3D");
    script_out(&bench.usb, "6F 05000000 00 SS FF0000 00 E3 01 FF 1D");
    script_in(&bench.usb, "80 05000000 00 SS 00 00 00 00 C3 01 FF 3D")->delay_ms = 300000;
    script_out(&bench.usb, "6F 05000000 00 SS FF0000 00 E3 01 FF 1D");
    script_in(&bench.usb, "80 05000000 00 SS 00 00 00 00 C3 01 FF 3D")->delay_ms = 299999;
    script_out(&bench.usb, "6F 05000000 00 SS FF0000 00 E3 01 FF 1D");
    step = script_in(&bench.usb, "80 05000000 00 SS 00 00 00 00 C3 01 FF 3D");
    step->action = pass_a_millisecond; /* the last one */
    step->context = &bench.usb;
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    bench_end(&bench);
}

/* A card that answers nothing but RESYNCH: after the second one that is enough. */
static void test_t1_command_restarts_no_more_often_than_resynch_is_allowed(void **state)
{
    /* 33 bytes at IFSC 32: a chain of two, whose first link is never acknowledged */
    static const char first[] = "6F 24000000 00 SS 000000 00 20 20 80E000001C"
                                "0102030405060708090A0B0C0D0E0F10"
                                "1112131415161718191A1B 7C";
    static const char garbage[] = "80 01000000 00 SS 00 00 00 FF";
    struct bench bench;

    (void)state;
    ready(&bench, BENCH_TPDU | CCID_FEATURE_AUTO_IFSD, SCARD_PROTOCOL_T1);
    for (int attempt = 0; attempt <= 2; attempt++) {
        script_command(&bench.usb, first, garbage);
        script_command(&bench.usb, R_OTHER_OUT, garbage);
        script_command(&bench.usb, R_OTHER_OUT, garbage);
        if (attempt < 2)
            script_command(&bench.usb, "6F 04000000 00 SS 000000 00 C0 00 C0",
                           "80 04000000 00 SS 00 00 00 00 E0 00 E0");
    }
    assert_int_equal(bench_transmit(&bench, "80E000001C0102030405060708090A0B0C0D0E0F10"
                                            "1112131415161718191A1B1C"),
                     STATUS_DEVICE_PROTOCOL_ERROR);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t1_command_restarts_no_more_often_than_resynch_is_allowed),
        cmocka_unit_test(test_t0_command_is_one_block_and_its_answer_goes_back),
        cmocka_unit_test(test_t0_61_and_6c_are_answers_like_others),
        cmocka_unit_test(test_t0_what_is_wrong_with_a_request_is_said_before_sending),
        cmocka_unit_test(test_t0_failures_have_their_status),
        cmocka_unit_test(test_t0_command_longer_than_a_message_is_refused_before_sending),
        cmocka_unit_test(test_t1_first_command_after_a_reset_begins_with_the_ifs_request),
        cmocka_unit_test(test_t1_reader_with_automatic_ifsd_gets_no_ifs_request),
        cmocka_unit_test(test_t1_waiting_time_extension_is_passed_on_for_one_block),
        cmocka_unit_test(test_t1_lost_and_bad_blocks_are_asked_for_again),
        cmocka_unit_test(test_t1_failures_of_the_reader_end_the_command),
        cmocka_unit_test(test_t1_answer_without_a_status_word_is_a_protocol_error),
        cmocka_unit_test(test_t1_command_does_not_go_on_with_another_card),
        cmocka_unit_test(test_t1_block_fits_the_message_of_the_reader),
        cmocka_unit_test(test_t1_ifsd_leaves_room_for_the_crc),
        cmocka_unit_test(test_t1_command_ends_after_ten_minutes_between_two_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
