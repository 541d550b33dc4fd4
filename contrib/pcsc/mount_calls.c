/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount_calls.c - the ioctls of `control`.
 *
 * THEORY. A signal interrupts a call to the mount whether or not its handler restarts
 * system calls, and programs do not expect that of PC/SC. Session calls are made again:
 * what the first one has done already shows as EALREADY or EPERM, since the library keeps
 * count of what the handle has. A power-up that has begun goes on for the second CONNECT
 * (SCARD_CONNECT_KEEP). A control code is sent with SCARD_CALL_KEEP: one that had reached
 * the reader goes on, and its outcome is read.
 *
 * Commands that may carry a PIN are wiped from the stack and the heap.
 */
#include "contrib/pcsc/mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "winsmcrd.h"

/* ---- session calls --------------------------------------------------------------- */

static int session_call(int fd, unsigned long request, void *call)
{
    int result;

    do
        result = ioctl(fd, request, call);
    while (result < 0 && errno == EINTR);
    return result < 0 ? errno : 0;
}

int mount_connect(int fd, struct scard_connect *call)
{
    call->size = sizeof *call;
    call->version = SCARD_IOC_VERSION;
    call->timeout_ms = SCARD_TIMEOUT_INFINITE;
    call->flags |= SCARD_CONNECT_KEEP;
    return session_call(fd, SCARD_IOC_CONNECT, call);
}

/* Nothing to end is the same as ended. */
int mount_disconnect(int fd, uint32_t disposition)
{
    struct scard_disconnect call = {.size = sizeof call,
                                    .version = SCARD_IOC_VERSION,
                                    .disposition = disposition,
                                    .flags = SCARD_DISCONNECT_FORGET};
    int error = session_call(fd, SCARD_IOC_DISCONNECT, &call);

    return error == EPERM ? 0 : error;
}

/* For who does not hold the transaction. */
int mount_begin(int fd)
{
    struct scard_begin call = {.size = sizeof call,
                               .version = SCARD_IOC_VERSION,
                               .timeout_ms = SCARD_TIMEOUT_INFINITE,
                               .label = "pcsc"};
    int error = session_call(fd, SCARD_IOC_BEGIN, &call);

    return error == EALREADY ? 0 : error;
}

int mount_end(int fd, uint32_t disposition)
{
    struct scard_end call = {
        .size = sizeof call, .version = SCARD_IOC_VERSION, .disposition = disposition};
    int error = session_call(fd, SCARD_IOC_END, &call);

    return error == EPERM ? 0 : error;
}

int mount_info(int fd, struct scard_info *info)
{
    int error;

    *info = (struct scard_info){
        .size = sizeof *info, .version = SCARD_IOC_VERSION, .flags = SCARD_INFO_SETTLED};
    error = session_call(fd, SCARD_IOC_INFO, info);
    if (error == 0 && info->atr_len > sizeof info->atr)
        return EPROTO;
    return error;
}

/* ---- control codes --------------------------------------------------------------- */

/* What an interrupted call has come to. EINTR: it has not been sent. The kernel does not
 * pass a read of 0 bytes on. */
static int kept_outcome(int fd, void *out, size_t *out_len)
{
    uint8_t byte;
    ssize_t got;

    do
        got = *out_len > 0 ? read(fd, out, *out_len) : read(fd, &byte, sizeof byte);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == ENODATA ? EINTR : errno;
    if ((size_t)got > *out_len)
        return EPROTO;
    *out_len = (size_t)got;
    return 0;
}

/* call: with room for both ways behind it. skip: bytes of header that a kept outcome
 * does not have. */
static int send_call(int fd, struct scard_call *call, size_t room, uint32_t code,
                     size_t in_len, size_t *out_len, size_t skip)
{
    const size_t out_room = *out_len;
    int error;

    do {
        *call = (struct scard_call){.size = (uint32_t)(sizeof *call + room),
                                    .version = SCARD_IOC_VERSION,
                                    .code = code,
                                    .in_len = (uint32_t)in_len,
                                    .out_len = (uint32_t)out_room,
                                    .timeout_ms = SCARD_TIMEOUT_INFINITE,
                                    .flags = SCARD_CALL_KEEP};
        if (ioctl(fd, SCARD_IOC_CALL(call->size), call) == 0) {
            *out_len = call->out_len;
            return call->out_len <= out_room ? 0 : EPROTO;
        }
        if (errno != EINTR)
            return errno;
        *out_len = out_room - skip;
        error = kept_outcome(fd, call->data + skip, out_len);
        *out_len += skip;
    } while (error == EINTR);
    return error;
}

/* Room for a call: the caller's small one, or a piece of the heap. Both are zero: the
 * mount shall not see what this process has left there. */
static struct scard_call *room_for(void *small, size_t room)
{
    return room <= MOUNT_CALL_SMALL ? small : calloc(1, sizeof(struct scard_call) + room);
}

static void give_back(struct scard_call *call, const void *small, size_t room)
{
    explicit_bzero(call, sizeof *call + room);
    if (call != small)
        free(call);
}

static size_t longer(size_t a, size_t b)
{
    return a > b ? a : b;
}

int mount_control(int fd, uint32_t code, const void *in, size_t in_len, void *out,
                  size_t *out_len)
{
    _Alignas(struct scard_call) uint8_t small[MOUNT_ENVELOPE] = {0};
    const size_t room = longer(in_len, *out_len);
    struct scard_call *call;
    int error;

    if (room > MOUNT_CALL_MAX)
        return EMSGSIZE;
    call = room_for(small, room);
    if (call == NULL)
        return ENOMEM;
    if (in_len > 0)
        memcpy(call->data, in, in_len);
    error = send_call(fd, call, room, code, in_len, out_len, 0);
    if (error == 0 && *out_len > 0)
        memcpy(out, call->data, *out_len);
    give_back(call, small, room);
    return error;
}

int mount_power(int fd, uint32_t minor)
{
    uint8_t atr[SCARD_ATR_ROOM];
    size_t len = minor == SCARD_POWER_DOWN ? 0 : sizeof atr;

    return mount_control(fd, IOCTL_SMARTCARD_POWER, &minor, sizeof minor, atr, &len);
}

int mount_attribute(int fd, uint32_t tag, void *value, size_t *len)
{
    return mount_control(fd, IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag, sizeof tag, value, len);
}

int mount_set_attribute(int fd, uint32_t tag, const void *value, size_t len)
{
    uint8_t in[MOUNT_ENVELOPE];
    size_t none = 0;
    int error;

    if (len > sizeof in - sizeof tag)
        return EMSGSIZE;
    memcpy(in, &tag, sizeof tag);
    if (len > 0)
        memcpy(in + sizeof tag, value, len);
    error =
        mount_control(fd, IOCTL_SMARTCARD_SET_ATTRIBUTE, in, sizeof tag + len, in, &none);
    explicit_bzero(in, sizeof in);
    return error;
}

/* ---- commands of the card -------------------------------------------------------- */

/* The longest answer that a command of ISO/IEC 7816-4 §5.1 may get; what the envelope
 * holds where its form does not say. */
static size_t answer_max(const uint8_t *command, size_t len)
{
    const size_t extended = 7;
    size_t le, lc;

    if (len < extended || command[4] != 0)
        return MOUNT_CALL_SMALL - sizeof(SCARD_IO_REQUEST);
    lc = (size_t)command[5] << 8 | command[6];
    if (len == extended)
        le = lc; /* case 2 */
    else if (len == extended + lc + 2)
        le = (size_t)command[len - 2] << 8 | command[len - 1];
    else
        return MOUNT_CALL_SMALL - sizeof(SCARD_IO_REQUEST);
    if (le == 0)
        le = 65536;
    return longer(le + 2, MOUNT_CALL_SMALL - sizeof(SCARD_IO_REQUEST));
}

/* What one ioctl cannot carry. */
static size_t room_to_transmit(const uint8_t *command, size_t len)
{
    return sizeof(SCARD_IO_REQUEST) + longer(len, answer_max(command, len));
}

bool mount_is_long(const void *command, size_t len)
{
    return room_to_transmit(command, len) > MOUNT_CALL_MAX;
}

/* By write and read, which carry APDUs of any length. */
static int transmit_long(int fd, const void *command, size_t len, void *answer,
                         size_t *answer_len)
{
    const size_t wanted = *answer_len;
    uint8_t *all = NULL;
    size_t got = SCARD_REPLY_MAX;
    int error;
    ssize_t sent;

    if (wanted < SCARD_REPLY_MAX && (all = malloc(SCARD_REPLY_MAX)) == NULL)
        return ENOMEM;
    /* It only puts the command into the line: nothing has happened when a signal came
     * first. */
    do
        sent = write(fd, command, len);
    while (sent < 0 && errno == EINTR);
    error = sent < 0 ? errno : kept_outcome(fd, all != NULL ? all : answer, &got);
    if (error == EINTR)
        error = EIO; /* not by a mount that keeps its word */
    if (error == 0 && all != NULL)
        memcpy(answer, all, got < wanted ? got : wanted);
    if (all != NULL)
        explicit_bzero(all, SCARD_REPLY_MAX);
    free(all);
    *answer_len = error == 0 ? got : 0;
    return error;
}

int mount_transmit(int fd, uint32_t protocol, const void *command, size_t len,
                   void *answer, size_t *answer_len)
{
    const SCARD_IO_REQUEST header = {.dwProtocol = protocol,
                                     .cbPciLength = sizeof header};
    const size_t wanted = *answer_len;
    _Alignas(struct scard_call) uint8_t small[MOUNT_ENVELOPE] = {0};
    const size_t room = room_to_transmit(command, len);
    size_t got = room;
    struct scard_call *call;
    int error;

    if (mount_is_long(command, len))
        return transmit_long(fd, command, len, answer, answer_len);
    *answer_len = 0;
    call = room_for(small, room);
    if (call == NULL)
        return ENOMEM;
    memcpy(call->data, &header, sizeof header);
    if (len > 0)
        memcpy(call->data + sizeof header, command, len);
    error = send_call(fd, call, room, IOCTL_SMARTCARD_TRANSMIT, sizeof header + len, &got,
                      sizeof header);
    if (error == 0 && got < sizeof header)
        error = EPROTO;
    if (error == 0) {
        *answer_len = got - sizeof header;
        if (wanted > 0)
            memcpy(answer, call->data + sizeof header,
                   *answer_len < wanted ? *answer_len : wanted);
    }
    give_back(call, small, room);
    return error;
}
