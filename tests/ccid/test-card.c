/* SPDX-License-Identifier: BSD-2-Clause */
/* test-card.c - ccid/card.c: power, commands to the card, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/slot.h"

static void test_power_down_keeps_the_atr_and_forgets_the_protocol(void **state)
{
    ULONG tag = SCARD_ATTR_ATR_STRING;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
    assert_int_equal(bench_power(&bench, SCARD_POWER_DOWN), STATUS_SUCCESS);
    assert_int_equal(bench.reply_length, 0);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    assert_int_equal(bench_ioctl(&bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, 4, 33),
                     STATUS_SUCCESS);
    bench_reply_is(&bench, BENCH_ATR);
    /* Again: nothing to do, nothing sent. */
    assert_int_equal(bench_power(&bench, SCARD_POWER_DOWN), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_warm_reset_of_an_unpowered_card_is_a_first_reset(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, true);
    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_WARM_RESET), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_NEGOTIABLE);
    bench_end(&bench);
}

/* What a short-APDU reader cannot carry is refused before anything is sent. */
static void test_commands_that_do_not_fit_are_refused_before_sending(void **state)
{
    static const struct {
        uint32_t features;
        unsigned int length;
    } rows[] = {
        {BENCH_SHORT, 270}, /* extended */
        {BENCH_SHORT, 40000},
    };
    static char hex[2 * 65536];
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned int data = rows[i].length - 7;
        size_t at = (size_t)sprintf(hex, "80E0000000%04X", data);

        for (unsigned int k = 0; k < data; k++)
            at += (size_t)sprintf(hex + at, "5A");
        bench_ready(&bench, rows[i].features);
        assert_int_equal(bench_transmit(&bench, hex), STATUS_NOT_SUPPORTED);
        script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
        bench_end(&bench);
    }
}

static void test_short_extended_command_is_refused_at_short_level_only(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_SHORT);
    assert_int_equal(bench_transmit(&bench, "00 B0 00 00 00 01 00"),
                     STATUS_NOT_SUPPORTED);
    bench_end(&bench);

    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, "6F 07000000 00 SS 000000 00 B0 00 00 00 01 00",
                   BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, "00 B0 00 00 00 01 00"), STATUS_SUCCESS);
    bench_end(&bench);
}

static void test_largest_message_of_the_reader_goes_out_whole(void **state)
{
    static char apdu[2 * 65545 + 1], out[2 * 65545 + 64];
    struct bench bench;
    size_t at;

    (void)state;
    /* Case 4 extended with 65 535 bytes: 65 544 in all. */
    at = (size_t)sprintf(apdu, "80E0000000FFFF");
    for (unsigned int k = 0; k < 65535; k++)
        at += (size_t)sprintf(apdu + at, "%02X", k & 0xFF);
    sprintf(apdu + at, "0000");
    sprintf(out, "6F 08000100 00 SS 000000 %s", apdu);

    bench_begin(&bench, BENCH_EXTENDED);
    bench.desc.message_size = 65554;
    bench_add(&bench, true);
    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench.usb, "6C 00000000 00 SS 000000",
                   "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_T1), STATUS_SUCCESS);
    script_command(&bench.usb, out, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, apdu), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    bench_end(&bench);
}

/* Requirement 34 and the parts that are not supported yet: refused, resynchronised. */
static void test_answer_without_a_status_word_is_a_protocol_error(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 00000000 00 SS 00 00 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_DEVICE_PROTOCOL_ERROR);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 01000000 00 SS 00 00 00 90");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_DEVICE_PROTOCOL_ERROR);
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_end(&bench);
}

/* Requirement 35, for an answer in one message. */
static void test_answer_larger_than_the_callers_buffer_is_buffer_too_small(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, "6F 05000000 00 SS 000000 00 B0 00 00 04",
                   "80 06000000 00 SS 00 00 00 01 02 03 04 90 00");
    assert_int_equal(bench_transmit_room(&bench, "00 B0 00 00 04", 5),
                     STATUS_BUFFER_TOO_SMALL);
    script_command(&bench.usb, BENCH_SELECT_OUT, BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    bench_end(&bench);
}

static void test_card_failures_of_a_command_have_their_own_status(void **state)
{
    static const struct {
        const char *answer;
        NTSTATUS status;
        ULONG state;
    } rows[] = {
        {"80 00000000 00 SS 42 FE 00", STATUS_NO_MEDIA, SCARD_ABSENT},
        {"80 00000000 00 SS 40 FE 00", STATUS_IO_TIMEOUT, SCARD_SPECIFIC},
        {"80 00000000 00 SS 41 FE 00", STATUS_IO_TIMEOUT, SCARD_SWALLOWED},
        {"80 00000000 00 SS 40 FD 00", STATUS_IO_DEVICE_ERROR, SCARD_SPECIFIC},
        {"80 00000000 00 SS 40 FC 00", STATUS_DEVICE_PROTOCOL_ERROR, SCARD_SPECIFIC},
        {"81 00000000 00 SS 40 00 00", STATUS_NOT_SUPPORTED, SCARD_SPECIFIC},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bench_ready(&bench, BENCH_EXTENDED);
        script_command(&bench.usb, BENCH_SELECT_OUT, rows[i].answer);
        assert_int_equal(bench_transmit(&bench, BENCH_SELECT), rows[i].status);
        assert_int_equal(bench_state(&bench), rows[i].state);
        bench_end(&bench);
    }
}

/* The answer is good although the card left right after it: both are reported. */
static void test_card_that_leaves_with_its_answer_is_absent_afterwards(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 02000000 00 SS 02 00 00 90 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    bench_reply_is(&bench, "90 00");
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_NO_MEDIA);
    bench_end(&bench);
}

/* A reader of the level, with a card at T=1, whatever it takes to select that. */
static void ready_at_level(struct bench *bench, uint32_t features)
{
    if (features == BENCH_EXTENDED || features == BENCH_SHORT) {
        bench_ready(bench, features);
        return;
    }
    bench_begin(bench, features);
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    script_command(&bench->usb, "61 07000000 00 SS 010000 11 10 00 4D 00 20 00",
                   "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
    assert_int_equal(bench_set_protocol(bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
}

/* The script is empty: any message to the reader would fail the test. */
/* The interrupt endpoint would never say that a card is still there. */
static void test_card_that_an_answer_has_missed_is_looked_for_once(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    assert_int_equal(bench_service_wait(&bench, 0), -1);
    script_command(&bench.usb, BENCH_SELECT_OUT, "80 02000000 00 SS 02 00 00 90 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_SUCCESS);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    assert_int_equal(bench_service_wait(&bench, 0), 100);
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 00 00 00");
    bench_service(&bench, 0);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    assert_int_equal(bench_service_wait(&bench, 0), -1);
    bench_end(&bench);
}

static void test_malformed_apdu_is_invalid_at_every_level_before_any_io(void **state)
{
    static const uint32_t levels[] = {BENCH_CHARACTER, BENCH_TPDU, BENCH_SHORT,
                                      BENCH_EXTENDED};
    static const char *const malformed[] = {"00",
                                            "00 A4 00",
                                            "00 A4 00 00 08 00",
                                            "00 A4 00 00 02 3F 00 00 00",
                                            "00 A4 00 00 00 00",
                                            "00 A4 00 00 00 00 00 01"};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        ready_at_level(&bench, levels[i]);
        for (size_t k = 0; k < sizeof(malformed) / sizeof(malformed[0]); k++)
            assert_int_equal(bench_transmit(&bench, malformed[k]),
                             STATUS_INVALID_PARAMETER);
        bench_end(&bench);
    }
}

static void test_pseudo_apdu_goes_to_the_reader_in_any_form(void **state)
{
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    script_command(&bench.usb, "6F 06000000 00 SS 000000 FF CA 00 00 08 00",
                   BENCH_9000_IN);
    assert_int_equal(bench_transmit(&bench, "FF CA 00 00 08 00"), STATUS_SUCCESS);
    bench_end(&bench);
}

/* An answer that nobody gets, 10 bytes into the buffer. */
static void test_failed_command_leaves_nothing_in_the_buffers(void **state)
{
    const struct ccid_slot *slot;
    const uint8_t *buffer;
    struct bench bench;

    (void)state;
    bench_ready(&bench, BENCH_EXTENDED);
    slot = bench.slots[0]->DeviceExtension;
    buffer = slot->ext.SmartcardReply.Buffer;
    script_out(&bench.usb, BENCH_SELECT_OUT);
    script_in(&bench.usb, "80 04000000 00 TT 00 00 00 CA FE 90 00");
    script_in(&bench.usb, "80 00000000 00 SS 40 FE 00");
    assert_int_equal(bench_transmit(&bench, BENCH_SELECT), STATUS_IO_TIMEOUT);
    for (ULONG i = 0; i < slot->ext.SmartcardReply.BufferSize; i++)
        assert_int_equal(buffer[i], 0);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_down_keeps_the_atr_and_forgets_the_protocol),
        cmocka_unit_test(test_warm_reset_of_an_unpowered_card_is_a_first_reset),
        cmocka_unit_test(test_commands_that_do_not_fit_are_refused_before_sending),
        cmocka_unit_test(test_short_extended_command_is_refused_at_short_level_only),
        cmocka_unit_test(test_largest_message_of_the_reader_goes_out_whole),
        cmocka_unit_test(test_answer_without_a_status_word_is_a_protocol_error),
        cmocka_unit_test(test_answer_larger_than_the_callers_buffer_is_buffer_too_small),
        cmocka_unit_test(test_card_failures_of_a_command_have_their_own_status),
        cmocka_unit_test(test_card_that_leaves_with_its_answer_is_absent_afterwards),
        cmocka_unit_test(test_card_that_an_answer_has_missed_is_looked_for_once),
        cmocka_unit_test(test_malformed_apdu_is_invalid_at_every_level_before_any_io),
        cmocka_unit_test(test_pseudo_apdu_goes_to_the_reader_in_any_form),
        cmocka_unit_test(test_failed_command_leaves_nothing_in_the_buffers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
