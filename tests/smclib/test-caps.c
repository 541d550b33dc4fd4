/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"
#include "smclib/internal.h"

static struct fake_reader reader;

static int setup(void **state)
{
    (void)state;
    fake_reader_setup(&reader);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_reader_teardown(&reader);
    return 0;
}

static NTSTATUS update(const char *atr_hex)
{
    reader.ext.CardCapabilities.ATR.Length =
        (UCHAR)fake_hex(atr_hex, reader.ext.CardCapabilities.ATR.Buffer, ATR_BUFFER_SIZE);
    return SmartcardUpdateCardCapabilities(&reader.ext);
}

static void test_caps_of_a_negotiable_card_leave_the_protocol_open(void **state)
{
    SCARD_CARD_CAPABILITIES *caps = &reader.ext.CardCapabilities;

    (void)state;
    fake_reader_set_state(&reader, SCARD_POWERED);
    assert_status(update("3B 88 80 01 54 45 53 54 42 45 44 01 5D"), STATUS_SUCCESS);
    assert_int_equal(reader.ext.ReaderCapabilities.CurrentState, SCARD_NEGOTIABLE);
    assert_int_equal(caps->Protocol.Supported, SCARD_PROTOCOL_Tx);
    assert_int_equal(caps->Protocol.Selected, 0);
    assert_int_equal(caps->HistoricalChars.Length, 8);
    assert_memory_equal(caps->HistoricalChars.Buffer, "TESTBED\x01", 8);
}

static void test_caps_of_a_specific_card_select_its_protocol(void **state)
{
    SCARD_CARD_CAPABILITIES *caps = &reader.ext.CardCapabilities;

    (void)state;
    fake_reader_set_state(&reader, SCARD_POWERED);
    assert_status(update("3B9C131181647265616D6372797074900599"), STATUS_SUCCESS);
    assert_int_equal(reader.ext.ReaderCapabilities.CurrentState, SCARD_SPECIFIC);
    assert_int_equal(caps->Protocol.Selected, SCARD_PROTOCOL_T1);
    assert_int_equal(caps->PtsData.Fl << 4 | caps->PtsData.Dl, 0x13);
    reader.ext.ReaderCapabilities.SupportedProtocols = SCARD_PROTOCOL_T0;
    assert_status(update("3B9C131181647265616D6372797074900599"), STATUS_SUCCESS);
    assert_int_equal(reader.ext.ReaderCapabilities.CurrentState, SCARD_SPECIFIC);
    assert_int_equal(caps->Protocol.Selected, 0);
}

static void test_caps_of_a_card_that_left_meanwhile_do_not_bring_it_back(void **state)
{
    (void)state;
    fake_reader_set_state(&reader, SCARD_ABSENT);
    assert_status(update(ATR_T0), STATUS_SUCCESS);
    assert_int_equal(reader.ext.ReaderCapabilities.CurrentState, SCARD_ABSENT);
}

static void test_caps_of_a_raw_inverse_atr_decode_it_and_remember(void **state)
{
    UCHAR raw[3] = {0x3F, 0x01, 0x41};

    (void)state;
    fake_reader_set_state(&reader, SCARD_POWERED);
    SmartcardInvertData(raw, sizeof raw);
    assert_int_equal(raw[0], 0x03);
    memcpy(reader.ext.CardCapabilities.ATR.Buffer, raw, sizeof raw);
    reader.ext.CardCapabilities.ATR.Length = sizeof raw;
    assert_status(SmartcardUpdateCardCapabilities(&reader.ext), STATUS_SUCCESS);
    assert_true(reader.ext.CardCapabilities.InversConvention);
    assert_true(reader.ext.OsData->RawInverse);
    assert_memory_equal(reader.ext.CardCapabilities.ATR.Buffer, "\x3F\x01\x41", 3);
    SmartcardInitializeCardCapabilities(&reader.ext);
    assert_false(reader.ext.OsData->RawInverse);
    assert_status(update("03 F7"), STATUS_UNRECOGNIZED_MEDIA); /* 3F 10, truncated */
    assert_true(reader.ext.CardCapabilities.InversConvention);
    SmartcardInitializeCardCapabilities(&reader.ext);
    assert_status(update("3F 00"), STATUS_SUCCESS); /* decoded by the reader */
    assert_true(reader.ext.CardCapabilities.InversConvention);
    assert_false(reader.ext.OsData->RawInverse);
}

static void test_caps_invert_data_is_its_own_inverse(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 256; b++) {
        UCHAR byte = (UCHAR)b;

        SmartcardInvertData(&byte, 1);
        SmartcardInvertData(&byte, 1);
        assert_int_equal(byte, b);
    }
}

/* 372/1 at 3580 kHz; expected values by hand from the formulas of ISO/IEC 7816-3. */
static void test_caps_times_at_372_1_are_those_of_the_standard(void **state)
{
    SCARD_CARD_CAPABILITIES *caps = &reader.ext.CardCapabilities;

    (void)state;
    fake_reader_set_state(&reader, SCARD_POWERED);
    assert_status(update("3B 00"), STATUS_SUCCESS);
    assert_int_equal(caps->etu, 104); /* 103.91 us */
    assert_int_equal(reader.ext.OsData->EtuNs, 103911);
    assert_int_equal(caps->GT, 1247);        /* 12 etu */
    assert_int_equal(caps->T0.WT, 997542);   /* 9600 etu */
    assert_int_equal(caps->T1.CWT, 852379);  /* 11 + 2^13 etu */
    assert_int_equal(caps->T1.BWT, 1597212); /* 11 etu + 2^4 * 960 * 372 / f */
    assert_int_equal(caps->T1.BGT, 2287);    /* 22 etu */
}

static void test_caps_guard_time_follows_n_protocol_and_t15(void **state)
{
    SCARD_CARD_CAPABILITIES *caps = &reader.ext.CardCapabilities;

    (void)state;
    fake_reader_set_state(&reader, SCARD_POWERED);
    assert_status(update("3B 40 03"), STATUS_SUCCESS); /* N = 3: 15 etu */
    assert_int_equal(caps->GT, 1559);
    assert_status(update("3B 40 FF"), STATUS_SUCCESS); /* N = 255, T=0: 12 etu */
    assert_int_equal(caps->GT, 1247);
    assert_status(update("3B C0 FF 01 3E"), STATUS_SUCCESS); /* N = 255, T=1: 11 etu */
    assert_int_equal(caps->GT, 1144);
    assert_int_equal(caps->PtsData.StopBits, 1);
    /* TA1 = 18, N = 4, T=0 and T=15: 12 etu and 4 * 372 / 12 / f */
    assert_status(update("3B D0 18 04 80 1F 00 53"), STATUS_SUCCESS);
    assert_int_equal(caps->GT, 1282);
}

static void test_caps_of_an_unreadable_atr_are_unrecognized_media(void **state)
{
    static const char *const atrs[] = {
        "",      "3B",       "3A 00",          "3B 10 71",
        "3B 01", "3B 80 01", "3B 80 80 01 02", "3B 80 0E 8E" /* T=14 alone */,
    };

    (void)state;
    fake_reader_set_state(&reader, SCARD_POWERED);
    for (size_t i = 0; i < sizeof atrs / sizeof atrs[0]; i++) {
        assert_status(update(atrs[i]), STATUS_UNRECOGNIZED_MEDIA);
        assert_int_equal(reader.ext.CardCapabilities.Protocol.Supported, 0);
        assert_int_equal(reader.ext.ReaderCapabilities.CurrentState, SCARD_POWERED);
    }
    reader.ext.CardCapabilities.ATR.Length = 64; /* a driver that copied too much */
    assert_status(SmartcardUpdateCardCapabilities(&reader.ext),
                  STATUS_UNRECOGNIZED_MEDIA);
}

static ULONG seen_supported;
static UCHAR give_fl = 1, give_dl = 1;

static NTSTATUS agree(PSMARTCARD_EXTENSION ext)
{
    seen_supported = ext->CardCapabilities.Protocol.Supported;
    ext->CardCapabilities.Fl = give_fl;
    ext->CardCapabilities.Dl = give_dl;
    return STATUS_SUCCESS;
}

static NTSTATUS take_as_t0(PSMARTCARD_EXTENSION ext)
{
    ext->CardCapabilities.Protocol.Supported = SCARD_PROTOCOL_T0;
    return STATUS_SUCCESS;
}

static NTSTATUS disagree(PSMARTCARD_EXTENSION ext)
{
    ext->CardCapabilities.Protocol.Supported = SCARD_PROTOCOL_T0;
    return STATUS_UNRECOGNIZED_MEDIA;
}

static void test_caps_second_chance_decides_about_what_is_not_readable(void **state)
{
    (void)state;
    fake_reader_set_state(&reader, SCARD_POWERED);
    reader.ext.ReaderFunction[RDF_ATR_PARSE] = agree;
    assert_status(update("3B 80 80 01 02"), STATUS_SUCCESS); /* wrong TCK */
    assert_int_equal(seen_supported, SCARD_PROTOCOL_Tx);     /* filled in for it */
    assert_int_equal(reader.ext.ReaderCapabilities.CurrentState, SCARD_NEGOTIABLE);
    assert_status(update("3B 90 18"), STATUS_UNRECOGNIZED_MEDIA); /* nothing usable */
    assert_status(update("3B 80 0E 8E"), STATUS_UNRECOGNIZED_MEDIA);
    give_fl = 7; /* reserved */
    assert_status(update("3B 80 80 01 02"), STATUS_UNRECOGNIZED_MEDIA);
    give_fl = 200;
    assert_status(update("3B 80 80 01 02"), STATUS_UNRECOGNIZED_MEDIA);
    give_fl = 1;
    give_dl = 10; /* reserved */
    assert_status(update("3B 80 80 01 02"), STATUS_UNRECOGNIZED_MEDIA);
    give_dl = 200;
    assert_status(update("3B 80 80 01 02"), STATUS_UNRECOGNIZED_MEDIA);
    reader.ext.ReaderFunction[RDF_ATR_PARSE] = take_as_t0;
    assert_status(update("3B 80 0E 8E"), STATUS_SUCCESS);
    assert_int_equal(reader.ext.CardCapabilities.Protocol.Supported, SCARD_PROTOCOL_T0);
    reader.ext.ReaderFunction[RDF_ATR_PARSE] = disagree;
    assert_status(update("3B 80 0E 8E"), STATUS_UNRECOGNIZED_MEDIA);
    assert_int_equal(reader.ext.CardCapabilities.Protocol.Supported, 0);
}

static void test_caps_parameters_of_the_driver_are_left_to_it(void **state)
{
    static const struct {
        UCHAR fl, dl;
        ULONG khz;
        ULONG etu_ns;
    } rows[] = {
        {9, 1, 5000, 102400}, /* 512 */
        {7, 1, 4000, 93000},  /* reserved: 372/1 */
        {1, 0, 4000, 93000},
        {1, 1, 0, 103911}, /* no clock: 3580 kHz */
    };
    PTS_DATA *pts = &reader.ext.CardCapabilities.PtsData;

    (void)state;
    fake_reader_set_state(&reader, SCARD_POWERED);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pts->Type = PTS_TYPE_USER;
        pts->Fl = rows[i].fl;
        pts->Dl = rows[i].dl;
        pts->CLKFrequency = rows[i].khz;
        SmartcardInitializeCardCapabilities(&reader.ext);
        assert_int_equal(pts->Type, PTS_TYPE_USER);
        assert_status(update("3B 9C 13 11 81 64 72 65 61 6D 63 72 79 70 74 90 05 99"),
                      STATUS_SUCCESS); /* a specific card */
        smc_caps_select(&reader.ext, PTS_TYPE_OPTIMAL, SCARD_PROTOCOL_T1);
        assert_int_equal(pts->Type, PTS_TYPE_USER);
        assert_int_equal(pts->Fl, rows[i].fl);
        assert_int_equal(pts->Dl, rows[i].dl);
        assert_int_equal(reader.ext.OsData->EtuNs, rows[i].etu_ns);
    }
}

static void test_caps_times_beyond_32_bits_are_the_longest_there_are(void **state)
{
    PTS_DATA *pts = &reader.ext.CardCapabilities.PtsData;

    (void)state;
    fake_reader_set_state(&reader, SCARD_POWERED);
    pts->Type = PTS_TYPE_USER;
    pts->Fl = 13; /* 2048 */
    pts->Dl = 1;
    pts->CLKFrequency = 1;
    assert_status(update(ATR_T0), STATUS_SUCCESS); /* WI = 255 */
    assert_int_equal(reader.ext.CardCapabilities.T0.WT, UINT32_MAX);
}

static void test_caps_of_a_card_with_implicit_parameters_are_the_default(void **state)
{
    SCARD_CARD_CAPABILITIES *caps = &reader.ext.CardCapabilities;

    (void)state;
    fake_reader_set_state(&reader, SCARD_POWERED);
    assert_status(update("3B 90 96 10 10"), STATUS_SUCCESS); /* TA2 bit 5 */
    assert_int_equal(reader.ext.ReaderCapabilities.CurrentState, SCARD_SPECIFIC);
    assert_int_equal(caps->PtsData.Fl << 4 | caps->PtsData.Dl, 0x11);
    assert_status(update("3B 90 96 10 00"), STATUS_SUCCESS);
    assert_int_equal(caps->PtsData.Fl << 4 | caps->PtsData.Dl, 0x96);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_caps_of_a_negotiable_card_leave_the_protocol_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_caps_of_a_specific_card_select_its_protocol,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_caps_of_a_card_that_left_meanwhile_do_not_bring_it_back, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_caps_of_a_raw_inverse_atr_decode_it_and_remember, setup, teardown),
        cmocka_unit_test_setup_teardown(test_caps_invert_data_is_its_own_inverse, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_caps_times_at_372_1_are_those_of_the_standard, setup, teardown),
        cmocka_unit_test_setup_teardown(test_caps_guard_time_follows_n_protocol_and_t15,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_caps_of_an_unreadable_atr_are_unrecognized_media, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_caps_second_chance_decides_about_what_is_not_readable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_caps_parameters_of_the_driver_are_left_to_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_caps_times_beyond_32_bits_are_the_longest_there_are, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_caps_of_a_card_with_implicit_parameters_are_the_default, setup,
            teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
