/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vpcd.c - a card program at the other end of a socket.
 *
 * THEORY. Messages are two bytes of length, most significant first, and so many bytes.
 * The reader sends one byte for power off (0), on (1), reset (2) and "your ATR?" (4),
 * longer ones are APDUs; only the ATR and APDUs are answered. A connection is a card in
 * the reader, its end takes the card out; who connects meanwhile waits. One thread does
 * all the waiting: for a connection, for bytes, for work, for the end.
 *
 * Answers come in the order of questions and carry no number, so both are counted. Of an
 * exchange that was given up the answer is dropped when it arrives: the reader knows the
 * number of the question that it waits for (virtual_far.c).
 *
 * The program is not trusted. It is thrown out when it speaks unasked, sends a message
 * that is longer than a response can be, does not take what is sent (OUT_MAX waits), or
 * owes OWED_MAX answers. That it says nothing at all is the reader's affair
 * (virtual_far.c), half a message is nothing said.
 *
 * Locks: vpcd->lock is below that of the reader and guards `out`, `asked`, `answered` and
 * `broken`; no call is made under it.
 */
#include "ccid/vpcd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ccid/usb.h"
#include "ccid/virtual_card.h"
#include "ccid/vpcd_socket.h"
#include "smcnt.h"

#define HEADER_LENGTH   2
#define MESSAGE_MAX     (HEADER_LENGTH + 65535)
#define OUT_MAX         (4 * (size_t)MESSAGE_MAX)
#define OWED_MAX        64
#define ACCEPT_RETRY_MS 1000

struct ccid_vpcd {
    struct ccid_virtual_reader *reader;
    struct ccid_vpcd_socket listener;
    int wake; /* eventfd: something below has changed */
    pthread_t thread;

    pthread_mutex_t lock;
    bool stopping, broken; /* broken: the card is thrown out */
    uint8_t *out;          /* bytes to send */
    size_t out_len, out_room;
    unsigned asked, answered; /* by this card */

    /* The thread's. */
    int card; /* -1: none */
    size_t in_len;
    uint8_t in[MESSAGE_MAX];
};

/* ---- what the reader sends ------------------------------------------------------- */

static bool grow_locked(struct ccid_vpcd *vpcd, size_t wanted)
{
    uint8_t *more;

    if (wanted <= vpcd->out_room)
        return true;
    more = wanted <= OUT_MAX ? malloc(wanted) : NULL; /* realloc would leave a copy */
    if (more == NULL)
        return false;
    if (vpcd->out_len > 0)
        memcpy(more, vpcd->out, vpcd->out_len);
    if (vpcd->out != NULL)
        RtlSecureZeroMemory(vpcd->out, vpcd->out_room);
    free(vpcd->out);
    vpcd->out = more;
    vpcd->out_room = wanted;
    return true;
}

/* With the reader's lock: nothing here waits. An APDU of more than 65,535 bytes does not
 * fit into a message; no program can be told of one. */
static void send_far(void *context, const uint8_t *message, size_t len, bool answered)
{
    struct ccid_vpcd *vpcd = context;

    pthread_mutex_lock(&vpcd->lock);
    if (len == 0 || len > MESSAGE_MAX - HEADER_LENGTH ||
        vpcd->asked - vpcd->answered >= OWED_MAX ||
        !grow_locked(vpcd, vpcd->out_len + HEADER_LENGTH + len)) {
        vpcd->broken = true;
    } else {
        vpcd->out[vpcd->out_len++] = (uint8_t)(len >> 8);
        vpcd->out[vpcd->out_len++] = (uint8_t)len;
        memcpy(vpcd->out + vpcd->out_len, message, len);
        vpcd->out_len += len;
        vpcd->asked += answered;
    }
    pthread_mutex_unlock(&vpcd->lock);
    eventfd_write(vpcd->wake, 1);
}

/* False: it has hung up. */
static bool flush(struct ccid_vpcd *vpcd)
{
    bool alive = true;

    pthread_mutex_lock(&vpcd->lock);
    if (vpcd->out_len > 0) {
        ssize_t sent = send(vpcd->card, vpcd->out, vpcd->out_len, MSG_NOSIGNAL);

        alive = sent >= 0 || errno == EAGAIN || errno == EINTR;
        if (sent > 0) {
            vpcd->out_len -= (size_t)sent;
            memmove(vpcd->out, vpcd->out + sent, vpcd->out_len);
            RtlSecureZeroMemory(vpcd->out + vpcd->out_len, (size_t)sent);
        }
    }
    pthread_mutex_unlock(&vpcd->lock);
    return alive;
}

/* ---- what the card says ---------------------------------------------------------- */

/* One message, whole. False: it was not asked for. */
static bool take(struct ccid_vpcd *vpcd, const uint8_t *bytes, size_t len)
{
    unsigned number;
    bool asked;

    pthread_mutex_lock(&vpcd->lock);
    asked = vpcd->answered != vpcd->asked;
    vpcd->answered += asked;
    number = vpcd->answered;
    pthread_mutex_unlock(&vpcd->lock);
    if (asked)
        ccid_virtual_reader_answer_far(vpcd->reader, 0, number, bytes, len);
    return asked;
}

/* False: it has hung up, or is to be thrown out. */
static bool listen_to(struct ccid_vpcd *vpcd)
{
    size_t at = 0;
    ssize_t got =
        recv(vpcd->card, vpcd->in + vpcd->in_len, sizeof vpcd->in - vpcd->in_len, 0);

    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    vpcd->in_len += (size_t)got;
    while (vpcd->in_len - at >= HEADER_LENGTH) {
        size_t len = (size_t)vpcd->in[at] << 8 | vpcd->in[at + 1];

        if (vpcd->in_len - at - HEADER_LENGTH < len)
            break;
        if (!take(vpcd, vpcd->in + at + HEADER_LENGTH, len))
            return false;
        at += HEADER_LENGTH + len;
    }
    vpcd->in_len -= at;
    memmove(vpcd->in, vpcd->in + at, vpcd->in_len);
    RtlSecureZeroMemory(vpcd->in + vpcd->in_len, at);
    return true;
}

/* ---- cards that come and go ------------------------------------------------------ */

static void hang_up(struct ccid_vpcd *vpcd)
{
    (void)ccid_virtual_reader_remove(vpcd->reader, 0);
    close(vpcd->card);
    vpcd->card = -1;
    RtlSecureZeroMemory(vpcd->in, sizeof vpcd->in);
    vpcd->in_len = 0;
    pthread_mutex_lock(&vpcd->lock);
    if (vpcd->out != NULL) /* what it has not been sent any more */
        RtlSecureZeroMemory(vpcd->out, vpcd->out_room);
    vpcd->out_len = 0;
    pthread_mutex_unlock(&vpcd->lock);
}

static void welcome(struct ccid_vpcd *vpcd)
{
    const struct ccid_virtual_far far = {.send = send_far, .context = vpcd};

    vpcd->card = ccid_vpcd_socket_accept(&vpcd->listener);
    if (vpcd->card < 0)
        return;
    pthread_mutex_lock(&vpcd->lock);
    vpcd->broken = false;
    vpcd->asked = vpcd->answered = 0;
    pthread_mutex_unlock(&vpcd->lock);
    if (ccid_virtual_reader_insert_far(vpcd->reader, 0, &far) != 0) {
        close(vpcd->card); /* another card is in */
        vpcd->card = -1;
    }
}

/* False: it is over. */
static bool turn(struct ccid_vpcd *vpcd)
{
    struct pollfd polls[] = {{.fd = vpcd->wake, .events = POLLIN}, {.events = POLLIN}};
    bool stopping, broken;
    eventfd_t count;

    pthread_mutex_lock(&vpcd->lock);
    stopping = vpcd->stopping;
    broken = vpcd->broken;
    polls[1].fd = vpcd->card >= 0 ? vpcd->card : vpcd->listener.fd;
    if (vpcd->card >= 0 && vpcd->out_len > 0)
        polls[1].events |= POLLOUT;
    pthread_mutex_unlock(&vpcd->lock);
    if (vpcd->card >= 0 && (broken || stopping)) {
        hang_up(vpcd);
        return !stopping;
    }
    if (stopping)
        return false;
    if (poll(polls, 2, -1) < 0)
        return true;
    if (polls[0].revents != 0)
        (void)eventfd_read(vpcd->wake, &count);
    if (vpcd->card < 0) {
        if (polls[1].revents != 0)
            welcome(vpcd);
        if (polls[1].revents != 0 && vpcd->card < 0)
            (void)poll(polls, 1, ACCEPT_RETRY_MS); /* no descriptors: do not spin */
        return true;
    }
    if (!flush(vpcd) || ((polls[1].revents & ~POLLOUT) != 0 && !listen_to(vpcd)))
        hang_up(vpcd);
    return true;
}

static void *run(void *context)
{
    while (turn(context))
        ;
    return NULL;
}

/* ---- from outside ---------------------------------------------------------------- */

bool ccid_vpcd_parse(const char *shape, const char **address)
{
    static const char name[] = "vpcd";

    if (shape == NULL || strncmp(shape, name, sizeof name - 1) != 0)
        return false;
    shape += sizeof name - 1;
    *address = shape[0] == '=' ? shape + 1 : NULL;
    return shape[0] == '=' || shape[0] == '\0';
}

static void free_vpcd(struct ccid_vpcd *vpcd)
{
    ccid_vpcd_socket_close(&vpcd->listener);
    if (vpcd->wake >= 0)
        close(vpcd->wake);
    if (vpcd->out != NULL)
        RtlSecureZeroMemory(vpcd->out, vpcd->out_room);
    free(vpcd->out);
    pthread_mutex_destroy(&vpcd->lock);
    RtlSecureZeroMemory(vpcd->in, sizeof vpcd->in);
    free(vpcd);
}

NTSTATUS ccid_vpcd_start(const char *address, struct ccid_virtual_reader *reader,
                         struct ccid_vpcd **out)
{
    struct ccid_vpcd *vpcd = calloc(1, sizeof *vpcd);
    NTSTATUS status;

    if (vpcd == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    pthread_mutex_init(&vpcd->lock, NULL);
    vpcd->reader = reader;
    vpcd->card = -1;
    vpcd->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    status = ccid_vpcd_socket_open(&vpcd->listener, address);
    if (NT_SUCCESS(status) &&
        (vpcd->wake < 0 || usb_thread_start(&vpcd->thread, run, vpcd) != 0))
        status = STATUS_INSUFFICIENT_RESOURCES;
    if (!NT_SUCCESS(status)) {
        free_vpcd(vpcd);
        return status;
    }
    *out = vpcd;
    return STATUS_SUCCESS;
}

void ccid_vpcd_stop(struct ccid_vpcd *vpcd)
{
    if (vpcd == NULL)
        return;
    pthread_mutex_lock(&vpcd->lock);
    vpcd->stopping = true;
    pthread_mutex_unlock(&vpcd->lock);
    eventfd_write(vpcd->wake, 1);
    pthread_join(vpcd->thread, NULL);
    free_vpcd(vpcd);
}
