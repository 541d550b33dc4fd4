/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcsc_client.c - what calls of PC/SC cost, with the libpcsclite.so.1 that it finds.
 * usage: pcsc-client FIGURE COUNT      (the first reader)
 *
 * Prints the median of COUNT in microseconds:
 *   transmit    SCardTransmit, READ BINARY of 8 bytes
 *   long        SCardTransmit, 60,000 bytes each way (80 E0 of the emulated card)
 *   status      SCardStatus
 *   change      SCardGetStatusChange without a wait
 *   begin-end   SCardBeginTransaction and SCardEndTransaction
 *   connect     SCardConnect and SCardDisconnect
 *   hand-over   from SCardEndTransaction to the return of another process's
 *               SCardBeginTransaction that waits for it
 *   insertion   from a card that is put in to the return of SCardGetStatusChange
 *
 * For the insertion the environment names BENCH_USB, the control socket of the emulated
 * USB with the reader 1-1, or BENCH_INSERT and BENCH_REMOVE, shell commands.
 */
#include "bench.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <winscard.h>

#define LONG_BYTES 60000
/* Long enough to be waiting, and not in step with anything that polls. */
#define WAITS_US(round) (20000u + 7000u * ((unsigned)(round) % 11))
/* Drivers tell of so many insertions at once, as from a bad contact, with a delay. */
#define INSERTION_PAUSE_US 200000

static SCARDCONTEXT context;
static SCARDHANDLE card;
static DWORD protocol;
static char reader[4096]; /* the first; what follows is not used */

static void check(LONG result, const char *what)
{
    if (result != SCARD_S_SUCCESS)
        errx(1, "%s: %s", what, pcsc_stringify_error(result));
}

static void start(void)
{
    DWORD len = sizeof reader;

    check(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context),
          "SCardEstablishContext");
    check(SCardListReaders(context, NULL, reader, &len), "SCardListReaders");
}

static void connect_card(void)
{
    check(SCardConnect(context, reader, SCARD_SHARE_SHARED,
                       SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, &protocol),
          "SCardConnect");
}

/* ---- one call -------------------------------------------------------------------- */

static void transmit(const BYTE *command, DWORD len, BYTE *answer, DWORD room,
                     DWORD wanted)
{
    const SCARD_IO_REQUEST *pci =
        protocol == SCARD_PROTOCOL_T1 ? SCARD_PCI_T1 : SCARD_PCI_T0;

    check(SCardTransmit(card, pci, command, len, NULL, answer, &room), "SCardTransmit");
    if (room != wanted)
        errx(1, "an answer of %lu bytes", (unsigned long)room);
}

static void exchange_short(void *unused)
{
    static const BYTE apdu[] = {BENCH_APDU};
    BYTE answer[264];

    (void)unused;
    transmit(apdu, sizeof apdu, answer, sizeof answer, BENCH_ANSWER_LEN);
}

static void exchange_long(void *unused)
{
    static BYTE command[LONG_BYTES + 9] = {
        0x80, 0xE0, 0, 0, 0, LONG_BYTES >> 8, LONG_BYTES & 0xFF};
    static BYTE answer[MAX_BUFFER_SIZE_EXTENDED];

    (void)unused;
    transmit(command, sizeof command, answer, sizeof answer, LONG_BYTES + 2);
}

static void ask_status(void *unused)
{
    char name[MAX_READERNAME];
    BYTE atr[MAX_ATR_SIZE];
    DWORD name_len = sizeof name, atr_len = sizeof atr, state, now;

    (void)unused;
    check(SCardStatus(card, name, &name_len, &state, &now, atr, &atr_len), "SCardStatus");
}

static void ask_change(void *unused)
{
    SCARD_READERSTATE state = {.szReader = reader};

    (void)unused;
    check(SCardGetStatusChange(context, 0, &state, 1), "SCardGetStatusChange");
}

static void begin_and_end(void *unused)
{
    (void)unused;
    check(SCardBeginTransaction(card), "SCardBeginTransaction");
    check(SCardEndTransaction(card, SCARD_LEAVE_CARD), "SCardEndTransaction");
}

static void connect_and_disconnect(void *unused)
{
    SCARDHANDLE before = card;

    (void)unused;
    connect_card();
    check(SCardDisconnect(card, SCARD_LEAVE_CARD), "SCardDisconnect");
    card = before;
}

/* ---- hand-over ------------------------------------------------------------------- */

struct shared {
    uint64_t end_ns, begun_ns;
};

static void put(int fd)
{
    if (write(fd, "", 1) != 1)
        err(1, "the other process");
}

static void get(int fd)
{
    char byte;

    if (read(fd, &byte, 1) != 1)
        err(1, "the other process");
}

/* Waits for each transaction of the other one; asked by fds[0], answers by fds[1]. */
static void wait_in_turn(struct shared *shared, int asked, int answers, long count)
{
    start();
    connect_card();
    put(answers);
    for (long i = 0; i < count; i++) {
        get(asked);
        check(SCardBeginTransaction(card), "SCardBeginTransaction");
        shared->begun_ns = bench_now_ns();
        check(SCardEndTransaction(card, SCARD_LEAVE_CARD), "SCardEndTransaction");
        put(answers);
    }
    _exit(0);
}

static void hand_over(long count, uint64_t *samples)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ask[2], answer[2];

    if (shared == MAP_FAILED || pipe(ask) != 0 || pipe(answer) != 0)
        err(1, "the other process");
    if (fork() == 0)
        wait_in_turn(shared, ask[0], answer[1], count);
    start();
    connect_card();
    get(answer[0]);
    for (long i = 0; i < count; i++) {
        check(SCardBeginTransaction(card), "SCardBeginTransaction");
        put(ask[1]);
        usleep(WAITS_US(i));
        shared->end_ns = bench_now_ns();
        check(SCardEndTransaction(card, SCARD_LEAVE_CARD), "SCardEndTransaction");
        get(answer[0]);
        samples[i] = shared->begun_ns - shared->end_ns;
    }
    wait(NULL);
}

/* ---- insertion ------------------------------------------------------------------- */

static int dial(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) != 0)
        err(1, "%s", path);
    return fd;
}

/* Until the state is wanted; the time then. */
static uint64_t wait_for(DWORD wanted)
{
    SCARD_READERSTATE state = {.szReader = reader};

    do {
        state.dwCurrentState = state.dwEventState;
        check(SCardGetStatusChange(context, INFINITE, &state, 1), "SCardGetStatusChange");
    } while ((state.dwEventState & wanted) == 0);
    return bench_now_ns();
}

/* "remove" or "insert", and then the wait for what it brings; the answer "ok T" says when
 * the device told of it. */
static uint64_t emulated(const char *socket, const char *verb, DWORD wanted)
{
    const int fd = dial(socket);
    uint64_t seen_ns;
    char line[64] = "";

    if (dprintf(fd, "%s 1-1\n", verb) < 0)
        err(1, "%s", socket);
    seen_ns = wait_for(wanted);
    if (read(fd, line, sizeof line - 1) <= 0 || strncmp(line, "ok ", 3) != 0)
        errx(1, "%s: %s", verb, line);
    close(fd);
    return seen_ns - strtoull(line + 3, NULL, 10);
}

static uint64_t commanded(const char *command, DWORD wanted)
{
    const uint64_t begin_ns = bench_now_ns();

    if (command == NULL || system(command) != 0)
        errx(1, "neither BENCH_USB nor BENCH_INSERT and BENCH_REMOVE say how");
    return wait_for(wanted) - begin_ns;
}

static void insertion(long count, uint64_t *samples)
{
    const char *socket = getenv("BENCH_USB");

    if (socket != NULL && socket[0] == '\0')
        socket = NULL;
    start();
    for (long i = 0; i < count; i++) {
        usleep(INSERTION_PAUSE_US);
        if (socket != NULL)
            emulated(socket, "remove", SCARD_STATE_EMPTY);
        else
            commanded(getenv("BENCH_REMOVE"), SCARD_STATE_EMPTY);
        usleep(INSERTION_PAUSE_US);
        samples[i] = socket != NULL
                         ? emulated(socket, "insert", SCARD_STATE_PRESENT)
                         : commanded(getenv("BENCH_INSERT"), SCARD_STATE_PRESENT);
    }
}

/* ---- main ------------------------------------------------------------------------ */

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bench_exchange *exchange;
    } figures[] = {
        {"transmit", exchange_short}, {"long", exchange_long},
        {"status", ask_status},       {"change", ask_change},
        {"begin-end", begin_and_end}, {"connect", connect_and_disconnect},
    };
    const long count = argc == 3 ? atol(argv[2]) : 0;
    uint64_t *samples;

    if (count <= 0 || count > 1000000)
        errx(2, "usage: pcsc-client FIGURE COUNT");
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (strcmp(argv[1], figures[i].name) == 0) {
            start();
            connect_card();
            bench_run(count, figures[i].exchange, NULL);
            return 0;
        }
    }
    samples = calloc((size_t)count, sizeof *samples);
    if (samples == NULL)
        err(1, "samples");
    if (strcmp(argv[1], "hand-over") == 0)
        hand_over(count, samples);
    else if (strcmp(argv[1], "insertion") == 0)
        insertion(count, samples);
    else
        errx(2, "no such figure");
    bench_print_median(samples, (size_t)count);
    return 0;
}
