/* SPDX-License-Identifier: BSD-2-Clause */
/* test-fidi.c - ccid/fidi.c: the rate that is asked for. */
#include "ccid/slot.h"
#include "ccid/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"

/* The tables that the library gives to every card. */
static void card_of(SCARD_CARD_CAPABILITIES *card, uint8_t ta1)
{
    struct bench bench;
    struct ccid_slot *slot;

    bench_begin(&bench, BENCH_EXTENDED);
    bench_add(&bench, true);
    slot = bench.slots[0]->DeviceExtension;
    script_command(&bench.usb, BENCH_ON_OUT, BENCH_ATR_IN);
    assert_int_equal(bench_power(&bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    *card = slot->ext.CardCapabilities;
    card->Fl = ta1 >> 4;
    card->Dl = ta1 & 0x0F;
    bench_end(&bench);
}

static void test_fidi_is_the_best_that_card_and_reader_can(void **state)
{
    /* 4 MHz: 11h 10752, 12h 21505, 13h 43010, 14h 86021, 18h 129032, 15h 172043;
     * 94h 62500, 98h 93750, 95h 125000, 99h 156250, 96h 250000 */
    static ULONG slow[] = {10753, 43011}, exact[] = {125000, 62500}, far[] = {125003};
    static const struct {
        uint8_t ta1;
        ULONG max_bps, *list;
        UCHAR entries;
        uint32_t below_bps;
        uint8_t fidi;
    } rows[] = {
        {0x11, 344086, NULL, 0, 0, 0x11},
        {0x18, 344086, NULL, 0, 0, 0x18},
        {0x95, 344086, NULL, 0, 0, 0x95},
        {0x96, 250000, NULL, 0, 0, 0x96},
        {0x96, 249998, NULL, 0, 0, 0x96}, /* the maximum is rounded */
        {0x96, 249997, NULL, 0, 0, 0x99}, /* D 20 is next below 32, at the same Fi */
        {0x96, 100000, NULL, 0, 0, 0x98}, /* 12 */
        {0x18, 100000, NULL, 0, 0, 0x14}, /* Di 8 is 12, then 8 */
        {0x19, 344086, NULL, 0, 0, 0x19}, /* 20 */
        {0x19, 200000, NULL, 0, 0, 0x15}, /* 16 */
        {0x18, 9600, NULL, 0, 0, 0x11},
        {0x91, 344086, NULL, 0, 0, 0x11}, /* slower than the default */
        /* lists, two bits either way */
        {0x96, 344086, exact, 2, 0, 0x95},
        {0x15, 344086, slow, 2, 0, 0x13},
        {0x12, 344086, slow, 2, 0, 0x11},
        {0x95, 344086, far, 1, 0, 0x11},
        /* below what has failed */
        {0x18, 344086, NULL, 0, 129032, 0x14},
        {0x18, 344086, NULL, 0, 129033, 0x18},
        {0x18, 344086, NULL, 0, 21505, 0x11},
        {0x96, 344086, exact, 2, 125000, 0x94},
    };
    SCARD_READER_CAPABILITIES reader;
    SCARD_CARD_CAPABILITIES card;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        card_of(&card, rows[i].ta1);
        memset(&reader, 0, sizeof(reader));
        reader.CLKFrequency.Default = 4000;
        reader.DataRate.Max = rows[i].max_bps;
        reader.DataRatesSupported.List = rows[i].list;
        reader.DataRatesSupported.Entries = rows[i].entries;
        assert_int_equal(ccid_fidi_choose(&card, &reader, rows[i].below_bps),
                         rows[i].fidi);
    }
}

static void test_fidi_without_a_clock_or_from_reserved_values_is_the_default(void **state)
{
    static const uint8_t reserved[] = {0x75, 0x85, 0xE5, 0xF5, 0x10, 0x1A, 0x1F};
    SCARD_READER_CAPABILITIES reader;
    SCARD_CARD_CAPABILITIES card;

    (void)state;
    memset(&reader, 0, sizeof(reader));
    reader.DataRate.Max = 4294967295u;
    card_of(&card, 0x95);
    assert_int_equal(ccid_fidi_choose(&card, &reader, 0), CCID_FIDI_DEFAULT);
    reader.CLKFrequency.Default = 4294967295u;
    assert_int_equal(ccid_fidi_bps(&card, &reader, 0x95), 4294967295u);
    reader.CLKFrequency.Default = 4000;
    for (size_t i = 0; i < sizeof(reserved); i++) {
        card.Fl = reserved[i] >> 4;
        card.Dl = reserved[i] & 0x0F;
        assert_int_equal(ccid_fidi_bps(&card, &reader, reserved[i]), 0);
        assert_int_equal(ccid_fidi_choose(&card, &reader, 0), CCID_FIDI_DEFAULT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fidi_is_the_best_that_card_and_reader_can),
        cmocka_unit_test(
            test_fidi_without_a_clock_or_from_reserved_values_is_the_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
