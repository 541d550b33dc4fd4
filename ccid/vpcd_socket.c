/* SPDX-License-Identifier: BSD-2-Clause */
/* vpcd_socket.c - where the cards of vpcd.c connect. */
#include "ccid/vpcd_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smclib.h"

#define DEFAULT_PORT 35963

static NTSTATUS refuse(const char *address, int error)
{
    SmcLog(NULL, STATUS_ACCESS_DENIED, "vpcd: cannot listen on %s: %s", address,
           strerror(error));
    return STATUS_ACCESS_DENIED;
}

static int listen_on(struct ccid_vpcd_socket *listener, const struct sockaddr *address,
                     socklen_t len)
{
    static const int one = 1;

    listener->fd =
        socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return errno;
    if (address->sa_family == AF_INET) /* ports of connections that have just ended */
        setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener->fd, address, len) != 0 || listen(listener->fd, 1) != 0)
        return errno;
    return 0;
}

static NTSTATUS open_tcp(struct ccid_vpcd_socket *listener, const char *text)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    unsigned long port = DEFAULT_PORT;
    char *end;
    int error;

    if (text != NULL) {
        port = strtoul(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end != '\0' || port > 0xFFFF) {
            SmcLog(NULL, STATUS_INVALID_PARAMETER, "vpcd: no port: %s", text);
            return STATUS_INVALID_PARAMETER;
        }
    }
    name.sin_port = htons((uint16_t)port);
    error = listen_on(listener, (const struct sockaddr *)&name, sizeof name);
    if (error != 0)
        return refuse(text != NULL ? text : "port 35963", error);
    if (getsockname(listener->fd, (struct sockaddr *)&name, &len) == 0)
        port = ntohs(name.sin_port);
    SmcLog(NULL, STATUS_SUCCESS, "vpcd: cards may connect to port %lu", port);
    return STATUS_SUCCESS;
}

/* A socket that nobody listens to any more was left behind by a killed process. It is
 * asked by one of another kind, which a listener does not notice: EPROTOTYPE. */
static void unlink_stale(const struct sockaddr_un *name)
{
    struct stat status;
    int fd;

    if (lstat(name->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 &&
        errno == ECONNREFUSED)
        unlink(name->sun_path);
    close(fd);
}

static NTSTATUS open_unix(struct ccid_vpcd_socket *listener, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int error;

    if (path[0] != '/' || strlen(path) >= sizeof name.sun_path) {
        SmcLog(NULL, STATUS_INVALID_PARAMETER, "vpcd: not an absolute path: %s", path);
        return STATUS_INVALID_PARAMETER;
    }
    memcpy(name.sun_path, path, strlen(path));
    unlink_stale(&name);
    error = listen_on(listener, (const struct sockaddr *)&name, sizeof name);
    if (error != 0)
        return refuse(path, error);
    listener->name = name;
    if (lstat(path, &listener->file) != 0)
        listener->file = (struct stat){0};
    SmcLog(NULL, STATUS_SUCCESS, "vpcd: cards may connect to %s", path);
    return STATUS_SUCCESS;
}

NTSTATUS ccid_vpcd_socket_open(struct ccid_vpcd_socket *listener, const char *address)
{
    static const char prefix[] = "unix:";

    *listener = (struct ccid_vpcd_socket){.fd = -1};
    if (address != NULL && strncmp(address, prefix, sizeof prefix - 1) == 0)
        return open_unix(listener, address + sizeof prefix - 1);
    return open_tcp(listener, address);
}

void ccid_vpcd_socket_close(struct ccid_vpcd_socket *listener)
{
    struct stat now;

    /* Somebody else may have put another in its place. */
    if (listener->name.sun_path[0] != '\0' && lstat(listener->name.sun_path, &now) == 0 &&
        now.st_dev == listener->file.st_dev && now.st_ino == listener->file.st_ino)
        unlink(listener->name.sun_path);
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}

int ccid_vpcd_socket_accept(struct ccid_vpcd_socket *listener)
{
    static const int one = 1;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0 && listener->name.sun_path[0] == '\0')
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}
