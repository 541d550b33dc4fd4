/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle_worker.c - see oracle_worker.h.
 *
 * The card counts the commands that it gets (80 E8) since its reset. Inside a transaction
 * that count goes up by exactly the commands of this worker: one more would be another's,
 * a smaller number a reset by another. Workers with an even number verify the PIN, those
 * with an odd one never do: if one of them finds it verified (80 E6), the card came to it
 * with what another uid had left. And an echo (80 E0) must come back as it was sent.
 */
#include "oracle_worker.h"

#include "calls.h"
#include "daemon.h"
#include "winsmcrd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ECHO_MAX 16

struct worker {
    struct oracle *oracle;
    const char *control;
    int number;
    int fd;
    uint32_t random;
};

/* ---- what must be true ------------------------------------------------------------- */

static void require(const struct worker *w, bool truth, const char *what, int value)
{
    if (truth)
        return;
    if (__atomic_fetch_add(&w->oracle->violations, 1, __ATOMIC_SEQ_CST) == 0)
        snprintf(w->oracle->first, sizeof w->oracle->first, "worker %d: %s (%d)",
                 w->number, what, value);
}

static void come_in(const struct worker *w)
{
    int last = __atomic_exchange_n(&w->oracle->inside, w->number + 1, __ATOMIC_SEQ_CST);

    require(w,
            last == 0 ||
                __atomic_load_n(&w->oracle->doomed[last - 1], __ATOMIC_SEQ_CST) != 0,
            "is not alone; there is also worker", last - 1);
}

static void go_out(const struct worker *w)
{
    __atomic_store_n(&w->oracle->inside, 0, __ATOMIC_SEQ_CST);
}

/* ---- commands ---------------------------------------------------------------------- */

/* xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003) */
static uint32_t next_random(struct worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random;
}

/* The length of the answer, or -errno. */
static int exchange(const struct worker *w, const void *command, size_t len,
                    uint8_t answer[64])
{
    ssize_t n;

    if (write(w->fd, command, len) < 0)
        return -errno;
    n = read(w->fd, answer, 64);
    __atomic_fetch_add(&w->oracle->exchanges, 1, __ATOMIC_SEQ_CST);
    return n < 0 ? -errno : (int)n;
}

static void echo(struct worker *w)
{
    uint8_t command[5 + ECHO_MAX] = {0x80, 0xe0, 0, 0}, answer[64];
    uint8_t len = (uint8_t)(1 + next_random(w) % ECHO_MAX);
    int n;

    command[4] = len;
    for (int i = 0; i < len; i++)
        command[5 + i] = (uint8_t)next_random(w);
    n = exchange(w, command, 5u + len, answer);
    require(w, n == len + 2, "its echo came to", n);
    require(w, n != len + 2 || memcmp(answer, command + 5, len) == 0,
            "got an answer that is not its own", len);
}

static int count_commands(const struct worker *w)
{
    static const uint8_t command[] = {0x80, 0xe8, 0, 0, 4};
    uint8_t a[64];
    int n = exchange(w, command, sizeof command, a);

    require(w, n == 6, "its question for the count came to", n);
    return n == 6 ? a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3] : -1;
}

static void look_for_verified_pin(const struct worker *w)
{
    static const uint8_t command[] = {0x80, 0xe6, 0, 0};
    uint8_t answer[64];
    int n = exchange(w, command, sizeof command, answer);

    require(w, n == 2, "its question for the PIN came to", n);
    require(w, n != 2 || w->number % 2 == 0 || answer[0] == 0x69,
            "found a PIN verified that it does not know", answer[0]);
}

static void verify_pin(const struct worker *w)
{
    static const uint8_t command[] = {0,    0x20, 0,    0x80, 6,   0x31,
                                      0x32, 0x33, 0x34, 0x35, 0x36};
    uint8_t answer[64];
    int n = exchange(w, command, sizeof command, answer);

    require(w, n == 2 && answer[0] == 0x90, "its PIN came to", n);
}

/* ---- operations -------------------------------------------------------------------- */

static void reopen(struct worker *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = open(w->control, O_RDWR | O_CLOEXEC);
    require(w, w->fd >= 0, "cannot open", errno);
}

static void transaction(struct worker *w)
{
    int error = next_random(w) % 2 ? call_begin(w->fd, "oracle") : call_lock(w->fd);
    int before, after, echoes = (int)(next_random(w) % 5);

    require(w, error == 0, "its BEGIN came to", error);
    if (error != 0)
        return;
    come_in(w);
    __atomic_fetch_add(&w->oracle->transactions, 1, __ATOMIC_SEQ_CST);
    look_for_verified_pin(w);
    if (w->number % 2 == 0)
        verify_pin(w);
    before = count_commands(w);
    for (int i = 0; i < echoes; i++)
        echo(w);
    after = count_commands(w);
    require(w, after == before + echoes + 1, "commands of another came in between",
            after - before - echoes - 1);
    go_out(w);
    if (next_random(w) % 8 == 0) {
        reopen(w); /* the file's end is the transaction's */
        return;
    }
    error = call_end(w->fd, next_random(w) % SCARD_DISPOSITION_EJECT);
    require(w, error == 0, "its END came to", error);
}

static void power(struct worker *w)
{
    const uint32_t minor = next_random(w) % 2 ? SCARD_COLD_RESET : SCARD_WARM_RESET;
    int error = call_device(w->fd, IOCTL_SMARTCARD_POWER, &minor, sizeof minor, 33);

    /* others may have powered the card down, then there is nothing to reset warmly */
    require(w, error == 0 || minor == SCARD_WARM_RESET, "its reset came to", error);
}

static void operation(struct worker *w)
{
    switch (next_random(w) % 8) {
    case 0:
        echo(w);
        break;
    case 1:
        look_for_verified_pin(w);
        break;
    case 2:
        if (w->number % 2 == 0)
            verify_pin(w);
        break;
    case 3:
        power(w);
        break;
    case 4:
        (void)call_transmit(w->fd, 0); /* the protocol may not be selected */
        break;
    default:
        transaction(w);
        break;
    }
}

_Noreturn void oracle_work(struct oracle *oracle, int worker, const char *control,
                           int operations, uint32_t seed)
{
    struct worker w = {.oracle = oracle,
                       .control = control,
                       .number = worker,
                       .fd = -1,
                       .random = seed | 1};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    reopen(&w);
    while (oracle->done[worker] < operations) {
        operation(&w);
        __atomic_fetch_add(&oracle->done[worker], 1, __ATOMIC_SEQ_CST);
    }
    _exit(0);
}
