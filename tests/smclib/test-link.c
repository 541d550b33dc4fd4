/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"
#include "smclib/internal.h"

static bool ends_with(const UNICODE_STRING *name, const char *tail)
{
    size_t count = name->Length / sizeof(WCHAR);
    size_t len = strlen(tail);

    for (size_t i = 0; i < len; i++) {
        if (count < len || name->Buffer[count - len + i] != (UCHAR)tail[i])
            return false;
    }
    return true;
}

static void test_link_takes_the_lowest_free_number(void **state)
{
    UNICODE_STRING device = {0, 0, NULL};
    UNICODE_STRING first, second, third;

    (void)state;
    assert_status(SmartcardCreateLink(&first, &device), STATUS_SUCCESS);
    assert_status(SmartcardCreateLink(&second, &device), STATUS_SUCCESS);
    assert_true(ends_with(&first, "\\DosDevices\\SCReader0"));
    assert_true(ends_with(&second, "SCReader1"));
    assert_status(SmartcardDeleteLink(&first), STATUS_SUCCESS);
    assert_status(SmartcardCreateLink(&third, &device), STATUS_SUCCESS);
    assert_true(ends_with(&third, "SCReader0"));
    assert_status(SmartcardDeleteLink(&second), STATUS_SUCCESS);
    assert_status(SmartcardDeleteLink(&third), STATUS_SUCCESS);
    assert_status(SmartcardDeleteLink(&third), STATUS_NO_SUCH_DEVICE);
    RtlFreeUnicodeString(&first);
    RtlFreeUnicodeString(&second);
    RtlFreeUnicodeString(&third);
}

static void test_link_without_an_argument_names_the_missing_one(void **state)
{
    UNICODE_STRING name = {0, 0, NULL};

    (void)state;
    assert_status(SmartcardCreateLink(NULL, &name), STATUS_INVALID_PARAMETER_1);
    assert_status(SmartcardCreateLink(&name, NULL), STATUS_INVALID_PARAMETER_2);
    assert_status(SmartcardDeleteLink(NULL), STATUS_INVALID_PARAMETER);
    assert_status(SmartcardDeleteLink(&name), STATUS_NO_SUCH_DEVICE);
}

static void test_link_numbers_run_out_at_256_and_come_back(void **state)
{
    UNICODE_STRING device = {0, 0, NULL};
    UNICODE_STRING names[256];
    UNICODE_STRING one_more;

    (void)state;
    for (size_t i = 0; i < 256; i++)
        assert_status(SmartcardCreateLink(&names[i], &device), STATUS_SUCCESS);
    assert_status(SmartcardCreateLink(&one_more, &device), STATUS_INSUFFICIENT_RESOURCES);
    for (size_t i = 0; i < 256; i++) {
        assert_status(SmartcardDeleteLink(&names[i]), STATUS_SUCCESS);
        RtlFreeUnicodeString(&names[i]);
    }
}

static void test_link_of_another_name_is_no_such_device(void **state)
{
    static const char *const names[] = {
        "\\DosDevices\\SCReader",   "\\DosDevices\\SCReader1234",
        "\\DosDevices\\SCWriter0",  "\\DosDevices\\SCReader/",
        "\\DosDevices\\SCReader0x", "\\DosDevices\\SCReader256",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        UNICODE_STRING name;

        assert_true(smc_string_make(&name, names[i]));
        assert_status(SmartcardDeleteLink(&name), STATUS_NO_SUCH_DEVICE);
        RtlFreeUnicodeString(&name);
    }
}

static char told[200];

static void take_link(void *context, const char *name, int created)
{
    size_t len = strlen(told);

    assert_ptr_equal(context, told);
    snprintf(told + len, sizeof told - len, "%c%s ", created ? '+' : '-', name);
}

static void test_link_is_told_to_the_client_when_it_comes_and_goes(void **state)
{
    static const struct smc_io_client client = {.context = told, .link = take_link};
    UNICODE_STRING device = {0, 0, NULL};
    UNICODE_STRING name;

    (void)state;
    smc_io_register(&client);
    assert_status(SmartcardCreateLink(&name, &device), STATUS_SUCCESS);
    assert_status(SmartcardDeleteLink(&name), STATUS_SUCCESS);
    assert_status(SmartcardDeleteLink(&name), STATUS_NO_SUCH_DEVICE);
    smc_io_register(NULL);
    assert_string_equal(told, "+\\DosDevices\\SCReader0 -\\DosDevices\\SCReader0 ");
    RtlFreeUnicodeString(&name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_takes_the_lowest_free_number),
        cmocka_unit_test(test_link_without_an_argument_names_the_missing_one),
        cmocka_unit_test(test_link_numbers_run_out_at_256_and_come_back),
        cmocka_unit_test(test_link_of_another_name_is_no_such_device),
        cmocka_unit_test(test_link_is_told_to_the_client_when_it_comes_and_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
