/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * corpus.c - every reader of a corpus of descriptors at work on the driver.
 *
 * usage: corpus [FILE]
 *
 * FILE has a JSON object a line with fields named as in CCID 1.1 table 5.1-1 (see
 * ccid/virtual_corpus.h); without it, SCARDFS_CORPUS names the file, or else it is
 * ccid-readers.jsonl in the folder that SCARDFS_TEST_DATA names (../shared/data). Each
 * descriptor must be read as its row says, and a virtual reader in that shape must do
 * what trial.h says.
 *
 * Ends with a table. Status 0: every row has passed or been refused as documented; 1:
 * some have not, or the file is no corpus; 77: there is no file, and none was asked for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smclib/io.h"

#include "trial.h"

#define LINE_MAX_BYTES 65536
#define REASONS_MAX    8
#define LEVELS         6

static const char *const level_names[LEVELS] = {
    "character level",     "TPDU level",     "short APDU level",
    "extended APDU level", "ICCD version A", "ICCD version B",
};

struct table {
    unsigned rows, passed, refused, failed, slots;
    unsigned long exchanges;
    struct {
        unsigned rows, passed, refused, failed;
    } levels[LEVELS];
    struct {
        const char *text;
        NTSTATUS status;
        unsigned count;
    } reasons[REASONS_MAX];
    unsigned bad_lines;
};

/* ---- the table ------------------------------------------------------------------------
 */

static void count_reason(struct table *table, const struct trial_result *result)
{
    for (unsigned i = 0; i < REASONS_MAX; i++) {
        if (table->reasons[i].text != NULL && table->reasons[i].text != result->reason)
            continue;
        table->reasons[i].text = result->reason;
        table->reasons[i].status = result->status;
        table->reasons[i].count++;
        return;
    }
}

static unsigned level_of(const struct row *row)
{
    switch (row->model.shape.transport) {
    case CCID_TRANSPORT_ICCD_A:
        return 4;
    case CCID_TRANSPORT_ICCD_B:
        return 5;
    case CCID_TRANSPORT_BULK:
        break;
    }
    return (unsigned)row->model.shape.level;
}

static void count(struct table *table, const struct row *row,
                  const struct trial_result *result)
{
    unsigned level = level_of(row);

    table->rows++;
    table->slots += result->slots;
    table->exchanges += result->exchanges;
    table->levels[level].rows++;
    switch (result->outcome) {
    case TRIAL_PASSED:
        table->passed++;
        table->levels[level].passed++;
        break;
    case TRIAL_REFUSED:
        table->refused++;
        table->levels[level].refused++;
        count_reason(table, result);
        break;
    case TRIAL_FAILED:
        table->failed++;
        table->levels[level].failed++;
        break;
    }
}

static void print(const struct table *table)
{
    printf("%-20s %6s %7s %8s %7s\n", "", "rows", "passed", "refused", "failed");
    for (unsigned i = 0; i < LEVELS; i++) {
        printf("%-20s %6u %7u %8u %7u\n", level_names[i], table->levels[i].rows,
               table->levels[i].passed, table->levels[i].refused,
               table->levels[i].failed);
    }
    printf("%-20s %6u %7u %8u %7u\n", "all", table->rows, table->passed, table->refused,
           table->failed);
    printf("%u slots, %lu messages and requests\n", table->slots, table->exchanges);
    for (unsigned i = 0; i < REASONS_MAX && table->reasons[i].text != NULL; i++) {
        printf("%u refused %d bytes with %s: %s\n", table->reasons[i].count,
               TRIAL_ECHO_LEN, smc_status_name(table->reasons[i].status),
               table->reasons[i].text);
    }
    if (table->bad_lines != 0)
        printf("%u lines that describe no reader\n", table->bad_lines);
}

/* ---- the file
 * -------------------------------------------------------------------------- */

static void run_line(struct table *table, unsigned number, const char *line)
{
    static struct row row;
    char problem[ROW_PROBLEM_MAX];
    struct trial_result result = {.outcome = TRIAL_FAILED};

    if (!row_read(line, strlen(line), &row, problem)) {
        printf("line %u: %s\n", number, problem);
        table->bad_lines++;
        return;
    }
    if (row_parses_as_it_says(&row, result.problem))
        trial_run(&row, &result);
    if (result.outcome == TRIAL_FAILED)
        printf("FAILED line %u, %s: %s\n", number, row.name, result.problem);
    count(table, &row, &result);
    row_free(&row);
}

/* The rest of a line that is longer than any of a corpus. */
static void skip_line(FILE *file)
{
    int c;

    do {
        c = fgetc(file);
    } while (c != '\n' && c != EOF);
}

static void run_file(struct table *table, FILE *file)
{
    static char line[LINE_MAX_BYTES];

    for (unsigned number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
        if (strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n') {
            skip_line(file);
            printf("line %u: longer than %d bytes\n", number, LINE_MAX_BYTES);
            table->bad_lines++;
        } else if (line[strspn(line, " \t\r\n")] != 0) {
            run_line(table, number, line);
        }
    }
}

int main(int argc, char **argv)
{
    const char *asked = argc > 1 ? argv[1] : getenv("SCARDFS_CORPUS");
    const char *folder = getenv("SCARDFS_TEST_DATA");
    struct table table = {0};
    char path[4096];
    FILE *file;

    if (asked != NULL)
        snprintf(path, sizeof(path), "%s", asked);
    else
        snprintf(path, sizeof(path), "%s/ccid-readers.jsonl",
                 folder != NULL ? folder : "../shared/data");
    file = fopen(path, "re");
    if (file == NULL) {
        printf("%s: %s: %s\n", asked != NULL ? "corpus" : "SKIP corpus", path,
               strerror(errno));
        return asked != NULL ? 1 : 77;
    }
    run_file(&table, file);
    if (ferror(file))
        printf("corpus: %s: %s\n", path, strerror(errno));
    else if (table.rows == 0)
        printf("corpus: %s: no reader in it\n", path);
    if (table.rows != 0 || table.bad_lines != 0)
        print(&table);
    if (ferror(file) || table.rows == 0 || table.failed != 0 || table.bad_lines != 0) {
        fclose(file);
        return 1;
    }
    fclose(file);
    return 0;
}
