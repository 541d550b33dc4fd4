/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-connection.c - connections over the fake driver, without a kernel: share modes,
 * dispositions, who hears of a reset, and what INFO and poll tell of it all.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bare.h"
#include "clients.h"
#include "fake_driver.h"
#include "fs/exchange.h"
#include "fs/session.h"

static void test_share_modes_conflict_as_they_say(void **state)
{
    static const struct {
        uint32_t first, second;
        int error;
    } rows[] = {
        {SCARD_SHARE_MODE_SHARED, SCARD_SHARE_MODE_SHARED, 0},
        {SCARD_SHARE_MODE_SHARED, SCARD_SHARE_MODE_DIRECT, 0},
        {SCARD_SHARE_MODE_DIRECT, SCARD_SHARE_MODE_DIRECT, 0},
        {SCARD_SHARE_MODE_SHARED, SCARD_SHARE_MODE_EXCLUSIVE, EBUSY},
        {SCARD_SHARE_MODE_DIRECT, SCARD_SHARE_MODE_EXCLUSIVE, EBUSY},
        {SCARD_SHARE_MODE_EXCLUSIVE, SCARD_SHARE_MODE_SHARED, EBUSY},
        {SCARD_SHARE_MODE_EXCLUSIVE, SCARD_SHARE_MODE_DIRECT, EBUSY},
        {SCARD_SHARE_MODE_EXCLUSIVE, SCARD_SHARE_MODE_EXCLUSIVE, EBUSY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(client_connect(0, rows[i].first, 3), 0);
        assert_int_equal(client_connect(1, rows[i].second, 3), rows[i].error);
        assert_int_equal(client_disconnect(1, 0), rows[i].error == 0 ? 0 : EPERM);
        assert_int_equal(client_disconnect(0, 0), 0);
    }
    assert_int_equal(client_connect(0, 0, 3), EINVAL);
    assert_int_equal(client_connect(0, 4, 3), EINVAL);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 0), EINVAL);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 0x40), EINVAL);
    assert_int_equal(client_disconnect(0, 4), EINVAL);
}

static void test_connect_that_fails_gives_its_share_mode_back(void **state)
{
    (void)state;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_EXCLUSIVE, SCARD_PROTOCOL_T1),
                     EOPNOTSUPP); /* the card speaks T=0 */
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_EXCLUSIVE, 3), 0);
    assert_int_equal(client_info(1).share, SCARD_SHARE_MODE_EXCLUSIVE);
    assert_int_equal(client_info(1).protocol, SCARD_PROTOCOL_T0);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), EBUSY);
    assert_int_equal(client_begin(0, FOREVER), EBUSY);
}

static void test_disposition_applies_to_the_last_connection(void **state)
{
    (void)state;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(clients_resets(), 1);
    assert_int_equal(client_disconnect(0, SCARD_DISPOSITION_UNPOWER), 0);
    assert_int_equal(client_info(2).state, SCARD_SPECIFIC);
    assert_int_equal(client_disconnect(1, SCARD_DISPOSITION_UNPOWER), 0);
    assert_int_equal(client_info(2).state, SCARD_SWALLOWED);
    assert_int_equal(clients_resets(), 2);
}

/* The fake reader has no motor: it cannot swallow, and to eject is to switch off. */
static void test_connect_begins_where_the_card_is(void **state)
{
    static const uint32_t states[] = {SCARD_PRESENT, SCARD_SWALLOWED, SCARD_POWERED};

    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        fake_driver_set_state(bare_reader->device, states[i]);
        assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
        assert_int_equal(client_info(0).protocol, SCARD_PROTOCOL_T0);
        assert_int_equal(clients_resets(), i == 0 ? 1 : 2 * i + 1);
        assert_int_equal(client_disconnect(0, SCARD_DISPOSITION_EJECT), 0);
        assert_int_equal(client_info(2).state, SCARD_SWALLOWED);
        assert_int_equal(client_disconnect(0, SCARD_DISPOSITION_EJECT), EPERM);
    }
}

static void test_disposition_of_a_card_without_power_leaves_it_so(void **state)
{
    static const uint32_t dispositions[] = {
        SCARD_DISPOSITION_RESET, SCARD_DISPOSITION_UNPOWER, SCARD_DISPOSITION_EJECT};

    (void)state;
    for (size_t i = 0; i < sizeof dispositions / sizeof dispositions[0]; i++) {
        assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
        fake_driver_set_state(bare_reader->device, SCARD_SWALLOWED);
        assert_int_equal(client_disconnect(0, dispositions[i]), 0);
        assert_int_equal(client_info(2).state, SCARD_SWALLOWED);
    }
}

/* ---- resets ---------------------------------------------------------------------- */

#define TELL SCARD_CONNECT_TELL_RESETS

static void test_connection_hears_of_a_reset_until_it_connects_again(void **state)
{
    (void)state;
    assert_int_equal(client_connect_with(0, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    assert_int_equal(client_connect_with(1, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    assert_int_equal(client_connect(2, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
    assert_int_equal(client_info(0).flags & SCARD_INFO_RESET, 0); /* its own */
    assert_int_equal(client_info(1).flags & SCARD_INFO_RESET, SCARD_INFO_RESET);
    assert_int_equal(client_info(2).flags & SCARD_INFO_RESET, 0); /* does not want to */
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_begin(1, FOREVER), ECONNRESET);
    assert_int_equal(client_begin(1, FOREVER), ECONNRESET);
    assert_int_equal(client_begin(2, FOREVER), 0);
    assert_int_equal(client_end(2, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_connect_with(1, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    assert_int_equal(client_begin(1, FOREVER), 0);
}

static void abort_and_unpower(void)
{
    fake_driver_set_state(bare_reader->device, SCARD_SWALLOWED);
    scfs_task_end_all(bare_reader, client[1]);
}

/* As drivers leave a card whose command was cancelled. */
static void test_connection_hears_of_a_card_that_anothers_command_has_unpowered(
    void **state)
{
    char slow[] = {(char)0x80, (char)0xE4, (char)0xFF, (char)0xFF};
    unsigned before;

    (void)state;
    assert_int_equal(client_connect_with(0, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    before = client_info(0).resets;
    fake_driver_at_once(abort_and_unpower);
    client_fresh(1);
    scfs_exchange_write(&req[1], client[1], slow, sizeof slow);
    fake_driver_at_once(NULL);
    assert_int_equal(client_info(0).resets, before + 1);
    assert_int_equal(client_begin(0, FOREVER), ECONNRESET);
    assert_int_equal(client_connect_with(0, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    assert_int_equal(client_begin(0, FOREVER), 0);
}

static void test_power_by_who_is_due_a_reset_is_his_own(void **state)
{
    (void)state;
    assert_int_equal(client_connect_with(0, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    assert_int_equal(client_power(1, SCARD_COLD_RESET, FOREVER), 0);
    assert_int_equal(client_begin(0, FOREVER), ECONNRESET);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
    assert_int_equal(client_begin(0, FOREVER), 0);
}

/* The turn is his; what he does with the card hears of it. */
static void test_who_waits_while_the_card_is_reset_hears_of_it(void **state)
{
    (void)state;
    assert_int_equal(client_connect_with(0, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    assert_int_equal(client_begin(1, FOREVER), 0);
    assert_int_equal(client_begin(0, FOREVER), -1);
    assert_int_equal(client_power(1, SCARD_COLD_RESET, FOREVER), 0);
    assert_int_equal(client_end(1, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_answer(0), 0);
    assert_int_equal(client_set_protocol(0, 3), ECONNRESET);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_set_protocol(0, 3), ECONNRESET);
    assert_int_equal(client_set_protocol(2, 3), 0);
}

/* The reset between two uids happens at the head of his own call. */
static void test_reset_between_uids_is_heard_by_the_call_that_costs_it(void **state)
{
    (void)state;
    client[1]->uid = 1001;
    assert_int_equal(client_connect_with(0, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    assert_int_equal(client_power(1, SCARD_COLD_RESET, FOREVER), 0);
    assert_int_equal(client_connect_with(0, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    assert_int_equal(client_connect_with(1, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    assert_int_equal(client_begin(0, FOREVER), ECONNRESET);
}

static void test_disposition_of_another_is_heard(void **state)
{
    (void)state;
    assert_int_equal(client_connect_with(0, SCARD_SHARE_MODE_SHARED, 3, TELL), 0);
    assert_int_equal(client_begin(1, FOREVER), 0);
    assert_int_equal(client_end(1, SCARD_DISPOSITION_RESET), 0);
    assert_int_equal(client_begin(0, FOREVER), ECONNRESET);
    assert_int_equal(client_disconnect(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_begin(0, FOREVER), 0); /* without a connection */
}

static void test_flags_out_of_rule_are_refused(void **state)
{
    (void)state;
    assert_int_equal(client_connect_with(0, SCARD_SHARE_MODE_SHARED, 3, 4), EINVAL);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_disconnect_with(0, SCARD_DISPOSITION_LEAVE, 2), EINVAL);
}

/* ---- without a card -------------------------------------------------------------- */

static void test_connect_without_a_card_does_not_wait_for_a_holder(void **state)
{
    (void)state;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_SHARED, 3), ENOMEDIUM);
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_DIRECT, 0), 0);
}

/* ---- INFO and poll --------------------------------------------------------------- */

static unsigned polled(int i)
{
    unsigned events;

    client_fresh(i);
    scfs_poll(&req[i], client[i], NULL);
    assert_int_equal(req[i].answers, 1);
    assert_int_equal(req[i].len, sizeof events);
    memcpy(&events, req[i].reply, sizeof events);
    return events;
}

static void test_info_tells_how_the_reader_is_shared(void **state)
{
    (void)state;
    assert_int_equal(client_info(2).connections, 0);
    assert_int_equal(client_info(2).flags, SCARD_INFO_PRESENT);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_info(2).connections, 2);
    assert_int_equal(client_disconnect(1, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_disconnect(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_EXCLUSIVE, 3), 0);
    assert_int_equal(client_info(2).flags, SCARD_INFO_PRESENT | SCARD_INFO_EXCLUSIVE);
    client_close(0);
    assert_int_equal(client_info(2).connections, 0);
}

static void test_info_tells_of_a_card_that_is_mute_or_has_gone(void **state)
{
    static const uint8_t mute[] = {0};

    (void)state;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_int_equal(client_info(0).flags, SCARD_INFO_LOST);
    assert_int_equal(client_info(1).flags, 0);
    assert_int_equal(fake_driver.insert(bare_reader->device, mute, sizeof mute), 0);
    assert_int_equal(client_power(1, SCARD_COLD_RESET, FOREVER), ETIMEDOUT);
    assert_int_equal(client_info(1).flags, SCARD_INFO_PRESENT | SCARD_INFO_MUTE);
}

static void test_poll_tells_once_of_each_change(void **state)
{
    (void)state;
    (void)client_info(2);
    assert_int_equal(polled(2) & POLLPRI, 0);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(polled(2) & POLLPRI, POLLPRI);
    (void)client_info(2);
    assert_int_equal(polled(2) & POLLPRI, 0);
    /* A card that was out and in again is in the same state as before. */
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_int_equal(fake_driver.insert(bare_reader->device, NULL, 0), 0);
    assert_int_equal(polled(2) & POLLPRI, POLLPRI);
    (void)client_info(2);
    assert_int_equal(polled(2) & POLLPRI, 0);
}

static void run_nothing(struct scfs_job *job)
{
    (void)job;
}

static void test_who_wants_cards_settled_does_not_hear_of_them_before(void **state)
{
    struct scfs_job job = {.run = run_nothing, .finish = run_nothing};
    struct scfs_executor *executor = bare_reader->executor;
    struct fuse_pollhandle poll[2] = {{0}};

    (void)state;
    clients_options()->power_on = true;
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    (void)client_info_with(0, SCARD_INFO_SETTLED);
    (void)client_info(1);
    for (int i = 0; i < 2; i++) {
        client_fresh(i);
        scfs_poll(&req[i], client[i], &poll[i]);
    }
    /* The power-up stands behind something else. */
    scfs_executor_lock(executor);
    assert_true(scfs_executor_claim_locked(executor, &job));
    scfs_executor_unlock(executor);
    assert_int_equal(fake_driver.insert(bare_reader->device, NULL, 0), 0);
    assert_int_equal(poll[0].notified, 0);
    assert_int_equal(poll[1].notified, 1);
    assert_int_equal(polled(0) & POLLPRI, 0);
    assert_int_equal(polled(1) & POLLPRI, POLLPRI);
    scfs_executor_work(executor);
    assert_int_equal(poll[0].notified, 1);
    assert_int_equal(poll[0].destroyed, 1);
    assert_int_equal(polled(0) & POLLPRI, POLLPRI);
    assert_int_equal(client_info_with(0, SCARD_INFO_SETTLED).flags, SCARD_INFO_PRESENT);
    assert_int_equal(polled(0) & POLLPRI, 0);
}

static void test_card_that_goes_unsettled_is_no_news_that_gets_lost(void **state)
{
    struct scfs_job job = {.run = run_nothing, .finish = run_nothing};
    struct scfs_executor *executor = bare_reader->executor;
    struct fuse_pollhandle poll = {0};

    (void)state;
    clients_options()->power_on = true;
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    (void)client_info_with(0, SCARD_INFO_SETTLED);
    client_fresh(0);
    scfs_poll(&req[0], client[0], &poll);
    scfs_executor_lock(executor);
    assert_true(scfs_executor_claim_locked(executor, &job));
    scfs_executor_unlock(executor);
    assert_int_equal(fake_driver.insert(bare_reader->device, NULL, 0), 0);
    assert_int_equal(poll.notified, 0);
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_int_equal(poll.notified, 1);
    assert_int_equal(polled(0) & POLLPRI, POLLPRI);
    scfs_executor_work(executor);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, clients_begin, clients_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_share_modes_conflict_as_they_say),
        CASE(test_connect_that_fails_gives_its_share_mode_back),
        CASE(test_disposition_applies_to_the_last_connection),
        CASE(test_connect_begins_where_the_card_is),
        CASE(test_disposition_of_a_card_without_power_leaves_it_so),
        CASE(test_connection_hears_of_a_reset_until_it_connects_again),
        CASE(test_connection_hears_of_a_card_that_anothers_command_has_unpowered),
        CASE(test_power_by_who_is_due_a_reset_is_his_own),
        CASE(test_who_waits_while_the_card_is_reset_hears_of_it),
        CASE(test_reset_between_uids_is_heard_by_the_call_that_costs_it),
        CASE(test_disposition_of_another_is_heard),
        CASE(test_flags_out_of_rule_are_refused),
        CASE(test_connect_without_a_card_does_not_wait_for_a_holder),
        CASE(test_info_tells_how_the_reader_is_shared),
        CASE(test_info_tells_of_a_card_that_is_mute_or_has_gone),
        CASE(test_poll_tells_once_of_each_change),
        CASE(test_who_wants_cards_settled_does_not_hear_of_them_before),
        CASE(test_card_that_goes_unsettled_is_no_news_that_gets_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
