/* SPDX-License-Identifier: BSD-2-Clause */
/* way_pcsc.c - the PC/SC library over the mount that SCARDFS_MOUNT names. */
#include "way.h"

#include <errno.h>
#include <string.h>

#include "contrib/pcsc/winscard.h"

#define NAMES_ROOM (32 * MAX_READERNAME)

static int error_of(LONG code)
{
    static const struct {
        LONG code;
        int error;
    } errors[] = {
        {SCARD_S_SUCCESS, 0},
        {SCARD_E_NO_SMARTCARD, ENOMEDIUM},
        {SCARD_W_REMOVED_CARD, ENOMEDIUM},
        {SCARD_E_READER_UNAVAILABLE, ENODEV},
        {SCARD_E_UNKNOWN_READER, ENODEV},
        {SCARD_E_NO_READERS_AVAILABLE, ENODEV},
        {SCARD_W_RESET_CARD, ECONNRESET},
        {SCARD_E_NOT_TRANSACTED, EIO},
        {SCARD_W_UNRESPONSIVE_CARD, ETIMEDOUT},
        {SCARD_E_TIMEOUT, ETIMEDOUT},
        {SCARD_W_UNPOWERED_CARD, EIO},
        {SCARD_W_UNSUPPORTED_CARD, EMEDIUMTYPE},
        {SCARD_E_PROTO_MISMATCH, EPROTO},
        {SCARD_F_COMM_ERROR, EIO},
    };

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].code == code)
            return errors[i].error;
    }
    return (int)(code & 0xFF) + 1000; /* none that is expected: told as it is */
}

/* The full name of the reader. */
static LONG find(SCARDCONTEXT context, const char *tag, char name[MAX_READERNAME])
{
    char names[NAMES_ROOM];
    DWORD len = sizeof names;
    LONG code = SCardListReaders(context, NULL, names, &len);

    if (code != SCARD_S_SUCCESS)
        return code;
    for (const char *n = names; *n != '\0'; n += strlen(n) + 1) {
        if (strstr(n, tag) != NULL && strlen(n) < MAX_READERNAME) {
            strcpy(name, n);
            return SCARD_S_SUCCESS;
        }
    }
    return SCARD_E_UNKNOWN_READER;
}

static int pcsc_open(struct access *a, int directory, const char *tag)
{
    char name[MAX_READERNAME];
    DWORD protocol;
    LONG code = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &a->context);

    (void)directory;
    if (code != SCARD_S_SUCCESS)
        return error_of(code);
    code = find(a->context, tag, name);
    if (code == SCARD_S_SUCCESS)
        code = SCardConnect(a->context, name, SCARD_SHARE_SHARED,
                            SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &a->card, &protocol);
    if (code != SCARD_S_SUCCESS) {
        (void)SCardReleaseContext(a->context);
        return error_of(code);
    }
    a->protocol = (uint32_t)protocol;
    return 0;
}

static int pcsc_exchange(struct access *a, const uint8_t *command, size_t len,
                         uint8_t *answer, size_t *answer_len)
{
    DWORD room = ANSWER_ROOM;
    LONG code = SCardTransmit(
        a->card, a->protocol == SCARD_PROTOCOL_T0 ? &g_rgSCardT0Pci : &g_rgSCardT1Pci,
        command, len, NULL, answer, &room);

    *answer_len = room;
    return error_of(code);
}

static int pcsc_begin(struct access *a)
{
    return error_of(SCardBeginTransaction(a->card));
}

static int pcsc_end(struct access *a, uint32_t disposition)
{
    return error_of(SCardEndTransaction(a->card, disposition));
}

static int reconnect(struct access *a, DWORD initialization)
{
    DWORD protocol;
    LONG code =
        SCardReconnect(a->card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
                       initialization, &protocol);

    if (code == SCARD_S_SUCCESS)
        a->protocol = (uint32_t)protocol;
    return error_of(code);
}

static int pcsc_again(struct access *a)
{
    return reconnect(a, SCARD_LEAVE_CARD);
}

static int pcsc_reset(struct access *a)
{
    return reconnect(a, SCARD_RESET_CARD);
}

static void pcsc_close(struct access *a)
{
    (void)SCardDisconnect(a->card, SCARD_LEAVE_CARD);
    (void)SCardReleaseContext(a->context);
}

const struct way way_pcsc = {
    .name = "pcsc",
    .open = pcsc_open,
    .exchange = pcsc_exchange,
    .begin = pcsc_begin,
    .end = pcsc_end,
    .again = pcsc_again,
    .reset = pcsc_reset,
    .close = pcsc_close,
};
