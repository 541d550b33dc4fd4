/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-virtual_tpdu.c - the shapes of the virtual reader that differ from the usual one,
 * seen from the bus: TPDU level and mechanics.
 */
#include "ccid/virtual_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "virtual_clock.h"

#define ON     "62 00000000 00 01 000000"
#define T0_ATR "80 0A000000 00 01 00 00 00 3B 95 18 40 FF 62 01 02 01 04"
#define T1_ATR "80 0F000000 00 01 00 00 00 3B 97 11 81 31 FE 45 73 63 61 72 64 54 31 8F"

static struct virtual_clock vclock;
static struct ccid_virtual_reader *reader;
static struct ccid_usb_port port;
static uint8_t notified[8];
static unsigned notifications;

static void begin(const char *shape)
{
    virtual_clock_init(&vclock);
    reader = ccid_virtual_reader_new(&vclock.clock, ccid_virtual_shape(shape));
    assert_non_null(reader);
    port = ccid_virtual_reader_port(reader);
    notifications = 0;
    assert_int_equal(ccid_virtual_reader_insert(reader, 0, NULL, 0), 0);
}

static void expect(const char *message, const char *answer)
{
    uint8_t out[600], in[1024], expected[600];
    size_t got, out_len = bench_bytes(message, out, sizeof(out));
    size_t len = bench_bytes(answer, expected, sizeof(expected));

    assert_int_equal(
        port.ops->exchange(port.usb, out, out_len, in, sizeof(in), &got, 100000),
        CCID_USB_OK);
    assert_int_equal(got, len);
    assert_memory_equal(in, expected, len);
}

static void test_shape_has_a_name_or_is_none(void **state)
{
    (void)state;
    assert_ptr_equal(ccid_virtual_shape(NULL), &ccid_virtual_default_shape);
    assert_int_equal(ccid_virtual_shape("tpdu")->level, CCID_LEVEL_TPDU);
    assert_int_equal(ccid_virtual_shape("tpdu-t1")->level, CCID_LEVEL_TPDU);
    assert_int_equal(ccid_virtual_shape("mechanical")->mechanical, 7);
    assert_null(ccid_virtual_shape("tpdu-t2"));
    assert_null(ccid_virtual_shape(""));
    assert_null(ccid_virtual_shape("076b:3031"));
}

static void test_shape_is_what_the_descriptor_says(void **state)
{
    static const char *const names[] = {"tpdu", "tpdu-t1", "mechanical"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct ccid_virtual_shape *shape = ccid_virtual_shape(names[i]);
        uint8_t config[CCID_VIRTUAL_CONFIG_MAX];
        struct ccid_desc desc;
        size_t len = ccid_virtual_reader_config(shape, config);

        assert_int_equal(ccid_desc_parse(config, len, 0, &desc), STATUS_SUCCESS);
        assert_int_equal(desc.level, shape->level);
        assert_int_equal(desc.mechanical, shape->mechanical);
        assert_int_equal(desc.features & 0xFFFF, shape->features);
        assert_int_equal(desc.message_size, shape->max_message_length);
    }
}

static void test_tpdu_t0_card_answers_tpdus(void **state)
{
    (void)state;
    begin("tpdu");
    expect("6F 07000000 00 00 000000 00 A4 00 00 02 3F 00", "80 00000000 00 00 41 FE 00");
    expect(ON, T0_ATR);
    expect("6F 07000000 00 02 000000 00 A4 00 00 02 3F 00",
           "80 02000000 00 02 00 00 00 90 00");
    expect("6F 07000000 00 03 000000 80 E0 00 00 02 11 22",
           "80 02000000 00 03 00 00 00 61 02");
    expect("6F 05000000 00 04 000000 00 C0 00 00 02",
           "80 04000000 00 04 00 00 00 11 22 90 00");
    expect("6F 05000000 00 05 000100 00 C0 00 00 02", "80 00000000 00 05 40 08 00");
    ccid_virtual_reader_free(reader);
}

static void test_tpdu_t1_card_answers_blocks(void **state)
{
    (void)state;
    begin("tpdu-t1");
    expect(ON, T1_ATR);
    expect("6F 05000000 00 02 000000 00 C1 01 FE 3E",
           "80 05000000 00 02 00 00 00 00 E1 01 FE 1E");
    expect("6F 0B000000 00 03 000000 00 00 07 00 A4 00 00 02 3F 00 9E",
           "80 06000000 00 03 00 00 00 00 00 02 90 00 92");
    ccid_virtual_reader_free(reader);
}

/* Reader and card must speak the same: protocol and rate, by PPS and SetParameters. */
static void test_tpdu_card_is_mute_where_the_reader_speaks_otherwise(void **state)
{
    uint64_t started;

    (void)state;
    begin("tpdu");
    expect(ON, T0_ATR);
    expect("61 05000000 00 02 000000 18 00 00 FF 00",
           "82 05000000 00 02 00 00 00 18 00 00 FF 00");
    started = vclock.now_ms;
    expect("6F 05000000 00 03 000000 00 B0 00 00 01", "80 00000000 00 03 40 FE 00");
    /* WI 255 at 4 MHz */
    assert_int_equal(vclock.now_ms - started, 255 * 960 * 372 / 4000 + 1);
    expect(ON, T0_ATR);
    expect("6F 04000000 00 04 000000 FF 10 18 F7",
           "80 04000000 00 04 00 00 00 FF 10 18 F7");
    expect("61 05000000 00 05 000000 18 00 00 FF 00",
           "82 05000000 00 05 00 00 00 18 00 00 FF 00");
    expect("6F 05000000 00 06 000000 00 B0 00 00 01",
           "80 03000000 00 06 00 00 00 00 90 00");
    ccid_virtual_reader_free(reader);
}

/* A granted extension counts only if the host passes it on in bBWI. */
static void test_tpdu_waiting_time_is_multiplied_by_bbwi_alone(void **state)
{
    static const struct {
        const char *response, *answer;
        uint32_t ms;
    } rows[] = {
        {"6F 05000000 00 03 030000 00 E3 01 03 E1",
         "80 06000000 00 03 00 00 00 00 00 02 90 00 92", 3 * 1428},
        {"6F 05000000 00 03 020000 00 E3 01 03 E1", "80 00000000 00 03 40 FE 00",
         2 * 1429},
        {"6F 05000000 00 03 000000 00 E3 01 03 E1", "80 00000000 00 03 40 FE 00", 1429},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_t1 *t1;
        uint64_t started;

        begin("tpdu-t1");
        t1 = &reader->slots[0].contact->t1;
        t1->fault = CCID_T1_FAULT_WTX;
        t1->fault_count = 1;
        t1->fault_value = 3;
        expect(ON, T1_ATR);
        expect("6F 0B000000 00 02 000000 00 00 07 00 A4 00 00 02 3F 00 9E",
               "80 05000000 00 02 00 00 00 00 C3 01 03 C1");
        started = vclock.now_ms;
        expect(rows[i].response, rows[i].answer);
        assert_int_equal(vclock.now_ms - started, rows[i].ms);
        ccid_virtual_reader_free(reader);
    }
}

/* ---- mechanics ------------------------------------------------------------------- */

#define STATUS_OF(seq, icc) "81 00000000 00 " seq " " icc " 00 00"

static void notify(void *context, const uint8_t *message, size_t len)
{
    (void)context;
    assert_true(len <= sizeof(notified));
    memcpy(notified, message, len);
    notifications++;
}

static void test_mechanical_card_has_contact_only_in_position(void **state)
{
    (void)state;
    begin("mechanical");
    expect(ON, "80 00000000 00 01 41 FE 00");
    expect("71 00000000 00 02 010000", STATUS_OF("02", "01"));
    expect("62 00000000 00 03 000000", "80 0D000000 00 03 00 00 00 "
                                       "3B 88 80 01 54 45 53 54 42 45 44 01 5D");
    expect("71 00000000 00 04 020000", STATUS_OF("04", "01")); /* off, too */
    expect("62 00000000 00 05 000000", "80 00000000 00 05 41 FE 00");
    ccid_virtual_reader_free(reader);
}

static void test_mechanical_captured_card_is_gone_and_notified(void **state)
{
    (void)state;
    begin("mechanical");
    assert_int_equal(port.ops->start(port.usb, notify, NULL), CCID_USB_OK);
    expect("65 00000000 00 01 000000", STATUS_OF("01", "01"));
    assert_int_equal(notifications, 0);
    expect("71 00000000 00 02 030000", STATUS_OF("02", "02"));
    assert_int_equal(notifications, 1);
    assert_memory_equal(notified, "\x50\x02", 2);
    expect("71 00000000 00 03 030000", "81 00000000 00 03 42 FE 00");
    assert_int_equal(ccid_virtual_reader_insert(reader, 0, NULL, 0), 0);
    port.ops->stop(port.usb);
    ccid_virtual_reader_free(reader);
}

static void test_mechanical_functions_that_are_not_there_are_refused(void **state)
{
    static const char *const functions[] = {
        "71 00000000 00 01 000000", "71 00000000 00 01 040000",
        "71 00000000 00 01 050000", "71 00000000 00 01 FF0000"};

    (void)state;
    begin("mechanical");
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        expect(functions[i], "81 00000000 00 01 41 07 00");
    ccid_virtual_reader_free(reader);
    begin(NULL);
    expect("71 00000000 00 01 010000", "81 00000000 00 01 41 07 00");
    ccid_virtual_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_has_a_name_or_is_none),
        cmocka_unit_test(test_shape_is_what_the_descriptor_says),
        cmocka_unit_test(test_tpdu_t0_card_answers_tpdus),
        cmocka_unit_test(test_tpdu_t1_card_answers_blocks),
        cmocka_unit_test(test_tpdu_card_is_mute_where_the_reader_speaks_otherwise),
        cmocka_unit_test(test_tpdu_waiting_time_is_multiplied_by_bbwi_alone),
        cmocka_unit_test(test_mechanical_card_has_contact_only_in_position),
        cmocka_unit_test(test_mechanical_captured_card_is_gone_and_notified),
        cmocka_unit_test(test_mechanical_functions_that_are_not_there_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
