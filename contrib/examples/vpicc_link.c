/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vpicc_link.c - cards on a socket, and messages to and from them.
 *
 * The protocol has no sequence numbers, so that a late answer looks like the next one. An
 * exchange that gives up (cancelled, too slow) therefore leaves its answer owed: the next
 * one waits for it and drops it before it sends anything. A card that speaks unasked, or
 * does not take a whole message, cannot be understood any more and is thrown out.
 */
#define _GNU_SOURCE 1 /* accept4, POLLRDHUP */
#include "vpicc_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_PORT    35963
#define ACCEPT_RETRY_MS 1000

/* ---- listening ------------------------------------------------------------------- */

static NTSTATUS Listen(PVPICC_LINK Link, const struct sockaddr *Address, socklen_t Length)
{
    static const int One = 1;

    Link->Listener =
        socket(Address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (Link->Listener < 0)
        return STATUS_DEVICE_NOT_CONNECTED;
    if (Address->sa_family == AF_INET)
        setsockopt(Link->Listener, SOL_SOCKET, SO_REUSEADDR, &One, sizeof One);
    if (bind(Link->Listener, Address, Length) != 0 || listen(Link->Listener, 1) != 0)
        return STATUS_DEVICE_NOT_CONNECTED;
    return STATUS_SUCCESS;
}

/* A socket that nobody listens to any more was left behind by a killed process. */
static VOID UnlinkStale(const struct sockaddr_un *Name)
{
    int Socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (Socket < 0)
        return;
    if (connect(Socket, (const struct sockaddr *)Name, sizeof *Name) != 0 &&
        errno == ECONNREFUSED)
        unlink(Name->sun_path);
    close(Socket);
}

static NTSTATUS ListenUnix(PVPICC_LINK Link, const char *Path)
{
    struct sockaddr_un Name = {.sun_family = AF_UNIX};
    NTSTATUS Status;

    if (Path[0] != '/' || strlen(Path) >= sizeof Name.sun_path)
        return STATUS_INVALID_PARAMETER;
    RtlCopyMemory(Name.sun_path, Path, strlen(Path));
    UnlinkStale(&Name);
    Status = Listen(Link, (const struct sockaddr *)&Name, sizeof Name);
    if (Status == STATUS_SUCCESS)
        Link->UnixName = Name;
    return Status;
}

static NTSTATUS ListenTcp(PVPICC_LINK Link, const char *Text)
{
    struct sockaddr_in Name = {.sin_family = AF_INET};
    unsigned long Port = DEFAULT_PORT;
    char *End;

    if (Text != NULL) {
        Port = strtoul(Text, &End, 10);
        if (Text[0] < '0' || Text[0] > '9' || *End != '\0' || Port < 1 || Port > 0xFFFF)
            return STATUS_INVALID_PARAMETER;
    }
    Name.sin_port = htons((USHORT)Port);
    Name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return Listen(Link, (const struct sockaddr *)&Name, sizeof Name);
}

NTSTATUS VpiccLinkOpen(PVPICC_LINK Link, const char *Address)
{
    RtlZeroMemory(Link, sizeof *Link);
    Link->Listener = Link->Connection = -1;
    Link->StopEvent = eventfd(0, EFD_CLOEXEC);
    Link->CancelEvent = eventfd(0, EFD_CLOEXEC);
    if (Link->StopEvent < 0 || Link->CancelEvent < 0)
        return STATUS_DEVICE_NOT_CONNECTED;
    if (Address != NULL && strncmp(Address, "unix:", 5) == 0)
        return ListenUnix(Link, Address + 5);
    return ListenTcp(Link, Address);
}

static VOID CloseIfOpen(int File)
{
    if (File >= 0)
        close(File);
}

VOID VpiccLinkClose(PVPICC_LINK Link)
{
    if (Link->UnixName.sun_path[0] != '\0')
        unlink(Link->UnixName.sun_path);
    CloseIfOpen(Link->Listener);
    CloseIfOpen(Link->Connection);
    CloseIfOpen(Link->StopEvent);
    CloseIfOpen(Link->CancelEvent);
}

/* ---- cards that come and go ------------------------------------------------------ */

/* FALSE after VpiccLinkStop. */
static BOOLEAN Watch(PVPICC_LINK Link, int Socket, short Events, int TimeoutMs)
{
    struct pollfd Poll[] = {{.fd = Link->StopEvent, .events = POLLIN},
                            {.fd = Socket, .events = Events}};

    while (poll(Poll, 2, TimeoutMs) < 0 && errno == EINTR)
        continue;
    return Poll[0].revents == 0;
}

int VpiccLinkAccept(PVPICC_LINK Link)
{
    while (Watch(Link, Link->Listener, POLLIN, -1)) {
        int Connection =
            accept4(Link->Listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (Connection >= 0)
            return Connection;
        Watch(Link, -1, 0, ACCEPT_RETRY_MS); /* out of descriptors: do not spin */
    }
    return -1;
}

BOOLEAN VpiccLinkWatch(PVPICC_LINK Link, int Connection)
{
    if (!Watch(Link, Connection, POLLRDHUP, -1))
        return FALSE;
    shutdown(Connection, SHUT_RDWR); /* where it has only half hung up */
    return TRUE;
}

VOID VpiccLinkStop(PVPICC_LINK Link)
{
    eventfd_write(Link->StopEvent, 1);
}

VOID VpiccLinkSetCard(PVPICC_LINK Link, int Connection)
{
    CloseIfOpen(Link->Connection);
    Link->Connection = Connection;
    Link->AnswerOwed = FALSE;
    Link->Received = 0;
}

/* ---- messages -------------------------------------------------------------------- */

static LONGLONG NowMs(VOID)
{
    struct timespec Now;

    clock_gettime(CLOCK_MONOTONIC, &Now);
    return (LONGLONG)Now.tv_sec * 1000 + Now.tv_nsec / 1000000;
}

/* What has become of a send or recv that took nothing: after STATUS_SUCCESS it is worth
 * another try. */
static NTSTATUS WaitAfter(ssize_t Result, PVPICC_LINK Link, short Events,
                          LONGLONG DeadlineMs)
{
    struct pollfd Poll[] = {{.fd = Link->CancelEvent, .events = POLLIN},
                            {.fd = Link->Connection, .events = Events}};
    LONGLONG LeftMs = DeadlineMs - NowMs();
    int Ready;

    if (Result == 0 || (errno != EAGAIN && errno != EINTR))
        return STATUS_NO_MEDIA;
    Ready = poll(Poll, 2, LeftMs > 0 ? (int)LeftMs : 0);
    if (Ready > 0 && Poll[0].revents != 0)
        return STATUS_CANCELLED;
    if (Ready < 0 && errno != EINTR)
        return STATUS_IO_DEVICE_ERROR;
    return Ready != 0 ? STATUS_SUCCESS : STATUS_IO_TIMEOUT;
}

static NTSTATUS Send(PVPICC_LINK Link, const UCHAR *Bytes, ULONG Length,
                     LONGLONG DeadlineMs)
{
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Sent = 0;

    while (Sent < Length && Status == STATUS_SUCCESS) {
        ssize_t Result =
            send(Link->Connection, Bytes + Sent, Length - Sent, MSG_NOSIGNAL);

        if (Result > 0)
            Sent += (ULONG)Result;
        else
            Status = WaitAfter(Result, Link, POLLOUT, DeadlineMs);
    }
    if (Sent > 0 && Sent < Length) /* the card would take the next message for the rest */
        shutdown(Link->Connection, SHUT_RDWR);
    return Status;
}

/* One message; goes on where an earlier call has given up. */
static NTSTATUS Receive(PVPICC_LINK Link, LONGLONG DeadlineMs, PSMARTCARD_REPLY Reply)
{
    NTSTATUS Status = STATUS_SUCCESS;

    Reply->BufferLength = 0;
    while (Status == STATUS_SUCCESS) {
        PUCHAR To = Link->Header + Link->Received;
        ULONG Wanted = VPICC_HEADER_LENGTH - Link->Received;
        ssize_t Result;

        if (Link->Received >= VPICC_HEADER_LENGTH) {
            ULONG Length = (ULONG)Link->Header[0] << 8 | Link->Header[1];

            Reply->BufferLength = Link->Received - VPICC_HEADER_LENGTH;
            To = Reply->Buffer + Reply->BufferLength;
            Wanted = Length - Reply->BufferLength; /* Length <= VPICC_MESSAGE_MAX */
        }
        if (Wanted == 0) {
            Link->Received = 0;
            Link->AnswerOwed = FALSE;
            return STATUS_SUCCESS;
        }
        Result = recv(Link->Connection, To, Wanted, 0);
        if (Result > 0)
            Link->Received += (ULONG)Result;
        else
            Status = WaitAfter(Result, Link, POLLIN, DeadlineMs);
    }
    return Status;
}

/* To where the next message from the card is the next answer. */
static NTSTATUS Settle(PVPICC_LINK Link, LONGLONG DeadlineMs, PSMARTCARD_REPLY Reply)
{
    NTSTATUS Status =
        Link->AnswerOwed ? Receive(Link, DeadlineMs, Reply) : STATUS_SUCCESS;
    UCHAR Byte;

    if (Status != STATUS_SUCCESS ||
        recv(Link->Connection, &Byte, sizeof Byte, MSG_PEEK) <= 0)
        return Status; /* a card that has hung up shows in a moment */
    shutdown(Link->Connection, SHUT_RDWR);
    return STATUS_DEVICE_PROTOCOL_ERROR;
}

NTSTATUS VpiccLinkExchange(PVPICC_LINK Link, const UCHAR *Bytes, ULONG Length,
                           ULONG TimeoutMs, PSMARTCARD_REPLY Reply)
{
    LONGLONG DeadlineMs = NowMs() + TimeoutMs;
    NTSTATUS Status;

    if (Link->Connection < 0)
        return STATUS_NO_MEDIA;
    if (TimeoutMs == 0)
        return Send(Link, Bytes, Length, DeadlineMs);
    Status = Settle(Link, DeadlineMs, Reply);
    if (Status == STATUS_SUCCESS)
        Status = Send(Link, Bytes, Length, DeadlineMs);
    if (Status != STATUS_SUCCESS)
        return Status;
    Link->AnswerOwed = TRUE;
    return Receive(Link, DeadlineMs, Reply);
}

VOID VpiccLinkCancel(PVPICC_LINK Link)
{
    eventfd_write(Link->CancelEvent, 1);
}

VOID VpiccLinkUncancel(PVPICC_LINK Link)
{
    eventfd_t Count;

    eventfd_read(Link->CancelEvent, &Count);
}
