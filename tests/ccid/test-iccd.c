/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-iccd.c - ccid/iccd.c, iccd_a.c and iccd_b.c, request by request, on a token that
 * plays a script: what is sent, what is made of the answers, and of the bad ones.
 */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "scripted_token.h"

#define GET_DATA_4 "00 CA 00 00 04"
#define STATUS     0xA0 /* of version A */
#define XFR        0x65
#define DATA       0x6F

static struct scripted_token token;

/* ---- version A -------------------------------------------------------------------- */

static void test_a_command_of_each_case_is_a_header_data_and_a_status_word(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
    /* Case 1: P3 is added. */
    token_out(&token, XFR, 0, "80 E6 00 00 00");
    token_in(&token, STATUS, "20");
    token_in(&token, DATA, "69 82");
    assert_int_equal(bench_transmit(&token.bench, "80 E6 00 00"), STATUS_SUCCESS);
    bench_reply_is(&token.bench, "69 82");
    assert_int_equal(token.room, 2);
    /* Case 2. */
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, STATUS, "10");
    token_in(&token, DATA, "00 01 02 03");
    token_in(&token, STATUS, "20");
    token_in(&token, DATA, "90 00");
    assert_int_equal(bench_transmit(&token.bench, GET_DATA_4), STATUS_SUCCESS);
    bench_reply_is(&token.bench, "00 01 02 03 90 00");
    /* Case 3. */
    token_out(&token, XFR, 0, "80 E0 00 00 02");
    token_in(&token, STATUS, "10");
    token_out(&token, XFR, 0, "CA FE");
    token_in(&token, STATUS, "20");
    token_in(&token, DATA, "61 02");
    assert_int_equal(bench_transmit(&token.bench, "80 E0 00 00 02 CA FE"),
                     STATUS_SUCCESS);
    bench_reply_is(&token.bench, "61 02"); /* for the caller to see */
    /* Case 4: Le stays behind. */
    token_out(&token, XFR, 0, "80 E0 00 00 02");
    token_in(&token, STATUS, "10");
    token_out(&token, XFR, 0, "CA FE");
    token_in(&token, STATUS, "20");
    token_in(&token, DATA, "61 02");
    assert_int_equal(bench_transmit(&token.bench, "80 E0 00 00 02 CA FE 00"),
                     STATUS_SUCCESS);
    bench_reply_is(&token.bench, "61 02");
    assert_int_equal(token.bench.log_lines, 0);
    token_end(&token);
}

static void test_a_command_that_is_refused_needs_no_data(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
    token_out(&token, XFR, 0, "80 E0 00 00 02");
    token_in(&token, STATUS, "20");
    token_in(&token, DATA, "6D 00");
    assert_int_equal(bench_transmit(&token.bench, "80 E0 00 00 02 CA FE"),
                     STATUS_SUCCESS);
    bench_reply_is(&token.bench, "6D 00");
    token_end(&token);
}

static void test_a_answer_in_parts_is_put_together(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, STATUS, "10");
    token_in(&token, DATA, "00");
    token_in(&token, STATUS, "40");
    token_in(&token, STATUS, "10");
    token_in(&token, DATA, "01 02 03");
    token_in(&token, STATUS, "20");
    token_in(&token, DATA, "90 00");
    assert_int_equal(bench_transmit(&token.bench, GET_DATA_4), STATUS_SUCCESS);
    bench_reply_is(&token.bench, "00 01 02 03 90 00");
    token_end(&token);
}

static void test_a_token_at_work_is_asked_less_and_less_often(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
    token_out(&token, XFR, 0, "80 E6 00 00 00");
    for (int i = 0; i < 700; i++)
        token_in(&token, STATUS, "40");
    token_in(&token, STATUS, "20");
    token_in(&token, DATA, "90 00");
    assert_int_equal(bench_transmit(&token.bench, "80 E6 00 00"), STATUS_SUCCESS);
    assert_int_equal(token.longest_sleep_ms, 1000);
    assert_in_range(token.slept_ms, 300000, 600000);
    token_end(&token);
}

static void test_a_mute_card_has_lost_its_state(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
    token_out(&token, XFR, 0, "80 E6 00 00 00");
    token_in(&token, STATUS, "80");
    assert_int_equal(bench_transmit(&token.bench, "80 E6 00 00"), STATUS_IO_TIMEOUT);
    assert_int_equal(bench_state(&token.bench), SCARD_SWALLOWED);
    /* A reset brings it back. */
    token_off(&token);
    token_in(&token, 0x62, TOKEN_ATR_T0);
    assert_int_equal(bench_power(&token.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    token_end(&token);
}

static void test_a_warm_reset_is_a_cold_one(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
    token_out(&token, 0x63, 0, "");
    token_in(&token, STATUS, "40"); /* not off yet */
    token_in(&token, STATUS, "00");
    token_in(&token, 0x62, TOKEN_ATR_T0);
    assert_int_equal(bench_power(&token.bench, SCARD_WARM_RESET), STATUS_SUCCESS);
    bench_reply_is(&token.bench, TOKEN_ATR_T0);
    token_end(&token);
}

/* How a command may go wrong: its last request, and what that says. */
struct bad {
    uint8_t request; /* IN */
    const char *hex;
    enum ccid_usb_result result;
    size_t claims;
    NTSTATUS status;
};

/* One more step of the script that goes wrong; afterwards the card is off. */
static void go_wrong(const struct bad *bad)
{
    struct token_step *step = token_in(&token, bad->request, bad->hex);

    step->result = bad->result;
    step->claims = bad->claims;
    token_off(&token);
}

static void goes_wrong(const char *apdu, NTSTATUS status)
{
    assert_int_equal(bench_transmit(&token.bench, apdu), status);
    assert_int_equal(token.bench.log_lines, 1);
    assert_int_equal(token.at, token.count);
    assert_int_equal(bench_state(&token.bench), SCARD_SWALLOWED);
    token_end(&token);
}

static void test_a_bad_status_ends_the_command(void **state)
{
    static const struct bad rows[] = {
        {STATUS, "00", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {STATUS, "30", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {STATUS, "", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {STATUS, "20", CCID_USB_OK, 2, STATUS_IO_DEVICE_ERROR},
        {STATUS, "", CCID_USB_STALL, 0, STATUS_IO_DEVICE_ERROR},
        {STATUS, "", CCID_USB_OVERFLOW, 0, STATUS_IO_DEVICE_ERROR},
        {STATUS, "", CCID_USB_IO, 0, STATUS_IO_DEVICE_ERROR},
        {STATUS, "", CCID_USB_TIMEOUT, 0, STATUS_IO_TIMEOUT},
        {STATUS, "", CCID_USB_NO_MEMORY, 0, STATUS_INSUFFICIENT_RESOURCES},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
        token_out(&token, XFR, 0, GET_DATA_4);
        go_wrong(&rows[i]);
        goes_wrong(GET_DATA_4, rows[i].status);
    }
}

static void test_a_bad_data_ends_the_command(void **state)
{
    static const struct bad rows[] = {
        {DATA, "", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "00 01 02 03", CCID_USB_OK, 5, STATUS_IO_DEVICE_ERROR},
        {DATA, "00 01 02 03", CCID_USB_OK, 70000, STATUS_IO_DEVICE_ERROR},
        {DATA, "", CCID_USB_STALL, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "", CCID_USB_TIMEOUT, 0, STATUS_IO_TIMEOUT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
        token_out(&token, XFR, 0, GET_DATA_4);
        token_in(&token, STATUS, "10");
        go_wrong(&rows[i]);
        goes_wrong(GET_DATA_4, rows[i].status);
    }
}

static void test_a_bad_status_word_ends_the_command(void **state)
{
    static const struct bad rows[] = {
        {DATA, "90", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "90 00", CCID_USB_OK, 3, STATUS_IO_DEVICE_ERROR},
        {DATA, "00 01", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "A0 00", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
        token_out(&token, XFR, 0, GET_DATA_4);
        token_in(&token, STATUS, "20");
        go_wrong(&rows[i]);
        goes_wrong(GET_DATA_4, rows[i].status);
    }
}

/* 10h when all data has been moved would be a second data phase. */
/* A card may break off what it gives, but not well; of P3 = 00h nobody knows. */
static void test_a_part_of_the_data_is_no_answer(void **state)
{
    static const struct bad broken = {DATA, "90 00", CCID_USB_OK, 0,
                                      STATUS_IO_DEVICE_ERROR};
    static const struct {
        const char *command, *status_word, *reply;
    } rows[] = {
        {GET_DATA_4, "6F 00", "00 01 6F 00"},
        {"00 CA 00 00 00", "90 00", "00 01 90 00"},
    };

    (void)state;
    token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, STATUS, "10");
    token_in(&token, DATA, "00 01");
    token_in(&token, STATUS, "20");
    go_wrong(&broken);
    goes_wrong(GET_DATA_4, broken.status);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
        token_out(&token, XFR, 0, rows[i].command);
        token_in(&token, STATUS, "10");
        token_in(&token, DATA, "00 01");
        token_in(&token, STATUS, "20");
        token_in(&token, DATA, rows[i].status_word);
        assert_int_equal(bench_transmit(&token.bench, rows[i].command), STATUS_SUCCESS);
        bench_reply_is(&token.bench, rows[i].reply);
        token_end(&token);
    }
}

static void test_a_second_data_phase_ends_the_command(void **state)
{
    static const struct bad again = {STATUS, "10", CCID_USB_OK, 0, 0};

    (void)state;
    token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, STATUS, "10");
    token_in(&token, DATA, "00 01 02 03");
    go_wrong(&again);
    goes_wrong(GET_DATA_4, STATUS_IO_DEVICE_ERROR);

    token_ready(&token, TOKEN_A, TOKEN_CHARACTER);
    token_out(&token, XFR, 0, "80 E0 00 00 01");
    token_in(&token, STATUS, "10");
    token_out(&token, XFR, 0, "AA");
    go_wrong(&again);
    goes_wrong("80 E0 00 00 01 AA", STATUS_IO_DEVICE_ERROR);
}

static void test_a_atr_that_is_none_is_unrecognized(void **state)
{
    static const struct {
        const char *hex;
        NTSTATUS status;
    } rows[] = {
        {"3B", STATUS_UNRECOGNIZED_MEDIA},
        {"00 00", STATUS_UNRECOGNIZED_MEDIA},
        {"3B 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
         "00 "
         "00 00 00 00 00 00 00",
         STATUS_UNRECOGNIZED_MEDIA},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        token_begin(&token, TOKEN_A, TOKEN_CHARACTER);
        token_off(&token);
        token_in(&token, 0x62, rows[i].hex);
        token_off(&token);
        assert_int_equal(bench_power(&token.bench, SCARD_COLD_RESET), rows[i].status);
        token_end(&token);
    }
    token_begin(&token, TOKEN_A, TOKEN_CHARACTER);
    token_off(&token);
    token_in(&token, 0x62, "");
    token_off(&token);
    assert_int_equal(bench_power(&token.bench, SCARD_COLD_RESET), STATUS_IO_DEVICE_ERROR);
    token_end(&token);
}

/* ---- version B -------------------------------------------------------------------- */

static void test_b_command_and_answer_are_one_request_each(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, DATA, "00 00 01 02 03 90 00");
    assert_int_equal(bench_transmit(&token.bench, GET_DATA_4), STATUS_SUCCESS);
    bench_reply_is(&token.bench, "00 01 02 03 90 00");
    assert_int_equal(token.room, 4096);
    assert_int_equal(token.slept_ms, 0);
    token_end(&token);
}

static void test_b_parts_of_an_answer_are_asked_for(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, DATA, "01 00 01");
    token_out(&token, XFR, 0x1000, "");
    token_in(&token, DATA, "03 02");
    token_out(&token, XFR, 0x1000, "");
    token_in(&token, DATA, "02 03 90 00");
    assert_int_equal(bench_transmit(&token.bench, GET_DATA_4), STATUS_SUCCESS);
    bench_reply_is(&token.bench, "00 01 02 03 90 00");
    token_end(&token);
}

static void test_b_long_command_goes_in_parts(void **state)
{
    static char apdu[3 * 300], first[3 * 261 + 1], second[3 * 39 + 1];

    (void)state;
    for (size_t i = 0; i < 299; i++)
        memcpy(apdu + 3 * i, "5A ", 3);
    memcpy(apdu, "80 E0 00 00 00 01 24", 20); /* extended, Lc 292 */
    memcpy(first, apdu, 3 * 261);
    memcpy(second, apdu + 3 * 261, 3 * (299 - 261));
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, XFR, 0x0100, first);
    token_in(&token, DATA, "10");
    token_out(&token, XFR, 0x0200, second);
    token_in(&token, DATA, "00 90 00");
    assert_int_equal(bench_transmit(&token.bench, apdu), STATUS_SUCCESS);
    bench_reply_is(&token.bench, "90 00");
    token_end(&token);
}

static void test_b_poll_waits_as_the_token_says_within_bounds(void **state)
{
    static const struct {
        const char *poll;
        uint32_t slept_ms;
    } rows[] = {
        {"80 00 00", 10},   {"80 01 00", 10},   {"80 05 00", 50},
        {"80 64 00", 1000}, {"80 FF FF", 1000}, {"80 02 00 AA BB", 20},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        token_ready(&token, TOKEN_B, TOKEN_SHORT);
        token_out(&token, XFR, 0, "80 E4 00 0A");
        token_in(&token, DATA, rows[i].poll);
        token_in(&token, DATA, "00 90 00");
        assert_int_equal(bench_transmit(&token.bench, "80 E4 00 0A"), STATUS_SUCCESS);
        assert_int_equal(token.slept_ms, rows[i].slept_ms);
        token_end(&token);
    }
}

/* Section by section it would be 30 days. */
static void test_b_poll_without_end_ends_after_ten_minutes(void **state)
{
    uint64_t started;

    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    started = token.now_ms;
    token_out(&token, XFR, 0, "80 E4 00 0A");
    for (int i = 0; i < 600; i++)
        token_in(&token, DATA, "80 FF FF");
    token_off(&token);
    assert_int_equal(bench_transmit(&token.bench, "80 E4 00 0A"), STATUS_IO_TIMEOUT);
    assert_int_equal(token.now_ms - started, 600000);
    assert_int_equal(token.bench.log_lines, 1);
    token_end(&token);
}

static void test_b_failure_is_that_of_ccid(void **state)
{
    static const struct {
        const char *hex;
        NTSTATUS status;
        ULONG state;
    } rows[] = {
        {"40 40 FE", STATUS_IO_TIMEOUT, SCARD_SPECIFIC},
        {"40 41 FE", STATUS_IO_TIMEOUT, SCARD_SWALLOWED},
        {"40 42 FE", STATUS_NO_MEDIA, SCARD_ABSENT},
        {"40 43 FE", STATUS_NO_MEDIA, SCARD_ABSENT},
        {"40 40 FB", STATUS_IO_DEVICE_ERROR, SCARD_SPECIFIC},
        {"40 40 08", STATUS_INVALID_PARAMETER, SCARD_SPECIFIC},
        {"40 40 FF AA", STATUS_CANCELLED, SCARD_SPECIFIC},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        token_ready(&token, TOKEN_B, TOKEN_SHORT);
        token_out(&token, XFR, 0, GET_DATA_4);
        token_in(&token, DATA, rows[i].hex);
        assert_int_equal(bench_transmit(&token.bench, GET_DATA_4), rows[i].status);
        assert_int_equal(bench_state(&token.bench), rows[i].state);
        token_end(&token);
    }
}

static void test_b_busy_token_is_asked_again(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, DATA, "40 40 E0");
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, DATA, "00 00 01 02 03 90 00");
    assert_int_equal(bench_transmit(&token.bench, GET_DATA_4), STATUS_SUCCESS);
    token_end(&token);
}

static void test_b_bad_answer_ends_the_command(void **state)
{
    static const struct bad rows[] = {
        {DATA, "", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "80", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "80 01", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "40", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "40 00", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "04 90 00", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "FF 90 00", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "10 90 00", CCID_USB_OK, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "00 90 00", CCID_USB_OK, 4097, STATUS_IO_DEVICE_ERROR},
        {DATA, "", CCID_USB_STALL, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "", CCID_USB_OVERFLOW, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "", CCID_USB_IO, 0, STATUS_IO_DEVICE_ERROR},
        {DATA, "", CCID_USB_TIMEOUT, 0, STATUS_IO_TIMEOUT},
        {DATA, "10", CCID_USB_OK, 0, STATUS_DEVICE_PROTOCOL_ERROR},
        {DATA, "02 90 00", CCID_USB_OK, 0, STATUS_DEVICE_PROTOCOL_ERROR},
        {DATA, "03 90 00", CCID_USB_OK, 0, STATUS_DEVICE_PROTOCOL_ERROR},
        {DATA, "01", CCID_USB_OK, 0, STATUS_DEVICE_PROTOCOL_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        token_ready(&token, TOKEN_B, TOKEN_SHORT);
        token_out(&token, XFR, 0, GET_DATA_4);
        go_wrong(&rows[i]);
        goes_wrong(GET_DATA_4, rows[i].status);
    }
}

static void test_b_answer_without_a_status_word_is_none(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, DATA, "00 90");
    assert_int_equal(bench_transmit(&token.bench, GET_DATA_4),
                     STATUS_DEVICE_PROTOCOL_ERROR);
    token_end(&token);
}

static void test_b_request_that_is_refused_ends_the_command(void **state)
{
    static const struct {
        enum ccid_usb_result result;
        size_t claims;
        NTSTATUS status;
    } rows[] = {
        {CCID_USB_STALL, 0, STATUS_IO_DEVICE_ERROR},
        {CCID_USB_TIMEOUT, 0, STATUS_IO_TIMEOUT},
        {CCID_USB_OK, 3, STATUS_IO_DEVICE_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct token_step *step;

        token_ready(&token, TOKEN_B, TOKEN_SHORT);
        step = token_out(&token, XFR, 0, GET_DATA_4);
        step->result = rows[i].result;
        step->claims = rows[i].claims;
        token_off(&token);
        goes_wrong(GET_DATA_4, rows[i].status);
    }
}

static void test_b_warm_reset_keeps_the_power(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, 0x62, 1, "");
    token_in(&token, DATA, "80 01 00");
    token_in(&token, DATA, "00 " TOKEN_ATR_T1);
    assert_int_equal(bench_power(&token.bench, SCARD_WARM_RESET), STATUS_SUCCESS);
    bench_reply_is(&token.bench, TOKEN_ATR_T1);
    token_out(&token, 0x63, 0, "");
    token_in(&token, 0x81, "00 01 00");
    token_out(&token, 0x62, 1, "");
    token_in(&token, DATA, "00 " TOKEN_ATR_T1);
    assert_int_equal(bench_power(&token.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    token_off(&token);
    assert_int_equal(bench_power(&token.bench, SCARD_POWER_DOWN), STATUS_SUCCESS);
    assert_int_equal(bench_state(&token.bench), SCARD_SWALLOWED);
    token_end(&token);
}

static void test_b_token_that_says_absent_has_no_card(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, 0x63, 0, "");
    token_in(&token, 0x81, "00 02 00");
    assert_int_equal(bench_power(&token.bench, SCARD_POWER_DOWN), STATUS_NO_MEDIA);
    assert_int_equal(bench_state(&token.bench), SCARD_ABSENT);
    /* Its interrupt endpoint says when it is back. */
    token.notify(token.notify_context, (const uint8_t *)"\x50\x03", 2);
    assert_int_equal(bench_state(&token.bench), SCARD_SWALLOWED);
    token_end(&token);
}

static void test_b_token_that_cannot_say_that_it_is_back_stays(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_B_WITHOUT_INTERRUPT, TOKEN_SHORT);
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, DATA, "40 42 FE");
    assert_int_equal(bench_transmit(&token.bench, GET_DATA_4), STATUS_IO_TIMEOUT);
    assert_int_equal(bench_state(&token.bench), SCARD_SWALLOWED);
    token_out(&token, 0x62, 1, "");
    token_in(&token, DATA, "00 " TOKEN_ATR_T1);
    assert_int_equal(bench_power(&token.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    token_out(&token, 0x63, 0, "");
    token_in(&token, 0x81, "00 02 00");
    assert_int_equal(bench_power(&token.bench, SCARD_POWER_DOWN), STATUS_SUCCESS);
    assert_int_equal(bench_state(&token.bench), SCARD_SWALLOWED);
    token_end(&token);
}

static void test_b_slot_status_cut_short_is_none(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, 0x63, 0, "");
    token_in(&token, 0x81, "00");
    token_off(&token);
    assert_int_equal(bench_power(&token.bench, SCARD_POWER_DOWN), STATUS_IO_DEVICE_ERROR);
    token_end(&token);
}

/* ---- both ------------------------------------------------------------------------- */

static void test_resync_of_a_token_that_stalls_everything_ends_with_a_reset(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, XFR, 0, GET_DATA_4)->result = CCID_USB_STALL;
    for (int i = 0; i < 2; i++)
        token_out(&token, 0x63, 0, "")->result = CCID_USB_STALL;
    token_in(&token, 0x81, "00 01 00"); /* after the reset */
    token_off(&token);
    assert_int_equal(bench_transmit(&token.bench, GET_DATA_4), STATUS_IO_DEVICE_ERROR);
    assert_int_equal(token.resets, 1);
    token_out(&token, 0x62, 1, "");
    token_in(&token, DATA, "00 " TOKEN_ATR_T1);
    assert_int_equal(bench_power(&token.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    token_end(&token);
}

static void test_token_that_is_gone_is_removed(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, XFR, 0, GET_DATA_4);
    token_in(&token, DATA, "")->result = CCID_USB_GONE;
    assert_int_equal(bench_transmit(&token.bench, GET_DATA_4), STATUS_DEVICE_REMOVED);
    assert_int_equal(bench_transmit(&token.bench, GET_DATA_4), STATUS_DEVICE_REMOVED);
    assert_int_equal(token.bench.log_lines, 0);
    token_end(&token);
}

struct request {
    IRP irp;
    uint8_t buffer[300];
    NTSTATUS status;
};

static void request_done(PIRP irp, PVOID context)
{
    ((struct request *)context)->status = irp->IoStatus.Status;
}

static void cancel_request(void *context)
{
    assert_true(IoCancelIrp(&((struct request *)context)->irp));
}

static void test_cancel_while_the_token_is_at_work_switches_it_off(void **state)
{
    static const uint8_t in[] = {2, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xE4, 0x10, 0x00};
    struct request request = {.status = STATUS_PENDING};
    struct token_step *step;

    (void)state;
    token_ready(&token, TOKEN_B, TOKEN_SHORT);
    memcpy(request.buffer, in, sizeof(in));
    smc_irp_init_ioctl(&request.irp, token.bench.slots[0], NULL, IOCTL_SMARTCARD_TRANSMIT,
                       request.buffer, sizeof(in), sizeof(request.buffer), request_done,
                       &request);
    token_out(&token, XFR, 0, "80 E4 10 00");
    token_in(&token, DATA, "80 FF FF");
    step = token_in(&token, DATA, "80 FF FF");
    step->action = cancel_request;
    step->context = &request;
    token_off(&token);
    (void)IoCallDriver(token.bench.slots[0], &request.irp);
    assert_int_equal(request.status, STATUS_CANCELLED);
    assert_int_equal(token.bench.log_lines, 0);
    assert_false(token.cancelled);
    token_out(&token, 0x62, 1, "");
    token_in(&token, DATA, "00 " TOKEN_ATR_T1);
    assert_int_equal(bench_power(&token.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    token_end(&token);
}

/* A token without the bits 40h and 80h is asked for nothing, either. */
static void test_protocol_of_a_token_needs_no_request(void **state)
{
    (void)state;
    token_ready(&token, TOKEN_A, 0);
    token_end(&token);
    token_ready(&token, TOKEN_B, 0x00040000u);
    token_end(&token);
}

/* dwProtocols leaves T=1; the card would begin with T=0. */
static void test_protocol_of_a_token_is_the_one_that_it_can(void **state)
{
    const ULONG t1 = SCARD_PROTOCOL_T1;

    (void)state;
    token_begin(&token, TOKEN_B, TOKEN_SHORT);
    token_out(&token, 0x62, 1, "");
    token_in(&token, DATA, "00 3B 80 80 01 01");
    assert_int_equal(bench_power(&token.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    assert_int_equal(bench_set_protocol(&token.bench, SCARD_PROTOCOL_T0),
                     STATUS_NOT_SUPPORTED);
    assert_int_equal(bench_set_protocol(&token.bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    assert_memory_equal(token.bench.reply, &t1, sizeof(t1));
    token_end(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_of_each_case_is_a_header_data_and_a_status_word),
        cmocka_unit_test(test_a_command_that_is_refused_needs_no_data),
        cmocka_unit_test(test_a_answer_in_parts_is_put_together),
        cmocka_unit_test(test_a_token_at_work_is_asked_less_and_less_often),
        cmocka_unit_test(test_a_mute_card_has_lost_its_state),
        cmocka_unit_test(test_a_warm_reset_is_a_cold_one),
        cmocka_unit_test(test_a_bad_status_ends_the_command),
        cmocka_unit_test(test_a_bad_data_ends_the_command),
        cmocka_unit_test(test_a_bad_status_word_ends_the_command),
        cmocka_unit_test(test_a_part_of_the_data_is_no_answer),
        cmocka_unit_test(test_a_second_data_phase_ends_the_command),
        cmocka_unit_test(test_a_atr_that_is_none_is_unrecognized),
        cmocka_unit_test(test_b_command_and_answer_are_one_request_each),
        cmocka_unit_test(test_b_parts_of_an_answer_are_asked_for),
        cmocka_unit_test(test_b_long_command_goes_in_parts),
        cmocka_unit_test(test_b_poll_waits_as_the_token_says_within_bounds),
        cmocka_unit_test(test_b_poll_without_end_ends_after_ten_minutes),
        cmocka_unit_test(test_b_failure_is_that_of_ccid),
        cmocka_unit_test(test_b_busy_token_is_asked_again),
        cmocka_unit_test(test_b_bad_answer_ends_the_command),
        cmocka_unit_test(test_b_answer_without_a_status_word_is_none),
        cmocka_unit_test(test_b_request_that_is_refused_ends_the_command),
        cmocka_unit_test(test_b_warm_reset_keeps_the_power),
        cmocka_unit_test(test_b_token_that_says_absent_has_no_card),
        cmocka_unit_test(test_b_token_that_cannot_say_that_it_is_back_stays),
        cmocka_unit_test(test_b_slot_status_cut_short_is_none),
        cmocka_unit_test(test_resync_of_a_token_that_stalls_everything_ends_with_a_reset),
        cmocka_unit_test(test_token_that_is_gone_is_removed),
        cmocka_unit_test(test_cancel_while_the_token_is_at_work_switches_it_off),
        cmocka_unit_test(test_protocol_of_a_token_needs_no_request),
        cmocka_unit_test(test_protocol_of_a_token_is_the_one_that_it_can),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
