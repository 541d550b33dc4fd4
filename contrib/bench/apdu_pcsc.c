/* SPDX-License-Identifier: BSD-2-Clause */
/* apdu_pcsc.c - the benchmark's exchange through pcscd: one SCardTransmit an APDU.
 * usage: apdu-pcsc COUNT      (the first reader with a card) */
#include "bench.h"

#include <winscard.h>

#include <err.h>
#include <stdlib.h>

struct client {
    SCARDHANDLE card;
    DWORD protocol;
};

static void check(LONG result, const char *what)
{
    if (result != SCARD_S_SUCCESS)
        errx(1, "%s: %s", what, pcsc_stringify_error(result));
}

static void exchange(void *context)
{
    static const BYTE apdu[] = {BENCH_APDU};
    const struct client *client = context;
    const SCARD_IO_REQUEST *pci =
        client->protocol == SCARD_PROTOCOL_T1 ? SCARD_PCI_T1 : SCARD_PCI_T0;
    BYTE answer[64];
    DWORD answer_len = sizeof(answer);

    check(SCardTransmit(client->card, pci, apdu, sizeof(apdu), NULL, answer, &answer_len),
          "SCardTransmit");
    if (answer_len != BENCH_ANSWER_LEN)
        errx(1, "an answer of %lu bytes", (unsigned long)answer_len);
}

int main(int argc, char **argv)
{
    SCARDCONTEXT pcsc;
    struct client client;
    char readers[1024];
    DWORD readers_len = sizeof(readers);

    if (argc != 2)
        errx(2, "usage: apdu-pcsc COUNT");
    check(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &pcsc),
          "SCardEstablishContext");
    check(SCardListReaders(pcsc, NULL, readers, &readers_len), "SCardListReaders");
    check(SCardConnect(pcsc, readers, SCARD_SHARE_SHARED,
                       SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &client.card,
                       &client.protocol),
          "SCardConnect");
    bench_run(atol(argv[1]), exchange, &client);
    SCardDisconnect(client.card, SCARD_LEAVE_CARD);
    SCardReleaseContext(pcsc);
    return 0;
}
