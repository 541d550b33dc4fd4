/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * misuse-ioctl.c - ioctls that are none, and structures that are not in order: each has
 * its errno, nothing of it reaches the card, and the next command works.
 */
#include "misuse_case.h"

#include "calls.h"
#include "winsmcrd.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void test_unknown_ioctls_are_enotty(void **state)
{
    static const unsigned long unknown[] = {
        TCGETS,
        TIOCGWINSZ,
        _IO(SCARD_IOC_MAGIC, 0),
        _IO(SCARD_IOC_MAGIC, 99),
        _IOWR(SCARD_IOC_MAGIC, 8, struct scard_end),
        _IOWR(SCARD_IOC_MAGIC, 4, struct scard_end), /* BEGIN with another size */
        _IOR(SCARD_IOC_MAGIC, 4, struct scard_begin),
        _IOWR('T', 4, struct scard_begin),
    };
    uint8_t area[SCARD_CALL_SIZE_MAX] = {0};
    int state_file = open_reader("state", O_RDONLY);
    int dir = open(AT("reader0"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char what[32];

        snprintf(what, sizeof what, "ioctl %#lx", unknown[i]);
        is(what, ENOTTY, failed(ioctl(control, unknown[i], area)));
    }
    is("of another file", ENOTTY, failed(ioctl(state_file, SCARD_IOC_CALL(32), area)));
    is("of a directory", ENOTTY, failed(ioctl(dir, SCARD_IOC_CALL(32), area)));
    is("a bad pointer", EFAULT, failed(ioctl(control, SCARD_IOC_CALL(32), (void *)8)));
    assert_false(isatty(control));
    close(state_file);
    close(dir);
    assert_card_has_counted(1);
}

static void test_envelope_that_lies_is_einval_and_its_status_stays(void **state)
{
    static const struct {
        const char *what;
        struct scard_call call; /* of 48 bytes */
    } table[] = {
        {"size 0", {0, 1, IOCTL_SMARTCARD_GET_STATE, 0, 4, 77, 0, 0}},
        {"size too small", {47, 1, IOCTL_SMARTCARD_GET_STATE, 0, 4, 77, 0, 0}},
        {"size too large", {49, 1, IOCTL_SMARTCARD_GET_STATE, 0, 4, 77, 0, 0}},
        {"version 0", {48, 0, IOCTL_SMARTCARD_GET_STATE, 0, 4, 77, 0, 0}},
        {"version 2", {48, 2, IOCTL_SMARTCARD_GET_STATE, 0, 4, 77, 0, 0}},
        {"flags", {48, 1, IOCTL_SMARTCARD_GET_STATE, 0, 4, 77, 0, 2}},
        {"too much input", {48, 1, IOCTL_SMARTCARD_GET_STATE, 17, 4, 77, 0, 0}},
        {"too much output", {48, 1, IOCTL_SMARTCARD_GET_STATE, 0, 17, 77, 0, 0}},
        {"input of 4 GiB", {48, 1, IOCTL_SMARTCARD_GET_STATE, UINT32_MAX, 4, 77, 0, 0}},
        {"output of 4 GiB", {48, 1, IOCTL_SMARTCARD_GET_STATE, 0, UINT32_MAX, 77, 0, 0}},
        {"input of -16", {48, 1, IOCTL_SMARTCARD_TRANSMIT, 0xfffffff0, 4, 77, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        union {
            struct scard_call call;
            uint8_t bytes[48];
        } u = {.call = table[i].call};

        is(table[i].what, EINVAL, failed(ioctl(control, SCARD_IOC_CALL(48), &u)));
        assert_int_equal(u.call.status, 77);
    }
    is("31 bytes", EINVAL,
       failed(ioctl(control, SCARD_IOC_CALL(31), &(uint8_t[48]){31})));
    assert_card_has_counted(1);
}

/* What makes a session call wrong: these bytes at that offset. */
struct flaw {
    const char *what;
    size_t offset;
    uint32_t value;
};

#define AT_FIELD(type, field) offsetof(struct type, field)

static void check_flaws(unsigned long number, const void *good, size_t size,
                        const struct flaw *flaws, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t call[256];

        memcpy(call, good, size);
        memcpy(call + flaws[i].offset, &flaws[i].value, sizeof flaws[i].value);
        is(flaws[i].what, EINVAL, failed(ioctl(control, number, call)));
    }
}

#define CHECK_FLAWS(number, good, flaws)                                                 \
    check_flaws(number, &(good), sizeof(good), flaws, sizeof(flaws) / sizeof *(flaws))

static void test_session_calls_with_a_flaw_are_einval_and_do_nothing(void **state)
{
    static const struct scard_connect connect = {
        sizeof connect, 1, SCARD_SHARE_MODE_SHARED, 3, 0, 0, 0, 0, 0, {0}, 0, {0}};
    static const struct scard_disconnect disconnect = {
        sizeof disconnect, 1, SCARD_DISPOSITION_LEAVE, 0, 0, {0}};
    static const struct scard_begin begin = {sizeof begin, 1, 0, 0, {0}, {0}};
    static const struct scard_end end = {sizeof end, 1, SCARD_DISPOSITION_LEAVE, 0, {0}};
    static const struct scard_reply_size reply_size = {sizeof reply_size, 1, 0, 0, {0}};
    static const struct scard_info info = {.size = sizeof info, .version = 1};
    static const struct flaw in_connect[] = {
        {"connect: size", 0, 79},
        {"connect: version", 4, 2},
        {"connect: share 0", AT_FIELD(scard_connect, share), 0},
        {"connect: share 4", AT_FIELD(scard_connect, share), 4},
        {"connect: no protocol", AT_FIELD(scard_connect, protocols), 0},
        {"connect: a protocol of nobody", AT_FIELD(scard_connect, protocols), 7 << 20},
        {"connect: reserved", AT_FIELD(scard_connect, reserved), 1},
        {"connect: reserved", AT_FIELD(scard_connect, reserved), UINT32_C(1) << 31},
        {"connect: flags", AT_FIELD(scard_connect, flags), 4},
    };
    static const struct flaw in_disconnect[] = {
        {"disconnect: size", 0, 25},
        {"disconnect: version", 4, 0},
        {"disconnect: disposition", AT_FIELD(scard_disconnect, disposition), 4},
        {"disconnect: reserved", AT_FIELD(scard_disconnect, reserved), 1},
        {"disconnect: flags", AT_FIELD(scard_disconnect, flags), 2},
    };
    static const struct flaw in_begin[] = {
        {"begin: size", 0, 0},
        {"begin: version", 4, UINT32_MAX},
        {"begin: reserved", AT_FIELD(scard_begin, reserved), 1},
    };
    static const struct flaw in_end[] = {
        {"end: size", 0, 16},
        {"end: version", 4, 2},
        {"end: disposition", AT_FIELD(scard_end, disposition), 4},
        {"end: disposition -1", AT_FIELD(scard_end, disposition), UINT32_MAX},
        {"end: reserved", AT_FIELD(scard_end, reserved), 1},
    };
    static const struct flaw in_reply_size[] = {
        {"reply_size: size", 0, 1},
        {"reply_size: version", 4, 2},
        {"reply_size: reserved", AT_FIELD(scard_reply_size, reserved), 1},
    };
    static const struct flaw in_info[] = {
        {"info: size", 0, 147},
        {"info: version", 4, 2},
        {"info: reserved", AT_FIELD(scard_info, reserved) + 4, 1},
    };

    (void)state;
    CHECK_FLAWS(SCARD_IOC_CONNECT, connect, in_connect);
    CHECK_FLAWS(SCARD_IOC_DISCONNECT, disconnect, in_disconnect);
    CHECK_FLAWS(SCARD_IOC_BEGIN, begin, in_begin);
    CHECK_FLAWS(SCARD_IOC_END, end, in_end);
    CHECK_FLAWS(SCARD_IOC_REPLY_SIZE, reply_size, in_reply_size);
    CHECK_FLAWS(SCARD_IOC_INFO, info, in_info);
    assert_string_equal(daemon_text(&scardfs, "reader0/owner"), "none");
    is("end, not mine", EPERM, call_end(control, SCARD_DISPOSITION_LEAVE));
    assert_card_has_counted(1);
}

static void test_who_may_only_read_may_not_touch(void **state)
{
    int fd = open_reader("control", O_RDONLY);

    (void)state;
    is("transmit", EBADF, call_transmit(fd, 0));
    is("reset", EBADF, call_select_protocol(fd));
    is("connect", EBADF, call_connect(fd));
    is("begin", EBADF, call_begin(fd, "x"));
    is("flock", EBADF, call_lock(fd));
    is("write", EBADF, call_write(fd, 0));
    close(fd);
    assert_card_has_counted(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MISUSE(test_unknown_ioctls_are_enotty),
        MISUSE(test_envelope_that_lies_is_einval_and_its_status_stays),
        MISUSE(test_session_calls_with_a_flaw_are_einval_and_do_nothing),
        MISUSE(test_who_may_only_read_may_not_touch),
    };

    if (!daemon_possible("misuse-ioctl"))
        return 77;
    return cmocka_run_group_tests(tests, misuse_begin, misuse_end);
}
