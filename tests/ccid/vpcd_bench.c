/* SPDX-License-Identifier: BSD-2-Clause */
/* vpcd_bench.c - see vpcd_bench.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "vpcd_bench.h"

#define PATIENCE_MS 20000 /* only a bug takes so long */

static const uint8_t atr[] = {0x3B, 0x88, 0x80, 0x01, 0x54, 0x45, 0x53,
                              0x54, 0x42, 0x45, 0x44, 0x01, 0x5D};
static const uint8_t power_on[] = {0x62, 0, 0, 0, 0, 0, 1, 0, 0, 0};

struct vpcd_bench vpcd_bench;

int vpcd_setup(void **state)
{
    (void)state;
    strcpy(vpcd_bench.dir, "/tmp/test-vpcd-XXXXXX");
    if (mkdtemp(vpcd_bench.dir) == NULL)
        return -1;
    snprintf(vpcd_bench.address, sizeof vpcd_bench.address, "unix:%s/card",
             vpcd_bench.dir);
    vpcd_bench.path = vpcd_bench.address + strlen("unix:");
    vpcd_bench.reader =
        ccid_virtual_reader_new(ccid_clock_real(), ccid_virtual_shape("vpcd"));
    vpcd_bench.port = ccid_virtual_reader_port(vpcd_bench.reader);
    return ccid_vpcd_start(vpcd_bench.address, vpcd_bench.reader, &vpcd_bench.vpcd) ==
                   STATUS_SUCCESS
               ? 0
               : -1;
}

int vpcd_teardown(void **state)
{
    (void)state;
    ccid_vpcd_stop(vpcd_bench.vpcd);
    ccid_virtual_reader_free(vpcd_bench.reader);
    return rmdir(vpcd_bench.dir); /* the socket has gone */
}

/* ---- the program ----------------------------------------------------------------- */

int vpcd_dial(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(name.sun_path, vpcd_bench.path);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

void vpcd_say(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

void vpcd_answer(int fd, const uint8_t *bytes, size_t len)
{
    const uint8_t header[] = {(uint8_t)(len >> 8), (uint8_t)len};

    vpcd_say(fd, header, sizeof header);
    vpcd_say(fd, bytes, len);
}

void vpcd_expect(int fd, const char *bytes, size_t len)
{
    uint8_t got[64];

    assert_true(len <= sizeof got);
    assert_int_equal(recv(fd, got, len, MSG_WAITALL), len);
    assert_memory_equal(got, bytes, len);
}

void vpcd_expect_end(int fd)
{
    uint8_t byte;
    ssize_t got;

    do
        got = recv(fd, &byte, 1, 0);
    while (got > 0);
    assert_true(got == 0 || errno == ECONNRESET);
    close(fd);
}

/* ---- the bus --------------------------------------------------------------------- */

void vpcd_out(const uint8_t *message, size_t len)
{
    assert_int_equal(
        vpcd_bench.port.ops->bulk_out(vpcd_bench.port.usb, message, len, PATIENCE_MS),
        CCID_USB_OK);
}

enum ccid_usb_result vpcd_control_abort(uint8_t slot, uint8_t seq)
{
    size_t done;

    return vpcd_bench.port.ops->control(vpcd_bench.port.usb, 0x21, 0x01,
                                        (uint16_t)(seq << 8 | slot), 0, NULL, 0, &done,
                                        1000);
}

uint8_t vpcd_next_error(void)
{
    do
        assert_int_equal(vpcd_bench.port.ops->bulk_in(vpcd_bench.port.usb, vpcd_bench.in,
                                                      sizeof vpcd_bench.in,
                                                      &vpcd_bench.in_len, PATIENCE_MS),
                         CCID_USB_OK);
    while ((vpcd_bench.in[7] & 0xC0) == 0x80); /* time */
    return vpcd_bench.in[8];
}

/* A card that has just connected is in after a moment, one before it out. */
void vpcd_power_up(int fd)
{
    static const uint8_t status[] = {0x65, 0, 0, 0, 0, 0, 0, 0, 0, 0};

    do {
        vpcd_out(status, sizeof status);
        (void)vpcd_next_error();
    } while ((vpcd_bench.in[7] & 3) != 1); /* there, and without power as yet */
    vpcd_out(power_on, sizeof power_on);
    vpcd_expect(fd, "\0\1\1\0\1\4", 6);
    vpcd_answer(fd, atr, sizeof atr);
    assert_int_equal(vpcd_next_error(), 0);
    assert_int_equal(vpcd_bench.in_len, 10 + sizeof atr);
    assert_memory_equal(vpcd_bench.in + 10, atr, sizeof atr);
}
