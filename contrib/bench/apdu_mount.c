/* SPDX-License-Identifier: BSD-2-Clause */
/* apdu_mount.c - the benchmark's exchange through the mount: one ioctl an APDU.
 * usage: apdu-mount CONTROL COUNT */
#include "bench.h"

#include "scard_ioctl.h"
#include "winsmcrd.h"

#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct client {
    int fd;
    uint32_t protocol;
    union {
        struct scard_call call;
        uint8_t bytes[SCARD_CALL_HEADER_SIZE + 64];
    } envelope;
};

static void reader_call(struct client *client, uint32_t code, const void *in,
                        uint32_t in_len)
{
    struct scard_call *call = &client->envelope.call;

    memset(call, 0, sizeof(*call));
    call->size = sizeof(client->envelope);
    call->version = SCARD_IOC_VERSION;
    call->code = code;
    call->in_len = in_len;
    call->out_len = sizeof(client->envelope) - SCARD_CALL_HEADER_SIZE;
    call->timeout_ms = SCARD_TIMEOUT_INFINITE;
    memcpy(call->data, in, in_len);
    if (ioctl(client->fd, SCARD_IOC_CALL(sizeof(client->envelope)), call) != 0)
        err(1, "control code %08x (NTSTATUS %08x)", code, (unsigned)call->status);
}

static void exchange(void *context)
{
    struct client *client = context;
    struct {
        SCARD_IO_REQUEST header;
        uint8_t apdu[BENCH_APDU_LEN];
    } command = {{client->protocol, sizeof(SCARD_IO_REQUEST)}, {BENCH_APDU}};

    reader_call(client, IOCTL_SMARTCARD_TRANSMIT, &command,
                sizeof(SCARD_IO_REQUEST) + BENCH_APDU_LEN);
    if (client->envelope.call.out_len != sizeof(SCARD_IO_REQUEST) + BENCH_ANSWER_LEN)
        errx(1, "an answer of %u bytes", client->envelope.call.out_len);
}

int main(int argc, char **argv)
{
    const uint32_t cold_reset = SCARD_COLD_RESET;
    const uint32_t protocols = SCARD_PROTOCOL_Tx;
    struct client client;

    if (argc != 3)
        errx(2, "usage: apdu-mount CONTROL COUNT");
    client.fd = open(argv[1], O_RDWR | O_CLOEXEC);
    if (client.fd < 0)
        err(1, "%s", argv[1]);
    reader_call(&client, IOCTL_SMARTCARD_POWER, &cold_reset, sizeof(cold_reset));
    reader_call(&client, IOCTL_SMARTCARD_SET_PROTOCOL, &protocols, sizeof(protocols));
    memcpy(&client.protocol, client.envelope.call.data, sizeof(client.protocol));
    bench_run(atol(argv[2]), exchange, &client);
    return 0;
}
