/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-virtual_reader.c - the virtual reader seen from the bus: bytes out, bytes in, on a
 * virtual clock.
 */
#include "ccid/virtual_reader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "virtual_clock.h"

struct bench {
    struct virtual_clock clock;
    struct ccid_virtual_reader *reader;
    struct ccid_usb_port port;
    uint8_t in[1024];
    size_t in_len;
    /* notifications */
    uint8_t last[8];
    size_t last_len;
    unsigned notified;
};

static struct bench bench;

static void setup(const struct ccid_virtual_shape *shape)
{
    memset(&bench, 0, sizeof(bench));
    virtual_clock_init(&bench.clock);
    bench.reader = ccid_virtual_reader_new(&bench.clock.clock, shape);
    assert_non_null(bench.reader);
    bench.port = ccid_virtual_reader_port(bench.reader);
}

static int setup_default(void **state)
{
    (void)state;
    setup(&ccid_virtual_default_shape);
    assert_int_equal(ccid_virtual_reader_insert(bench.reader, 0, NULL, 0), 0);
    return 0;
}

static int setup_short(void **state)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;

    (void)state;
    shape.level = CCID_LEVEL_SHORT_APDU;
    shape.max_message_length = 271;
    shape.packet_size = 64;
    shape.features &= ~CCID_FEATURE_AUTO_VOLTAGE;
    shape.voltage_support = CCID_VOLTAGE_3V | CCID_VOLTAGE_18V;
    setup(&shape);
    assert_int_equal(ccid_virtual_reader_insert(bench.reader, 0, NULL, 0), 0);
    return 0;
}

/* Two slots, 64 bytes a message at the extended level: everything long is chained. */
static int setup_chaining(void **state)
{
    struct ccid_virtual_shape shape = ccid_virtual_default_shape;

    (void)state;
    shape.slot_count = 2;
    shape.max_message_length = 64;
    shape.packet_size = 64;
    setup(&shape);
    assert_int_equal(ccid_virtual_reader_insert(bench.reader, 0, NULL, 0), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ccid_virtual_reader_free(bench.reader);
    return 0;
}

static size_t unhex(const char *text, uint8_t *out, size_t size)
{
    size_t len = 0;

    while (text[0] != '\0') {
        char digits[3] = {text[0], text[1], '\0'};

        if (text[0] == ' ') {
            text++;
            continue;
        }
        assert_true(len < size);
        out[len++] = (uint8_t)strtoul(digits, NULL, 16);
        text += 2;
    }
    return len;
}

static enum ccid_usb_result out(const char *message)
{
    uint8_t bytes[300];
    size_t len = unhex(message, bytes, sizeof(bytes));

    return bench.port.ops->bulk_out(bench.port.usb, bytes, len, 1000);
}

static enum ccid_usb_result in(uint32_t timeout_ms)
{
    return bench.port.ops->bulk_in(bench.port.usb, bench.in, sizeof(bench.in),
                                   &bench.in_len, timeout_ms);
}

static void expect_in(const char *message)
{
    uint8_t bytes[300];
    size_t len = unhex(message, bytes, sizeof(bytes));

    assert_int_equal(in(1000), CCID_USB_OK);
    assert_int_equal(bench.in_len, len);
    assert_memory_equal(bench.in, bytes, len);
}

static void expect(const char *message, const char *answer)
{
    assert_int_equal(out(message), CCID_USB_OK);
    expect_in(answer);
}

static void expect_silence(void)
{
    assert_int_equal(in(10), CCID_USB_TIMEOUT);
    assert_int_equal(bench.in_len, 0);
}

static enum ccid_usb_result control_abort(uint8_t slot, uint8_t seq)
{
    size_t done;

    return bench.port.ops->control(bench.port.usb, 0x21, 0x01,
                                   (uint16_t)(seq << 8 | slot), 0, NULL, 0, &done, 1000);
}

static void notify(void *context, const uint8_t *message, size_t len)
{
    (void)context;
    assert_true(len <= sizeof(bench.last));
    memcpy(bench.last, message, len);
    bench.last_len = len;
    bench.notified++;
}

#define ATR      "3B88800154455354424544015D"
#define POWER_ON "62 00000000 00 01 000000"
#define POWERED  "80 0D000000 00 01 000000" ATR

/* ---- descriptor ------------------------------------------------------------------ */

static void test_reader_descriptor_is_read_by_the_driver(void **state)
{
    uint8_t config[CCID_VIRTUAL_CONFIG_MAX];
    size_t len = ccid_virtual_reader_config(&ccid_virtual_default_shape, config);
    uint8_t numbers[CCID_INTERFACES_MAX];
    struct ccid_desc desc;

    (void)state;
    assert_int_equal(ccid_desc_interfaces(config, len, 0, 0, numbers), 1);
    assert_int_equal(numbers[0], 0);
    assert_int_equal(ccid_desc_parse(config, len, 0, &desc), STATUS_SUCCESS);
    assert_int_equal(desc.level, CCID_LEVEL_EXTENDED_APDU);
    assert_int_equal(desc.slot_count, 1);
    assert_int_equal(desc.max_message_length, 65554);
    assert_int_equal(desc.bulk_in.packet_size, 512);
    assert_int_equal(desc.interrupt_in.address, 0x83);
    assert_int_equal(desc.features & 0xffff, 0x04ba);
}

/* ---- messages -------------------------------------------------------------------- */

static void test_reader_slot_status_tells_the_card(void **state)
{
    (void)state;
    expect("65 00000000 00 07 000000", "81 00000000 00 07 01 00 00");
    expect(POWER_ON, POWERED);
    expect("65 00000000 00 08 000000", "81 00000000 00 08 00 00 00");
    expect("63 00000000 00 09 000000", "81 00000000 00 09 01 00 00");
    assert_int_equal(ccid_virtual_reader_remove(bench.reader, 0), 0);
    expect("65 00000000 00 0A 000000", "81 00000000 00 0A 02 00 00");
    expect("62 00000000 00 0B 000000", "80 00000000 00 0B 42 FE 00");
}

static void test_reader_xfr_block_reaches_the_card(void **state)
{
    (void)state;
    expect("6F 07000000 00 08 000000 00A40000023F00", "80 00000000 00 08 41 FE 00");
    expect(POWER_ON, POWERED);
    expect("6F 07000000 00 09 000000 00A40000023F00", "80 02000000 00 09 00 00 00 9000");
}

static void test_reader_parameters_are_kept_and_checked(void **state)
{
    (void)state;
    expect(POWER_ON, POWERED);
    expect("6C 00000000 00 02 000000", "82 05000000 00 02 00 00 00 11 00 00 0A 00");
    expect("61 07000000 00 0B 010000 95 10 00 45 00 FE 00",
           "82 07000000 00 0B 00 00 01 95 10 00 45 00 FE 00");
    expect("6C 00000000 00 03 000000", "82 07000000 00 03 00 00 01 95 10 00 45 00 FE 00");
    expect("61 07000000 00 04 020000 95 10 00 45 00 FE 00", "82 00000000 00 04 40 07 00");
    expect("61 05000000 00 05 010000 95 10 00 45 00", "82 00000000 00 05 40 01 00");
    expect("61 07000000 00 06 010000 95 FF 00 45 00 FE 00", "82 00000000 00 06 40 0B 00");
    expect("6D 00000000 00 07 000000", "82 05000000 00 07 00 00 00 11 00 00 0A 00");
}

static void test_reader_bad_messages_are_answered_with_the_index_of_the_error(
    void **state)
{
    (void)state;
    expect("65 01000000 00 01 000000 00", "81 00000000 00 01 41 01 00");
    expect("65 01000000 00 02 000000", "81 00000000 00 02 41 01 00");
    expect("65 FFFFFFFF 00 03 000000", "81 00000000 00 03 41 01 00");
    expect("65 00000000 01 04 000000", "81 00000000 01 04 42 05 00");
    expect("FF 00000000 00 05 000000", "81 00000000 00 05 41 00 00");
    expect("69 01000000 00 06 000000 AA", "80 00000000 00 06 41 FE 00");
    assert_int_equal(out("65 0000"), CCID_USB_OK);
    expect_silence();
    expect("65 00000000 00 07 000000", "81 00000000 00 07 01 00 00");
}

static void test_reader_short_level_takes_short_apdus_only(void **state)
{
    (void)state;
    expect("62 00000000 00 01 020000", "80 0D000000 00 01 000000" ATR);
    expect("6F 05000000 00 02 000000 00CA000003",
           "80 05000000 00 02 00 00 00 0001029000");
    expect("6F 05000000 00 03 000100 00CA000003", "80 00000000 00 03 40 08 00");
    expect("6F 07000000 00 04 000000 00CA0000000003", "80 00000000 00 04 40 01 00");
    expect("6F 03000000 00 05 000000 00CA00", "80 00000000 00 05 40 01 00");
    /* 300 bytes are more than a short response: overrun */
    expect("6F 04000000 00 06 000000 80E2012C", "80 00000000 00 06 40 FC 00");
}

static void test_reader_voltage_that_is_not_offered_is_refused(void **state)
{
    (void)state;
    expect("62 00000000 00 01 000000", "80 00000000 00 01 41 07 00");
    expect("62 00000000 00 02 010000", "80 00000000 00 02 41 07 00"); /* 5 V */
    expect("62 00000000 00 03 030000", "80 0D000000 00 03 000000" ATR);
}

static void test_reader_answer_comes_in_packets_without_a_zero_length_one(void **state)
{
    static const char apdu[] =
        "6F 05000000 00 02 000000 00CA000034"; /* 64 bytes in all */
    uint8_t packet[64];
    size_t len;

    (void)state;
    expect("62 00000000 00 01 020000", "80 0D000000 00 01 000000" ATR);
    assert_int_equal(out(apdu), CCID_USB_OK);
    assert_int_equal(bench.port.ops->bulk_in(bench.port.usb, packet, 64, &len, 1000),
                     CCID_USB_OK);
    assert_int_equal(len, 64);
    expect_silence();
    assert_int_equal(out(apdu), CCID_USB_OK);
    assert_int_equal(in(100), CCID_USB_TIMEOUT); /* asked for more than will come */
    assert_int_equal(bench.in_len, 64);
}

static void test_reader_long_answer_goes_on_in_the_next_transfer(void **state)
{
    uint8_t packet[64];
    size_t len;

    (void)state;
    expect("62 00000000 00 01 020000", "80 0D000000 00 01 000000" ATR);
    assert_int_equal(out("6F 05000000 00 02 000000 00CA000064"), CCID_USB_OK);
    assert_int_equal(bench.port.ops->bulk_in(bench.port.usb, packet, 64, &len, 1000),
                     CCID_USB_OK);
    assert_int_equal(len, 64);
    assert_int_equal(packet[10 + 53], 53);
    assert_int_equal(bench.port.ops->bulk_in(bench.port.usb, packet, 64, &len, 1000),
                     CCID_USB_OK);
    assert_int_equal(len, 10 + 102 - 64);
    assert_memory_equal(packet + len - 2, "\x90\x00", 2);
}

static void test_reader_read_of_less_than_a_packet_overflows(void **state)
{
    uint8_t byte[8];
    size_t len;

    (void)state;
    assert_int_equal(out("65 00000000 00 07 000000"), CCID_USB_OK);
    assert_int_equal(bench.port.ops->bulk_in(bench.port.usb, byte, 8, &len, 1000),
                     CCID_USB_OVERFLOW);
    expect_silence();
}

/* ---- time ------------------------------------------------------------------------ */

static void test_reader_slow_card_sends_time_extensions(void **state)
{
    uint64_t begin_ms;

    (void)state;
    expect(POWER_ON, POWERED);
    begin_ms = bench.clock.now_ms;
    assert_int_equal(out("6F 04000000 00 02 000000 80E404B0"), CCID_USB_OK); /* 1200 ms */
    expect_in("80 00000000 00 02 80 01 00");
    assert_int_equal(bench.clock.now_ms - begin_ms, 500);
    expect_in("80 00000000 00 02 80 01 00");
    assert_int_equal(bench.clock.now_ms - begin_ms, 1000);
    expect_in("80 02000000 00 02 00 00 00 9000");
    assert_int_equal(bench.clock.now_ms - begin_ms, 1200);
}

static void test_reader_read_ends_at_its_deadline(void **state)
{
    uint64_t begin_ms = bench.clock.now_ms;

    (void)state;
    assert_int_equal(in(250), CCID_USB_TIMEOUT);
    assert_int_equal(bench.clock.now_ms - begin_ms, 250);
}

static void test_reader_busy_slot_refuses_a_second_command(void **state)
{
    (void)state;
    expect(POWER_ON, POWERED);
    assert_int_equal(out("6F 04000000 00 02 000000 80E400C8"), CCID_USB_OK);
    expect("65 00000000 00 03 000000", "81 00000000 00 03 40 E0 00");
    expect_in("80 02000000 00 02 00 00 00 9000");
    expect("65 00000000 00 04 000000", "81 00000000 00 04 00 00 00");
}

static void test_reader_host_that_does_not_read_cannot_write_for_ever(void **state)
{
    enum ccid_usb_result result = CCID_USB_OK;
    unsigned taken = 0;

    (void)state;
    while (taken < 100 && (result = out("65 00000000 00 07 000000")) == CCID_USB_OK)
        taken++;
    assert_int_equal(result, CCID_USB_TIMEOUT);
    assert_int_equal(taken, 16);
    expect_in("81 00000000 00 07 01 00 00");
    assert_int_equal(out("65 00000000 00 08 000000"), CCID_USB_OK);
}

static void cancel_now(void *context)
{
    (void)context;
    bench.port.ops->cancel(bench.port.usb, true);
}

static void test_reader_cancel_ends_transfers_and_sleeps(void **state)
{
    uint64_t begin_ms = bench.clock.now_ms;

    (void)state;
    virtual_clock_at(&bench.clock, begin_ms + 70, cancel_now, NULL);
    assert_int_equal(in(1000), CCID_USB_CANCELLED);
    assert_int_equal(bench.clock.now_ms - begin_ms, 70);
    assert_int_equal(out("65 00000000 00 07 000000"), CCID_USB_CANCELLED);
    assert_int_equal(bench.port.ops->sleep_ms(bench.port.usb, 10), CCID_USB_CANCELLED);
    assert_int_equal(control_abort(0, 1), CCID_USB_CANCELLED);
    bench.port.ops->cancel(bench.port.usb, false);
    expect("65 00000000 00 07 000000", "81 00000000 00 07 01 00 00");
    begin_ms = bench.clock.now_ms;
    assert_int_equal(bench.port.ops->sleep_ms(bench.port.usb, 10), CCID_USB_OK);
    assert_int_equal(bench.clock.now_ms - begin_ms, 10);
}

static void unplug_now(void *context)
{
    (void)context;
    ccid_virtual_reader_unplug(bench.reader);
}

static void test_reader_unplug_ends_everything_for_good(void **state)
{
    (void)state;
    virtual_clock_at(&bench.clock, bench.clock.now_ms + 70, unplug_now, NULL);
    assert_int_equal(in(1000), CCID_USB_GONE);
    assert_int_equal(out("65 00000000 00 07 000000"), CCID_USB_GONE);
    assert_int_equal(bench.port.ops->sleep_ms(bench.port.usb, 10), CCID_USB_GONE);
    assert_int_equal(bench.port.ops->clear_halt(bench.port.usb), CCID_USB_GONE);
    assert_int_equal(bench.port.ops->reset(bench.port.usb), CCID_USB_GONE);
    assert_int_equal(bench.port.ops->start(bench.port.usb, notify, NULL), CCID_USB_GONE);
}

/* ---- abort ----------------------------------------------------------------------- */

static void test_reader_abort_gives_a_busy_slot_back(void **state)
{
    (void)state;
    expect(POWER_ON, POWERED);
    assert_int_equal(out("6F 04000000 00 02 000000 80E4FFFF"), CCID_USB_OK);
    assert_int_equal(control_abort(0, 3), CCID_USB_OK);
    expect("65 00000000 00 04 000000", "81 00000000 00 04 40 FF 00"); /* half an abort */
    assert_int_equal(out("72 00000000 00 03 000000"), CCID_USB_OK);
    expect_in("80 00000000 00 02 40 FF 00");
    expect_in("81 00000000 00 03 00 00 00");
    expect("65 00000000 00 05 000000", "81 00000000 00 05 00 00 00");
    expect_silence();
}

static void test_reader_abort_halves_may_come_in_the_other_order(void **state)
{
    (void)state;
    assert_int_equal(out("72 00000000 00 03 000000"), CCID_USB_OK);
    expect_silence();
    assert_int_equal(control_abort(0, 3), CCID_USB_OK);
    expect_in("81 00000000 00 03 01 00 00");
}

static void test_reader_abort_with_another_number_is_no_abort(void **state)
{
    (void)state;
    assert_int_equal(control_abort(0, 3), CCID_USB_OK);
    assert_int_equal(out("72 00000000 00 04 000000"), CCID_USB_OK);
    expect_silence();
    assert_int_equal(out("72 00000000 00 03 000000"), CCID_USB_OK);
    expect_in("81 00000000 00 03 01 00 00");
}

static void test_reader_abort_takes_back_an_answer_nobody_has_read(void **state)
{
    (void)state;
    expect(POWER_ON, POWERED);
    assert_int_equal(out("6F 05000000 00 02 000000 00CA000003"), CCID_USB_OK);
    assert_int_equal(control_abort(0, 3), CCID_USB_OK);
    assert_int_equal(out("72 00000000 00 03 000000"), CCID_USB_OK);
    expect_in("80 00000000 00 02 40 FF 00");
    expect_in("81 00000000 00 03 00 00 00");
    expect_silence();
}

static void test_reader_other_control_requests_stall(void **state)
{
    uint8_t data[4];
    size_t done;

    (void)state;
    assert_int_equal(control_abort(1, 3), CCID_USB_STALL); /* no such slot */
    for (uint8_t request = 2; request <= 3; request++)
        assert_int_equal(bench.port.ops->control(bench.port.usb, 0xa1, request, 0, 0,
                                                 data, sizeof(data), &done, 1000),
                         CCID_USB_STALL);
}

static void test_reader_reset_powers_cards_off_and_forgets_answers(void **state)
{
    (void)state;
    expect(POWER_ON, POWERED);
    assert_int_equal(out("6F 04000000 00 02 000000 80E4FFFF"), CCID_USB_OK);
    assert_int_equal(bench.port.ops->reset(bench.port.usb), CCID_USB_OK);
    expect_silence();
    expect("65 00000000 00 03 000000", "81 00000000 00 03 01 00 00");
}

/* ---- cards ----------------------------------------------------------------------- */

static void test_reader_card_changes_are_notified(void **state)
{
    (void)state;
    expect("65 00000000 00 07 000000", "81 00000000 00 07 01 00 00");
    assert_int_equal(ccid_virtual_reader_remove(bench.reader, 0), 0);
    assert_int_equal(bench.port.ops->start(bench.port.usb, notify, NULL), CCID_USB_OK);
    assert_int_equal(bench.notified, 1); /* what came between the two */
    assert_memory_equal(bench.last, "\x50\x02", 2);
    assert_int_equal(ccid_virtual_reader_insert(bench.reader, 0, NULL, 0), 0);
    assert_int_equal(bench.notified, 2);
    assert_int_equal(bench.last_len, 2);
    assert_memory_equal(bench.last, "\x50\x03", 2);
    bench.port.ops->stop(bench.port.usb);
    assert_int_equal(ccid_virtual_reader_remove(bench.reader, 0), 0);
    assert_int_equal(bench.notified, 2);
}

static void test_reader_card_that_was_in_from_the_beginning_is_no_change(void **state)
{
    (void)state;
    expect("65 00000000 00 07 000000", "81 00000000 00 07 01 00 00");
    assert_int_equal(bench.port.ops->start(bench.port.usb, notify, NULL), CCID_USB_OK);
    assert_int_equal(bench.notified, 0);
    bench.port.ops->stop(bench.port.usb);
}

static void test_reader_change_of_the_second_slot_has_its_own_bits(void **state)
{
    (void)state;
    expect("65 00000000 01 07 000000", "81 00000000 01 07 02 00 00");
    assert_int_equal(bench.port.ops->start(bench.port.usb, notify, NULL), CCID_USB_OK);
    assert_int_equal(ccid_virtual_reader_insert(bench.reader, 1, NULL, 0), 0);
    assert_memory_equal(bench.last, "\x50\x0d", 2); /* slot 0 present, slot 1 new */
    assert_int_equal(ccid_virtual_reader_remove(bench.reader, 1), 0);
    assert_memory_equal(bench.last, "\x50\x09", 2);
    bench.port.ops->stop(bench.port.usb);
}

static void test_reader_insert_and_remove_refuse_what_makes_no_sense(void **state)
{
    uint8_t atr[34] = {0x3b};

    (void)state;
    assert_int_equal(ccid_virtual_reader_insert(bench.reader, 0, NULL, 0), -EEXIST);
    assert_int_equal(ccid_virtual_reader_insert(bench.reader, 1, NULL, 0), -EINVAL);
    assert_int_equal(ccid_virtual_reader_remove(bench.reader, 1), -EINVAL);
    assert_int_equal(ccid_virtual_reader_remove(bench.reader, 0), 0);
    assert_int_equal(ccid_virtual_reader_remove(bench.reader, 0), -ENOENT);
    assert_int_equal(ccid_virtual_reader_insert(bench.reader, 0, atr, 34), -EINVAL);
    assert_int_equal(ccid_virtual_reader_insert(bench.reader, 0, atr, 1), -EINVAL);
    assert_int_equal(ccid_virtual_reader_insert(bench.reader, 0, atr, 2), 0);
    expect(POWER_ON, "80 02000000 00 01 000000 3B00");
}

static void remove_now(void *context)
{
    (void)context;
    assert_int_equal(ccid_virtual_reader_remove(bench.reader, 0), 0);
}

static void test_reader_removal_ends_the_running_command(void **state)
{
    (void)state;
    expect(POWER_ON, POWERED);
    virtual_clock_at(&bench.clock, bench.clock.now_ms + 70, remove_now, NULL);
    expect("6F 04000000 00 02 000000 80E400C8", "80 00000000 00 02 42 FE 00");
    expect_silence();
}

/* ---- chaining -------------------------------------------------------------------- */

static void test_reader_long_response_is_chained(void **state)
{
    (void)state;
    expect(POWER_ON, POWERED);
    assert_int_equal(out("6F 07000000 00 02 000000 00CA0000000080"), CCID_USB_OK);
    assert_int_equal(
        bench.port.ops->bulk_in(bench.port.usb, bench.in, 64, &bench.in_len, 10),
        CCID_USB_OK);
    assert_int_equal(bench.in_len, 64);
    assert_int_equal(bench.in[9], 0x01); /* begins */
    assert_int_equal(bench.in[10], 0);
    assert_int_equal(out("6F 00000000 00 03 001000"), CCID_USB_OK);
    assert_int_equal(
        bench.port.ops->bulk_in(bench.port.usb, bench.in, 64, &bench.in_len, 10),
        CCID_USB_OK);
    assert_int_equal(bench.in[9], 0x03); /* goes on */
    assert_int_equal(bench.in[10], 54);
    expect("6F 00000000 00 04 001000", /* and ends: 130 - 2 * 54 */
           "80 16000000 00 04 00 00 02 6C6D6E6F707172737475767778797A7B7C7D7E7F 9000");
    expect("6F 00000000 00 05 001000", "80 00000000 00 05 40 08 00"); /* no more */
}

static void test_reader_command_parts_are_put_together(void **state)
{
    (void)state;
    expect(POWER_ON, POWERED);
    expect("6F 05000000 00 02 000100 80E0000004", "80 00000000 00 02 00 00 10");
    expect("6F 02000000 00 03 000300 AABB", "80 00000000 00 03 00 00 10");
    expect("6F 02000000 00 04 000200 CCDD", "80 06000000 00 04 00 00 00 AABBCCDD9000");
}

static void test_reader_chain_out_of_order_is_refused(void **state)
{
    (void)state;
    expect(POWER_ON, POWERED);
    expect("6F 02000000 00 02 000200 AABB", "80 00000000 00 02 40 08 00");
    expect("6F 02000000 00 03 000300 AABB", "80 00000000 00 03 40 08 00");
    expect("6F 02000000 00 04 000400 AABB", "80 00000000 00 04 40 08 00");
    expect("6F 05000000 00 05 000100 80E0000004", "80 00000000 00 05 00 00 10");
    expect("6F 04000000 00 06 000000 80E60000", "80 02000000 00 06 00 00 00 6982");
    expect("6F 02000000 00 07 000200 AABB", "80 00000000 00 07 40 08 00");
}

static void test_reader_power_off_ends_a_chain(void **state)
{
    (void)state;
    expect(POWER_ON, POWERED);
    expect("6F 05000000 00 02 000100 80E0000004", "80 00000000 00 02 00 00 10");
    expect("63 00000000 00 03 000000", "81 00000000 00 03 01 00 00");
    expect(POWER_ON, POWERED);
    expect("6F 04000000 00 04 000200 AABBCCDD", "80 00000000 00 04 40 08 00");
}

#define DEFAULT(test)  cmocka_unit_test_setup_teardown(test, setup_default, teardown)
#define SHORT(test)    cmocka_unit_test_setup_teardown(test, setup_short, teardown)
#define CHAINING(test) cmocka_unit_test_setup_teardown(test, setup_chaining, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_descriptor_is_read_by_the_driver),
        DEFAULT(test_reader_slot_status_tells_the_card),
        DEFAULT(test_reader_xfr_block_reaches_the_card),
        DEFAULT(test_reader_parameters_are_kept_and_checked),
        DEFAULT(test_reader_bad_messages_are_answered_with_the_index_of_the_error),
        SHORT(test_reader_short_level_takes_short_apdus_only),
        SHORT(test_reader_voltage_that_is_not_offered_is_refused),
        SHORT(test_reader_answer_comes_in_packets_without_a_zero_length_one),
        SHORT(test_reader_long_answer_goes_on_in_the_next_transfer),
        DEFAULT(test_reader_read_of_less_than_a_packet_overflows),
        DEFAULT(test_reader_slow_card_sends_time_extensions),
        DEFAULT(test_reader_read_ends_at_its_deadline),
        DEFAULT(test_reader_busy_slot_refuses_a_second_command),
        DEFAULT(test_reader_host_that_does_not_read_cannot_write_for_ever),
        DEFAULT(test_reader_cancel_ends_transfers_and_sleeps),
        DEFAULT(test_reader_unplug_ends_everything_for_good),
        DEFAULT(test_reader_abort_gives_a_busy_slot_back),
        DEFAULT(test_reader_abort_halves_may_come_in_the_other_order),
        DEFAULT(test_reader_abort_with_another_number_is_no_abort),
        DEFAULT(test_reader_abort_takes_back_an_answer_nobody_has_read),
        DEFAULT(test_reader_other_control_requests_stall),
        DEFAULT(test_reader_reset_powers_cards_off_and_forgets_answers),
        DEFAULT(test_reader_card_changes_are_notified),
        DEFAULT(test_reader_card_that_was_in_from_the_beginning_is_no_change),
        CHAINING(test_reader_change_of_the_second_slot_has_its_own_bits),
        DEFAULT(test_reader_insert_and_remove_refuse_what_makes_no_sense),
        DEFAULT(test_reader_removal_ends_the_running_command),
        CHAINING(test_reader_long_response_is_chained),
        CHAINING(test_reader_command_parts_are_put_together),
        CHAINING(test_reader_chain_out_of_order_is_refused),
        CHAINING(test_reader_power_off_ends_a_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
