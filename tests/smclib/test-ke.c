/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_event_of_notification_stays_and_of_synchronization_is_taken),
        cmocka_unit_test(test_wait_ends_at_its_deadline),
        cmocka_unit_test(test_mutex_is_recursive_and_one_threads_at_a_time),
        cmocka_unit_test(test_wait_without_limit_ends_when_another_thread_sets_the_event),
        cmocka_unit_test(test_pool_is_zeroed_and_secrets_are_cleared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
