/* SPDX-License-Identifier: BSD-2-Clause */
/* test-memory.c - no memory, no descriptor: each function says so, nothing stays behind,
 * and it works as soon as there is some. In this order: what the library keeps for good
 * is allocated once. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_mount.h"

#define NOTIFICATION "\\\\?PnP?\\Notification"
#define BOTH         (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
#define KNOWN        (SCARD_STATE_PRESENT | SCARD_STATE_INUSE)
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
    assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
    return fake_mount_teardown(state);
}

static void no_memory(unsigned after)
{
    fake_fails(FAKE_MEMORY, NULL, after, 1, ENOMEM);
}

static LONG try_connect(SCARDHANDLE *card)
{
    DWORD protocol;

    return SCardConnect(context, FAKE_READER, SCARD_SHARE_SHARED, BOTH, card, &protocol);
}

static void test_context_without_memory(void **state)
{
    SCARDCONTEXT got = 1;

    (void)state;
    /* To remember a file by, then for the contexts. */
    for (unsigned i = 0; i < 2; i++) {
        no_memory(i);
        assert_int_equal(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &got),
                         SCARD_E_NO_MEMORY);
        assert_int_equal(got, 0);
        assert_int_equal(fake_open_files(), 0);
    }
    assert_int_equal(SCardReleaseContext(fake_context()), SCARD_S_SUCCESS);
}

static void test_context_where_version_cannot_be_opened(void **state)
{
    static const struct {
        int error;
        LONG code;
    } rows[] = {{EMFILE, SCARD_E_SERVER_TOO_BUSY}, {ENFILE, SCARD_E_SERVER_TOO_BUSY},
                {EDQUOT, SCARD_E_SERVER_TOO_BUSY}, {ENOMEM, SCARD_E_NO_MEMORY},
                {EACCES, SCARD_E_NO_SERVICE},      {ENOENT, SCARD_E_NO_SERVICE}};
    SCARDCONTEXT got;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_fails(FAKE_OPEN, "version", 0, 1, rows[i].error);
        assert_int_equal(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &got),
                         rows[i].code);
    }
}

static void test_connection_without_memory(void **state)
{
    SCARDHANDLE card = 1;

    (void)state;
    /* For the cards, then for the reader. */
    for (unsigned i = 0; i < 2; i++) {
        no_memory(i);
        assert_int_equal(try_connect(&card), SCARD_E_NO_MEMORY);
        assert_int_equal(card, 0);
        assert_int_equal(fake_open_files(), 0);
    }
    assert_int_equal(try_connect(&card), SCARD_S_SUCCESS);
}

static void test_many_files_without_memory(void **state)
{
    int files[80];
    SCARDHANDLE card;

    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        files[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(files[i] >= 0);
    }
    /* Files behind those are remembered in more memory: neither the reader's name can be
     * read then nor whether there is a mount at all. */
    fake_fails(FAKE_MEMORY, NULL, 0, 2, ENOMEM);
    assert_int_equal(try_connect(&card), SCARD_E_NO_MEMORY);
    assert_int_equal(fake_open_files(), 0);
    assert_int_equal(try_connect(&card), SCARD_S_SUCCESS);
    for (size_t i = 0; i < COUNT(files); i++)
        close(files[i]);
}

static void test_lists_without_memory(void **state)
{
    char *names = NULL;
    DWORD len;

    (void)state;
    for (unsigned i = 0; i < 2; i++) { /* to make it, to give it */
        len = SCARD_AUTOALLOCATE;
        no_memory(i);
        assert_int_equal(SCardListReaders(context, NULL, (char *)&names, &len),
                         SCARD_E_NO_MEMORY);
        assert_null(names);
    }
    len = SCARD_AUTOALLOCATE;
    no_memory(0);
    assert_int_equal(SCardListReaderGroups(context, (char *)&names, &len),
                     SCARD_E_NO_MEMORY);
    assert_null(names);
    len = SCARD_AUTOALLOCATE;
    assert_int_equal(SCardListReaders(context, NULL, (char *)&names, &len),
                     SCARD_S_SUCCESS);
    assert_memory_equal(names, FAKE_READER "\0", sizeof FAKE_READER + 1);
    assert_int_equal(SCardFreeMemory(context, names), SCARD_S_SUCCESS);
}

static void test_wait_without_memory(void **state)
{
    SCARD_READERSTATE reader = {.szReader = FAKE_READER, .dwCurrentState = KNOWN};
    SCARD_READERSTATE arrivals = {.szReader = NOTIFICATION};

    (void)state;
    assert_int_equal(SCardGetStatusChange(context, 0, &reader, 1), SCARD_E_TIMEOUT);
    for (unsigned i = 0; i < 3; i++) { /* what is watched, a watch, what is polled */
        no_memory(i);
        assert_int_equal(SCardGetStatusChange(context, 1, &reader, 1), SCARD_E_NO_MEMORY);
        assert_int_equal(fake_open_files(), 1); /* that the reader is remembered by */
    }
    no_memory(1);
    assert_int_equal(SCardGetStatusChange(context, 1, &arrivals, 1), SCARD_E_NO_MEMORY);
    assert_int_equal(SCardGetStatusChange(context, 1, &reader, 1), SCARD_E_TIMEOUT);
}

static void test_wait_without_a_descriptor(void **state)
{
    SCARD_READERSTATE reader = {.szReader = FAKE_READER, .dwCurrentState = KNOWN};

    (void)state;
    fake_fails(FAKE_EVENTFD, NULL, 0, 1, EMFILE);
    assert_int_equal(SCardGetStatusChange(context, 1, &reader, 1),
                     SCARD_E_SERVER_TOO_BUSY);
    assert_int_equal(SCardGetStatusChange(context, 1, &reader, 1), SCARD_E_TIMEOUT);
}

/* Without its name a reader cannot be told from others: that is no reason to say that
 * there is none. */
static void test_reader_is_not_unknown_where_something_is_missing(void **state)
{
    static const struct {
        int error;
        LONG code;
    } rows[] = {{EMFILE, SCARD_E_SERVER_TOO_BUSY},
                {ENFILE, SCARD_E_SERVER_TOO_BUSY},
                {ENOMEM, SCARD_E_NO_MEMORY},
                {EIO, SCARD_E_UNKNOWN_READER}};
    SCARDHANDLE card;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_fails(FAKE_OPEN, "name", 0, 1, rows[i].error);
        assert_int_equal(try_connect(&card), rows[i].code);
    }
    assert_int_equal(try_connect(&card), SCARD_S_SUCCESS);
}

/* Such a failure is not the reader's: what is known of it stays. */
static void test_reader_is_kept_where_something_is_missing(void **state)
{
    static const struct {
        int error;
        LONG code;
    } rows[] = {{EMFILE, SCARD_E_SERVER_TOO_BUSY},
                {ENFILE, SCARD_E_SERVER_TOO_BUSY},
                {ENOMEM, SCARD_E_NO_MEMORY}};
    SCARD_READERSTATE reader = {.szReader = FAKE_READER};
    SCARDHANDLE card;
    DWORD counter;

    (void)state;
    assert_int_equal(SCardGetStatusChange(context, 0, &reader, 1), SCARD_S_SUCCESS);
    counter = reader.dwEventState >> 16;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_fails(FAKE_IOCTL, "info", 0, 1, rows[i].error);
        assert_int_equal(SCardGetStatusChange(context, 0, &reader, 1), rows[i].code);
        assert_int_equal(SCardGetStatusChange(context, 0, &reader, 1), SCARD_S_SUCCESS);
        assert_int_equal(reader.dwEventState >> 16, counter);
    }
    for (unsigned i = 0; i < 2; i++) { /* to connect: the file, and its reader's name */
        fake_fails(FAKE_OPEN, i == 0 ? "control" : "name", 0, 1, EMFILE);
        assert_int_equal(try_connect(&card), SCARD_E_SERVER_TOO_BUSY);
        assert_int_equal(SCardGetStatusChange(context, 0, &reader, 1), SCARD_S_SUCCESS);
        assert_int_equal(reader.dwEventState >> 16, counter);
    }
    fake_fails(FAKE_IOCTL, "info", 0, 1, EIO);
    assert_int_equal(SCardGetStatusChange(context, 0, &reader, 1), SCARD_F_COMM_ERROR);
    assert_int_equal(SCardGetStatusChange(context, 0, &reader, 1), SCARD_S_SUCCESS);
    assert_true(reader.dwEventState >> 16 > counter); /* perhaps another one */
}

static void test_calls_without_memory(void **state)
{
    static BYTE command[17000], answer[300];
    SCARDHANDLE card;
    BYTE *value = NULL;
    DWORD len;

    (void)state;
    assert_int_equal(try_connect(&card), SCARD_S_SUCCESS);
    for (size_t size = 5000; size <= sizeof command; size += 12000) {
        len = sizeof answer;
        no_memory(0);
        assert_int_equal(
            SCardTransmit(card, &g_rgSCardT1Pci, command, size, NULL, answer, &len),
            SCARD_E_NO_MEMORY);
        assert_int_equal(len, 0);
    }
    no_memory(0);
    assert_int_equal(SCardControl(card, 1, command, 5000, answer, sizeof answer, &len),
                     SCARD_E_NO_MEMORY);
    len = SCARD_AUTOALLOCATE;
    no_memory(0);
    assert_int_equal(SCardGetAttrib(card, 0x7FFF0003, (BYTE *)&value, &len),
                     SCARD_E_NO_MEMORY);
    assert_null(value);
    assert_int_equal(SCardControl(card, 1, command, 5000, answer, sizeof answer, &len),
                     SCARD_S_SUCCESS);
    assert_int_equal(len, sizeof answer);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_context_without_memory, fake_mount_setup,
                                        fake_mount_teardown),
        cmocka_unit_test_setup_teardown(test_context_where_version_cannot_be_opened,
                                        fake_mount_setup, fake_mount_teardown),
        ROW(test_connection_without_memory),
        ROW(test_many_files_without_memory),
        ROW(test_lists_without_memory),
        ROW(test_wait_without_memory),
        ROW(test_wait_without_a_descriptor),
        ROW(test_reader_is_not_unknown_where_something_is_missing),
        ROW(test_reader_is_kept_where_something_is_missing),
        ROW(test_calls_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
