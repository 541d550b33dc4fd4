/* SPDX-License-Identifier: BSD-2-Clause */
/* test-part10.c - ccid/part10.c: what is offered, and what is told of a reader. */
#include "ccid/part10.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/quirks.h"
#include "scard_ioctl.h"

static void same(const uint8_t *bytes, size_t length, const char *hex)
{
    uint8_t expected[CCID_PART10_PROPERTIES_MAX];

    assert_int_equal(length, bench_bytes(hex, expected, sizeof(expected)));
    assert_memory_equal(bytes, expected, length);
}

#define VERIFY     "06 04 00 31 35 38 "
#define MODIFY     "07 04 00 31 35 3C "
#define DIRECT     "08 04 00 31 35 40 "
#define PIN        "0A 04 00 31 35 48 "
#define PROPERTIES "12 04 00 31 35 68 "
#define ESCAPE     "13 04 00 31 36 B0 "

static void test_features_are_those_of_the_reader_with_big_endian_codes(void **state)
{
    static const struct {
        uint8_t pin_support;
        uint32_t quirks;
        bool escape;
        const char *list;
    } rows[] = {
        {0, 0, false, PROPERTIES},
        {1, 0, false, VERIFY PIN PROPERTIES},
        {2, 0, false, MODIFY PIN PROPERTIES},
        {3, 0, false, VERIFY MODIFY PIN PROPERTIES},
        {0, 0, true, PROPERTIES ESCAPE},
        {0, CCID_QUIRK_SECODER, false, DIRECT PROPERTIES},
        {3, CCID_QUIRK_SECODER, true, VERIFY MODIFY DIRECT PIN PROPERTIES ESCAPE},
    };
    uint8_t list[CCID_PART10_FEATURES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct ccid_desc desc = {
            .pin_support = rows[i].pin_support,
            .quirks = rows[i].quirks,
        };

        same(list, ccid_part10_features(&desc, rows[i].escape, list), rows[i].list);
    }
}

static void test_pin_properties_tell_of_display_and_keys(void **state)
{
    struct ccid_desc desc = {.pin_support = 3, .lcd_layout = 0x0210};
    struct scard_pin_properties pin = ccid_part10_pin(&desc);

    (void)state;
    same((const uint8_t *)&pin, sizeof(pin), "10 02 07 00");
    desc.quirks = CCID_QUIRK_PIN_ONE_MESSAGE;
    pin = ccid_part10_pin(&desc);
    same((const uint8_t *)&pin, sizeof(pin), "10 02 02 00");
}

static void test_properties_are_what_is_known_with_little_endian_values(void **state)
{
    static const struct smc_device_identity identity = {
        .vid = 0x1234, .pid = 0x5678, .bcd_device = 0x0309};
    static const struct {
        struct ccid_desc desc;
        const char *list;
    } rows[] = {
        {{.level = CCID_LEVEL_SHORT_APDU},
         "08 04 33 2E 30 39 09 01 00 0A 04 FF 00 00 00 0B 02 34 12 0C 02 78 56"},
        {{.level = CCID_LEVEL_EXTENDED_APDU, .pin_support = 1},
         "02 01 07 03 01 00 "
         "08 04 33 2E 30 39 09 01 00 0A 04 00 00 01 00 0B 02 34 12 0C 02 78 56"},
        {{.level = CCID_LEVEL_TPDU,
          .pin_support = 3,
          .lcd_layout = 0x0210,
          .quirks = CCID_QUIRK_PIN_1_TO_31},
         "01 02 10 02 04 02 10 00 05 02 02 00 02 01 07 03 01 00 06 01 01 07 01 1F "
         "08 04 33 2E 30 39 09 01 00 0A 04 00 00 01 00 0B 02 34 12 0C 02 78 56"},
    };
    uint8_t list[CCID_PART10_PROPERTIES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        same(list, ccid_part10_properties(&rows[i].desc, &identity, list), rows[i].list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_features_are_those_of_the_reader_with_big_endian_codes),
        cmocka_unit_test(test_pin_properties_tell_of_display_and_keys),
        cmocka_unit_test(test_properties_are_what_is_known_with_little_endian_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
