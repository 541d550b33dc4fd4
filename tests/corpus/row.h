/* SPDX-License-Identifier: BSD-2-Clause */
/* row.h - a line of a corpus of readers: the reader that it describes, and whether its
 * descriptor is read as the line says. */
#ifndef TESTS_CORPUS_ROW_H
#define TESTS_CORPUS_ROW_H

#include <jansson.h>

#include "ccid/virtual_corpus.h"

#define ROW_PROBLEM_MAX 160

struct row {
    json_t *json;
    struct ccid_virtual_model model;
    char name[192]; /* for the reports: the line's file, or VID:PID */
};

/* False: the line describes no reader, for that reason; nothing is to be freed. */
bool row_read(const char *line, size_t len, struct row *row,
              char problem[ROW_PROBLEM_MAX]);
void row_free(struct row *row);

/* Whether ccid_desc_parse reads the descriptor as the row's fields have it. */
bool row_parses_as_it_says(const struct row *row, char problem[ROW_PROBLEM_MAX]);

#endif
