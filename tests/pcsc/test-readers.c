/* SPDX-License-Identifier: BSD-2-Clause */
/* test-readers.c - which reader a name stands for, and what its text files tell, on a
 * mount that changes in between, fails, or says what none should. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "contrib/pcsc/reader.h"
#include "fake_mount.h"

#define BOTH         (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static SCARDCONTEXT context;

static int setup(void **state)
{
    if (fake_mount_setup(state) != 0)
        return -1;
    context = fake_context();
    return 0;
}

static int teardown(void **state)
{
    fake_before = NULL;
    assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
    return fake_mount_teardown(state);
}

static LONG try_connect(void)
{
    SCARDHANDLE card;
    DWORD protocol;

    return SCardConnect(context, FAKE_READER, SCARD_SHARE_SHARED, BOTH, &card, &protocol);
}

/* The low word of the state, or the code that SCardGetStatusChange has returned. */
static DWORD state_of(const char *name, SCARD_READERSTATE *reader)
{
    LONG result;

    *reader = (SCARD_READERSTATE){.szReader = name, .cbAtr = 99};
    result = SCardGetStatusChange(context, 0, reader, 1);
    return result != SCARD_S_SUCCESS
               ? (DWORD)result
               : reader->dwEventState & 0xFFFF & ~(DWORD)SCARD_STATE_CHANGED;
}

/* ---- names ------------------------------------------------------------------------- */

static void test_list_leaves_out_who_has_no_name(void **state)
{
    char names[64];
    DWORD len = sizeof names;

    (void)state;
    fake_file("reader1/name", "");
    fake_file("reader2/name", "\nSecond line\n");
    fake_file("reader3/state", "absent\n"); /* going */
    fake_file("reader10/name", "Tenth");
    fake_file("reader9/name", "Ninth\n");
    assert_int_equal(SCardListReaders(context, NULL, names, &len), SCARD_S_SUCCESS);
    assert_int_equal(len, sizeof FAKE_READER "\0Ninth\0Tenth\0");
    assert_memory_equal(names, FAKE_READER "\0Ninth\0Tenth\0", len);
}

static void test_list_of_nobody(void **state)
{
    char names[64];
    DWORD len = sizeof names;

    (void)state;
    fake_file("reader0/name", NULL);
    assert_int_equal(SCardListReaders(context, NULL, names, &len),
                     SCARD_E_NO_READERS_AVAILABLE);
    fake_file("version", "2\n"); /* not a mount that this library knows */
    assert_int_equal(SCardListReaders(context, NULL, names, &len), SCARD_E_NO_SERVICE);
}

static void rename_reader(enum fake_call call, const char *name)
{
    if (call == FAKE_OPEN && strcmp(name, "control") == 0)
        fake_file("reader0/name", "Other\n");
}

static void test_directory_that_becomes_another_readers_is_not_taken(void **state)
{
    (void)state;
    fake_before = rename_reader; /* after its name was read, before its file is open */
    assert_int_equal(try_connect(), SCARD_E_UNKNOWN_READER);
    fake_before = NULL;
    assert_int_equal(fake_open_files(), 0);
    fake_file("reader0/name", FAKE_READER "\n");
    assert_int_equal(try_connect(), SCARD_S_SUCCESS);
}

static void test_reader_that_fails_while_it_is_looked_for(void **state)
{
    (void)state;
    fake_fails(FAKE_READ, "name", 1, 1, EACCES);
    assert_int_equal(try_connect(), SCARD_W_SECURITY_VIOLATION);
    assert_int_equal(fake_open_files(), 0);
    fake_fails(FAKE_OPEN, "control", 0, 1, EACCES);
    fake_fails(FAKE_OPEN, "state", 0, 1, EMFILE);
    assert_int_equal(try_connect(), SCARD_E_SERVER_TOO_BUSY);
    assert_int_equal(fake_open_files(), 0);
}

static void look_too(enum fake_call call, const char *name)
{
    SCARD_READERSTATE reader;

    if (call != FAKE_OPEN || strcmp(name, "control") != 0)
        return;
    fake_before = NULL;
    (void)state_of(FAKE_READER, &reader);
}

static void test_reader_that_two_threads_look_for_is_one(void **state)
{
    SCARD_READERSTATE reader;

    (void)state;
    fake_before = look_too; /* the other one is faster */
    assert_int_equal(state_of(FAKE_READER, &reader),
                     SCARD_STATE_PRESENT | SCARD_STATE_INUSE);
    assert_null(fake_before);
    assert_int_equal(fake_open_files(), 1);
}

static void test_reader_that_is_lost_twice_counts_once(void **state)
{
    SCARD_READERSTATE state_now;
    struct reader *reader, *again;
    int error = 0;
    DWORD counter;

    (void)state;
    fake_file("reader1/name", "Second\n"); /* by its text files, which count less */
    fake_file("reader1/state", "absent\n");
    fake_file("reader1/events/absent", "0\n");
    assert_int_equal(state_of("Second", &state_now), SCARD_E_READER_UNAVAILABLE);
    fake_file("reader1/atr", "");
    assert_int_equal(state_of("Second", &state_now), SCARD_STATE_EMPTY);
    assert_int_equal(state_of(FAKE_READER, &state_now),
                     SCARD_STATE_PRESENT | SCARD_STATE_INUSE);
    counter = state_now.dwEventState >> 16;
    reader = reader_find(FAKE_READER, &error);
    assert_non_null(reader);
    again = reader_find("Second", &error);
    assert_non_null(again);
    reader_lost(reader);
    reader_lost(reader);
    reader_put(reader);
    reader_lost(again); /* what it has told is less than what is behind already */
    reader_put(again);
    assert_int_equal(state_of(FAKE_READER, &state_now),
                     SCARD_STATE_PRESENT | SCARD_STATE_INUSE);
    /* One for the loss, and what the mount counts. */
    assert_int_equal(state_now.dwEventState >> 16, counter + 1 + fake_info.counter);
}

/* A file has the rights of who opened it. */
static void test_file_of_another_user_is_not_used_again(void **state)
{
    struct reader *reader;
    int error = 0, fd, other;
    bool used;

    (void)state;
    reader = reader_find(FAKE_READER, &error);
    assert_non_null(reader);
    fd = reader_take_control(reader, &used);
    assert_true(fd >= 0 && !used);
    reader_give_control(reader, fd);
    assert_int_equal(reader_take_control(reader, &used), fd);
    assert_true(used);
    reader_give_control(reader, fd);
    reader->spare_uid = geteuid() + 1;
    other = reader_take_control(reader, &used);
    assert_true(other >= 0 && other != fd && !used);
    reader_give_control(reader, other); /* in the place of fd, which is closed */
    assert_int_equal(fake_open_files(), 2);
    reader_put(reader);
}

static void test_reader_that_goes_at_every_look_is_unavailable(void **state)
{
    SCARD_READERSTATE reader;

    (void)state;
    fake_fails(FAKE_IOCTL, "info", 0, 2, ENODEV);
    assert_int_equal(state_of(FAKE_READER, &reader),
                     SCARD_STATE_PRESENT | SCARD_STATE_INUSE);
    fake_fails(FAKE_IOCTL, "info", 0, 3, ENODEV);
    assert_int_equal(state_of(FAKE_READER, &reader), SCARD_E_READER_UNAVAILABLE);
    fake_fails(FAKE_IOCTL, "info", 0, 3, ENOTCONN);
    assert_int_equal(state_of(FAKE_READER, &reader), SCARD_E_NO_SERVICE);
}

/* ---- text files -------------------------------------------------------------------- */

static void test_power_up_is_told_by_the_error_of_atr(void **state)
{
    static const struct {
        int error;
        DWORD state;
    } rows[] = {
        {EAGAIN, SCARD_STATE_EMPTY}, /* has not come yet */
        {ETIMEDOUT, SCARD_STATE_PRESENT | SCARD_STATE_MUTE},
        {EMEDIUMTYPE, SCARD_STATE_PRESENT | SCARD_STATE_MUTE},
        {ENOMEDIUM, SCARD_STATE_EMPTY}, /* has gone since */
        {EIO, SCARD_F_COMM_ERROR},
        {EMFILE, SCARD_E_SERVER_TOO_BUSY},
    };
    SCARD_READERSTATE reader;

    (void)state;
    fake_no_control();
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_fails(FAKE_READ, "atr", 0, 1, rows[i].error);
        assert_int_equal(state_of(FAKE_READER, &reader), rows[i].state);
        if (rows[i].state < 0x10000)
            assert_int_equal(reader.cbAtr, 0);
    }
    assert_int_equal(state_of(FAKE_READER, &reader), SCARD_STATE_PRESENT);
    assert_int_equal(reader.cbAtr, 2);
    assert_memory_equal(reader.rgbAtr, "\x3b\x80", 2);
}

static void test_atr_is_read_as_far_as_it_is_one(void **state)
{
    static const struct {
        const char *text;
        DWORD len;
    } rows[] = {{"3b8001\n", 3}, {"3b800\n", 2}, {"3b8G\n", 1}, {"3B\n", 0},
                {"zz\n", 0},     {"\n", 0},      {"3b:0\n", 1}, {"3b0`\n", 1}};
    char longest[2 * SCARD_ATR_ROOM + 9];
    SCARD_READERSTATE reader;

    (void)state;
    fake_no_control();
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_file("reader0/atr", rows[i].text);
        assert_int_equal(state_of(FAKE_READER, &reader), SCARD_STATE_PRESENT);
        assert_int_equal(reader.cbAtr, rows[i].len);
    }
    /* More than an ATR has: nothing is told of it. */
    memset(longest, '3', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    fake_file("reader0/atr", longest);
    assert_int_equal(state_of(FAKE_READER, &reader), SCARD_STATE_PRESENT);
    assert_int_equal(reader.cbAtr, 0);
}

static void test_presence_is_asked_until_both_files_agree(void **state)
{
    SCARD_READERSTATE reader;

    (void)state;
    fake_no_control();
    /* Neither here nor there: it has come in between. */
    fake_file("reader0/events/absent", "3\n");
    fake_fails(FAKE_READ, "present", 0, 2, EAGAIN);
    fake_fails(FAKE_READ, "absent", 0, 2, EAGAIN);
    assert_int_equal(state_of(FAKE_READER, &reader), SCARD_STATE_PRESENT);
    /* For ever: then that is said. */
    fake_fails(FAKE_READ, "present", 0, 8, EAGAIN);
    fake_fails(FAKE_READ, "absent", 0, 8, EAGAIN);
    assert_int_equal(state_of(FAKE_READER, &reader), SCARD_F_COMM_ERROR);
}

static void test_text_files_that_go_are_a_reader_that_goes(void **state)
{
    static const char *const files[] = {"present", "atr"};
    SCARD_READERSTATE reader;

    (void)state;
    fake_no_control();
    fake_file("reader0/events/absent", "1\n");
    for (size_t i = 0; i < COUNT(files); i++) {
        fake_fails(FAKE_OPEN, files[i], 0, 1, ENOENT);
        if (i == 0)
            fake_fails(FAKE_OPEN, "absent", 0, 1, ENOENT);
        assert_int_equal(state_of(FAKE_READER, &reader), SCARD_STATE_PRESENT);
    }
    fake_fails(FAKE_READ, "state", 0, 2, EINTR); /* a signal is no failure of it */
    assert_int_equal(state_of(FAKE_READER, &reader), SCARD_STATE_PRESENT);
    fake_fails(FAKE_READ, "state", 0, 1, EIO);
    assert_int_equal(state_of(FAKE_READER, &reader), SCARD_F_COMM_ERROR);
    fake_file("reader0/state", "a word that no mount has\n");
    assert_int_equal(state_of(FAKE_READER, &reader), SCARD_STATE_PRESENT);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROW(test_list_leaves_out_who_has_no_name),
        ROW(test_list_of_nobody),
        ROW(test_directory_that_becomes_another_readers_is_not_taken),
        ROW(test_reader_that_fails_while_it_is_looked_for),
        ROW(test_reader_that_two_threads_look_for_is_one),
        ROW(test_reader_that_is_lost_twice_counts_once),
        ROW(test_file_of_another_user_is_not_used_again),
        ROW(test_reader_that_goes_at_every_look_is_unavailable),
        ROW(test_power_up_is_told_by_the_error_of_atr),
        ROW(test_atr_is_read_as_far_as_it_is_one),
        ROW(test_presence_is_asked_until_both_files_agree),
        ROW(test_text_files_that_go_are_a_reader_that_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
