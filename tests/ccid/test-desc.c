/* SPDX-License-Identifier: BSD-2-Clause */
/* test-desc.c - ccid/desc.c: configuration descriptors, honest, odd and hostile. */
#include "ccid/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"
#include "corpus.h"

static void reader(struct config *config, size_t offset, const void *bytes, size_t length)
{
    uint8_t descriptor[54];

    memcpy(descriptor, config_class_descriptor, sizeof(descriptor));
    memcpy(descriptor + offset, bytes, length);
    config_reader(config, descriptor, 64);
}

static NTSTATUS parse(const struct config *config, struct ccid_desc *desc)
{
    return ccid_desc_parse(config->bytes, config->length, 0, desc);
}

/* ---- honest ---------------------------------------------------------------------- */

static void test_parse_of_an_honest_reader_gives_every_field(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    config_reader(&config, config_class_descriptor, 64);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_null(desc.problem);
    assert_int_equal(desc.configuration, 1);
    assert_int_equal(desc.interface_number, 0);
    assert_int_equal(desc.interface_class, 0x0B);
    assert_int_equal(desc.interface_string, 5);
    assert_true(desc.only_interface);
    assert_int_equal(desc.bulk_in.address, 0x81);
    assert_int_equal(desc.bulk_in.packet_size, 64);
    assert_int_equal(desc.bulk_out.address, 0x02);
    assert_int_equal(desc.interrupt_in.address, 0x83);
    assert_int_equal(desc.interrupt_in.packet_size, 8);
    assert_int_equal(desc.bcd_ccid, 0x0110);
    assert_int_equal(desc.voltage_support, 7);
    assert_int_equal(desc.default_clock_khz, 4000);
    assert_int_equal(desc.maximum_clock_khz, 20000);
    assert_int_equal(desc.data_rate_bps, 10752);
    assert_int_equal(desc.maximum_data_rate_bps, 344064);
    assert_int_equal(desc.max_ifsd, 254);
    assert_int_equal(desc.features, 0x00040042);
    assert_int_equal(desc.level, CCID_LEVEL_EXTENDED_APDU);
    assert_int_equal(desc.slot_count, 1);
    assert_int_equal(desc.busy_slot_count, 1);
    assert_int_equal(desc.message_size, 271);
    assert_int_equal(desc.ifsd, 254);
}

static void test_parse_with_the_class_descriptor_after_an_endpoint_finds_it(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    config_begin(&config, 1);
    config_interface(&config, 0, 0x0B, 0, 2);
    config_endpoint(&config, 0x81, 2, 64);
    config_endpoint(&config, 0x02, 2, 64);
    config_append(&config, config_class_descriptor, 54);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_int_equal(desc.default_clock_khz, 4000);
    assert_int_equal(desc.interrupt_in.address, 0);
}

static void test_parse_takes_no_endpoint_of_another_interface(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    config_begin(&config, 2);
    config_interface(&config, 1, 0x03, 0, 1);
    config_endpoint(&config, 0x85, 2, 512);
    config_interface(&config, 0, 0x0B, 0, 2);
    config_append(&config, config_class_descriptor, 54);
    config_endpoint(&config, 0x81, 2, 64);
    config_endpoint(&config, 0x02, 2, 64);
    config_interface(&config, 2, 0xFF, 0, 1);
    config_endpoint(&config, 0x86, 3, 16);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_int_equal(desc.bulk_in.address, 0x81);
    assert_int_equal(desc.interrupt_in.address, 0);
    assert_false(desc.only_interface);
}

static size_t interfaces(const struct config *config, uint16_t vid, uint16_t pid,
                         uint8_t numbers[CCID_INTERFACES_MAX])
{
    return ccid_desc_interfaces(config->bytes, config->length, vid, pid, numbers);
}

/* One reader has them as 2, 0, 3, 1. An alternate setting is the same interface, and so
 * is a number that is there twice. */
static void test_interfaces_come_in_order_each_once(void **state)
{
    static const struct {
        uint8_t number, interface_class, alternate;
    } rows[] = {{2, 0x0B, 0}, {7, 0x03, 0}, {0, 0x0B, 0}, {0, 0x0B, 1}, {3, 0x0B, 0},
                {9, 0x0B, 1}, {5, 0xFF, 0}, {1, 0x0B, 0}, {3, 0x0B, 0}};
    uint8_t numbers[CCID_INTERFACES_MAX];
    struct config config;

    (void)state;
    config_begin(&config, 6);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        config_interface(&config, rows[i].number, rows[i].interface_class, 0, 0);
        config.bytes[config.length - 6] = rows[i].alternate;
    }
    assert_int_equal(interfaces(&config, 0x1234, 0x5678, numbers), 4);
    for (uint8_t i = 0; i < 4; i++)
        assert_int_equal(numbers[i], i);
}

static void test_interfaces_are_no_more_than_there_is_room_for(void **state)
{
    uint8_t numbers[CCID_INTERFACES_MAX];
    struct config config;

    (void)state;
    config_begin(&config, 20);
    for (uint8_t i = 0; i < 20; i++)
        config_interface(&config, (uint8_t)(19 - i), 0x0B, 0, 0);
    assert_int_equal(interfaces(&config, 0x1234, 0x5678, numbers), CCID_INTERFACES_MAX);
    for (uint8_t i = 0; i < CCID_INTERFACES_MAX; i++)
        assert_int_equal(numbers[i], 12 + i);
}

static void test_interface_of_class_ff_wants_a_known_reader(void **state)
{
    uint8_t numbers[CCID_INTERFACES_MAX];
    struct config config;

    (void)state;
    config_begin(&config, 1);
    config_interface(&config, 3, 0xFF, 0, 0);
    assert_int_equal(interfaces(&config, 0x076B, 0x0001, numbers), 0);
    assert_int_equal(interfaces(&config, 0x076B, 0x5340, numbers), 1);
    assert_int_equal(numbers[0], 3);
}

/* ---- refusals -------------------------------------------------------------------- */

/* Requirement 1: no class descriptor, no reader. */
static void test_parse_without_a_class_descriptor_is_refused(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    config_begin(&config, 1);
    config_interface(&config, 0, 0x0B, 0, 2);
    config_endpoint(&config, 0x81, 2, 64);
    config_endpoint(&config, 0x02, 2, 64);
    assert_int_equal(parse(&config, &desc), STATUS_INVALID_PARAMETER);
    assert_non_null(desc.problem);
}

/* Requirement 2: 53 bytes are not used; 55 are, up to the 54th. */
static void test_parse_of_a_class_descriptor_of_another_length(void **state)
{
    uint8_t descriptor[55] = {0};
    struct ccid_desc desc;
    struct config config;

    (void)state;
    memcpy(descriptor, config_class_descriptor, 54);
    for (uint8_t length = 53; length <= 55; length++) {
        descriptor[0] = length;
        config_begin(&config, 1);
        config_interface(&config, 0, 0x0B, 0, 2);
        config_append(&config, descriptor, length);
        config_endpoint(&config, 0x81, 2, 64);
        config_endpoint(&config, 0x02, 2, 64);
        assert_int_equal(parse(&config, &desc),
                         length < 54 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS);
    }
    assert_int_equal(desc.max_busy_slots, 1);
}

/* Type 21h is what every class calls its own: the first long enough is meant. */
static void test_parse_skips_what_other_classes_call_21h(void **state)
{
    static const uint8_t other[9] = {9, 0x21, 0x11, 0x01, 0, 1, 0x22, 0x3F, 0};
    uint8_t later[54];
    struct ccid_desc desc;
    struct config config;

    (void)state;
    memcpy(later, config_class_descriptor, sizeof(later));
    later[10] = 0x01; /* another clock */
    config_begin(&config, 1);
    config_interface(&config, 0, 0x0B, 0, 2);
    config_append(&config, other, sizeof(other));
    config_append(&config, config_class_descriptor, 54);
    config_endpoint(&config, 0x81, 2, 64);
    config_append(&config, later, sizeof(later));
    config_append(&config, other, sizeof(other));
    config_endpoint(&config, 0x02, 2, 64);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_int_equal(desc.default_clock_khz, 4000);
}

static void test_parse_takes_type_ff_of_early_readers_only(void **state)
{
    static const struct {
        uint8_t interface_class, type, length;
        NTSTATUS status;
    } rows[] = {
        {0xFF, 0xFF, 54, STATUS_SUCCESS},
        {0xFF, 0x21, 54, STATUS_SUCCESS},
        {0xFF, 0x21, 55, STATUS_SUCCESS},
        {0x0B, 0x21, 54, STATUS_SUCCESS},
        {0x0B, 0xFF, 54, STATUS_INVALID_PARAMETER},
        {0xFF, 0xFF, 55, STATUS_INVALID_PARAMETER},
        {0xFF, 0xFF, 53, STATUS_INVALID_PARAMETER},
        {0xFF, 0x22, 54, STATUS_INVALID_PARAMETER},
    };
    uint8_t descriptor[55] = {0};
    struct ccid_desc desc;
    struct config config;

    (void)state;
    memcpy(descriptor, config_class_descriptor, 54);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        descriptor[0] = rows[i].length;
        descriptor[1] = rows[i].type;
        config_begin(&config, 1);
        config_interface(&config, 0, rows[i].interface_class, 0, 2);
        config_append(&config, descriptor, rows[i].length);
        config_endpoint(&config, 0x81, 2, 64);
        config_endpoint(&config, 0x02, 2, 64);
        assert_int_equal(parse(&config, &desc), rows[i].status);
    }
}

/* Firmware gets these wrong, and nothing follows from them. */
static void test_parse_does_not_mind_subclass_and_version(void **state)
{
    static const uint16_t versions[] = {0x1001, 0x1000, 0x0200, 0x0210, 0x0000, 0xFFFF};
    struct ccid_desc desc;
    struct config config;

    (void)state;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        const uint8_t version[2] = {(uint8_t)versions[i], (uint8_t)(versions[i] >> 8)};

        reader(&config, 2, version, 2);
        config.bytes[9 + 6] = i % 2 == 0 ? 0x5C : 0x01; /* bInterfaceSubClass */
        assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
        assert_int_equal(desc.bcd_ccid, versions[i]);
    }
}

/* Requirement 3: the walk ends at bLength 0 and 1, and at one that leads out. */
static void test_walk_ends_at_a_length_that_cannot_be(void **state)
{
    static const uint8_t lengths[] = {0, 1, 255};
    struct ccid_desc desc;
    struct config config;
    uint8_t numbers[CCID_INTERFACES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(lengths); i++) {
        const uint8_t bad[2] = {lengths[i], 0x04};

        config_begin(&config, 1);
        config_append(&config, bad, sizeof(bad));
        config_interface(&config, 0, 0x0B, 0, 2);
        config_append(&config, config_class_descriptor, 54);
        assert_int_equal(interfaces(&config, 0, 0, numbers), 0);
        assert_int_equal(parse(&config, &desc), STATUS_INVALID_PARAMETER);
    }
}

static void test_parse_of_every_truncation_reads_nothing_beyond(void **state)
{
    struct config config;
    struct ccid_desc desc;

    (void)state;
    config_reader(&config, config_class_descriptor, 64);
    for (size_t length = 0; length < config.length; length++) {
        uint8_t *copy = malloc(length == 0 ? 1 : length);
        NTSTATUS status;

        assert_non_null(copy);
        memcpy(copy, config.bytes, length);
        status = ccid_desc_parse(copy, length, 0, &desc);
        /* Complete without its interrupt endpoint, which is the last descriptor. */
        assert_int_equal(status, length >= config.length - 7 ? STATUS_SUCCESS
                                                             : STATUS_INVALID_PARAMETER);
        free(copy);
    }
}

/* Requirement 6: 256 slots. */
static void test_parse_of_too_many_slots_is_refused(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    reader(&config, 4, "\xFF", 1);
    assert_int_equal(parse(&config, &desc), STATUS_INVALID_PARAMETER);
    reader(&config, 4, "\x20", 1);
    assert_int_equal(parse(&config, &desc), STATUS_INVALID_PARAMETER);
    reader(&config, 4, "\x1F", 1);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_int_equal(desc.slot_count, 32);
}

/* Requirement 9: packet sizes that no bulk endpoint has, 0 first of all. */
static void test_parse_of_impossible_packet_sizes_is_refused(void **state)
{
    static const struct {
        uint16_t size;
        NTSTATUS status;
    } rows[] = {
        {0, STATUS_INVALID_PARAMETER},
        {1, STATUS_INVALID_PARAMETER},
        {8, STATUS_SUCCESS},
        {16, STATUS_SUCCESS},
        {32, STATUS_SUCCESS},
        {63, STATUS_INVALID_PARAMETER},
        {64, STATUS_SUCCESS},
        {512, STATUS_SUCCESS},
        {1024, STATUS_SUCCESS},
        {2047, STATUS_INVALID_PARAMETER},
        {0x0840, STATUS_SUCCESS /* bits 12 and 11 are not size */},
    };
    struct ccid_desc desc;
    struct config config;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        config_reader(&config, config_class_descriptor, rows[i].size);
        assert_int_equal(parse(&config, &desc), rows[i].status);
    }
}

static void test_parse_of_one_impossible_endpoint_is_refused(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    config_reader(&config, config_class_descriptor, 64);
    config.bytes[config.length - 2 * 7 + 4] = 63; /* bulk-OUT */
    assert_int_equal(parse(&config, &desc), STATUS_INVALID_PARAMETER);
    config_reader(&config, config_class_descriptor, 64);
    config.bytes[config.length - 7 + 4] = 0; /* interrupt */
    assert_int_equal(parse(&config, &desc), STATUS_INVALID_PARAMETER);
    assert_string_equal(desc.problem, "the interrupt endpoint has packet size 0");
}

static void test_parse_takes_the_first_endpoint_of_each_kind(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    config_reader(&config, config_class_descriptor, 64);
    config_endpoint(&config, 0x84, 2, 512);
    config_endpoint(&config, 0x05, 2, 512);
    config_endpoint(&config, 0x86, 3, 64);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_int_equal(desc.bulk_in.address, 0x81);
    assert_int_equal(desc.bulk_out.address, 0x02);
    assert_int_equal(desc.interrupt_in.address, 0x83);
}

static void test_parse_has_no_use_for_endpoints_of_other_kinds(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    config_begin(&config, 1);
    config_interface(&config, 0, 0x0B, 0, 4);
    config_append(&config, config_class_descriptor, 54);
    config_endpoint(&config, 0x07, 3, 8);   /* interrupt-OUT */
    config_endpoint(&config, 0x88, 1, 192); /* isochronous */
    config_endpoint(&config, 0x81, 2, 64);
    config_endpoint(&config, 0x02, 2, 64);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_int_equal(desc.interrupt_in.address, 0);
    assert_int_equal(desc.bulk_in.address, 0x81);
    assert_int_equal(desc.bulk_out.address, 0x02);
}

/* Of the right type, and too short to have what is read of them. */
static void test_descriptors_shorter_than_their_kind_say_nothing(void **state)
{
    static const uint8_t configuration[] = {6, 2, 0, 0, 7, 9},
                         interface[] = {6, 4, 5, 0, 0, 0x0B},
                         endpoint[] = {6, 5, 0x84, 2, 0, 2};
    uint8_t numbers[CCID_INTERFACES_MAX];
    struct ccid_desc desc;
    struct config config;

    (void)state;
    config_reader(&config, config_class_descriptor, 64);
    config_append(&config, endpoint, sizeof(endpoint));
    config_append(&config, interface, sizeof(interface));
    config_append(&config, configuration, sizeof(configuration));
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_int_equal(desc.configuration, 1);
    assert_true(desc.only_interface);
    assert_int_equal(desc.bulk_in.address, 0x81);
    assert_int_equal(interfaces(&config, 0x1234, 0x5678, numbers), 1);
    assert_int_equal(numbers[0], 0);
}

/* One reader says it all a second time, in an alternate setting. */
static void test_parse_takes_setting_0_and_the_first_of_a_number(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    config_begin(&config, 1);
    config_interface(&config, 0, 0x0B, 0, 1);
    config.bytes[config.length - 6] = 1;
    config_endpoint(&config, 0x84, 2, 512);
    config_interface(&config, 0, 0x0B, 0, 2);
    config_append(&config, config_class_descriptor, 54);
    config_endpoint(&config, 0x81, 2, 64);
    config_endpoint(&config, 0x02, 2, 64);
    config_interface(&config, 0, 0x0B, 2, 1);
    config_endpoint(&config, 0x83, 3, 8);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_int_equal(desc.bulk_in.address, 0x81);
    assert_int_equal(desc.interrupt_in.address, 0);
    assert_int_equal(desc.interface_protocol, 0);
}

static void test_parse_of_an_iccd_token_says_how_to_drive_it(void **state)
{
    static const struct {
        uint8_t protocol;
        bool interrupt;
        uint32_t features, length;
        enum ccid_transport transport;
        enum ccid_level level;
        uint32_t message_size;
    } rows[] = {
        {1, false, 0x0840, 271, CCID_TRANSPORT_ICCD_A, CCID_LEVEL_TPDU, 281},
        {1, false, 0x0840, 261, CCID_TRANSPORT_ICCD_A, CCID_LEVEL_TPDU, 271},
        {2, false, 0x20840, 261, CCID_TRANSPORT_ICCD_B, CCID_LEVEL_EXTENDED_APDU, 271},
        {2, true, 0x20840, 263, CCID_TRANSPORT_ICCD_B, CCID_LEVEL_EXTENDED_APDU, 273},
        {2, true, 0x40840, 65544, CCID_TRANSPORT_ICCD_B, CCID_LEVEL_EXTENDED_APDU, 4105},
        {2, true, 0x10840, 0, CCID_TRANSPORT_ICCD_B, CCID_LEVEL_TPDU, 271},
        {2, true, 0x00840, 63, CCID_TRANSPORT_ICCD_B, CCID_LEVEL_CHARACTER, 271},
        {2, false, 0x20000, 64, CCID_TRANSPORT_ICCD_B, CCID_LEVEL_EXTENDED_APDU, 74},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t descriptor[54];
        struct config config;
        struct ccid_desc desc;

        memcpy(descriptor, config_class_descriptor, sizeof(descriptor));
        descriptor[4] = 3; /* a token has one slot, whatever it says */
        for (int b = 0; b < 4; b++) {
            descriptor[40 + b] = (uint8_t)(rows[i].features >> (8 * b));
            descriptor[44 + b] = (uint8_t)(rows[i].length >> (8 * b));
        }
        config_begin(&config, 1);
        config_interface(&config, 0, 0x0B, rows[i].protocol, rows[i].interrupt);
        config_append(&config, descriptor, 54);
        if (rows[i].interrupt)
            config_endpoint(&config, 0x83, 3, 8);
        assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
        assert_int_equal(desc.transport, rows[i].transport);
        assert_int_equal(desc.level, rows[i].level);
        assert_int_equal(desc.message_size, rows[i].message_size);
        assert_int_equal(desc.slot_count, 1);
        assert_int_equal(desc.busy_slot_count, 1);
        assert_true(desc.built_in);
    }
}

static void test_parse_without_bulk_endpoints_of_no_iccd_protocol_is_invalid(void **state)
{
    static const struct {
        uint8_t protocol, endpoint;
    } rows[] = {{0, 0}, {3, 0}, {0xFF, 0}, {0, 0x83}};
    struct ccid_desc desc;
    struct config config;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        config_begin(&config, 1);
        config_interface(&config, 0, 0x0B, rows[i].protocol, rows[i].endpoint != 0);
        config_append(&config, config_class_descriptor, 54);
        if (rows[i].endpoint != 0)
            config_endpoint(&config, rows[i].endpoint, 3, 8);
        assert_int_equal(parse(&config, &desc), STATUS_INVALID_PARAMETER);
        assert_non_null(strstr(desc.problem, "bulk"));
    }
}

/* It would have to be driven both ways. */
static void test_parse_of_an_iccd_protocol_with_one_bulk_endpoint_is_invalid(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    for (uint8_t protocol = 1; protocol <= 2; protocol++) {
        config_begin(&config, 1);
        config_interface(&config, 0, 0x0B, protocol, 1);
        config_append(&config, config_class_descriptor, 54);
        config_endpoint(&config, protocol == 1 ? 0x81 : 0x02, 2, 64);
        assert_int_equal(parse(&config, &desc), STATUS_INVALID_PARAMETER);
    }
}

static void test_parse_of_the_token_feature_on_bulk_endpoints_is_information(void **state)
{
    struct ccid_desc desc;
    struct config config;
    uint8_t descriptor[54];

    (void)state;
    memcpy(descriptor, config_class_descriptor, sizeof(descriptor));
    config_reader(&config, descriptor, 64);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_false(desc.built_in);
    descriptor[41] |= 0x08;
    config_reader(&config, descriptor, 64);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
    assert_true(desc.built_in);
    assert_int_equal(desc.transport, CCID_TRANSPORT_BULK);
}

static void test_parse_of_protocol_1_with_bulk_endpoints_is_a_bulk_reader(void **state)
{
    struct ccid_desc desc;
    struct config config;

    (void)state;
    config_begin(&config, 1);
    config_interface(&config, 0, 0x0B, 1, 2);
    config_append(&config, config_class_descriptor, 54);
    config_endpoint(&config, 0x81, 2, 64);
    config_endpoint(&config, 0x02, 2, 64);
    assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
}

/* ---- safe values ----------------------------------------------------------------- */

/* Requirements 4 and 5: what a reader says of its messages is bounded both ways. */
static void test_message_size_is_safe_whatever_the_reader_says(void **state)
{
    static const struct {
        uint8_t claimed[4];
        uint32_t used;
    } rows[] = {
        {{0x00, 0x00, 0x00, 0x00}, 271},   {{0x3F, 0x00, 0x00, 0x00}, 271},
        {{0x40, 0x00, 0x00, 0x00}, 64},    {{0x07, 0x01, 0x00, 0x00}, 271 /* 263 */},
        {{0x0F, 0x01, 0x00, 0x00}, 271},   {{0x12, 0x00, 0x01, 0x00}, 65554},
        {{0x14, 0x00, 0x01, 0x00}, 65556}, {{0x00, 0x00, 0x08, 0x00}, 65024},
        {{0xFF, 0xFF, 0xFF, 0xFF}, 65024},
    };
    struct ccid_desc desc;
    struct config config;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reader(&config, 44, rows[i].claimed, 4);
        assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
        assert_int_equal(desc.message_size, rows[i].used);
        assert_true(desc.ifsd >= 1 && desc.ifsd <= 254);
        assert_true(desc.ifsd + 14 <= desc.message_size);
    }
    /* Two buffers of what an absurd claim gets, one rounded up to the largest packet. */
    assert_true(desc.message_size * 2 + 1024 <= 128 * 1024);
}

/* Requirement 7: no busy slot is one; more than there are slots is one as well. */
static void test_busy_slots_are_between_one_and_all(void **state)
{
    static const struct {
        uint8_t max_slot_index, busy, used;
    } rows[] = {{0, 0, 1}, {0, 1, 1}, {1, 5, 1}, {1, 2, 2}, {2, 2, 2}, {7, 8, 8}};
    struct ccid_desc desc;
    struct config config;
    uint8_t descriptor[54];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memcpy(descriptor, config_class_descriptor, 54);
        descriptor[4] = rows[i].max_slot_index;
        descriptor[53] = rows[i].busy;
        config_reader(&config, descriptor, 64);
        assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
        assert_int_equal(desc.busy_slot_count, rows[i].used);
    }
}

static void test_ifsd_is_a_value_of_one_byte_that_fits(void **state)
{
    static const struct {
        uint32_t features, ifsd, message, used;
    } rows[] = {
        {0x00010000, 0, 271, 32},    {0x00040042, 0, 271, 254},
        {0x00010000, 512, 271, 254}, {0x00010000, 254, 64, 50},
        {0x00010000, 1, 271, 1},     {0x00020042, 0xFFFFFFFF, 256, 242},
    };
    struct ccid_desc desc;
    struct config config;
    uint8_t descriptor[54];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memcpy(descriptor, config_class_descriptor, 54);
        memcpy(descriptor + 28, &rows[i].ifsd, 4); /* tests run on little-endian hosts */
        memcpy(descriptor + 40, &rows[i].features, 4);
        memcpy(descriptor + 44, &rows[i].message, 4);
        config_reader(&config, descriptor, 64);
        assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
        assert_int_equal(desc.ifsd, rows[i].used);
    }
}

static void test_exchange_level_of_several_bits_is_the_most_capable(void **state)
{
    static const struct {
        uint8_t features[4];
        enum ccid_level level;
    } rows[] = {
        {{0, 0, 0x00, 0}, CCID_LEVEL_CHARACTER},
        {{0, 0, 0x01, 0}, CCID_LEVEL_TPDU},
        {{0, 0, 0x02, 0}, CCID_LEVEL_SHORT_APDU},
        {{0, 0, 0x04, 0}, CCID_LEVEL_EXTENDED_APDU},
        {{0, 0, 0x03, 0}, CCID_LEVEL_SHORT_APDU},
        {{0, 0, 0x07, 0}, CCID_LEVEL_EXTENDED_APDU},
    };
    struct ccid_desc desc;
    struct config config;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reader(&config, 40, rows[i].features, 4);
        assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
        assert_int_equal(desc.level, rows[i].level);
    }
}

/* ---- real readers ---------------------------------------------------------------- */

/* A configuration descriptor around the 54 bytes of a row. */
static void config_of_row(const char *row, struct config *config)
{
    uint32_t endpoints = corpus_number(row, "bNumEndpoints");
    uint8_t descriptor[64];

    assert_int_equal(corpus_bytes(row, "class_descriptor", descriptor, 64), 54);
    config_begin(config, 1);
    config_interface(config, 0, (uint8_t)corpus_number(row, "bInterfaceClass"),
                     (uint8_t)corpus_number(row, "bInterfaceProtocol"),
                     (uint8_t)endpoints);
    config_append(config, descriptor, 54);
    if (endpoints >= 2) {
        config_endpoint(config, 0x81, 2, 64);
        config_endpoint(config, 0x02, 2, 64);
    }
    if (endpoints == 1 || endpoints == 3)
        config_endpoint(config, 0x83, 3, 8);
}

static void compare_row(const char *row, const struct ccid_desc *desc)
{
    static const char *const levels[] = {"character", "tpdu", "short-apdu",
                                         "extended-apdu"};
    /* ICCD is driven at another level than it says. */
    static const char *const token_levels[] = {"", "character", "", "short-apdu"};
    char level[32];

    corpus_string(row, "exchange_level", level, sizeof(level));
    assert_string_equal(
        (desc->transport == CCID_TRANSPORT_BULK ? levels : token_levels)[desc->level],
        level);
    assert_int_equal(desc->bcd_ccid, corpus_hex(row, "bcdCCID"));
    assert_int_equal(desc->max_slot_index, corpus_number(row, "bMaxSlotIndex"));
    assert_int_equal(desc->voltage_support, corpus_number(row, "bVoltageSupport"));
    assert_int_equal(desc->protocols, corpus_number(row, "dwProtocols"));
    assert_int_equal(desc->default_clock_khz, corpus_number(row, "dwDefaultClock"));
    assert_int_equal(desc->maximum_clock_khz, corpus_number(row, "dwMaximumClock"));
    assert_int_equal(desc->clock_count, corpus_number(row, "bNumClockSupported"));
    assert_int_equal(desc->data_rate_bps, corpus_number(row, "dwDataRate"));
    assert_int_equal(desc->maximum_data_rate_bps, corpus_number(row, "dwMaxDataRate"));
    assert_int_equal(desc->data_rate_count, corpus_number(row, "bNumDataRatesSupported"));
    assert_int_equal(desc->max_ifsd, corpus_number(row, "dwMaxIFSD"));
    assert_int_equal(desc->synch_protocols, corpus_number(row, "dwSynchProtocols"));
    assert_int_equal(desc->mechanical, corpus_number(row, "dwMechanical"));
    assert_int_equal(desc->features, corpus_number(row, "dwFeatures"));
    assert_int_equal(desc->max_message_length,
                     corpus_number(row, "dwMaxCCIDMessageLength"));
    assert_int_equal(desc->class_get_response, corpus_number(row, "bClassGetResponse"));
    assert_int_equal(desc->class_envelope, corpus_number(row, "bClassEnvelope"));
    assert_int_equal(desc->lcd_layout, corpus_number(row, "wLcdLayout"));
    assert_int_equal(desc->pin_support, corpus_number(row, "bPINSupport"));
    assert_int_equal(desc->max_busy_slots, corpus_number(row, "bMaxCCIDBusySlots"));
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What follows from a row, computed from it in another way. */
static void compare_derived(const char *row, const struct ccid_desc *desc)
{
    uint32_t slots = corpus_number(row, "bMaxSlotIndex") + 1;
    uint32_t busy = corpus_number(row, "bMaxCCIDBusySlots");
    uint32_t length = corpus_number(row, "dwMaxCCIDMessageLength");
    uint32_t ifsd = corpus_number(row, "dwMaxIFSD");
    uint32_t level = corpus_number(row, "dwFeatures") >> 16 & 7;

    if (desc->transport != CCID_TRANSPORT_BULK) {
        slots = busy = 1;
        length = length + 10; /* a request has no header */
    } else if (length == 263) {
        length = 271;
    }
    if (length > CCID_MESSAGE_MAX)
        length = 65024;
    if (busy == 0 || busy > slots)
        busy = 1;
    /* No corpus row is without a usable length. */
    assert_true(length >= 64);
    if (ifsd == 0)
        ifsd = level >= 2 ? 254 : 32;
    assert_int_equal(desc->slot_count, slots);
    assert_int_equal(desc->busy_slot_count, busy);
    assert_int_equal(desc->message_size, length);
    assert_int_equal(desc->ifsd, least(least(ifsd, 254), length - 14));
    assert_int_equal(desc->built_in, (desc->features & 0x800) != 0 ||
                                         desc->transport != CCID_TRANSPORT_BULK);
}

static void test_every_reader_of_the_corpus_reads_as_its_row_says(void **state)
{
    FILE *f = corpus_open("ccid-readers.jsonl", __func__);
    char *row = NULL;
    size_t size = 0;
    int rows = 0, tokens = 0;

    (void)state;
    if (f == NULL)
        skip();
    while (getline(&row, &size, f) > 0) {
        struct ccid_desc desc;
        struct config config;
        uint8_t numbers[CCID_INTERFACES_MAX];

        config_of_row(row, &config);
        assert_int_equal(parse(&config, &desc), STATUS_SUCCESS);
        compare_row(row, &desc);
        compare_derived(row, &desc);
        if (desc.transport != CCID_TRANSPORT_BULK)
            tokens++;
        assert_int_equal(desc.transport != CCID_TRANSPORT_BULK,
                         corpus_number(row, "bNumEndpoints") < 2);
        assert_int_equal(interfaces(&config, (uint16_t)corpus_hex(row, "vid"),
                                    (uint16_t)corpus_hex(row, "pid"), numbers),
                         1);
        rows++;
    }
    free(row);
    fclose(f);
    printf("%d descriptors of real readers, %d of them tokens without bulk endpoints\n",
           rows, tokens);
    assert_true(rows > 0 && tokens > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_of_an_honest_reader_gives_every_field),
        cmocka_unit_test(test_parse_with_the_class_descriptor_after_an_endpoint_finds_it),
        cmocka_unit_test(test_parse_takes_no_endpoint_of_another_interface),
        cmocka_unit_test(test_interfaces_come_in_order_each_once),
        cmocka_unit_test(test_interfaces_are_no_more_than_there_is_room_for),
        cmocka_unit_test(test_interface_of_class_ff_wants_a_known_reader),
        cmocka_unit_test(test_parse_without_a_class_descriptor_is_refused),
        cmocka_unit_test(test_parse_of_a_class_descriptor_of_another_length),
        cmocka_unit_test(test_parse_skips_what_other_classes_call_21h),
        cmocka_unit_test(test_parse_takes_type_ff_of_early_readers_only),
        cmocka_unit_test(test_parse_does_not_mind_subclass_and_version),
        cmocka_unit_test(test_walk_ends_at_a_length_that_cannot_be),
        cmocka_unit_test(test_parse_of_every_truncation_reads_nothing_beyond),
        cmocka_unit_test(test_parse_of_too_many_slots_is_refused),
        cmocka_unit_test(test_parse_of_impossible_packet_sizes_is_refused),
        cmocka_unit_test(test_parse_of_one_impossible_endpoint_is_refused),
        cmocka_unit_test(test_parse_takes_the_first_endpoint_of_each_kind),
        cmocka_unit_test(test_parse_has_no_use_for_endpoints_of_other_kinds),
        cmocka_unit_test(test_descriptors_shorter_than_their_kind_say_nothing),
        cmocka_unit_test(test_parse_takes_setting_0_and_the_first_of_a_number),
        cmocka_unit_test(test_parse_of_an_iccd_token_says_how_to_drive_it),
        cmocka_unit_test(
            test_parse_without_bulk_endpoints_of_no_iccd_protocol_is_invalid),
        cmocka_unit_test(
            test_parse_of_an_iccd_protocol_with_one_bulk_endpoint_is_invalid),
        cmocka_unit_test(
            test_parse_of_the_token_feature_on_bulk_endpoints_is_information),
        cmocka_unit_test(test_parse_of_protocol_1_with_bulk_endpoints_is_a_bulk_reader),
        cmocka_unit_test(test_message_size_is_safe_whatever_the_reader_says),
        cmocka_unit_test(test_busy_slots_are_between_one_and_all),
        cmocka_unit_test(test_ifsd_is_a_value_of_one_byte_that_fits),
        cmocka_unit_test(test_exchange_level_of_several_bits_is_the_most_capable),
        cmocka_unit_test(test_every_reader_of_the_corpus_reads_as_its_row_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
