/* SPDX-License-Identifier: BSD-2-Clause */
/* test-quirks.c - ccid/quirks.c and quirks_table.c: what is known of single readers. */
#include "ccid/quirks_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "corpus.h"

/* A short-APDU reader with a PIN pad. */
static struct ccid_desc plain(void)
{
    return (struct ccid_desc){
        .level = CCID_LEVEL_SHORT_APDU,
        .pin_support = 3,
        .maximum_data_rate_bps = 344086,
        .default_clock_khz = 4000,
        .slot_count = 1,
        .busy_slot_count = 1,
        .message_size = 271,
    };
}

static size_t apply(struct ccid_desc *desc, uint16_t vid, uint16_t pid,
                    uint16_t bcd_device)
{
    const char *reasons[CCID_QUIRK_REASONS_MAX];
    size_t count = ccid_quirks_apply(desc, vid, pid, bcd_device, reasons);

    for (size_t i = 0; i < count; i++)
        assert_non_null(reasons[i]);
    return count;
}

static void test_quirks_of_an_unknown_reader_change_nothing(void **state)
{
    struct ccid_desc desc = plain();
    const struct ccid_desc before = desc;

    (void)state;
    assert_int_equal(apply(&desc, 0x1234, 0x5678, 0x0100), 0);
    assert_memory_equal(&desc, &before, sizeof(desc));
}

static void test_quirks_set_the_bits_of_their_rows(void **state)
{
    static const struct {
        uint16_t vid, pid, bcd_device;
        uint32_t bits;
    } rows[] = {
        {0x0B97, 0x7762, 0x0111, CCID_QUIRK_NO_PPS | CCID_QUIRK_NOT_64},
        {0x0B97, 0x7772, 0x0111, CCID_QUIRK_NO_PPS | CCID_QUIRK_NOT_64},
        {0x0D46, 0x301D, 0x0100, CCID_QUIRK_POWER_OFF_FIRST},
        {0x08E6, 0x4433, 0x0001, CCID_QUIRK_EMV_ESCAPE | CCID_QUIRK_PIN_THREE_INDEXES},
        {0x046A, 0x0005, 0x0500, CCID_QUIRK_EMV_ESCAPE},
        {0x058F, 0x9540, 0x0120, CCID_QUIRK_RATE_POWER_TWICE},
        {0x0529, 0x0620, 0x0012, CCID_QUIRK_NO_IFSD},
        {0x0783, 0x0003, 0x0100, CCID_QUIRK_NO_AUTOSUSPEND},
        {0x058F, 0x9520, 0x0102, CCID_QUIRK_NO_AUTOSUSPEND},
        {0x08E6, 0x5503, 0x0100, CCID_QUIRK_ONE_AT_A_TIME | CCID_QUIRK_PIN_THREE_INDEXES},
        {0x2947, 0x0105, 0x0100, CCID_QUIRK_ONE_AT_A_TIME},
        {0x08E6, 0x3479, 0x0999,
         CCID_QUIRK_SECONDARY_RATES | CCID_QUIRK_PIN_THREE_INDEXES},
        {0x08E6, 0x3478, 0x0211,
         CCID_QUIRK_PIN_ONE_MESSAGE | CCID_QUIRK_PIN_LOAD_TEXTS |
             CCID_QUIRK_PIN_THREE_INDEXES},
        {0x413C, 0x2100, 0x0101,
         CCID_QUIRK_PIN_NO_MESSAGE | CCID_QUIRK_PIN_DIGITS_SWAPPED | CCID_QUIRK_PIN_WAIT},
        {0x413C, 0x2101, 0x0200, CCID_QUIRK_PIN_NO_MESSAGE | CCID_QUIRK_PIN_WAIT},
        {0x04E6, 0xE003, 0x0510,
         CCID_QUIRK_PIN_NO_MESSAGE | CCID_QUIRK_PIN_THREE_INDEXES |
             CCID_QUIRK_PIN_ESCAPE_CASE_1},
        {0x046A, 0x003E, 0x0100,
         CCID_QUIRK_PIN_NO_MESSAGE | CCID_QUIRK_PIN_THREE_INDEXES |
             CCID_QUIRK_PIN_0_TO_25},
        {0x046A, 0x0010, 0x0100, CCID_QUIRK_PIN_THREE_MESSAGES},
        {0x076B, 0x3821, 0x0100, CCID_QUIRK_PIN_1_TO_31},
        {0x0D46, 0x4289, 0x0100, CCID_QUIRK_SECODER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_desc desc = plain();

        assert_true(apply(&desc, rows[i].vid, rows[i].pid, rows[i].bcd_device) > 0);
        assert_int_equal(desc.quirks, rows[i].bits);
    }
}

/* Firmware, interface and PIN pad decide, not VID:PID alone. */
static void test_quirks_of_a_row_apply_within_its_conditions_only(void **state)
{
    static const struct {
        uint16_t vid, pid, bcd_device;
        uint8_t interface_number, pin_support;
        uint32_t bits;
        size_t count;
    } rows[] = {
        {0x046A, 0x00A1, 0x0100, 0, 0,
         CCID_QUIRK_CHAINED_ANSWERS | CCID_QUIRK_PIN_TEXT | CCID_QUIRK_PIN_0_TO_32, 2},
        {0x046A, 0x00A1, 0x0101, 0, 0, CCID_QUIRK_PIN_TEXT | CCID_QUIRK_PIN_0_TO_32, 1},
        {0x0529, 0x0620, 0x0011, 0, 0, 0, 0},
        {0x0529, 0x0620, 0x0013, 0, 0, CCID_QUIRK_NO_IFSD, 1},
        {0x0529, 0x0620, 0x0014, 0, 0, 0, 0},
        {0x0529, 0x0620, 0x0100, 0, 0, 0, 0},
        {0x08E6, 0x3480, 0x0199, 0, 0,
         CCID_QUIRK_SECONDARY_RATES | CCID_QUIRK_ALWAYS_PRESENT, 1},
        {0x08E6, 0x3480, 0x0200, 0, 0, 0, 0},
        {0x0424, 0x1202, 0x0100, 0, 0, 0, 0},
        {0x0424, 0x1202, 0x0100, 1, 0,
         CCID_QUIRK_NO_DETECTOR | CCID_QUIRK_POWER_OFF_FIRST, 1},
        {0x08E6, 0x1359, 0x0100, 0, 0, 0, 0},
        {0x08E6, 0x1359, 0x0100, 0, 1, CCID_QUIRK_PIN_THREE_INDEXES, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_desc desc = plain();

        desc.interface_number = rows[i].interface_number;
        desc.pin_support = rows[i].pin_support;
        assert_int_equal(apply(&desc, rows[i].vid, rows[i].pid, rows[i].bcd_device),
                         rows[i].count);
        assert_int_equal(desc.quirks, rows[i].bits);
    }
}

static void test_quirks_take_a_pin_pad_away_that_does_harm_or_is_none(void **state)
{
    static const struct {
        uint16_t vid, pid, bcd_device;
        uint8_t left;
    } rows[] = {
        {0x03F0, 0x0036, 0x0124, 0}, {0x03F0, 0x1024, 0x0100, 0},
        {0x0BF8, 0x1017, 0x0121, 0}, {0x04F2, 0x1469, 0x0100, 0},
        {0x0783, 0x0006, 0x0250, 0}, {0x25DD, 0x3111, 0x0111, 0},
        {0x25DD, 0x3111, 0x0110, 3}, {0x25DD, 0x3111, 0x0112, 3},
        {0x076B, 0x3A21, 0x0100, 0}, {0x076B, 0x3031, 0x0106, 0},
        {0x076B, 0x6632, 0x0100, 0}, {0x046A, 0x00A7, 0x0100, 0},
        {0x0BF8, 0x1024, 0x0100, 0}, {0x0BF8, 0x1025, 0x0100, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_desc desc = plain();

        apply(&desc, rows[i].vid, rows[i].pid, rows[i].bcd_device);
        assert_int_equal(desc.pin_support, rows[i].left);
    }
}

static void test_quirks_correct_the_exchange_level(void **state)
{
    static const struct {
        uint16_t vid, pid;
        enum ccid_level says, is;
    } rows[] = {
        {0x2F7C, 0x6007, CCID_LEVEL_SHORT_APDU, CCID_LEVEL_EXTENDED_APDU},
        {0x2F7C, 0x6007, CCID_LEVEL_TPDU, CCID_LEVEL_TPDU},
        {0x076B, 0x3031, CCID_LEVEL_SHORT_APDU, CCID_LEVEL_EXTENDED_APDU},
        {0x076B, 0x3031, CCID_LEVEL_EXTENDED_APDU, CCID_LEVEL_EXTENDED_APDU},
        {0x0D46, 0x3010, CCID_LEVEL_EXTENDED_APDU, CCID_LEVEL_SHORT_APDU},
        {0x0D46, 0x3010, CCID_LEVEL_TPDU, CCID_LEVEL_TPDU},
        {0x09BE, 0x0002, CCID_LEVEL_CHARACTER, CCID_LEVEL_TPDU},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_desc desc = plain();

        desc.level = rows[i].says;
        apply(&desc, rows[i].vid, rows[i].pid, 0x0100);
        assert_int_equal(desc.level, rows[i].is);
    }
}

static void test_quirks_give_the_values_beside_the_bits(void **state)
{
    struct ccid_desc desc = plain();

    (void)state;
    apply(&desc, 0x058F, 0x9540, 0x0120);
    assert_int_equal(desc.usable_data_rate_bps, 200000);
    desc = plain();
    apply(&desc, 0x08E6, 0x34D2, 0x0001);
    assert_int_equal(desc.extra_card_ms, 300000);
    desc = plain();
    apply(&desc, 0x0B81, 0x0200, 0x0100);
    assert_int_equal(desc.boot_ms, 1000);
    assert_int_equal(desc.first_status_ms, 60000);
}

/* A descriptor that is shifted by a byte is not believed in anything that matters. */
static void test_quirks_replace_a_descriptor_that_is_rubbish(void **state)
{
    struct ccid_desc desc = plain();

    (void)state;
    desc.protocols = 0x0300;
    desc.mechanical = 0x03000000;
    desc.default_clock_khz = 1024000;
    desc.ifsd = 32;
    apply(&desc, 0x09BE, 0x0002, 0x0200);
    assert_int_equal(desc.protocols, 3);
    assert_int_equal(desc.mechanical, 0);
    assert_int_equal(desc.default_clock_khz, 4000);
    assert_int_equal(desc.maximum_clock_khz, 4000);
    assert_int_equal(desc.data_rate_bps, 9600);
    assert_int_equal(desc.ifsd, 254);
    desc = plain();
    desc.message_size = 64;
    apply(&desc, 0x09BE, 0x0002, 0x0200);
    assert_int_equal(desc.ifsd, 50);
}

/* Defective firmware is named and used; the version that is mended is not. */
static void test_quirks_name_defective_firmware_below_its_version(void **state)
{
    static const struct {
        uint16_t vid, pid, good;
    } rows[] = {
        {0x04E6, 0xE001, 0x0516}, {0x04E6, 0x5111, 0x0620}, {0x0D46, 0x3001, 0x0037},
        {0x0D46, 0x3002, 0x0037}, {0x09C3, 0x0008, 0x0203}, {0x0DC3, 0x1004, 0x0502},
        {0x0DC3, 0x1102, 0x0607}, {0x072F, 0x2200, 0x0206}, {0x08C3, 0x0402, 0x5000},
        {0x08C3, 0x0401, 0x5000}, {0x0B0C, 0x0050, 0x0101}, {0x0DC3, 0x0900, 0x0200},
        {0x062D, 0x0001, 0x0102}, {0x04E6, 0x5291, 0x0112},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *reasons[CCID_QUIRK_REASONS_MAX];
        struct ccid_desc desc = plain();
        const struct ccid_desc before = desc;

        assert_int_equal(ccid_quirks_apply(&desc, rows[i].vid, rows[i].pid,
                                           (uint16_t)(rows[i].good - 1), reasons),
                         1);
        assert_non_null(strstr(reasons[0], "defective"));
        assert_memory_equal(&desc, &before, sizeof(desc));
        assert_int_equal(apply(&desc, rows[i].vid, rows[i].pid, rows[i].good), 0);
    }
}

static void test_quirks_name_the_readers_that_nobody_got_to_work(void **state)
{
    static const uint16_t rows[][2] = {
        {0x0483, 0x2010}, {0x04E6, 0x5292}, {0x076B, 0x532A}, {0x076B, 0x5340},
        {0x08C3, 0x0406}, {0x0980, 0x902F}, {0x0B8C, 0x000E}, {0x0C4B, 0x0300},
        {0x0C4B, 0x0500}, {0x1A6F, 0x0104}, {0x1A74, 0x6356}, {0x1DB2, 0x0600},
        {0x1DB2, 0x0604}, {0x03EB, 0x6120},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *reasons[CCID_QUIRK_REASONS_MAX];
        struct ccid_desc desc = plain();

        assert_int_equal(
            ccid_quirks_apply(&desc, rows[i][0], rows[i][1], 0x0100, reasons), 1);
        assert_non_null(strstr(reasons[0], "known not to work"));
        assert_int_equal(desc.quirks, 0);
    }
}

/* Every row is well formed, does something or names a fault, and can be reached: no
 * device has more rows than there is room for. */
static void test_every_row_says_why_and_none_is_crowded_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < quirk_row_count; i++) {
        const struct quirk_row *row = &quirk_rows[i];
        const char *reasons[CCID_QUIRK_REASONS_MAX];
        struct ccid_desc desc = plain();
        size_t count;

        assert_non_null(row->reason);
        assert_non_null(strchr(row->reason, ':'));
        assert_true(strlen(row->reason) < 120);
        assert_true(row->below == 0 || row->below > row->from);
        desc.interface_number = row->only == QUIRK_SECOND_INTERFACE ? 1 : 0;
        count = ccid_quirks_apply(&desc, row->vid, row->pid, row->from, reasons);
        assert_true(count > 0 && count < CCID_QUIRK_REASONS_MAX);
        if (row->bits == 0 && row->correct == NULL)
            assert_true(strstr(row->reason, "defective") != NULL ||
                        strstr(row->reason, "known not to work") != NULL);
    }
    printf("%zu rows\n", quirk_row_count);
}

/* What is corrected stays within what the driver counts on, and a correction takes
 * nothing from a reader that it does not name. */
static void test_every_reader_of_the_corpus_is_safe_to_use_after_its_rows(void **state)
{
    FILE *f = corpus_open("ccid-readers.jsonl", __func__);
    char *row = NULL;
    size_t size = 0;
    int rows = 0, known = 0;

    (void)state;
    if (f == NULL)
        skip();
    while (getline(&row, &size, f) > 0) {
        const char *reasons[CCID_QUIRK_REASONS_MAX];
        struct ccid_desc desc = {0};
        struct ccid_desc before;
        uint8_t bytes[54];

        assert_int_equal(corpus_bytes(row, "class_descriptor", bytes, 54), 54);
        assert_int_equal(ccid_desc_parse_class(bytes, 54, &desc), STATUS_SUCCESS);
        desc.interface_number = (uint8_t)corpus_number(row, "bInterfaceNumber");
        before = desc;
        if (ccid_quirks_apply(&desc, (uint16_t)corpus_hex(row, "vid"),
                              (uint16_t)corpus_hex(row, "pid"),
                              (uint16_t)corpus_hex(row, "bcdDevice"), reasons) == 0)
            assert_memory_equal(&desc, &before, sizeof(desc));
        else
            known++;
        assert_true(desc.ifsd >= 1 && desc.ifsd <= 254);
        assert_true(desc.ifsd + 14 <= desc.message_size);
        assert_int_equal(desc.message_size, before.message_size);
        assert_int_equal(desc.slot_count, before.slot_count);
        assert_int_equal(desc.busy_slot_count, before.busy_slot_count);
        assert_true(desc.pin_support == 0 || desc.pin_support == before.pin_support);
        assert_true(desc.default_clock_khz <= 20000);
        rows++;
    }
    free(row);
    fclose(f);
    printf("%d descriptors of real readers, %d of them with rows\n", rows, known);
    assert_true(known > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quirks_of_an_unknown_reader_change_nothing),
        cmocka_unit_test(test_quirks_set_the_bits_of_their_rows),
        cmocka_unit_test(test_quirks_of_a_row_apply_within_its_conditions_only),
        cmocka_unit_test(test_quirks_take_a_pin_pad_away_that_does_harm_or_is_none),
        cmocka_unit_test(test_quirks_correct_the_exchange_level),
        cmocka_unit_test(test_quirks_give_the_values_beside_the_bits),
        cmocka_unit_test(test_quirks_replace_a_descriptor_that_is_rubbish),
        cmocka_unit_test(test_quirks_name_defective_firmware_below_its_version),
        cmocka_unit_test(test_quirks_name_the_readers_that_nobody_got_to_work),
        cmocka_unit_test(test_every_row_says_why_and_none_is_crowded_out),
        cmocka_unit_test(test_every_reader_of_the_corpus_is_safe_to_use_after_its_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
