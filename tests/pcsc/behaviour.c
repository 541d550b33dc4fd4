/* SPDX-License-Identifier: BSD-2-Clause */
/* behaviour.c - the recorder, and orders to the card's program (vpicc_card.py). */
#include "behaviour.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

const char *reader;
static const char *group_name = "";
static const char *card_socket;
static DWORD first_counter;

/* ---- recording ------------------------------------------------------------------- */

void group(const char *name)
{
    group_name = name;
}

DWORD counted(DWORD state)
{
    return state >> 16 == 0 ? state : state - (first_counter << 16);
}

void step(LONG code, const char *name, const char *format, ...)
{
    va_list arguments;

    printf("%s: %s: %08lx", group_name, name, (unsigned long)code & 0xFFFFFFFFul);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

void need(LONG code, const char *what)
{
    if (code == SCARD_S_SUCCESS)
        return;
    fprintf(stderr, "behaviour: %s: %s: %08lx\n", group_name, what,
            (unsigned long)code & 0xFFFFFFFFul);
    exit(1);
}

/* ---- the card -------------------------------------------------------------------- */

static void order(const char *text)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int link = socket(AF_UNIX, SOCK_STREAM, 0);
    char answer[8];

    snprintf(name.sun_path, sizeof name.sun_path, "%s", card_socket);
    if (link < 0 || connect(link, (struct sockaddr *)&name, sizeof name) != 0 ||
        write(link, text, strlen(text)) < 0 || read(link, answer, sizeof answer) <= 0) {
        perror(card_socket);
        exit(1);
    }
    close(link);
}

static void wait_for(SCARDCONTEXT context, DWORD wanted, DWORD other)
{
    SCARD_READERSTATE state = {.szReader = reader, .dwCurrentState = other};

    do {
        state.dwCurrentState = other;
        need(SCardGetStatusChange(context, 20000, &state, 1), "the card obeys");
    } while ((state.dwEventState & wanted) == 0);
}

void card_out(SCARDCONTEXT context)
{
    order("remove\n");
    wait_for(context, SCARD_STATE_EMPTY, SCARD_STATE_PRESENT);
}

void card_in(SCARDCONTEXT context)
{
    order("insert\n");
    wait_for(context, SCARD_STATE_PRESENT, SCARD_STATE_EMPTY);
}

/* ---- what many steps need -------------------------------------------------------- */

SCARDCONTEXT new_context(void)
{
    SCARDCONTEXT context;

    need(SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context), "a context");
    return context;
}

SCARDHANDLE new_card(SCARDCONTEXT context)
{
    SCARDHANDLE card;
    DWORD protocol;

    need(SCardConnect(context, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_ANY, &card,
                      &protocol),
         "a connection");
    return card;
}

void renew(SCARDHANDLE card)
{
    DWORD protocol;

    need(SCardReconnect(card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_ANY, SCARD_LEAVE_CARD,
                        &protocol),
         "another connection");
}

void power_again(SCARDHANDLE card)
{
    DWORD protocol;

    need(SCardReconnect(card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_ANY, SCARD_RESET_CARD,
                        &protocol),
         "power for the card");
}

DWORD protocol_of(SCARDHANDLE card)
{
    DWORD protocol = SCARD_PROTOCOL_T1;

    (void)SCardStatus(card, NULL, NULL, NULL, &protocol, NULL, NULL);
    return protocol;
}

void status_step(const char *name, SCARDHANDLE card)
{
    unsigned char atr[MAX_ATR_SIZE];
    DWORD name_len = MAX_READERNAME, state = 1, protocol = 1, atr_len = sizeof atr;
    char text[MAX_READERNAME];
    LONG code = SCardStatus(card, text, &name_len, &state, &protocol, atr, &atr_len);

    step(code, name, " state %lx protocol %lx name %s atr %lu", counted(state), protocol,
         name_len == strlen(reader) + 1 ? "all"
         : name_len == 0                ? "none"
                                        : "other",
         atr_len);
}

void select_step(const char *name, SCARDHANDLE card)
{
    static const unsigned char command[] = {0x00, 0xA4, 0x00, 0x00, 0x02, 0x3F, 0x00};
    const SCARD_IO_REQUEST *pci =
        protocol_of(card) == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    unsigned char answer[MAX_BUFFER_SIZE];
    DWORD len = sizeof answer;
    LONG code = SCardTransmit(card, pci, command, sizeof command, NULL, answer, &len);

    step(code, name, " %lu bytes", len);
}

void change_step(const char *name, SCARDCONTEXT context, const char *which, DWORD known,
                 DWORD timeout_ms)
{
    SCARD_READERSTATE state = {.szReader = which,
                               .dwCurrentState = known,
                               .dwEventState = 0xDEAD,
                               .cbAtr = 0xDEAD};
    LONG code = SCardGetStatusChange(context, timeout_ms, &state, 1);

    step(code, name, " event %lx atr %lx", counted(state.dwEventState), state.cbAtr);
}

DWORD known_state(SCARDCONTEXT context)
{
    SCARD_READERSTATE state = {.szReader = reader};

    need(SCardGetStatusChange(context, 0, &state, 1), "the state");
    return state.dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
}

/* ---- other threads --------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void *run_other(void *context)
{
    struct other *other = context;
    LONG code = other->work(other);

    pthread_mutex_lock(&lock);
    other->code = code;
    other->over = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return NULL;
}

void begin_other(struct other *other)
{
    other->over = false;
    need(pthread_create(&other->thread, NULL, run_other, other), "a thread");
}

#define OVER_S 1

bool is_over(struct other *other)
{
    struct timespec until;
    bool over;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += OVER_S;
    pthread_mutex_lock(&lock);
    while (!other->over && pthread_cond_timedwait(&changed, &lock, &until) != ETIMEDOUT)
        ;
    over = other->over;
    pthread_mutex_unlock(&lock);
    return over;
}

void end_other(struct other *other)
{
    pthread_join(other->thread, NULL);
}

/* ---- all of it ------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    SCARDCONTEXT context;
    static char names[4096];
    DWORD len = sizeof names;

    if (argc != 2) {
        fprintf(stderr, "usage: behaviour SOCKET\n");
        return 2;
    }
    card_socket = argv[1];
    context = new_context();
    need(SCardListReaders(context, NULL, names, &len), "a reader");
    reader = names;
    wait_for(context, SCARD_STATE_PRESENT, SCARD_STATE_EMPTY);
    first_counter = (known_state(context) >> 16) - 1;
    need(SCardReleaseContext(context), "the end of the context");

    run_context();
    run_change();
    run_connect();
    run_reset();
    run_transaction();
    run_status();
    run_transmit();
    run_control();
    run_cancel();
    run_removal();
    run_fork();
    return 0;
}
