/* SPDX-License-Identifier: BSD-2-Clause */
/* test-arguments.c - what no function takes: handles that are none, and no place for what
 * is asked for. Nothing reaches the mount. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fake_mount.h"

#define NONE   ((SCARDCONTEXT)0x3FFFC000) /* of a place that another has */
#define BOTH   (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
#define SHARED SCARD_SHARE_SHARED

static SCARDCONTEXT context;
static SCARDHANDLE card;

static int setup(void **state)
{
    if (fake_mount_setup(state) != 0)
        return -1;
    context = fake_context();
    card = fake_card(context, SHARED);
    fake_ioctls = 0;
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(fake_ioctls, 0);
    assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
    return fake_mount_teardown(state);
}

static void test_what_is_no_context_is_said(void **state)
{
    SCARD_READERSTATE reader = {.szReader = FAKE_READER};
    SCARDHANDLE got = 1;
    DWORD len = 10, protocol = 9;
    char text[10];

    (void)state;
    for (int i = 0; i < 2; i++) {
        const SCARDCONTEXT wrong = i == 0 ? NONE : card;

        assert_int_equal(SCardReleaseContext(wrong), SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardIsValidContext(wrong), SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardCancel(wrong), SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardFreeMemory(wrong, NULL), SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardListReaders(wrong, NULL, text, &len),
                         SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardListReaderGroups(wrong, text, &len),
                         SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardGetStatusChange(wrong, 0, &reader, 1),
                         SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardConnect(wrong, FAKE_READER, SHARED, BOTH, &got, &protocol),
                         SCARD_E_INVALID_HANDLE);
        assert_int_equal(got, 0);
        assert_int_equal(protocol, SCARD_PROTOCOL_UNDEFINED);
    }
    assert_int_equal(SCardIsValidContext(context), SCARD_S_SUCCESS);
}

static void test_what_is_no_card_is_said(void **state)
{
    DWORD len = 4, name_len = 4, atr_len = 4, card_state = 9, protocol = 9;
    BYTE bytes[4] = {0};
    char name[4];

    (void)state;
    for (int i = 0; i < 2; i++) {
        const SCARDHANDLE wrong = i == 0 ? NONE : context;

        assert_int_equal(SCardReconnect(wrong, SHARED, BOTH, SCARD_LEAVE_CARD, &protocol),
                         SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardDisconnect(wrong, SCARD_LEAVE_CARD),
                         SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardBeginTransaction(wrong), SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardEndTransaction(wrong, SCARD_LEAVE_CARD),
                         SCARD_E_INVALID_HANDLE);
        assert_int_equal(
            SCardTransmit(wrong, &g_rgSCardT1Pci, bytes, 4, NULL, bytes, &len),
            SCARD_E_INVALID_HANDLE);
        assert_int_equal(len, 0);
        len = 4;
        assert_int_equal(SCardControl(wrong, 1, bytes, 4, bytes, 4, &len),
                         SCARD_E_INVALID_HANDLE);
        assert_int_equal(len, 0);
        len = 4;
        assert_int_equal(SCardGetAttrib(wrong, 1, bytes, &len), SCARD_E_INVALID_HANDLE);
        assert_int_equal(SCardSetAttrib(wrong, 1, bytes, 4), SCARD_E_INVALID_HANDLE);
        assert_int_equal(
            SCardStatus(wrong, name, &name_len, &card_state, &protocol, bytes, &atr_len),
            SCARD_E_INVALID_HANDLE);
        /* And everything that was asked for is 0. */
        assert_int_equal(name_len | atr_len | card_state | protocol, 0);
    }
}

static void test_no_place_for_what_is_asked_for(void **state)
{
    BYTE bytes[4] = {0};
    SCARDHANDLE got;
    DWORD len = 4, protocol;
    char text[4];

    (void)state;
    assert_int_equal(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, NULL),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardListReaders(context, NULL, text, NULL),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardListReaderGroups(context, text, NULL),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardConnect(context, FAKE_READER, SHARED, BOTH, NULL, &protocol),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardConnect(context, FAKE_READER, SHARED, BOTH, &got, NULL),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardReconnect(card, SHARED, BOTH, SCARD_LEAVE_CARD, NULL),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardTransmit(card, NULL, bytes, 4, NULL, bytes, &len),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardTransmit(card, &g_rgSCardT1Pci, NULL, 4, NULL, bytes, &len),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardTransmit(card, &g_rgSCardT1Pci, bytes, 4, NULL, NULL, &len),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardTransmit(card, &g_rgSCardT1Pci, bytes, 4, NULL, bytes, NULL),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardGetAttrib(card, 1, bytes, NULL), SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardSetAttrib(card, 1, NULL, 4), SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardSetAttrib(card, 1, bytes, 0), SCARD_E_INVALID_PARAMETER);
    len = SCARD_AUTOALLOCATE;
    assert_int_equal(SCardListReaders(context, NULL, NULL, &len),
                     SCARD_E_INVALID_PARAMETER);
}

static void test_modes_that_there_are_not(void **state)
{
    SCARD_READERSTATE nameless = {.szReader = NULL};
    char name[MAX_READERNAME + 1];
    SCARDCONTEXT other = 1;
    SCARDHANDLE got;
    DWORD protocol;

    (void)state;
    assert_int_equal(SCardEstablishContext(SCARD_SCOPE_GLOBAL + 1, NULL, NULL, &other),
                     SCARD_E_INVALID_VALUE);
    assert_int_equal(other, 0);
    assert_int_equal(SCardGetStatusChange(context, 0, NULL, 1),
                     SCARD_E_INVALID_PARAMETER);
    assert_int_equal(SCardGetStatusChange(context, 0, &nameless, 1),
                     SCARD_E_INVALID_VALUE);
    assert_int_equal(SCardConnect(context, NULL, SHARED, BOTH, &got, &protocol),
                     SCARD_E_UNKNOWN_READER);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(SCardConnect(context, name, SHARED, BOTH, &got, &protocol),
                     SCARD_E_INVALID_VALUE);
    for (DWORD share = 0; share <= 4; share += 4) {
        assert_int_equal(SCardConnect(context, FAKE_READER, share, BOTH, &got, &protocol),
                         SCARD_E_INVALID_VALUE);
        assert_int_equal(SCardReconnect(card, share, BOTH, SCARD_LEAVE_CARD, &protocol),
                         SCARD_E_INVALID_VALUE);
    }
    assert_int_equal(
        SCardConnect(context, FAKE_READER, SHARED, SCARD_PROTOCOL_T15, &got, &protocol),
        SCARD_E_PROTO_MISMATCH);
    assert_int_equal(SCardReconnect(card, SHARED, BOTH, SCARD_EJECT_CARD, &protocol),
                     SCARD_E_INVALID_VALUE);
    assert_int_equal(SCardDisconnect(card, SCARD_EJECT_CARD + 1), SCARD_E_INVALID_VALUE);
    assert_int_equal(SCardEndTransaction(card, SCARD_EJECT_CARD + 1),
                     SCARD_E_INVALID_VALUE);
    assert_int_equal(SCardEndTransaction(card, SCARD_LEAVE_CARD), SCARD_E_NOT_TRANSACTED);
}

static void test_what_no_call_can_carry(void **state)
{
    static BYTE bytes[MAX_BUFFER_SIZE_EXTENDED + 1];
    DWORD len = sizeof bytes;

    (void)state;
    assert_int_equal(
        SCardTransmit(card, &g_rgSCardT1Pci, bytes, sizeof bytes, NULL, bytes, &len),
        SCARD_E_INSUFFICIENT_BUFFER);
    assert_int_equal(len, 0);
    assert_int_equal(SCardControl(card, 1, bytes, SCARD_CALL_DATA_MAX + 1, NULL, 0, NULL),
                     SCARD_E_INSUFFICIENT_BUFFER);
    assert_int_equal(SCardSetAttrib(card, 1, bytes, 4093), SCARD_E_INSUFFICIENT_BUFFER);
}

/* SCardGetStatusChange waits for cards, and can be cancelled. */
static void test_codes_that_wait_for_a_card_are_refused(void **state)
{
    static const DWORD codes[] = {0x00310028, 0x0031002C, 0x4200000A, 0x4200000B};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        DWORD len = 9;

        assert_int_equal(SCardControl(card, codes[i], NULL, 0, NULL, 0, &len),
                         SCARD_E_UNEXPECTED);
        assert_int_equal(len, 0);
    }
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROW(test_what_is_no_context_is_said),
        ROW(test_what_is_no_card_is_said),
        ROW(test_no_place_for_what_is_asked_for),
        ROW(test_modes_that_there_are_not),
        ROW(test_what_no_call_can_carry),
        ROW(test_codes_that_wait_for_a_card_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
