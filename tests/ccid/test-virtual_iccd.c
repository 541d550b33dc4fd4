/* SPDX-License-Identifier: BSD-2-Clause */
/* test-virtual_iccd.c - ccid/virtual_iccd.c: the requests of a token, as a host sends
 * them. */
#include "ccid/virtual_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "virtual_clock.h"

#define TO_TOKEN   0x21
#define FROM_TOKEN 0xA1

static struct virtual_clock clock_;
static struct ccid_virtual_reader *reader;

static const struct ccid_virtual_shape *token(enum ccid_transport transport)
{
    static struct ccid_virtual_shape shape;

    shape = ccid_virtual_default_shape;
    shape.transport = transport;
    shape.interface_protocol = transport == CCID_TRANSPORT_ICCD_A ? 1 : 2;
    shape.interface_number = 1;
    shape.level =
        transport == CCID_TRANSPORT_ICCD_A ? CCID_LEVEL_CHARACTER : CCID_LEVEL_SHORT_APDU;
    shape.features = 0x0840;
    shape.max_message_length = 261;
    return &shape;
}

static void begin(enum ccid_transport transport)
{
    virtual_clock_init(&clock_);
    reader = ccid_virtual_reader_new(&clock_.clock, token(transport));
    assert_non_null(reader);
    assert_int_equal(ccid_virtual_reader_insert(reader, 0, NULL, 0), 0);
}

static void end(void)
{
    ccid_virtual_reader_free(reader);
}

static enum ccid_usb_result request(uint8_t type, uint8_t number, uint16_t value,
                                    void *data, uint16_t len, size_t *done)
{
    struct ccid_usb_port port = ccid_virtual_reader_port(reader);

    return port.ops->control(port.usb, type, number, value, 1, data, len, done, 1000);
}

static enum ccid_usb_result out(uint8_t number, uint16_t value, const char *text,
                                uint16_t len)
{
    uint8_t bytes[300];
    size_t done;
    enum ccid_usb_result result;

    memcpy(bytes, text, len);
    result = request(TO_TOKEN, number, value, bytes, len, &done);
    if (result == CCID_USB_OK)
        assert_int_equal(done, len);
    return result;
}

/* What the token answers, as text; "stall" where it refuses. */
static void in_is(uint8_t number, uint16_t room, const char *expected, size_t len)
{
    uint8_t bytes[4096];
    size_t done;

    assert_int_equal(request(FROM_TOKEN, number, 0, bytes, room, &done), CCID_USB_OK);
    assert_int_equal(done, len);
    assert_memory_equal(bytes, expected, len);
}

static void in_stalls(uint8_t number)
{
    uint8_t bytes[16];
    size_t done;

    assert_int_equal(request(FROM_TOKEN, number, 0, bytes, sizeof(bytes), &done),
                     CCID_USB_STALL);
    assert_int_equal(done, 0);
}

#define ATR     "\x3b\x88\x80\x01TESTBED\x01\x5d"
#define ATR_LEN 13

/* ---- version A -------------------------------------------------------------------- */

static void a_powered(void)
{
    begin(CCID_TRANSPORT_ICCD_A);
    in_is(0xA0, 1, "\x00", 1);
    assert_int_equal(out(0x63, 0, "", 0), CCID_USB_OK);
    in_is(0x62, 64, ATR, ATR_LEN);
    in_is(0xA0, 1, "\x00", 1);
}

static void test_a_command_without_data_goes_to_the_status_word(void **state)
{
    (void)state;
    a_powered();
    assert_int_equal(out(0x65, 0, "\x80\xe6\x00\x00\x00", 5), CCID_USB_OK);
    in_is(0xA0, 1, "\x20", 1);
    in_is(0x6F, 2, "\x69\x82", 2);
    in_is(0xA0, 1, "\x00", 1);
    end();
}

static void test_a_command_with_data_asks_for_it(void **state)
{
    (void)state;
    a_powered();
    assert_int_equal(out(0x65, 0, "\x80\xe0\x00\x00\x02", 5), CCID_USB_OK);
    in_is(0xA0, 1, "\x10", 1);
    assert_int_equal(out(0x65, 0, "\xca", 1), CCID_USB_STALL); /* not all of it */
    assert_int_equal(out(0x65, 0, "\xca\xfe", 2), CCID_USB_OK);
    in_is(0xA0, 1, "\x20", 1);
    in_is(0x6F, 2, "\x61\x02", 2);
    end();
}

static void test_a_answer_comes_in_the_parts_that_the_host_takes(void **state)
{
    (void)state;
    a_powered();
    assert_int_equal(out(0x65, 0, "\x00\xca\x00\x00\x04", 5), CCID_USB_OK);
    in_is(0xA0, 1, "\x10", 1);
    in_is(0x6F, 3, "\x00\x01\x02", 3);
    in_is(0xA0, 1, "\x10", 1);
    in_is(0x6F, 300, "\x03", 1);
    in_is(0xA0, 1, "\x20", 1);
    in_is(0x6F, 300, "\x90\x00", 2);
    in_stalls(0x6F);
    end();
}

static void test_a_token_at_work_is_busy_and_takes_nothing(void **state)
{
    (void)state;
    a_powered();
    assert_int_equal(out(0x65, 0, "\x80\xe4\x03\xe8\x00", 5), CCID_USB_OK);
    in_is(0xA0, 1, "\x40", 1);
    in_stalls(0x6F);
    assert_int_equal(out(0x65, 0, "\x80\xe6\x00\x00\x00", 5), CCID_USB_STALL);
    clock_.now_ms += 999;
    in_is(0xA0, 1, "\x40", 1);
    clock_.now_ms += 1;
    in_is(0xA0, 1, "\x20", 1);
    end();
}

static void test_a_mute_card_stays_mute_until_it_is_reset(void **state)
{
    (void)state;
    a_powered();
    assert_int_equal(out(0x65, 0, "\x80\x00\x01\x00\x01", 5), CCID_USB_OK);
    assert_int_equal(out(0x65, 0, "\x11", 1), CCID_USB_OK);
    clock_.now_ms += 10000;
    in_is(0xA0, 1, "\x80", 1);
    in_is(0xA0, 1, "\x80", 1);
    assert_int_equal(out(0x65, 0, "\x80\xe6\x00\x00\x00", 5), CCID_USB_STALL);
    in_is(0x62, 64, ATR, ATR_LEN);
    in_is(0xA0, 1, "\x00", 1);
    end();
}

static void test_a_requests_that_cannot_be_are_stalled(void **state)
{
    (void)state;
    begin(CCID_TRANSPORT_ICCD_A);
    assert_int_equal(out(0x65, 0, "\x80\xe6\x00\x00\x00", 5), CCID_USB_STALL);
    in_stalls(0x6F);
    in_stalls(0x81); /* of version B */
    assert_int_equal(out(0x62, 1, "", 0), CCID_USB_STALL);
    assert_int_equal(out(0x63, 0, "x", 1), CCID_USB_STALL);
    in_is(0x62, 64, ATR, ATR_LEN);
    assert_int_equal(out(0x65, 0, "\x80\xe6\x00\x00", 4), CCID_USB_STALL);
    assert_int_equal(out(0x65, 0, "\x80\xe6\x00\x00\x01\x01", 6), CCID_USB_STALL);
    assert_int_equal(ccid_virtual_reader_remove(reader, 0), 0);
    in_is(0xA0, 1, "\x80", 1);
    in_stalls(0x62);
    end();
}

/* ---- version B -------------------------------------------------------------------- */

static void b_powered(void)
{
    begin(CCID_TRANSPORT_ICCD_B);
    in_is(0x81, 3, "\x00\x01\x00", 3);
    assert_int_equal(out(0x62, 1, "", 0), CCID_USB_OK);
    in_is(0x6F, 4096, "\x00" ATR, 1 + ATR_LEN);
    in_is(0x81, 3, "\x00\x00\x00", 3);
}

static void test_b_command_and_answer_in_one_part(void **state)
{
    (void)state;
    b_powered();
    assert_int_equal(out(0x65, 0, "\x00\xca\x00\x00\x03", 5), CCID_USB_OK);
    in_is(0x6F, 4096, "\x00\x00\x01\x02\x90\x00", 6);
    in_stalls(0x6F);
    end();
}

static void test_b_parts_are_said_by_their_type(void **state)
{
    uint8_t answer[4096];
    size_t done;

    (void)state;
    b_powered();
    assert_int_equal(out(0x65, 0x0100, "\x80\xe2\x01", 3), CCID_USB_OK);
    in_is(0x6F, 4096, "\x10", 1);
    assert_int_equal(out(0x65, 0x0200, "\x2c", 1), CCID_USB_OK); /* 300 bytes */
    assert_int_equal(request(FROM_TOKEN, 0x6F, 0, answer, 4096, &done), CCID_USB_OK);
    assert_int_equal(done, 1 + 261);
    assert_int_equal(answer[0], 0x01);
    assert_int_equal(out(0x65, 0x1000, "", 0), CCID_USB_OK);
    assert_int_equal(request(FROM_TOKEN, 0x6F, 0, answer, 4096, &done), CCID_USB_OK);
    assert_int_equal(done, 1 + 302 - 261);
    assert_int_equal(answer[0], 0x02);
    assert_int_equal(answer[done - 2], 0x90);
    end();
}

static void test_b_token_at_work_says_when_to_ask_again(void **state)
{
    (void)state;
    b_powered();
    assert_int_equal(out(0x65, 0, "\x80\xe4\x0f\xa0", 4), CCID_USB_OK); /* 4 s */
    in_is(0x6F, 4096, "\x80\x90\x01", 3);
    clock_.now_ms += 3999;
    in_is(0x6F, 4096, "\x80\x01\x00", 3);
    assert_int_equal(out(0x65, 0, "\x80\xe6\x00\x00", 4), CCID_USB_STALL);
    clock_.now_ms += 1;
    in_is(0x6F, 4096, "\x00\x90\x00", 3);
    end();
}

static void test_b_failure_says_status_and_error(void **state)
{
    (void)state;
    b_powered();
    assert_int_equal(out(0x65, 0x0200, "\x2c", 1), CCID_USB_OK); /* the end of nothing */
    in_is(0x6F, 4096, "\x40\x40\x08", 3);
    assert_int_equal(out(0x65, 0, "\x80\xe4\x0f\xa0", 4), CCID_USB_OK);
    assert_int_equal(ccid_virtual_reader_remove(reader, 0), 0);
    in_is(0x6F, 4096, "\x40\x42\xfe", 3);
    in_is(0x81, 3, "\x00\x02\x00", 3);
    end();
}

static void test_b_power_off_ends_a_command(void **state)
{
    (void)state;
    b_powered();
    assert_int_equal(out(0x65, 0, "\x80\xe4\x0f\xa0", 4), CCID_USB_OK);
    assert_int_equal(out(0x63, 0, "", 0), CCID_USB_OK);
    in_is(0x81, 3, "\x00\x01\x00", 3);
    in_stalls(0x6F);
    assert_int_equal(out(0x65, 0, "\x80\xe6\x00\x00", 4), CCID_USB_OK);
    in_is(0x6F, 4096, "\x40\x41\xfe", 3);
    end();
}

static void test_b_requests_that_cannot_be_are_stalled(void **state)
{
    size_t done;

    (void)state;
    b_powered();
    in_stalls(0x62); /* of version A */
    in_stalls(0xA0);
    assert_int_equal(out(0x61, 0, "", 0), CCID_USB_STALL);
    assert_int_equal(out(0x65, 0x0001, "\x80\xe6\x00\x00", 4), CCID_USB_STALL);
    assert_int_equal(out(0x62, 1, "x", 1), CCID_USB_STALL);
    assert_int_equal(out(0x01, 0, "", 0), CCID_USB_STALL); /* ABORT: there is none */
    assert_int_equal(ccid_virtual_reader_port(reader).ops->control(
                         ccid_virtual_reader_port(reader).usb, TO_TOKEN, 0x63, 0, 0, NULL,
                         0, &done, 1000),
                     CCID_USB_STALL); /* another interface */
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_without_data_goes_to_the_status_word),
        cmocka_unit_test(test_a_command_with_data_asks_for_it),
        cmocka_unit_test(test_a_answer_comes_in_the_parts_that_the_host_takes),
        cmocka_unit_test(test_a_token_at_work_is_busy_and_takes_nothing),
        cmocka_unit_test(test_a_mute_card_stays_mute_until_it_is_reset),
        cmocka_unit_test(test_a_requests_that_cannot_be_are_stalled),
        cmocka_unit_test(test_b_command_and_answer_in_one_part),
        cmocka_unit_test(test_b_parts_are_said_by_their_type),
        cmocka_unit_test(test_b_token_at_work_says_when_to_ask_again),
        cmocka_unit_test(test_b_failure_says_status_and_error),
        cmocka_unit_test(test_b_power_off_ends_a_command),
        cmocka_unit_test(test_b_requests_that_cannot_be_are_stalled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
