/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_reader.h"
#include "smclib/internal.h"

#include <stdlib.h>

static NTSTATUS parse(const char *hex, struct smc_atr *out)
{
    UCHAR atr[80];
    size_t len = fake_hex(hex, atr, sizeof atr);

    return smc_atr_parse(atr, len, out);
}

static void test_atr_of_one_line_cards_is_read(void **state)
{
    struct smc_atr atr;

    (void)state;
    assert_status(parse(ATR_T0, &atr), STATUS_SUCCESS);
    assert_int_equal(atr.faults, 0);
    assert_int_equal(atr.protocols, SCARD_PROTOCOL_T0);
    assert_int_equal(atr.fl, 1);
    assert_int_equal(atr.dl, 8);
    assert_int_equal(atr.wi, 0xFF);
    assert_int_equal(atr.n, 0);
    assert_int_equal(atr.historical_len, 5);
    assert_int_equal(atr.historical_at, 5);

    assert_status(parse(ATR_T1, &atr), STATUS_SUCCESS);
    assert_int_equal(atr.faults, 0);
    assert_int_equal(atr.protocols, SCARD_PROTOCOL_T1);
    assert_int_equal(atr.first_protocol, 1);
    assert_int_equal(atr.ifsc, 0xFE);
    assert_int_equal(atr.bwi, 6);
    assert_int_equal(atr.cwi, 7);
    assert_int_equal(atr.edc, 0);
    assert_int_equal(atr.historical_len, 15);
}

static void test_atr_with_all_interface_bytes_gives_their_values(void **state)
{
    struct smc_atr atr;

    (void)state;
    /* TA1 96 TB1 25 TC1 03 TD1 F1; TA2 11 TB2 32 TC2 14 TD2 F1; TA3 40 TB3 45 TC3 01
     * TD3 1F; TA4 C7; TCK */
    assert_status(parse("3B F0 96 25 03 F1 11 32 14 F1 40 45 01 1F C7 4C", &atr),
                  STATUS_SUCCESS);
    assert_int_equal(atr.faults & ~SMC_ATR_FAULT_TCK, 0);
    assert_int_equal(atr.fl, 9);
    assert_int_equal(atr.dl, 6);
    assert_int_equal(atr.ii_ma, 50);
    assert_int_equal(atr.p, 50); /* TB2 in front of TB1 */
    assert_int_equal(atr.n, 3);
    assert_true(atr.specific);
    assert_true(atr.implicit);
    assert_true(atr.can_change);
    assert_int_equal(atr.specific_protocol, 1);
    assert_int_equal(atr.wi, 0x14);
    assert_int_equal(atr.ifsc, 0x40);
    assert_int_equal(atr.bwi, 4);
    assert_int_equal(atr.cwi, 5);
    assert_int_equal(atr.edc, T1_CRC_CHECK);
    assert_true(atr.global);
    assert_int_equal(atr.class_and_stop, 0xC7);
}

static void test_atr_without_values_gives_the_defaults(void **state)
{
    struct smc_atr atr;

    (void)state;
    assert_status(parse("3F 00", &atr), STATUS_SUCCESS);
    assert_true(atr.inverse);
    assert_int_equal(atr.protocols, SCARD_PROTOCOL_T0);
    assert_int_equal(atr.fl, 1);
    assert_int_equal(atr.dl, 1);
    assert_int_equal(atr.wi, 10);
    assert_int_equal(atr.ifsc, 32);
    assert_int_equal(atr.cwi, 13);
    assert_int_equal(atr.bwi, 4);
    assert_false(atr.specific);
}

static void test_atr_with_unusable_ifsc_or_wi_keeps_the_default(void **state)
{
    struct smc_atr atr;

    (void)state;
    assert_status(parse("3B 80 81 11 00 10", &atr), STATUS_SUCCESS); /* TA3 00 */
    assert_int_equal(atr.ifsc, 32);
    assert_status(parse("3B 80 81 11 FF EF", &atr), STATUS_SUCCESS);
    assert_int_equal(atr.ifsc, 32);
    assert_status(parse("3B 80 40 00", &atr), STATUS_SUCCESS); /* TC2 00 */
    assert_int_equal(atr.wi, 10);
}

static void test_atr_cut_anywhere_is_unrecognized_or_has_no_tck(void **state)
{
    UCHAR whole[40];
    size_t len = fake_hex(ATR_T1, whole, sizeof whole);

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        UCHAR *copy = malloc(cut > 0 ? cut : 1); /* so that a sanitizer sees the end */
        struct smc_atr atr;
        NTSTATUS status;

        memcpy(copy, whole, cut);
        status = smc_atr_parse(copy, cut, &atr);
        if (cut == len - 1) {
            assert_status(status, STATUS_SUCCESS);
            assert_int_equal(atr.faults, SMC_ATR_FAULT_TCK);
        } else {
            assert_status(status, STATUS_UNRECOGNIZED_MEDIA);
        }
        free(copy);
    }
}

static void test_atr_of_34_bytes_or_with_another_ts_is_unrecognized(void **state)
{
    static UCHAR bytes[34] = {0x3B, 0x00};
    struct smc_atr atr;

    (void)state;
    assert_status(smc_atr_parse(bytes, 34, &atr), STATUS_UNRECOGNIZED_MEDIA);
    assert_status(smc_atr_parse(bytes, 33, &atr), STATUS_SUCCESS);
    assert_int_equal(atr.surplus, 31);
    for (unsigned ts = 0; ts < 256; ts++) {
        bytes[0] = (UCHAR)ts;
        assert_status(smc_atr_parse(bytes, 2, &atr), ts == 0x3B || ts == 0x3F
                                                         ? STATUS_SUCCESS
                                                         : STATUS_UNRECOGNIZED_MEDIA);
    }
}

static void test_atr_with_reserved_fi_or_di_is_a_fault_read_as_11(void **state)
{
    UCHAR bytes[3] = {0x3B, 0x10, 0x00};
    struct smc_atr atr;

    (void)state;
    for (unsigned ta1 = 0; ta1 < 256; ta1++) {
        bool reserved =
            smc_clock_rates[ta1 >> 4].F == 0 || smc_bit_rates[ta1 & 15].DNumerator == 0;

        bytes[2] = (UCHAR)ta1;
        assert_status(smc_atr_parse(bytes, 3, &atr), STATUS_SUCCESS);
        assert_int_equal(atr.faults, reserved ? SMC_ATR_FAULT_TA1 : 0);
        assert_int_equal(atr.fl << 4 | atr.dl, reserved ? 0x11 : ta1);
    }
}

static void test_atr_with_any_wrong_tck_is_a_fault(void **state)
{
    UCHAR bytes[5] = {0x3B, 0x80, 0x80, 0x01, 0x01};
    struct smc_atr atr;

    (void)state;
    for (unsigned tck = 0; tck < 256; tck++) {
        bytes[4] = (UCHAR)tck;
        assert_status(smc_atr_parse(bytes, 5, &atr), STATUS_SUCCESS);
        assert_int_equal(atr.faults, tck == 1 ? 0 : SMC_ATR_FAULT_TCK);
    }
}

static void test_atr_with_bytes_behind_its_tck_is_a_fault(void **state)
{
    struct smc_atr atr;

    (void)state;
    assert_status(parse("3B 80 80 01 01 00", &atr), STATUS_SUCCESS);
    assert_int_equal(atr.faults, SMC_ATR_FAULT_TCK);
    assert_status(parse("3B 00 01", &atr), STATUS_SUCCESS);
    assert_int_equal(atr.faults, 0);
    assert_int_equal(atr.surplus, 1);
}

static void test_atr_of_random_bytes_stays_within_its_bytes(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        size_t len = (size_t)rand() % 40;
        UCHAR *bytes = malloc(len + 1);
        struct smc_atr atr;

        for (size_t i = 0; i < len; i++)
            bytes[i] = (UCHAR)rand();
        bytes[0] = 0x3B;
        if (NT_SUCCESS(smc_atr_parse(bytes, len, &atr)))
            assert_true((size_t)atr.historical_at + atr.historical_len <= len);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atr_of_one_line_cards_is_read),
        cmocka_unit_test(test_atr_with_all_interface_bytes_gives_their_values),
        cmocka_unit_test(test_atr_without_values_gives_the_defaults),
        cmocka_unit_test(test_atr_with_unusable_ifsc_or_wi_keeps_the_default),
        cmocka_unit_test(test_atr_cut_anywhere_is_unrecognized_or_has_no_tck),
        cmocka_unit_test(test_atr_of_34_bytes_or_with_another_ts_is_unrecognized),
        cmocka_unit_test(test_atr_with_reserved_fi_or_di_is_a_fault_read_as_11),
        cmocka_unit_test(test_atr_with_any_wrong_tck_is_a_fault),
        cmocka_unit_test(test_atr_with_bytes_behind_its_tck_is_a_fault),
        cmocka_unit_test(test_atr_of_random_bytes_stays_within_its_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
