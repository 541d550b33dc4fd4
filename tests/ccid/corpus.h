/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * corpus.h - rows of ccid-readers.jsonl: flat JSON objects, one a line, named as in CCID
 * 1.1 table 5.1-1. Just enough of JSON for that file.
 */
#ifndef TEST_CORPUS_H
#define TEST_CORPUS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Opens a file of $SCARDFS_TEST_DATA; NULL after "SKIP <name>: <reason>". */
FILE *corpus_open(const char *file, const char *test_name);

/* A number, decimal or a string of hex digits. Fails the test when the key is missing. */
uint32_t corpus_number(const char *row, const char *key);
uint32_t corpus_hex(const char *row, const char *key);
/* A string without escapes. */
void corpus_string(const char *row, const char *key, char *out, size_t size);
/* A string of hex digits as bytes; returns their number. */
size_t corpus_bytes(const char *row, const char *key, uint8_t *out, size_t size);

#endif
