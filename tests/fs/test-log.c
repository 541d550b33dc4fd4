/* SPDX-License-Identifier: BSD-2-Clause */
/* test-log.c - the limit of a driver's lines, on a virtual clock; last_error; libfuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fs/internal.h"

static struct scfs_options options;
static struct scfs fs;
static struct smc_device_identity identity = {
    .product = "Reader", .path = "bus-1", .slot_count = 1};
static DEVICE_OBJECT physical, function;
static struct scfs_reader *reader;
static uint64_t now_ms;
static FILE *usual_stderr;
static char *written;
static size_t written_len, looked_at;

static uint64_t virtual_clock(void)
{
    return now_ms;
}

static int setup(void **state)
{
    (void)state;
    now_ms = 1000;
    scfs_init(&fs, &options, NULL);
    fs.timer.now_ms = virtual_clock;
    physical = (DEVICE_OBJECT){.Identity = &identity};
    function = (DEVICE_OBJECT){.Identity = &identity, .LowerDevice = &physical};
    reader = scfs_reader_new(&fs, &function);
    if (reader == NULL || !scfs_registry_add(&fs, reader))
        return -1;
    usual_stderr = stderr;
    looked_at = 0;
    stderr = open_memstream(&written, &written_len);
    return stderr == NULL;
}

static int teardown(void **state)
{
    (void)state;
    fclose(stderr);
    stderr = usual_stderr;
    free(written);

    if (scfs_registry_remove(&fs, &function) != NULL) {
        scfs_registry_left(reader);
        scfs_reader_put(reader);
    }
    scfs_reader_put(reader);
    scfs_end(&fs);
    return 0;
}

/* What has been written since the last look. */
static void assert_lines(const char *expected)
{
    fflush(stderr);
    assert_string_equal(written + looked_at, expected);
    looked_at = written_len;
}

static void complain(unsigned times)
{
    while (times-- > 0)
        scfs_log_driver(&fs, &function, STATUS_IO_TIMEOUT, "no answer");
}

#define LINE "scardfs: reader0: STATUS_IO_TIMEOUT: no answer\n"
#define TEN  LINE LINE LINE LINE LINE LINE LINE LINE LINE LINE

/* What departure does, without a driver. */
static void go(void)
{
    assert_ptr_equal(scfs_registry_remove(&fs, &function), reader);
    pthread_mutex_lock(&reader->lock);
    reader->gone = true;
    pthread_mutex_unlock(&reader->lock);
    scfs_log_left_out(reader);
    scfs_registry_left(reader);
    scfs_reader_put(reader);
}

static void test_log_ten_lines_a_second_are_all_written(void **state)
{
    (void)state;
    complain(10);
    assert_lines(TEN);
    now_ms += 1000;
    complain(10);
    assert_lines(TEN);
}

static void test_log_twenty_lines_in_a_second_are_ten_and_a_count(void **state)
{
    (void)state;
    complain(20);
    assert_lines(TEN);
    now_ms += 999;
    complain(1);
    assert_lines("");
    now_ms += 1;
    complain(1);
    assert_lines("scardfs: reader0: 11 more lines\n" LINE);
    now_ms += 1000;
    complain(1);
    assert_lines(LINE); /* counted once */
}

static void test_log_departure_says_what_was_left_out(void **state)
{
    (void)state;
    complain(20);
    assert_lines(TEN);
    go();
    assert_lines("scardfs: reader0: 10 more lines\n");
    scfs_log_left_out(reader);
    assert_lines("");
}

static void test_log_departure_with_nothing_left_out_is_silent(void **state)
{
    (void)state;
    complain(10);
    assert_lines(TEN);
    go();
    assert_lines("");
}

static void test_log_lines_of_a_reader_that_has_gone_name_its_place(void **state)
{
    (void)state;
    complain(20);
    assert_lines(TEN);
    go();
    assert_lines("scardfs: reader0: 10 more lines\n");
    complain(1);
    assert_lines("scardfs: bus-1: STATUS_IO_TIMEOUT: no answer\n");
}

static void test_log_one_call_is_one_line(void **state)
{
    (void)state;
    scfs_log_driver(&fs, &function, STATUS_SUCCESS, "one\x1b\ntwo");
    assert_lines("scardfs: reader0: one\\x1b\n");
    scfs_log_driver(&fs, &function, STATUS_NO_MEDIA, "");
    assert_lines("scardfs: reader0: STATUS_NO_MEDIA\n");
    scfs_log_driver(&fs, NULL, STATUS_NO_MEDIA, "the bus");
    assert_lines("scardfs: STATUS_NO_MEDIA: the bus\n");
}

static void test_log_failures_are_remembered_also_when_left_out(void **state)
{
    (void)state;
    assert_string_equal(reader->last_error, "none");
    scfs_log_driver(&fs, &function, STATUS_SUCCESS, "all is well");
    assert_string_equal(reader->last_error, "none");
    complain(20);
    scfs_log_driver(&fs, &function, STATUS_CRC_ERROR, "");
    assert_string_equal(reader->last_error, "STATUS_CRC_ERROR");
}

static void test_log_takes_the_lines_of_libfuse(void **state)
{
    (void)state;
    scfs_log_libfuse(NULL, NULL);
    fuse_log(FUSE_LOG_ERR, "fuse: error creating thread: %s\n", "no memory");
    fuse_log(FUSE_LOG_ERR, "fuse: failed to allocate request\n");
    fuse_set_log_func(NULL);
    assert_lines("scardfs: fuse: error creating thread: no memory\n"
                 "scardfs: fuse: failed to allocate request\n");
}

static void count_lost(void *context)
{
    ++*(int *)context;
}

static void test_log_tells_of_a_request_that_libfuse_had_no_memory_for(void **state)
{
    int lost = 0;

    (void)state;
    scfs_log_libfuse(count_lost, &lost);
    fuse_log(FUSE_LOG_ERR, "fuse: error creating thread: %s\n", "no memory");
    assert_int_equal(lost, 0);
    fuse_log(FUSE_LOG_ERR, "fuse: failed to allocate request\n");
    assert_int_equal(lost, 1);
    scfs_log_libfuse(NULL, NULL);
    fuse_set_log_func(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_log_ten_lines_a_second_are_all_written),
        CASE(test_log_twenty_lines_in_a_second_are_ten_and_a_count),
        CASE(test_log_departure_says_what_was_left_out),
        CASE(test_log_departure_with_nothing_left_out_is_silent),
        CASE(test_log_lines_of_a_reader_that_has_gone_name_its_place),
        CASE(test_log_one_call_is_one_line),
        CASE(test_log_failures_are_remembered_also_when_left_out),
        CASE(test_log_takes_the_lines_of_libfuse),
        CASE(test_log_tells_of_a_request_that_libfuse_had_no_memory_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
