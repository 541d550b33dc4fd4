/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every ATR of the corpus, read by smc_atr_parse, against what two other parsers agreed
 * on. What this library reads differently, and why, stands at `different`.
 */
#include "fake_reader.h"
#include "smclib/internal.h"

#include <stdlib.h>

#define SKIPPED 77

static FILE *corpus;

/* Where this library differs on purpose from the parsers that made the corpus. */
static struct {
    unsigned ifsc;    /* IFSC 00 and FF are reserved (7816-3 §11.4.2): 32, the default */
    unsigned bwi;     /* BWI above 9 is reserved: 4, the default */
    unsigned wi;      /* WI 0 is reserved (§10.2): 10, the default */
    unsigned refused; /* historical bytes cut off, or longer than 33 bytes */
    unsigned surplus; /* bytes behind a T=0-only ATR are ignored, not an error */
} different;

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
    different.ifsc += ifsc == 0 || ifsc == 255;
    different.bwi += number(t1, "bwi") > 9;
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
        different.refused++;
        return;
    }
    assert_status(status, STATUS_SUCCESS);
    assert_int_equal(atr.inverse, is(line, "convention", "\"inverse\""));
    assert_int_equal(atr.protocols, protocols_of(line));
    assert_int_equal(atr.first_protocol, number(line, "first_offered"));
    assert_int_equal(atr.global, is(line, "global_t15", "true"));
    assert_int_equal(atr.historical_len, number(line, "K"));
    assert_int_equal(atr.n, number(line, "guard_n"));
    different.wi += number(line, "wi") == 0;
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
    if (is(line, "valid", "false") && atr.faults == 0) {
        different.surplus++;
        assert_true(atr.surplus > 0 && is(line, "tck_required", "false"));
    }
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
    print_message("%u rows agree; on purpose: IFSC %u, BWI %u, WI %u, surplus bytes %u, "
                  "refused as a whole %u\n",
                  rows, different.ifsc, different.bwi, different.wi, different.surplus,
                  different.refused);
    assert_int_equal(rows, 1246);
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
