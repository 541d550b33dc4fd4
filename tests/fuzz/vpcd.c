/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vpcd.c - a card program at the far end of a socket that says anything, and a host that
 * uses its reader: the seed of failures (two bytes), then whatever happens (enum event)
 * each time the reader's thread waits. That thread is this one: a wait ends when the
 * input has an event for it.
 *
 * What goes to the program is a row of whole messages. What comes to the host is a whole
 * message of CCID, too, with no more data than the program has sent.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "../ccid/virtual_clock.h"
#include "ccid/msg.h"
#include "ccid/virtual_shape.h"
#include "ccid/vpcd.h"
#include "ccid/vpcd_socket.h"
#include "faults.h"
#include "fuzz.h"

#define EVENTS_MAX  400
#define LISTENER_FD (1 << 20)
#define CARD_FD     (LISTENER_FD + 1)
#define IN_MAX      65600

enum event {
    EVENT_SAYS,    /* the program: length (two bytes), bytes; connects if it has not */
    EVENT_ANSWERS, /* the same as one message, whose length is right */
    EVENT_HANGS_UP,
    EVENT_TAKES,   /* the program takes so many bytes at once: two bytes */
    EVENT_COMMAND, /* the host: one of enum command, number; length (one byte), data */
    EVENT_READS,   /* the host, for so many ms: two bytes */
    EVENT_ABORTS,  /* the host, number: one byte */
    EVENT_LATER,   /* ms: two bytes */
    EVENTS
};

static struct fuzz_input *input;
static struct virtual_clock host_clock;
static struct ccid_virtual_reader *reader;
static struct ccid_usb_port port;
static jmp_buf over;
static bool running; /* inside the thread's function */
static unsigned events;
static void *(*thread_run)(void *context);
static void *thread_context;

/* The program. */
static bool connected, hung_up;
static uint8_t *said;
static size_t said_len, said_at;
static size_t takes;
static size_t given; /* bytes to the reader */
/* Of what it gets: the message that is under way. */
static uint8_t head[2];
static unsigned head_len;
static size_t owed;
static size_t message_len;

/* ---- what the program gets --------------------------------------------------------- */

static void check_sent(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (head_len < 2) {
            head[head_len++] = bytes[i];
            owed = message_len = (size_t)head[0] << 8 | head[1];
            if (head_len == 2)
                FUZZ_CHECK(owed > 0);
            continue;
        }
        if (message_len == 1) /* off, on, reset, ATR */
            FUZZ_CHECK(bytes[i] <= 4 && bytes[i] != 3);
        if (--owed == 0)
            head_len = 0;
    }
}

/* ---- the host ---------------------------------------------------------------------- */

static void host_reads(uint32_t ms)
{
    static uint8_t in[IN_MAX];
    size_t len = 0;
    const enum ccid_usb_result result =
        port.ops->bulk_in(port.usb, in, sizeof in / 64 * 64, &len, ms);
    struct ccid_answer answer;

    FUZZ_CHECK(result == CCID_USB_OK || result == CCID_USB_TIMEOUT);
    if (result != CCID_USB_OK)
        return;
    FUZZ_CHECK(len >= CCID_HEADER_LENGTH &&
               len == CCID_HEADER_LENGTH + ccid_msg_length(in));
    FUZZ_CHECK(ccid_msg_decode(in, len, &answer) == NULL);
    FUZZ_CHECK(answer.slot == 0 || answer.outcome == CCID_FAILED);
    if (answer.type == CCID_DATA_BLOCK)
        FUZZ_CHECK(answer.length <= given);
}

static void host_commands(void)
{
    static const uint8_t types[] = {
        0x62,       0x63, CCID_XFR_BLOCK, CCID_GET_SLOT_STATUS, CCID_GET_PARAMETERS,
        CCID_ABORT, 0x61};
    uint8_t message[CCID_HEADER_LENGTH + UINT8_MAX];
    const uint8_t type = types[fuzz_u8(input) % sizeof types], seq = fuzz_u8(input);
    const uint8_t len = fuzz_u8(input);

    ccid_msg_header(message, type, len, 0, seq, 0, 0, 0);
    fuzz_read(input, message + CCID_HEADER_LENGTH, len);
    (void)port.ops->bulk_out(port.usb, message, CCID_HEADER_LENGTH + len, 0);
}

static void host_aborts(void)
{
    size_t done;

    (void)port.ops->control(port.usb, 0x21, 0x01, (uint16_t)(fuzz_u8(input) << 8), 0,
                            NULL, 0, &done, 0);
}

/* ---- the program --------------------------------------------------------------------
 */

static void program_says(bool whole)
{
    const size_t wanted = fuzz_u16(input);
    size_t len;
    uint8_t *piece, *more;

    fuzz_faults_pause();
    piece = fuzz_piece(input, wanted, &len);
    more = realloc(said, said_len + 2 + len);
    FUZZ_CHECK(more != NULL);
    fuzz_faults_resume();
    said = more;
    if (whole) {
        said[said_len++] = (uint8_t)(len >> 8);
        said[said_len++] = (uint8_t)len;
    }
    memcpy(said + said_len, piece, len);
    said_len += len;
    free(piece);
}

static void forget_program(void)
{
    fuzz_faults_pause();
    free(said);
    fuzz_faults_resume();
    said = NULL;
    said_len = said_at = head_len = 0;
    connected = hung_up = false;
}

/* ---- the thread's system calls ------------------------------------------------------
 */

int __real_poll(struct pollfd *polls, nfds_t count, int timeout_ms);
int __real_close(int fd);
ssize_t __real_recv(int fd, void *bytes, size_t len, int flags);
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);
int __wrap_poll(struct pollfd *polls, nfds_t count, int timeout_ms);
int __wrap_close(int fd);
ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
/* What they are in fortified objects. */
int __wrap___poll_chk(struct pollfd *polls, nfds_t count, int timeout_ms, size_t size);
ssize_t __wrap___recv_chk(int fd, void *bytes, size_t len, size_t size, int flags);
int __wrap_usb_thread_start(pthread_t *thread, void *(*run)(void *context),
                            void *context);
int __wrap_pthread_join(pthread_t thread, void **result);
NTSTATUS __wrap_ccid_vpcd_socket_open(struct ccid_vpcd_socket *listener,
                                      const char *address);
void __wrap_ccid_vpcd_socket_close(struct ccid_vpcd_socket *listener);
int __wrap_ccid_vpcd_socket_accept(struct ccid_vpcd_socket *listener);

static void happens(void)
{
    switch (fuzz_u8(input) % EVENTS) {
    case EVENT_SAYS:
        program_says(false);
        break;
    case EVENT_ANSWERS:
        program_says(true);
        break;
    case EVENT_HANGS_UP:
        hung_up = true;
        break;
    case EVENT_TAKES:
        takes = fuzz_u16(input);
        break;
    case EVENT_COMMAND:
        host_commands();
        break;
    case EVENT_READS:
        host_reads(fuzz_u16(input));
        break;
    case EVENT_ABORTS:
        host_aborts();
        break;
    default:
        host_clock.now_ms += fuzz_u16(input);
        break;
    }
}

int __wrap_poll(struct pollfd *polls, nfds_t count, int timeout_ms)
{
    if (!running)
        return __real_poll(polls, count, timeout_ms);
    if (fuzz_left(input) == 0 || events++ == EVENTS_MAX)
        longjmp(over, 1);
    happens();
    (void)__real_poll(polls, 1, 0);
    if (count < 2)
        return 1;
    polls[1].revents = 0;
    if (polls[1].fd == LISTENER_FD && (said_at < said_len || connected))
        polls[1].revents = POLLIN;
    else if (polls[1].fd == CARD_FD)
        polls[1].revents =
            (short)((said_at < said_len ? POLLIN : 0) | (hung_up ? POLLHUP : 0) |
                    (takes > 0 ? polls[1].events & POLLOUT : 0));
    return 1;
}

int __wrap_close(int fd)
{
    if (fd != CARD_FD)
        return __real_close(fd);
    FUZZ_CHECK(connected);
    forget_program();
    return 0;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags)
{
    size_t part = said_len - said_at;

    if (fd != CARD_FD)
        return __real_recv(fd, bytes, len, flags);
    if (part == 0 && hung_up)
        return 0;
    if (part == 0 || len == 0) {
        errno = EAGAIN;
        return len == 0 ? 0 : -1;
    }
    if (part > len)
        part = len;
    memcpy(bytes, said + said_at, part);
    said_at += part;
    given += part;
    return (ssize_t)part;
}

int __wrap___poll_chk(struct pollfd *polls, nfds_t count, int timeout_ms, size_t size)
{
    FUZZ_CHECK(count <= size / sizeof *polls);
    return __wrap_poll(polls, count, timeout_ms);
}

ssize_t __wrap___recv_chk(int fd, void *bytes, size_t len, size_t size, int flags)
{
    FUZZ_CHECK(len <= size);
    return __wrap_recv(fd, bytes, len, flags);
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    if (fd != CARD_FD)
        return __real_send(fd, bytes, len, flags);
    FUZZ_CHECK(len > 0);
    if (hung_up || takes == 0) {
        errno = hung_up ? EPIPE : EAGAIN;
        return -1;
    }
    if (len > takes)
        len = takes;
    check_sent(bytes, len);
    return (ssize_t)len;
}

int __wrap_usb_thread_start(pthread_t *thread, void *(*run)(void *context), void *context)
{
    (void)thread;
    if (fuzz_fault())
        return EAGAIN;
    thread_run = run;
    thread_context = context;
    return 0;
}

/* It has been told to stop. */
int __wrap_pthread_join(pthread_t thread, void **result)
{
    (void)thread, (void)result;
    (void)thread_run(thread_context);
    return 0;
}

NTSTATUS __wrap_ccid_vpcd_socket_open(struct ccid_vpcd_socket *listener,
                                      const char *address)
{
    (void)address;
    listener->fd = LISTENER_FD;
    return STATUS_SUCCESS;
}

void __wrap_ccid_vpcd_socket_close(struct ccid_vpcd_socket *listener)
{
    listener->fd = -1;
}

int __wrap_ccid_vpcd_socket_accept(struct ccid_vpcd_socket *listener)
{
    (void)listener;
    FUZZ_CHECK(!connected);
    if (fuzz_fault()) {
        errno = EMFILE;
        return -1;
    }
    connected = true;
    return CARD_FD;
}

/* ---- the life of a reader ---------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const uint16_t seed = fuzz_u16(&in);
    struct ccid_vpcd *vpcd = NULL;

    input = &in;
    events = 0;
    given = 0;
    takes = IN_MAX;
    virtual_clock_init(&host_clock);
    reader = ccid_virtual_reader_new(&host_clock.clock, ccid_virtual_shape("vpcd"));
    FUZZ_CHECK(reader != NULL);
    port = ccid_virtual_reader_port(reader);
    fuzz_faults(seed);
    if (ccid_vpcd_start(NULL, reader, &vpcd) == STATUS_SUCCESS) {
        running = true;
        if (setjmp(over) == 0)
            (void)thread_run(thread_context);
        running = false;
    }
    fuzz_faults(0);
    ccid_vpcd_stop(vpcd);
    FUZZ_CHECK(!connected);
    forget_program();
    ccid_virtual_reader_free(reader);
    return 0;
}
