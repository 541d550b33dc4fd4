/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.c - see calls.h. */
#include "calls.h"

#include "daemon.h"
#include "wdm.h"
#include "winsmcrd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define CALL_LIMIT_MS 10000

int call_device(int fd, uint32_t code, const void *in, size_t in_len, size_t room)
{
    uint8_t out[64];
    NTSTATUS status = STATUS_SUCCESS;

    return daemon_call(fd, code, in, in_len, out, &room, SCARD_TIMEOUT_INFINITE, &status);
}

int call_select_protocol(int fd)
{
    const uint32_t reset = SCARD_COLD_RESET, protocols = SCARD_PROTOCOL_Tx;
    int error = call_device(fd, IOCTL_SMARTCARD_POWER, &reset, sizeof reset, 33);

    return error != 0 ? error
                      : call_device(fd, IOCTL_SMARTCARD_SET_PROTOCOL, &protocols,
                                    sizeof protocols, sizeof protocols);
}

int call_transmit(int fd, unsigned delay_ms)
{
    /* SCARD_IO_REQUEST of T=1, then the command */
    const uint8_t command[] = {
        2, 0, 0, 0, 8, 0, 0, 0, 0x80, 0xe4, (uint8_t)(delay_ms >> 8), (uint8_t)delay_ms};

    return call_device(fd, IOCTL_SMARTCARD_TRANSMIT, command, sizeof command, 64);
}

int call_read(int fd)
{
    char text[512];

    return read(fd, text, sizeof text) < 0 ? errno : 0;
}

int call_write(int fd, unsigned delay_ms)
{
    const uint8_t command[] = {0x80, 0xe4, (uint8_t)(delay_ms >> 8), (uint8_t)delay_ms};

    return write(fd, command, sizeof command) < 0 ? errno : 0;
}

int call_write_and_wait(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int error = call_write(fd, 0);

    return error != 0 || poll(&p, 1, CALL_LIMIT_MS) == 1 ? error : ETIMEDOUT;
}

int call_connect(int fd)
{
    struct scard_connect connect = {.size = sizeof connect,
                                    .version = SCARD_IOC_VERSION,
                                    .share = SCARD_SHARE_MODE_SHARED,
                                    .protocols = SCARD_PROTOCOL_Tx,
                                    .timeout_ms = SCARD_TIMEOUT_INFINITE};

    return ioctl(fd, SCARD_IOC_CONNECT, &connect) != 0 ? errno : 0;
}

int call_begin(int fd, const char *label)
{
    struct scard_begin begin = {
        .size = sizeof begin,
        .version = SCARD_IOC_VERSION,
        .timeout_ms = SCARD_TIMEOUT_INFINITE,
    };

    snprintf(begin.label, sizeof begin.label, "%s", label);

    return ioctl(fd, SCARD_IOC_BEGIN, &begin) != 0 ? errno : 0;
}

int call_lock(int fd)
{
    return flock(fd, LOCK_EX) != 0 ? errno : 0;
}

int call_end(int fd, uint32_t disposition)
{
    struct scard_end end = {
        .size = sizeof end, .version = SCARD_IOC_VERSION, .disposition = disposition};

    return ioctl(fd, SCARD_IOC_END, &end) != 0 ? errno : 0;
}
