/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a resource manager does from start-up to disconnect, against the library alone:
 * with what a mount hides (a second tracker, cancelling).
 */
#include "fake_reader.h"

#include <errno.h>
#include <sched.h>

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
    assert_status(fake_reader_call(&reader, IRP_MJ_CREATE, 0), STATUS_SUCCESS);
    assert_status(fake_reader_call(&reader, IRP_MJ_CREATE, 0), STATUS_DEVICE_BUSY);
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
    fake_reader_call(&reader, IRP_MJ_CLEANUP, 0);
    fake_assert_ended(&other, STATUS_CANCELLED);
    fake_reader_call(&reader, IRP_MJ_CLOSE, 0);
    assert_status(fake_reader_call(&reader, IRP_MJ_CREATE, 0), STATUS_SUCCESS);
    EXPECT(GET_STATE, "", 4, SUCCESS, "01000000");
}

/* ---- the loop of the resource manager -------------------------------------------- */

#define ROUNDS 5

static NTSTATUS swallow(PSMARTCARD_EXTENSION ext)
{
    reader.calls[RDF_READER_SWALLOW]++;
    assert_int_equal(ext->ReaderCapabilities.CurrentState, SCARD_PRESENT);
    fake_reader_set_state(&reader, SCARD_SWALLOWED);
    return STATUS_SUCCESS;
}

static NTSTATUS send_power(ULONG minor)
{
    static UCHAR atr[SCARD_ATR_LENGTH];

    return SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_POWER, &minor,
                                      sizeof minor, atr, sizeof atr, NULL);
}

static ULONG get_state(void)
{
    ULONG now = 99;

    assert_status(SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_GET_STATE, NULL,
                                             0, &now, sizeof now, NULL),
                  STATUS_SUCCESS);
    return now;
}

/* What the state asks for; false where there is no card. */
static bool advance(ULONG now)
{
    NTSTATUS status;

    switch (now) {
    case SCARD_PRESENT:
        status = SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_SWALLOW, NULL, 0,
                                            NULL, 0, NULL);
        if (status != STATUS_NOT_SUPPORTED)
            return status == STATUS_SUCCESS;
        return send_power(SCARD_COLD_RESET) == STATUS_SUCCESS;
    case SCARD_SWALLOWED:
        return send_power(SCARD_COLD_RESET) == STATUS_SUCCESS;
    case SCARD_POWERED:
        return send_power(SCARD_WARM_RESET) == STATUS_SUCCESS;
    default:
        return false;
    }
}

static ULONG reach_a_reset_card(void)
{
    ULONG now = get_state();

    for (unsigned round = 0; round < ROUNDS && now < SCARD_NEGOTIABLE; round++) {
        if (!advance(now))
            return now;
        now = get_state();
    }
    return now;
}

static void test_scenario_loop_reaches_a_reset_card_from_every_state(void **state)
{
    static const struct {
        ULONG begin;
        const char *atr;
        bool mechanical;
        ULONG end;
        unsigned swallows;
        ULONG last_minor;
    } rows[] = {
        {SCARD_UNKNOWN, ATR_T0, false, SCARD_UNKNOWN, 0, 0},
        {SCARD_ABSENT, ATR_T0, false, SCARD_ABSENT, 0, 0},
        {SCARD_PRESENT, ATR_T0, false, SCARD_NEGOTIABLE, 0, SCARD_COLD_RESET},
        {SCARD_PRESENT, ATR_T0, true, SCARD_NEGOTIABLE, 1, SCARD_COLD_RESET},
        {SCARD_SWALLOWED, ATR_T0, true, SCARD_NEGOTIABLE, 0, SCARD_COLD_RESET},
        {SCARD_POWERED, ATR_T0, true, SCARD_NEGOTIABLE, 0, SCARD_WARM_RESET},
        {SCARD_NEGOTIABLE, ATR_T0, true, SCARD_NEGOTIABLE, 0, 0},
        {SCARD_SWALLOWED, "3B9C131181647265616D6372797074900599", false, SCARD_SPECIFIC,
         0, SCARD_COLD_RESET},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake_reader_set_state(&reader, rows[i].begin);
        fake_reader_set_atr(&reader, rows[i].atr);
        reader.calls[RDF_READER_SWALLOW] = 0;
        reader.minor = 0;
        reader.ext.ReaderFunction[RDF_READER_SWALLOW] =
            rows[i].mechanical ? swallow : NULL;
        assert_int_equal(reach_a_reset_card(), rows[i].end);
        assert_int_equal(reader.calls[RDF_READER_SWALLOW], rows[i].swallows);
        assert_int_equal(reader.minor, rows[i].last_minor);
    }
}

/* ---- Windows CE, suspend, removal ------------------------------------------------ */

static void *wait_present(void *argument)
{
    NTSTATUS *status = argument;

    *status = SmartcardDeviceControlSync(&reader.ext, IOCTL_SMARTCARD_IS_PRESENT, NULL, 0,
                                         NULL, 0, NULL);
    return NULL;
}

static void until_pending(void)
{
    bool pending;
    KIRQL irql;

    do {
        KeAcquireSpinLock(&reader.ext.OsData->SpinLock, &irql);
        pending = reader.ext.OsData->NotificationIrp != NULL;
        KeReleaseSpinLock(&reader.ext.OsData->SpinLock, irql);
        sched_yield();
    } while (!pending);
}

static void test_scenario_blocking_call_ends_by_card_and_by_cancel_blocking(void **state)
{
    NTSTATUS status = STATUS_INTERNAL_ERROR;
    pthread_t thread;

    (void)state;
    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_RESET_EVENTS, "", 0, STATUS_SUCCESS, "");
    assert_int_equal(pthread_create(&thread, NULL, wait_present, &status), 0);
    until_pending();
    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, "", 0, STATUS_SUCCESS, "");
    pthread_join(thread, NULL);
    assert_status(status, STATUS_CANCELLED);

    fake_expect(&reader, SCFS_IOCTL_SMARTCARD_RESET_EVENTS, "", 0, STATUS_SUCCESS, "");
    assert_int_equal(pthread_create(&thread, NULL, wait_present, &status), 0);
    until_pending();
    fake_reader_insert(&reader);
    pthread_join(thread, NULL);
    assert_status(status, STATUS_SUCCESS);
}

static void test_scenario_resume_counts_as_a_change_if_a_card_was_or_is_in(void **state)
{
    static const struct {
        bool before, after, change;
    } rows[] = {{true, true, true},
                {true, false, true},
                {false, true, true},
                {false, false, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake_reader_set_state(&reader, rows[i].before ? SCARD_SWALLOWED : SCARD_ABSENT);
        assert_status(fake_send(&reader, &tracker,
                                rows[i].before ? IOCTL_SMARTCARD_IS_ABSENT
                                               : IOCTL_SMARTCARD_IS_PRESENT,
                                "", 0),
                      STATUS_PENDING);
        if (rows[i].before)
            EXPECT(POWER, "01000000", 33, SUCCESS, ATR_T0);
        fake_reader_set_power(&reader, PowerDeviceD3);
        assert_int_equal(tracker.completions, 0);
        reader.card_in = rows[i].after;
        fake_reader_set_power(&reader, PowerDeviceD0);
        EXPECT(GET_STATE, "", 4, SUCCESS, rows[i].after ? "03000000" : "01000000");
        if (!rows[i].change) {
            assert_int_equal(tracker.completions, 0);
            SmcEndCardTracking(&reader.ext, STATUS_CANCELLED);
        } else {
            fake_assert_ended(&tracker, STATUS_SUCCESS);
        }
    }
}

static void test_scenario_unplugged_reader_ends_what_runs_and_takes_nothing_more(
    void **state)
{
    static struct fake_request transmit;

    (void)state;
    arrive_and_connect();
    reader.transmit_status = STATUS_PENDING;
    assert_status(fake_send(&reader, &transmit, IOCTL_SMARTCARD_TRANSMIT,
                            "0100000008000000 00A40000023F00", 10),
                  STATUS_PENDING);
    assert_status(fake_reader_call(&reader, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL),
                  STATUS_SUCCESS);
    fake_assert_ended(&tracker, STATUS_DEVICE_REMOVED);
    fake_assert_ended(&transmit, STATUS_DEVICE_REMOVED);
    assert_status(fake_reader_call(&reader, IRP_MJ_PNP, IRP_MN_REMOVE_DEVICE),
                  STATUS_SUCCESS);
    EXPECT(GET_STATE, "", 4, DELETE_PENDING, "");
    EXPECT(POWER, "01000000", 33, DELETE_PENDING, "");
    assert_int_equal(smc_status_errno(STATUS_DEVICE_REMOVED), ENODEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_scenario_start_up_without_a_card, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_scenario_arrival_and_connect, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_scenario_disconnect, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_scenario_loop_reaches_a_reset_card_from_every_state, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_scenario_blocking_call_ends_by_card_and_by_cancel_blocking, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_scenario_resume_counts_as_a_change_if_a_card_was_or_is_in, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_scenario_unplugged_reader_ends_what_runs_and_takes_nothing_more, setup,
            teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
