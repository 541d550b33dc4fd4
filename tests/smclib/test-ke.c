/* SPDX-License-Identifier: BSD-2-Clause */
#include "wrap_abort.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

#ifdef __SANITIZE_THREAD__ /* gcc */
#define WITH_TSAN 1
#elif defined(__has_feature) /* clang */
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif

static LARGE_INTEGER now = {.QuadPart = 0};

static NTSTATUS poll(PVOID object)
{
    return KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &now);
}

static void test_event_of_notification_stays_and_of_synchronization_is_taken(void **state)
{
    KEVENT event;

    (void)state;
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    assert_status(poll(&event), STATUS_SUCCESS);
    assert_status(poll(&event), STATUS_SUCCESS);
    assert_int_equal(KeResetEvent(&event), 1);
    assert_status(poll(&event), STATUS_TIMEOUT);
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    assert_int_equal(KeSetEvent(&event, 0, FALSE), 0);
    assert_int_equal(KeSetEvent(&event, 0, FALSE), 1);
    assert_int_equal(KeReadStateEvent(&event), 1);
    assert_status(poll(&event), STATUS_SUCCESS);
    assert_status(poll(&event), STATUS_TIMEOUT);
    KeSetEvent(&event, 0, FALSE);
    KeClearEvent(&event);
    assert_status(poll(&event), STATUS_TIMEOUT);
}

static void test_wait_ends_at_its_deadline(void **state)
{
    LARGE_INTEGER a_millisecond = {.QuadPart = -10000};
    KEVENT event;

    (void)state;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    assert_status(
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &a_millisecond),
        STATUS_TIMEOUT);
    assert_status(KeDelayExecutionThread(KernelMode, FALSE, &a_millisecond),
                  STATUS_SUCCESS);
}

static void *poll_in_thread(void *mutex)
{
    return poll(mutex) == STATUS_TIMEOUT ? mutex : NULL;
}

static void *poll_and_release_in_thread(void *mutex)
{
    if (poll(mutex) != STATUS_SUCCESS)
        return NULL;
    KeReleaseMutex(mutex, FALSE);
    return mutex;
}

static void *in_thread(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    void *result;

    assert_int_equal(pthread_create(&thread, NULL, function, argument), 0);
    pthread_join(thread, &result);
    return result;
}

static void test_mutex_is_recursive_and_one_threads_at_a_time(void **state)
{
    KMUTEX mutex;

    (void)state;
    KeInitializeMutex(&mutex, 0);
    assert_status(poll(&mutex), STATUS_SUCCESS);
    assert_status(poll(&mutex), STATUS_SUCCESS);
    assert_ptr_equal(in_thread(poll_in_thread, &mutex), &mutex);
    assert_int_equal(KeReleaseMutex(&mutex, FALSE), 2);
    assert_ptr_equal(in_thread(poll_in_thread, &mutex), &mutex);
    assert_int_equal(KeReleaseMutex(&mutex, FALSE), 1);
    assert_ptr_equal(in_thread(poll_and_release_in_thread, &mutex), &mutex);
}

static void *set_event(void *event)
{
    KeSetEvent(event, 0, FALSE);
    return event;
}

static void test_wait_without_limit_ends_when_another_thread_sets_the_event(void **state)
{
    pthread_t thread;
    KEVENT event;

    (void)state;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    assert_int_equal(pthread_create(&thread, NULL, set_event, &event), 0);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL),
                  STATUS_SUCCESS);
    pthread_join(thread, NULL);
}

static void test_pool_is_zeroed_and_secrets_are_cleared(void **state)
{
    UCHAR zero[64] = {0};
    UCHAR *memory = ExAllocatePool(NonPagedPool, 64);

    (void)state;
    assert_memory_equal(memory, zero, 64);
    memset(memory, 0x55, 64);
    RtlSecureZeroMemory(memory, 64);
    assert_memory_equal(memory, zero, 64);
    ExFreePool(memory);
}

static void test_lock_used_against_its_rules_ends_the_process(void **state)
{
    KSPIN_LOCK lock;
    KMUTEX free_mutex;
    KIRQL irql;

    (void)state;
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &irql);
    assert_aborts(KeAcquireSpinLock(&lock, &irql));
    KeReleaseSpinLock(&lock, irql);
    KeInitializeMutex(&free_mutex, 0);
    assert_aborts(KeReleaseMutex(&free_mutex, FALSE));
}

static void test_spin_lock_released_unheld_ends_the_process(void **state)
{
    KSPIN_LOCK lock;

    (void)state;
#ifdef WITH_TSAN
    print_message("SKIP spin lock released unheld: ThreadSanitizer reports it itself\n");
    skip();
#endif
    KeInitializeSpinLock(&lock);
    assert_aborts(KeReleaseSpinLock(&lock, PASSIVE_LEVEL));
}

static KMUTEX owned;

static void *own(void *argument)
{
    poll(&owned);
    return argument;
}

static void test_mutex_released_by_another_thread_ends_the_process(void **state)
{
    (void)state;
    KeInitializeMutex(&owned, 0);
    in_thread(own, NULL);
    assert_aborts(KeReleaseMutex(&owned, FALSE));
}

static void test_deadline_in_the_next_second_is_one(void **state)
{
    LARGE_INTEGER almost_a_second = {.QuadPart = -9999999};
    KEVENT event;

    (void)state;
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    for (unsigned i = 0; i < 100; i++)
        assert_status(
            KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &almost_a_second),
            STATUS_SUCCESS);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static int64_t monotonic_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static void test_delay_is_not_shortened_by_signals(void **state)
{
    const struct sigaction action = {.sa_handler = count_signal};
    const struct itimerval often = {{0, 1000}, {0, 1000}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    LARGE_INTEGER interval = {.QuadPart = -200000}; /* 20 ms */
    int64_t begin;

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    begin = monotonic_ns();
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
    assert_true(monotonic_ns() - begin >= 20000000);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_true(signals > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_event_of_notification_stays_and_of_synchronization_is_taken),
        cmocka_unit_test(test_wait_ends_at_its_deadline),
        cmocka_unit_test(test_mutex_is_recursive_and_one_threads_at_a_time),
        cmocka_unit_test(test_wait_without_limit_ends_when_another_thread_sets_the_event),
        cmocka_unit_test(test_pool_is_zeroed_and_secrets_are_cleared),
        cmocka_unit_test(test_lock_used_against_its_rules_ends_the_process),
        cmocka_unit_test(test_spin_lock_released_unheld_ends_the_process),
        cmocka_unit_test(test_mutex_released_by_another_thread_ends_the_process),
        cmocka_unit_test(test_deadline_in_the_next_second_is_one),
        cmocka_unit_test(test_delay_is_not_shortened_by_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
