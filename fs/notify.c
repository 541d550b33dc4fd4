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

static int dial(struct sockaddr_un *address, socklen_t *length)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len = name != NULL ? strlen(name) : 0;

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len < 2 || len > sizeof address->sun_path || (name[0] != '/' && name[0] != '@'))
        return -1;
    memcpy(address->sun_path, name, len);
    if (name[0] == '@') /* an abstract name: all of its bytes count, and no end */
        address->sun_path[0] = '\0';
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static bool send_to_supervisor(const char *message, const int *file)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct sockaddr_un address;
    struct iovec text = {.iov_base = (char *)message, .iov_len = strlen(message)};
    struct msghdr datagram = {.msg_name = &address, .msg_iov = &text, .msg_iovlen = 1};
    int fd = dial(&address, &datagram.msg_namelen);
    bool sent;

    if (fd < 0)
        return false;
    if (file != NULL) {
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof *file),
                                          .cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), file, sizeof *file);
        datagram.msg_control = &control;
        datagram.msg_controllen = sizeof control;
    }
    sent = sendmsg(fd, &datagram, MSG_NOSIGNAL) >= 0;
    close(fd);
    return sent;
}

void scfs_notify(const char *message)
{
    send_to_supervisor(message, NULL);
}

bool scfs_notify_file(const char *message, int file)
{
    return send_to_supervisor(message, &file);
}
