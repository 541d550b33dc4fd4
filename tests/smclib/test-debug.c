/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines that the library writes with all debug levels on: what they tell, and that
 * they tell no byte of a command or an answer. */
#include "fake_card.h"

static struct fake_reader reader;
static char lines[20000];

static void take_line(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                      const char *text)
{
    size_t len = strlen(lines);

    (void)context;
    (void)device;
    (void)status;
    snprintf(lines + len, sizeof lines - len, "%s\n", text);
}

static int setup(void **state)
{
    static const struct smc_io_client client = {.log = take_line};

    (void)state;
    smc_io_register(&client);
    fake_reader_setup(&reader);
    reader.ext.VendorAttr.UnitNo = 3;
    reader.ext.ReaderFunction[RDF_TRANSMIT] = fake_card_transmit;
    fake_card_reset(254);
    lines[0] = '\0';
    SmartcardSetDebugLevel(DEBUG_ALL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    SmartcardSetDebugLevel(0);
    fake_reader_teardown(&reader);
    smc_io_register(NULL);
    return 0;
}

static void run_session(const char *atr, const char *verify, const char *answer)
{
    static struct fake_request tracker;

    fake_send(&reader, &tracker, IOCTL_SMARTCARD_IS_PRESENT, "", 0);
    fake_reader_insert(&reader);
    fake_reader_set_atr(&reader, atr);
    fake_expect(&reader, IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_SUCCESS, atr);
    fake_expect(&reader, IOCTL_SMARTCARD_SET_PROTOCOL, "03000000", 4, STATUS_SUCCESS,
                reader.atr_len == 10 ? "01000000" : "02000000");
    fake_expect(&reader, IOCTL_SMARTCARD_TRANSMIT, verify, 20, STATUS_SUCCESS, answer);
}

static void test_debug_tells_what_happens(void **state)
{
    static const char *const expected[] = {
        "unit 3: ioctl 0x310028, 0 bytes in, room for 0\n",
        "tracker ends, STATUS_SUCCESS\n",
        "unit 3: ATR of 24 bytes, STATUS_SUCCESS: protocols 0x2, FI 1, DI 8, state 5\n",
        "unit 3: protocols 0x2 of 0x3, F 372, D 12, ",
        "unit 3: T=1 block c1 out, 5 bytes\n",
        "unit 3: T=1 block in, 5 bytes, STATUS_MORE_PROCESSING_REQUIRED\n",
        "unit 3: ioctl 0x310014 ends, STATUS_SUCCESS, 10 bytes out\n",
    };
    const char *at = lines;

    (void)state;
    run_session(ATR_T1, "0200000008000000 80E09000", "0200000008000000 9000");
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        at = strstr(at, expected[i]);
        if (at == NULL)
            fail_msg("no line \"%s\" at its place in:\n%s", expected[i], lines);
    }
}

static void test_debug_tells_of_an_atr_that_cannot_be_read(void **state)
{
    (void)state;
    fake_reader_insert(&reader);
    fake_reader_set_atr(&reader, "3B80800102");
    fake_expect(&reader, IOCTL_SMARTCARD_POWER, "01000000", 33, STATUS_UNRECOGNIZED_MEDIA,
                "");
    assert_non_null(strstr(lines, "unit 3: ATR of 5 bytes that cannot be read, "
                                  "STATUS_UNRECOGNIZED_MEDIA"));
}

/* The PIN 39 38 37 36 35 34, as bytes or as text. */
static void test_debug_tells_no_byte_of_a_command(void **state)
{
    static const char *const secrets[] = {"987654", "393837", "39 38", "39, 38", "0x39"};

    (void)state;
    run_session(ATR_T0, "0100000008000000 0020008006 393837363534",
                "0100000008000000 6D00");
    fake_reader_remove(&reader);
    run_session(ATR_T1, "0200000008000000 0020008006 393837363534",
                "0200000008000000 6D00");
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        assert_null(strstr(lines, secrets[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_debug_tells_what_happens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_debug_tells_of_an_atr_that_cannot_be_read,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_debug_tells_no_byte_of_a_command, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
