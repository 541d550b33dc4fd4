/* SPDX-License-Identifier: BSD-2-Clause */
/* test-cards.c - connections on a mount that refuses, goes away, or says what none
 * should. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contrib/pcsc/library.h"
#include "fake_mount.h"

#define BOTH         (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
#define SHARED       SCARD_SHARE_SHARED
#define DIRECT       SCARD_SHARE_DIRECT
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

static LONG try_connect(DWORD share, SCARDHANDLE *card)
{
    DWORD protocol;

    return SCardConnect(context, FAKE_READER, share, BOTH, card, &protocol);
}

static LONG reconnect(SCARDHANDLE card, DWORD share, DWORD initialization)
{
    DWORD protocol = 9;
    const LONG result = SCardReconnect(card, share, BOTH, initialization, &protocol);

    if (result != SCARD_S_SUCCESS)
        assert_int_equal(protocol, SCARD_PROTOCOL_UNDEFINED);
    return result;
}

static LONG status_of(SCARDHANDLE card)
{
    return SCardStatus(card, NULL, NULL, NULL, NULL, NULL, NULL);
}

/* ---- connect ----------------------------------------------------------------------- */

static void test_refusal_of_a_connection_is_told(void **state)
{
    static const struct {
        int error;
        LONG code;
    } rows[] = {
        {EOPNOTSUPP, SCARD_E_PROTO_MISMATCH},     {ETIMEDOUT, SCARD_W_UNRESPONSIVE_CARD},
        {EMEDIUMTYPE, SCARD_W_UNRESPONSIVE_CARD}, {EIO, SCARD_W_UNRESPONSIVE_CARD},
        {EPROTO, SCARD_W_UNRESPONSIVE_CARD},      {EBADMSG, SCARD_W_UNRESPONSIVE_CARD},
        {ENOMEDIUM, SCARD_E_NO_SMARTCARD},        {EBUSY, SCARD_E_SHARING_VIOLATION},
        {ENODEV, SCARD_E_READER_UNAVAILABLE},     {ENOTCONN, SCARD_E_NO_SERVICE},
    };
    SCARDHANDLE card;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_fails(FAKE_IOCTL, "connect", 0, 1, rows[i].error);
        assert_int_equal(try_connect(SHARED, &card), rows[i].code);
        assert_int_equal(card, 0);
    }
}

/* A directory's number may be another reader's by the time `control` is opened. */
static void test_control_that_has_gone_is_looked_for_again(void **state)
{
    static const int errors[] = {ENOENT, ENODEV, ENOTCONN};
    SCARDHANDLE card;

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        fake_fails(FAKE_OPEN, "control", 1, 1, errors[i]);
        assert_int_equal(try_connect(SHARED, &card), SCARD_S_SUCCESS);
        assert_int_equal(SCardReleaseContext(context), SCARD_S_SUCCESS);
        context = fake_context();
    }
}

static void test_control_that_cannot_be_opened_is_told(void **state)
{
    SCARDHANDLE card;

    (void)state;
    fake_fails(FAKE_OPEN, "control", 1, 1, EACCES);
    assert_int_equal(try_connect(SHARED, &card), SCARD_W_SECURITY_VIOLATION);
    fake_fails(FAKE_OPEN, "control", 0, 1, EIO);
    assert_int_equal(try_connect(SHARED, &card), SCARD_W_UNRESPONSIVE_CARD);
    /* Gone, three times. */
    fake_fails(FAKE_OPEN, "control", 0, 5, ENODEV);
    assert_int_equal(try_connect(SHARED, &card), SCARD_E_READER_UNAVAILABLE);
    assert_int_equal(try_connect(SHARED, &card), SCARD_S_SUCCESS);
}

static void test_file_of_an_earlier_connection_may_be_stale(void **state)
{
    static const int errors[] = {ENODEV, ENOTCONN, ECONNABORTED};
    SCARDHANDLE card = fake_card(context, SHARED);

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        assert_int_equal(SCardDisconnect(card, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
        fake_fails(FAKE_IOCTL, "connect", 0, 1, errors[i]);
        assert_int_equal(try_connect(SHARED, &card), SCARD_S_SUCCESS);
        assert_int_equal(status_of(card), SCARD_S_SUCCESS);
    }
    /* What else is wrong with it is no reason for another one. */
    assert_int_equal(SCardDisconnect(card, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
    fake_fails(FAKE_IOCTL, "connect", 0, 1, EBUSY);
    assert_int_equal(try_connect(SHARED, &card), SCARD_E_SHARING_VIOLATION);
}

/* Not that of a connection which had the place before. */
static void test_direct_connection_has_the_protocol_that_others_selected(void **state)
{
    SCARDHANDLE card = fake_card(context, SHARED);
    DWORD protocol = 9;

    (void)state;
    assert_int_equal(SCardDisconnect(card, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
    fake_fails(FAKE_IOCTL, "info", 0, 1, EIO);
    assert_int_equal(SCardConnect(context, FAKE_READER, DIRECT, 0, &card, &protocol),
                     SCARD_S_SUCCESS);
    assert_int_equal(protocol, SCARD_PROTOCOL_UNDEFINED);
    fake_info.protocol = 0x00010000; /* raw, of winsmcrd.h */
    assert_int_equal(SCardReconnect(card, DIRECT, 0, SCARD_LEAVE_CARD, &protocol),
                     SCARD_S_SUCCESS);
    assert_int_equal(protocol, SCARD_PROTOCOL_RAW);
}

/* ---- reconnect --------------------------------------------------------------------- */

static void test_reconnect_opens_what_has_gone(void **state)
{
    const SCARDHANDLE card = fake_card(context, SHARED);

    (void)state;
    assert_int_equal(SCardBeginTransaction(card), SCARD_S_SUCCESS);
    fake_fails(FAKE_IOCTL, "info", 0, 1, ENOTCONN);
    assert_int_equal(reconnect(card, SHARED, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
    assert_int_equal(SCardEndTransaction(card, SCARD_LEAVE_CARD), SCARD_E_NOT_TRANSACTED);
}

static void test_handle_outlives_a_reader_that_is_not_there(void **state)
{
    const SCARDHANDLE card = fake_card(context, SHARED);

    (void)state;
    fake_fails(FAKE_IOCTL, "info", 0, 1, ENODEV);
    fake_file("reader0/name", "Other\n");
    assert_int_equal(reconnect(card, SHARED, SCARD_LEAVE_CARD), SCARD_E_UNKNOWN_READER);
    assert_int_equal(fake_open_files(), 0);
    assert_int_equal(status_of(card), SCARD_E_READER_UNAVAILABLE);
    assert_int_equal(reconnect(card, SHARED, SCARD_LEAVE_CARD), SCARD_E_UNKNOWN_READER);
    fake_file("reader0/name", FAKE_READER "\n");
    assert_int_equal(reconnect(card, SHARED, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
    assert_int_equal(status_of(card), SCARD_S_SUCCESS);
    /* And may be ended without. */
    fake_fails(FAKE_IOCTL, "info", 0, 1, ENODEV);
    fake_file("reader0/name", "Other\n");
    assert_int_equal(reconnect(card, SHARED, SCARD_LEAVE_CARD), SCARD_E_UNKNOWN_READER);
    assert_int_equal(SCardDisconnect(card, SCARD_RESET_CARD), SCARD_S_SUCCESS);
    assert_int_equal(status_of(card), SCARD_E_INVALID_HANDLE);
}

static void test_reconnect_to_a_card_that_was_taken_out(void **state)
{
    const SCARDHANDLE card = fake_card(context, SHARED);

    (void)state;
    fake_info.flags = SCARD_INFO_LOST;
    assert_int_equal(reconnect(card, SHARED, SCARD_LEAVE_CARD), SCARD_E_NO_SMARTCARD);
    assert_int_equal(status_of(card), SCARD_W_REMOVED_CARD);
    assert_int_equal(reconnect(card, DIRECT, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
    fake_info.flags = SCARD_INFO_LOST | SCARD_INFO_PRESENT; /* another one */
    assert_int_equal(reconnect(card, SHARED, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
    fake_fails(FAKE_IOCTL, "disconnect", 0, 1, EIO);
    assert_int_equal(reconnect(card, SHARED, SCARD_LEAVE_CARD),
                     SCARD_W_UNRESPONSIVE_CARD);
    fake_info.flags = SCARD_INFO_PRESENT | SCARD_INFO_RESET;
    assert_int_equal(status_of(card), SCARD_W_RESET_CARD);
}

static void test_share_mode_that_cannot_be_had_costs_no_reset(void **state)
{
    const SCARDHANDLE card = fake_card(context, SHARED);

    (void)state;
    fake_fails(FAKE_IOCTL, "connect", 0, 1, EBUSY);
    assert_int_equal(reconnect(card, SCARD_SHARE_EXCLUSIVE, SCARD_RESET_CARD),
                     SCARD_E_SHARING_VIOLATION);
    assert_int_equal(fake_code, 0);
    assert_int_equal(reconnect(card, SCARD_SHARE_EXCLUSIVE, SCARD_RESET_CARD),
                     SCARD_S_SUCCESS);
    assert_int_not_equal(fake_code, 0);
}

static void test_only_a_direct_connection_resets_without_a_card(void **state)
{
    const SCARDHANDLE card = fake_card(context, SHARED);

    (void)state;
    fake_fails(FAKE_IOCTL, "call", 0, 2, ENOMEDIUM);
    assert_int_equal(reconnect(card, SHARED, SCARD_RESET_CARD), SCARD_E_NO_SMARTCARD);
    assert_int_equal(reconnect(card, DIRECT, SCARD_RESET_CARD), SCARD_S_SUCCESS);
}

/* ---- disconnect and transactions --------------------------------------------------- */

static void test_disconnect_ends_the_handle_whatever_the_mount_says(void **state)
{
    static const struct {
        const char *call;
        DWORD disposition;
        bool begin;
    } rows[] = {{"disconnect", SCARD_LEAVE_CARD, false},
                {"info", SCARD_RESET_CARD, false},
                {"call", SCARD_UNPOWER_CARD, false},
                {"end", SCARD_RESET_CARD, true}};

    (void)state;
    fake_info.connections = 2;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const SCARDHANDLE card = fake_card(context, SHARED);

        if (rows[i].begin)
            assert_int_equal(SCardBeginTransaction(card), SCARD_S_SUCCESS);
        fake_fails(FAKE_IOCTL, rows[i].call, 0, 1, EIO);
        assert_int_equal(SCardDisconnect(card, rows[i].disposition), SCARD_S_SUCCESS);
        assert_int_equal(SCardDisconnect(card, rows[i].disposition),
                         SCARD_E_INVALID_HANDLE);
    }
}

/* Others are connected: who asks for a reset gets one, unless it is not his card. */
static void test_disconnect_resets_no_card_that_came_since(void **state)
{
    (void)state;
    fake_info.connections = 2;
    fake_info.flags = SCARD_INFO_PRESENT | SCARD_INFO_LOST;
    assert_int_equal(SCardDisconnect(fake_card(context, SHARED), SCARD_RESET_CARD),
                     SCARD_S_SUCCESS);
    assert_int_equal(fake_code, 0);
    fake_info.flags = SCARD_INFO_PRESENT;
    assert_int_equal(SCardDisconnect(fake_card(context, SHARED), SCARD_RESET_CARD),
                     SCARD_S_SUCCESS);
    assert_int_not_equal(fake_code, 0);
}

static void test_disposition_of_an_inner_transaction(void **state)
{
    static const struct {
        DWORD disposition;
        bool power;
    } rows[] = {{SCARD_LEAVE_CARD, false},
                {SCARD_EJECT_CARD, false},
                {SCARD_UNPOWER_CARD, true},
                {SCARD_RESET_CARD, true}};
    const SCARDHANDLE card = fake_card(context, SHARED);

    (void)state;
    assert_int_equal(SCardBeginTransaction(card), SCARD_S_SUCCESS);
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_code = 0;
        assert_int_equal(SCardBeginTransaction(card), SCARD_S_SUCCESS);
        assert_int_equal(SCardEndTransaction(card, rows[i].disposition), SCARD_S_SUCCESS);
        assert_int_equal(fake_code != 0, rows[i].power);
    }
    assert_int_equal(SCardEndTransaction(card, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
    assert_int_equal(SCardEndTransaction(card, SCARD_LEAVE_CARD), SCARD_E_NOT_TRANSACTED);
}

/* A call made again after a signal: the first one had done it. */
static void test_transaction_calls_that_were_made_before(void **state)
{
    const SCARDHANDLE card = fake_card(context, SHARED);

    (void)state;
    fake_fails(FAKE_IOCTL, "begin", 0, 1, EINTR);
    fake_fails(FAKE_IOCTL, "begin", 0, 1, EALREADY);
    assert_int_equal(SCardBeginTransaction(card), SCARD_S_SUCCESS);
    fake_fails(FAKE_IOCTL, "end", 0, 1, EINTR);
    fake_fails(FAKE_IOCTL, "end", 0, 1, EPERM);
    assert_int_equal(SCardEndTransaction(card, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
    fake_fails(FAKE_IOCTL, "begin", 0, 1, EHOSTDOWN);
    assert_int_equal(SCardBeginTransaction(card), SCARD_W_UNPOWERED_CARD);
    assert_int_equal(SCardEndTransaction(card, SCARD_LEAVE_CARD), SCARD_E_NOT_TRANSACTED);
    assert_int_equal(SCardBeginTransaction(card), SCARD_S_SUCCESS);
    fake_fails(FAKE_IOCTL, "disconnect", 0, 1, EPERM);
    assert_int_equal(SCardDisconnect(card, SCARD_LEAVE_CARD), SCARD_S_SUCCESS);
}

static void *begin(void *number)
{
    return (void *)(intptr_t)SCardBeginTransaction((SCARDHANDLE)(intptr_t)number);
}

static unsigned refs_of(const struct card *card)
{
    unsigned refs;

    pthread_mutex_lock(&cards.lock);
    refs = card->entry.refs;
    pthread_mutex_unlock(&cards.lock);
    return refs;
}

static void test_call_that_waited_for_a_handle_hears_of_its_end(void **state)
{
    const SCARDHANDLE number = fake_card(context, SHARED);
    struct card *card = card_get(number);
    pthread_t thread;
    void *result;

    (void)state;
    assert_non_null(card);
    assert_int_equal(pthread_create(&thread, NULL, begin, (void *)(intptr_t)number), 0);
    while (refs_of(card) < 3) /* the number's, this one's, the thread's */
        ;
    assert_true(table_withdraw(&cards, &card->entry));
    card_put(card);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_int_equal((LONG)(intptr_t)result, SCARD_E_INVALID_HANDLE);
}

/* ---- status ------------------------------------------------------------------------ */

static void test_states_of_the_mount_are_a_mask(void **state)
{
    static const DWORD masks[] = {
        SCARD_UNKNOWN,
        SCARD_ABSENT,
        SCARD_PRESENT,
        SCARD_PRESENT | SCARD_SWALLOWED,
        SCARD_PRESENT | SCARD_POWERED,
        SCARD_PRESENT | SCARD_POWERED | SCARD_NEGOTIABLE,
        SCARD_PRESENT | SCARD_POWERED | SCARD_NEGOTIABLE,
        SCARD_UNKNOWN, /* there is none of that number */
    };
    const SCARDHANDLE card = fake_card(context, SHARED);

    (void)state;
    for (uint32_t i = 0; i < COUNT(masks); i++) {
        DWORD card_state = 0, protocol = 0;

        fake_info.state = i;
        assert_int_equal(
            SCardStatus(card, NULL, NULL, &card_state, &protocol, NULL, NULL),
            SCARD_S_SUCCESS);
        assert_int_equal(card_state & 0xFFFF, masks[i]);
        assert_int_equal(protocol, SCARD_PROTOCOL_T1);
    }
}

static void test_status_with_too_little_room_says_how_much(void **state)
{
    const SCARDHANDLE card = fake_card(context, SHARED);
    DWORD name_len = 2, atr_len = MAX_ATR_SIZE;
    BYTE atr[MAX_ATR_SIZE];
    char name[2];

    (void)state;
    assert_int_equal(SCardStatus(card, name, &name_len, NULL, NULL, atr, &atr_len),
                     SCARD_E_INSUFFICIENT_BUFFER);
    assert_int_equal(name_len, sizeof FAKE_READER);
    assert_int_equal(atr_len, 2);
    assert_memory_equal(atr, "\x3b\x80", 2);
    atr_len = 1;
    assert_int_equal(SCardStatus(card, NULL, NULL, NULL, NULL, atr, &atr_len),
                     SCARD_E_INSUFFICIENT_BUFFER);
    fake_info.atr_len = sizeof fake_info.atr + 1; /* more than the structure has */
    assert_int_equal(status_of(card), SCARD_F_COMM_ERROR);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROW(test_refusal_of_a_connection_is_told),
        ROW(test_control_that_has_gone_is_looked_for_again),
        ROW(test_control_that_cannot_be_opened_is_told),
        ROW(test_file_of_an_earlier_connection_may_be_stale),
        ROW(test_direct_connection_has_the_protocol_that_others_selected),
        ROW(test_reconnect_opens_what_has_gone),
        ROW(test_handle_outlives_a_reader_that_is_not_there),
        ROW(test_reconnect_to_a_card_that_was_taken_out),
        ROW(test_share_mode_that_cannot_be_had_costs_no_reset),
        ROW(test_only_a_direct_connection_resets_without_a_card),
        ROW(test_disconnect_ends_the_handle_whatever_the_mount_says),
        ROW(test_disconnect_resets_no_card_that_came_since),
        ROW(test_disposition_of_an_inner_transaction),
        ROW(test_transaction_calls_that_were_made_before),
        ROW(test_call_that_waited_for_a_handle_hears_of_its_end),
        ROW(test_states_of_the_mount_are_a_mask),
        ROW(test_status_with_too_little_room_says_how_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
