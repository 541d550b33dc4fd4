/* SPDX-License-Identifier: BSD-2-Clause */
/* test-virtual_corpus.c - rows of real readers, good and bad, and where they are found.
 */
#include "ccid/virtual_corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "corpus.h"
#include "smclib/io.h"

#define DESCRIPTOR                                                                       \
    "36210001000703000000A00F0000A00F000000002A00000040050000FE00000000000000000000003"  \
    "00201000F010000000000000001"
#define IDENTITY "\"vid\": \"1209\", \"pid\": \"00fe\", \"bcdDevice\": \"0102\""
#define FACTS                                                                            \
    "\"bInterfaceNumber\": 1, \"bInterfaceClass\": 11, \"bInterfaceSubClass\": 0, "      \
    "\"bInterfaceProtocol\": 0, \"bNumEndpoints\": 3"
#define CLASS "\"class_descriptor\": \"" DESCRIPTOR "\""
#define ROW   IDENTITY ", " FACTS ", " CLASS

static const struct ccid_virtual_name name = {0x1209, 0x00FE, -1};

static NTSTATUS parse(const char *line, struct ccid_virtual_model *model)
{
    memset(model, 0, sizeof(*model));
    return ccid_virtual_row_parse(line, strlen(line), &name, model);
}

static void test_corpus_name_is_vid_pid_and_perhaps_an_interface(void **state)
{
    static const struct {
        const char *text;
        struct ccid_virtual_name name;
    } good[] = {
        {"076B:3031", {0x076B, 0x3031, -1}},
        {"08e6:34C0:1", {0x08E6, 0x34C0, 1}},
        {"08e6:34C0:255", {0x08E6, 0x34C0, 255}},
    };
    static const char *const bad[] = {
        "",
        "076B",
        "076B:",
        "076B:303",
        "076B:30311",
        "076B-3031",
        "076G:3031",
        "076B:3031:",
        "076B:3031:x",
        "076B:3031:256",
        "076B:3031:1:",
        "076B:3031:99999999999",
        "76B:3031",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct ccid_virtual_name read;

        assert_true(ccid_virtual_name_parse(good[i].text, &read));
        assert_int_equal(read.vid, good[i].name.vid);
        assert_int_equal(read.pid, good[i].name.pid);
        assert_int_equal(read.interface_number, good[i].name.interface_number);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ccid_virtual_name read;

        assert_false(ccid_virtual_name_parse(bad[i], &read));
    }
}

static void test_corpus_row_gives_identity_lists_and_shape(void **state)
{
    struct ccid_virtual_model model;
    const struct ccid_virtual_shape *shape = &model.shape;

    (void)state;
    assert_int_equal(parse("{" ROW ", \"iManufacturer\": \"Maker\", \"iProduct\": null, "
                           "\"iInterface\": \"4\", \"clocks_khz\": [4000, 8000], "
                           "\"data_rates_bps\": [10753, -1, 5], \"blocks\": 4}",
                           &model),
                     STATUS_SUCCESS);
    assert_int_equal(shape->vid, 0x1209);
    assert_int_equal(shape->pid, 0x00FE);
    assert_int_equal(shape->bcd_device, 0x0102);
    assert_int_equal(shape->interface_number, 1);
    assert_int_equal(shape->interface_count, 4);
    assert_int_equal(shape->level, CCID_LEVEL_TPDU);
    assert_string_equal(shape->vendor, "Maker");
    assert_null(shape->product);
    assert_null(shape->interface_name);
    assert_int_equal(shape->clock_list_length, 2);
    assert_int_equal(shape->clocks_khz[1], 8000);
    assert_int_equal(shape->rate_list_length, 1); /* up to what is no rate */
    assert_int_equal(shape->rates_bps[0], 10753);
}

/* The same descriptor with short APDU level, from a maker who says less than it does. */
static void test_corpus_row_of_a_reader_known_to_chain_chains(void **state)
{
    static const struct {
        const char *vid, *pid;
        struct ccid_virtual_name name;
        bool chains;
    } rows[] = {{"2F7C", "6007", {0x2F7C, 0x6007, -1}, true},
                {"1209", "00FE", {0x1209, 0x00FE, -1}, false}};
    static const char short_level[] =
        "36210001000703000000A00F0000A00F000000002A00000040050000FE000000000000000000000"
        "030020200"
        "0F010000000000000001";

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ccid_virtual_model model;
        char line[1024];

        snprintf(line, sizeof(line),
                 "{\"vid\": \"%s\", \"pid\": \"%s\", \"bcdDevice\": \"0102\", " FACTS
                 ", \"class_descriptor\": \"%s\"}",
                 rows[i].vid, rows[i].pid, short_level);
        assert_int_equal(
            ccid_virtual_row_parse(line, strlen(line), &rows[i].name, &model),
            STATUS_SUCCESS);
        assert_int_equal(model.shape.level, CCID_LEVEL_SHORT_APDU);
        assert_int_equal(model.shape.chains, rows[i].chains);
    }
}

static void test_corpus_row_counts_the_interfaces_before_it(void **state)
{
    struct ccid_virtual_model model;

    (void)state;
    assert_int_equal(parse("{" ROW "}", &model), STATUS_SUCCESS);
    assert_int_equal(model.shape.interface_count, 2);
}

static void test_corpus_row_of_another_reader_is_left_alone(void **state)
{
    static const struct ccid_virtual_name others[] = {
        {0x1209, 0x00FD, -1}, {0x1208, 0x00FE, -1}, {0x1209, 0x00FE, 0}};
    static const struct ccid_virtual_name same = {0x1209, 0x00FE, 1};
    struct ccid_virtual_model model;

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(ccid_virtual_row_parse("{" ROW "}", sizeof("{" ROW "}") - 1,
                                                &others[i], &model),
                         STATUS_NO_SUCH_DEVICE);
    assert_int_equal(
        ccid_virtual_row_parse("{" ROW "}", sizeof("{" ROW "}") - 1, &same, &model),
        STATUS_SUCCESS);
}

static void test_corpus_row_that_is_none_is_refused(void **state)
{
    static const struct {
        const char *line;
        NTSTATUS status;
    } rows[] = {
        {"", STATUS_INVALID_PARAMETER},
        {"[]", STATUS_INVALID_PARAMETER},
        {"{}", STATUS_INVALID_PARAMETER},
        {"{" ROW, STATUS_INVALID_PARAMETER},
        {"{" IDENTITY ", " FACTS "}", STATUS_INVALID_PARAMETER},
        {"{" IDENTITY ", " CLASS "}", STATUS_INVALID_PARAMETER},
        {"{" FACTS ", " CLASS "}", STATUS_INVALID_PARAMETER},
        {"{" IDENTITY ", " FACTS ", \"class_descriptor\": \"3621\"}",
         STATUS_INVALID_PARAMETER},
        {"{" IDENTITY ", " FACTS ", \"class_descriptor\": 54}", STATUS_INVALID_PARAMETER},
        {"{" ROW ", \"bNumEndpoints\": \"3\"}", STATUS_INVALID_PARAMETER},
        {"{" ROW ", \"bNumEndpoints\": -1}", STATUS_INVALID_PARAMETER},
        {"{" ROW ", \"bNumEndpoints\": 256}", STATUS_INVALID_PARAMETER},
        {"{" ROW ", \"bcdDevice\": \"01\"}", STATUS_INVALID_PARAMETER},
        {"{" ROW ", \"bNumEndpoints\": 5}", STATUS_NOT_SUPPORTED},
    };
    struct ccid_virtual_model model;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(parse(rows[i].line, &model), rows[i].status);
}

static void test_corpus_name_longer_than_its_place_is_cut(void **state)
{
    struct ccid_virtual_model model;
    char line[1024];

    (void)state;
    snprintf(line, sizeof(line), "{" ROW ", \"iProduct\": \"x%0200d\"}", 0);
    assert_int_equal(parse(line, &model), STATUS_SUCCESS);
    assert_int_equal(strlen(model.shape.product), sizeof(model.product) - 1);
}

/* ---- the file --------------------------------------------------------------------- */

static char logged[1024];

static void take_log(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                     const char *text)
{
    (void)context;
    (void)device;
    (void)status;
    snprintf(logged, sizeof(logged), "%s", text);
}

static const struct smc_io_client client = {.log = take_log};

/* Runs a search with that folder, and puts the variable back. */
static NTSTATUS find_in(const char *folder, const char *text,
                        struct ccid_virtual_model **model)
{
    const char *before = getenv("SCARDFS_TEST_DATA");
    char kept[4096];
    NTSTATUS status;

    snprintf(kept, sizeof(kept), "%s", before == NULL ? "" : before);
    setenv("SCARDFS_TEST_DATA", folder, 1);
    logged[0] = '\0';
    smc_io_register(&client);
    status = ccid_virtual_corpus_find(text, model);
    smc_io_register(NULL);
    if (before == NULL)
        unsetenv("SCARDFS_TEST_DATA");
    else
        setenv("SCARDFS_TEST_DATA", kept, 1);
    return status;
}

static void test_corpus_without_a_file_says_which(void **state)
{
    struct ccid_virtual_model *model;

    (void)state;
    assert_int_equal(find_in("/nonexistent", "1209:00FE", &model), STATUS_NOT_SUPPORTED);
    assert_null(model);
    assert_string_equal(logged, "virtual reader 1209:00FE: cannot read "
                                "/nonexistent/ccid-readers.jsonl: No such file or "
                                "directory (SCARDFS_TEST_DATA names its folder)");
    assert_int_equal(find_in("/nonexistent", "tpdu", &model), STATUS_NOT_SUPPORTED);
    assert_null(model);
}

static void test_corpus_file_is_searched_past_lines_that_are_none(void **state)
{
    char folder[] = "/tmp/test-virtual_corpus-XXXXXX", path[64];
    struct ccid_virtual_model *model;
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/ccid-readers.jsonl", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs("rubbish\n\n{}\n{" IDENTITY "}\n", file);
    for (unsigned i = 0; i < 70000; i++)
        fputc('{', file);
    fputs("\n{" ROW "}\n", file);
    fclose(file);

    assert_int_equal(find_in(folder, "1209:00fe", &model), STATUS_SUCCESS);
    assert_int_equal(model->shape.pid, 0x00FE);
    free(model);
    assert_int_equal(find_in(folder, "1209:00FE:7", &model), STATUS_NOT_SUPPORTED);
    assert_null(model);
    assert_non_null(strstr(logged, "virtual reader 1209:00FE:7: there is none in /"));
    unlink(path);
    rmdir(folder);
}

static void test_corpus_of_real_readers_is_found_row_by_row(void **state)
{
    FILE *file = corpus_open("ccid-readers.jsonl", "rows of real readers");
    struct ccid_virtual_model *found;
    char row[8192], vid[8], pid[8], text[32];
    unsigned rows = 0;

    (void)state;
    if (file == NULL)
        skip();
    while (fgets(row, sizeof(row), file) != NULL) {
        struct ccid_virtual_model *model;
        uint8_t config[CCID_VIRTUAL_CONFIG_MAX];
        struct ccid_virtual_name parsed;

        corpus_string(row, "vid", vid, sizeof(vid));
        corpus_string(row, "pid", pid, sizeof(pid));
        snprintf(text, sizeof(text), "%s:%s:%u", vid, pid,
                 corpus_number(row, "bInterfaceNumber"));
        assert_true(ccid_virtual_name_parse(text, &parsed));
        model = calloc(1, sizeof(*model));
        assert_non_null(model);
        assert_int_equal(ccid_virtual_row_parse(row, strlen(row), &parsed, model),
                         STATUS_SUCCESS);
        assert_int_equal(model->shape.bcd_device, corpus_hex(row, "bcdDevice"));
        assert_true(ccid_virtual_reader_config(&model->shape, config) > 0);
        free(model);
        rows++;
    }
    fclose(file);
    assert_int_equal(rows, 368);
    assert_int_equal(ccid_virtual_corpus_find("03EB:6011", &found), STATUS_SUCCESS);
    assert_string_equal(found->shape.product, "USB Smart Card Reader");
    assert_int_equal(found->shape.rate_list_length, 40);
    free(found);
}

static void test_corpus_row_without_one_of_its_facts_is_none(void **state)
{
    static const char *const facts[] = {
        "\"vid\": \"1209\"",
        "\"pid\": \"00fe\"",
        "\"bcdDevice\": \"0102\"",
        "\"bInterfaceNumber\": 1",
        "\"bInterfaceClass\": 11",
        "\"bInterfaceSubClass\": 0",
        "\"bInterfaceProtocol\": 0",
        "\"bNumEndpoints\": 3",
        CLASS,
    };
    const size_t count = sizeof(facts) / sizeof(facts[0]);

    (void)state;
    for (size_t missing = 0; missing <= count; missing++) {
        struct ccid_virtual_model model;
        char line[1024] = "{\"blocks\": 1";

        for (size_t i = 0; i < count; i++)
            if (i != missing)
                snprintf(line + strlen(line), sizeof(line) - strlen(line), ", %s",
                         facts[i]);
        strcat(line, "}");
        assert_int_equal(parse(line, &model),
                         missing == count ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
    }
}

static void test_corpus_numbers_that_are_none_are_not_read(void **state)
{
    static const char *const vids[] = {"12", "12095", "12g9", "0x12"};
    static const struct {
        const char *list;
        size_t length;
    } lists[] = {{"[4000, \"8000\", 1]", 1},
                 {"[4000.5]", 0},
                 {"[4294967296]", 0},
                 {"[4294967295]", 1},
                 {"[1, 2, -3, 4]", 2},
                 {"7", 0},
                 {"[]", 0}};
    struct ccid_virtual_model model;
    char line[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(vids) / sizeof(vids[0]); i++) {
        snprintf(line, sizeof(line),
                 "{\"vid\": \"%s\", \"pid\": \"00fe\", \"bcdDevice\": \"0102\", " FACTS
                 ", " CLASS "}",
                 vids[i]);
        assert_int_equal(parse(line, &model), STATUS_INVALID_PARAMETER);
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        snprintf(line, sizeof(line), "{" ROW ", \"clocks_khz\": %s}", lists[i].list);
        assert_int_equal(parse(line, &model), STATUS_SUCCESS);
        assert_int_equal(model.shape.clock_list_length, lists[i].length);
    }
    snprintf(line, sizeof(line), "{" ROW "}");
    memcpy(strstr(line, DESCRIPTOR) + 40, "zz", 2);
    assert_int_equal(parse(line, &model), STATUS_INVALID_PARAMETER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus_name_is_vid_pid_and_perhaps_an_interface),
        cmocka_unit_test(test_corpus_row_gives_identity_lists_and_shape),
        cmocka_unit_test(test_corpus_row_of_a_reader_known_to_chain_chains),
        cmocka_unit_test(test_corpus_row_counts_the_interfaces_before_it),
        cmocka_unit_test(test_corpus_row_of_another_reader_is_left_alone),
        cmocka_unit_test(test_corpus_row_that_is_none_is_refused),
        cmocka_unit_test(test_corpus_name_longer_than_its_place_is_cut),
        cmocka_unit_test(test_corpus_without_a_file_says_which),
        cmocka_unit_test(test_corpus_file_is_searched_past_lines_that_are_none),
        cmocka_unit_test(test_corpus_of_real_readers_is_found_row_by_row),
        cmocka_unit_test(test_corpus_row_without_one_of_its_facts_is_none),
        cmocka_unit_test(test_corpus_numbers_that_are_none_are_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
