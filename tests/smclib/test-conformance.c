/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the reader test of the Windows logo asks, as far as its public descriptions go:
 * part A (card monitor), B (reader, no card) and C (what the resource manager does),
 * against the library alone.
 */
#include "fake_reader.h"

#include <ctype.h>

static struct fake_reader reader;
static struct fake_request tracker;

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
    fake_expect(&reader, IOCTL_SMARTCARD_##code, in, out, STATUS_##status, hex)

#define STATE_ABSENT     "01000000"
#define STATE_SWALLOWED  "03000000"
#define STATE_NEGOTIABLE "05000000"
#define STATE_SPECIFIC   "06000000"

static NTSTATUS track(ULONG code)
{
    return fake_send(&reader, &tracker, code, "", 0);
}

/* ---- part A: card monitor -------------------------------------------------------- */

static void test_conformance_a_empty_reader_is_seen_by_is_present(void **state)
{
    (void)state;
    assert_status(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    SmcEndCardTracking(&reader.ext, STATUS_CANCELLED);
}

static void test_conformance_a_card_is_seen_by_is_present_and_gone_by_is_absent(
    void **state)
{
    (void)state;
    assert_status(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    fake_reader_insert(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    assert_status(track(IOCTL_SMARTCARD_IS_ABSENT), STATUS_PENDING);
    fake_reader_remove(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    assert_status(track(IOCTL_SMARTCARD_IS_ABSENT), STATUS_SUCCESS);
}

static void test_conformance_a_no_event_of_a_busy_hand_is_lost(void **state)
{
    unsigned seen = 0;

    (void)state;
    for (unsigned i = 0; i < 20; i++) { /* ten times in and out */
        bool in = i % 2 == 0;

        assert_status(track(in ? IOCTL_SMARTCARD_IS_PRESENT : IOCTL_SMARTCARD_IS_ABSENT),
                      STATUS_PENDING);
        if (in)
            fake_reader_insert(&reader);
        else
            fake_reader_remove(&reader);
        seen += tracker.completions;
        fake_assert_ended(&tracker, STATUS_SUCCESS);
    }
    assert_int_equal(seen, 20);
}

/* ---- part B: the reader, without a card ------------------------------------------ */

static ULONG read_attribute(ULONG tag, UCHAR *value, ULONG room)
{
    ULONG len;

    assert_status(SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_GET_ATTRIBUTE,
                                             &tag, sizeof tag, value, room, &len),
                  STATUS_SUCCESS);
    return len;
}

static void test_conformance_b_device_name_is_well_formed(void **state)
{
    static const char expected[] = "\\DosDevices\\SCReader0";
    UNICODE_STRING name, device = {0, 0, NULL};

    (void)state;
    assert_status(SmartcardCreateLink(&name, &device), STATUS_SUCCESS);
    assert_int_equal(name.Length, 2 * strlen(expected));
    for (size_t i = 0; i < strlen(expected); i++)
        assert_int_equal(name.Buffer[i], expected[i]);
    assert_status(SmartcardDeleteLink(&name), STATUS_SUCCESS);
    RtlFreeUnicodeString(&name);
}

static void test_conformance_b_attribute_without_a_buffer_is_refused_well(void **state)
{
    ULONG tag = SCARD_ATTR_VENDOR_NAME;
    ULONG len = 99;

    (void)state;
    assert_status(SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_GET_ATTRIBUTE,
                                             &tag, sizeof tag, NULL, 0, &len),
                  STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(len, 0);
    assert_status(SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_GET_ATTRIBUTE,
                                             &tag, sizeof tag, NULL, 32, &len),
                  STATUS_INVALID_PARAMETER);
    EXPECT(GET_ATTRIBUTE, "00010100", 32, SUCCESS, "41434D45"); /* and still works */
}

static void test_conformance_b_reader_names_itself(void **state)
{
    static const ULONG names[] = {SCARD_ATTR_VENDOR_NAME, SCARD_ATTR_VENDOR_IFD_TYPE};
    UCHAR value[MAXIMUM_ATTR_STRING_LENGTH];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ULONG len = read_attribute(names[i], value, sizeof value);

        assert_true(len > 0);
        for (ULONG at = 0; at < len; at++)
            assert_true(isprint(value[at]));
    }
    assert_int_equal(read_attribute(SCARD_ATTR_DEVICE_UNIT, value, sizeof value), 4);
}

static void test_conformance_b_reader_can_what_the_logo_asks(void **state)
{
    static const struct {
        ULONG tag;
        ULONG least;
    } rows[] = {
        {SCARD_ATTR_CHANNEL_ID, 0},
        {SCARD_ATTR_PROTOCOL_TYPES, SCARD_PROTOCOL_Tx},
        {SCARD_ATTR_DEFAULT_CLK, 3579}, /* kHz */
        {SCARD_ATTR_MAX_CLK, 3579},
        {SCARD_ATTR_DEFAULT_DATA_RATE, 9600}, /* bit/s */
        {SCARD_ATTR_MAX_DATA_RATE, 9600},
        {SCARD_ATTR_MAX_IFSD, 254},
        {SCARD_ATTR_CHARACTERISTICS, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ULONG number;

        assert_int_equal(read_attribute(rows[i].tag, (UCHAR *)&number, sizeof number), 4);
        assert_true(number >= rows[i].least);
    }
}

/* ---- part C: the resource manager ------------------------------------------------ */

static void test_conformance_c_resource_manager_from_empty_to_empty(void **state)
{
    (void)state;
    EXPECT(GET_STATE, "", 4, SUCCESS, STATE_ABSENT);
    assert_status(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, "", 0, STATUS_SUCCESS, "");
    fake_assert_ended(&tracker, STATUS_CANCELLED);
    assert_status(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    fake_reader_insert(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    EXPECT(GET_STATE, "", 4, SUCCESS, STATE_SWALLOWED);
    EXPECT(POWER, "01000000", 33, SUCCESS, ATR_T0);
    EXPECT(GET_STATE, "", 4, SUCCESS, STATE_NEGOTIABLE);
    EXPECT(SET_PROTOCOL, "03000000", 4, SUCCESS, "01000000");
    EXPECT(GET_STATE, "", 4, SUCCESS, STATE_SPECIFIC);
    EXPECT(POWER, "02000000", 33, SUCCESS, ATR_T0);
    EXPECT(GET_STATE, "", 4, SUCCESS, STATE_NEGOTIABLE);
    EXPECT(POWER, "00000000", 0, SUCCESS, "");
    EXPECT(GET_STATE, "", 4, SUCCESS, STATE_SWALLOWED);
    assert_status(track(IOCTL_SMARTCARD_IS_ABSENT), STATUS_PENDING);
    fake_reader_remove(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    EXPECT(GET_STATE, "", 4, SUCCESS, STATE_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_conformance_a_empty_reader_is_seen_by_is_present, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_a_card_is_seen_by_is_present_and_gone_by_is_absent, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_a_no_event_of_a_busy_hand_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conformance_b_device_name_is_well_formed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_b_attribute_without_a_buffer_is_refused_well, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_conformance_b_reader_names_itself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_conformance_b_reader_can_what_the_logo_asks,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_conformance_c_resource_manager_from_empty_to_empty, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
