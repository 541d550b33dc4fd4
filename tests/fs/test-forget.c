/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-forget.c - SCARD_DISCONNECT_FORGET over the fake driver, without a kernel: what an
 * open file has done is as if it had just been opened.
 */
#include <errno.h>
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

static int forget(int i, uint32_t disposition)
{
    return client_disconnect_with(i, disposition, SCARD_DISCONNECT_FORGET);
}

/* ---- outcomes that nobody has read ----------------------------------------------- */

static int put_command(int i)
{
    char command[] = {0, (char)0xA4, 0, 0, 2, 0x3F, 0};

    client_fresh(i);
    scfs_exchange_write(&req[i], client[i], command, sizeof command);
    return client_answer(i);
}

static int read_outcome(int i)
{
    client_fresh(i);
    scfs_exchange_read(&req[i], client[i], SCARD_REPLY_MAX, true);
    return client_answer(i);
}

static void test_who_forgets_his_connection_forgets_its_outcome(void **state)
{
    (void)state;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(put_command(0), 0);
    assert_int_equal(put_command(0), EBUSY);
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_int_equal(read_outcome(0), ENXIO);
    assert_int_equal(fake_driver.insert(bare_reader->device, NULL, 0), 0);
    assert_int_equal(forget(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(read_outcome(0), ENODATA);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(put_command(0), 0);
    assert_int_equal(read_outcome(0), 0);
}

static void test_who_waits_for_an_outcome_that_is_forgotten_is_told(void **state)
{
    static const uint8_t long_one[] = {0x80, 0xE4, 0xFF, 0xFF};
    struct fuse_req waiting;
    char command[sizeof long_one];

    (void)state;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_begin(1, FOREVER), 0);
    memcpy(command, long_one, sizeof command);
    client_fresh(0); /* it waits for the end of the transaction */
    scfs_exchange_write(&req[0], client[0], command, sizeof command);
    assert_int_equal(client_answer(0), 0);
    fake_request_init(&waiting);
    scfs_exchange_read(&waiting, client[0], SCARD_REPLY_MAX, false);
    assert_int_equal(waiting.answers, 0);
    assert_int_equal(forget(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(waiting.answers, 1);
    assert_int_equal(waiting.error, ENODATA);
    fake_request_destroy(&waiting);
    client_close(0); /* and its command does not run */
    assert_int_equal(client_end(1, SCARD_DISPOSITION_LEAVE), 0);
}

/* Commands and calls that wait or run. */
static unsigned tasks(void)
{
    unsigned count = 0;

    pthread_mutex_lock(&bare_reader->lock);
    for (LIST_ENTRY *i = bare_reader->tasks.Flink; i != &bare_reader->tasks; i = i->Flink)
        count++;
    pthread_mutex_unlock(&bare_reader->lock);
    return count;
}

static void test_command_that_is_forgotten_leaves_the_line(void **state)
{
    (void)state;
    assert_int_equal(client_begin(1, FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put_command(0), 0);
        assert_int_equal(tasks(), 1);
        assert_int_equal(client_connect(0, SCARD_SHARE_MODE_DIRECT, 0), 0);
        assert_int_equal(forget(0, SCARD_DISPOSITION_LEAVE), 0);
        assert_int_equal(tasks(), 0);
    }
    assert_int_equal(put_command(0), 0);
    assert_int_equal(client_end(1, SCARD_DISPOSITION_LEAVE), 0);
    clients_settle();
    assert_int_equal(read_outcome(0), 0);
}

static void *write_slow(void *unused)
{
    char command[] = {(char)0x80, (char)0xE4, (char)0xFF, (char)0xFF};

    (void)unused;
    client_fresh(0);
    scfs_exchange_write(&req[0], client[0], command, sizeof command);
    return NULL;
}

static void test_command_that_is_forgotten_while_it_runs_is_cancelled(void **state)
{
    const unsigned before = fake_driver_sleeps();
    pthread_t writer;

    (void)state;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_slow, NULL), 0);
    fake_driver_wait_sleeps(before + 1);
    assert_int_equal(client_answer(0), 0); /* it is written, and runs for a minute */
    assert_int_equal(tasks(), 1);
    assert_int_equal(forget(0, SCARD_DISPOSITION_LEAVE), 0);
    pthread_join(writer, NULL);
    assert_int_equal(tasks(), 0);
    assert_int_equal(read_outcome(0), ENODATA);
}

static void test_disconnect_that_has_waited_gives_its_place_back(void **state)
{
    (void)state;
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_begin(2, FOREVER), 0);
    assert_int_equal(client_disconnect(1, SCARD_DISPOSITION_RESET), -1); /* waits */
    assert_int_equal(client[1]->session.waiting, 1);
    assert_int_equal(client_end(2, SCARD_DISPOSITION_LEAVE), 0);
    clients_settle();
    assert_int_equal(client_answer(1), 0);
    assert_int_equal(client[1]->session.waiting, 0);
    assert_int_equal(client_begin(2, FOREVER), 0);
    assert_int_equal(client_begin(1, FOREVER), -1); /* waits, too: is not refused */
    assert_int_equal(client_end(2, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_answer(1), 0);
}

/* ---- users ----------------------------------------------------------------------- */

static void test_connection_that_is_forgotten_leaves_no_user(void **state)
{
    (void)state;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_info(1).users, 1);
    assert_int_equal(client_disconnect(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_info(1).users, 1);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(forget(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_info(1).users, 0);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_info(1).users, 1);
    assert_int_equal(forget(0, SCARD_DISPOSITION_UNPOWER), 0);
    assert_int_equal(client_info(1).users, 0);
}

static void test_holder_that_forgets_stays_a_user(void **state)
{
    (void)state;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(forget(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_info(1).users, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, clients_begin, clients_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_who_forgets_his_connection_forgets_its_outcome),
        CASE(test_who_waits_for_an_outcome_that_is_forgotten_is_told),
        CASE(test_connection_that_is_forgotten_leaves_no_user),
        CASE(test_holder_that_forgets_stays_a_user),
        CASE(test_command_that_is_forgotten_leaves_the_line),
        CASE(test_command_that_is_forgotten_while_it_runs_is_cancelled),
        CASE(test_disconnect_that_has_waited_gives_its_place_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
