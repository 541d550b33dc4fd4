/* SPDX-License-Identifier: BSD-2-Clause */
/* test-virtual_contact.c - the card behind the contacts: what it listens to, and when it
 * is silent. */
#include "ccid/virtual_contact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ccid_virtual_card card;
static struct ccid_virtual_contact contact;
static struct ccid_virtual_line line;
static uint8_t out[CCID_VIRTUAL_CONTACT_MAX];

static void put_in(const char *atr, size_t len)
{
    memset(&contact, 0, sizeof(contact));
    assert_true(ccid_virtual_card_init(&card, (const uint8_t *)atr, len));
    ccid_virtual_contact_reset(&contact, &card);
    line = (struct ccid_virtual_line){.protocol = 0, .fidi = 0x11};
}

static void expect(const char *in, size_t in_len, const char *answer, size_t len)
{
    assert_int_equal(
        ccid_virtual_contact_exchange(&contact, &line, (const uint8_t *)in, in_len, out),
        len);
    if (len > 0)
        assert_memory_equal(out, answer, len);
}

/* TA1 = 18h, T=0 and T=1. */
#define ATR_BOTH "\x3b\x90\x18\x80\x01\x09", 6
#define SELECT   "\x00\xa4\x00\x00\x02\x3f\x00", 7
#define I_SELECT "\x00\x00\x07\x00\xa4\x00\x00\x02\x3f\x00\x9e", 11

static void test_contact_pps_is_answered_and_obeyed(void **state)
{
    static const struct {
        const char *pps;
        size_t len;
        const char *answer;
        size_t answer_len;
        uint8_t protocol, fidi;
    } rows[] = {
        {"\xff\x11\x18\xf6", 4, "\xff\x11\x18\xf6", 4, 1, 0x18},
        {"\xff\x10\x13\xfc", 4, "\xff\x10\x13\xfc", 4, 0, 0x13}, /* a smaller D */
        {"\xff\x11\x95\x7b", 4, "\xff\x01\xfe", 3, 1, 0x11},     /* another F */
        {"\xff\x00\xff", 3, "\xff\x00\xff", 3, 0, 0x11},
        {"\xff\x71\x18\x00\x00\x96", 6, "\xff\x11\x18\xf6", 4, 1, 0x18},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_in(ATR_BOTH);
        expect(rows[i].pps, rows[i].len, rows[i].answer, rows[i].answer_len);
        line.protocol = rows[i].protocol;
        line.fidi = rows[i].fidi;
        if (line.protocol == 1)
            expect(I_SELECT, "\x00\x00\x02\x90\x00\x92", 6);
        else
            expect(SELECT, "\x90\x00", 2);
    }
}

static void test_contact_is_silent_at_a_wrong_pps(void **state)
{
    static const struct {
        const char *pps;
        size_t len;
    } rows[] = {
        {"\xff\x11\x18\xf7", 4},
        {"\xff\x11\xee", 3},
        {"\xff\x02\xfd", 3},
        {"\xff", 1},
        {"\xff\x11\x18\xf6\x00", 5},
        {"\xff\x71\x18\x00\x00\x00\x96", 7}, /* longer than any */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_in(ATR_BOTH);
        expect(rows[i].pps, rows[i].len, NULL, 0);
    }
}

static void test_contact_speaks_its_first_protocol_at_the_default_rate(void **state)
{
    (void)state;
    put_in(ATR_BOTH);
    expect(SELECT, "\x90\x00", 2);
    /* and no PPS any more: it is a command of class FF now */
    expect("\xff\x00\xff\x00\x00", 5, "\x6e\x00", 2);

    put_in(ATR_BOTH);
    line.fidi = 0x18;
    expect(SELECT, NULL, 0); /* a rate that nobody agreed to */

    put_in("\x3b\x80\x81\x01\x00", 5);
    expect(SELECT, NULL, 0); /* T=0 to a card of T=1 */
    line.protocol = 1;
    expect(I_SELECT, "\x00\x00\x02\x90\x00\x92", 6);
}

static void test_contact_in_specific_mode_begins_where_ta2_says(void **state)
{
    (void)state;
    put_in("\x3b\x90\x18\x90\x01\x01\x18", 7); /* TA1 18, TD1 90, TA2 01 */
    line.protocol = 1;
    line.fidi = 0x18;
    assert_false(
        ccid_virtual_contact_awaits_pps(&contact, (const uint8_t *)"\xff\x01\xfe", 3));
    expect(I_SELECT, "\x00\x00\x02\x90\x00\x92", 6);
}

static void test_contact_parameters_of_t1_come_from_the_atr(void **state)
{
    (void)state;
    put_in("\x3b\x80\x81\x71\x80\x45\x01\xb5", 8);
    assert_int_equal(contact.t1.ifsc, 0x80);
    assert_true(contact.t1.crc);
    put_in("\x3b\x80\x81\x01\x00", 5);
    assert_int_equal(contact.t1.ifsc, 32);
    assert_false(contact.t1.crc);
    put_in("\x3b\xff\x11", 3); /* cut short: nothing beyond it is read */
    assert_int_equal(contact.offer.protocols, 1);
}

static void test_contact_granted_extension_takes_its_time(void **state)
{
    (void)state;
    put_in("\x3b\x80\x81\x01\x00", 5);
    line.protocol = 1;
    contact.t1.fault = CCID_T1_FAULT_WTX;
    contact.t1.fault_count = 1;
    contact.t1.fault_value = 5;
    expect(I_SELECT, "\x00\xc3\x01\x05\xc7", 5);
    assert_int_equal(line.waits, 0);
    expect("\x00\xe3\x01\x05\xe7", 5, "\x00\x00\x02\x90\x00\x92", 6);
    assert_int_equal(line.waits, 5);
}

static void test_contact_mute_command_silences_the_card_until_its_reset(void **state)
{
    (void)state;
    put_in(ATR_BOTH);
    expect("\x80\x00\x01\x00\x01\x11", 6, NULL, 0);
    expect(SELECT, NULL, 0);
    ccid_virtual_card_reset(&card);
    ccid_virtual_contact_reset(&contact, &card);
    expect(SELECT, "\x90\x00", 2);

    put_in("\x3b\x80\x81\x01\x00", 5);
    line.protocol = 1;
    expect("\x00\x00\x06\x80\x00\x01\x00\x01\x11\x97", 10, NULL, 0);
    expect("\x00\xc0\x00\xc0", 4, NULL, 0);
    ccid_virtual_card_reset(&card);
    ccid_virtual_contact_reset(&contact, &card);
    expect(I_SELECT, "\x00\x00\x02\x90\x00\x92", 6);
}

static void test_contact_is_silent_at_what_is_no_command(void **state)
{
    static const uint8_t zeros[CCID_VIRTUAL_CONTACT_MAX + 1];
    const char *bytes = (const char *)zeros;

    (void)state;
    put_in(ATR_BOTH);
    expect(bytes, 0, NULL, 0);
    put_in(ATR_BOTH);
    expect(bytes, 4, NULL, 0);
    expect(bytes, CCID_VIRTUAL_T0_COMMAND_MAX + 1, NULL, 0);
    expect(SELECT, "\x90\x00", 2); /* it has heard nothing */
    put_in("\x3b\x80\x81\x01\x00", 5);
    line.protocol = 1;
    expect(bytes, CCID_VIRTUAL_T1_BLOCK_MAX + 1, NULL, 0);
    expect(I_SELECT, "\x00\x00\x02\x90\x00\x92", 6);
}

/* An extension that was granted to nobody, or in another way, takes no time. */
static void test_contact_extension_that_was_not_granted_takes_no_time(void **state)
{
    (void)state;
    put_in("\x3b\x80\x81\x01\x00", 5);
    line.protocol = 1;
    expect(I_SELECT, "\x00\x00\x02\x90\x00\x92", 6);
    expect("\x00\xe3\x01\x05\xe7", 5, "\x00\x00\x02\x90\x00\x92", 6);
    assert_int_equal(line.waits, 0);
    put_in("\x3b\x80\x81\x01\x00", 5);
    line.protocol = 1;
    contact.t1.fault = CCID_T1_FAULT_WTX;
    contact.t1.fault_count = 1;
    contact.t1.fault_value = 5;
    expect(I_SELECT, "\x00\xc3\x01\x05\xc7", 5);
    expect("\x00\x82\x00\x82", 4, "\x00\x00\x02\x90\x00\x92", 6);
    assert_int_equal(line.waits, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contact_pps_is_answered_and_obeyed),
        cmocka_unit_test(test_contact_is_silent_at_a_wrong_pps),
        cmocka_unit_test(test_contact_speaks_its_first_protocol_at_the_default_rate),
        cmocka_unit_test(test_contact_in_specific_mode_begins_where_ta2_says),
        cmocka_unit_test(test_contact_parameters_of_t1_come_from_the_atr),
        cmocka_unit_test(test_contact_granted_extension_takes_its_time),
        cmocka_unit_test(test_contact_mute_command_silences_the_card_until_its_reset),
        cmocka_unit_test(test_contact_is_silent_at_what_is_no_command),
        cmocka_unit_test(test_contact_extension_that_was_not_granted_takes_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
