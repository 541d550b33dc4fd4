/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-connect.c - CONNECT that is interrupted, repeated, overtaken by another call of
 * its handle, or closed while the card is powered up, over the fake driver.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bare.h"
#include "clients.h"
#include "fake_driver.h"
#include "fs/session.h"

#define EXCLUSIVE SCARD_SHARE_MODE_EXCLUSIVE
#define SHARED    SCARD_SHARE_MODE_SHARED

/* Its power-up takes its time: in it, what the test wants happens, once. */
static const uint8_t slow[] = {0x3F, 0x02, 0x31, 0xAB};
static void (*meanwhile)(void);
static struct fuse_req second;

static void once(void)
{
    void (*now)(void) = meanwhile;

    meanwhile = NULL;
    if (now != NULL)
        now();
}

static int setup(void **state)
{
    if (clients_begin(state) != 0)
        return -1;
    fake_driver_at_once(once);
    fake_request_init(&second);
    return fake_driver.remove(bare_reader->device) ||
           fake_driver.insert(bare_reader->device, slow, sizeof slow);
}

static int teardown(void **state)
{
    fake_driver_at_once(NULL);
    fake_request_destroy(&second);
    return clients_end(state);
}

static void power_down(void)
{
    assert_int_equal(client_power(0, SCARD_POWER_DOWN, FOREVER), 0);
}

static int connect_while(void (*happens)(void), uint32_t share, uint32_t flags)
{
    int error;

    meanwhile = happens;
    error = client_connect_with(0, share, 3, flags);
    assert_null(meanwhile);
    return error;
}

static void connect_second(uint32_t share, uint32_t flags)
{
    struct scard_connect call = {.size = sizeof call,
                                 .version = 1,
                                 .share = share,
                                 .protocols = 3,
                                 .timeout_ms = FOREVER,
                                 .flags = flags};

    scfs_control_ioctl(&second, client[0], SCARD_IOC_CONNECT, &call, sizeof call);
}

static void interrupt_it(void)
{
    fake_interrupt(&req[0]);
}

static void repeat_it(void)
{
    fake_interrupt(&req[0]);
    connect_second(EXCLUSIVE, 0);
    assert_int_equal(second.answers, 0);
}

static void repeat_it_and_keep(void)
{
    fake_interrupt(&req[0]);
    connect_second(EXCLUSIVE, SCARD_CONNECT_KEEP);
    assert_int_equal(second.answers, 0);
}

static void close_it(void)
{
    fake_interrupt(&req[0]);
    client_close(0);
}

static void disconnect_it(void)
{
    struct scard_disconnect call = {.size = sizeof call, .version = 1};

    scfs_control_ioctl(&second, client[0], SCARD_IOC_DISCONNECT, &call, sizeof call);
    assert_int_equal(second.answers, 1);
    assert_int_equal(second.error, 0);
}

/* Nobody is connected any more. */
static void assert_free(void)
{
    assert_int_equal(client_info(1).connections, 0);
    assert_int_equal(client_connect(1, EXCLUSIVE, 3), 0);
    assert_int_equal(client_disconnect(1, SCARD_DISPOSITION_LEAVE), 0);
}

static void test_connect_that_is_interrupted_leaves_no_connection(void **state)
{
    static const uint32_t flags[] = {0, SCARD_CONNECT_KEEP};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        power_down();
        assert_int_equal(connect_while(interrupt_it, EXCLUSIVE, flags[i]), EINTR);
        assert_free();
    }
}

static void test_connect_that_is_interrupted_leaves_the_connection_before_it(void **state)
{
    static const uint32_t flags[] = {0, SCARD_CONNECT_KEEP};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(client_connect(0, SHARED, 3), 0);
        power_down();
        assert_int_equal(connect_while(interrupt_it, EXCLUSIVE, flags[i]), EINTR);
        assert_int_equal(client_info(0).share, SHARED);
        assert_int_equal(client_info(1).connections, 1);
        assert_int_equal(client_disconnect(0, SCARD_DISPOSITION_LEAVE), 0);
        assert_free();
    }
}

static void test_client_that_ends_in_connect_leaves_no_connection(void **state)
{
    static const uint32_t flags[] = {0, SCARD_CONNECT_KEEP};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(client_connect(0, EXCLUSIVE, 3), 0);
        power_down();
        assert_int_equal(connect_while(close_it, EXCLUSIVE, flags[i]), EINTR);
        assert_free();
        client[0] = client[2]; /* another one */
        client[2] = NULL;
    }
}

static void test_connect_that_is_repeated_is_connected(void **state)
{
    static void (*const repeats[])(void) = {repeat_it, repeat_it_and_keep};
    static const uint32_t flags[] = {0, SCARD_CONNECT_KEEP};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        power_down();
        assert_int_equal(connect_while(repeats[i], EXCLUSIVE, flags[i]), EINTR);
        assert_int_equal(second.answers, 1);
        assert_int_equal(second.error, 0);
        assert_int_equal(second.result, 0);
        assert_int_equal(client_info(0).share, EXCLUSIVE);
        assert_int_equal(client_connect(1, SHARED, 3), EBUSY);
        assert_int_equal(client_disconnect(0, SCARD_DISPOSITION_LEAVE), 0);
        assert_free();
        fake_request_destroy(&second);
        fake_request_init(&second);
    }
}

/* The second one finds the card ready; without KEEP each begins anew. */
static void test_power_up_that_is_kept_is_made_once(void **state)
{
    unsigned before;

    (void)state;
    power_down();
    before = clients_resets();
    assert_int_equal(connect_while(repeat_it_and_keep, EXCLUSIVE, SCARD_CONNECT_KEEP),
                     EINTR);
    assert_int_equal(second.result, 0);
    assert_int_equal(clients_resets(), before + 1);
}

static void test_connect_outlives_a_disconnect_of_another_thread(void **state)
{
    (void)state;
    assert_int_equal(client_connect(0, SHARED, 3), 0);
    power_down();
    assert_int_equal(connect_while(disconnect_it, EXCLUSIVE, 0), 0);
    assert_int_equal(client_info(0).share, EXCLUSIVE);
    assert_int_equal(client_info(1).connections, 1);
    assert_int_equal(client_connect(1, SHARED, 3), EBUSY);
    assert_int_equal(client_disconnect(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_free();
}

static void others_come(void)
{
    disconnect_it();
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_DIRECT, 0), 0);
}

static void test_mode_that_somebody_else_has_taken_meanwhile_is_busy(void **state)
{
    (void)state;
    power_down();
    assert_int_equal(connect_while(others_come, EXCLUSIVE, 0), EBUSY);
    assert_int_equal(client_info(0).share, 0);
    assert_int_equal(client_disconnect(1, SCARD_DISPOSITION_LEAVE), 0);
    assert_free();
}

/* DISCONNECT, then a CONNECT that fails: what was there before does not come back. */
static void test_connect_that_fails_does_not_undo_a_disconnect(void **state)
{
    (void)state;
    assert_int_equal(client_connect(0, SHARED, 3), 0);
    assert_int_equal(client_begin(1, FOREVER), 0);
    assert_int_equal(client_connect(0, SHARED, 3), -1); /* waits */
    disconnect_it();
    assert_int_equal(client_info(2).connections, 0);
    fake_interrupt(&req[0]);
    assert_int_equal(client_answer(0), EINTR);
    assert_int_equal(client_info(2).connections, 0);
    assert_int_equal(client_end(1, SCARD_DISPOSITION_LEAVE), 0);
    assert_free();
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_connect_that_is_interrupted_leaves_no_connection),
        CASE(test_connect_that_is_interrupted_leaves_the_connection_before_it),
        CASE(test_client_that_ends_in_connect_leaves_no_connection),
        CASE(test_connect_that_is_repeated_is_connected),
        CASE(test_power_up_that_is_kept_is_made_once),
        CASE(test_connect_outlives_a_disconnect_of_another_thread),
        CASE(test_mode_that_somebody_else_has_taken_meanwhile_is_busy),
        CASE(test_connect_that_fails_does_not_undo_a_disconnect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
