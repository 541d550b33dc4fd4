/* SPDX-License-Identifier: BSD-2-Clause */
/* test-reply.c - the outcome of a command: asked for, ended, taken, put back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fs/reply.h"

static uint8_t *bytes_of(const char *text, size_t len)
{
    uint8_t *bytes = malloc(len);

    assert_non_null(bytes);
    memcpy(bytes, text, len);
    return bytes;
}

/* A reply with four bytes, unread. */
static unsigned ready(struct scfs_reply *reply)
{
    unsigned serial = 0;

    assert_int_equal(scfs_reply_ask(reply, &serial), 0);
    assert_true(scfs_reply_end(reply, serial, 0, bytes_of("\1\2\3\4", 4), 0, 4));
    assert_int_equal(reply->state, SCFS_REPLY_READY);
    return serial;
}

static void test_ask_while_one_runs_or_is_unread_is_busy(void **state)
{
    struct scfs_reply reply = {0};
    unsigned serial = 0, other = 0;

    (void)state;
    assert_int_equal(scfs_reply_ask(&reply, &serial), 0);
    assert_int_equal(reply.state, SCFS_REPLY_RUNNING);
    assert_int_equal(scfs_reply_ask(&reply, &other), -EBUSY);
    assert_true(scfs_reply_end(&reply, serial, 0, bytes_of("\x90\x00", 2), 0, 2));
    assert_int_equal(scfs_reply_ask(&reply, &other), -EBUSY);
    scfs_reply_take(&reply, 1, 2);
    assert_int_equal(scfs_reply_ask(&reply, &other), -EBUSY);
    scfs_reply_take(&reply, 1, 2);
    assert_int_equal(scfs_reply_ask(&reply, &other), 0);
    assert_int_not_equal(serial, other);
    scfs_reply_clear(&reply);
}

static void test_withdraw_makes_it_as_if_nothing_had_been_asked(void **state)
{
    struct scfs_reply reply = {0};
    unsigned serial = 0;

    (void)state;
    assert_int_equal(scfs_reply_ask(&reply, &serial), 0);
    scfs_reply_withdraw(&reply, serial + 1);
    assert_int_equal(reply.state, SCFS_REPLY_RUNNING);
    scfs_reply_withdraw(&reply, serial);
    assert_int_equal(reply.state, SCFS_REPLY_NONE);
}

static void test_error_is_taken_once(void **state)
{
    struct scfs_reply reply = {0};
    unsigned serial = 0;

    (void)state;
    assert_int_equal(scfs_reply_ask(&reply, &serial), 0);
    assert_false(scfs_reply_end(&reply, serial, ENOMEDIUM, NULL, 0, 0));
    assert_int_equal(scfs_reply_take_error(&reply), ENOMEDIUM);
    assert_int_equal(reply.state, SCFS_REPLY_NONE);
    assert_int_equal(scfs_reply_take_error(&reply), 0);
}

static void test_late_end_of_a_forgotten_command_is_not_heard(void **state)
{
    struct scfs_reply reply = {0};
    unsigned serial = 0;
    uint8_t late[2] = {0x90, 0};

    (void)state;
    assert_int_equal(scfs_reply_ask(&reply, &serial), 0);
    scfs_reply_clear(&reply);
    assert_false(scfs_reply_end(&reply, serial, 0, late, 0, sizeof late));
    assert_int_equal(reply.state, SCFS_REPLY_NONE);
    assert_int_equal(scfs_reply_ask(&reply, &serial), 0);
    assert_false(scfs_reply_end(&reply, serial - 1, 0, late, 0, sizeof late));
    assert_int_equal(reply.state, SCFS_REPLY_RUNNING);
}

static void test_answer_that_did_not_arrive_is_unread_again(void **state)
{
    struct scfs_reply reply = {0};
    unsigned serial = ready(&reply);

    (void)state;
    scfs_reply_take(&reply, 3, 4);
    assert_int_equal(reply.state, SCFS_REPLY_READY);
    scfs_reply_take(&reply, 1, 4);
    assert_int_equal(reply.state, SCFS_REPLY_NONE);
    scfs_reply_put_back(&reply, serial, 0, 1);
    assert_int_equal(reply.state, SCFS_REPLY_READY);
    assert_int_equal(reply.pos, 3);
    assert_memory_equal(reply.bytes, "\1\2\3\4", 4);
    scfs_reply_clear(&reply);
}

static void test_error_that_did_not_arrive_is_unread_again(void **state)
{
    struct scfs_reply reply = {0};
    unsigned serial = 0;

    (void)state;
    assert_int_equal(scfs_reply_ask(&reply, &serial), 0);
    scfs_reply_end(&reply, serial, EIO, NULL, 0, 0);
    assert_int_equal(scfs_reply_take_error(&reply), EIO);
    scfs_reply_put_back(&reply, serial, EIO, 0);
    assert_int_equal(reply.state, SCFS_REPLY_READY);
    assert_int_equal(scfs_reply_take_error(&reply), EIO);
}

static void test_put_back_after_the_next_command_is_too_late(void **state)
{
    struct scfs_reply reply = {0};
    unsigned serial = ready(&reply), next = 0;

    (void)state;
    scfs_reply_take(&reply, 4, 4);
    assert_int_equal(scfs_reply_ask(&reply, &next), 0);
    scfs_reply_put_back(&reply, serial, 0, 4);
    assert_int_equal(reply.state, SCFS_REPLY_RUNNING);
    assert_null(reply.bytes);
}

static void test_delivered_answer_is_forgotten_once_it_is_read_to_its_end(void **state)
{
    struct scfs_reply reply = {0};
    unsigned serial = ready(&reply);

    (void)state;
    scfs_reply_take(&reply, 2, 4);
    scfs_reply_delivered(&reply, serial);
    assert_non_null(reply.bytes);
    scfs_reply_take(&reply, 2, 4);
    assert_non_null(reply.bytes);
    scfs_reply_delivered(&reply, serial);
    assert_null(reply.bytes);
    scfs_reply_put_back(&reply, serial, 0, 2);
    assert_int_equal(reply.state, SCFS_REPLY_NONE);
}

static void test_answer_that_is_handed_out_may_be_handed_back(void **state)
{
    struct scfs_reply reply = {0};
    unsigned serial = ready(&reply), next = 0;
    uint8_t *bytes = scfs_reply_hand_out(&reply);

    (void)state;
    assert_memory_equal(bytes, "\1\2\3\4", 4);
    assert_int_equal(reply.state, SCFS_REPLY_NONE);
    assert_true(scfs_reply_hand_back(&reply, serial, bytes));
    assert_int_equal(reply.state, SCFS_REPLY_READY);
    assert_int_equal(reply.len, 4);
    assert_false(scfs_reply_hand_back(&reply, serial, bytes)); /* not twice */
    bytes = scfs_reply_hand_out(&reply);
    assert_int_equal(scfs_reply_ask(&reply, &next), 0);
    assert_false(scfs_reply_hand_back(&reply, serial, bytes)); /* too late */
    free(bytes);
    scfs_reply_clear(&reply);
    assert_int_equal(reply.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask_while_one_runs_or_is_unread_is_busy),
        cmocka_unit_test(test_withdraw_makes_it_as_if_nothing_had_been_asked),
        cmocka_unit_test(test_error_is_taken_once),
        cmocka_unit_test(test_late_end_of_a_forgotten_command_is_not_heard),
        cmocka_unit_test(test_answer_that_did_not_arrive_is_unread_again),
        cmocka_unit_test(test_error_that_did_not_arrive_is_unread_again),
        cmocka_unit_test(test_put_back_after_the_next_command_is_too_late),
        cmocka_unit_test(test_delivered_answer_is_forgotten_once_it_is_read_to_its_end),
        cmocka_unit_test(test_answer_that_is_handed_out_may_be_handed_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
