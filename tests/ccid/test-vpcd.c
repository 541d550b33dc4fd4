/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-vpcd.c - card programs at the other end of a socket, good ones and bad ones. The
 * test is the program; the virtual reader is asked as from the bus.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "vpcd_bench.h"

static const uint8_t get_data[] = {0x6F, 5, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0xCA, 0, 0, 3};

/* ---- cases ----------------------------------------------------------------------- */

static void test_connection_is_a_card(void **state)
{
    const int fd = vpcd_dial();

    (void)state;
    vpcd_power_up(fd);
    vpcd_out(get_data, sizeof get_data);
    vpcd_expect(fd, "\0\5\0\xCA\0\0\3", 7);
    vpcd_answer(fd, (const uint8_t *)"\1\2\3\x90", 5);
    assert_int_equal(vpcd_next_error(), 0);
    assert_int_equal(vpcd_bench.in_len, 15);
    close(fd);
}

static void test_answer_in_pieces_is_one(void **state)
{
    static const uint8_t message[] = {0, 5, 1, 2, 3, 0x90, 0};
    const int fd = vpcd_dial();

    (void)state;
    vpcd_power_up(fd);
    vpcd_out(get_data, sizeof get_data);
    vpcd_expect(fd, "\0\5\0\xCA\0\0\3", 7);
    for (size_t i = 0; i < sizeof message; i++)
        vpcd_say(fd, message + i, 1);
    assert_int_equal(vpcd_next_error(), 0);
    assert_int_equal(vpcd_bench.in_len, 15);
    close(fd);
}

static void test_program_that_speaks_unasked_is_thrown_out(void **state)
{
    int fd = vpcd_dial();

    (void)state;
    vpcd_power_up(fd);
    vpcd_answer(fd, (const uint8_t *)"\x90", 2);
    vpcd_expect_end(fd);
    fd = vpcd_dial();
    vpcd_power_up(fd); /* the next one is welcome */
    close(fd);
}

static void test_program_that_hangs_up_in_the_middle_is_a_card_that_goes(void **state)
{
    int fd = vpcd_dial();

    (void)state;
    vpcd_power_up(fd);
    vpcd_out(get_data, sizeof get_data);
    vpcd_expect(fd, "\0\5\0\xCA\0\0\3", 7);
    vpcd_say(fd, "\0\5\1", 3);
    close(fd);
    assert_int_equal(vpcd_next_error(), CCID_ERROR_MUTE);
    fd = vpcd_dial();
    vpcd_power_up(fd);
    close(fd);
}

static void test_second_program_waits_for_the_first_to_go(void **state)
{
    const int first = vpcd_dial(), second = vpcd_dial();

    (void)state;
    vpcd_power_up(first);
    close(first);
    vpcd_power_up(second);
    close(second);
}

static void test_program_that_takes_nothing_is_thrown_out(void **state)
{
    static const uint8_t abort_message[] = {0x72, 0, 0, 0, 0, 0, 2, 0, 0, 0};
    const int fd = vpcd_dial();

    (void)state;
    vpcd_power_up(fd);
    /* Each is given up, and its answer is owed for ever. */
    for (int i = 0; i < 64; i++) {
        vpcd_out(get_data, sizeof get_data);
        assert_int_equal(vpcd_control_abort(0, 2), CCID_USB_OK);
        vpcd_out(abort_message, sizeof abort_message);
        (void)vpcd_next_error();
        (void)vpcd_next_error();
    }
    vpcd_out(get_data, sizeof get_data);
    assert_int_equal(vpcd_next_error(), CCID_ERROR_MUTE); /* has gone */
    vpcd_expect_end(fd);
}

static void test_end_of_the_reader_hangs_up(void **state)
{
    const int fd = vpcd_dial();

    (void)state;
    vpcd_power_up(fd);
    vpcd_out(get_data, sizeof get_data);
    ccid_vpcd_stop(vpcd_bench.vpcd);
    vpcd_bench.vpcd = NULL;
    vpcd_expect_end(fd);
    assert_int_equal(access(vpcd_bench.path, F_OK), -1);
}

static void test_file_that_is_no_socket_is_in_the_way(void **state)
{
    struct ccid_vpcd *other = NULL;
    char file[160];
    FILE *made;

    (void)state;
    snprintf(file, sizeof file, "%s.txt", vpcd_bench.address);
    made = fopen(file + strlen("unix:"), "w");
    assert_non_null(made);
    fclose(made);
    assert_int_equal(ccid_vpcd_start(file, vpcd_bench.reader, &other),
                     STATUS_ACCESS_DENIED);
    assert_int_equal(unlink(file + strlen("unix:")), 0); /* it is still there */
}

static void test_socket_that_nobody_listens_to_is_replaced(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct ccid_vpcd *other = NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char left[160];

    (void)state;
    snprintf(left, sizeof left, "%s.left", vpcd_bench.address);
    strcpy(name.sun_path, left + strlen("unix:"));
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd);
    assert_int_equal(ccid_vpcd_start(left, vpcd_bench.reader, &other), STATUS_SUCCESS);
    ccid_vpcd_stop(other);
    assert_int_equal(access(name.sun_path, F_OK), -1);
}

/* Who asks whether anybody listens is no card, and does not wait where cards queue. */
static void test_second_listener_disturbs_nobody(void **state)
{
    struct ccid_vpcd *other = NULL;
    int card, queue[64];
    unsigned queued = 0;

    (void)state;
    card = vpcd_dial();
    vpcd_power_up(card);
    while (queued < 64) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};

        queue[queued] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        strcpy(name.sun_path, vpcd_bench.path);
        if (connect(queue[queued++], (struct sockaddr *)&name, sizeof name) != 0)
            break; /* the queue is full */
    }
    assert_int_equal(ccid_vpcd_start(vpcd_bench.address, vpcd_bench.reader, &other),
                     STATUS_ACCESS_DENIED);
    while (queued > 0)
        close(queue[--queued]);
    close(card);
}

static void test_socket_of_somebody_else_is_left_alone(void **state)
{
    FILE *made;

    (void)state;
    assert_int_equal(unlink(vpcd_bench.path), 0);
    made = fopen(vpcd_bench.path, "w");
    assert_non_null(made);
    fclose(made);
    ccid_vpcd_stop(vpcd_bench.vpcd);
    vpcd_bench.vpcd = NULL;
    assert_int_equal(unlink(vpcd_bench.path), 0); /* it is still there */
}

static void test_addresses(void **state)
{
    static const char *const bad[] = {
        "",      "x",         "65536", "-1",     "12a",
        "unix:", "unix:here", " 5",    "0x8c7b", "unix:/nowhere/at/all"};
    struct ccid_vpcd *other = NULL;
    const char *found;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_not_equal(ccid_vpcd_start(bad[i], vpcd_bench.reader, &other),
                             STATUS_SUCCESS);
    assert_null(other);
    assert_int_equal(ccid_vpcd_start(vpcd_bench.address, vpcd_bench.reader, &other),
                     STATUS_ACCESS_DENIED);
    assert_int_equal(ccid_vpcd_start("0", vpcd_bench.reader, &other), STATUS_SUCCESS);
    ccid_vpcd_stop(other);
    assert_true(ccid_vpcd_parse("vpcd", &found));
    assert_null(found);
    assert_true(ccid_vpcd_parse("vpcd=35963", &found));
    assert_string_equal(found, "35963");
    assert_false(ccid_vpcd_parse("vpcds", &found));
    assert_false(ccid_vpcd_parse("tpdu", &found));
    assert_false(ccid_vpcd_parse(NULL, &found));
}

static void test_program_finds_no_place_where_another_card_is_in(void **state)
{
    int fd;

    (void)state;
    assert_int_equal(ccid_virtual_reader_insert(vpcd_bench.reader, 0, NULL, 0), 0);
    vpcd_expect_end(vpcd_dial());
    assert_int_equal(ccid_virtual_reader_remove(vpcd_bench.reader, 0), 0);
    fd = vpcd_dial();
    vpcd_power_up(fd);
    close(fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, vpcd_setup, vpcd_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_connection_is_a_card),
        CASE(test_answer_in_pieces_is_one),
        CASE(test_program_that_speaks_unasked_is_thrown_out),
        CASE(test_program_that_hangs_up_in_the_middle_is_a_card_that_goes),
        CASE(test_second_program_waits_for_the_first_to_go),
        CASE(test_program_that_takes_nothing_is_thrown_out),
        CASE(test_end_of_the_reader_hangs_up),
        CASE(test_file_that_is_no_socket_is_in_the_way),
        CASE(test_socket_that_nobody_listens_to_is_replaced),
        CASE(test_second_listener_disturbs_nobody),
        CASE(test_socket_of_somebody_else_is_left_alone),
        CASE(test_addresses),
        CASE(test_program_finds_no_place_where_another_card_is_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
