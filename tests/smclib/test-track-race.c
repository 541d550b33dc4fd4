/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three threads at the one tracker: its sender, who sends it again at each end, the card,
 * which comes and goes, and a canceller. Each tracker must end once, whoever wins, also
 * when the driver has put its own cancel routine into it.
 */
#include "fake_reader.h"

#define ROUNDS 20000

static struct fake_reader reader;
static struct fake_request request;
static KEVENT ended;
static int stop;
static unsigned completed[3]; /* success, cancelled, anything else */

static VOID at_end(PIRP irp, PVOID context)
{
    unsigned kind = 2;

    (void)context;
    if (irp->IoStatus.Status == STATUS_SUCCESS)
        kind = 0;
    else if (irp->IoStatus.Status == STATUS_CANCELLED)
        kind = 1;
    __atomic_add_fetch(&completed[kind], 1, __ATOMIC_SEQ_CST);
    KeSetEvent(&ended, 0, FALSE);
}

static void *card_thread(void *argument)
{
    (void)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        fake_reader_insert(&reader);
        fake_reader_remove(&reader);
    }
    return NULL;
}

static void *blocking_thread(void *argument)
{
    (void)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
        SmcEndCardTracking(&reader.ext, STATUS_CANCELLED);
    return NULL;
}

static pthread_mutex_t alive_lock = PTHREAD_MUTEX_INITIALIZER;
static bool alive; /* the sender allows cancelling; as fs does it */

static void *cancel_thread(void *argument)
{
    (void)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&alive_lock);
        if (alive)
            IoCancelIrp(&request.irp);
        pthread_mutex_unlock(&alive_lock);
    }
    return NULL;
}

static void set_alive(bool now)
{
    pthread_mutex_lock(&alive_lock);
    alive = now;
    pthread_mutex_unlock(&alive_lock);
}

/* As reader drivers for Windows do it. */
static VOID cancel_of_the_driver(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoReleaseCancelSpinLock(irp->CancelIrql);
    SmartcardCompleteCardTracking(&reader.ext);
}

static NTSTATUS set_own_routine(PSMARTCARD_EXTENSION ext)
{
    KIRQL irql;

    IoAcquireCancelSpinLock(&irql);
    IoSetCancelRoutine(ext->OsData->NotificationIrp, cancel_of_the_driver);
    IoReleaseCancelSpinLock(irql);
    return STATUS_PENDING;
}

static void race(void *(*canceller)(void *), bool own_routine)
{
    pthread_t threads[2];

    memset(completed, 0, sizeof completed);
    stop = 0;
    fake_reader_setup(&reader);
    if (own_routine)
        reader.ext.ReaderFunction[RDF_CARD_TRACKING] = set_own_routine;
    KeInitializeEvent(&ended, SynchronizationEvent, FALSE);
    assert_int_equal(pthread_create(&threads[0], NULL, card_thread, NULL), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, canceller, NULL), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        smc_irp_init_ioctl(&request.irp, &reader.device, &reader.file,
                           round % 2 ? IOCTL_SMARTCARD_IS_ABSENT
                                     : IOCTL_SMARTCARD_IS_PRESENT,
                           NULL, 0, 0, at_end, NULL);
        set_alive(true);
        SmartcardDeviceControl(&reader.ext, &request.irp);
        KeWaitForSingleObject(&ended, Executive, KernelMode, FALSE, NULL);
        set_alive(false);
        assert_int_equal(KeReadStateEvent(&ended), 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(completed[0] + completed[1], ROUNDS);
    assert_int_equal(completed[2], 0);
    assert_null(reader.ext.OsData->NotificationIrp);
    fake_reader_teardown(&reader);
}

static void test_track_raced_by_card_and_cancel_ends_once(void **state)
{
    (void)state;
    race(cancel_thread, false);
}

static void test_track_raced_by_card_and_cancel_blocking_ends_once(void **state)
{
    (void)state;
    race(blocking_thread, false);
}

static void test_track_with_a_routine_of_the_driver_raced_ends_once(void **state)
{
    (void)state;
    race(cancel_thread, true);
    race(blocking_thread, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_track_raced_by_card_and_cancel_ends_once),
        cmocka_unit_test(test_track_raced_by_card_and_cancel_blocking_ends_once),
        cmocka_unit_test(test_track_with_a_routine_of_the_driver_raced_ends_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
