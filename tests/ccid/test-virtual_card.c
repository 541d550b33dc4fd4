/* SPDX-License-Identifier: BSD-2-Clause */
/* test-virtual_card.c - every row of the built-in card's table, and its memory. */
#include "ccid/virtual_card.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint8_t response[CCID_VIRTUAL_RESPONSE_MAX];

static size_t unhex(const char *text, uint8_t *out, size_t size)
{
    size_t len = 0;

    for (; text[0] != '\0'; text += text[0] == ' ' ? 1 : 2) {
        char digits[3] = {text[0], text[1], '\0'};

        if (text[0] == ' ')
            continue;
        assert_true(len < size);
        out[len++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return len;
}

static size_t send(struct ccid_virtual_card *card, const char *apdu, uint32_t *delay_ms)
{
    uint8_t bytes[64];
    size_t len = unhex(apdu, bytes, sizeof(bytes));

    return ccid_virtual_card_apdu(card, bytes, len, response, delay_ms);
}

static void expect(struct ccid_virtual_card *card, const char *apdu, const char *answer)
{
    uint8_t bytes[64];
    size_t len = unhex(answer, bytes, sizeof(bytes));
    uint32_t delay_ms;

    assert_int_equal(send(card, apdu, &delay_ms), len);
    assert_memory_equal(response, bytes, len);
    assert_int_equal(delay_ms, 0);
}

static struct ccid_virtual_card new_card(void)
{
    struct ccid_virtual_card card;

    assert_true(ccid_virtual_card_init(&card, NULL, 0));
    ccid_virtual_card_reset(&card);
    return card;
}

static void test_card_rows_of_the_table_answer_as_written(void **state)
{
    static const struct {
        const char *apdu, *answer;
    } rows[] = {
        {"00A40400 08 F054455354424544", "9000"},
        {"00A40400 05 F054455354", "9000"}, /* the beginning matches */
        {"00A40400 05 F054455354 00", "9000"},
        {"00A40400 05 F054455355", "6A82"},
        {"00A40400 09 F05445535442454400", "6A82"}, /* longer than the name */
        {"00A40400 00 0005 F054455354", "9000"},
        {"00A40000 02 3F00", "9000"},
        {"00A40000 02 3F01", "6A82"},
        {"00A40000 01 3F", "6A82"},
        {"00A40400", "6700"},
        {"00A40100 02 3F00", "6D00"},
        {"00CA0000 03", "000102 9000"},
        {"00CA9F7F 01", "00 9000"},
        {"00B00000 04", "00010203 9000"},
        {"00B00000 00 0002", "0001 9000"},
        {"00B00000", "6700"},
        {"00B00000 01 AA", "6700"},
        {"80E00000 03 AABBCC", "AABBCC 9000"},
        {"80E00000 03 AABBCC 00", "AABBCC 9000"},
        {"80E00000 03 AABBCC 02", "AABB 9000"},
        {"80E00000 00 0002 AABB", "AABB 9000"},
        {"80E00000 00 0002 AABB 0000", "AABB 9000"},
        {"80E00000", "6700"},
        {"80E00001 01 AA", "6D00"},
        {"80E20003", "000102 9000"},
        {"80E20003 00", "000102 9000"},
        {"80E20003 02", "0001 9000"},
        {"80E20000", "9000"},
        {"80E20001 01 AA", "6700"},
        {"80E40000", "9000"},
        {"80E60000", "6982"},
        {"80E80000 04", "00000020 9000"}, /* the 32nd APDU of this card */
        {"80E80000 03", "6700"},
        {"80E80000", "6700"},
        {"80E80000 01 AA", "6700"},
        {"80E80001 04", "6D00"},
        {"80E40000 01 AA", "6700"},
        {"80E60000 01 AA", "6700"},
        {"80E60001", "6D00"},
        {"00840000", "6700"},
        {"00840001 04", "6D00"},
        {"00200081 01 31", "6D00"},
        {"00FF0000", "6D00"},
        {"80A40400 01 F0", "6D00"},
        {"40A40400 01 F0", "6E00"},
        {"FFCA0000 00", "6E00"},
        {"00A404", "6700"}, /* no APDU at all */
        {"00A40400 05 F05445", "6700"},
        {"00A40400 02 F05445 00", "6700"},
        {"00A40400 00 00", "6700"},
        {"00A40400 00 0000 00", "6700"},
        {"00A40400 00 0002 F0", "6700"},
    };
    struct ccid_virtual_card card = new_card();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect(&card, rows[i].apdu, rows[i].answer);
}

static void test_card_le_00_means_256_and_extended_0000_means_65536(void **state)
{
    struct ccid_virtual_card card = new_card();
    uint32_t delay_ms;

    (void)state;
    assert_int_equal(send(&card, "00CA0000 00", &delay_ms), 256 + 2);
    assert_int_equal(response[255], 255);
    assert_int_equal(send(&card, "00B00000 000000", &delay_ms), 65536 + 2);
    assert_int_equal(response[65535], 255);
    assert_int_equal(send(&card, "80E2FFFF", &delay_ms), 65535 + 2);
    assert_int_equal(send(&card, "80E20101 00", &delay_ms), 256 + 2);
}

static void test_card_echo_returns_65535_bytes(void **state)
{
    static uint8_t apdu[7 + 65535] = {0x80, 0xe0, 0, 0, 0, 0xff, 0xff};
    struct ccid_virtual_card card = new_card();
    uint32_t delay_ms;

    (void)state;
    for (size_t i = 7; i < sizeof(apdu); i++)
        apdu[i] = (uint8_t)(i * 7);
    assert_int_equal(
        ccid_virtual_card_apdu(&card, apdu, sizeof(apdu), response, &delay_ms),
        65535 + 2);
    assert_memory_equal(response, apdu + 7, 65535);
    assert_memory_equal(response + 65535, "\x90\x00", 2);
}

static void test_card_challenge_differs_each_time(void **state)
{
    struct ccid_virtual_card card = new_card();
    uint8_t first[8];
    uint32_t delay_ms;

    (void)state;
    assert_int_equal(send(&card, "00840000 08", &delay_ms), 10);
    memcpy(first, response, sizeof(first));
    assert_int_equal(send(&card, "00840000 08", &delay_ms), 10);
    assert_memory_not_equal(first, response, sizeof(first));
}

static void test_card_delay_command_tells_its_time(void **state)
{
    struct ccid_virtual_card card = new_card();
    uint32_t delay_ms;

    (void)state;
    assert_int_equal(send(&card, "80E41388", &delay_ms), 2);
    assert_int_equal(delay_ms, 5000);
    assert_memory_equal(response, "\x90\x00", 2);
}

static void test_card_verify_counts_down_and_blocks(void **state)
{
    struct ccid_virtual_card card = new_card();

    (void)state;
    expect(&card, "00200080 06 313233343537", "63C2");
    expect(&card, "00200080 05 3132333435", "63C1");
    expect(&card, "00200080", "6700"); /* costs no try */
    expect(&card, "00200080 06 313233343536", "9000");
    expect(&card, "00200080 01 00", "63C2"); /* a good PIN gives all tries back */
    expect(&card, "00200080 01 00", "63C1");
    expect(&card, "00200080 01 00", "63C0");
    expect(&card, "00200080 06 313233343536", "6983");
    ccid_virtual_card_reset(&card);
    expect(&card, "00200080 06 313233343536", "6983"); /* a reset does not unblock */
}

static void test_card_change_of_the_pin_needs_the_present_one(void **state)
{
    struct ccid_virtual_card card = new_card();

    (void)state;
    expect(&card, "00240080", "6700");
    expect(&card, "00240080 09 313233343536 313233", "6700"); /* too short, no try */
    expect(&card, "00240080 0F 313233343536 313233343536373839", "6700");
    expect(&card, "00240080 0A 313233343537 31323334", "63C2");
    expect(&card, "00240080 0A 313233343536 34333231", "9000");
    expect(&card, "80E60000", "6982"); /* to change it is not to verify it */
    expect(&card, "00200080 06 313233343536", "63C2");
    expect(&card, "00200080 04 34333231", "9000");
    expect(&card, "80E60000", "9000");
    expect(&card, "00240080 0C 34333231 3132333435363738", "9000");
    expect(&card, "00200080 08 3132333435363738", "9000");
    expect(&card, "00240080 0C 000000000000000000000000", "63C2");
    expect(&card, "00240080 0C 000000000000000000000000", "63C1");
    expect(&card, "00240080 0C 000000000000000000000000", "63C0");
    expect(&card, "00240080 0C 313233343536373831323334", "6983");
}

static void test_card_reset_forgets_pin_and_counter(void **state)
{
    struct ccid_virtual_card card = new_card();

    (void)state;
    expect(&card, "00200080 06 313233343536", "9000");
    expect(&card, "80E60000", "9000");
    expect(&card, "80E80000 04", "00000003 9000");
    ccid_virtual_card_reset(&card);
    expect(&card, "80E80000 04", "00000001 9000");
    expect(&card, "80E60000", "6982");
}

static void test_card_wrong_pin_ends_the_verified_state(void **state)
{
    struct ccid_virtual_card card = new_card();

    (void)state;
    expect(&card, "00200080 06 313233343536", "9000");
    expect(&card, "00200080 01 00", "63C2");
    expect(&card, "80E60000", "6982");
}

static void test_card_atr_length_is_checked_and_content_is_not(void **state)
{
    uint8_t atr[CCID_VIRTUAL_ATR_MAX + 1] = {0x3b, 0x00};
    struct ccid_virtual_card card;

    (void)state;
    assert_true(ccid_virtual_card_init(&card, NULL, 0));
    assert_int_equal(card.atr_len, 13);
    assert_false(ccid_virtual_card_init(&card, atr, 1));
    assert_true(ccid_virtual_card_init(&card, atr, 2));
    assert_true(ccid_virtual_card_init(&card, (const uint8_t *)"\xff\xff", 2));
    assert_true(ccid_virtual_card_init(&card, atr, CCID_VIRTUAL_ATR_MAX));
    assert_false(ccid_virtual_card_init(&card, atr, sizeof(atr)));
}

static void test_card_protocols_follow_the_atr(void **state)
{
    static const struct {
        const char *atr;
        uint32_t protocols;
    } rows[] = {
        {"3B88800154455354424544015D", 3},
        {"3B0454455354", 1},
        {"3B84015445535493", 2},
        {"3BF0 11 00 00 81 31 FE", 2}, /* TA1 TB1 TC1 TD1 */
        {"3BF0", 1},                   /* announces more than it has */
        {"3B80 80 80 80 80", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t atr[CCID_VIRTUAL_ATR_MAX];
        size_t len = unhex(rows[i].atr, atr, sizeof(atr));
        struct ccid_virtual_card card;

        assert_true(ccid_virtual_card_init(&card, atr, len));
        assert_int_equal(ccid_virtual_card_protocols(&card), rows[i].protocols);
    }
}

static void test_card_falls_silent_at_one_command_only(void **state)
{
    static const struct {
        const char *apdu;
        bool mute;
    } rows[] = {{"80000100 01 11", true},
                {"80000000 01 11", false},
                {"80000100 01 12", false},
                {"80000100 02 1111", false},
                {"80000100", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_card card = new_card();

        expect(&card, rows[i].apdu, rows[i].mute ? "" : "6D00");
        assert_int_equal(card.mute, rows[i].mute);
    }
}

/* The first bytes behind T=1 count, as a reader reads them. */
static void test_card_offer_follows_the_interface_bytes(void **state)
{
    static const struct {
        const char *atr;
        uint8_t fidi, first, ifsc;
        bool specific, crc;
    } rows[] = {
        {"3B00", 0x11, 0, 32, false, false},
        {"3B90 95 80 01", 0x95, 0, 32, false, false},
        {"3B80 90 01 00", 0x11, 1, 32, true, false}, /* TA2 */
        {"3B80 81 51 40 01", 0x11, 1, 0x40, false, true},
        {"3B80 81 D1 40 01 51 50 00", 0x11, 1, 0x40, false, true},
        {"3B80 81 1F C3", 0x11, 1, 32, false, false}, /* T=15 */
        {"3B80 80 9F C3 51 40 01", 0x11, 0, 0x40, false, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t atr[CCID_VIRTUAL_ATR_MAX];
        size_t len = unhex(rows[i].atr, atr, sizeof(atr));
        struct ccid_virtual_card card;
        struct ccid_virtual_offer offer;

        assert_true(ccid_virtual_card_init(&card, atr, len));
        ccid_virtual_card_offer(&card, &offer);
        assert_int_equal(offer.fidi, rows[i].fidi);
        assert_int_equal(offer.first, rows[i].first);
        assert_int_equal(offer.ifsc, rows[i].ifsc);
        assert_int_equal(offer.specific, rows[i].specific);
        assert_int_equal(offer.crc, rows[i].crc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_card_rows_of_the_table_answer_as_written),
        cmocka_unit_test(test_card_le_00_means_256_and_extended_0000_means_65536),
        cmocka_unit_test(test_card_echo_returns_65535_bytes),
        cmocka_unit_test(test_card_challenge_differs_each_time),
        cmocka_unit_test(test_card_delay_command_tells_its_time),
        cmocka_unit_test(test_card_verify_counts_down_and_blocks),
        cmocka_unit_test(test_card_change_of_the_pin_needs_the_present_one),
        cmocka_unit_test(test_card_reset_forgets_pin_and_counter),
        cmocka_unit_test(test_card_wrong_pin_ends_the_verified_state),
        cmocka_unit_test(test_card_atr_length_is_checked_and_content_is_not),
        cmocka_unit_test(test_card_protocols_follow_the_atr),
        cmocka_unit_test(test_card_falls_silent_at_one_command_only),
        cmocka_unit_test(test_card_offer_follows_the_interface_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
