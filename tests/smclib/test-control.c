/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"

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

#define EXPECT(code, in, out, status, hex)                                               \
    fake_expect(&reader, code, in, out, status, hex)

static void specific(void)
{
    fake_reader_insert(&reader);
    EXPECT(IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_SUCCESS, ATR_T0);
    EXPECT(IOCTL_SMARTCARD_SET_PROTOCOL, "03000000", 4, STATUS_SUCCESS, "01000000");
}

/* Lengths that are too short, in front of everything else; no callback runs. */
static void test_control_sizes_are_checked_without_a_card(void **state)
{
    static const struct {
        ULONG code;
        const char *in;
        ULONG out;
        NTSTATUS status;
    } rows[] = {
        {IOCTL_SMARTCARD_POWER, "", 33, STATUS_INVALID_PARAMETER},
        {IOCTL_SMARTCARD_POWER, "010000", 33, STATUS_INVALID_PARAMETER},
        {IOCTL_SMARTCARD_POWER, "03000000", 33, STATUS_INVALID_PARAMETER},
        {IOCTL_SMARTCARD_POWER, "01000080", 33, STATUS_INVALID_PARAMETER},
        {IOCTL_SMARTCARD_POWER, "01000000", 0, STATUS_NO_MEDIA},
        {IOCTL_SMARTCARD_POWER, "00000000", 0, STATUS_NO_MEDIA},
        {IOCTL_SMARTCARD_SET_PROTOCOL, "030000", 4, STATUS_INVALID_PARAMETER},
        {IOCTL_SMARTCARD_SET_PROTOCOL, "03000000", 3, STATUS_BUFFER_TOO_SMALL},
        {IOCTL_SMARTCARD_SET_PROTOCOL, "03000000", 4, STATUS_NO_MEDIA},
        {IOCTL_SMARTCARD_TRANSMIT, "01000000080000", 300, STATUS_INVALID_PARAMETER},
        {IOCTL_SMARTCARD_TRANSMIT, "0100000008000000", 300, STATUS_INVALID_PARAMETER},
        {IOCTL_SMARTCARD_TRANSMIT, "0100000007000000 00A40000", 300,
         STATUS_INVALID_PARAMETER},
        {IOCTL_SMARTCARD_TRANSMIT, "01000000FFFFFFFF 00A40000", 300,
         STATUS_INVALID_PARAMETER},
        {IOCTL_SMARTCARD_TRANSMIT, "010000000C000000 00A40000", 300,
         STATUS_INVALID_PARAMETER},
        {IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A40000", 9,
         STATUS_BUFFER_TOO_SMALL},
        {IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A40000", 0,
         STATUS_BUFFER_TOO_SMALL},
        {IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A40000", 10, STATUS_NO_MEDIA},
        {IOCTL_SMARTCARD_GET_STATE, "", 3, STATUS_BUFFER_TOO_SMALL},
        {IOCTL_SMARTCARD_GET_LAST_ERROR, "", 0, STATUS_BUFFER_TOO_SMALL},
        {IOCTL_SMARTCARD_GET_PERF_CNTR, "", 64, STATUS_NOT_SUPPORTED},
        {IOCTL_SMARTCARD_EJECT, "", 0, STATUS_NOT_SUPPORTED},
        {IOCTL_SMARTCARD_SWALLOW, "", 0, STATUS_NOT_SUPPORTED},
        {IOCTL_SMARTCARD_CONFISCATE, "", 0, STATUS_NOT_SUPPORTED},
        {SCARD_CTL_CODE(8), "", 0, STATUS_NOT_SUPPORTED},
        {SCARD_CTL_CODE(2048), "", 0, STATUS_NOT_SUPPORTED},
        {IOCTL_SMARTCARD_GET_FEATURE_REQUEST, "", 64, STATUS_NOT_SUPPORTED},
        {0, "", 0, STATUS_NOT_SUPPORTED},
        {0xFFFFFFFF, "", 0, STATUS_NOT_SUPPORTED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        EXPECT(rows[i].code, rows[i].in, rows[i].out, rows[i].status, "");
    for (unsigned i = 0; i < RDF_COUNT; i++)
        assert_int_equal(reader.calls[i], 0);
}

static void test_control_states_below_the_needed_one_are_invalid(void **state)
{
    (void)state;
    for (ULONG s = SCARD_PRESENT; s <= SCARD_SPECIFIC; s++) {
        NTSTATUS protocol =
            s >= SCARD_NEGOTIABLE ? STATUS_NOT_SUPPORTED : STATUS_INVALID_DEVICE_STATE;

        fake_reader_set_state(&reader, s); /* no ATR: no protocol is supported */
        EXPECT(IOCTL_SMARTCARD_SET_PROTOCOL, "03000000", 4, protocol, "");
        EXPECT(IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A40000", 10,
               STATUS_INVALID_DEVICE_STATE, "");
    }
    assert_int_equal(reader.calls[RDF_SET_PROTOCOL], 0);
    assert_int_equal(reader.calls[RDF_TRANSMIT], 0);
}

static void test_control_reset_clears_first_and_needs_room_for_an_atr(void **state)
{
    (void)state;
    specific();
    EXPECT(IOCTL_SMARTCARD_POWER, "02000000", 32, STATUS_BUFFER_TOO_SMALL, "");
    assert_int_equal(reader.calls[RDF_CARD_POWER], 1);
    EXPECT(IOCTL_SMARTCARD_GET_STATE, "", 4, STATUS_SUCCESS, "06000000");
    reader.power_status = STATUS_IO_TIMEOUT;
    EXPECT(IOCTL_SMARTCARD_POWER, "02000000", 33, STATUS_IO_TIMEOUT, "");
    assert_int_equal(reader.ext.CardCapabilities.ATR.Length, 0);
    EXPECT(IOCTL_SMARTCARD_GET_LAST_ERROR, "", 4, STATUS_SUCCESS, "B50000C0");
}

static void test_control_power_down_keeps_the_atr_and_drops_the_protocol(void **state)
{
    (void)state;
    specific();
    EXPECT(IOCTL_SMARTCARD_POWER, "00000000", 0, STATUS_SUCCESS, "");
    assert_int_equal(reader.ext.CardCapabilities.ATR.Length, 10);
    assert_int_equal(reader.ext.CardCapabilities.Protocol.Selected, 0);
    EXPECT(IOCTL_SMARTCARD_GET_STATE, "", 4, STATUS_SUCCESS, "03000000");
}

static void test_control_warm_reset_without_power_is_a_cold_one(void **state)
{
    (void)state;
    fake_reader_insert(&reader);
    EXPECT(IOCTL_SMARTCARD_POWER, "02000000", 33, STATUS_SUCCESS, ATR_T0);
    assert_int_equal(reader.minor, SCARD_COLD_RESET);
    EXPECT(IOCTL_SMARTCARD_POWER, "02000000", 33, STATUS_SUCCESS, ATR_T0);
    assert_int_equal(reader.minor, SCARD_WARM_RESET);
    assert_int_equal(reader.major, IOCTL_SMARTCARD_POWER);
}

static void test_control_protocol_mask_is_reduced_to_what_both_can(void **state)
{
    static const struct {
        const char *mask;
        NTSTATUS status;
    } refused[] = {
        {"00000000", STATUS_INVALID_DEVICE_REQUEST},
        {"00000080", STATUS_INVALID_DEVICE_REQUEST},
        {"04000000", STATUS_INVALID_DEVICE_REQUEST},
        {"02000000", STATUS_NOT_SUPPORTED}, /* the card is T=0 */
        {"00000100", STATUS_NOT_SUPPORTED}, /* the reader has no RAW */
    };

    (void)state;
    fake_reader_insert(&reader);
    EXPECT(IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_SUCCESS, ATR_T0);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        EXPECT(IOCTL_SMARTCARD_SET_PROTOCOL, refused[i].mask, 4, refused[i].status, "");
    assert_int_equal(reader.calls[RDF_SET_PROTOCOL], 0);
    EXPECT(IOCTL_SMARTCARD_SET_PROTOCOL, "07000180", 4, STATUS_SUCCESS, "01000000");
    assert_int_equal(reader.minor, SCARD_PROTOCOL_T0); /* no DEFAULT bit */
    assert_int_equal(reader.ext.CardCapabilities.PtsData.Type, PTS_TYPE_DEFAULT);
}

static void test_control_protocol_is_negotiated_once(void **state)
{
    (void)state;
    specific();
    EXPECT(IOCTL_SMARTCARD_SET_PROTOCOL, "01000000", 4, STATUS_SUCCESS, "01000000");
    EXPECT(IOCTL_SMARTCARD_SET_PROTOCOL, "02000000", 4, STATUS_NOT_SUPPORTED, "");
    EXPECT(IOCTL_SMARTCARD_SET_PROTOCOL, "00000040", 4, STATUS_INVALID_DEVICE_REQUEST,
           "");
    assert_int_equal(reader.calls[RDF_SET_PROTOCOL], 1);
}

static void test_control_protocol_failure_leaves_none_selected(void **state)
{
    (void)state;
    fake_reader_insert(&reader);
    EXPECT(IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_SUCCESS, ATR_T0);
    reader.protocol_status = STATUS_IO_TIMEOUT;
    reader.ext.CardCapabilities.Protocol.Selected = SCARD_PROTOCOL_T0;
    EXPECT(IOCTL_SMARTCARD_SET_PROTOCOL, "01000000", 4, STATUS_IO_TIMEOUT, "");
    assert_int_equal(reader.ext.CardCapabilities.Protocol.Selected, 0);
    EXPECT(IOCTL_SMARTCARD_GET_STATE, "", 4, STATUS_SUCCESS, "05000000");
}

static void test_control_transmit_of_a_malformed_apdu_reaches_no_driver(void **state)
{
    (void)state;
    specific();
    EXPECT(IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A400000800", 64,
           STATUS_INVALID_PARAMETER, "");
    EXPECT(IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A400", 64,
           STATUS_INVALID_PARAMETER, "");
    EXPECT(IOCTL_SMARTCARD_TRANSMIT, "0200000008000000 00A40000", 64,
           STATUS_INVALID_DEVICE_STATE, "");
    assert_int_equal(reader.calls[RDF_TRANSMIT], 0);
    /* CLA FF is the reader's own: the driver decides. */
    EXPECT(IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 FFCA00", 64,
           STATUS_INVALID_PARAMETER, "");
    assert_int_equal(reader.calls[RDF_TRANSMIT], 1);
}

static void test_control_transmit_over_raw_is_not_looked_into(void **state)
{
    (void)state;
    reader.ext.ReaderCapabilities.SupportedProtocols |= SCARD_PROTOCOL_RAW;
    fake_reader_insert(&reader);
    EXPECT(IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_SUCCESS, ATR_T0);
    EXPECT(IOCTL_SMARTCARD_SET_PROTOCOL, "00000100", 4, STATUS_SUCCESS, "00000100");
    reader.answer_len = 1;
    EXPECT(IOCTL_SMARTCARD_TRANSMIT, "0000010008000000 AA", 9, STATUS_SUCCESS,
           "0000010008000000 90");
    assert_int_equal(reader.sent_len, 1);
}

static void test_control_answer_too_large_for_the_caller_is_too_small(void **state)
{
    (void)state;
    specific();
    reader.answer_len = 3;
    EXPECT(IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A40000", 10,
           STATUS_BUFFER_TOO_SMALL, "");
    reader.answer_len = 2;
    EXPECT(IOCTL_SMARTCARD_TRANSMIT, "0100000008000000 00A40000", 10, STATUS_SUCCESS,
           "0100000008000000 9000");
}

static NTSTATUS vendor(PSMARTCARD_EXTENSION ext)
{
    reader.calls[RDF_IOCTL_VENDOR]++;
    reader.major = ext->MajorIoControlCode;
    *ext->IoRequest.Information = reader.vendor_information;
    return reader.vendor_status;
}

static void test_control_unknown_codes_are_the_vendors_unchecked(void **state)
{
    (void)state;
    reader.ext.ReaderFunction[RDF_IOCTL_VENDOR] = vendor;
    reader.vendor_information = 2;
    EXPECT(SCARD_CTL_CODE(0x8000), "0102", 2, STATUS_SUCCESS, "0102");
    assert_int_equal(reader.major, SCARD_CTL_CODE(0x8000));
    reader.vendor_information = 3; /* more than the caller has room for */
    EXPECT(IOCTL_CCID_ESCAPE, "0102", 2, STATUS_INTERNAL_ERROR, "");
    reader.vendor_status = STATUS_INVALID_DEVICE_REQUEST;
    EXPECT(SCARD_CTL_CODE(2048), "", 0, STATUS_INVALID_DEVICE_REQUEST, "");
    assert_int_equal(reader.calls[RDF_IOCTL_VENDOR], 3);
}

static NTSTATUS mechanics(PSMARTCARD_EXTENSION ext)
{
    reader.major = ext->MajorIoControlCode;
    return STATUS_SUCCESS;
}

static void test_control_mechanics_need_a_callback_and_then_a_card(void **state)
{
    static const struct {
        ULONG code;
        unsigned callback;
    } rows[] = {
        {IOCTL_SMARTCARD_EJECT, RDF_CARD_EJECT},
        {IOCTL_SMARTCARD_SWALLOW, RDF_READER_SWALLOW},
        {IOCTL_SMARTCARD_CONFISCATE, RDF_CARD_CONFISCATE},
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        fake_reader_set_state(&reader, SCARD_PRESENT);
        EXPECT(rows[i].code, "", 0, STATUS_NOT_SUPPORTED, "");
        reader.ext.ReaderFunction[rows[i].callback] = mechanics;
        EXPECT(rows[i].code, "", 0, STATUS_SUCCESS, "");
        assert_int_equal(reader.major, rows[i].code);
        fake_reader_set_state(&reader, SCARD_ABSENT);
        EXPECT(rows[i].code, "", 0, STATUS_NO_MEDIA, "");
    }
}

static void test_control_wrong_call_is_not_completed(void **state)
{
    static struct fake_request request;

    (void)state;
    fake_prepare(&reader, &request, IOCTL_SMARTCARD_GET_STATE, "", 4);
    assert_status(SmartcardDeviceControl(NULL, &request.irp), STATUS_INVALID_PARAMETER);
    assert_status(SmartcardDeviceControl(&reader.ext, NULL), STATUS_INVALID_PARAMETER);
    reader.ext.Version = 0x200;
    assert_status(SmartcardDeviceControl(&reader.ext, &request.irp),
                  STATUS_INVALID_PARAMETER);
    reader.ext.Version = SMCLIB_VERSION;
    reader.ext.OsData->DeviceObject = NULL;
    assert_status(SmartcardDeviceControl(&reader.ext, &request.irp),
                  STATUS_INVALID_PARAMETER);
    reader.ext.OsData->DeviceObject = &reader.device;
    POS_DEP_DATA os = reader.ext.OsData;
    reader.ext.OsData = NULL;
    assert_status(SmartcardDeviceControl(&reader.ext, &request.irp),
                  STATUS_INVALID_PARAMETER);
    reader.ext.OsData = os;
    reader.ext.Version = SMCLIB_VERSION_REQUIRED - 1;
    assert_status(SmartcardDeviceControl(&reader.ext, &request.irp),
                  STATUS_INVALID_PARAMETER);
    assert_int_equal(request.completions, 0);
}

static void test_control_lengths_without_memory_are_invalid(void **state)
{
    static struct fake_request request;

    (void)state;
    fake_prepare(&reader, &request, IOCTL_SMARTCARD_GET_STATE, "", 4);
    request.irp.AssociatedIrp.SystemBuffer = NULL;
    assert_status(SmartcardDeviceControl(&reader.ext, &request.irp),
                  STATUS_INVALID_PARAMETER);
    fake_assert_ended(&request, STATUS_INVALID_PARAMETER);
    fake_prepare(&reader, &request, IOCTL_SMARTCARD_POWER, "01000000", 0);
    request.irp.AssociatedIrp.SystemBuffer = NULL;
    assert_status(SmartcardDeviceControl(&reader.ext, &request.irp),
                  STATUS_INVALID_PARAMETER);
    fake_prepare(&reader, &request, IOCTL_SMARTCARD_EJECT, "", 0);
    request.irp.AssociatedIrp.SystemBuffer = NULL; /* and none is needed */
    assert_status(SmartcardDeviceControl(&reader.ext, &request.irp),
                  STATUS_NOT_SUPPORTED);
}

static ULONG told_level;

static NTSTATUS take_level(PSMARTCARD_EXTENSION ext)
{
    told_level = ext->MinorIoControlCode;
    return STATUS_SUCCESS;
}

static void test_control_debug_level_is_set_and_told_to_the_driver(void **state)
{
    (void)state;
    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_SET_DEBUG_LEVEL, "0500", 0,
                STATUS_INVALID_PARAMETER, "");
    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_SET_DEBUG_LEVEL, "05000000", 0,
                STATUS_SUCCESS, "");
    assert_int_equal(SmartcardGetDebugLevel(), 5);
    reader.ext.ReaderFunction[RDF_DEBUG_LEVEL] = take_level;
    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_SET_DEBUG_LEVEL, "00000080", 0,
                STATUS_SUCCESS, "");
    assert_int_equal(told_level, DEBUG_BREAK);
    SmartcardSetDebugLevel(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_control_sizes_are_checked_without_a_card,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_control_states_below_the_needed_one_are_invalid, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_control_reset_clears_first_and_needs_room_for_an_atr, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_control_power_down_keeps_the_atr_and_drops_the_protocol, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_control_warm_reset_without_power_is_a_cold_one, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_control_protocol_mask_is_reduced_to_what_both_can, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control_protocol_is_negotiated_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_control_protocol_failure_leaves_none_selected, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_control_transmit_of_a_malformed_apdu_reaches_no_driver, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control_transmit_over_raw_is_not_looked_into,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_control_answer_too_large_for_the_caller_is_too_small, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_control_unknown_codes_are_the_vendors_unchecked, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_control_mechanics_need_a_callback_and_then_a_card, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control_wrong_call_is_not_completed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_control_lengths_without_memory_are_invalid,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_control_debug_level_is_set_and_told_to_the_driver, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
