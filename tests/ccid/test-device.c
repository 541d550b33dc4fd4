/* SPDX-License-Identifier: BSD-2-Clause */
/* test-device.c - ccid/device.c, unit.c and rates.c: what a reader looks like to others.
 */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

static NTSTATUS get(PDEVICE_OBJECT device, ULONG tag, uint8_t value[64], ULONG *length)
{
    memcpy(value, &tag, sizeof(tag));
    return smc_irp_ioctl(device, NULL, IOCTL_SMARTCARD_GET_ATTRIBUTE, value, sizeof(tag),
                         64, length);
}

static void string_is(PDEVICE_OBJECT device, ULONG tag, const char *expected)
{
    uint8_t value[64];
    ULONG length;

    assert_int_equal(get(device, tag, value, &length), STATUS_SUCCESS);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(value, expected, length);
}

static ULONG number(PDEVICE_OBJECT device, ULONG tag)
{
    uint8_t value[64] = {0};
    ULONG length, number_;

    assert_int_equal(get(device, tag, value, &length), STATUS_SUCCESS);
    assert_true(length <= 4);
    memset(value + length, 0, 4);
    memcpy(&number_, value, sizeof(number_));
    return number_;
}

static void test_attributes_come_from_identity_and_descriptor(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, false);
    string_is(bench.slots[0], SCARD_ATTR_VENDOR_NAME, "ACME");
    string_is(bench.slots[0], SCARD_ATTR_VENDOR_IFD_TYPE, "CCID 1");
    string_is(bench.slots[0], SCARD_ATTR_VENDOR_IFD_SERIAL_NO, "7");
    assert_int_equal(number(bench.slots[0], SCARD_ATTR_DEVICE_UNIT), 0);
    assert_int_equal(number(bench.slots[0], SCARD_ATTR_CHARACTERISTICS), 0);
    assert_int_equal(number(bench.slots[0], SCARD_ATTR_DEFAULT_CLK), 4000);
    assert_int_equal(number(bench.slots[0], SCARD_ATTR_MAX_CLK), 20000);
    assert_int_equal(number(bench.slots[0], SCARD_ATTR_MAX_IFSD), 254);
    assert_int_equal(number(bench.slots[0], SCARD_ATTR_POWER_MGMT_SUPPORT), 1);
    assert_int_equal(smc_io_identity(bench.slots[0])->slot_count, 1);
    assert_int_equal(smc_io_identity(bench.slots[0])->busy_slot_count, 1);
    bench_end(&bench);
}

static void test_ifd_version_is_the_version_of_the_device(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.bcd_device = 0x0516;
    bench_add(&bench, false);
    assert_int_equal(number(bench.slots[0], SCARD_ATTR_VENDOR_IFD_VERSION), 0x05160000);
    bench_end(&bench);
}

/* A reader with no protocol bit set takes what the card offers; a maximum below the
 * default is not one. */
static void test_capabilities_of_a_careless_descriptor_are_sane(void **state)
{
    struct ccid_slot *slot;
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.desc.protocols = 0x00020000;
    bench.desc.default_clock_khz = 4000;
    bench.desc.maximum_clock_khz = 3850;
    bench_add(&bench, false);
    slot = bench.slots[0]->DeviceExtension;
    assert_int_equal(slot->ext.ReaderCapabilities.SupportedProtocols, SCARD_PROTOCOL_Tx);
    assert_int_equal(slot->ext.ReaderCapabilities.CLKFrequency.Max, 4000);
    bench_end(&bench);
}

/* Requirement 5: the buffers of a slot stay below 128 KiB, whatever the reader claims. */
static void test_buffers_of_an_absurd_claim_stay_below_128_kib(void **state)
{
    struct ccid_slot *slot;
    struct bench bench;
    uint8_t class_descriptor[54] = {54, 0x21};

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    class_descriptor[53] = 1;
    memset(class_descriptor + 44, 0xFF, 4);
    class_descriptor[42] = 0x04;
    assert_int_equal(ccid_desc_parse_class(class_descriptor, 54, &bench.desc),
                     STATUS_SUCCESS);
    bench.desc.features = BENCH_EXTENDED;
    bench.desc.bulk_in.packet_size = 1024;
    bench_add(&bench, false);
    slot = bench.slots[0]->DeviceExtension;
    assert_true(slot->ext.SmartcardRequest.BufferSize +
                    slot->ext.SmartcardReply.BufferSize <=
                128 * 1024);
    assert_int_equal(slot->ext.SmartcardReply.BufferSize % 1024, 0);
    bench_end(&bench);
}

/* Requirement 4: a reader that says 0 is used with the limits of a short APDU. */
static void test_message_length_of_zero_still_carries_a_short_apdu(void **state)
{
    struct ccid_slot *slot;
    struct bench bench;
    uint8_t class_descriptor[54] = {54, 0x21};

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    class_descriptor[42] = 0x02;
    assert_int_equal(ccid_desc_parse_class(class_descriptor, 54, &bench.desc),
                     STATUS_SUCCESS);
    bench_add(&bench, false);
    slot = bench.slots[0]->DeviceExtension;
    assert_true(slot->ext.SmartcardRequest.BufferSize >= 271);
    assert_true(slot->ext.SmartcardReply.BufferSize >= 271);
    bench_end(&bench);
}

/* ---- what is known of single readers --------------------------------------------- */

static void test_known_fault_is_logged_once_and_corrected(void **state)
{
    struct ccid_slot *slot;
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.vid = 0x03F0;
    bench.pid = 0x0036;
    bench.bcd_device = 0x0124;
    bench.desc.pin_support = 3;
    bench_add(&bench, false);
    slot = bench.slots[0]->DeviceExtension;
    assert_int_equal(slot->device->desc.pin_support, 0);
    assert_int_equal(bench.log_lines, 1);
    assert_non_null(strstr(bench.log, "test-0 (03f0:0036, firmware 1.24): HP keyboard"));
    bench_end(&bench);
    assert_int_equal(bench.log_lines, 1);
}

static void boots_slowly(struct bench *bench)
{
    bench_begin(bench, BENCH_EXTENDED);
    bench->vid = 0x0B81;
    bench->pid = 0x0200;
}

/* A second before anything is sent, then up to a minute for the first answer. */
static void test_reader_that_boots_slowly_is_given_its_time(void **state)
{
    struct bench bench;

    (void)state;
    boots_slowly(&bench);
    script_out(&bench.usb, BENCH_STATUS_OUT);
    script_in(&bench.usb, "81 00000000 00 SS 02 00 00")->delay_ms = 59000;
    assert_int_equal(bench_try_add(&bench), STATUS_SUCCESS);
    assert_int_equal(bench.usb.slept_ms, 1000);
    assert_int_equal(bench.arrived, 1);
    bench_end(&bench);
}

static void test_reader_that_goes_while_it_boots_is_not_started(void **state)
{
    struct bench bench;

    (void)state;
    boots_slowly(&bench);
    bench.usb.cancelled = true;
    assert_int_equal(bench_try_add(&bench), STATUS_IO_DEVICE_ERROR);
    assert_int_equal(bench.arrived, 0);
    assert_int_equal(bench.usb.entered, 0);
    bench_end(&bench);
}

static void test_card_that_takes_no_ifs_request_is_sent_none(void **state)
{
    static const uint16_t versions[] = {0x0012, 0x0100};
    struct ccid_slot *slot;
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        bench_begin(&bench, BENCH_TPDU);
        bench.vid = 0x0529;
        bench.pid = 0x0620;
        bench.bcd_device = versions[i];
        bench_add(&bench, false);
        slot = bench.slots[0]->DeviceExtension;
        assert_int_equal(slot->ext.OsData->SuppressT1IfsRequest, i == 0);
        bench_end(&bench);
    }
}

/* ---- several slots --------------------------------------------------------------- */

static void two_slots(struct bench *bench)
{
    bench_begin(bench, BENCH_EXTENDED);
    bench->desc.max_slot_index = 1;
    bench->desc.slot_count = 2;
    script_command(&bench->usb, "65 00000000 00 SS 000000", "81 00000000 00 SS 02 00 00");
    script_command(&bench->usb, "65 00000000 01 SS 000000", "81 00000000 01 SS 01 00 00");
    assert_int_equal(bench_try_add(bench), STATUS_SUCCESS);
}

static void test_each_slot_is_a_device_with_its_own_number(void **state)
{
    struct bench bench;

    (void)state;
    two_slots(&bench);
    assert_int_equal(bench.arrived, 2);
    assert_int_equal(number(bench.slots[0], SCARD_ATTR_DEVICE_UNIT), 0);
    assert_int_equal(number(bench.slots[1], SCARD_ATTR_DEVICE_UNIT), 1);
    assert_int_equal(number(bench.slots[0], SCARD_ATTR_ICC_PRESENCE), 0);
    assert_int_not_equal(number(bench.slots[1], SCARD_ATTR_ICC_PRESENCE), 0);
    script_notify(&bench.usb, "50 04");
    script_notify(&bench.usb, "50 07");
    assert_int_not_equal(number(bench.slots[0], SCARD_ATTR_ICC_PRESENCE), 0);
    bench_end(&bench);
    assert_int_equal(bench.gone, 2);
}

static void test_second_slot_that_does_not_answer_takes_the_reader_back(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.desc.max_slot_index = 1;
    bench.desc.slot_count = 2;
    bench.desc.only_interface = false;
    script_command(&bench.usb, "65 00000000 00 SS 000000", "81 00000000 00 SS 02 00 00");
    bench.usb.lenient = true;
    assert_int_not_equal(bench_try_add(&bench), STATUS_SUCCESS);
    assert_null(bench.device);
    assert_int_equal(bench.arrived, bench.gone);
    assert_false(bench.usb.started);
    bench_end(&bench);
}

/* ---- units ----------------------------------------------------------------------- */

/* The bench that began last hears of every arrival: they come one after the other. */
static void test_unit_is_the_smallest_free_number_of_its_type(void **state)
{
    static struct bench benches[3];
    struct bench later;

    (void)state;
    for (int i = 0; i < 3; i++) {
        bench_begin(&benches[i], BENCH_EXTENDED);
        bench_add(&benches[i], false);
        assert_int_equal(number(benches[i].slots[0], SCARD_ATTR_DEVICE_UNIT), i);
    }
    ccid_device_remove(benches[1].device, false);
    bench_begin(&later, BENCH_EXTENDED);
    bench_add(&later, false);
    assert_int_equal(number(later.slots[0], SCARD_ATTR_DEVICE_UNIT), 1);
    ccid_device_remove(benches[0].device, false);
    ccid_device_remove(benches[2].device, false);
    bench_end(&later);
}

/* ---- rates ----------------------------------------------------------------------- */

static void rates(struct bench *bench, uint8_t clocks, const char *clock_list,
                  uint8_t data_rates, const char *rate_list, enum ccid_usb_result result)
{
    bench_begin(bench, BENCH_EXTENDED);
    bench->desc.clock_count = clocks;
    bench->desc.data_rate_count = data_rates;
    script_command(&bench->usb, BENCH_STATUS_OUT, "81 00000000 00 SS 02 00 00");
    if (clocks != 0)
        script_control_in(&bench->usb, 0x02, clock_list)->result = result;
    if (data_rates != 0)
        script_control_in(&bench->usb, 0x03, rate_list)->result = result;
    assert_int_equal(bench_try_add(bench), STATUS_SUCCESS);
}

static void test_rates_are_asked_for_as_announced_and_used_as_far_as_they_go(void **state)
{
    static const struct {
        uint8_t announced;
        const char *list;
        enum ccid_usb_result result;
        UCHAR used;
    } rows[] = {
        {0, "", CCID_USB_OK, 0},
        {2, "00 2A 00 00 00 54 00 00", CCID_USB_OK, 2},
        {3, "00 2A 00 00 00 54 00 00", CCID_USB_OK, 2}, /* fewer */
        {1, "00 2A 00 00 00 54 00 00", CCID_USB_OK, 1}, /* more */
        {2, "00 2A", CCID_USB_OK, 0},                   /* half of one */
        {2, "00 00 00 00 00 2A 00 00", CCID_USB_OK, 1}, /* a zero */
        {2, "FF FF FF FF 00 2A 00 00", CCID_USB_OK, 1}, /* rubbish */
        {2, "00 2A 00 00 54", CCID_USB_OK, 1},          /* one and a bit */
        {1, "2A", CCID_USB_OK, 0},
        {2, "00 00 00 00 00 00 00 00", CCID_USB_OK, 0},
        {2, "", CCID_USB_OK, 0},
        {2, "", CCID_USB_OVERFLOW, 0},
        {2, "", CCID_USB_IO, 0},
        {2, "", CCID_USB_STALL, 0},
        {2, "", CCID_USB_TIMEOUT, 0},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_slot *slot;

        rates(&bench, 0, "", rows[i].announced, rows[i].list, rows[i].result);
        slot = bench.slots[0]->DeviceExtension;
        assert_int_equal(slot->ext.ReaderCapabilities.DataRatesSupported.Entries,
                         rows[i].used);
        if (rows[i].used != 0)
            assert_int_equal(slot->ext.ReaderCapabilities.DataRatesSupported.List[0],
                             10752);
        bench_end(&bench);
    }
}

static uint16_t asked[2];

static enum ccid_usb_result note_length(struct ccid_usb *usb, uint8_t request_type,
                                        uint8_t request, uint16_t value, uint16_t index,
                                        uint8_t *data, uint16_t data_len, size_t *done,
                                        uint32_t timeout_ms)
{
    assert_true(request == 2 || request == 3);
    asked[request - 2] = data_len;
    return scripted_ops.control(usb, request_type, request, value, index, data, data_len,
                                done, timeout_ms);
}

/* Many readers have more than they announce, of which the rest is rubbish. */
static void test_lists_are_asked_for_in_the_announced_length(void **state)
{
    struct ccid_usb_ops ops = scripted_ops;
    struct bench bench;

    (void)state;
    ops.control = note_length;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.port.ops = &ops;
    bench.desc.clock_count = 1;
    bench.desc.data_rate_count = 106;
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 02 00 00");
    script_control_in(&bench.usb, 0x02, "A0 0F 00 00");
    script_control_in(&bench.usb, 0x03, "00 2A 00 00");
    assert_int_equal(bench_try_add(&bench), STATUS_SUCCESS);
    assert_int_equal(asked[0], 4);
    assert_int_equal(asked[1], 424);
    bench_end(&bench);
}

/* A reader that does not answer is used like one that announces nothing, soon. */
static void test_lists_that_do_not_come_cost_two_seconds_and_not_the_reader(void **state)
{
    struct bench bench;
    uint64_t before;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.desc.clock_count = bench.desc.data_rate_count = 3;
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 02 00 00");
    script_control_in(&bench.usb, 0x02, "")->result = CCID_USB_TIMEOUT;
    script_control_in(&bench.usb, 0x03, "")->result = CCID_USB_TIMEOUT;
    before = bench.usb.now_ms;
    assert_int_equal(bench_try_add(&bench), STATUS_SUCCESS);
    assert_in_range(bench.usb.now_ms - before, 1, 2500);
    assert_int_equal(bench.arrived, 1);
    assert_int_equal(bench_state(&bench), SCARD_ABSENT);
    bench_end(&bench);
}

static void test_longest_lists_fit(void **state)
{
    struct ccid_slot *slot;
    struct bench bench;
    char list[255 * 12 + 1];

    (void)state;
    for (int i = 0; i < 255; i++)
        memcpy(list + i * 12, "A0 0F 00 00 ", 13);
    rates(&bench, 255, list, 255, list, CCID_USB_OK);
    slot = bench.slots[0]->DeviceExtension;
    assert_int_equal(slot->ext.ReaderCapabilities.CLKFrequenciesSupported.Entries, 255);
    assert_int_equal(slot->ext.ReaderCapabilities.DataRatesSupported.Entries, 255);
    bench_end(&bench);
}

/* Slots behind the first of some chips have a list of their own, whatever the reader
 * says. */
static void test_secondary_slots_of_some_readers_have_their_own_rates(void **state)
{
    const struct ccid_slot *slots[2];
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_TPDU);
    bench.vid = 0x08E6;
    bench.pid = 0x3479;
    bench.desc.max_slot_index = 1;
    bench.desc.slot_count = 2;
    bench.desc.data_rate_count = 1;
    script_command(&bench.usb, "65 00000000 00 SS 000000", "81 00000000 00 SS 02 00 00");
    script_command(&bench.usb, "65 00000000 01 SS 000000", "81 00000000 01 SS 02 00 00");
    script_control_in(&bench.usb, 0x03, "00 2A 00 00");
    assert_int_equal(bench_try_add(&bench), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++)
        slots[i] = bench.slots[i]->DeviceExtension;
    assert_int_equal(slots[0]->ext.ReaderCapabilities.DataRatesSupported.Entries, 1);
    assert_int_equal(slots[1]->ext.ReaderCapabilities.DataRatesSupported.Entries, 4);
    assert_int_equal(slots[1]->ext.ReaderCapabilities.DataRatesSupported.List[0], 10753);
    assert_int_equal(slots[1]->ext.ReaderCapabilities.DataRatesSupported.List[3], 125000);
    bench_end(&bench);
}

static void test_rates_that_a_reader_does_not_reach_are_not_in_its_list(void **state)
{
    const SCARD_READER_CAPABILITIES *reader;
    struct ccid_slot *slot;
    struct bench bench;

    (void)state;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.vid = 0x058F;
    bench.pid = 0x9540;
    bench.desc.data_rate_count = 3;
    script_command(&bench.usb, BENCH_STATUS_OUT, "81 00000000 00 SS 02 00 00");
    script_control_in(&bench.usb, 0x03, "16 40 05 00 00 2A 00 00 40 0D 03 00");
    assert_int_equal(bench_try_add(&bench), STATUS_SUCCESS);
    slot = bench.slots[0]->DeviceExtension;
    reader = &slot->ext.ReaderCapabilities;
    assert_int_equal(reader->DataRate.Max, 200000);
    assert_int_equal(reader->DataRatesSupported.Entries, 2);
    assert_int_equal(reader->DataRatesSupported.List[0], 10752);
    assert_int_equal(reader->DataRatesSupported.List[1], 200000);
    bench_end(&bench);
}

/* ---- rest ------------------------------------------------------------------------ */

static struct {
    const char *news; /* come while the carrier is told, as from another thread */
    unsigned told, at_once, most_at_once;
    bool last; /* in the order in which the calls ended */
} rest;

static void told(struct ccid_usb *usb, bool yes)
{
    const char *news = rest.news;

    rest.at_once++;
    if (rest.at_once > rest.most_at_once)
        rest.most_at_once = rest.at_once;
    rest.news = NULL;
    if (news != NULL)
        script_notify(usb, news);
    rest.at_once--;
    rest.told++;
    rest.last = yes;
}

/* A thread that saw no card and was then held up must not have the last word. */
static void test_card_that_comes_while_the_reader_is_told_to_rest_keeps_it_awake(
    void **state)
{
    struct ccid_usb_ops ops = scripted_ops;
    struct bench bench;

    (void)state;
    memset(&rest, 0, sizeof(rest));
    ops.may_sleep = told;
    bench_begin(&bench, BENCH_EXTENDED);
    bench.port.ops = &ops;
    bench_add(&bench, false);
    assert_true(rest.told > 0 && rest.last);

    rest.news = "50 03";
    rest.told = 0;
    ccid_device_rest(bench.device);
    assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
    assert_int_equal(rest.told, 2);
    assert_int_equal(rest.most_at_once, 1);
    assert_false(rest.last);
    script_notify(&bench.usb, "50 02");
    assert_true(rest.last);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attributes_come_from_identity_and_descriptor),
        cmocka_unit_test(test_ifd_version_is_the_version_of_the_device),
        cmocka_unit_test(test_known_fault_is_logged_once_and_corrected),
        cmocka_unit_test(test_reader_that_boots_slowly_is_given_its_time),
        cmocka_unit_test(test_reader_that_goes_while_it_boots_is_not_started),
        cmocka_unit_test(test_card_that_takes_no_ifs_request_is_sent_none),
        cmocka_unit_test(test_capabilities_of_a_careless_descriptor_are_sane),
        cmocka_unit_test(test_buffers_of_an_absurd_claim_stay_below_128_kib),
        cmocka_unit_test(test_message_length_of_zero_still_carries_a_short_apdu),
        cmocka_unit_test(test_each_slot_is_a_device_with_its_own_number),
        cmocka_unit_test(test_second_slot_that_does_not_answer_takes_the_reader_back),
        cmocka_unit_test(test_unit_is_the_smallest_free_number_of_its_type),
        cmocka_unit_test(
            test_rates_are_asked_for_as_announced_and_used_as_far_as_they_go),
        cmocka_unit_test(test_lists_are_asked_for_in_the_announced_length),
        cmocka_unit_test(test_lists_that_do_not_come_cost_two_seconds_and_not_the_reader),
        cmocka_unit_test(test_longest_lists_fit),
        cmocka_unit_test(test_secondary_slots_of_some_readers_have_their_own_rates),
        cmocka_unit_test(test_rates_that_a_reader_does_not_reach_are_not_in_its_list),
        cmocka_unit_test(
            test_card_that_comes_while_the_reader_is_told_to_rest_keeps_it_awake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
