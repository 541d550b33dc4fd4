/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * concurrent_signals.c - calls that signals interrupt, over and over, while another
 * process has a transaction: each waits for its turn all the same, and is done once.
 */
#include "concurrent.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNALS   5
#define SIGNAL_US 5000

static sem_t signalled;

static void on_signal(int number)
{
    (void)number;
    sem_post(&signalled);
}

/* ---- the other process ----------------------------------------------------------- */

static int to_holder[2], from_holder[2];

/* Signals come here, too. */
static bool put(int fd)
{
    ssize_t sent;

    do
        sent = write(fd, "", 1);
    while (sent < 0 && errno == EINTR);
    return sent == 1;
}

static bool get(int fd)
{
    ssize_t got;
    char byte;

    do
        got = read(fd, &byte, 1);
    while (got < 0 && errno == EINTR);
    return got == 1;
}

static void hold(void)
{
    SCARDCONTEXT context = new_context();
    SCARDHANDLE card = new_card(context);

    while (get(to_holder[0])) {
        LONG code = SCardBeginTransaction(card);

        if (code == SCARD_W_RESET_CARD) {
            DWORD protocol;

            need(SCardReconnect(card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1,
                                SCARD_LEAVE_CARD, &protocol),
                 SCARD_S_SUCCESS, "the holder connects again");
            code = SCardBeginTransaction(card);
        }
        need(code, SCARD_S_SUCCESS, "the holder's transaction");
        check(put(from_holder[1]), "it is there");
        check(get(to_holder[0]), "it may end");
        need(SCardEndTransaction(card, SCARD_LEAVE_CARD), SCARD_S_SUCCESS, "its end");
    }
    _exit(0);
}

static void begin_holding(void)
{
    check(put(to_holder[1]) && get(from_holder[0]), "the holder holds");
}

/* After some signals that have interrupted the call. */
static void let_holder_end(struct thread *self)
{
    (void)self;
    for (unsigned i = 0; i < SIGNALS; i++) {
        while (sem_wait(&signalled) != 0)
            ;
    }
    check(put(to_holder[1]), "the holder ends");
}

/* ---- the calls ------------------------------------------------------------------- */

static SCARDHANDLE card;

static unsigned resets(void)
{
    char line[32];

    read_file("resets", line, sizeof line);
    return (unsigned)strtoul(line, NULL, 10);
}

static LONG call_transmit(void)
{
    return select_file(card);
}

static LONG call_long(void)
{
    static unsigned char command[20000 + 9] = {0x80, 0xE0,       0,           0,
                                               0,    20000 >> 8, 20000 & 0xFF};
    static unsigned char answer[MAX_BUFFER_SIZE_EXTENDED];
    DWORD len = sizeof answer;
    LONG code =
        SCardTransmit(card, SCARD_PCI_T1, command, sizeof command, NULL, answer, &len);

    check(code != SCARD_S_SUCCESS || len == 20002, "the long answer");
    return code;
}

static LONG call_begin(void)
{
    LONG code = SCardBeginTransaction(card);

    if (code == SCARD_S_SUCCESS)
        need(SCardEndTransaction(card, SCARD_LEAVE_CARD), SCARD_S_SUCCESS, "the end");
    return code;
}

static LONG call_reconnect(DWORD initialization)
{
    DWORD protocol;

    return SCardReconnect(card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1, initialization,
                          &protocol);
}

static LONG call_reset(void)
{
    const unsigned before = resets();
    LONG code = call_reconnect(SCARD_RESET_CARD);

    check(resets() == before + 1, "one reset");
    return code;
}

/* Power-down counts as a reset, and the card is then reset for the connection. */
static LONG call_unpower(void)
{
    const unsigned before = resets();
    LONG code = call_reconnect(SCARD_UNPOWER_CARD);

    check(resets() == before + 2, "the power was off, once");
    return code;
}

static LONG call_connect(void)
{
    SCARDCONTEXT context = new_context();
    SCARDHANDLE other;
    DWORD protocol;
    LONG code = SCardConnect(context, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1,
                             &other, &protocol);

    need(SCardReleaseContext(context), SCARD_S_SUCCESS, "the end of the context");
    return code;
}

/* IOCTL_SMARTCARD_POWER with SCARD_POWER_DOWN, of which nothing is returned. */
static LONG call_control(void)
{
    static const unsigned char down[4] = {0};
    DWORD len = 0, protocol;
    char state[32];
    LONG code = SCardControl(card, 0x00310004, down, sizeof down, NULL, 0, &len);

    read_file("state", state, sizeof state);
    check(strcmp(state, "swallowed") == 0, "the power is off");
    need(SCardReconnect(card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1, SCARD_RESET_CARD,
                        &protocol),
         SCARD_S_SUCCESS, "the power is on again");
    return code;
}

static void interrupted(const char *name, LONG (*call)(void))
{
    struct thread helper = {.work = let_holder_end};
    sigset_t set;

    begin_holding();
    while (sem_trywait(&signalled) == 0)
        ;
    /* The signals are this thread's: another would be no interruption. */
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    begin_thread(&helper);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    need(call(), SCARD_S_SUCCESS, name);
    end_thread(&helper);
    need(select_file(card), SCARD_S_SUCCESS, "what comes after it");
}

void run_signals(void)
{
    static const struct {
        const char *name;
        LONG (*call)(void);
    } calls[] = {
        {"SCardTransmit", call_transmit},
        {"SCardTransmit, 20,000 bytes", call_long},
        {"SCardBeginTransaction", call_begin},
        {"SCardConnect", call_connect},
        {"SCardReconnect, reset", call_reset},
        {"SCardReconnect, unpower", call_unpower},
        {"SCardControl without output", call_control},
    };
    const struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
    const struct itimerval often = {.it_interval.tv_usec = SIGNAL_US,
                                    .it_value.tv_usec = SIGNAL_US};
    const struct itimerval never = {0};
    const size_t count = sizeof calls / sizeof calls[0];

    check(pipe(to_holder) == 0 && pipe(from_holder) == 0, "pipes");
    if (fork() == 0) {
        close(to_holder[1]);
        hold();
    }
    sem_init(&signalled, 0, 0);
    card = new_card(new_context());
    alarm(0); /* the timer takes its signal */
    sigaction(SIGALRM, &action, NULL);
    for (size_t i = 0; i < count; i++) {
        setitimer(ITIMER_REAL, &often, NULL);
        interrupted(calls[i].name, calls[i].call);
        setitimer(ITIMER_REAL, &never, NULL);
    }
    close(to_holder[1]);
    wait(NULL);
    printf("%zu calls interrupted %u times each, and done once\n", count, SIGNALS);
}
