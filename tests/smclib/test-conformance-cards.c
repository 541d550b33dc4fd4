/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Part D of the reader test of the Windows logo (card protocols): every case that its
 * public descriptions give, against the library alone. Procedure bytes of T=0 are the
 * reader's work and are not seen here.
 */
#include "fake_card.h"

static struct fake_reader reader;

static int setup(void **state)
{
    (void)state;
    fake_reader_setup(&reader);
    reader.ext.ReaderFunction[RDF_TRANSMIT] = fake_card_transmit;
    memset(fake_card.memory, 0, sizeof fake_card.memory);
    fake_card.inverse = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_reader_teardown(&reader);
    return 0;
}

#define EXPECT(code, in, out, status, hex)                                               \
    fake_expect(&reader, IOCTL_SMARTCARD_##code, in, out, STATUS_##status, hex)

#define TO_T0 "0100000008000000"
#define TO_T1 "0200000008000000"

static void cold_reset(const char *atr)
{
    fake_card_reset(254);
    fake_reader_set_atr(&reader, atr);
    fake_reader_set_state(&reader, SCARD_SWALLOWED);
    EXPECT(POWER, "01000000", 33, SUCCESS, atr);
}

static void connect_card(const char *atr, const char *protocol)
{
    cold_reset(atr);
    EXPECT(SET_PROTOCOL, protocol, 4, SUCCESS, protocol);
}

static void test_conformance_buffer_and_form_of_a_command_are_checked(void **state)
{
    static const struct {
        const char *protocol, *header;
        const char *atr;
    } rows[] = {{"01000000", TO_T0, ATR_T0}, {"02000000", TO_T1, ATR_T1}};
    char in[80], out[80];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        connect_card(rows[i].atr, rows[i].protocol);
        snprintf(in, sizeof in, "%s 00A40000023F00", rows[i].header);
        snprintf(out, sizeof out, "%s 9000", rows[i].header);
        EXPECT(TRANSMIT, in, 9, BUFFER_TOO_SMALL, "");
        EXPECT(TRANSMIT, in, 10, SUCCESS, out);
        snprintf(in, sizeof in, "%s 00A400000800", rows[i].header);
        EXPECT(TRANSMIT, in, 10, INVALID_PARAMETER, "");
        snprintf(in, sizeof in, "%s 00A40000020007", rows[i].header);
        snprintf(out, sizeof out, "%s 6A82", rows[i].header);
        EXPECT(TRANSMIT, in, 10, SUCCESS, out);
    }
}

static void test_conformance_mute_card_is_a_timeout_and_a_reset_brings_it_back(
    void **state)
{
    (void)state;
    connect_card(ATR_T0, "01000000");
    EXPECT(TRANSMIT, TO_T0 "8000010001 11", 10, IO_TIMEOUT, "");
    connect_card(ATR_T0, "01000000");
    EXPECT(TRANSMIT, TO_T0 "00A40000023F00", 10, SUCCESS, TO_T0 "9000");

    connect_card(ATR_T1, "02000000");
    EXPECT(TRANSMIT, TO_T1 "00A40000023F00", 10, SUCCESS, TO_T1 "9000");
    /* The card has answered S(IFS) before: it is not the line that is dead. */
    EXPECT(TRANSMIT, TO_T1 "8000010001 11", 10, IO_TIMEOUT, "");
    connect_card(ATR_T1, "02000000");
    EXPECT(TRANSMIT, TO_T1 "00A40000023F00", 10, SUCCESS, TO_T1 "9000");
}

static void test_conformance_waiting_time_extensions_are_granted(void **state)
{
    static const UCHAR multipliers[] = {1, 2, 5, 30};

    (void)state;
    for (size_t i = 0; i < sizeof multipliers; i++) {
        connect_card(ATR_T1, "02000000");
        fake_card.t1.fault = CCID_T1_FAULT_WTX;
        fake_card.t1.fault_at = 1;
        fake_card.t1.fault_count = 1;
        fake_card.t1.fault_value = multipliers[i];
        EXPECT(TRANSMIT, TO_T1 "80E01234", 10, SUCCESS, TO_T1 "1234");
        assert_int_equal(fake_card.longest_wait, multipliers[i]);
    }
}

static void test_conformance_t0_card_takes_no_t1_and_keeps_its_blocks(void **state)
{
    static const UCHAR sizes[] = {1, 25, 75, 128};
    char in[400], hex[300];

    (void)state;
    cold_reset(ATR_T0);
    EXPECT(SET_PROTOCOL, "02000000", 4, NOT_SUPPORTED, "");
    EXPECT(SET_PROTOCOL, "01000000", 4, SUCCESS, "01000000");
    for (size_t i = 0; i < sizeof sizes; i++) {
        size_t at = 0;

        for (unsigned byte = 0; byte < sizes[i]; byte++)
            at += (size_t)snprintf(hex + at, sizeof hex - at, "%02X",
                                   (byte * 7 + sizes[i]) & 0xff);
        snprintf(in, sizeof in, TO_T0 "00D60000%02X %s", sizes[i], hex);
        EXPECT(TRANSMIT, in, 10, SUCCESS, TO_T0 "9000");
    }
    snprintf(in, sizeof in, TO_T0 "%s 9000", hex);
    EXPECT(TRANSMIT, TO_T0 "00B0000080", 8 + 130, SUCCESS, in);
    EXPECT(TRANSMIT, TO_T0 "00B0000080", 8 + 129, BUFFER_TOO_SMALL, "");
}

static void test_conformance_t1_card_takes_no_t0_and_keeps_its_blocks(void **state)
{
    (void)state;
    cold_reset(ATR_T1);
    EXPECT(GET_ATTRIBUTE, "03030900", 33, SUCCESS, ATR_T1);
    EXPECT(SET_PROTOCOL, "01000000", 4, NOT_SUPPORTED, "");
    EXPECT(SET_PROTOCOL, "02000000", 4, SUCCESS, "02000000");
    EXPECT(TRANSMIT, TO_T1 "00D60000041122AABB", 10, SUCCESS, TO_T1 "9000");
    EXPECT(TRANSMIT, TO_T1 "00B0000004", 14, SUCCESS, TO_T1 "1122AABB9000");
}

/* 256 bytes and a status word at T=0; 254 bytes, prologue and EDC at T=1. */
static void test_conformance_longest_exchanges_are_carried(void **state)
{
    static struct fake_request request;

    (void)state;
    connect_card(ATR_T0, "01000000");
    assert_status(fake_send(&reader, &request, IOCTL_SMARTCARD_TRANSMIT,
                            TO_T0 "00B0000000", 8 + 258),
                  STATUS_SUCCESS);
    assert_int_equal(request.information, 8 + 258);
    assert_int_equal(fake_card.longest_reply, 258);

    connect_card(ATR_T1, "02000000");
    reader.ext.CardCapabilities.T1.EDC = T1_CRC_CHECK;
    fake_card.t1.crc = true;
    assert_status(fake_send(&reader, &request, IOCTL_SMARTCARD_TRANSMIT,
                            TO_T1 "80E202BC000000", 8 + 702),
                  STATUS_SUCCESS);
    assert_int_equal(request.information, 8 + 702);
    assert_int_equal(fake_card.longest_reply, 259);
    for (ULONG i = 0; i < 700; i++)
        assert_int_equal(request.buffer[8 + i], 0x55);
    fake_card.t1.crc = false;
}

static void test_conformance_inverse_convention_is_decoded(void **state)
{
    static const char decoded[] = "3F 00";
    UCHAR raw[2];
    char raw_hex[5];

    (void)state;
    connect_card(decoded, "01000000"); /* by the reader */
    EXPECT(TRANSMIT, TO_T0 "80E01234", 10, SUCCESS, TO_T0 "1234");

    fake_hex(decoded, raw, sizeof raw);
    SmartcardInvertData(raw, sizeof raw);
    snprintf(raw_hex, sizeof raw_hex, "%02X%02X", raw[0], raw[1]);
    fake_card.inverse = true;
    fake_reader_set_atr(&reader, raw_hex);
    EXPECT(POWER, "01000000", 33, SUCCESS, decoded);
    EXPECT(SET_PROTOCOL, "01000000", 4, SUCCESS, "01000000");
    EXPECT(TRANSMIT, TO_T0 "80E01234", 10, SUCCESS, TO_T0 "1234");
}

static void test_conformance_card_of_both_protocols_speaks_the_one_selected(void **state)
{
    static const char atr[] = "3B 88 80 01 54 45 53 54 42 45 44 01 5D";

    (void)state;
    connect_card(atr, "01000000");
    EXPECT(TRANSMIT, TO_T0 "80E00001", 10, SUCCESS, TO_T0 "0001");
    connect_card(atr, "02000000");
    EXPECT(TRANSMIT, TO_T1 "80E00002", 10, SUCCESS, TO_T1 "0002");
    assert_int_equal(fake_card.t1.commands, 1);
}

static void test_conformance_ifs_is_first_and_its_refusal_is_taken(void **state)
{
    (void)state;
    connect_card(ATR_T1, "02000000");
    fake_card.t1.fault = CCID_T1_FAULT_IFS_REFUSED;
    EXPECT(TRANSMIT, TO_T1 "80E01234", 10, SUCCESS, TO_T1 "1234");
    EXPECT(GET_ATTRIBUTE, "08020800", 4, SUCCESS, "20000000"); /* IFSD: 32 */
    connect_card(ATR_T1, "02000000");
    EXPECT(TRANSMIT, TO_T1 "80E01234", 10, SUCCESS, TO_T1 "1234");
    EXPECT(GET_ATTRIBUTE, "08020800", 4, SUCCESS, "FE000000");
    assert_int_equal(fake_card.t1.ifsd, 254);
}

static void test_conformance_resynch_starts_with_the_first_block(void **state)
{
    char in[700] = TO_T1 "00D6000080";

    (void)state;
    for (unsigned i = 0; i < 128; i++)
        strcat(in, "C3");
    connect_card(ATR_T1, "02000000");
    reader.ext.CardCapabilities.T1.IFSC = 32;
    fake_card.t1.fault = CCID_T1_FAULT_LOST;
    fake_card.t1.fault_at = 2; /* the acknowledgement of the second of five blocks */
    fake_card.t1.fault_count = 3;
    EXPECT(TRANSMIT, in, 10, SUCCESS, TO_T1 "9000");
    assert_int_equal(fake_card.t1.commands, 1);
    assert_int_equal(fake_card.memory[127], 0xC3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_conformance_buffer_and_form_of_a_command_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_mute_card_is_a_timeout_and_a_reset_brings_it_back, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_waiting_time_extensions_are_granted, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_t0_card_takes_no_t1_and_keeps_its_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_t1_card_takes_no_t0_and_keeps_its_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conformance_longest_exchanges_are_carried,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_conformance_inverse_convention_is_decoded,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_card_of_both_protocols_speaks_the_one_selected, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_ifs_is_first_and_its_refusal_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_resynch_starts_with_the_first_block, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
