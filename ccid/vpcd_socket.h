/* SPDX-License-Identifier: BSD-2-Clause */
/* vpcd_socket.h - where the cards of vpcd.h connect: this machine only. */
#ifndef CCID_VPCD_SOCKET_H
#define CCID_VPCD_SOCKET_H

#include <sys/stat.h>
#include <sys/un.h>

#include "wdm.h"

struct ccid_vpcd_socket {
    int fd;                  /* -1: closed */
    struct sockaddr_un name; /* to be removed; empty: TCP */
    struct stat file;        /* which one it is */
};

/* As ccid_vpcd_start. The log says which port it has become. In any case closed by
 * ccid_vpcd_socket_close. */
NTSTATUS ccid_vpcd_socket_open(struct ccid_vpcd_socket *listener, const char *address);
void ccid_vpcd_socket_close(struct ccid_vpcd_socket *listener);
/* The next connection, not blocking; or -1. */
int ccid_vpcd_socket_accept(struct ccid_vpcd_socket *listener);

#endif
