/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-secrets.c - no secret is given back to the heap, and none is left in the buffer
 * that libfuse has read a request into: over the fake driver, without a kernel. The
 * linker sends free here, which looks into each block.
 *
 * (tests/mount/secrets.c looks through the whole process for what has not been freed.)
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
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
#include "fs/exchange.h"
#include "fs/task.h"
#include "fs/trace.h"

#define SECRET      "3141592653"
#define SECRET_HEX  "33313431353932363533"
#define SECRET_LEN  10
#define ECHO_HEADER "\x80\xE0\x00\x00\x0A"
#define ECHO        ECHO_HEADER SECRET "\x00"
#define ECHO_LEN    (5 + SECRET_LEN + 1)
#define ECHO_TEXT   "80e000000a" SECRET_HEX "00\n"
#define SLOW        "\x80\xE4\xFF\xFF\x0A" SECRET
#define T0_HEADER   "\1\0\0\0\x08\0\0\0"

static struct scfs_handle *control, *text;
static unsigned freed, with_secret; /* blocks; atomic */

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    const size_t len = block != NULL ? malloc_usable_size(block) : 0;

    __atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED);
    if (len > 0 && (memmem(block, len, SECRET, SECRET_LEN) != NULL ||
                    memmem(block, len, SECRET_HEX, 2 * SECRET_LEN) != NULL))
        __atomic_fetch_add(&with_secret, 1, __ATOMIC_RELAXED);
    __real_free(block);
}

static int setup(void **state)
{
    (void)state;
    freed = with_secret = 0;
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
    scfs_handle_release(text);
    bare_end();
    assert_true(freed > 0);
    assert_int_equal(with_secret, 0);
    return 0;
}

/* ---- requests -------------------------------------------------------------------- */

static bool has(const uint8_t *bytes, size_t len, const char *part)
{
    const size_t part_len = strlen(part);
    bool found = false;

    for (size_t i = 0; i + part_len <= len && !found; i++)
        found = memcmp(bytes + i, part, part_len) == 0;
    return found;
}

static void assert_no_secret(const uint8_t *bytes, size_t len)
{
    assert_false(has(bytes, len, "31415")); /* not even half of it */
    assert_false(has(bytes, len, "59265"));
    assert_false(has(bytes, len, "3331343135"));
}

static int end_request(struct fuse_req *req)
{
    const int error = req->error;

    assert_int_equal(req->answers, 1);
    assert_int_equal(req->broken, 0);
    explicit_bzero(req->reply, sizeof req->reply);
    fake_request_destroy(req);
    return error;
}

/* A write: 0 or errno. */
static int put(struct scfs_handle *handle, const void *bytes, size_t len)
{
    static char buffer[SCFS_WRITE_MAX];
    struct fuse_req req;

    memcpy(buffer, bytes, len);
    fake_request_init(&req);
    if (handle == text)
        scfs_transmit_write(&req, handle, buffer, len);
    else
        scfs_exchange_write(&req, handle, buffer, len);
    assert_no_secret((const uint8_t *)buffer, sizeof buffer);
    return end_request(&req);
}

static int put_text(const char *line)
{
    return put(text, line, strlen(line));
}

/* A read; gone: nobody is there to take it. */
static int get(struct scfs_handle *handle, size_t size, bool gone)
{
    struct fuse_req req;

    fake_request_init(&req);
    req.gone = gone;
    scfs_exchange_read(&req, handle, size, true);
    return end_request(&req);
}

#define DATA_MAX 64

union envelope {
    struct scard_call call;
    uint8_t bytes[SCARD_CALL_HEADER_SIZE + DATA_MAX];
};

static union envelope envelope_of(const char *apdu, size_t len)
{
    union envelope e = {.call = {.size = sizeof e,
                                 .version = SCARD_IOC_VERSION,
                                 .code = IOCTL_SMARTCARD_TRANSMIT,
                                 .in_len = (uint32_t)(8 + len),
                                 .out_len = DATA_MAX,
                                 .timeout_ms = SCARD_TIMEOUT_INFINITE}};

    memcpy(e.bytes + SCARD_CALL_HEADER_SIZE, T0_HEADER, 8);
    memcpy(e.bytes + SCARD_CALL_HEADER_SIZE + 8, apdu, len);
    return e;
}

static void begin_call(struct fuse_req *req, struct scfs_handle *handle,
                       union envelope *e)
{
    scfs_control_ioctl(req, handle, SCARD_IOC_CALL(sizeof *e), e, sizeof *e);
    assert_no_secret(e->bytes, sizeof e->bytes);
}

/* An ioctl: 0, errno, or that of its status. */
static int call(struct scfs_handle *handle, union envelope e)
{
    struct fuse_req req;
    int result;

    fake_request_init(&req);
    begin_call(&req, handle, &e);
    result = -req.result;
    return end_request(&req) != 0 ? req.error : result;
}

/* ---- commands and answers -------------------------------------------------------- */

static void test_answer_that_is_read_leaves_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(put(control, ECHO, ECHO_LEN), 0);
        assert_int_equal(scfs_exchange_reply_size(control), SECRET_LEN + 2);
        assert_int_equal(get(control, 4, false), EMSGSIZE);
        assert_int_equal(get(control, 256, true), 0); /* the next one may have it */
        assert_int_equal(get(control, 256, false), 0);
        assert_int_equal(put_text(ECHO_TEXT), 0);
        assert_int_equal(get(text, 23, true), 0);
        assert_int_equal(get(text, 23, false), 0);
        assert_int_equal(get(text, 256, false), 0);
    }
}

static void test_answer_that_nobody_reads_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(put(control, ECHO, ECHO_LEN), 0);
    assert_int_equal(put_text(ECHO_TEXT), 0);
    assert_int_equal(get(text, 23, false), 0); /* the first of two parts */
}

static void test_command_that_is_refused_leaves_nothing(void **state)
{
    static uint8_t big[SCARD_APDU_MAX + 1 + SECRET_LEN];

    (void)state;
    memcpy(big + SCARD_APDU_MAX + 1, SECRET, SECRET_LEN);
    assert_int_equal(put(control, big, sizeof big), EMSGSIZE);
    assert_int_equal(put(control, ECHO, ECHO_LEN - 2), EINVAL);
    assert_int_equal(put_text("80e000000b" SECRET_HEX "\n"), EINVAL);
    assert_int_equal(put_text("80e000000a" SECRET_HEX "0\n"), EINVAL);
    assert_int_equal(put(control, ECHO, ECHO_LEN), 0);
    assert_int_equal(put(control, ECHO, ECHO_LEN), EBUSY);
    assert_int_equal(put_text(ECHO_TEXT), 0);
    assert_int_equal(put_text(ECHO_TEXT), EBUSY);
}

static void test_command_that_fails_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(fake_driver.remove(bare_reader->device), 0);
    assert_int_equal(put(control, ECHO, ECHO_LEN), 0);
    assert_int_equal(get(control, 256, false), ENOMEDIUM);
    assert_int_equal(put_text(ECHO_TEXT), 0);
    assert_int_equal(get(text, 256, false), ENOMEDIUM);
    assert_int_not_equal(call(control, envelope_of(ECHO, ECHO_LEN)), 0);
    assert_int_equal(scfs_reader_unplug(bare_reader, fake_driver.unplug), 0);
    assert_int_equal(put(control, ECHO, ECHO_LEN), ENODEV);
    assert_int_equal(put_text(ECHO_TEXT), ENODEV);
    assert_int_equal(call(control, envelope_of(ECHO, ECHO_LEN)), ENODEV);
}

/* ---- calls ----------------------------------------------------------------------- */

static void connect(void)
{
    assert_int_equal(put(control, "\0\xA4\4\0", 4), 0);
    assert_int_equal(get(control, 256, false), 0);
}

static void test_call_leaves_nothing(void **state)
{
    union envelope e = envelope_of(ECHO, ECHO_LEN);
    const union envelope get_response = envelope_of("\0\xC0\0\0\x0A", 5);

    (void)state;
    connect();
    assert_int_equal(call(control, e), 0);
    assert_int_equal(call(control, get_response), 0);
    e.call.out_len = 9; /* too little for any answer */
    assert_int_not_equal(call(control, e), 0);
}

static void test_call_that_is_refused_leaves_nothing(void **state)
{
    struct scfs_handle *read_only =
        scfs_handle_new(&bare_fs, bare_reader, SCFS_CONTROL, O_RDONLY);
    union envelope e;

    (void)state;
    connect();
    assert_non_null(read_only);
    assert_int_equal(call(read_only, envelope_of(ECHO, ECHO_LEN)), EBADF);
    scfs_handle_release(read_only);
    e = envelope_of(ECHO, ECHO_LEN);
    e.call.version++;
    assert_int_equal(call(control, e), EINVAL);
    e = envelope_of(ECHO, ECHO_LEN);
    e.call.in_len = DATA_MAX + 1;
    assert_int_equal(call(control, e), EINVAL);
    e = envelope_of(ECHO, ECHO_LEN);
    e.call.in_len = 4; /* and more behind it */
    assert_int_not_equal(call(control, e), 0);
    e = envelope_of(ECHO, ECHO_LEN);
    e.call.code = IOCTL_SMARTCARD_GET_STATE;
    (void)call(control, e);
    e = envelope_of(ECHO, ECHO_LEN);
    e.call.code = SCARD_CTL_CODE(3999);
    assert_int_not_equal(call(control, e), 0);
}

/* ---- files that are not for it --------------------------------------------------------
 */

static void test_wrong_file_leaves_nothing(void **state)
{
    struct fuse_file_info fi = {.fh = (uint64_t)(uintptr_t)text};
    union envelope e = envelope_of(ECHO, ECHO_LEN);
    struct fuse_req req;

    (void)state;
    fake_request_init(&req);
    scfs_ops.ioctl(&req, 0, (unsigned)SCARD_IOC_CALL(sizeof e), NULL, &fi, 0, &e,
                   sizeof e, sizeof e);
    assert_int_equal(end_request(&req), ENOTTY);
    assert_no_secret(e.bytes, sizeof e.bytes);
}

static void test_digits_that_are_typed_leave_nothing(void **state)
{
    struct scfs_handle *file = scfs_handle_new(&bare_fs, NULL, SCFS_VIRTUAL, O_WRONLY);
    struct fuse_file_info fi = {.fh = (uint64_t)(uintptr_t)file, .flags = O_WRONLY};
    char line[] = "type reader0 " SECRET "\n";
    struct fuse_req req;

    (void)state;
    assert_non_null(file);
    fake_request_init(&req);
    scfs_ops.write(&req, 0, line, sizeof line - 1, 0, &fi);
    assert_int_equal(end_request(&req), EOPNOTSUPP); /* this driver has no PIN pad */
    assert_no_secret((const uint8_t *)line, sizeof line);
    scfs_handle_release(file);
}

static void test_trace_leaves_nothing(void **state)
{
    static const uint8_t block[] = "80 E0 " SECRET;
    const struct smc_trace_packet packet = {.event = SMC_TRACE_SUBMITTED,
                                            .data = block,
                                            .length = sizeof block,
                                            .shown = sizeof block};
    struct scfs_handle *trace =
        scfs_handle_new(&bare_fs, bare_reader, SCFS_TRACE, O_RDONLY);
    struct fuse_req req;

    (void)state;
    assert_non_null(trace);
    scfs_trace_packet(&bare_fs, bare_reader->device, &packet);
    fake_request_init(&req);
    assert_true(scfs_trace_answer(&req, trace, 4096));
    assert_true(has(req.reply, req.len, SECRET));
    assert_int_equal(end_request(&req), 0);
    scfs_trace_packet(&bare_fs, bare_reader->device, &packet);
    scfs_trace_close(trace);
    scfs_handle_release(trace);
}

/* ---- interrupted ----------------------------------------------------------------- */

static uint32_t flags;
static struct fuse_req running;

static void *run_long(void *unused)
{
    union envelope e = envelope_of(SLOW, 5 + SECRET_LEN);

    (void)unused;
    e.call.flags = flags;
    begin_call(&running, control, &e);
    return NULL;
}

static void interrupted_call(bool then_close)
{
    const unsigned before = fake_driver_sleeps();
    pthread_t runner;

    connect();
    fake_request_init(&running);
    assert_int_equal(pthread_create(&runner, NULL, run_long, NULL), 0);
    fake_driver_wait_sleeps(before + 1);
    fake_interrupt(&running);
    fake_wait_answer(&running);
    if (then_close) {
        scfs_handle_release(control);
        control = NULL;
    } else {
        scfs_task_end_all(bare_reader, control);
    }
    pthread_join(runner, NULL);
    assert_int_equal(end_request(&running), EINTR);
}

static void test_call_that_is_interrupted_leaves_nothing(void **state)
{
    (void)state;
    flags = 0;
    interrupted_call(false);
}

static void test_call_that_goes_on_and_is_closed_leaves_nothing(void **state)
{
    (void)state;
    flags = SCARD_CALL_KEEP;
    interrupted_call(true);
}

static void test_look_sees_a_secret(void **state)
{
    static const char *const secrets[] = {SECRET, SECRET_HEX};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *block = calloc(1, 200);

        assert_non_null(block);
        memcpy(block + 170, secrets[i], strlen(secrets[i]));
        __wrap_free(block); /* before free a compiler need not write anything */
    }
    assert_int_equal(with_secret, 2);
    with_secret = 0;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_answer_that_is_read_leaves_nothing),
        CASE(test_answer_that_nobody_reads_leaves_nothing),
        CASE(test_command_that_is_refused_leaves_nothing),
        CASE(test_command_that_fails_leaves_nothing),
        CASE(test_call_leaves_nothing),
        CASE(test_call_that_is_refused_leaves_nothing),
        CASE(test_wrong_file_leaves_nothing),
        CASE(test_digits_that_are_typed_leave_nothing),
        CASE(test_trace_leaves_nothing),
        CASE(test_call_that_is_interrupted_leaves_nothing),
        CASE(test_call_that_goes_on_and_is_closed_leaves_nothing),
        CASE(test_look_sees_a_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
