/* SPDX-License-Identifier: BSD-2-Clause */
/* secrets_ways.c - see secrets_ways.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "secrets_ways.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wdm.h"
#include "winsmcrd.h"

struct daemon scardfs;
struct secrets *pins;
int control[READERS], text;

const char *const secrets_options[] = {
    "--virtual", "--virtual=tpdu", "--virtual=tpdu-t1", "--virtual=pinpad", "-d", NULL};

/* What was long once leaves its end where the next ones do not reach: the PIN stands at
 * the end of commands of four lengths. */
#define FILL_STEP  60
#define VERIFY_MAX (5 + 3 * FILL_STEP + SECRET_LEN)

static size_t make_command(uint8_t *apdu, uint8_t cla, uint8_t ins, uint8_t p2,
                           unsigned number)
{
    const uint8_t fill = (uint8_t)(number % 4 * FILL_STEP);
    const uint8_t header[] = {cla, ins, 0x00, p2, (uint8_t)(fill + SECRET_LEN)};

    memcpy(apdu, header, sizeof header);
    memset(apdu + sizeof header, 'f', fill);
    memcpy(apdu + sizeof header + fill, secret(pins, number), SECRET_LEN);
    return sizeof header + fill + SECRET_LEN;
}

static size_t make_verify(uint8_t apdu[VERIFY_MAX], unsigned number)
{
    return make_command(apdu, 0x00, 0x20, 0x80, number);
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
    uint8_t in[8 + VERIFY_MAX], out[64];
    const uint32_t header[2] = {protocol, 8};
    size_t len = sizeof out, in_len = sizeof header;
    int32_t status = 0;

    memcpy(in, header, sizeof header);
    in_len += make_verify(in + sizeof header, number);
    assert_int_equal(daemon_call(fd, IOCTL_SMARTCARD_TRANSMIT, in, in_len, out, &len,
                                 SCARD_TIMEOUT_INFINITE, &status),
                     0);
    expect_refusal(out, len);
}

static void by_write(int fd, unsigned number)
{
    uint8_t in[VERIFY_MAX], out[64];
    const size_t in_len = make_verify(in, number);
    ssize_t len;

    assert_int_equal(write(fd, in, in_len), in_len);
    len = read(fd, out, sizeof out);
    assert_true(len > 0);
    expect_refusal(out, (size_t)len);
}

static void by_line(unsigned number)
{
    uint8_t in[VERIFY_MAX];
    const size_t in_len = make_verify(in, number);
    char line[2 * VERIFY_MAX + 2], out[64] = "";
    unsigned sw;

    for (size_t i = 0; i < in_len; i++)
        sprintf(line + 2 * i, number % 2 == 0 ? "%02x" : "%02X", in[i]);
    strcat(line, "\n");
    assert_int_equal(write(text, line, strlen(line)), strlen(line));
    assert_int_equal(read(text, out, sizeof out - 1), 5);
    sw = (unsigned)strtoul(out, NULL, 16);
    expect_refusal((const uint8_t[]){(uint8_t)(sw >> 8), (uint8_t)sw}, 2);
}

/* CHANGE REFERENCE DATA: a wrong one of six digits, and the new one. */
static void by_change(unsigned number)
{
    const int fd = control[T1];
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
static void by_refused_calls(unsigned number)
{
    const int fd = control[EXTENDED];
    uint8_t in[8 + VERIFY_MAX], out[64];
    size_t len = 4, in_len;
    int32_t status = 0;
    const uint32_t header[2] = {SCARD_PROTOCOL_T1, 8}, wrong[2] = {SCARD_PROTOCOL_T1, 7};

    memcpy(in, header, sizeof header);
    in_len = sizeof header + make_verify(in + sizeof header, number);
    assert_int_not_equal(daemon_call(fd, IOCTL_SMARTCARD_TRANSMIT, in, in_len, out, &len,
                                     SCARD_TIMEOUT_INFINITE, &status),
                         0);
    memcpy(in, wrong, sizeof wrong);
    len = sizeof out;
    assert_int_not_equal(daemon_call(fd, IOCTL_SMARTCARD_TRANSMIT, in, in_len, out, &len,
                                     SCARD_TIMEOUT_INFINITE, &status),
                         0);
    assert_int_equal(daemon_call(fd, IOCTL_SMARTCARD_TRANSMIT + 4, in, in_len, out, &len,
                                 0, &status) == 0,
                     0);
}

/* An answer that holds it, and is never read. */
static void by_echo(unsigned number)
{
    uint8_t in[VERIFY_MAX];
    const size_t in_len = make_command(in, 0x80, 0xE0, 0, number);
    struct pollfd ready = {.events = POLLIN};
    int fd = open(daemon_path(&scardfs, "reader0/control"), O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, in, in_len), in_len);
    ready.fd = fd;
    assert_int_equal(poll(&ready, 1, -1), 1); /* the end of a running one is a reset */
    close(fd);
}

/* In the command that a PIN which is typed belongs into: a part of it that is not. */
static void by_pinpad(unsigned number)
{
    /* one to eight digits in ASCII, put before what the command has */
    static const uint8_t head[] = {0x1e, 0, 0x82, 0, 0, 8, 1, 2, 0, 9, 4, 0, 0, 0, 0};
    uint8_t in[sizeof head + 4 + VERIFY_MAX], out[64];
    const uint32_t data_len = (uint32_t)make_verify(in + sizeof head + 4, number);
    size_t len = sizeof out;
    int32_t status = 0;

    assert_int_equal(daemon_command(&scardfs, "type reader3 1\n"), 0);
    memcpy(in, head, sizeof head);
    memcpy(in + sizeof head, &data_len, sizeof data_len);
    assert_int_equal(daemon_call(control[PINPAD], SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT, in,
                                 sizeof head + 4 + data_len, out, &len,
                                 SCARD_TIMEOUT_INFINITE, &status),
                     0);
    expect_refusal(out, len);
}

static void by_ioctl_extended(unsigned number)
{
    by_ioctl(control[EXTENDED], SCARD_PROTOCOL_T1, number);
}

static void by_ioctl_t0(unsigned number)
{
    by_ioctl(control[T0], SCARD_PROTOCOL_T0, number);
}

static void by_ioctl_t1(unsigned number)
{
    by_ioctl(control[T1], SCARD_PROTOCOL_T1, number);
}

static void by_write_extended(unsigned number)
{
    by_write(control[EXTENDED], number);
}

static void by_write_t0(unsigned number)
{
    by_write(control[T0], number);
}

const struct way secrets_ways[SECRETS_WAYS] = {
    {"ioctl, extended", by_ioctl_extended, 1110},
    {"ioctl, T=0", by_ioctl_t0, 1110},
    {"ioctl, T=1", by_ioctl_t1, 1110},
    {"write, extended", by_write_extended, 1110},
    {"write, T=0", by_write_t0, 1110},
    {"a line of digits", by_line, 1110},
    {"change, T=1", by_change, 1110},
    {"refused calls", by_refused_calls, 1110},
    {"an answer", by_echo, 1110},
    {"PIN pad", by_pinpad, 10}, /* a key takes 150 ms */
};
