/* SPDX-License-Identifier: BSD-2-Clause */
/* test-metrics.c - what is counted where, and values that could break the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fs/internal.h"

static uint64_t sum(const uint64_t *counters, size_t count)
{
    uint64_t all = 0;

    for (size_t i = 0; i < count; i++)
        all += counters[i];
    return all;
}

static void test_apdu_counts_bytes_and_its_time_once(void **state)
{
    static const struct {
        uint64_t us;
        size_t slot;
    } rows[] = {{0, 0},
                {1000, 0},
                {1001, 1},
                {30000, 5},
                {30000000, 11},
                {30000001, SCFS_LATENCIES},
                {UINT64_C(3600000000), SCFS_LATENCIES}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scfs_metrics metrics = {0};

        scfs_metrics_apdu(&metrics, 5, 258, rows[i].us);
        assert_int_equal(metrics.apdus, 1);
        assert_int_equal(metrics.command_bytes, 5);
        assert_int_equal(metrics.response_bytes, 258);
        assert_int_equal(metrics.latencies[rows[i].slot], 1);
        assert_int_equal(sum(metrics.latencies, SCFS_LATENCIES + 1), 1);
        assert_int_equal(metrics.latency_us, rows[i].us);
        assert_int_equal(sum(metrics.errors, SCFS_ERROR_KINDS), 0);
    }
}

static void test_failure_counts_by_its_kind_once(void **state)
{
    static const struct {
        NTSTATUS status;
        size_t kind;
    } rows[] = {{STATUS_IO_TIMEOUT, 0},
                {STATUS_NO_MEDIA, 1},
                {STATUS_INVALID_PARAMETER, 9},
                {STATUS_ACCESS_DENIED, SCFS_ERROR_KINDS - 1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scfs_metrics metrics = {0};

        scfs_metrics_failed(&metrics, rows[i].status);
        assert_int_equal(metrics.errors[rows[i].kind], 1);
        assert_int_equal(sum(metrics.errors, SCFS_ERROR_KINDS), 1);
        assert_int_equal(metrics.apdus, 0);
    }
}

static void test_label_escapes_what_would_end_it(void **state)
{
    static const struct {
        const char *text, *written;
    } rows[] = {{"", ""},
                {"Reader 7", "Reader 7"},
                {"\"} 1\n# EOF", "\\\"} 1\\n# EOF"},
                {"a\\x0a", "a\\\\x0a"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        assert_non_null(out);
        scfs_metrics_label(out, rows[i].text);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(text, rows[i].written);
        free(text);
    }
}

static void test_text_without_readers_is_whole(void **state)
{
    static const struct scfs_options options;
    struct scfs fs;
    size_t len = 0;
    char *text;

    (void)state;
    scfs_init(&fs, &options, NULL);
    text = scfs_metrics_text(&fs, &len);
    assert_non_null(text);
    assert_int_equal(strlen(text), len);
    assert_non_null(strstr(text, "\nscard_readers 0\n"));
    assert_string_equal(text + len - 6, "# EOF\n");
    free(text);
    scfs_end(&fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apdu_counts_bytes_and_its_time_once),
        cmocka_unit_test(test_failure_counts_by_its_kind_once),
        cmocka_unit_test(test_label_escapes_what_would_end_it),
        cmocka_unit_test(test_text_without_readers_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
