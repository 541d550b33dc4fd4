/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-virtual_shape.c - shapes of real readers: what the descriptor said is what the
 * virtual reader's descriptor says.
 */
#include "ccid/virtual_shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ccid/virtual_card.h"
#include "corpus.h"

#define CLASS_AT 18 /* in a configuration descriptor of one interface */

/* A short-APDU reader with two slots, both busy at once, and a PIN pad. */
static const uint8_t sample[CCID_DESC_LENGTH] = {
    0x36, 0x21, 0x10, 0x01, 0x01, 0x05, 0x02, 0x00, 0x00, 0x00, 0xA0, 0x0F, 0x00, 0x00,
    0x40, 0x1F, 0x00, 0x00, 0x02, 0x00, 0x2A, 0x00, 0x00, 0x56, 0x40, 0x05, 0x00, 0x35,
    0xFC, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0xBA, 0x05,
    0x02, 0x00, 0x0F, 0x01, 0x00, 0x00, 0xC0, 0xC2, 0x10, 0x02, 0x03, 0x02};

static const struct ccid_virtual_interface bulk = {
    .number = 1, .class_code = 0x0B, .endpoint_count = 3};

static void test_shape_of_a_descriptor_says_the_same_again(void **state)
{
    struct ccid_virtual_shape shape;
    struct ccid_desc desc;
    uint8_t config[CCID_VIRTUAL_CONFIG_MAX];
    size_t len;

    (void)state;
    assert_int_equal(ccid_virtual_shape_of(sample, sizeof(sample), &bulk, &shape),
                     STATUS_SUCCESS);
    assert_int_equal(shape.level, CCID_LEVEL_SHORT_APDU);
    assert_int_equal(shape.features, 0x5BA);
    assert_int_equal(shape.slot_count, 2);
    assert_int_equal(shape.pin_support, 3);
    assert_int_equal(shape.lcd_layout, 0x0210);
    assert_int_equal(ccid_virtual_shape_busy_limit(&shape), 2);
    len = ccid_virtual_reader_config(&shape, config);
    assert_memory_equal(config + CLASS_AT, sample, sizeof(sample));
    assert_int_equal(ccid_desc_parse(config, len, 1, &desc), STATUS_SUCCESS);
    assert_int_equal(desc.interrupt_in.address, 0x83);
    assert_int_equal(desc.only_interface, true);
}

static void test_shape_of_a_bad_descriptor_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        size_t len;
        uint8_t endpoint_count, protocol;
        NTSTATUS status;
    } rows[] = {
        {0, 0x36, 53, 3, 0, STATUS_INVALID_PARAMETER},
        {0, 0x35, 54, 3, 0, STATUS_INVALID_PARAMETER},
        {4, 32, 54, 3, 0, STATUS_INVALID_PARAMETER},
        {4, CCID_VIRTUAL_SLOTS_MAX, 54, 3, 0, STATUS_NOT_SUPPORTED},
        {4, CCID_VIRTUAL_SLOTS_MAX - 1, 54, 3, 0, STATUS_SUCCESS},
        {4, 0, 54, 4, 0, STATUS_NOT_SUPPORTED},
        {4, 0, 54, 2, 1, STATUS_SUCCESS},
        {4, 0, 54, 1, 0, STATUS_NOT_SUPPORTED},
        {4, 0, 54, 0, 3, STATUS_NOT_SUPPORTED},
        {4, 0, 54, 0, 1, STATUS_SUCCESS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_interface interface = bulk;
        struct ccid_virtual_shape shape;
        uint8_t bytes[CCID_DESC_LENGTH];

        memcpy(bytes, sample, sizeof(bytes));
        bytes[rows[i].at] = rows[i].value;
        interface.endpoint_count = rows[i].endpoint_count;
        interface.protocol = rows[i].protocol;
        assert_int_equal(ccid_virtual_shape_of(bytes, rows[i].len, &interface, &shape),
                         rows[i].status);
    }
}

static void test_shape_endpoints_say_the_transport(void **state)
{
    static const struct {
        uint8_t endpoint_count, protocol;
        enum ccid_transport transport;
        bool interrupt;
    } rows[] = {
        {3, 0, CCID_TRANSPORT_BULK, true},    {2, 0, CCID_TRANSPORT_BULK, false},
        {2, 1, CCID_TRANSPORT_BULK, false},   {0, 1, CCID_TRANSPORT_ICCD_A, false},
        {0, 2, CCID_TRANSPORT_ICCD_B, false}, {1, 2, CCID_TRANSPORT_ICCD_B, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_interface interface = bulk;
        struct ccid_virtual_shape shape;
        uint8_t config[CCID_VIRTUAL_CONFIG_MAX];

        interface.endpoint_count = rows[i].endpoint_count;
        interface.protocol = rows[i].protocol;
        assert_int_equal(
            ccid_virtual_shape_of(sample, sizeof(sample), &interface, &shape),
            STATUS_SUCCESS);
        assert_int_equal(shape.transport, rows[i].transport);
        assert_int_equal(shape.interrupt, rows[i].interrupt);
        ccid_virtual_reader_config(&shape, config);
        assert_int_equal(config[9 + 4], rows[i].endpoint_count);
        assert_int_equal(config[9 + 7], rows[i].protocol);
    }
}

static void test_shape_card_speaks_what_the_reader_can(void **state)
{
    static const struct {
        uint16_t protocols; /* of dwProtocols */
        uint32_t card;
    } rows[] = {{0x0001, 1}, {0x0002, 2}, {0x0003, 3}, {0x0300, 3}, {0x0000, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_shape shape;
        struct ccid_virtual_card card;
        uint8_t bytes[CCID_DESC_LENGTH];

        memcpy(bytes, sample, sizeof(bytes));
        bytes[6] = (uint8_t)rows[i].protocols;
        bytes[7] = (uint8_t)(rows[i].protocols >> 8);
        assert_int_equal(ccid_virtual_shape_of(bytes, sizeof(bytes), &bulk, &shape),
                         STATUS_SUCCESS);
        assert_true(ccid_virtual_card_init(&card, shape.atr, shape.atr_len));
        assert_int_equal(ccid_virtual_card_protocols(&card), rows[i].card);
    }
}

static void test_shape_busy_limit_is_one_to_all_slots(void **state)
{
    static const uint8_t rows[][3] = {
        {1, 0, 1}, {1, 1, 1}, {3, 2, 2}, {3, 3, 3}, {2, 5, 2}, {8, 8, 8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_shape shape = ccid_virtual_default_shape;

        shape.slot_count = rows[i][0];
        shape.max_busy_slots = rows[i][1];
        assert_int_equal(ccid_virtual_shape_busy_limit(&shape), rows[i][2]);
    }
}

static void test_shape_of_every_reader_of_the_corpus_comes_back(void **state)
{
    FILE *file = corpus_open("ccid-readers.jsonl", "shapes of real readers");
    char row[8192];
    unsigned rows = 0;

    (void)state;
    if (file == NULL)
        skip();
    while (fgets(row, sizeof(row), file) != NULL) {
        struct ccid_virtual_interface interface = {
            .number = (uint8_t)corpus_number(row, "bInterfaceNumber"),
            .class_code = (uint8_t)corpus_number(row, "bInterfaceClass"),
            .subclass = (uint8_t)corpus_number(row, "bInterfaceSubClass"),
            .protocol = (uint8_t)corpus_number(row, "bInterfaceProtocol"),
            .endpoint_count = (uint8_t)corpus_number(row, "bNumEndpoints"),
        };
        struct ccid_virtual_shape shape;
        uint8_t bytes[CCID_DESC_LENGTH], config[CCID_VIRTUAL_CONFIG_MAX];
        size_t len;

        assert_int_equal(corpus_bytes(row, "class_descriptor", bytes, sizeof(bytes)),
                         sizeof(bytes));
        assert_int_equal(ccid_virtual_shape_of(bytes, sizeof(bytes), &interface, &shape),
                         STATUS_SUCCESS);
        len = ccid_virtual_reader_config(&shape, config);
        assert_memory_equal(config + CLASS_AT, bytes, sizeof(bytes));
        assert_int_equal(config[2] | config[3] << 8, len);
        assert_int_equal(config[9 + 2], interface.number);
        assert_int_equal(config[9 + 4], interface.endpoint_count);
        assert_int_equal(config[9 + 5], interface.class_code);
        rows++;
    }
    fclose(file);
    assert_int_equal(rows, 368);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_of_a_descriptor_says_the_same_again),
        cmocka_unit_test(test_shape_of_a_bad_descriptor_is_refused),
        cmocka_unit_test(test_shape_endpoints_say_the_transport),
        cmocka_unit_test(test_shape_card_speaks_what_the_reader_can),
        cmocka_unit_test(test_shape_busy_limit_is_one_to_all_slots),
        cmocka_unit_test(test_shape_of_every_reader_of_the_corpus_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
