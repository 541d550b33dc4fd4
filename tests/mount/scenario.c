/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario.c - what a resource manager does, through the mount by ioctl: start-up without
 * a card, arrival and connect, disconnect. Exact statuses and bytes.
 *
 * One virtual reader with power=lazy; the tests build on each other. What the mount hides
 * (a second IRP_MJ_CREATE, the tracker's DEVICE_BUSY) is tested against the library.
 */
#include "exchange.h"

#include <fcntl.h>
#include <unistd.h>

#define ATR    "3b88800154455354424544015d"
#define ATR_T0 "3b951840ff6201020104" /* T=0 alone, TA1 = 18 */

/* ---- start-up without a card ----------------------------------------------------- */

static void test_startup_every_open_succeeds(void **state)
{
    int second = open(daemon_path(&scardfs, "reader0/control"), O_RDWR | O_CLOEXEC);

    (void)state;
    assert_true(second >= 0);
    close(second);
}

static void test_startup_attributes_name_the_reader(void **state)
{
    static const struct exchange table[] = {
        {"vendor name", GET_ATTRIBUTE, "00010100", 64, STATUS_SUCCESS, "73636172646673"},
        {"ifd type", GET_ATTRIBUTE, "01010100", 64, STATUS_SUCCESS,
         "5669727475616c20526561646572"},
        {"device unit", GET_ATTRIBUTE, "0100ff7f", 64, STATUS_SUCCESS, "00000000"},
        {"characteristics", GET_ATTRIBUTE, "50010600", 64, STATUS_SUCCESS, "00000000"},
        {"no room", GET_ATTRIBUTE, "00010100", 0, STATUS_BUFFER_TOO_SMALL, NULL},
        {"unknown tag", GET_ATTRIBUTE, "34120100", 64, STATUS_NOT_SUPPORTED, NULL},
        {"short tag", GET_ATTRIBUTE, "0001", 64, STATUS_INVALID_PARAMETER, NULL},
        {"device in use", SET_ATTRIBUTE, "0200ff7f01000000", 0, STATUS_SUCCESS, ""},
    };

    (void)state;
    CHECK_ALL(table);
}

static void test_startup_without_a_card_is_absent(void **state)
{
    static const struct exchange table[] = {
        {"state", GET_STATE, "", 4, STATUS_SUCCESS, "01000000"},
        {"is absent", IOCTL_SMARTCARD_IS_ABSENT, "", 0, STATUS_SUCCESS, ""},
    };

    (void)state;
    CHECK_ALL(table);
}

static void test_startup_while_a_wait_pends_others_are_answered(void **state)
{
    static const struct exchange table[] = {
        {"state", GET_STATE, "", 4, STATUS_SUCCESS, "01000000"},
        {"is absent", IOCTL_SMARTCARD_IS_ABSENT, "", 0, STATUS_SUCCESS, ""},
        {"cold reset", POWER, "01000000", 33, STATUS_NO_MEDIA, NULL},
        {"protocol", SET_PROTOCOL, "03000000", 4, STATUS_NO_MEDIA, NULL},
        {"transmit", TRANSMIT, "010000000800000000a40000023f00", 64, STATUS_NO_MEDIA,
         NULL},
        {"swallow", IOCTL_SMARTCARD_SWALLOW, "", 0, STATUS_NOT_SUPPORTED, NULL},
    };
    struct waiter w;

    (void)state;
    waiter_begin(&w, IOCTL_SMARTCARD_IS_PRESENT);
    until_in_ioctl(&w.tid);
    CHECK_ALL(table);
    assert_false(waiter_has_ended(&w, 0));
    assert_can_be_cancelled(&w);
}

/* ---- arrival and connect --------------------------------------------------------- */

static void test_arrival_completes_the_wait(void **state)
{
    static const struct exchange swallowed = {"state", GET_STATE,      "",
                                              4,       STATUS_SUCCESS, "03000000"};
    struct waiter w;

    (void)state;
    waiter_begin(&w, IOCTL_SMARTCARD_IS_PRESENT);
    assert_int_equal(daemon_command(&scardfs, "insert reader0\n"), 0);
    assert_ends_with_success(&w);
    check(&swallowed);
}

static void test_arrival_unpowered_card_takes_nothing_but_power(void **state)
{
    static const struct exchange table[] = {
        {"transmit", TRANSMIT, "010000000800000000a40000023f00", 64,
         STATUS_INVALID_DEVICE_STATE, NULL},
        {"protocol", SET_PROTOCOL, "03000000", 4, STATUS_INVALID_DEVICE_STATE, NULL},
        {"reset, no room", POWER, "01000000", 32, STATUS_BUFFER_TOO_SMALL, NULL},
        {"still unpowered", GET_STATE, "", 4, STATUS_SUCCESS, "03000000"},
        {"reset", POWER, "01000000", 33, STATUS_SUCCESS, ATR},
        {"negotiable", GET_STATE, "", 4, STATUS_SUCCESS, "05000000"},
        {"atr", GET_ATTRIBUTE, "03030900", 64, STATUS_SUCCESS, ATR},
        {"presence", GET_ATTRIBUTE, "00030900", 64, STATUS_SUCCESS, "02"},
        {"no protocol yet", GET_ATTRIBUTE, "01020800", 64, STATUS_INVALID_DEVICE_STATE,
         NULL},
    };

    (void)state;
    CHECK_ALL(table);
}

static void test_connect_selects_t1_before_t0(void **state)
{
    static const struct exchange table[] = {
        {"unknown protocol", SET_PROTOCOL, "00000040", 4, STATUS_INVALID_DEVICE_REQUEST,
         NULL},
        {"raw alone", SET_PROTOCOL, "00000100", 4, STATUS_NOT_SUPPORTED, NULL},
        {"still negotiable", GET_STATE, "", 4, STATUS_SUCCESS, "05000000"},
        {"either", SET_PROTOCOL, "03000000", 4, STATUS_SUCCESS, "02000000"},
        {"specific", GET_STATE, "", 4, STATUS_SUCCESS, "06000000"},
        {"the other one", SET_PROTOCOL, "01000000", 4, STATUS_NOT_SUPPORTED, NULL},
        {"the same one", SET_PROTOCOL, "02000000", 4, STATUS_SUCCESS, "02000000"},
        {"protocol type", GET_ATTRIBUTE, "01020800", 64, STATUS_SUCCESS, "02000000"},
    };

    (void)state;
    CHECK_ALL(table);
}

static void test_connect_transmit_exchanges_apdus(void **state)
{
    static const struct exchange table[] = {
        {"select", TRANSMIT, "020000000800000000a40000023f00", 64, STATUS_SUCCESS,
         "02000000080000009000"},
        {"select, exactly fits", TRANSMIT, "020000000800000000a40000023f00", 10,
         STATUS_SUCCESS, "02000000080000009000"},
        {"select, no room", TRANSMIT, "020000000800000000a40000023f00", 9,
         STATUS_BUFFER_TOO_SMALL, NULL},
        {"and then", TRANSMIT, "020000000800000000ca000003", 64, STATUS_SUCCESS,
         "02000000080000000001029000"},
        {"another protocol", TRANSMIT, "010000000800000000a40000023f00", 64,
         STATUS_INVALID_DEVICE_STATE, NULL},
        {"echo", TRANSMIT, "020000000800000080e0000003a1b2c3", 64, STATUS_SUCCESS,
         "0200000008000000a1b2c39000"},
    };

    (void)state;
    CHECK_ALL(table);
}

/* ISO/IEC 7816-4 §5.1: none of these is an APDU, and none reaches the card. */
static void test_connect_malformed_apdu_is_refused_before_any_io(void **state)
{
    static const struct exchange table[] = {
        {"nothing", TRANSMIT, "0200000008000000", 64, STATUS_INVALID_PARAMETER, NULL},
        {"one byte", TRANSMIT, "020000000800000000", 64, STATUS_INVALID_PARAMETER, NULL},
        {"three bytes", TRANSMIT, "020000000800000000a400", 64, STATUS_INVALID_PARAMETER,
         NULL},
        {"Lc 8, no data", TRANSMIT, "020000000800000000a400000800", 64,
         STATUS_INVALID_PARAMETER, NULL},
        {"Lc 2, four bytes", TRANSMIT, "020000000800000000a400000201020304", 64,
         STATUS_INVALID_PARAMETER, NULL},
        {"extended Lc cut", TRANSMIT, "020000000800000000a400000000", 64,
         STATUS_INVALID_PARAMETER, NULL},
        {"header cut", TRANSMIT, "02000000080000", 64, STATUS_INVALID_PARAMETER, NULL},
        {"header of 4", TRANSMIT, "020000000400000000a40000023f00", 64,
         STATUS_INVALID_PARAMETER, NULL},
    };
    /* but for the readers' own pseudo-APDUs: they go down in whatever form */
    static const struct exchange pseudo_apdu = {
        "class FF", TRANSMIT,       "0200000008000000ffca00000800",
        64,         STATUS_SUCCESS, "02000000080000006700"};
    uint8_t in[64], before[64], after[64];
    size_t in_len = unhex("020000000800000080e8000004", in), before_len = 64,
           after_len = 64;
    NTSTATUS status = UNTOUCHED;

    (void)state;
    assert_int_equal(daemon_call(control, TRANSMIT, in, in_len, before, &before_len,
                                 SCARD_TIMEOUT_INFINITE, &status),
                     0);
    CHECK_ALL(table);
    check(&pseudo_apdu);
    assert_int_equal(daemon_call(control, TRANSMIT, in, in_len, after, &after_len,
                                 SCARD_TIMEOUT_INFINITE, &status),
                     0);
    assert_int_equal(before_len, 14);
    assert_int_equal(after_len, 14);
    assert_int_equal(after[11], before[11] + 2); /* the pseudo-APDU and the question */
}

static void test_connect_warm_reset_clears_the_protocol(void **state)
{
    static const struct exchange table[] = {
        {"warm reset", POWER, "02000000", 33, STATUS_SUCCESS, ATR},
        {"negotiable", GET_STATE, "", 4, STATUS_SUCCESS, "05000000"},
        {"transmit", TRANSMIT, "020000000800000000a40000023f00", 64,
         STATUS_INVALID_DEVICE_STATE, NULL},
        {"t=0 this time", SET_PROTOCOL, "01000000", 4, STATUS_SUCCESS, "01000000"},
        {"transmit", TRANSMIT, "010000000800000000a40000023f00", 64, STATUS_SUCCESS,
         "01000000080000009000"},
    };

    (void)state;
    CHECK_ALL(table);
}

/* ---- disconnect ------------------------------------------------------------------ */

static void test_disconnect_power_down_is_repeatable(void **state)
{
    static const struct exchange table[] = {
        {"down", POWER, "00000000", 0, STATUS_SUCCESS, ""},
        {"swallowed", GET_STATE, "", 4, STATUS_SUCCESS, "03000000"},
        {"again", POWER, "00000000", 0, STATUS_SUCCESS, ""},
        {"swallowed", GET_STATE, "", 4, STATUS_SUCCESS, "03000000"},
        {"atr stays", GET_ATTRIBUTE, "03030900", 64, STATUS_SUCCESS, ATR},
        {"no such minor", POWER, "07000000", 33, STATUS_INVALID_PARAMETER, NULL},
        {"short input", POWER, "0000", 33, STATUS_INVALID_PARAMETER, NULL},
    };

    (void)state;
    CHECK_ALL(table);
}

static void test_disconnect_removal_completes_the_wait(void **state)
{
    static const struct exchange table[] = {
        {"absent", GET_STATE, "", 4, STATUS_SUCCESS, "01000000"},
        {"atr", GET_ATTRIBUTE, "03030900", 64, STATUS_INVALID_DEVICE_STATE, NULL},
    };
    struct waiter w;

    (void)state;
    waiter_begin(&w, IOCTL_SMARTCARD_IS_ABSENT);
    assert_int_equal(daemon_command(&scardfs, "remove reader0\n"), 0);
    assert_ends_with_success(&w);
    CHECK_ALL(table);
}

static void test_t0_card_refuses_t1_and_tells_its_rates(void **state)
{
    static const struct exchange table[] = {
        {"reset", POWER, "01000000", 33, STATUS_SUCCESS, ATR_T0},
        {"t=1 alone", SET_PROTOCOL, "02000000", 4, STATUS_NOT_SUPPORTED, NULL},
        {"still negotiable", GET_STATE, "", 4, STATUS_SUCCESS, "05000000"},
        {"either", SET_PROTOCOL, "03000000", 4, STATUS_SUCCESS, "01000000"},
        {"protocol type", GET_ATTRIBUTE, "01020800", 64, STATUS_SUCCESS, "01000000"},
        {"F 372", GET_ATTRIBUTE, "03020800", 64, STATUS_SUCCESS, "74010000"},
        {"D 12", GET_ATTRIBUTE, "04020800", 64, STATUS_SUCCESS, "0c000000"},
        {"select", TRANSMIT, "010000000800000000a40000023f00", 64, STATUS_SUCCESS,
         "01000000080000009000"},
        {"reset again", POWER, "01000000", 33, STATUS_SUCCESS, ATR_T0},
        {"default rates", SET_PROTOCOL, "01000080", 4, STATUS_SUCCESS, "01000000"},
        {"F 372", GET_ATTRIBUTE, "03020800", 64, STATUS_SUCCESS, "74010000"},
        {"D 1", GET_ATTRIBUTE, "04020800", 64, STATUS_SUCCESS, "01000000"},
    };

    (void)state;
    assert_int_equal(daemon_command(&scardfs, "insert reader0 " ATR_T0 "\n"), 0);
    CHECK_ALL(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_startup_every_open_succeeds),
        cmocka_unit_test(test_startup_attributes_name_the_reader),
        cmocka_unit_test(test_startup_without_a_card_is_absent),
        cmocka_unit_test(test_startup_while_a_wait_pends_others_are_answered),
        cmocka_unit_test(test_arrival_completes_the_wait),
        cmocka_unit_test(test_arrival_unpowered_card_takes_nothing_but_power),
        cmocka_unit_test(test_connect_selects_t1_before_t0),
        cmocka_unit_test(test_connect_transmit_exchanges_apdus),
        cmocka_unit_test(test_connect_malformed_apdu_is_refused_before_any_io),
        cmocka_unit_test(test_connect_warm_reset_clears_the_protocol),
        cmocka_unit_test(test_disconnect_power_down_is_repeatable),
        cmocka_unit_test(test_disconnect_removal_completes_the_wait),
        cmocka_unit_test(test_t0_card_refuses_t1_and_tells_its_rates),
    };

    if (!daemon_possible("scenario"))
        return 77;
    return cmocka_run_group_tests(tests, exchange_begin, exchange_end);
}
