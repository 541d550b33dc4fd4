/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scardcall [-r] [-t MS] CONTROL CODE [INPUT [ROOM]] - sends one Windows control code to
 * a `control` file. CODE is a name or a number, INPUT hexadecimal ("" for none), ROOM the
 * bytes of output that fit (4096 unless told).
 *
 * Prints the NTSTATUS and, on success, the output in hex: "00000000 0600". On failure the
 * NTSTATUS, "-" when the request was refused before it reached the driver library, and
 * the errno: "c0000178 ENOMEDIUM". -r opens for reading only. Status 0, 1, or 2: usage.
 */
#include "scard_ioctl.h"
#include "winsmcrd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_DEFAULT   4096
#define STATUS_NOT_SET 0x7fffffff

static const struct {
    const char *name;
    uint32_t code;
} codes[] = {
    {"power", IOCTL_SMARTCARD_POWER},
    {"get_attribute", IOCTL_SMARTCARD_GET_ATTRIBUTE},
    {"set_attribute", IOCTL_SMARTCARD_SET_ATTRIBUTE},
    {"confiscate", IOCTL_SMARTCARD_CONFISCATE},
    {"transmit", IOCTL_SMARTCARD_TRANSMIT},
    {"eject", IOCTL_SMARTCARD_EJECT},
    {"swallow", IOCTL_SMARTCARD_SWALLOW},
    {"is_present", IOCTL_SMARTCARD_IS_PRESENT},
    {"is_absent", IOCTL_SMARTCARD_IS_ABSENT},
    {"set_protocol", IOCTL_SMARTCARD_SET_PROTOCOL},
    {"get_state", IOCTL_SMARTCARD_GET_STATE},
    {"get_last_error", IOCTL_SMARTCARD_GET_LAST_ERROR},
};

static uint32_t code_of(const char *s)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (!strcmp(s, codes[i].name))
            return codes[i].code;
    return (uint32_t)strtoul(s, NULL, 0);
}

/* Returns the number of bytes, -1 for what is not hexadecimal or too long. */
static long unhex(const char *s, uint8_t *out, size_t room)
{
    size_t len = strlen(s);

    if (len % 2 || len / 2 > room || s[strspn(s, "0123456789abcdefABCDEF")])
        return -1;
    for (size_t i = 0; i < len / 2; i++) {
        const char pair[3] = {s[2 * i], s[2 * i + 1], 0};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return (long)(len / 2);
}

static int usage(void)
{
    fprintf(stderr, "usage: scardcall [-r] [-t MS] CONTROL CODE [INPUT [ROOM]]\n");
    return 2;
}

static int call(int fd, struct scard_call *c)
{
    if (ioctl(fd, SCARD_IOC_CALL(c->size), c) == 0) {
        printf("%08x ", (uint32_t)c->status);
        for (uint32_t i = 0; i < c->out_len; i++)
            printf("%02x", c->data[i]);
        putchar('\n');
        return 0;
    }
    if (c->status == STATUS_NOT_SET)
        printf("- %s\n", strerrorname_np(errno));
    else
        printf("%08x %s\n", (uint32_t)c->status, strerrorname_np(errno));
    return 1;
}

int main(int argc, char **argv)
{
    static union {
        struct scard_call call;
        uint8_t bytes[SCARD_CALL_SIZE_MAX];
    } u;
    struct scard_call *c = &u.call;
    int flags = O_RDWR, fd, option;
    long in_len = 0;

    c->timeout_ms = SCARD_TIMEOUT_INFINITE;
    while ((option = getopt(argc, argv, "rt:")) != -1) {
        if (option == 'r')
            flags = O_RDONLY;
        else if (option == 't')
            c->timeout_ms = (uint32_t)strtoul(optarg, NULL, 0);
        else
            return usage();
    }
    argc -= optind;
    argv += optind;
    if (argc < 2 || argc > 4)
        return usage();
    if (argc > 2)
        in_len = unhex(argv[2], c->data, SCARD_CALL_DATA_MAX);
    c->out_len = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : ROOM_DEFAULT;
    if (in_len < 0 || c->out_len > SCARD_CALL_DATA_MAX)
        return usage();
    c->in_len = (uint32_t)in_len;
    c->size = SCARD_CALL_HEADER_SIZE + (c->in_len > c->out_len ? c->in_len : c->out_len);
    c->version = SCARD_IOC_VERSION;
    c->code = code_of(argv[1]);
    c->status = STATUS_NOT_SET;

    fd = open(argv[0], flags | O_CLOEXEC);
    if (fd < 0) {
        printf("- %s\n", strerrorname_np(errno));
        return 1;
    }
    return call(fd, c);
}
