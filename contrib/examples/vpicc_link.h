/* SPDX-License-Identifier: BSD-2-Clause */
/* vpicc_link.h - the hardware of the example reader: a socket that cards connect to. */
#ifndef VPICC_LINK_H
#define VPICC_LINK_H

#include <sys/un.h>

#include "smclib.h"

#define VPICC_HEADER_LENGTH 2 /* length of what follows, high byte first */
#define VPICC_MESSAGE_MAX   0xFFFF

typedef struct _VPICC_LINK {
    int Listener;
    int Connection;                    /* -1: no card */
    int StopEvent;                     /* eventfd: VpiccLinkWatch ends for good */
    int CancelEvent;                   /* eventfd: the exchange that runs ends */
    BOOLEAN AnswerOwed;                /* asked for and not wholly received */
    UCHAR Header[VPICC_HEADER_LENGTH]; /* of the message that is being received */
    ULONG Received;                    /* of that message, bytes with the header */
    struct sockaddr_un UnixName;       /* empty: TCP */
} VPICC_LINK, *PVPICC_LINK;

/* Begins to listen: NULL for 127.0.0.1:35963, a port of that address, "unix:PATH".
 * STATUS_INVALID_PARAMETER, or STATUS_DEVICE_NOT_CONNECTED with errno. VpiccLinkClose
 * comes after it in every case. */
NTSTATUS VpiccLinkOpen(PVPICC_LINK Link, const char *Address);
VOID VpiccLinkClose(PVPICC_LINK Link);

/* Waits for the next card: its connection, or -1 after VpiccLinkStop. */
int VpiccLinkAccept(PVPICC_LINK Link);
/* Waits for the card of that connection to hang up, which also ends an exchange with it;
 * FALSE: VpiccLinkStop came first. */
BOOLEAN VpiccLinkWatch(PVPICC_LINK Link, int Connection);
VOID VpiccLinkStop(PVPICC_LINK Link);

/* Another card, or none (-1). Not during an exchange. */
VOID VpiccLinkSetCard(PVPICC_LINK Link, int Connection);

/*
 * Sends messages, the last of which is answered unless TimeoutMs is 0; the answer goes to
 * Reply, which has room for VPICC_MESSAGE_MAX. STATUS_SUCCESS, STATUS_NO_MEDIA (hung up),
 * STATUS_IO_TIMEOUT, STATUS_CANCELLED, STATUS_DEVICE_PROTOCOL_ERROR (spoke unasked).
 */
NTSTATUS VpiccLinkExchange(PVPICC_LINK Link, const UCHAR *Bytes, ULONG Length,
                           ULONG TimeoutMs, PSMARTCARD_REPLY Reply);
/* Ends the exchange that runs, and all that follow until VpiccLinkUncancel. */
VOID VpiccLinkCancel(PVPICC_LINK Link);
VOID VpiccLinkUncancel(PVPICC_LINK Link);

#endif
