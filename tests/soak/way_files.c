/* SPDX-License-Identifier: BSD-2-Clause */
/* way_files.c - `control` by ioctl, `control` by write and read, `transmit` by a line. */
#include "way.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "calls.h"
#include "daemon.h"
#include "wdm.h"
#include "winsmcrd.h"

#define REQUEST_LEN 8 /* SCARD_IO_REQUEST of the ioctl: protocol and length */

static int open_file(struct access *a, int directory, const char *file)
{
    a->fd = openat(directory, file, O_RDWR | O_CLOEXEC);
    return a->fd < 0 ? errno : 0;
}

static void close_file(struct access *a)
{
    close(a->fd);
}

/* ---- ioctl --------------------------------------------------------------------------
 */

static int ioctl_connect(struct access *a)
{
    struct scard_connect connect = {.size = sizeof connect,
                                    .version = SCARD_IOC_VERSION,
                                    .share = SCARD_SHARE_MODE_SHARED,
                                    .protocols = SCARD_PROTOCOL_Tx,
                                    .timeout_ms = SCARD_TIMEOUT_INFINITE,
                                    .flags = SCARD_CONNECT_TELL_RESETS};

    if (ioctl(a->fd, SCARD_IOC_CONNECT, &connect) != 0)
        return errno;
    a->protocol = connect.protocol;
    return 0;
}

static int ioctl_open(struct access *a, int directory, const char *tag)
{
    int error = open_file(a, directory, "control");

    (void)tag;
    if (error != 0)
        return error;
    error = ioctl_connect(a);
    if (error != 0)
        close_file(a);
    return error;
}

static int ioctl_exchange(struct access *a, const uint8_t *command, size_t len,
                          uint8_t *answer, size_t *answer_len)
{
    uint8_t in[REQUEST_LEN + ANSWER_ROOM] = {0}, out[REQUEST_LEN + ANSWER_ROOM];
    size_t out_len = sizeof out;
    NTSTATUS status = STATUS_SUCCESS;
    int error;

    in[0] = (uint8_t)a->protocol;
    in[4] = REQUEST_LEN;
    memcpy(in + REQUEST_LEN, command, len);
    error = daemon_call(a->fd, IOCTL_SMARTCARD_TRANSMIT, in, REQUEST_LEN + len, out,
                        &out_len, SCARD_TIMEOUT_INFINITE, &status);
    if (error != 0)
        return error;
    if (out_len < REQUEST_LEN)
        return EBADMSG;
    *answer_len = out_len - REQUEST_LEN;
    memcpy(answer, out + REQUEST_LEN, *answer_len);
    return 0;
}

static int ioctl_begin(struct access *a)
{
    return call_begin(a->fd, "soak");
}

static int ioctl_end(struct access *a, uint32_t disposition)
{
    return call_end(a->fd, disposition);
}

static int power(struct access *a)
{
    const uint32_t cold = SCARD_COLD_RESET;

    return call_device(a->fd, IOCTL_SMARTCARD_POWER, &cold, sizeof cold, 33);
}

static int ioctl_reset(struct access *a)
{
    int error = power(a);

    return error != 0 ? error : ioctl_connect(a);
}

const struct way way_ioctl = {
    .name = "ioctl",
    .open = ioctl_open,
    .exchange = ioctl_exchange,
    .begin = ioctl_begin,
    .end = ioctl_end,
    .again = ioctl_connect,
    .reset = ioctl_reset,
    .close = close_file,
};

/* ---- write and read -----------------------------------------------------------------
 */

static int write_open(struct access *a, int directory, const char *tag)
{
    (void)tag;
    return open_file(a, directory, "control");
}

static int write_exchange(struct access *a, const uint8_t *command, size_t len,
                          uint8_t *answer, size_t *answer_len)
{
    struct pollfd p = {.fd = a->fd, .events = POLLIN};
    ssize_t n;

    if (write(a->fd, command, len) < 0)
        return errno;
    if (len % 2 == 0 && poll(&p, 1, -1) < 0)
        return errno;
    n = read(a->fd, answer, ANSWER_ROOM);
    *answer_len = n < 0 ? 0 : (size_t)n;
    return n < 0 ? errno : 0;
}

const struct way way_write = {
    .name = "write",
    .follows = true,
    .open = write_open,
    .exchange = write_exchange,
    .begin = ioctl_begin,
    .end = ioctl_end,
    .reset = power,
    .close = close_file,
};

/* ---- text ---------------------------------------------------------------------------
 */

static int text_open(struct access *a, int directory, const char *tag)
{
    (void)tag;
    return open_file(a, directory, "transmit");
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int text_exchange(struct access *a, const uint8_t *command, size_t len,
                         uint8_t *answer, size_t *answer_len)
{
    char line[2 * ANSWER_ROOM + 2];
    size_t at = 0;
    ssize_t n;

    for (size_t i = 0; i < len; i++)
        at += (size_t)snprintf(line + at, sizeof line - at, "%02X", command[i]);
    line[at++] = '\n';
    if (write(a->fd, line, at) < 0)
        return errno;
    n = read(a->fd, line, sizeof line);
    if (n < 0)
        return errno;
    if (n == 0 || line[n - 1] != '\n' || n % 2 == 0)
        return EBADMSG;
    *answer_len = (size_t)n / 2;
    for (size_t i = 0; i < *answer_len; i++) {
        const int high = digit(line[2 * i]), low = digit(line[2 * i + 1]);

        if (high < 0 || low < 0)
            return EBADMSG;
        answer[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static int text_begin(struct access *a)
{
    return call_lock(a->fd);
}

static int text_end(struct access *a, uint32_t disposition)
{
    (void)disposition; /* an unlocked card stays as it is */
    return flock(a->fd, LOCK_UN) != 0 ? errno : 0;
}

const struct way way_text = {
    .name = "text",
    .follows = true,
    .open = text_open,
    .exchange = text_exchange,
    .begin = text_begin,
    .end = text_end,
    .close = close_file,
};
