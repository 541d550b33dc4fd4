/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-envelope.c - a million ioctls of rubbish, most of them nearly right: each is
 * answered once, with the errno that its form asks for, and the reader works afterwards.
 *
 * The form is judged here once more, from scard_ioctl(4) and not from the code.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bare.h"
#include "fake_fuse.h"

#define ENVELOPES    1000000u
#define ENVELOPE_MAX 128u /* of one envelope: what is longer says nothing new */

static uint64_t seed = 0x2545F4914F6CDD1D;
static struct fuse_req req;
static struct scfs_handle *handle;

static uint32_t number(uint32_t below)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(seed >> 33) % below;
}

static int setup(void **state)
{
    (void)state;
    if (!bare_begin(false))
        return -1;
    fake_request_init(&req);
    handle = scfs_handle_new(&bare_fs, bare_reader, SCFS_CONTROL, O_RDWR);
    return handle == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    scfs_handle_release(handle);
    bare_end();
    fake_request_destroy(&req);
    return 0;
}

/* Sizes of the session calls; 0: there is no call of that number. */
static size_t size_of_call(unsigned nr)
{
    switch (nr) {
    case 2:
        return sizeof(struct scard_connect);
    case 3:
        return sizeof(struct scard_disconnect);
    case 4:
        return sizeof(struct scard_begin);
    case 5:
        return sizeof(struct scard_end);
    case 6:
        return sizeof(struct scard_reply_size);
    case 7:
        return sizeof(struct scard_info);
    default:
        return 0;
    }
}

static bool is_known(unsigned cmd)
{
    if (_IOC_TYPE(cmd) != SCARD_IOC_MAGIC || _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE))
        return false;
    return _IOC_NR(cmd) == 1 || (size_of_call(_IOC_NR(cmd)) != 0 &&
                                 size_of_call(_IOC_NR(cmd)) == _IOC_SIZE(cmd));
}

/* Whether scard_ioctl(4) lets struct scard_call through. */
static bool is_sound(unsigned cmd, const uint8_t *bytes, size_t len)
{
    struct scard_call call;

    if (len < sizeof call)
        return false;
    memcpy(&call, bytes, sizeof call);
    return call.size == len && call.size == _IOC_SIZE(cmd) && call.version == 1 &&
           call.flags <= SCARD_CALL_KEEP && call.in_len <= len - sizeof call &&
           call.out_len <= len - sizeof call;
}

static uint32_t some_code(void)
{
    const uint32_t function = number(24);

    switch (number(4)) {
    case 0:
        return number(UINT32_MAX);
    case 1:
        return SCARD_CTL_CODE(3400 + number(128));
    default:
        return SCARD_CTL_CODE(function);
    }
}

/* Fills an envelope, mostly in order; returns its length. */
static size_t envelope(uint8_t bytes[ENVELOPE_MAX])
{
    const size_t len = 8 + number(ENVELOPE_MAX - 8 + 1);
    struct scard_call call = {.size = (uint32_t)len,
                              .version = number(16) != 0,
                              .code = some_code(),
                              .in_len = number(len > 32 ? (uint32_t)len - 31 : 8),
                              .out_len = number(len > 32 ? (uint32_t)len - 31 : 8),
                              .timeout_ms = number(2) * UINT32_MAX,
                              .flags = number(32) == 0 ? number(4) : 0};

    for (size_t i = 0; i < len; i++)
        bytes[i] = number(4) == 0 ? (uint8_t)number(256) : (uint8_t)number(4);
    if (number(16) == 0)
        call.in_len = number(UINT32_MAX);
    if (number(16) == 0)
        call.out_len = number(UINT32_MAX);
    if (number(16) == 0)
        call.size = number(UINT32_MAX);
    memcpy(bytes, &call, len < sizeof call ? len : sizeof call);
    return len;
}

static unsigned some_command(size_t len)
{
    const unsigned nr = number(4) == 0 ? number(256) : number(9);
    const unsigned size = size_of_call(nr) != 0 && number(2) == 0
                              ? (unsigned)size_of_call(nr)
                              : (unsigned)len;

    return _IOC(number(16) == 0 ? number(4) : _IOC_READ | _IOC_WRITE,
                number(16) == 0 ? number(256) : SCARD_IOC_MAGIC, nr, size);
}

/* errno of one ioctl. A wait that nothing ends is interrupted. */
static int answer_to(unsigned cmd, const uint8_t *bytes, size_t len)
{
    uint8_t in[ENVELOPE_MAX]; /* of which a command is wiped */

    memcpy(in, bytes, len);
    fake_request_destroy(&req);
    fake_request_init(&req);
    scfs_control_ioctl(&req, handle, cmd, in, len);
    if (req.answers == 0)
        fake_interrupt(&req);
    assert_int_equal(req.answers, 1);
    assert_int_equal(req.broken, 0);
    return req.error != 0 ? req.error : -req.result;
}

static void test_a_million_envelopes_are_each_answered_by_their_form(void **state)
{
    unsigned unknown = 0, unsound = 0, served = 0;
    uint32_t is = 0;

    (void)state;
    for (unsigned i = 0; i < ENVELOPES; i++) {
        uint8_t bytes[ENVELOPE_MAX];
        size_t len = envelope(bytes);
        const unsigned cmd = some_command(len);
        int error;

        if (_IOC_SIZE(cmd) > len) { /* the kernel hands over what the number says */
            memset(bytes + len, 0, sizeof bytes - len);
            len = _IOC_SIZE(cmd) < sizeof bytes ? _IOC_SIZE(cmd) : sizeof bytes;
        }
        error = answer_to(cmd, bytes, len);
        if (!is_known(cmd)) {
            unknown++;
            if (error != ENOTTY && error != EINVAL)
                fail_msg("unknown %08x, %zu bytes: errno %d", cmd, len, error);
        } else if (_IOC_NR(cmd) == 1 && !is_sound(cmd, bytes, len)) {
            unsound++;
            if (error != EINVAL)
                fail_msg("unsound %08x, %zu bytes: errno %d", cmd, len, error);
        } else {
            served++;
            if (error == ENOTTY || error == EFAULT || error == ENOSYS)
                fail_msg("known %08x, %zu bytes: errno %d", cmd, len, error);
        }
    }
    print_message("%u envelopes: %u unknown, %u unsound, %u served\n", ENVELOPES, unknown,
                  unsound, served);
    assert_true(unknown > ENVELOPES / 50 && unsound > ENVELOPES / 50 &&
                served > ENVELOPES / 50);

    /* It works: a state is read, and nothing is left of what waited. */
    {
        const struct scard_call call = {.size = SCARD_CALL_HEADER_SIZE + sizeof is,
                                        .version = 1,
                                        .code = IOCTL_SMARTCARD_GET_STATE,
                                        .out_len = sizeof is};
        uint8_t bytes[SCARD_CALL_HEADER_SIZE + sizeof is] = {0};

        memcpy(bytes, &call, sizeof call);
        assert_int_equal(answer_to(SCARD_IOC_CALL(sizeof bytes), bytes, sizeof bytes), 0);
        memcpy(&is, req.reply + SCARD_CALL_HEADER_SIZE, sizeof is);
        assert_in_range(is, SCARD_UNKNOWN, SCARD_SPECIFIC);
        assert_true(IsListEmpty(&bare_reader->waits));
        assert_true(IsListEmpty(&bare_reader->tasks));
        assert_int_equal(bare_reader->users, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_million_envelopes_are_each_answered_by_their_form, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
