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

static void test_remove_lock_refuses_newcomers_after_removal(void **state)
{
    static struct fake_request request;

    (void)state;
    assert_status(SmartcardAcquireRemoveLock(&reader.ext), STATUS_SUCCESS);
    SmartcardReleaseRemoveLockAndWait(&reader.ext);
    assert_status(SmartcardAcquireRemoveLock(&reader.ext), STATUS_DELETE_PENDING);
    assert_status(SmartcardAcquireRemoveLockWithTag(&reader.ext, 7),
                  STATUS_DELETE_PENDING);
    assert_status(fake_send(&reader, &request, IOCTL_SMARTCARD_GET_STATE, "", 4),
                  STATUS_DELETE_PENDING);
    fake_assert_ended(&request, STATUS_DELETE_PENDING);
}

static int removed;

static void *remover(void *argument)
{
    (void)argument;
    assert_int_equal(SmartcardAcquireRemoveLock(&reader.ext), STATUS_SUCCESS);
    SmartcardReleaseRemoveLockAndWait(&reader.ext);
    __atomic_store_n(&removed, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void test_remove_lock_waits_for_who_is_inside(void **state)
{
    pthread_t thread;

    (void)state;
    removed = 0;
    assert_status(SmartcardAcquireRemoveLock(&reader.ext), STATUS_SUCCESS);
    assert_status(SmartcardAcquireRemoveLockWithTag(&reader.ext, 1), STATUS_SUCCESS);
    assert_int_equal(pthread_create(&thread, NULL, remover, NULL), 0);
    while (SmartcardAcquireRemoveLock(&reader.ext) == STATUS_SUCCESS) {
        SmartcardReleaseRemoveLock(&reader.ext);
        sched_yield();
    }
    assert_int_equal(__atomic_load_n(&removed, __ATOMIC_SEQ_CST), 0);
    SmartcardReleaseRemoveLockWithTag(&reader.ext, 1);
    assert_int_equal(__atomic_load_n(&removed, __ATOMIC_SEQ_CST), 0);
    SmartcardReleaseRemoveLock(&reader.ext);
    pthread_join(thread, NULL);
    assert_int_equal(removed, 1);
}

static void test_remove_lock_ends_a_tracker_that_was_left(void **state)
{
    static struct fake_request tracker;

    (void)state;
    assert_status(fake_send(&reader, &tracker, IOCTL_SMARTCARD_IS_PRESENT, "", 0),
                  STATUS_PENDING);
    assert_status(SmartcardAcquireRemoveLock(&reader.ext), STATUS_SUCCESS);
    SmartcardReleaseRemoveLockAndWait(&reader.ext);
    fake_assert_ended(&tracker, STATUS_CANCELLED);
}

static char leak[200];

static void take_line(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                      const char *text)
{
    (void)context;
    (void)device;
    (void)status;
    snprintf(leak, sizeof leak, "%s", text);
}

static void test_remove_lock_entry_with_a_tag_that_is_left_is_named(void **state)
{
    static const struct smc_io_client client = {.log = take_line};

    (void)state;
    smc_io_register(&client);
    assert_status(SmartcardAcquireRemoveLockWithTag(&reader.ext, 0xABC), STATUS_SUCCESS);
    SmartcardExit(&reader.ext);
    smc_io_register(NULL);
    assert_non_null(strstr(leak, "0xabc"));
}

static void test_remove_lock_tags_are_found_in_any_order(void **state)
{
    static const struct smc_io_client client = {.log = take_line};

    (void)state;
    smc_io_register(&client);
    SmartcardSetDebugLevel(DEBUG_DRIVER);
    for (ULONG_PTR tag = 1; tag <= 3; tag++)
        assert_status(SmartcardAcquireRemoveLockWithTag(&reader.ext, tag),
                      STATUS_SUCCESS);
    SmartcardReleaseRemoveLockWithTag(&reader.ext, 2);
    SmartcardReleaseRemoveLockWithTag(&reader.ext, 1);
    SmartcardReleaseRemoveLockWithTag(&reader.ext, 99); /* counts, under any name */
    assert_status(SmartcardAcquireRemoveLock(&reader.ext), STATUS_SUCCESS);
    SmartcardReleaseRemoveLockAndWait(&reader.ext);
    SmartcardSetDebugLevel(0);
    assert_string_equal(leak, "remove lock: waiting for 0");
    SmartcardExit(&reader.ext);
    smc_io_register(NULL);
    assert_non_null(strstr(leak, "0x3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_remove_lock_refuses_newcomers_after_removal,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove_lock_waits_for_who_is_inside, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_remove_lock_ends_a_tracker_that_was_left,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_remove_lock_entry_with_a_tag_that_is_left_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove_lock_tags_are_found_in_any_order,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
