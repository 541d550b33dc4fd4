/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"

static char last_text[600];
static NTSTATUS last_status;
static PDEVICE_OBJECT last_device;
static unsigned lines;

static void take_line(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                      const char *text)
{
    (void)context;
    lines++;
    last_device = device;
    last_status = status;
    snprintf(last_text, sizeof last_text, "%s", text);
}

static const struct smc_io_client client = {.log = take_line};

static int setup(void **state)
{
    (void)state;
    lines = 0;
    smc_io_register(&client);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    smc_io_register(NULL);
    SmartcardSetDebugLevel(0);
    return 0;
}

static void test_log_line_reaches_the_client_without_newline(void **state)
{
    DEVICE_OBJECT device;

    (void)state;
    SmcLog(&device, STATUS_IO_TIMEOUT, "slot %d: no answer\n", 3);
    assert_string_equal(last_text, "slot 3: no answer");
    assert_status(last_status, STATUS_IO_TIMEOUT);
    assert_ptr_equal(last_device, &device);
}

static void test_log_line_that_is_too_long_is_cut(void **state)
{
    char text[2000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    SmcLog(NULL, STATUS_SUCCESS, "%s", text);
    assert_int_equal(strlen(last_text), 511);
}

static void test_log_without_client_is_dropped(void **state)
{
    (void)state;
    smc_io_register(NULL);
    SmcLog(NULL, STATUS_SUCCESS, "nobody hears this");
    assert_int_equal(lines, 0);
}

static void test_log_error_makes_the_insertion_printable(void **state)
{
    WCHAR wide[] = {'A', '\n', 0x263A, 'B'};
    UNICODE_STRING insertion = {sizeof wide, sizeof wide, wide};
    int no_device;

    (void)state;
    SmartcardLogError(&no_device, STATUS_UNSUCCESSFUL, &insertion, 0x2A);
    assert_string_equal(last_text, "A??B (0x2a)");
    assert_null(last_device);
    SmartcardLogError(NULL, STATUS_UNSUCCESSFUL, NULL, 1);
    assert_string_equal(last_text, "(0x1)");
    insertion.Buffer = NULL;
    SmartcardLogError(NULL, STATUS_UNSUCCESSFUL, &insertion, 2);
    assert_string_equal(last_text, "(0x2)");
}

static void test_log_error_of_a_device_names_it_and_cuts_the_insertion(void **state)
{
    static DRIVER_OBJECT driver;
    PDEVICE_OBJECT first, second;
    WCHAR wide[200];
    UNICODE_STRING insertion = {sizeof wide, sizeof wide, wide};

    (void)state;
    for (size_t i = 0; i < 200; i++)
        wide[i] = 'x';
    assert_status(IoCreateDevice(&driver, 0, NULL, 0, 0, FALSE, &first), STATUS_SUCCESS);
    assert_status(IoCreateDevice(&driver, 0, NULL, 0, 0, FALSE, &second), STATUS_SUCCESS);
    SmartcardLogError(first, STATUS_UNSUCCESSFUL, &insertion, 3);
    assert_ptr_equal(last_device, first);
    assert_int_equal(strlen(last_text), 127 + strlen(" (0x3)"));
    SmartcardLogError(&driver, STATUS_UNSUCCESSFUL, NULL, 4);
    assert_null(last_device);
    IoDeleteDevice(first);
    IoDeleteDevice(second);
}

static void test_log_line_of_nothing_is_empty(void **state)
{
    (void)state;
    SmcLog(NULL, STATUS_SUCCESS, "\n%s\n", "");
    assert_string_equal(last_text, "");
}

static void test_log_debug_follows_the_level_but_errors_always_come(void **state)
{
    (void)state;
    SmartcardDebug(DEBUG_DRIVER, ("quiet %d\n", 1));
    assert_int_equal(lines, 0);
    SmartcardDebug(DEBUG_ERROR, ("error %d\n", 2));
    assert_string_equal(last_text, "error 2");
    SmartcardSetDebugLevel(DEBUG_DRIVER);
    assert_int_equal(SmartcardGetDebugLevel(), DEBUG_DRIVER);
    SmartcardDebug(DEBUG_DRIVER, ("now %d\n", 3));
    assert_string_equal(last_text, "now 3");
    SmartcardDebug(DEBUG_ATR, ("not this\n"));
    assert_int_equal(lines, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_line_reaches_the_client_without_newline,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_line_that_is_too_long_is_cut, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_log_without_client_is_dropped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_log_error_makes_the_insertion_printable,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log_debug_follows_the_level_but_errors_always_come, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log_error_of_a_device_names_it_and_cuts_the_insertion, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_line_of_nothing_is_empty, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
