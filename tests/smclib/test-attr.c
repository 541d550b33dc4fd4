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

#define GET(tag_hex, out, status, hex)                                                   \
    fake_expect(&reader, IOCTL_SMARTCARD_GET_ATTRIBUTE, tag_hex, out, status, hex)
#define SET(hex, status)                                                                 \
    fake_expect(&reader, IOCTL_SMARTCARD_SET_ATTRIBUTE, hex, 0, status, "")

static void cold_reset(void)
{
    static struct fake_request request;

    fake_reader_set_state(&reader, SCARD_SWALLOWED);
    assert_status(fake_send(&reader, &request, IOCTL_SMARTCARD_POWER, "01000000", 33),
                  STATUS_SUCCESS);
}

static void select_protocol(const char *mask_hex)
{
    static struct fake_request request;

    assert_status(fake_send(&reader, &request, IOCTL_SMARTCARD_SET_PROTOCOL, mask_hex, 4),
                  STATUS_SUCCESS);
}

static void test_attr_of_the_reader_is_there_without_a_card(void **state)
{
    static const struct {
        const char *tag;
        const char *value;
    } rows[] = {
        {"00010100", "41434D45"}, {"01010100", "434349442031"}, {"02010100", "34120201"},
        {"10010200", "05002000"}, {"20010300", "03000000"},     {"21010300", "FC0D0000"},
        {"22010300", "A00F0000"}, {"23010300", "97250000"},     {"24010300", "16400500"},
        {"25010300", "FE000000"}, {"31010400", "00000000"},     {"50010600", "00000000"},
        {"00030900", "00"},       {"01030900", "00"},           {"0100FF7F", "00000000"},
    };

    (void)state;
    reader.ext.VendorAttr.IfdVersion.BuildNumber = 0x1234;
    reader.ext.VendorAttr.IfdVersion.VersionMinor = 2;
    reader.ext.VendorAttr.IfdVersion.VersionMajor = 1;
    reader.ext.ReaderCapabilities.Channel = 5;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        GET(rows[i].tag, 64, STATUS_SUCCESS, rows[i].value);
}

static void test_attr_that_is_unknown_or_not_maintained_is_not_supported(void **state)
{
    static const char *const tags[] = {
        "34120100", "26010300",
        "40010500", "42010500",
        "02030900", "0200FF7F",
        "0300FF7F", "0400FF7F",
        "0500FF7F", "0600FF7F",
        "0700FF7F", "0100FE7F",
        "00A00700", "03010100" /* serial number: the reader has none */,
    };

    (void)state;
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        GET(tags[i], 64, STATUS_NOT_SUPPORTED, "");
}

static void test_attr_serial_number_is_there_when_the_reader_has_one(void **state)
{
    (void)state;
    reader.ext.VendorAttr.IfdSerialNo.Length = 2;
    memcpy(reader.ext.VendorAttr.IfdSerialNo.Buffer, "A7", 2);
    GET("03010100", 64, STATUS_SUCCESS, "4137");
    reader.ext.VendorAttr.IfdSerialNo.Length = 33; /* more than there can be */
    GET("03010100", 64, STATUS_NOT_SUPPORTED, "");
}

static void test_attr_with_too_little_room_or_input_is_refused(void **state)
{
    (void)state;
    GET("00010100", 0, STATUS_BUFFER_TOO_SMALL, "");
    GET("00010100", 3, STATUS_BUFFER_TOO_SMALL, "");
    GET("00010100", 4, STATUS_SUCCESS, "41434D45");
    GET("0100FF7F", 3, STATUS_BUFFER_TOO_SMALL, "");
    GET("0001", 64, STATUS_INVALID_PARAMETER, "");
    GET("", 64, STATUS_INVALID_PARAMETER, "");
}

static void test_attr_of_the_card_without_card_or_protocol_is_invalid_state(void **state)
{
    static const char *const card[] = {"03030900", "04030900"};
    static const char *const protocol[] = {
        "01020800", "02020800", "03020800", "04020800", "05020800", "06020800",
        "07020800", "08020800", "09020800", "0A020800", "0B020800", "0C020800",
    };

    (void)state;
    for (size_t i = 0; i < sizeof card / sizeof card[0]; i++)
        GET(card[i], 64, STATUS_INVALID_DEVICE_STATE, "");
    for (size_t i = 0; i < sizeof protocol / sizeof protocol[0]; i++)
        GET(protocol[i], 64, STATUS_INVALID_DEVICE_STATE, "");
    fake_reader_set_state(&reader, SCARD_SWALLOWED);
    GET("03030900", 64, STATUS_INVALID_DEVICE_STATE, ""); /* no ATR yet */
    GET("04030900", 64, STATUS_SUCCESS, "00");
    for (size_t i = 0; i < sizeof protocol / sizeof protocol[0]; i++)
        GET(protocol[i], 64, STATUS_INVALID_DEVICE_STATE, "");
}

static void test_attr_of_a_t0_card_follows_its_atr(void **state)
{
    (void)state;
    cold_reset();
    GET("03030900", 33, STATUS_SUCCESS, ATR_T0);
    GET("03030900", 9, STATUS_BUFFER_TOO_SMALL, "");
    GET("04030900", 1, STATUS_SUCCESS, "01");
    select_protocol("03000000");
    GET("01020800", 4, STATUS_SUCCESS, "01000000");
    GET("02020800", 4, STATUS_SUCCESS, "A00F0000"); /* 4000 kHz */
    GET("03020800", 4, STATUS_SUCCESS, "74010000"); /* F = 372 */
    GET("04020800", 4, STATUS_SUCCESS, "0C000000"); /* D = 12 */
    GET("06020800", 4, STATUS_SUCCESS, "FF000000"); /* WI */
    GET("07020800", 4, STATUS_NOT_SUPPORTED, "");   /* IFSC is for T=1 */
}

static void test_attr_of_a_t1_card_follows_its_atr(void **state)
{
    (void)state;
    fake_reader_set_atr(&reader, ATR_T1);
    cold_reset();
    select_protocol("02000080"); /* default parameters */
    GET("01020800", 4, STATUS_SUCCESS, "02000000");
    GET("04020800", 4, STATUS_SUCCESS, "01000000"); /* D = 1 */
    GET("06020800", 4, STATUS_NOT_SUPPORTED, "");   /* WI is for T=0 */
    GET("07020800", 4, STATUS_SUCCESS, "FE000000"); /* IFSC */
    GET("08020800", 4, STATUS_SUCCESS, "20000000"); /* IFSD before the first command */
    GET("0B020800", 4, STATUS_SUCCESS, "00000000"); /* LRC */
    GET("0C020800", 4, STATUS_SUCCESS, "00000000"); /* no WTX */
}

static void test_attr_icc_presence_follows_the_state(void **state)
{
    static const char *const presence[] = {"00", "00", "01", "02", "02", "02", "02"};
    static const char *const contacts[] = {"00", "00", "00", "00", "01", "01", "01"};

    (void)state;
    for (ULONG s = SCARD_UNKNOWN; s <= SCARD_SPECIFIC; s++) {
        fake_reader_set_state(&reader, s);
        GET("00030900", 1, STATUS_SUCCESS, presence[s]);
        GET("01030900", 1, STATUS_SUCCESS, contacts[s]);
    }
    reader.ext.ReaderCapabilities.CardConfiscated = TRUE;
    GET("00030900", 1, STATUS_SUCCESS, "04");
}

static void test_attr_set_takes_two_tags_with_their_value(void **state)
{
    (void)state;
    SET("0200FF7F 01000000", STATUS_SUCCESS);
    SET("0200FF7F 010000", STATUS_INVALID_PARAMETER);
    SET("0200FF7F", STATUS_INVALID_PARAMETER);
    SET("0200FF", STATUS_INVALID_PARAMETER);
    SET("0700FF7F 01000000", STATUS_SUCCESS);
    assert_true(reader.ext.OsData->SuppressT1IfsRequest);
    SET("0700FF7F 00000000", STATUS_SUCCESS);
    assert_false(reader.ext.OsData->SuppressT1IfsRequest);
    SET("00010100 41424344", STATUS_NOT_SUPPORTED);
}

static NTSTATUS vendor(PSMARTCARD_EXTENSION ext)
{
    struct fake_reader *r = (struct fake_reader *)(void *)ext->ReaderExtension;

    r->major = ext->MajorIoControlCode;
    r->minor = ext->MinorIoControlCode;
    if (r->vendor_status == STATUS_SUCCESS) {
        ext->IoRequest.ReplyBuffer[0] = 0x77;
        *ext->IoRequest.Information = 1;
    }
    return r->vendor_status;
}

static void test_attr_of_the_vendor_class_is_offered_to_the_driver(void **state)
{
    (void)state;
    reader.ext.ReaderFunction[RDF_IOCTL_VENDOR] = vendor;
    GET("00A00700", 4, STATUS_SUCCESS, "77");
    assert_int_equal(reader.major, IOCTL_SMARTCARD_GET_ATTRIBUTE);
    assert_int_equal(reader.minor, SCARD_ATTR_ESC_RESET);
    reader.vendor_status = STATUS_INVALID_DEVICE_REQUEST;
    GET("00A00700", 4, STATUS_NOT_SUPPORTED, "");
    SET("00A00700 01000000", STATUS_NOT_SUPPORTED);
    assert_int_equal(reader.major, IOCTL_SMARTCARD_SET_ATTRIBUTE);
}

static void test_attr_atr_of_a_driver_that_copied_too_much_is_not_given(void **state)
{
    (void)state;
    cold_reset();
    reader.ext.CardCapabilities.ATR.Length = SCARD_ATR_LENGTH + 1;
    GET("03030900", 64, STATUS_INVALID_DEVICE_STATE, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_attr_of_the_reader_is_there_without_a_card,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_attr_that_is_unknown_or_not_maintained_is_not_supported, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_attr_serial_number_is_there_when_the_reader_has_one, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_attr_with_too_little_room_or_input_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_attr_of_the_card_without_card_or_protocol_is_invalid_state, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_attr_of_a_t0_card_follows_its_atr, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_attr_of_a_t1_card_follows_its_atr, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_attr_icc_presence_follows_the_state, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_attr_set_takes_two_tags_with_their_value,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_attr_of_the_vendor_class_is_offered_to_the_driver, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_attr_atr_of_a_driver_that_copied_too_much_is_not_given, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
