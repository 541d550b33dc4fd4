/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every ATR of the corpus, read by smc_atr_parse, against what two other parsers agreed
 * on. Where they call an ATR invalid and this library takes it, the reason must be one
 * that the library is meant to take: surplus bytes behind a T=0-only ATR.
 */
#include "fake_reader.h"
#include "smclib/internal.h"

#include <stdlib.h>

#define SKIPPED 77

static FILE *corpus;

/* The value behind "key": in a line of JSON; NULL without. */
static const char *value_of(const char *line, const char *key)
{
    char quoted[64];
    const char *at;

    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    at = strstr(line, quoted);
    return at != NULL ? at + strlen(quoted) : NULL;
}

static bool is(const char *line, const char *key, const char *word)
{
    const char *value = value_of(line, key);

    return value != NULL && strncmp(value, word, strlen(word)) == 0;
}

static long number(const char *line, const char *key)
{
    const char *value = value_of(line, key);

    assert_non_null(value);
    return strtol(value, NULL, 10);
}

static void atr_bytes(const char *line, UCHAR *atr, size_t room, size_t *len)
{
    char hex[200];
    const char *value = value_of(line, "atr");
    size_t digits = strcspn(value + 1, "\"");

    assert_true(digits < sizeof hex);
    memcpy(hex, value + 1, digits);
    hex[digits] = '\0';
    *len = fake_hex(hex, atr, room);
}

static ULONG protocols_of(const char *line)
{
    const char *value = value_of(line, "protocols");
    ULONG protocols = 0;

    for (const char *p = value + 1; *p != ']'; p++) {
        if (*p == '0' && !(p[-1] >= '0' && p[-1] <= '9'))
            protocols |= SCARD_PROTOCOL_T0;
        if (*p == '1' && !(p[1] >= '0' && p[1] <= '9'))
            protocols |= SCARD_PROTOCOL_T1;
    }
    return protocols;
}

static void compare_t1(const char *line, const struct smc_atr *atr)
{
    const char *t1 = value_of(line, "t1");
    long ifsc;

    if (strncmp(t1, "null", 4) == 0)
        return;
    ifsc = number(t1, "ifsc");
    assert_int_equal(atr->ifsc, ifsc == 0 || ifsc == 255 ? 32 : ifsc);
    assert_int_equal(atr->bwi, number(t1, "bwi") <= 9 ? number(t1, "bwi") : 4);
    assert_int_equal(atr->cwi, number(t1, "cwi"));
    assert_int_equal(atr->edc, is(t1, "edc", "\"CRC\"") ? T1_CRC_CHECK : 0);
}

static void compare(const char *line)
{
    struct smc_atr atr;
    UCHAR bytes[100];
    size_t len;
    NTSTATUS status;

    atr_bytes(line, bytes, sizeof bytes, &len);
    status = smc_atr_parse(bytes, len, &atr);
    if (is(line, "historical_truncated", "true") || len > SCARD_ATR_LENGTH) {
        assert_status(status, STATUS_UNRECOGNIZED_MEDIA);
        return;
    }
    assert_status(status, STATUS_SUCCESS);
    assert_int_equal(atr.inverse, is(line, "convention", "\"inverse\""));
    assert_int_equal(atr.protocols, protocols_of(line));
    assert_int_equal(atr.first_protocol, number(line, "first_offered"));
    assert_int_equal(atr.global, is(line, "global_t15", "true"));
    assert_int_equal(atr.historical_len, number(line, "K"));
    assert_int_equal(atr.n, number(line, "guard_n"));
    assert_int_equal(atr.wi, number(line, "wi") == 0 ? 10 : number(line, "wi"));
    assert_int_equal(atr.specific, is(line, "specific_mode", "true"));
    if (atr.specific) {
        assert_int_equal(atr.specific_protocol, number(line, "specific_protocol"));
        assert_int_equal(atr.implicit, is(line, "specific_implicit_params", "true"));
        assert_int_equal(atr.can_change, is(line, "specific_can_change", "true"));
    }
    if (is(line, "Fi", "null") || is(line, "Di", "null")) {
        assert_int_equal(atr.faults & SMC_ATR_FAULT_TA1, SMC_ATR_FAULT_TA1);
    } else {
        assert_int_equal(atr.faults & SMC_ATR_FAULT_TA1, 0);
        assert_int_equal(smc_clock_rates[atr.fl].F, number(line, "Fi"));
        assert_int_equal(smc_bit_rates[atr.dl].DNumerator, number(line, "Di"));
    }
    assert_int_equal((atr.faults & SMC_ATR_FAULT_TCK) != 0,
                     is(line, "tck_required", "true") && !is(line, "tck_ok", "true"));
    compare_t1(line, &atr);
    if (is(line, "valid", "false") && atr.faults == 0)
        assert_true(atr.surplus > 0 && is(line, "tck_required", "false"));
}

static void test_atr_corpus_agrees_in_every_row(void **state)
{
    static char line[8192];
    unsigned rows = 0;

    (void)state;
    while (fgets(line, sizeof line, corpus) != NULL) {
        rows++;
        compare(line);
    }
    assert_true(rows > 1000);
}

int main(void)
{
    const char *folder = getenv("SCARDFS_TEST_DATA");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atr_corpus_agrees_in_every_row),
    };
    char path[1024];
    int failed;

    snprintf(path, sizeof path, "%s/atr-corpus.jsonl",
             folder != NULL ? folder : "../shared/data");
    corpus = fopen(path, "r");
    if (corpus == NULL) {
        printf("SKIP test_atr_corpus_agrees_in_every_row: no %s\n", path);
        return SKIPPED;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    fclose(corpus);
    return failed;
}
