/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-scenario.c - what a resource manager does, from the arrival of a card to the
 * removal of the reader, on the virtual reader at TPDU level with a T=0 card.
 */
#include "ccid/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "virtual_bench.h"

#define ROUNDS_MAX 5
#define ATR        "3B 95 18 40 FF 62 01 02 01 04"
#define PCI_T0     "01000000 08000000"
#define SELECT     PCI_T0 "00 A4 00 00 02 3F 00"

static struct virtual_bench v;
static struct virtual_tracker tracker;

#define EXPECT(code, in, room, status, out)                                              \
    virtual_bench_expect(&v, IOCTL_SMARTCARD_##code, in, room, STATUS_##status, out)

static NTSTATUS track(ULONG code)
{
    return virtual_bench_track(&v, &tracker, code);
}

static void tracker_ended(NTSTATUS status)
{
    assert_int_equal(tracker.completed, 1);
    assert_int_equal(tracker.status, status);
    assert_int_equal(tracker.information, 0);
}

/* An empty reader, somebody waiting for a card. */
static void start_up(const char *shape)
{
    virtual_bench_begin(&v, shape, NULL);
    virtual_bench_remove(&v);
    EXPECT(GET_STATE, "", 4, SUCCESS, "01000000");
    assert_int_equal(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
}

static void arrive(void)
{
    virtual_bench_insert(&v, NULL);
    tracker_ended(STATUS_SUCCESS);
    assert_int_equal(track(IOCTL_SMARTCARD_IS_ABSENT), STATUS_PENDING);
}

static void connect(void)
{
    EXPECT(POWER, "01000000", 33, SUCCESS, ATR);
    EXPECT(SET_PROTOCOL, "03000000", 4, SUCCESS, "01000000");
}

/* ---- arrival and connect ---------------------------------------------------------- */

static void test_scenario_from_arrival_to_the_first_command(void **state)
{
    (void)state;
    start_up("tpdu");
    arrive();
    EXPECT(GET_STATE, "", 4, SUCCESS, "03000000");
    EXPECT(SWALLOW, "", 0, NOT_SUPPORTED, "");
    EXPECT(TRANSMIT, SELECT, 10, INVALID_DEVICE_STATE, "");
    EXPECT(SET_PROTOCOL, "03000000", 4, INVALID_DEVICE_STATE, "");

    EXPECT(POWER, "01000000", 32, BUFFER_TOO_SMALL, "");
    EXPECT(POWER, "01000000", 33, SUCCESS, ATR);
    EXPECT(GET_STATE, "", 4, SUCCESS, "05000000");
    EXPECT(GET_ATTRIBUTE, "03030900", 33, SUCCESS, ATR);
    EXPECT(GET_ATTRIBUTE, "00030900", 1, SUCCESS, "02");
    EXPECT(GET_ATTRIBUTE, "01020800", 4, INVALID_DEVICE_STATE, "");

    EXPECT(SET_PROTOCOL, "02000000", 4, NOT_SUPPORTED, "");
    EXPECT(GET_STATE, "", 4, SUCCESS, "05000000");
    EXPECT(SET_PROTOCOL, "00000040", 4, INVALID_DEVICE_REQUEST, "");
    EXPECT(SET_PROTOCOL, "03000000", 4, SUCCESS, "01000000");
    EXPECT(GET_STATE, "", 4, SUCCESS, "06000000");
    EXPECT(SET_PROTOCOL, "02000000", 4, NOT_SUPPORTED, "");
    EXPECT(SET_PROTOCOL, "01000000", 4, SUCCESS, "01000000");
    EXPECT(GET_ATTRIBUTE, "01020800", 4, SUCCESS, "01000000");
    EXPECT(GET_ATTRIBUTE, "03020800", 4, SUCCESS, "74010000"); /* F 372 */
    EXPECT(GET_ATTRIBUTE, "04020800", 4, SUCCESS, "0C000000"); /* D 12 */

    EXPECT(TRANSMIT, SELECT, 10, SUCCESS, PCI_T0 "90 00");
    EXPECT(TRANSMIT, SELECT, 9, BUFFER_TOO_SMALL, "");
    EXPECT(TRANSMIT, "02000000 08000000 00 A4 00 00 02 3F 00", 10, INVALID_DEVICE_STATE,
           "");
    EXPECT(TRANSMIT, PCI_T0 "00 A4 00 00 08 00", 10, INVALID_PARAMETER, "");
    EXPECT(TRANSMIT, SELECT, 10, SUCCESS, PCI_T0 "90 00");

    EXPECT(POWER, "02000000", 33, SUCCESS, ATR);
    EXPECT(GET_STATE, "", 4, SUCCESS, "05000000");
    EXPECT(TRANSMIT, SELECT, 10, INVALID_DEVICE_STATE, "");
    EXPECT(SET_PROTOCOL, "01000080", 4, SUCCESS, "01000000"); /* DEFAULT */
    EXPECT(GET_ATTRIBUTE, "03020800", 4, SUCCESS, "74010000");
    EXPECT(GET_ATTRIBUTE, "04020800", 4, SUCCESS, "01000000"); /* D 1 */
    EXPECT(TRANSMIT, SELECT, 10, SUCCESS, PCI_T0 "90 00");
    assert_int_equal(tracker.completed, 0);
    virtual_bench_end(&v);
}

/* The resource manager's way to a card that is ready; returns how many rounds it took. */
static int make_ready(void)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        ULONG power = SCARD_COLD_RESET;
        NTSTATUS status;

        switch (bench_state(&v.bench)) {
        case SCARD_PRESENT:
            status = bench_ioctl(&v.bench, IOCTL_SMARTCARD_SWALLOW, NULL, 0, 0);
            if (status != STATUS_NOT_SUPPORTED)
                break;
            status = bench_power(&v.bench, power);
            break;
        case SCARD_SWALLOWED:
            status = bench_power(&v.bench, power);
            break;
        case SCARD_POWERED:
            status = bench_power(&v.bench, SCARD_WARM_RESET);
            break;
        case SCARD_NEGOTIABLE:
        case SCARD_SPECIFIC:
            return round;
        default:
            return -1;
        }
        assert_int_equal(status, STATUS_SUCCESS);
    }
    return -1;
}

static void test_scenario_loop_swallows_a_card_that_is_present(void **state)
{
    (void)state;
    start_up("mechanical");
    arrive();
    assert_int_equal(bench_state(&v.bench), SCARD_PRESENT);
    assert_int_equal(make_ready(), 2);
    assert_int_equal(bench_state(&v.bench), SCARD_NEGOTIABLE);
    assert_int_equal(make_ready(), 0);
    /* and what an eject asks for */
    EXPECT(EJECT, "", 0, SUCCESS, "");
    assert_int_equal(bench_state(&v.bench), SCARD_PRESENT);
    assert_int_equal(tracker.completed, 0);
    assert_int_equal(make_ready(), 2);
    EXPECT(CONFISCATE, "", 0, SUCCESS, "");
    tracker_ended(STATUS_SUCCESS);
    EXPECT(GET_ATTRIBUTE, "00030900", 1, SUCCESS, "04");
    assert_int_equal(make_ready(), -1);
    virtual_bench_end(&v);
}

/* Powered, and nobody knows how: a state that a driver can leave behind. */
static void test_scenario_loop_resets_warm_what_is_powered(void **state)
{
    struct ccid_slot *slot;
    KIRQL irql;

    (void)state;
    start_up("mechanical");
    arrive();
    assert_int_equal(make_ready(), 2);
    slot = v.bench.slots[0]->DeviceExtension;
    KeAcquireSpinLock(&slot->ext.OsData->SpinLock, &irql);
    slot->ext.ReaderCapabilities.CurrentState = SCARD_POWERED;
    KeReleaseSpinLock(&slot->ext.OsData->SpinLock, irql);
    v.faults.transfer_count = 0;
    assert_int_equal(make_ready(), 1);
    assert_int_equal(v.faults.transfer_count, 2); /* power stayed on */
    virtual_bench_end(&v);
}

static void test_scenario_loop_finds_an_ordinary_reader_in_one_round(void **state)
{
    (void)state;
    start_up("tpdu");
    assert_int_equal(make_ready(), -1);
    arrive();
    assert_int_equal(make_ready(), 1);
    virtual_bench_end(&v);
}

/* ---- disconnect -------------------------------------------------------------------- */

static void test_scenario_disconnect(void **state)
{
    (void)state;
    start_up("tpdu");
    arrive();
    connect();
    EXPECT(POWER, "00000000", 0, SUCCESS, "");
    EXPECT(GET_STATE, "", 4, SUCCESS, "03000000");
    EXPECT(POWER, "00000000", 0, SUCCESS, "");
    EXPECT(GET_STATE, "", 4, SUCCESS, "03000000");
    EXPECT(POWER, "07000000", 33, INVALID_PARAMETER, "");

    virtual_bench_remove(&v);
    tracker_ended(STATUS_SUCCESS);
    EXPECT(GET_STATE, "", 4, SUCCESS, "01000000");
    EXPECT(GET_ATTRIBUTE, "03030900", 33, INVALID_DEVICE_STATE, "");

    /* Closed with a tracker: it ends, and the next open works. */
    assert_int_equal(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    assert_int_equal(smc_irp_send(v.bench.slots[0], &tracker.file, IRP_MJ_CLEANUP, 0),
                     STATUS_SUCCESS);
    tracker_ended(STATUS_CANCELLED);
    assert_int_equal(smc_irp_send(v.bench.slots[0], NULL, IRP_MJ_CLOSE, 0),
                     STATUS_SUCCESS);
    assert_int_equal(smc_irp_send(v.bench.slots[0], NULL, IRP_MJ_CREATE, 0),
                     STATUS_SUCCESS);
    virtual_bench_end(&v);
}

/* ---- the flavour of Windows CE ----------------------------------------------------- */

static void test_scenario_blocking_calls_are_stopped(void **state)
{
    (void)state;
    start_up("tpdu");
    for (int i = 0; i < 3; i++) {
        virtual_bench_expect(&v, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, "", 0,
                             STATUS_SUCCESS, "");
        tracker_ended(STATUS_CANCELLED);
        virtual_bench_expect(&v, SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING, "", 0,
                             STATUS_SUCCESS, ""); /* nothing to cancel */
        virtual_bench_expect(&v, SCFS_IOCTL_SMARTCARD_RESET_EVENTS, "", 0, STATUS_SUCCESS,
                             "");
        assert_int_equal(track(IOCTL_SMARTCARD_IS_PRESENT), STATUS_PENDING);
    }
    arrive();
    virtual_bench_end(&v);
    tracker_ended(STATUS_CANCELLED);
}

/* ---- suspend, resume, surprise removal --------------------------------------------- */

static void test_scenario_resume_with_a_card_ends_the_tracker(void **state)
{
    (void)state;
    start_up("tpdu");
    arrive();
    connect();
    assert_int_equal(virtual_bench_sleep(&v), STATUS_SUCCESS);
    assert_int_equal(tracker.completed, 0);
    EXPECT(TRANSMIT, SELECT, 10, INVALID_DEVICE_STATE, "");
    EXPECT(POWER, "01000000", 33, DEVICE_POWERED_OFF, "");
    assert_int_equal(virtual_bench_wake(&v), STATUS_SUCCESS);
    tracker_ended(STATUS_SUCCESS); /* although it is the same card */
    EXPECT(GET_STATE, "", 4, SUCCESS, "03000000");
    connect();
    EXPECT(TRANSMIT, SELECT, 10, SUCCESS, PCI_T0 "90 00");
    virtual_bench_end(&v);
}

static void test_scenario_resume_without_a_card_leaves_the_tracker(void **state)
{
    (void)state;
    start_up("tpdu");
    assert_int_equal(virtual_bench_sleep(&v), STATUS_SUCCESS);
    assert_int_equal(virtual_bench_wake(&v), STATUS_SUCCESS);
    assert_int_equal(tracker.completed, 0);
    arrive();
    virtual_bench_end(&v);
}

/* What happens to the card while a bus that is asleep tells nothing. */
static void test_scenario_resume_finds_what_changed_in_between(void **state)
{
    static const struct {
        bool before, after;
        const char *atr; /* of the card that is in afterwards */
        ULONG state;
    } rows[] = {
        {true, false, NULL, SCARD_ABSENT},
        {false, true, NULL, SCARD_SWALLOWED},
        {true, true, "3B 00", SCARD_SWALLOWED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        start_up("tpdu");
        if (rows[i].before)
            arrive();
        assert_int_equal(virtual_bench_sleep(&v), STATUS_SUCCESS);
        v.reader->notify = NULL;
        if (rows[i].before)
            virtual_bench_remove(&v);
        if (rows[i].after)
            virtual_bench_insert(&v, rows[i].atr);
        assert_int_equal(virtual_bench_wake(&v), STATUS_SUCCESS);
        tracker_ended(STATUS_SUCCESS);
        assert_int_equal(bench_state(&v.bench), rows[i].state);
        if (rows[i].atr != NULL)
            EXPECT(POWER, "01000000", 33, SUCCESS, rows[i].atr);
        virtual_bench_end(&v);
    }
}

static void unplug(void *context)
{
    (void)context;
    ccid_virtual_reader_unplug(v.reader);
    assert_int_equal(
        smc_irp_send(v.bench.slots[0], NULL, IRP_MJ_PNP, IRP_MN_SURPRISE_REMOVAL),
        STATUS_SUCCESS);
}

static void test_scenario_surprise_removal_ends_tracker_and_command(void **state)
{
    (void)state;
    start_up("tpdu");
    arrive();
    connect();
    virtual_clock_at(&v.clock, v.clock.now_ms + 700, unplug, NULL);
    EXPECT(TRANSMIT, PCI_T0 "80 E4 27 10", 10, DEVICE_REMOVED, ""); /* takes 10 s */
    tracker_ended(STATUS_DEVICE_REMOVED);
    assert_int_equal(smc_irp_send(v.bench.slots[0], NULL, IRP_MJ_CREATE, 0),
                     STATUS_DEVICE_REMOVED);
    assert_int_not_equal(bench_power(&v.bench, SCARD_COLD_RESET), STATUS_SUCCESS);
    virtual_bench_end(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenario_from_arrival_to_the_first_command),
        cmocka_unit_test(test_scenario_loop_swallows_a_card_that_is_present),
        cmocka_unit_test(test_scenario_loop_resets_warm_what_is_powered),
        cmocka_unit_test(test_scenario_loop_finds_an_ordinary_reader_in_one_round),
        cmocka_unit_test(test_scenario_disconnect),
        cmocka_unit_test(test_scenario_blocking_calls_are_stopped),
        cmocka_unit_test(test_scenario_resume_with_a_card_ends_the_tracker),
        cmocka_unit_test(test_scenario_resume_without_a_card_leaves_the_tracker),
        cmocka_unit_test(test_scenario_resume_finds_what_changed_in_between),
        cmocka_unit_test(test_scenario_surprise_removal_ends_tracker_and_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
