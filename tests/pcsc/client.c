/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c - calls of the PC/SC API, one after the other, and what they return.
 *
 * usage: client COMMAND...
 *
 *   list              SCardListReaders
 *   context           SCardReleaseContext, SCardEstablishContext
 *   reader N          what follows is about the N-th reader
 *   connect           SCardConnect, shared; closes nothing that is connected already
 *   direct            SCardConnect, direct, without a protocol
 *   disconnect        SCardDisconnect, LEAVE
 *   status            SCardStatus
 *   change            SCardGetStatusChange, what is now
 *   idle N            SCardGetStatusChange of all that are listed, twice: what is now,
 * and then until something changes, N ms at most, between two of getppid transmit HEX N
 * SCardTransmit, N times, between two calls of getppid long N            the same with N
 * bytes each way (80 E0, virtual_card.h) control CODE HEX  SCardControl; CODE in
 * hexadecimal, or "tag:T": that of a feature attrib TAG        SCardGetAttrib with
 * SCARD_AUTOALLOCATE many N            SCardConnect N times: how many went well, and what
 * the next said wait              says "waiting", until a line comes
 *
 * A line for each: the command, the code, and what was returned. Status 0, also of codes
 * that are not 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <winscard.h>

#define ANSWER_MAX  65538
#define READERS_MAX 16
#define FEATURES    0x42000D48u /* CM_IOCTL_GET_FEATURE_REQUEST, as for Linux */

static SCARDCONTEXT context;
static SCARDHANDLE card;
static DWORD protocol;
static char names[READERS_MAX][MAX_READERNAME];
static unsigned reader;
static unsigned char answer[ANSWER_MAX];

static void say(const char *command, LONG code)
{
    printf("%s %08lx", command, (unsigned long)code & 0xFFFFFFFFul);
}

static void say_bytes(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        printf(i == 0 ? " %02x" : "%02x", bytes[i]);
}

static size_t from_hex(const char *text, unsigned char *bytes, size_t room)
{
    size_t len = 0;
    unsigned byte;

    while (len < room && sscanf(text + 2 * len, "%2x", &byte) == 1)
        bytes[len++] = (unsigned char)byte;
    return len;
}

/* ---- readers --------------------------------------------------------------------- */

static void list(void)
{
    char *all = NULL;
    DWORD len = SCARD_AUTOALLOCATE;
    LONG code = SCardListReaders(context, NULL, (char *)&all, &len);
    unsigned count = 0;

    say("list", code);
    if (code != SCARD_S_SUCCESS)
        return;
    for (char *name = all; *name != 0 && count < READERS_MAX; name += strlen(name) + 1) {
        printf(" [%s]", name);
        snprintf(names[count++], sizeof names[0], "%.*s", MAX_READERNAME - 1, name);
    }
    SCardFreeMemory(context, all);
}

static void renew_context(void)
{
    SCardReleaseContext(context);
    say("context", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context));
}

static void change(void)
{
    SCARD_READERSTATE state = {.szReader = names[reader]};

    say("change", SCardGetStatusChange(context, 0, &state, 1));
    printf(" %04lx", state.dwEventState & 0xFFFF & ~(DWORD)SCARD_STATE_CHANGED);
    say_bytes(state.rgbAtr, state.cbAtr);
}

static void idle(unsigned timeout_ms)
{
    SCARD_READERSTATE states[READERS_MAX] = {0};
    LONG code = SCARD_S_SUCCESS;
    DWORD count = 0;

    for (; count < READERS_MAX && names[count][0] != 0; count++)
        states[count].szReader = names[count];
    code = SCardGetStatusChange(context, 0, states, count);
    for (DWORD i = 0; i < count; i++)
        states[i].dwCurrentState = states[i].dwEventState;
    (void)getppid();
    if (code == SCARD_S_SUCCESS)
        code = SCardGetStatusChange(context, timeout_ms, states, count);
    (void)getppid();
    say("idle", code);
    printf(" %lu", (unsigned long)count);
}

/* ---- cards ----------------------------------------------------------------------- */

static void connect_card(void)
{
    say("connect", SCardConnect(context, names[reader], SCARD_SHARE_SHARED,
                                SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, &protocol));
}

static void connect_direct(void)
{
    say("direct",
        SCardConnect(context, names[reader], SCARD_SHARE_DIRECT, 0, &card, &protocol));
}

static void status(void)
{
    char name[MAX_READERNAME];
    unsigned char atr[MAX_ATR_SIZE];
    DWORD name_len = sizeof name, atr_len = sizeof atr, state = 0;

    say("status", SCardStatus(card, name, &name_len, &state, &protocol, atr, &atr_len));
    printf(" %02lx", state & 0xFFFF);
}

static LONG transmit(const unsigned char *command, size_t len, DWORD *got)
{
    *got = sizeof answer;
    return SCardTransmit(card,
                         protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1,
                         command, len, NULL, answer, got);
}

static void transmit_often(const char *hex, unsigned times)
{
    unsigned char command[261];
    const size_t len = from_hex(hex, command, sizeof command);
    LONG code = SCARD_S_SUCCESS;
    DWORD got = 0;

    (void)getppid();
    for (unsigned i = 0; i < times && code == SCARD_S_SUCCESS; i++)
        code = transmit(command, len, &got);
    (void)getppid();
    say("transmit", code);
    say_bytes(answer, code == SCARD_S_SUCCESS ? got : 0);
}

/* Case 4 of the extended form: ECHO. */
static void transmit_long(unsigned len)
{
    unsigned char *command = malloc(len + 9);
    DWORD got = 0;
    LONG code;

    memcpy(command, "\x80\xe0\0\0\0", 5);
    command[5] = (unsigned char)(len >> 8);
    command[6] = (unsigned char)len;
    for (unsigned i = 0; i < len; i++)
        command[7 + i] = (unsigned char)(i * 7 + i / 256);
    command[len + 7] = command[len + 8] = 0;
    (void)getppid();
    code = transmit(command, len + 9, &got);
    (void)getppid();
    say("long", code);
    printf(" %lu %s", got,
           got == len + 2 && memcmp(answer, command + 7, len) == 0 ? "same" : "other");
    free(command);
}

/* PC/SC part 10 §2.2: a tag, a length, a code of four bytes, most significant first. */
static DWORD code_of_feature(unsigned tag)
{
    unsigned char list_of[256];
    DWORD len = 0;

    if (SCardControl(card, FEATURES, NULL, 0, list_of, sizeof list_of, &len) !=
        SCARD_S_SUCCESS)
        return 0;
    for (DWORD i = 0; i + 6 <= len; i += 6) {
        if (list_of[i] == tag)
            return (DWORD)list_of[i + 2] << 24 | (DWORD)list_of[i + 3] << 16 |
                   (DWORD)list_of[i + 4] << 8 | list_of[i + 5];
    }
    return 0;
}

static void control(const char *text, const char *hex)
{
    unsigned char input[256];
    const size_t len = from_hex(hex, input, sizeof input);
    const DWORD number = strncmp(text, "tag:", 4) == 0
                             ? code_of_feature((unsigned)strtoul(text + 4, NULL, 16))
                             : strtoul(text, NULL, 16);
    DWORD got = 0;

    say("control", SCardControl(card, number, input, len, answer, sizeof answer, &got));
    say_bytes(answer, got);
}

static void attrib(const char *tag)
{
    unsigned char *value = NULL;
    DWORD len = SCARD_AUTOALLOCATE;
    LONG code =
        SCardGetAttrib(card, strtoul(tag, NULL, 16), (unsigned char *)&value, &len);

    say("attrib", code);
    say_bytes(value, code == SCARD_S_SUCCESS ? len : 0);
    if (code == SCARD_S_SUCCESS)
        SCardFreeMemory(context, value);
}

static void many(unsigned wanted)
{
    unsigned count = 0;
    LONG code = SCARD_S_SUCCESS;
    SCARDHANDLE one;

    while (count < wanted && code == SCARD_S_SUCCESS) {
        code = SCardConnect(context, names[reader], SCARD_SHARE_SHARED,
                            SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &one, &protocol);
        count += code == SCARD_S_SUCCESS;
    }
    say("many", code);
    printf(" %u", count);
}

/* ---- main ------------------------------------------------------------------------ */

static const char *next(char ***at)
{
    const char *argument = **at;

    if (argument == NULL) {
        fprintf(stderr, "client: an argument is missing\n");
        exit(2);
    }
    (*at)++;
    return argument;
}

static unsigned next_number(char ***at)
{
    return (unsigned)strtoul(next(at), NULL, 10);
}

/* False: no such command. */
static int run(const char *command, char ***at)
{
    const struct {
        const char *name;
        void (*run)(void);
    } plain[] = {
        {"list", list},     {"context", renew_context}, {"connect", connect_card},
        {"status", status}, {"direct", connect_direct}, {"change", change},
    };

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (strcmp(command, plain[i].name) == 0) {
            plain[i].run();
            return 1;
        }
    }
    if (strcmp(command, "reader") == 0) {
        reader = next_number(at) % READERS_MAX;
        printf("reader %s", names[reader]);
    } else if (strcmp(command, "idle") == 0) {
        idle(next_number(at));
    } else if (strcmp(command, "disconnect") == 0) {
        say("disconnect", SCardDisconnect(card, SCARD_LEAVE_CARD));
    } else if (strcmp(command, "transmit") == 0) {
        const char *hex = next(at);

        transmit_often(hex, next_number(at));
    } else if (strcmp(command, "long") == 0) {
        transmit_long(next_number(at));
    } else if (strcmp(command, "control") == 0) {
        const char *code = next(at);

        control(code, next(at));
    } else if (strcmp(command, "attrib") == 0) {
        attrib(next(at));
    } else if (strcmp(command, "many") == 0) {
        many(next_number(at));
    } else if (strcmp(command, "wait") == 0) {
        printf("waiting");
        fflush(stdout);
        while (getchar() != '\n' && !feof(stdin))
            ;
    } else {
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    char **at = argv + 1;

    (void)argc;
    say("establish", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context));
    printf("\n");
    while (*at != NULL) {
        const char *command = next(&at);

        if (!run(command, &at)) {
            fprintf(stderr, "client: %s: unknown\n", command);
            return 2;
        }
        printf("\n");
        fflush(stdout);
    }
    SCardReleaseContext(context);
    return 0;
}
