/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * secrets.c - 10,000 PINs by all ways to a card: a second later none of them is anywhere
 * in the daemon's memory, and none in its log, which has said all that it can say.
 *
 * The readers are virtual: what stands for their own memory and their cards' is in the
 * daemon, too, and is as clean.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "calls.h"
#include "daemon.h"
#include "memory.h"
#include "wdm.h"
#include "winsmcrd.h"

#define PINS         10000
#define PINPAD_EVERY 1000 /* a key takes 150 ms */
#define LATER_S      1
#define READERS_MS   10000

static struct daemon d;
static struct secrets *pins;
static char log_path[] = "/tmp/scardfs-secrets.XXXXXX";

/* Extended APDUs, TPDUs by T=0 and by T=1, and keys on a reader of its own. */
static const char *const options[] = {
    "--virtual", "--virtual=tpdu", "--virtual=tpdu-t1", "--virtual=pinpad", "-d5", NULL};
enum { EXTENDED, T0, T1, PINPAD, READERS };
static int control[READERS], text;

/* ---- ways to the card ------------------------------------------------------------ */

#define VERIFY_LEN (5 + SECRET_LEN)

static void make_verify(uint8_t apdu[VERIFY_LEN], unsigned number)
{
    static const uint8_t header[] = {0x00, 0x20, 0x00, 0x80, SECRET_LEN};

    memcpy(apdu, header, sizeof header);
    memcpy(apdu + sizeof header, secret(pins, number), SECRET_LEN);
}

/* 63 Cx, later 69 83: it has come to the card, which has compared it. */
static void expect_refusal(const uint8_t *sw, size_t len)
{
    assert_true(len >= 2);
    assert_true((sw[len - 2] == 0x63 && sw[len - 1] >> 4 == 0xC) ||
                (sw[len - 2] == 0x69 && sw[len - 1] == 0x83));
}

static void by_ioctl(int fd, uint32_t protocol, unsigned number)
{
    uint8_t in[8 + VERIFY_LEN], out[64];
    const uint32_t header[2] = {protocol, 8};
    size_t len = sizeof out;
    int32_t status = 0;

    memcpy(in, header, sizeof header);
    make_verify(in + sizeof header, number);
    assert_int_equal(daemon_call(fd, IOCTL_SMARTCARD_TRANSMIT, in, sizeof in, out, &len,
                                 SCARD_TIMEOUT_INFINITE, &status),
                     0);
    expect_refusal(out, len);
}

static void by_write(int fd, unsigned number)
{
    uint8_t in[VERIFY_LEN], out[64];
    ssize_t len;

    make_verify(in, number);
    assert_int_equal(write(fd, in, sizeof in), sizeof in);
    len = read(fd, out, sizeof out);
    assert_true(len > 0);
    expect_refusal(out, (size_t)len);
}

static void by_line(unsigned number)
{
    uint8_t in[VERIFY_LEN];
    char line[2 * VERIFY_LEN + 2], out[64] = "";
    unsigned sw;

    make_verify(in, number);
    for (unsigned i = 0; i < VERIFY_LEN; i++)
        sprintf(line + 2 * i, number % 2 == 0 ? "%02x" : "%02X", in[i]);
    strcat(line, "\n");
    assert_int_equal(write(text, line, strlen(line)), strlen(line));
    assert_int_equal(read(text, out, sizeof out - 1), 5);
    sw = (unsigned)strtoul(out, NULL, 16);
    expect_refusal((const uint8_t[]){(uint8_t)(sw >> 8), (uint8_t)sw}, 2);
}

/* CHANGE REFERENCE DATA: a wrong one of six digits, and the new one. */
static void by_change(int fd, unsigned number)
{
    uint8_t in[11 + SECRET_LEN] = {0x00, 0x24, 0x00, 0x80, 6 + SECRET_LEN, '0', '0',
                                   '0',  '0',  '0',  '0'};
    uint8_t out[64];
    ssize_t len;

    memcpy(in + 11, secret(pins, number), SECRET_LEN);
    assert_int_equal(write(fd, in, sizeof in), sizeof in);
    len = read(fd, out, sizeof out);
    assert_true(len > 0);
    expect_refusal(out, (size_t)len);
}

/* Where the answer to it does not fit, and in a command that is refused. */
static void by_refused_calls(int fd, unsigned number)
{
    uint8_t in[8 + VERIFY_LEN], out[64];
    size_t len = 4;
    int32_t status = 0;
    const uint32_t header[2] = {SCARD_PROTOCOL_T1, 8}, wrong[2] = {SCARD_PROTOCOL_T1, 7};

    memcpy(in, header, sizeof header);
    make_verify(in + sizeof header, number);
    assert_int_not_equal(daemon_call(fd, IOCTL_SMARTCARD_TRANSMIT, in, sizeof in, out,
                                     &len, SCARD_TIMEOUT_INFINITE, &status),
                         0);
    memcpy(in, wrong, sizeof wrong);
    len = sizeof out;
    assert_int_not_equal(daemon_call(fd, IOCTL_SMARTCARD_TRANSMIT, in, sizeof in, out,
                                     &len, SCARD_TIMEOUT_INFINITE, &status),
                         0);
    assert_int_equal(daemon_call(fd, IOCTL_SMARTCARD_TRANSMIT + 4, in, sizeof in, out,
                                 &len, 0, &status) == 0,
                     0);
}

/* An answer that holds it, and is never read. */
static void by_echo(unsigned number)
{
    uint8_t in[5 + SECRET_LEN] = {0x80, 0xE0, 0, 0, SECRET_LEN};
    struct pollfd ready = {.events = POLLIN};
    int fd = open(daemon_path(&d, "reader0/control"), O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    memcpy(in + 5, secret(pins, number), SECRET_LEN);
    assert_int_equal(write(fd, in, sizeof in), sizeof in);
    ready.fd = fd;
    assert_int_equal(poll(&ready, 1, -1), 1); /* the end of a running one is a reset */
    close(fd);
}

/* In the command that a PIN which is typed belongs into: a part of it that is not. */
static void by_pinpad(unsigned number)
{
    /* one to eight digits in ASCII, put before what the command has */
    static const uint8_t head[] = {0x1e, 0, 0x82, 0, 0, 8,          1, 2, 0, 9,
                                   4,    0, 0,    0, 0, VERIFY_LEN, 0, 0, 0};
    uint8_t in[sizeof head + VERIFY_LEN], out[64];
    size_t len = sizeof out;
    int32_t status = 0;

    assert_int_equal(daemon_command(&d, "type reader3 1\n"), 0);
    memcpy(in, head, sizeof head);
    make_verify(in + sizeof head, number);
    assert_int_equal(daemon_call(control[PINPAD], SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT, in,
                                 sizeof in, out, &len, SCARD_TIMEOUT_INFINITE, &status),
                     0);
    expect_refusal(out, len);
}

static void send_one(unsigned number)
{
    if (number % PINPAD_EVERY == 0) {
        by_pinpad(number);
        return;
    }
    switch (number % 9) {
    case 0:
        by_ioctl(control[EXTENDED], SCARD_PROTOCOL_T1, number);
        break;
    case 1:
        by_ioctl(control[T0], SCARD_PROTOCOL_T0, number);
        break;
    case 2:
        by_ioctl(control[T1], SCARD_PROTOCOL_T1, number);
        break;
    case 3:
        by_write(control[EXTENDED], number);
        break;
    case 4:
        by_write(control[T0], number);
        break;
    case 5:
        by_line(number);
        break;
    case 6:
        by_change(control[T1], number);
        break;
    case 7:
        by_refused_calls(control[EXTENDED], number);
        break;
    default:
        by_echo(number);
        break;
    }
}

/* ---- a start and an end ---------------------------------------------------------- */

/* The daemon is up with the first reader; the others come a moment later. */
static int open_when_there(const char *name)
{
    const int64_t limit = now_ms() + READERS_MS;
    int fd;

    while ((fd = open(daemon_path(&d, name), O_RDWR | O_CLOEXEC)) < 0) {
        assert_int_equal(errno, ENOENT);
        assert_true(now_ms() < limit);
        sched_yield();
    }
    return fd;
}

/* What the daemon says goes to a file: it has this test's stderr. */
static void start(void)
{
    const int own = dup(STDERR_FILENO), file = mkstemp(log_path);
    char name[32];

    assert_true(own >= 0 && file >= 0);
    unsetenv("MALLOC_PERTURB_"); /* which would wipe for it */
    dup2(file, STDERR_FILENO);
    daemon_start(&d, options);
    dup2(own, STDERR_FILENO);
    close(own);
    close(file);
    for (int i = 0; i < READERS; i++) {
        snprintf(name, sizeof name, "reader%d/control", i);
        control[i] = open_when_there(name);
        assert_int_equal(call_select_protocol(control[i]), 0);
    }
    text = open(daemon_path(&d, "reader0/transmit"), O_RDWR | O_CLOEXEC);
    assert_true(text >= 0);
}

static void later(void)
{
    const struct timespec time = {.tv_sec = LATER_S};

    nanosleep(&time, NULL); /* what is promised is promised for then */
}

static void expect_nothing(const struct found *found, const char *where)
{
    for (unsigned i = 0; i < found->count && i < PLACES_MAX; i++)
        print_error("%s: %llx %s: number %d, way %d%s\n", where,
                    (unsigned long long)found->places[i].at, found->places[i].map,
                    found->places[i].number, found->places[i].number % 9,
                    found->places[i].in_hex ? ", in hexadecimal" : "");
    assert_int_equal(found->count, 0);
    print_message("%s: %llu bytes, none of %u PINs\n", where,
                  (unsigned long long)found->bytes, PINS);
}

/* A sanitizer keeps what was freed, and terabytes to look through. */
static bool memory_can_be_read(void)
{
    const char *sanitize = getenv("SANITIZE");

    return geteuid() == 0 && (sanitize == NULL || strcmp(sanitize, "none") == 0);
}

/* ---- cases ----------------------------------------------------------------------- */

/* The search itself: what is there it finds. */
static void test_what_is_there_is_found(void **state)
{
    struct found found = {0};
    uint8_t here[2 * SECRET_LEN + 3] = {0};

    (void)state;
    memcpy(here + 3, secret(pins, 17), SECRET_LEN);
    secrets_look(pins, here, sizeof here, 0, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.places[0].number, 17);
    assert_int_equal(found.places[0].at, 3);
    for (unsigned i = 0; i < SECRET_LEN; i++)
        snprintf((char *)here + 1 + 2 * i, 3, "%02x", secret(pins, 18)[i]);
    found = (struct found){0};
    secrets_look(pins, here, sizeof here, 0, &found);
    assert_int_equal(found.count, 1);
    assert_true(found.places[0].in_hex);
    if (!memory_can_be_read())
        return;
    found = (struct found){0};
    assert_true(secrets_look_in_process(pins, getpid(), &found));
    assert_true(found.count >= PINS);
}

static void test_pins_leave_nothing_behind(void **state)
{
    struct found memory = {0}, log = {0};

    (void)state;
    start();
    for (unsigned i = 0; i < PINS; i++)
        send_one(i);
    later();
    if (memory_can_be_read()) {
        assert_true(secrets_look_in_process(pins, d.pid, &memory));
        expect_nothing(&memory, "memory");
    } else {
        print_message("SKIP memory: not root, or with a sanitizer\n");
    }
    assert_int_equal(daemon_stop(&d), 0);
    assert_true(secrets_look_in_file(pins, log_path, &log));
    expect_nothing(&log, "log");
    unlink(log_path);
}

static int setup(void **state)
{
    (void)state;
    pins = secrets_new(PINS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    secrets_free(pins);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_there_is_found),
        cmocka_unit_test(test_pins_leave_nothing_behind),
    };

    if (!daemon_possible("secrets"))
        return 77;
    return cmocka_run_group_tests(tests, setup, teardown);
}
