/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.c - the protocol of sd_notify(3): a datagram to the socket that NOTIFY_SOCKET
 * names. It is small and stable, and supervision must not depend on how we were built.
 */
#include "fs/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void scfs_notify(const char *message)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len = name != NULL ? strlen(name) : 0;
    int fd;

    if (len < 2 || len > sizeof address.sun_path || (name[0] != '/' && name[0] != '@'))
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    memcpy(address.sun_path, name, len);
    if (name[0] == '@') /* an abstract name: all of its bytes count, and no end */
        address.sun_path[0] = '\0';
    (void)sendto(fd, message, strlen(message), MSG_NOSIGNAL,
                 (const struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}
