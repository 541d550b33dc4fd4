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

#include "ccid/virtual_internal.h"
#include "ccid/vpcd.h"

#define PATIENCE_MS 20000 /* only a bug takes so long */

static const uint8_t atr[] = {0x3B, 0x88, 0x80, 0x01, 0x54, 0x45, 0x53,
                              0x54, 0x42, 0x45, 0x44, 0x01, 0x5D};
static const uint8_t power_on[] = {0x62, 0, 0, 0, 0, 0, 1, 0, 0, 0};
static const uint8_t get_data[] = {0x6F, 5, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0xCA, 0, 0, 3};

static char dir[] = "/tmp/test-vpcd-XXXXXX", address[128], *path;
static struct ccid_virtual_reader *reader;
static struct ccid_usb_port port;
static struct ccid_vpcd *vpcd;
static uint8_t in[1024];
static size_t in_len;

static int setup(void **state)
{
    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(address, sizeof address, "unix:%s/card", dir);
    path = address + strlen("unix:");
    reader = ccid_virtual_reader_new(ccid_clock_real(), ccid_virtual_shape("vpcd"));
    port = ccid_virtual_reader_port(reader);
    return ccid_vpcd_start(address, reader, &vpcd) == STATUS_SUCCESS ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ccid_vpcd_stop(vpcd);
    ccid_virtual_reader_free(reader);
    return rmdir(dir); /* the socket has gone */
}

/* ---- the program ----------------------------------------------------------------- */

static int dial(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(name.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

static void say(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static void answer(int fd, const uint8_t *bytes, size_t len)
{
    const uint8_t header[] = {(uint8_t)(len >> 8), (uint8_t)len};

    say(fd, header, sizeof header);
    say(fd, bytes, len);
}

static void expect(int fd, const char *bytes, size_t len)
{
    uint8_t got[64];

    assert_true(len <= sizeof got);
    assert_int_equal(recv(fd, got, len, MSG_WAITALL), len);
    assert_memory_equal(got, bytes, len);
}

static void expect_end(int fd)
{
    uint8_t byte;
    ssize_t got;

    do
        got = recv(fd, &byte, 1, 0);
    while (got > 0);
    assert_true(got == 0 || errno == ECONNRESET);
    close(fd);
}

/* ---- the bus --------------------------------------------------------------------- */

static void out(const uint8_t *message, size_t len)
{
    assert_int_equal(port.ops->bulk_out(port.usb, message, len, PATIENCE_MS),
                     CCID_USB_OK);
}

static enum ccid_usb_result control_abort(uint8_t slot, uint8_t seq)
{
    size_t done;

    return port.ops->control(port.usb, 0x21, 0x01, (uint16_t)(seq << 8 | slot), 0, NULL,
                             0, &done, 1000);
}

static uint8_t next_error(void)
{
    do
        assert_int_equal(port.ops->bulk_in(port.usb, in, sizeof in, &in_len, PATIENCE_MS),
                         CCID_USB_OK);
    while ((in[7] & 0xC0) == 0x80); /* time */
    return in[8];
}

/* A card that has just connected is in after a moment, one before it out. */
static void power_up(int fd)
{
    static const uint8_t status[] = {0x65, 0, 0, 0, 0, 0, 0, 0, 0, 0};

    do {
        out(status, sizeof status);
        (void)next_error();
    } while ((in[7] & 3) != 1); /* there, and without power as yet */
    out(power_on, sizeof power_on);
    expect(fd, "\0\1\1\0\1\4", 6);
    answer(fd, atr, sizeof atr);
    assert_int_equal(next_error(), 0);
    assert_int_equal(in_len, 10 + sizeof atr);
    assert_memory_equal(in + 10, atr, sizeof atr);
}

/* ---- cases ----------------------------------------------------------------------- */

static void test_connection_is_a_card(void **state)
{
    const int fd = dial();

    (void)state;
    power_up(fd);
    out(get_data, sizeof get_data);
    expect(fd, "\0\5\0\xCA\0\0\3", 7);
    answer(fd, (const uint8_t *)"\1\2\3\x90", 5);
    assert_int_equal(next_error(), 0);
    assert_int_equal(in_len, 15);
    close(fd);
}

static void test_answer_in_pieces_is_one(void **state)
{
    static const uint8_t message[] = {0, 5, 1, 2, 3, 0x90, 0};
    const int fd = dial();

    (void)state;
    power_up(fd);
    out(get_data, sizeof get_data);
    expect(fd, "\0\5\0\xCA\0\0\3", 7);
    for (size_t i = 0; i < sizeof message; i++)
        say(fd, message + i, 1);
    assert_int_equal(next_error(), 0);
    assert_int_equal(in_len, 15);
    close(fd);
}

static void test_program_that_speaks_unasked_is_thrown_out(void **state)
{
    int fd = dial();

    (void)state;
    power_up(fd);
    answer(fd, (const uint8_t *)"\x90", 2);
    expect_end(fd);
    fd = dial();
    power_up(fd); /* the next one is welcome */
    close(fd);
}

static void test_program_that_hangs_up_in_the_middle_is_a_card_that_goes(void **state)
{
    int fd = dial();

    (void)state;
    power_up(fd);
    out(get_data, sizeof get_data);
    expect(fd, "\0\5\0\xCA\0\0\3", 7);
    say(fd, "\0\5\1", 3);
    close(fd);
    assert_int_equal(next_error(), CCID_ERROR_MUTE);
    fd = dial();
    power_up(fd);
    close(fd);
}

static void test_second_program_waits_for_the_first_to_go(void **state)
{
    const int first = dial(), second = dial();

    (void)state;
    power_up(first);
    close(first);
    power_up(second);
    close(second);
}

static void test_program_that_takes_nothing_is_thrown_out(void **state)
{
    static const uint8_t abort_message[] = {0x72, 0, 0, 0, 0, 0, 2, 0, 0, 0};
    const int fd = dial();

    (void)state;
    power_up(fd);
    /* Each is given up, and its answer is owed for ever. */
    for (int i = 0; i < 64; i++) {
        out(get_data, sizeof get_data);
        assert_int_equal(control_abort(0, 2), CCID_USB_OK);
        out(abort_message, sizeof abort_message);
        (void)next_error();
        (void)next_error();
    }
    out(get_data, sizeof get_data);
    assert_int_equal(next_error(), CCID_ERROR_MUTE); /* has gone */
    expect_end(fd);
}

static void test_end_of_the_reader_hangs_up(void **state)
{
    const int fd = dial();

    (void)state;
    power_up(fd);
    out(get_data, sizeof get_data);
    ccid_vpcd_stop(vpcd);
    vpcd = NULL;
    expect_end(fd);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_file_that_is_no_socket_is_in_the_way(void **state)
{
    struct ccid_vpcd *other = NULL;
    char file[160];
    FILE *made;

    (void)state;
    snprintf(file, sizeof file, "%s.txt", address);
    made = fopen(file + strlen("unix:"), "w");
    assert_non_null(made);
    fclose(made);
    assert_int_equal(ccid_vpcd_start(file, reader, &other), STATUS_ACCESS_DENIED);
    assert_int_equal(unlink(file + strlen("unix:")), 0); /* it is still there */
}

static void test_socket_that_nobody_listens_to_is_replaced(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct ccid_vpcd *other = NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char left[160];

    (void)state;
    snprintf(left, sizeof left, "%s.left", address);
    strcpy(name.sun_path, left + strlen("unix:"));
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd);
    assert_int_equal(ccid_vpcd_start(left, reader, &other), STATUS_SUCCESS);
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
    card = dial();
    power_up(card);
    while (queued < 64) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};

        queue[queued] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        strcpy(name.sun_path, path);
        if (connect(queue[queued++], (struct sockaddr *)&name, sizeof name) != 0)
            break; /* the queue is full */
    }
    assert_int_equal(ccid_vpcd_start(address, reader, &other), STATUS_ACCESS_DENIED);
    while (queued > 0)
        close(queue[--queued]);
    close(card);
}

static void test_socket_of_somebody_else_is_left_alone(void **state)
{
    FILE *made;

    (void)state;
    assert_int_equal(unlink(path), 0);
    made = fopen(path, "w");
    assert_non_null(made);
    fclose(made);
    ccid_vpcd_stop(vpcd);
    vpcd = NULL;
    assert_int_equal(unlink(path), 0); /* it is still there */
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
        assert_int_not_equal(ccid_vpcd_start(bad[i], reader, &other), STATUS_SUCCESS);
    assert_null(other);
    assert_int_equal(ccid_vpcd_start(address, reader, &other), STATUS_ACCESS_DENIED);
    assert_int_equal(ccid_vpcd_start("0", reader, &other), STATUS_SUCCESS);
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
    assert_int_equal(ccid_virtual_reader_insert(reader, 0, NULL, 0), 0);
    expect_end(dial());
    assert_int_equal(ccid_virtual_reader_remove(reader, 0), 0);
    fd = dial();
    power_up(fd);
    close(fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
