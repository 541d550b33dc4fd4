/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-transaction.c - transactions and the users of a card over the fake
 * driver, without a kernel: who gets the turn, who has to wait, what becomes of a card.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <cmocka.h>

#include "bare.h"
#include "clients.h"
#include "fake_driver.h"
#include "fake_fuse.h"
#include "fs/sequence.h"
#include "fs/session.h"
#include "smclib.h"

/* ---- transactions ---------------------------------------------------------------- */

static void test_begin_gives_the_turn_and_end_takes_it(void **state)
{
    (void)state;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_begin(0, FOREVER), EALREADY);
    assert_int_equal(client_end(1, SCARD_DISPOSITION_LEAVE), EPERM);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_EJECT + 1), EINVAL);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), EPERM);
}

static void test_begin_with_a_reserved_word_that_is_not_zero_is_refused(void **state)
{
    struct scard_begin call = {.size = sizeof call, .version = 1, .reserved = {0, 1}};

    (void)state;
    scfs_control_ioctl(&req[0], client[0], SCARD_IOC_BEGIN, &call, sizeof call);
    assert_int_equal(client_answer(0), EINVAL);
    call.reserved[1] = 0;
    call.version = 2;
    client_fresh(0);
    scfs_control_ioctl(&req[0], client[0], SCARD_IOC_BEGIN, &call, sizeof call);
    assert_int_equal(client_answer(0), EINVAL);
    call.version = 1;
    call.size--;
    client_fresh(0);
    scfs_control_ioctl(&req[0], client[0], SCARD_IOC_BEGIN, &call, sizeof call);
    assert_int_equal(client_answer(0), EINVAL);
}

static void test_begin_while_another_holds_waits_in_line(void **state)
{
    (void)state;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_begin(1, FOREVER), -1);
    assert_int_equal(client_begin(2, FOREVER), -1);
    assert_int_equal(client_info(3).waiting, 2);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_answer(1), 0);
    assert_int_equal(client_answer(2), -1);
    assert_int_equal(client_end(1, SCARD_DISPOSITION_RESET), 0);
    assert_int_equal(client_answer(2), 0);
    assert_int_equal(client_end(2, SCARD_DISPOSITION_LEAVE), 0);
}

static void test_begin_without_time_is_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(client_begin(0, 0), 0);
    assert_int_equal(client_begin(1, 0), ETIMEDOUT);
    assert_int_equal(client_begin(1, 50), -1);
    clients_later(49);
    assert_int_equal(client_answer(1), -1);
    clients_later(1);
    assert_int_equal(client_answer(1), ETIMEDOUT);
    assert_int_equal(client_info(3).waiting, 0);
}

static void test_call_of_another_waits_for_the_end(void **state)
{
    (void)state;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_power(1, SCARD_COLD_RESET, FOREVER), -1);
    assert_int_equal(client_power(2, SCARD_COLD_RESET, 0), ETIMEDOUT);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, 0), 0);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_answer(1), 0);
}

static void test_interrupted_begin_lets_the_next_one_pass(void **state)
{
    (void)state;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_begin(1, FOREVER), -1);
    assert_int_equal(client_begin(2, FOREVER), -1);
    fake_interrupt(&req[1]);
    assert_int_equal(client_answer(1), EINTR);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_answer(2), 0);
}

static void test_flock_is_a_transaction(void **state)
{
    (void)state;
    assert_int_equal(client_lock(0, LOCK_EX), 0);
    assert_int_equal(client_lock(0, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(client_lock(1, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    assert_int_equal(client_lock(1, LOCK_SH), EINVAL);
    assert_int_equal(client_lock(1, LOCK_EX), -1);
    assert_int_equal(client_lock(0, LOCK_UN), 0);
    assert_int_equal(client_answer(1), 0);
    assert_int_equal(client_lock(0, LOCK_UN), 0);
    assert_int_equal(client_lock(2, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    assert_int_equal(client_lock(1, LOCK_UN), 0);
}

static void test_flock_that_the_kernel_repeats_keeps_its_place(void **state)
{
    (void)state;
    assert_int_equal(client_lock(0, LOCK_EX), 0);
    assert_int_equal(client_lock(1, LOCK_EX), -1);
    assert_int_equal(client_lock(2, LOCK_EX), -1);
    fake_interrupt(&req[1]);
    assert_int_equal(client_answer(1), EINTR);
    assert_int_equal(client_lock(1, LOCK_EX), -1);
    assert_int_equal(client_lock(0, LOCK_UN), 0);
    assert_int_equal(client_answer(1), 0);
    assert_int_equal(client_answer(2), -1);
}

static void test_flock_on_a_handle_for_reading_is_refused(void **state)
{
    (void)state;
    client[0]->may_touch = false;
    assert_int_equal(client_lock(0, LOCK_EX), EBADF);
    assert_int_equal(client_begin(0, FOREVER), EBADF);
    client[0]->may_touch = true;
}

static void test_owner_shows_the_holder_and_a_clean_label(void **state)
{
    char text[128];

    (void)state;
    scfs_session_owner_text(bare_reader, text, sizeof text);
    assert_string_equal(text, "none\n");
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_begin(1, FOREVER), -1);
    scfs_session_owner_text(bare_reader, text, sizeof text);
    assert_string_equal(text, "1100 1000 te_st 1\n");
}

/* ---- ends against the will ------------------------------------------------------- */

static void test_holder_that_closes_leaves_a_card_that_is_reset(void **state)
{
    (void)state;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
    assert_int_equal(client_begin(1, FOREVER), -1);
    assert_int_equal(clients_resets(), 1);
    client_close(0);
    assert_int_equal(client_answer(1), 0);
    assert_int_equal(clients_resets(), 2);
    assert_int_equal(client_power(1, SCARD_COLD_RESET, FOREVER), 0);
    assert_int_equal(clients_resets(), 3);
}

static void test_waiter_that_closes_is_forgotten(void **state)
{
    (void)state;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_lock(1, LOCK_EX), -1);
    fake_interrupt(&req[1]);
    client_close(1);
    assert_int_equal(client_begin(2, FOREVER), -1);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_answer(2), 0);
}

static void test_idle_holder_loses_its_transaction_to_who_waits(void **state)
{
    (void)state;
    clients_options()->idle_limit_s = 2;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
    clients_later(10000); /* nobody waits */
    assert_int_equal(client_begin(1, FOREVER), -1);
    clients_later(1500);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
    clients_later(1500);
    assert_int_equal(client_answer(1), -1);
    clients_later(500);
    clients_settle();
    assert_int_equal(client_answer(1), 0);
    assert_int_equal(clients_resets(), 3);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), ECANCELED);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), EPERM);
    assert_int_equal(client_end(1, SCARD_DISPOSITION_LEAVE), 0);
}

/* Somebody who asks the driver only is no sign of life of the holder's. */
static void test_quiet_call_of_another_does_not_keep_a_holder_who_idles(void **state)
{
    union {
        struct scard_call call;
        uint8_t bytes[SCARD_CALL_HEADER_SIZE + sizeof(uint32_t)];
    } ask = {.call = {.size = sizeof ask,
                      .version = 1,
                      .code = IOCTL_SMARTCARD_GET_ATTRIBUTE,
                      .in_len = sizeof(uint32_t),
                      .out_len = sizeof(uint32_t),
                      .timeout_ms = FOREVER}};

    (void)state;
    clients_options()->idle_limit_s = 2;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_begin(1, FOREVER), -1);
    clients_later(1500);
    client_fresh(2);
    scfs_control_ioctl(&req[2], client[2], SCARD_IOC_CALL(sizeof ask), &ask, sizeof ask);
    assert_int_equal(req[2].answers, 1);
    clients_later(500);
    clients_settle();
    assert_int_equal(client_answer(1), 0);
}

static void test_label_of_a_begin_that_failed_is_not_the_next_ones(void **state)
{
    char owner[128];

    (void)state;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_begin(1, 0), ETIMEDOUT);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), 0);
    assert_int_equal(client_lock(1, LOCK_EX), 0);
    assert_true(scfs_session_owner_text(bare_reader, owner, sizeof owner) > 0);
    assert_non_null(strstr(owner, " 1000 - 0\n"));
}

static void test_removed_card_leaves_its_holder_without(void **state)
{
    (void)state;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_SHARED, 3), -1);
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), ENXIO);
    assert_int_equal(fake_driver.insert(bare_reader->device, NULL, 0), 0);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), ENXIO);
    assert_int_equal(client_begin(0, FOREVER), ENXIO);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_RESET), 0);
    assert_int_equal(client_answer(1), 0);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
}

static void test_removed_reader_ends_those_who_wait(void **state)
{
    (void)state;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(client_begin(1, FOREVER), -1);
    assert_int_equal(client_lock(2, LOCK_EX), -1);
    assert_int_equal(fake_driver.unplug(bare_reader->device), 0);
    assert_int_equal(client_answer(1), ENODEV);
    assert_int_equal(client_answer(2), ENODEV);
    assert_int_equal(client_begin(1, FOREVER), ENODEV);
    assert_int_equal(client_end(0, SCARD_DISPOSITION_RESET), ENODEV);
}

/* Every call of a handle whose reader has gone, the holder's and a connection's too. */
static void test_removed_reader_answers_enodev_to_every_call(void **state)
{
    static const unsigned session[] = {SCARD_IOC_CONNECT,    SCARD_IOC_DISCONNECT,
                                       SCARD_IOC_BEGIN,      SCARD_IOC_END,
                                       SCARD_IOC_REPLY_SIZE, SCARD_IOC_INFO};
    static const uint32_t codes[] = {
        IOCTL_SMARTCARD_GET_STATE,        IOCTL_SMARTCARD_GET_LAST_ERROR,
        IOCTL_SMARTCARD_GET_ATTRIBUTE,    IOCTL_SMARTCARD_IS_PRESENT,
        IOCTL_SMARTCARD_IS_ABSENT,        IOCTL_SMARTCARD_POWER,
        IOCTL_SMARTCARD_TRANSMIT,         SCFS_IOCTL_SMARTCARD_CANCEL_BLOCKING,
        SCFS_IOCTL_SMARTCARD_RESET_EVENTS};

    (void)state;
    assert_int_equal(client_begin(0, FOREVER), 0);
    assert_int_equal(fake_driver.unplug(bare_reader->device), 0);
    for (int i = 0; i < 2; i++) {
        for (size_t j = 0; j < sizeof session / sizeof session[0]; j++) {
            uint32_t words[40] = {_IOC_SIZE(session[j]), SCARD_IOC_VERSION};

            client_fresh(i);
            scfs_control_ioctl(&req[i], client[i], session[j], words,
                               _IOC_SIZE(session[j]));
            assert_int_equal(client_answer(i), ENODEV);
        }
        for (size_t j = 0; j < sizeof codes / sizeof codes[0]; j++) {
            uint8_t bytes[SCARD_CALL_HEADER_SIZE + 16] = {0};
            const struct scard_call call = {.size = sizeof bytes,
                                            .version = SCARD_IOC_VERSION,
                                            .code = codes[j],
                                            .in_len = 4,
                                            .out_len = 16};

            memcpy(bytes, &call, sizeof call);
            client_fresh(i);
            scfs_control_ioctl(&req[i], client[i], SCARD_IOC_CALL(sizeof bytes), bytes,
                               sizeof bytes);
            assert_int_equal(client_answer(i), ENODEV);
        }
    }
}

/* ---- users ----------------------------------------------------------------------- */

static void test_card_of_another_uid_is_reset_first(void **state)
{
    (void)state;
    client[1]->uid = 1001;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(clients_resets(), 1);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(clients_resets(), 1);
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(clients_resets(), 2);
    clients_options()->share_state = true;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(clients_resets(), 2);
    assert_int_equal(client_info(2).users, 2);
}

/* What the tracker does when it is told of a change. */
static void believe(bool present)
{
    pthread_mutex_lock(&bare_reader->lock);
    bare_reader->present = present;
    bare_reader->counter++;
    scfs_users_card_changed_locked(bare_reader);
    pthread_mutex_unlock(&bare_reader->lock);
}

static void test_card_touched_before_it_is_known_is_reset_for_another_uid(void **state)
{
    unsigned before;

    (void)state;
    client[1]->uid = 1001;
    believe(false);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    before = clients_resets();
    believe(true);
    assert_int_equal(clients_resets(), before);
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(clients_resets(), before);
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(clients_resets(), before + 1);
}

static void test_card_touched_before_two_changes_is_reset_for_another_uid(void **state)
{
    unsigned before;

    (void)state;
    client[1]->uid = 1001;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    believe(false);
    believe(true);
    before = clients_resets();
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_SHARED, 3), 0);
    assert_int_equal(clients_resets(), before + 1);
}

static void test_handle_that_touches_early_is_a_user_of_the_new_card(void **state)
{
    (void)state;
    believe(false);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
    assert_int_equal(client_power(1, SCARD_COLD_RESET, FOREVER), 0);
    client_close(1);
    believe(true);
    assert_int_equal(client_info(3).users, 1);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
    assert_int_equal(client_info(3).users, 1);
    client_close(0);
    assert_int_equal(client_info(3).users, 0);
}

static void test_handle_that_finds_no_card_is_no_user_of_the_next(void **state)
{
    (void)state;
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), ENOMEDIUM);
    assert_int_equal(client_connect(1, SCARD_SHARE_MODE_DIRECT, 0), 0);
    assert_int_equal(fake_driver.insert(bare_reader->device, NULL, 0), 0);
    assert_int_equal(client_info(3).users, 0);
}

static void test_card_without_users_is_powered_down(void **state)
{
    (void)state;
    clients_options()->power_down_s = 5;
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
    assert_int_equal(client_power(1, SCARD_COLD_RESET, FOREVER), 0);
    client_close(0);
    clients_later(6000);
    clients_settle();
    assert_int_equal(client_info(3).state, SCARD_NEGOTIABLE);
    client_close(1);
    clients_later(4999);
    clients_settle();
    assert_int_equal(client_info(3).state, SCARD_NEGOTIABLE);
    clients_later(1);
    clients_settle();
    assert_int_equal(client_info(3).state, SCARD_SWALLOWED);
    assert_int_equal(client_info(3).users, 0);
}

static void test_card_that_is_used_again_keeps_its_power(void **state)
{
    (void)state;
    clients_options()->power_down_s = 5;
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
    client_close(0);
    clients_later(3000);
    assert_int_equal(client_power(1, SCARD_COLD_RESET, FOREVER), 0);
    clients_later(3000);
    clients_settle();
    assert_int_equal(client_info(3).state, SCARD_NEGOTIABLE);
}

static NTSTATUS fail_power(PSMARTCARD_EXTENSION ext)
{
    (void)ext;
    return STATUS_IO_DEVICE_ERROR;
}

static void test_disposition_that_fails_leaves_a_reset_to_the_next(void **state)
{
    PSMARTCARD_EXTENSION ext = (void *)bare_reader->device->DeviceExtension;
    NTSTATUS (*const reset)(PSMARTCARD_EXTENSION) = ext->ReaderFunction[RDF_CARD_POWER];

    (void)state;
    for (int by_end = 0; by_end <= 1; by_end++) {
        unsigned before;

        assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
        assert_int_equal(by_end ? client_begin(0, FOREVER) : 0, 0);
        ext->ReaderFunction[RDF_CARD_POWER] = fail_power;
        assert_int_equal(by_end ? client_end(0, SCARD_DISPOSITION_RESET)
                                : client_disconnect(0, SCARD_DISPOSITION_RESET),
                         EIO);
        ext->ReaderFunction[RDF_CARD_POWER] = reset;
        before = clients_resets();
        assert_true(bare_reader->card.reset_owed);
        assert_int_equal(client_connect(1, SCARD_SHARE_MODE_SHARED, 3), 0);
        assert_false(bare_reader->card.reset_owed);
        assert_int_equal(clients_resets(), before + 1);
        assert_int_equal(client_disconnect(1, SCARD_DISPOSITION_LEAVE), 0);
    }
}

/* ---- a sequence of requests ------------------------------------------------------ */

static NTSTATUS power_twice(struct scfs_task *task)
{
    NTSTATUS status = scfs_sequence_power(task, SCARD_COLD_RESET);

    assert_int_equal(status, STATUS_SUCCESS);
    believe(false);
    believe(true);
    return scfs_sequence_power(task, SCARD_COLD_RESET);
}

static int answer_errno(struct scfs_task *task, NTSTATUS status)
{
    return fuse_reply_err(task->park.req, smc_status_errno(status));
}

static void destroy_nothing(struct scfs_task *task)
{
    (void)task;
}

static void test_card_exchanged_between_two_requests_is_not_touched(void **state)
{
    static const struct scfs_task_ops ops = {
        .run = power_twice, .answer = answer_errno, .destroy = destroy_nothing};
    struct scfs_task task;
    unsigned before;

    (void)state;
    assert_int_equal(client_connect(0, SCARD_SHARE_MODE_SHARED, 3), 0);
    before = clients_resets();
    client_fresh(0);
    scfs_task_init(&task, &ops, bare_reader, client[0], &req[0]);
    scfs_task_start(&task, FOREVER);
    assert_int_equal(client_answer(0), ENXIO);
    assert_int_equal(clients_resets(),
                     before + 2); /* the first, and the card that went */
    assert_int_equal(client_disconnect(0, SCARD_DISPOSITION_RESET), 0);
    assert_int_equal(clients_resets(), before + 2);
    assert_int_equal(client_power(0, SCARD_COLD_RESET, FOREVER), 0);
}

/* ---- an interrupt at any moment -------------------------------------------------- */

#define ROUNDS 2000

static pthread_barrier_t starting_line, finish_line;

static void *interrupt_each(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&starting_line);
        for (int spin = i % 64; spin > 0; spin--)
            sched_yield();
        fake_interrupt(&req[0]);
        pthread_barrier_wait(&finish_line);
    }
    return NULL;
}

/* Whatever the answer says is so: a begin that was interrupted holds nothing. */
static void test_begin_interrupted_at_any_moment_holds_or_does_not(void **state)
{
    struct scard_begin call = {.size = sizeof call, .version = 1, .timeout_ms = FOREVER};
    pthread_t thread;

    (void)state;
    pthread_barrier_init(&starting_line, NULL, 2);
    pthread_barrier_init(&finish_line, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_each, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        client_fresh(0);
        pthread_barrier_wait(&starting_line);
        scfs_control_ioctl(&req[0], client[0], SCARD_IOC_BEGIN, &call, sizeof call);
        pthread_barrier_wait(&finish_line);
        if (client_answer(0) == EINTR)
            assert_int_equal(client_begin(0, FOREVER), 0);
        else
            assert_int_equal(client_answer(0), 0);
        assert_int_equal(client_end(0, SCARD_DISPOSITION_LEAVE), 0);
        assert_int_equal(bare_reader->users, 0);
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&starting_line);
    pthread_barrier_destroy(&finish_line);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, clients_begin, clients_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_begin_gives_the_turn_and_end_takes_it),
        CASE(test_begin_with_a_reserved_word_that_is_not_zero_is_refused),
        CASE(test_begin_while_another_holds_waits_in_line),
        CASE(test_begin_without_time_is_refused_at_once),
        CASE(test_call_of_another_waits_for_the_end),
        CASE(test_interrupted_begin_lets_the_next_one_pass),
        CASE(test_begin_interrupted_at_any_moment_holds_or_does_not),
        CASE(test_flock_is_a_transaction),
        CASE(test_flock_that_the_kernel_repeats_keeps_its_place),
        CASE(test_flock_on_a_handle_for_reading_is_refused),
        CASE(test_owner_shows_the_holder_and_a_clean_label),
        CASE(test_holder_that_closes_leaves_a_card_that_is_reset),
        CASE(test_waiter_that_closes_is_forgotten),
        CASE(test_idle_holder_loses_its_transaction_to_who_waits),
        CASE(test_quiet_call_of_another_does_not_keep_a_holder_who_idles),
        CASE(test_label_of_a_begin_that_failed_is_not_the_next_ones),
        CASE(test_removed_card_leaves_its_holder_without),
        CASE(test_removed_reader_ends_those_who_wait),
        CASE(test_removed_reader_answers_enodev_to_every_call),
        CASE(test_card_of_another_uid_is_reset_first),
        CASE(test_card_touched_before_it_is_known_is_reset_for_another_uid),
        CASE(test_card_touched_before_two_changes_is_reset_for_another_uid),
        CASE(test_handle_that_touches_early_is_a_user_of_the_new_card),
        CASE(test_handle_that_finds_no_card_is_no_user_of_the_next),
        CASE(test_disposition_that_fails_leaves_a_reset_to_the_next),
        CASE(test_card_exchanged_between_two_requests_is_not_touched),
        CASE(test_card_without_users_is_powered_down),
        CASE(test_card_that_is_used_again_keeps_its_power),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
