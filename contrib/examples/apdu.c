/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apdu.c - sends one command to the card in a reader and prints the answer.
 *
 *     cc -o apdu apdu.c        (after "meson install", or with -I for include/)
 *     ./apdu /run/scard/reader0/control 00A4040008F054455354424544
 *
 * It does by hand what every client of `control` does: ask for the state, reset the card
 * if it has no power, select a protocol, transmit. scard_ioctl(4) describes the calls.
 */
#include "scard_ioctl.h"
#include "winsmcrd.h"

#include <ctype.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define APDU_SIZE_MAX 1024 /* plenty for short APDUs */

/* An envelope with room for data. */
union envelope {
    struct scard_call call;
    uint8_t bytes[SCARD_CALL_HEADER_SIZE + sizeof(SCARD_IO_REQUEST) + APDU_SIZE_MAX];
};

/*
 * One control code; the input is taken from, and the output put into, the same data.
 * Returns the number of bytes returned, or ends the program.
 */
static uint32_t reader_call(int fd, union envelope *envelope, const char *what,
                            uint32_t code, const void *in, uint32_t in_len)
{
    struct scard_call *call = &envelope->call;

    memset(call, 0, sizeof(*call));
    call->size = sizeof(*envelope);
    call->version = SCARD_IOC_VERSION;
    call->code = code;
    call->in_len = in_len;
    call->out_len = sizeof(*envelope) - SCARD_CALL_HEADER_SIZE;
    call->timeout_ms = SCARD_TIMEOUT_INFINITE; /* wait for our turn */
    if (in_len != 0)
        memcpy(call->data, in, in_len);
    if (ioctl(fd, SCARD_IOC_CALL(sizeof(*envelope)), envelope) != 0)
        err(1, "%s (NTSTATUS %08x)", what, (unsigned)call->status);
    return call->out_len;
}

static uint32_t returned_number(const union envelope *envelope)
{
    uint32_t number;

    memcpy(&number, envelope->call.data, sizeof(number));
    return number;
}

/* Returns the number of bytes, or 0 for anything that is not hexadecimal. */
static uint32_t parse_hex(const char *text, uint8_t *bytes, size_t room)
{
    uint32_t count = 0;
    unsigned value;

    while (*text != '\0') {
        if (count == room || !isxdigit((unsigned char)text[0]) ||
            !isxdigit((unsigned char)text[1]) || sscanf(text, "%2x", &value) != 1)
            return 0;
        bytes[count++] = (uint8_t)value;
        text += 2;
    }
    return count;
}

int main(int argc, char **argv)
{
    const uint32_t cold_reset = SCARD_COLD_RESET;
    const uint32_t protocols = SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1;
    union envelope envelope;
    struct {
        SCARD_IO_REQUEST header;
        uint8_t apdu[APDU_SIZE_MAX];
    } command;
    uint32_t apdu_len;
    uint32_t answer_len;
    int fd;

    if (argc != 3)
        errx(2, "usage: apdu CONTROL HEX");
    apdu_len = parse_hex(argv[2], command.apdu, sizeof(command.apdu));
    if (apdu_len == 0)
        errx(2, "%s is not a command in hexadecimal", argv[2]);
    fd = open(argv[1], O_RDWR | O_CLOEXEC);
    if (fd < 0)
        err(1, "%s", argv[1]);

    reader_call(fd, &envelope, "state", IOCTL_SMARTCARD_GET_STATE, NULL, 0);
    if (returned_number(&envelope) < SCARD_NEGOTIABLE)
        reader_call(fd, &envelope, "reset", IOCTL_SMARTCARD_POWER, &cold_reset,
                    sizeof(cold_reset));
    reader_call(fd, &envelope, "protocol", IOCTL_SMARTCARD_SET_PROTOCOL, &protocols,
                sizeof(protocols));
    command.header.dwProtocol = returned_number(&envelope);
    command.header.cbPciLength = sizeof(command.header);

    answer_len = reader_call(fd, &envelope, "command", IOCTL_SMARTCARD_TRANSMIT, &command,
                             (uint32_t)sizeof(command.header) + apdu_len);
    for (uint32_t i = sizeof(SCARD_IO_REQUEST); i < answer_len; i++)
        printf("%02x", envelope.call.data[i]);
    printf("\n");
    close(fd);
    return 0;
}
