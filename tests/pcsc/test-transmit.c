/* SPDX-License-Identifier: BSD-2-Clause */
/* test-transmit.c - commands and control codes on a mount that fails, is interrupted, or
 * answers more or less than it was asked for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contrib/pcsc/mount.h"
#include "fake_mount.h"

#define SHARED       SCARD_SHARE_SHARED
#define HEADER       (sizeof(SCARD_IO_REQUEST) / 2) /* of winsmcrd.h: two of 32 bits */
#define LONG_LEN     17000u
#define CODE         0x00313520u
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static SCARDCONTEXT context;
static SCARDHANDLE card;
static BYTE answer[SCARD_REPLY_MAX];
static const BYTE command[] = {0x00, 0xA4, 0x00, 0x00, 0x02, 0x3F, 0x00};
static BYTE long_command[LONG_LEN];

static int setup(void **state)
{
    if (fake_mount_setup(state) != 0)
        return -1;
    context = fake_context();
    card = fake_card(context, SHARED);
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
    return fake_mount_teardown(state);
}

static LONG transmit(const BYTE *bytes, DWORD len, DWORD *got)
{
    *got = 258;
    return SCardTransmit(card, &g_rgSCardT1Pci, bytes, len, NULL, answer, got);
}

static void test_command_whose_answer_is_lost(void **state)
{
    static const struct {
        int error;
        LONG code;
    } rows[] = {
        {EIO, SCARD_E_NOT_TRANSACTED},       {EPROTO, SCARD_E_NOT_TRANSACTED},
        {EBADMSG, SCARD_E_NOT_TRANSACTED},   {ETIMEDOUT, SCARD_E_NOT_TRANSACTED},
        {EREMOTEIO, SCARD_E_NOT_TRANSACTED}, {EBADFD, SCARD_E_PROTO_MISMATCH},
        {ENXIO, SCARD_W_REMOVED_CARD},       {ECONNRESET, SCARD_W_RESET_CARD},
    };
    DWORD got;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_fails(FAKE_IOCTL, "call", 0, 1, rows[i].error);
        assert_int_equal(transmit(command, sizeof command, &got), rows[i].code);
        assert_int_equal(got, 0);
    }
}

static void test_answer_of_an_impossible_length(void **state)
{
    static const int64_t lens[] = {0, HEADER - 1, 100000, UINT32_MAX};
    DWORD got;

    (void)state;
    for (size_t i = 0; i < COUNT(lens); i++) {
        fake_out_len = lens[i];
        assert_int_equal(transmit(command, sizeof command, &got), SCARD_E_NOT_TRANSACTED);
        assert_int_equal(got, 0);
    }
    fake_out_len = HEADER; /* not even a status, which is the program's business */
    assert_int_equal(transmit(command, sizeof command, &got), SCARD_S_SUCCESS);
    assert_int_equal(got, 0);
}

static void test_answer_comes_back_in_the_room_that_there_is(void **state)
{
    SCARD_IO_REQUEST received = {0};
    DWORD got;

    (void)state;
    assert_int_equal(transmit(command, sizeof command, &got), SCARD_S_SUCCESS);
    assert_int_equal(got, sizeof command); /* this mount's echo */
    assert_memory_equal(answer, command, sizeof command);
    got = 2;
    memset(answer, 0x55, 3);
    assert_int_equal(SCardTransmit(card, &g_rgSCardT1Pci, command, sizeof command,
                                   &received, answer, &got),
                     SCARD_E_INSUFFICIENT_BUFFER);
    assert_int_equal(got, sizeof command);
    assert_int_equal(received.dwProtocol, SCARD_PROTOCOL_T1);
    assert_memory_equal(answer, "\x00\xa4\x55", 3);
    got = 0;
    assert_int_equal(
        SCardTransmit(card, &g_rgSCardT1Pci, command, sizeof command, NULL, answer, &got),
        SCARD_E_INSUFFICIENT_BUFFER);
    assert_int_equal(answer[0], 0);
    assert_int_equal(transmit(command, 0, &got), SCARD_S_SUCCESS);
    assert_int_equal(got, 0);
}

/* ---- the extended forms ------------------------------------------------------------ */

/* What may be answered decides how a command goes: by one ioctl or by write and read. */
static void test_length_of_the_answer_decides_how_a_command_goes(void **state)
{
    static const struct {
        BYTE bytes[10];
        size_t len;
        bool is_long;
    } rows[] = {
        {{0, 0xB0, 0, 0, 0x10}, 5, false},
        {{0, 0xB0, 0, 0, 0x02, 1, 2}, 7, false},
        {{0, 0xB0, 0, 0, 0x00, 0x01, 0x00}, 7, false}, /* 256 are wanted */
        {{0, 0xB0, 0, 0, 0x00, 0x3F, 0x00}, 7, false},
        {{0, 0xB0, 0, 0, 0x00, 0x40, 0x00}, 7, true},
        {{0, 0xB0, 0, 0, 0x00, 0x00, 0x00}, 7, true}, /* 65,536 */
        {{0, 0xB0, 0, 0, 0x00, 0x00, 0x01, 9}, 8, false},
        {{0, 0xB0, 0, 0, 0x00, 0x00, 0x01, 9, 0x01, 0x00}, 10, false},
        {{0, 0xB0, 0, 0, 0x00, 0x00, 0x01, 9, 0x00, 0x00}, 10, true},
        {{0, 0xB0, 0, 0, 0x00, 0x00, 0x02, 9, 0x00, 0x00}, 10, false}, /* no form */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(mount_is_long(rows[i].bytes, rows[i].len), rows[i].is_long);
}

static void test_long_command_is_written_and_its_answer_read(void **state)
{
    DWORD got = sizeof answer;

    (void)state;
    fake_file("reader0/control", "answer\x90");
    fake_fails(FAKE_WRITE, "control", 0, 1, EINTR);
    fake_fails(FAKE_READ, "control", 0, 1, EINTR);
    assert_int_equal(transmit(long_command, LONG_LEN, &got), SCARD_S_SUCCESS);
    assert_int_equal(got, 7);
    assert_memory_equal(answer, "answer\x90", 7);
}

static void test_long_command_with_room_for_any_answer(void **state)
{
    DWORD got = sizeof answer;

    (void)state;
    fake_file("reader0/control", "answer\x90");
    assert_int_equal(
        SCardTransmit(card, &g_rgSCardT1Pci, long_command, LONG_LEN, NULL, answer, &got),
        SCARD_S_SUCCESS);
    assert_int_equal(got, 7);
    assert_memory_equal(answer, "answer\x90", 7);
    got = sizeof answer;
    fake_fails(FAKE_READ, "control", 0, 1, EIO);
    assert_int_equal(
        SCardTransmit(card, &g_rgSCardT1Pci, long_command, LONG_LEN, NULL, answer, &got),
        SCARD_E_NOT_TRANSACTED);
    assert_int_equal(got, 0);
}

static void test_long_command_with_little_room(void **state)
{
    DWORD got = 3;

    (void)state;
    fake_file("reader0/control", "answer\x90");
    memset(answer, 0x55, 4);
    assert_int_equal(
        SCardTransmit(card, &g_rgSCardT1Pci, long_command, LONG_LEN, NULL, answer, &got),
        SCARD_E_INSUFFICIENT_BUFFER);
    assert_int_equal(got, 7);
    assert_memory_equal(answer, "ans\x55", 4);
}

static void test_long_command_that_fails(void **state)
{
    DWORD got;

    (void)state;
    fake_fails(FAKE_WRITE, "control", 0, 1, ENXIO);
    assert_int_equal(transmit(long_command, LONG_LEN, &got), SCARD_W_REMOVED_CARD);
    fake_fails(FAKE_READ, "control", 0, 1, EIO);
    assert_int_equal(transmit(long_command, LONG_LEN, &got), SCARD_E_NOT_TRANSACTED);
    /* That it was never sent is not what a mount says after it has taken it. */
    fake_fails(FAKE_READ, "control", 0, 1, ENODATA);
    assert_int_equal(transmit(long_command, LONG_LEN, &got), SCARD_E_NOT_TRANSACTED);
    assert_int_equal(got, 0);
}

static void test_long_command_for_another_protocol(void **state)
{
    DWORD got = sizeof answer;

    (void)state;
    assert_int_equal(
        SCardTransmit(card, &g_rgSCardT0Pci, long_command, LONG_LEN, NULL, answer, &got),
        SCARD_E_PROTO_MISMATCH);
    card = fake_card(context, SCARD_SHARE_DIRECT); /* whatever others have selected */
    fake_file("reader0/control", "answer\x90");
    assert_int_equal(transmit(long_command, LONG_LEN, &got), SCARD_S_SUCCESS);
    fake_info.protocol = SCARD_PROTOCOL_T0;
    assert_int_equal(transmit(long_command, LONG_LEN, &got), SCARD_E_PROTO_MISMATCH);
    fake_fails(FAKE_IOCTL, "info", 0, 1, ENXIO);
    assert_int_equal(transmit(long_command, LONG_LEN, &got), SCARD_W_REMOVED_CARD);
}

/* ---- signals ----------------------------------------------------------------------- */

static void test_interrupted_command_is_sent_once(void **state)
{
    DWORD got;

    (void)state;
    fake_file("reader0/control", "late\x90");
    fake_fails(FAKE_IOCTL, "call", 0, 1, EINTR);
    fake_fails(FAKE_READ, "control", 0, 1, EINTR);
    fake_ioctls = 0;
    assert_int_equal(transmit(command, sizeof command, &got), SCARD_S_SUCCESS);
    assert_int_equal(fake_ioctls, 0);
    assert_int_equal(got, 5);
    assert_memory_equal(answer, "late\x90", 5);
}

static void test_interrupted_command_that_was_not_sent_is_sent(void **state)
{
    DWORD got;

    (void)state;
    fake_fails(FAKE_IOCTL, "call", 0, 1, EINTR);
    fake_fails(FAKE_READ, "control", 0, 1, ENODATA);
    fake_ioctls = 0;
    assert_int_equal(transmit(command, sizeof command, &got), SCARD_S_SUCCESS);
    assert_int_equal(fake_ioctls, 1);
    assert_int_equal(got, sizeof command);
    fake_fails(FAKE_IOCTL, "call", 0, 1, EINTR);
    fake_fails(FAKE_READ, "control", 0, 1, ENXIO);
    assert_int_equal(transmit(command, sizeof command, &got), SCARD_W_REMOVED_CARD);
}

static void test_interrupted_code_without_an_answer(void **state)
{
    DWORD got = 9;

    (void)state;
    fake_fails(FAKE_IOCTL, "call", 0, 1, EINTR);
    assert_int_equal(SCardControl(card, CODE, command, 4, NULL, 4, &got),
                     SCARD_S_SUCCESS);
    assert_int_equal(got, 0);
    fake_file("reader0/control", "x"); /* there should be none */
    fake_fails(FAKE_IOCTL, "call", 0, 1, EINTR);
    assert_int_equal(SCardControl(card, CODE, command, 4, NULL, 4, &got),
                     SCARD_F_COMM_ERROR);
}

/* ---- control codes and attributes -------------------------------------------------- */

static void test_codes_for_linux_become_those_of_windows(void **state)
{
    static const struct {
        DWORD code;
        uint32_t sent;
    } rows[] = {{0x42000D48, 0x00313520}, /* PC/SC part 10: features */
                {0x42000001, 0x003136B0}, /* libccid's escape */
                {0x42000FFF, 0x00313FFC}, {0x42001000, 0x42001000},
                {0x003136B0, 0x003136B0}, {0x41FFFFFF, 0x41FFFFFF}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(SCardControl(card, rows[i].code, NULL, 7, NULL, 0, NULL),
                         SCARD_S_SUCCESS);
        assert_int_equal(fake_code, rows[i].sent);
    }
}

static void test_code_with_more_room_than_a_call_has(void **state)
{
    DWORD got = 0;

    (void)state;
    assert_int_equal(SCardControl(card, CODE, command, 4, answer, sizeof answer, &got),
                     SCARD_S_SUCCESS);
    assert_int_equal(got, 4);
    assert_memory_equal(answer, command, 4);
    fake_out_len = SCARD_CALL_DATA_MAX + 1;
    assert_int_equal(SCardControl(card, CODE, command, 4, answer, sizeof answer, &got),
                     SCARD_F_COMM_ERROR);
    assert_int_equal(got, 0);
}

static void test_attributes(void **state)
{
    BYTE value[64];
    DWORD len = sizeof value;

    (void)state;
    assert_int_equal(SCardGetAttrib(card, 0x7FFF0003, value, &len), SCARD_S_SUCCESS);
    assert_int_equal(len, sizeof FAKE_READER);
    assert_string_equal((char *)value, FAKE_READER);
    len = sizeof value;
    assert_int_equal(SCardGetAttrib(card, 0x7FFF0004, value, &len), SCARD_S_SUCCESS);
    assert_string_equal((char *)value, FAKE_READER);
    len = sizeof value;
    assert_int_equal(SCardGetAttrib(card, 0x12345678, value, &len), SCARD_S_SUCCESS);
    assert_int_equal(len, 4);                     /* this mount's echo of the tag */
    fake_fails(FAKE_IOCTL, "call", 0, 1, EBADFD); /* the card has no power */
    assert_int_equal(SCardGetAttrib(card, 0x12345678, value, &len), SCARD_E_NO_SMARTCARD);
    assert_int_equal(SCardSetAttrib(card, 0x12345678, value, 4), SCARD_S_SUCCESS);
    fake_fails(FAKE_IOCTL, "call", 0, 1, EROFS);
    assert_int_equal(SCardSetAttrib(card, 0x12345678, value, 4),
                     SCARD_W_SECURITY_VIOLATION);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROW(test_command_whose_answer_is_lost),
        ROW(test_answer_of_an_impossible_length),
        ROW(test_answer_comes_back_in_the_room_that_there_is),
        ROW(test_length_of_the_answer_decides_how_a_command_goes),
        ROW(test_long_command_is_written_and_its_answer_read),
        ROW(test_long_command_with_room_for_any_answer),
        ROW(test_long_command_with_little_room),
        ROW(test_long_command_that_fails),
        ROW(test_long_command_for_another_protocol),
        ROW(test_interrupted_command_is_sent_once),
        ROW(test_interrupted_command_that_was_not_sent_is_sent),
        ROW(test_interrupted_code_without_an_answer),
        ROW(test_codes_for_linux_become_those_of_windows),
        ROW(test_code_with_more_room_than_a_call_has),
        ROW(test_attributes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
