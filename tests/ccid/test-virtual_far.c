/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-virtual_far.c - a virtual reader whose card is somewhere else: what it is told,
 * and what becomes of its answers, its silence, and answers that come too late.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ccid/virtual_internal.h"
#include "wire.h"

#define ATR "3B88800154455354424544015D"
#define ON  "62 00000000 00 01 000000"

static const uint8_t atr[] = {0x3B, 0x88, 0x80, 0x01, 0x54, 0x45, 0x53,
                              0x54, 0x42, 0x45, 0x44, 0x01, 0x5D};

static struct wire wire;
static struct { /* what the card has been told */
    uint8_t bytes[64];
    size_t len;
    unsigned asked;
    bool thrown_out;
} card;

static void hear(void *context, const uint8_t *message, size_t len, bool answered)
{
    (void)context;
    card.thrown_out |= message == NULL;
    card.asked += answered;
    assert_true(card.len + len <= sizeof card.bytes);
    if (len > 0)
        memcpy(card.bytes + card.len, message, len);
    card.len += len;
}

static void assert_told(const char *bytes, size_t len)
{
    assert_int_equal(card.len, len);
    assert_memory_equal(card.bytes, bytes, len);
    card.len = 0;
}

#define TOLD(text) assert_told(text, sizeof(text) - 1)

static int setup(void **state)
{
    static const struct ccid_virtual_far far = {.send = hear};

    (void)state;
    wire_begin(&wire, ccid_virtual_shape("vpcd"), NULL);
    assert_int_equal(ccid_virtual_reader_remove(wire.reader, 0), 0);
    memset(&card, 0, sizeof card);
    assert_int_equal(ccid_virtual_reader_insert_far(wire.reader, 0, &far), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wire_end(&wire);
    return 0;
}

/* To the last question. */
static void answer(const uint8_t *bytes, size_t len)
{
    ccid_virtual_reader_answer_far(wire.reader, 0, card.asked, bytes, len);
}

static void power_on(void)
{
    wire_out(&wire, ON);
    answer(atr, sizeof atr);
    wire_expect_in(&wire, "80 0D000000 00 01 000000" ATR);
    card.len = 0;
}

static void test_power_on_asks_for_the_atr(void **state)
{
    (void)state;
    wire_out(&wire, ON);
    TOLD("\x01\x04");
    answer(atr, sizeof atr);
    wire_expect_in(&wire, "80 0D000000 00 01 000000" ATR);
    wire_out(&wire, ON); /* it has power */
    TOLD("\x02\x04");
    answer(atr, sizeof atr);
    wire_expect_in(&wire, "80 0D000000 00 01 000000" ATR);
    wire_expect(&wire, "63 00000000 00 02 000000", "81 00000000 00 02 01 00 00");
    TOLD("\x00");
}

static void test_apdu_goes_there_and_its_answer_back(void **state)
{
    (void)state;
    power_on();
    wire_out(&wire, "6F 05000000 00 02 000000 00CA000003");
    TOLD("\x00\xCA\x00\x00\x03");
    answer((const uint8_t *)"\x01\x02\x03\x90", 5);
    wire_expect_in(&wire, "80 05000000 00 02 00 00 00 0102039000");
    /* A byte alone would be an order to the card. */
    wire_expect(&wire, "6F 01000000 00 03 000000 04", "80 00000000 00 03 40 01 00");
    assert_int_equal(card.len, 0);
}

static void test_card_that_makes_no_sense_is_mute(void **state)
{
    static const uint8_t nonsense[64] = {0x3F};
    static const struct {
        const uint8_t *bytes;
        size_t len;
    } atrs[] = {{atr, 0}, {atr, 1}, {nonsense, 34}, {nonsense, sizeof nonsense}};

    (void)state;
    for (size_t i = 0; i < sizeof atrs / sizeof atrs[0]; i++) {
        wire_out(&wire, ON);
        answer(atrs[i].bytes, atrs[i].len);
        assert_int_equal(wire.port.ops->bulk_in(wire.port.usb, wire.in, sizeof wire.in,
                                                &wire.in_len, 1000),
                         CCID_USB_OK);
        assert_int_equal(wire.in[7] & 0xC0, 0x40);
        assert_int_equal(wire.in[8], CCID_ERROR_MUTE);
        card.len = 0;
    }
    power_on();
    wire_out(&wire, "6F 05000000 00 02 000000 00CA000003");
    answer((const uint8_t *)"\x90", 1); /* half a status */
    wire_expect_in(&wire, "80 00000000 00 02 40 FE 00");
}

/* Reads answers until one that is no time extension; how many of those there were. */
static unsigned extensions(void)
{
    for (unsigned count = 0;; count++) {
        assert_int_equal(wire.port.ops->bulk_in(wire.port.usb, wire.in, sizeof wire.in,
                                                &wire.in_len, 120000),
                         CCID_USB_OK);
        if ((wire.in[7] & 0xC0) != 0x80)
            return count;
    }
}

static void test_silence_is_time_and_then_mute(void **state)
{
    const uint64_t begin_ms = wire.clock.now_ms;

    (void)state;
    power_on();
    wire_out(&wire, "6F 05000000 00 02 000000 00CA000003");
    assert_true(extensions() >= 2);
    assert_int_equal(wire.in[8], CCID_ERROR_MUTE);
    assert_int_equal(wire.clock.now_ms - begin_ms, 60000);
}

static void test_answer_that_comes_too_late_is_nobody_elses(void **state)
{
    (void)state;
    power_on();
    wire_out(&wire, "6F 05000000 00 02 000000 00CA000003");
    (void)extensions();
    wire_out(&wire, "6F 04000000 00 03 000000 80E60000");
    ccid_virtual_reader_answer_far(wire.reader, 0, card.asked - 1,
                                   (const uint8_t *)"\x01\x02\x03\x90", 5);
    answer((const uint8_t *)"\x69\x82", 2);
    wire_expect_in(&wire, "80 02000000 00 03 00 00 00 6982");
    answer((const uint8_t *)"\x6A\x82", 2); /* again: nobody waits */
    wire_expect(&wire, "65 00000000 00 04 000000", "81 00000000 00 04 00 00 00");
}

static void test_card_that_goes_ends_what_runs(void **state)
{
    (void)state;
    power_on();
    wire_out(&wire, "6F 05000000 00 02 000000 00CA000003");
    assert_int_equal(ccid_virtual_reader_remove(wire.reader, 0), 0);
    assert_true(card.thrown_out);
    wire_expect_in(&wire, "80 00000000 00 02 42 FE 00");
    answer((const uint8_t *)"\x90", 2);
    wire_expect(&wire, "65 00000000 00 04 000000", "81 00000000 00 04 02 00 00");
    assert_int_equal(ccid_virtual_reader_insert(wire.reader, 0, NULL, 0), 0);
    power_on(); /* with the built-in card, which nobody is asked for */
    assert_int_equal(card.len, 0);
}

static void test_place_that_is_taken_is_refused(void **state)
{
    static const struct ccid_virtual_far far = {.send = hear};

    (void)state;
    assert_int_equal(ccid_virtual_reader_insert_far(wire.reader, 0, &far), -EEXIST);
    assert_int_equal(ccid_virtual_reader_insert_far(wire.reader, 1, &far), -EINVAL);
    ccid_virtual_reader_answer_far(wire.reader, 1, 1, atr, sizeof atr); /* no such slot */
    power_on();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_power_on_asks_for_the_atr),
        CASE(test_apdu_goes_there_and_its_answer_back),
        CASE(test_card_that_makes_no_sense_is_mute),
        CASE(test_silence_is_time_and_then_mute),
        CASE(test_answer_that_comes_too_late_is_nobody_elses),
        CASE(test_card_that_goes_ends_what_runs),
        CASE(test_place_that_is_taken_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
