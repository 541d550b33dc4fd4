/* SPDX-License-Identifier: BSD-2-Clause */
/* test-virtual_pinpad.c - ccid/virtual_pinpad.c and virtual_escape.c, message by message:
 * what becomes of the keys, and what the pad does not do. */
#include "ccid/virtual_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "virtual_clock.h"

static struct {
    struct virtual_clock clock;
    struct ccid_virtual_reader *reader;
    struct ccid_usb_port port;
    uint8_t seq;
} pad;

static int setup(void **state)
{
    (void)state;
    virtual_clock_init(&pad.clock);
    pad.reader = ccid_virtual_reader_new(&pad.clock.clock, ccid_virtual_shape("pinpad"));
    assert_non_null(pad.reader);
    pad.port = ccid_virtual_reader_port(pad.reader);
    pad.seq = 0;
    assert_int_equal(ccid_virtual_reader_insert(pad.reader, 0, NULL, 0), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ccid_virtual_reader_free(pad.reader);
    return 0;
}

static void send(uint8_t type, const char *hex)
{
    uint8_t message[400];
    size_t length = bench_bytes(hex, message + CCID_HEADER_LENGTH, 380);

    ccid_msg_header(message, type, (uint32_t)length, 0, pad.seq++, 0, 0, 0);
    assert_int_equal(
        pad.port.ops->bulk_out(pad.port.usb, message, CCID_HEADER_LENGTH + length, 1000),
        CCID_USB_OK);
}

/* The next message that is no time extension. */
static struct ccid_answer receive(void)
{
    static uint8_t message[512];
    struct ccid_answer answer;
    size_t length;

    do {
        assert_int_equal(pad.port.ops->bulk_in(pad.port.usb, message, sizeof(message),
                                               &length, 100000),
                         CCID_USB_OK);
        assert_null(ccid_msg_decode(message, length, &answer));
    } while (answer.outcome == CCID_TIME_EXTENSION);
    return answer;
}

static void power_on(void)
{
    send(CCID_ICC_POWER_ON, "");
    assert_int_equal(receive().outcome, CCID_DONE);
}

static void fails_with(const char *hex, uint8_t error)
{
    struct ccid_answer answer;

    send(CCID_SECURE, hex);
    answer = receive();
    assert_int_equal(answer.outcome, CCID_FAILED);
    assert_int_equal(answer.error, error);
}

static void test_keys_go_where_the_form_says(void **state)
{
    static const struct {
        const char *form, *keys, *command;
    } rows[] = {
        /* ASCII, no block: the command grows */
        {"00 1E 82 00 00 08 04 02 00 09 04 00 00 00 00 00 20 00 80 00", "1234",
         "00 20 00 80 04 31 32 33 34"},
        {"00 1E 82 00 00 08 04 02 00 09 04 00 00 00 00 00 20 00 80", "1234",
         "00 20 00 80 04 31 32 33 34"},
        /* a block of eight, padded by the template */
        {"00 1E 82 08 00 08 04 02 00 09 04 00 00 00 00 "
         "00 20 00 80 08 FF FF FF FF FF FF FF FF",
         "1234", "00 20 00 80 08 31 32 33 34 FF FF FF FF"},
        /* the same, right justified */
        {"00 1E 86 08 00 08 04 02 00 09 04 00 00 00 00 "
         "00 20 00 80 08 FF FF FF FF FF FF FF FF",
         "1234", "00 20 00 80 08 FF FF FF FF 31 32 33 34"},
        /* format 2: BCD one byte on, its length in bits 4 to 7 of the first one */
        {"00 1E 89 47 04 0C 04 02 00 09 04 00 00 00 00 "
         "00 20 00 80 08 20 FF FF FF FF FF FF FF",
         "12345", "00 20 00 80 08 25 12 34 5F FF FF FF FF"},
        /* binary, four bits on */
        {"00 1E 20 02 00 08 02 02 00 09 04 00 00 00 00 00 20 00 80 03 F0 00 0F", "12",
         "00 20 00 80 03 F0 10 2F"},
        /* modify: the present PIN and the new one, each in its block */
        {"01 1E 82 04 00 00 04 04 04 03 02 03 09 04 00 01 02 00 00 00 "
         "00 24 00 80 08 FF FF FF FF FF FF FF FF",
         "1234/5678/5678", "00 24 00 80 08 31 32 33 34 35 36 37 38"},
        /* the new one alone, not confirmed; one message index */
        {"01 1E 82 04 00 00 00 04 04 00 02 00 09 04 00 00 00 00 "
         "00 24 01 80 04 FF FF FF FF",
         "5678", "00 24 01 80 04 35 36 37 38"},
    };

    (void)state;
    power_on();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct ccid_virtual_pad *slot = &pad.reader->slots[0].pad;
        uint8_t expected[64];
        size_t length = bench_bytes(rows[i].command, expected, sizeof(expected));

        assert_int_equal(ccid_virtual_reader_type(pad.reader, 0, rows[i].keys), 0);
        send(CCID_SECURE, rows[i].form);
        assert_true(slot->asking);
        assert_int_equal(slot->command_len, length);
        assert_memory_equal(slot->command, expected, length);
        assert_int_equal(receive().outcome, CCID_DONE);
        assert_false(slot->asking);
    }
}

#define VERIFY_TAIL "00 00 00 00 00 20 00 80 00"

static void test_form_that_breaks_the_rules_has_the_index_of_the_byte(void **state)
{
    (void)state;
    fails_with("00 1E 82 00 00 08 04 02 00 09 04 " VERIFY_TAIL, CCID_ERROR_MUTE);
    power_on();
    fails_with("", 10);
    fails_with("02 1E", 10);
    fails_with("05", 10); /* nothing has been sent */
    fails_with("00 1E 82", 1);
    fails_with("00 1E 83 00 00 08 04 02 00 09 04 " VERIFY_TAIL, 12);
    fails_with("00 1E 82 00 00 04 08 02 00 09 04 " VERIFY_TAIL, 12);
    fails_with("00 1E 82 00 00 08 04 00 00 09 04 " VERIFY_TAIL, 17);
    fails_with("00 1E 82 00 00 08 04 08 00 09 04 " VERIFY_TAIL, 17);
    fails_with("00 1E 82 04 00 08 04 02 00 09 04 " VERIFY_TAIL, 13);
    send(CCID_GET_SLOT_STATUS, "");
    assert_int_equal(receive().outcome, CCID_DONE);
}

static void test_user_is_one_who_types_or_stops(void **state)
{
    static const char *const not_users[] = {
        "", "1234 ", "abandon", "12a4",
        "123456789012345678901234567890123456789012345678"};

    (void)state;
    for (size_t i = 0; i < sizeof(not_users) / sizeof(not_users[0]); i++)
        assert_true(ccid_virtual_reader_type(pad.reader, 0, not_users[i]) < 0);
    assert_true(ccid_virtual_reader_type(pad.reader, 1, "1234") < 0);
    power_on();
    assert_int_equal(ccid_virtual_reader_type(pad.reader, 0, "cancel"), 0);
    fails_with("00 1E 82 00 00 08 04 02 00 09 04 " VERIFY_TAIL, CCID_ERROR_PIN_CANCELLED);
    assert_int_equal(ccid_virtual_reader_type(pad.reader, 0, "timeout"), 0);
    fails_with("00 05 82 00 00 08 04 02 00 09 04 " VERIFY_TAIL, CCID_ERROR_PIN_TIMEOUT);
    /* One PIN where three are asked for. */
    assert_int_equal(ccid_virtual_reader_type(pad.reader, 0, "1234"), 0);
    fails_with("01 05 82 00 00 00 00 08 04 03 02 00 09 04 00 00 00 00 00 24 00 80 00",
               CCID_ERROR_PIN_TIMEOUT);
}

static void test_reader_without_keys_knows_no_secure(void **state)
{
    struct ccid_virtual_shape shape = *ccid_virtual_shape("pinpad");

    shape.pin_support = 0;
    teardown(state);
    virtual_clock_init(&pad.clock);
    pad.reader = ccid_virtual_reader_new(&pad.clock.clock, &shape);
    assert_non_null(pad.reader);
    pad.port = ccid_virtual_reader_port(pad.reader);
    assert_int_equal(ccid_virtual_reader_insert(pad.reader, 0, NULL, 0), 0);
    power_on();
    fails_with("00 1E 82 00 00 08 04 02 00 09 04 " VERIFY_TAIL, CCID_ERROR_NOT_SUPPORTED);
}

static void test_escape_gives_the_bytes_back_the_last_one_first(void **state)
{
    struct ccid_answer answer;

    (void)state;
    send(CCID_ESCAPE_OUT, "01 02 03");
    answer = receive();
    assert_int_equal(answer.type, CCID_ESCAPE_IN);
    assert_int_equal(answer.length, 3);
    assert_memory_equal(answer.data, "\x03\x02\x01", 3);
}

/* bmPINBlockString and its like point behind the command: nothing is written there. */
static void test_form_that_points_outside_of_the_command_is_refused(void **state)
{
    static const char *const forms[] = {
        /* the digits, of a block longer than the template */
        "00 1E 82 08 00 08 05 02 00 09 04 00 00 00 00 00 20 00 80 04 FF FF FF FF",
        /* their number, eight bytes on */
        "00 1E 82 45 18 08 05 02 00 09 04 00 00 00 00 00 20 00 80 05 FF FF FF FF FF",
        /* without a block: the place of the present PIN, of the new one */
        "01 1E 82 00 00 20 00 08 04 03 02 03 09 04 00 00 00 00 00 00 00 24 00 80 00",
        "01 1E 82 00 00 00 20 08 04 03 02 03 09 04 00 00 00 00 00 00 00 24 00 80 00",
    };
    const struct ccid_virtual_pad *slot = &pad.reader->slots[0].pad;

    (void)state;
    power_on();
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_int_equal(ccid_virtual_reader_type(pad.reader, 0, "12345/12345/12345"), 0);
        fails_with(forms[i], 13);
        assert_true(slot->command_len <= sizeof(slot->command));
    }
}

static void test_command_with_no_room_for_pins_is_refused(void **state)
{
    char form[2 * 380 + 1] = "001E82000008040200090400000000";
    const size_t head = strlen(form), most = CCID_VIRTUAL_PIN_COMMAND - 2 * 17;

    (void)state;
    power_on();
    for (size_t len = most; len <= most + 1; len++) {
        memset(form + head, '0', 2 * len);
        form[head + 2 * len] = '\0';
        if (len > most) {
            fails_with(form, 1);
        } else {
            send(CCID_SECURE, form);
            assert_int_equal(receive().outcome, CCID_DONE);
        }
    }
}

static void test_pin_of_another_length_is_a_status_word(void **state)
{
    static const char *const pins[] = {"123", "123456789"};

    (void)state;
    power_on();
    for (size_t i = 0; i < 2; i++) {
        struct ccid_answer answer;

        assert_int_equal(ccid_virtual_reader_type(pad.reader, 0, pins[i]), 0);
        send(CCID_SECURE, "00 1E 82 00 00 08 04 02 00 09 04 " VERIFY_TAIL);
        answer = receive();
        assert_int_equal(answer.outcome, CCID_DONE);
        assert_int_equal(answer.length, 2);
        assert_memory_equal(answer.data, "\x64\x03", 2);
    }
}

static void test_user_without_a_limit_has_half_a_minute(void **state)
{
    uint64_t started;

    (void)state;
    power_on();
    assert_int_equal(ccid_virtual_reader_type(pad.reader, 0, "timeout"), 0);
    started = pad.clock.now_ms;
    fails_with("00 00 82 00 00 08 04 02 00 09 04 " VERIFY_TAIL, CCID_ERROR_PIN_TIMEOUT);
    assert_in_range(pad.clock.now_ms - started, 30000, 31000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys_go_where_the_form_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_form_that_breaks_the_rules_has_the_index_of_the_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_user_is_one_who_types_or_stops, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reader_without_keys_knows_no_secure, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_escape_gives_the_bytes_back_the_last_one_first, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_form_that_points_outside_of_the_command_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_command_with_no_room_for_pins_is_refused,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_pin_of_another_length_is_a_status_word,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_user_without_a_limit_has_half_a_minute,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
