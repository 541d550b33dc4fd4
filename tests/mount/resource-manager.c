/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resource-manager.c - a resource manager's loop, and the waits beside it, through the
 * mount by ioctl: a wait for removal pends while the card is used, and what becomes of
 * one when its handle is closed or its process dies.
 */
#include "exchange.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATR "3b88800154455354424544015d"

static int insert(void **state)
{
    (void)state;
    return daemon_command(&scardfs, "insert reader0\n");
}

static int take_out(void **state)
{
    (void)state;
    return daemon_command(&scardfs, "remove reader0\n");
}

/* ---- the loop of a resource manager ----------------------------------------------- */

#define ROUNDS_MAX 5

static uint32_t ask_state(void)
{
    uint32_t value = SCARD_UNKNOWN;
    size_t len = sizeof value;
    NTSTATUS status = UNTOUCHED;

    assert_int_equal(daemon_call(control, GET_STATE, NULL, 0, &value, &len,
                                 SCARD_TIMEOUT_INFINITE, &status),
                     0);
    return value;
}

static NTSTATUS power(uint32_t minor)
{
    uint8_t atr[33];
    size_t len = sizeof atr;
    NTSTATUS status = UNTOUCHED;

    daemon_call(control, POWER, &minor, sizeof minor, atr, &len, SCARD_TIMEOUT_INFINITE,
                &status);
    return status;
}

static NTSTATUS swallow(void)
{
    uint8_t none[1];
    size_t len = 0;
    NTSTATUS status = UNTOUCHED;

    daemon_call(control, IOCTL_SMARTCARD_SWALLOW, NULL, 0, none, &len,
                SCARD_TIMEOUT_INFINITE, &status);
    return status;
}

/* Brings the card to where its ATR can be read; the states on the way, as digits. */
static const char *resource_manager(void)
{
    static char seen[ROUNDS_MAX + 1];
    NTSTATUS status;

    memset(seen, 0, sizeof seen);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        uint32_t now = ask_state();

        seen[i] = (char)('0' + now);
        switch (now) {
        case SCARD_PRESENT:
            status = swallow();
            if (status == STATUS_NOT_SUPPORTED)
                status = power(SCARD_COLD_RESET);
            break;
        case SCARD_SWALLOWED:
            status = power(SCARD_COLD_RESET);
            break;
        case SCARD_POWERED:
            status = power(SCARD_WARM_RESET);
            break;
        default: /* nothing to do, or nothing to be done */
            return seen;
        }
        assert_int_equal(status, STATUS_SUCCESS);
    }
    return seen;
}

static void test_loop_brings_an_unpowered_card_to_its_atr(void **state)
{
    static const struct exchange atr = {"atr", GET_ATTRIBUTE,  "03030900",
                                        64,    STATUS_SUCCESS, ATR};
    static const struct exchange specific[] = {
        {"protocol", SET_PROTOCOL, "03000000", 4, STATUS_SUCCESS, "02000000"},
        {"protocol type", GET_ATTRIBUTE, "01020800", 64, STATUS_SUCCESS, "02000000"},
        {"down", POWER, "00000000", 0, STATUS_SUCCESS, ""},
    };

    (void)state;
    assert_string_equal(resource_manager(), "35");
    check(&atr);
    assert_string_equal(resource_manager(), "5"); /* nothing is reset twice */
    check(&specific[0]);
    assert_string_equal(resource_manager(), "6");
    check(&specific[1]);
    check(&atr);
    check(&specific[2]);
    assert_string_equal(resource_manager(), "35");
    check(&specific[2]);
}

static void test_loop_stops_without_a_card(void **state)
{
    (void)state;
    assert_string_equal(resource_manager(), "1");
}

static void test_wait_for_removal_pends_while_the_card_is_used(void **state)
{
    static const struct exchange table[] = {
        {"reset", POWER, "01000000", 33, STATUS_SUCCESS, ATR},
        {"protocol", SET_PROTOCOL, "03000000", 4, STATUS_SUCCESS, "02000000"},
        {"select", TRANSMIT, "020000000800000000a40000023f00", 64, STATUS_SUCCESS,
         "02000000080000009000"},
        {"warm reset", POWER, "02000000", 33, STATUS_SUCCESS, ATR},
        {"down", POWER, "00000000", 0, STATUS_SUCCESS, ""},
    };
    struct waiter w;

    (void)state;
    waiter_begin(&w, IOCTL_SMARTCARD_IS_ABSENT);
    until_in_ioctl(&w.tid);
    CHECK_ALL(table);
    assert_false(waiter_has_ended(&w, 0));
    assert_can_be_cancelled(&w);
}

/* ---- close with a wait pending --------------------------------------------------- */

static void reopen(void)
{
    static const struct exchange absent = {"state", GET_STATE,      "",
                                           4,       STATUS_SUCCESS, "01000000"};

    control = open(daemon_path(&scardfs, "reader0/control"), O_RDWR | O_CLOEXEC);
    assert_true(control >= 0);
    check(&absent);
}

/* The kernel keeps an open file alive while a call on it runs: the wait goes on, of a
 * handle that nobody can name any more. */
static void test_close_beside_a_wait_leaves_it_waiting_for_its_event(void **state)
{
    struct waiter old, own;

    (void)state;
    waiter_begin(&old, IOCTL_SMARTCARD_IS_PRESENT);
    until_in_ioctl(&old.tid);
    close(control);
    reopen();
    waiter_begin(&own, IOCTL_SMARTCARD_IS_PRESENT);
    assert_can_be_cancelled(&own); /* which concerns the new handle only */
    assert_false(waiter_has_ended(&old, 0));
    assert_int_equal(daemon_command(&scardfs, "insert reader0\n"), 0);
    assert_ends_with_success(&old);
    assert_int_equal(daemon_command(&scardfs, "remove reader0\n"), 0);
}

static void test_death_with_a_wait_pending_frees_it_for_the_next(void **state)
{
    struct waiter w;
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        int fd = open(daemon_path(&scardfs, "reader0/control"), O_RDWR | O_CLOEXEC);
        size_t none = 0;
        uint8_t out[1];

        daemon_call(fd, IOCTL_SMARTCARD_IS_PRESENT, NULL, 0, out, &none,
                    SCARD_TIMEOUT_INFINITE, &(NTSTATUS){0});
        _exit(1);
    }
    until_in_ioctl(&child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    close(control);
    reopen();
    waiter_begin(&w, IOCTL_SMARTCARD_IS_PRESENT);
    assert_can_be_cancelled(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop_stops_without_a_card),
        cmocka_unit_test_setup_teardown(test_loop_brings_an_unpowered_card_to_its_atr,
                                        insert, take_out),
        cmocka_unit_test_setup_teardown(
            test_wait_for_removal_pends_while_the_card_is_used, insert, take_out),
        cmocka_unit_test(test_close_beside_a_wait_leaves_it_waiting_for_its_event),
        cmocka_unit_test(test_death_with_a_wait_pending_frees_it_for_the_next),
    };

    if (!daemon_possible("resource-manager"))
        return 77;
    return cmocka_run_group_tests(tests, exchange_begin, exchange_end);
}
