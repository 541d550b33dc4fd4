/* SPDX-License-Identifier: BSD-2-Clause */
/* corpus.c - reads rows of ccid-readers.jsonl. */
#include "corpus.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

FILE *corpus_open(const char *file, const char *test_name)
{
    const char *folder = getenv("SCARDFS_TEST_DATA");
    char path[4096];
    FILE *f;

    if (folder == NULL)
        folder = "../shared/data";
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    f = fopen(path, "re");
    if (f == NULL)
        printf("SKIP %s: %s: %s (SCARDFS_TEST_DATA names the folder)\n", test_name, path,
               strerror(errno));
    return f;
}

static const char *value_of(const char *row, const char *key)
{
    char quoted[80];
    const char *at;

    snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
    at = strstr(row, quoted);
    if (at == NULL)
        fail_msg("no %s in the row", key);
    return at + strlen(quoted);
}

uint32_t corpus_number(const char *row, const char *key)
{
    return (uint32_t)strtoul(value_of(row, key), NULL, 10);
}

uint32_t corpus_hex(const char *row, const char *key)
{
    return (uint32_t)strtoul(value_of(row, key) + 1, NULL, 16);
}

void corpus_string(const char *row, const char *key, char *out, size_t size)
{
    const char *value = value_of(row, key);
    size_t length;

    assert_int_equal(*value, '"');
    value++;
    length = strcspn(value, "\"");
    assert_true(length < size);
    memcpy(out, value, length);
    out[length] = 0;
}

size_t corpus_bytes(const char *row, const char *key, uint8_t *out, size_t size)
{
    char text[256];
    size_t count;

    corpus_string(row, key, text, sizeof(text));
    count = strlen(text) / 2;
    assert_true(count <= size);
    for (size_t i = 0; i < count; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], 0};

        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return count;
}
