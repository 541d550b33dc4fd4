/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-exchange.c - commands by write and outcomes by read, over the fake driver and
 * without a kernel.
 *
 * A running command is one of 80 E4 FF FF, which takes a minute unless it is cancelled;
 * it is under way when begin_long returns.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bare.h"
#include "fake_driver.h"
#include "fake_fuse.h"
#include "fs/apdu.h"
#include "fs/exchange.h"
#include "fs/task.h"

#define GARBAGE_WRITES 1000000

static struct scfs_handle *control, *text;

static int setup(void **state)
{
    (void)state;
    if (!bare_begin(false))
        return -1;
    control = scfs_handle_new(&bare_fs, bare_reader, SCFS_CONTROL, O_RDWR);
    text = scfs_handle_new(&bare_fs, bare_reader, SCFS_TRANSMIT, O_RDWR);
    return control == NULL || text == NULL;
}

static int teardown(void **state)
{
    (void)state;
    if (control != NULL)
        scfs_handle_release(control);
    if (text != NULL)
        scfs_handle_release(text);
    bare_end();
    return 0;
}

/* A write to either file: 0 or errno. */
static int put(struct scfs_handle *handle, const void *bytes, size_t len)
{
    static char buffer[SCFS_WRITE_MAX];
    struct fuse_req req;
    int error;

    memcpy(buffer, bytes, len);
    fake_request_init(&req);
    if (handle == text)
        scfs_transmit_write(&req, handle, buffer, len);
    else
        scfs_exchange_write(&req, handle, buffer, len);
    for (size_t i = 0; i < len; i++) {
        if (buffer[i] != 0)
            fail_msg("byte %zu of the command is left in the buffer", i);
    }
    assert_int_equal(req.answers, 1);
    assert_int_equal(req.broken, 0);
    error = req.error;
    if (error == 0)
        assert_int_equal(req.written, len);
    fake_request_destroy(&req);
    return error;
}

static int put_text(const char *line)
{
    return put(text, line, strlen(line));
}

/* A read that does not wait: the number of bytes or -errno. */
static int get(struct scfs_handle *handle, size_t size, uint8_t out[FAKE_REPLY_MAX])
{
    struct fuse_req req;
    int result;

    fake_request_init(&req);
    scfs_exchange_read(&req, handle, size, true);
    assert_int_equal(req.answers, 1);
    result = req.error != 0 ? -req.error : (int)req.len;
    memcpy(out, req.reply, req.len);
    fake_request_destroy(&req);
    return result;
}

static void assert_gets(struct scfs_handle *handle, size_t size, const void *expected,
                        int result)
{
    uint8_t out[FAKE_REPLY_MAX];

    assert_int_equal(get(handle, size, out), result);
    if (result > 0)
        assert_memory_equal(out, expected, (size_t)result);
}

static const uint8_t select_apdu[] = {0x00, 0xA4, 0x04, 0x00};
static const uint8_t count_apdu[] = {0x80, 0xE8, 0x00, 0x00, 0x01};
static const uint8_t long_apdu[] = {0x80, 0xE4, 0xFF, 0xFF};

/* ---- a command that runs in a thread of its own ---------------------------------- */

static pthread_t runner;

static void *run_long(void *argument)
{
    struct scfs_handle *handle = argument;

    if (handle == text)
        put(handle, "80E4FFFF", 8);
    else
        put(handle, long_apdu, sizeof long_apdu);
    return NULL;
}

static void begin_long(struct scfs_handle *handle)
{
    const unsigned before = fake_driver_sleeps();

    assert_int_equal(pthread_create(&runner, NULL, run_long, handle), 0);
    fake_driver_wait_sleeps(before + 1);
}

static void close_control(void)
{
    scfs_handle_release(control);
    control = NULL;
}

/* ---- binary ---------------------------------------------------------------------- */

static void test_control_gives_each_answer_once(void **state)
{
    (void)state;
    assert_gets(control, 256, NULL, -ENODATA);
    assert_int_equal(put(control, select_apdu, sizeof select_apdu), 0);
    assert_int_equal(scfs_exchange_reply_size(control), 2);
    assert_gets(control, 256, "\x90\x00", 2);
    assert_int_equal(scfs_exchange_reply_size(control), 0);
    assert_gets(control, 256, NULL, -ENODATA);
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), 0);
    assert_gets(control, 3, "\x02\x90\x00", 3);
}

static void test_control_connects_by_itself_and_after_a_reset_again(void **state)
{
    (void)state;
    assert_int_equal(put(control, select_apdu, sizeof select_apdu), 0);
    assert_gets(control, 256, "\x90\x00", 2);
    assert_true(scfs_reader_enter(bare_reader));
    assert_int_equal(scfs_reader_state(bare_reader), SCARD_SPECIFIC);
    scfs_reader_leave(bare_reader);
}

static void test_read_into_too_small_a_buffer_keeps_the_answer(void **state)
{
    (void)state;
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), 0);
    assert_gets(control, 1, NULL, -EMSGSIZE);
    assert_gets(control, 2, NULL, -EMSGSIZE);
    assert_gets(control, 3, "\x01\x90\x00", 3);
}

static void test_write_before_the_answer_was_read_is_busy_and_sends_nothing(void **state)
{
    (void)state;
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), 0);
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), EBUSY);
    assert_gets(control, 256, "\x01\x90\x00", 3);
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), 0);
    assert_gets(control, 256, "\x02\x90\x00", 3);
}

static void test_write_of_what_is_no_command_is_refused(void **state)
{
    static uint8_t big[SCARD_APDU_MAX + 1];
    static const struct {
        const char *bytes;
        size_t len;
    } wrong[] = {
        {"\0", 1},
        {"\0\xa4\4", 3},
        {"\0\xa4\4\0\2\x3f", 6},
        {"\0\xa4\4\0\2\x3f\0\0\0", 9},
        {"\0\xa4\4\0\0\0", 6},
        {"\0\xa4\4\0\0\0\0\1", 8},
        {"\0\xa4\4\0\0\0\2\1", 8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(put(control, wrong[i].bytes, wrong[i].len), EINVAL);
    assert_int_equal(put(control, big, sizeof big), EMSGSIZE);
    assert_int_equal(put(control, big, SCARD_APDU_MAX), EINVAL); /* Lc 0 */
    assert_gets(control, 256, NULL, -ENODATA);
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), 0);
    assert_gets(control, 256, "\x01\x90\x00", 3);
}

static void test_error_is_read_once_like_an_answer(void **state)
{
    (void)state;
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_int_equal(put(control, select_apdu, sizeof select_apdu), 0);
    assert_gets(control, 256, NULL, -ENOMEDIUM);
    assert_gets(control, 256, NULL, -ENODATA);
    assert_int_equal(put_text("00A40400"), 0);
    assert_gets(text, 256, NULL, -ENOMEDIUM);
    assert_gets(text, 256, NULL, 0);
}

static void test_answer_that_nobody_took_is_there_for_the_next_read(void **state)
{
    struct fuse_req req;

    (void)state;
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), 0);
    fake_request_init(&req);
    req.gone = true;
    scfs_exchange_read(&req, control, 256, false);
    assert_int_equal(req.answers, 1);
    fake_request_destroy(&req);
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), EBUSY);
    assert_gets(control, 256, "\x01\x90\x00", 3);
}

/* ---- waiting --------------------------------------------------------------------- */

static void test_read_of_a_running_command_waits_and_can_be_interrupted(void **state)
{
    struct fuse_req interrupted, reading;

    (void)state;
    begin_long(control);
    assert_gets(control, 256, NULL, -EAGAIN);
    assert_int_equal(put(control, select_apdu, sizeof select_apdu), EBUSY);

    fake_request_init(&interrupted);
    scfs_exchange_read(&interrupted, control, 256, false);
    assert_int_equal(interrupted.answers, 0);
    fake_interrupt(&interrupted);
    assert_int_equal(interrupted.answers, 1);
    assert_int_equal(interrupted.error, EINTR);
    assert_int_equal(interrupted.broken, 0);
    fake_request_destroy(&interrupted);

    /* The next one gets what came of it. */
    fake_request_init(&reading);
    scfs_exchange_read(&reading, control, 256, false);
    assert_int_equal(reading.answers, 0);
    scfs_task_end_all(bare_reader, control);
    pthread_join(runner, NULL);
    fake_wait_answer(&reading);
    assert_int_equal(reading.answers, 1);
    assert_int_equal(reading.error, ECANCELED);
    assert_int_equal(reading.broken, 0);
    fake_request_destroy(&reading);
}

static void test_read_of_a_running_command_counts_among_its_users_waits(void **state)
{
    struct fuse_req waiting, refused;

    (void)state;
    control->uid = 1000;
    bare_fs.quota.max[SCFS_QUOTA_WAITS] = 1;
    begin_long(control);
    for (int i = 0; i < 2; i++) { /* the second time the place is free again */
        fake_request_init(&waiting);
        fake_request_init(&refused);
        scfs_exchange_read(&waiting, control, 256, false);
        assert_int_equal(waiting.answers, 0);
        scfs_exchange_read(&refused, control, 256, false);
        assert_int_equal(refused.answers, 1);
        assert_int_equal(refused.error, EDQUOT);
        fake_interrupt(&waiting);
        assert_int_equal(waiting.answers, 1);
        assert_int_equal(waiting.error, EINTR);
        fake_request_destroy(&refused);
        fake_request_destroy(&waiting);
    }
    scfs_task_end_all(bare_reader, control);
    pthread_join(runner, NULL);
    assert_gets(control, 256, NULL, -ECANCELED);
}

static void test_read_that_was_interrupted_before_it_waits_takes_nothing(void **state)
{
    struct fuse_req req;

    (void)state;
    begin_long(control);
    fake_request_init(&req);
    fake_interrupt(&req);
    scfs_exchange_read(&req, control, 256, false);
    assert_int_equal(req.answers, 1);
    assert_int_equal(req.error, EINTR);
    fake_request_destroy(&req);
    assert_gets(control, 256, NULL, -EAGAIN);
    scfs_task_end_all(bare_reader, control);
    pthread_join(runner, NULL);
    assert_gets(control, 256, NULL, -ECANCELED);
}

static void test_close_while_a_command_runs_aborts_it(void **state)
{
    (void)state;
    begin_long(control);
    close_control();
    pthread_join(runner, NULL);
    assert_int_equal(put_text("80E8000001\n"), 0);
    assert_gets(text, 256, "029000\n", 7);
}

static void test_reader_that_goes_ends_reads_with_enodev(void **state)
{
    struct fuse_req req;

    (void)state;
    begin_long(control);
    fake_request_init(&req);
    scfs_exchange_read(&req, control, 256, false);
    assert_int_equal(scfs_reader_unplug(bare_reader, fake_driver.unplug), 0);
    fake_wait_answer(&req);
    assert_int_equal(req.answers, 1);
    assert_int_equal(req.error, ENODEV);
    fake_request_destroy(&req);
    pthread_join(runner, NULL);
    assert_gets(control, 256, NULL, -ENODEV);
    assert_int_equal(put(control, select_apdu, sizeof select_apdu), ENODEV);
}

/* ---- text ------------------------------------------------------------------------ */

static void test_transmit_gives_a_line_in_parts_and_then_the_end(void **state)
{
    (void)state;
    assert_gets(text, 256, NULL, 0);
    assert_int_equal(put_text("80 e8 00 00 01\n"), 0);
    assert_int_equal(scfs_exchange_reply_size(text), 7);
    assert_gets(text, 1, "0", 1);
    assert_int_equal(put_text("80e8000001"), EBUSY);
    assert_gets(text, 4, "1900", 4);
    assert_gets(text, 1, "0", 1);
    assert_int_equal(put_text("80e8000001"), EBUSY);
    assert_gets(text, 256, "\n", 1);
    assert_gets(text, 256, NULL, 0);
    assert_int_equal(put_text("80e8000001"), 0);
    assert_gets(text, 256, "029000\n", 7);
}

static void test_transmit_refuses_what_is_not_one_line_of_one_command(void **state)
{
    static char longest[SCFS_WRITE_MAX];
    static const char *const wrong[] = {
        "\n",         "00a404",      "00a4040\n", "00a40400\n00a40400\n",
        "00a4040g\n", "80e80000010", "hello\n",   "00a40400\n\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(put_text(wrong[i]), EINVAL);
    memset(longest, '0', sizeof longest);
    assert_int_equal(put(text, longest, sizeof longest), EMSGSIZE);
    assert_int_equal(put(text, longest, 2 * SCARD_APDU_MAX + 2), EMSGSIZE);
    assert_int_equal(put(text, longest, 2 * SCARD_APDU_MAX), EINVAL); /* Lc 0 */
    /* The kernel may have cut it: it cannot be told from a whole line. */
    memset(longest, ' ', sizeof longest);
    memcpy(longest, "80e8000001", 10);
    assert_int_equal(put(text, longest, sizeof longest), EMSGSIZE);
    assert_int_equal(put(text, longest, 3 * SCARD_APDU_MAX + 2), EMSGSIZE);
    assert_int_equal(put(text, longest, 3 * SCARD_APDU_MAX + 1), 0);
    assert_gets(text, 256, "019000\n", 7);
}

static void test_two_open_files_have_outcomes_of_their_own(void **state)
{
    (void)state;
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), 0);
    assert_int_equal(put_text("80e8000001"), 0);
    assert_gets(text, 256, "029000\n", 7);
    assert_gets(control, 256, "\x01\x90\x00", 3);
}

static void write_to_the_other(struct fuse_req *req)
{
    (void)req;
    assert_int_equal(put_text("80e8000001"), 0);
}

static void test_who_writes_after_another_write_has_returned_comes_behind_it(void **state)
{
    uint8_t command[sizeof count_apdu];
    struct fuse_req req;

    (void)state;
    memcpy(command, count_apdu, sizeof command);
    fake_request_init(&req);
    req.then = write_to_the_other;
    scfs_exchange_write(&req, control, (char *)command, sizeof command);
    assert_int_equal(req.answers, 1);
    fake_request_destroy(&req);
    assert_gets(control, 256, "\x01\x90\x00", 3);
    assert_gets(text, 256, "029000\n", 7);
}

static void close_it(struct fuse_req *req)
{
    (void)req;
    close_control();
}

static void test_file_that_is_closed_before_the_command_runs_sends_nothing(void **state)
{
    uint8_t command[sizeof count_apdu];
    struct fuse_req req;

    (void)state;
    memcpy(command, count_apdu, sizeof command);
    fake_request_init(&req);
    req.then = close_it;
    scfs_exchange_write(&req, control, (char *)command, sizeof command);
    assert_int_equal(req.answers, 1);
    fake_request_destroy(&req);
    assert_int_equal(put_text("80e8000001"), 0);
    assert_gets(text, 256, "019000\n", 7);
}

/* ---- power ----------------------------------------------------------------------- */

static int power(const char *word, size_t len)
{
    struct scfs_handle *handle =
        scfs_handle_new(&bare_fs, bare_reader, SCFS_POWER, O_WRONLY);
    struct fuse_req req;
    int error;

    assert_non_null(handle);
    fake_request_init(&req);
    scfs_power_file_write(&req, handle, word, len, true);
    assert_int_equal(req.answers, 1);
    error = req.error;
    if (error == 0)
        assert_int_equal(req.written, len);
    fake_request_destroy(&req);
    scfs_handle_release(handle);
    return error;
}

static uint32_t state_now(void)
{
    uint32_t state;

    assert_true(scfs_reader_enter(bare_reader));
    state = scfs_reader_state(bare_reader);
    scfs_reader_leave(bare_reader);
    return state;
}

static void test_power_does_what_it_is_told(void **state)
{
    (void)state;
    assert_int_equal(power("cold\n", 5), 0);
    assert_int_equal(state_now(), SCARD_NEGOTIABLE);
    assert_int_equal(power("off", 3), 0);
    assert_int_equal(state_now(), SCARD_SWALLOWED);
    assert_int_equal(power("cold", 4), 0);
    assert_int_equal(power("warm\n", 5), 0);
    assert_int_equal(state_now(), SCARD_NEGOTIABLE);
}

static void test_power_refuses_other_words_and_an_empty_reader(void **state)
{
    (void)state;
    assert_int_equal(power("", 0), EINVAL);
    assert_int_equal(power("\n", 1), EINVAL);
    assert_int_equal(power("on\n", 3), EINVAL);
    assert_int_equal(power("cold\n\n", 6), EINVAL);
    assert_int_equal(power("cold\0", 5), EINVAL);
    assert_int_equal(power("COLD", 4), EINVAL);
    assert_int_equal(power("offf", 4), EINVAL);
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_int_equal(power("cold", 4), ENOMEDIUM);
}

static void test_power_without_waiting_is_eagain_while_the_reader_works(void **state)
{
    (void)state;
    begin_long(control);
    assert_int_equal(power("off", 3), EAGAIN);
    close_control();
    pthread_join(runner, NULL);
}

/* ---- a card that goes between two questions ---------------------------------------- */

static bool goes_before_the_protocol; /* is asked for */

NTSTATUS __real_smc_irp_ioctl(PDEVICE_OBJECT device, PFILE_OBJECT file, ULONG code,
                              PVOID buffer, ULONG in_len, ULONG out_len,
                              ULONG *information);
NTSTATUS __wrap_smc_irp_ioctl(PDEVICE_OBJECT device, PFILE_OBJECT file, ULONG code,
                              PVOID buffer, ULONG in_len, ULONG out_len,
                              ULONG *information);

NTSTATUS __wrap_smc_irp_ioctl(PDEVICE_OBJECT device, PFILE_OBJECT file, ULONG code,
                              PVOID buffer, ULONG in_len, ULONG out_len,
                              ULONG *information)
{
    if (goes_before_the_protocol && code == IOCTL_SMARTCARD_GET_ATTRIBUTE) {
        goes_before_the_protocol = false;
        assert_int_equal(fake_driver.remove(device), 0);
    }
    return __real_smc_irp_ioctl(device, file, code, buffer, in_len, out_len, information);
}

static void test_card_that_goes_before_its_protocol_is_asked_for_is_no_medium(
    void **state)
{
    (void)state;
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), 0);
    assert_true(get(control, 256, (uint8_t[FAKE_REPLY_MAX]){0}) >
                0); /* it is connected */
    goes_before_the_protocol = true;
    assert_int_equal(put(control, count_apdu, sizeof count_apdu), 0);
    assert_gets(control, 256, NULL, -ENOMEDIUM);
    assert_false(goes_before_the_protocol);
}

/* ---- garbage --------------------------------------------------------------------- */

static void test_garbage_is_refused_or_answered_a_million_times(void **state)
{
    uint64_t seed = 0x9E3779B97F4A7C15;
    unsigned sent = 0;

    (void)state;
    for (unsigned i = 0; i < GARBAGE_WRITES; i++) {
        struct scfs_apdu_parts parts;
        uint8_t bytes[16], out[FAKE_REPLY_MAX];
        size_t len;
        int expected;

        for (size_t j = 0; j < sizeof bytes; j++) {
            seed = seed * 6364136223846793005 + 1442695040888963407;
            bytes[j] = (uint8_t)(seed >> 56) & (j < 2 ? 0x0f : 0xff);
        }
        len = 1 + (size_t)(seed >> 40) % sizeof bytes;
        if (len > 4 && i % 2 == 0)
            bytes[4] = (uint8_t)(len - 5); /* a form that is more often right */
        expected = -scfs_apdu_split(bytes, len, &parts);
        assert_int_equal(put(control, bytes, len), expected);
        if (expected == 0) {
            sent++;
            assert_true(get(control, sizeof out, out) >= 2);
        } else {
            assert_int_equal(get(control, sizeof out, out), -ENODATA);
        }
    }
    assert_true(sent > GARBAGE_WRITES / 100);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_control_gives_each_answer_once),
        CASE(test_control_connects_by_itself_and_after_a_reset_again),
        CASE(test_read_into_too_small_a_buffer_keeps_the_answer),
        CASE(test_write_before_the_answer_was_read_is_busy_and_sends_nothing),
        CASE(test_write_of_what_is_no_command_is_refused),
        CASE(test_error_is_read_once_like_an_answer),
        CASE(test_answer_that_nobody_took_is_there_for_the_next_read),
        CASE(test_read_of_a_running_command_waits_and_can_be_interrupted),
        CASE(test_read_of_a_running_command_counts_among_its_users_waits),
        CASE(test_read_that_was_interrupted_before_it_waits_takes_nothing),
        CASE(test_close_while_a_command_runs_aborts_it),
        CASE(test_reader_that_goes_ends_reads_with_enodev),
        CASE(test_transmit_gives_a_line_in_parts_and_then_the_end),
        CASE(test_transmit_refuses_what_is_not_one_line_of_one_command),
        CASE(test_two_open_files_have_outcomes_of_their_own),
        CASE(test_who_writes_after_another_write_has_returned_comes_behind_it),
        CASE(test_file_that_is_closed_before_the_command_runs_sends_nothing),
        CASE(test_power_does_what_it_is_told),
        CASE(test_power_refuses_other_words_and_an_empty_reader),
        CASE(test_power_without_waiting_is_eagain_while_the_reader_works),
        CASE(test_card_that_goes_before_its_protocol_is_asked_for_is_no_medium),
        CASE(test_garbage_is_refused_or_answered_a_million_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
