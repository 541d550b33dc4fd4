/* SPDX-License-Identifier: BSD-2-Clause */
/* test-atr.c - ccid/atr.c: the second chance for an ATR that the library refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench.h"
#include "ccid/slot.h"

static char answer[256];

static NTSTATUS power(struct bench *bench, const char *atr, size_t length)
{
    snprintf(answer, sizeof(answer), "80 %02zX000000 00 SS 00 00 00 %s", length, atr);
    bench_begin(bench, BENCH_EXTENDED);
    bench_add(bench, true);
    script_command(&bench->usb, BENCH_ON_OUT, answer);
    return bench_power(bench, SCARD_COLD_RESET);
}

static const struct {
    const char *atr;
    size_t length;
    const char *log;
} forgiven[] = {
    {"3B 80 01 80", 4, "wrong check character"},   /* should be 81 */
    {"3B 80 01", 3, "missing check character"},    /* and none */
    {"3B 10 10", 3, "reserved TA1"},               /* D = 0 */
    {"3B 10 7F", 3, "reserved TA1"},               /* F and D reserved */
    {"3B 90 F8 81 31 FE 45 00", 8, "wrong check"}, /* both: the last is remembered */
    {"3F 80 01 00", 4, "wrong check character"},   /* inverse convention */
};

/* Requirement 26: usable, with one line for each fault. */
static void test_wrong_tck_and_reserved_ta1_are_forgiven_with_a_warning(void **state)
{
    struct bench bench;

    (void)state;
    ccid_set_strict_atr(false);
    for (size_t i = 0; i < sizeof(forgiven) / sizeof(forgiven[0]); i++) {
        assert_int_equal(power(&bench, forgiven[i].atr, forgiven[i].length),
                         STATUS_SUCCESS);
        bench_reply_is(&bench, forgiven[i].atr);
        assert_non_null(strstr(bench.log, forgiven[i].log));
        assert_int_equal(bench.log_lines,
                         strstr(forgiven[i].atr, "90 F8") != NULL ? 2 : 1);
        assert_true(bench_state(&bench) >= SCARD_NEGOTIABLE);
        bench_end(&bench);
    }
}

/* The library has decoded it before; that of a reader that does not is the same. */
static void test_inverse_convention_undecoded_is_forgiven_as_well(void **state)
{
    struct bench bench;

    (void)state;
    assert_int_equal(power(&bench, "03 FE 7F 7F", 4), STATUS_SUCCESS);
    bench_reply_is(&bench, "3F 80 01 01");
    assert_non_null(strstr(bench.log, "wrong check character"));
    bench_end(&bench);
}

/* Requirement 26, the strict option. */
static void test_strict_option_refuses_what_is_otherwise_forgiven(void **state)
{
    struct bench bench;

    (void)state;
    ccid_set_strict_atr(true);
    for (size_t i = 0; i < sizeof(forgiven) / sizeof(forgiven[0]); i++) {
        snprintf(answer, sizeof(answer), "80 %02zX000000 00 SS 00 00 00 %s",
                 forgiven[i].length, forgiven[i].atr);
        bench_begin(&bench, BENCH_EXTENDED);
        bench_add(&bench, true);
        script_command(&bench.usb, BENCH_ON_OUT, answer);
        script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET),
                         STATUS_UNRECOGNIZED_MEDIA);
        assert_int_equal(bench_state(&bench), SCARD_SWALLOWED);
        bench_end(&bench);
    }
    ccid_set_strict_atr(false);
}

static void test_broken_structure_is_never_forgiven(void **state)
{
    static const struct {
        const char *atr;
        size_t length;
    } rows[] = {
        {"3B 0F 01 02", 4},    /* 15 historical bytes promised */
        {"3B F0 11", 3},       /* four interface bytes promised */
        {"3B 80 80 80 80", 5}, /* a chain that runs off the end */
        {"3B 80 02 82", 4},    /* T=2 only */
        {"11 80 01 81", 4},    /* no convention */
        {"03 FE BF BF", 4},    /* inverse, as it is on the line, and T=2 only */
        /* A chain of nine groups, all of them empty, and a wrong check character. */
        {"3B 80 81 81 81 81 81 81 81 81 01 00", 12},
    };
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(answer, sizeof(answer), "80 %02zX000000 00 SS 00 00 00 %s",
                 rows[i].length, rows[i].atr);
        bench_begin(&bench, BENCH_EXTENDED);
        bench_add(&bench, true);
        script_command(&bench.usb, BENCH_ON_OUT, answer);
        script_command(&bench.usb, BENCH_OFF_OUT, BENCH_OFF_IN);
        assert_int_equal(bench_power(&bench, SCARD_COLD_RESET),
                         STATUS_UNRECOGNIZED_MEDIA);
        bench_end(&bench);
    }
}

static ULONG attribute(struct bench *bench, ULONG tag)
{
    ULONG value = 0;

    assert_int_equal(bench_ioctl(bench, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, 4, 4),
                     STATUS_SUCCESS);
    memcpy(&value, bench->reply, bench->reply_length);
    return value;
}

/* What the card says is used although its check character is wrong. */
static void test_forgiven_atr_is_read_like_any_other(void **state)
{
    struct bench bench;

    (void)state;
    /* T=1, TA1 = 11, TC1 = 05, IFSC FE, BWI 4, CWI 5, LRC, wrong TCK. */
    assert_int_equal(power(&bench, "3B D0 11 05 81 31 FE 45 00", 9), STATUS_SUCCESS);
    script_command(&bench.usb, "6C 00000000 00 SS 000000",
                   "82 07000000 00 SS 00 00 01 11 10 00 4D 00 20 00");
    assert_int_equal(bench_set_protocol(&bench, SCARD_PROTOCOL_Tx), STATUS_SUCCESS);
    bench_reply_is(&bench, "02 00 00 00");
    assert_int_equal(attribute(&bench, SCARD_ATTR_CURRENT_IFSC), 0xFE);
    assert_int_equal(attribute(&bench, SCARD_ATTR_CURRENT_N), 5);
    bench_end(&bench);
}

static const SCARD_CARD_CAPABILITIES *card_of(const struct bench *bench)
{
    const struct ccid_slot *slot = bench->slots[0]->DeviceExtension;

    return &slot->ext.CardCapabilities;
}

/* ISO/IEC 7816-3 §11.4 and §8.3: the first TA, TB and TC that follow TD of T=1 count, the
 * first TA of T=15, and values that are reserved say nothing. */
static void test_interface_bytes_count_once_and_for_their_protocol(void **state)
{
    static const struct {
        const char *atr; /* all with a wrong check character */
        size_t length;
        uint8_t ifsc, bwi, cwi, edc, class_and_stop;
    } rows[] = {
        {"3B 80 81 31 00 45 00", 7, 32, 4, 5, 0, 0},
        {"3B 80 81 31 FF 45 00", 7, 32, 4, 5, 0, 0},
        {"3B 80 81 F1 40 45 01 71 50 67 00 00", 12, 0x40, 4, 5, 1, 0},
        {"3B 80 81 91 40 71 50 67 01 00", 10, 0x40, 6, 7, 1, 0},
        {"3B 80 81 9F C3 1F 07 00", 8, 32, 4, 13, 0, 0xC3},
        {"3B 80 81 7F C3 66 01 00", 8, 32, 4, 13, 0, 0xC3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const SCARD_CARD_CAPABILITIES *card;
        struct bench bench;

        assert_int_equal(power(&bench, rows[i].atr, rows[i].length), STATUS_SUCCESS);
        card = card_of(&bench);
        assert_int_equal(card->T1.IFSC, rows[i].ifsc);
        assert_int_equal(card->T1.BWI, rows[i].bwi);
        assert_int_equal(card->T1.CWI, rows[i].cwi);
        assert_int_equal(card->T1.EDC, rows[i].edc);
        assert_int_equal(card->ClassAndStop, rows[i].class_and_stop);
        assert_int_equal(card->Protocol.Supported, SCARD_PROTOCOL_T1);
        bench_end(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_tck_and_reserved_ta1_are_forgiven_with_a_warning),
        cmocka_unit_test(test_inverse_convention_undecoded_is_forgiven_as_well),
        cmocka_unit_test(test_strict_option_refuses_what_is_otherwise_forgiven),
        cmocka_unit_test(test_broken_structure_is_never_forgiven),
        cmocka_unit_test(test_forgiven_atr_is_read_like_any_other),
        cmocka_unit_test(test_interface_bytes_count_once_and_for_their_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
