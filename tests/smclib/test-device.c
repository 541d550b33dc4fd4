/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"
#include "smclib/internal.h"

static NTSTATUS nothing(PSMARTCARD_EXTENSION ext)
{
    (void)ext;
    return STATUS_NOT_SUPPORTED;
}

static SMARTCARD_EXTENSION valid(void)
{
    SMARTCARD_EXTENSION ext;

    memset(&ext, 0, sizeof ext);
    ext.Version = SMCLIB_VERSION;
    ext.ReaderFunction[RDF_CARD_POWER] = nothing;
    ext.ReaderFunction[RDF_TRANSMIT] = nothing;
    ext.ReaderFunction[RDF_CARD_TRACKING] = nothing;
    ext.ReaderFunction[RDF_SET_PROTOCOL] = nothing;
    return ext;
}

static void test_initialize_takes_the_versions_of_its_range_only(void **state)
{
    static const struct {
        ULONG version;
        NTSTATUS status;
    } rows[] = {
        {0, STATUS_INVALID_PARAMETER},     {0xFF, STATUS_INVALID_PARAMETER},
        {0x100, STATUS_SUCCESS},           {0x150, STATUS_SUCCESS},
        {0x151, STATUS_INVALID_PARAMETER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SMARTCARD_EXTENSION ext = valid();

        ext.Version = rows[i].version;
        assert_status(SmartcardInitialize(&ext), rows[i].status);
        SmartcardExit(&ext);
    }
    assert_status(SmartcardInitialize(NULL), STATUS_INVALID_PARAMETER);
    SmartcardExit(NULL);
}

static void test_initialize_needs_the_four_mandatory_callbacks(void **state)
{
    static const unsigned mandatory[] = {RDF_CARD_POWER, RDF_TRANSMIT, RDF_CARD_TRACKING,
                                         RDF_SET_PROTOCOL};

    (void)state;
    for (size_t i = 0; i < sizeof mandatory / sizeof mandatory[0]; i++) {
        SMARTCARD_EXTENSION ext = valid();

        ext.ReaderFunction[mandatory[i]] = NULL;
        assert_status(SmartcardInitialize(&ext), STATUS_INVALID_PARAMETER);
        assert_null(ext.OsData);
    }
}

static void test_initialize_gives_buffers_of_at_least_288_bytes(void **state)
{
    SMARTCARD_EXTENSION ext = valid();

    (void)state;
    ext.SmartcardRequest.BufferSize = 1000;
    ext.SmartcardReply.BufferSize = 10;
    assert_status(SmartcardInitialize(&ext), STATUS_SUCCESS);
    assert_int_equal(ext.SmartcardRequest.BufferSize, 1000);
    assert_int_equal(ext.SmartcardReply.BufferSize, MIN_BUFFER_SIZE);
    memset(ext.SmartcardRequest.Buffer, 1, 1000);
    memset(ext.SmartcardReply.Buffer, 1, MIN_BUFFER_SIZE);
    assert_int_equal(ext.CardCapabilities.Fl, 1);
    assert_int_equal(ext.T1.IFSD, T1_IFSD_DEFAULT);
    SmartcardExit(&ext);
    assert_null(ext.OsData);
    assert_null(ext.SmartcardRequest.Buffer);
    SmartcardExit(&ext);
}

static void test_transmit_leaves_nothing_in_the_drivers_buffers(void **state)
{
    static struct fake_reader reader;
    UCHAR zero[MIN_BUFFER_SIZE] = {0};

    (void)state;
    fake_reader_setup(&reader);
    fake_reader_insert(&reader);
    fake_expect(&reader, IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_SUCCESS, ATR_T0);
    fake_expect(&reader, IOCTL_SMARTCARD_SET_PROTOCOL, "01000000", 4, STATUS_SUCCESS,
                "01000000");
    fake_expect(&reader, IOCTL_SMARTCARD_TRANSMIT,
                "01000000 08000000 0020008006 313233343536", 10, STATUS_SUCCESS,
                "01000000 08000000 9000");
    assert_int_equal(reader.sent_len, 11);
    assert_memory_equal(reader.ext.SmartcardRequest.Buffer, zero, sizeof zero);
    assert_memory_equal(reader.ext.SmartcardReply.Buffer, zero, sizeof zero);
    fake_reader_teardown(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initialize_takes_the_versions_of_its_range_only),
        cmocka_unit_test(test_initialize_needs_the_four_mandatory_callbacks),
        cmocka_unit_test(test_initialize_gives_buffers_of_at_least_288_bytes),
        cmocka_unit_test(test_transmit_leaves_nothing_in_the_drivers_buffers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
