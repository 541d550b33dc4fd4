/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a resource manager does from start-up to disconnect, against the library alone:
 * with what a mount hides (a second tracker, cancelling).
 */
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
    fake_expect(&reader, IOCTL_SMARTCARD_##code, in, out, STATUS_##status, hex)

static struct fake_request tracker, other;

static void test_scenario_start_up_without_a_card(void **state)
{
    (void)state;
    EXPECT(GET_ATTRIBUTE, "00010100", 32, SUCCESS, "41434D45");
    EXPECT(GET_ATTRIBUTE, "01010100", 32, SUCCESS, "434349442031");
    EXPECT(GET_ATTRIBUTE, "0100FF7F", 4, SUCCESS, "00000000");
    EXPECT(GET_ATTRIBUTE, "50010600", 4, SUCCESS, "00000000");
    EXPECT(GET_ATTRIBUTE, "00010100", 0, BUFFER_TOO_SMALL, "");
    EXPECT(GET_ATTRIBUTE, "34120100", 32, NOT_SUPPORTED, "");
    EXPECT(GET_ATTRIBUTE, "0001", 32, INVALID_PARAMETER, "");
    EXPECT(SET_ATTRIBUTE, "0200FF7F01000000", 0, SUCCESS, "");
    EXPECT(GET_STATE, "", 4, SUCCESS, "01000000");
    EXPECT(IS_ABSENT, "", 0, SUCCESS, "");

    assert_status(fake_send(&reader, &tracker, IOCTL_SMARTCARD_IS_PRESENT, "", 0),
                  STATUS_PENDING);
    EXPECT(IS_PRESENT, "", 0, DEVICE_BUSY, "");
    EXPECT(IS_ABSENT, "", 0, SUCCESS, "");
    EXPECT(GET_STATE, "", 4, SUCCESS, "01000000");
    EXPECT(POWER, "01000000", 33, NO_MEDIA, "");
    EXPECT(SET_PROTOCOL, "03000000", 4, NO_MEDIA, "");
    EXPECT(TRANSMIT, "0100000008000000 00A40000023F00", 10, NO_MEDIA, "");
    EXPECT(SWALLOW, "", 0, NOT_SUPPORTED, "");
    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, "", 0, STATUS_SUCCESS, "");
    fake_assert_ended(&tracker, STATUS_CANCELLED);
    assert_status(fake_send(&reader, &tracker, IOCTL_SMARTCARD_IS_PRESENT, "", 0),
                  STATUS_PENDING);
    assert_true(IoCancelIrp(&tracker.irp));
    fake_assert_ended(&tracker, STATUS_CANCELLED);
}

static void arrive_and_connect(void)
{
    assert_status(fake_send(&reader, &tracker, IOCTL_SMARTCARD_IS_PRESENT, "", 0),
                  STATUS_PENDING);
    fake_reader_insert(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    assert_status(fake_send(&reader, &tracker, IOCTL_SMARTCARD_IS_ABSENT, "", 0),
                  STATUS_PENDING);
    EXPECT(GET_STATE, "", 4, SUCCESS, "03000000");
    EXPECT(TRANSMIT, "0100000008000000 00A40000023F00", 10, INVALID_DEVICE_STATE, "");
    EXPECT(SET_PROTOCOL, "03000000", 4, INVALID_DEVICE_STATE, "");
    EXPECT(POWER, "01000000", 33, SUCCESS, ATR_T0);
    EXPECT(GET_STATE, "", 4, SUCCESS, "05000000");
    EXPECT(POWER, "01000000", 32, BUFFER_TOO_SMALL, "");
    EXPECT(GET_ATTRIBUTE, "03030900", 33, SUCCESS, ATR_T0);
    EXPECT(GET_ATTRIBUTE, "00030900", 1, SUCCESS, "02");
    EXPECT(GET_ATTRIBUTE, "01020800", 4, INVALID_DEVICE_STATE, "");
    EXPECT(SET_PROTOCOL, "02000000", 4, NOT_SUPPORTED, "");
    EXPECT(GET_STATE, "", 4, SUCCESS, "05000000");
    EXPECT(SET_PROTOCOL, "00000040", 4, INVALID_DEVICE_REQUEST, "");
    EXPECT(SET_PROTOCOL, "03000000", 4, SUCCESS, "01000000");
    EXPECT(GET_STATE, "", 4, SUCCESS, "06000000");
}

static void test_scenario_arrival_and_connect(void **state)
{
    (void)state;
    arrive_and_connect();
    EXPECT(SET_PROTOCOL, "02000000", 4, NOT_SUPPORTED, "");
    EXPECT(SET_PROTOCOL, "01000000", 4, SUCCESS, "01000000");
    EXPECT(GET_ATTRIBUTE, "01020800", 4, SUCCESS, "01000000");
    EXPECT(GET_ATTRIBUTE, "03020800", 4, SUCCESS, "74010000");
    EXPECT(GET_ATTRIBUTE, "04020800", 4, SUCCESS, "0C000000");
    EXPECT(TRANSMIT, "0100000008000000 00A40000023F00", 10, SUCCESS,
           "0100000008000000 9000");
    EXPECT(TRANSMIT, "0100000008000000 00A40000023F00", 9, BUFFER_TOO_SMALL, "");
    EXPECT(TRANSMIT, "0200000008000000 00A40000023F00", 10, INVALID_DEVICE_STATE, "");
    EXPECT(TRANSMIT, "0100000008000000 00A400000800", 10, INVALID_PARAMETER, "");
    EXPECT(POWER, "02000000", 33, SUCCESS, ATR_T0);
    EXPECT(GET_STATE, "", 4, SUCCESS, "05000000");
    EXPECT(TRANSMIT, "0100000008000000 00A40000023F00", 10, INVALID_DEVICE_STATE, "");
    EXPECT(SET_PROTOCOL, "03000080", 4, SUCCESS, "01000000");
    EXPECT(GET_ATTRIBUTE, "03020800", 4, SUCCESS, "74010000");
    EXPECT(GET_ATTRIBUTE, "04020800", 4, SUCCESS, "01000000");
    EXPECT(TRANSMIT, "0100000008000000 00A40000023F00", 10, SUCCESS,
           "0100000008000000 9000");
    assert_int_equal(tracker.completions, 0);
}

static void test_scenario_disconnect(void **state)
{
    (void)state;
    arrive_and_connect();
    EXPECT(POWER, "00000000", 0, SUCCESS, "");
    EXPECT(GET_STATE, "", 4, SUCCESS, "03000000");
    EXPECT(POWER, "00000000", 0, SUCCESS, "");
    EXPECT(GET_STATE, "", 4, SUCCESS, "03000000");
    EXPECT(POWER, "07000000", 33, INVALID_PARAMETER, "");
    fake_reader_remove(&reader);
    fake_assert_ended(&tracker, STATUS_SUCCESS);
    EXPECT(GET_STATE, "", 4, SUCCESS, "01000000");
    EXPECT(GET_ATTRIBUTE, "03030900", 33, INVALID_DEVICE_STATE, "");
    assert_status(fake_send(&reader, &other, IOCTL_SMARTCARD_IS_PRESENT, "", 0),
                  STATUS_PENDING);
    SmcCleanupFile(&reader.ext, &reader.file);
    fake_assert_ended(&other, STATUS_CANCELLED);
    EXPECT(GET_STATE, "", 4, SUCCESS, "01000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_scenario_start_up_without_a_card, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_scenario_arrival_and_connect, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_scenario_disconnect, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
